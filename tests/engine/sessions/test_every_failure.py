"""Whichever storage call of a request fails, the visitor loses nothing.

Each program runs once for each of its storage calls and each way in which that may fail:
before it has taken effect, or after, when only the answer is lost. Then the same request
comes again.
"""

from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from itertools import count, takewhile
from typing import Any

import app
import pytest
from app.sessions import MemoryStorage, Storage, session
from flask import Flask
from flask.testing import FlaskClient

from tests.engine.sessions.failing_storage import FailingStorage
from tests.engine.sessions.own_storages import PostgresStorage, SQLiteStorage
from tests.engine.sessions.programs import BEFORE, PAIRS, SINGLES, in_turn

Names = tuple[str, ...]
VISITORS: dict[str, dict[str, Any]] = {"new": {}, "known": BEFORE, "one key": {"a": 1}}


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgresql"])
def any_storage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Storage]:
    """The engine's own storage, and those of docs/storage.md."""
    if request.param == "memory":
        yield MemoryStorage()
        return
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("sqlite") / "sessions.db"
        storage = SQLiteStorage(str(path))
    else:
        storage = PostgresStorage(request.getfixturevalue("postgresql").url)
    with closing(storage):
        yield storage


@pytest.fixture(scope="module")
def failing(any_storage: Storage) -> Flask:
    """An app whose view runs the program that a test puts into its config."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_ENV", "development")
        patch.setenv("SECRET", "dev-only-for-the-tests-0123456789")
        failing = app.create_app(storage=FailingStorage(any_storage))

    @failing.get("/run")
    def run() -> dict[str, Any]:
        failing.config["PROGRAM"](session)
        return {}

    return failing


def after(names: Names, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state after the program, given the state before it."""
    state = deepcopy(state)
    in_turn(*names)(state)
    return state


def allowed(names: Names, before: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the visitor may have after a failure: all of it, or nothing.

    An increment takes effect at once, so it may stand without what comes after it. One
    in a session that the same request has cleared is saved with the rest. What is to be
    cleared may be gone without what was to be set after it.
    """
    states = [before, after(names, before)]
    at_once = [*takewhile(lambda name: not name.startswith("clear"), names)]
    for number in range(at_once.count("increment")):
        states.append(after(("increment",) * (number + 1), before))
    return states if at_once == [*names] else [*states, {}]


class Visitor:
    """A visitor with this data, and a thief who has a copy of the first cookie."""

    def __init__(self, app: Flask, data: dict[str, Any]) -> None:
        self.app = app
        self.storage = app.extensions["session_storage"]
        self.client, self.thief = app.test_client(), app.test_client()
        if data:
            with self.client.session_transaction() as own:
                own.update(deepcopy(data))
            cookie = self.client.get_cookie("session")
            assert cookie
            self.thief.set_cookie("session", cookie.value)

    def run(self, names: Names, fails_at: int | None = None, how: str = "") -> int:
        """Send the request; return its status."""
        self.app.config["PROGRAM"] = in_turn(*names)
        storage = self.storage
        storage.calls, storage.fails_at, storage.how = 0, fails_at, how
        status = self.client.get("/run").status_code
        storage.fails_at = None
        return status

    def sees(self) -> dict[str, Any]:
        return contents(self.client)


def contents(client: FlaskClient) -> dict[str, Any]:
    with client.session_transaction() as own:
        return dict(own)


@pytest.mark.parametrize("data", VISITORS.values(), ids=VISITORS)
@pytest.mark.parametrize("names", [*SINGLES, *PAIRS], ids=" then ".join)
def test_leaves_the_session_as_it_was_or_as_it_was_to_be(
    failing: Flask, names: Names, data: dict[str, Any]
) -> None:
    visitor = Visitor(failing, data)
    assert visitor.run(names) == 200
    assert visitor.sees() == after(names, data)
    for failure in count():  # two for each call
        fails_at, how = failure // 2, ("before", "after")[failure % 2]
        visitor = Visitor(failing, data)
        status = visitor.run(names, fails_at, how)
        if visitor.storage.calls <= fails_at:
            return  # there are no more calls that could fail
        assert status == 503
        found = visitor.sees()
        assert found in allowed(names, data), (fails_at, how)
        assert visitor.run(names) == 200  # the same request again does all of it
        assert visitor.sees() == after(names, found), (fails_at, how)
        if any(name.startswith("clear") for name in names):
            assert contents(visitor.thief) == {}, (fails_at, how)  # ASVS 7.4.1
