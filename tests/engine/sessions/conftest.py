"""What the tests of the sessions share: a visitor whose requests run what a test passes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from app import create_app
from app.sessions import Storage, session
from flask import Flask, Response
from werkzeug.test import TestResponse

from tests.engine.sessions.postgresql import PostgreSQL

Action = Callable[[], object]


class Browser:
    """A visitor whose requests run what the test passes."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()

    def do(self, action: Action, method: str = "GET") -> Any:
        """Run the action in a request, and return what it returns, by way of JSON."""
        return self.request(action, method).json

    def request(self, action: Action, method: str = "GET") -> TestResponse:
        """Run the action in a request and return the response."""
        self.app.config["ACTIONS"].append(action)
        return self.client.open("/do", method=method)

    def twin(self) -> "Browser":
        """Return another tab of this browser, with the same cookies."""
        twin = Browser(self.app)
        if self.cookie:
            twin.client.set_cookie("session", self.cookie)
        return twin

    @property
    def cookie(self) -> str | None:
        """The value of the session cookie."""
        cookie = self.client.get_cookie("session")
        return cookie.value if cookie else None


@pytest.fixture
def browser(storage: Storage) -> Browser:
    """A visitor of an app on each storage."""
    app = create_app(storage=storage)
    app.testing = True
    app.config["ACTIONS"] = []

    @app.route("/do", methods=["GET", "POST"])
    def do() -> Any:
        result = app.config["ACTIONS"].pop()()
        return result if isinstance(result, Response) else app.json.response(result)

    return Browser(app)


def put(**values: Any) -> Action:
    return lambda: session.update(values)


def clear() -> Any:
    session.clear()


def regenerate() -> Any:
    session.regenerate()


def contents() -> dict[str, Any]:
    return dict(session)


@pytest.fixture
def calls(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the storage's methods, in the order in which they are called."""
    names: list[str] = []

    def record(name: str) -> None:
        method = getattr(storage, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            names.append(name)
            return method(*args, **kwargs)

        monkeypatch.setattr(storage, name, called)

    for name in "load", "save", "increment", "delete":
        record(name)
    return names


class Clock:
    """A clock that moves when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server, which several tests use."""
    server = PostgreSQL()
    yield server
    server.remove()
