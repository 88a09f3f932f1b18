"""One Redis server: a limited number of connections to it, and a breaker."""

from collections.abc import Callable
from threading import Semaphore
from time import monotonic
from typing import Any

from redis import ConnectionPool, Redis, ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry

from .base import StorageUnavailable
from .breaker import WAIT, Breaker

# Seconds. A call takes as long as the first two together, at most.
BEFORE = 0.5  # to connect, and for whatever else comes before the command
ANSWER = 1.0  # for the answer
LEAST = 0.25  # for the answer, if a connection was free only late

ANSWERS = ("WRONGTYPE", "not an integer", "overflow")  # errors, but no outage

Ask = Callable[..., Any]  # Server.ask, or that of several servers
Connect = Callable[..., Redis]  # returns a client of the server at a host and port


class Server:
    """A Redis server, the only one or one of several."""

    def __init__(self, client: Redis, *answers: type[ResponseError]) -> None:
        """Connect as `client` would. `answers`: more errors that are answers."""
        pool, options = client.connection_pool, client.get_connection_kwargs()
        self.address = options.get("host", "localhost"), options.get("port", 6379)
        name = options.get("path") or "{}:{}".format(*self.address)
        self.breaker = Breaker(f"Redis at {name}")
        self._answers = answers
        self._free = Semaphore(pool.max_connections)
        # Whatever the client's options: nothing is tried twice, and answers are strings.
        options = options | {"retry": Retry(NoBackoff(), 0), "decode_responses": True}
        options |= {
            "max_connections": pool.max_connections,
            "encoding_errors": "replace",
        }
        self._pool = ConnectionPool(pool.connection_class, **options)

    def ask(self, came: float, _: str, *command: Any, asking: bool = False) -> Any:
        """Send one command, once, and return its answer.

        `came`: when the call came, by time.monotonic(); `_`: the key, for a Cluster;
        `asking`: its slot is on its way to this server. Raises StorageUnavailable, or the
        ResponseError that is the answer.
        """
        patience = BEFORE + ANSWER - LEAST if self.breaker.works else WAIT
        if not self._free.acquire(timeout=came + patience - monotonic()):
            raise StorageUnavailable(f"no connection to {self.breaker.name} is free")
        try:
            began = self.breaker.let_in()
            try:
                answer = self._send(came, command, asking)
            except BaseException as error:
                self._judge(error, began, came)
                raise
            self.breaker.ended(began)
            return answer
        finally:
            self._free.release()

    def _send(self, came: float, command: tuple[Any, ...], asking: bool) -> Any:
        connection = self._pool.get_connection()
        try:
            if asking:
                connection.send_command("ASKING")
                connection.read_response()
            connection.send_command(*command)
            late, usual = monotonic() - came - BEFORE, connection.socket_timeout
            hurry = {"timeout": max(LEAST, usual - late)} if usual and late > 0 else {}
            return connection.read_response(**hurry)
        finally:
            self._pool.release(connection)

    def _judge(self, error: BaseException, began: float, came: float) -> None:
        """Tell the breaker; raise StorageUnavailable unless the error is the answer."""
        reason, answered = f"{type(error).__name__}: {error}", True
        if isinstance(error, self._answers) or any(text in reason for text in ANSWERS):
            return self.breaker.ended(began)
        if not isinstance(error, ResponseError):
            answered = False
            self._pool.disconnect(
                inuse_connections=False
            )  # the idle ones are broken, too
        # A server that had less than its time for want of a connection is not to blame.
        if answered or began < came + BEFORE or not self.breaker.works:
            self.breaker.ended(began, reason, answered=answered)
        if isinstance(error, Exception):
            raise StorageUnavailable(reason) from error
