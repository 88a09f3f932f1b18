"""What stands between the internet and the views: proxies, HTTPS, headers, other sites."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, abort, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix

from .logs import request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ONE_YEAR = 365 * 24 * 60 * 60
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}
# Keeps browsers on https (RFC 6797); they heed it only when it comes by https.
HSTS = {"Strict-Transport-Security": f"max-age={ONE_YEAR}"}
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


def init_app(app: Flask, *, production: bool, trusted_proxies: int) -> None:
    """Guard every request and every response."""
    wsgi_app: WSGIApplication = app.wsgi_app
    if trusted_proxies:
        wsgi_app = ProxyFix(wsgi_app, x_for=trusted_proxies, x_proto=trusted_proxies)
        if production:
            app.before_request(redirect_to_https)
    headers = HEADERS | HSTS if production else HEADERS
    app.wsgi_app = AddHeaders(wsgi_app, headers)  # type: ignore[method-assign]
    app.before_request(refuse_unwanted)
    version_static_files(app)


def redirect_to_https() -> ResponseReturnValue | None:
    """Send visitors who came by http to https; health checks come from inside."""
    forwarded = request.headers.get("X-Forwarded-Proto")
    if forwarded and not request.is_secure and request.blueprint != "health":
        return redirect(request.url.replace("http://", "https://", 1), 308)
    return None


def refuse_unwanted() -> None:
    """Refuse large bodies, and requests from other sites that may change something."""
    environ = request.environ
    if "CONTENT_LENGTH" in environ:
        refuse_large_bodies()
    if environ["REQUEST_METHOD"] not in SAFE_METHODS:
        refuse_other_sites()


def refuse_large_bodies() -> None:
    """Refuse at once what Flask refuses only when a view reads it."""
    length = request.content_length
    if length and length > (request.max_content_length or length):
        abort(413)


def refuse_other_sites() -> None:
    """Refuse what another site's page has sent.

    Browsers tell by Sec-Fetch-Site, older ones by Origin; neither can be set by a page's
    script. What sends neither is no browser, and carries no visitor's cookies.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or origin.partition("://")[2] == request.host
    if not allowed:
        abort(403, "This request came from another site.")


class AddHeaders:
    """Adds the headers that the app has not set, and the request's id, to responses.

    As WSGI middleware: Flask's after_request would cost three times as much.
    """

    def __init__(self, wsgi_app: "WSGIApplication", headers: dict[str, str]) -> None:
        self.wsgi_app = wsgi_app
        self.headers = {header[0].lower(): header for header in headers.items()}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        id_header = ("X-Request-ID", request_id(environ))

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            missing = self.headers.copy()
            for name, _ in headers:
                missing.pop(name.lower(), None)
            headers += [*missing.values(), id_header]
            return start_response(status, headers, *exc_info)

        return self.wsgi_app(environ, start)


def version_static_files(app: Flask) -> None:
    """Put a hash of its content into each static file's URL, and cache it for a year."""
    folder = Path(app.static_folder or "")
    versions = {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, str]) -> None:
        if endpoint == "static" and values.get("filename") in versions:
            values["v"] = versions[values["filename"]]

    def send_versioned(filename: str) -> Response:
        response = app.send_static_file(filename)
        # Not under another release's version: while a deploy takes over, its URL may
        # come here, and this file would stay under it for a year.
        if filename in versions and request.args.get("v") == versions[filename]:
            cache = f"public, max-age={ONE_YEAR}, immutable"
            response.headers["Cache-Control"] = cache
        return response

    app.view_functions["static"] = send_versioned
