"""Histories made by hand: the checker finds what is wrong, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import Verdict, check
from tests.chaos.history import (
    ADD,
    COUNT,
    EXPIRED,
    HEALTH,
    LOGIN,
    LOGOUT,
    READ,
    SET,
    UNANSWERED,
    Fault,
    History,
    Request,
)


def at(
    start: float,
    end: float,
    kind: str,
    answer: dict[str, object] | None = None,
    **more: Any,
) -> Request:
    """Return Ada's request, answered 200 unless told otherwise; with her first cookie."""
    options: dict[str, Any] = {"status": 200, "sent": "a1", "retry_after": True}
    return Request("ada", kind, start, end, body=answer or {}, **options | more)


def count(start: float, end: float, views: int, **more: Any) -> Request:
    return at(start, end, COUNT, {"views": views}, **more)


FIRST = count(0, 1, 1, sent="", received="a1")


def login(start: float, end: float, sent: str, received: str, **more: Any) -> Request:
    return at(
        start, end, LOGIN, sent=sent, received=received, value=f"ada:{received}", **more
    )


def logout(start: float, end: float, **more: Any) -> Request:
    return at(start, end, LOGOUT, **{"received": EXPIRED} | more)


def findings(*requests: Request, faults: tuple[Fault, ...] = ()) -> list[str]:
    return [finding.what for finding in check(History(requests, faults)).findings]


CONTRADICTION = ["no order explains these answers"]

GOOD = {
    "one after the other": [FIRST, count(2, 3, 2), at(4, 5, READ, {"views": 2})],
    "two at a time, in either order": [FIRST, count(2, 4, 3), count(3, 5, 2)],
    "a refused count that counted": [
        FIRST,
        at(2, 3, COUNT, status=503),
        count(4, 5, 3),
    ],
    "a refused count that did not": [
        FIRST,
        at(2, 3, COUNT, status=503),
        count(4, 5, 2),
    ],
    "a refused count that counted much later": [
        FIRST,
        at(2, 3, COUNT, status=503),
        count(4, 5, 2),
        count(6, 7, 4),
    ],
    "changes of different keys at the same time": [
        FIRST,
        at(2, 5, SET, key="x", value="ada:1"),
        at(3, 4, SET, key="y", value="ada:2"),
        at(6, 7, READ, {"views": 1, "x": "ada:1", "y": "ada:2"}),
    ],
    "a login takes the data along, and what was counted meanwhile": [
        FIRST,
        login(2, 5, "a1", "a2"),
        count(3, 4, 2),
        at(6, 7, READ, {"views": 2, "user": "ada:a2"}, sent="a2"),
        count(8, 9, 3, sent="a2"),
    ],
    "a late visit after a login": [
        FIRST,
        login(2, 3, "a1", "a2"),
        count(4, 5, 1),
        at(6, 7, READ),
        count(8, 9, 2, sent="a2"),
    ],
    "a login that was refused, but not its cookie": [
        FIRST,
        login(2, 3, "a1", "a2", status=503),
        count(4, 5, 2, sent="a2"),
    ],
    "a login that was refused, and did nothing": [
        FIRST,
        at(2, 3, LOGIN, status=503),
        count(4, 5, 2),
    ],
    "two logins at once: one finds an empty session": [
        FIRST,
        login(2, 5, "a1", "a2"),
        login(3, 4, "a1", "a3"),
        count(6, 7, 2, sent="a2"),
        at(6, 7, READ, {"user": "ada:a3"}, sent="a3"),
    ],
    "a login whose answer was lost, and another": [
        FIRST,
        login(2, 3, "a1", "a2"),
        login(4, 5, "a1", "a3"),
        count(6, 7, 1, sent="a3"),
    ],
    "a logout beside a visit": [FIRST, logout(2, 5), count(3, 4, 2), count(6, 7, 1)],
    "a logout that was refused and took place later": [
        FIRST,
        at(2, 3, LOGOUT, status=503),
        count(4, 5, 2),
        at(6, 7, READ),
    ],
    "a new session by a late visit after more than a minute": [
        FIRST,
        logout(2, 3),
        count(64, 65, 1, received="a2"),
        count(66, 67, 2, sent="a2"),
    ],
    "counted, then refused": [
        FIRST,
        at(2, 3, ADD, status=503, key="x", value="ada:1"),
        at(4, 5, READ, {"views": 2}),
    ],
}


@pytest.mark.parametrize("requests", GOOD.values(), ids=GOOD)
def test_nothing_is_found_where_nothing_is_wrong(requests: list[Request]) -> None:
    assert findings(*requests) == []


BAD = {
    "a count that was lost": [FIRST, count(2, 3, 2), count(4, 5, 2)],
    "a count that was doubled": [FIRST, count(2, 3, 3)],
    "a refused count that counted twice": [
        FIRST,
        at(2, 3, COUNT, status=503),
        count(4, 5, 4),
    ],
    "a count out of order": [FIRST, count(2, 3, 3), count(4, 5, 2)],
    "one of two changes at the same time is lost": [
        FIRST,
        at(2, 5, SET, key="x", value="ada:1"),
        at(3, 4, SET, key="y", value="ada:2"),
        at(6, 7, READ, {"views": 1, "x": "ada:1"}),
    ],
    "an old value comes back": [
        FIRST,
        at(2, 3, SET, key="x", value="ada:1"),
        at(4, 5, SET, key="x", value="ada:2"),
        at(6, 7, READ, {"views": 1, "x": "ada:2"}),
        at(8, 9, READ, {"views": 1, "x": "ada:1"}),
    ],
    "the session is there after the logout": [FIRST, logout(2, 3), count(4, 5, 2)],
    "a visit beside the logout revives the session": [
        FIRST,
        logout(2, 4),
        count(3, 5, 2),
        at(6, 7, READ, {"views": 2}),
    ],
    "an empty session over a full one": [FIRST, at(2, 3, READ)],
    "still there under the old id after the login": [
        FIRST,
        login(2, 3, "a1", "a2"),
        count(4, 5, 2),
    ],
    "what was counted beside the login is lost": [
        FIRST,
        count(2, 3, 2),
        login(4, 5, "a1", "a2"),
        count(6, 7, 2, sent="a2"),
    ],
    "a refused login took the session away": [
        FIRST,
        at(2, 3, LOGIN, status=503),
        at(4, 5, READ),
    ],
    "another session in the middle": [
        FIRST,
        count(2, 3, 1, received="a2"),
    ],
}


