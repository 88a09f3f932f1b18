"""Asks the Redis server that Sentinels name as the master."""

from threading import Lock
from time import monotonic
from typing import Any

from redis import Redis

from .base import StorageUnavailable
from .breaker import Server

SURE = 0.5  # seconds after an answer during which a master is not replaced


class Master:
    """The master that the Sentinels of a service name.

    Neither a master that slept nor a worker that idled knows that it was replaced, so the
    Sentinels are asked if the last answer is not recent. If none answers, it stays in use.
    """

    def __init__(self, service: str, sentinels: list[Redis], connect: Any) -> None:
        self._service, self._connect = service, connect
        self._sentinels = [Server(client) for client in sentinels]
        self._lock = Lock()  # guards the next one
        self._master: Server | None = None
        self._sure_until = 0.0  # by time.monotonic()

    def ask(self, came: float, key: str, *command: Any) -> Any:
        """Ask the master: see Server.ask."""
        began, master = monotonic(), self._master
        if master is None or began > self._sure_until:
            master, began = self._find(came), monotonic()
        sure_until = 0.0
        try:
            answer, sure_until = master.ask(came, key, *command), began + SURE
        finally:  # what refuses may be the master no longer, and still read
            self._sure_until = sure_until
        # It may have slept, been replaced, and woken up.
        if monotonic() > self._sure_until and self._find(came) is not master:
            raise StorageUnavailable("the master was replaced before it answered")
        return answer

    def _find(self, came: float) -> Server:
        command, reason = "SENTINEL GET-MASTER-ADDR-BY-NAME", "they know no such master"
        for sentinel in self._sentinels:
            try:
                if found := sentinel.ask(came, "", command, self._service):
                    return self._use(found[0], int(found[1]))
            except StorageUnavailable as error:
                reason = error.reason
        if self._master:
            return self._master
        raise StorageUnavailable(f"no Sentinel names {self._service}: {reason}")

    def _use(self, host: str, port: int) -> Server:
        with self._lock:
            if not self._master or self._master.address != (host, port):
                if self._master:
                    self._master.breaker.end("is no longer in use")
                self._master = Server(self._connect(host=host, port=port))
            return self._master
