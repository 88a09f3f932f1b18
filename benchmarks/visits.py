"""A visit that counts, by known visitors and by new ones, in each app."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis

from benchmarks.apps import APPS, COOKIE, OURS, App, install
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.machine import memory
from benchmarks.rounds import Measure, Results, Turn, attempt, in_turns, seconds
from benchmarks.stores import server

PARALLEL = 200


def measure() -> Results:
    """Run all apps beside each other; return what was found."""
    facts: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    turns: dict[str, Turn] = {}
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        url, _ = running.enter_context(server(Path(folder)))
        candidates = []
        for number, app in enumerate(APPS):
            print(f"Starting {app.name} ...", flush=True)
            redis = Redis.from_url(own := f"{url}/{number}", protocol=2)
            work = partial(prepare, app, own, redis, running)
            if prepared := attempt(work, app.name, failed):
                candidate, facts[app.name] = prepared
                candidates.append(candidate)
                for kind in ("known", "new"):
                    turn = partial(load, candidate, redis, kind, seconds(2))
                    turns[f"{app.name} / {kind}"] = turn
        found = in_turns(turns, failed)
        for candidate in candidates:
            facts[candidate.app.name]["rss_mib"] = memory(candidate.process.pid)
    return {"found": found, "facts": facts, "failed": failed}


def prepare(
    app: App, url: str, redis: Redis, running: contextlib.ExitStack
) -> tuple[Candidate, dict[str, Any]]:
    """Start an app, examine it, and warm it up."""
    install(app)
    candidate = Candidate(app, url)
    running.callback(candidate.stop)
    facts = examine(candidate, redis)
    for kind in ("known", "new"):
        load(candidate, redis, kind, 1)
    return candidate, facts


def load(candidate: Candidate, redis: Redis, kind: str, seconds: int) -> Measure:
    """Measure known or new visitors."""
    try:
        if kind == "new":
            return candidate.load(candidate.app.path, [], seconds)
        cookies = [candidate.visitor() for _ in range(VISITORS)]
        return candidate.count(cookies, seconds)
    finally:
        redis.flushdb()


def examine(candidate: Candidate, redis: Redis) -> dict[str, Any]:
    """Find out what does not depend on time; check that it counts 1, 2, 3."""
    facts: dict[str, Any] = {"start_s": candidate.start_s}
    if candidate.app.path != "/":
        return facts
    answer, cookie = candidate.visit("/")
    if candidate.app is not COOKIE:
        seen = [candidate.views(cookie) for _ in range(3)]
        assert seen == [answer["views"] + n for n in (1, 2, 3)], f"it counts {seen}"
    facts["commands"] = commands(candidate, redis, "/", cookie)
    if candidate.app is OURS:
        facts["commands_elsewhere"] = commands(candidate, redis, "/healthz", cookie)
    if not candidate.app.sessions:
        return facts
    redis.flushdb()
    cookie = candidate.visitor()
    [key] = redis.keys()
    facts["session_bytes"] = redis.memory_usage(key)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: candidate.views(cookie), range(PARALLEL)))
    facts["counted"] = candidate.views(cookie) - 2
    return facts


def commands(candidate: Candidate, redis: Redis, path: str, cookie: str) -> float:
    """Return how many commands Redis gets for one visit."""
    visits = 10
    with redis.monitor() as monitor:
        redis.ping()
        for _ in range(visits):
            candidate.visit(path, cookie)
        redis.echo("end")
        seen = takewhile(lambda c: c["command"] != "ECHO end", monitor.listen())
        setup = ("CLIENT", "HELLO", "PING", "SELECT")
        sent = [
            c["command"]
            for c in seen
            if c["client_type"] != "lua" and not c["command"].startswith(setup)
        ]
    return len(sent) / visits
