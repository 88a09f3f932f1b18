"""One Redis server: a limited number of connections to it, and a breaker."""

import os
from contextlib import suppress
from functools import partial
from threading import Semaphore
from typing import Any, Protocol

from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import (
    AskError,
    ConnectionError,
    NoScriptError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.retry import Retry

from .base import StorageUnavailable
from .breaker import Breaker

WAIT = 0.5  # seconds for a connection, when all of them are in use

# Whatever a client was made with: no command is sent twice, and answers are texts.
OPTIONS = {
    "retry": Retry(NoBackoff(), 0),
    "health_check_interval": 0,
    "decode_responses": True,
    "encoding_errors": "replace",
}
# Errors that tell of one record, or of where it is, and not of an outage.
ANSWERS = (AskError, NoScriptError, TryAgainError)  # a MovedError is an AskError
OF_A_RECORD = ("WRONGTYPE", "not an integer", "overflow")


class Servers(Protocol):
    """Where commands go: each to the server that holds its key."""

    def ask(self, key: str, work: str, *command: str | int) -> Any:
        """Send one command, once, and return its answer.

        `work` names what it does: the command, or the script, however that is sent.
        Raises StorageUnavailable, or the ResponseError that is the answer.
        """


class Server:
    """One server, which holds all keys or some."""

    def __init__(self, pool: ConnectionPool, **changes: Any) -> None:
        """Connect as `pool` would, with `changes`; its own connections are not used."""
        options = pool.connection_kwargs | OPTIONS | changes
        options.setdefault("connection_class", pool.connection_class)
        options.pop("connection_pool", None)  # with which a connection asks Sentinels
        self.address = options.get("host", ""), options.get("port", 0)
        name = options.get("path") or "{}:{}".format(*self.address)
        self.breaker = Breaker(f"Redis at {name}")
        self._make = partial(options.pop("connection_class"), **options)
        self._free = Semaphore(pool.max_connections)
        self._idle: list[Any] = []  # the one used last at the end

    def ask(
        self, key: str, work: str, *command: str | int, asking: bool = False
    ) -> Any:
        turn = self.breaker.let_in()
        try:
            answer = self._send(command, asking)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, ANSWERS) or any(w in reason for w in OF_A_RECORD):
                self.breaker.worked(turn)
                raise
            if isinstance(error, ResponseError):
                self.breaker.refused(turn, work, reason)
            else:
                self.breaker.failed(turn, reason)
            raise StorageUnavailable(reason) from error
        self.breaker.worked(turn, work)
        return answer

    def _send(self, command: tuple[str | int, ...], asking: bool) -> Any:
        # redis-py's own pool takes 9 us more, which is 3 % of a visit.
        if not self._free.acquire(timeout=WAIT):
            raise ConnectionError("all connections are in use")
        try:
            connection = self._connection()
            try:
                if asking:  # a slot is moving, and this key has moved already
                    connection.send_command("ASKING")
                    connection.read_response()
                connection.send_command(*command)
                answer = connection.read_response()
            except ResponseError:
                self._idle.append(connection)
                raise
            except BaseException:
                # What swallowed this connection has swallowed those that idled with it.
                connection.disconnect()
                self.close()
                raise
            self._idle.append(connection)
            return answer
        finally:
            self._free.release()

    def _connection(self) -> Any:
        """Return a connection that neither the server nor a fork has taken away."""
        with suppress(IndexError):
            while connection := self._idle.pop():
                with suppress(RedisError, OSError):
                    if connection.pid == os.getpid() and not connection.can_read():
                        return connection
                connection.disconnect()
        connection = self._make()
        connection.connect()
        return connection

    def close(self) -> None:
        """Close all connections that are idle."""
        with suppress(IndexError):
            while connection := self._idle.pop():
                connection.disconnect()
