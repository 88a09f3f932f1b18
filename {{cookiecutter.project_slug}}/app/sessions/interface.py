"""Flask's SessionInterface: the signed id in the cookie, everything else in a storage."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import cast

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from itsdangerous import BadSignature, TimestampSigner

from .session import Session
from .storage import Storage, StorageUnavailable

SESSION_ID = re.compile(rb"[\w-]{43}")  # as secrets.token_urlsafe(32) makes it

# What describes a body, and is wrong once the body is replaced.
BODY_HEADERS = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Last-Modified",
    "Location",
)


class ServerSideSessionInterface(SessionInterface):
    """Opens a session per request without any I/O, and saves what it changed.

    `secrets` are the signing keys, the current one first; the others verify only.
    `idle_timeout` and `lifetime` are seconds: how long a session may stay unused, and how
    long its id is good for altogether.
    """

    def __init__(
        self,
        storage: Storage,
        secrets: Sequence[str],
        *,
        idle_timeout: int,
        lifetime: int,
    ) -> None:
        self.storage = storage
        self._idle_timeout = idle_timeout
        self._lifetime = lifetime
        # A key for this purpose only, derived once; itsdangerous would do so each time.
        keys = [hmac.digest(s.encode(), b"session id", "sha256") for s in secrets]
        self._signer = TimestampSigner(
            keys[::-1],  # it signs with the last one
            key_derivation="none",
            digest_method=hashlib.sha256,
        )

    def open_session(self, app: Flask, request: Request) -> Session:
        session_id, remaining = None, self._lifetime
        cookie = request.cookies.get(self.get_cookie_name(app))
        if cookie:
            session_id, remaining = self._read(cookie)
        return Session(
            self.storage,
            session_id,
            ttl=min(self._idle_timeout, remaining),
            new_ttl=min(self._idle_timeout, self._lifetime),
        )

    def save_session(
        self, app: Flask, session: SessionMixin, response: Response
    ) -> None:
        session = cast(Session, session)
        try:
            session.save()
        except StorageUnavailable as error:
            self._replace(response, app.make_response(app.handle_user_exception(error)))
        else:
            self._send_cookie(app, session, response)
        if session.accessed:
            response.vary.add("Cookie")
            response.headers["Cache-Control"] = "private, no-store"

    def _read(self, cookie: str) -> tuple[str | None, int]:
        """Return the id in a cookie and the seconds it is still good for."""
        try:
            value, signed_at = self._signer.unsign(cookie, return_timestamp=True)
        except BadSignature:
            return None, 0
        # A cookie from the future is one of ours, signed before the clock was set back.
        age = max(0, self._signer.get_timestamp() - int(signed_at.timestamp()))
        if age >= self._lifetime or not SESSION_ID.fullmatch(value):
            return None, 0
        return value.decode(), self._lifetime - age

    def _send_cookie(self, app: Flask, session: Session, response: Response) -> None:
        if not (session.issued or session.ended):
            return
        value = self._signer.sign(session.issued).decode() if session.issued else ""
        response.set_cookie(
            self.get_cookie_name(app),
            value,
            max_age=self._lifetime if value else 0,
            path=self.get_cookie_path(app),
            secure=self.get_cookie_secure(app),
            httponly=self.get_cookie_httponly(app),
            samesite=self.get_cookie_samesite(app),
        )

    def _replace(self, response: Response, failure: Response) -> None:
        """Turn a response whose session could not be saved into the failure, in place.

        Flask has run the app's after_request functions: what they added stays.
        """
        close = getattr(response.response, "close", None)
        if close:
            close()
        for name in BODY_HEADERS:
            response.headers.pop(name, None)
        response.direct_passthrough = False
        response.status = failure.status
        response.headers.update(failure.headers)
        response.set_data(failure.get_data())
