"""The template itself is clean, and its folder is as clean as what it makes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import APP, ROOT, Baker


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


@pytest.mark.parametrize("folder", [".", APP])
def test_every_week_the_pinned_versions_are_audited(folder: str) -> None:
    """With all locks that pip installs from, each of which holds its hashes."""
    workflow = yaml.safe_load(
        (ROOT / folder / ".github/workflows/test.yml").read_text()
    )
    [schedule] = workflow[True]["schedule"]  # YAML takes `on` for a truth
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule["cron"])
    job = workflow["jobs"]["audit"]
    assert job["if"] == "github.event_name == 'schedule'"
    [command] = [step["run"] for step in job["steps"] if "run" in step]
    assert command.startswith("pipx run pip-audit --require-hashes ")
    named = {ROOT / folder / name for name in re.findall(r'-r "?([^ "]+)', command)}
    locks = {APP: {ROOT / APP}, ".": {ROOT, ROOT / APP}}[folder]
    assert named == {lock / "requirements-dev.txt" for lock in locks}
    for lock in locks:  # which has what the app itself needs, too
        runtime = re.findall(
            r"^\S+==\S+", (ROOT / APP / "requirements.txt").read_text(), re.MULTILINE
        )
        assert lock == ROOT or set(runtime) <= set(
            (lock / "requirements-dev.txt").read_text().split()
        )


def test_a_project_says_which_version_it_was_made_from(bake: Baker) -> None:
    """The newest in CHANGELOG.md."""
    changes = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## ([\d.]+) \(\d{4}-\d\d-\d\d\)$", changes, re.MULTILINE)
    assert newest
    readme = " ".join((bake().project / "README.md").read_text().split())
    assert f" made from version {newest[1]} of its template" in readme
