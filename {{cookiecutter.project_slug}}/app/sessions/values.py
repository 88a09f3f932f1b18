"""Values as texts: Flask's tagged JSON, never pickle."""

import logging
from typing import Any

from flask.json.tag import TaggedJSONSerializer

log = logging.getLogger(__name__)
serializer = TaggedJSONSerializer()
reported: set[tuple[str, ...]] = set()  # keys, and fields; at most 1,000


def encode(key: str, value: Any, read: str | None = None) -> str:
    """Return a value as text; raise a TypeError that names the key if that fails.

    `read` is the text that the value was decoded from, if it was. It is returned if the
    value encodes now as it did then: others may spell it differently, or hold what cannot
    be encoded. Comparing values would not do: True == 1, and NaN != NaN.
    """
    try:  # the serializer takes 3.6 µs longer for an int
        text = str(value) if type(value) is int else serializer.dumps(value)
        text = text.encode(errors="backslashreplace").decode()  # no half characters
    except Exception as error:  # what the values' own methods raise is not known
        if read and respelled(read) is None:
            return read
        raise TypeError(f"session[{key!r}] cannot be stored: {error}") from error
    return read if read and read != text and respelled(read) == text else text


def respelled(text: str) -> str | None:
    """Return how we would write what this text stands for; None if we could not."""
    try:
        return encode("", serializer.loads(text))
    except Exception:  # noqa: BLE001 - foreign data makes decoders raise anything
        return None


def decode(record_key: str, key: str, text: str) -> Any:
    """Return the value that the text stands for; raise KeyError if it cannot be read."""
    try:
        return serializer.loads(text)
    except Exception:  # noqa: BLE001 - foreign data makes decoders raise anything
        report("%s: %r cannot be read, so it counts as absent", record_key, key)
        raise KeyError(key) from None


def report(words: str, *about: str) -> None:
    """Log what is wrong with a record, or a field: once, not for each request."""
    if about not in reported and len(reported) < 1000:
        reported.add(about)
        log.error(words, *about)


def check_key(key: object) -> None:
    """Raise TypeError if no storage could keep this key."""
    if not isinstance(key, str):
        raise TypeError(f"session keys are strings, not {key!r}")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise TypeError(f"session[{key!r}] cannot be stored: {error}") from None
