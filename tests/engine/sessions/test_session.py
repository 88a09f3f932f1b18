"""What a session is to a view: a mapping that costs nothing until it is used."""

import copy
from typing import Any

import pytest
from app.sessions import session
from flask.json.tag import TaggedJSONSerializer

from tests.engine.sessions.conftest import Browser, contents, put


def test_is_a_mapping_that_lasts(browser: Browser) -> None:
    browser.do(put(a=1, b=[2]))
    assert browser.do(contents) == {"a": 1, "b": [2]}
    assert browser.do(lambda: session.pop("a")) == 1
    assert browser.do(lambda: ["a" in session, len(session), list(session)]) == [
        False,
        1,
        ["b"],
    ]
    with pytest.raises(KeyError, match="a"):
        browser.do(lambda: session["a"])
    assert browser.do(lambda: session.setdefault("b", 3)) == [2]


def test_does_what_flasks_own_session_does_as_a_dict(browser: Browser) -> None:
    browser.do(put(a=1, b=[2]))

    def use() -> None:
        own: Any = session._get_current_object()  # type: ignore[attr-defined]
        same = {"a": 1, "b": [2]}
        assert own.copy() == copy.copy(own) == own == same
        assert "'a'" not in repr(own)
        assert "[2]" not in repr(own)
        own["c"] = 3
        assert own.popitem() == ("c", 3)
        assert {own.popitem()[0], own.popitem()[0]} == {"a", "b"}
        with pytest.raises(KeyError, match="the session is empty"):
            own.popitem()

    browser.do(use)
    assert browser.do(contents) == {}


def test_has_no_public_names_but_a_mappings_and_its_own(browser: Browser) -> None:
    def names() -> list[str]:
        own = session._get_current_object()  # type: ignore[attr-defined]
        return [name for name in dir(own) if not name.startswith("_")]

    mapping = {name for name in dir(dict) if not name.startswith("_")} - {"fromkeys"}
    own = {
        "increment",
        "regenerate",
        "new",
        "modified",
        "permanent",
        "accessed",
    }
    assert {*browser.do(names)} == mapping | own


def test_a_key_that_was_set_and_then_deleted_is_gone(browser: Browser) -> None:
    browser.do(put(a=1, b=2))

    def use() -> None:
        session["a"] = 3
        del session["a"]

    browser.do(use)
    assert browser.do(contents) == {"b": 2}


def test_permanent_is_a_remembered_flag_that_does_not_change_the_cookie(
    browser: Browser,
) -> None:
    assert browser.do(lambda: session.permanent) is False
    answer = browser.request(lambda: setattr(session, "permanent", True))
    assert "Max-Age=7776000" in answer.headers["Set-Cookie"]
    assert browser.do(lambda: session.permanent) is True


def test_two_visitors_have_two_sessions(browser: Browser) -> None:
    other = Browser(browser.app)
    browser.do(put(name="one"))
    other.do(put(name="two"))
    assert browser.do(contents) == {"name": "one"}
    assert browser.cookie != other.cookie


def test_is_loaded_only_when_it_is_used(browser: Browser, calls: list[str]) -> None:
    browser.do(put(a=1))
    calls.clear()
    browser.do(lambda: [session.new, session.modified, session.accessed])
    browser.client.get("/healthz")
    browser.client.get("/nowhere")
    browser.client.get("/static/style.css").close()
    assert calls == []


def test_accessed_says_whether_the_data_was_used(browser: Browser) -> None:
    """Flask sets it whenever anybody looks at the session, which has no effect."""

    def use() -> list[bool]:
        before = session.accessed
        session.get("a")
        return [before, session.accessed]

    assert browser.do(use) == [False, True]


def test_decodes_only_the_values_that_are_used(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.do(lambda: session.update({f"key {n}": [n] for n in range(200)}))
    decoded: list[str] = []

    class Serializer(TaggedJSONSerializer):
        def loads(self, text: str) -> Any:
            decoded.append(text)
            return super().loads(text)

    monkeypatch.setattr("app.sessions.values.serializer", Serializer())
    browser.do(lambda: session["key 7"])
    browser.do(lambda: "key 8" in session)
    assert decoded == ["[7]", "[8]"]


def test_takes_one_round_trip_to_read_one_to_change_one_to_count(
    browser: Browser, calls: list[str]
) -> None:
    browser.do(put(a=1))
    assert calls == ["save"]
    for action, expected in [
        (contents, ["load"]),
        (lambda: [session["a"], "a" in session, session.get("b")], ["load"]),
        (put(a=2), ["save"]),
        (lambda: session.update(a=session["a"] + 1), ["load", "save"]),
        (lambda: session.increment("n"), ["increment"]),
        (lambda: [session.increment("n"), session["n"]], ["increment"]),
    ]:
        calls.clear()
        browser.do(action)
        assert calls == expected


def test_an_unused_session_is_not_stored_and_sets_no_cookie(
    browser: Browser, calls: list[str]
) -> None:
    answer = browser.request(lambda: [session.get("a"), session.new])
    assert answer.json == [None, True]
    assert "Set-Cookie" not in answer.headers
    assert calls == []


def test_what_did_not_change_is_not_written(browser: Browser, calls: list[str]) -> None:
    browser.do(put(a=[1, {"b": (2, 3)}]))
    calls.clear()
    answer = browser.request(lambda: bool(session["a"] and session.modified))
    assert answer.json is False
    assert calls == ["load"]
    assert "Set-Cookie" not in answer.headers


def test_changes_inside_a_value_are_noticed(browser: Browser) -> None:
    browser.do(put(cart=["book"], seen={"a": {}}))

    def change() -> bool:
        session["cart"].append("pen")
        session["seen"]["a"]["b"] = 1
        return bool(session.modified)

    assert browser.do(change) is True
    assert browser.do(contents) == {"cart": ["book", "pen"], "seen": {"a": {"b": 1}}}
