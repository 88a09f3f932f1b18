"""Session: the mapping that views use; loaded when needed, saved key by key."""

import base64
import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SessionMixin

from .storage import INT64, Storage, StorageUnavailable

log = logging.getLogger(__name__)
serializer = TaggedJSONSerializer()

P = ParamSpec("P")
T = TypeVar("T")


class Session(SessionMixin):
    """A visitor's data, kept by the server under an id that only the cookie holds.

    Nothing is asked of the storage before the data is used. Keys are texts, values are
    what Flask's tagged JSON can hold. What changed, and no other key, is saved after the
    view; `increment` takes effect at once. Any use may raise StorageUnavailable.
    """

    def __init__(
        self, storage: Storage, session_id: str | None, ttl: int, new_ttl: int
    ) -> None:
        """Take the id of a valid cookie; `ttl` is the seconds its record may stay unused,
        `new_ttl` the same for a new id."""
        self._storage = storage
        self._ttl = ttl
        self._new_ttl = new_ttl
        self._id = session_id
        self._key = storage_key(session_id) if session_id else ""
        self.new = self._loaded = session_id is None

        self._values: dict[str, Any] = {}
        self._touched: set[str] = set()  # the keys read, set or deleted
        self._stored: dict[str, str] = {}  # what the storage holds, as far as known

        self._used = self._modified = self._saved = False
        self._alive = False  # this request has seen the record
        self._destroyed = False  # and then found it gone: nothing is written any more
        self._failure: StorageUnavailable | None = None
        self._regenerate = False
        self._cleared: list[str] = []  # the keys of records to delete
        self.ended = False  # the id that the browser holds has been given up

    def __getitem__(self, key: str) -> Any:
        if key not in self._touched:
            self._load()
        value = self._values[key]
        self._touched.add(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"session keys are texts, not {key!r}")
        self._values[key] = value
        self._touched.add(key)
        self._used = self._modified = True

    def __delitem__(self, key: str) -> None:
        self._load()
        del self._values[key]
        self._touched.add(key)
        self._modified = True

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._values)

    def __len__(self) -> int:
        self._load()
        return len(self._values)

    def increment(self, key: str, by: int = 1) -> int:
        """Add to a number, exactly however many requests do so at once; return the sum.

        A missing key counts as 0. Raises TypeError if the key holds anything but an int,
        OverflowError if the sum needs more than 64 bits.
        """
        if not isinstance(key, str) or type(by) is not int:
            raise TypeError(
                f"session.increment takes a text and an int: {key!r}, {by!r}"
            )
        if by not in INT64:
            raise OverflowError(f"session[{key!r}] cannot grow by more than 64 bits")
        self._used = self._modified = True
        if self._destroyed or self._is_changed(key):
            return self._count(key, by)
        try:
            total = self._write(self._storage.increment, key, by)
        except (TypeError, OverflowError):
            self._load()
            if not self.new:
                return self._count(key, by)  # raises, and tells what is there
            return self.increment(key, by)  # the record was not readable
        if total is None:
            return self._count(key, by)
        self._values[key] = total
        self._stored[key] = str(total)
        self._touched.add(key)
        return total

    def clear(self) -> None:
        """Forget everything, as at logout: the record is deleted and the cookie expires.

        What is set afterwards starts a new session, under a new id.
        """
        if self._id is not None:
            self._cleared.append(self._key)
            self.ended = self.ended or not self.new
        self._id = None
        self.new = self._loaded = True
        self._values, self._touched, self._stored = {}, set(), {}
        self._alive = self._destroyed = self._regenerate = False
        self._used = self._modified = True

    def regenerate(self) -> None:
        """Keep the data under a new id: due when someone logs in (ASVS 7.2.4)."""
        self._regenerate = self._used = self._modified = True

    @property
    def modified(self) -> bool:
        """Whether this request changed anything, nested values included."""
        return self._modified or any(map(self._is_changed, self._touched))

    @modified.setter
    def modified(self, value: bool) -> None:
        self._modified = value

    @property
    def accessed(self) -> bool:
        """Whether the data was used; Flask's own flag is set by merely looking here."""
        return self._used

    @accessed.setter
    def accessed(self, value: bool) -> None:
        pass

    @property
    def permanent(self) -> bool:
        """Always true: the cookie outlives the browser, until the absolute lifetime."""
        return True

    @permanent.setter
    def permanent(self, value: bool) -> None:
        pass

    @property
    def issued(self) -> str | None:
        """The id for a new cookie, once the session is saved; None if none is due."""
        return self._id if self.new and self._alive and not self._destroyed else None

    def save(self) -> None:
        """Write what this request changed; a second call does nothing.

        Raises TypeError, and writes nothing, if a value cannot be stored.
        """
        if self._saved:
            return
        self._saved = True
        changed, removed = self._changes()
        if not (changed or removed or self._cleared or self._regenerate):
            return
        if self._failure:
            raise self._failure  # at once: the time-out has been paid already
        for key in self._cleared:
            self._ask(self._storage.delete, key)
        if self._regenerate:
            self._load()
        if self._destroyed:
            return
        if self._regenerate and not self.new:
            self._move(changed, removed)
        elif changed or removed:
            self._write(self._storage.save, changed, removed)
            if self._loaded:
                self._end_if_empty()

    def _load(self) -> None:
        self._used = True
        if self._loaded or self._destroyed:
            return
        record = self._ask(self._storage.load, self._key, self._ttl)
        try:
            values = {
                key: serializer.loads(text) for key, text in (record or {}).items()
            }
        except Exception:  # noqa: BLE001 - foreign data makes decoders raise anything
            log.error("%s cannot be read: it counts as absent", self._key)
            record, self._alive, self._stored = None, False, {}
        self._loaded = True
        if record is not None:
            self._alive = True
            self._stored = record | self._stored
            self._values = values | self._values
        elif self._alive:
            self._destroyed = True
        else:
            self._id, self.new = None, True

    def _write(self, operation: Callable[..., T | None], *args: Any) -> T | None:
        """Save or increment: into the record, or into a new one if there was none.

        Returns None if the session was destroyed after this request had seen it.
        """
        if self._id is not None:
            answer = self._ask(operation, self._key, *args, self._ttl, create=False)
            if answer is not None and answer is not False:
                self._alive = True
                return answer
            if self._alive:
                self._destroyed = True
                return None
        self._start()
        answer = self._ask(operation, self._key, *args, self._ttl, create=True)
        self._alive = True
        return answer

    def _start(self) -> None:
        self._id = secrets.token_urlsafe(32)
        self._key = storage_key(self._id)
        self._ttl = self._new_ttl
        self.new = self._loaded = True

    def _move(self, changed: dict[str, str], removed: list[str]) -> None:
        """Copy the record to a new id, then take the old one away.

        In this order a failure leaves the visitor with a session that works. What other
        requests wrote in between comes along; if the old record is gone, someone else
        has destroyed or moved it, and the copy goes too.
        """
        old_key, known, ours = self._key, self._stored, {*changed, *removed}
        copy = {key: text for key, text in known.items() if key not in ours} | changed
        self._start()
        self._ask(self._storage.save, self._key, copy, (), self._ttl, create=True)
        latest = self._ask(self._storage.take, old_key)
        if latest is None:
            self._destroyed = True
            self._ask(self._storage.delete, self._key)
            return
        theirs = {
            key: text
            for key, text in latest.items()
            if key not in ours and text != known.get(key)
        }
        gone = [key for key in known if key not in latest and key not in ours]
        if theirs or gone:
            self._ask(
                self._storage.save, self._key, theirs, gone, self._ttl, create=True
            )

    def _end_if_empty(self) -> None:
        """Removing the last key ends a session, unless another request has added one."""
        if self._values or self._destroyed:
            return
        if self._ask(self._storage.load, self._key, self._ttl) is None:
            self._alive = False
            self.ended = self.ended or not self.new

    def _ask(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return operation(*args, **kwargs)
        except StorageUnavailable as error:
            self._failure = error
            raise

    def _count(self, key: str, by: int) -> int:
        """Increment what only this request sees."""
        value = self._values.get(key, 0)
        if type(value) is not int:
            kind = type(value).__name__
            raise TypeError(f"session[{key!r}] is of type {kind}, not int")
        if value + by not in INT64:
            raise OverflowError(f"session[{key!r}] would need more than 64 bits")
        self._values[key] = value + by
        self._touched.add(key)
        return value + by

    def _text(self, key: str) -> str:
        value = self._values[key]
        if type(value) is int:
            return str(value)  # what the serializer makes of it, in a tenth of the time
        try:
            return serializer.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"session[{key!r}] cannot be stored: {error}") from error

    def _is_changed(self, key: str) -> bool:
        if key not in self._touched:
            return False
        text = self._text(key) if key in self._values else None
        return text != self._stored.get(key)

    def _changes(self) -> tuple[dict[str, str], list[str]]:
        texts = {key: self._text(key) for key in self._values if key in self._touched}
        changed = {k: text for k, text in texts.items() if text != self._stored.get(k)}
        return changed, [key for key in self._stored if key not in self._values]


def storage_key(session_id: str) -> str:
    """Return the key of a session's record: a hash, which does not tell the id."""
    digest = hashlib.sha256(session_id.encode()).digest()[:16]
    return "session:" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
