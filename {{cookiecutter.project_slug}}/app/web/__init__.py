"""What every answer of the app gets: README.md says what, and in which file."""

import logging
import secrets
from functools import partial

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from ..sessions import MemoryStorage, RedisStorage, Storage
from . import check, errors, headers, health, logs, places, protection
from .environment import RANDOM_TEXT, Settings
from .errors import prefers_html, show_error
from .protection import allow_cross_site

__all__ = ["allow_cross_site", "init_app", "prefers_html", "show_error"]

log = logging.getLogger(__name__)


def init_app(app: Flask, settings: Settings, storage: Storage | None = None) -> None:
    """Set the app up; end the process, with a sentence for each, if settings are wrong."""
    settings.refuse_errors(own_storage=storage is not None)
    logs.configure(settings["LOG_LEVEL"])
    if not settings["SECRET"]:
        settings["SECRET"] = secrets.token_urlsafe(48)
        fix = f"set it with: echo SECRET=dev-{RANDOM_TEXT} >> .env"
        log.warning("SECRET is not set: all sessions end with the server; %s", fix)
    if storage is None:
        storage = open_storage(settings)
    app.extensions["session_storage"] = storage
    app.config |= settings
    app.config |= {
        "TRUSTED_HOSTS": None,  # Flask's own check would refuse health checks, too
        "SECRET_KEY": settings["SECRET"],
        "SECRET_KEY_FALLBACKS": settings["SECRET_FALLBACKS"],
        # With the prefix, browsers require Secure and Path=/ (RFC 6265bis).
        "SESSION_COOKIE_NAME": "__Host-session" if settings.production else "session",
        "SESSION_COOKIE_SECURE": settings.production,
        "SESSIONS_IN_MEMORY": isinstance(storage, MemoryStorage),
    }
    app.register_error_handler(HTTPException, show_error)
    app.logger.addFilter(errors.is_no_outage)
    app.before_request(partial(protection.check, settings))
    app.register_blueprint(health.bp)
    check.init_app(app, settings)
    # Each wraps those before it: the last one sees a request first, and its answer last.
    places.init_app(app, settings["WEB_THREADS"])
    if proxies := settings["TRUSTED_PROXIES"]:
        # Some proxies add an address but no scheme, so only the nearest one's counts.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=1)  # type: ignore[method-assign]
    app.wsgi_app = headers.add(app.wsgi_app, settings)  # type: ignore[method-assign]


def open_storage(settings: Settings) -> Storage:
    """Return the storage that REDIS_URL names."""
    if settings["REDIS_URL"] in ("", "memory://"):
        log.warning("Sessions are kept in memory till the process ends: set REDIS_URL")
        return MemoryStorage()
    return RedisStorage.from_url(
        settings["REDIS_URL"],
        connections=settings["WEB_THREADS"],
        verify=bool(settings["REDIS_TLS_VERIFY"]),
        ca_cert=settings["REDIS_CA_CERT"],
    )
