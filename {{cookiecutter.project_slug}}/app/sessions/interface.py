"""Flask's SessionInterface: the signed id in the cookie, everything else in a storage."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import cast

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response as WSGIResponse

from .record import Record
from .session import Session
from .signer import Signer
from .states import Cookie
from .storage.base import Storage, StorageUnavailable

# All visitors' cookies differ in the value alone: this saves 3 % of a new one's visit.
dump_once = cache(dump_cookie)


class ServerSideSessionInterface(SessionInterface):
    """Opens a session per request without any I/O, and saves what it changed.

    `secrets` are the signing keys, the current one first; the others verify only.
    `idle_timeout` and `lifetime` are seconds: how long a session may stay unused, and how
    long its id is good for altogether. `show_outage` makes the answer to a request whose
    session could not be saved; it must not use the session.
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

    def check_cookie(self, app: Flask) -> None:
        """Stop the start, in a sentence, if browsers would refuse the cookie.

        The prefix __Host- excludes a Domain (RFC 6265bis, 4.1.3.2).
        """
        name, domain = self.get_cookie_name(app), self.get_cookie_domain(app)
        if domain and name.startswith("__Host-"):
            raise SystemExit(
                f"SESSION_COOKIE_DOMAIN is {domain!r}, with which browsers refuse the "
                f"cookie {name}; fix it with: SESSION_COOKIE_NAME = '__Secure-session'"
            )

    def open_session(self, app: Flask, request: Request) -> Session:
        header = request.environ.get("HTTP_COOKIE", "")
        cookie = find_cookie(self.get_cookie_name(app), header)
        session_id, age = self._signer.verify(cookie) or (None, 0)
        if age >= self._lifetime:
            session_id = None
        record = Record(
            self.storage,
            session_id,
            ttl=min(self._idle_timeout, self._lifetime - age),
            new_ttl=min(self._idle_timeout, self._lifetime),
        )
        return Session(record)

    def save_session(
        self, app: Flask, session: SessionMixin, response: Response
    ) -> None:
        session = cast(Session, session)
        try:
            session.save()
        except StorageUnavailable as error:
            replace(response, self._show_outage(error))
        if session.record.cookie is not Cookie.KEEP:
            self._send_cookie(app, session.record, response)
        if session.used or (session.record.has_cookie and may_read_it(response)):
            forbid_sharing(response)

    def _send_cookie(self, app: Flask, record: Record, response: Response) -> None:
        issued = record.cookie is Cookie.ISSUE
        value = self._signer.sign(record.id) if issued else ""
        cookie = dump_once(
            self.get_cookie_name(app),
            max_age=self._lifetime if issued else 0,
            sync_expires=False,
            domain=self.get_cookie_domain(app),
            path=self.get_cookie_path(app),
            secure=self.get_cookie_secure(app),
            httponly=self.get_cookie_httponly(app),
            samesite=self.get_cookie_samesite(app),
            partitioned=self.get_cookie_partitioned(app),
        )
        response.headers.add("Set-Cookie", cookie.replace("=", f"={value}", 1))


def find_cookie(name: str, header: str) -> str:
    """Return a cookie's value, the first one's if there are several.

    request.cookies would decode them all, which takes 3 % of a visit; ours is plain.
    """
    for cookie in header.split(";"):
        key, _, value = cookie.strip().partition("=")
        if key == name:
            return value.strip('"')  # RFC 6265, 4.1.1
    return ""


def replace(response: Response, failure: WSGIResponse) -> None:
    """Turn a response whose session could not be saved into the failure, in place.

    No header of it stays: a cookie that logs the visitor in must not come with a failure.
    """
    close = getattr(response.response, "close", None)
    if close:
        close()
    response.direct_passthrough = False
    response.status = failure.status
    response.headers = failure.headers
    response.set_data(failure.get_data())


def may_read_it(response: Response) -> bool:
    """Whether the response is a stream, which may use the session while it is sent."""
    return response.is_streamed and not response.direct_passthrough


def forbid_sharing(response: Response) -> None:
    """Let no shared cache store the response; without the view's word, no cache at all."""
    # To parse headers only where they are saves 3 % of a visit.
    names = {name.lower() for name, _ in response.headers}
    if "vary" in names:
        response.vary.add("Cookie")
    else:
        response.headers.add("Vary", "Cookie")
    if "cache-control" not in names:
        response.headers.add("Cache-Control", "private, no-store")
        return
    cache = response.cache_control
    closed = True in (cache.private, cache.no_cache, cache.no_store)
    if cache.public or cache.s_maxage is not None or not closed:
        cache.public, cache.s_maxage, cache.private = False, None, True
