"""Where sessions are kept: the contract, and the two storages that come with it."""

from .base import ENDED_FOR, INT64, SessionEnded, Storage, StorageUnavailable, add
from .memory import MemoryStorage
from .redis import RedisStorage

__all__ = [
    "ENDED_FOR",
    "INT64",
    "MemoryStorage",
    "RedisStorage",
    "SessionEnded",
    "Storage",
    "StorageUnavailable",
    "add",
]
