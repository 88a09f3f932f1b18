"""Requests of one visitor at the same time, and one that comes late."""

import pytest
from app.sessions import SessionEnded, Storage, session
from flask import flash, get_flashed_messages

from tests.engine.sessions.conftest import (
    Action,
    Browser,
    clear,
    contents,
    put,
    regenerate,
)


def test_removing_the_last_key_keeps_what_another_request_added(
    browser: Browser,
) -> None:
    def empty() -> None:
        session.pop("a")
        tab.do(put(b=2))

    browser.do(put(a=1))
    tab = browser.twin()
    assert "Set-Cookie" not in browser.request(empty).headers
    assert browser.do(contents) == {"b": 2}


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (lambda: session.update(cart=["book"]), {"cart": ["book"]}),
        (lambda: session.increment("n"), {"n": 1}),
        (lambda: [clear(), session.update(user=7)], {"user": 7}),
        (lambda: [regenerate(), session.update(user=7)], {"user": 7}),
    ],
    ids=["cart", "count", "clear and log in", "regenerate and log in"],
)
@pytest.mark.parametrize("when", ["before it reads", "after it has read"])
def test_showing_the_last_flash_costs_another_request_nothing(
    browser: Browser, other: Action, kept: dict[str, object], when: str
) -> None:
    """The session holds only a flash, which one tab shows while the other changes it."""

    def change() -> None:
        if when == "after it has read":
            session.get("user")
        assert tab.do(get_flashed_messages) == ["Saved."]
        other()

    browser.do(lambda: flash("Saved."))
    tab = browser.twin()
    browser.do(change)
    assert browser.do(contents) == kept


def test_regenerate_keeps_what_others_wrote_meanwhile(
    browser: Browser, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move() -> None:
        session.regenerate()
        session["a"] = 2

    browser.do(put(a=1, b=2, n=0))
    tab = browser.twin()
    delete = storage.delete

    def at_the_last_moment(key: str) -> dict[str, str] | None:
        tab.do(lambda: [session.increment("n"), session.update(c=3), session.pop("b")])
        return delete(key)

    monkeypatch.setattr(storage, "delete", at_the_last_moment)
    browser.do(move)
    assert browser.do(contents) == {"a": 2, "n": 1, "c": 3}


@pytest.mark.parametrize("late", [clear, regenerate])
def test_regenerate_does_not_revive_what_was_destroyed_meanwhile(
    browser: Browser,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    late: Action,
) -> None:
    browser.do(put(a=1))
    tab = browser.twin()
    delete = storage.delete
    deleted: list[str] = []

    def note(key: str) -> dict[str, str] | None:
        deleted.append(key)
        return delete(key)

    def at_the_last_moment(key: str) -> dict[str, str] | None:
        monkeypatch.setattr(storage, "delete", note)
        tab.do(late)
        return delete(key)

    monkeypatch.setattr(storage, "delete", at_the_last_moment)
    answer = browser.request(regenerate)
    assert "Set-Cookie" not in answer.headers
    with pytest.raises(SessionEnded):
        storage.load(deleted[-1], 60)  # the copy
    assert tab.do(contents) == ({} if late is clear else {"a": 1})


def test_requests_that_change_different_keys_keep_both(browser: Browser) -> None:
    def slow() -> None:
        session["a"] = [*session["a"], 1]
        tab.do(put(b=1))

    browser.do(put(a=[], n=0))
    tab = browser.twin()
    browser.do(slow)
    assert browser.do(contents) == {"a": [1], "b": 1, "n": 0}


@pytest.mark.parametrize(
    "late",
    [
        contents,
        put(b=2),
        lambda: session.get("a", []).append(1),
        lambda: session.increment("n"),
        lambda: [session.increment("n"), session.increment("n"), session["n"]],
        lambda: session.pop("a", None),
        regenerate,
    ],
    ids=["read", "set", "nested", "increment", "increment twice", "pop", "regenerate"],
)
@pytest.mark.parametrize(
    "seen", [contents, lambda: session.increment("n")], ids=["read", "counted"]
)
def test_a_session_destroyed_meanwhile_stays_destroyed(
    browser: Browser, storage: Storage, seen: Action, late: Action
) -> None:
    def slow() -> None:
        seen()
        tab.do(clear)
        keys.append(writes())
        late()

    def writes() -> int:
        records = getattr(storage, "_records", {})
        return sum(fields is not None for _, fields in records.values())

    browser.do(put(a=[], n=5))
    tab, thief = browser.twin(), browser.twin()
    keys: list[int] = []
    answer = browser.request(slow)
    assert "Set-Cookie" not in answer.headers
    assert keys == [writes()]
    assert thief.do(contents) == {}


def test_increments_of_a_destroyed_session_count_on_for_their_own_request(
    browser: Browser,
) -> None:
    def slow() -> list[int]:
        first = session.increment("n")
        tab.do(clear)
        return [first, session.increment("n"), session.increment("n")]

    browser.do(put(n=5))
    tab = browser.twin()
    assert browser.do(slow) == [6, 7, 8]


ENDS: dict[str, Action] = {
    "clear": clear,
    "clear and set": lambda: [clear(), session.update(user=7)],
    "regenerate": lambda: [regenerate(), session.update(user=7)],
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "login",
    [
        lambda: [clear(), session.update(user=8)],
        lambda: [session.get("a"), clear(), session.update(user=8)],
        lambda: [regenerate(), session.update(user=8)],
        lambda: [session.get("a"), session.update(user=8), regenerate()],
    ],
    ids=["clear", "read, clear", "regenerate", "read, regenerate"],
)
def test_a_login_on_an_ended_id_starts_a_session_of_its_own(
    browser: Browser, end: str, login: Action
) -> None:
    """As when a form is sent twice, or the answer to the first login was lost."""
    browser.do(put(a=1, n=5))
    tab = browser.twin()
    browser.do(ENDS[end])
    assert "Set-Cookie" in tab.request(login).headers
    assert tab.do(contents) == {"user": 8}
    expected = {"regenerate": {"a": 1, "n": 5, "user": 7}, "clear": {}}
    assert browser.do(contents) == expected.get(end, {"user": 7})


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "late",
    [
        contents,
        put(b=2),
        clear,
        regenerate,
        lambda: session.increment("n"),
    ],
    ids=["read", "set", "clear", "regenerate", "count"],
)
def test_a_late_request_finds_nothing_writes_nothing_and_gets_no_cookie(
    browser: Browser, calls: list[str], storage: Storage, end: str, late: Action
) -> None:
    """Otherwise its cookie would replace a newer one, and log the visitor out."""

    browser.do(put(a=1, n=5))
    tab = browser.twin()
    browser.do(ENDS[end])
    answer = tab.request(late)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert tab.do(lambda: [dict(session), session.increment("n")]) == [{}, 1]
    expected = {"regenerate": {"a": 1, "n": 5, "user": 7}, "clear": {}}
    assert browser.do(contents) == expected.get(end, {"user": 7})
