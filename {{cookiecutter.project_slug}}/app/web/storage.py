"""Where sessions are kept: in Redis, or in memory until there is one."""

import logging
import os
import sys
from argparse import ArgumentParser

from flask import current_app

from ..sessions import MemoryStorage, RedisStorage, Storage, StorageUnavailable
from ..sessions.storage.connect import connect
from ..settings import Settings
from .environment import ConfigurationError, Finding, command_to_set

log = logging.getLogger(__name__)

EXAMPLE = "redis://127.0.0.1:6379/0"


def open_storage(settings: Settings) -> Storage:
    """Return the storage that REDIS_URL names; in development, warn if it is away."""
    if not settings.redis_url:
        log.warning(
            "Sessions are kept in memory, by one process, and are lost when it stops; "
            f"keep them in Redis with: export REDIS_URL={EXAMPLE}"
        )
        return MemoryStorage()
    client = connect(
        settings.redis_url,
        connections=settings.threads,
        verify=settings.redis_tls_verify,
        ca_cert=settings.redis_ca_cert,
    )
    storage = RedisStorage(client)
    try:
        if not settings.production:
            storage.ping()
    except StorageUnavailable as error:
        log.warning("%s", explain(error, storage, production=False))
    return storage


def explain(
    error: StorageUnavailable, storage: Storage, *, production: bool
) -> Finding:
    """Say what is wrong with a storage, and how to fix it."""
    if not isinstance(storage, RedisStorage):
        return Finding("error", "storage", error.reason)
    text = f"names a Redis that cannot be used ({error.reason})"
    command = command_to_set("REDIS_URL", "redis://:password@host:6379/0")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        command = command_to_set("REDIS_CA_CERT", "/path/to/ca.pem")
    elif not production and "Auth" not in text:
        command = "redis-server (to start one) or export REDIS_URL= (to do without)"
    return Finding("error", "REDIS_URL", text, command)


def check_processes(storage: object, processes: int | None = None) -> None:
    """Refuse several processes with sessions in memory: each would count alone."""
    processes = processes or processes_of_granian()
    if isinstance(storage, MemoryStorage) and processes > 1:
        text = f"are kept in memory, which {processes} processes cannot share"
        command = f"{command_to_set('REDIS_URL', EXAMPLE)} (or start one: --workers 1)"
        raise ConfigurationError(Finding("error", "Sessions", text, command))


def processes_of_granian() -> int:
    """Return how many workers Granian starts; only its command line says so."""
    if "granian" not in sys.modules:
        return 1
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    default = os.environ.get("GRANIAN_WORKERS") or "1"
    parser.add_argument("--workers", type=int, default=default)
    return int(parser.parse_known_args()[0].workers)


def outage_hint(error: Exception) -> Finding | None:
    """Return what the page of an outage says to the developer, and to nobody else."""
    development = current_app.config["SESSION_HINT"]
    if not (development and isinstance(error, StorageUnavailable)):
        return None
    storage = current_app.extensions["session_storage"]
    return explain(error, storage, production=False)


def session_hint(settings: Settings, storage: Storage) -> str | None:
    """Return what the page says to the developer, and to nobody else."""
    where = f"by {type(storage).__name__}"
    if isinstance(storage, MemoryStorage):
        where = "in memory and lost when the server stops: set REDIS_URL"
    return None if settings.production else f"Sessions are kept {where}."
