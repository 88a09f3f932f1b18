"""Decides whether to ask a server, so that few requests wait for one that is away."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Condition, Lock
from typing import NamedTuple

from .base import StorageUnavailable

log = logging.getLogger(__name__)

# All in seconds.
SLOW = 0.1  # a failure that takes longer must not hold up every request
PAUSE = 1.0  # between a slow failure and the next try
WAIT = 0.1  # for the outcome of a try that has just begun
LOST = 3.0  # until a try whose thread was ended in the middle is replaced
OVER = 5.0  # without a refusal, while the server works, until that outage is over


class State(Enum):
    """What happens to the next call."""

    WORKS = "it is let in"
    AWAY = "it is refused until the next try is due, and then it is that try"
    TRIED = "it waits a moment for the outcome of the try that is under way"


class Turn(NamedTuple):
    """What a call gets when it is let in, and returns with its outcome."""

    number: int
    started: float


@dataclass
class Outage:
    """An outage whose beginning has been logged, but not its end."""

    began: float
    last: float  # when a call met it last
    calls: int = 0  # how many were refused


class Breaker:
    """Knows the state of one server: lets calls in, and is told their outcomes.

    A server that answers, if only to refuse some work (it is full, or read-only), is not
    away: every call is let in. Such an outage is over when it is not met for a while.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._changed = Condition(Lock())  # guards all that follows
        self._state = State.WORKS
        self._number = 0  # of the state: an outcome of an earlier one comes too late
        self._due = 0.0  # when the next try is, unless it works
        self._outages: dict[str, Outage] = {}  # by the kind of error; "": no answer

    @property
    def works(self) -> bool:
        """Whether every call is let in."""
        with self._changed:
            return self._state is State.WORKS

    def let_in(self) -> Turn:
        """Return a turn, at once or after up to WAIT; raise StorageUnavailable to refuse."""
        with self._changed:
            if self._state is not State.WORKS:
                self._try_or_wait()
            return Turn(self._number, self._clock())

    def worked(self, turn: Turn) -> None:
        """Note that the server answered, and did its work."""
        if not self._outages:  # so it works; an outage that begins now is a later one
            return
        with self._changed:
            self._answered(turn)
            for kind, outage in list(self._outages.items()):
                if kind and outage.last + OVER < turn.started:
                    self._end(kind, "works again")

    def refused(self, turn: Turn, reason: str) -> None:
        """Note that the server answered, but refused to do its work."""
        with self._changed:
            self._answered(turn)
            self._meet(reason.partition(":")[0], reason)

    def failed(self, turn: Turn, reason: str) -> None:
        """Note that there was no answer."""
        with self._changed:
            if turn.number == self._number:
                slow = self._clock() - turn.started > SLOW
                self._become(State.AWAY, PAUSE if slow else 0.0)
                self._meet("", reason)
            else:
                self._count()

    def rest(self, reason: str) -> None:
        """Note that, as others have found out, there will be no answer."""
        with self._changed:
            if self._state is State.WORKS:
                self._become(State.AWAY, PAUSE)
                self._meet("", reason)

    def leave(self) -> None:
        """Note that this server is no longer in use."""
        with self._changed:
            self._become(State.AWAY, math.inf)
            for kind in list(self._outages):
                self._end(kind, "is no longer in use")

    def _try_or_wait(self) -> None:
        number, now = self._number, self._clock()
        if now >= self._due:
            self._become(State.TRIED, LOST)
            return
        if self._state is State.TRIED:
            rest = self._due - LOST + WAIT - now
            self._changed.wait_for(lambda: self._number != number, rest)
        if self._state is not State.WORKS:
            self._count()
            raise StorageUnavailable(f"{self._name} did not answer a moment ago")

    def _become(self, state: State, pause: float = 0.0) -> None:
        self._state, self._due = state, self._clock() + pause
        self._number += 1
        self._changed.notify_all()

    def _answered(self, turn: Turn) -> None:
        if self._state is State.TRIED and turn.number == self._number:
            self._become(State.WORKS)
            self._end("", "answers again")

    def _meet(self, kind: str, reason: str) -> None:
        now = self._clock()
        if kind not in self._outages:
            log.error("%s fails: %s", self._name, reason)
        outage = self._outages.setdefault(kind, Outage(now, now))
        outage.last, outage.calls = now, outage.calls + 1

    def _count(self) -> None:
        if outage := self._outages.get(""):  # there is none after `leave`
            outage.calls += 1

    def _end(self, kind: str, how: str) -> None:
        outage = self._outages.pop(kind)
        words = self._name, how, self._clock() - outage.began, outage.calls
        log.warning("%s %s after %.1f s in which %d calls were refused", *words)
