"""Few views at a time, many threads for clients: a view begins when its request is here."""

import io
import socket
from collections.abc import Iterable
from errno import ECONNRESET
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from struct import pack
from threading import Condition
from time import monotonic
from typing import Any
from weakref import finalize

from flask import Flask
from werkzeug import exceptions

from .errors import show_error

PATIENCE = 30  # seconds for a request to arrive, and for a client that reads nothing
WAIT = 10  # seconds for a place or room; then the answer is 503
# Bytes of a body that needs no room, and what all larger ones share: 64 MiB with 256 small.
SMALL, ROOM = 2**16, 48 * 2**20
# To gunicorn, such a client has gone: it logs no traceback.
TOO_SLOW = ECONNRESET, "The client is too slow"


class Connection(socket.socket):
    """A connection on which gunicorn waits for nobody without end."""

    due = inf  # by when a request must be here

    def setblocking(self, flag: bool, /) -> None:
        """gunicorn asks to block whenever a request begins."""
        super().setblocking(flag)
        self.due = monotonic() + PATIENCE

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        try:
            data = super().recv(min(size, SMALL), flags)
        except BlockingIOError:
            raise ConnectionResetError(*TOO_SLOW) from None
        if monotonic() > self.due:
            raise ConnectionResetError(*TOO_SLOW)
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        try:
            super().sendall(data, flags)
        except BlockingIOError:
            raise ConnectionResetError(*TOO_SLOW) from None

    def shutdown(self, _: int, /) -> None:
        """End it. gunicorn's only loop would wait 2 s for the client to do so, too."""
        super().shutdown(socket.SHUT_RDWR)


def guard(listeners: Iterable[Any]) -> None:
    """Make gunicorn's listeners accept such connections. (TLS replaces them by its own.)"""

    def accept(original: Any) -> tuple[Connection, Any]:
        sock, address = original()
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, pack("ll", PATIENCE, 0))
        return Connection(fileno=sock.detach()), address

    for listener in listeners:
        listener.accept = partial(accept, listener.accept)


class Body(io.RawIOBase):
    """The start of a body, which is read ahead, and the rest."""

    room, changed = ROOM, Condition()  # what is left for all of them

    def __init__(self, size: int, rest: Any) -> None:
        """Wait for room for so many bytes, and read them."""
        self.start, self.rest = io.BytesIO(), rest
        if size > SMALL:
            self.take(size)
            finalize(self, self.take, -size)
        try:
            while part := rest.read(min(size - self.start.tell(), SMALL)):
                self.start.write(part)
        except ConnectionResetError:
            raise exceptions.RequestTimeout from None
        except Exception:  # noqa: BLE001
            raise exceptions.BadRequest from None  # it is malformed
        self.start.seek(0)

    @classmethod
    def take(cls, size: int) -> None:
        with cls.changed:
            if not cls.changed.wait_for(lambda: cls.room >= size, WAIT):
                raise Empty
            cls.room -= size
            cls.changed.notify_all()

    def readinto(self, buffer: Any, /) -> int:
        part = self.start.read(len(buffer)) or self.rest.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def init_app(app: Flask, number: int) -> None:
    """Let so many views be at work at a time; /healthz and static files need no place."""
    wsgi_app, free = app.wsgi_app, ("/healthz", f"{app.static_url_path}/")
    places, moved = SimpleQueue[None](), 0.0  # when one was last free
    for _ in range(number):
        places.put(None)

    def receive(environ: dict[str, Any]) -> None:
        """Read the body, if it is allowed; a view that allows more reads it in its place."""
        announced = environ.get("CONTENT_LENGTH")
        if announced or "HTTP_TRANSFER_ENCODING" in environ:
            limit = app.config["MAX_CONTENT_LENGTH"]
            most = 2**20 if limit is None else min(limit, ROOM)
            if (size := int(announced or most)) <= most:
                environ["wsgi.input"] = Body(size, environ["wsgi.input"])

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        nonlocal moved
        needed = not environ.get("PATH_INFO", "").startswith(free)
        try:
            if connection := environ.get("gunicorn.socket"):
                receive(environ)
                if isinstance(connection, Connection):
                    connection.due = inf
            if needed:
                if not places.empty():
                    moved = monotonic()
                # If nothing moves, views hang; whoever waited would hold a thread.
                places.get(timeout=WAIT if monotonic() < moved + WAIT else 0)
        except (Empty, exceptions.HTTPException) as error:
            full = exceptions.ServiceUnavailable(retry_after=WAIT)
            with app.request_context(environ):
                answer = show_error(full if isinstance(error, Empty) else error)
                return answer(environ, start_response)
        try:
            return wsgi_app(environ, start_response)
        finally:
            if needed:
                moved = monotonic()
                places.put(None)

    app.wsgi_app = call  # type: ignore[method-assign]
    app.extensions["guard"] = guard  # gunicorn.conf.py calls it