@pytest.mark.parametrize("requests", BAD.values(), ids=BAD)
def test_a_contradiction_is_found(requests: list[Request]) -> None:
    assert findings(*requests) == CONTRADICTION


AGAINST_THE_RULES = {
    "a late answer with a cookie": [
        FIRST,
        login(2, 3, "a1", "a2"),
        count(4, 5, 1, received="a3"),
    ],
    "a login without a cookie": [FIRST, login(2, 3, "a1", "")],
    "an id was given twice": [FIRST, replace(FIRST, kind=SET, body={})],
    "another visitor's data": [at(0, 1, READ, {"x": "bob:1"}, sent="")],
    "data for somebody without a cookie": [at(0, 1, READ, {"x": "ada:1"}, sent="")],
    "a new session without a cookie": [count(0, 1, 1, sent="")],
    "503 without Retry-After": [at(0, 1, READ, status=503, retry_after=False)],
    "503 with a cookie": [FIRST, at(2, 3, COUNT, status=503, received="a2")],
    "/healthz answered 503": [at(0, 1, HEALTH, status=503, sent="")],
    "the status 500": [at(0, 1, READ, status=500, sent="")],
    "no answer, though nothing was done to the instance": [
        at(0, 1, READ, status=UNANSWERED, sent="")
    ],
    "/healthz took longer than 10 s": [at(0, 11, HEALTH, sent="")],
}


@pytest.mark.parametrize("what", AGAINST_THE_RULES)
def test_an_answer_against_the_rules_is_found(what: str) -> None:
    assert what in findings(*AGAINST_THE_RULES[what])


def test_an_instance_that_was_killed_may_leave_requests_without_an_answer() -> None:
    lost = at(2, 3, COUNT, status=UNANSWERED)
    killed = Fault("kill a worker", "instance 0", 2.5, 2.5)
    assert findings(FIRST, lost, count(4, 5, 3), faults=(killed,)) == []


def test_a_failover_may_lose_a_suffix_of_the_counts_but_only_once() -> None:
    failover = Fault("failover", "master", 5, 6, loses=True)
    before = [FIRST, count(2, 3, 2), count(4, 4.5, 3)]
    lost = History((*before, count(7, 8, 2)), (failover,))
    assert check(lost) == Verdict([], lost=2)
    assert findings(*before, count(7, 8, 5), faults=(failover,)) == CONTRADICTION
    twice = count(7, 8, 2), count(9, 10, 2)
    assert findings(*before, *twice, faults=(failover,)) == CONTRADICTION
    assert findings(*before, count(7, 8, 2)) == CONTRADICTION


def test_sessions_outlive_two_failovers_with_two_masters_each() -> None:
    faults = tuple(
        Fault("failover", "master", n, n + 3, loses=True, splits=True) for n in (2, 6)
    )
    requests = replace(FIRST, start=2.5, end=2.7), count(12, 13, 2), count(14, 15, 3)
    assert findings(*requests, faults=faults) == []
    assert findings(*requests, count(16, 17, 3), faults=faults) == CONTRADICTION


def test_what_is_under_way_when_two_masters_take_writes_may_count_before_and_after() -> (
    None
):
    fault = Fault("failover", "master", 5, 9, loses=True, splits=True)
    before = count(3, 6, 2), at(3.5, 4, READ, {"views": 2})
    after = count(10, 11, 7), count(8, 12, 8), count(13, 14, 9)
    assert findings(FIRST, *before, *after, faults=(fault,)) == []


def test_a_logout_may_be_lost_by_a_failover() -> None:
    failover = Fault("failover", "master", 2, 6, loses=True)
    requests = FIRST, logout(2, 3), count(7, 8, 2), at(9, 10, READ, {"views": 2})
    assert findings(*requests, faults=(failover,)) == []


def test_those_on_other_servers_of_a_cluster_are_not_refused() -> None:
    hang = Fault("hang", "server 1", 2, 8)
    concerned = at(3, 4, COUNT, status=503, server="server 1")
    others = [FIRST, *(count(n, n + 0.5, n, server="server 2") for n in range(3, 6))]
    refused = at(6, 7, COUNT, status=503, server="server 2")
    fine = replace(others[1], start=2.1, end=2.2, body={"views": 2}), *others[1:]
    assert findings(FIRST, *fine, concerned, faults=(hang,)) == []
    [what] = findings(FIRST, *fine, concerned, refused, faults=(hang,))
    assert what.startswith("1 of 5 requests were refused")


def test_only_what_contradicts_itself_is_shown() -> None:
    requests = [FIRST, *(count(n, n + 0.9, n) for n in range(2, 90))]
    requests += [at(n + 0.3, n + 0.5, READ, {"views": n - 1}) for n in range(95, 99)]
    double = count(90, 91, 60)
    [finding] = check(History((*requests, double))).findings
    assert double in finding.requests
    assert len(finding.requests) <= 3
