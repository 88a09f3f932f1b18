"""What a visit costs the app itself: CPU time, by a loop in one thread, without a server.

Most of a visit's time is the server's, and visits per second vary by several percent. This
tells what a few lines are worth: `make compare OTHER=../another-checkout`, which also tells
the CPU time under gunicorn.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from redis import Redis

from benchmarks.apps import (
    ALONE,
    BUILD,
    FLASK_SESSION,
    INCR,
    OURS,
    App,
    install,
    run,
    settings,
)
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.rounds import Measure, Results, Turn, in_turns, seconds
from benchmarks.stores import server

KINDS = ["known", "new"]


def measure() -> Results:
    """Let the app and its peers take turns; return what was found."""
    failed: dict[str, str] = {}
    with TemporaryDirectory() as folder, server(Path(folder)) as (url, redis):
        turns = visits(OURS, {"memory": "memory://", "Redis": url}, redis)
        turns |= visits(ALONE, {"no storage": url}, redis)
        for app in (INCR, FLASK_SESSION):
            turns |= visits(app, {"Redis": url}, redis)
        return {"found": in_turns(turns, failed), "failed": failed}


def visits(app: App, storages: Mapping[str, str], redis: Redis) -> dict[str, Turn]:
    """Return how to measure an app, by its row."""
    install(app)
    return {
        f"{app.name}, {name} / {kind}": partial(visit, app, kind, url, redis)
        for name, url in storages.items()
        for kind in KINDS
    }


def visit(app: App, kind: str, url: str, redis: Redis) -> Measure:
    """Start a program that visits the app; return the CPU time of a visit."""
    command = app.program("python"), "-m", "visit_loop", app.path, kind
    output = run(*command, cwd=app.folder, env=settings(url))
    redis.flushdb()
    return {"cpu_us": float(output.splitlines()[-1])}


def served(app: App, url: str, running: ExitStack) -> dict[str, Turn]:
    """Return how to measure an app under gunicorn."""
    candidate = Candidate(app, url)
    running.callback(candidate.stop)
    cookies = [candidate.visitor() for _ in range(VISITORS)]
    candidate.count(cookies, 1)  # to warm up
    name = f"{app.name}, gunicorn / known"
    return {name: partial(candidate.count, cookies, seconds(2))}


def compare(other: Path) -> None:
    """Print what a visit costs in this checkout and in another, and the difference."""
    there = App("other", BUILD / "other/visit-counter", OURS.command, template=other)
    failed: dict[str, str] = {}
    with ExitStack() as running:
        folder = running.enter_context(TemporaryDirectory())
        url, redis = running.enter_context(server(Path(folder)))
        storages = {"memory": "memory://", "Redis": url}
        here, its = (
            visits(app, storages, redis) | served(app, f"{url}/1", running)
            for app in (OURS, there)
        )
        pairs = list(zip(here, its, strict=True))
        turns = here | its
        found = in_turns({name: turns[name] for pair in pairs for name in pair}, failed)
    if failed:
        sys.exit("Not all of it could be measured; what failed is told above.")
    print(f"\n{'CPU µs for a visit':20}{'here':>8}{'other':>8}  difference (range)")
    for pair in pairs:
        costs = [[each["cpu_us"] for each in found[name]] for name in pair]
        more = sorted(mine - theirs for mine, theirs in zip(*costs, strict=True))
        print(
            f"{pair[0].removeprefix(f'{OURS.name}, '):20}"
            f"{median(costs[0]):8.1f}{median(costs[1]):8.1f}"
            f"  {median(more):+.1f} ({more[0]:+.1f} to {more[-1]:+.1f})"
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(
            "Which checkout? Name its folder: make compare OTHER=../another-checkout"
        )
    compare(Path(sys.argv[1]).resolve())
