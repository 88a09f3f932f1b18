"""Refuses requests that visitors of the app's own pages never send."""

from functools import partial

from flask import Flask, abort, request
from werkzeug.sansio.utils import host_is_trusted

from ..settings import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Check each request, before anything is redirected to the host that it names."""
    if settings.trusted_hosts:
        app.before_request(partial(refuse_other_hosts, settings.trusted_hosts))
    app.before_request(refuse_other_sites)


def refuse_other_hosts(hosts: list[str]) -> None:
    """Answer 400 if the request is for another host; health checks come from inside."""
    trusted = host_is_trusted(request.host.lower(), hosts)
    if not trusted and request.blueprint != "health":
        abort(400, "This app is not served under that host name.")


def refuse_other_sites() -> None:
    """Answer 403 if another site's page wants to change something.

    Browsers say so in Sec-Fetch-Site, older ones in Origin; a page's script can set
    neither. A client that sends neither is not a browser, so it has no visitor's cookies.
    """
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
