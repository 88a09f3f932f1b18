"""What a session promises to a view, on each storage."""

import copy
import datetime
import logging
import uuid
from collections.abc import Callable
from typing import Any

import flask
import pytest
from flask import Flask, Response, abort, stream_with_context
from flask.json.tag import TaggedJSONSerializer
from markupsafe import Markup
from redis import Redis
from werkzeug.test import TestResponse

from app import create_app
from app.sessions import RedisStorage, SessionEnded, Storage, session
from tests.sessions.sqlite_storage import SQLiteStorage

Action = Callable[[], object]
MAX = 2**63 - 1


class Browser:
    """A visitor whose requests do what the test hands them."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()

    def do(self, action: Action, method: str = "GET") -> Any:
        """Run the action in a request; return what it returns, as a list or value."""
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
    """The names of the storage's methods as they are called."""
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
        assert own.copy() == copy.copy(own) == copy.deepcopy(own) == own == same
        assert copy.deepcopy(own)["b"] is not own["b"]
        assert [*reversed(own)] == [*reversed([*own])]
        assert own | {"c": 3} == {**same, "c": 3}
        other: dict[str, Any] = {"a": 0, "c": 3}
        assert other | own == {**same, "c": 3}
        assert own.fromkeys(["x"], 1) == {"x": 1}
        assert "a" not in repr(own).split()[1:]
        assert "2" not in repr(own)
        flask.session |= {"d": 4}  # type: ignore[operator]

    browser.do(use)
    assert browser.do(contents) == {"a": 1, "b": [2], "d": 4}


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
        return session.modified

    assert browser.do(change) is True
    assert browser.do(contents) == {"cart": ["book", "pen"], "seen": {"a": {"b": 1}}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0.5,
        -1e300,
        10**40,
        "text",
        "naïve ☕",
        [1, [2, {"a": None}]],
        {"a": {"b": []}},
        {" t": "looks like a tag"},
        (1, ("a",)),
        b"\x00\xff",
        datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        uuid.UUID(int=7),
        Markup("<b>"),
    ],
    ids=repr,
)
def test_keeps_values_as_they_are(browser: Browser, value: object) -> None:
    browser.do(put(value=value))
    kept: list[object] = []
    browser.do(lambda: kept.append(session["value"]))
    assert kept == [value]
    assert type(kept[0]) is type(value)


@pytest.mark.parametrize(
    "key", ["", "_permanent", "__proto__", "x" * 10_000, "ключ\n\0☕", " t"]
)
def test_keeps_any_text_as_a_key(browser: Browser, key: str) -> None:
    browser.do(lambda: session.update({key: 1}))
    assert browser.do(contents) == {key: 1}


def test_a_key_that_is_no_text_is_refused(browser: Browser) -> None:
    with pytest.raises(TypeError, match="not 1"):
        browser.do(lambda: session.update({1: 1}))  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, 1j, 10**5000, [10**5000], "\ud800", {"a": ["\ud800"]}],
    ids=["object", "set", "complex", "int", "ints", "surrogate", "surrogates"],
)
def test_a_value_that_cannot_be_stored_names_its_key_and_writes_nothing(
    browser: Browser, value: object
) -> None:
    browser.do(put(a=1))
    with pytest.raises(TypeError, match=r"session\['bad'\]"):
        browser.do(put(a=2, bad=value))
    assert browser.do(contents) == {"a": 1}


@pytest.mark.parametrize(
    "action",
    [lambda: session.update({"\ud800": 1}), lambda: session.increment("\ud800")],
    ids=["set", "increment"],
)
def test_a_key_that_cannot_be_stored_is_named_and_no_storage_is_asked(
    browser: Browser, calls: list[str], action: Action
) -> None:
    with pytest.raises(TypeError, match=r"session\['\\ud800'\]"):
        browser.do(action)
    assert calls == []


def test_a_value_that_cannot_be_stored_after_clear_changes_nothing(
    browser: Browser,
) -> None:
    browser.do(put(a=1))
    browser.app.testing = False
    answer = browser.request(lambda: [clear(), session.update(bad=object())])
    assert answer.status_code == 500
    assert "Set-Cookie" not in answer.headers
    assert browser.do(contents) == {"a": 1}


