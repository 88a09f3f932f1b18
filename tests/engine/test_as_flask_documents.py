"""What Flask documents works here, too: its settings, mounts under a path, flash()."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from app import create_app, web
from app.sessions import MemoryStorage, session
from flask import Flask, flash, redirect, render_template_string, url_for
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from tests.engine.conftest import Server

PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize("headers", [{}, PAGE], ids=["JSON", "page"])
def test_flasks_own_trusted_hosts_refuses_in_every_style(
    app: Flask, headers: dict[str, str]
) -> None:
    app.config["TRUSTED_HOSTS"] = ["www.example.com"]
    client = app.test_client()
    good, evil = {"Host": "www.example.com"}, {"Host": "evil.example"}
    assert client.get("/", headers=headers | good).status_code == 200
    assert client.get("/", headers=headers | evil).status_code == 400


def test_flasks_settings_of_the_cookie_are_used(app: Flask) -> None:
    app.config.update(
        SESSION_COOKIE_NAME="visitor",
        SESSION_COOKIE_SAMESITE="Strict",
        APPLICATION_ROOT="/shop",
    )
    cookie = app.test_client().get("/").headers["Set-Cookie"]
    assert cookie.startswith("visitor=")
    assert {"SameSite=Strict", "Path=/shop"} <= set(cookie.split("; "))


def test_static_files_may_be_kept_as_long_as_flask_is_told(app: Flask) -> None:
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    with app.test_client().get("/static/style.css") as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=3600"


def test_a_secret_that_create_app_sets_signs_the_cookies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As an owner would who keeps it elsewhere."""
    init_app, storage = web.init_app, MemoryStorage()

    def count(secret: str, cookie: str) -> tuple[int, str]:
        def init(app: Flask, *args: Any) -> None:
            init_app(app, *args)
            app.config["SECRET_KEY"] = secret

        monkeypatch.setattr(web, "init_app", init)
        client = create_app(storage).test_client(use_cookies=False)
        answer = client.get("/", headers={"Cookie": cookie})
        sent = answer.headers.get("Set-Cookie", "").partition(";")[0]
        return json.loads(answer.data)["views"], sent

    views, cookie = count("first", "")
    assert views == 1
    assert count("first", cookie) == (2, "")
    assert count("other", cookie)[0] == 1


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A visitor of the app in production, mounted under a path of another one."""
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("SECRET", "0123456789abcdef-0123456789abcdef")
    monkeypatch.setenv("TRUSTED_HOSTS", "www.example.com")
    monkeypatch.setenv("TRUSTED_PROXIES", "1")
    shop = create_app(storage=MemoryStorage())
    return Client(DispatcherMiddleware(Response("outer"), {"/shop": shop}))


def get(client: Client, path: str, **headers: str) -> TestResponse:
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
    return client.get(
        path, headers=PAGE | {"Host": "www.example.com"} | headers | proxied
    )


def test_the_app_can_be_mounted_under_a_path(mounted: Client) -> None:
    page = get(mounted, "/shop/")
    assert 'href="/shop/static/style.css"' in page.text
    assert 'action="/shop/reset"' in page.text
    with get(mounted, "/shop/static/style.css") as stylesheet:
        assert stylesheet.status_code == 200
    assert get(mounted, "/shop/nowhere").status_code == 404
    assert get(mounted, "/shop/", Host="evil.example").status_code == 400


@pytest.mark.parametrize("path", ["/shop/healthz", "/shop/readyz"])
def test_health_checks_of_a_mounted_app_come_by_any_name_too(
    mounted: Client, path: str
) -> None:
    assert mounted.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
    plain = {"Host": "10.0.0.7", "X-Forwarded-Proto": "http"}
    assert mounted.get(path, headers=plain).status_code == 200


def test_gunicorn_can_mount_it_by_its_own_variable(
    start_server: Callable[..., Server],
) -> None:
    visitor = start_server(SCRIPT_NAME="/shop").visitor()
    assert visitor.get("/shop/").json == {"views": 1}
    assert visitor.get("/shop/healthz").status == 200
    assert visitor.get("/shop/static/style.css").status == 200
    assert visitor.post("/shop/reset").json == {"views": 1}


@pytest.fixture
def asked() -> list[str]:
    """What the storage was asked for."""
    return []


@pytest.fixture
def flashing(asked: list[str]) -> FlaskClient:
    """A visitor of an app whose views flash messages, and show pages."""

    class Watched(MemoryStorage):
        def _record(self, key: str, *args: Any, **options: Any) -> Any:
            asked.append(key)  # every method of it takes this step
            return super()._record(key, *args, **options)

    app = create_app(storage=Watched())

    @app.get("/save")
    def save() -> ResponseReturnValue:
        flash("It is <saved>.")
        return redirect(url_for("views.index"))

    @app.get("/plain")
    def plain() -> str:
        return render_template_string('{% extends "base.html" %}')

    @app.get("/wants")
    def wants() -> str:
        page = '{% extends "base.html" %}{% set messages = true %}'
        return render_template_string(page)

    @app.get("/used-and-missing")
    def missing() -> str:
        session.get("a")
        return app.aborter(404)

    return app.test_client()


MESSAGE = '<p role="status">It is &lt;saved&gt;.</p>'


@pytest.mark.parametrize("path", ["/", "/wants", "/used-and-missing"])
def test_a_message_is_shown_once_by_a_page_that_uses_the_session(
    flashing: FlaskClient, path: str
) -> None:
    flashing.get("/save")
    assert MESSAGE not in flashing.get("/plain", headers=PAGE).text
    assert MESSAGE in flashing.get(path, headers=PAGE).text
    assert "role" not in flashing.get(path, headers=PAGE).text


@pytest.mark.parametrize("path", ["/plain", "/nowhere"])
def test_a_page_without_session_does_not_ask_for_messages(
    flashing: FlaskClient, asked: list[str], path: str
) -> None:
    flashing.get("/save")
    asked.clear()
    answer = flashing.get(path, headers=PAGE)
    assert asked == []
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize("headers", [{}, PAGE], ids=["JSON", "page"])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_request_that_shows_nobody_the_count_is_no_visit(
    flashing: FlaskClient, asked: list[str], method: str, headers: dict[str, str]
) -> None:
    """Monitors and link checkers send them; each would leave a record behind.

    A GET without a cookie may be anybody's first visit, a robot's too, so it makes one;
    health checks have a page of their own.
    """
    answer = flashing.open("/", method=method, headers=headers)
    assert (answer.status_code, asked) == (200, [])
    assert "Set-Cookie" not in answer.headers
    assert flashing.get("/").json == {"views": 1}
    flashing.open("/", method=method, headers=headers)
    assert flashing.get("/").json == {"views": 2}
