"""Decides whether to ask a server, so that few requests wait for one that is away."""

import logging
from math import inf
from threading import Condition
from time import monotonic

from .base import StorageUnavailable

log = logging.getLogger(__name__)

SLOW = 0.1  # seconds: a failure that takes longer must not hold up every request
PAUSE = 1.0  # seconds between a slow failure and the next try
WAIT = 0.1  # seconds for the outcome of a try that has just begun
OVER = 5.0  # seconds that a server must work without a refusal until the outage is over
NO_ANSWER = "no answer"  # a kind of error; the others are the names of refusals


class Breaker:
    """Knows whether one server answers, and how its calls ended.

    While it does not, one call at a time is let in to try; others are refused, or wait a
    moment for the outcome. A server that refuses some work (it is full, say) does answer.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.works = True  # whether every call is let in
        self._changed = Condition()  # guards all that can change
        self._since = 0.0  # when that changed last, or a try began
        self._due = 0.0  # when the next try is; inf: one is under way
        self._kinds: set[str] = set()  # of error, in this outage; empty: there is none
        self._begun = self._met = 0.0  # when a call met the outage first, and last
        self._refused = 0  # how many calls met it

    def let_in(self) -> float:
        """Return when the call began, for `ended`; raise StorageUnavailable to refuse it."""
        with self._changed:
            now = monotonic()
            if not self.works and now >= self._due:
                self._since, self._due = now, inf
                return now
            if not self.works and self._due == inf:
                self._changed.wait(self._since + WAIT - now)
            if self.works:
                return monotonic()
            self._refused += 1
            raise StorageUnavailable(f"{self.name} did not answer a moment ago")

    def ended(self, began: float, error: str = "", *, answered: bool = True) -> None:
        """Note how a call ended: without an error, with a refusal, or without an answer."""
        with self._changed:
            now = monotonic()
            self._refused += bool(error)
            # A call that began before the last change says nothing about what is now.
            if began < self._since or not (error or self._kinds):
                return
            if not (answered and self.works):
                self.works, self._since = answered, now
                self._due = now + (PAUSE if now > began + SLOW else 0.0)
                self._changed.notify_all()
            if error:
                kind = error.partition(":")[0] if answered else NO_ANSWER
                if not self._kinds:
                    self._begun, self._refused = now, 1
                if kind not in self._kinds:
                    log.error("%s fails: %s", self.name, error)
                self._kinds.add(kind)
                self._met = now
            elif self._kinds == {NO_ANSWER} or began > self._met + OVER:
                self._log_end("answers again")

    def leave(self) -> None:
        """Refuse every call from now on: the server is no longer in use."""
        with self._changed:
            self.works, self._since, self._due = False, monotonic(), inf
            if self._kinds:
                self._log_end("is no longer in use")

    def _log_end(self, how: str) -> None:
        self._kinds.clear()
        words = self.name, how, monotonic() - self._begun, self._refused
        log.warning("%s %s after %.1f s in which %d calls were refused", *words)