def test_a_value_that_cannot_be_stored_is_one_500(
    browser: Browser, calls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    browser.app.testing = False
    answer = browser.request(put(bad=object()))
    assert answer.status_code == 500
    assert calls == []
    assert len(caplog.records) == 1


def test_what_changed_before_a_view_failed_is_saved(browser: Browser) -> None:
    def fail() -> None:
        session["a"] = 1
        abort(418)

    assert browser.request(fail).status_code == 418
    assert browser.do(contents) == {"a": 1}


# Counting


def test_increment_starts_at_zero_and_returns_the_sum(browser: Browser) -> None:
    assert browser.do(lambda: session.increment("n")) == 1
    assert browser.do(lambda: session.increment("n", by=41)) == 42
    assert browser.do(lambda: session.increment("n", by=0)) == 42
    assert browser.do(lambda: session.increment("n", by=-50)) == -8
    assert browser.do(contents) == {"n": -8}


def test_increment_counts_on_from_what_this_request_assigned(browser: Browser) -> None:
    def count() -> list[int]:
        session["n"] = 10
        return [session.increment("n"), session.increment("n"), session["n"]]

    browser.do(put(n=1))
    assert browser.do(count) == [11, 12, 12]
    assert browser.do(contents) == {"n": 12}


def test_increment_after_a_deletion_starts_again(browser: Browser) -> None:
    def count() -> int:
        del session["n"]
        return session.increment("n")

    browser.do(put(n=5))
    assert browser.do(count) == 1
    assert browser.do(contents) == {"n": 1}


def test_a_read_after_an_increment_sees_it(browser: Browser) -> None:
    browser.do(put(n=5, other="x"))
    assert browser.do(
        lambda: [session["n"], session.increment("n"), session["n"], session["other"]]
    ) == [5, 6, 6, "x"]


@pytest.mark.parametrize("value", ["text", 1.5, True, None, [1], 10**30])
def test_increment_of_anything_but_an_int_names_the_key(
    browser: Browser, value: object
) -> None:
    browser.do(put(n=value))
    with pytest.raises(TypeError, match=r"session\['n'\]"):
        browser.do(lambda: session.increment("n"))
    with pytest.raises(TypeError, match=r"session\['n'\]"):
        browser.do(lambda: [session.update(n=value), session.increment("n")])
    assert browser.do(contents) == {"n": value}


@pytest.mark.parametrize(("value", "by"), [(MAX, 1), (-MAX, -2)])
def test_increment_beyond_64_bits_is_refused(
    browser: Browser, value: int, by: int
) -> None:
    browser.do(put(n=value))
    with pytest.raises(OverflowError, match=r"session\['n'\]"):
        browser.do(lambda: session.increment("n", by))
    assert browser.do(contents) == {"n": value}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_increment_that_overflows_in_a_new_session_is_refused(
    browser: Browser, calls: list[str], method: str
) -> None:
    def count() -> None:
        session.increment("n", MAX)
        session.increment("n")

    with pytest.raises(OverflowError):
        browser.do(count, method)
    assert calls == ["increment", "increment", "load"]


@pytest.mark.parametrize(
    ("other", "error"), [("text", TypeError), (MAX, OverflowError)]
)
def test_increment_does_not_overwrite_what_another_request_has_set(
    browser: Browser, other: object, error: type[Exception]
) -> None:
    def slow() -> None:
        assert session["n"] == 1
        tab.do(put(n=other))
        with pytest.raises(error, match=r"session\['n'\]"):
            session.increment("n")

    browser.do(put(n=1))
    tab = browser.twin()
    browser.do(slow)
    assert browser.do(contents) == {"n": other}


@pytest.mark.parametrize("by", [1.5, "1", True, None])
def test_increment_takes_ints_only(browser: Browser, by: Any) -> None:
    with pytest.raises(TypeError):
        browser.do(lambda: session.increment("n", by))


# Ending a session


def test_clear_deletes_the_record_and_expires_the_cookie(
    browser: Browser, calls: list[str]
) -> None:
    browser.do(put(a=1))
    stolen = browser.twin()
    calls.clear()
    answer = browser.request(clear)
    assert calls == ["load", "delete"]
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


# A new id


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


def test_regenerate_without_a_session_does_nothing(
    browser: Browser, calls: list[str]
) -> None:
    answer = browser.request(regenerate)
    assert "Set-Cookie" not in answer.headers
    assert calls == []


# Requests at the same time


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


@pytest.mark.parametrize("seen", [contents, lambda: session.increment("n")])
@pytest.mark.parametrize("late", [put(b=2), lambda: session.increment("n"), regenerate])
def test_a_session_that_vanishes_during_a_request_is_not_brought_back(
    browser: Browser, storage: Storage, seen: Action, late: Action
) -> None:
    def slow() -> None:
        seen()
        forget_all(storage)
        late()

    browser.do(put(a=1))
    answer = browser.request(slow)
    assert "Set-Cookie" not in answer.headers
    assert browser.do(contents) == {}


def test_a_session_made_in_place_of_a_lost_one_and_cleared_keeps_nothing(
    browser: Browser, storage: Storage
) -> None:
    browser.do(put(a=1))
    forget_all(storage)
    browser.do(lambda: [session.increment("n"), clear(), session.update(b=2)])
    assert browser.do(contents) == {"b": 2}


@pytest.mark.parametrize("read", [False, True])
def test_a_cookie_without_a_record_expires_when_it_is_cleared(
    browser: Browser, storage: Storage, read: bool
) -> None:
    browser.do(put(a=1))
    forget_all(storage)
    browser.do(lambda: [read and session.get("a"), clear()])
    assert browser.cookie is None


def forget_all(storage: Storage) -> None:
    """Empty the storage, as a Redis without persistence does when it restarts."""
    if isinstance(storage, RedisStorage):
        storage.client.flushall()  # type: ignore[union-attr]
    else:
        vars(storage)["_records"].clear()


# An id that was ended less than a minute ago


@pytest.mark.parametrize("end", ["regenerate", "clear", "clear and set"])
@pytest.mark.parametrize(
    "late",
    [
        contents,
        put(b=2),
        clear,
        regenerate,
        lambda: session.increment("n"),
        lambda: [clear(), session.update(b=2)],
        lambda: [session.get("a"), clear(), session.update(b=2)],
        lambda: [session.update(b=2), regenerate()],
    ],
    ids=["read", "set", "clear", "regenerate", "count", "login", "read, login", "move"],
)
def test_a_late_request_finds_nothing_writes_nothing_and_gets_no_cookie(
    browser: Browser, calls: list[str], storage: Storage, end: str, late: Action
) -> None:
    """Or its cookie would replace a newer one, and log the visitor out."""

    def log_in_or_out() -> None:
        if end == "regenerate":
            session.regenerate()
        else:
            session.clear()
        if end != "clear":
            session["user"] = 7

    browser.do(put(a=1, n=5))
    tab = browser.twin()
    browser.do(log_in_or_out)
    answer = tab.request(late)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert tab.do(lambda: [dict(session), session.increment("n")]) == [{}, 1]
    expected = {"regenerate": {"a": 1, "n": 5, "user": 7}, "clear": {}}
    assert browser.do(contents) == expected.get(end, {"user": 7})


# Records that are not ours


@pytest.mark.parametrize(
    "text", ["{", "", "\x80\x04.", '{" u":1}', '{" b":5}', "[" * 100_000]
)
def test_a_value_that_cannot_be_read_counts_as_absent_and_harms_no_other(
    browser: Browser,
    storage: Storage,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    keys: list[str] = []
    save = storage.save

    def remember(key: str, *args: Any, **kwargs: Any) -> bool:
        keys.append(key)
        return save(key, *args, **kwargs)

    monkeypatch.setattr(storage, "save", remember)
    browser.do(put(a=1, bad=1))
    storage.save(keys[0], {"bad": text}, (), 60, create=False)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert browser.do(contents) == {"a": 1}
            assert browser.do(lambda: ["bad" in session, len(session)]) == [False, 1]
    assert len(caplog.records) == 1
    browser.do(regenerate)  # which keeps it: a newer release may be able to read it
    assert storage.load(keys[-1], 60) == {"a": "1", "bad": text}
    assert browser.do(lambda: session.increment("bad", 2)) == 2
    assert browser.do(contents) == {"a": 1, "bad": 2}


def test_a_planted_pickle_is_never_loaded(redis: Redis) -> None:
    app = create_app(storage=RedisStorage(redis))
    client = app.test_client()
    client.get("/")
    [key] = redis.keys("*")
    redis.hset(key, "views", b"cos\nsystem\n(S'exit 1'\ntR.")
    assert client.get("/").json == {"views": 1}


# The response


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_is_saved_before_the_response_ends(browser: Browser, method: str) -> None:
    def stream() -> Response:
        session["a"] = 1
        return Response(part for part in ["one", "two"])

    if method == "HEAD":
        browser.request(stream, "HEAD")
    else:
        browser.app.config["ACTIONS"].append(stream)
        answer = browser.client.get("/do", buffered=False)
        assert browser.do(contents) == {"a": 1}
        answer.close()
    assert browser.do(contents) == {"a": 1}


def test_a_stream_reads_the_session(browser: Browser) -> None:
    def stream() -> Response:
        return Response(stream_with_context(str(session["a"]) for _ in range(2)))

    browser.do(put(a=1))
    assert browser.request(stream).text == "11"


@pytest.mark.parametrize("with_session", [False, True])
def test_a_stream_is_private_for_whoever_has_a_session(
    browser: Browser, with_session: bool
) -> None:
    """It may read the session while it is sent, when the headers are gone already."""

    def stream() -> Response:
        return Response(stream_with_context(str(session.get("a")) for _ in range(2)))

    if with_session:
        browser.do(put(a=1))
    browser.app.config["ACTIONS"].append(stream)
    answer = browser.client.get("/do", buffered=False)
    assert ("Cookie" in answer.vary) is with_session
    assert (answer.headers.get("Cache-Control") == "private, no-store") is with_session
    assert answer.text == ("11" if with_session else "NoneNone")
    static = browser.client.get("/static/style.css")
    assert "Cookie" not in static.vary
    static.close()


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("private, max-age=60", "private, max-age=60"),
        ("no-cache", "no-cache"),
        ("no-store", "no-store"),
        ("public, max-age=60", "max-age=60, private"),
        ("max-age=60", "max-age=60, private"),
        ("private, s-maxage=60", "private"),
        ("must-revalidate", "must-revalidate, private"),
        ('private="X-Name", max-age=60', "private, max-age=60"),
    ],
)
def test_a_views_own_cache_control_is_kept_but_no_shared_cache_may_store(
    browser: Browser, given: str, sent: str
) -> None:
    def own() -> Response:
        session["a"] = 1
        headers = {"Cache-Control": given, "Vary": "Accept, cookie"}
        return Response("own", headers=headers)

    answer = browser.request(own)
    assert answer.headers["Cache-Control"] == sent
    assert answer.headers.getlist("Vary") == ["Accept, cookie"]


