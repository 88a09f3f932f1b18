"""Sessions in Redis or Valkey: one hash each, one round trip per operation."""

import hashlib
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from redis import Redis, RedisCluster
from redis.exceptions import NoScriptError, ResponseError
from redis.sentinel import SentinelConnectionPool

from .base import ENDED_FOR, SessionEnded, Storage, StorageUnavailable
from .cluster import Cluster
from .sentinel import Master
from .server import Server

log = logging.getLogger(__name__)

ENDED = "ended"  # a string, for which the scripts fail with WRONGTYPE


# Lua scripts: Redis runs each as one atomic step. Each reads the record first, so that
# nothing extends the minute of an ended key. Then comes the command that Redis may refuse
# when full: if it is refused, nothing has changed; after it, the script runs to its end.
LOAD = """
local record = redis.call('HGETALL', KEYS[1])
if #record > 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return record
"""
SAVE = """
if redis.call('HLEN', KEYS[1]) == 0 and ARGV[2] == '0' then return 0 end
local first_removed = 4 + 2 * ARGV[3]
for i = 4, first_removed - 1, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
for i = first_removed, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
# Lua's numbers are exact only up to 2^53, so the sum is read as text.
INCREMENT = """
if ARGV[2] == '0' and redis.call('HLEN', KEYS[1]) == 0 then return false end
redis.call('HINCRBY', KEYS[1], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HGET', KEYS[1], ARGV[3])
"""
# A full Redis refuses SET, but not in a script that has already written: so DEL is first.
DELETE = """
local kind, record = redis.call('TYPE', KEYS[1]).ok, {}
if kind == 'string' and redis.call('GET', KEYS[1]) == ARGV[1] then return ARGV[1] end
if kind == 'hash' then record = redis.call('HGETALL', KEYS[1]) end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return record
"""
SHA1 = {
    script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    for script in (LOAD, SAVE, INCREMENT, DELETE)
}


class RedisStorage(Storage):
    """Keeps sessions where a redis-py client would: Redis, RedisCluster or Sentinel's.

    Of the client, only the settings are used: no command is sent twice, even if it would
    retry, and each server has a breaker and a limited number of connections.
    """

    def __init__(self, client: Redis | RedisCluster | Cluster) -> None:
        self.client = client
        self._servers = _servers_of(client)
        self._reported: set[str] = set()  # keys of the wrong type

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
        answer = self._run(DELETE, key, ENDED, ENDED_FOR)
        if answer == ENDED:
            raise SessionEnded
        return _fields(answer)

    def ping(self) -> None:
        # By keys that no session has, because PING may be forbidden.
        if isinstance(self._servers, Cluster):  # one working server is enough
            for number in range(8):
                with suppress(StorageUnavailable):
                    self._run(LOAD, f"session:{number}", 1)
                    return
        self._run(LOAD, "session:", 1)

    def _run(self, script: str, key: str, *args: str | int) -> Any:
        """Run a script on one key; return None if the key does not hold a hash."""
        ask = self._servers.ask
        try:
            try:
                return ask(key, "EVALSHA", SHA1[script], 1, key, *args)
            except NoScriptError:  # a new or emptied server; EVAL stores the script
                return ask(key, "EVAL", script, 1, key, *args)
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
        self._look_at(key)
        return None

    def _look_at(self, key: str) -> None:
        """Raise SessionEnded, or log once that the key holds something else."""
        with suppress(ResponseError):  # it is neither a hash nor a string
            text = self._servers.ask(key, "GET", key)
            if text == ENDED:
                raise SessionEnded
            if text is None:
                return  # its minute is over
        if key not in self._reported and len(self._reported) < 1000:
            self._reported.add(key)
            log.error("%s does not hold a session, so it counts as absent", key)


def _servers_of(client: Any) -> Server | Master | Cluster:
    """Return an object that asks the servers which the redis-py client would ask."""
    if isinstance(client, Cluster):
        return client
    if isinstance(client, RedisCluster):
        nodes = client.nodes_manager.startup_nodes.values()
        options = client.nodes_manager.connection_kwargs
        return Cluster([(node.host, node.port) for node in nodes], **options)
    pool = client.connection_pool
    return Master(pool) if isinstance(pool, SentinelConnectionPool) else Server(pool)


def _fields(answer: list[str] | None) -> dict[str, str] | None:
    """Turn HGETALL's answer, in which names and values alternate, into a record."""
    return dict(zip(answer[::2], answer[1::2], strict=True)) if answer else None
