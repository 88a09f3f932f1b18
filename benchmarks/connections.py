"""How visits per second change with connections, cores and processes."""

import contextlib
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.apps import FLASK_SESSION, INCR, OURS, App, install
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.rounds import Results, Turn, attempt, in_turns, seconds
from benchmarks.stores import server

CONNECTIONS = [8, 64, 256]


class Choice(NamedTuple):
    """A way to start an app: its settings, and whether it is kept on one core."""

    name: str
    app: App = OURS
    settings: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    pinned: bool = False


SPREAD = Choice("1 process on all cores")
CHOICES = [
    *[
        Choice(f"{app.name}, 1 core", app, pinned=True)
        for app in (INCR, FLASK_SESSION, OURS)
    ],
    Choice("… with `WEB_THREADS=16`", settings={"WEB_THREADS": "16"}, pinned=True),
    SPREAD,
    Choice("… with `WEB_THREADS=1`", settings={"WEB_THREADS": "1"}),
    *[Choice(f"{n} processes", settings={"WEB_CONCURRENCY": str(n)}) for n in (2, 4)],
]


def measure() -> Results:
    """Run them beside each other; return what was found."""
    failed: dict[str, str] = {}
    turns: dict[str, Turn] = {}
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        url, _ = running.enter_context(server(Path(folder)))
        for choice in CHOICES:
            work = partial(prepare, choice, url, running)
            turns |= attempt(work, choice.name, failed) or {}
        return {"found": in_turns(turns, failed), "failed": failed}


def prepare(choice: Choice, url: str, running: contextlib.ExitStack) -> dict[str, Turn]:
    """Start an app this way; return its measures."""
    install(choice.app)
    candidate = Candidate(choice.app, url, choice.settings, pinned=choice.pinned)
    running.callback(candidate.stop)
    cookies = [candidate.visitor() for _ in range(VISITORS)]
    # Flask-Session loses counts when a visitor comes on several connections.
    load = candidate.count if choice.app is OURS else partial(candidate.load, "/")
    load(cookies, 1, CONNECTIONS[-1])  # to warm up
    return {
        f"{choice.name} / {at}": partial(load, cookies, seconds(1), at)
        for at in CONNECTIONS
    }
