"""Reads and checks settings, and explains each mistake."""

import os
import re
from pathlib import Path
from typing import Any

from click import STRING, BadParameter, ParamType
from dotenv import dotenv_values, load_dotenv
from werkzeug.wsgi import host_is_trusted  # type: ignore[attr-defined]

from ..sessions import RedisStorage

ENV_FILE = Path(__file__).parents[2] / ".env"
WHY = ", and any APP_ENV but development is production"
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
        load_env_file()
        self.errors = dict[str, str]()
        self.on_heroku = bool(os.environ.get("DYNO"))
        self.production = self.read("APP_ENV").lower() != "development"
        self["APP_ENV"] = "production" if self.production else "development"

    def __repr__(self) -> str:
        return f"<Settings {', '.join(self)}>"  # without values: some are secret

    def read(self, name: str) -> str:
        """Return the text of a variable; bytes other than UTF-8 are replaced."""
        text = os.environ.get(name, "").strip()
        if re.fullmatch("\".*\"|'.*'", text, re.DOTALL):
            what = "is in quotes, which Docker's --env-file keeps"
            self.refuse(name, what, f"{name}=... (without quotes)")
        return os.fsencode(text).decode(errors="replace")

    def refuse(self, name: str, what: str, fix: str) -> None:
        """Note the first thing that is wrong with a setting, and what fixes it."""
        self.errors.setdefault(name, f"{name} {what}; fix it with: {fix}")

    def add(self, name: str, default: object, kind: "ParamType[Any]" = STRING) -> None:
        """Read a setting that click can read: STRING, IntRange(1, 9), BOOL, …"""
        self[name], text = default, self.read(name)
        try:
            self[name] = kind(text) if text else default
        except BadParameter as error:
            what = f"is wrong: {error.message.rstrip('.')}"
            self.refuse(name, what, set_to(name, default))

    def names(self, name: str) -> list[str]:
        """Read any number of items, with commas between them."""
        items = map(str.strip, self.read(name).split(","))
        self[name] = names = [*filter(None, items)]
        return names

    def hosts(self, name: str) -> None:
        """Read host names; .example.com stands for its subdomains, too."""
        self[name] = hosts = [host.lower() for host in self.names(name)]
        for host in hosts:
            if ":" in host or not host_is_trusted(host.removeprefix(".")):
                what = f"has {host!r}, which is not a host name"
                self.refuse(name, what, set_to(name, "www.example.com"))

    def secret(self, name: str, *, why: str) -> None:
        """Read a secret; production needs one that is long and random: say what for."""
        self[name] = secret = self.read(name)
        weakness = weakness_of(secret) if secret else f"is not set, but {why}"
        if weakness and self.production:
            self.refuse(name, weakness + WHY, set_to(name, f'"{RANDOM_TEXT}"'))

    def secrets(self, name: str) -> None:
        """Read any number of secrets, none of them worse."""
        for weakness in map(weakness_of, self.names(name)):
            if weakness and self.production:
                fix = f"{set_to(name, '')} (or correct it)"
                self.refuse(name, f"holds a secret that {weakness}", fix)

    def redis_url(self, name: str) -> None:
        """Read a Redis URL, or memory://; production needs one of them."""
        self[name] = url = self.read(name)
        if self.production and not url:
            what = f"is not set, but production keeps the sessions there{WHY}"
            self.refuse(name, what, ADDON if self.on_heroku else set_to(name, REDIS))
        try:
            if url not in ("", "memory://"):
                RedisStorage.from_url(url)
        except ValueError as error:
            hint = "; in a password, / is %2F, ? is %3F and # is %23" * ("@" in url)
            self.refuse(name, f"is not a Redis URL: {error}{hint}", set_to(name, REDIS))

    def refuse_errors(self, *, own_storage: bool) -> None:
        """End the process if a setting is wrong that is used, with a sentence for each."""
        if own_storage:
            self.errors.pop("REDIS_URL", None)
        if self.errors:
            raise SystemExit("\n".join(self.errors.values()))


def load_env_file() -> None:
    """Add to the environment what only .env has; refuse the .env of another stage."""
    why = fix = ""
    try:
        loaded = load_dotenv(ENV_FILE, encoding="utf-8-sig")
        stage, secret = os.environ.get("APP_ENV", ""), os.environ.get("SECRET", "")
        if loaded and stage.lower() == "development" and not secret.startswith("dev-"):
            own = dotenv_values(ENV_FILE, encoding="utf-8-sig")
            if stage == own.get("APP_ENV") and secret not in ("", own.get("SECRET")):
                why = "says development, but the environment has another stage's SECRET"
                fix = "rm .env (on that stage) or unset SECRET (in development)"
    except OSError as error:
        why, fix = f"cannot be read ({error.strerror})", 'sudo chown "$USER" .env'
    except ValueError:
        why, fix = "is not UTF-8", "iconv -f UTF-16 .env > utf8 && mv utf8 .env"
    if why:
        raise SystemExit(f".env {why}; fix it with: {fix}")


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
