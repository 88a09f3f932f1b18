"""Sessions in Redis or Valkey: one hash each, one round trip per operation."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Self

from redis import Redis, RedisCluster, ResponseError
from redis.sentinel import SentinelConnectionPool

from ..values import report
from .base import ENDED_FOR, Fields, Names, SessionEnded, Storage, StorageUnavailable
from .breaker import Server
from .connect import SEVERAL, connect

# Redis runs each Lua script as one atomic step. It looks at the key first, so that nothing
# extends the minute of an ended one. Then comes the command that a full Redis may refuse,
# while nothing has changed yet; after it, the script runs to its end.
LOOK = """
local key, kind = KEYS[1], redis.call('TYPE', KEYS[1]).ok
if kind == 'string' and redis.call('GET', key) == 'ended' then return 'ended' end
"""
FIND = LOOK + "if kind ~= 'hash' and kind ~= 'none' then return 'foreign' end"
LOAD = f"""{FIND}
if kind == 'hash' then redis.call('EXPIRE', key, ARGV[1]) end
return redis.call('HGETALL', key)
"""
SAVE = f"""{FIND}
if kind == 'none' and ARGV[2] == '0' then return 0 end
local removed = 4 + 2 * ARGV[3]
for i = 4, removed - 1, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
for i = removed, #ARGV do redis.call('HDEL', key, ARGV[i]) end
return redis.call('EXPIRE', key, ARGV[1]) + 1
"""
# Lua's numbers are exact only up to 2^53, so the sum is read as text.
INCREMENT = f"""{FIND}
if kind == 'none' and ARGV[2] == '0' then return false end
redis.call('HINCRBY', key, ARGV[3], ARGV[4])
redis.call('EXPIRE', key, ARGV[1])
return redis.call('HGET', key, ARGV[3])
"""
# A full Redis refuses SET, but not in a script that has already written: so DEL is first.
DELETE = f"""{LOOK}
local record = kind == 'hash' and redis.call('HGETALL', key) or {{}}
redis.call('DEL', key)
redis.call('SET', key, 'ended', 'EX', ARGV[1])
return record
"""


class RedisStorage(Storage):
    """Keeps sessions where a `redis.Redis` of your own would, with its time-outs."""

    def __init__(self, client: Redis | Callable[..., Any]) -> None:
        pool = getattr(client, "connection_pool", None)
        if isinstance(client, RedisCluster) or isinstance(pool, SentinelConnectionPool):
            raise TypeError(f"use RedisStorage.from_url with {SEVERAL}")
        self.client = client
        self._ask = Server(client).ask if isinstance(client, Redis) else client

    @classmethod
    def from_url(
        cls, url: str, *, connections: int = 1, verify: bool = True, ca_cert: str = ""
    ) -> Self:
        """Keep sessions where a URL says; up to `connections` to each server are opened.

        redis://user:password@host:port/db, rediss:// with TLS, unix:///path/to/socket?db=1,
        redis+sentinel://host:port,host:port/service/db?sentinel_password=password or
        redis+cluster://host:port,host:port; valkey means redis. `ca_cert`: a file of
        certificates to trust instead of the system's; ?ssl_…= beats it and `verify`.
        Raises ValueError, which quotes neither the URL nor the password.
        """
        return cls(connect(url, connections, verify, ca_cert or None))

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        return self._run(LOAD, key, ttl)  # type: ignore[no-any-return]

    def save(
        self, key: str, changed: Fields, removed: Names, ttl: int, *, create: bool
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
            kind = OverflowError if "overflow" in str(error) else TypeError
            raise kind("the field, or the sum, is not a 64-bit integer") from None
        return None if total is None else int(total)

    def delete(self, key: str) -> dict[str, str] | None:
        return self._run(DELETE, key, ENDED_FOR)  # type: ignore[no-any-return]

    def ping(self) -> None:
        failures = []
        for number in range(8):  # one working server of a Cluster is enough
            try:
                self._run(LOAD, f"session:{number}", 1)  # PING may be forbidden
                return
            except StorageUnavailable as error:
                failures.append(error)
        raise failures[0]

    def _run(self, script: str, key: str, *args: str | int) -> Any:
        """Run a script; return a record as a dict, or None if there is none."""
        # EVALSHA would save less than a percent, and need EVAL after a restart.
        answer = self._ask(monotonic(), key, "EVAL", script, 1, key, *args)
        if answer == "ended":
            raise SessionEnded
        if answer == "foreign":
            report("%s does not hold a session, so it counts as absent", key)
            return None
        if isinstance(answer, list):  # HGETALL's: names and values alternate
            return dict(zip(answer[::2], answer[1::2], strict=True)) or None
        return answer
