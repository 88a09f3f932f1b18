"""What gunicorn offers goes on working with the project's gunicorn.conf.py."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

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
    form = "--access-logformat '%(h)s %(m)s %(U)s %({host}i)s %(request_id)s'"
    server = start_server(GUNICORN_CMD_ARGS=form)
    server.visitor().count()
    server.stop()
    host = urlsplit(server.url).netloc
    assert any(line.startswith(f"127.0.0.1 GET / {host} ") for line in server.log)


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


def test_reload_is_refused() -> None:
    """It would go on serving the old code, since the app is loaded before the fork."""
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--reload"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.endswith(
        "gunicorn --reload would go on serving the old code; reload with: make dev\n"
    )


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
