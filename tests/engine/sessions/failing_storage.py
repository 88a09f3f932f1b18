"""A storage whose calls fail when a test wants them to."""

from collections.abc import Callable
from typing import Any

from app.sessions import Storage, StorageUnavailable


class FailingStorage(Storage):
    """A storage whose call number `fails_at`, counted from 0, fails.

    `how` is "before" if the call has no effect, "after" if only its answer is lost.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.calls = 0
        self.fails_at: int | None = None
        self.how = ""

    def _call(self, operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
        fails = self.calls == self.fails_at
        self.calls += 1
        if fails and self.how == "before":
            raise StorageUnavailable
        answer = operation(*args, **options)
        if fails:
            raise StorageUnavailable
        return answer

    def load(self, *args: Any) -> Any:
        return self._call(self.storage.load, *args)

    def save(self, *args: Any, **options: Any) -> Any:
        return self._call(self.storage.save, *args, **options)

    def increment(self, *args: Any, **options: Any) -> Any:
        return self._call(self.storage.increment, *args, **options)

    def delete(self, *args: Any) -> Any:
        return self._call(self.storage.delete, *args)

    def ping(self) -> None:
        pass
