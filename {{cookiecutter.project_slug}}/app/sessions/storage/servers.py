"""Which server holds a key: the only one, Sentinel's master, or one of a Cluster."""

import time
from random import choice
from threading import Lock
from typing import Any

from redis import Redis, RedisCluster
from redis.connection import Connection, SSLConnection
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    MovedError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.sentinel import SentinelConnectionPool

from .base import StorageUnavailable
from .breaker import Breaker
from .connections import Server, Servers

SURE = 0.5  # seconds since it has answered, in which a master is not replaced
HOPS = 5  # at most, from server to server of a Cluster

Address = tuple[str, int]


class Master:
    """The master that the Sentinels of a service name.

    A master that was asleep does not know that it was replaced, and neither does a worker
    that was idle: so the Sentinels are asked again when there was no answer for a moment.
    While none of them answers, the master they named last goes on.
    """

    def __init__(self, pool: SentinelConnectionPool) -> None:
        self._pool = pool
        self._breaker = Breaker(f"Sentinel of {pool.service_name}")
        self._lock = Lock()
        self._named_by: Redis | None = None
        self._server: Server | None = None
        self._sure_until = 0.0  # by time.monotonic()

    def ask(self, key: str, work: str, *command: str | int) -> Any:
        server, started = self._server, time.monotonic()
        if server is None or (started > self._sure_until and not server.breaker.rests):
            server, started = self._find(), time.monotonic()
        try:
            answer = server.ask(key, work, *command)
        except StorageUnavailable as error:
            if isinstance(error.__cause__, ReadOnlyError):
                self._sure_until = 0.0  # it has become a replica
            raise
        self._sure_until = started + SURE
        return answer

    def _find(self) -> Server:
        try:
            address = self._ask_sentinels()
        except StorageUnavailable:
            if self._server is None:
                raise
            return self._server
        with self._lock:
            if self._server is None or self._server.address != address:
                if self._server is not None:
                    self._server.breaker.leave()
                tls = issubclass(self._pool.connection_class, SSLConnection)
                self._server = Server(
                    self._pool,
                    host=address[0],
                    port=address[1],
                    connection_class=SSLConnection if tls else Connection,
                )
            return self._server

    def _ask_sentinels(self) -> Address:
        turn = self._breaker.let_in()
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._pool.service_name)
        sentinels = self._pool.sentinel_manager.sentinels
        reason = "it knows no such master"
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


class Cluster:
    """The servers of a Cluster: each knows who owns which slot, and says MOVED."""

    def __init__(self, nodes: list[Address], **options: Any) -> None:
        """`nodes`: where some of its servers are; `options`: redis-py's, for all."""
        self._options = options
        self._lock = Lock()
        self._servers: dict[Address, Server] = {}
        self._owners: dict[int, Server] = {}  # by slot, as far as known
        for host, port in nodes:
            self._server(host, port)

    def ask(self, key: str, work: str, *command: str | int) -> Any:
        slot, asking = key_slot(key.encode()), False
        owner = self._owners.get(slot)
        # If the owner fails, another server says whether it has been replaced.
        server = owner if owner and owner.breaker.works else self.any()
        for _ in range(HOPS):
            try:
                return server.ask(key, work, *command, asking=asking)
            except TryAgainError:
                time.sleep(0.05)
            except AskError as error:
                asking = not isinstance(error, MovedError)
                server = self._server(error.host or server.address[0], error.port)
                if not asking:
                    self._give(slot, owner, server)
        raise StorageUnavailable("the servers of the Cluster disagree about a slot")

    def any(self) -> Server:
        """Return a server that works; if none does, one to try, or one that refuses."""
        servers = list(self._servers.values())
        if working := [server for server in servers if server.breaker.works]:
            return choice(working)  # noqa: S311
        latest = max(servers, key=lambda server: server.breaker.since)
        return latest if latest.breaker.rests else choice(servers)  # noqa: S311

    def close(self) -> None:
        """Close all connections."""
        for server in self._servers.values():
            server.close()

    def _server(self, host: str, port: int) -> Server:
        with self._lock:
            if (host, port) not in self._servers:
                client = Redis(host=host, port=port, **self._options)
                self._servers[host, port] = Server(client.connection_pool)
            return self._servers[host, port]

    def _give(self, slot: int, old: Server | None, new: Server) -> None:
        """Note the new owner; a server that fails and has been replaced is forgotten."""
        self._owners[slot] = new
        if old and old is not new and not old.breaker.works:
            old.breaker.leave()
            with self._lock:
                if self._servers.get(old.address) is old:
                    del self._servers[old.address]


def servers_of(client: Any) -> Servers:
    """Return where a redis-py client would send its commands."""
    if isinstance(client, Cluster):
        return client
    if isinstance(client, RedisCluster):
        nodes = client.nodes_manager.startup_nodes.values()
        options = client.nodes_manager.connection_kwargs
        return Cluster([(node.host, node.port) for node in nodes], **options)
    pool = client.connection_pool
    return Master(pool) if isinstance(pool, SentinelConnectionPool) else Server(pool)
