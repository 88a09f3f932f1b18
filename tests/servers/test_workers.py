"""Workers that die or hang, and a disk that is full: the others go on."""

import contextlib
import http.client
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from threading import Event
from urllib.error import URLError

import pytest

from tests.conftest import Report, Server, Visitor, commands_of, environment, workers_of
from tests.raw import Stream, request
from tests.waiting import free_port, listens, wait_until

FULL = Path("/dev/full")  # a disk without room
BROKEN = (URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def keep_counting(visitor: Visitor, until: Event) -> tuple[list[int], int]:
    """Visit until it is said; return the counts, and how many visits had no answer."""
    counts, broken = [], 0
    while not until.is_set():
        try:
            counts.append(visitor.count())
        except BROKEN:
            broken += 1
    return counts, broken


@pytest.mark.parametrize(
    ("signal", "fault"),
    [(SIGKILL, "a worker is killed"), (SIGSTOP, "a worker hangs (--timeout 2)")],
    ids=["killed", "hangs"],
)
def test_the_others_go_on_and_a_new_one_comes(
    serve: Callable[..., Server],
    redis_url: str,
    report: Report,
    signal: int,
    fault: str,
) -> None:
    server = serve(
        REDIS_URL=redis_url,
        WEB_CONCURRENCY="2",
        GUNICORN_CMD_ARGS="--bind 127.0.0.1:0 --timeout 2",
    )
    wait_until(lambda: len(workers_of(server)) == 2)
    workers = workers_of(server)
    visitors = [Visitor(server.url) for _ in range(4)]
    assert [visitor.count() for visitor in visitors] == [1] * 4
    over = Event()
    with ThreadPoolExecutor(4) as pool:
        counting = [pool.submit(keep_counting, visitor, over) for visitor in visitors]
        victim = min(workers)
        os.kill(victim, signal)
        started = time.monotonic()
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(over.set)
            wait_until(
                lambda: (
                    victim not in workers_of(server) and len(workers_of(server)) == 2
                )
            )
        pause = time.monotonic() - started
        unanswered = 0
        for counts, broken in (future.result() for future in counting):
            # A visit whose answer was lost may have been counted; none is twice.
            assert counts == sorted(set(counts))
            assert counts[-1] - 1 <= len(counts) + broken
            assert counts[-1] - 1 >= len(counts)
            unanswered += broken
    assert all(visitor.count() for visitor in visitors)
    report(
        fault, f"{unanswered} of its visits had no answer; replaced in {pause:.1f} s"
    )


if FULL.exists():  # which it does on Linux

    def test_a_full_disk_for_the_log_costs_no_visit(
        baked: Path, redis_url: str, report: Report
    ) -> None:
        port = free_port()
        with FULL.open("w") as full:
            process = subprocess.Popen(
                [baked / ".venv/bin" / commands_of(baked)["web"]],
                cwd=baked,
                env=environment(baked, REDIS_URL=redis_url, PORT=str(port)),
                stdout=full,
                stderr=full,
            )
        try:
            visitor = Visitor(f"http://127.0.0.1:{port}")
            wait_until(lambda: listens(port))
            assert [visitor.count() for _ in range(100)] == list(range(1, 101))
            stream = Stream(visitor.url)  # which is kept open, too
            for _ in range(100):
                assert stream.send(request("/healthz")).startswith(b"HTTP/1.1 200 ")
            stream.close()
            report("the disk is full for the log", "no visit is lost")
        finally:
            process.terminate()
            process.wait(30)
