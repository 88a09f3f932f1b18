"""Values as texts: Flask's tagged JSON, never pickle."""

import logging
from functools import lru_cache
from typing import Any

from flask import json
from flask.json.tag import TaggedJSONSerializer

log = logging.getLogger(__name__)
serializer = TaggedJSONSerializer()


def encode(key: str, value: Any) -> str:
    """Return a value as text; raise a TypeError that names the key if that fails."""
    try:
        if type(value) is int:
            return str(value)  # as the serializer does, but that takes 3 % of a visit
        tagged = serializer.tag(value)
        text = json.dumps(tagged, separators=(",", ":"), ensure_ascii=False)
        text.encode()  # a lone surrogate cannot be stored: RFC 3629
        return text
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"session[{key!r}] cannot be stored: {error}") from error


def decode(record: str, key: str, text: str) -> Any:
    """Return the value that the text stands for; raise KeyError if it cannot be read."""
    try:
        return serializer.loads(text)
    except Exception:  # noqa: BLE001 - foreign data makes decoders raise anything
        log_unreadable(record, key)
        raise KeyError(key) from None


def check_key(key: object) -> None:
    """Raise TypeError if no storage could keep this key."""
    if not isinstance(key, str):
        raise TypeError(f"session keys are strings, not {key!r}")
    if not key.isascii():
        encode(key, key)


@lru_cache(1000)
def log_unreadable(record: str, key: str) -> None:
    """Log a value that cannot be read: once, not for each request."""
    log.error("%s: %r cannot be read, so it counts as absent", record, key)
