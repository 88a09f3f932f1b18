"""Answers that cannot work are refused in one sentence, and nothing is left behind."""

import json
from pathlib import Path

import pytest

from tests.conftest import Baker


def everything_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize(
    "slug",
    [
        "../x",
        "..",
        ".git",
        ".",
        "con",
        "com1",
        "app",
        "tests",
        "Visit",
        "visit counter",
        "visit--counter",
        "-visit",
        "visit-",
        "visit.",
        "café",
        "🎉",
        "$(id)",
        "x" * 51,
        "a\nb",
        "a\\b",
        '"',
    ],
)
def test_a_wrong_slug_is_refused(bake: Baker, tmp_path: Path, slug: str) -> None:
    before = everything_in(tmp_path)
    baked = bake(project_slug=slug)
    assert baked.status == 1
    first = baked.output.splitlines()[0]
    # Where the slug names a folder that is there, cookiecutter itself says so.
    assert first.startswith("project_slug ") or first.endswith("already exists")
    left = {
        path for path in everything_in(tmp_path) - before if "home" not in path.parts
    }
    assert left == set()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("project_name", ""),
        ("project_name", " "),
        ("project_name", "two\nlines"),
        ("project_name", "nul\x07"),
        ("project_name", "x" * 101),
        ("project_name", "{% raw %}{{ 7 * 7 }}{% endraw %}"),
        ("project_name", "{{ '{' }}% if x"),
        ("description", ""),
        ("description", "two\r\nlines"),
        ("description", "x" * 301),
        ("description", "{{ '{' }}# comment"),
        ("project_name", "{{ 7 * 7 }}"),
        ("project_name", "{{ cookiecutter }}"),
        ("description", "{# nothing #}words"),
    ],
)
def test_a_wrong_text_is_refused(bake: Baker, question: str, answer: str) -> None:
    baked = bake(**{question: answer, "project_slug": "it"})
    assert baked.status == 1
    assert baked.output.startswith(f"{question} ")
    assert list(baked.folder.iterdir()) == []


def test_the_folder_is_asked_for_last(template: Path) -> None:
    """So that one which is taken or refused is told of right after it was typed."""
    questions = json.loads((template / "cookiecutter.json").read_text())
    assert [name for name in questions if name[0] != "_"][-1] == "project_slug"


def test_a_python_that_is_not_offered_is_refused(bake: Baker) -> None:
    baked = bake(python_version="2.7")
    assert baked.status == 1
    assert "2.7" in baked.output
    assert list(baked.folder.iterdir()) == []


def test_a_folder_that_is_taken_stays_as_it_is(bake: Baker) -> None:
    folder = bake().folder
    mine = folder / "visit-counter/app/views.py"
    mine.write_text("mine")
    baked = bake()
    assert baked.status == 1
    assert baked.output.splitlines()[-1].endswith("directory already exists")
    assert mine.read_text() == "mine"
