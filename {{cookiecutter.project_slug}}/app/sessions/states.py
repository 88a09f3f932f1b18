"""What a request knows about a session, wants of it, and does to its cookie."""

from enum import Enum, auto


class State(Enum):
    """What this request knows about the record."""

    UNASKED = auto()  # a valid cookie names it; the storage has not been asked
    THERE = auto()  # it exists; some of its fields are known
    LOADED = auto()  # it exists; all its fields are known
    ABSENT = auto()  # it does not exist; the first write makes one, under a new id
    MADE = auto()  # this request has made it; all its fields are known
    ENDED = auto()  # another request has ended it; nothing more is written


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
