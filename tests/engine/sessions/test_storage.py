"""Each storage keeps the contract."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from app import create_app
from app.sessions import MemoryStorage, RedisStorage, SessionEnded, Storage
from redis import Redis

from tests.engine.sessions.conftest import Clock
from tests.engine.sessions.own_storages import PostgresStorage, SQLiteStorage
from tests.engine.sessions.postgresql import PostgreSQL
from tests.storage_contract import StorageContract


class TestMemoryStorage(StorageContract):
    clock = Clock()

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage(clock=self.clock)


class TestRedisStorage(StorageContract):
    @pytest.fixture
    def storage(self, redis: Redis) -> Storage:
        return RedisStorage(redis)


class TestRedisStorageWithTexts(StorageContract):
    """A client that decodes the answers itself works too."""

    @pytest.fixture
    def storage(self, redis_url: str) -> Iterator[Storage]:
        with Redis.from_url(redis_url, decode_responses=True) as client:
            yield RedisStorage(client)


class TestSQLiteStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        with closing(SQLiteStorage(str(tmp_path / "sessions.db"))) as storage:
            yield storage


class TestPostgresStorage(StorageContract):
    @pytest.fixture
    def storage(self, postgresql: PostgreSQL) -> Iterator[Storage]:
        with closing(PostgresStorage(postgresql.url)) as storage:
            yield storage


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_nothing_extends_or_shortens_the_minute_of_an_ended_key(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    path = str(tmp_path / "sessions.db")
    storage = MemoryStorage(clock=clock) if kind == "memory" else SQLiteStorage(path)
    storage.save("a", {"n": "1"}, (), 600, create=True)
    storage.delete("a")
    for _ in range(2):
        clock.now += 29.9
        for create in False, True:
            with pytest.raises(SessionEnded):
                storage.load("a", 600)
            with pytest.raises(SessionEnded):
                storage.save("a", {"n": "1"}, (), 600, create=create)
            with pytest.raises(SessionEnded):
                storage.increment("a", "n", 1, 1, create=create)
            with pytest.raises(SessionEnded):
                storage.delete("a")
    clock.now += 0.3
    assert storage.load("a", 600) is None
    assert storage.increment("a", "n", 1, 600, create=True) == 1


def test_runs_on_a_storage_of_your_own(tmp_path: Path) -> None:
    app = create_app(storage=SQLiteStorage(str(tmp_path / "sessions.db")))
    client = app.test_client()
    assert [client.get("/").json for _ in range(3)] == [{"views": n} for n in (1, 2, 3)]
