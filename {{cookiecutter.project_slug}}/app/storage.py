"""Where sessions are kept: in Redis, or in memory until there is one."""

import logging

from .config import Settings
from .sessions import MemoryStorage, RedisStorage, Storage
from .sessions.storage.connect import connect

log = logging.getLogger(__name__)


def open_storage(settings: Settings) -> Storage:
    """Return the storage that REDIS_URL names; nothing is connected yet."""
    if not settings.redis_url:
        log.warning(
            "Sessions are kept in memory, by one process, and go when it stops; "
            "keep them in Redis with: export REDIS_URL=redis://127.0.0.1:6379/0"
        )
        return MemoryStorage()
    client = connect(
        settings.redis_url,
        connections=settings.threads,
        verify=settings.redis_tls_verify,
        ca_cert=settings.redis_ca_cert,
    )
    return RedisStorage(client)


def session_hint(settings: Settings, storage: Storage) -> str | None:
    """Return what the page tells the developer, and nobody else."""
    where = f"by {type(storage).__name__}"
    if isinstance(storage, MemoryStorage):
        where = "in memory until you set REDIS_URL"
    return None if settings.production else f"Sessions are kept {where}."
