"""Every setting: read from the environment, or else from .env; checked; explained."""

import logging
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values, load_dotenv

from .environment import RANDOM_TEXT, ConfigurationError, Problem, Reader
from .sessions import MemoryStorage, RedisStorage, Storage
from .sessions.storage.connect import connect

log = logging.getLogger(__name__)

ENV_FILE = Path(__file__).parent.parent / ".env"
DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Settings:
    """The settings as the app uses them; times are in seconds."""

    production: bool
    # The first signs, all verify. If empty, a random one is generated at start-up.
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
        """With the prefix, browsers insist on Secure and Path=/ (RFC 6265bis)."""
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
    """Read and check all settings; raise ConfigurationError if any is wrong.

    With a storage of your own, REDIS_URL may be missing in production too.
    """
    load_env_file()
    reader = Reader(os.environ)
    settings = read_settings(reader, own_storage=own_storage)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return settings


def load_env_file() -> None:
    """Add to the environment what only .env has, unless .env is another stage's."""
    name = ".env"
    try:
        load_dotenv(ENV_FILE)
        found = dotenv_values(ENV_FILE)
    except OSError as error:
        what, command = f"cannot be read ({error.strerror})", 'sudo chown "$USER" .env'
    except ValueError:
        what, command = "is not UTF-8", "iconv -f UTF-16 .env > utf8 && mv utf8 .env"
    else:
        stage, secret = os.environ.get("APP_ENV"), os.environ.get("SECRET", "")
        own = secret in ("", found.get("SECRET")) or secret.startswith("dev-")
        if not (stage or secret or os.environ.get("DYNO") or ENV_FILE.exists()):
            name, command = "SECRET", "echo APP_ENV=development > .env"
            what = "is not set, and there is no .env, so this counts as production"
        elif stage == found.get("APP_ENV") == "development" and not own:
            what = "says development, but the environment has another stage's SECRET"
            command = "rm .env (on that stage) or unset SECRET (in development)"
        else:
            return
    raise ConfigurationError([Problem(name, what, command)])


def read_settings(reader: Reader, *, own_storage: bool) -> Settings:
    """Return the settings; what is wrong with them is in reader.problems."""
    production = reader.get("APP_ENV") != "development"
    redis_url = reader.redis_url(required=production and not own_storage)
    processes = reader.number("WEB_CONCURRENCY", 2 if production else 1)
    verify = reader.number("REDIS_TLS_VERIFY", int(not reader.on_heroku), 0, 1)
    return Settings(
        production=production,
        secrets=reader.secrets(production=production),
        redis_url=redis_url,
        redis_tls_verify=bool(verify),
        redis_ca_cert=reader.get("REDIS_CA_CERT") or None,
        idle_timeout=reader.number("SESSION_IDLE_TIMEOUT", 14 * DAY),
        lifetime=reader.number("SESSION_LIFETIME", 90 * DAY),
        trusted_proxies=reader.number("TRUSTED_PROXIES", int(reader.on_heroku), 0),
        trusted_hosts=reader.hosts(),
        port=reader.number("PORT", 8000, most=65535),
        # Memory belongs to one process: two would count apart from each other.
        processes=processes if redis_url else 1,
        threads=reader.number("WEB_THREADS", 4),
        log_level=reader.log_level(),
    )


def signing_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secrets; in development a missing one is random for this start."""
    if settings.secrets:
        return settings.secrets
    log.warning(
        "SECRET is not set, so all cookies become invalid when the server stops; "
        f"keep one with: echo SECRET=dev-{RANDOM_TEXT} >> .env"
    )
    return (secrets.token_urlsafe(48),)


def open_storage(settings: Settings) -> Storage:
    """Return the storage that REDIS_URL names; nothing is connected yet."""
    if not settings.redis_url:
        log.warning(
            "Sessions are kept in memory, by one process, and go when it stops; "
            "keep them in Redis with: export REDIS_URL=redis://127.0.0.1:6379/0"
        )
        return MemoryStorage()
    client = connect(
        settings.redis_url,
        connections=settings.threads,
        verify=settings.redis_tls_verify,
        ca_cert=settings.redis_ca_cert,
    )
    return RedisStorage(client)


def session_hint(settings: Settings, storage: Storage) -> str | None:
    """Return what the page tells the developer, and nobody else."""
    where = f"by {type(storage).__name__}"
    if isinstance(storage, MemoryStorage):
        where = "in memory and go when the server stops: set REDIS_URL"
    return None if settings.production else f"Sessions are kept {where}."
