"""`flask check`: is this stage ready to be deployed?"""

import os
import re
from collections.abc import Iterator
from typing import Any

from click import echo
from flask import Flask
from redis import Redis, RedisError

from ..sessions import RedisStorage, Storage, StorageUnavailable
from .environment import Settings, set_to

SESSION = 250  # bytes; a visit counter's takes about 130, most others a little more
# What INFO says, unless the host forbids it or leaves something out.
IN_INFO = {"maxclients", "maxmemory", "maxmemory_policy", "used_memory"}
HUNG_UP = "CERTIFICATE_REQUIRED|not ready|closed by|reset by|Broken pipe|EOF"
Finding = tuple[str, str, str]  # status (ok, warning, error), subject, explanation


def init_app(app: Flask, settings: Settings) -> None:
    """Add `flask check`, which Heroku runs before a release goes live."""

    @app.cli.command()
    def check() -> None:
        """Check that the app can serve with these settings; fail if it cannot."""
        findings = [*check_stage(settings, app.extensions["session_storage"])]
        for status, subject, text in findings:
            echo(f"{status:8}{subject:20}{text}")
        raise SystemExit(any(status == "error" for status, *_ in findings))


def check_stage(settings: Settings, storage: Storage) -> Iterator[Finding]:
    """Say what is in force, what is missing, and whether sessions can be kept."""
    yield "ok", "APP_ENV", settings["APP_ENV"]
    if settings.production and not settings["TRUSTED_HOSTS"]:
        text = "is not set, so any host name is served, and redirects lead back to it"
        fix = set_to("TRUSTED_HOSTS", "www.example.com")
        yield "warning", "TRUSTED_HOSTS", f"{text}; fix it with: {fix}"
    if os.environ.get("WEB_CONCURRENCY") == "":
        text = f"gunicorn cannot read; fix it with: {set_to('WEB_CONCURRENCY', '')}"
        yield "error", "WEB_CONCURRENCY", f"is empty, which {text}"
    try:
        storage.ping()
    except StorageUnavailable as error:
        yield explain(error, storage)
        return
    yield "ok", "storage", f"{type(storage).__name__} answers"
    if isinstance(storage, RedisStorage) and isinstance(storage.client, Redis):
        yield from check_redis(settings, storage.client)


def explain(error: StorageUnavailable, storage: Storage) -> Finding:
    """Say what is wrong with the storage, and what fixes it."""
    if not isinstance(storage, RedisStorage):
        return "error", "storage", error.reason
    fix = set_to("REDIS_URL", "redis://:password@host:6379/0 (or start that Redis)")
    options: Any = getattr(storage.client, "get_connection_kwargs", dict)()
    if "CERTIFICATE_VERIFY_FAILED" in error.reason:
        fix = set_to("REDIS_CA_CERT", "/path/to/ca.pem")
    # TLS 1.3 asks for a client's certificate so late that the end may be all one sees.
    elif "ssl_cert_reqs" in options and re.search(HUNG_UP, error.reason):
        files = "ssl_certfile=/path/to/app.pem&ssl_keyfile=/path/to/app.key"
        url = f"'rediss://host:6379/0?{files}' (if it wants a client certificate)"
        fix = set_to("REDIS_URL", url)
    text = f"names a Redis that cannot be used ({error.reason}); fix it with: {fix}"
    return "error", "REDIS_URL", text


def check_redis(settings: Settings, client: Redis) -> Iterator[Finding]:
    """Say whether Redis can be trusted, and what happens when it is full, and when."""
    url, info = settings["REDIS_URL"], dict[str, Any]()
    verified = settings["REDIS_TLS_VERIFY"] and "ssl_cert_reqs=none" not in url
    if url.startswith(("rediss", "valkeys")) and not verified:
        text = "is off: whoever intercepts the connection can read and change sessions"
        fix = set_to("REDIS_TLS_VERIFY", "1 (not for Heroku's own Redis)")
        yield "warning", "REDIS_TLS_VERIFY", f"{text}; fix it with: {fix}"
    try:
        info = client.info()
    except RedisError as error:
        yield "warning", "INFO", f"is refused by Redis: {error}"
    for name in sorted(IN_INFO - info.keys()):
        yield "warning", name, "is unknown: INFO does not say it"
    used, most = info.get("used_memory", 0), info.get("maxmemory", 0)
    visits = f"{max(0, most - used) // SESSION:,} more first visits, robots' too"
    full = f"full after some {visits}" if most else "without a limit"
    yield "ok", "memory", f"{used / 1e6:.1f} MB used, {full}"
    if info.get("maxmemory_policy") == "noeviction":
        days = f"{settings['SESSION_IDLE_TIMEOUT'] / 86400:g} days"
        text = f"once it is full, nobody can log in or be counted for {days}"
        fix = "redis-cli config set maxmemory-policy volatile-lru"
        if settings.on_heroku:
            fix = "heroku redis:maxmemory --policy volatile-lru"
        text = f"is noeviction: Redis is {full}; {text}; fix it with: {fix}"
        yield "warning", "maxmemory_policy", text
    # During a deploy, the old and the new release run side by side.
    needed = settings["WEB_CONCURRENCY"] * settings["WEB_THREADS"] * 2
    allowed = info.get("maxclients", needed)
    text = f"{needed} needed by two releases of one machine, {allowed} allowed"
    if lacking := needed > allowed:
        text += f"; fix it with: {set_to('WEB_CONCURRENCY', 1)}"
    yield "error" if lacking else "ok", "connections", text
