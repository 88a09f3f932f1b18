"""The apps that are compared: what they need, and how each is started."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build/benchmarks"
PEERS = ROOT / "benchmarks/peers"

GTHREAD = "gunicorn --worker-class gthread --threads 4 --keep-alive 95 app:app --bind"
GRANIAN = "granian --interface wsgi --workers 1 --blocking-threads 4"


@dataclass(frozen=True)
class App:
    """An app in its folder, and the command that serves it with one process."""

    name: str
    folder: Path
    command: str  # the address follows, or, for Node, is in the environment
    path: str = "/"
    sessions: bool = True  # it counts each visitor's visits, on the server
    template: Path = ROOT  # what makes the folder, if it is below build/

    @property
    def environment(self) -> Path:
        """Where its packages are installed."""
        return self.folder if self.is_made else BUILD / self.folder.name

    @property
    def is_made(self) -> bool:
        """Whether a template makes it."""
        return self.folder.is_relative_to(BUILD)

    def program(self, name: str) -> str:
        """Return the path of a program that is installed for it."""
        return str(self.environment / ".venv/bin" / name)


FOLDER = BUILD / "visit-counter"
OURS = App("this template", FOLDER, "gunicorn --bind")
FASTER = App(
    "this template on Granian", FOLDER, f"{GRANIAN} --factory app:create_app --port"
)
ALONE = App("Flask alone", PEERS / "flask", GTHREAD, path="/healthz", sessions=False)
INCR = App("Flask + INCR", PEERS / "flask", GTHREAD, sessions=False)
FAST_INCR = App(
    "Flask + INCR on Granian",
    PEERS / "flask",
    f"{GRANIAN} app:app --port",
    sessions=False,
)
COOKIE = App("Flask's cookie", PEERS / "flask_cookie", GTHREAD, sessions=False)
FLASK_SESSION = App("Flask-Session", PEERS / "flask_session", GTHREAD)
DUTIES = App("Flask-Session, equal duties", PEERS / "flask_duties", GTHREAD)
DJANGO = App("Django, cache sessions", PEERS / "django", GTHREAD)
STARLETTE = App(
    "Starlette + starsessions",
    PEERS / "starlette",
    "uvicorn --no-access-log app:app --port",
)
EXPRESS = App("Express + connect-redis", PEERS / "express", "node server.js")

APPS = [
    OURS,
    FASTER,
    ALONE,
    INCR,
    FAST_INCR,
    COOKIE,
    FLASK_SESSION,
    DUTIES,
    DJANGO,
    STARLETTE,
    EXPRESS,
]


def with_growth(app: App) -> App:
    """Return the app with the views of peers/grown.py, if it has not its own."""
    commands = {
        OURS: "gunicorn grown:app --bind",
        FLASK_SESSION: GTHREAD.replace("app:app", "grown:app"),
    }
    return replace(app, command=commands.get(app, app.command))


def install(app: App) -> None:
    """Bake the template or install a peer's packages, below build/."""
    if app.is_made:
        bake(app.template, app.folder.parent)
    if app.command.startswith("node"):
        shutil.copytree(app.folder, app.environment, dirs_exist_ok=True)
        run(
            "npm", "install", "--silent", "--no-audit", "--no-fund", cwd=app.environment
        )
        return
    python = app.program("python")
    if not Path(python).exists():
        environment = app.environment / ".venv"
        run("uv", "venv", "--quiet", "--python", sys.executable, environment)
    needed = ["-r", str(app.folder / "requirements.txt")]
    if app.command.startswith("granian"):
        needed += ["granian==2.8.7"]
    compiled = "uv", "pip", "install", "--quiet", "--compile-bytecode"
    run(*compiled, "--python", python, *needed)


def bake(template: Path = ROOT, parent: Path = BUILD) -> None:
    """Bake the default project, over the one of an earlier run."""
    with TemporaryDirectory() as folder:
        # Without what tools leave in the template's folder, which would be read, too.
        unwanted = ".*_cache", "__pycache__", ".hypothesis"
        for name in ("cookiecutter.json", "hooks", "{{cookiecutter.project_slug}}"):
            source, copy = template / name, Path(folder, name)
            if source.is_file():
                shutil.copy(source, copy)
            else:
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*unwanted))
        options = "--no-input", "--default-config", "--overwrite-if-exists"
        to = "--output-dir", parent, folder, "init_git=no"
        run(sys.executable, "-m", "cookiecutter", *options, *to)


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command; return what it printed, or raise with the end of it."""
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout[-500:]}")
    return done.stdout


def start(
    app: App, port: int, redis_url: str, log: Path, variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start an app on a port of this machine; what it prints goes to a file."""
    address = f"127.0.0.1:{port}" if "gunicorn" in app.command else str(port)
    command = [*app.command.split(), address]
    if app.command.startswith("node"):
        command.pop()
        folder = app.environment  # where its modules are
    else:
        command[0] = app.program(command[0])
        folder = app.folder
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=settings(redis_url) | {"PORT": str(port), **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def settings(redis_url: str) -> dict[str, str]:
    """Return the variables of an app, as in production."""
    return {
        "APP_ENV": "production",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PEERS),
        "REDIS_URL": redis_url,
        "SECRET": secrets.token_urlsafe(48),
        "WEB_CONCURRENCY": "1",
    }
