"""Few views at a time, many threads for clients: a view begins when its request is here."""

import io
import socket
from collections.abc import Iterable
from errno import ECONNRESET
from functools import partial
from math import inf
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


class Limit:
    """An amount to take from; whoever finds too little waits."""

    def __init__(self, left: int) -> None:
        self.left, self.moved, self.changed = left, 0.0, Condition()

    def take(self, amount: int = 1) -> None:
        with self.changed:
            # If nothing moves, views hang; whoever waited would hold a thread.
            wait = WAIT if monotonic() < self.moved + WAIT else 0
            if not self.changed.wait_for(lambda: self.left >= amount, wait):
                raise exceptions.ServiceUnavailable(retry_after=WAIT)
            self.left, self.moved = self.left - amount, monotonic()

    def give(self, amount: int = 1) -> None:
        with self.changed:
            self.left, self.moved = self.left + amount, monotonic()
            self.changed.notify(amount)


class Body(io.RawIOBase):
    """The start of a body, which is read ahead, and the rest."""

    def __init__(self, rest: Any) -> None:
        self.start, self.rest = io.BytesIO(), rest

    def readinto(self, buffer: Any, /) -> int:
        part = self.start.read(len(buffer)) or self.rest.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def init_app(app: Flask, places: int) -> None:
    """Let so many views be at work at a time; /healthz and static files need no place."""
    wsgi_app, free = app.wsgi_app, ("/healthz", f"{app.static_url_path}/")
    views, room = Limit(places), Limit(ROOM)

    def receive(environ: dict[str, Any], rest: Any) -> None:
        """Read the body, if it is allowed; a view that allows more reads it in its place."""
        limit = app.config["MAX_CONTENT_LENGTH"]
        most = 2**20 if limit is None else min(limit, ROOM)
        announced = environ.get("CONTENT_LENGTH")
        size = int(announced or most)
        if size > most or not (announced or "HTTP_TRANSFER_ENCODING" in environ):
            return
        body = environ["wsgi.input"] = Body(rest)
        if size > SMALL:
            room.take(size)
            finalize(body, room.give, size)
        try:
            while part := rest.read(min(size - body.start.tell(), SMALL)):
                body.start.write(part)
        except ConnectionResetError:
            raise exceptions.RequestTimeout from None
        except Exception:  # noqa: BLE001
            raise exceptions.BadRequest from None  # it is malformed
        body.start.seek(0)

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        needed = not environ.get("PATH_INFO", "").startswith(free)
        try:
            if connection := environ.get("gunicorn.socket"):
                receive(environ, environ["wsgi.input"])
                if isinstance(connection, Connection):
                    connection.due = inf
            if needed:
                views.take()
        except exceptions.HTTPException as error:
            with app.request_context(environ):
                return show_error(error)(environ, start_response)
        try:
            return wsgi_app(environ, start_response)
        finally:
            if needed:
                views.give()

    app.wsgi_app = call  # type: ignore[method-assign]
    app.extensions["guard"] = guard  # gunicorn.conf.py calls it
