"""Sessions in the memory of one process: for trying things out, and for tests."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from threading import Lock

from .base import Storage, add


class MemoryStorage(Storage):
    """Keeps at most `max_sessions` sessions; the one unused for longest goes first."""

    def __init__(
        self,
        max_sessions: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_sessions = max_sessions
        self._clock = clock
        self._lock = Lock()
        # key -> (time of expiry, fields); the longest unused record comes first
        self._records: OrderedDict[str, tuple[float, dict[str, str]]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many sessions are held, expired ones not yet pruned included."""
        return len(self._records)

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        with self._lock:
            record = self._find(key)
            if record is None:
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
            if record is None:
                if not create:
                    return False
                record = {}
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
            if record is None:
                if not create:
                    return None
                record = {}
            total = add(record.get(field, "0"), by)
            record[field] = str(total)
            self._keep(key, record, ttl)
            return total

    def delete(self, key: str) -> None:
        with self._lock:
            self._records.pop(key, None)

    def take(self, key: str) -> dict[str, str] | None:
        with self._lock:
            record = self._find(key)
            self._records.pop(key, None)
            return record

    def ping(self) -> None:
        pass

    def _find(self, key: str) -> dict[str, str] | None:
        expiry, record = self._records.get(key, (0.0, None))
        return record if self._clock() < expiry else None

    def _keep(self, key: str, record: dict[str, str], ttl: int) -> None:
        now = self._clock()
        self._records.pop(key, None)
        if record:
            self._records[key] = (now + ttl, record)
        # Two at a time is enough to keep up: a call adds one record at most.
        for _ in range(2):
            if not self._records:
                return
            oldest = next(iter(self._records))
            full = len(self._records) > self._max_sessions
            if not full and now < self._records[oldest][0]:
                return
            del self._records[oldest]
