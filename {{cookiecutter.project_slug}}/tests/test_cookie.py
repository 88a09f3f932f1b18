"""The cookie: an id that nobody can guess or make up, and nothing else."""

import pytest
from flask import Flask, session
from flask.testing import FlaskClient

from app import create_app
from app.sessions import MemoryStorage


def test_what_a_session_holds_is_not_in_the_cookie(
    app: Flask, client: FlaskClient
) -> None:
    @app.get("/order")
    def order() -> str:
        session["drink"] = "tea"
        return "Coming!"

    @app.get("/drink")
    def drink() -> str:
        return str(session["drink"])

    assert "tea" not in client.get("/order").headers["Set-Cookie"]
    assert client.get("/drink").text == "tea"


def test_is_sent_once(client: FlaskClient) -> None:
    assert "Set-Cookie" in client.get("/").headers
    assert "Set-Cookie" not in client.get("/").headers


def test_a_cookie_that_we_did_not_sign_starts_a_new_session(
    client: FlaskClient,
) -> None:
    client.get("/")
    cookie = client.get_cookie("session")
    assert cookie
    client.set_cookie("session", f"x{cookie.value}")
    assert client.get("/").json == {"views": 1}


def test_a_reset_ends_the_session_for_whoever_has_a_copy_of_the_cookie(
    client: FlaskClient,
) -> None:
    client.get("/")
    cookie = client.get_cookie("session")
    assert cookie
    client.post("/reset")
    thief = client.application.test_client()
    thief.set_cookie("session", cookie.value)
    assert thief.get("/").json == {"views": 1}


def test_is_for_https_only_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("SECRET", "0123456789abcdef-0123456789abcdef")
    client = create_app(storage=MemoryStorage()).test_client()
    cookie = client.get("/", base_url="https://localhost").headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {*cookie.split("; ")}
