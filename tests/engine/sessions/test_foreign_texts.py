"""Values that somebody else has written, in a spelling that is not ours."""

from typing import Any

import pytest
from app.sessions import Storage, session

from tests.engine.sessions.conftest import Action, Browser, contents, put

# A time that no Date header can say: it can be decoded, but not encoded.
UNENCODABLE = '{" d":"Fri, 31 Dec 9999 23:59:59 -0100"}'
FOREIGN = [
    '{"9":1,"10":1}',
    "[1, 2]",
    " 1",
    "1e3",
    "-0",
    "1.50",
    "1e999",
    "NaN",
    '"\\u0061"',
    '"\\ud83d"',
    '"é"',
    '{"a":1,"a":2}',
    '{" t":[1, 2]}',
    '{" d":"Fri, 01 Jan 2027 00:00:00 +0100"}',
    '{" u":"{00000000-0000-0000-0000-00000000000A}"}',
    '{" b":"Y Q=="}',
    UNENCODABLE,
]


@pytest.fixture
def key_of(browser: Browser, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session that holds `text`, written by somebody else, beside `a`; returns its key."""

    def make(text: str) -> str:
        keys: list[str] = []
        save = storage.save

        def note(key: str, *args: Any, **options: Any) -> bool:
            keys.append(key)
            return save(key, *args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(storage, "save", note)
            browser.do(put(a=1))
        save(keys[0], {"foreign": text}, (), 60, create=False)
        return keys[0]

    return make


def read() -> Any:
    """Use all values without changing any."""
    assert len([*session.items()]) > 1


def is_modified() -> bool:
    return session["foreign"] is not None and session.modified


@pytest.mark.parametrize("text", FOREIGN, ids=lambda text: text[:30])
@pytest.mark.parametrize(
    "also",
    [read, lambda: [read(), session.increment("n")], lambda: [read(), put(b=1)()]],
)
def test_what_was_only_read_is_not_written(
    browser: Browser, storage: Storage, key_of: Any, text: str, also: Action
) -> None:
    key = key_of(text)
    for _ in range(2):
        browser.request(also)
        record = storage.load(key, 60)
        assert record is not None
        assert record["foreign"] == text
    assert browser.do(is_modified) is False


def test_a_plain_read_does_not_undo_what_another_request_adds(browser: Browser) -> None:
    def slow() -> None:
        assert session["cart"]
        tab.do(lambda: session["cart"].update({"11": 1}))

    browser.do(lambda: session.update(cart={10: 1, 9: 1}))
    tab = browser.twin()
    browser.do(slow)
    assert browser.do(contents) == {"cart": {"9": 1, "10": 1, "11": 1}}


@pytest.mark.parametrize(
    ("text", "change", "then"),
    [
        ("[1, 2]", lambda: session["foreign"].append(3), [1, 2, 3]),
        ("1e3", lambda: session.update(foreign=True), True),
        ("1", lambda: session.update(foreign=True), True),
        ("true", lambda: session.update(foreign=1), 1),
        ("1.0", lambda: [session["foreign"], session.update(foreign=1)], 1),
        ("-0", lambda: session.update(foreign=7), 7),
        (UNENCODABLE, lambda: session.update(foreign=1), 1),
        (UNENCODABLE, lambda: session.pop("foreign"), None),
    ],
)
def test_what_was_changed_is_written(
    browser: Browser, key_of: Any, text: str, change: Action, then: object
) -> None:
    key_of(text)

    def change_after_reading() -> None:
        session.get("foreign")
        change()

    browser.request(change_after_reading)
    found: list[object] = []
    browser.do(lambda: found.append(session.get("foreign")))
    assert repr(found) == repr([then])
