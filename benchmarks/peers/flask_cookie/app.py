"""Flask's own session: all of it in a signed cookie."""

import os

from flask import Flask, session

app = Flask(__name__)
app.secret_key = os.environ["SECRET"]


@app.get("/")
def index() -> dict[str, int]:
    session["views"] = session.get("views", 0) + 1
    return {"views": session["views"]}
