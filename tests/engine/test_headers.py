"""The headers that every answer has, and what they tell caches and logs."""

import re

import pytest
from app import create_app
from app.sessions import MemoryStorage, StorageUnavailable
from flask import Flask
from flask.testing import FlaskClient

from tests.engine.conftest import MakeClient


@pytest.mark.parametrize("path", ["/", "/nowhere", "/healthz", "/static/style.css"])
def test_sends_the_security_headers_everywhere(
    make_client: MakeClient, path: str
) -> None:
    with make_client().get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"]
        assert answer.headers["Permissions-Policy"]
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_development_does_not_force_https(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/").headers


@pytest.mark.parametrize(
    ("given", "proxies", "kept"),
    [
        ("0123-ABC", "1", True),
        ("a" * 200, "1", True),
        ("a" * 201, "1", False),
        ("a b", "1", False),
        ("0123-ABC", "0", False),
    ],
)
def test_a_request_id_is_kept_if_a_trusted_proxy_gives_it_and_it_is_well_formed(
    make_client: MakeClient, given: str, proxies: str, kept: bool
) -> None:
    client = make_client(TRUSTED_PROXIES=proxies)
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    returned = answer.headers["X-Request-ID"]
    assert (returned == given) is kept
    assert kept or re.fullmatch("[0-9a-f]{32}", returned)


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_caches_are_told_which_answers_depend_on_accept(
    app: Flask, client: FlaskClient, accept: str
) -> None:
    """In one header: not everybody reads a second one."""

    @app.get("/vary")
    def vary() -> tuple[str, dict[str, str]]:
        return "", {"Vary": "Accept-Language"}

    def varies(path: str) -> list[str]:
        answer = client.get(path, headers={"Accept": accept})
        return answer.headers.getlist("Vary")

    assert varies("/") == ["Cookie, Accept"]
    assert varies("/nowhere") == ["Accept"]
    assert varies("/vary") == ["Accept-Language"]
    assert varies("/healthz") == []


def test_an_outage_depends_on_accept_too() -> None:
    class Away(MemoryStorage):
        def save(self, *args: object, **kwargs: object) -> bool:
            raise StorageUnavailable

    app = create_app(storage=Away())

    @app.get("/set")
    def change() -> str:
        from app.sessions import session

        session["a"] = 1
        return "well"

    answer = app.test_client().get("/set")
    assert answer.status_code == 503
    assert "Accept" in answer.headers["Vary"]


def test_static_files_are_asked_for_again_and_sent_only_if_they_changed(
    client: FlaskClient,
) -> None:
    """As Flask does it; so a stylesheet that is edited is seen at once."""
    with client.get("/static/style.css") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "Set-Cookie" not in answer.headers
        same = {"If-None-Match": answer.headers["ETag"]}
    with client.get("/static/style.css", headers=same) as answer:
        assert (answer.status_code, answer.data) == (304, b"")
