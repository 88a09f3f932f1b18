"""Libraries that use flask.session work unchanged."""

from collections.abc import Callable
from typing import Any

import flask
import pytest
from app import create_app
from app.sessions import Storage
from flask import Flask, flash, get_flashed_messages
from flask.testing import FlaskClient
from flask_login import (
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)
from flask_wtf import CSRFProtect, FlaskForm
from wtforms import StringField


@pytest.fixture
def app(storage: Storage) -> Flask:
    app = create_app(storage=storage)
    app.testing = True
    return app


def add(app: Flask, path: str, view: Callable[[], Any]) -> None:
    """Add a view at a path."""
    app.add_url_rule(path, path, view, methods=["GET", "POST"])


def test_flash(app: Flask) -> None:
    def say() -> str:
        flash("Saved.", "info")
        return ""

    add(app, "/say", say)
    add(app, "/hear", lambda: get_flashed_messages(with_categories=True))
    client = app.test_client()
    client.get("/say")
    client.get("/say")
    assert client.get("/hear").json == [["info", "Saved."]] * 2
    assert client.get("/hear").json == []


def test_session_transaction(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["views"] = 41
    assert client.get("/").json == {"views": 42}
    with client.session_transaction() as session:
        assert session["views"] == 42


def test_flask_login_reads_the_session_at_every_request(
    app: Flask, calls: list[str]
) -> None:
    """As docs/login.md says: those for static files included."""
    LoginManager(app)
    client = app.test_client()
    client.get("/")
    calls.clear()
    client.get("/static/style.css").close()
    assert calls == ["load"]


def test_flask_login(app: Flask) -> None:
    manager = LoginManager(app)
    manager.user_loader(load_user)
    add(app, "/login", lambda: str(login_user(load_user("7"))))
    add(app, "/logout", lambda: str(logout_user()))
    add(app, "/me", login_required(lambda: current_user.get_id()))
    add(app, "/safe", fresh_login_required(lambda: "fresh"))
    add(app, "/stale", lambda: flask.session.update(_fresh=False) or "")
    add(app, "/confirm", lambda: confirm_login() or "")
    client = app.test_client()

    def status(path: str) -> int:
        return client.get(path).status_code

    assert status("/me") == 401
    status("/login")
    assert client.get("/me").text == "7"
    assert status("/safe") == 200
    status("/stale")
    assert status("/safe") == 401
    status("/confirm")
    assert status("/safe") == 200
    status("/logout")
    assert status("/me") == 401


class User(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id


def load_user(id: str) -> User:
    return User(id)


def test_flask_wtf_csrf(app: Flask) -> None:
    class Form(FlaskForm):
        name = StringField()

    CSRFProtect(app)

    def form() -> Any:
        form = Form()
        if form.validate_on_submit():
            return {"name": form.name.data}
        return {"token": form.csrf_token.current_token}

    add(app, "/form", form)
    client = app.test_client()
    token = client.get("/form").get_json()["token"]
    data = {"name": "Ada", "csrf_token": token}
    assert client.post("/form", data=data).json == {"name": "Ada"}
    assert client.post("/form", data={"name": "Ada"}).status_code == 400
    assert app.test_client().post("/form", data=data).status_code == 400


def test_login_as_in_flasks_tutorial(app: Flask) -> None:
    """It clears the session, then sets the user's id, which makes a new session id."""

    def log_in() -> str:
        flask.session.clear()
        flask.session["user_id"] = 7
        return ""

    add(app, "/login", log_in)
    add(app, "/me", lambda: {"id": flask.session.get("user_id")})
    client = app.test_client()
    client.get("/")
    before = client.get_cookie("session")
    client.get("/login")
    assert client.get("/me").json == {"id": 7}
    assert client.get_cookie("session") != before
