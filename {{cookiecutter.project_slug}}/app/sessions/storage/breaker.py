"""Decides whether a server is asked, so that few wait for one that does not answer."""

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
PAUSE = 1.0  # after a slow failure, until the next try
WAIT = 0.1  # for the outcome of a try that has just begun
LOST = 3.0  # after which a try without an outcome (its thread was ended) is replaced
OVER = 60.0  # after which a refusal that was not seen again is over


class State(Enum):
    """What the breaker does with the next call."""

    WORKS = "it lets every call in"
    AWAY = "it refuses calls until the next try is due, and then lets one in"
    TRIED = "one call is trying: others wait a moment for its outcome"


class Turn(NamedTuple):
    """What a call that was let in brings back with its outcome."""

    number: int
    started: float


@dataclass
class Outage:
    """A failure that has been logged, and whose end has not."""

    began: float
    last: float  # when it was seen last
    calls: int = 0  # that were refused


class Breaker:
    """Knows the state of one server; lets each call in, and hears its outcome.

    A server that answers, but refuses some kind of work (it is full, or read-only), works:
    that outage ends when this kind of work succeeds, and stops no other call.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._changed = Condition(Lock())  # guards all that follows
        self._state = State.WORKS
        self._number = 0  # of the state: outcomes from before the last change are late
        self._since = self._pause = 0.0  # seconds in this state until the next try
        self._outages: dict[str, Outage] = {}  # by kind of work; "" for all kinds

    @property
    def works(self) -> bool:
        """Whether every call is let in."""
        with self._changed:
            return self._state is State.WORKS

    @property
    def rests(self) -> bool:
        """Whether every call is refused, until the next try is due."""
        with self._changed:
            return self._state is not State.WORKS and not self._is_due()

    def let_in(self) -> Turn:
        """Return a turn to bring back; refuse with StorageUnavailable, within WAIT."""
        with self._changed:
            number = self._number
            if waits := self._state is State.TRIED and not self._is_due():
                seconds = self._since + WAIT - self._clock()
                self._changed.wait_for(lambda: self._number != number, seconds)
            if self._state is not State.WORKS:
                if waits or not self._is_due():
                    self._outages[""].calls += 1
                    raise StorageUnavailable(
                        f"{self._name} did not answer a moment ago"
                    )
                self._become(State.TRIED, LOST)
            return Turn(self._number, self._clock())

    def worked(self, turn: Turn, work: str = "") -> None:
        """Hear that the server answered, and has done this kind of work."""
        with self._changed:
            self._answered(turn)
            for kind, outage in list(self._outages.items()):
                if kind == work and outage.last <= turn.started:
                    self._end(kind, "works again")
                elif kind and outage.last + OVER < turn.started:
                    self._end(kind, "was not refused that again")

    def refused(self, turn: Turn, work: str, reason: str) -> None:
        """Hear that the server answered, but will not do this kind of work."""
        with self._changed:
            self._answered(turn)
            self._note(work, reason)

    def failed(self, turn: Turn, reason: str) -> None:
        """Hear that there was no answer."""
        with self._changed:
            if turn.number == self._number:
                self._note("", reason)
                slow = self._clock() - turn.started > SLOW
                self._become(State.AWAY, PAUSE if slow else 0.0)
            elif "" in self._outages:
                self._outages[""].calls += 1

    def leave(self) -> None:
        """Hear that another server is used from now on."""
        with self._changed:
            self._become(State.AWAY, math.inf)
            for kind in list(self._outages):
                self._end(kind, "has been replaced")

    def _is_due(self) -> bool:
        passed = self._clock() - self._since >= self._pause
        return passed and self._state is not State.WORKS

    def _become(self, state: State, pause: float = 0.0) -> None:
        self._state, self._pause, self._since = state, pause, self._clock()
        self._number += 1
        self._changed.notify_all()

    def _answered(self, turn: Turn) -> None:
        if self._state is State.TRIED and turn.number == self._number:
            self._become(State.WORKS)
            self._end("", "answers again")

    def _note(self, work: str, reason: str) -> None:
        now = self._clock()
        if work not in self._outages:
            log.error("%s fails, some pages answer 503: %s", self._name, reason)
            self._outages[work] = Outage(now, now)
        self._outages[work].last = now
        self._outages[work].calls += 1

    def _end(self, work: str, how: str) -> None:
        outage, now = self._outages.pop(work), self._clock()
        log.warning(
            "%s %s, after %.1f s; calls refused in that time: %d",
            *(self._name, how, now - outage.began, outage.calls),
        )
