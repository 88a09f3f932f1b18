"""Session ids: signed in the cookie, hashed in the storage."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from time import time

# An id from secrets.token_urlsafe(32), the time in seconds, and the signature.
SIGNED = re.compile(r"([A-Za-z0-9_-]{43})\.([0-9a-f]{8})\.([0-9a-f]{64})")


class Signer:
    """Signs ids and the time as `id.time.signature`, by HMAC-SHA256 (RFC 2104).

    The first secret signs, all verify. Unlike itsdangerous, this goes on when a clock was
    set back. Raises ValueError unless `secrets` are several strings, none of them empty.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if isinstance(secrets, str) or not secrets or not all(secrets):
            raise ValueError("secrets must be a list of strings, none of them empty")
        # Keys for this purpose only. Each signature copies a prepared HMAC.
        keys = [hmac.digest(s.encode(), b"session id", "sha256") for s in secrets]
        self._hmacs = [hmac.new(key, digestmod="sha256") for key in keys]

    def sign(self, session_id: str) -> str:
        """Return the cookie's value."""
        text = f"{session_id}.{int(time()):08x}"
        return f"{text}.{self._signature(self._hmacs[0], text)}"

    def verify(self, value: str) -> tuple[str, int] | None:
        """Return the id and its age in seconds, or None if the value is not ours."""
        if not (match := SIGNED.fullmatch(value)):
            return None
        session_id, signed_at, signature = match.groups()
        text = f"{session_id}.{signed_at}"
        for prepared in self._hmacs:
            if hmac.compare_digest(signature, self._signature(prepared, text)):
                # If it is from the future, the clock has been set back since.
                return session_id, max(0, int(time()) - int(signed_at, 16))
        return None

    def _signature(self, prepared: hmac.HMAC, text: str) -> str:
        copy = prepared.copy()
        copy.update(text.encode())
        return copy.hexdigest()


def storage_key(session_id: str) -> str:
    """Return the key of a session's record: a hash, which does not reveal the id."""
    digest = hashlib.sha256(session_id.encode()).digest()[:16]
    return "session:" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
