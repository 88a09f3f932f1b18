"""Variables of the environment: read, checked, and each mistake explained."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from .sessions.storage.connect import parse_url

RANDOM_TEXT = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')"
PLACEHOLDERS = ("change", "example", "placeholder", "replace", "your-secret")
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")


class Problem(NamedTuple):
    """A setting, what is wrong with it, and the command that fixes it."""

    name: str
    what: str
    command: str

    def __str__(self) -> str:
        return f"{self.name} {self.what}; fix it with: {self.command}"


class ConfigurationError(SystemExit):
    """What is wrong, one sentence per line; it ends any process without a traceback."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def command_to_set(name: str, value: str) -> str:
    """Return the command that sets a variable on the host this runs on."""
    setter = "heroku config:set" if os.environ.get("DYNO") else "export"
    return f"{setter} {name}={value}"


class Reader:
    """Reads variables, of which an empty one counts as unset, and collects problems."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []
        self.on_heroku = bool(self.get("DYNO"))

    def get(self, name: str) -> str:
        return self.environ.get(name, "").strip()

    def items(self, name: str) -> list[str]:
        return [item.strip() for item in self.get(name).split(",") if item.strip()]

    def problem(self, name: str, what: str, value: str) -> None:
        self.problems.append(Problem(name, what, command_to_set(name, value)))

    def number(self, name: str, default: int, least: int = 1, most: int = 2**31) -> int:
        text = self.get(name) or str(default)
        if re.fullmatch("[0-9]{1,10}", text) and least <= int(text) <= most:
            return int(text)
        what = f"is {text!r}, not a whole number from {least} to {most}"
        self.problem(name, what, str(default))
        return default

    def log_level(self) -> str:
        level = self.get("LOG_LEVEL").upper() or "INFO"
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            self.problem("LOG_LEVEL", f"is {level!r}, which is not a log level", "INFO")
        return level

    def hosts(self) -> list[str]:
        hosts = [host.lower() for host in self.items("TRUSTED_HOSTS")]
        for wrong in [host for host in hosts if not HOST.fullmatch(host)]:
            what = f"has {wrong!r}, which is not a host name"
            self.problem("TRUSTED_HOSTS", what, "www.example.com")
        return hosts

    def secrets(self, *, production: bool) -> tuple[str, ...]:
        current, fallbacks = self.get("SECRET"), self.items("SECRET_FALLBACKS")
        if production:
            self.check_secret("SECRET", current)
            for fallback in fallbacks:
                self.check_secret("SECRET_FALLBACKS", fallback)
        return (current, *fallbacks) if current else ()

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
        url, example = self.get("REDIS_URL"), "redis://127.0.0.1:6379/0"
        if url == "memory://":
            return ""
        if url:
            try:
                parse_url(url)
            except ValueError as error:
                self.problem("REDIS_URL", f"is not a Redis URL: {error}", example)
        elif required and self.on_heroku:
            what = "is not set: the Redis add-on is still being made, or there is none"
            command = (
                "heroku addons:wait, or, if `heroku addons` lists no heroku-redis, "
            )
            command += "heroku addons:create heroku-redis:mini --wait"
            self.problems.append(Problem("REDIS_URL", what, command))
        elif required:
            what = "is not set, but production keeps the sessions there"
            self.problem("REDIS_URL", what, example)
        return url
