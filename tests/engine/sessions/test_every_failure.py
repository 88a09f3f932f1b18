"""Whichever storage call of a request fails, the visitor loses nothing.

Each program runs once for each of its storage calls and each way in which that may fail:
before it has taken effect, or after, when only the answer is lost.
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

from tests.engine.sessions.failing_storage import FailingStorage
from tests.engine.sessions.own_storages import PostgresStorage, SQLiteStorage
from tests.engine.sessions.programs import BEFORE, PAIRS, SINGLES, in_turn

Names = tuple[str, ...]


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
    in a session that the same request has cleared is saved with the rest.
    """
    states = [before, after(names, before)]
    at_once = takewhile(lambda name: not name.startswith("clear"), names)
    for number in range([*at_once].count("increment")):
        states.append(after(("increment",) * (number + 1), before))
    return states


@pytest.mark.parametrize("visitor", ["new", "known"])
@pytest.mark.parametrize("names", [*SINGLES, *PAIRS], ids=" then ".join)
def test_leaves_the_session_as_it_was_or_as_it_was_to_be(
    failing: Flask, names: Names, visitor: str
) -> None:
    storage = failing.extensions["session_storage"]

    def contents() -> dict[str, Any]:
        with client.session_transaction() as own:
            return dict(own)

    before = BEFORE if visitor == "known" else {}
    for failure in count(-2):  # two without a failure, then two for each call
        fails_at, how = failure // 2, ("before", "after")[failure % 2]
        client = failing.test_client()
        with client.session_transaction() as own:
            own.update(deepcopy(before))
        failing.config["PROGRAM"] = in_turn(*names)
        storage.calls, storage.fails_at, storage.how = 0, fails_at, how
        answer = client.get("/run")
        calls, storage.fails_at = storage.calls, None
        if fails_at < 0:
            assert answer.status_code == 200
            assert contents() == after(names, before)
        elif calls <= fails_at:
            return  # there are no more calls that could fail
        else:
            assert answer.status_code == 503
            assert contents() in allowed(names, before), (fails_at, how)
