"""An app that is running, and its visitors."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.apps import BUILD, App, start
from benchmarks.machine import APP_CORE, LOAD_CORE, cpu_time, pin
from tests.waiting import free_port, wait_until

VISITORS = 8
SCRIPT = Path(__file__).parent / "visits.lua"


class Candidate:
    """A running app with these environment variables, kept on one core if `pinned`."""

    def __init__(
        self,
        app: App,
        redis_url: str,
        variables: Mapping[str, str] = MappingProxyType({}),
        *,
        pinned: bool = True,
    ) -> None:
        self.app = app
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = BUILD / f"{app.name}.log"
        started = time.monotonic()
        self.process = start(app, port, redis_url, self.log, variables)
        try:
            if pinned:
                pin(self.process.pid, APP_CORE)
            wait_until(lambda: self.visit(app.path))
        except Exception as error:  # noqa: BLE001 - its log says more
            self.stop()
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(
                f"did not start: {error}; its last words: {last}"
            ) from None
        self.start_s = round(time.monotonic() - started, 2)

    def visit(self, path: str, cookie: str = "") -> tuple[dict[str, Any], str]:
        """Return a visit's JSON, and the cookie to come back with."""
        request = urllib.request.Request(self.url + path)
        if cookie:
            request.add_header("Cookie", cookie)
        with urllib.request.urlopen(request, timeout=30) as answer:
            sent: str = answer.headers.get("Set-Cookie") or cookie
            return json.load(answer), sent.partition(";")[0]

    def views(self, cookie: str) -> int:
        """Visit, and return the count."""
        return int(self.visit("/", cookie)[0]["views"])

    def visitor(self) -> str:
        """Return the cookie of somebody who has been here once."""
        answer, cookie = self.visit(self.app.path)
        assert answer.get("views") == 1 or not self.app.sessions, answer
        return cookie

    def load(
        self, path: str, cookies: list[str], seconds: int, connections: int = VISITORS
    ) -> dict[str, float]:
        """Let eight visitors come as often as they can; without cookies, each visit is a new one's.

        Returns visits per second, milliseconds of waiting, and microseconds of the app's CPU.
        """
        before = cpu_time(self.process.pid)
        wrk = ["wrk", "-t", str(VISITORS), "-c", str(connections), "-d", f"{seconds}s"]
        process = subprocess.Popen(
            [*wrk, "--timeout", "10s", "-s", SCRIPT, self.url + path, "--", *cookies],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            pin(process.pid, LOAD_CORE)
            output, _ = process.communicate(timeout=seconds + 30)
        except subprocess.TimeoutExpired:  # it would quote the command, cookies and all
            raise TimeoutError(
                "wrk, which makes the load, did not end in time"
            ) from None
        finally:
            process.kill()
        measured = json.loads(output.splitlines()[-1])
        assert measured["errors"] == 0, f"not all answers were right: {output}"
        used = cpu_time(self.process.pid) - before
        cpu = {"cpu_us": used / measured["requests"] * 1e6} if used else {}
        return cpu | {
            "requests": measured["requests"],
            "visits_s": round(measured["requests"] / measured["microseconds"] * 1e6),
            "p50_ms": measured["p50"] / 1000,
            "p99_ms": measured["p99"] / 1000,
        }

    def count(
        self, cookies: list[str], seconds: int, connections: int = VISITORS
    ) -> dict[str, float]:
        """Let these known visitors come; if they have sessions, check that every visit was counted."""
        if not self.app.sessions:
            return self.load(self.app.path, cookies, seconds, connections)
        before = sum(map(self.views, cookies)) + len(cookies)
        measured = self.load("/", cookies, seconds, connections)
        counted = sum(map(self.views, cookies)) - before
        # A request that wrk did not wait for may have been counted.
        answers = measured["requests"]
        most = answers + connections
        assert answers <= counted <= most, f"{answers} answers, but {counted} counted"
        return measured

    def stop(self) -> None:
        """Stop it, by force if it is too busy to stop."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
