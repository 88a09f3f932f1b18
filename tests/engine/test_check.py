"""`flask check` says what would keep a deployment from working, and how to fix it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from app import create_app
from app.sessions import MemoryStorage, RedisStorage, Storage, StorageUnavailable
from click.testing import Result
from redis import Redis

from tests.engine.conftest import PROJECT

SECRET = "0123456789abcdef-0123456789abcdef"
PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def production(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    monkeypatch.setenv("APP_ENV", "")
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("WEB_CONCURRENCY", "2")


def check(storage: Storage | None = None) -> Result:
    return create_app(storage=storage).test_cli_runner().invoke(args=["check"])


def findings() -> dict[str, tuple[str, str]]:
    """Return status and text by what they are about, the first word."""
    lines = [line.split(maxsplit=2) for line in check().output.splitlines()]
    return {about: (status, text) for status, about, text in lines}


def test_finds_nothing_wrong_with_a_sound_stage(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.config_set("maxmemory-policy", "volatile-lru")
    monkeypatch.setenv("TRUSTED_HOSTS", "www.example.com")
    result = check()
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.output.splitlines()} == {"ok"}
    assert SECRET not in result.output


def test_tells_how_many_connections_are_needed() -> None:
    found = findings()
    assert found["RedisStorage"] == ("ok", "answers")
    assert found["connections:"][0] == "ok"
    assert found["connections:"][1].startswith("two releases need 16 a machine, ")


def test_warns_of_a_redis_that_refuses_when_it_is_full(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.config_set("maxmemory-policy", "noeviction")
    monkeypatch.setenv("DYNO", "release.1")
    fix = "fix it with: heroku redis:maxmemory --policy volatile-lru"
    assert findings()["maxmemory_policy"] == (
        "warning",
        f"is noeviction: once Redis is full, nobody can log in for 14 days; {fix}",
    )


@pytest.mark.parametrize("hosts", ["", " ", ",,"])
def test_warns_where_any_host_name_is_served(
    monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    monkeypatch.setenv("TRUSTED_HOSTS", hosts)
    status, text = findings()["TRUSTED_HOSTS"]
    assert status == "warning"
    assert text.endswith("; fix it with: export TRUSTED_HOSTS=www.example.com")
    monkeypatch.setenv("TRUSTED_HOSTS", "www.example.com")
    assert "TRUSTED_HOSTS" not in findings()
    monkeypatch.setenv("TRUSTED_HOSTS", "")
    monkeypatch.setenv("APP_ENV", "development")
    monkeypatch.setenv("SECRET", f"dev-{SECRET}")
    assert "TRUSTED_HOSTS" not in findings()


@pytest.mark.parametrize(
    ("url", "settings", "warned"),
    [
        ("rediss://host", {"DYNO": "web.1"}, True),
        ("rediss://host", {"REDIS_TLS_VERIFY": "0"}, True),
        ("rediss+cluster://host", {"REDIS_TLS_VERIFY": "0"}, True),
        ("valkeys://host", {"REDIS_TLS_VERIFY": "0"}, True),
        ("rediss://host?ssl_cert_reqs=none", {}, True),
        ("rediss://host", {}, False),
        ("redis://host", {"REDIS_TLS_VERIFY": "0"}, False),
    ],
)
def test_warns_where_the_certificate_of_redis_is_not_verified(
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    settings: dict[str, str],
    warned: bool,
) -> None:
    for name, value in {"REDIS_URL": url, **settings}.items():
        monkeypatch.setenv(name, value)
    output = check(RedisStorage(redis)).output
    lines = [line for line in output.splitlines() if "REDIS_TLS_VERIFY" in line]
    assert [line.split()[0] for line in lines] == ["warning"] * warned
    for line in lines:
        assert "REDIS_TLS_VERIFY=1 (not for Heroku's own Redis)" in line


def test_fails_when_the_connections_do_not_suffice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "256")
    monkeypatch.setenv("WEB_THREADS", "1000")
    status, text = findings()["connections:"]
    assert status == "error"
    assert text.endswith("; fix it with: export WEB_CONCURRENCY=1")
    assert check().exit_code == 1


def test_fails_when_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
        result = check()
    assert result.exit_code == 1
    assert "Connection refused" in result.output
    assert "export REDIS_URL=" in result.output
    assert PASSWORD not in result.output


def test_fails_when_redis_refuses_the_password(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = redis_url.removeprefix("unix://")
    monkeypatch.setenv("REDIS_URL", f"unix://:{PASSWORD}@{path}")
    result = check()
    assert result.exit_code == 1
    assert "password" in result.output
    assert PASSWORD not in result.output


@pytest.fixture
def restricted(redis: Redis, redis_url: str) -> Iterator[str]:
    """The URL of a user who may not use dangerous commands, as on some hosts."""
    rules = ("~*", "&*", "+@all", "-@dangerous")
    redis.execute_command("ACL SETUSER", "guest", "on", f">{PASSWORD}", *rules)
    yield redis_url.replace("unix://", f"unix://guest:{PASSWORD}@")
    redis.execute_command("ACL DELUSER", "guest")


def test_says_what_it_cannot_find_out_where_info_is_forbidden(
    restricted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", restricted)
    result = check()
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    lines = result.output.splitlines()
    assert any(line.startswith("warning INFO ") for line in lines)
    assert create_app().test_client().get("/").status_code == 200


@pytest.mark.parametrize("field", ["maxclients", "maxmemory_policy"])
def test_passes_where_info_lacks_a_field(redis: Redis, field: str) -> None:
    """As on some hosts. Here the field is cut out of the server's answer."""
    own = redis.response_callbacks["INFO"]
    without = re.compile(rf"^{field}:.*\r\n", re.MULTILINE)

    def cut(reply: bytes, **options: object) -> object:
        return own(without.sub("", reply.decode()).encode(), **options)

    redis.set_response_callback("INFO", cut)
    result = check(storage=RedisStorage(redis))
    redis.set_response_callback("INFO", own)
    assert result.exit_code == 0, result.output


