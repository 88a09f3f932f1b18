"""What a session holds: which values and keys it keeps, and which it refuses."""

import datetime
import logging
import uuid
from decimal import Decimal
from typing import Any

import pytest
from app import create_app
from app.sessions import RedisStorage, Storage, session
from flask import flash, get_flashed_messages, request
from flask.json.provider import DefaultJSONProvider
from flask.json.tag import JSONTag
from markupsafe import Markup
from redis import Redis

from tests.engine.sessions.conftest import (
    Action,
    Browser,
    clear,
    contents,
    put,
    regenerate,
)


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
        "half an emoji: \ud83d",
        {"\ud800": ["\udfff"]},
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


def test_keeps_half_a_character_from_a_clients_json(browser: Browser) -> None:
    """It is valid JSON, though no valid Unicode."""

    def say() -> None:
        session.update(name=request.json["name"])
        flash(session["name"])

    browser.app.config["ACTIONS"].append(say)
    body = r'{"name": "\ud83d"}'
    answer = browser.client.post("/do", data=body, content_type="application/json")
    assert answer.status_code == 200
    assert browser.do(lambda: session["name"]) == "\ud83d"
    assert browser.do(get_flashed_messages) == ["\ud83d"]


def test_keeps_half_a_character_if_the_app_writes_json_in_utf_8(
    browser: Browser,
) -> None:
    """UTF-8 has no such thing, so it would look as if Redis were away."""
    assert isinstance(browser.app.json, DefaultJSONProvider)
    browser.app.json.ensure_ascii = False
    assert browser.request(put(name="h\ud83d", city="Köln")).status_code == 200
    assert browser.do(lambda: [session["name"] == "h\ud83d", session["city"]]) == [
        True,
        "Köln",
    ]


def test_keeps_other_types_by_tags_where_flask_has_them_registered(
    browser: Browser,
) -> None:
    class TagDecimal(JSONTag):
        key = " decimal"

        def check(self, value: object) -> bool:
            return isinstance(value, Decimal)

        def to_json(self, value: object) -> str:
            return str(value)

        def to_python(self, value: str) -> Decimal:
            return Decimal(value)

    serializer = browser.app.session_interface.serializer  # type: ignore[attr-defined]
    serializer.register(TagDecimal, index=0)
    try:
        browser.do(put(price=Decimal("1.10")))
        assert browser.do(lambda: str(session["price"] + 1)) == "2.10"
        assert browser.do(lambda: session.modified) is False
    finally:
        del serializer.tags[" decimal"], serializer.order[0]


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
    [object(), {1, 2}, 1j, 10**5000, [10**5000]],
    ids=["object", "set", "complex", "int", "ints"],
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
    browser.do(regenerate)  # this keeps it: a newer release may be able to read it
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
