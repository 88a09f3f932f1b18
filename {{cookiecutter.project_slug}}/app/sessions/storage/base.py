"""The contract that every session storage must keep."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

from werkzeug.exceptions import ServiceUnavailable

Fields = Mapping[str, str]
Names = Collection[str]
INT64 = range(-(2**63), 2**63)
ENDED_FOR = 60  # seconds for which a deleted key stays ended


class StorageUnavailable(ServiceUnavailable):
    """The storage is away or refuses to work: a 503 with Retry-After (RFC 9110)."""

    # What visitors see; `reason` is for the log.
    description = "This page is not available just now. Please try again in a moment."

    def __init__(self, reason: str = "the session storage is unavailable") -> None:
        super().__init__(retry_after=1)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class SessionEnded(Exception):
    """The key was ended by `delete` less than a minute ago."""


def add(text: str, by: int) -> int:
    """Return the sum of a field's text and `by`; raise what `increment` must raise."""
    if not re.fullmatch("-?[0-9]{1,19}", text) or int(text) not in INT64:
        raise TypeError("the field does not hold a 64-bit integer")
    if int(text) + by not in INT64:
        raise OverflowError("the sum needs more than 64 bits")
    return int(text) + by


class Storage(ABC):
    """Keeps sessions: each a small mapping of field names to JSON text.

    A record is kept under one key. It expires `ttl` seconds (a whole number, at least 1)
    after the last `load`, `save` or `increment`. A record without fields does not exist.

    A deleted key is *ended* for ENDED_FOR seconds, whether it had a record or not: `load`,
    `save`, `increment` and `delete` raise SessionEnded, and none of them makes the time
    longer or shorter. A record that expired, was emptied or evicted is not ended.

    Each method is one atomic step, may be called by several threads at once, and raises
    StorageUnavailable if the storage cannot be reached.
    """

    @abstractmethod
    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        """Return the record's fields, or None if there is no record."""

    @abstractmethod
    def save(
        self, key: str, changed: Fields, removed: Names, ttl: int, *, create: bool
    ) -> bool:
        """Set and remove these fields, and no others.

        Without `create`, a missing record stays missing and the answer is False.
        """

    @abstractmethod
    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        """Add to one field and return the sum; a missing field counts as 0.

        Without `create`, a missing record stays missing and the answer is None.
        Raises TypeError if the field holds anything but a decimal integer of at most
        64 bits, OverflowError if the sum needs more; the field then stays as it was.
        """

    @abstractmethod
    def delete(self, key: str) -> dict[str, str] | None:
        """End the key; return the fields it had, or None if there was no record."""

    @abstractmethod
    def ping(self) -> None:
        """Return normally if the storage works; otherwise raise StorageUnavailable."""
