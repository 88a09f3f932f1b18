"""How a session ends, gets a new id, or turns out to be lost."""

from typing import Any

import pytest
from app.sessions import RedisStorage, Storage, session

from tests.engine.sessions.conftest import (
    Action,
    Browser,
    clear,
    contents,
    put,
    regenerate,
)


def test_clear_deletes_the_record_and_expires_the_cookie(
    browser: Browser, calls: list[str]
) -> None:
    browser.do(put(a=1))
    stolen = browser.twin()
    calls.clear()
    answer = browser.request(clear)
    assert calls == ["delete"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("session=;")
    for attribute in "Max-Age=0", "Path=/", "HttpOnly", "SameSite=Lax":
        assert attribute in cookie
    assert browser.cookie is None
    assert stolen.do(contents) == {}
    assert browser.request(clear).headers.getlist("Set-Cookie") == []


def test_clear_and_new_values_start_a_new_session(browser: Browser) -> None:
    def log_in() -> None:
        session.clear()
        session["user"] = 1
        session.increment("logins")

    browser.do(put(a=1))
    old = browser.twin()
    browser.do(log_in)
    assert browser.cookie != old.cookie
    assert browser.do(contents) == {"user": 1, "logins": 1}
    assert old.do(contents) == {}


def test_removing_the_last_key_ends_the_session(browser: Browser) -> None:
    browser.do(put(a=1))
    old = browser.twin()
    browser.do(lambda: session.pop("a"))
    assert old.do(lambda: [session.get("a"), session.new]) == [None, True]
    browser.do(put(b=1))
    assert browser.cookie != old.cookie


def test_a_session_made_and_cleared_in_one_request_leaves_nothing(
    browser: Browser,
) -> None:
    def come_and_go() -> None:
        session.increment("n")
        session["a"] = 1
        session.clear()

    answer = browser.request(come_and_go)
    assert "Set-Cookie" not in answer.headers

    def count_and_remove() -> None:
        session.increment("n")
        del session["n"]

    answer = browser.request(count_and_remove)
    assert "Set-Cookie" not in answer.headers


def test_regenerate_keeps_the_data_under_a_new_id(browser: Browser) -> None:
    def log_in() -> None:
        session.regenerate()
        session["user"] = 1
        session.pop("b")
        session.regenerate()

    browser.do(put(a=1, b=2))
    old = browser.twin()
    browser.do(log_in)
    assert browser.cookie != old.cookie
    assert browser.do(contents) == {"a": 1, "user": 1}
    assert old.do(contents) == {}


def test_regenerate_without_a_session_does_nothing(
    browser: Browser, calls: list[str]
) -> None:
    answer = browser.request(regenerate)
    assert "Set-Cookie" not in answer.headers
    assert calls == []


@pytest.mark.parametrize("action", [put(b=2), lambda: session.increment("b", 2)])
def test_a_session_that_was_gone_before_starts_anew_under_a_new_id(
    browser: Browser, storage: Storage, action: Action
) -> None:
    browser.do(put(a=1))
    old = browser.twin()
    forget_all(storage)
    browser.do(action)
    assert browser.cookie != old.cookie
    assert browser.do(contents) == {"b": 2}
    assert old.do(contents) == {}


@pytest.mark.parametrize(
    ("seen", "late", "kept"),
    [
        (contents, contents, {}),
        (contents, put(b=2), {"b": 2}),
        (contents, lambda: session["a"].append(1), {"a": [0, 1]}),
        (contents, lambda: session.increment("n"), {"n": 1}),
        (contents, lambda: [regenerate(), session.update(b=2)], {"b": 2}),
        (lambda: session.increment("n"), contents, {"n": 1}),
        (lambda: session.increment("n"), put(b=2), {"n": 1, "b": 2}),
        (lambda: session.increment("n"), lambda: session.increment("n"), {"n": 2}),
        (
            lambda: session.increment("n"),
            lambda: [regenerate(), session.update(b=2)],
            {"n": 1, "b": 2},
        ),
    ],
)
def test_a_request_whose_record_vanishes_keeps_what_it_changed_under_a_new_id(
    browser: Browser, storage: Storage, seen: Action, late: Action, kept: dict[str, Any]
) -> None:
    def slow() -> None:
        seen()
        forget_all(storage)
        late()

    browser.do(put(a=[0]))
    answer = browser.request(slow)
    assert ("Set-Cookie" in answer.headers) is bool(kept)
    assert browser.do(contents) == kept


def test_a_session_made_in_place_of_a_lost_one_and_cleared_keeps_nothing(
    browser: Browser, storage: Storage
) -> None:
    browser.do(put(a=1))
    forget_all(storage)
    browser.do(lambda: [session.increment("n"), clear(), session.update(b=2)])
    assert browser.do(contents) == {"b": 2}


@pytest.mark.parametrize("read", [False, True])
@pytest.mark.parametrize("end", [clear, regenerate])
def test_a_cookie_without_a_record_expires_when_it_is_cleared_or_renewed(
    browser: Browser, storage: Storage, end: Action, read: bool
) -> None:
    browser.do(put(a=1))
    forget_all(storage)
    browser.do(lambda: [read and session.get("a"), end()])
    assert browser.cookie is None


def forget_all(storage: Storage) -> None:
    """Empty the storage, as a restart empties a Redis without persistence."""
    if isinstance(storage, RedisStorage):
        storage.client.flushall()  # type: ignore[union-attr]
    else:
        vars(storage)["_records"].clear()
