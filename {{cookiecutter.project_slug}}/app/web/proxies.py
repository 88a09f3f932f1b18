"""What proxies say of the client: its address, and whether it used https."""

from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix

from ..settings import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Trust as many proxies as TRUSTED_PROXIES says, and redirect to https."""
    if settings.trusted_proxies:
        # Some proxies add an address but no scheme, so only the nearest one's counts.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=1
        )
        if settings.production:
            app.before_request(redirect_to_https)


def redirect_to_https() -> ResponseReturnValue | None:
    """Redirect visitors from http to https; health checks come from inside."""
    forwarded = request.headers.get("X-Forwarded-Proto")
    if forwarded and not request.is_secure and request.blueprint != "health":
        return redirect(request.url.replace("http://", "https://", 1), 308)
    return None
