"""One Redis server: a limited number of connections to it, and a breaker."""

from typing import Any, Protocol

from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool, ConnectionPool
from redis.exceptions import AskError, NoScriptError, ResponseError, TryAgainError
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
        self._pool = BlockingConnectionPool(pool.max_connections, WAIT, **options)

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
        connection = self._pool.get_connection()
        try:
            if asking:  # a slot is moving, and this key has moved already
                connection.send_command("ASKING")
                connection.read_response()
            connection.send_command(*command)
            return connection.read_response()
        except ResponseError:
            raise
        except BaseException:
            # What swallowed this connection has swallowed those that idled with it.
            connection.disconnect()
            self._pool.disconnect(inuse_connections=False)
            raise
        finally:
            self._pool.release(connection)

    def close(self) -> None:
        """Close all connections."""
        self._pool.disconnect()
