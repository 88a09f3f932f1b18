"""Sessions in the memory of one process: for trying things out, and for tests."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from threading import Lock

from .base import ENDED_FOR, SessionEnded, Storage, add


class MemoryStorage(Storage):
    """Keeps at most `max_sessions` sessions, dropping the least recently used."""

    def __init__(
        self,
        max_sessions: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_sessions = max_sessions
        self._clock = clock
        self._lock = Lock()
        # key -> (time of expiry, fields, or None if ended); least recently used first
        self._records: OrderedDict[str, tuple[float, dict[str, str] | None]] = (
            OrderedDict()
        )

    def __len__(self) -> int:
        """Return how many are held, including ended and expired ones not yet dropped."""
        return len(self._records)

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        with self._lock:
            record = self._find(key)
            if not record:
                return None
            self._keep(key, record, ttl)
            return dict(record)

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        with self._lock:
            record = self._find(key)
            if not record and not create:
                return False
            record.update(changed)
            for field in removed:
                record.pop(field, None)
            self._keep(key, record, ttl)
            return True

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        with self._lock:
            record = self._find(key)
            if not record and not create:
                return None
            total = add(record.get(field, "0"), by)
            record[field] = str(total)
            self._keep(key, record, ttl)
            return total

    def delete(self, key: str) -> dict[str, str] | None:
        with self._lock:
            record = self._find(key)
            self._keep(key, None, ENDED_FOR)
            return record or None

    def ping(self) -> None:
        pass

    def _find(self, key: str) -> dict[str, str]:
        """Return the fields, empty if there is no record; may raise SessionEnded."""
        expiry, record = self._records.get(key, (0.0, None))
        if self._clock() >= expiry:
            return {}
        if record is None:
            raise SessionEnded
        return record

    def _keep(self, key: str, record: dict[str, str] | None, ttl: int) -> None:
        now = self._clock()
        self._records.pop(key, None)
        if record != {}:
            self._records[key] = (now + ttl, record)
        while self._records:
            longest_unused, (expiry, _) = next(iter(self._records.items()))
            if now < expiry and len(self._records) <= self._max_sessions:
                return
            del self._records[longest_unused]
