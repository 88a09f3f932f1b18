"""Ports, and patience: for programs that are started and take their time."""

import socket
import time
from collections.abc import Callable

from redis.exceptions import RedisError


def free_port() -> int:
    """Return a port on which nobody listens, for programs that cannot choose one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Return True if somebody takes connections there; if not, raise ConnectionError."""
    socket.create_connection(("127.0.0.1", port)).close()
    return True


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for what announces itself in no other way; errors of the network may pass."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (OSError, RedisError):
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
