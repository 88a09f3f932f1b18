"""The apps that are compared: what they need, and how each is started."""

import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build/benchmarks"
PEERS = ROOT / "benchmarks/peers"

GTHREAD = "gunicorn --worker-class gthread --threads 4 --keep-alive 95 app:app --bind"


@dataclass(frozen=True)
class App:
    """An app in its folder, and the command that serves it with one process."""

    name: str
    folder: Path
    command: str  # the address follows, or, for Node, is in the environment
    path: str = "/"
    sessions: bool = True  # it counts each visitor's visits, on the server

    @property
    def environment(self) -> Path:
        """Where its packages are installed."""
        return BUILD / self.folder.name


OURS = BUILD / "visit-counter"
APPS = [
    App("this template", OURS, "gunicorn --bind"),
    App(
        "this template on Granian",
        OURS,
        "granian --interface wsgi --factory app:create_app --workers 1"
        " --blocking-threads 4 --port",
    ),
    App("Flask alone", PEERS / "flask", GTHREAD, path="/healthz", sessions=False),
    App("Flask + INCR", PEERS / "flask", GTHREAD, sessions=False),
    App("Flask's cookie", PEERS / "flask_cookie", GTHREAD, sessions=False),
    App("Flask-Session", PEERS / "flask_session", GTHREAD),
    App("Django, cache sessions", PEERS / "django", GTHREAD),
    App(
        "Starlette + starsessions",
        PEERS / "starlette",
        "uvicorn --no-access-log app:app --port",
    ),
    App("Express + connect-redis", PEERS / "express", "node server.js"),
]


def install(app: App) -> None:
    """Bake the template or install a peer's packages, below build/."""
    if app.folder == OURS:
        bake()
    if app.command.startswith("node"):
        shutil.copytree(app.folder, app.environment, dirs_exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=app.environment, check=True)
        return
    python = app.environment / ".venv/bin/python"
    if not python.exists():
        uv = [
            "uv",
            "venv",
            "--quiet",
            "--python",
            sys.executable,
            str(python.parents[1]),
        ]
        subprocess.run(uv, check=True)
    needed = ["-r", str(app.folder / "requirements.txt")]
    if app.command.startswith("granian"):
        needed += ["granian==2.8.7"]
    pip = ["uv", "pip", "install", "--quiet", "--python", str(python)]
    subprocess.run([*pip, *needed], check=True)


def bake() -> None:
    """Bake the default project, over the one of an earlier run."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
    subprocess.run(
        [*command, "--overwrite-if-exists", "--output-dir", BUILD, ROOT, "init_git=no"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def start(app: App, port: int, redis_url: str, log: Path) -> subprocess.Popen[bytes]:
    """Start an app on a port of this machine; what it prints goes to a file."""
    address = f"127.0.0.1:{port}" if "gunicorn" in app.command else str(port)
    command = [*app.command.split(), address]
    if app.command.startswith("node"):
        command.pop()
        folder = app.environment  # where its modules are
    else:
        command[0] = str(app.environment / ".venv/bin" / command[0])
        folder = app.folder
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PORT": str(port),
                "REDIS_URL": redis_url,
                "SECRET": f"dev-{secrets.token_urlsafe(48)}",
                "WEB_CONCURRENCY": "1",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
