"""Sessions in Redis: one round trip per call, whatever Redis holds."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

import pytest
from app.sessions import RedisStorage, SessionEnded, StorageUnavailable, values
from redis import Redis


@pytest.fixture(autouse=True)
def nothing_was_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process reports each record once."""
    monkeypatch.setattr(values, "reported", set())


def test_redis_keeps_a_visit_in_little_memory(redis: Redis) -> None:
    storage = RedisStorage(redis)
    key = "session:" + 22 * "x"
    storage.increment(key, "views", 1, 60, create=True)
    assert redis.execute_command("MEMORY", "USAGE", key) <= 130  # bytes


def test_redis_runs_each_operation_in_one_round_trip(
    redis: Redis, redis_url: str
) -> None:
    storage = RedisStorage(redis)

    def use_all() -> None:
        storage.save("session:x", {"n": "1"}, (), 60, create=True)
        storage.load("session:x", 60)
        storage.increment("session:x", "n", 1, 60, create=False)
        storage.delete("session:x")
        storage.ping()

    use_all()  # so that Redis knows the scripts
    redis.flushdb()
    with Redis.from_url(redis_url) as other:
        other.ping()  # it is connected
        with redis.monitor() as monitor:
            use_all()
            other.ping()  # the end
            sent = takewhile(lambda seen: seen["command"] != "PING", monitor.listen())
            commands = [seen for seen in sent if seen["client_type"] != "lua"]
    assert len(commands) == 5


def test_threads_wait_for_a_connection_when_all_are_in_use(
    redis: Redis, redis_url: str
) -> None:
    storage = RedisStorage.from_url(redis_url, connections=2)
    others = len(redis.client_list())
    with ThreadPoolExecutor(16) as pool:
        counts = pool.map(
            lambda _: storage.increment("session:threads", "n", 1, 60, create=True),
            range(500),
        )
        assert sorted(filter(None, counts)) == list(range(1, 501))
    assert len(redis.client_list()) <= others + 2


FORK = """
import os, sys, time
from redis import Redis
from app.sessions import RedisStorage

storage = RedisStorage(Redis.from_url(sys.argv[1]))
storage.ping()
parent = os.fork()
print(storage._ask(time.monotonic(), "", "CLIENT", "ID"), flush=True)
if parent:
    os.waitpid(parent, 0)
"""


def test_a_forked_worker_has_connections_of_its_own(redis_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, redis_url], capture_output=True, check=True
    )
    assert len(set(done.stdout.split())) == 2


def test_redis_learns_its_scripts_again_after_script_flush(redis: Redis) -> None:
    storage = RedisStorage(redis)
    storage.increment("session:x", "n", 1, 60, create=True)
    redis.execute_command("SCRIPT", "FLUSH")
    assert storage.increment("session:x", "n", 1, 60, create=False) == 2


@pytest.mark.parametrize("held", ["nothing", "a record"])
def test_redis_keeps_a_deleted_key_ended_for_just_a_minute(
    redis: Redis, held: str
) -> None:
    storage = RedisStorage(redis)
    if held == "a record":
        storage.save("session:x", {"n": "1"}, (), 1000, create=True)
        assert storage.delete("session:x") == {"n": "1"}
    else:
        assert storage.delete("session:x") is None
    assert 59_000 < redis.pttl("session:x") <= 60_000
    redis.pexpire("session:x", 30_000)  # as if half of it were over
    for create in True, False:
        with pytest.raises(SessionEnded):
            storage.load("session:x", 1000)
        with pytest.raises(SessionEnded):
            storage.save("session:x", {"n": "1"}, (), 1000, create=create)
        with pytest.raises(SessionEnded):
            storage.increment("session:x", "n", 1, 1000, create=create)
        with pytest.raises(SessionEnded):
            storage.delete("session:x")
    assert 0 < redis.pttl("session:x") <= 30_000


