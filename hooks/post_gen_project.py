"""Finish the project: a secret, the image's Python, and a first commit."""

import json
import os
import secrets
import shlex
import subprocess
import tempfile
from pathlib import Path

ENV = """\
# The settings of this machine; never commit them. See .env.example for all of them.
APP_ENV=development
SECRET={secret}
"""

# A cookiecutter before 2.7 gives the answer of a command line as the text that it was.
YES = {"true", "t", "yes", "y", "on", "1"}
MAIN = "refs/heads/main"
MESSAGE = "Start from the template"

# These direct git to another repository: git sets them while it runs its own hooks.
REPOSITORY_VARIABLES = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}


def write_env(path: Path) -> None:
    """Write a fresh secret that only the file's owner can read; keep an existing file.

    The file is opened exclusively, so that whatever has its name is never touched.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{path} exists already and was left as it is.")
        return
    with open(file, "w", encoding="utf-8", newline="\n") as env:
        env.write(ENV.format(secret=f"dev-{secrets.token_urlsafe(48)}"))


def pin_python(dockerfile: Path, version_file: Path) -> None:
    """Give the image the Python of .python-version, which a Dockerfile cannot read."""
    version = version_file.read_bytes().strip()
    default = b"FROM python:3.14-slim"
    chosen = b"FROM python:" + version + b"-slim"
    dockerfile.write_bytes(dockerfile.read_bytes().replace(default, chosen))


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in this folder, whatever repository the environment names."""
    environ = {k: v for k, v in os.environ.items() if k not in REPOSITORY_VARIABLES}
    return subprocess.run(
        ["git", *arguments],
        check=False,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def first_commit(by_cruft: bool) -> tuple[str, list[str]]:
    """Make a repository with everything in it.

    Return what to say about it, and the commands that are left to type.
    """
    if Path(".git").exists():
        return "The git repository was there already: nothing was committed.", []
    try:
        around = git("rev-parse", "--show-toplevel").stdout.strip()
    except OSError:
        return "git is not installed: no repository was made.", []
    for command in (
        ("init", "--quiet"),
        ("symbolic-ref", "HEAD", MAIN),
        ("add", "--all"),
    ):
        if git(*command).returncode:
            return "git could not make a repository here: none was made.", []
    said = "A git repository was made"
    if around:
        said += f" inside another one, {around} (init_git=false makes none)"
    add = "git add .cruft.json && " if by_cruft else ""  # cruft writes it after this
    # Without useConfigOnly git would guess an address from the name of the machine.
    commit = "commit", "--quiet", "--message", MESSAGE
    if git("-c", "user.useConfigOnly=true", *commit).returncode == 0:
        amend = [f"{add}git commit --quiet --amend --no-edit"] if by_cruft else []
        return f"{said}, with a first commit.", amend
    again = f'{add}git commit --quiet -m "{MESSAGE}"'
    if git("config", "user.email").stdout:
        return f"{said}, but git refused the first commit.", [again]
    name = 'git config --global user.name "You"'
    address = "git config --global user.email you@example.com"
    return f"{said}. git needs your name for a first commit.", [name, address, again]


def only_compares(by_cruft: bool) -> bool:
    """Return whether cruft only compares: it then works in a temporary folder of its own."""
    parent = Path.cwd().parent
    temporary = Path(tempfile.gettempdir()).resolve()
    return by_cruft and parent.parent == temporary and parent.name.startswith("tmp")


def folder() -> str:
    """Return the path to this folder from where the user is, if the shell says where."""
    here, there = Path.cwd(), os.environ.get("PWD")
    if there and Path(there).is_dir():
        return shlex.quote(os.path.relpath(here, os.path.realpath(there)))
    return here.name


def main(answers: dict[str, str], by_cruft: bool) -> None:
    """Do what a template cannot, and say what to do next."""
    pin_python(Path("Dockerfile"), Path(".python-version"))
    if only_compares(by_cruft):
        return
    write_env(Path(".env"))
    typed = [f"cd {folder()}"]
    if str(answers["init_git"]).strip().lower() in YES:
        said, commands = first_commit(by_cruft)
        print(said)
        typed += commands
    typed += ["make run        # then open http://127.0.0.1:8000", "make test"]
    print("\nYour app is ready. Now type:\n")
    print(*(f"    {command}" for command in typed), sep="\n")
    print("\nREADME.md says how to deploy it.")


if __name__ == "__main__":
    answers = json.loads(r"""{{ cookiecutter | tojson }}""")
    main(answers, by_cruft="_commit" in answers)
