"""Server-side sessions: the cookie holds a signed random id, the data stays here.

    from app.sessions import session

    session.increment("views")          # exact, however many requests count at once
    session["cart"] = ["book"]          # otherwise a mapping like any other
    session["cart"].append("pen")       # changes inside a value are noticed
    session.clear()                     # logout: deletes the record, expires the cookie
    session.regenerate()                # login: the same data under a new id

To keep sessions elsewhere, subclass Storage and pass it: create_app(storage=…).
"""

from typing import cast

import flask

from .interface import ServerSideSessionInterface
from .session import Session
from .storage.base import ENDED_FOR, SessionEnded, Storage, StorageUnavailable, add
from .storage.memory import MemoryStorage
from .storage.redis import RedisStorage

# flask.session, with its type
session = cast(Session, flask.session)

__all__ = [
    "ENDED_FOR",
    "MemoryStorage",
    "RedisStorage",
    "ServerSideSessionInterface",
    "Session",
    "SessionEnded",
    "Storage",
    "StorageUnavailable",
    "add",
    "session",
]
