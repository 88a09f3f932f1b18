"""The session is saved before the response ends, and shared caches do not store it."""

from pathlib import Path

import pytest
from app.sessions import session
from flask import Response, abort, send_file, stream_with_context

from tests.engine.sessions.conftest import (
    Action,
    Browser,
    clear,
    contents,
    put,
    regenerate,
)


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


@pytest.mark.parametrize(
    ("start", "counted"),
    [
        (lambda: None, "56"),
        (lambda: session["n"], "56"),
        (lambda: session.increment("n"), "67"),
        (regenerate, "56"),
        (lambda: [clear(), session.update(a=1)], "12"),
        (lambda: [clear(), session.increment("n", 7)], "89"),
    ],
)
def test_a_stream_counts_in_a_session_that_there_is(
    browser: Browser, start: Action, counted: str
) -> None:
    def stream() -> Response:
        start()
        return Response(stream_with_context(str(session.increment("n")) for _ in "12"))

    browser.do(put(n=4))
    assert browser.request(stream).text == counted
    assert browser.do(lambda: session["n"]) == int(counted[-1])


@pytest.mark.parametrize("start", [lambda: None, lambda: [put(a=1)(), clear()]])
def test_a_stream_cannot_count_for_who_has_no_session(
    browser: Browser, calls: list[str], start: Action
) -> None:
    """It would make one that nobody has a cookie for."""

    def stream() -> Response:
        start()
        return Response(stream_with_context(str(session.increment("n")) for _ in "1"))

    with pytest.raises(RuntimeError, match="use the session before the stream begins"):
        browser.request(stream)
    assert calls == []


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


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("HEAD", {}, 200),
        ("GET", {"Range": "bytes=0-1"}, 206),
        ("GET", {"If-None-Match": '"etag"'}, 304),
    ],
)
def test_a_file_sent_after_a_login_check_is_private(
    browser: Browser,
    tmp_path: Path,
    method: str,
    headers: dict[str, str],
    status: int,
) -> None:
    """send_file says no-cache, with which shared caches may keep what they get."""

    def send() -> Response:
        assert session["user"] == 7
        session["downloads"] = 1
        return send_file(tmp_path / "a.txt", conditional=True, etag="etag")

    (tmp_path / "a.txt").write_text("secret")
    browser.do(put(user=7))
    browser.app.config["ACTIONS"].append(send)
    answer = browser.client.open("/do", method=method, headers=headers)
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-cache, private"
    assert "Cookie" in answer.vary
    answer.close()


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
