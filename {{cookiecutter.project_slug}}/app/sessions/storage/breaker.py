"""One Redis server: its connections, and a breaker that spares requests the wait for it."""

import logging
from math import inf
from queue import Empty, SimpleQueue
from threading import Condition
from time import monotonic
from typing import Any

from redis import ConnectionPool, ReadOnlyError, Redis, ResponseError

from .base import StorageUnavailable

log = logging.getLogger(__name__)

BEFORE = 0.5  # seconds to connect, and for whatever else comes before a command
ANSWER = 1.0  # seconds for the answer; with the above, what a call takes at most
LEAST = 0.25  # seconds for the answer, if a connection was free only late
SLOW = 0.1  # seconds: a failure that takes longer must not hold up every request
PAUSE = 1.0  # seconds between a slow failure and the next try
WAIT = 0.1  # seconds for the outcome of a try that has just begun
OVER = 5.0  # seconds that a server must work without a refusal until the outage is over
# Whatever a client's options: nothing is tried twice, and answers are strings.
OPTIONS: dict[str, Any] = {"decode_responses": True, "encoding_errors": "replace"}
OPTIONS |= {"retry": None, "retry_on_error": [], "retry_on_timeout": False}
ANSWERS = ("is not an integer", "would overflow")  # words of errors that are answers
NO_ANSWER = "no answer"  # a kind of error; the others are the names of refusals


class Breaker:
    """Knows whether a server answers; while it does not, lets in one call at a time."""

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
        """Note how a call ended: it worked, was refused (by a full server), or had no answer."""
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
                self.end("answers again", now)

    def end(self, how: str, since: float = inf) -> None:
        """Log the end of an outage, and why; only calls begun after `since` count again."""
        with self._changed:
            self.works, self._since = True, since
            if self._kinds:
                self._kinds.clear()
                words = self.name, how, monotonic() - self._begun, self._refused
                log.warning("%s %s after %.1f s in which %d calls were refused", *words)


class Server:
    """A Redis server, the only one or one of several."""

    def __init__(self, client: Redis, *answers: type[ResponseError]) -> None:
        """Connect as `client` would. `answers`: more errors that are answers."""
        pool, options = client.connection_pool, client.get_connection_kwargs() | OPTIONS
        self.address = options.get("host", "localhost"), options.get("port", 6379)
        name = options.get("path") or "{}:{}".format(*self.address)
        self.breaker = Breaker(f"Redis at {name}")
        self._answers = answers
        self._free = SimpleQueue[None]()  # an item for each free connection
        for _ in range(pool.max_connections):
            self._free.put(None)
        options["max_connections"] = pool.max_connections
        self._pool = ConnectionPool(pool.connection_class, **options)

    def ask(self, came: float, _: str, *command: Any, asking: bool = False) -> Any:
        """Send a command once; return its answer, or raise it if it is an error.

        `came`: when the call came, by time.monotonic(); `_`: the key, for a Cluster;
        `asking`: its slot is on its way to this server. Raises StorageUnavailable, too.
        """
        patience = BEFORE + ANSWER - LEAST if self.breaker.works else WAIT
        try:
            self._free.get(timeout=max(0, came + patience - monotonic()))
        except Empty:
            name = self.breaker.name
            raise StorageUnavailable(f"no connection to {name} is free") from None
        began, connection = -1.0, None
        try:
            began = self.breaker.let_in()
            connection = self._pool.get_connection()
            if asking:
                connection.send_command("ASKING")
                connection.read_response()
            connection.send_command(*command)
            late, usual = monotonic() - came - BEFORE, connection.socket_timeout
            hurry = {"timeout": max(LEAST, usual - late)} if usual and late > 0 else {}
            answer = connection.read_response(**hurry)
            self.breaker.ended(began)
            return answer
        except StorageUnavailable:
            raise
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            answered = isinstance(error, ResponseError)
            fine = answered and any(x in reason for x in ANSWERS)
            fine |= isinstance(error, self._answers)
            # The idle ones are no better: broken, too, or to what is no longer the master.
            if not answered or isinstance(error, ReadOnlyError):
                self._pool.disconnect(inuse_connections=False)
                if connection:
                    connection.disconnect()
            # A server that had less than its time for want of a connection is not to blame.
            if answered or began < came + BEFORE or not self.breaker.works:
                self.breaker.ended(began, "" if fine else reason, answered=answered)
            if fine or not isinstance(error, Exception):
                raise
            raise StorageUnavailable(reason) from error
        finally:
            if connection:
                self._pool.release(connection)
            self._free.put(None)
