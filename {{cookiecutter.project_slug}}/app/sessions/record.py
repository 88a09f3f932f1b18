"""One session in the storage, as one request sees it; README.md explains the states."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .signer import storage_key
from .states import Cookie, Fate, State
from .storage.base import SessionEnded, Storage, StorageUnavailable

Fields = Mapping[str, str]
Changes = Mapping[str, str | None]  # None: the field is removed
T = TypeVar("T")


class Record:
    """Asks the storage about one session, and commits what the request has changed.

    `session_id` is that of a valid cookie. `ttl`: seconds until this record expires if
    unused; `new_ttl`: the same for a new id. Each method that asks the storage raises
    StorageUnavailable if that fails, and later calls do so at once: a request waits once.
    """

    def __init__(
        self, storage: Storage, session_id: str | None, *, ttl: int, new_ttl: int
    ) -> None:
        self._storage = storage
        self._ttl = ttl
        self._new_ttl = new_ttl
        self._failure: StorageUnavailable | None = None
        self.has_cookie = session_id is not None
        self.id = session_id or ""
        self.key = storage_key(self.id) if session_id else ""
        self.fields: dict[str, str] = {}  # as far as they are known
        self.state = State.UNASKED if session_id else State.ABSENT
        self.fate, self.cookie = Fate.KEEP, Cookie.KEEP

    def load(self) -> dict[str, str]:
        """Return all fields: none if there is no record, or if it will be forgotten."""
        if self.fate is not Fate.FORGET and self.state in (State.UNASKED, State.THERE):
            fields = self._ask(self._storage.load)
            if fields is not None:
                self.fields = fields | self.fields  # keep what this request has seen
                self.state = State.LOADED
        return self.fields

    def reload(self) -> dict[str, str]:
        """Return the fields as they are now."""
        return self._ask(self._storage.load) or {}

    def increment(self, field: str, by: int) -> int | None:
        """Add to a field at once; return the sum, or None if nothing may be written."""
        if self.fate is Fate.FORGET:
            return None
        total = self._ask(self._storage.increment, field, by, create=False)
        if self.state is State.ABSENT:
            total = self._make(self._storage.increment, field, by)
        if total is not None:
            self.fields[field] = str(total)
        return total

    def renew(self) -> None:
        """Give the same data a new id, at the commit."""
        if self.has_cookie and self.fate is Fate.KEEP:
            self.fate = Fate.RENEW

    def forget(self) -> None:
        """End the record that the cookie names, at the commit."""
        if self.has_cookie and self.state is not State.MADE:
            self.fate = Fate.FORGET
            self.fields = {}

    def commit(self, texts: Changes) -> None:
        """Set these fields, and renew or forget; then `cookie` says what becomes of it."""
        changes = {f: text for f, text in texts.items() if text != self.fields.get(f)}
        if self.fate is Fate.KEEP or self.state is State.MADE:
            self._save(changes)
        else:
            self._replace(changes)

    def _save(self, changes: Changes) -> None:
        """Write into the record, or into a new one if there was none."""
        if changes:
            changed = merged({}, changes)
            removed = changes.keys() - changed.keys()
            self._ask(self._storage.save, changed, removed, create=False)
            if self.state is State.ABSENT:
                self._make(self._storage.save, changed, ())
            self.fields = merged(self.fields, changes)
        if self.state is State.MADE and self.fields:
            self.cookie = Cookie.ISSUE

    def _replace(self, changes: Changes) -> None:
        """Make a new record if there is data, then end the old one.

        Once the new record is complete, the visitor gets its id, even with a failure. If
        another request has ended the old record meanwhile, the new one is deleted too.
        """
        if self.fate is Fate.RENEW:
            self.load()
        elif self.state is State.UNASKED:
            self.reload()
        copy = merged(self.fields, changes)
        if self.fate is Fate.RENEW and not copy:
            self._save(changes)
        elif self.state is not State.ENDED:
            old_key, was_there = self.key, self.state is not State.ABSENT
            if copy:
                self._make(self._storage.save, copy, ())
                self.fields, self.cookie = copy, Cookie.ISSUE
            try:
                latest, ended = self._call(self._storage.delete, old_key), False
            except SessionEnded:
                latest, ended = None, True
            if ended or (latest is None and was_there):
                self.state, self.cookie = State.ENDED, Cookie.KEEP
                if copy:
                    self._call(self._storage.delete, self.key)
            elif not copy:
                self.cookie = Cookie.EXPIRE
            elif latest and self.fate is Fate.RENEW:  # others may have changed it
                now = merged(latest, changes)
                self.commit({field: now.get(field) for field in copy | now})

    def _ask(self, operation: Callable[..., T], *args: Any, **options: Any) -> T | None:
        """Ask about this record, and note in `state` what the answer says of it."""
        if self.state in (State.ABSENT, State.ENDED):
            return None
        try:
            answer = self._call(operation, self.key, *args, self._ttl, **options)
        except SessionEnded:
            self.state = State.ENDED
            return None
        if answer is None or answer is False:
            self.state = State.ABSENT if self.state is State.UNASKED else State.ENDED
            return None
        if self.state is State.UNASKED:
            self.state = State.THERE
        return answer

    def _make(self, operation: Callable[..., T], *args: Any) -> T:
        """Make a record under a new id, which nobody else knows."""
        session_id = secrets.token_urlsafe(32)
        key = storage_key(session_id)
        answer = self._call(operation, key, *args, self._new_ttl, create=True)
        self.id, self.key, self._ttl = session_id, key, self._new_ttl
        self.state = State.MADE
        return answer

    def _call(self, operation: Callable[..., T], *args: Any, **options: Any) -> T:
        if self._failure:
            raise self._failure
        try:
            return operation(*args, **options)
        except StorageUnavailable as error:
            self._failure = error
            raise


def merged(fields: Fields, changes: Changes) -> dict[str, str]:
    """Return the fields after these changes."""
    return {f: text for f, text in {**fields, **changes}.items() if text is not None}
