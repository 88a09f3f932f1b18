"""From requests to steps: what each of them must or may have done to which session."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from tests.chaos.history import (
    ADD,
    COUNT,
    EXPIRED,
    LOGIN,
    LOGOUT,
    READ,
    SET,
    Fault,
    History,
    Request,
)
from tests.chaos.model import (
    BEGIN,
    COPY,
    EMPTY,
    END,
    FOREVER,
    FORGET,
    REFUSED,
    ROLL_BACK,
    VIEWS,
    Step,
)


def steps_of(request: Request) -> Iterator[Step]:
    """Yield what a request did; of a failed one, what it may have done."""
    sent, new = request.sent, request.received.replace(EXPIRED, "")
    start, end = request.start, request.end

    def step(kind: str, label: str, **options: Any) -> Step:
        return Step(kind, label, start, end, request=request, **options)

    def perhaps(kind: str, label: str, **options: Any) -> Step:
        options |= {"must": False, "request": request}
        return Step(kind, label, start, FOREVER, **options)

    if request.kind == LOGIN and sent:
        if request.done and new:
            yield step(LOGIN, sent, new=new, value=request.value)
        elif new:  # the copy is there; only the last step failed
            yield step(COPY, sent, new=new, value=request.value)
            yield perhaps(END, sent)
        elif request.status:
            yield step(REFUSED, sent)
        else:
            yield perhaps(END, sent)
        return
    if new:  # a session that begins, in place of one that is no more
        if sent:
            yield step(EMPTY, sent)
        yield step(BEGIN, new, new=new)
    label = new or sent
    if not label:
        return
    make = step if request.done else perhaps
    if request.kind == LOGOUT:
        yield make(END, label)
    if request.kind in (COUNT, ADD):
        count = request.body.get(VIEWS)
        yield make(COUNT, label, count=count if isinstance(count, int) else 0)
    if request.kind in (SET, ADD):
        yield make(SET, label, key=request.key, value=request.value)
    if request.kind == LOGIN:
        yield make(SET, label, key="user", value=request.value)
    if request.kind == READ and request.done:
        yield step(READ, label, seen=tuple(sorted(request.body.items())))


def lineages(history: History) -> list[list[Step]]:
    """Return the steps of each lineage, in the order in which they began.

    Where a server may lose writes, a lineage has a step that rolls it back.
    """
    steps = [step for request in history.requests for step in steps_of(request)]
    parents: dict[str, str] = {}

    def root(label: str) -> str:
        while label in parents:
            label = parents[label]
        return label

    for step in steps:
        if step.kind in (LOGIN, COPY) and root(step.label) != root(step.new):
            parents[root(step.new)] = root(step.label)
    found: defaultdict[str, list[Step]] = defaultdict(list)
    for step in steps:
        found[root(step.label)].append(step)
    return [_with_losses(lineage, history.faults) for lineage in found.values()]


def _with_losses(steps: list[Step], faults: Iterable[Fault]) -> list[Step]:
    """Add to a lineage what servers that lose writes may have done to it."""
    for fault in faults:
        if fault.splits:
            steps = _split(steps, fault)
        elif fault.loses:
            steps.append(Step(ROLL_BACK, "", fault.start, fault.end, told=False))
    return sorted(steps, key=lambda step: step.start)


def _split(steps: list[Step], fault: Fault) -> list[Step]:
    """Leave out what was answered while there were two masters, and what is known then."""
    until = [step for step in steps if step.start <= fault.end]
    counts = [step.count for step in until if step.certain]
    forget = Step(
        FORGET,
        "",
        fault.end,
        fault.end,
        labels=tuple({step.new or step.label for step in until} - {""}),
        count=max(counts, default=0),
    )
    before, under_way = [], []
    for step in until:
        if (step.request or step).end < fault.start:
            before.append(step)
        elif step.start < fault.start or step.end > fault.end:
            # It may take effect before that time, or after it.
            start = step.start if step.start < fault.start else fault.end
            under_way.append(replace(step, start=start, end=FOREVER, must=False))
    after = [step for step in steps if step.start > fault.end]
    return [*before, forget, *under_way, *after]
