"""What a visit costs the app itself: CPU time, by a loop in one thread, without a server.

Most of a visit's time is the server's, and visits per second vary by several percent. This
tells what a few lines are worth: `make compare OTHER=../another-checkout`.
"""

import sys
from functools import partial
from itertools import chain
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
from benchmarks.rounds import Measure, Results, Turn, in_turns
from benchmarks.stores import server

KINDS = ["known", "new"]


def measure() -> Results:
    """Let the app and its peers take turns; return what was found."""
    failed: dict[str, str] = {}
    with TemporaryDirectory() as folder, server(Path(folder)) as (url, redis):
        turns = turns_of(OURS, url, redis)
        for app, kinds in [
            (ALONE, KINDS[:1]),
            (INCR, KINDS[:1]),
            (FLASK_SESSION, KINDS),
        ]:
            install(app)
            turns |= {
                f"{app.name} / {k}": partial(loop, app, k, url, redis) for k in kinds
            }
        return {"found": in_turns(turns, failed), "failed": failed}


def turns_of(app: App, url: str, redis: Redis) -> dict[str, Turn]:
    """Return the measures of an app that a template makes."""
    install(app)
    return {
        f"{app.name}, {name} / {kind}": partial(loop, app, kind, storage, redis)
        for name, storage in [("memory", "memory://"), ("Redis", url)]
        for kind in KINDS
    }


def loop(app: App, kind: str, url: str, redis: Redis) -> Measure:
    """Start a program that visits the app; return the CPU time of a visit."""
    command = app.program("python"), "-m", "visit_loop", app.path, kind
    output = run(*command, cwd=app.folder, env=settings(url))
    redis.flushdb()
    return {"cpu_us": float(output.splitlines()[-1])}


def compare(other: Path) -> None:
    """Print what a visit costs in this checkout and in another, and the difference."""
    there = App("other", BUILD / "other/visit-counter", OURS.command, template=other)
    failed: dict[str, str] = {}
    with TemporaryDirectory() as folder, server(Path(folder)) as (url, redis):
        pairs = list(
            zip(
                turns_of(OURS, url, redis).items(),
                turns_of(there, url, redis).items(),
                strict=True,
            )
        )
        found = in_turns(dict(chain.from_iterable(pairs)), failed)
    print(f"\n{'CPU µs for a visit':20}{'here':>8}{'other':>8}  difference (range)")
    for (mine, _), (its, _) in pairs:
        if mine not in found or its not in found:
            sys.exit("Not all of it could be measured; what failed is told above.")
        costs = [[each["cpu_us"] for each in found[name]] for name in (mine, its)]
        more = sorted(one - another for one, another in zip(*costs, strict=True))
        print(
            f"{mine.removeprefix(f'{OURS.name}, '):20}{median(costs[0]):8.1f}{median(costs[1]):8.1f}"
            f"  {median(more):+.1f} ({more[0]:+.1f} to {more[-1]:+.1f})"
        )


if __name__ == "__main__":
    compare(Path(sys.argv[1]).resolve())
