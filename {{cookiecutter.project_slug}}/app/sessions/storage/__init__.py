"""Where sessions are kept: the contract, and the two storages that come with it."""

from .base import Storage, StorageUnavailable
from .memory import MemoryStorage
from .redis import RedisStorage

__all__ = ["MemoryStorage", "RedisStorage", "Storage", "StorageUnavailable"]
