"""The contract that every session storage keeps."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

from werkzeug.exceptions import ServiceUnavailable

INT64 = range(-(2**63), 2**63)


class StorageUnavailable(ServiceUnavailable):
    """The storage is away, or refuses to work: a 503 with Retry-After (RFC 9110).

    `reason` is for the log; visitors only ever see `description`.
    """

    description = "This page is not available just now. Please try again in a moment."

    def __init__(self, reason: str = "the session storage is unavailable") -> None:
        super().__init__(retry_after=1)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def add(text: str, by: int) -> int:
    """Return what `increment` makes of a field with this text; raise as it should."""
    if not re.fullmatch("-?[0-9]{1,19}", text) or int(text) not in INT64:
        raise TypeError("the field does not hold a 64-bit integer")
    if int(text) + by not in INT64:
        raise OverflowError("the sum needs more than 64 bits")
    return int(text) + by


class Storage(ABC):
    """Keeps sessions: each a small mapping of field names to JSON text.

    A record lies under one key and has a time to live, `ttl`, in whole seconds and
    at least 1, counted anew by each `load`, `save` and `increment`. A record without
    fields does not exist. All methods may be called by several threads at once, and
    raise `StorageUnavailable` when the storage cannot be reached.
    """

    @abstractmethod
    def load(self, key: str, ttl: int) -> dict[str, str] | None:
        """Return the record's fields, or None if there is no record."""

    @abstractmethod
    def save(
        self,
        key: str,
        changed: Mapping[str, str],
        removed: Collection[str],
        ttl: int,
        *,
        create: bool,
    ) -> bool:
        """Set and remove these fields, and no others, in one atomic step.

        Without `create`, a missing record stays missing and the answer is False.
        """

    @abstractmethod
    def increment(
        self, key: str, field: str, by: int, ttl: int, *, create: bool
    ) -> int | None:
        """Add to one field, in one atomic step, and return the sum; absent counts as 0.

        Without `create`, a missing record stays missing and the answer is None.
        Raises TypeError if the field holds anything but a decimal integer of at most
        64 bits, OverflowError if the sum needs more; the field then stays as it was.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the record; it is no error if there is none."""

    @abstractmethod
    def ping(self) -> None:
        """Return if the storage works."""

    def take(self, key: str) -> dict[str, str] | None:
        """Remove the record and return its fields, or None if there is no record.

        One atomic step where a storage can; here in two, which may lose what another
        request writes in between.
        """
        record = self.load(key, ttl=1)
        self.delete(key)
        return record
