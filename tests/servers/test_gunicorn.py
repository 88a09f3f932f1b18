"""gunicorn.conf.py in the surroundings that hosts make for it."""

import re
from pathlib import Path

import pytest

from tests.conftest import run

PRODUCTION = {"APP_ENV": "production", "SECRET": "0123456789abcdef" * 4}


def configuration(project: Path, home: Path, **settings: str) -> dict[str, str]:
    """Return gunicorn's settings as it prints them."""
    gunicorn = project / ".venv/bin/gunicorn"
    status, output = run(home, project, gunicorn, "--print-config", **settings)
    assert status == 0, output
    return dict(re.findall(r"^(\w+) += (.*)$", output, re.MULTILINE))


def test_development_listens_on_this_machine_only(baked: Path, home: Path) -> None:
    config = configuration(baked, home)
    assert config["bind"] == "['127.0.0.1:8000']"
    assert config["workers"] == "1"


def test_production_listens_on_ipv4_and_ipv6(baked: Path, home: Path) -> None:
    config = configuration(
        baked, home, PORT="5000", REDIS_URL="memory://", **PRODUCTION
    )
    assert config["bind"] == "['[::]:5000']"


@pytest.mark.parametrize(
    ("settings", "workers"),
    [
        ({}, "2"),
        ({"WEB_CONCURRENCY": "5"}, "5"),
        ({"WEB_CONCURRENCY": "5", "REDIS_URL": "memory://"}, "1"),
    ],
    ids=str,
)
def test_the_host_says_how_many_processes(
    baked: Path, home: Path, settings: dict[str, str], workers: str
) -> None:
    known = {"REDIS_URL": "redis://127.0.0.1:6379/0", **PRODUCTION, **settings}
    assert configuration(baked, home, **known)["workers"] == workers


@pytest.mark.parametrize(("dyno", "believed"), [("", "[]"), ("web.1", "['*']")])
def test_only_a_trusted_proxy_is_believed(
    baked: Path, home: Path, dyno: str, believed: str
) -> None:
    config = configuration(baked, home, DYNO=dyno, FORWARDED_ALLOW_IPS="*")
    assert config["forwarded_allow_ips"] == believed


def test_fits_the_time_limits_of_heroku(baked: Path, home: Path) -> None:
    config = configuration(baked, home, GUNICORN_CMD_ARGS="--access-logfile -")
    assert int(config["keepalive"]) > 90
    assert int(config["graceful_timeout"]) < 30
    assert config["worker_class"] == "gthread"
    assert config["control_socket_disable"] == "True"
    assert config["max_requests"] == "0"
    assert config["accesslog"] == "-"


def test_takes_as_many_connections_as_there_may_be_files(
    baked: Path, home: Path
) -> None:
    show = "ulimit -n 500; exec .venv/bin/gunicorn --print-config"
    status, output = run(home, baked, "sh", "-c", show)
    assert status == 0, output
    assert re.search(r"^worker_connections += 400$", output, re.MULTILINE)
