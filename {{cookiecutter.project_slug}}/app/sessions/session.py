"""The mapping that views use: it decodes what is used, and knows what has changed."""

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any, Self

from flask.sessions import SessionMixin

from .record import Record
from .states import Fate, State
from .storage.base import INT64, add
from .values import check_key, decode, encode

GONE = object()  # the value of a key that was deleted


class Session(SessionMixin):
    """A visitor's data, kept by the server under an id that only the cookie holds.

    Keys are strings; values are what Flask's tagged JSON can hold. The storage is asked
    only when the data is used. After the view, only the keys that changed are saved;
    `increment` takes effect at once. Any use may raise StorageUnavailable. `permanent` is
    remembered, but does not change the cookie.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        # Whether the data was used: Flask sets `accessed` by merely looking here.
        self.used = self._saved = False
        self._values: dict[str, Any] = {}  # of the keys that were used, as they are now

    def __getitem__(self, key: str) -> Any:
        record = self._use()
        if key not in self._values:
            self._values[key] = decode(record.key, key, record.load()[key])
        if self._values[key] is GONE:
            raise KeyError(key)
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        check_key(key)
        self._use()
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        self[key]
        self.record.load()  # the record may hold a key that this request has only set
        self._values[key] = GONE

    def increment(self, key: str, by: int = 1) -> int:
        """Add to a number and return the sum, even if many requests do so at once.

        A missing key counts as 0. Raises TypeError unless the key holds an int of at most
        64 bits, OverflowError if the sum needs more; then nothing changes.
        """
        check_key(key)
        if type(by) is not int:
            raise TypeError(f"session.increment({key!r}) adds an int, not {by!r}")
        if by not in INT64:
            raise OverflowError(f"session[{key!r}] cannot grow by more than 64 bits")
        self._use()
        try:
            total = self._increment_stored(key, by)
            if total is None:
                total = add(encode(key, self.get(key, 0)), by)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"session[{key!r}] stays as it was: {error}") from None
        self._values[key] = total
        return total

    def clear(self) -> None:
        """Forget everything, as at logout: delete the record and expire the cookie.

        What is set afterwards starts a new session, under a new id.
        """
        record = self._use()
        record.forget()
        self._values = dict.fromkeys(record.fields, GONE)

    def regenerate(self) -> None:
        """Keep the data under a new id, as required at each login (ASVS 7.2.4)."""
        self._use().renew()

    def save(self) -> None:
        """Write what has changed: all of it, or nothing and a TypeError. Works only once."""
        if self.used and not self._saved:
            self._saved = True
            self.record.commit({k: self._text(k) for k in self._values})

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether there was no session before this request, as far as is known."""
        return self.record.state in (State.ABSENT, State.MADE)

    @property
    def modified(self) -> bool:
        """Whether there is something to save. Changes inside values are noticed."""
        changed = any(map(self._is_changed, self._values))
        return changed or self.record.fate is not Fate.KEEP

    @modified.setter
    def modified(self, value: bool) -> None:
        pass

    def _use(self) -> Record:
        self.used = True
        return self.record

    def _text(self, key: str) -> str | None:
        value = self._values[key]
        return None if value is GONE else encode(key, value)

    def _is_changed(self, key: str) -> bool:
        return self._text(key) != self.record.fields.get(key)

    def _increment_stored(self, key: str, by: int) -> int | None:
        """Increment in the storage; return None if only this request may see the sum."""
        if key in self._values and self._is_changed(key):
            return None
        try:
            return self.record.increment(key, by)
        except (TypeError, OverflowError):
            with suppress(KeyError):
                decode(self.record.key, key, self.record.reload().get(key, "null"))
                raise
            return by  # a value that cannot be read counts as absent

    def copy(self) -> dict[str, Any]:
        """Return the data as a dict with the same values."""
        keys = [*self._use().load(), *self._values]
        return {key: self[key] for key in keys if key in self}

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self.copy())

    def __len__(self) -> int:
        return len(self.copy())

    def __repr__(self) -> str:
        return f"<Session {self.record.state.name}>"  # without data: it may be logged

    def __or__(self, other: Any) -> dict[str, Any]:
        return self.copy() | dict(other)

    def __ror__(self, other: Any) -> dict[str, Any]:
        return dict(other) | self.copy()

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return deepcopy(self.copy(), memo)

    __copy__ = copy
    fromkeys = dict.fromkeys
