"""Connections to one Redis server, used without redis-py's own book-keeping."""

import os
from typing import Any

from redis.exceptions import RedisError, ResponseError


class Connections:
    """Sends commands over the connections that a redis-py pool would make.

    Each thread that waits for an answer has a connection to itself, so there are as many
    as threads at most. A command is never sent twice, whatever retries the pool is
    configured for. Redis.execute_command takes twice the time (benchmarks: a tenth of a
    visit) for metrics, retries and locks.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: list[Any] = []  # the one used last comes last
        os.register_at_fork(after_in_child=self._idle.clear)

    def execute_command(self, *command: Any) -> Any:
        """Send a command, and return its answer or raise what redis-py raises."""
        connection = self._take()
        try:
            connection.send_command(*command)
            answer = connection.read_response()
        except ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:
            connection.disconnect()
            raise
        self._idle.append(connection)
        return answer

    def _take(self) -> Any:
        """Return a connection that the server has not closed while it was idle."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            try:
                if not connection.can_read():
                    return connection
            except (RedisError, OSError):
                pass
            connection.disconnect()

    def _connect(self) -> Any:
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return connection
