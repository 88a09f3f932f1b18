"""Someone bakes a project, starts it from its Procfile, and reads 1, 2, 3."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT, SIGKILL

from tests.conftest import Server, Visitor, environment


def test_counts_in_memory(serve: Callable[..., Server]) -> None:
    server = serve()
    visitor = Visitor(server.url)
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
    assert "Sessions are kept in memory" in "".join(server.log)


def test_counts_on_in_redis_after_a_crash(
    serve: Callable[..., Server], redis_url: str
) -> None:
    first = serve(REDIS_URL=f"{redis_url}/0", WEB_CONCURRENCY="2")
    visitor = Visitor(first.url)
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
    first.stop(SIGKILL)
    visitor.url = serve(REDIS_URL=f"{redis_url}/0").url
    assert visitor.count() == 4


def test_ctrl_c_ends_make_run_quietly(baked: Path, home: Path) -> None:
    process = subprocess.Popen(
        ["make", "run"],
        cwd=baked,
        env=environment(home, GUNICORN_CMD_ARGS="--bind 127.0.0.1:0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,  # a terminal sends Ctrl-C to all of them
    )
    assert process.stdout
    for line in process.stdout:
        if "Booting worker" in line:
            os.killpg(process.pid, SIGINT)
            break
    output, _ = process.communicate(timeout=30)
    assert "Shutting down" in output
    assert not {"Traceback", "Error", "error:", "***"} & set(output.split())
