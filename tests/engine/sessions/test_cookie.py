"""The session cookie: what it holds, when it is sent, and which ones are accepted."""

import base64
import re
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any

import pytest
from app import create_app
from app.sessions import MemoryStorage, RedisStorage, ServerSideSessionInterface
from app.sessions.signer import Signer
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.engine.sessions.conftest import Clock

DAY = 24 * 60 * 60
START = 1_800_000_000


class SpyStorage(MemoryStorage):
    """Memory that notes the keys and the times to live that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int]] = []

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        self.asked.append((key, ttl))
        return super().increment(key, field, by, ttl, create=create)

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        self.asked.append((key, ttl))
        return super().save(key, changed, removed, ttl, create=create)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which cookies age."""
    clock = Clock()
    clock.now = START
    monkeypatch.setattr("app.sessions.signer.time", clock)
    return clock


@pytest.fixture
def storage() -> SpyStorage:
    return SpyStorage()


@pytest.fixture
def make_client(
    storage: SpyStorage, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., FlaskClient]:
    """Return a visitor of the app with these settings; all share the storage."""

    def make(**values: str) -> FlaskClient:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return create_app(storage=storage).test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client()


def cookie_of(client: FlaskClient, name: str = "session") -> str:
    cookie = client.get_cookie(name)
    assert cookie is not None
    return cookie.value


def test_holds_nothing_but_a_signed_random_id(client: FlaskClient) -> None:
    answer = client.get("/")
    value = cookie_of(client)
    assert re.fullmatch(r"[\w-]{43}\.[0-9a-f]{8}\.[0-9a-f]{64}", value)
    attributes = answer.headers["Set-Cookie"].split("; ")[1:]
    assert set(attributes) == {
        f"Max-Age={90 * DAY}",
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
    }


