"""The storages of docs/storage.md in bad times, and with several processes."""

import multiprocessing
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from threading import Thread

import psycopg
import pytest
from app.sessions import SessionEnded, Storage, StorageUnavailable

from tests.engine.sessions.own_storages import PostgresStorage, SQLiteStorage
from tests.engine.sessions.postgresql import PostgreSQL

BUDGET = 1.5  # seconds, the whole of a request's waiting for its storage
LATE = 1.0  # seconds more, for a busy machine


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "sqlite":
        storage = SQLiteStorage(str(tmp_path / "sessions.db"))
    else:
        storage = PostgresStorage(request.getfixturevalue("postgresql").url)
    with closing(storage):
        yield storage


def count(storage: Storage, key: str, times: int) -> None:
    for _ in range(times):
        storage.increment(key, "n", 1, 60, create=True)


# The threads of earlier tests may not have ended yet; what is forked does not need them.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_several_processes_count_exactly(storage: Storage) -> None:
    """As gunicorn's, which fork after the storage was made; a new record included."""
    fork = multiprocessing.get_context("fork")
    key = f"several-{type(storage).__name__}"
    processes = [fork.Process(target=count, args=(storage, key, 100)) for _ in "abcd"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert storage.load(key, 60) == {"n": "400"}


def test_what_has_expired_is_removed_bit_by_bit(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    path = str(tmp_path / "sessions.db")
    with closing(SQLiteStorage(path)) as storage, closing(sqlite3.connect(path)) as own:
        for number in range(10):
            storage.save(f"{number}", {"n": "1"}, (), 60, create=True)
        own.execute("UPDATE sessions SET expiry = 0")
        own.commit()
        for _ in range(5):
            storage.increment("own", "n", 1, 60, create=True)
        assert own.execute("SELECT key FROM sessions").fetchall() == [("own",)]
    with (
        closing(PostgresStorage(postgresql.url)) as storage,
        psycopg.connect(postgresql.url, autocommit=True) as other,
    ):
        storage.ping()  # which makes the table
        other.execute("DELETE FROM sessions")
        for number in range(10):
            storage.save(f"{number}", {"n": "1"}, (), 60, create=True)
        other.execute("UPDATE sessions SET expiry = now()")
        for _ in range(5):
            storage.increment("own", "n", 1, 60, create=True)
        assert other.execute("SELECT key FROM sessions").fetchall() == [("own",)]


def test_any_name_of_a_field_is_kept(storage: Storage) -> None:
    """A client's JSON may hold characters that databases refuse in a text."""
    fields = {"\0": "1", "\ud83d": "2", "'; --": "3", "%s": "4"}
    assert storage.save("names", fields, (), 60, create=True)
    assert storage.load("names", 60) == fields


def test_nothing_shortens_the_minute_in_postgresql(postgresql: PostgreSQL) -> None:
    with (
        closing(PostgresStorage(postgresql.url)) as storage,
        psycopg.connect(postgresql.url, autocommit=True) as other,
    ):
        storage.delete("ended")
        expiry = "SELECT expiry FROM sessions WHERE key = 'ended'"
        before = other.execute(expiry).fetchone()
        for create in False, True:
            with pytest.raises(SessionEnded):
                storage.increment("ended", "n", 1, 1, create=create)
        with pytest.raises(SessionEnded):
            storage.delete("ended")
        assert other.execute(expiry).fetchone() == before
        other.execute("UPDATE sessions SET expiry = now() WHERE key = 'ended'")
        assert storage.load("ended", 60) is None
        assert storage.increment("ended", "n", 1, 60, create=True) == 1


def test_a_locked_file_is_an_outage_within_the_budget(tmp_path: Path) -> None:
    path = str(tmp_path / "sessions.db")
    with (
        closing(SQLiteStorage(path)) as storage,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        storage.increment("n", "n", 1, 60, create=True)
        other.execute("BEGIN IMMEDIATE")
        assert_fails_in_time(storage)
        other.execute("ROLLBACK")
        assert storage.increment("n", "n", 1, 60, create=True) == 2


def assert_fails_in_time(storage: Storage) -> None:
    """Four requests at a time are told so, each of them in time."""
    took: list[float] = []

    def ask() -> None:
        start = time.monotonic()
        with pytest.raises(StorageUnavailable):
            storage.increment("n", "n", 1, 60, create=True)
        took.append(time.monotonic() - start)

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(took) == 4
    assert max(took) < BUDGET + LATE


def works_again(storage: Storage) -> int:
    """Count as soon as it is possible; return the count."""
    deadline = time.monotonic() + 15
    while True:
        try:
            return storage.increment("n", "n", 1, 60, create=True) or 0
        except StorageUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_broken_or_missing_file_is_an_outage_which_ends(tmp_path: Path) -> None:
    path = tmp_path / "folder/sessions.db"
    with closing(SQLiteStorage(str(path))) as storage:
        with pytest.raises(StorageUnavailable, match=r"sessions\.db: unable to open"):
            storage.ping()
        path.parent.mkdir()
        path.write_text(
            "This is no database, and so long that SQLite takes it for one."
        )
        with pytest.raises(StorageUnavailable, match=r"sessions\.db: file is not a da"):
            storage.ping()
        path.unlink()
        assert storage.increment("n", "n", 1, 60, create=True) == 1


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for this test alone."""
    server = PostgreSQL()
    yield server
    server.remove()


def test_a_postgresql_that_hangs_is_an_outage_within_the_budget(
    server: PostgreSQL,
) -> None:
    with closing(PostgresStorage(server.url)) as storage:
        storage.increment("n", "n", 1, 60, create=True)
        server.signal(SIGSTOP)
        assert_fails_in_time(storage)
        start = time.monotonic()
        with pytest.raises(StorageUnavailable, match="failed a moment ago"):
            storage.ping()  # at once
        assert time.monotonic() - start < LATE
        server.signal(SIGCONT)
        assert works_again(storage) >= 2


def test_a_postgresql_that_is_restarted_loses_nothing(server: PostgreSQL) -> None:
    with closing(PostgresStorage(server.url)) as storage:
        storage.increment("n", "n", 1, 60, create=True)
        server.stop("immediate")  # as when it crashes
        assert_fails_in_time(storage)
        server.start()
        assert works_again(storage) == 2


def test_connections_that_postgresql_has_closed_are_replaced(
    server: PostgreSQL,
) -> None:
    with closing(PostgresStorage(server.url)) as storage:
        storage.increment("n", "n", 1, 60, create=True)
        with psycopg.connect(server.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        assert storage.increment("n", "n", 1, 60, create=False) == 2


def test_a_wrong_password_is_an_outage_that_names_no_password(
    server: PostgreSQL,
) -> None:
    url = server.url.replace("postgres@", "nobody:pass-word@")
    with closing(PostgresStorage(url)) as storage:
        with pytest.raises(StorageUnavailable) as raised:
            storage.ping()
        assert "pass-word" not in str(raised.value)
