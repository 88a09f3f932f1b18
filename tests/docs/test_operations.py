"""What docs/operations.md says of a running app."""

import gzip
import os
import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest
from redis import Redis

from tests.conftest import APP, ROOT, Server, run, workers_of
from tests.docs.recipes import Browser, append, install
from tests.pages import block, section
from tests.waiting import wait_until

REPORT = "operations: Report errors"
THREADS = "operations: Threads and connections of your own"


@pytest.fixture
def reports() -> Iterator[tuple[str, list[str]]]:
    """The DSN of what takes Sentry's place, and what it is sent."""
    sent: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            sent.append(body.decode())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://key@127.0.0.1:{server.server_port}/1", sent
        server.shutdown()
        thread.join()


FAILS = """

@bp.post("/fail")
def fail() -> ResponseReturnValue:
    word = request.form["word"] + str(session.increment("views"))
    raise RuntimeError("no word of the visitor's")
"""


def test_a_report_says_nothing_about_the_visitor(
    typed: Callable[..., Path],
    deploy: Callable[..., Server],
    reports: tuple[str, list[str]],
    home: Path,
) -> None:
    project = typed(REPORT)
    install(project, home, "operations", "Report errors")
    append(project / "app/views.py", FAILS)
    dsn, sent = reports
    browser = Browser(deploy(project, SENTRY_DSN=dsn))
    browser.get("/")
    [cookie] = browser.cookies.values()
    assert browser.post("/fail?query=visible", word="a-secret-word") == 500
    wait_until(lambda: "no word of the visitor's" in "".join(sent))
    browser.server.stop()
    text = "".join(sent)
    assert "RuntimeError" in text
    for secret in cookie, "a-secret-word", "visible", browser.address:
        assert secret not in text


def test_without_a_dsn_nothing_is_reported(
    typed: Callable[..., Path], deploy: Callable[..., Server], home: Path
) -> None:
    project = typed(REPORT)
    install(project, home, "operations", "Report errors")
    append(project / "app/views.py", FAILS)
    assert Browser(deploy(project)).post("/fail", word="x") == 500


JOBS = """

@bp.get("/job")
def job() -> ResponseReturnValue:
    import os
    from functools import partial
    from pathlib import Path
    from . import background

    background.jobs.put(lambda: 1 // 0)
    file = Path(request.args["folder"], str(os.getpid()))
    background.jobs.put(partial(file.write_text, "done"))
    return ""
"""


def test_a_thread_works_in_each_process(
    typed: Callable[..., Path], deploy: Callable[..., Server], tmp_path: Path
) -> None:
    """A job that fails is logged, and does not end it."""
    project = typed(THREADS)
    append(project / "app/views.py", JOBS)
    server = deploy(project, WEB_CONCURRENCY="2")
    browser, done = Browser(server), tmp_path / "done"
    done.mkdir()

    def has_been_in_both() -> bool:
        assert browser.get(f"/job?folder={done}")[0] == 200
        return {int(file.name) for file in done.iterdir()} == workers_of(server)

    wait_until(has_been_in_both)
    assert any("A job has failed" in line for line in server.log)


HANGS = """

@bp.get("/hang")
def hang() -> ResponseReturnValue:
    import os
    open(request.args["pipe"]).read()
    return str(os.getpid())
"""


def test_a_view_that_hangs_is_not_ended_by_the_timeout(
    typed: Callable[..., Path], deploy: Callable[..., Server], tmp_path: Path
) -> None:
    project = typed()
    append(project / "app/views.py", HANGS)
    options = "--bind 127.0.0.1:0 --timeout 1"
    server = deploy(project, GUNICORN_CMD_ARGS=options)
    wait_until(lambda: workers_of(server))
    before = workers_of(server)
    browser, pipe, answers = Browser(server), tmp_path / "pipe", []
    os.mkfifo(pipe)
    page = Thread(
        target=lambda: answers.append(browser.get(f"/hang?pipe={pipe}")), daemon=True
    )
    page.start()
    with pipe.open("w"):  # waits until the view reads
        start = time.monotonic()
        other = Browser(server)
        while time.monotonic() < start + 3:
            assert other.get("/")[0] == 200
    page.join(30)
    assert answers == [(200, str(*before))]
    assert workers_of(server) == before


def test_the_log_has_the_figures(
    typed: Callable[..., Path], deploy: Callable[..., Server], home: Path
) -> None:
    project = typed()
    server = deploy(project)
    browser = Browser(server)
    for path in "/", "/", "/nowhere":
        browser.get(path)
    server.stop()
    log = project / "log"
    log.write_text("".join(server.log))

    def type_in(start: str) -> str:
        [command] = [
            line
            for line in block(project, start).splitlines()
            if line.startswith("journalctl")
        ]
        status, output = run(
            home, project, "sh", "-c", f"cat log{command.partition('cat')[2]}"
        )
        assert status == 0, output
        return output

    assert type_in("journalctl --unit app --output cat | grep -o ' status").split() == [
        *("2", "status=200"),
        *("1", "status=404"),
    ]
    slowest = float(
        type_in("journalctl --unit app --output cat | grep -o ' duration_ms")
    )
    durations = re.findall(r" duration_ms=([\d.]+)", "".join(server.log))
    assert slowest == max(map(float, durations))


def test_redis_says_what_to_watch(redis_url: str) -> None:
    table = section(ROOT / APP / "docs/operations.md", "Watch Redis")
    told = re.findall(
        r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE))
    )
    with Redis.from_url(redis_url) as redis:
        assert set(told) <= redis.info().keys()
    assert len(told) == 6


def test_one_more_host_may_be_allowed_to_send_fonts(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    server = deploy(typed("operations: The Content-Security-Policy"))
    with urlopen(f"{server.url}/healthz") as answer:  # noqa: S310
        policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "font-src 'self' https://fonts.example.com" in policy
    assert {"default-src 'self'", "frame-ancestors 'none'"} < {*policy}
