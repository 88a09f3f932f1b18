"""The app under test: the baked project with a few more views, or with a fault.

A copy of this file and of breaks.py lies in the project under test, as views_of_chaos.py
and breaks.py: see stage.py.
"""

import os

from app import create_app as create_visit_counter
from app.sessions import session
from app.settings import load_settings
from app.web import open_storage
from breaks import BREAKS
from flask import Flask


def create_app() -> Flask:
    """Return the app; its storage is broken in the way that CHAOS_BREAK names."""
    storage = None
    if broken := os.environ.get("CHAOS_BREAK"):
        storage = BREAKS[broken](open_storage(load_settings()))
    app: Flask = create_visit_counter(storage)

    @app.get("/set/<key>/<value>")
    def set_value(key: str, value: str) -> dict[str, str]:
        session[key] = value
        return {"set": key}

    @app.get("/add/<key>/<value>")
    def count_and_set(key: str, value: str) -> dict[str, int]:
        session[key] = value
        return {"views": session.increment("views")}

    @app.get("/read")
    def read() -> dict[str, object]:
        return dict(session)

    @app.get("/login/<user>")
    def login(user: str) -> dict[str, str]:
        session["user"] = user
        session.regenerate()
        return {"user": user}

    @app.get("/logout")
    def logout() -> dict[str, str]:
        session.clear()
        return {}

    return app
