"""A Cluster or a master changes while visitors are counted: who takes over, and how soon."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGSTOP

from redis.exceptions import ResponseError

from tests.conftest import IN_TIME, PRODUCTION, Report, Server, Visitor, status_of
from tests.nodes import (
    Node,
    cluster,
    join,
    lines_of,
    master_and_replica,
    move,
    refused,
    sentinels,
    start_cluster_node,
    state_of,
    url_of,
    visitor_on,
)
from tests.waiting import wait_until

COVERAGE = "cluster-require-full-coverage"


def replicates(replica: Node, master: Node) -> bool:
    """Make it a replica, as soon as it has heard of the master."""
    with contextlib.suppress(ResponseError):
        replica.cluster("REPLICATE", master.cluster("MYID"))
        return True
    return False


def test_an_outage_is_two_lines_with_the_address_its_length_and_the_refused(
    serve: Callable[..., Server],
) -> None:
    node = Node()
    try:
        server = serve(REDIS_URL=f"redis://127.0.0.1:{node.port}")
        visitor = Visitor(server.url)
        visitor.count()
        node.kill()
        for _ in range(25):
            refused(visitor)
        node.server.start()
        visitor.count_at_last()
        begun, ended = lines_of(server, node)
        assert " fails: ConnectionError" in begun
        assert "answers again after" in ended
        assert int(ended.partition(" s in which ")[2].split()[0]) >= 25
    finally:
        node.close()


def test_a_cluster_that_wants_all_slots_is_away_until_they_are_served_again(
    serve: Callable[..., Server], report: Report
) -> None:
    with cluster(3, **{COVERAGE: "yes"}) as nodes:
        server = serve(REDIS_URL=url_of(nodes))
        visitor = visitor_on(nodes[1], server.url)
        nodes[0].kill()
        wait_until(lambda: {state_of(node) for node in nodes[1:]} == {"fail"})
        taken = max(refused(visitor) for _ in range(20))
        assert taken < IN_TIME
        assert status_of(f"{server.url}/readyz") == 503
        assert status_of(f"{server.url}/healthz") == 200
        for node in nodes[1:]:
            node.client.config_set(COVERAGE, "no")
        assert visitor.count_at_last() == 2
        assert status_of(f"{server.url}/readyz") == 200
    report(
        "some slots of a Cluster are away, and it requires all (CLUSTERDOWN)",
        "503 for everybody until it answers again",
    )


def test_a_slot_that_nobody_holds_concerns_only_the_sessions_in_it(
    serve: Callable[..., Server], report: Report
) -> None:
    with cluster(3, **{COVERAGE: "no"}) as nodes:
        server = serve(REDIS_URL=url_of(nodes))
        theirs = visitor_on(nodes[0], server.url)
        [key] = nodes[0].client.keys()
        other = visitor_on(nodes[1], server.url)
        for probe in (key, b"session:", b"session:0"):
            slot = nodes[0].cluster("KEYSLOT", probe)
            for node in nodes:
                node.cluster("DELSLOTS", slot)
        for n in range(2, 12):
            assert refused(theirs) < 0.5
            assert other.count() == n
            assert status_of(f"{server.url}/readyz") == 200
        lines = [line for node in nodes for line in lines_of(server, node)]
        assert 1 <= len(lines) <= len(nodes)
        assert all("fails: ClusterDownError" in line for line in lines)
    report(
        "some slots of a Cluster are away, and it does not require all",
        "503 for the sessions in them, and for nobody else",
    )


def test_a_promoted_replica_takes_over(
    serve: Callable[..., Server], report: Report
) -> None:
    with cluster(3) as nodes:
        replica = start_cluster_node()
        try:
            join(nodes[0], replica)
            wait_until(lambda: replicates(replica, nodes[0]))
            wait_until(lambda: replica.client.info()["role"] == "slave")
            wait_until(lambda: replica.client.info()["master_link_status"] == "up")
            server = serve(REDIS_URL=url_of(nodes))
            visitor = visitor_on(nodes[0], server.url)
            count = visitor.count()
            nodes[0].client.execute_command("WAIT", 1, 1000)
            nodes[0].kill()
            wait_until(lambda: replica.client.info()["role"] == "master")
            started = time.monotonic()
            assert visitor.count_at_last() > count
            taken = time.monotonic() - started
            assert taken < 5
            assert visitor.count() == visitor.count_at_last() - 1
            report(
                "a replica of a Cluster is promoted",
                f"its visitors are counted again {taken:.1f} s later",
            )
        finally:
            replica.close()


def test_a_server_that_joins_a_cluster_is_used_without_a_restart(
    serve: Callable[..., Server], report: Report
) -> None:
    with cluster(3) as nodes:
        server = serve(REDIS_URL=url_of(nodes))
        visitor = visitor_on(nodes[0], server.url)
        [key] = nodes[0].client.keys()
        newcomer = start_cluster_node()
        try:
            join(nodes[0], newcomer)
            wait_until(lambda: state_of(newcomer) == "ok")
            slot = int(str(nodes[0].cluster("KEYSLOT", key)))
            move(slot, nodes[0], newcomer, nodes[1:])
            assert [visitor.count(), visitor.count()] == [2, 3]
            assert newcomer.client.keys() == [key]
            report("a server joins a Cluster", "it is used, without a restart")
        finally:
            newcomer.close()


def test_a_master_that_became_a_replica_is_left_for_the_new_one(
    serve: Callable[..., Server], tmp_path: Path, report: Report
) -> None:
    with (
        master_and_replica() as (master, replica),
        sentinels(tmp_path, master, 1) as [guard],
    ):
        server = serve(REDIS_URL=url_of([guard]))
        visitor = Visitor(server.url)
        count = [visitor.count() for _ in range(5)][-1]
        master.client.execute_command("WAIT", 1, 1000)
        guard.client.execute_command("SENTINEL", "FAILOVER", "mymaster")
        wait_until(lambda: guard.master_port() == replica.port)
        wait_until(lambda: master.client.info()["role"] == "slave")
        started = time.monotonic()
        assert visitor.count_at_last() == count + 1
        taken = time.monotonic() - started
        assert taken < IN_TIME
    report(
        "Sentinel is told to make the replica the master",
        f"counted again {taken:.1f} s later",
    )


def test_sentinels_that_all_hang_at_the_start_cost_no_more_than_one_server(
    serve: Callable[..., Server], tmp_path: Path, report: Report
) -> None:
    with (
        master_and_replica() as (master, _),
        sentinels(tmp_path, master, 3) as group,
    ):
        for sentinel in group:
            sentinel.process.send_signal(SIGSTOP)
        server = serve(REDIS_URL=url_of(group), **PRODUCTION)
        visitor = Visitor(server.url)
        taken = max(refused(visitor) for _ in range(10))
        assert taken < IN_TIME
    report("all Sentinels hang before the start", f"503 after {taken:.1f} s at most")
