"""Flask-Session with Redis, as its documentation begins."""

import os

from flask import Flask, session
from flask_session import Session
from redis import Redis

app = Flask(__name__)
app.config["SESSION_TYPE"] = "redis"
app.config["SESSION_REDIS"] = Redis.from_url(os.environ["REDIS_URL"])
Session(app)


@app.get("/")
def index() -> dict[str, int]:
    session["views"] = session.get("views", 0) + 1
    return {"views": session["views"]}
