"""The template itself is clean, and its folder is as clean as what it makes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import APP, ROOT


@pytest.mark.parametrize(
    "command",
    [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]],
    ids=" ".join,
)
@pytest.mark.parametrize("folder", [".", APP])
def test_style_and_types(folder: str, command: list[str]) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name(command[0]), *command[1:]],
        cwd=ROOT / folder,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", [".", APP])
@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("vendor.github-workflows", "workflows/test.yml"),
        ("vendor.dependabot", "dependabot.yml"),
    ],
)
def test_github_understands_its_files(folder: str, schema: str, name: str) -> None:
    command = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [command, "--builtin-schema", schema, ROOT / folder / ".github" / name],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
