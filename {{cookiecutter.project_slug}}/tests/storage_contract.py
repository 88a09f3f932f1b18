"""What every session storage must do: subclass this, and provide one fixture.

class TestMyStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MyStorage()
"""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.sessions import SessionEnded, Storage

MAX = 2**63 - 1
THREADS = 4  # as many as the app has connections, so that no call waits for one


class StorageContract:
    """Checks that the storage of the fixture `storage` keeps the contract of Storage."""

    def wait(self, seconds: float) -> None:
        """Let time pass; override this if the storage's clock can be set."""
        time.sleep(seconds)

    @pytest.fixture
    def key(self) -> str:
        """A key that no other test uses."""
        return f"session:{secrets.token_hex(16)}"

    def test_loads_what_was_saved(self, storage: Storage, key: str) -> None:
        fields = {"": "1", "a b": '"x"', "ключ": '{"n":[1,null]}', "_": "0"}
        assert storage.save(key, fields, (), 60, create=True)
        assert storage.load(key, 60) == fields

    def test_a_missing_record_loads_as_none(self, storage: Storage, key: str) -> None:
        assert storage.load(key, 60) is None

    def test_saves_only_the_fields_it_is_given(
        self, storage: Storage, key: str
    ) -> None:
        storage.save(key, {"a": "1", "b": "2", "c": "3"}, (), 60, create=True)
        assert storage.save(key, {"b": "4", "d": "5"}, ["c", "x"], 60, create=False)
        assert storage.load(key, 60) == {"a": "1", "b": "4", "d": "5"}

    def test_saves_thousands_of_fields(self, storage: Storage, key: str) -> None:
        fields = {str(number): "1" for number in range(10_000)}
        assert storage.save(key, fields, (), 60, create=True)
        assert storage.save(key, {}, list(fields)[1:], 60, create=False)
        assert storage.load(key, 60) == {"0": "1"}

    def test_a_missing_record_stays_missing_without_create(
        self, storage: Storage, key: str
    ) -> None:
        assert storage.save(key, {"a": "1"}, (), 60, create=False) is False
        assert storage.increment(key, "a", 1, 60, create=False) is None
        assert storage.load(key, 60) is None

    def test_a_record_without_fields_does_not_exist(
        self, storage: Storage, key: str
    ) -> None:
        storage.save(key, {"a": "1"}, (), 60, create=True)
        assert storage.save(key, {}, ["a"], 60, create=False)
        assert storage.load(key, 60) is None
        assert storage.increment(key, "a", 1, 60, create=False) is None

    def test_increments(self, storage: Storage, key: str) -> None:
        assert storage.increment(key, "n", 1, 60, create=True) == 1
        assert storage.increment(key, "n", 41, 60, create=False) == 42
        assert storage.increment(key, "n", 0, 60, create=False) == 42
        assert storage.increment(key, "n", -43, 60, create=True) == -1
        assert storage.load(key, 60) == {"n": "-1"}

    def test_increments_a_saved_integer_exactly(
        self, storage: Storage, key: str
    ) -> None:
        storage.save(key, {"n": str(MAX - 1)}, (), 60, create=True)
        assert storage.increment(key, "n", 1, 60, create=False) == MAX

    @pytest.mark.parametrize("by", [1, MAX])
    def test_a_sum_beyond_64_bits_is_refused(
        self, storage: Storage, key: str, by: int
    ) -> None:
        storage.save(key, {"n": str(MAX)}, (), 60, create=True)
        with pytest.raises(OverflowError):
            storage.increment(key, "n", by, 60, create=False)
        assert storage.load(key, 60) == {"n": str(MAX)}

    @pytest.mark.parametrize("text", ["1.5", "true", '"1"', "[]", "x", "9" * 20])
    def test_only_integers_are_incremented(
        self, storage: Storage, key: str, text: str
    ) -> None:
        storage.save(key, {"n": text}, (), 60, create=True)
        with pytest.raises(TypeError):
            storage.increment(key, "n", 1, 60, create=False)
        assert storage.load(key, 60) == {"n": text}

    def test_deletes_a_record_and_returns_it(self, storage: Storage, key: str) -> None:
        storage.save(key, {"a": "1", "b": "2"}, (), 60, create=True)
        assert storage.delete(key) == {"a": "1", "b": "2"}

    def test_deletes_a_key_without_a_record(self, storage: Storage, key: str) -> None:
        assert storage.delete(key) is None
        with pytest.raises(SessionEnded):
            storage.load(key, 60)

    def test_deletes_a_key_whose_record_was_emptied(
        self, storage: Storage, key: str
    ) -> None:
        storage.save(key, {"a": "1"}, (), 60, create=True)
        storage.save(key, {}, ["a"], 60, create=False)
        assert storage.delete(key) is None

    @pytest.mark.parametrize("create", [False, True])
    @pytest.mark.parametrize("existed", [False, True])
    def test_a_deleted_key_is_ended_for_a_minute_whatever_is_tried(
        self, storage: Storage, key: str, existed: bool, create: bool
    ) -> None:
        if existed:
            storage.save(key, {"n": "1"}, (), 600, create=True)
        storage.delete(key)
        for _ in range(2):
            self.assert_ended(storage, key, create)

    def assert_ended(self, storage: Storage, key: str, create: bool) -> None:
        with pytest.raises(SessionEnded):
            storage.load(key, 600)
        with pytest.raises(SessionEnded):
            storage.increment(key, "n", 1, 600, create=create)
        for changed, removed in [({"n": "2"}, ()), ({}, ["n"]), ({}, ())]:
            with pytest.raises(SessionEnded):
                storage.save(key, changed, removed, 600, create=create)
        with pytest.raises(SessionEnded):
            storage.delete(key)

    def test_records_do_not_mix(self, storage: Storage, key: str) -> None:
        storage.save(key, {"a": "1"}, (), 60, create=True)
        storage.save(key + "2", {"a": "2"}, (), 60, create=True)
        assert storage.load(key, 60) == {"a": "1"}

    def test_what_was_loaded_is_a_copy(self, storage: Storage, key: str) -> None:
        storage.save(key, {"a": "1"}, (), 60, create=True)
        loaded = storage.load(key, 60)
        assert loaded is not None
        loaded["a"] = "2"
        assert storage.load(key, 60) == {"a": "1"}

    def test_a_record_lives_for_its_ttl_after_each_use(
        self, storage: Storage, key: str
    ) -> None:
        for use in "unused", "loaded", "saved", "incremented":
            storage.save(key + use, {"n": "1"}, (), 1, create=True)
        storage.load(key + "loaded", 60)
        storage.save(key + "saved", {}, (), 60, create=False)
        storage.increment(key + "incremented", "n", 1, 60, create=False)
        self.wait(1.1)
        assert storage.load(key + "unused", 60) is None
        assert storage.load(key + "loaded", 60)
        assert storage.load(key + "saved", 60)
        assert storage.load(key + "incremented", 60)

    def test_an_expired_record_is_not_revived(self, storage: Storage, key: str) -> None:
        storage.save(key, {"n": "1"}, (), 1, create=True)
        self.wait(1.1)
        assert not storage.save(key, {"n": "2"}, (), 60, create=False)
        assert storage.increment(key, "n", 1, 60, create=True) == 1

    def test_parallel_increments_all_count(self, storage: Storage, key: str) -> None:
        storage.save(key, {"n": "0"}, (), 60, create=True)
        together = Barrier(THREADS)

        def count(_: int) -> list[int | None]:
            together.wait()
            return [storage.increment(key, "n", 1, 60, create=False) for _ in range(50)]

        with ThreadPoolExecutor(THREADS) as pool:
            sums = [n for counted in pool.map(count, range(THREADS)) for n in counted]
        assert sorted(filter(None, sums)) == list(range(1, THREADS * 50 + 1))

    def test_parallel_saves_of_different_fields_all_stay(
        self, storage: Storage, key: str
    ) -> None:
        storage.save(key, {"first": "1"}, (), 60, create=True)

        def save(number: int) -> bool:
            return storage.save(key, {str(number): "1"}, (), 60, create=False)

        with ThreadPoolExecutor(THREADS) as threads:
            assert all(threads.map(save, range(200)))
        record = storage.load(key, 60)
        assert record is not None
        assert len(record) == 201

    def test_one_of_many_deletes_the_record(self, storage: Storage, key: str) -> None:
        storage.save(key, {"a": "1"}, (), 60, create=True)

        def delete(_: int) -> dict[str, str] | str | None:
            try:
                return storage.delete(key)
            except SessionEnded:
                return "ended"

        with ThreadPoolExecutor(THREADS) as threads:
            answers = list(threads.map(delete, range(16)))
        assert answers.count("ended") == 15
        assert {"a": "1"} in answers

    def test_ping_returns_while_the_storage_works(self, storage: Storage) -> None:
        storage.ping()
