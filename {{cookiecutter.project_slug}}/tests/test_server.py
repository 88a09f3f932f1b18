"""The app as it is deployed: under gunicorn, with its sessions in Redis."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from urllib.request import HTTPCookieProcessor, build_opener

from .conftest import needs_servers

PROJECT = Path(__file__).parent.parent


@contextmanager
def gunicorn(**settings: str) -> Iterator[str]:
    """Run the app with these settings, and lend its address."""
    with Popen(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"],
        cwd=PROJECT,
        env=os.environ | settings,
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
    ) as process:
        try:
            yield address_of(process)
        finally:
            process.terminate()


def address_of(process: Popen[str]) -> str:
    """Wait until gunicorn listens, and return where; fail with its log if it ends."""
    assert process.stdout
    log = ""
    for line in process.stdout:
        log += line
        if found := re.search(r"Listening at: (http://\S+)", line):
            return found[1]
    raise AssertionError(log)


@needs_servers
def test_counts_go_on_after_a_restart(redis_url: str) -> None:
    visitor = build_opener(HTTPCookieProcessor(CookieJar()))
    for counts in [1, 2, 3], [4, 5, 6]:
        with gunicorn(REDIS_URL=redis_url, WEB_CONCURRENCY="2") as address:
            for count in counts:
                with visitor.open(address, timeout=10) as answer:
                    assert json.load(answer) == {"views": count}
