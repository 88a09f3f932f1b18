"""One project in which all that docs/ tells to write has been written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Server, run
from tests.docs.recipes import (
    PASSWORD,
    Browser,
    copy_of,
    type_command,
    type_everything_in,
)

STAGE = {"APP_ENV": "production", "SECRET": "a-production-secret-of-0123456789abcdef"}


@pytest.fixture(scope="module")
def project(baked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = copy_of(baked, tmp_path_factory.mktemp("everything"))
    type_everything_in(project, tmp_path_factory.mktemp("home"))
    return project


@pytest.mark.parametrize("command", ["make format", "make test", "make check"])
def test_its_tests_and_checks_pass(project: Path, home: Path, command: str) -> None:
    assert "warning" not in type_command(project, home, command)


@pytest.mark.parametrize("storage", ["SESSIONS_FILE", "DATABASE_URL", "REDIS_URL"])
def test_it_is_ready_to_be_deployed_wherever_sessions_are_kept(
    project: Path,
    deploy: Callable[..., Server],
    home: Path,
    redis_url: str,
    postgresql_url: str,
    tmp_path: Path,
    storage: str,
) -> None:
    urls = {
        "SESSIONS_FILE": str(tmp_path / "sessions.db"),
        "DATABASE_URL": postgresql_url,
        "REDIS_URL": redis_url,
    }
    settings = {"REDIS_URL": "", "OLD_SECRET_KEY": "dev", storage: urls[storage]}
    check = project / ".venv/bin/flask", "check"
    status, output = run(home, project, *check, **STAGE | settings)
    assert status == 0, output
    browser = Browser(deploy(project, **settings))
    assert browser.log_in() == 303
    assert browser.is_in()
    assert browser.post("/hello", name="Ada") == 303
    assert "Hello, Ada!" in browser.get("/hello")[1]
    assert browser.post("/webhook", "cross-site") == 204
    assert browser.post("/logout") == 303
    assert not browser.is_in()
    assert browser.log_in(password=PASSWORD + "!") == 422
