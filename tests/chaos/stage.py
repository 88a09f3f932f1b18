"""A copy of the baked project with the views of the run, and its two instances."""

import os
import shutil
from pathlib import Path
from threading import Lock

from tests.conftest import Server, workers_of
from tests.waiting import wait_until

HERE = Path(__file__).parent
WORKERS = 2


def prepare(project: Path, folder: Path) -> Path:
    """Copy a baked project, which has its environment already, and add the views."""
    copy = folder / "project"
    shutil.copytree(
        project, copy, ignore=shutil.ignore_patterns(".venv", "__pycache__")
    )
    (copy / ".venv").symlink_to(project / ".venv")
    shutil.copy(HERE / "views.py", copy / "views_of_chaos.py")
    shutil.copy(HERE / "breaks.py", copy)
    (copy / "Procfile").write_text("web: gunicorn 'views_of_chaos:create_app()'\n")
    return copy


class Instance:
    """One gunicorn with its workers, which may be replaced by another."""

    def __init__(self, project: Path, number: int, **settings: str) -> None:
        self.name = f"instance {number}"
        self.number = number
        self._project = project
        self._settings = settings | {
            "WEB_CONCURRENCY": str(WORKERS),
            # A worker that hangs is replaced within seconds, not half a minute.
            "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:0 --timeout 4",
        }
        self._lock = Lock()
        self.log: list[str] = []
        self.server = self._start()

    @property
    def url(self) -> str:
        """Where it listens now."""
        return self.server.url

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        return sorted(workers_of(self.server))

    def restart(self) -> None:
        """Stop it gracefully, then start it anew on another port."""
        self.stop()
        self.server = self._start()

    def stop(self) -> None:
        """End it, and keep its log."""
        self.server.stop()
        self.log += self.server.log

    def _start(self) -> Server:
        server = Server(self._project, "web", **self._settings)
        wait_until(lambda: len(workers_of(server)) == WORKERS)
        return server


def has_environment(project: Path) -> bool:
    """Whether the project can be started."""
    return os.access(project / ".venv/bin/gunicorn", os.X_OK)
