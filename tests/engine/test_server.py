"""The app as it runs: gunicorn with two processes and threads, and a real Valkey."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL

import pytest
from redis import Redis

from tests.engine.conftest import PROJECT, Server

StartServer = Callable[..., Server]


@pytest.fixture
def server(start_server: StartServer, redis: Redis, redis_url: str) -> Server:
    return start_server(
        "tests.engine.probe:create_app()", REDIS_URL=redis_url, WEB_CONCURRENCY="2"
    )


def test_counts_in_memory_by_one_process_and_says_so(
    start_server: StartServer,
) -> None:
    """Hosts such as Heroku set the number themselves."""
    server = start_server(REDIS_URL="memory://", WEB_CONCURRENCY="4")
    visitor = server.visitor()
    assert [visitor.count() for _ in range(20)] == list(range(1, 21))
    assert "Sessions are kept in memory" in server.log[0]


@pytest.mark.parametrize(
    ("options", "more", "number"),
    [(["-w", "2"], "", "1"), ([], "--workers=2", "1"), ([], "", "2")],
    ids=["flag", "variable", "setting"],
)
def test_several_processes_do_not_start_with_a_memory_each(
    options: list[str], more: str, number: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", *options],
        cwd=PROJECT,
        env=os.environ | {"GUNICORN_CMD_ARGS": more, "WEB_CONCURRENCY": number},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "Sessions are kept in memory, which 2 processes cannot"
    )


@pytest.mark.parametrize("given", ["3", ""])
def test_a_storage_of_ones_own_gets_the_processes_that_are_set(
    start_server: StartServer, given: str
) -> None:
    server = start_server(
        "tests.engine.probe:create_app_with_its_own_storage()",
        APP_ENV="production",
        SECRET="0123456789abcdef-0123456789abcdef",
        REDIS_URL="",
        **({"WEB_CONCURRENCY": given} if given else {}),
    )
    server.stop()
    log = "".join(server.log)
    assert log.count("Booting worker with pid") == int(given or 2)


def test_processes_share_the_secret_that_development_makes_up(
    start_server: StartServer, redis_url: str
) -> None:
    """Or visitors would be new to each of them."""
    server = start_server(SECRET="", REDIS_URL=redis_url, WEB_CONCURRENCY="2")
    visitor = server.visitor()
    assert [visitor.count() for _ in range(20)] == list(range(1, 21))
    assert "SECRET is not set" in server.log[0]


def test_the_count_goes_on_after_a_crash(
    start_server: StartServer, redis: Redis, redis_url: str
) -> None:
    first = start_server(REDIS_URL=redis_url)
    visitor = first.visitor()
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
    first.stop(SIGKILL)
    visitor.url = start_server(REDIS_URL=redis_url).url
    assert visitor.count() == 4


def test_parallel_visits_are_all_counted(server: Server) -> None:
    visitor = server.visitor()
    assert visitor.count() == 1
    with ThreadPoolExecutor(16) as threads:
        counts = list(threads.map(lambda _: visitor.count(), range(2000)))
    assert sorted(counts) == list(range(2, 2002))


def test_parallel_changes_of_different_keys_are_all_kept(server: Server) -> None:
    visitor = server.visitor()
    visitor.get("/set/first")
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: visitor.get(f"/set/{n}"), range(500)))
    assert len(visitor.get("/all").json) == 501


def test_pages_without_a_session_leave_no_trace(server: Server, redis: Redis) -> None:
    visitor = server.visitor()
    visitor.count()
    before = commands(redis)
    paths = ["/healthz", "/nowhere", "/static/style.css"]
    for path in paths:
        visitor.get(path)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda path: server.visitor().get(path), paths * 334))
    assert commands(redis) == before
    assert redis.dbsize() == 1


def test_a_visit_is_one_command(server: Server, redis: Redis) -> None:
    visitor = server.visitor()
    for _ in range(20):  # until each process has its connection and knows the scripts
        visitor.count()
    before = commands(redis)
    for _ in range(10):
        visitor.count()
    assert commands(redis) == before + 10


def commands(redis: Redis) -> int:
    """Return how many commands Redis has run.

    Not counted are those within a script, those that open a connection, and this test's own.
    """
    within = ("expire", "hlen", "hincrby", "hget", "hgetall", "hset", "hdel", "type")
    ours = ("info", "dbsize", "flushall", "ping", "hello", "select")
    return sum(
        stat["calls"]
        for name, stat in redis.info("commandstats").items()
        if not name.removeprefix("cmdstat_").startswith((*within, *ours, "client"))
    )


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "X-Forwarded-Prefix"])
def test_a_client_does_not_choose_where_the_app_is_mounted(
    start_server: StartServer, header: str
) -> None:
    visitor = start_server(TRUSTED_PROXIES="1").visitor()
    assert visitor.get("/static/style.css", **{header: "/static"}).status == 200
    redirected = visitor.get("//healthz", **{header: "/evil"})
    assert redirected == visitor.get("/healthz")
    assert redirected.status == 200


def test_a_logout_holds_for_every_process(server: Server) -> None:
    visitor = server.visitor()
    visitor.count()
    [cookie] = visitor.cookies
    thieves = [server.visitor() for _ in range(10)]
    for thief in thieves:
        thief.cookies.set_cookie(cookie)
        thief.count()
    visitor.post("/reset")
    assert [thief.count() for thief in thieves] == [1] * 10
