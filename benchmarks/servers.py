"""What Sentinels, a Cluster and TLS cost a visit, beside one plain server."""

import contextlib
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apps import OURS, install
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.rounds import Results, Turn, attempt, in_turns, seconds
from benchmarks.stores import cluster, server, watched, with_tls

SERVERS = ["one server", "Sentinel", "Cluster", "TLS"]


def measure() -> Results:
    """Run the app on each, beside each other; return what was found."""
    failed: dict[str, str] = {}
    turns = {}
    install(OURS)
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        for name in SERVERS:
            own = Path(folder, name)
            own.mkdir()
            if turn := attempt(partial(prepare, name, own, running), name, failed):
                turns[name] = turn
        return {"found": in_turns(turns, failed), "failed": failed}


def prepare(name: str, folder: Path, running: contextlib.ExitStack) -> Turn:
    """Start one of them, and the app on it."""
    url, variables = open_server(name, folder, running)
    candidate = Candidate(OURS, url, variables)
    running.callback(candidate.stop)
    cookies = [candidate.visitor() for _ in range(VISITORS)]
    candidate.count(cookies, 1)  # to warm up
    return partial(candidate.count, cookies, seconds(2))


def open_server(
    name: str, folder: Path, running: contextlib.ExitStack
) -> tuple[str, dict[str, str]]:
    """Start one of them; return its URL, and the settings that the app needs for it."""
    if name == "Sentinel":
        return running.enter_context(watched(folder)), {}
    if name == "Cluster":
        return running.enter_context(cluster(folder)), {}
    if name == "TLS":
        url, ca = running.enter_context(with_tls(folder))
        return url, {"REDIS_CA_CERT": str(ca)}
    return running.enter_context(server(folder))[0], {}
