"""What Flask's session, which is a dict, can do beyond a MutableMapping."""

from abc import abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Self

from flask.sessions import SessionMixin


class DictMethods(SessionMixin):
    """A mapping whose `copy` gives a dict, by which the other methods of a dict work."""

    @abstractmethod
    def copy(self) -> dict[str, Any]:
        """Return the data as a dict, which holds the same values."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self.copy())

    def __len__(self) -> int:
        return len(self.copy())

    def __or__(self, other: Any) -> dict[str, Any]:
        return self.copy() | dict(other)

    def __ror__(self, other: Any) -> dict[str, Any]:
        return dict(other) | self.copy()

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return deepcopy(self.copy(), memo)

    fromkeys = dict.fromkeys
