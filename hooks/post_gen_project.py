"""Finish the project: a secret of its own, the image's Python, and a first commit."""

import json
import os
import secrets
import subprocess
from pathlib import Path

ENV = """\
# The settings on this machine, never to be committed: see .env.example for all of them.
APP_ENV=development
SECRET={secret}
"""

# These make git work on another repository: it sets them while it runs its own hooks.
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


def git(*arguments: str) -> bool:
    """Run git in this folder, whatever repository the environment names."""
    environ = {k: v for k, v in os.environ.items() if k not in REPOSITORY_VARIABLES}
    done = subprocess.run(
        ["git", *arguments], check=False, env=environ, capture_output=True
    )
    return done.returncode == 0


def first_commit() -> str:
    """Make a repository with everything in it; return a line that tells how it went."""
    if Path(".git").exists():
        return "The git repository was there already: nothing was committed."
    try:
        made = git("init", "--quiet") and git("symbolic-ref", "HEAD", "refs/heads/main")
    except OSError:
        return "git is not installed: no repository was made."
    if not (made and git("add", "--all")):
        return "git could not make a repository here: none was made."
    # Without useConfigOnly git would guess an address from the name of the machine.
    commit = ("commit", "--quiet", "--message", "Start from the template")
    if not git("-c", "user.useConfigOnly=true", *commit):
        return (
            "git could not commit, perhaps because it does not know your name; fix it with: "
            'git config --global user.name "You" && '
            "git config --global user.email you@example.com && "
            'git commit -m "Start from the template"'
        )
    return "A git repository was made, with a first commit."


if __name__ == "__main__":
    answers = json.loads(r"""{{ cookiecutter | tojson }}""")
    write_env(Path(".env"))
    pin_python(Path("Dockerfile"), Path(".python-version"))
    if answers["init_git"]:
        print(first_commit())
    print(f"""
Your app is in {answers["project_slug"]}. Now:

    cd {answers["project_slug"]}
    make run        # then open http://127.0.0.1:8000
    make test

README.md says how to deploy it.""")
