"""The app, with more views for the tests of the running server."""

import socket
from collections.abc import Iterator
from unittest.mock import patch

import app
from app.sessions import RedisStorage, session
from app.web import connection, places
from flask import Flask, request


def create_app() -> Flask:
    """Return the app, with more ways to use a session."""
    probe = app.create_app()

    @probe.get("/set/<key>")
    def set_key(key: str) -> dict[str, str]:
        session[key] = 1
        return {"set": key}

    @probe.get("/all")
    def show() -> dict[str, object]:
        return dict(session)

    @probe.post("/read")
    def read() -> dict[str, int]:
        return {"bytes": len(request.get_data())}

    @probe.post("/upload")
    def upload() -> dict[str, int]:
        request.max_content_length = 50_000_000
        return {"bytes": len(request.get_data())}

    @probe.get("/fail")
    def fail() -> str:
        raise RuntimeError

    @probe.get("/hang/<int:port>")
    def hang(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as other:
            return other.recv(1)

    @probe.get("/stream/<int:port>")
    def stream(port: int) -> Iterator[bytes]:
        yield b"begun"
        yield hang(port)

    @probe.get("/big")
    def big() -> bytes:
        return bytes(8 * 2**20)

    return probe


def impatient() -> Flask:
    """Return the app, which waits two seconds for a client."""
    connection.PATIENCE = 2
    return create_app()


def unlimited() -> Flask:
    """Return the app without a limit for bodies."""
    probe = create_app()
    probe.config["MAX_CONTENT_LENGTH"] = None
    return probe


def restless() -> Flask:
    """Return the app, where nobody waits for longer than a second for a place."""
    places.WAIT = 1
    return create_app()


def plain() -> Flask:
    """Return the app as plain gunicorn serves it: without places and time-outs."""
    with patch.object(places, "init_app"):
        return create_app()


def create_app_with_its_own_storage() -> Flask:
    """Return the app with a storage that its owner chose; it is never asked."""
    return app.create_app(storage=RedisStorage.from_url("unix:///nowhere"))
