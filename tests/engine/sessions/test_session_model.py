"""A session behaves like a dict, whatever is done to it, on every storage."""

import tempfile
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from app.sessions import (
    MemoryStorage,
    RedisStorage,
    Session,
    Storage,
    StorageUnavailable,
)
from app.sessions.record import Record
from app.sessions.states import Cookie, State
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.engine.sessions.failing_storage import FailingStorage
from tests.engine.sessions.own_storages import SQLiteStorage

keys = st.sampled_from(["", "a", "_permanent", "ключ", "n"]) | st.text(max_size=5)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.uuids(),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=5,
)
Step = Callable[[Any], object]


def increment(session: Any, key: str, by: int) -> object:
    """Increment in a Session, or in a dict."""
    if isinstance(session, Session):
        return session.increment(key, by)
    value = session.get(key, 0)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise TypeError
    if not -(2**63) <= value + by < 2**63:
        raise OverflowError
    session[key] = value + by
    return session[key]


def append(session: Any, key: str, value: object) -> object:
    """Change a value from inside."""
    held = session[key]
    if isinstance(held, list):
        held.append(value)
    return held


def clear(session: Any) -> None:
    session.clear()


def regenerate(session: Any) -> None:
    if isinstance(session, Session):
        session.regenerate()


steps = st.one_of(
    st.builds(lambda k, v: lambda s: s.__setitem__(k, v), keys, values),
    st.builds(lambda k: lambda s: s[k], keys),
    st.builds(lambda k: lambda s: s.__delitem__(k), keys),
    st.builds(lambda k: lambda s: s.get(k), keys),
    st.builds(lambda k: lambda s: s.pop(k, None), keys),
    st.builds(lambda k, v: lambda s: s.setdefault(k, v), keys, values),
    st.builds(lambda k, by: lambda s: increment(s, k, by), keys, st.integers(-9, 9)),
    st.builds(lambda k, v: lambda s: append(s, k, v), keys, values),
    st.just(lambda s: sorted(s)),
    st.just(lambda s: len(s)),
    st.just(clear),
    st.just(regenerate),
)
requests = st.lists(st.lists(steps, max_size=6), max_size=6)


def open_session(storage: Storage, session_id: str | None) -> Session:
    return Session(Record(storage, session_id, ttl=60, new_ttl=60))


def outcome(step: Step, target: Any) -> object:
    try:
        return step(target)
    except (KeyError, TypeError, OverflowError) as error:
        return type(error)


@pytest.fixture(scope="module", params=["memory", "redis", "sqlite"])
def any_storage(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        yield MemoryStorage()
    elif request.param == "redis":
        with Redis.from_url(request.getfixturevalue("redis_url")) as client:
            yield RedisStorage(client)
    else:
        # In memory if there is such a folder: on a disk, SQLite would mostly wait for it.
        memory = Path("/dev/shm")  # noqa: S108
        where = memory if memory.is_dir() else None
        with (
            tempfile.TemporaryDirectory(dir=where) as folder,
            closing(SQLiteStorage(str(Path(folder) / "sessions.db"))) as storage,
        ):
            yield storage


tries_many = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@tries_many
@given(requests=requests)
def test_behaves_like_a_dict(any_storage: Storage, requests: list[list[Step]]) -> None:
    model: dict[str, object] = {}
    session_id = None
    for steps in requests:
        session = open_session(any_storage, session_id)
        for step in steps:
            assert outcome(step, session) == outcome(step, model)
        session._save()
        session_id = id_in_the_browser(session, session_id)
        assert dict(open_session(any_storage, session_id)) == model


failures = st.tuples(st.integers(-1, 4), st.sampled_from(["before", "after"]))


@tries_many
@given(requests=st.lists(st.tuples(st.lists(steps, max_size=6), failures), max_size=6))
def test_a_failure_leaves_all_of_it_as_it_was_or_as_it_was_to_be(
    any_storage: Storage, requests: list[tuple[list[Step], tuple[int, str]]]
) -> None:
    """Except increments, which take effect at once, and what is set after `clear`."""
    before: dict[str, object] = {}
    session_id = None
    for steps, (fails_at, how) in requests:
        storage = FailingStorage(any_storage)
        storage.fails_at, storage.how = fails_at, how
        after = deepcopy(before)
        for step in steps:
            outcome(step, after)
        session = open_session(storage, session_id)
        try:
            for step in steps:
                outcome(step, session)
            session._save()
        except StorageUnavailable:
            expected = [before, after, *([{}] if clear in steps else [])]
        else:
            expected = [after]
        session_id = id_in_the_browser(session, session_id)
        session = open_session(any_storage, session_id)
        found = dict(session)
        counted = {key for key in found if type(found[key]) is int}
        assert without(found, counted) in [without(e, counted) for e in expected]
        if session._record.state is State.ENDED:
            session_id = None  # after a logout, the visitor may come back as new
        before = found


def without(state: dict[str, object], keys: set[str]) -> dict[str, object]:
    return {key: state[key] for key in state.keys() - keys}


def id_in_the_browser(session: Session, session_id: str | None) -> str | None:
    """Return the id that the browser has after a request, given the one it had before."""
    match session._record.cookie:
        case Cookie.ISSUE:
            return session._record.id
        case Cookie.EXPIRE:
            return None
    return session_id
