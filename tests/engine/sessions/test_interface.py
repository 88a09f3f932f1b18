"""The session is saved before the response ends, and shared caches do not store it."""

import pytest
from app.sessions import session
from flask import Response, abort, stream_with_context

from tests.engine.sessions.conftest import Browser, clear, contents, put


def test_what_changed_before_a_view_failed_is_saved(browser: Browser) -> None:
    def fail() -> None:
        session["a"] = 1
        abort(418)

    assert browser.request(fail).status_code == 418
    assert browser.do(contents) == {"a": 1}


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
    """It may read the session while it is being sent, after its headers have gone."""

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
        ("no-cache", "no-cache, private"),
        ("no-store", "no-store, private"),
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
    def is_new() -> bool:
        return session.new

    for action in contents, put(a=1), lambda: session.increment("n"), is_new, clear:
        answer = browser.request(action)
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Cookie" in answer.vary
    answer = browser.request(lambda: session.modified)
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
