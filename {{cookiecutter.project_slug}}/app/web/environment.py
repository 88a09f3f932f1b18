"""Reads and checks settings, and explains each mistake."""

import os
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from werkzeug.wsgi import host_is_trusted  # type: ignore[attr-defined]

from ..sessions import RedisStorage

RANDOM_TEXT = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')"
REDIS = "redis://127.0.0.1:6379/0"
PLACEHOLDER = re.compile("(?i)change|example|placeholder|replace|your-secret")


class Finding(NamedTuple):
    """Status (ok, warning, error), subject, explanation, fixing command."""

    status: str
    subject: str
    text: str
    command: str = ""

    @property
    def advice(self) -> str:
        return self.text + (f"; fix it with: {self.command}" if self.command else "")


class ConfigurationError(SystemExit):
    """Ends the process without a traceback, with a sentence for each error."""

    def __init__(self, *errors: Finding) -> None:
        super().__init__("\n".join(f"{e.subject} {e.advice}" for e in errors))


def command_to_set(name: str, value: object) -> str:
    """Return the command that sets a variable on this host; without a value, unsets it."""
    heroku = "heroku config:" if os.environ.get("DYNO") else ""
    if value in ("", None):
        return f"{heroku}unset {name}"
    return f"{heroku}set {name}={value}" if heroku else f"export {name}={value}"


class Settings(dict[str, Any]):
    """Settings by their names, of which each method reads one from the environment.

    An empty variable counts as unset. `errors` says which are wrong. `declare` reads all
    of them: see app/settings.py.
    """

    def __init__(self, declare: "Declare", environ: Mapping[str, str]) -> None:
        super().__init__()
        self.declare, self.environ = declare, environ
        self.errors: list[Finding] = []
        self.on_heroku = bool(environ.get("DYNO"))
        self.production = self.read("APP_ENV").lower() != "development"
        self["APP_ENV"] = "production" if self.production else "development"
        declare(self)
        if self["REDIS_URL"] == "memory://":
            self["WEB_CONCURRENCY"] = 1  # processes do not share memory

    def __repr__(self) -> str:
        return f"<Settings {', '.join(self)}>"  # without values: some are secret

    def read(self, name: str) -> str:
        """Return the text of a variable; bytes other than UTF-8 are replaced."""
        text = self.environ.get(name, "").strip()
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
        what = "is in quotes, which Docker's --env-file keeps"
        self.expect(not quoted, name, what, command=f"{name}=... (without quotes)")
        return os.fsencode(text).decode(errors="replace")

    def expect(
        self, good: object, name: str, what: str, value: object = "", command: str = ""
    ) -> None:
        """Unless it is good, note the first thing that is wrong, and what fixes it."""
        if not good and name not in (error.subject for error in self.errors):
            command = command or command_to_set(name, value)
            self.errors.append(Finding("error", name, what, command))

    def text(self, name: str, default: str = "", *, most: int = 1000) -> None:
        """Read a text of at most so many characters."""
        self[name] = text = self.read(name) or default
        what = f"has {len(text)} characters, more than {most}"
        self.expect(len(text) <= most, name, what, default)

    def number(
        self, name: str, default: int, *, least: int = 1, most: int = 2**31
    ) -> None:
        """Read a whole number."""
        text = self.read(name) or str(default)
        good = re.fullmatch("[0-9]{1,10}", text) and least <= int(text) <= most
        self[name] = int(text) if good else default
        what = f"is {text!r}, not a whole number from {least} to {most}"
        self.expect(good, name, what, default)

    def one_of(self, name: str, default: str, *others: str) -> None:
        """Read one of these words, in capitals."""
        self[name] = word = (self.read(name) or default).upper()
        words = (default, *others)
        what = f"is {word!r}, but must be one of {', '.join(words)}"
        self.expect(word in words, name, what, default)

    def names(self, name: str) -> list[str]:
        """Read any number of items, with commas between them."""
        texts = map(str.strip, self.read(name).split(","))
        self[name] = items = [text for text in texts if text]
        return items

    def hosts(self, name: str) -> None:
        """Read host names; .example.com stands for its subdomains, too."""
        for host in self.names(name):
            good = ":" not in host and host_is_trusted(host.removeprefix("."))
            what = f"has {host!r}, which is not a host name"
            self.expect(good, name, what, "www.example.com")
        self[name] = [host.lower() for host in self[name]]

    def certificates(self, name: str) -> None:
        """Read the path of a file of certificates."""
        self[name] = path = self.read(name) or None
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:  # SSLError is one, too
            what = f"is {path!r}, which holds no certificates ({error.strerror})"
            self.expect(False, name, what, "/path/to/ca.pem")

    def secret(self, name: str, *, why: str) -> None:
        """Read a secret, which production needs, long and random; say what for."""
        self[name] = secret = self.read(name)
        weakness = weakness_of(secret) if secret else f"is not set, but {why}"
        good = not (weakness and self.production)
        self.expect(good, name, weakness, f'"{RANDOM_TEXT}"')

    def secrets(self, name: str) -> None:
        """Read any number of secrets, as good as the one that is needed."""
        command = f"{command_to_set(name, '')} (or correct it)"
        for weakness in map(weakness_of, self.names(name)):
            good = not (weakness and self.production)
            self.expect(good, name, f"holds a secret that {weakness}", command=command)

    def redis_url(self, name: str) -> None:
        """Read a Redis URL, or memory://; production needs one of them."""
        self[name] = url = self.read(name)
        what = "is not set, but production keeps the sessions there"
        wait = "heroku addons:wait, or, if `heroku addons` lists no heroku-redis, "
        create = "heroku addons:create heroku-redis:mini --wait"
        command = wait + create if self.on_heroku else ""
        self.expect(url or not self.production, name, what, REDIS, command)
        try:
            if url not in ("", "memory://"):
                RedisStorage.from_url(url)
        except ValueError as error:
            what = f"is not a Redis URL: {error}"
            if "@" in url:
                what += "; in a password, / is %2F, ? is %3F and # is %23"
            self.expect(False, name, what, REDIS)

    def refuse_errors(self, *, own_storage: bool) -> None:
        """Raise ConfigurationError if a setting is wrong that is used.

        Its first sentence says why this counts as production, if a developer may not
        know. A host that only forgot a setting must not be told to be anything else.
        """
        errors = [e for e in self.errors if e.subject != "REDIS_URL" or not own_storage]
        stage, secret = self.read("APP_ENV"), self.read("SECRET")
        unclear = stage or secret.startswith("dev-") or not any(map(self.read, self))
        if errors and unclear and stage.lower() not in ("development", "production"):
            what = f"is {stage!r}" if stage else "is not set"
            what += ", so this counts as production"
            command = "export APP_ENV=development (on your own machine)"
            errors.insert(0, Finding("error", "APP_ENV", what, command))
        if errors:
            raise ConfigurationError(*errors)


def weakness_of(secret: str) -> str:
    """Return what makes a secret too weak for production, or nothing."""
    if secret.startswith("dev-"):
        return "was made for development, but each stage gets its own"
    if "\ufffd" in secret:
        return "is not UTF-8"
    if PLACEHOLDER.search(secret):
        return "is a placeholder that anyone can guess"
    if len(secret) < 32:
        return f"is too short ({len(secret)} characters, at least 32 are needed)"
    return "has too few different characters" if len(set(secret)) < 10 else ""


Declare = Callable[[Settings], None]
