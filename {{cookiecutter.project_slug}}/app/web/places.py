"""Few views at a time, many threads for clients: a view begins when its request is here."""

import io
from collections.abc import Iterable
from functools import partial
from math import inf
from threading import Lock
from time import monotonic
from typing import Any

from flask import Flask
from werkzeug import exceptions, wsgi

from .connection import Connection, guard
from .errors import show_error

WAIT = 10  # seconds for a place or room; then the answer is 503
SMALL, ROOM = 2**16, 48 * 2**20  # bytes: of a small body, and of all others


class Limit:
    """An amount to take from; whoever finds too little waits for their turn."""

    def __init__(self, left: int) -> None:
        self.left, self.moved, self.lock = left, 0.0, Lock()
        self.waiting = dict[Any, int]()  # amounts, by the locks that are waited for

    def take(self, amount: int = 1) -> None:
        with self.lock:
            if self.left >= amount and not self.waiting:
                self.left, self.moved = self.left - amount, monotonic()
                return
            # If nothing moves, views hang; whoever waited would hold a thread.
            wait = WAIT if monotonic() < self.moved + WAIT else 0
            turn = Lock()
            turn.acquire()
            self.waiting[turn] = amount
        if not turn.acquire(timeout=wait):
            with self.lock:
                if not self.waiting.pop(turn, 0):
                    return  # it came at the last moment
            self.give(0)  # those behind may want less
            raise exceptions.ServiceUnavailable(retry_after=WAIT)

    def give(self, amount: int = 1) -> None:
        with self.lock:
            self.left += amount
            while self.waiting:
                turn, wanted = next(iter(self.waiting.items()))
                if wanted > self.left:
                    break
                self.left, self.moved = self.left - self.waiting.pop(turn), monotonic()
                turn.release()


class Body(io.RawIOBase):
    """The start of a body, which is read ahead, and the rest."""

    def __init__(self, size: int, rest: Any) -> None:
        self.rest = rest
        try:
            self.start = io.BytesIO(rest.read(size))
        except ConnectionResetError:
            raise exceptions.RequestTimeout from None
        except OSError:  # the client hung up; gunicorn answers what is malformed
            raise exceptions.BadRequest from None

    def readinto(self, buffer: Any, /) -> int:
        part = self.start.read(len(buffer)) or self.rest.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def init_app(app: Flask, number: int) -> None:
    """Let so many views be at work at a time; /healthz and static files need no place."""
    wsgi_app, free = app.wsgi_app, ("/healthz", f"{app.static_url_path}/")
    places, room = Limit(number), Limit(ROOM)

    def receive(environ: dict[str, Any], held: list[tuple[Limit, int]]) -> None:
        """Read the body, if it is allowed; a view that allows more reads it in its place."""
        most = min(app.config["MAX_CONTENT_LENGTH"] or 2**20, ROOM)
        if (size := int(environ.get("CONTENT_LENGTH") or most)) <= most:
            if size > SMALL:
                room.take(size)
                held.append((room, size))
            environ["wsgi.input"] = Body(size, environ["wsgi.input"])

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        connection, body = environ.get("gunicorn.socket"), environ["wsgi.input"]
        has_body = environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ
        held: list[tuple[Limit, int]] = []  # given back when the view has returned
        try:
            try:
                if connection and has_body:
                    receive(environ, held)
                if isinstance(connection, Connection):
                    connection.due = inf
                if not environ.get("PATH_INFO", "").startswith(free):
                    places.take()
                    held.append((places, 1))
            except exceptions.HTTPException as error:
                with app.request_context(environ):
                    answer = show_error(error)(environ, start_response)
            else:
                answer = wsgi_app(environ, start_response)
        finally:
            for limit, amount in held:
                limit.give(amount)
        if has_body and isinstance(connection, Connection):
            return wsgi.ClosingIterator(answer, partial(connection.drain, body))
        return answer

    app.wsgi_app = call  # type: ignore[method-assign]
    app.extensions["guard"] = guard  # gunicorn.conf.py calls it
