"""What is baked: the right files, with the answers in the right places."""

import html
import json
import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config

from tests.conftest import APP, ROOT, Baker, run_cookiecutter

# All but the engine, in which files come and go.
FILES = set(
    """
.dockerignore .env .env.example .flaskenv .gitignore .python-version Dockerfile Makefile
Procfile README.md app.json gunicorn.conf.py pyproject.toml requirements-dev.in
requirements-dev.txt requirements.in requirements.txt
.github/dependabot.yml
.github/workflows/test.yml
app/__init__.py app/settings.py app/views.py
app/static/favicon.svg app/static/style.css
app/templates/base.html app/templates/error.html app/templates/index.html
deploy/app.service deploy/app.socket deploy/nginx.conf
docs/deploy.md docs/forms.md docs/login.md docs/moving.md docs/operations.md docs/sessions.md
docs/storage.md
tests/__init__.py tests/conftest.py tests/storage_contract.py tests/test_cookie.py
tests/test_server.py tests/test_settings.py tests/test_storage.py tests/test_views.py
""".split()  # noqa: SIM905
) | {
    path.relative_to(ROOT / APP).as_posix()
    for engine in ("app/sessions", "app/web")
    for path in (ROOT / APP / engine).rglob("*")
    if path.suffix in (".md", ".py")
}
RENDERED = {
    ".python-version",
    "README.md",
    "app.json",
    "app/templates/base.html",
    "pyproject.toml",
} | {name for name in FILES if name.startswith("docs/")}


def files(project: Path) -> set[str]:
    found = (path for path in project.rglob("*") if path.is_file())
    names = {path.relative_to(project).as_posix() for path in found}
    return {name for name in names if not name.startswith(".git/")}


def test_makes_exactly_these_files(bake: Baker) -> None:
    baked = bake()
    assert baked.status == 0, baked.output
    assert baked.project.name == "visit-counter"
    assert files(baked.project) == FILES


def test_renders_what_has_the_projects_words_and_copies_the_others(
    bake: Baker, template: Path
) -> None:
    project = bake().project
    for name in FILES - {".env"}:
        made = (project / name).read_bytes()
        if name in RENDERED:
            assert b"cookiecutter" not in made, name
        else:
            assert made == (template / APP / name).read_bytes(), name


def test_copies_what_looks_like_jinja(template: Path, tmp_path: Path) -> None:
    marked, home = tmp_path / "marked", tmp_path / "home"
    shutil.copytree(template, marked)
    home.mkdir()
    for name in FILES - RENDERED - {".env"}:
        with (marked / APP / name).open("a") as file:
            file.write("# {{ 7 * 7 }} ${#name}\n")
    folder = tmp_path / "output"
    options = ("--accept-hooks", "no")
    project = run_cookiecutter(marked, folder, home, *options, answers={}).project
    for name in FILES - RENDERED - {".env"}:
        assert (project / name).read_bytes() == (marked / APP / name).read_bytes(), name


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Café de l'Été ☕", "cafe-de-l-ete"),
        ("☕☕", "app-1"),
        ("...", "app-1"),
        ("App", "app-1"),
        ("COM1", "com1-1"),
        ("3D Shop", "3d-shop"),
        ("½", "1-2"),
        ("../x", "x"),
        ("שלום עולם", "shlvm-vlm"),
        ("\u202eabc", "abc"),  # from right to left
        ("日本語", "ri-ben-yu"),
        ("x" * 47 + " y " + "z" * 49, "x" * 47),
        ("x" * 100, "x" * 48),
    ],
)
def test_the_name_makes_a_folder_whatever_it_is(name: str, slug: str) -> None:
    """One that the hook takes; this asks cookiecutter itself, which is faster."""
    file, given = str(ROOT / "cookiecutter.json"), {"project_name": name}
    answers = prompt_for_config(generate_context(file, extra_context=given), True)
    assert answers["project_slug"] == slug
    hook = runpy.run_path(str(ROOT / "hooks/pre_gen_project.py"))
    assert hook["complaint"](answers, {}, answers["_reserved"]) is None


def test_asks_a_readable_question_for_each_answer(template: Path) -> None:
    questions = json.loads((template / "cookiecutter.json").read_text())
    prompts = questions["__prompts__"]
    assert {name for name in questions if name[0] != "_"} == prompts.keys()


def test_each_answer_arrives(bake: Baker) -> None:
    project = bake(
        project_name="Hits",
        project_slug="hit-list",
        description="Counts hits.",
        python_version="3.12",
        init_git="no",
    ).project
    assert project.name == "hit-list"
    assert not (project / ".git").exists()
    assert (project / ".python-version").read_bytes() == b"3.12\n"
    assert (project / "README.md").read_text().startswith("# Hits\n\nCounts hits.\n")
    app_json = json.loads((project / "app.json").read_text())
    assert (app_json["name"], app_json["description"]) == ("Hits", "Counts hits.")
    pyproject = tomllib.loads((project / "pyproject.toml").read_text())
    assert pyproject["project"]["name"] == "hit-list"
    assert pyproject["tool"]["cruft"]["skip"] == [".env", ".git"]


# Heroku's schema refuses a name in app.json that begins with anything else, and its manual
# one of more than 30 characters.
HEROKU_NAME = re.compile(r"[a-zA-Z-_.]")


@pytest.mark.parametrize(
    "text",
    [
        'Say "hello"',
        "It's",
        '"""; import os; """',
        r"back\slash \n \u0041 \" \\",
        "$(touch pwned) `touch pwned` $HOME ${HOME}",
        "<script>alert(1)</script> & </title>",
        "naïve ☕ 🎉 日本語",
        "50 % off | cut }} #} %}",
        "x" * 100,
        "-n --help",
        "[link](javascript:alert(1)) *star* # hash",
        "3D Shop",
        "Übersicht",
        "\u212aelvin",  # whose lower case is an ASCII k
        " space",
    ],
)
def test_any_words_are_carried_into_every_file(bake: Baker, text: str) -> None:
    baked = bake(project_name=text, description=text, project_slug="it")
    assert baked.status == 0, baked.output
    project = baked.project
    app_json = json.loads((project / "app.json").read_text())
    assert HEROKU_NAME.match(app_json["name"])
    assert app_json["name"] in (text[:30], f"App {text}"[:30])
    assert app_json["description"] == text
    tomllib.loads((project / "pyproject.toml").read_text())
    page = (project / "app/templates/base.html").read_text()
    [header] = re.findall(r"<header [^>]*><a [^>]*>(.*)</a></header>", page)
    [description] = re.findall(r'name="description" content="([^"]*)"', page)
    assert html.unescape(header) == html.unescape(description) == text
    assert not re.search("[<>]", header + description)
    readme = (project / "README.md").read_text()
    assert html.unescape(readme.splitlines()[0]) == f"# {text}"
    assert files(project) == FILES


def test_git_ignores_env_and_its_variants_but_not_the_example(bake: Baker) -> None:
    project = bake().project
    names = [".env", ".env.local", ".env.production", ".env.example"]
    ignored = subprocess.run(
        ["git", "check-ignore", *names],
        cwd=project,
        check=True,
        capture_output=True,
        text=True,
    )
    assert ignored.stdout.split() == names[:3]


def test_no_requirements_name_an_index(template: Path) -> None:
    locks = [*template.glob("requirements*.txt"), *template.glob("*/requirements*.txt")]
    assert len(locks) == 4
    for lock in locks:
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"://|--(extra-)?index|--find-links", text)
