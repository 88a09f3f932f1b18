"""`increment` is exact, takes integers only, and names the key that it refuses."""

from typing import Any

import pytest
from app.sessions import session

from tests.engine.sessions.conftest import Browser, contents, put

MAX = 2**63 - 1


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
    assert calls == []


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
