"""Five faults that the checker has to find, each around a storage that has none."""

import time
from collections.abc import Collection, Mapping

from app.sessions import SessionEnded, Storage, StorageUnavailable


class Whole(Storage):
    """Hands everything on: what the broken ones have in common."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        return self.storage.load(key, ttl)

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        return self.storage.save(key, changed, removed, ttl, create=create)

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        return self.storage.increment(key, field, by, ttl, create=create)

    def delete(self, key: str) -> dict[str, str] | None:
        return self.storage.delete(key)

    def ping(self) -> None:
        self.storage.ping()


class Retry(Whole):
    """An increment is sent again if its answer was lost."""

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        for pause in (0.1, 0.5):  # seconds, after which Redis may be well again
            try:
                return super().increment(key, field, by, ttl, create=create)
            except StorageUnavailable:
                time.sleep(pause)
        return super().increment(key, field, by, ttl, create=create)


class ReadAllWriteAll(Whole):
    """A change writes all that the session held a moment ago, as most others do."""

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        record = super().load(key, ttl)
        time.sleep(0.005)  # as long as a view may take
        return super().save(
            key, {**(record or {}), **changed}, removed, ttl, create=create
        )


class Revive(Whole):
    """What has ended is not known to have; whoever writes makes it anew."""

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        return super().save(key, changed, removed, ttl, create=True)

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        return super().increment(key, field, by, ttl, create=True)

    def delete(self, key: str) -> dict[str, str] | None:
        try:
            record = super().load(key, 60)
            super().save(key, {}, list(record or {}), 60, create=False)
        except SessionEnded:
            return None
        return record


class LateCookie(Whole):
    """What has ended counts as never having been, so that late requests begin anew."""

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        try:
            return super().load(key, ttl)
        except SessionEnded:
            return None

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        try:
            return super().save(key, changed, removed, ttl, create=create)
        except SessionEnded:
            return False

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        try:
            return super().increment(key, field, by, ttl, create=create)
        except SessionEnded:
            return None


class OneBreaker(Whole):
    """One server that fails has all of them refused for a second."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.closed_until = 0.0

    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        with self:
            return super().load(key, ttl)

    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        with self:
            return super().save(key, changed, removed, ttl, create=create)

    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        with self:
            return super().increment(key, field, by, ttl, create=create)

    def __enter__(self) -> None:
        if time.monotonic() < self.closed_until:
            raise StorageUnavailable

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, StorageUnavailable):
            self.closed_until = time.monotonic() + 1


BREAKS = {
    "retry": Retry,
    "save": ReadAllWriteAll,
    "revive": Revive,
    "cookie": LateCookie,
    "breaker": OneBreaker,
}
