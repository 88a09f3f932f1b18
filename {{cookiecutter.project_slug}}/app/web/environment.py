"""Reads environment variables, checks them, and explains each mistake."""

import os
import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple

from ..sessions.storage.connect import connect

RANDOM_TEXT = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')"
PLACEHOLDERS = ("change", "example", "placeholder", "replace", "your-secret")
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Finding(NamedTuple):
    """How something is ("ok", "warning" or "error"), and the command that fixes it."""

    status: str
    subject: str
    text: str
    command: str = ""

    def __str__(self) -> str:
        fix = f"; fix it with: {self.command}" if self.command else ""
        return f"{self.subject} {self.text}{fix}"


class ConfigurationError(SystemExit):
    """Ends the process without a traceback; its text has a sentence for each error."""

    def __init__(self, *errors: Finding) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def command_to_set(name: str, value: str) -> str:
    """Return the command that sets a variable on this host."""
    setter = "heroku config:set" if os.environ.get("DYNO") else "export"
    return f"{setter} {name}={value}"


def command_to_unset(name: str) -> str:
    """Return the command that removes a variable on this host."""
    return f"{'heroku config:' if os.environ.get('DYNO') else ''}unset {name}"


class Reader:
    """Reads variables (an empty one counts as unset), and collects errors."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.errors: list[Finding] = []
        self.on_heroku = bool(self.get("DYNO"))
        self.stage = self.get("APP_ENV").lower()
        self.production = self.stage != "development"

    def get(self, name: str) -> str:
        return os.fsencode(self.environ.get(name, "").strip()).decode(errors="replace")

    def items(self, name: str) -> list[str]:
        return [item.strip() for item in self.get(name).split(",") if item.strip()]

    def error(self, name: str, text: str, value: str = "", command: str = "") -> None:
        """Note what is wrong with a setting, and the value, or command, that fixes it."""
        command = command or command_to_set(name, value)
        self.errors.append(Finding("error", name, text, command))

    def number(self, name: str, default: int, least: int = 1, most: int = 2**31) -> int:
        text = self.get(name) or str(default)
        if re.fullmatch("[0-9]{1,10}", text) and least <= int(text) <= most:
            return int(text)
        what = f"is {text!r}, not a whole number from {least} to {most}"
        self.error(name, what, str(default))
        return default

    def log_level(self) -> str:
        text = self.get("LOG_LEVEL") or "INFO"
        if text.upper() not in LEVELS:
            what = f"is {text!r}, but must be one of {', '.join(LEVELS)}"
            self.error("LOG_LEVEL", what, "INFO")
        return text.upper()

    def hosts(self) -> list[str]:
        hosts = [host.lower() for host in self.items("TRUSTED_HOSTS")]
        for wrong in [host for host in hosts if not HOST.fullmatch(host)]:
            what = f"has {wrong!r}, which is not a host name"
            self.error("TRUSTED_HOSTS", what, "www.example.com")
        return hosts

    def ca_cert(self) -> str | None:
        path = self.get("REDIS_CA_CERT")
        try:
            if path:
                ssl.create_default_context(cafile=path)
        except OSError as error:  # SSLError is one, too
            what = f"is {path!r}, which holds no certificates ({error.strerror})"
            self.error("REDIS_CA_CERT", what, "/path/to/ca.pem")
        return path or None

    def secrets(self) -> tuple[str, ...]:
        current, fallbacks = self.get("SECRET"), self.items("SECRET_FALLBACKS")
        if self.production:
            if what := weakness(current):
                self.error("SECRET", what, f'"{RANDOM_TEXT}"')
            for what in filter(None, map(weakness, fallbacks)):
                command = f"{command_to_unset('SECRET_FALLBACKS')} (or correct it)"
                what = f"holds a secret that {what}"
                self.error("SECRET_FALLBACKS", what, command=command)
        return (current, *fallbacks) if current else ()

    def redis_url(self, *, own_storage: bool) -> str:
        url, example = self.get("REDIS_URL"), "redis://127.0.0.1:6379/0"
        if url == "memory://":
            return ""
        if url:
            try:
                connect(url)
            except ValueError as error:
                what = f"is not a Redis URL: {error}"
                if "@" in url:
                    what += "; in a password, / is %2F, ? is %3F and # is %23"
                self.error("REDIS_URL", what, example)
        elif self.production and not own_storage and self.on_heroku:
            what = "is not set: the Redis add-on is still being made, or there is none"
            command = (
                "heroku addons:wait, or, if `heroku addons` lists no heroku-redis, "
                "heroku addons:create heroku-redis:mini --wait"
            )
            self.error("REDIS_URL", what, command=command)
        elif self.production and not own_storage:
            what = "is not set, but production keeps the sessions there"
            self.error("REDIS_URL", what, example)
        return url

    def explain_stage(self) -> None:
        """If anything is wrong, say first why this counts as production."""
        unclear = self.stage or self.get("SECRET").startswith("dev-")
        if self.errors and unclear and self.stage not in ("development", "production"):
            stage = f"{self.stage!r}" if self.stage else "not set"
            what = f"is {stage}, so this counts as production"
            command = "export APP_ENV=development (in development)"
            self.errors.insert(0, Finding("error", "APP_ENV", what, command))


def weakness(secret: str) -> str | None:
    """Return what makes a secret too weak for production."""
    if not secret:
        return "is not set, but it signs the cookies"
    if secret.startswith("dev-"):
        return "was made for development, but each stage gets its own"
    if "\ufffd" in secret:
        return "is not UTF-8"
    if any(word in secret.lower() for word in PLACEHOLDERS):
        return "is a placeholder that anyone can guess"
    if len(secret) < 32:
        return f"is too short ({len(secret)} characters, at least 32 are needed)"
    few = len(set(secret)) < 10
    return "has too few different characters to be random" if few else None
