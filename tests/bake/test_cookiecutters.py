"""The oldest cookiecutter that the README names works; older ones are refused in a sentence."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, UV, environment, run

OLDEST = "2.2.3"
Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def cookiecutter(template: Path, tmp_path: Path, home: Path) -> Typed:
    """A function that installs a version, and bakes with it in an empty folder."""
    (tmp_path / "out").mkdir()

    def bake(version: str, *answers: str, typed: str = "") -> tuple[int, str]:
        python = tmp_path / "venv/bin/python"
        venv, package = str(tmp_path / "venv"), f"cookiecutter=={version}"
        for command in (
            ["venv", "--python", sys.executable, venv],
            ["pip", "install", "--python", str(python), package],
        ):
            status, output = run(home, tmp_path, UV, "--quiet", *command)
            assert status == 0, output
        done = subprocess.run(
            [python, "-m", "cookiecutter", str(template), *answers],
            cwd=tmp_path / "out",
            check=False,
            env=environment(home, PWD=str(tmp_path / "out")),
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    return bake


def test_the_oldest_asks_our_questions_and_takes_no_for_an_answer(
    cookiecutter: Typed, tmp_path: Path
) -> None:
    answers = "Hits", "Counts hits.", "2", "n", "hit-list"
    status, output = cookiecutter(OLDEST, typed="\n".join(answers) + "\n")
    assert status == 0, output
    assert "Which Python version should the deployed app run on?" in output
    project = tmp_path / "out/hit-list"
    assert (project / ".python-version").read_text() == "3.13\n"
    assert not (project / ".git").exists()
    assert (project / ".env").exists()


@pytest.mark.parametrize(("answer", "made"), [("no", False), ("yes", True)])
def test_the_oldest_takes_the_answer_of_a_command_line(
    cookiecutter: Typed, tmp_path: Path, answer: str, made: bool
) -> None:
    status, output = cookiecutter(OLDEST, "--no-input", f"init_git={answer}")
    assert status == 0, output
    assert (tmp_path / "out/visit-counter/.git").exists() == made


def test_an_answer_that_is_neither_yes_nor_no_is_refused(cookiecutter: Typed) -> None:
    status, output = cookiecutter(OLDEST, "--no-input", "init_git=perhaps")
    assert status == 1
    assert output.startswith("init_git is 'perhaps'; answer yes or no.\n")


def test_an_older_one_is_refused_and_leaves_nothing(
    cookiecutter: Typed, tmp_path: Path
) -> None:
    status, output = cookiecutter("2.1.1", "--no-input", "init_git=no")
    assert status == 1
    assert output.startswith(
        "cookiecutter 2.1.1 is too old for this template, which needs 2.2.3 or newer;"
    )
    assert os.listdir(tmp_path / "out") == []


def test_the_readme_names_the_oldest() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    assert re.findall(r"cookiecutter (\d[\d.]+\d) or newer", text) == [OLDEST]
    assert f'OLDEST = "{OLDEST}"' in (ROOT / "hooks/pre_gen_project.py").read_text()
