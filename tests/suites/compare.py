"""Runs a suite on Flask's sessions and on ours, and tells what differs."""

import json
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import environment
from tests.suites.fetch import HERE, PYTHON, folder_of

DIFFERENCES = HERE / "differences.toml"


def outcomes(suite: str, sessions: str) -> tuple[dict[str, str], str]:
    """Run a suite; return the outcome of each test, and what pytest printed.

    `sessions` is `memory`, a Redis URL, or empty for Flask's own.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "outcomes.json"
        variables = {
            "OUTCOMES": str(file),
            "PYTHONPATH": str(HERE),
            "SESSIONS": sessions,
        }
        done = subprocess.run(
            [PYTHON.with_name("pytest"), "-q", "-p", "stand_in", "--tb=short"],
            cwd=folder_of(suite),
            env=environment(Path(folder), **variables),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert file.exists(), done.stdout
        told = json.loads(file.read_text())
        assert bool(told["opened"]) == bool(sessions), "the wrong sessions were tested"
        return told["outcomes"], done.stdout


@cache
def passing(suite: str) -> set[str]:
    """Return the tests of a suite that pass on Flask's own sessions."""
    return {test for test, end in outcomes(suite, "")[0].items() if end == "passed"}


def expected(suite: str) -> set[str]:
    """Return the tests that are known to fail on ours, each for a reason."""
    entries = tomllib.loads(DIFFERENCES.read_text()).get(suite, [])
    return {test for entry in entries for test in entry["tests"]}


def check(suite: str, sessions: str, at_least: int) -> None:
    """Run a suite on our sessions; fail unless exactly the known differences are found.

    `at_least` is the number of tests that must be there, lest an empty suite passes.
    """
    stock = passing(suite)
    assert len(stock) >= at_least
    found, output = outcomes(suite, sessions)
    differing = {test for test in stock if found.get(test) != "passed"}
    known = expected(suite)
    new, gone = sorted(differing - known), sorted(known - differing)
    assert not new, f"new differences: {new}\n{output}"
    assert not gone, f"no longer different, remove from {DIFFERENCES.name}: {gone}"