def test_an_ended_key_is_usual_and_not_logged(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    storage = RedisStorage(redis)
    storage.delete("session:x")
    with pytest.raises(SessionEnded):
        storage.load("session:x", 60)
    assert caplog.records == []


def test_a_key_can_be_used_again_after_its_minute(redis: Redis) -> None:
    storage = RedisStorage(redis)
    storage.delete("session:x")
    redis.pexpire("session:x", 0)
    assert storage.increment("session:x", "n", 1, 60, create=True) == 1


def test_logging_out_works_on_a_full_redis(redis: Redis) -> None:
    storage = RedisStorage(redis)
    storage.save("session:x", {"n": "1"}, (), 60, create=True)
    redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(StorageUnavailable):
            storage.save("session:x", {"n": "2"}, (), 60, create=False)
        for record in {"n": "1"}, None:
            assert storage.delete("session:x") == record
            with pytest.raises(SessionEnded):
                storage.load("session:x", 60)
            redis.delete("session:x")  # the next time, there is no record to delete
    finally:
        redis.config_set("maxmemory", "0")


@pytest.mark.parametrize("kind", ["text", "list"])
def test_redis_counts_a_record_of_the_wrong_type_as_absent(
    redis: Redis, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    storage = RedisStorage(redis)
    if kind == "text":
        redis.set("session:x", "not a hash")
    else:
        redis.rpush("session:x", "not a hash")
    held = redis.dump("session:x")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert storage.load("session:x", 60) is None
    assert len(caplog.records) == 1  # and not one for each request
    assert storage.increment("session:x", "n", 1, 60, create=False) is None
    assert not storage.save("session:x", {"n": "1"}, (), 60, create=False)
    assert redis.dump("session:x") == held
    assert redis.ttl("session:x") == -1
    assert storage.delete("session:x") is None
    with pytest.raises(SessionEnded):
        storage.load("session:x", 60)


def test_a_thousand_records_of_the_wrong_type_are_logged_at_most(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    storage = RedisStorage(redis)
    for number in range(1_010):
        redis.set(f"session:{number}", "not a hash", ex=60)
        assert storage.load(f"session:{number}", 60) is None
    assert len(caplog.records) == 1_000


def test_a_server_is_away_whatever_words_its_name_has() -> None:
    """Some errors of Redis are answers, which only their words tell."""
    storage = RedisStorage.from_url("unix:///nowhere/would overflow")
    with pytest.raises(StorageUnavailable, match="would overflow"):
        storage.load("session:x", 60)


def test_text_that_is_not_utf_8_harms_no_other_field(redis: Redis) -> None:
    redis.hset("session:x", mapping={"a": b"\xff", "b": "1"})
    assert RedisStorage(redis).load("session:x", 60) == {"a": "\ufffd", "b": "1"}


USER = "ACL SETUSER app on >pw ~session:* -@all +eval +type +get"
MORE = "+hgetall +hset +hdel +hincrby +hget +expire +del +set +select"


def test_a_user_needs_the_rights_that_the_documentation_lists(
    redis: Redis, redis_url: str
) -> None:
    """+select only for another database than 0."""
    redis.execute_command(*USER.split(), *MORE.split())
    path = redis_url.removeprefix("unix://")
    try:
        storage = RedisStorage.from_url(f"unix://app:pw@{path}?db=1")
        storage.ping()
        assert storage.increment("session:x", "n", 1, 60, create=True) == 1
        assert storage.load("session:x", 60) == {"n": "1"}
        assert storage.save("session:x", {"a": "1"}, ["n"], 60, create=False)
        assert storage.delete("session:x") == {"a": "1"}
        with pytest.raises(SessionEnded):
            storage.load("session:x", 60)
        redis.execute_command("ACL", "SETUSER", "app", "-eval")
        with pytest.raises(StorageUnavailable, match="to run the 'eval' command"):
            storage.ping()
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
        redis.execute_command("FLUSHALL")
