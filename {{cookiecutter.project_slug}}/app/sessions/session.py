"""The mapping that views use: it decodes what is used, and knows what has changed."""

from collections.abc import Iterator
from typing import Any

from flask.sessions import SessionMixin

from .record import Record
from .states import Fate, State
from .storage.base import INT64, add
from .values import check_key, decode, encode

REMOVED = object()  # the value of a key that was removed


class Session(SessionMixin):
    """A visitor's data, kept by the server under an id that only the cookie holds.

    The storage is asked only when the data is used. After the view, only the keys that
    changed are saved; `increment` takes effect at once. Any use may raise
    StorageUnavailable. `permanent` is remembered, but does not change the cookie.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._used = self._saved = False
        self._values: dict[str, Any] = {}  # of the keys that were used, as they are now
        self._read: dict[str, str] = {}  # the texts from which they were decoded

    def __getitem__(self, key: str) -> Any:
        record = self._use()
        if key not in self._values:
            text = record.load()[key]
            self._values[key] = decode(record.key, key, text)
            self._read[key] = text
        if self._values[key] is REMOVED:
            raise KeyError(key)
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        check_key(key)
        self._use()
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._record.load()  # it may hold a key that this request has only set
        self._values[key] = REMOVED

    def increment(self, key: str, by: int = 1) -> int:
        """Add to a number and return the sum, even if many requests do so at once.

        A missing key counts as 0. Raises TypeError unless the key holds an int of 64 bits,
        OverflowError if the sum needs more, RuntimeError if it is too late to save it.
        """
        check_key(key)
        if type(by) is not int or by not in INT64:
            raise TypeError(f"session.increment({key!r}) adds a 64-bit int, not {by!r}")
        self._use()
        try:
            total = self._increment_stored(key, by)
            if total is None:
                if self._saved and self._record.state is not State.ENDED:
                    raise RuntimeError("use the session before the stream begins")
                total = add(encode(key, self.get(key, 0)), by)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"session[{key!r}] stays as it was: {error}") from None
        self._values[key] = total
        self._read.pop(key, None)
        return total

    def clear(self) -> None:
        """Forget everything, as at logout; what is set afterwards gets a new id."""
        self._use().forget()
        self._values, self._read = {}, {}

    def regenerate(self) -> None:
        """Keep the data under a new id, as required at each login (ASVS 7.2.4)."""
        self._use().renew()

    # Whether the data was used. Flask sets this by merely looking, which has no effect.
    accessed = property(lambda self: self._used, lambda self, value: None)

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether there is no session yet, as far as is known."""
        return self._use().state is State.ABSENT

    def _is_modified(self) -> bool:
        """Return whether there is something to save: changes inside values are noticed."""
        unsaved = self._record.unsaved(self._changes())
        return bool(unsaved) or self._record.fate is not Fate.KEEP

    modified = property(_is_modified, lambda self, value: None)  # it only tells

    def copy(self) -> dict[str, Any]:
        """Return the data as a dict with the same values."""
        keys = [*self._use().load(), *self._values]
        return {key: self[key] for key in keys if key in self}

    __copy__ = copy

    def popitem(self) -> tuple[str, Any]:
        """Remove the key that comes last, as a dict does, and return it with its value."""
        for key in reversed(self.copy()):
            return key, self.pop(key)
        raise KeyError("popitem(): the session is empty")

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __len__(self) -> int:
        return len(self.copy())

    def _save(self) -> None:
        """Write what has changed: all of it, or nothing and a TypeError. Works only once."""
        first, self._saved = not self._saved, True
        if first and self._used:
            self._record.commit(self._changes())

    def _use(self) -> Record:
        self._used = True
        return self._record

    def _text(self, key: str) -> str | None:
        value = self._values[key]
        return None if value is REMOVED else encode(key, value, self._read.get(key))

    def _changes(self) -> dict[str, str | None]:
        """Return the texts of all keys that were used, but for those only read."""
        texts = {key: self._text(key) for key in self._values}
        return {k: text for k, text in texts.items() if text != self._read.get(k, "")}

    def _increment_stored(self, key: str, by: int) -> int | None:
        """Increment in the storage; return None if only this request may see the sum."""
        if key in self._values and self._text(key) != self._record.fields.get(key):
            return None
        try:
            return self._record.increment(key, by)
        except (TypeError, OverflowError):
            try:
                decode(self._record.key, key, self._record.load().get(key, "null"))
            except KeyError:
                return None  # a value that cannot be read counts as absent
            raise
