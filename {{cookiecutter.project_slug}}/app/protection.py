"""What stands between the internet and the views: proxies, HTTPS, headers, other sites."""

from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from .config import Settings
from .logs import request_id

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


def init_app(app: Flask, settings: Settings) -> None:
    """Guard every request and every response."""
    wsgi_app: Any = app.wsgi_app
    if settings.trusted_hosts:
        app.before_request(partial(refuse_other_hosts, settings.trusted_hosts))
    if settings.trusted_proxies:
        # Some proxies add an address and no scheme: the nearest one's is believed.
        wsgi_app = ProxyFix(wsgi_app, x_for=settings.trusted_proxies, x_proto=1)
        if settings.production:
            app.before_request(redirect_to_https)
    headers = HEADERS | HSTS if settings.production else HEADERS
    app.wsgi_app = add_headers(wsgi_app, headers)  # type: ignore[method-assign]
    app.before_request(refuse_unwanted)
    version_static_files(app)


def refuse_other_hosts(hosts: list[str]) -> None:
    """Answer 400 before any redirect leads there; health checks come from inside."""
    trusted = host_is_trusted(request.host.lower(), hosts)
    if not trusted and request.blueprint != "health":
        abort(400, "This app is not served under that host name.")


def redirect_to_https() -> ResponseReturnValue | None:
    """Send visitors who came by http to https; health checks come from inside."""
    forwarded = request.headers.get("X-Forwarded-Proto")
    if forwarded and not request.is_secure and request.blueprint != "health":
        return redirect(request.url.replace("http://", "https://", 1), 308)
    return None


def refuse_unwanted() -> None:
    """Refuse large bodies, and what another site's page sends to change something.

    Browsers tell by Sec-Fetch-Site, older ones by Origin; neither can be set by a page's
    script. A client that sends neither header is not a browser, so it has no visitor's
    cookies.
    """
    if "CONTENT_LENGTH" in request.environ:
        length = request.content_length
        if length and length > (request.max_content_length or length):
            abort(413)  # at once; Flask would, too, but only when a view reads it
    if request.environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS", "TRACE"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or origin.partition("://")[2] == request.host
    if not allowed:
        abort(403, "This request came from another site.")


def add_headers(wsgi_app: Any, headers: dict[str, str]) -> Any:
    """Return the app with the headers that it has not set, and the request's id.

    As WSGI middleware: Flask's after_request would cost three times as much.
    """
    by_name = {header[0].lower(): header for header in headers.items()}

    def add(environ: dict[str, Any], start_response: Any) -> Any:
        id_header = ("X-Request-ID", request_id(environ))

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            missing = by_name.copy()
            for name, _ in headers:
                missing.pop(name.lower(), None)
            headers += [*missing.values(), id_header]
            return start_response(status, headers, *exc_info)

        return wsgi_app(environ, start)

    return add


def version_static_files(app: Flask) -> None:
    """Put a hash of its content into each static file's URL, and cache it for a year."""
    folder = Path(app.static_folder or "")
    files = [path for path in folder.rglob("*") if path.is_file()]
    versions = {
        file.relative_to(folder).as_posix(): sha256(file.read_bytes()).hexdigest()
        for file in files
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
            response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR}, immutable"
        return response

    app.view_functions["static"] = send_versioned
