"""While Redis is away, pages that need it soon answer 503, and nothing else suffers."""

import socket
import time
from collections.abc import Callable

import pytest
from app import create_app
from app.sessions import MemoryStorage, StorageUnavailable, session
from flask import Flask, redirect
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue


def test_pages_with_a_session_answer_503_and_others_as_usual(
    client: FlaskClient,
) -> None:
    answer = client.get("/")
    assert answer.status_code == 503
    assert answer.json == {"error": "Service Unavailable"}
    assert int(answer.headers["Retry-After"]) == 1
    assert "Set-Cookie" not in answer.headers
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.get("/nowhere").status_code == 404
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "try again" in page.text


def test_a_hanging_redis_costs_one_time_out_a_second(
    client: FlaskClient, silence: socket.socket
) -> None:
    def visit() -> float:
        started = time.monotonic()
        assert client.get("/").status_code == 503
        return time.monotonic() - started

    assert 0.5 < visit() < 1.5
    assert max(visit() for _ in range(10)) < 0.2


def test_what_could_not_be_saved_is_not_answered_as_if_it_were(
    app: Flask, client: FlaskClient, silence: socket.socket
) -> None:
    def set_and_go() -> ResponseReturnValue:
        session["a"] = 1
        return redirect("/elsewhere")

    app.add_url_rule("/set", view_func=set_and_go)
    started = time.monotonic()
    answer = client.get("/set")
    assert time.monotonic() - started < 1.5
    assert answer.status_code == 503
    assert answer.json == {"error": "Service Unavailable"}
    assert answer.headers["Retry-After"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Location" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_a_view_that_copes_with_the_outage_still_cannot_lose_changes_silently(
    app: Flask, client: FlaskClient, silence: socket.socket
) -> None:
    def cope() -> str:
        try:
            session.increment("n")
        except StorageUnavailable:
            session["a"] = 1
        return "all is well"

    app.add_url_rule("/cope", view_func=cope)
    assert client.get("/cope").status_code == 503


def test_a_request_pays_for_one_time_out_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def away(name: str) -> Callable[..., None]:
        def call(*args: object, **options: object) -> None:
            asked.append(name)
            raise StorageUnavailable

        return call

    def change_and_count() -> str:
        session["a"] = 1
        return str(session.increment("n"))

    storage = MemoryStorage()
    app = create_app(storage=storage)
    app.add_url_rule("/change", view_func=change_and_count)
    client = app.test_client()
    assert client.get("/change").status_code == 200
    for name in "load", "save", "increment":
        monkeypatch.setattr(storage, name, away(name))
    assert client.get("/change").status_code == 503
    assert asked == ["increment"]
