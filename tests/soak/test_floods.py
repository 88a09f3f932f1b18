"""Floods of new visitors: memory stays within bounds, and real visitors keep their count."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from redis import Redis

from tests.conftest import Report, Server, Visitor, workers_of
from tests.raw import Stream, request
from tests.waiting import wait_until

NEW_VISITORS = 50_000
CLIENTS = 4
# As docs/faults.md says; `flask check` reckons with it.
BYTES_IN_REDIS = 250
BYTES_IN_MEMORY = 1000


def flood(url: str, visits: int) -> None:
    """Visit without a cookie, each time as somebody new."""
    stream, visit = Stream(url), request()
    for _ in range(visits):
        assert stream.send(visit).endswith(b'{"views":1}\n')
    stream.close()


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    ps = ["ps", "-o", "rss=", "-p", str(pid)]
    return 1024 * int(subprocess.check_output(ps, text=True))


@pytest.mark.parametrize("kept_in", ["Redis", "memory"])
def test_a_flood_takes_the_memory_that_is_documented_and_no_count(
    kept_in: str, serve: Callable[..., Server], redis_url: str, report: Report
) -> None:
    redis = Redis.from_url(redis_url)
    server = serve(
        **({"REDIS_URL": redis_url} if kept_in == "Redis" else {}), WEB_CONCURRENCY="1"
    )
    wait_until(lambda: workers_of(server))
    [worker] = workers_of(server)

    def used() -> int:
        if kept_in == "memory":
            return resident(worker)
        return int(redis.info("memory")["used_memory"])

    real = Visitor(server.url)
    assert real.count() == 1
    flood(server.url, 1000)  # what the first visits need is not the sessions'
    before, over = used(), Event()

    def visit() -> list[int]:
        counts = []
        while not over.is_set():
            counts.append(real.count())
        return counts

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        visiting = pool.submit(visit)
        share = NEW_VISITORS // CLIENTS
        list(pool.map(flood, [server.url] * CLIENTS, [share] * CLIENTS))
        over.set()
        counts = visiting.result()
    assert counts == list(range(2, len(counts) + 2))
    each = (used() - before) / NEW_VISITORS
    assert each <= (BYTES_IN_REDIS if kept_in == "Redis" else BYTES_IN_MEMORY)
    report(
        f"{NEW_VISITORS:,} new visitors come at once, kept in {kept_in}",
        f"{each:.0f} bytes each; a real visitor's {len(counts)} visits are counted",
    )
