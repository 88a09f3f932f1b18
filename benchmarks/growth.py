"""What a visit costs when its session holds something: to count, to read, to change."""

import contextlib
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from redis import Redis

from benchmarks.apps import (
    DJANGO,
    EXPRESS,
    FLASK_SESSION,
    OURS,
    STARLETTE,
    App,
    install,
    with_growth,
)
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.rounds import Measure, Results, Turn, attempt, in_turns, seconds
from benchmarks.stores import server

APPS = [OURS, FLASK_SESSION, DJANGO, STARLETTE, EXPRESS]
KINDS = ["count", "read", "change"]


class Size(NamedTuple):
    """What a session holds: so many texts of so many characters."""

    name: str
    keys: int
    characters: int


SIZES = [
    Size("1 key", 1, 20),
    Size("20 keys", 20, 20),
    Size("200 keys", 200, 20),
    Size("20 kB", 1, 20_000),
]


def measure() -> Results:
    """Run the apps beside each other; return what was found."""
    failed: dict[str, str] = {}
    turns: dict[str, Turn] = {}
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        url, redis = running.enter_context(server(Path(folder)))
        for app in APPS:
            print(f"Starting {app.name} ...", flush=True)
            work = partial(prepare, app, url, redis, running)
            turns |= attempt(work, app.name, failed) or {}
        # The apps take turns with each kind of visit.
        in_order = {n: turns[n] for kind in KINDS for n in turns if f"/ {kind} /" in n}
        return {"found": in_turns(in_order, failed), "failed": failed}


def prepare(
    app: App, url: str, redis: Redis, running: contextlib.ExitStack
) -> dict[str, Turn]:
    """Start an app, and fill its visitors' sessions."""
    install(app)
    candidate = Candidate(with_growth(app), url)
    running.callback(candidate.stop)
    turns: dict[str, Turn] = {}
    for size in SIZES:
        cookies = [fill(candidate, size) for _ in range(VISITORS)]
        for kind in KINDS:
            turn = partial(load, candidate, redis, kind, size, cookies)
            turns[f"{app.name} / {kind} / {size.name}"] = turn
    candidate.load("/", [], 1)  # to warm up
    return turns


def fill(candidate: Candidate, size: Size) -> str:
    """Return the cookie of a visitor whose session holds so much."""
    _, cookie = candidate.visit(f"/fill/{size.keys}/{size.characters}")
    candidate.views(cookie)
    answer, _ = candidate.visit("/read", cookie)
    assert answer["size"] == size.characters, answer
    return cookie


def load(
    candidate: Candidate, redis: Redis, kind: str, size: Size, cookies: list[str]
) -> Measure:
    """Measure one kind of visit, and what it costs Redis; check what it has left."""
    path = {"read": "/read", "change": f"/change/{size.characters}"}.get(kind, "")
    before = [candidate.visit("/read", cookie)[0] for cookie in cookies]
    usage = used(redis)
    if kind == "count":
        measured = candidate.count(cookies, seconds(1))
    else:
        measured = candidate.load(path, cookies, seconds(1))
    usage = {what: value - usage[what] for what, value in used(redis).items()}
    for cookie, was in zip(cookies, before, strict=True):
        answer, _ = candidate.visit("/read", cookie)
        assert answer["size"] == size.characters, f"it holds {answer}"
        changed = answer["begins"] != was["begins"]
        assert changed == (kind == "change"), f"{was} has become {answer}"
    return measured | {
        what: value / measured["requests"] for what, value in usage.items()
    }


def used(redis: Redis) -> dict[str, float]:
    """Return the microseconds of computing and the bytes on the wire, so far."""
    info: dict[str, Any] = {**redis.info("cpu"), **redis.info("stats")}
    return {
        "redis_us": (info["used_cpu_user"] + info["used_cpu_sys"]) * 1e6,
        "wire_bytes": info["total_net_input_bytes"] + info["total_net_output_bytes"],
    }
