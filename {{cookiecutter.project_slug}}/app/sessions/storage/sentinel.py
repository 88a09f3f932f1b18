"""Asks the Redis server that Sentinels name as the master."""

import time
from threading import Lock
from typing import Any

from redis import Redis
from redis.connection import Connection, SSLConnection
from redis.exceptions import ReadOnlyError, RedisError
from redis.sentinel import SentinelConnectionPool

from .base import StorageUnavailable
from .breaker import Breaker
from .server import Server

SURE = 0.5  # seconds after an answer during which a master is not replaced


class Master:
    """The master that the Sentinels of a service name.

    Neither a master that was asleep nor a worker that was idle knows that the master has
    been replaced, so the Sentinels are asked again if its last answer is not recent. While
    no Sentinel answers, the master that they named last stays in use.
    """

    def __init__(self, pool: SentinelConnectionPool) -> None:
        self._pool = pool
        self._breaker = Breaker(f"Sentinel of {pool.service_name}")
        self._lock = Lock()
        self._named_by: Redis | None = None
        self._server: Server | None = None
        self._sure_until = 0.0  # by time.monotonic()

    def ask(self, key: str, *command: str | int) -> Any:
        """Ask the master, once: see Server."""
        server, started = self._server, time.monotonic()
        if server is None or started > self._sure_until:
            server, started = self._find(), time.monotonic()
        try:
            answer = server.ask(key, *command)
        except StorageUnavailable as error:
            if isinstance(error.__cause__, ReadOnlyError):
                self._sure_until = 0.0  # it has become a replica
            raise
        self._sure_until = started + SURE
        # It may have slept, been replaced, and woken up.
        if time.monotonic() > self._sure_until and self._find() is not server:
            raise StorageUnavailable("the master was replaced before it answered")
        return answer

    def _find(self) -> Server:
        try:
            host, port = self._ask_sentinels()
        except StorageUnavailable:
            if self._server is None:
                raise
            return self._server
        with self._lock:
            old = self._server
            if old and old.address == (host, port):
                return old
            tls = issubclass(self._pool.connection_class, SSLConnection)
            kind = SSLConnection if tls else Connection
            new = Server(self._pool, host=host, port=port, connection_class=kind)
            self._server = new
        if old:
            old.leave()
        return new

    def _ask_sentinels(self) -> tuple[str, int]:
        turn = self._breaker.let_in()
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._pool.service_name)
        sentinels = self._pool.sentinel_manager.sentinels
        reason = "they know no such master"
        for sentinel in sorted(sentinels, key=lambda s: s is not self._named_by):
            try:
                found = sentinel.execute_command(*command)
            except RedisError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if found:
                    self._named_by = sentinel
                    self._breaker.worked(turn)
                    host, port = found
                    return host.decode() if isinstance(host, bytes) else host, int(port)
        self._breaker.failed(turn, reason)
        raise StorageUnavailable(reason)
