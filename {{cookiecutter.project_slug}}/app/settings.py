"""Every setting, with its default."""

import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .web import env_file
from .web.environment import RANDOM_TEXT, ConfigurationError, Finding, Reader

log = logging.getLogger(__name__)

DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Settings:
    """The settings as the app uses them; times are in seconds."""

    production: bool
    # The first signs, all verify. If empty, a random one is made for this start.
    secrets: tuple[str, ...] = field(repr=False)
    redis_url: str = field(repr=False)  # empty: sessions are kept in memory
    redis_tls_verify: bool
    redis_ca_cert: str | None
    idle_timeout: int
    lifetime: int
    trusted_proxies: int
    trusted_hosts: list[str]  # empty: any host will do
    port: int
    processes: int
    threads: int
    log_level: str

    @property
    def cookie_name(self) -> str:
        """With the prefix, browsers require Secure and Path=/ (RFC 6265bis)."""
        return "__Host-session" if self.production else "session"

    def for_flask(self) -> dict[str, Any]:
        """Return what Flask and its extensions read from app.config."""
        return {
            "SESSION_COOKIE_NAME": self.cookie_name,
            "SESSION_COOKIE_SECURE": self.production,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "SESSION_COOKIE_PATH": "/",
            "MAX_CONTENT_LENGTH": 1024 * 1024,  # bytes
        }


def load_settings(*, own_storage: bool = False) -> Settings:
    """Return the settings of this process; raise ConfigurationError if any is wrong.

    With a storage of your own, production needs no REDIS_URL.
    """
    env_file.load()
    settings, errors = read_settings(os.environ, own_storage=own_storage)
    if errors:
        raise ConfigurationError(*errors)
    return settings


def read_settings(
    environ: Mapping[str, str], *, own_storage: bool = False
) -> tuple[Settings, list[Finding]]:
    """Return the settings and what is wrong with them."""
    reader = Reader(environ)
    redis_url = reader.redis_url(own_storage=own_storage)
    processes = reader.number(
        "WEB_CONCURRENCY", 2 if reader.production else 1, most=256
    )
    verify = reader.number("REDIS_TLS_VERIFY", int(not reader.on_heroku), 0, 1)
    settings = Settings(
        production=reader.production,
        secrets=reader.secrets(),
        redis_url=redis_url,
        redis_tls_verify=bool(verify),
        redis_ca_cert=reader.ca_cert(),
        idle_timeout=reader.number("SESSION_IDLE_TIMEOUT", 14 * DAY),
        lifetime=reader.number("SESSION_LIFETIME", 90 * DAY),
        trusted_proxies=reader.number("TRUSTED_PROXIES", int(reader.on_heroku), 0, 10),
        trusted_hosts=reader.hosts(),
        port=reader.number("PORT", 8000, most=65535),
        # Processes do not share memory: each would count alone.
        processes=processes if redis_url else 1,
        threads=reader.number("WEB_THREADS", 4, most=1000),
        log_level=reader.log_level(),
    )
    reader.explain_stage()
    return settings, reader.errors


def signing_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secrets; in development, make one for this start if none is set."""
    if settings.secrets:
        return settings.secrets
    log.warning(
        "SECRET is not set, so all cookies become invalid when the server stops; "
        f"keep one with: echo SECRET=dev-{RANDOM_TEXT} >> .env"
    )
    return (secrets.token_urlsafe(48),)
