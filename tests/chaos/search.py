"""Is there an order of these steps that explains all answers? The search of Wing and Gong.

Depth first, with a memory of what has been tried (Lowe, "Testing for linearizability").
What keeps it short: a session has few requests at a time; a step that may have happened
is tried only where the others do not do without; and of those alike only the first.
"""

from collections.abc import Sequence

from tests.chaos.history import LOGIN, READ, SET
from tests.chaos.model import (
    COPY,
    FOREVER,
    FORGET,
    REFUSED,
    ROLL_BACK,
    State,
    Step,
)

MOST = 40_000  # states to look at before giving up

NOT_INDIFFERENT = (
    LOGIN,
    COPY,
    FORGET,
    ROLL_BACK,
)  # to what happened just before or after


class Undecided(Exception):
    """There were too many orders to try."""


def explain(steps: Sequence[Step], most: int = MOST) -> State | None:
    """Return how an order of the steps that explains them all, each within its time,
    leaves the sessions; None if there is no such order. Raises Undecided after having
    looked at `most` states.
    """
    musts = sorted((s for s in steps if s.must), key=lambda step: step.start)
    mights = _useful([step for step in steps if not step.must], musts)
    # done: which of `musts` and of `mights`, as bits
    start: tuple[int, int, State] = (0, 0, frozenset())
    stack, tried = [start], {start}
    everything = (1 << len(musts)) - 1
    while stack:
        done, used, state = stack.pop()
        if done == everything:
            return state
        if len(tried) > most:
            raise Undecided
        following: list[tuple[int, int, State]] = []
        now, deadline = _candidates(musts, done)
        all_apply = True
        for index in now:
            step = musts[index]
            states = list(step.apply(state))
            if step.kind in (READ, REFUSED) and states == [state]:
                following = [(done | 1 << index, used, state)]
                all_apply = True  # a look that fits changes nothing: take it at once
                break
            all_apply = all_apply and bool(states) and step.kind not in NOT_INDIFFERENT
            following += [(done | 1 << index, used, new) for new in states]
        if not all_apply:
            alike = set()
            for index, step in enumerate(mights):
                if step.start > deadline:
                    break
                sort = step.kind, step.label, step.value
                if used & 1 << index or sort in alike:
                    continue
                alike.add(sort)
                following += [
                    (done, used | 1 << index, new)
                    for new in step.apply(state)
                    if new != state
                ]
        for entry in reversed(following):
            if entry not in tried:
                tried.add(entry)
                stack.append(entry)
    return None


def _candidates(musts: Sequence[Step], done: int) -> tuple[list[int], float]:
    """Return which may come next, those that end first in front; and when it must."""
    index = (~done & (done + 1)).bit_length() - 1  # the first that is not done
    deadline, found = FOREVER, []
    while index < len(musts) and musts[index].start <= deadline:
        if not done & 1 << index:
            found.append(index)
            deadline = min(deadline, musts[index].end)
        index += 1
    found.sort(key=lambda index: musts[index].end)
    return [index for index in found if musts[index].start <= deadline], deadline


def _useful(mights: Sequence[Step], musts: Sequence[Step]) -> list[Step]:
    """Leave out the values that nobody has ever seen: they need no explanation."""
    seen = {value for step in musts if step.certain for _, value in step.seen}
    return sorted(
        (step for step in mights if step.kind != SET or step.value in seen),
        key=lambda step: step.start,
    )
