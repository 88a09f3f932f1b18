"""Reads and checks settings, and explains each mistake."""

import os
import re
from typing import Any

from werkzeug.wsgi import host_is_trusted  # type: ignore[attr-defined]

from ..sessions import RedisStorage
from . import env_file

RANDOM_TEXT = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')"
REDIS = "redis://127.0.0.1:6379/0"
WAIT = "heroku addons:wait, or, if `heroku addons` lists no heroku-redis, "
ADDON = f"{WAIT}heroku addons:create heroku-redis:mini --wait"


class Settings(dict[str, Any]):
    """Settings by their names, of which each method reads one from the environment.

    Environment variables override .env; an empty one counts as unset. `errors` says by
    name what is wrong with them.
    """

    def __init__(self) -> None:
        super().__init__()
        env_file.load()
        self.errors = dict[str, str]()
        self.on_heroku = bool(self.read("DYNO"))
        self.production = self.read("APP_ENV").lower() != "development"
        self["APP_ENV"] = "production" if self.production else "development"

    def __repr__(self) -> str:
        return f"<Settings {', '.join(self)}>"  # without values: some are secret

    def read(self, name: str) -> str:
        """Return the text of a variable; bytes other than UTF-8 are replaced."""
        text = os.environ.get(name, "").strip()
        what = "is in quotes, which Docker's --env-file keeps"
        quoted = re.fullmatch("\".*\"|'.*'", text, re.DOTALL)
        self.expect(not quoted, name, what, f"{name}=... (without quotes)")
        return os.fsencode(text).decode(errors="replace")

    def expect(self, good: object, name: str, what: str, fix: str) -> None:
        """Unless a setting is good, note the first thing that is wrong with it."""
        if not good:
            self.errors.setdefault(name, f"{name} {what}; fix it with: {fix}")

    def text(self, name: str, default: str = "", *, most: int = 1000) -> None:
        """Read a text of at most so many characters."""
        self[name] = text = self.read(name) or default
        what = f"has {len(text)} characters, more than {most}"
        self.expect(len(text) <= most, name, what, set_to(name, default))

    def number(
        self, name: str, default: int, *, least: int = 1, most: int = 2**31
    ) -> None:
        """Read a whole number."""
        text = self.read(name) or str(default)
        good = re.fullmatch("[0-9]{1,10}", text) and least <= int(text) <= most
        self[name] = int(text) if good else default
        what = f"is {text!r}, not a whole number from {least} to {most}"
        self.expect(good, name, what, set_to(name, default))

    def one_of(self, name: str, *words: str) -> None:
        """Read one of these words, however it is capitalised; the first is the default."""
        text = self.read(name) or words[0]
        found = [word for word in words if word.lower() == text.lower()]
        self[name] = [*found, *words][0]
        what = f"is {text!r}, but must be one of {', '.join(words)}"
        self.expect(found, name, what, set_to(name, words[0]))

    def names(self, name: str) -> list[str]:
        """Read any number of items, with commas between them."""
        items = filter(None, re.split(r"\s*,\s*", self.read(name)))
        self[name] = names = list(items)
        return names

    def hosts(self, name: str) -> None:
        """Read host names; .example.com stands for its subdomains, too."""
        self[name] = [host.lower() for host in self.names(name)]
        for host in self[name]:
            good = ":" not in host and host_is_trusted(host.removeprefix("."))
            what = f"has {host!r}, which is not a host name"
            self.expect(good, name, what, set_to(name, "www.example.com"))

    def file(self, name: str) -> None:
        """Read the path of a file."""
        self[name] = path = self.read(name) or None
        good = path is None or os.access(path, os.R_OK)
        self.expect(good, name, f"is {path!r}, which cannot be read", set_to(name, ""))

    def secret(self, name: str, *, why: str) -> None:
        """Read a secret; production needs one that is long and random: say what for."""
        self[name] = secret = self.read(name)
        what = weakness_of(secret) if secret else f"is not set, but {why}"
        good = not (what and self.production)
        self.expect(good, name, what, set_to(name, f'"{RANDOM_TEXT}"'))

    def secrets(self, name: str) -> None:
        """Read any number of secrets, none of them worse."""
        fix = f"{set_to(name, '')} (or correct it)"
        for weakness in map(weakness_of, self.names(name)):
            good = not (weakness and self.production)
            self.expect(good, name, f"holds a secret that {weakness}", fix)

    def redis_url(self, name: str) -> None:
        """Read a Redis URL, or memory://; production needs one of them."""
        self[name] = url = self.read(name)
        what = "is not set, but production keeps the sessions there"
        fix = ADDON if self.on_heroku else set_to(name, REDIS)
        self.expect(url or not self.production, name, what, fix)
        try:
            if url not in ("", "memory://"):
                RedisStorage.from_url(url)
        except ValueError as error:
            hint = "; in a password, / is %2F, ? is %3F and # is %23"
            what = f"is not a Redis URL: {error}{hint if '@' in url else ''}"
            self.expect(False, name, what, set_to(name, REDIS))

    def refuse_errors(self, *, own_storage: bool) -> None:
        """End the process if a setting is wrong that is used, with a sentence for each.

        First comes why this is production, if a developer may not know: a host that only
        forgot a setting must not be told to be anything else.
        """
        if own_storage:
            self.errors.pop("REDIS_URL", None)
        stage, made_here = self.read("APP_ENV"), self.read("SECRET").startswith("dev-")
        unclear = stage or made_here or not any(map(self.read, self))
        known = stage.strip("\"'").lower() in ("development", "production")
        errors = [*self.errors.values()]
        if errors and unclear and not known:
            what = f"is {stage!r}" if stage else "is not set"
            fix = "export APP_ENV=development (on your own machine)"
            what += ", so this counts as production"
            errors.insert(0, f"APP_ENV {what}; fix it with: {fix}")
        if errors:
            raise SystemExit("\n".join(errors))


def set_to(name: str, value: object) -> str:
    """Return the command that sets a variable on this host, or unsets it if value is ""."""
    heroku = "heroku config:" if os.environ.get("DYNO") else ""
    if value == "":
        return f"{heroku}unset {name}"
    return f"{heroku}set {name}={value}" if heroku else f"export {name}={value}"


def weakness_of(secret: str) -> str:
    """Return what makes a secret too weak for production, or nothing."""
    if secret.startswith("dev-"):
        return "was made for development, but each stage gets its own"
    if "\ufffd" in secret:
        return "is not UTF-8"
    if re.search("(?i)change|example|placeholder|replace|your-secret", secret):
        return "is a placeholder that anyone can guess"
    if len(secret) < 32:
        return f"is too short ({len(secret)} characters, at least 32 are needed)"
    return "has too few different characters" if len(set(secret)) < 10 else ""
