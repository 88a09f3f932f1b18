"""What gunicorn offers goes on working with the project's gunicorn.conf.py."""

import json
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import pytest
from trustme import CA

from tests.engine.conftest import PROJECT, Server, Visitor

StartServer = Callable[..., Server]


def malformed(url: str) -> None:
    """Send what makes gunicorn log a warning."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), 30) as connection:
        connection.sendall(b"GET /\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another process does, and announces in no other way."""
    for _ in range(1000):
        if condition():
            return
        Event().wait(0.01)
    raise AssertionError("It did not happen in time")


def test_log_syslog(start_server: StartServer) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(30)
        to = f"udp://127.0.0.1:{syslog.getsockname()[1]}"
        server = start_server(GUNICORN_CMD_ARGS=f"--log-syslog --log-syslog-to {to}")
        server.visitor().count()
        malformed(server.url)
        told = ""
        while "method=GET path=/ " not in told or "Invalid request" not in told:
            told += syslog.recv(10_000).decode()
    assert "gunicorn.error: " in told  # syslog's own format


def test_log_config_with_a_handler_that_is_no_stream(
    start_server: StartServer, tmp_path: Path
) -> None:
    file = tmp_path / "access.log"
    config = tmp_path / "logging.json"
    handlers = {
        "nothing": {"class": "logging.NullHandler"},
        "out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
        "file": {"class": "logging.FileHandler", "filename": str(file)},
    }
    loggers = {
        "gunicorn.error": {"level": "INFO", "handlers": ["nothing", "out"]},
        "gunicorn.access": {"level": "INFO", "handlers": ["file"]},
    }
    root = {"level": "INFO", "handlers": ["nothing"]}
    config.write_text(
        json.dumps(
            {"version": 1, "handlers": handlers, "loggers": loggers, "root": root}
        )
    )
    server = start_server(GUNICORN_CMD_ARGS=f"--log-config-json {config}")
    server.visitor().count()
    wait_until(lambda: " method=GET path=/ status=200 " in file.read_text())
    assert any(line.startswith("Listening at: ") for line in server.log)


def test_an_access_log_in_another_format(start_server: StartServer) -> None:
    form = "--access-logformat '%(h)s %(m)s %(U)s %({host}i)s %({x-request-id}o)s'"
    server = start_server(GUNICORN_CMD_ARGS=form)
    server.visitor().count()
    server.stop()
    host = urlsplit(server.url).netloc
    [line] = [line for line in server.log if " GET / " in line]
    assert re.fullmatch(f"127.0.0.1 GET / {host} [0-9a-f]{{32}}\n", line)


def test_log_files_are_opened_again(tmp_path: Path) -> None:
    """As logrotate wants it: renamed, then USR1."""
    errors, access = tmp_path / "error.log", tmp_path / "access.log"
    files = ["--error-logfile", str(errors), "--access-logfile", str(access)]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", *files],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: errors.exists() and "Booting worker" in errors.read_text())
        [line] = [line for line in errors.read_text().splitlines() if "http://" in line]
        assert line.startswith("time=")
        url = line.partition("at: ")[2].partition(" ")[0]
        for file in errors, access:
            file.rename(f"{file}.1")
        process.send_signal(signal.SIGUSR1)

        def both_are_written() -> bool:
            malformed(url)
            Visitor(url).count()
            files = [file for file in (errors, access) if file.exists()]
            told = "".join(file.read_text() for file in files)
            return "Invalid request" in told and "method=GET path=/ " in told

        wait_until(both_are_written)
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--reload", "--reload would go on serving old code; reload with: make dev"),
        (
            "--worker-class=asgi",
            "Views would hang or fail under that worker; leave out: -k",
        ),
    ],
)
def test_what_would_go_wrong_is_refused(option: str, said: str) -> None:
    """The app is loaded before the fork, and is no ASGI app."""
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", option],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.endswith(f"{said}\n")


def test_more_threads_are_not_more_views_at_a_time(
    start_server: StartServer, redis_url: str
) -> None:
    """Each view may use Redis, which has a connection for each of WEB_THREADS."""
    server = start_server(GUNICORN_CMD_ARGS="--threads 24", REDIS_URL=redis_url)
    visitors = [server.visitor() for _ in range(24)]
    with ThreadPoolExecutor(24) as threads:
        for count in range(1, 7):
            counted = threads.map(lambda visitor: visitor.count(), visitors)
            assert list(counted) == [count] * 24


@contextmanager
def gunicorn(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the probe; yield the process and the lines that it logged at the start."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "tests.engine.probe:create_app()"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    log = ""
    try:
        while "Booting worker" not in log:
            line = process.stdout.readline()
            assert line, log
            log += line
        yield process, log
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=30)
    assert "Traceback" not in rest


def port_in(log: str) -> int:
    """Return the port of 127.0.0.1 on which it listens."""
    return int(log.partition("://127.0.0.1:")[2].split(" ")[0].split(",")[0])


POST = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


def post_in_two_parts(connection: socket.socket) -> None:
    """Send a request, the body later; read the answer."""
    connection.settimeout(30)
    connection.sendall(POST)
    connection.sendall(b"hello")
    answer = HTTPResponse(connection)
    answer.begin()
    assert (answer.status, answer.read()) == (200, b'{"bytes":5}\n')


def test_several_listeners_and_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with gunicorn("--bind", f"unix:{path}", "--bind", "127.0.0.1:0") as (_, log):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            for _ in range(3):
                post_in_two_parts(connection)
        with socket.create_connection(("127.0.0.1", port_in(log))) as connection:
            for _ in range(3):
                post_in_two_parts(connection)


def test_tls(tmp_path: Path) -> None:
    authority, file = CA(), tmp_path / "certificate.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(file)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        gunicorn("--bind", "127.0.0.1:0", "--certfile", str(file)) as (_, log),
        socket.create_connection(("127.0.0.1", port_in(log))) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        for _ in range(3):
            post_in_two_parts(connection)


def test_proxy_protocol() -> None:
    """It is believed at the beginning of a connection, and nowhere else."""
    with (
        gunicorn("--bind", "127.0.0.1:0", "--proxy-protocol=v1") as (_, log),
        socket.create_connection(("127.0.0.1", port_in(log)), 30) as connection,
    ):
        connection.sendall(b"PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n")
        post_in_two_parts(connection)
        connection.sendall(b"PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n" + POST)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_body_is_asked_for() -> None:
    """Expect: 100-continue; curl would otherwise wait for a second."""
    with (
        gunicorn("--bind", "127.0.0.1:0") as (_, log),
        socket.create_connection(("127.0.0.1", port_in(log)), 30) as connection,
    ):
        connection.sendall(POST[:-2] + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name", ["HUP", "TERM", "USR1"])
def test_a_signal_waits_for_half_a_request(name: str) -> None:
    with gunicorn("--bind", "127.0.0.1:0") as (process, log):
        assert process.stdout
        with socket.create_connection(("127.0.0.1", port_in(log))) as connection:
            post_in_two_parts(connection)
            connection.sendall(POST)
            process.send_signal(getattr(signal, f"SIG{name}"))
            while f"Handling signal: {name.lower()}" not in process.stdout.readline():
                pass
            connection.sendall(b"hello")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
