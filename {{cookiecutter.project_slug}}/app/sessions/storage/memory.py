"""Sessions in the memory of one process: for trying things out, and for tests."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from .base import ENDED_FOR, Fields, Names, SessionEnded, Storage, add


class MemoryStorage(Storage):
    """Keeps at most `max_sessions` sessions, dropping the least recently used."""

    def __init__(
        self, max_sessions: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_sessions, self._clock, self._lock = max_sessions, clock, Lock()
        # key -> (time of expiry, fields, or None if ended); least recently used first
        self._records = OrderedDict[str, tuple[float, dict[str, str] | None]]()

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        with self._record(key, ttl) as record:
            return dict(record) or None

    def save(
        self, key: str, changed: Fields, removed: Names, ttl: int, *, create: bool
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
            total = add(record.get(field, "0"), by)
            record[field] = str(total)
            return total

    def delete(self, key: str) -> dict[str, str] | None:
        with self._record(key, ENDED_FOR, end=True) as record:
            return record or None

    def ping(self) -> None:
        pass

    @contextmanager
    def _record(
        self, key: str, ttl: int, *, end: bool = False
    ) -> Iterator[dict[str, str]]:
        """Yield the fields, to read and to change; then keep them, or end the key."""
        with self._lock:
            now = self._clock()
            expiry, record = self._records.get(key, (now, {}))
            if now >= expiry:
                record = {}
            if record is None:
                raise SessionEnded
            yield record
            self._records.pop(key, None)
            if record or end:
                self._records[key] = (now + ttl, None if end else record)
            while self._records:  # each call adds at most one
                oldest, (expiry, _) = next(iter(self._records.items()))
                if now < expiry and len(self._records) <= self._max_sessions:
                    break
                del self._records[oldest]
