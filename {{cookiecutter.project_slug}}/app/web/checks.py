"""`flask check`: is this stage ready to be deployed?"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, FlaskGroup
from redis import Redis, RedisError

from ..sessions import RedisStorage, Storage, StorageUnavailable
from ..settings import DAY, Settings, read_settings
from .environment import ConfigurationError, Finding, command_to_set, command_to_unset
from .storage import explain

# A visit counter's takes about 130; most sessions hold a little more.
BYTES_PER_SESSION = 250

# What INFO says, unless the host forbids it or leaves something out.
TOLD = {"redis_version", "used_memory", "maxmemory", "maxmemory_policy", "maxclients"}


def init_app(app: Flask, settings: Settings, storage: Storage) -> None:
    """Add `flask check`, which Heroku runs before a release goes live."""
    add_command(app, lambda: check_stage(settings, storage))


def app_to_report(error: ConfigurationError) -> Flask:
    """Return an app with nothing but `flask check`; raise for any other command."""

    class Commands(AppGroup):
        def get_command(
            self, ctx: click.Context, cmd_name: str
        ) -> click.Command | None:
            if cmd_name not in self.commands:
                raise error
            return super().get_command(ctx, cmd_name)

    context = click.get_current_context(silent=True)
    if not (context and isinstance(context.command, FlaskGroup)):
        raise error  # no `flask` command, or one of Flask's own
    app = Flask(__name__)
    app.cli = Commands()
    add_command(app, lambda: error.errors)
    return app


def add_command(app: Flask, find: Callable[[], Iterable[Finding]]) -> None:
    """Add `flask check`, which prints what is found."""

    @app.cli.command()
    @click.option("--format", "style", type=click.Choice(["table", "json"]))
    def check(style: str | None) -> None:
        """Check that the app can serve with these settings; fail if it cannot."""
        findings = [*find()]
        if style == "json":
            rows = [finding._asdict() for finding in findings]
            click.echo(json.dumps(rows, indent=2))
        else:
            for status, subject, text, command in findings:
                fix = f"; fix it with: {command}" if command else ""
                click.echo(f"{status:8}{subject:20}{text}{fix}")
        if any(status == "error" for status, *_ in findings):
            raise SystemExit(1)


def check_stage(settings: Settings, storage: Storage) -> Iterator[Finding]:
    """Say what is in force; in development, also what production will need."""
    if settings.production:
        yield Finding("ok", "APP_ENV", "production")
        yield Finding("ok", "SECRET", "is set, long and random enough")
    else:
        yield Finding("ok", "APP_ENV", "development")
        _, errors = read_settings({**os.environ, "APP_ENV": "production"})
        for _, name, text, command in errors:
            yield Finding("warning", name, f"{text} (in production)", command)
    if os.environ.get("WEB_CONCURRENCY") == "":
        text = "is empty, and gunicorn does not start with that"
        command = command_to_unset("WEB_CONCURRENCY")
        yield Finding("error", "WEB_CONCURRENCY", text, command)
    if older := settings.secrets[1:]:
        yield Finding("ok", "SECRET_FALLBACKS", f"{len(older)} older, still valid")
    name, secure = settings.cookie_name, "Secure, " if settings.production else ""
    yield Finding("ok", "cookie", f"{name}: {secure}HttpOnly, SameSite=Lax, Path=/")
    idle, lifetime = settings.idle_timeout / DAY, settings.lifetime / DAY
    text = f"sessions end after {idle:g} days unused, {lifetime:g} in all"
    if idle > lifetime:
        text = (
            "SESSION_IDLE_TIMEOUT is longer than SESSION_LIFETIME, so it has no effect"
        )
        command = command_to_set("SESSION_IDLE_TIMEOUT", str(settings.lifetime))
        yield Finding("warning", "timeouts", text, command)
    else:
        yield Finding("ok", "timeouts", text)
    yield Finding("ok", "Python", platform.python_version())
    yield from check_storage(settings, storage)


def check_storage(settings: Settings, storage: Storage) -> Iterator[Finding]:
    """Check that the storage answers, and that a Redis server has room."""
    try:
        storage.ping()
        started = time.perf_counter()  # the first one had to connect
        storage.ping()
    except StorageUnavailable as error:
        yield explain(error, storage, production=settings.production)
        return
    answered = f"answers in {(time.perf_counter() - started) * 1000:.1f} ms"
    if isinstance(storage, RedisStorage) and isinstance(storage.client, Redis):
        yield from check_redis(settings, storage.client, answered)
    else:
        yield Finding("ok", "storage", f"{type(storage).__name__} {answered}")


def check_redis(settings: Settings, client: Redis, answered: str) -> Iterator[Finding]:
    """Say what happens when Redis is full, and how far off that is."""
    info: dict[str, Any] = {}
    try:
        info = client.info()
    except RedisError as error:
        yield Finding("warning", "INFO", f"is refused by Redis: {error}")
    version = info.get("valkey_version", info.get("redis_version", "(some version)"))
    yield Finding("ok", "Redis", f"{version} {answered}")
    for name in sorted(TOLD - info.keys()):
        yield Finding("warning", name, "is unknown: INFO does not say it")
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        command = "redis-cli config set maxmemory-policy volatile-lru"
        if os.environ.get("DYNO"):
            command = "heroku redis:maxmemory --policy volatile-lru"
        text = "noeviction: when Redis is full, nobody can log in or be counted"
        yield Finding("warning", "memory policy", text, command)
    elif policy:
        yield Finding("ok", "memory policy", policy)
    if "used_memory" in info:
        used, most = info["used_memory"], info.get("maxmemory")
        text = f"{used / 1e6:.1f} MB used"
        if most:
            room = max(0, most - used) // BYTES_PER_SESSION
            text += f" of {most / 1e6:.1f} MB: room for {room:,} more small sessions"
        yield Finding("ok", "memory", text)
    if "maxclients" in info:
        # During a deploy, the old and the new release run side by side.
        needed, allowed = settings.processes * settings.threads * 2, info["maxclients"]
        text = f"{needed} needed by two releases of one machine, {allowed} allowed"
        command = command_to_set("WEB_CONCURRENCY", "1") if needed > allowed else ""
        status = "error" if command else "ok"
        yield Finding(status, "connections", text, command)
