"""From a history that contradicts itself, the shortest part that still does."""

import time
from collections.abc import Sequence
from dataclasses import replace

from tests.chaos.history import Request
from tests.chaos.model import FOREVER, Step
from tests.chaos.search import Undecided, explain

MOST = 4_000  # states to look at for each part: there are many
PATIENCE = 10  # seconds, after which it is short enough


def contradiction(steps: Sequence[Step]) -> list[Request]:
    """Return the requests whose answers no order explains, in the order of their ends.

    What all the others did and were answered is left open, so that any one of those
    returned, if taken away, too, would leave nothing to wonder at; or nearly so, where
    that would take too long to find out.
    """
    steps = _until_it_shows(steps)
    certain = [index for index, step in enumerate(steps) if step.certain]
    size, deadline = len(certain), time.monotonic() + PATIENCE
    while size and time.monotonic() < deadline:
        left_over = certain
        for begin in range(0, len(certain), size):
            if time.monotonic() > deadline:
                break
            part = certain[begin : begin + size]
            kept = [index for index in left_over if index not in part]
            if _contradicts(_only(steps, kept)):
                left_over = kept
        if len(left_over) == len(certain) or size > 1:
            size //= 2
        certain = left_over
    requests = {id(r): r for index in certain if (r := steps[index].request)}
    return sorted(requests.values(), key=lambda request: request.end)


def _contradicts(steps: Sequence[Step]) -> bool:
    try:
        return explain(steps, MOST) is None
    except Undecided:
        return False


def _until_it_shows(steps: Sequence[Step]) -> list[Step]:
    """Leave out all that was answered after the contradiction was there."""
    ends = sorted({step.end for step in steps if step.must})
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _contradicts(_until(steps, ends[middle])):
            high = middle
        else:
            low = middle + 1
    return _until(steps, ends[low])


def _until(steps: Sequence[Step], time: float) -> list[Step]:
    """Return what was known then: what was not answered yet may have happened."""
    return [
        step if step.end <= time else replace(step, end=FOREVER, must=False)
        for step in steps
        if step.start <= time
    ]


def _only(steps: Sequence[Step], kept: Sequence[int]) -> list[Step]:
    """Return the steps with the answers of all others left open."""
    return [
        step if index in kept or not step.certain else replace(step, told=False)
        for index, step in enumerate(steps)
    ]
