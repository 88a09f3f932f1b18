"""A mistake gets one sentence that names it, and what fixes it; never a traceback."""

import socket
from pathlib import Path

import pytest

from tests.conftest import run
from tests.waiting import free_port


def start(project: Path, home: Path, *command: str, **settings: str) -> tuple[int, str]:
    program = project / ".venv/bin" / command[0]
    return run(home, project, program, *command[1:], **settings)


@pytest.mark.parametrize("command", ["gunicorn", "flask run"])
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PORT": "99999"}, "PORT is wrong: 99999 is not in the range 1<=x<=65535; "),
        (
            {"LOG_LEVEL": "warn"},
            "LOG_LEVEL is wrong: 'warn' is not one of 'debug', ",
        ),
        ({"REDIS_URL": "foo"}, "REDIS_URL is not a Redis URL: "),
        (
            {"APP_ENV": "production", "SECRET": "", "REDIS_URL": "memory://"},
            "SECRET is not set, but it signs the cookies, ",
        ),
        (
            {"APP_ENV": "production", "REDIS_URL": "memory://"},
            "SECRET was made for development, but each stage gets its own, ",
        ),
        (
            {"APP_ENV": "production", "SECRET": "0123456789abcdef" * 4},
            "REDIS_URL is not set, but production keeps the sessions there, ",
        ),
        (
            {"TRUSTED_HOSTS": "https://example.com"},
            "TRUSTED_HOSTS has 'https://example.com', which is not a host name; ",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_wrong_setting(
    baked: Path, home: Path, command: str, settings: dict[str, str], sentence: str
) -> None:
    status, output = start(baked, home, *command.split(), **settings)
    assert status == 1
    [line] = output.splitlines()
    assert line.startswith(sentence)
    assert "fix it with: export " in line


@pytest.mark.parametrize("command", ["gunicorn", "flask run"])
def test_all_that_production_lacks_is_said_at_once(
    baked: Path, home: Path, command: str
) -> None:
    settings = {"APP_ENV": "prod", "WEB_THREADS": "100000"}
    status, output = start(baked, home, *command.split(), **settings)
    assert status == 1
    names = [line.split()[0] for line in output.splitlines()]
    assert names == ["SECRET", "REDIS_URL", "WEB_THREADS"]
    assert output.count("any APP_ENV but development is production; fix it ") == 2


@pytest.mark.parametrize("command", ["gunicorn", "flask run", "flask check"])
def test_an_env_file_that_was_copied_to_another_stage(
    baked: Path, home: Path, command: str
) -> None:
    """Production does not turn into development, whatever reads .env first."""
    production = {"SECRET": "0123456789abcdef" * 4, "REDIS_URL": "memory://"}
    status, output = start(baked, home, *command.split(), **production)
    assert status == 1
    [line] = output.splitlines()
    assert "says development, but the environment has another stage's SECRET; " in line
    assert "fix it with: rm .env (on that stage) or unset SECRET (in dev" in line
    assert production["SECRET"] not in line


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["-w", "3"], {}),
        (["--workers=3"], {}),
        ([], {"GUNICORN_CMD_ARGS": "-w 3"}),
        (["-w3"], {"APP_ENV": "production", "SECRET": "0123456789abcdef" * 4}),
    ],
    ids=str,
)
def test_several_processes_with_a_memory_each(
    baked: Path, home: Path, options: list[str], variables: dict[str, str]
) -> None:
    """They would count 1, 2, 1, 3, 2."""
    settings = {"REDIS_URL": "memory://", "PORT": str(free_port())} | variables
    status, output = start(baked, home, "gunicorn", *options, **settings)
    assert status == 1
    assert output.splitlines()[-1] == (
        "Sessions are kept in memory, which 3 processes cannot share; fix it with: "
        "export REDIS_URL=redis://127.0.0.1:6379/0 (or start one: --workers 1)"
    )
    assert "Traceback" not in output


def test_a_port_in_use(baked: Path, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, output = start(baked, home, "gunicorn", PORT=str(port))
    assert status == 1
    line = output.splitlines()[-1]
    assert f"Can't connect to ('127.0.0.1', {port})" in line
    assert "Connection in use: " in output
    assert "Traceback" not in output
