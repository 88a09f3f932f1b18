"""Where the time of a visit goes, in each file of the app and in each package.

py-spy looks at the processes from outside, so that it does not slow them much. It needs the
right to do so: root has it.
"""

import contextlib
import re
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apps import (
    DJANGO,
    FASTER,
    FLASK_SESSION,
    INCR,
    OURS,
    STARLETTE,
    App,
    install,
)
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.machine import LOAD_CORE, pin
from benchmarks.rounds import Results, attempt, seconds
from benchmarks.stores import server

COLUMNS = [
    *[(app, "known") for app in (OURS, INCR, FLASK_SESSION, DJANGO, FASTER, STARLETTE)],
    *[(app, "new") for app in (OURS, FLASK_SESSION)],
]
OPTIONS = "--gil --subprocesses --full-filenames --nolineno --format raw --rate"
PER_SECOND = 250  # looks
OUTSIDE = "system calls, waiting"  # whatever needs no lock of the interpreter


def measure() -> Results:
    """Look at each; return the microseconds that a visit spends in each place."""
    failed: dict[str, str] = {}
    places = {}
    for app, kind in COLUMNS:
        column = f"{app.name}, {kind}"
        print(f"Looking at {column} ...", flush=True)
        if found := attempt(partial(profile, app, kind), column, failed):
            places[column] = found
    return {"rounds": 1, "places": places, "failed": failed}


def profile(app: App, kind: str) -> dict[str, float]:
    """Start an app, and look at it while it is visited."""
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        url, _ = running.enter_context(server(Path(folder)))
        install(app)
        candidate = Candidate(app, url)
        running.callback(candidate.stop)
        candidate.load("/", [], 1)  # to warm up
        looks, visits_s = look(candidate, kind, Path(folder, "stacks"))
    every = PER_SECOND * seconds(4)
    looks[OUTSIDE] = max(0, every - looks.total())
    return {place: n * 1e6 / visits_s / every for place, n in looks.most_common()}


def look(candidate: Candidate, kind: str, stacks: Path) -> tuple[Counter[str], float]:
    """Return how often each place was seen at work, and the visits per second meanwhile."""
    lasting = seconds(4)
    spy = [
        "uv",
        "tool",
        "run",
        "--quiet",
        "--from",
        "py-spy==0.4.3",
        "py-spy",
        "record",
    ]
    options = [*OPTIONS.split(), str(PER_SECOND), "--duration", str(lasting)]
    what = ["--output", str(stacks), "--pid", str(candidate.process.pid)]
    cookies = [candidate.visitor() for _ in range(VISITORS)] if kind == "known" else []
    with subprocess.Popen(
        [*spy, *options, *what],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        pin(process.pid, LOAD_CORE)
        measured = candidate.load("/", cookies, lasting + 1)
        _, errors = process.communicate(timeout=60)
    if process.returncode:
        raise RuntimeError(f"py-spy failed: {errors}")
    looks: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        looks[place_of(stack)] += int(count)
    return looks, measured["visits_s"]


def place_of(stack: str) -> str:
    """Return the app's file or the package that was at work, itself or by what it called."""
    for file in reversed(re.findall(r"\(([^()]+)\)", stack)):
        if own := re.search(r"/visit-counter/((?:app/|gunicorn).*)", file):
            return own[1]
        if package := re.search(r"/site-packages/(\w+)", file):
            return package[1]
        if "/peers/" in file:
            return "the app"
    return "Python"
