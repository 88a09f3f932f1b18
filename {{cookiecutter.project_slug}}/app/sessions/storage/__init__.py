"""Where sessions are kept: the contract, and the two storages that come with it."""

from .base import INT64, Storage, StorageUnavailable, add
from .memory import MemoryStorage
from .redis import RedisStorage

__all__ = [
    "INT64",
    "MemoryStorage",
    "RedisStorage",
    "Storage",
    "StorageUnavailable",
    "add",
]
