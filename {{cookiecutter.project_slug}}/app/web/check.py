"""`flask check`: is this stage ready to be deployed?"""

from collections.abc import Iterator

from click import echo
from flask import Flask
from redis import Redis, RedisError

from ..sessions import RedisStorage, Storage, StorageUnavailable
from .environment import Settings, set_to

CONFIG_SET = "redis-cli config set maxmemory-policy"


def init_app(app: Flask, settings: Settings) -> None:
    """Add `flask check`, which Heroku runs before a release goes live."""

    @app.cli.command()
    def check() -> None:
        """Check that the app can serve with these settings; fail if it cannot."""
        findings = [*check_stage(settings, app.extensions["session_storage"])]
        echo("\n".join(findings))
        raise SystemExit(any(finding.startswith("error") for finding in findings))


def check_stage(settings: Settings, storage: Storage) -> Iterator[str]:
    """Say what is in force, what is missing, and whether sessions can be kept."""
    yield f"ok      APP_ENV is {settings['APP_ENV']}"
    if settings.production and not settings["TRUSTED_HOSTS"]:
        text = "is not set, so any host name is served, and redirects lead back to it"
        fix = set_to("TRUSTED_HOSTS", "www.example.com")
        yield f"warning TRUSTED_HOSTS {text}; fix it with: {fix}"
    url = settings["REDIS_URL"]
    tls = url.startswith(("rediss", "valkeys"))
    if tls and not (settings["REDIS_TLS_VERIFY"] and "ssl_cert_reqs=none" not in url):
        text = "is off: whoever intercepts the connection can read and change sessions"
        fix = set_to("REDIS_TLS_VERIFY", "1 (not for Heroku's own Redis)")
        yield f"warning REDIS_TLS_VERIFY {text}; fix it with: {fix}"
    try:
        storage.ping()
    except StorageUnavailable as error:
        fix = set_to("REDIS_URL", "redis://:password@host:6379/0 (or start that Redis)")
        if "CERTIFICATE_VERIFY_FAILED" in error.reason:
            fix = set_to("REDIS_CA_CERT", "/path/to/ca.pem")
        elif tls:
            fix += "; for a client certificate, add ?ssl_certfile=…&ssl_keyfile=… to it"
        how = f"; fix it with: {fix}" if isinstance(storage, RedisStorage) else ""
        yield f"error   {type(storage).__name__} cannot be used ({error.reason}){how}"
        return
    yield f"ok      {type(storage).__name__} answers"
    if isinstance(storage, RedisStorage) and isinstance(storage.client, Redis):
        yield from check_redis(settings, storage.client)


def check_redis(settings: Settings, client: Redis) -> Iterator[str]:
    """Say what Redis does when it is full, and whether it takes enough connections."""
    try:
        info = client.info()
    except RedisError as error:
        yield f"warning INFO is refused by Redis: {error}"
        return
    if info.get("maxmemory_policy") == "noeviction":
        days = f"{settings['SESSION_IDLE_TIMEOUT'] / 86400:g} days"
        text = f"is noeviction: once Redis is full, nobody can log in for {days}"
        tool = "heroku redis:maxmemory --policy" if settings.on_heroku else CONFIG_SET
        yield f"warning maxmemory_policy {text}; fix it with: {tool} volatile-lru"
    # During a deploy, the old and the new release run side by side.
    needed = settings["WEB_CONCURRENCY"] * settings["WEB_THREADS"] * 2
    allowed = info.get("maxclients", needed)
    text = f"connections: two releases need {needed} a machine, Redis allows {allowed}"
    fix = f"; fix it with: {set_to('WEB_CONCURRENCY', 1)}"
    yield f"error   {text}{fix}" if needed > allowed else f"ok      {text}"
