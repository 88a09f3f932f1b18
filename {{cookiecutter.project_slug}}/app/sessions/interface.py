"""Flask's SessionInterface: the signed id in the cookie, everything else in a storage."""

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface
from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response as WSGIResponse

from .record import Record
from .session import Session
from .signer import Signer
from .states import Cookie
from .storage.base import Storage, StorageUnavailable
from .values import serializer

log = logging.getLogger(__name__)
SENT_OVER_HTTP = """the cookie %s was sent over http, where browsers do not keep it: \
use https; if you do, TRUSTED_PROXIES is not set or too small"""


class ServerSideSessionInterface(SessionInterface):
    """Opens a session per request without any I/O, and saves what it changed.

    `secrets` are the signing keys: the first signs, all verify. `idle_timeout` is how long
    a session may stay unused, `lifetime` how long its id is valid at all, in seconds.
    `show_outage` makes the answer if the session could not be saved; it must not use it.
    """

    serializer = serializer  # where tags for other types are registered, as in Flask

    def __init__(
        self,
        storage: Storage,
        secrets: Sequence[str],
        *,
        idle_timeout: int,
        lifetime: int,
        show_outage: Callable[..., WSGIResponse] = StorageUnavailable.get_response,
    ) -> None:
        self.storage, self._show_outage = storage, show_outage
        self._idle_timeout, self._lifetime = idle_timeout, lifetime
        self._signer = Signer(secrets)
        self._first_over_http = Lock()  # taken by the first, and never given back

    def check_cookie(self, app: Flask) -> None:
        """Refuse to start if browsers would refuse the cookie (RFC 6265bis, 4.1.3.2)."""
        name, path = self.get_cookie_name(app), self.get_cookie_path(app)
        domain = self.get_cookie_domain(app)
        if name.startswith("__Host-") and (domain or path != "/"):
            wrong = f"DOMAIN is {domain!r}" if domain else f"PATH is {path!r}"
            what = f"SESSION_COOKIE_{wrong}, so browsers would refuse the cookie {name}"
            raise SystemExit(f"{what}; fix it with: SESSION_COOKIE_NAME='__Secure-id'")

    def open_session(self, app: Flask, request: Request) -> Session:
        name, header = self.get_cookie_name(app), request.environ.get("HTTP_COOKIE", "")
        # request.cookies takes 3 µs more.
        pairs = (part.strip().partition("=") for part in header.split(";"))
        cookie = next((value.strip('"') for key, _, value in pairs if key == name), "")
        session_id, age = self._signer.verify(cookie) or (None, 0)
        if age >= self._lifetime:
            session_id = None
        ttl = min(self._idle_timeout, self._lifetime - age)
        new_ttl = min(self._idle_timeout, self._lifetime)
        return Session(Record(self.storage, session_id, ttl=ttl, new_ttl=new_ttl))

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        try:
            session._save()
        except StorageUnavailable as error:
            replace(response, self._show_outage(error))
        record = session._record
        if record.cookie is not Cookie.KEEP:
            self._send_cookie(app, record, response)
        # A stream may still use it, while it is being sent.
        stream = response.is_streamed and not response.direct_passthrough
        if session._used or (record.has_cookie and stream):
            forbid_sharing(response)

    def _send_cookie(self, app: Flask, record: Record, response: Response) -> None:
        issued = record.cookie is Cookie.ISSUE
        name, secure = self.get_cookie_name(app), self.get_cookie_secure(app)
        cookie = dump_cookie(
            name,
            self._signer.sign(record.id) if issued else "",
            max_age=self._lifetime if issued else 0,
            sync_expires=False,
            domain=self.get_cookie_domain(app),
            path=self.get_cookie_path(app),
            secure=secure,
            httponly=self.get_cookie_httponly(app),
            samesite=self.get_cookie_samesite(app),
            partitioned=self.get_cookie_partitioned(app),
        )
        response.headers.add("Set-Cookie", cookie)
        over_http = secure and issued and not request.is_secure
        if over_http and self._first_over_http.acquire(blocking=False):
            log.warning(SENT_OVER_HTTP, name)


def replace(response: Response, failure: WSGIResponse) -> None:
    """Turn the response into the failure: no header stays, nor a cookie among them."""
    if close := getattr(response.response, "close", None):
        close()
    response.direct_passthrough = False
    response.status = failure.status
    response.headers = failure.headers
    response.set_data(failure.get_data())


def forbid_sharing(response: Response) -> None:
    """Keep the response out of shared caches, and of all unless the view says more."""
    if "Vary" in response.headers:
        response.vary.add("Cookie")  # parsing takes 4 µs
    else:
        response.headers["Vary"] = "Cookie"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-store"
    else:
        cache = response.cache_control
        cache.public, cache.s_maxage, cache.private = False, None, True
