"""`flask check`: is this stage ready to be deployed?"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from flask import Flask
from redis import Redis

from .config import DAY, Problem, Reader, Settings, command_to_set
from .sessions import RedisStorage, Storage, StorageUnavailable

# About 130 were measured for a visit counter's; most sessions hold something more.
BYTES_PER_SESSION = 250

# How it is (ok, warning or error), what, in words, and the command that mends it.
Finding = tuple[str, str, str, str]


def init_app(app: Flask, settings: Settings, storage: Storage) -> None:
    """Add `flask check`, which Heroku runs before a release goes live."""
    add_command(
        app, lambda: [*check_settings(settings), *check_storage(settings, storage)]
    )


def app_to_report(problems: list[Problem]) -> Flask:
    """Return an app that can do no more than report why the real one cannot start."""
    app = Flask(__name__)
    add_command(app, lambda: [("error", *problem) for problem in problems])
    return app


def add_command(app: Flask, find: Callable[[], list[Finding]]) -> None:
    """Add `flask check`, which prints what is found."""

    @app.cli.command()
    @click.option("--format", "style", type=click.Choice(["table", "json"]))
    def check(style: str | None) -> None:
        """Check that the app can serve with these settings; fail if it cannot."""
        findings = find()
        if style == "json":
            keys = "status", "subject", "text", "command"
            rows = [dict(zip(keys, finding, strict=True)) for finding in findings]
            click.echo(json.dumps(rows, indent=2))
        else:
            for status, subject, text, command in findings:
                mend = f"; mend it with: {command}" if command else ""
                click.echo(f"{status:8}{subject:20}{text}{mend}")
        if any(status == "error" for status, *_ in findings):
            raise SystemExit(1)


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Tell what is in force, and in development what production will want.

    Settings that are wrong have stopped the command before it came here.
    """
    if settings.production:
        yield "ok", "APP_ENV", "production", ""
        yield "ok", "SECRET", "is set, long and random enough", ""
    else:
        yield "ok", "APP_ENV", "development", ""
        production = Reader({**os.environ, "APP_ENV": "production"})
        production.read(own_storage=False)
        for problem in production.problems:
            text = f"{problem.what} (in production)"
            yield "warning", problem.name, text, problem.command
    if os.environ.get("WEB_CONCURRENCY") == "":
        text = "is empty, with which gunicorn does not start"
        yield "error", "WEB_CONCURRENCY", text, command_to_set("WEB_CONCURRENCY", "2")
    older = len(settings.secrets) - 1
    if older > 0:
        yield "ok", "SECRET_FALLBACKS", f"{older} older secrets are still valid", ""
    name, secure = settings.cookie_name, "Secure, " if settings.production else ""
    yield "ok", "cookie", f"{name}: {secure}HttpOnly, SameSite=Lax, Path=/", ""
    idle, lifetime = settings.idle_timeout / DAY, settings.lifetime / DAY
    text = (
        f"sessions end {idle:g} days after the last use, {lifetime:g} after the login"
    )
    if settings.idle_timeout > settings.lifetime:
        command = command_to_set("SESSION_IDLE_TIMEOUT", str(settings.lifetime))
        text = "SESSION_IDLE_TIMEOUT is longer than SESSION_LIFETIME, which goes first"
        yield "warning", "timeouts", text, command
    else:
        yield "ok", "timeouts", text, ""
    yield "ok", "Python", platform.python_version(), ""


def check_storage(settings: Settings, storage: Storage) -> Iterator[Finding]:
    """Ask the storage; of a Redis server, also whether it has room."""
    started = time.perf_counter()
    try:
        storage.ping()
        started = time.perf_counter()  # the first one had to connect
        storage.ping()
    except StorageUnavailable as error:
        text, command = error.reason, ""
        if "CERTIFICATE_VERIFY_FAILED" in text:
            text = f"the certificate of Redis is not trusted ({text})"
            command = command_to_set("REDIS_CA_CERT", "/path/to/ca.pem")
        elif isinstance(storage, RedisStorage):
            command = command_to_set("REDIS_URL", "redis://:password@host:6379/0")
        yield "error", "storage", text, command
        return
    milliseconds = (time.perf_counter() - started) * 1000
    answered = f"answers in {milliseconds:.1f} ms"
    if not (isinstance(storage, RedisStorage) and isinstance(storage.client, Redis)):
        yield "ok", "storage", f"{type(storage).__name__} {answered}", ""
        return
    info: dict[str, Any] = storage.client.info()
    version = info.get("valkey_version", info["redis_version"])
    yield "ok", "Redis", f"{version} {answered}", ""
    yield from check_memory(info)
    # An old and a new release run side by side while a deploy takes over.
    needed, allowed = settings.processes * settings.threads * 2, info["maxclients"]
    text = f"{needed} needed by two releases of one dyno or machine, {allowed} allowed"
    if needed > allowed:
        yield "error", "connections", text, command_to_set("WEB_CONCURRENCY", "1")
    else:
        yield "ok", "connections", text, ""


def check_memory(info: dict[str, Any]) -> Iterator[Finding]:
    """Tell what happens when Redis is full, and how far away that is."""
    used, most, policy = (
        info["used_memory"],
        info["maxmemory"],
        info["maxmemory_policy"],
    )
    if policy == "noeviction":
        command = "redis-cli config set maxmemory-policy volatile-lru"
        if os.environ.get("DYNO"):
            command = "heroku redis:maxmemory --policy volatile-lru"
        text = "noeviction: when Redis is full, nobody can log in or be counted"
        yield "warning", "memory policy", text, command
    else:
        yield "ok", "memory policy", policy, ""
    megabytes = f"{used / 1e6:.1f} MB used"
    if most:
        room = max(0, most - used) // BYTES_PER_SESSION
        megabytes += f" of {most / 1e6:.1f} MB: room for {room:,} more small sessions"
    yield "ok", "memory", megabytes, ""
