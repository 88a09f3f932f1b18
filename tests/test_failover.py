"""Redis behind Sentinel and as a Cluster changes hands while visitors are counted."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import (
    Report,
    Server,
    Unavailable,
    Visitor,
    free_port,
    wait_until,
)
from tests.nodes import Node

VISITORS = 4


@pytest.fixture
def start_node() -> Iterator[Callable[..., Node]]:
    """A function that starts a Valkey server with the options it is given."""
    with contextlib.ExitStack() as nodes:

        def start_node(**options: object) -> Node:
            node = Node(**options)
            nodes.callback(node.close)
            return node

        yield start_node


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
    start_node: Callable[..., Node],
    serve: Callable[..., Server],
    tmp_path: Path,
    report: Report,
) -> None:
    master = start_node()
    replica = start_node(replicaof=f"127.0.0.1 {master.port}")
    wait_until(lambda: replica.client.info()["master_link_status"] == "up")
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {(port := free_port())}\nbind 127.0.0.1\n"
        f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds mymaster 1000\n"
        "sentinel failover-timeout mymaster 3000\n"
    )
    binary = master.server._binary_path
    sentinel = subprocess.Popen(
        [binary, config, "--sentinel"], stdout=subprocess.DEVNULL
    )
    guard = Redis(port=port, retry=Retry(NoBackoff(), 0))
    try:
        wait_until(lambda: guard.execute_command("SENTINEL REPLICAS", "mymaster"))
        server = serve(REDIS_URL=f"redis+sentinel://127.0.0.1:{port}/mymaster/0")
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
            wait_until(lambda: master_named_by(guard) == replica.port)
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
    finally:
        guard.close()
        sentinel.terminate()
        sentinel.wait(10)


def master_named_by(sentinel: Redis) -> int:
    """Return the port of the master."""
    command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
    return int(sentinel.execute_command(*command)[1])


def counts_in(node: Node) -> list[int]:
    """Return the visitors' counts, sorted, as a server has them."""
    keys = node.client.keys()
    return sorted(int(node.client.hget(key, "views") or 0) for key in keys)


@pytest.fixture
def cluster(start_node: Callable[..., Node]) -> list[Node]:
    """A cluster of three masters."""
    nodes = [
        start_node(**{"cluster-enabled": "yes", "cluster-port": free_port()})
        for _ in range(3)
    ]
    first, *others = nodes
    for node in others:
        bus = node.client.config_get("cluster-port")["cluster-port"]
        first.client.execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
    for node, *slots in zip(nodes, (0, 5461, 10923), (5460, 10922, 16383), strict=True):
        node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)

    def agree() -> bool:
        states = [node.client.execute_command("CLUSTER INFO") for node in nodes]
        return all(
            state["cluster_state"] == "ok" and state["cluster_known_nodes"] == "3"
            for state in states
        )

    wait_until(agree)
    return nodes


def move(slot: int, source: Node, target: Node, others: list[Node]) -> None:
    """Hand a slot over, as `valkey-cli --cluster reshard` does."""
    source_id, target_id = (
        node.client.execute_command("CLUSTER", "MYID") for node in (source, target)
    )
    set_slot = ("CLUSTER", "SETSLOT", slot)
    target.client.execute_command(*set_slot, "IMPORTING", source_id)
    source.client.execute_command(*set_slot, "MIGRATING", target_id)
    while keys := source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
        time.sleep(0.05)  # so that visitors come while some keys are here, some there
        source.client.migrate("127.0.0.1", target.port, keys, 0, 5000)
    time.sleep(0.05)
    for node in (target, source, *others):
        node.client.execute_command(*set_slot, "NODE", target_id)


def test_counts_stay_exact_while_slots_of_a_cluster_move(
    cluster: list[Node], serve: Callable[..., Server], report: Report
) -> None:
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in cluster)
    server = serve(REDIS_URL=f"redis+cluster://{hosts}")
    regulars = [Visitor(server.url) for _ in range(VISITORS)]
    assert [visitor.count() for visitor in regulars] == [1] * VISITORS
    their_slots = [
        (node.client.execute_command("CLUSTER KEYSLOT", key), node)
        for node in cluster
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
        sizes = [node.client.dbsize() for node in cluster]
        assert sum(sizes) == 1000 + VISITORS
        assert min(sizes) > 200
        counting = [pool.submit(keep_counting, visitor) for visitor in regulars]
        following = dict(zip(cluster, [*cluster[1:], cluster[0]], strict=True))
        for slot, source in their_slots:
            target = following[source]
            move(
                slot, source, target, [n for n in cluster if n not in (source, target)]
            )
        moved.set()
        total = 0
        for counts in (future.result() for future in counting):
            assert counts == list(range(2, len(counts) + 2))
            total += len(counts)
        assert set(pool.map(Visitor.count, guests)) == {2}
    report("slots of a Cluster move", f"{total} visits in the meantime, none lost")
