"""One of several Redis servers, or Sentinels, is away: who notices, and for how long."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGSTOP
from threading import Event

import pytest

from tests.conftest import (
    IN_TIME,
    PRODUCTION,
    Report,
    Server,
    Unavailable,
    Visitor,
    status_of,
)
from tests.nodes import (
    Node,
    cluster,
    lines_of,
    master_and_replica,
    refused,
    sentinels,
    url_of,
    visitor_on,
)
from tests.waiting import free_port, wait_until

Answers = list[tuple[bool, float]]  # whether it was counted, and the seconds it took


def visit_until(over: Event, visitor: Visitor) -> Answers:
    """Visit again and again."""
    answers: Answers = []
    while not over.is_set():
        started = time.monotonic()
        try:
            visitor.count()
            answers.append((True, time.monotonic() - started))
        except Unavailable:
            answers.append((False, time.monotonic() - started))
    return answers


def visit_for(seconds: float, visitors: list[Visitor]) -> list[Answers]:
    """Let all visit at the same time for so long; return the answers of each."""
    over = Event()
    with ThreadPoolExecutor(len(visitors)) as pool:
        visiting = [pool.submit(visit_until, over, visitor) for visitor in visitors]
        over.wait(seconds)
        over.set()
        return [future.result() for future in visiting]


def p99(answers: Answers) -> float:
    """Return the seconds within which 99 of 100 answers came."""
    seconds = sorted(taken for _, taken in answers)
    return seconds[-1 - len(seconds) // 100]


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """A Cluster of three masters."""
    with cluster(3, **{"cluster-require-full-coverage": "no"}) as nodes:
        yield nodes


def test_a_server_of_a_cluster_that_hangs_is_noticed_by_its_visitors_only(
    nodes: list[Node], serve: Callable[..., Server], report: Report
) -> None:
    server = serve(REDIS_URL=url_of(nodes))
    theirs = visitor_on(nodes[0], server.url)
    others = [visitor_on(node, server.url) for node in nodes[1:]]
    usual = p99(list(itertools.chain(*visit_for(2, [theirs, *others]))))
    nodes[0].hang()
    refused, *counted = visit_for(4, [theirs, *others])
    everybody = list(itertools.chain(*counted))
    nodes[0].wake()
    assert not any(ok for ok, _ in refused)
    assert max(seconds for _, seconds in refused) < IN_TIME
    waited = sum(seconds > 0.5 for _, seconds in refused)
    assert 1 <= waited <= 4  # one a second, at most
    good = sum(ok for ok, _ in everybody) / len(everybody)
    assert good >= 0.995
    now = p99(everybody)
    assert now < 3 * usual + 0.05
    started = time.monotonic()
    while not visit_for(0.05, [theirs])[0][-1][0]:
        assert time.monotonic() - started < 2
    begun, ended = lines_of(server, nodes[0])
    assert " fails: " in begun
    assert "calls were refused" in ended
    report(
        "a server of a Cluster hangs",
        f"its visitors: 503 at once, one a second waits; others: {100 * good:.1f} %"
        f" counted, {now * 1000:.0f} ms, usually {usual * 1000:.0f} (p99)",
    )


def test_a_server_of_a_cluster_that_is_killed_is_two_lines_in_the_log(
    nodes: list[Node], serve: Callable[..., Server], report: Report
) -> None:
    server = serve(REDIS_URL=url_of(nodes))
    theirs = visitor_on(nodes[0], server.url)
    other = visitor_on(nodes[1], server.url)
    nodes[0].kill()
    refused, counted = visit_for(2, [theirs, other])
    assert not any(ok for ok, _ in refused)
    assert all(ok for ok, _ in counted)
    [begun] = lines_of(server, nodes[0])
    assert "Connection refused" in begun or "reset" in begun or "closed" in begun
    report(
        "a server of a Cluster is killed",
        f"{len(refused)} times 503 for its visitors, one line in the log",
    )


def test_a_process_that_starts_while_a_server_hangs_serves_all_others(
    nodes: list[Node], serve: Callable[..., Server], report: Report
) -> None:
    """It asks who holds which sessions, and does not wait long for the one that hangs."""
    url = url_of(nodes)
    old = serve(REDIS_URL=url, **PRODUCTION)
    visitors = [visitor_on(node, old.url) for node in nodes]
    nodes[0].hang()
    new = serve(REDIS_URL=url, **PRODUCTION)
    seconds = []
    for visitor in (*visitors[1:], *visitors[1:]):
        visitor.url = new.url
        started = time.monotonic()
        assert visitor.count() > 1
        seconds.append(time.monotonic() - started)
    assert seconds[0] < 1
    assert sorted(seconds[1:])[1] < 0.4  # at once, on however busy a machine
    assert status_of(f"{new.url}/readyz") == 200
    nodes[0].wake()
    report(
        "a process starts while a server of a Cluster hangs",
        f"its first visit takes {seconds[0]:.1f} s; the hanging server's visitors: 503",
    )


def test_all_servers_of_a_cluster_hang(
    nodes: list[Node], serve: Callable[..., Server], report: Report
) -> None:
    server = serve(REDIS_URL=url_of(nodes))
    visitors = [visitor_on(node, server.url) for node in nodes]
    for node in nodes:
        node.hang()
    first, *others = (refused(visitor) for visitor in visitors)
    assert first < IN_TIME
    assert min(others) < 0.5  # the first one has found out that all of them hang
    seconds = []
    for answers in visit_for(4, visitors):
        assert not any(ok for ok, _ in answers)
        seconds += [taken for _, taken in answers]
    assert max(seconds) < IN_TIME
    assert sorted(seconds)[len(seconds) // 2] < 0.1
    for node in nodes:
        node.wake()
    started = time.monotonic()
    for visitor in visitors:
        while not visit_for(0.05, [visitor])[0][-1][0]:
            assert time.monotonic() - started < 3
    report(
        "all servers of a Cluster hang",
        f"503 after {max(first, *seconds):.1f} s at most, then at once;"
        f" back after {time.monotonic() - started:.1f} s",
    )


def test_an_address_of_a_cluster_where_nobody_is_does_no_harm(
    nodes: list[Node], serve: Callable[..., Server], report: Report
) -> None:
    port = free_port()
    hosts = url_of(nodes).removeprefix("redis+cluster://")
    server = serve(REDIS_URL=f"redis+cluster://127.0.0.1:{port},{hosts}")
    visitor = Visitor(server.url)
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
    assert not [line for line in server.log if f"127.0.0.1:{port}" in line]
    report("a Cluster's address in `REDIS_URL` is out of date", "nothing")


def test_no_count_goes_back_when_a_master_sleeps_until_it_is_replaced(
    serve: Callable[..., Server],
    tmp_path: Path,
    report: Report,
) -> None:
    """Not even those of workers who were idle all the time."""
    with (
        master_and_replica() as (master, replica),
        sentinels(tmp_path, master, 3) as group,
    ):
        server = serve(REDIS_URL=url_of(group))
        visitors = [Visitor(server.url) for _ in range(4)]
        for n in range(1, 21):
            with ThreadPoolExecutor(4) as pool:
                assert list(pool.map(Visitor.count, visitors)) == [n] * 4
        master.client.execute_command("WAIT", 1, 1000)
        master.hang()
        wait_until(lambda: all(s.master_port() == replica.port for s in group))
        master.wake()
        with ThreadPoolExecutor(4) as pool:
            assert min(pool.map(Visitor.count_at_last, visitors)) == 21
    report("a master sleeps until it is replaced", "no count goes back")


def test_sentinels_that_are_away_are_not_noticed_while_the_master_is_well(
    serve: Callable[..., Server],
    tmp_path: Path,
    report: Report,
) -> None:
    with (
        master_and_replica() as (master, _),
        sentinels(tmp_path, master, 3) as group,
    ):
        group[0].process.send_signal(SIGSTOP)
        group[1].process.send_signal(SIGSTOP)
        server = serve(REDIS_URL=url_of(group), **PRODUCTION)
        visitor = Visitor(server.url)
        started = time.monotonic()
        assert visitor.count() == 1
        first = time.monotonic() - started
        assert first < 1.5
        group[2].process.send_signal(SIGSTOP)
        kill = ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for n in range(2, 30):
            assert visitor.count() == n
            if n % 5 == 0:
                master.client.execute_command(*kill)  # a new connection is needed
    report(
        "two of three Sentinels hang, then all",
        f"first answer after {first:.1f} s, then nothing is noticed",
    )


def test_sentinels_may_want_a_password(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    wanted = "requirepass open+sesame"
    with (
        master_and_replica() as (master, _),
        sentinels(tmp_path, master, 1, wanted) as group,
    ):
        url = f"{url_of(group)}?sentinel_password=open%2Bsesame"
        server = serve(REDIS_URL=url)
        wait_until(lambda: group[0].client.connection_pool is not None)
        assert Visitor(server.url).count() == 1
