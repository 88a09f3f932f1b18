"""Decides whether a server is asked, so that few requests wait for one that is away."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
OVER = 10.0  # until a refusal that is not seen again, while others work, is over


class State(Enum):
    """What happens to the next call."""

    WORKS = "it is let in"
    AWAY = "it is refused until the next try is due, and then it is that try"
    TRIED = "it waits a moment for the outcome of the try that is under way"


class Turn(NamedTuple):
    """What a call that was let in brings back with its outcome."""

    number: int
    started: float


@dataclass
class Outage:
    """What has been logged as begun, but not as ended."""

    began: float
    last: float = 0.0
    calls: int = 0  # that were refused
    works: set[str] = field(default_factory=set)  # kinds of work that were refused


class Breaker:
    """Knows the state of one server; lets calls in, and hears their outcomes.

    A server that answers, if only to refuse some work (it is full, or read-only), is not
    away: every call is let in. That outage is over when the same work succeeds.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._changed = Condition(Lock())  # guards all that follows
        self._state = State.WORKS
        # Of the state: what was let in before it changed comes too late.
        self._number = 0
        self._since = self._pause = 0.0  # a try is due so many seconds after that time
        self._outages: dict[str, Outage] = {}  # by the kind of error; "": no answer

    @property
    def works(self) -> bool:
        """Whether every call is let in."""
        with self._changed:
            return self._state is State.WORKS

    @property
    def rests(self) -> bool:
        """Whether every call is refused, because no try is due."""
        with self._changed:
            return self._state is not State.WORKS and not self._due()

    @property
    def since(self) -> float:
        """When the state changed last."""
        with self._changed:
            return self._since

    def let_in(self) -> Turn:
        """Return a turn, at once or after WAIT; raise StorageUnavailable to refuse."""
        with self._changed:
            if self._state is not State.WORKS:
                self._wait_or_try()
            return Turn(self._number, self._clock())

    def worked(self, turn: Turn, work: str = "") -> None:
        """Hear that the server answered and, if that is named, has done some work."""
        with self._changed:
            self._answered(turn)
            if not self._outages:
                return
            for kind, outage in list(self._outages.items()):
                if kind and outage.last <= turn.started:
                    outage.works.discard(work)
                    if not outage.works or outage.last + OVER < turn.started:
                        self._end(kind, "works again")

    def refused(self, turn: Turn, work: str, reason: str) -> None:
        """Hear that the server answered, if only to refuse some work."""
        with self._changed:
            self._answered(turn)
            self._note(reason.partition(":")[0], reason).works.add(work)

    def failed(self, turn: Turn, reason: str) -> None:
        """Hear that there was no answer."""
        with self._changed:
            if turn.number == self._number:
                self._note("", reason)
                slow = self._clock() - turn.started > SLOW
                self._become(State.AWAY, PAUSE if slow else 0.0)
            else:
                self._count()

    def leave(self) -> None:
        """Hear that another server has replaced this one."""
        with self._changed:
            self._become(State.AWAY, math.inf)
            for kind in list(self._outages):
                self._end(kind, "has been replaced")

    def _wait_or_try(self) -> None:
        number = self._number
        under_way = self._state is State.TRIED and not self._due()
        if under_way:
            seconds = self._since + WAIT - self._clock()
            self._changed.wait_for(lambda: self._number != number, seconds)
        if self._state is not State.WORKS:
            if under_way or not self._due():
                self._count()
                raise StorageUnavailable(f"{self._name} did not answer a moment ago")
            self._become(State.TRIED, LOST)

    def _due(self) -> bool:
        return self._clock() - self._since >= self._pause

    def _become(self, state: State, pause: float = 0.0) -> None:
        self._state, self._since, self._pause = state, self._clock(), pause
        self._number += 1
        self._changed.notify_all()

    def _answered(self, turn: Turn) -> None:
        if self._state is State.TRIED and turn.number == self._number:
            self._become(State.WORKS)
            self._end("", "answers again")

    def _count(self) -> None:
        if outage := self._outages.get(""):  # there is none after `leave`
            outage.calls += 1

    def _note(self, kind: str, reason: str) -> Outage:
        now = self._clock()
        if kind not in self._outages:
            log.error("%s fails: %s", self._name, reason)
            self._outages[kind] = Outage(now)
        outage = self._outages[kind]
        outage.last, outage.calls = now, outage.calls + 1
        return outage

    def _end(self, kind: str, how: str) -> None:
        outage, now = self._outages.pop(kind), self._clock()
        words = self._name, how, now - outage.began, outage.calls
        log.warning("%s %s after %.1f s in which %d calls were refused", *words)
