"""Few views at a time, many threads for clients: a view begins when its request is here."""

import io
import socket
from collections.abc import Iterable
from errno import ECONNRESET
from functools import partial
from struct import pack
from threading import Condition
from time import monotonic
from typing import Any

from flask import Flask
from werkzeug import exceptions

from .errors import show_error

PATIENCE = 30  # seconds for a request to arrive, and for a client that reads nothing
WAIT = 10  # seconds for a place or room; then the answer is 503
# Bytes of a body that needs no room, and what all larger ones share: 64 MiB with 256 small.
SMALL, ROOM = 2**16, 48 * 2**20


class TooSlow(ConnectionResetError):
    errno = ECONNRESET  # to gunicorn, such a client has gone: it logs no traceback


class Connection(socket.socket):
    """A connection on which gunicorn waits for nobody without end."""

    due: float | None = None  # by when a request must be here

    def setblocking(self, flag: bool, /) -> None:
        """gunicorn asks to block whenever a request begins."""
        super().setblocking(flag)
        self.due = monotonic() + PATIENCE

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        try:
            data = super().recv(min(size, SMALL), flags)
        except BlockingIOError:
            raise TooSlow from None
        if data and self.due is not None and monotonic() > self.due:
            raise TooSlow
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        try:
            super().sendall(data, flags)
        except BlockingIOError:
            raise TooSlow from None

    def shutdown(self, _: int, /) -> None:
        """End it. gunicorn's only loop would wait 2 s for the client to do so, too."""
        super().shutdown(socket.SHUT_RDWR)


def guard(listeners: Iterable[Any]) -> None:
    """Make gunicorn's listeners accept such connections. (TLS replaces them by its own.)"""

    def accept(original: Any) -> tuple[Connection, Any]:
        sock, address = original()
        stall = pack("ll", PATIENCE, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, stall)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, stall)
        kind = sock.family, sock.type, sock.proto
        return Connection(*kind, fileno=sock.detach()), address

    for listener in listeners:
        listener.accept = partial(accept, listener.accept)


class Limit:
    """An amount to take from; whoever finds too little waits."""

    def __init__(self, left: int) -> None:
        self.left, self.moved, self.changed = left, 0.0, Condition()

    def take(self, amount: int = 1) -> None:
        with self.changed:
            # Nothing has moved for so long: views hang, and whoever waited for them would
            # keep a thread from requests that need no place.
            wait = WAIT if monotonic() < self.moved + WAIT else 0
            if not self.changed.wait_for(lambda: self.left >= amount, wait):
                raise exceptions.ServiceUnavailable(retry_after=WAIT)
            self.left, self.moved = self.left - amount, monotonic()

    def give(self, amount: int = 1) -> None:
        with self.changed:
            self.left, self.moved = self.left + amount, monotonic()
            self.changed.notify(amount)


class Body(io.RawIOBase):
    """A body of which `size` bytes are read ahead; a large one has room until it is closed."""

    def __init__(self, rest: Any, size: int, room: Limit) -> None:
        self.rest, self.room, self.start = rest, room, io.BytesIO()
        self.held = size if size > SMALL else 0
        while part := rest.read(min(size - self.start.tell(), SMALL)):
            self.start.write(part)
        self.size = self.start.tell()
        self.start.seek(0)

    def readinto(self, buffer: Any, /) -> int:
        part = self.start.read(len(buffer)) or self.rest.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        if self.held:
            self.room.give(self.held)
        self.held = 0
        super().close()


def init_app(app: Flask, places: int) -> None:
    """Let so many views be at work at a time; /healthz and static files need no place."""
    wsgi_app, free = app.wsgi_app, ("/healthz", f"{app.static_url_path}/")
    views, room = Limit(places), Limit(ROOM)

    def receive(environ: dict[str, Any]) -> None:
        """Read the body, if it is allowed; a view that allows more reads it in its place."""
        limit = app.config["MAX_CONTENT_LENGTH"]
        most = 2**20 if limit is None else min(limit, ROOM)
        size = int(environ.get("CONTENT_LENGTH") or most)
        sent = "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ
        if sent and size <= most:
            if size > SMALL:
                room.take(size)
            try:
                body = environ["wsgi.input"] = Body(environ["wsgi.input"], size, room)
            except TooSlow:
                raise exceptions.RequestTimeout from None
            except Exception:  # noqa: BLE001
                raise exceptions.BadRequest from None  # it is malformed
            if body.size < int(environ.get("CONTENT_LENGTH") or 0):
                raise exceptions.BadRequest  # it is cut off
        if isinstance(connection := environ["gunicorn.socket"], Connection):
            connection.due = None

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        needed = not environ.get("PATH_INFO", "").startswith(free)
        try:
            if "gunicorn.socket" in environ:
                receive(environ)
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
