"""One session in the storage, as one request sees it; README.md has it as a table."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .signer import storage_key
from .states import Cookie, Fate, State
from .storage.base import SessionEnded, Storage, StorageUnavailable

Changes = Mapping[str, str | None]  # None: the field is removed


class Record:
    """Asks the storage about one session, and commits what the request has changed.

    `session_id`: that of a valid cookie. `ttl`: seconds until this record expires if unused;
    `new_ttl`: the same for a new id. Once the storage has failed, each later call raises
    StorageUnavailable at once: a request waits once.
    """

    def __init__(
        self, storage: Storage, session_id: str | None, *, ttl: int, new_ttl: int
    ) -> None:
        self._storage, self._ttl, self._new_ttl = storage, ttl, new_ttl
        self._failure: StorageUnavailable | None = None
        self.has_cookie = session_id is not None
        self.id, self.key = session_id or "", storage_key(session_id or "")
        self.fields: dict[str, str] = {}  # as far as they are known
        self.state = State.UNASKED if session_id else State.ABSENT
        self.fate, self.cookie = Fate.KEEP, Cookie.KEEP

    def load(self) -> dict[str, str]:
        """Return all fields: none if there is no record, or if it will be forgotten."""
        if self.state is not State.LOADED:
            fields = self._ask(self._storage.load)
            if fields is not None:
                self.fields = fields | self.fields  # keep what this request has seen
                self.state = State.LOADED
        return self.fields

    def increment(self, field: str, by: int) -> int | None:
        """Add to a field at once; return the sum, or None if there is no record."""
        total = self._ask(self._storage.increment, field, by, create=False)
        if total is not None:
            self.fields[field] = str(total)
        return total  # type: ignore[no-any-return]

    def renew(self) -> None:
        """Give the same data a new id, at the commit."""
        if self.has_cookie and self.fate is Fate.KEEP:
            self.fate = Fate.RENEW

    def forget(self) -> None:
        """Show no data from now on; end the record that the cookie names at the commit."""
        self.fields = {}
        if self.has_cookie:
            self.fate = Fate.FORGET
        if self.state is not State.ENDED:
            self.state = State.ABSENT

    def commit(self, texts: Changes) -> None:
        """Save what is this request's own, counts too, and renew or forget."""
        if self.fate is Fate.KEEP:
            self._save(texts)
        elif self.fate is Fate.RENEW:
            self._replace(texts)
        else:
            with suppress(SessionEnded):
                self._call(self._storage.delete, self.key)
                self.cookie = Cookie.EXPIRE
            self._make(merged({}, texts))
        self.fate = Fate.KEEP

    def _save(self, texts: Changes) -> None:
        """Write into the record, or into a new one if there is none."""
        changes = {} if self.state is State.ABSENT else self.unsaved(texts)
        if changes:
            changed = merged({}, changes)
            removed = changes.keys() - changed.keys()
            self._ask(self._storage.save, changed, removed, create=False)
            self.fields = merged(self.fields, changes)
        if self.state is State.ABSENT:
            self._make(merged({}, texts))

    def _replace(self, texts: Changes) -> None:
        """Copy the record, end it, and give the copy what others wrote in between.

        If it is gone by then, or was ended, the copy keeps only what is our own.
        """
        old_key, fields = self.key, self.load()
        changes = self.unsaved(texts)
        copy = merged({} if self.state is State.ENDED else fields, changes)
        self._make(copy)
        try:
            latest, cookie = self._call(self._storage.delete, old_key), Cookie.EXPIRE
        except SessionEnded:
            latest, cookie = {}, Cookie.KEEP
            self.cookie = cookie
        if not copy:
            self.state, self.fields, self.cookie = State.ABSENT, {}, cookie
        now = merged(latest or {}, texts if latest is None else changes)
        self._save({field: now.get(field) for field in copy | now})
        self.cookie = Cookie.ISSUE if now else cookie

    def unsaved(self, texts: Changes) -> Changes:
        """Return those texts that the record does not hold, as far as is known."""
        return {f: text for f, text in texts.items() if text != self.fields.get(f)}

    def _ask(self, operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Ask about this record, and note in `state` what the answer says of it."""
        if self.state in (State.ABSENT, State.ENDED):
            return None
        try:
            answer = self._call(operation, self.key, *args, self._ttl, **options)
        except SessionEnded:
            self.state = State.ENDED
            return None
        if answer is None or answer is False:
            self.state, self.fields = State.ABSENT, {}
        elif self.state is State.UNASKED:
            self.state = State.THERE
        return answer

    def _make(self, fields: dict[str, str]) -> None:
        """Make a record of these fields, if any, under a new id, which nobody else knows."""
        if fields:
            session_id = secrets.token_urlsafe(32)
            key = storage_key(session_id)
            self._call(self._storage.save, key, fields, (), self._new_ttl, create=True)
            self.id, self.key, self._ttl = session_id, key, self._new_ttl
            self.fields, self.state, self.cookie = fields, State.LOADED, Cookie.ISSUE

    def _call(self, operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if self._failure:
            raise self._failure
        try:
            return operation(*args, **options)
        except StorageUnavailable as error:
            self._failure = error
            raise


def merged(fields: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """Return the fields after these changes."""
    return {f: text for f, text in {**fields, **changes}.items() if text is not None}
