"""Sessions in memory: counts are exact, and memory is bounded."""

import sys
from concurrent.futures import ThreadPoolExecutor

from app.sessions import MemoryStorage

from tests.engine.sessions.conftest import Clock


def test_memory_lets_the_longest_unused_session_go_first() -> None:
    storage = MemoryStorage(max_sessions=2)
    storage.save("a", {"n": "1"}, (), 60, create=True)
    storage.save("b", {"n": "1"}, (), 60, create=True)
    storage.load("a", 60)
    storage.save("c", {"n": "1"}, (), 60, create=True)
    assert storage.load("b", 60) is None
    assert storage.load("a", 60)
    assert storage.load("c", 60)


def test_memory_counts_exactly_when_threads_take_turns_anywhere() -> None:
    storage = MemoryStorage()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def count(_: int) -> None:
        for _ in range(5000):
            storage.increment("a", "n", 1, 60, create=True)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(4)))
    sys.setswitchinterval(interval)
    assert storage.load("a", 60) == {"n": "20000"}


def test_memory_is_bounded_under_a_flood_of_visitors() -> None:
    storage = MemoryStorage(max_sessions=100)
    for number in range(1000):
        storage.increment(str(number), "views", 1, 60, create=True)
    assert len(vars(storage)["_records"]) == 100


def test_memory_forgets_what_has_expired_as_others_come() -> None:
    clock = Clock()
    storage = MemoryStorage(clock=clock)
    for number in range(50):
        storage.save(str(number), {"n": "1"}, (), 60, create=True)
    clock.now += 61
    for number in range(50, 100):
        storage.save(str(number), {"n": "1"}, (), 60, create=True)
    assert len(vars(storage)["_records"]) == 50
