"""A Flask app as it is in its folder, and three views for sessions that hold something."""

from time import time_ns

import app as found
from flask import session

app = found.create_app() if hasattr(found, "create_app") else found.app


@app.get("/fill/<int:keys>/<int:size>")
def fill(keys: int, size: int) -> dict[str, object]:
    """Put so many texts of that size into the session."""
    for number in range(keys):
        session[f"key {number}"] = "x" * size
    return {"keys": keys}


@app.get("/read")
def read() -> dict[str, object]:
    """Read one key."""
    text = session["key 0"]
    return {"begins": text[:20], "size": len(text)}


@app.get("/change/<int:size>")
def change(size: int) -> dict[str, object]:
    """Change one key, without looking at any."""
    session["key 0"] = text = str(time_ns()).ljust(size, "x")
    return {"begins": text[:20], "size": len(text)}