def test_is_bound_to_host_and_https_in_production(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(APP_ENV="", SECRET="0123456789abcdef0123456789abcdef")
    cookie = client.get("/").headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert "; Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    cleared = client.post("/reset", base_url="https://localhost")
    expected = {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=0"}
    assert expected <= set(cleared.headers["Set-Cookie"].split("; "))


def test_domain_and_partitioned_are_those_of_flasks_settings(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client()
    client.application.config["SESSION_COOKIE_DOMAIN"] = "example.com"
    client.application.config["SESSION_COOKIE_PARTITIONED"] = True
    cookie = client.get("/").headers["Set-Cookie"]
    assert {"Domain=example.com", "Partitioned"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_COOKIE_DOMAIN", "example.com"),
        ("SESSION_COOKIE_PATH", "/shop"),
        ("APPLICATION_ROOT", "/shop"),
    ],
)
def test_what_the_host_prefix_excludes_stops_the_start(
    make_client: Callable[..., FlaskClient], name: str, value: str
) -> None:
    client = make_client(APP_ENV="", SECRET="0123456789abcdef0123456789abcdef")
    app = client.application
    app.config[name] = value
    with pytest.raises(SystemExit, match=r"(DOMAIN|PATH) is .* fix it with: "):
        app.session_interface.check_cookie(app)  # type: ignore[attr-defined]


@pytest.mark.parametrize("secrets", ["a text of some length", [], [""], ["a", ""]])
def test_secrets_are_a_list_of_texts_none_of_them_empty(secrets: Any) -> None:
    with pytest.raises(ValueError, match="secrets"):
        ServerSideSessionInterface(
            MemoryStorage(), secrets, idle_timeout=60, lifetime=60
        )


def test_is_sent_once(client: FlaskClient) -> None:
    assert len(client.get("/").headers.getlist("Set-Cookie")) == 1
    assert "Set-Cookie" not in client.get("/").headers


@pytest.mark.parametrize(
    "header",
    ["{}", "theme=dark; {}; lang=en", "my-{}x; {}", "{}; session=another", ";;{};="],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_is_found_among_others(client: FlaskClient, header: str, quote: str) -> None:
    client.get("/")
    cookie = f"session={quote}{cookie_of(client)}{quote}"
    other = client.application.test_client(use_cookies=False)
    answer = other.get("/", headers={"Cookie": header.replace("{}", cookie)})
    assert answer.json == {"views": 2}


def test_does_not_tell_the_storage_key(
    client: FlaskClient, storage: SpyStorage
) -> None:
    client.get("/")
    [(key, _)] = storage.asked
    assert re.fullmatch(r"session:[\w-]{22}", key)
    digest = key.removeprefix("session:")
    assert digest not in cookie_of(client)
    assert base64.urlsafe_b64decode(digest + "==") not in cookie_of(client).encode()


def test_an_id_without_a_record_is_replaced(
    client: FlaskClient, storage: SpyStorage
) -> None:
    client.get("/")
    old = cookie_of(client)
    storage._records.clear()
    assert client.get("/").json == {"views": 1}
    assert cookie_of(client) != old


@pytest.mark.parametrize(
    "forge",
    [
        lambda value: value[:-9] + ("A" if value[-9] != "A" else "B") + value[-8:],
        lambda value: ("A" if value[0] != "A" else "B") + value[1:],
        lambda value: value.rsplit(".", 1)[0],
        lambda value: value.split(".")[0],
        lambda value: value.replace(".", "", 1),
        lambda value: value * 2,
        lambda value: Signer(["another secret"]).sign(value.split(".")[0]),
        lambda value: "é" + value,
        lambda value: "",
        lambda value: ".",
        lambda value: "..",
        lambda value: "a" * 3000,
    ],
)
def test_a_forged_cookie_never_reaches_the_storage(
    client: FlaskClient, storage: SpyStorage, forge: Callable[[str], str]
) -> None:
    client.get("/")
    forged = forge(cookie_of(client))
    storage.asked.clear()
    other = client.application.test_client()
    other.set_cookie("session", forged)
    answer = other.get("/")
    assert answer.json == {"views": 1}
    assert answer.headers["Set-Cookie"]
    assert len(storage.asked) == 1  # the new session's


@pytest.mark.parametrize(
    "session_id",
    ["", "short", "x" * 42, "x" * 44, "é" * 43, "x" * 42 + "\n", "\xff" * 43],
)
def test_an_id_of_another_form_never_reaches_the_storage(
    client: FlaskClient, storage: SpyStorage, session_id: str
) -> None:
    interface = client.application.session_interface
    signed = interface._signer.sign(session_id)  # type: ignore[attr-defined]
    client.set_cookie("session", signed)
    assert client.get("/").json == {"views": 1}
    assert len(storage.asked) == 1


def test_lives_no_longer_than_the_absolute_lifetime(
    client: FlaskClient, storage: SpyStorage, clock: Clock
) -> None:
    client.get("/")
    clock.now += 89 * DAY
    assert client.get("/").json == {"views": 2}
    assert storage.asked[-1][1] == 1 * DAY  # the idle timeout never reaches past it
    clock.now += 1 * DAY
    old = cookie_of(client)
    assert client.get("/").json == {"views": 1}
    assert cookie_of(client) != old


def test_each_use_extends_the_record_by_the_idle_timeout(
    make_client: Callable[..., FlaskClient], storage: SpyStorage, clock: Clock
) -> None:
    client = make_client(SESSION_IDLE_TIMEOUT="60", SESSION_LIFETIME="100")
    for now, ttl in (0, 60), (30, 60), (50, 50), (99, 1):
        clock.now = START + now
        client.get("/")
        assert storage.asked[-1][1] == ttl
    assert storage.asked[0][0] == storage.asked[-1][0]


def test_an_idle_session_expires_on_the_server(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESSION_IDLE_TIMEOUT", "60")
    client = create_app(storage=RedisStorage(redis)).test_client()
    client.get("/")
    [key] = redis.keys("*")
    redis.expire(key, 5)
    client.get("/")
    assert 55 < redis.ttl(key) <= 60
    redis.pexpire(key, 1)
    while redis.exists(key):
        pass
    assert client.get("/").json == {"views": 1}


def test_survives_a_clock_that_is_set_back(
    make_client: Callable[..., FlaskClient], storage: SpyStorage, clock: Clock
) -> None:
    client = make_client(SESSION_IDLE_TIMEOUT="9999", SESSION_LIFETIME="100")
    client.get("/")
    clock.now -= 3600
    assert client.get("/").json == {"views": 2}
    assert storage.asked[-1][1] == 100  # not an hour more


def test_a_rotated_secret_logs_nobody_out(
    make_client: Callable[..., FlaskClient],
) -> None:
    before = make_client(SECRET="dev-the-first-secret-of-them-all")
    before.get("/")
    old = cookie_of(before)

    def visit(cookie: str, secret: str, fallbacks: str) -> tuple[Any, str]:
        client = make_client(SECRET=secret, SECRET_FALLBACKS=fallbacks)
        client.set_cookie("session", cookie)
        return client.get("/").json, cookie_of(client)

    rotated = "dev-the-next-secret-of-them-all"
    first = "dev-the-first-secret-of-them-all"
    assert visit(old, rotated, f"unused, {first}") == ({"views": 2}, old)
    counted, new = visit("", rotated, first)
    assert counted == {"views": 1}
    assert visit(new, rotated, "") == ({"views": 2}, new)
    assert visit(old, rotated, "")[0] == {"views": 1}


def test_a_secret_is_rotated_in_three_steps_while_two_releases_run_side_by_side(
    make_client: Callable[..., FlaskClient],
) -> None:
    """In each step, visitors come to the old release and to the new one by turns."""
    old, new = "dev-the-first-secret-of-them-all", "dev-the-next-secret-of-them-all"
    releases = [(old, ""), (old, new), (new, old), (new, "")]
    apps = [
        make_client(SECRET=secret, SECRET_FALLBACKS=fallbacks).application
        for secret, fallbacks in releases
    ]
    first_cookie = visit(apps[0], "")[1]  # from before the new secret is known
    for step in pairwise(apps):
        for app, other in step, step[::-1]:
            cookie = visit(app, "")[1]
            for views, release in enumerate([other, app, other], start=2):
                assert visit(release, cookie) == (views, cookie)
        if step[1] is not apps[3]:
            assert [visit(app, first_cookie)[1] for app in step] == [first_cookie] * 2
    # The last step is for when the old secret's cookies are all past their lifetime.
    assert visit(apps[3], first_cookie)[0] == 1


def visit(app: Flask, cookie: str) -> tuple[int, str]:
    """Return the count that someone with this cookie is told, and the cookie after it."""
    client = app.test_client()
    if cookie:
        client.set_cookie("session", cookie)
    return client.get("/").json["views"], cookie_of(client)  # type: ignore[index]


def test_a_secure_cookie_over_http_is_logged_once(
    make_client: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(APP_ENV="", SECRET="0123456789abcdef0123456789abcdef")
    client.get("/", base_url="https://localhost")
    client.post("/reset")  # over http, but this cookie is not to be kept
    assert caplog.messages == []
    for _ in range(3):
        visitor = client.application.test_client()
        visitor.get("/")
        assert cookie_of(visitor, "__Host-session") not in caplog.text
    [message] = caplog.messages
    assert "TRUSTED_PROXIES" in message


@pytest.fixture(scope="module")
def reader() -> tuple[Flask, SpyStorage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_ENV", "development")
        storage = SpyStorage()
        return create_app(storage=storage), storage


# A busy machine may be slow; another fixture stays as it is for all examples.
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.text(st.characters(codec="latin-1")) | st.from_regex(r"[\w.-]+"))
def test_no_cookie_whatever_breaks_the_reader(
    reader: tuple[Flask, SpyStorage], value: str
) -> None:
    app, storage = reader
    storage.asked.clear()
    answer = app.test_client(use_cookies=False).get(
        "/",
        environ_overrides={"HTTP_COOKIE": f"session={value}"},
    )
    assert answer.json == {"views": 1}
    assert len(storage.asked) == 1
