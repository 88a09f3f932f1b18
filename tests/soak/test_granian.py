"""The switch to Granian, made as docs/granian.md says, and what must go on."""

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Server, Visitor, run, status_of, valkey
from tests.pages import block
from tests.raw import Stream, request
from tests.waiting import free_port, listens, wait_until


@pytest.fixture(scope="module")
def switched(baked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default project with Granian, after the docs' own commands."""
    project = tmp_path_factory.mktemp("granian") / baked.name
    shutil.copytree(baked, project, ignore=shutil.ignore_patterns(".venv"))
    (project / ".venv").symlink_to(baked / ".venv")
    commands = block(ROOT, "echo 'granian")
    home = tmp_path_factory.mktemp("home")
    install = project / ".venv/bin/uv", "pip", "install", "-p", ".venv/bin/python"
    for command in commands.splitlines():
        # On this machine only, and not on all networks.
        here = command.strip().replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert run(home, project, "sh", "-c", here)[0] == 0
    status, output = run(home, project, *install, "-r", "requirements.txt")
    assert status == 0, output
    return project


@pytest.fixture
def serve_switched(switched: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts the project from its Procfile."""
    servers: list[Server] = []

    def serve(**settings: str) -> Server:
        port = free_port()
        servers.append(Server(switched, "web", PORT=str(port), **settings))
        wait_until(lambda: listens(port))  # Granian says so somewhat early
        return servers[-1]

    yield serve
    for server in servers:
        if server.process.returncode is None:
            server.stop()


def test_the_requirements_are_pinned_with_hashes(switched: Path) -> None:
    assert re.search(
        r"^granian==[\d.]+ \\\n +--hash=sha256:",
        (switched / "requirements.txt").read_text(),
        re.MULTILINE,
    )


def test_counts_on_after_a_restart(
    serve_switched: Callable[..., Server], redis_url: str
) -> None:
    first = serve_switched(REDIS_URL=redis_url)
    visitor = Visitor(first.url + "/")
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
    first.stop()
    visitor.url = serve_switched(REDIS_URL=redis_url).url + "/"
    assert visitor.count() == 4


def test_one_process_with_its_memory_is_served(
    serve_switched: Callable[..., Server],
) -> None:
    visitor = Visitor(serve_switched(WEB_CONCURRENCY="1").url + "/")
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]


SLOW = """
from pathlib import Path
import app

def create_app():
    made = app.create_app()
    made.add_url_rule("/slow", view_func=Path("fifo").read_text)
    return made
"""


def test_a_request_in_flight_is_answered_before_the_end(
    switched: Path, serve_switched: Callable[..., Server], redis_url: str
) -> None:
    """SIGTERM does not cut off a view that waits, here until it reads from a FIFO."""
    os.mkfifo(fifo := switched / "fifo")
    (switched / "slow.py").write_text(SLOW)
    procfile = switched / "Procfile"
    command = procfile.read_text()
    procfile.write_text(command.replace("app:create_app", "slow:create_app"))
    server = serve_switched(REDIS_URL=redis_url)
    procfile.write_text(command)
    stream = Stream(server.url)
    stream.start(request("/slow"))
    with fifo.open("w") as finish:  # once it is open the view reads, or would
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until(lambda: any("Stopping worker" in line for line in server.log))
        finish.write("at last")
    assert stream.finish().endswith(b"at last")
    stream.close()
    stopping.join()


def test_an_outage_costs_only_the_pages_with_a_session(
    serve_switched: Callable[..., Server],
) -> None:
    with valkey() as redis:
        server = serve_switched(REDIS_URL=redis.connection_url)
        assert status_of(server.url + "/") == 200
    assert status_of(server.url + "/") == 503
    assert status_of(server.url + "/healthz") == 200
