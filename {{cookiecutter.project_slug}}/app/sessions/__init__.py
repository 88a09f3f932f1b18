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

from .interface import ServerSideSessionInterface as ServerSideSessionInterface
from .session import Session as Session
from .storage.base import ENDED_FOR as ENDED_FOR
from .storage.base import SessionEnded as SessionEnded
from .storage.base import Storage as Storage
from .storage.base import StorageUnavailable as StorageUnavailable
from .storage.base import add as add
from .storage.memory import MemoryStorage as MemoryStorage
from .storage.redis import RedisStorage as RedisStorage

# flask.session, with its type
session = cast(Session, flask.session)
