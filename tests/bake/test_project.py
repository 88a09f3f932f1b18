"""What `make` does in the baked project: style, types, and an environment of its own.

tests/docs/test_first_minutes.py types `make run` and `make test`.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.conftest import UV, Baker, environment, run
from tests.waiting import free_port, listens, wait_until

# Like pyenv's: in a folder that names a Python which is not installed, none runs at all.
SHIM = f"""#!/bin/sh
[ ! -e .python-version ] || {{ echo "pyenv: it is not installed" >&2; exit 1; }}
exec {os.path.realpath(sys.executable)} "$@"
"""

# Like Debian's without its package python3-venv: leaves an environment without pip.
WITHOUT_VENV = f"""#!/bin/sh
case "$2" in *sys.executable*) exec echo "$0" ;; esac
[ "$2" != venv ] || set -- "$@" --without-pip
{os.path.realpath(sys.executable)} "$@" && [ "$2" != venv ]
"""


def make(project: Path, target: str, home: Path) -> str:
    status, output = run(home, project, "make", target)
    assert status == 0, output
    return output


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def moved(baked: Path) -> Iterator[Path]:
    """The project in another place than where its environment was made."""
    elsewhere = baked.with_name("elsewhere")
    baked.rename(elsewhere)
    yield elsewhere
    elsewhere.rename(baked)


def test_has_clean_style_and_types_wherever_it_was_moved(
    moved: Path, home: Path
) -> None:
    make(moved, "check", home)


def test_runs_wherever_it_was_moved(moved: Path, home: Path) -> None:
    """As far as gunicorn, which is told to say only its version."""
    arguments = {"GUNICORN_CMD_ARGS": "--check-config"}
    status, output = run(home, moved, "make", "run", **arguments)
    assert (status, "Traceback" in output) == (0, False), output


def test_tells_what_make_can_do(baked: Path, home: Path) -> None:
    assert "make run" in make(baked, "help", home)


@pytest.mark.parametrize("uv", ["", UV], ids=["pip", "uv"])
def test_installs_only_what_has_the_locked_hash(
    bake: Baker, home: Path, uv: str | Path
) -> None:
    project = bake(init_git="no").project
    lock = project / "requirements.txt"
    lock.write_text(re.sub(r"(?<=sha256:)\w{8}", "0" * 8, lock.read_text()))
    command = ["make", ".venv/bin/gunicorn", f"PYTHON={sys.executable}", f"UV={uv}"]
    status, output = run(home, project, *command)
    assert status == 2
    assert re.search("hash", output, re.IGNORECASE)
    assert not (project / ".venv/bin/gunicorn").exists()


def test_says_which_python_it_takes_in_spite_of_pyenv(
    bake: Baker, home: Path, tmp_path: Path
) -> None:
    project = bake(init_git="no").project
    (project / ".python-version").write_text("3.99\n")
    path = f"{program(tmp_path / 'python3', SHIM).parent}:/usr/bin:/bin"
    command = ["make", ".venv/bin/python", f"UV={UV}"]
    status, output = run(home, project, *command, PATH=path)
    assert status == 0, output
    asked, failed, taken = output.splitlines()
    assert "uv and Python 3.99" in asked
    assert failed == "uv could not get Python 3.99."
    version = ".".join(map(str, sys.version_info[:3]))
    assert taken.startswith(f"Making .venv with Python {version} (wanted: python3.99 ")
    status, output = run(home, project, ".venv/bin/python", "--version")
    assert output == f"Python {version}\n"
    make(project, "clean", home)
    named = run(home, project, *command, "PYTHON=python3", PATH=path)
    assert named == (0, f"Making .venv with Python {version} (wanted: python3) ...\n")


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python3"])
def test_says_which_python_it_needs(bake: Baker, home: Path, python: str) -> None:
    project = bake(init_git="no").project
    command = ["make", "run", f"PYTHON={python}", f"UV={UV}"]
    status, output = run(home, project, *command)
    assert status == 2
    assert "Python 3.11 or newer is needed; name one: make run PYTHON=" in output
    assert "Traceback" not in output


def test_makes_the_environment_anew_if_that_failed(
    bake: Baker, home: Path, tmp_path: Path
) -> None:
    project = bake(init_git="no").project
    python = program(tmp_path / "python", WITHOUT_VENV)
    for _ in range(2):
        status, output = run(
            home, project, "make", ".venv/bin/gunicorn", f"PYTHON={python}", "UV="
        )
        assert status == 2
        assert "Making .venv" in output
        assert "Installing" not in output


@pytest.fixture
def installed(baked: Path, tmp_path: Path, home: Path) -> Path:
    """A project whose Python is that of .python-version, as uv would have it."""
    project = tmp_path / "installed"
    subprocess.run(["cp", "-R", baked, project], check=True)
    subprocess.run(["rm", "-rf", project / ".venv"], check=True)
    version = "{}.{}\n".format(*sys.version_info)
    (project / ".python-version").write_text(version)
    command = ["make", ".venv/bin/gunicorn", f"PYTHON={sys.executable}", f"UV={UV}"]
    status, output = run(home, project, *command)
    assert status == 0, output
    return project


def test_a_lock_that_cannot_be_renewed_stops_make_and_changes_nothing(
    baked: Path, home: Path
) -> None:
    wanted, locks = baked / "requirements.in", [*baked.glob("requirements*.txt")]
    text, before = wanted.read_text(), [lock.read_text() for lock in locks]
    wanted.write_text("flask>3,<3\n")
    try:
        status, output = run(home, baked, "make", "lock")
    finally:
        wanted.write_text(text)
    assert status == 2, output
    assert [lock.read_text() for lock in locks] == before


def test_uv_sync_is_refused_in_a_sentence_and_removes_nothing(
    installed: Path, home: Path
) -> None:
    before = set(installed.rglob("*"))
    for command in ["sync"], ["lock"], ["add", "requests"]:
        status, output = run(home, installed, UV, *command)
        assert status == 2, output
        [sentence] = output.replace(":\n", ":").splitlines()  # it breaks a long one
        assert sentence.startswith("error: The project is marked as unmanaged:")
    assert set(installed.rglob("*")) == before


def test_uv_run_works_and_writes_no_lock(installed: Path, home: Path) -> None:
    """Heroku refuses a uv.lock beside requirements.txt."""
    status, output = run(home, installed, UV, "run", "flask", "check")
    assert status == 0, output
    assert not (installed / "uv.lock").exists()


def test_what_another_tool_removed_is_installed_again(
    installed: Path, home: Path
) -> None:
    remove = [str(UV), "pip", "uninstall", "-r", "requirements.txt"]
    assert run(home, installed, *remove)[0] == 0
    arguments = {"GUNICORN_CMD_ARGS": "--check-config"}
    status, output = run(home, installed, "make", "run", f"UV={UV}", **arguments)
    assert status == 0, output


def test_make_dev_serves_what_was_edited(installed: Path, home: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        ["make", "dev", f"UV={UV}"],
        cwd=installed,
        env=environment(home, PORT=str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: listens(port), 60)
        assert count(url) == 1
        views = installed / "app/views.py"
        text = views.read_text()
        views.write_text(text.replace('increment("views")', 'increment("views", 100)'))
        wait_until(lambda: count(url) == 100, 60)
    finally:
        os.killpg(process.pid, SIGTERM)
        process.wait(30)


def count(url: str) -> int:
    """Return the count that a new visitor gets."""
    with urllib.request.build_opener().open(url, timeout=10) as answer:
        return int(json.load(answer)["views"])
