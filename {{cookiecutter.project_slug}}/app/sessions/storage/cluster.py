"""Asks the servers of a Redis Cluster, each of which holds some of the keys."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Any

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from .base import StorageUnavailable
from .server import Server

HOPS = 5  # from server to server, at most
AT_ONCE = 8  # servers that are asked for the slots, at most
RECENT = 0.5  # seconds for which they are not asked again
SOON: dict[str, Any] = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}


class Member(Server):
    """A server, which may answer that another one holds the key."""

    answers = (*Server.answers, AskError, TryAgainError)


class Cluster:
    """The servers of a Cluster: each knows who owns which slot.

    They are asked who owns which slots before the first command, and again when one does
    not answer, because it may have been replaced. If a slot has moved, its old owner says so.
    """

    def __init__(self, nodes: list[tuple[str, int]], **options: Any) -> None:
        """`nodes`: addresses of some servers; `options`: redis-py's, for all of them."""
        self._nodes = nodes
        self._options = options
        self._servers: dict[tuple[str, int], Server] = {}
        self._owners: dict[int, Server] = {}  # by slot
        self._asking = Lock()  # for the slots
        self._asked = 0.0  # when they were asked last, by time.monotonic()

    def ask(self, key: str, *command: str | int) -> Any:
        """Ask the server that holds a key: see Server."""
        slot = key_slot(key.encode())
        server = self._owners.get(slot)
        if server is None:
            self._find_owners()
            server = self._owners.get(slot) or self._any()[0]
        how: dict[str, bool] = {}
        for _ in range(HOPS):
            try:
                return server.ask(key, *command, **how)
            except TryAgainError:
                time.sleep(0.05)
            except AskError as error:
                server = self._server(error.host or server.address[0], error.port)
                if isinstance(error, MovedError):
                    self._owners[slot], how = server, {}
                else:
                    how = {"asking": True}
            except StorageUnavailable:
                if not server.breaker.works:
                    self._find_owners()
                raise
        raise StorageUnavailable("the servers of the Cluster disagree about a slot")

    def close(self) -> None:
        """Close all connections."""
        for server in self._servers.values():
            server.close()

    def _server(self, host: str, port: int) -> Server:
        if not (server := self._servers.get((host, port))):
            pool = Redis(host=host, port=port, **self._options).connection_pool
            server = Member(pool)
        return self._servers.setdefault((host, port), server)

    def _find_owners(self) -> None:
        """Ask who owns which slots, unless that was done a moment ago."""
        if not self._asking.acquire(blocking=not self._asked):
            return
        try:
            if time.monotonic() > self._asked + RECENT:
                self._ask_for_slots(self._any()[:AT_ONCE])
                self._asked = time.monotonic()
        finally:
            self._asking.release()

    def _any(self) -> list[Server]:
        """Return all servers that work; if none does, all that are known."""
        servers = list(self._servers.values())
        working = [server for server in servers if server.breaker.works]
        return working or [*servers, *(self._server(*node) for node in self._nodes)]

    def _ask_for_slots(self, servers: list[Server]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(_slots_of, servers))
        for server, answer in zip(servers, answers, strict=True):
            if answer and not isinstance(answer, ResponseError):
                self._note(answer, server.address[0])
                return
        if answers == [None] * len(servers):
            for server in servers:
                server.breaker.rest("TimeoutError: no server of the Cluster answers")

    def _note(self, slots: list[Any], host_asked: str) -> None:
        """Note who owns which slots, and drop the servers that own none."""
        owners: dict[int, Server] = {}
        for first, last, (host, port, *_), *_ in slots:
            owner = self._server(host or host_asked, port)
            owners |= dict.fromkeys(range(first, last + 1), owner)
        self._owners = owners
        for address in self._servers.keys() - {s.address for s in owners.values()}:
            self._servers.pop(address).leave()


def _slots_of(server: Server) -> Any:
    """Return what a server says about the slots, or None if it does not answer soon."""
    with suppress(RedisError, OSError):
        return server.send("CLUSTER", "SLOTS", **SOON)
    return None
