"""What every answer must keep to, whatever order explains them."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.history import (
    EXPIRED,
    HEALTH,
    LOGIN,
    LOGOUT,
    READ,
    UNANSWERED,
    WRITES,
    History,
    Request,
)

ENDED_FOR = 60  # seconds for which an id that has ended is known to have
MARGIN = 1.0  # seconds around a fault in which it may still show
SHARE = 0.995  # of the requests that no fault concerns must be answered 200
PAUSE = 10.0  # seconds that /healthz may take, on however busy a machine
# What the app logs about its servers: that an outage begins, and that it ends.
BEGINS = re.compile(r'message="(?:Redis|Sentinel) .*? fails: ')
ENDS = re.compile(r"after [\d.]+ s in which \d+ calls were refused")
# Outages that a fault may be, at most: one for each worker, or two if it flickers.
OUTAGES = 8


@dataclass(frozen=True)
class Finding:
    """What is wrong, and the requests that show it."""

    what: str
    requests: tuple[Request, ...] = ()


def broken_rules(history: History) -> Iterator[Finding]:
    """Yield a finding for each answer that no history may have."""
    for request in history.requests:
        if what := _wrong_with(request, history):
            yield Finding(what, (request,))
    yield from _cookies_of_late_answers(history)
    yield from _ids_given_twice(history)
    yield from _refused_for_another_server(history)
    yield from _too_many_lines(history)


def _wrong_with(request: Request, history: History) -> str | None:
    """Return what is wrong with an answer by itself."""
    status, kind = request.status, request.kind
    values = [value for value in request.body.values() if isinstance(value, str)]
    if status == UNANSWERED:
        instance = f"instance {request.instance}"
        if not any(
            fault.target == instance and fault.meets(request.start, request.end, MARGIN)
            for fault in history.faults
        ):
            return "no answer, though nothing was done to the instance"
    elif status == 503:
        if kind == HEALTH:
            return "/healthz answered 503"
        if not request.retry_after:
            return "503 without Retry-After"
        if request.received and request.sent and kind != LOGIN:
            return "503 with a cookie"
    elif status != 200:
        return f"the status {status}"
    elif kind == READ and any(
        not value.startswith(f"{request.visitor}:") for value in values
    ):
        return "another visitor's data"
    elif kind == READ and not request.sent and request.body:
        return "data for somebody without a cookie"
    elif kind == LOGIN and request.received in ("", EXPIRED):
        return "a login without a cookie"
    elif kind in WRITES and not request.sent and request.received in ("", EXPIRED):
        return "a new session without a cookie"
    elif kind == HEALTH and request.end - request.start > PAUSE:
        return f"/healthz took longer than {PAUSE:.0f} s"
    return None


def _cookies_of_late_answers(history: History) -> Iterator[Finding]:
    """Who comes with an id that has ended less than a minute ago gets no cookie.

    Except for a login, which starts a session of its own. The minute begins with the first attempt that may have ended it, answered or not.
    """
    ends: dict[str, Request] = {}  # the first acknowledged end of each id
    tried: dict[str, float] = {}
    for request in history.requests:
        if request.kind in (LOGIN, LOGOUT):
            before = tried.get(request.sent, request.start)
            tried[request.sent] = min(before, request.start)
    for request in sorted(history.requests, key=lambda request: request.end):
        if request.done and (
            request.kind == LOGOUT or (request.kind == LOGIN and request.received)
        ):
            ends.setdefault(request.sent, request)
    for request in history.requests:
        end = ends.get(request.sent) if request.sent else None
        if (
            end
            and request.received
            and request.kind != LOGIN
            and end.end < request.start
            and request.end < tried[request.sent] + ENDED_FOR
            and not any(
                fault.loses and fault.meets(end.start, request.end)
                for fault in history.faults
            )
        ):
            yield Finding("a late answer with a cookie", (end, request))


def _ids_given_twice(history: History) -> Iterator[Finding]:
    given: defaultdict[str, list[Request]] = defaultdict(list)
    for request in history.requests:
        if request.received not in ("", EXPIRED):
            given[request.received].append(request)
    for requests in given.values():
        if len(requests) > 1:
            yield Finding("an id was given twice", tuple(requests))


def unconcerned(history: History) -> list[Request]:
    """Return the requests on other servers of a Cluster than the one in trouble.

    A login is none of them: it needs two servers, that of the old id and of the new.
    """
    servers = {request.server for request in history.requests} - {""}
    faults = [fault for fault in history.faults if fault.target in servers]
    instances = [f for f in history.faults if f.target.startswith("instance")]

    def is_unconcerned(request: Request) -> bool:
        meets = [f for f in faults if f.meets(request.start, request.end, MARGIN)]
        return (
            bool(request.server)
            and request.kind != LOGIN
            and any(f.meets(request.start, request.end) for f in meets)
            and all(fault.target != request.server for fault in meets)
            and not any(
                fault.target == f"instance {request.instance}"
                and fault.meets(request.start, request.end, MARGIN)
                for fault in instances
            )
        )

    return [request for request in history.requests if is_unconcerned(request)]


def undisturbed(history: History) -> list[Request]:
    """Return the requests that came while nothing was done to anybody."""
    return [
        request
        for request in history.requests
        if request.kind != HEALTH
        and not any(f.meets(request.start, request.end) for f in history.faults)
    ]


def _refused_for_another_server(history: History) -> Iterator[Finding]:
    requests = unconcerned(history)
    refused = [request for request in requests if not request.done]
    if len(refused) > (1 - SHARE) * len(requests):
        what = (
            f"{len(refused)} of {len(requests)} requests were refused, though another"
            " server was in trouble"
        )
        yield Finding(what, tuple(refused[:3]))


def outages(history: History) -> tuple[int, int]:
    """Return how many outages began and ended, as the log tells."""
    begun = sum(bool(BEGINS.search(line)) for line in history.log)
    return begun, sum(bool(ENDS.search(line)) for line in history.log)


def _too_many_lines(history: History) -> Iterator[Finding]:
    """An outage is two lines in the log of each worker, however many visitors it meets.

    A worker that is killed, or restarted, does not log the end.
    """
    begun, ended = outages(history)
    if not ended <= begun <= OUTAGES * len(history.faults):
        yield Finding(f"the log has {begun} beginnings and {ended} ends of outages")
