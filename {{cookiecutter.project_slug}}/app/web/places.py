"""Few views at a time: a request gets a place once it has arrived, until its view returns.

Threads are cheap, so slow clients may have them; places are few, as connections to Redis are.
"""

import io
from collections.abc import Iterable
from mmap import mmap
from threading import Condition
from time import monotonic
from typing import Any

from flask import Flask
from werkzeug.exceptions import BadRequest, RequestTimeout, ServiceUnavailable

from .connection import Connection, TooSlow, guard

PATIENCE = 10  # seconds: whoever has waited so long for a view to begin gets 503
# Bytes. A small body needs no room, so that forms still come in when large bodies fill it.
SMALL = 2**16
ROOM = 48 * 2**20  # for large bodies; with a small one in each thread: 64 MiB at most
AHEAD = 2**20  # of a body without a limit


def init_app(app: Flask, places: int) -> None:
    """Let so many views be at work at a time."""
    app.wsgi_app = Places(app, places)  # type: ignore[method-assign]
    app.extensions["guard"] = guard  # which gunicorn.conf.py calls


class Limit:
    """An amount to take from, for a while; whoever finds too little left waits."""

    def __init__(self, amount: int) -> None:
        self.left = amount
        self.moved = 0.0
        self.changed = Condition()

    def take(self, amount: int = 1) -> None:
        """Take it; raise ServiceUnavailable if it does not become free in time."""
        with self.changed:
            # If nothing moves any more, those who wait would only fill the threads, and
            # keep them from requests that need no place.
            patience = PATIENCE if monotonic() < self.moved + PATIENCE else 0
            if not self.changed.wait_for(lambda: self.left >= amount, patience):
                raise ServiceUnavailable(retry_after=PATIENCE)
            self.left -= amount
            self.moved = monotonic()

    def give(self, amount: int = 1) -> None:
        """Give it back."""
        with self.changed:
            self.left += amount
            self.moved = monotonic()
            self.changed.notify(amount)


class Body(io.RawIOBase):
    """A body: what has been received ahead, and then the rest; it has room until closed."""

    def __init__(self, environ: dict[str, Any], size: int, room: Limit) -> None:
        self._rest = environ["wsgi.input"].read
        self._size = self._held = 0
        if size > SMALL:
            room.take(size)
            self._held, self._room = size, room
        # What large bodies need goes back to the system at once, unlike other memory.
        self._ahead: Any = mmap(-1, size) if self._held else io.BytesIO()
        try:
            while self._size < size and (
                part := self._rest(min(SMALL, size - self._size))
            ):
                self._size += self._ahead.write(part)
        except TooSlow:
            raise RequestTimeout from None
        except Exception:  # noqa: BLE001 - cut off or malformed: told a view that reads it
            self._rest = refuse
        finally:
            self._ahead.seek(0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = min(len(buffer), self._size)
        try:
            data = self._ahead.read(size) if size else self._rest(len(buffer))
        except Exception as error:
            raise BadRequest from error
        self._size -= size
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and self._held:
            self._room.give(self._held)
            self._ahead.close()
        super().close()


def refuse(_: int) -> bytes:
    raise BadRequest


class Places:
    """WSGI middleware that calls the app in a place; /healthz and static files need none."""

    def __init__(self, app: Flask, places: int) -> None:
        self.app, self.wsgi_app = app, app.wsgi_app
        self.places, self.room = Limit(places), Limit(ROOM)
        self.free = ("/healthz", f"{app.static_url_path}/")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        needed = not environ.get("PATH_INFO", "").startswith(self.free)
        try:
            if "gunicorn.socket" in environ:
                self.receive(environ)
            if needed:
                self.places.take()
        except (RequestTimeout, ServiceUnavailable) as error:
            return error(environ, start_response)
        try:
            answer = self.wsgi_app(environ, start_response)
        finally:
            if needed:
                self.places.give()
        return answer

    def receive(self, environ: dict[str, Any]) -> None:
        """Receive a body of at most MAX_CONTENT_LENGTH.

        What a view reads beyond that, by its own `request.max_content_length`, it reads
        in its place. A body that is malformed troubles only a view that reads it.
        """
        length = environ.get("CONTENT_LENGTH")
        if not length and "HTTP_TRANSFER_ENCODING" not in environ:
            return
        limit = self.app.config["MAX_CONTENT_LENGTH"]
        size = min(AHEAD if limit is None else limit, ROOM)
        if length and limit is not None and int(length) > limit:
            size = 0  # Flask refuses it when it is read
        elif length:
            size = min(int(length), size)
        try:
            body = Body(environ, size, self.room)
        finally:
            if isinstance(environ["gunicorn.socket"], Connection):
                environ["gunicorn.socket"].due = None
        environ["wsgi.input"] = io.BufferedReader(body)
