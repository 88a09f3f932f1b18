"""A visit that counts, by known visitors and by new ones, in each app."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis

from benchmarks.apps import APPS, COOKIE, OURS, bake, install
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.machine import memory
from benchmarks.rounds import Measure, Results, explain, in_turns, seconds
from benchmarks.stores import server

PARALLEL = 200


def measure() -> Results:
    """Run all apps beside each other; return what was found."""
    facts: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        url, _ = running.enter_context(server(Path(folder)))
        candidates = []
        for number, app in enumerate(APPS):
            print(f"Starting {app.name} ...", flush=True)
            own = f"{url.removesuffix('0')}{number}"
            redis = Redis.from_url(own, protocol=2)
            try:
                install(app)
                candidate = Candidate(app, own)
                running.callback(candidate.stop)
                facts[app.name] = examine(candidate, redis)
                for kind in ("known", "new"):
                    load(candidate, redis, kind, 1)  # to warm up
            except Exception as error:  # noqa: BLE001 - the others go on
                failed |= {
                    f"{app.name} / {k}": explain(error) for k in ("known", "new")
                }
                print(f"{app.name} FAILED: {explain(error)}", flush=True)
                continue
            candidates.append((candidate, redis))
        turns = {
            f"{candidate.app.name} / {kind}": partial(
                load, candidate, redis, kind, seconds(2)
            )
            for candidate, redis in candidates
            for kind in ("known", "new")
        }
        found = in_turns(turns, failed)
        for candidate, redis in candidates:
            facts[candidate.app.name]["rss_mib"] = memory(candidate.process.pid)
            if candidate.app is OURS:
                cookie = candidate.visitor()
                facts["/healthz"] = {
                    "commands": commands(candidate, redis, "/healthz", cookie)
                }
    started = time.monotonic()
    bake()
    facts["baking"] = {"seconds": round(time.monotonic() - started, 2)}
    return {"found": found, "facts": facts, "failed": failed}


def load(candidate: Candidate, redis: Redis, kind: str, seconds: int) -> Measure:
    """Measure known or new visitors."""
    cookies = [candidate.visitor() for _ in range(VISITORS)] if kind == "known" else []
    try:
        if cookies and candidate.app.sessions:
            return candidate.count(cookies, seconds)
        return candidate.load(candidate.app.path, cookies, seconds)
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
