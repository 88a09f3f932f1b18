"""What eight visitors notice of thousands of idle connections, and of clients that are slow."""

import contextlib
import http.client
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from urllib.parse import urlsplit

from benchmarks.apps import FOLDER, GRANIAN, App, install
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.machine import APP_CORE, pin
from benchmarks.rounds import Measure, Results, explain, seconds
from benchmarks.stores import server
from tests.waiting import free_port, listens, wait_until

PATIENCE = 5  # seconds for an answer
PAUSE = 0.05  # seconds between two visits of a visitor

# The app with a view that reads the body, as a form's does, and one that answers 8 MB; and
# the same as plain gunicorn serves it.
READING = """
from unittest.mock import patch
import app
from app.web import places
from flask import request

def create_app():
    made = app.create_app()
    made.add_url_rule("/read", "read", view_func=lambda: request.get_data(), methods=["POST"])
    made.add_url_rule("/large", "large", view_func=lambda: bytes(2**23))
    return made

def plain():
    with patch.object(places, "init_app"):
        return create_app()
"""
PLAIN = "gunicorn reading:plain() --threads 4 --worker-connections 1000"
OWN = "gunicorn reading:create_app()"
SERVERS = {
    "gunicorn's gthread": f"{PLAIN} --bind",
    "this template": f"{OWN} --bind",
    "behind nginx": f"{OWN} --bind",
    "on Granian": f"{GRANIAN} --backpressure 10000 --factory reading:create_app --port",
}
HEAD = "POST {} HTTP/1.1\r\nHost: localhost\r\n"
LENGTH = "Content-Length: {}\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
VISIT = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE_HEADERS = "".join(f"X-{n}: {'x' * 8000}\r\n" for n in range(9))
MIB = 2**20
# What slow clients begin with; they then send a byte a second, or nothing more.
DRIPPING = {
    "slow headers": HEAD.format("/read") + "X: ",
    "slow bodies that no view reads": HEAD.format("/reset") + LENGTH.format(9999),
    "slow bodies that a view reads": HEAD.format("/read") + LENGTH.format(9999),
    "slow chunks": HEAD.format("/read") + CHUNKED + "fff\r\n",
}
STALLING = {
    "connections that send nothing": "",
    "bodies of 1 MiB without the last byte": HEAD.format("/read")
    + LENGTH.format(MIB)
    + "x" * (MIB - 1),
    "malformed requests, and staying": "GET /\r\n\r\n",
    "last requests, and staying": VISIT[:-2] + "Connection: close\r\n\r\n",
}
NOT_READING = {
    "headers of 72 kB that announce 1 MiB": HEAD.format("/read")
    + LARGE_HEADERS
    + LENGTH.format(MIB),
    "clients that ask 2,000 times and read nothing": VISIT * 2000,
    "clients that ask for 8 MB and read nothing": VISIT.replace("/ ", "/large "),
}
SLOW = DRIPPING | STALLING | NOT_READING
LOADS = [
    "nothing else",
    *[f"{many:,} idle connections" for many in (1000, 5000, 10_000)],
    *[f"{many} {what}" for what in DRIPPING for many in (20, 200)],
    *[f"200 {what}" for what in STALLING],
    *[f"40 {what}" for what in NOT_READING],
]


def measure() -> Results:
    """Try each load on each server; return what the visitors noticed."""
    found: dict[str, Measure] = {}
    failed: dict[str, str] = {}
    for name, command in SERVERS.items():
        app = App(name, FOLDER, command)
        install(app)
        (FOLDER / "reading.py").write_text(READING)
        for load in LOADS:
            row = f"{name} / {load}"
            try:
                with running(app) as url, burden(url, load):
                    found[row] = visit(url)
                print(f"{row}: {tell(found[row])}", flush=True)
            except Exception as error:  # noqa: BLE001 - the others go on
                failed[row] = explain(error)
                print(f"{row} FAILED: {failed[row]}", flush=True)
    return {"found": found, "failed": failed, "rounds": 1}


@contextlib.contextmanager
def running(app: App) -> Iterator[str]:
    """Start a server, with nginx in front if it says so."""
    with TemporaryDirectory() as folder, server(Path(folder)) as (redis_url, _):
        candidate = Candidate(app, redis_url)
        try:
            if "nginx" in app.name:
                with nginx(Path(folder), candidate.url) as url:
                    yield url
            else:
                yield candidate.url
        finally:
            candidate.stop()


