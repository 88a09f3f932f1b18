"""Session: the mapping that views use; it decodes what is used, and knows what changed."""

from contextlib import suppress
from typing import Any

from .mapping import DictMethods
from .record import Record
from .states import Fate, State
from .storage import INT64, add
from .values import check_key, decode, encode


class Session(DictMethods):
    """A visitor's data, kept by the server under an id that only the cookie holds.

    Nothing is asked of the storage before the data is used. Keys are texts, values are
    what Flask's tagged JSON can hold. What changed, and no other key, is saved after the
    view; `increment` takes effect at once. Any use may raise StorageUnavailable.

    `permanent` is a flag like Flask's, remembered for those who look at it. It does not
    change the cookie: the idle timeout and the absolute lifetime rule.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self._values: dict[str, Any] = {}  # those that were used, as they are now
        self._removed: set[str] = set()
        self._used = self._saved = False

    def __getitem__(self, key: str) -> Any:
        self._used = True
        if key not in self._values:
            if key in self._removed:
                raise KeyError(key)
            text = self.record.load()[key]
            self._values[key] = decode(self.record.key, key, text)
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        check_key(key)
        self._used = True
        self._values[key] = value
        self._removed.discard(key)

    def __delitem__(self, key: str) -> None:
        self[key]
        self.record.load()  # it may have what this request has only set, and not read
        del self._values[key]
        self._removed.add(key)

    def increment(self, key: str, by: int = 1) -> int:
        """Add to a number, exactly however many requests do so at once; return the sum.

        A missing key counts as 0. Raises TypeError if the key holds anything but an int
        of at most 64 bits, OverflowError if the sum needs more; nothing changes then.
        """
        check_key(key)
        if type(by) is not int:
            raise TypeError(f"session.increment({key!r}) adds an int, not {by!r}")
        if by not in INT64:
            raise OverflowError(f"session[{key!r}] cannot grow by more than 64 bits")
        try:
            total = self._increment_stored(key, by)
            if total is None:
                total = add(encode(key, self.get(key, 0)), by)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"session[{key!r}] stays as it was: {error}") from None
        self._used = True
        self._values[key] = total
        self._removed.discard(key)
        return total

    def clear(self) -> None:
        """Forget everything, as at logout: the record is deleted and the cookie expires.

        What is set afterwards starts a new session, under a new id.
        """
        self.record.forget()
        self._values, self._removed = {}, set(self.record.fields)
        self._used = True

    def regenerate(self) -> None:
        """Keep the data under a new id: due when someone logs in (ASVS 7.2.4)."""
        self.record.renew()
        self._used = True

    def save(self) -> None:
        """Write what this request changed; a second call does nothing.

        Raises TypeError, and changes nothing, if a value cannot be stored.
        """
        if self._used and not self._saved:
            self._saved = True
            fields = self.record.fields
            texts = {key: encode(key, value) for key, value in self._values.items()}
            changed = {key: t for key, t in texts.items() if t != fields.get(key)}
            self.record.commit(changed, self._removed & fields.keys())

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether there was no session before this request, as far as it is known."""
        forgotten = self.record.fate is Fate.FORGET
        return forgotten or self.record.state in (State.ABSENT, State.MADE)

    @property
    def modified(self) -> bool:
        """Whether there is something to save. Changes inside values are noticed."""
        keys = self._values.keys() | self._removed
        return self.record.fate is not Fate.KEEP or any(map(self._is_changed, keys))

    @modified.setter
    def modified(self, value: bool) -> None:
        pass

    @property
    def accessed(self) -> bool:
        """Whether the data was used; Flask's own flag is set by merely looking here."""
        return self._used

    @accessed.setter
    def accessed(self, value: bool) -> None:
        pass

    def __repr__(self) -> str:
        return f"<Session {self.record.state.name}>"  # without data: it may be logged

    def copy(self) -> dict[str, Any]:
        """Return the data as a dict, which holds the same values."""
        keys = [*self.record.load(), *self._values]
        for key in keys:
            with suppress(KeyError):  # removed, or not readable
                self[key]
        self._used = True
        return {key: self._values[key] for key in keys if key in self._values}

    def _is_changed(self, key: str) -> bool:
        if key in self._values:
            text = encode(key, self._values[key])
            return text != self.record.fields.get(key)
        return key in self._removed

    def _increment_stored(self, key: str, by: int) -> int | None:
        """Increment in the storage; None if only this request may see the sum."""
        if self._is_changed(key):
            return None
        try:
            return self.record.increment(key, by)
        except (TypeError, OverflowError):
            text = self.record.reload().get(key, "null")
            with suppress(KeyError):
                decode(self.record.key, key, text)
                raise
            return by  # what cannot be read counts as absent
