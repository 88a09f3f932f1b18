"""Asks the servers of a Redis Cluster, each of which holds some of the keys."""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import monotonic
from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, ResponseError

from .base import StorageUnavailable
from .breaker import Server
from .connect import SOON

AT_ONCE = 8  # servers that are asked for the slots, at most
RECENT = 0.5  # seconds for which they are not asked again


class Cluster:
    """The servers of a Cluster: each knows who owns which slot.

    They are asked for it before the first command, and again when one does not answer,
    because it may have been replaced. If a slot has moved, its old owner says so.
    """

    def __init__(self, nodes: list[tuple[str, int]], connect: Any) -> None:
        self._nodes, self._connect = nodes, connect  # hosts and ports of some servers
        self._servers: dict[tuple[str, int], Server] = {}
        self._owners: dict[int, Server] = {}  # by slot
        self._asking = Lock()  # for the owners
        self._asked = 0.0  # when they were asked for last, by time.monotonic()

    def ask(self, came: float, key: str, *command: Any) -> Any:
        """Ask the server that holds the key: see Server.ask."""
        slot, asking = key_slot(key.encode()), False
        if slot not in self._owners:
            self._find_owners()
        server = self._owners.get(slot) or self._some()[0]
        for _ in range(5):  # from server to server, at most
            try:
                return server.ask(came, key, *command, asking=asking)
            except AskError as error:
                server = self._server(error.host or server.address[0], error.port)
                asking = not isinstance(error, MovedError)
                if not asking:
                    self._owners[slot] = server
            except StorageUnavailable:
                if not server.breaker.works:
                    self._find_owners()
                raise
        raise StorageUnavailable("the servers of the Cluster disagree about a slot")

    def _server(self, host: str, port: int) -> Server:
        if not (server := self._servers.get((host, port))):
            server = Server(self._connect(host=host, port=port), AskError)
        return self._servers.setdefault((host, port), server)

    def _some(self) -> list[Server]:
        """Return servers that work; if none does, those that are known."""
        servers = list(self._servers.values())
        known = [*servers, *(self._server(*node) for node in self._nodes)]
        return [server for server in servers if server.breaker.works] or known

    def _find_owners(self) -> None:
        """Ask who owns which slots, unless somebody does, or did so a moment ago."""
        if self._owners and self._asking.locked():
            return
        with self._asking:
            if monotonic() < self._asked + RECENT:
                return
            self._asked = monotonic()
            servers, failures = self._some()[:AT_ONCE], {}
            with ThreadPoolExecutor(AT_ONCE) as pool:
                answers = [pool.submit(self._slots_of, server) for server in servers]
            for server, answer in zip(servers, answers, strict=True):
                if not (error := answer.exception()):
                    return self._use(answer.result(), server.address[0])
                if server.breaker.works and not isinstance(error, ResponseError):
                    failures[server] = f"{type(error).__name__}: {error}"
            for server, failure in failures.items():
                server.breaker.ended(self._asked, failure, answered=False)

    def _slots_of(self, server: Server) -> Any:
        host, port = server.address
        with self._connect(host=host, port=port, **SOON) as client:
            return client.execute_command("CLUSTER SLOTS")

    def _use(self, slots: list[Any], host_asked: str) -> None:
        owners: dict[int, Server] = {}
        for first, last, (host, port, *_), *_ in slots:
            owner = self._server(host or host_asked, port)
            owners |= dict.fromkeys(range(first, last + 1), owner)
        self._owners = owners
        for address in self._servers.keys() - {s.address for s in owners.values()}:
            self._servers.pop(address).breaker.end("is no longer in use")
