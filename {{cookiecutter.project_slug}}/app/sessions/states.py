"""What a request knows about a session, wants of it, and does to its cookie."""

from enum import Enum, auto


class State(Enum):
    """What this request knows about the record that the cookie names."""

    UNASKED = auto()  # the storage has not been asked
    THERE = auto()  # it exists; some of its fields are known
    LOADED = auto()  # it exists; all its fields are known
    ABSENT = auto()  # there is none, and nobody ended it: expired, emptied, never made
    ENDED = auto()  # a login or logout ended it; only another one may start anew


class Fate(Enum):
    """What this request wants for the id in the cookie."""

    KEEP = auto()
    RENEW = auto()  # a new id for the same data
    FORGET = auto()  # no data; whatever is set afterwards gets a new id


class Cookie(Enum):
    """What the response does to the cookie."""

    KEEP = auto()
    ISSUE = auto()
    EXPIRE = auto()
