"""Sessions in Redis or Valkey: one hash each, one round trip per operation."""

import logging
from collections.abc import Collection, Mapping
from time import monotonic
from typing import Any, Self

from redis import Redis, RedisCluster, ResponseError
from redis.sentinel import SentinelConnectionPool

from .base import ENDED_FOR, SessionEnded, Storage, StorageUnavailable
from .connect import SEVERAL, connect
from .server import Ask, Server

log = logging.getLogger(__name__)

# Redis runs each Lua script as one atomic step. It looks at the key first, so that nothing
# extends the minute of an ended one. Then comes the command that a full Redis may refuse,
# while nothing has changed yet; after it, the script runs to its end.
LOOK = """
local key, kind = KEYS[1], redis.call('TYPE', KEYS[1]).ok
if kind == 'string' and redis.call('GET', key) == 'ended' then return 'ended' end
"""
LOAD = f"""{LOOK}
if kind == 'hash' then redis.call('EXPIRE', key, ARGV[1]) end
return redis.call('HGETALL', key)
"""
SAVE = f"""{LOOK}
if kind == 'none' and ARGV[2] == '0' then return 0 end
local removed = 4 + 2 * ARGV[3]
for i = 4, removed - 1, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
for i = removed, #ARGV do redis.call('HDEL', key, ARGV[i]) end
return redis.call('EXPIRE', key, ARGV[1]) + 1
"""
# Lua's numbers are exact only up to 2^53, so the sum is read as text.
INCREMENT = f"""{LOOK}
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
    """Keeps sessions where a `redis.Redis` of your own would, with that client's time-outs.

    The client itself is not used, no command is sent twice, and each server has a breaker.
    """

    def __init__(self, client: Redis | Ask) -> None:
        pool = getattr(client, "connection_pool", None)
        if isinstance(client, RedisCluster) or isinstance(pool, SentinelConnectionPool):
            text = (
                "takes a client of one server; for several, use RedisStorage.from_url"
            )
            raise TypeError(f"RedisStorage {text} with {SEVERAL}")
        self.client = client
        self._ask = Server(client).ask if isinstance(client, Redis) else client
        self._reported: set[str] = set()  # keys of the wrong type

    @classmethod
    def from_url(
        cls, url: str, *, connections: int = 1, verify: bool = True, ca_cert: str = ""
    ) -> Self:
        """Keep sessions where a URL says; up to `connections` to each server are opened.

        redis://user:password@host:port/db, rediss:// with TLS, unix:///path/to/socket?db=1,
        redis+sentinel://host:port,host:port/service/db?sentinel_password=password or
        redis+cluster://host:port,host:port; valkey means redis. `ca_cert`: a file of
        certificates to trust instead of the system's. The ?ssl_…= of redis-py beat it and
        `verify`. Raises ValueError, which quotes neither the URL nor the password.
        """
        return cls(connect(url, connections, verify, ca_cert or None))

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
        return _fields(self._run(DELETE, key, ENDED_FOR))

    def ping(self) -> None:
        failures = []
        for number in range(8):  # one working server of a Cluster is enough
            try:
                # PING may be forbidden; no session has such a key.
                self._run(LOAD, f"session:{number}", 1)
                return
            except StorageUnavailable as error:
                failures.append(error)
        raise failures[0]

    def _run(self, script: str, key: str, *args: str | int) -> Any:
        """Run a script on one key; return None if the key does not hold a hash."""
        try:
            # EVALSHA would save less than a percent, and need EVAL after a restart.
            answer = self._ask(monotonic(), key, "EVAL", script, 1, key, *args)
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            if key not in self._reported and len(self._reported) < 1000:
                self._reported.add(key)
                log.error("%s does not hold a session, so it counts as absent", key)
            return None
        if answer == "ended":
            raise SessionEnded
        return answer


def _fields(answer: list[str] | None) -> dict[str, str] | None:
    """Turn HGETALL's answer, in which names and values alternate, into a record."""
    return dict(zip(answer[::2], answer[1::2], strict=True)) if answer else None
