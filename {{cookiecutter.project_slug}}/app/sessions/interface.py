"""Flask's SessionInterface: the signed id in the cookie, everything else in a storage."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response as WSGIResponse

from .session import Session
from .signer import Signer
from .storage import Storage, StorageUnavailable


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
        show_outage: Callable[[StorageUnavailable], WSGIResponse] = (
            StorageUnavailable.get_response
        ),
    ) -> None:
        self.storage = storage
        self._idle_timeout = idle_timeout
        self._lifetime = lifetime
        self._show_outage = show_outage
        self._signer = Signer(secrets)

    def open_session(self, app: Flask, request: Request) -> Session:
        cookie = self._cookie(request, self.get_cookie_name(app))
        session_id, age = self._signer.verify(cookie) or (None, 0)
        if age >= self._lifetime:
            session_id = None
        return Session(
            self.storage,
            session_id,
            ttl=min(self._idle_timeout, self._lifetime - age),
            new_ttl=min(self._idle_timeout, self._lifetime),
        )

    def save_session(
        self, app: Flask, session: SessionMixin, response: Response
    ) -> None:
        session = cast(Session, session)
        try:
            session.save()
        except StorageUnavailable as error:
            self._replace(response, self._show_outage(error))
        else:
            self._send_cookie(app, session, response)
        if session.accessed:
            response.headers.add("Vary", "Cookie")  # beside any other: RFC 9110, 5.3
            response.headers["Cache-Control"] = "private, no-store"

    def _cookie(self, request: Request, name: str) -> str:
        """Return a cookie's value, the first one's if there are several.

        request.cookies would decode all cookies, in ten times the time; ours is plain.
        """
        header: str = request.environ.get("HTTP_COOKIE", "")
        for cookie in header.split(";"):
            key, _, value = cookie.strip().partition("=")
            if key == name:
                return value
        return ""

    def _send_cookie(self, app: Flask, session: Session, response: Response) -> None:
        if not (session.issued or session.ended):
            return
        value = self._signer.sign(session.issued) if session.issued else ""
        attributes = cookie_attributes(
            max_age=self._lifetime if value else 0,
            path=self.get_cookie_path(app),
            secure=self.get_cookie_secure(app),
            httponly=self.get_cookie_httponly(app),
            samesite=self.get_cookie_samesite(app),
        )
        cookie = f"{self.get_cookie_name(app)}={value}; {attributes}"
        response.headers.add("Set-Cookie", cookie)

    def _replace(self, response: Response, failure: WSGIResponse) -> None:
        """Turn a response whose session could not be saved into the failure, in place.

        Nothing of it stays, a cookie that the view has set least of all: one that logs
        the visitor in must not come with a failure.
        """
        close = getattr(response.response, "close", None)
        if close:
            close()
        response.direct_passthrough = False
        response.status = failure.status
        response.headers = failure.headers
        response.set_data(failure.get_data())


@cache
def cookie_attributes(**options: Any) -> str:
    """Return what follows the value in Set-Cookie: the same for all visitors."""
    # Without Expires, which would change each second; Max-Age goes first (RFC 6265).
    return dump_cookie("name", **options, sync_expires=False).partition("; ")[2]
