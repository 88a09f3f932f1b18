"""The image: built from the Dockerfile for real, and run within a host's limits."""

import http.client
import json
import re
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from tests.conftest import Baker, commands_of, run_cookiecutter, status_of
from tests.pages import block, code
from tests.podman import PYTHONS, Podman, arguments_of, container_name
from tests.raw import SLOW, Stream, dripping, request
from tests.waiting import wait_until

# The docs' command, on this machine's loopback only, and with little memory.
LIMITS = ["--rm", "--network=host", "--read-only-tmpfs=false", "--memory=256m"]


class Container:
    """What the docs' `docker run` starts, until it is stopped."""

    def __init__(self, podman: Podman, *arguments: str) -> None:
        self._podman = podman
        self._name = container_name()
        named = [*LIMITS, f"--name={self._name}", *arguments]
        self.process = subprocess.Popen(
            podman.command("run", *named),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        self.log: list[str] = []
        for line in self.process.stdout:
            self.log.append(line)
            if found := re.search(r"Listening at: (http://[\d.:]+)", line):
                self.url = found[1]
                break
        else:
            raise AssertionError("".join(self.log))
        self._reader = Thread(target=self.log.extend, args=[self.process.stdout])
        self._reader.start()

    def run(self, *command: str) -> str:
        """Run a command in it; return what it prints."""
        return self._podman("exec", self._name, *command)

    def inspect(self, what: str) -> str:
        """Return what podman knows of it."""
        return self._podman("inspect", f"--format={what}", self._name).strip()

    def stop(self) -> int:
        """Stop it as a host does, by the image's signal; return how it ended."""
        self._podman("stop", self._name)
        return self.end()

    def end(self) -> int:
        """Wait for its end; return how it ended."""
        status = self.process.wait(30)
        self._reader.join(30)
        assert self.process.stdout
        self.process.stdout.close()
        return status


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baked project in which secrets lie about; umask 077 keeps it from others."""
    folder = tmp_path_factory.mktemp("projects")
    home = tmp_path_factory.mktemp("home")
    project = run_cookiecutter(template, folder, home, answers={}).project
    for name in (".env.production", "app/.env", "app/__pycache__/views.pyc", "notes"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("SECRET=planted")
    (project / ".git").mkdir(exist_ok=True)
    (project / ".git/config").write_text("planted")
    subprocess.run(["chmod", "-R", "go=", project], check=True)
    return project


@pytest.fixture(scope="module")
def commands(podman: Podman, project: Path) -> list[list[str]]:
    """The docs' commands: build, which has been run, and run."""
    lines = block(project, "docker build").splitlines()
    build, run = map(arguments_of, lines)
    assert build[-1] == "."
    podman(*build[:-1], project)
    return [build, run]


@pytest.fixture
def env(tmp_path: Path, redis_url: str) -> Path:
    """The file with the settings, for the docs' command."""
    settings = {
        "SECRET": secrets.token_urlsafe(48),
        "REDIS_URL": redis_url,
        "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:0",
    }
    lines = [f"{name}={value}\n" for name, value in settings.items()]
    file = tmp_path / "app.env"
    file.write_text("".join(lines))
    return file


@pytest.fixture
def start(
    podman: Podman, commands: list[list[str]], env: Path
) -> Iterator[Callable[[], Container]]:
    """A function that starts the image by the docs' command."""
    started: list[Container] = []

    def start() -> Container:
        _, (_, *arguments) = commands
        arguments[arguments.index(".env.production")] = str(env)
        started.append(Container(podman, *arguments))
        return started[-1]

    yield start
    for container in started:
        if container.process.returncode is None:
            container.stop()


def try_in(
    podman: Podman, env: Path, *command: str, **settings: str
) -> tuple[int, str]:
    """Run a command in a container of its own; return its status and what it prints."""
    given = [f"--env={name}={value}" for name, value in settings.items()]
    limits = [*LIMITS, "--read-only", "--cap-drop=all", f"--env-file={env}", *given]
    return podman.attempt("run", *limits, "app", *command)


def test_a_linter_has_nothing_to_say(project: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--no-color", project / "Dockerfile"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_image_has_the_python_that_was_chosen(bake: Baker, version: str) -> None:
    project = bake(python_version=version).project
    first = re.findall("^FROM .+", (project / "Dockerfile").read_text(), re.MULTILINE)
    assert first == [f"FROM python:{version}-slim"]
    assert (project / ".python-version").read_text() == f"{version}\n"


@pytest.mark.usefixtures("commands")
def test_the_image_holds_what_the_app_needs_and_nothing_else(
    podman: Podman, project: Path, env: Path
) -> None:
    listing = 'find . -type f ! -path "./app/*" | sort; find app -name ".*"; find app'
    status, output = try_in(podman, env, "sh", "-c", listing)
    assert status == 0, output
    found = output.split()
    app = found.index("app")
    beside = [".flaskenv", "gunicorn.conf.py", "requirements.txt"]
    assert found[:app] == [f"./{name}" for name in beside]
    ours = {str(path.relative_to(project)) for path in project.glob("app/**/*")}
    planted = {"app/.env", "app/__pycache__", "app/__pycache__/views.pyc"}
    assert set(found[app:]) == (ours - planted) | {"app"}


def test_a_package_with_another_hash_is_not_installed(
    podman: Podman, project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other)
    requirements = other / "requirements.txt"
    text = re.sub("sha256:[0-9a-f]{64}", f"sha256:{64 * '0'}", requirements.read_text())
    requirements.write_text(text)
    status, output = podman.attempt("build", "--tag=other", other)
    assert status != 0
    assert "DO NOT MATCH THE HASHES" in output


def test_counts_within_the_limits_of_a_host(start: Callable[[], Container]) -> None:
    container = start()
    counts, cookie = [], ""
    for _ in range(3):
        # By hand, since the cookie is for https, which a host has in front of the image.
        connection = http.client.HTTPConnection(urlsplit(container.url).netloc)
        connection.request("GET", "/", headers={"Cookie": cookie})
        answer = connection.getresponse()
        counts.append(json.load(answer)["views"])
        cookie = answer.headers.get("Set-Cookie", cookie).partition(";")[0]
        connection.close()
    assert counts == [1, 2, 3]
    assert container.inspect("{{.HostConfig.Memory}}") == str(256 * 1024 * 1024)
    assert container.inspect("{{.HostConfig.ReadonlyRootfs}}") == "true"
    status = container.run("cat", "/proc/1/status")
    assert re.search(r"^Name:\s+gunicorn$", status, re.MULTILINE)
    assert re.search(r"^Uid:(\s+1000){4}$", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert "APP_ENV=production" in container.run("env")


def test_stops_within_its_grace_time_and_finishes_what_is_under_way(
    start: Callable[[], Container],
) -> None:
    container = start()
    stream = Stream(container.url)
    assert stream.send(request("/healthz")).startswith(b"HTTP/1.1 200 ")  # accepted
    stream.start(request("/reset", "POST", Content_Length="4"))
    stopping = Thread(target=container.stop)
    stopping.start()
    wait_until(lambda: "Handling signal: " in "".join(container.log))
    stream.start(b"a=1&")
    assert stream.finish().startswith(b"HTTP/1.1 303 ")
    stream.close()
    stopping.join()
    assert container.process.returncode == 0
    assert "Handling signal: term" in "".join(container.log)


@pytest.mark.parametrize("what", SLOW)
def test_slow_clients_stop_nobody(start: Callable[[], Container], what: str) -> None:
    """With nothing in front of it that would keep them away."""
    container = start()
    with dripping(container.url, what):
        assert [status_of(container.url + "/") for _ in range(10)] == [200] * 10


@pytest.mark.usefixtures("commands")
def test_it_has_the_python_that_its_name_says(podman: Podman, env: Path) -> None:
    """The project's default, and no other under its name."""
    status, output = try_in(podman, env, "python", "--version")
    assert (status, output.rpartition(".")[0]) == (0, f"Python {PYTHONS[0]}")


@pytest.mark.usefixtures("commands")
def test_flask_check_runs_in_it(podman: Podman, env: Path) -> None:
    status, output = try_in(podman, env, "flask", "check")
    assert status == 0, output
    assert re.search("^ok +APP_ENV is production$", output, re.MULTILINE)
    status, output = try_in(podman, env, "flask", "check", SECRET="short")
    assert status == 1
    assert output.startswith("SECRET is too short ")


@pytest.mark.usefixtures("commands")
def test_the_port_of_the_image_is_the_one_of_the_app(
    podman: Podman, project: Path, env: Path
) -> None:
    """`fly launch` reads it out of the Dockerfile."""
    [port] = re.findall(
        r"^EXPOSE (\d+)$", (project / "Dockerfile").read_text(), re.MULTILINE
    )
    show = ["gunicorn", "--print-config"]
    status, output = try_in(podman, env, *show, GUNICORN_CMD_ARGS="")
    assert status == 0, output
    assert re.search(rf"^bind += \['.*:{port}'\]$", output, re.MULTILINE)


def test_fly_io_is_told_what_the_app_needs(project: Path) -> None:
    [lines] = [
        text for text in code(project / "docs/deploy.md") if "kill_signal" in text
    ]
    config = tomllib.loads(lines)
    assert config["kill_signal"] == "SIGTERM"
    assert config["kill_timeout"] == 30
    assert config["deploy"]["release_command"] == commands_of(project)["release"]
    assert config["http_service"]["checks"] == [{"path": "/healthz"}]
    assert all(isinstance(value, str) for value in config["env"].values())
