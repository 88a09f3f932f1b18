"""Every setting: read from the environment, or else from .env; checked; explained."""

import logging
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dotenv import load_dotenv

from .sessions import MemoryStorage, RedisStorage, Storage
from .sessions.storage.connect import connect, parse_url

log = logging.getLogger(__name__)

ENV_FILE = Path(__file__).parent.parent / ".env"
DAY = 24 * 60 * 60
RANDOM_TEXT = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')"
PLACEHOLDERS = ("change", "example", "placeholder", "replace", "your-secret")


class Problem(NamedTuple):
    """A setting, what is wrong with it, and the command that mends it."""

    name: str
    what: str
    command: str

    def __str__(self) -> str:
        return f"{self.name} {self.what}; mend it with: {self.command}"


class ConfigurationError(SystemExit):
    """What is wrong with the settings, a sentence a line.

    It ends the process without a traceback, whichever server or command it is.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """The settings as the app uses them; times are in seconds."""

    production: bool
    # The first one signs, all of them verify; none: one is made up for this start.
    secrets: tuple[str, ...] = field(repr=False)
    redis_url: str = field(repr=False)  # empty: sessions are kept in memory
    redis_tls_verify: bool
    redis_ca_cert: str | None
    idle_timeout: int
    lifetime: int
    trusted_proxies: int
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
    load_dotenv(ENV_FILE)  # the environment comes first
    told = os.environ.get("APP_ENV") or os.environ.get("SECRET")
    if not (told or os.environ.get("DYNO") or ENV_FILE.exists()):
        what = "is not set, and there is no .env, so this counts as production"
        problem = Problem("SECRET", what, "echo APP_ENV=development > .env")
        raise ConfigurationError([problem])
    reader = Reader(os.environ)
    settings = reader.read(own_storage=own_storage)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return settings


def signing_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secrets; in development a missing one is made up for this start."""
    if settings.secrets:
        return settings.secrets
    log.warning(
        "SECRET is not set, so all cookies become invalid when the server stops; "
        "keep one with: echo SECRET=dev-%s >> .env",
        RANDOM_TEXT,
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
    return RedisStorage(
        connect(
            settings.redis_url,
            connections=settings.threads,
            verify=settings.redis_tls_verify,
            ca_cert=settings.redis_ca_cert,
        )
    )


def session_hint(settings: Settings, storage: Storage) -> str | None:
    """Return what the page tells the developer, and nobody else."""
    if settings.production:
        return None
    if isinstance(storage, MemoryStorage):
        return (
            "Sessions are kept in memory and go when the server stops: set REDIS_URL."
        )
    return f"Sessions are kept by {type(storage).__name__}."


def command_to_set(name: str, value: str) -> str:
    """Return the command that sets a variable on the host this runs on."""
    if os.environ.get("DYNO"):
        return f"heroku config:set {name}={value}"
    return f"export {name}={value}"


class Reader:
    """Reads settings, and collects a sentence for each that is wrong.

    A variable that is set but empty counts as missing.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []
        self.on_heroku = bool(self.get("DYNO"))

    def read(self, *, own_storage: bool) -> Settings:
        production = self.get("APP_ENV") != "development"
        redis_url = self.redis_url(required=production and not own_storage)
        processes = self.number("WEB_CONCURRENCY", 2 if production else 1)
        return Settings(
            production=production,
            secrets=self.secrets(production=production),
            redis_url=redis_url,
            redis_tls_verify=self.flag("REDIS_TLS_VERIFY", not self.on_heroku),
            redis_ca_cert=self.get("REDIS_CA_CERT") or None,
            idle_timeout=self.number("SESSION_IDLE_TIMEOUT", 14 * DAY),
            lifetime=self.number("SESSION_LIFETIME", 90 * DAY),
            trusted_proxies=self.number("TRUSTED_PROXIES", int(self.on_heroku), 0),
            port=self.number("PORT", 8000, most=65535),
            # Memory belongs to one process: two would count apart from each other.
            processes=processes if redis_url else 1,
            threads=self.number("WEB_THREADS", 4),
            log_level=self.log_level(),
        )

    def get(self, name: str) -> str:
        return self.environ.get(name, "").strip()

    def problem(self, name: str, what: str, value: str) -> None:
        self.problems.append(Problem(name, what, command_to_set(name, value)))

    def number(self, name: str, default: int, least: int = 1, most: int = 2**31) -> int:
        text = self.get(name)
        if not text:
            return default
        if re.fullmatch("[0-9]{1,10}", text) and least <= int(text) <= most:
            return int(text)
        what = f"is {text!r}, not a whole number from {least} to {most}"
        self.problem(name, what, str(default))
        return default

    def flag(self, name: str, default: bool) -> bool:
        text = self.get(name).lower()
        if text in ("", "0", "1", "false", "true", "no", "yes"):
            return text in ("1", "true", "yes") if text else default
        self.problem(name, f"is {text!r}, neither 1 nor 0", str(int(default)))
        return default

    def log_level(self) -> str:
        level = self.get("LOG_LEVEL").upper() or "INFO"
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            self.problem("LOG_LEVEL", f"is {level!r}, which is no log level", "INFO")
        return level

    def secrets(self, *, production: bool) -> tuple[str, ...]:
        current = self.get("SECRET")
        fallbacks = [s.strip() for s in self.get("SECRET_FALLBACKS").split(",")]
        if production:
            self.check_secret("SECRET", current)
            for fallback in filter(None, fallbacks):
                self.check_secret("SECRET_FALLBACKS", fallback)
        return (current, *filter(None, fallbacks)) if current else ()

    def check_secret(self, name: str, secret: str) -> None:
        what = None
        if not secret:
            what = "is not set, but it signs the cookies"
        elif secret.startswith("dev-"):
            what = "was made for development, but each stage gets its own"
        elif any(word in secret.lower() for word in PLACEHOLDERS):
            what = "is a placeholder that anyone can guess"
        elif len(secret) < 32:
            what = f"has {len(secret)} characters, but needs at least 32"
        elif len(set(secret)) < 10:
            what = "has too few different characters to be random"
        if what:
            self.problem(name, what, f'"{RANDOM_TEXT}"')

    def redis_url(self, *, required: bool) -> str:
        url = self.get("REDIS_URL")
        if url == "memory://":
            return ""
        if url:
            try:
                parse_url(url)
            except ValueError as error:
                example = "redis://127.0.0.1:6379/0"
                self.problem("REDIS_URL", f"is no address of a Redis: {error}", example)
        elif required:
            command = command_to_set("REDIS_URL", "redis://127.0.0.1:6379/0")
            if self.on_heroku:
                command = "heroku addons:create heroku-redis:mini"
            what = "is not set, but production keeps the sessions there"
            self.problems.append(Problem("REDIS_URL", what, command))
        return url
