"""The same random requests, sent to these sessions and to Flask's own, end alike.

The programs leave out what test_differences.py shows: what differs is on that list.
"""

import datetime
import os
from collections.abc import Callable
from copy import deepcopy
from itertools import count
from typing import Any

import pytest
from app import create_app
from app.sessions import MemoryStorage
from flask import Flask, flash, get_flashed_messages, session
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from tests.engine.sessions.test_differences import Visitor

Step = Callable[[], object]  # an operation on flask.session
EXAMPLES = 5000 if os.environ.get("EXAMPLES") == "all" else 300

keys = st.sampled_from(["", "a", "b", "_permanent", "ключ"]) | st.text(max_size=3)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=9)  # half characters too
    | st.binary(max_size=9)
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
    | st.builds(Markup, st.text(max_size=9))
)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.dictionaries(st.sampled_from([" t", " b", " d"]), inner, max_size=1)
    ),
    max_leaves=4,
) | st.sampled_from([1j, {1}, 10**5000])
mappings = st.dictionaries(keys, values, max_size=3)


def change_inside(key: str, value: object) -> object:
    held = session.get(key)
    if isinstance(held, list):
        held.append(deepcopy(value))
    if isinstance(held, dict):
        held["new"] = deepcopy(value)
    session.modified = True  # Flask's own has to be told
    return held


def pop_the_last(number: int) -> object:
    session[f"last but one {number}"], session[f"last {number}"] = 1, 2
    return [session.popitem(), session.pop(f"last but one {number}")]


def empty_by_popitem() -> object:
    return [sorted_reprs(session.popitem() for _ in [*session]), session.popitem()]


def all_views() -> object:
    own: Any = session
    return [
        *map(sorted_reprs, (own, own.keys(), own.values(), own.items(), own.copy()))
    ]


def sorted_reprs(things: Any) -> list[str]:
    return sorted(map(shown, things))


def shown(value: object) -> str:
    """Return a value with its types, but without the order in dicts: 1 is not True."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted_reprs(value.items()))}}}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(shown, value))})"
    return repr(value)


def remember(permanent: bool) -> None:
    session.permanent = permanent


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda k, v: lambda: session.__setitem__(k, deepcopy(v)), keys, values),
    st.builds(lambda k: lambda: session[k], keys),
    st.builds(lambda k: lambda: session.__delitem__(k), keys),
    st.builds(lambda k: lambda: session.get(k), keys),
    st.builds(lambda k: lambda: k in session, keys),
    st.builds(lambda k: lambda: session.pop(k), keys),
    st.builds(lambda k, v: lambda: session.pop(k, v), keys, values),
    st.builds(lambda k, v: lambda: session.setdefault(k, deepcopy(v)), keys, values),
    st.builds(lambda m: lambda: session.update(deepcopy(m)), mappings),
    st.builds(
        lambda m: lambda: session.update([*deepcopy(m).items()], last=1), mappings
    ),
    st.builds(lambda m: lambda: session == m, mappings),
    st.builds(lambda k, v: lambda: change_inside(k, v), keys, values),
    st.builds(lambda n: lambda: pop_the_last(n), st.builds(next, st.just(count()))),
    st.builds(lambda text: lambda: flash(text), st.text(max_size=9)),
    st.builds(lambda yes: lambda: remember(yes), st.booleans()),
    st.sampled_from(
        [
            all_views,
            empty_by_popitem,
            get_flashed_messages,
            lambda: len(session),
            lambda: bool(session),
            lambda: session.permanent,
            lambda: session.clear(),
        ]
    ),
)


def outcome(step: Step) -> str:
    """Return what a step returns or raises, with its types."""
    try:
        return shown(step())
    except (KeyError, TypeError) as error:
        return type(error).__name__


def send(visitor: Visitor, request: list[Step]) -> list[str]:
    """Send a request; return the outcomes of its steps, and whether it was saved."""
    outcomes: list[str] = []
    try:
        visitor.get(lambda: outcomes.extend(map(outcome, request)))
    except (TypeError, ValueError):
        outcomes.append("not saved")
    return outcomes


@pytest.fixture(scope="module")
def visitors() -> list[Visitor]:
    """A visitor of an app with these sessions, and one of an app with Flask's own."""
    theirs = Flask("theirs")
    theirs.config.from_mapping(SECRET_KEY="a secret", MAX_COOKIE_SIZE=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_ENV", "development")
        return [Visitor(create_app(storage=MemoryStorage())), Visitor(theirs)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(requests=st.lists(st.lists(steps, max_size=6), min_size=1, max_size=5))
def test_behaves_as_flasks_own_session_does(
    visitors: list[Visitor], requests: list[list[Step]]
) -> None:
    ours, theirs = visitors
    for visitor in visitors:
        visitor.client.delete_cookie("session")
    for request in requests:
        assert send(ours, request) == send(theirs, request)
        assert send(ours, [all_views]) == send(theirs, [all_views])
