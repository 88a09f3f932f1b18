"""The app, with more views for the tests of the running server."""

import app
from app.sessions import session
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

    return probe
