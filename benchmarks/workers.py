"""How known visitors' visits grow with the processes and with the connections."""

import contextlib
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apps import OURS, install
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.rounds import Results, Turn, attempt, in_turns, seconds
from benchmarks.stores import server

PROCESSES = [1, 2, 4]
CONNECTIONS = [8, 32, 128]


def measure() -> Results:
    """Run them beside each other, on all cores; return what was found."""
    failed: dict[str, str] = {}
    turns: dict[str, Turn] = {}
    install(OURS)
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        url, _ = running.enter_context(server(Path(folder), pinned=False))
        for number in PROCESSES:
            name = f"{number} processes"
            turns |= attempt(partial(prepare, number, url, running), name, failed) or {}
        return {"found": in_turns(turns, failed), "failed": failed}


def prepare(number: int, url: str, running: contextlib.ExitStack) -> dict[str, Turn]:
    """Start the app with so many processes."""
    workers = {"WEB_CONCURRENCY": str(number)}
    candidate = Candidate(OURS, url, workers, pinned=False)
    running.callback(candidate.stop)
    cookies = [candidate.visitor() for _ in range(VISITORS)]
    candidate.count(cookies, 1, 32)  # to warm up
    return {
        f"{number} / {many}": partial(candidate.count, cookies, seconds(2), many)
        for many in CONNECTIONS
    }
