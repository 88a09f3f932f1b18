"""Redis behind Sentinel and as a Cluster changes hands while visitors are counted."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.conftest import Report, Server, Unavailable, Visitor
from tests.nodes import Node, cluster, master_and_replica, move, sentinels, url_of
from tests.waiting import wait_until

VISITORS = 4


def count_through_an_outage(visitor: Visitor, more: int) -> tuple[list[int], list[int]]:
    """Visit until so many visits are counted after a failure; return those before, too."""
    before: list[int] = []
    after: list[int] = []
    counts, deadline = before, time.monotonic() + 60
    while len(after) < more:
        assert time.monotonic() < deadline, f"{before}, an outage, {after}"
        try:
            counts.append(visitor.count())
        except Unavailable:
            counts = after
            time.sleep(0.05)  # Sentinel needs the processor, too
    return before, after


def test_counting_goes_on_after_a_sentinel_failover(
    serve: Callable[..., Server], tmp_path: Path, report: Report
) -> None:
    with (
        master_and_replica() as (master, replica),
        sentinels(tmp_path, master, 1) as [guard],
    ):
        server = serve(REDIS_URL=url_of([guard]))
        visitors = [Visitor(server.url) for _ in range(VISITORS)]
        assert [visitor.count() for visitor in visitors] == [1] * VISITORS
        with ThreadPoolExecutor(VISITORS) as pool:
            counting = [
                pool.submit(count_through_an_outage, visitor, 50)
                for visitor in visitors
            ]
            wait_until(lambda: counts_in(replica) and min(counts_in(replica)) > 50)
            master.kill()
            wait_until(lambda: replica.client.info()["master_link_status"] == "down")
            kept = counts_in(replica)
            wait_until(lambda: guard.master_port() == replica.port)
            named = time.monotonic()
            wait_until(lambda: counts_in(replica) != kept)
            pause = time.monotonic() - named
            results = [future.result() for future in counting]
    # Each visitor goes on from just what the new master had; none counts twice.
    assert sorted(after[0] - 1 for _, after in results) == kept
    for before, after in results:
        assert before == list(range(2, before[-1] + 1))
        assert after == list(range(after[0], after[0] + 50))
    report("Sentinel names a new master", f"counted again {pause:.1f} s later")


def counts_in(node: Node) -> list[int]:
    """Return the visitors' counts, sorted, as a server has them."""
    keys = node.client.keys()
    return sorted(int(node.client.hget(key, "views") or 0) for key in keys)


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """A Cluster of three masters."""
    with cluster(3) as nodes:
        yield nodes


def test_counts_stay_exact_while_slots_of_a_cluster_move(
    nodes: list[Node], serve: Callable[..., Server], report: Report
) -> None:
    server = serve(REDIS_URL=url_of(nodes))
    regulars = [Visitor(server.url) for _ in range(VISITORS)]
    assert [visitor.count() for visitor in regulars] == [1] * VISITORS
    their_slots = [
        (node.client.execute_command("CLUSTER KEYSLOT", key), node)
        for node in nodes
        for key in node.client.scan_iter()
    ]
    assert len(their_slots) == VISITORS
    moved = Event()

    def keep_counting(visitor: Visitor) -> list[int]:
        counts = []
        while not moved.is_set():
            counts.append(visitor.count())
        return [*counts, visitor.count()]

    with ThreadPoolExecutor(2 * VISITORS) as pool:
        guests = [Visitor(server.url) for _ in range(1000)]
        assert set(pool.map(Visitor.count, guests)) == {1}
        sizes = [node.client.dbsize() for node in nodes]
        assert sum(sizes) == 1000 + VISITORS
        assert min(sizes) > 200
        counting = [pool.submit(keep_counting, visitor) for visitor in regulars]
        following = dict(zip(nodes, [*nodes[1:], nodes[0]], strict=True))
        for slot, source in their_slots:
            target = following[source]
            move(slot, source, target, [n for n in nodes if n not in (source, target)])
        moved.set()
        total = 0
        for counts in (future.result() for future in counting):
            assert counts == list(range(2, len(counts) + 2))
            total += len(counts)
        assert set(pool.map(Visitor.count, guests)) == {2}
    report("slots of a Cluster move", f"{total} visits in the meantime, none lost")
