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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock in place of the system's, which moves when it is told to."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.fixture(params=["memory", "sqlite"])
def timed(
    request: pytest.FixtureRequest, clock: Clock, tmp_path: Path
) -> Iterator[Storage]:
    """Each storage that asks Python for the time."""
    if request.param == "memory":
        yield MemoryStorage(clock=clock)
    else:
        with closing(SQLiteStorage(str(tmp_path / "sessions.db"))) as storage:
            yield storage


def test_nothing_extends_or_shortens_the_minute_of_an_ended_key(
    timed: Storage, clock: Clock
) -> None:
    timed.save("a", {"n": "1"}, (), 600, create=True)
    timed.delete("a")
    for _ in range(2):
        clock.now += 29.9
        for create in False, True:
            with pytest.raises(SessionEnded):
                timed.load("a", 600)
            with pytest.raises(SessionEnded):
                timed.save("a", {"n": "1"}, (), 600, create=create)
            with pytest.raises(SessionEnded):
                timed.increment("a", "n", 1, 1, create=create)
            with pytest.raises(SessionEnded):
                timed.delete("a")
    clock.now += 0.3
    assert timed.load("a", 600) is None
    assert timed.increment("a", "n", 1, 600, create=True) == 1


def test_runs_on_a_storage_of_your_own(tmp_path: Path) -> None:
    with closing(SQLiteStorage(str(tmp_path / "sessions.db"))) as storage:
        client = create_app(storage=storage).test_client()
        counts = [client.get("/").json for _ in range(3)]
    assert counts == [{"views": n} for n in (1, 2, 3)]
