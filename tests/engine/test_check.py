"""`flask check` says what would keep a deployment from working, and how to fix it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from app import create_app
from app.sessions import MemoryStorage, RedisStorage, Storage
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
    """Return status and text by what they are about."""
    lines = check().output.splitlines()
    return {line[8:28].strip(): (line[:8].strip(), line[28:]) for line in lines}


def test_finds_nothing_wrong_with_a_sound_stage(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.config_set("maxmemory-policy", "volatile-lru")
    monkeypatch.setenv("TRUSTED_HOSTS", "www.example.com")
    result = check()
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.output.splitlines()} == {"ok"}
    assert SECRET not in result.output


def test_tells_memory_and_connections(redis: Redis) -> None:
    redis.config_set("maxmemory", "25mb")
    found = findings()
    redis.config_set("maxmemory", "0")
    assert found["storage"][1] == "RedisStorage answers"
    assert re.search(r"used, full after some [0-9,]{6} more first", found["memory"][1])
    assert "16 needed" in found["connections"][1]


def test_says_what_a_redis_does_that_refuses_when_it_is_full_and_when(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.config_set("maxmemory-policy", "noeviction")
    monkeypatch.setenv("DYNO", "release.1")
    status, text = findings()["maxmemory_policy"]
    assert status == "warning"
    assert text == (
        "is noeviction: Redis is without a limit; once it is full, nobody can log in or "
        "be counted for 14 days; fix it with: heroku redis:maxmemory --policy volatile-lru"
    )
    redis.config_set("maxmemory", "25mb")
    status, text = findings()["maxmemory_policy"]
    redis.config_set("maxmemory", "0")
    assert re.match(
        r"is noeviction: Redis is full after some [0-9,]{6} more first visits, robots' "
        "too; once it is full, nobody can log in or be counted for 14 days; ",
        text,
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
    assert findings()["connections"][0] == "error"
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
    for field in FIELDS:
        assert any(line.startswith(f"warning {field} ") for line in lines)
    assert create_app().test_client().get("/").status_code == 200


FIELDS = ["maxclients", "maxmemory", "maxmemory_policy", "used_memory"]


@pytest.mark.parametrize("field", FIELDS)
def test_says_what_it_cannot_find_out_where_info_lacks_a_field(
    redis: Redis, field: str
) -> None:
    """As on some hosts. Here the field is cut out of the server's answer."""
    own = redis.response_callbacks["INFO"]
    without = re.compile(rf"^{field}:.*\r\n", re.MULTILINE)

    def cut(reply: bytes, **options: object) -> object:
        return own(without.sub("", reply.decode()).encode(), **options)

    redis.set_response_callback("INFO", cut)
    result = check(storage=RedisStorage(redis))
    redis.set_response_callback("INFO", own)
    assert result.exit_code == 0, result.output
    unknown = [line for line in result.output.splitlines() if "is unknown" in line]
    assert [line.split()[:2] for line in unknown] == [["warning", field]]


def test_asks_any_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(storage=MemoryStorage())
    assert result.exit_code == 0
    assert "MemoryStorage answers" in result.output


@pytest.mark.parametrize("command", ["check", "routes", "of-the-owner"])
def test_no_command_runs_with_wrong_settings(command: str) -> None:
    status, output = flask(command, PORT="abc")
    assert output == (
        "PORT is 'abc', not a whole number from 1 to 65535; "
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


def test_fails_for_an_empty_number_of_processes_which_gunicorn_cannot_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "")
    result = check()
    assert result.exit_code == 1
    assert "unset WEB_CONCURRENCY" in result.output
