"""Wherever the storage fails: 503 for what needs it, and the usual page for the rest."""

from collections.abc import Callable
from typing import Any

import pytest
from app import create_app
from app.sessions import MemoryStorage, StorageUnavailable, session
from flask import Flask, get_flashed_messages, render_template_string
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, login_user

BROWSER = {"Accept": "text/html"}


class FragileStorage(MemoryStorage):
    """Memory that a test can make unavailable."""

    away = False

    def _record(self, *args: Any, **options: Any) -> Any:
        if self.away:
            raise StorageUnavailable("it is away")
        return super()._record(*args, **options)


@pytest.fixture
def storage() -> FragileStorage:
    return FragileStorage()


@pytest.fixture
def app(storage: FragileStorage) -> Flask:
    """An app as in production: exceptions become answers."""
    app = create_app(storage=storage)
    app.add_url_rule("/start", "/start", lambda: session.update(a=1) or "")
    app.add_url_rule("/plain", "/plain", lambda: "plain")
    app.add_url_rule("/fail", "/fail", lambda: str(1 / 0))
    return app


def visitor_when_it_goes_away(app: Flask, storage: FragileStorage) -> FlaskClient:
    """Return a visitor with a session, whose storage is unavailable from now on."""
    client = app.test_client()
    client.get("/start")
    storage.away = True
    return client


def in_a_view(app: Flask) -> str:
    app.add_url_rule("/view", "/view", lambda: str(session["a"]))
    return "/view"


def in_a_template(app: Flask) -> str:
    page = "{{ get_flashed_messages() }}"
    app.add_url_rule("/template", "/template", lambda: render_template_string(page))
    return "/template"


def in_the_page_of_an_error(app: Flask) -> str:
    app.register_error_handler(404, lambda error: str(get_flashed_messages()))
    return "/nowhere"


def in_what_every_page_shows(app: Flask) -> str:
    app.context_processor(lambda: {"user": session["a"]})
    return "/"


def before_the_request(app: Flask) -> str:
    app.before_request(lambda: session.get("a"))
    return "/plain"


def after_the_request(app: Flask) -> str:
    app.after_request(lambda response: session.get("b", response))
    return "/healthz"


def when_it_is_saved(app: Flask) -> str:
    app.add_url_rule("/set", "/set", lambda: session.update(a=1) or "set")
    return "/set"


def when_flask_login_looks(app: Flask) -> str:
    LoginManager(app).user_loader(lambda _: None)
    return "/healthz"


@pytest.mark.parametrize("headers", [{}, BROWSER], ids=["JSON", "page"])
@pytest.mark.parametrize(
    "fails",
    [
        in_a_view,
        in_a_template,
        in_the_page_of_an_error,
        in_what_every_page_shows,
        before_the_request,
        after_the_request,
        when_it_is_saved,
        when_flask_login_looks,
    ],
)
def test_a_failure_anywhere_is_a_503_and_no_error_of_the_app(
    app: Flask,
    storage: FragileStorage,
    caplog: pytest.LogCaptureFixture,
    fails: Callable[[Flask], str],
    headers: dict[str, str],
) -> None:
    path = fails(app)
    client = visitor_when_it_goes_away(app, storage)
    answer = client.get(path, headers=headers)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if headers:
        assert "try again" in answer.text
    else:
        assert answer.json == {"error": "Service Unavailable"}
    outages = [r for r in caplog.records if "StorageUnavailable" in str(r.exc_info)]
    assert outages == []


def test_the_page_of_a_bug_that_uses_the_session_is_a_503(
    app: Flask, storage: FragileStorage
) -> None:
    app.context_processor(lambda: {"user": session["a"]})
    client = visitor_when_it_goes_away(app, storage)
    assert client.get("/fail").status_code == 500
    answer = client.get("/fail", headers=BROWSER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_pages_that_do_not_need_the_session_do_not_notice(
    app: Flask, storage: FragileStorage
) -> None:
    client = visitor_when_it_goes_away(app, storage)
    assert client.get("/plain").text == "plain"
    assert client.get("/healthz").status_code == 200
    assert client.get("/nowhere").status_code == 404
    assert client.get("/fail").status_code == 500


def test_a_503_carries_no_cookie_of_the_view(
    app: Flask, storage: FragileStorage
) -> None:
    """With Flask-Login's `remember_token`, the visitor would be logged in."""

    class User(UserMixin):
        id = "7"

    def log_in() -> str:
        login_user(User(), remember=True)
        storage.away = True
        return "You are in."

    LoginManager(app).user_loader(lambda _: User())
    app.add_url_rule("/login", "/login", log_in)
    answer = app.test_client().get("/login")
    assert answer.status_code == 503
    assert "Set-Cookie" not in answer.headers


def test_an_outage_in_a_session_transaction_is_no_other_error(
    app: Flask, storage: FragileStorage
) -> None:
    client = visitor_when_it_goes_away(app, storage)
    with client.session_transaction() as own:
        own["a"] = 1
    with pytest.raises(StorageUnavailable), client.session_transaction() as own:
        own["a"]
