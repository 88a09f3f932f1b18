"""The hook: a secret that nobody else knows, and a first commit without it."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Bake, Baker, run, run_cookiecutter


def secret_of(project: Path) -> str:
    [secret] = re.findall("^SECRET=(.*)$", (project / ".env").read_text(), re.MULTILINE)
    return str(secret)


def git(baked: Bake, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=baked.project,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(baked.home)},
    )
    return done.stdout.strip()


def test_writes_a_secret_for_development_that_only_the_owner_reads(bake: Baker) -> None:
    env = bake().project / ".env"
    lines = [line for line in env.read_text().splitlines() if line[:1] != "#"]
    assert lines[0] == "APP_ENV=development"
    assert re.fullmatch(r"SECRET=dev-[\w-]{43,}", lines[1])
    assert len(lines) == 2
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert b"\r" not in env.read_bytes()


def test_two_bakes_have_two_secrets(bake: Baker) -> None:
    folder = bake(project_slug="one").folder
    bake(project_slug="two")
    assert secret_of(folder / "one") != secret_of(folder / "two")


@pytest.mark.usefixtures("git_user")
def test_the_secret_is_nowhere_but_in_env(bake: Baker, tmp_path: Path) -> None:
    baked = bake()
    secret = secret_of(baked.project)
    assert secret not in baked.output
    assert list(baked.home.glob(".cookiecutter_replay/*.json"))
    holders = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert holders == [baked.project / ".env"]


def test_baking_again_keeps_env_as_it_is(bake: Baker) -> None:
    env = bake().project / ".env"
    env.write_bytes(b"SECRET=mine\r\n# \xff")
    views = env.parent / "app/views.py"
    views.write_text("")
    assert bake("--overwrite-if-exists").status == 0
    assert env.read_bytes() == b"SECRET=mine\r\n# \xff"
    assert views.read_text()


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_whatever_is_called_env_is_left_alone(bake: Baker, kind: str) -> None:
    env = bake().project / ".env"
    env.unlink()
    if kind == "folder":
        env.mkdir()
    else:
        env.symlink_to("nowhere")
    baked = bake("--overwrite-if-exists")
    assert baked.status == 0
    assert "Traceback" not in baked.output
    assert not (baked.project / "nowhere").exists()


@pytest.mark.usefixtures("git_user")
def test_makes_a_first_commit_in_the_users_name_without_env(bake: Baker) -> None:
    baked = bake()
    assert git(baked, "log", "--format=%an <%ae>") == "Ada <ada@example.com>"
    assert git(baked, "branch", "--show-current") == "main"
    assert git(baked, "status", "--porcelain") == ""
    committed = git(baked, "ls-files").splitlines()
    assert ".env" not in committed
    assert ".env.example" in committed


def commands(output: str) -> list[str]:
    """Return what the hook tells its user to type."""
    lines = [line.strip() for line in output.splitlines() if line.startswith("    ")]
    return [line.partition("#")[0].rstrip() for line in lines]


def test_without_a_name_git_gets_all_but_the_commit(bake: Baker) -> None:
    """What it prints makes the commit, typed as it stands."""
    baked = bake()
    assert baked.status == 0
    assert "app/views.py" in git(baked, "ls-files")
    *typed, make_run, make_test = commands(baked.output)
    assert [make_run, make_test] == ["make run", "make test"]
    status, output = run(baked.home, baked.folder, "sh", "-ec", "\n".join(typed))
    assert status == 0, output
    assert git(baked, "log", "--format=%an %s") == "You Start from the template"


@pytest.mark.usefixtures("git_user")
def test_a_commit_that_git_refuses_is_left_to_type(bake: Baker, home: Path) -> None:
    with (home / ".gitconfig").open("a") as config:
        config.write("[commit]\ngpgsign = true\n[gpg]\nprogram = false\n")
    output = bake().output
    assert "git refused the first commit" in output
    assert 'git commit --quiet -m "Start from the template"' in commands(output)
    assert "user.name" not in output


def test_does_without_git(template: Path, tmp_path: Path, home: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    baked = run_cookiecutter(
        template, tmp_path / "other", home, answers={}, PATH=str(path)
    )
    assert baked.status == 0
    assert "git is not installed: no repository was made." in baked.output
    assert not (baked.project / ".git").exists()


@pytest.mark.usefixtures("git_user")
def test_keeps_a_repository_that_is_there(bake: Baker) -> None:
    baked = bake()
    first = git(baked, "rev-parse", "HEAD")
    (baked.project / "app/views.py").write_text("")
    assert bake("--overwrite-if-exists").status == 0
    assert git(baked, "rev-parse", "HEAD") == first


@pytest.mark.usefixtures("git_user")
def test_is_not_confused_by_a_repository_around_it(bake: Baker, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    baked = bake()
    assert f"inside another one, {tmp_path} (init_git=false makes none)" in baked.output
    assert Path(git(baked, "rev-parse", "--show-toplevel")) == baked.project
    assert len(git(baked, "ls-files").splitlines()) > 10


@pytest.mark.usefixtures("git_user")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GIT_COMMON_DIR", ".git"),
        ("GIT_DIR", ".git"),
        ("GIT_INDEX_FILE", ".git/index"),
        ("GIT_NAMESPACE", "other"),
        ("GIT_OBJECT_DIRECTORY", ".git/objects"),
        ("GIT_WORK_TREE", "."),
    ],
)
def test_writes_into_no_repository_that_the_environment_names(
    template: Path, tmp_path: Path, home: Path, variable: str, value: str
) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    before = set(other.rglob("*"))
    named = value if variable == "GIT_NAMESPACE" else str(other / value)
    baked = run_cookiecutter(
        template, tmp_path / "output", home, answers={}, **{variable: named}
    )
    assert git(baked, "log", "--format=%an") == "Ada"
    assert set(other.rglob("*")) == before


@pytest.mark.usefixtures("git_user")
def test_says_what_to_do_next(bake: Baker) -> None:
    output = bake(project_slug="hits").output
    assert commands(output) == ["cd hits", "make run", "make test"]


@pytest.mark.usefixtures("git_user")
@pytest.mark.parametrize(
    ("place", "typed"),
    [(".", "cd 'my projects/visit-counter'"), ("my projects", "cd visit-counter")],
)
def test_names_the_folder_as_the_user_sees_it(
    template: Path, tmp_path: Path, home: Path, place: str, typed: str
) -> None:
    there = tmp_path / "my projects"
    place = str(tmp_path / place)
    baked = run_cookiecutter(template, there, home, answers={}, PWD=place)
    assert commands(baked.output)[0] == typed


@pytest.mark.usefixtures("git_user")
def test_names_the_folder_alone_where_no_shell_has_told_more(
    template: Path, tmp_path: Path, home: Path
) -> None:
    baked = run_cookiecutter(template, tmp_path / "x", home, answers={}, PWD="")
    assert commands(baked.output)[0] == "cd visit-counter"
