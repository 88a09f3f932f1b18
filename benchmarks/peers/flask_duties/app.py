"""Flask-Session with what the template does besides, each by the usual library.

Signed ids, security headers, request ids, a check of where a POST comes from; the access
log is in gunicorn.conf.py.
"""

import os

from flask import Flask, Response, g, session
from flask_log_request_id import RequestID
from flask_sec_fetch_csrf import SecFetchCSRF
from flask_session import Session
from flask_talisman import Talisman
from redis import Redis

app = Flask(__name__)
app.secret_key = os.environ["SECRET"]
app.config["SESSION_TYPE"] = "redis"
app.config["SESSION_REDIS"] = Redis.from_url(os.environ["REDIS_URL"])
app.config["SESSION_USE_SIGNER"] = True
Session(app)
Talisman(app, force_https=False, session_cookie_secure=False)
SecFetchCSRF(app)
RequestID(app)


@app.after_request
def add_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.log_request_id
    return response


@app.get("/")
def index() -> dict[str, int]:
    session["views"] = session.get("views", 0) + 1
    return {"views": session["views"]}
