"""Sessions in Redis or Valkey: one hash each, one round trip an operation."""

import hashlib
import logging
import time
from collections.abc import Collection, Mapping
from threading import Lock
from typing import Any, Protocol

from redis.exceptions import NoScriptError, ResponseError

from .base import ENDED_FOR, SessionEnded, Storage, StorageUnavailable
from .connections import Connections

log = logging.getLogger(__name__)

SLOW = 0.1  # seconds: a failure that takes longer must not hold up every request
PAUSE = 1.0  # seconds between two attempts after a slow failure

# Errors that tell of one record, not of an outage.
OF_A_RECORD = ("WRONGTYPE", "not an integer", "overflow")


class Script:
    """A Lua script, which Redis runs as one atomic step."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


# What may be refused for lack of memory comes first in each script: a script that has
# written something is not refused any more, one that has not leaves nothing half done.
LOAD = Script("""
local fields = redis.call('HGETALL', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return fields
""")
SAVE = Script("""
if redis.call('HLEN', KEYS[1]) == 0 and ARGV[2] == '0' then return 0 end
local first_removed = 4 + 2 * ARGV[3]
for i = 4, first_removed - 1, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
for i = first_removed, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
""")
# Lua's numbers are exact up to 2^53 only: the sum is read as text.
INCREMENT = Script("""
if redis.call('HLEN', KEYS[1]) == 0 and ARGV[2] == '0' then return false end
redis.call('HINCRBY', KEYS[1], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HGET', KEYS[1], ARGV[3])
""")
# An ended key holds a text, on which the commands for hashes fail as WRONGTYPE. A script
# that has deleted something may set it even if Redis is full.
DELETE = Script("""
local fields = {}
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  fields = redis.call('HGETALL', KEYS[1])
elseif redis.call('GET', KEYS[1]) == ARGV[1] then
  return fields
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return fields
""")
ENDED = "ended"


class Client(Protocol):
    """What is needed of a client."""

    def execute_command(self, *command: Any) -> Any:
        """Send a command, and return its answer."""


class RedisStorage(Storage):
    """Keeps sessions through any redis-py client: Redis, RedisCluster or Sentinel's.

    A RedisCluster must not retry by itself, or a count whose answer was lost counts twice.
    While Redis hangs, one attempt a second is made and all other calls fail at once, so
    that the threads of the app stay free for pages without a session.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        pool = getattr(
            client, "connection_pool", None
        )  # a Cluster has one for each node
        self._send = (Connections(pool) if pool else client).execute_command
        self._lock = Lock()
        self._next_attempt = 0.0  # by time.monotonic(); 0 while all is well
        # what must work for the outage to end; "" for anything; None if all is well
        self._outage: str | None = None

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        return _fields(self._run(LOAD, key, ttl))

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        fields = [part for item in changed.items() for part in item]
        counts = ttl, int(create), len(changed)
        return bool(self._run(SAVE, key, *counts, *fields, *removed))

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        try:
            total = self._run(INCREMENT, key, ttl, int(create), field, by)
        except ResponseError as error:
            if "overflow" in str(error):
                raise OverflowError("the sum needs more than 64 bits") from None
            raise TypeError("the field does not hold a 64-bit integer") from None
        return None if total is None else int(total)

    def delete(self, key: str) -> dict[str, str] | None:
        return _fields(self._run(DELETE, key, ENDED, ENDED_FOR))

    def ping(self) -> None:
        self._ask("PING", "PING")

    def _run(self, script: Script, key: str, *args: str | int) -> Any:
        """Run a script on one key; a key that holds no hash counts as absent: None."""
        try:
            try:
                return self._ask(script.sha, "EVALSHA", script.sha, 1, key, *args)
            except NoScriptError:  # a new or emptied server: EVAL runs it and keeps it
                return self._ask(script.sha, "EVAL", script.source, 1, key, *args)
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            if self._ask("GET", "GET", key) in (ENDED, ENDED.encode()):
                raise SessionEnded from None
            log.error("%s holds no session: it counts as absent", key)
            return None

    def _ask(self, work: str, *command: str | int) -> Any:
        """Send one command, once; raise StorageUnavailable if Redis does not do it.

        `work` names what it does: the command, or the script, however that is sent.
        """
        started = time.monotonic()
        if self._next_attempt:
            self._wait_your_turn(started)
        try:
            answer = self._send(*command)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, ResponseError):
                with self._lock:
                    self._next_attempt = 0.0  # it answers, even if to refuse
            of_a_record = any(words in reason for words in OF_A_RECORD)
            if of_a_record or isinstance(error, NoScriptError):
                raise
            # A refusal (out of memory, read-only) ends when what was refused works.
            ended_by = work if isinstance(error, ResponseError) else ""
            self._note_outage(reason, ended_by, time.monotonic() - started)
            raise StorageUnavailable(reason) from error
        if self._next_attempt or self._outage is not None:
            self._note_answer(work)
        return answer

    def _wait_your_turn(self, now: float) -> None:
        with self._lock:
            if not self._next_attempt:
                return  # another request has just ended the pause
            if now < self._next_attempt:
                raise StorageUnavailable("Redis did not answer a moment ago")
            self._next_attempt = now + PAUSE

    def _note_answer(self, work: str) -> None:
        with self._lock:
            self._next_attempt = 0.0
            if self._outage in ("", work):
                log.warning("Redis answers again")
                self._outage = None

    def _note_outage(self, reason: str, ended_by: str, seconds: float) -> None:
        with self._lock:
            if self._outage is None:
                log.error("Redis fails, pages with a session answer 503: %s", reason)
            self._outage = ended_by
            if seconds > SLOW and not ended_by:
                self._next_attempt = time.monotonic() + PAUSE


def _fields(answer: list[Any] | dict[Any, Any] | None) -> dict[str, str] | None:
    """Turn the answer of HGETALL, names and values in turn, into a record."""
    if not answer:
        return None
    texts = [p.decode(errors="replace") if isinstance(p, bytes) else p for p in answer]
    return dict(zip(texts[::2], texts[1::2], strict=True))
