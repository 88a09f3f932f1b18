"""One Redis server: a limited number of connections to it, and a breaker."""

import os
from contextlib import suppress
from functools import partial
from threading import Semaphore
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import (
    ConnectionError,
    NoScriptError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from .base import StorageUnavailable
from .breaker import Breaker

WAIT = 0.5  # seconds for a connection, when all of them are in use

# Whatever the client's options: no command is sent twice, and answers are strings.
OPTIONS = {
    "retry": Retry(NoBackoff(), 0),
    "health_check_interval": 0,
    "decode_responses": True,
    "encoding_errors": "replace",
}
OF_A_RECORD = ("WRONGTYPE", "not an integer", "overflow")  # not outages either


class Server:
    """A Redis server, the only one or one of several."""

    answers: tuple[type[ResponseError], ...] = (NoScriptError,)  # errors, but no outage

    def __init__(self, pool: ConnectionPool, **changes: Any) -> None:
        """Connect as `pool` would, with `changes`; the pool itself is not used."""
        options = pool.connection_kwargs | OPTIONS | changes
        options.setdefault("connection_class", pool.connection_class)
        options.pop("connection_pool", None)  # or a connection would ask Sentinels
        self.address = options.get("host", ""), options.get("port", 0)
        name = options.get("path") or "{}:{}".format(*self.address)
        self.breaker = Breaker(f"Redis at {name}")
        self._make = partial(options.pop("connection_class"), **options)
        self._free = Semaphore(pool.max_connections)
        self._idle: list[Any] = []  # the most recently used one is the last

    def ask(self, key: str, *command: str | int, **how: Any) -> Any:
        """Send one command, once, and return its answer; `how` goes to `send`.

        Raises StorageUnavailable, or the ResponseError that is the answer.
        """
        turn = self.breaker.let_in()
        try:
            answer = self.send(*command, **how)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self.breaker.failed(turn, reason)
            raise StorageUnavailable(reason) from error
        if not isinstance(answer, ResponseError):
            self.breaker.worked(turn)
            return answer
        reason = f"{type(answer).__name__}: {answer}"
        if isinstance(answer, self.answers) or any(w in reason for w in OF_A_RECORD):
            self.breaker.worked(turn)
            raise answer
        self.breaker.refused(turn, reason)
        raise StorageUnavailable(reason) from answer

    def leave(self) -> None:
        """Note that another server has taken over, so this one is not asked again."""
        self.breaker.leave()
        self.close()

    def close(self) -> None:
        """Close all idle connections."""
        with suppress(IndexError):
            while connection := self._idle.pop():
                connection.disconnect()

    def send(self, *command: str | int, asking: bool = False, **options: float) -> Any:
        """Return the answer, or the error that is the answer, without asking the breaker.

        `asking`: the slot of the key is moving, and this server takes it over.
        `options`: for a connection that is made for this command only.
        """
        # redis-py's own pool would take 9 us longer, 3 % of a visit.
        if not self._free.acquire(timeout=WAIT):
            raise ConnectionError("all connections are in use")
        try:
            connection = self._make(**options) if options else self._connection()
            try:
                if asking:
                    connection.send_command("ASKING")
                    connection.read_response()
                connection.send_command(*command)
                answer = connection.read_response()
            except ResponseError as error:
                answer = error
            except BaseException:
                # Whatever broke this connection has broken those that were idle, too.
                connection.disconnect()
                self.close()
                raise
            if options:
                connection.disconnect()
            else:
                self._idle.append(connection)
            return answer
        finally:
            self._free.release()

    def _connection(self) -> Any:
        """Return a connection of this process that the server has not closed."""
        with suppress(IndexError):
            while connection := self._idle.pop():
                with suppress(RedisError, OSError):
                    if connection.pid == os.getpid() and not connection.can_read():
                        return connection
                connection.disconnect()
        connection = self._make()
        connection.connect()
        return connection
