"""`flask check`: is this stage ready to be deployed?"""

import os
import time
from collections.abc import Iterator
from typing import Any

from click import echo
from flask import Flask
from redis import Redis, RedisError

from ..sessions import RedisStorage, Storage, StorageUnavailable
from .environment import Settings
from .findings import Finding, set_to

# Bytes. A visit counter's takes about 130; most sessions hold a little more.
SESSION = 250
# What INFO says, unless the host forbids it or leaves something out.
IN_INFO = {"used_memory", "maxmemory", "maxmemory_policy", "maxclients"}


def init_app(app: Flask, settings: Settings) -> None:
    """Add `flask check`, which Heroku runs before a release goes live."""

    @app.cli.command()
    def check() -> None:
        """Check that the app can serve with these settings; fail if it cannot."""
        findings = [*check_stage(settings, app.extensions["session_storage"])]
        for finding in findings:
            echo(f"{finding.status:8}{finding.subject:20}{finding.advice}")
        raise SystemExit(any(finding.status == "error" for finding in findings))


def check_stage(settings: Settings, storage: Storage) -> Iterator[Finding]:
    """Say what is in force, what is missing, and whether sessions can be kept."""
    yield Finding("ok", "APP_ENV", settings["APP_ENV"])
    if settings.production and not settings["TRUSTED_HOSTS"]:
        text = "is not set, so any host name is served, and redirects lead back to it"
        fix = set_to("TRUSTED_HOSTS", "www.example.com")
        yield Finding("warning", "TRUSTED_HOSTS", text, fix)
    if os.environ.get("WEB_CONCURRENCY") == "":
        text = "is empty, and gunicorn does not start with that"
        yield Finding("error", "WEB_CONCURRENCY", text, set_to("WEB_CONCURRENCY", ""))
    try:
        storage.ping()
        started = time.perf_counter()  # the first one had to connect
        storage.ping()
    except StorageUnavailable as error:
        yield explain(error, storage)
        return
    took = f"{(time.perf_counter() - started) * 1000:.1f} ms"
    yield Finding("ok", "storage", f"{type(storage).__name__} answers in {took}")
    if isinstance(storage, RedisStorage) and isinstance(storage.client, Redis):
        yield from check_redis(settings, storage.client)


def explain(error: StorageUnavailable, storage: Storage) -> Finding:
    """Say what is wrong with the storage, and what fixes it."""
    if not isinstance(storage, RedisStorage):
        return Finding("error", "storage", error.reason)
    fix = set_to("REDIS_URL", "redis://:password@host:6379/0 (or start that Redis)")
    if "CERTIFICATE_VERIFY_FAILED" in error.reason:
        fix = set_to("REDIS_CA_CERT", "/path/to/ca.pem")
    elif "CERTIFICATE_REQUIRED" in error.reason:
        files = "ssl_certfile=/path/to/app.pem&ssl_keyfile=/path/to/app.key"
        fix = set_to("REDIS_URL", f"'rediss://host:6379/0?{files}'")
    text = f"names a Redis that cannot be used ({error.reason})"
    return Finding("error", "REDIS_URL", text, fix)


def check_redis(settings: Settings, client: Redis) -> Iterator[Finding]:
    """Say whether Redis can be trusted, and what happens when it is full, and when."""
    url, info = settings["REDIS_URL"], dict[str, Any]()
    verified = settings["REDIS_TLS_VERIFY"] and "ssl_cert_reqs=none" not in url
    if url.startswith(("rediss", "valkeys")) and not verified:
        text = "is off: whoever intercepts the connection can read and change sessions"
        fix = set_to("REDIS_TLS_VERIFY", "1 (not for Heroku's own Redis)")
        yield Finding("warning", "REDIS_TLS_VERIFY", text, fix)
    try:
        info = client.info()
    except RedisError as error:
        yield Finding("warning", "INFO", f"is refused by Redis: {error}")
    for name in sorted(IN_INFO - info.keys()):
        yield Finding("warning", name, "is unknown: INFO does not say it")
    used, most = info.get("used_memory", 0), info.get("maxmemory", 0)
    room, full = max(0, most - used) // SESSION, "without a limit"
    if most:
        full = f"full after some {room:,} more first visits, robots' too"
    yield Finding("ok", "memory", f"{used / 1e6:.1f} MB used, {full}")
    if info.get("maxmemory_policy") == "noeviction":
        days = settings["SESSION_IDLE_TIMEOUT"] / 86400
        text = f"is noeviction: Redis is {full}; once it is full, nobody can log in or "
        text += f"be counted for {days:g} days"
        fix = "redis-cli config set maxmemory-policy volatile-lru"
        if settings.on_heroku:
            fix = "heroku redis:maxmemory --policy volatile-lru"
        yield Finding("warning", "maxmemory_policy", text, fix)
    # During a deploy, the old and the new release run side by side.
    needed = settings["WEB_CONCURRENCY"] * settings["WEB_THREADS"] * 2
    allowed = info.get("maxclients", needed)
    text = f"{needed} needed by two releases of one machine, {allowed} allowed"
    fix = set_to("WEB_CONCURRENCY", 1) if needed > allowed else ""
    yield Finding("error" if fix else "ok", "connections", text, fix)
