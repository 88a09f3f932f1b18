"""Both storages keep the contract; one of your own is tested in the same way."""

import pytest

from app.sessions import MemoryStorage, RedisStorage, Storage

from .conftest import needs_servers
from .storage_contract import StorageContract


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


@needs_servers
class TestRedisStorage(StorageContract):
    @pytest.fixture
    def storage(self, redis_url: str) -> Storage:
        return RedisStorage.from_url(redis_url)
