"""An example of a storage of your own: sessions in an SQLite file."""

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager

from app.sessions import ENDED_FOR, SessionEnded, Storage, StorageUnavailable, add


class SQLiteStorage(Storage):
    """Keeps each session as a row of JSON, in a file that many processes may share."""

    def __init__(self, path: str) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS sessions (key PRIMARY KEY, record, expiry)"
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
            record[field] = str(add(record.get(field, "0"), by))
            return int(record[field])

    def delete(self, key: str) -> dict[str, str] | None:
        with self._record(key, ENDED_FOR, end=True) as record:
            return record or None

    def ping(self) -> None:
        self.load("", 1)

    @contextmanager
    def _record(
        self, key: str, ttl: int, *, end: bool = False
    ) -> Iterator[dict[str, str]]:
        try:
            with closing(sqlite3.connect(self._path, timeout=1)) as database, database:
                run = database.execute
                database.executescript("PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE")
                run("DELETE FROM sessions WHERE expiry <= ?", [time.time()])
                rows = run("DELETE FROM sessions WHERE key = ? RETURNING record", [key])
                record = json.loads((rows.fetchone() or ["{}"])[0])
                if record is None:
                    raise SessionEnded  # the row stays as it was
                yield record  # to read and change; nobody else can use the file meanwhile
                if record or end:
                    text = json.dumps(None if end else record)
                    row = key, text, time.time() + ttl
                    run("INSERT INTO sessions VALUES (?, ?, ?)", row)
        except sqlite3.Error as error:
            raise StorageUnavailable(str(error)) from error
