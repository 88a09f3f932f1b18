"""Connections to one Redis server, used without redis-py's own book-keeping."""

import os
from threading import Semaphore
from typing import Any

from redis.exceptions import ConnectionError, RedisError, ResponseError

WAIT = 0.5  # seconds for a connection, when all of them are in use


class Connections:
    """Sends commands over at most as many connections as a redis-py pool would make.

    A request waits for one rather than fail when all are in use. No command is sent
    twice, whatever retries the pool is configured for. Redis.execute_command does more:
    metrics, retries, and locks, in twice the time.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._free = Semaphore(pool.max_connections)
        self._idle: list[Any] = []  # the last one used at the end

    def execute_command(self, *command: Any) -> Any:
        """Send a command, and return its answer or raise what redis-py raises."""
        if not self._free.acquire(timeout=WAIT):
            raise ConnectionError("all connections are in use")
        try:
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
        finally:
            self._free.release()

    def _take(self) -> Any:
        """Return a connection that the server has not closed while it was idle."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.pid != os.getpid():
                continue  # the process that forked this one goes on using it
            try:
                if not connection.can_read():
                    return connection
            except (RedisError, OSError):
                pass
            connection.disconnect()
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return connection