class Away(MemoryStorage):
    """A storage of the owner's which is away."""

    def ping(self) -> None:
        raise StorageUnavailable("the disk is full")


def test_of_a_storage_of_your_own_only_the_reason_is_known() -> None:
    result = check(storage=Away())
    assert result.exit_code == 1
    last = result.output.splitlines()[-1]
    assert last == "error   Away cannot be used (the disk is full)"


@pytest.mark.parametrize(
    ("url", "reason", "command"),
    [
        ("redis://host", "refused", "export REDIS_URL=redis://:password@host:6379/0"),
        ("rediss://host", "reset", "?ssl_certfile=…&ssl_keyfile=…"),
        ("rediss://host", "CERTIFICATE_VERIFY_FAILED", "export REDIS_CA_CERT=/path/"),
    ],
)
def test_what_fixes_it_depends_on_the_reason(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, url: str, reason: str, command: str
) -> None:
    def fail(storage: object) -> None:
        raise StorageUnavailable(reason)

    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setattr(RedisStorage, "ping", fail)
    last = check(storage=RedisStorage(redis)).output.splitlines()[-1]
    assert last.startswith(f"error   RedisStorage cannot be used ({reason}); fix it ")
    assert command in last


def test_asks_any_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(storage=MemoryStorage())
    assert result.exit_code == 0
    assert "MemoryStorage answers" in result.output


@pytest.mark.parametrize("command", ["check", "routes", "of-the-owner"])
def test_no_command_runs_with_wrong_settings(command: str) -> None:
    status, output = flask(command, PORT="abc")
    assert output == (
        "PORT is wrong: 'abc' is not a valid integer range; "
        "fix it with: export PORT=8000\n"
    )
    assert status == 1


def flask(*command: str, **settings: str) -> tuple[int, str]:
    """Run a `flask` command; return its status and what it printed, apart from logs."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", *command],
        cwd=PROJECT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout or done.stderr
