"""A storage of one's own, as an example: sessions in an SQLite file."""

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from app.sessions import Storage, StorageUnavailable

INT64 = range(-(2**63), 2**63)


class SQLiteStorage(Storage):
    """Keeps each session as a row of JSON, in a file that many processes may share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._transaction() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS sessions"
                " (key TEXT PRIMARY KEY, record TEXT, expiry REAL)"
            )

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        with self._record(key, ttl) as record:
            return record or None

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        with self._record(key, ttl) as record:
            if not record and not create:
                return False
            record.update(changed)
            for field in removed:
                record.pop(field, None)
            return True

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        with self._record(key, ttl) as record:
            if not record and not create:
                return None
            try:
                value = int(record.get(field, "0"))
            except ValueError:
                value = INT64.stop
            if value not in INT64:
                raise TypeError(f"{field!r} does not hold a 64-bit integer")
            if value + by not in INT64:
                raise OverflowError(f"{field!r} would need more than 64 bits")
            record[field] = str(value + by)
            return value + by

    def delete(self, key: str) -> None:
        with self._record(key, 1) as record:
            record.clear()

    def take(self, key: str) -> dict[str, str] | None:
        with self._record(key, 1) as record:
            taken = dict(record)
            record.clear()
            return taken or None

    def ping(self) -> None:
        with self._transaction():
            pass

    @contextmanager
    def _record(self, key: str, ttl: int) -> Iterator[dict[str, str]]:
        """Lend a record to read and change; it goes when it is empty or has expired."""
        now = time.time()
        with self._transaction() as database:
            database.execute("DELETE FROM sessions WHERE expiry <= ?", (now,))
            query = "SELECT record FROM sessions WHERE key = ?"
            row = database.execute(query, (key,)).fetchone()
            record = json.loads(row[0]) if row else {}
            yield record
            database.execute("DELETE FROM sessions WHERE key = ?", (key,))
            if record:
                row = key, json.dumps(record), now + ttl
                database.execute("INSERT INTO sessions VALUES (?, ?, ?)", row)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=1)) as database, database:
                database.execute("BEGIN IMMEDIATE")  # nobody else writes until the end
                yield database
        except sqlite3.Error as error:
            raise StorageUnavailable(str(error)) from error
