"""The baked project, in an environment of its own: tests, style, types."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import environment


def make(project: Path, target: str, home: Path) -> str:
    done = subprocess.run(
        ["make", target],
        cwd=project,
        check=False,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_passes_its_own_tests(baked: Path, home: Path) -> None:
    output = make(baked, "test", home)
    assert " passed" in output
    assert "skipped" not in output
    assert "warning" not in output


def test_has_clean_style_and_types(baked: Path, home: Path) -> None:
    make(baked, "check", home)


@pytest.mark.parametrize("target", ["help"])
def test_tells_what_make_can_do(baked: Path, home: Path, target: str) -> None:
    assert "make run" in make(baked, target, home)
