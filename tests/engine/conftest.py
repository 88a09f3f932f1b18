"""What the tests of the engine share, besides the project's own conftest: real servers."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from signal import Signals
from threading import Thread
from typing import Any

import pytest
from app import create_app
from app.sessions import MemoryStorage, RedisStorage, Storage
from flask.testing import FlaskClient
from redis import Redis

PROJECT = Path(__file__).parents[2]
MakeClient = Callable[..., FlaskClient]


def free_port() -> int:
    """Return a port on which nobody listens, for a server that cannot choose one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A connection to that server, which is empty when a test begins."""
    with Redis.from_url(redis_url) as connection:
        connection.flushall()
        yield connection


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each storage in turn, empty."""
    if request.param == "memory":
        return MemoryStorage()
    return RedisStorage(request.getfixturevalue("redis"))


@dataclass(frozen=True)
class Answer:
    """What a visitor gets."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """What the text says, read as JSON."""
        return json.loads(self.text)


class Visitor:
    """A browser, as far as the tests need one: it keeps cookies."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def get(self, path: str = "/", **headers: str) -> Answer:
        """Ask for a page."""
        return self._open(urllib.request.Request(self.url + path, headers=headers))  # noqa: S310

    def post(self, path: str) -> Answer:
        """Send an empty form, and return the answer of the page that it leads to."""
        return self._open(urllib.request.Request(self.url + path, data=b""))  # noqa: S310

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=10) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())

    def count(self) -> int:
        """Visit the counter and return the count."""
        answer = self.get("/")
        assert answer.status == 200, answer.text
        return int(answer.json["views"])


class Server:
    """The app under gunicorn, on a free port of this machine."""

    def __init__(self, app: str | None = None, **settings: str) -> None:
        command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [*command, app] if app else command,
            cwd=PROJECT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        self.log: list[str] = []
        for line in self.process.stdout:
            self.log.append(line)
            found = re.search(r"Listening at: (http://[\d.:]+)", line)
            if found:
                self.url = found[1]
                break
        else:
            raise AssertionError("".join(self.log))
        # Keep reading: otherwise the server would wait for room in the pipe.
        self._reader = Thread(target=self.log.extend, args=[self.process.stdout])
        self._reader.start()

    def visitor(self) -> Visitor:
        """Return a new visitor, without cookies."""
        return Visitor(self.url)

    def stop(self, signal: Signals = Signals.SIGTERM) -> None:
        """Send the signal to gunicorn, and wait until it has ended."""
        self.process.send_signal(signal)
        self.process.wait(30)
        self._reader.join(30)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """A function that starts the real server with the settings it is given.

    It serves the app, or another one if that is named as gunicorn wants it.
    """
    servers: list[Server] = []

    def start(app: str | None = None, **settings: str) -> Server:
        servers.append(Server(app, **settings))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.returncode is None:
            server.stop()


@pytest.fixture
def visitor(start_server: Callable[..., Server]) -> Visitor:
    """A visitor of the real server, which keeps its sessions in memory."""
    return start_server().visitor()


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Return a visitor of the app in production, with these settings."""

    def make(**settings: str) -> FlaskClient:
        monkeypatch.setenv("APP_ENV", "production")
        monkeypatch.setenv("SECRET", "0123456789abcdef-0123456789abcdef")
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return create_app(storage=MemoryStorage()).test_client()

    return make