@contextlib.contextmanager
def nginx(folder: Path, app_url: str) -> Iterator[str]:
    """Run nginx with the generated project's settings, and Debian's around them."""
    if not shutil.which("nginx"):
        raise RuntimeError("nginx is missing: install it with: apt-get install nginx")
    port = free_port()
    site = (FOLDER / "deploy/nginx.conf").read_text()
    site = re.sub(r"listen \[::\]:80;", "", site)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
    site = site.replace("http://127.0.0.1:8000", app_url)
    paths = "client_body", "proxy", "fastcgi", "uwsgi", "scgi"
    temporary = "".join(f"{path}_temp_path {folder}/{path};" for path in paths)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/nginx.log;"
        " worker_processes 1; events { worker_connections 768; }"
        f" http {{ access_log off; {temporary} {site} }}"
    )
    process = subprocess.Popen(
        ["nginx", "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf"]
    )
    try:
        wait_until(lambda: listens(port))
        pin(process.pid, APP_CORE)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def burden(url: str, load: str) -> Iterator[None]:
    """Be a burden to the server in the meantime."""
    number = int(load.split()[0].replace(",", "")) if load[0].isdigit() else 0
    address = urlsplit(url).hostname, urlsplit(url).port
    over = Event()
    with contextlib.ExitStack() as stack:
        connections: list[socket.socket] = []
        with contextlib.suppress(TimeoutError):  # some servers take only so many
            for _ in range(number):
                connection = socket.create_connection(address, PATIENCE)
                connections.append(stack.enter_context(connection))
                begin(connection, load)

        def drip() -> None:
            while load.partition(" ")[2] in DRIPPING and not over.wait(1):
                for connection in connections:
                    with contextlib.suppress(OSError):
                        connection.send(b"x")

        thread = Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def begin(connection: socket.socket, load: str) -> None:
    """Send a request and idle, if the server allows it, or only its beginning."""
    if (beginning := SLOW.get(load.partition(" ")[2])) is not None:
        connection.settimeout(0.05)
        with contextlib.suppress(OSError):  # it takes no more
            connection.sendall(beginning.encode())
        return
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if b"connection: close" in connection.recv(4096).lower():
        connection.close()


def visit(url: str) -> Measure:
    """Let the visitors come for some seconds; return what they noticed."""
    until = time.monotonic() + seconds(2)
    with ThreadPoolExecutor(VISITORS) as pool:
        times = [
            each
            for one in pool.map(lambda _: visits(url, until), range(VISITORS))
            for each in one
        ]
    return {
        "visits": len(times),
        "unanswered": sum(each >= PATIENCE for each in times),
        "median_ms": round(median(times) * 1000, 1),
        "slowest_ms": round(max(times) * 1000, 1),
    }


def visits(url: str, until: float) -> list[float]:
    """Visit now and then, in turns by a kept and by a new connection; return the times."""
    times: list[float] = []
    kept = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    with contextlib.closing(kept):
        while time.monotonic() < until:
            begun = time.monotonic()
            if len(times) % 2:
                kept.close()  # and is opened again
            try:
                try:
                    answered = ask(kept)
                except ConnectionError:  # it was closed meanwhile, as a browser expects
                    kept.close()
                    answered = ask(kept)
            except (OSError, http.client.HTTPException):
                kept.close()
                answered = False
            times.append(time.monotonic() - begun if answered else PATIENCE)
            time.sleep(PAUSE)
    return times


def ask(connection: http.client.HTTPConnection) -> bool:
    """Visit; return whether the answer is right."""
    connection.request("GET", "/")
    with connection.getresponse() as answer:
        answer.read()
        return answer.status == 200


def tell(measured: Measure) -> str:
    """Return the median and the slowest, or that there was no answer."""
    if measured["unanswered"] == measured["visits"]:
        return f"**no answer in {PATIENCE} s**"
    slow, all_of_them = int(measured["unanswered"]), int(measured["visits"])
    text = f"{measured['median_ms']:.1f} ms, at most {measured['slowest_ms']:.0f}"
    return f"{text}; {slow} of {all_of_them} without an answer" if slow else text