def test_vary_is_added_to_the_views_own(browser: Browser) -> None:
    def own() -> Response:
        return Response(str(session.get("a")), headers={"Vary": "Accept, X-Cookie"})

    assert browser.request(own).headers.getlist("Vary") == ["Accept, X-Cookie, Cookie"]


def test_used_responses_are_private_and_others_are_not(browser: Browser) -> None:
    for action in contents, put(a=1), lambda: session.increment("n"), clear:
        answer = browser.request(action)
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Cookie" in answer.vary
    answer = browser.request(lambda: session.new)
    assert "Cache-Control" not in answer.headers
    assert "Cookie" not in answer.vary


def test_cookies_of_the_view_are_kept(browser: Browser) -> None:
    def own() -> Response:
        session["a"] = 1
        response = Response("own")
        response.set_cookie("own", "1")
        return response

    names = [
        c.split("=")[0] for c in browser.request(own).headers.getlist("Set-Cookie")
    ]
    assert names == ["own", "session"]


def test_runs_on_a_storage_of_your_own(tmp_path: Any) -> None:
    app = create_app(storage=SQLiteStorage(str(tmp_path / "sessions.db")))
    client = app.test_client()
    assert [client.get("/").json for _ in range(3)] == [{"views": n} for n in (1, 2, 3)]
