"""What stands between the internet and the views."""

from collections.abc import Callable
from functools import partial, wraps
from typing import ClassVar, cast

import pytest
from app.web import allow_cross_site
from flask import Flask, request
from flask.testing import FlaskClient
from flask.views import MethodView

from tests.engine.conftest import MakeClient


@pytest.fixture
def make_client(make_client: MakeClient) -> MakeClient:
    """Return a visitor of the app in production, who can ask where they seem to come from."""

    def make(**settings: str) -> FlaskClient:
        client = make_client(**settings)
        client.application.add_url_rule("/where", view_func=where)
        return client

    return make


def where() -> dict[str, str | None]:
    return {"scheme": request.scheme, "client": request.remote_addr}


FORWARDED = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7", "X-Forwarded-Proto": "https"}


def test_believes_no_proxy_unless_told_to(make_client: MakeClient) -> None:
    answer = make_client().get("/where", headers=FORWARDED)
    assert answer.json == {"scheme": "http", "client": "127.0.0.1"}


@pytest.mark.parametrize("settings", [{"TRUSTED_PROXIES": "1"}, {"DYNO": "web.1"}])
def test_believes_the_last_proxy_on_heroku_or_when_told_to(
    make_client: MakeClient, settings: dict[str, str]
) -> None:
    answer = make_client(**settings).get("/where", headers=FORWARDED)
    assert answer.json == {"scheme": "https", "client": "203.0.113.7"}


def test_the_scheme_is_what_the_nearest_proxy_says(make_client: MakeClient) -> None:
    """However many proxies there are: each adds an address, but not each adds a scheme."""
    client = make_client(TRUSTED_PROXIES="2")
    answer = client.get("/where", headers=FORWARDED)
    assert answer.json == {"scheme": "https", "client": "6.6.6.6"}
    several = FORWARDED | {"X-Forwarded-Proto": "https, http"}
    assert client.get("/where", headers=several).location == "https://localhost/where"


HTTP = {"X-Forwarded-Proto": "http"}


@pytest.mark.parametrize("path", ["/", "//where", "//healthz", "/static/style.css"])
@pytest.mark.parametrize("headers", [FORWARDED, HTTP], ids=["https", "http"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "www.example.com.evil.example",
        "xwww.example.com",
        "b.www.example.com",
        "a@www.example.com",
        "",
    ],
)
def test_a_request_for_another_host_is_refused_not_redirected(
    make_client: MakeClient, path: str, headers: dict[str, str], host: str
) -> None:
    client = make_client(TRUSTED_HOSTS="www.example.com", TRUSTED_PROXIES="1")
    answer = client.get(path, headers=headers | {"Host": host})
    assert answer.status_code == 400
    assert answer.location is None
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "host",
    ["www.example.com", "WWW.Example.Com", "www.example.com:8000", "a.b.example"],
)
def test_a_request_for_a_trusted_host_is_answered(
    make_client: MakeClient, host: str
) -> None:
    client = make_client(TRUSTED_HOSTS="WWW.example.com, .b.example")
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_checks_come_by_any_host_name(
    make_client: MakeClient, path: str
) -> None:
    client = make_client(TRUSTED_HOSTS="www.example.com")
    assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_any_host_will_do_where_none_is_named(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "//evil.example/x", "/nowhere"])
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize(
    "host", ["", "a b", "a@b", "a/b", "evil.example/", "[::1", ":8"]
)
def test_what_is_no_host_name_is_refused_everywhere(
    make_client: MakeClient, host: str, accept: str, path: str
) -> None:
    headers = {"Host": host, "Accept": accept, "X-Forwarded-Proto": "http"}
    answer = make_client(TRUSTED_PROXIES="1").get(path, headers=headers)
    assert answer.status_code == 400
    assert answer.location is None


@pytest.mark.parametrize("host", ["", "a b"])
def test_a_health_check_needs_no_host_name(client: FlaskClient, host: str) -> None:
    """HAProxy's, for example, sends none."""
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_leads_from_http_to_https_when_the_proxy_says_http(
    make_client: MakeClient,
) -> None:
    client = make_client(TRUSTED_PROXIES="1")
    answer = client.post("/reset?a=1", headers=HTTP, base_url="http://example.com")
    assert answer.status_code == 308
    assert answer.location == "https://example.com/reset?a=1"
    assert client.get("/healthz", headers=HTTP).status_code == 200
    assert client.get("/", headers=FORWARDED).status_code == 200
    assert client.get("/").status_code == 200
    assert make_client(TRUSTED_PROXIES="0").get("/", headers=HTTP).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
def test_refuses_what_another_site_sends(
    client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    client.get("/")
    assert client.post("/reset", headers=headers).status_code == status
    expected = 1 if status == 303 else 2
    assert client.get("/", headers=headers).json == {"views": expected}


def test_one_line_lets_other_sites_post_to_a_view(app: Flask) -> None:
    def answer() -> str:
        return "taken"

    def log_in_first(view: Callable[[], str]) -> Callable[[], str]:
        return wraps(view)(lambda: view())

    class Hook(MethodView):
        decorators: ClassVar = [allow_cross_site]

        def post(self) -> str:
            return "taken"

    rules: dict[str, Callable[..., str]] = {
        "/plain": answer,
        "/exempt": allow_cross_site(partial(answer)),
        "/under-another": log_in_first(allow_cross_site(lambda: "taken")),
        "/class": cast(Callable[..., str], Hook.as_view("hook")),
    }
    for path, view in rules.items():
        app.add_url_rule(path, path, view, methods=["POST"])
    client, other = app.test_client(), {"Sec-Fetch-Site": "cross-site"}
    statuses = {path: client.post(path, headers=other).status_code for path in rules}
    assert statuses.pop("/plain") == 403
    assert set(statuses.values()) == {200}
    assert client.post("/nowhere", headers=other).status_code == 403


def test_refuses_large_bodies_as_flask_documents(app: Flask) -> None:
    """When a view reads one; a view that wants more says so."""

    @app.post("/read")
    def read() -> dict[str, int]:
        return {"bytes": len(request.get_data())}

    @app.post("/read-more")
    def read_more() -> dict[str, int]:
        request.max_content_length = 50_000_000
        return read()

    client, body = app.test_client(), b"x" * (1024 * 1024 + 1)
    assert client.post("/read", data=body[1:]).json == {"bytes": 1024 * 1024}
    answer = client.post("/read", data=body)
    assert (answer.status_code, answer.json) == (
        413,
        {"error": "Request Entity Too Large"},
    )
    assert client.post("/read-more", data=body).json == {"bytes": len(body)}
    app.config["MAX_CONTENT_LENGTH"] = 10
    assert client.post("/read", data=b"x" * 11).status_code == 413
