"""What stands between the internet and the views: proxies, HTTPS, headers, other sites."""

import hashlib
from pathlib import Path

from flask import Flask, Response, abort, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix

from .logs import request_id

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
ONE_YEAR = 365 * 24 * 60 * 60
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


def init_app(app: Flask, *, production: bool, trusted_proxies: int) -> None:
    """Guard every request and every response."""
    if trusted_proxies:
        proxied = ProxyFix(app.wsgi_app, x_for=trusted_proxies, x_proto=trusted_proxies)
        app.wsgi_app = proxied  # type: ignore[method-assign]
        if production:
            app.before_request(redirect_to_https)
    app.before_request(refuse_large_bodies)
    app.before_request(refuse_other_sites)
    app.after_request(add_headers)
    if production:
        app.after_request(add_strict_transport_security)
    version_static_files(app)


def redirect_to_https() -> ResponseReturnValue | None:
    """Send visitors who came by http to https; health checks come from inside."""
    forwarded = request.headers.get("X-Forwarded-Proto")
    if forwarded and not request.is_secure and request.blueprint != "health":
        return redirect(request.url.replace("http://", "https://", 1), 308)
    return None


def refuse_large_bodies() -> None:
    """Refuse at once what Flask refuses only when a view reads it."""
    length = request.content_length
    if length and length > (request.max_content_length or length):
        abort(413)


def refuse_other_sites() -> None:
    """Refuse requests that change something and come from another site's page.

    Browsers tell by Sec-Fetch-Site, older ones by Origin; neither can be set by a page's
    script. What sends neither is no browser, and carries no visitor's cookies.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or origin.partition("://")[2] == request.host
    if not allowed:
        abort(403, "This request came from another site.")


def add_headers(response: Response) -> Response:
    """Add the security headers that the view has not set, and the request's id.

    The names are compared all at once: a look-up for each would cost a tenth of a visit.
    """
    present = {name.lower() for name, _ in response.headers}
    for name, value in HEADERS.items():
        if name.lower() not in present:
            response.headers.add(name, value)
    response.headers["X-Request-ID"] = request_id()
    return response


def add_strict_transport_security(response: Response) -> Response:
    """Keep browsers on https (RFC 6797); they heed this only when it comes by https."""
    response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}"
    return response


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

    @app.after_request
    def cache_versioned(response: Response) -> Response:
        # Not under another release's version: while a deploy takes over, its URL may
        # come here, and this file would stay under it for a year.
        if request.endpoint == "static" and request.view_args:
            version = versions.get(request.view_args["filename"])
            if version and request.args.get("v") == version:
                cache = f"public, max-age={ONE_YEAR}, immutable"
                response.headers["Cache-Control"] = cache
        return response
