"""Logs: one line per event, in logfmt, and never a secret."""

import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from app.web.logs import LogfmtFormatter, logfmt
from dotenv import dotenv_values
from flask import Flask, request
from flask.testing import FlaskClient

from tests.engine.conftest import PROJECT, Server, free_port


def test_quotes_what_would_break_a_line() -> None:
    line = logfmt(a="plain", b="two words", c='"', d="a=b", e="\n", f=None, g="", h=1)
    assert line == r'a=plain b="two words" c="\"" d="a=b" e="\n" g="" h=1'


def test_a_record_tells_the_request_it_belongs_to(app: Flask) -> None:
    record = logging.makeLogRecord(
        {
            "name": "shop",
            "levelname": "INFO",
            "msg": "%s sold",
            "args": ("one",),
            "created": 0.0,
        }
    )
    with app.test_request_context():
        request.environ["app.request_id"] = "abc-123"
        line = LogfmtFormatter().format(record)
    assert line == (
        "time=1970-01-01T00:00:00+00:00 level=info logger=shop request_id=abc-123"
        ' message="one sold"'
    )


def test_what_a_call_adds_is_kept() -> None:
    """`extra` and `stack_info`, as logging documents them."""
    logger, lines = logging.getLogger("shop"), list[str]()

    def note(record: logging.LogRecord) -> bool:
        lines.append(LogfmtFormatter().format(record))
        return False

    logger.addFilter(note)
    extra = {"order": 7, "by": "Ada L.", "a b\n=": "c\nd", "none": None}
    logger.warning("sold", extra=extra, stack_info=True)
    logger.removeFilter(note)
    first, *stack = lines[0].splitlines()
    assert first.endswith(
        r' level=warning logger=shop message=sold order=7 by="Ada L." "a b\n="="c\nd"'
    )
    assert stack[0] == "  Stack (most recent call last):"
    assert all(line.startswith("  ") for line in stack)
    assert "test_what_a_call_adds_is_kept" in lines[0]


def test_a_failing_view_is_a_500_with_its_traceback_in_the_log(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = False
    app.add_url_rule("/fail", view_func=lambda: str(1 / 0))
    answer = client.get("/fail")
    assert (answer.status_code, answer.json) == (
        500,
        {"error": "Internal Server Error"},
    )
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in answer.text


def test_flask_run_tells_its_address_on_a_line_of_its_own() -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "run"],
        cwd=PROJECT,
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    with process.stdout as lines:
        told = next(line for line in lines if str(port) in line)
        process.terminate()
    process.wait()
    assert told == f" * Running on http://127.0.0.1:{port}\n"


def test_flask_run_serves_where_gunicorn_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    assert dotenv_values(PROJECT / ".flaskenv")["FLASK_RUN_PORT"] == "8000"


def test_the_access_log_tells_what_happened_and_no_secret(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(TRUSTED_PROXIES="1")
    visitor = server.visitor()
    visitor.get("/?password=hunter2", **{"X-Request-ID": "abc-123"})
    visitor.get("/a%0Ab%20%22")
    deadline = time.monotonic() + 10
    while len(lines := access_lines(server)) < 2:  # written after the answer is sent
        assert time.monotonic() < deadline, server.log
        time.sleep(0.01)
    first, second = lines
    assert re.fullmatch(
        r"time=20\S+\+00:00 level=info logger=gunicorn.access method=GET path=/ status=200"
        r" duration_ms=[\d.]+ bytes=\d+ request_id=abc-123 client=127.0.0.1\n",
        first,
    )
    assert " path=/a%0Ab%20%22 status=404 " in second
    [cookie] = visitor.cookies
    assert cookie.value
    log = "".join(server.log)
    for secret in cookie.value, "hunter2", "dev-only-for-the-tests":
        assert secret not in log


def test_a_client_cannot_write_fields_into_its_line(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(TRUSTED_PROXIES="1")
    forged = "1.2.3.4 status=500 path=/admin"
    server.visitor().get("/healthz", **{"X-Forwarded-For": forged})
    server.stop()
    [line] = access_lines(server)
    assert line.endswith(" client=1.2.3.4%20status%3D500%20path%3D%2Fadmin\n")


Start = Callable[[str, list[tuple[str, str]]], object]
FORGED = "time=2026-01-01T00:00:00+00:00 level=info logger=app message=forged"


def answering_by_itself(environ: dict[str, object], start: Start) -> list[bytes]:
    """A middleware that answers by itself, like those that redirect or send files."""
    start("204 No Content", [])
    return []


def failing(environ: dict[str, object], start: Start) -> list[bytes]:
    raise ValueError(f"a line\n{FORGED}\r{FORGED}\x85{FORGED}")


def failing_later(environ: dict[str, object], start: Start) -> Iterator[bytes]:
    yield from failing(environ, start)


def test_an_answer_that_is_not_the_apps_has_its_line_too(
    start_server: Callable[..., Server],
) -> None:
    server = start_server("tests.engine.test_logs:answering_by_itself")
    answer = server.visitor().get("/moved?secret=1")
    assert (answer.status, answer.text) == (204, "")
    server.stop()
    [line] = access_lines(server)
    assert " method=GET path=/moved status=204 " in line
    assert "Traceback" not in "".join(server.log)


@pytest.mark.parametrize("app", ["failing", "failing_later"])
def test_an_exception_that_reaches_gunicorn_is_a_500_and_forges_no_line(
    start_server: Callable[..., Server], app: str
) -> None:
    server = start_server(f"tests.engine.test_logs:{app}")
    answer = server.visitor().get("/fails?secret=1")
    assert answer.status == 500
    assert "Internal Server Error" in answer.text
    server.stop()
    assert " method=GET path=/fails status=500 " in access_lines(server)[-1]
    log = "".join(server.log)
    assert "\n  Traceback (most recent call last):\n    File " in log
    assert "\n  ValueError: a line\n" in log
    assert not [line for line in log.splitlines() if line.startswith(FORGED)]


def access_lines(server: Server) -> list[str]:
    return [line for line in server.log if " logger=gunicorn.access " in line]
