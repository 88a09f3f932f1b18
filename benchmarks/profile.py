"""Where the time of a visit goes, in each file of the app and in each package.

py-spy looks at the processes from outside, so that it does not slow them much. It needs the
right to do so: root has it.
"""

import contextlib
import re
import subprocess
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apps import FASTER, FLASK_SESSION, INCR, OURS, install
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.machine import LOAD_CORE, pin
from benchmarks.rounds import Results, explain, seconds
from benchmarks.stores import server

COLUMNS = [
    (OURS, "known"),
    (INCR, "known"),
    (OURS, "new"),
    (FLASK_SESSION, "new"),
    (FASTER, "known"),
]
PER_SECOND = 250  # looks
OUTSIDE = "system calls, waiting"  # whatever needs no lock of the interpreter


def measure() -> Results:
    """Look at each; return the microseconds that a visit spends in each place."""
    failed: dict[str, str] = {}
    places: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for app, kind in COLUMNS:
            column = f"{app.name}, {kind}"
            with contextlib.ExitStack() as running:
                try:
                    url, _ = running.enter_context(server(folder))
                    install(app)
                    candidate = Candidate(app, url)
                    running.callback(candidate.stop)
                    candidate.load("/", [], 1)  # to warm up
                    looks, visits_s = look(candidate, kind, folder / "stacks")
                except Exception as error:  # noqa: BLE001 - the others go on
                    failed[column] = explain(error)
                    print(f"{column} FAILED: {failed[column]}", flush=True)
                    continue
            each = 1e6 / visits_s / (PER_SECOND * seconds(4))
            looks[OUTSIDE] = max(0, PER_SECOND * seconds(4) - looks.total())
            places[column] = {place: n * each for place, n in looks.most_common()}
            print(f"{column}: {visits_s:,} visits a second", flush=True)
    return {"rounds": 1, "places": places, "failed": failed}


def look(candidate: Candidate, kind: str, stacks: Path) -> tuple[Counter[str], float]:
    """Return how often each place was seen at work, and the visits a second meanwhile."""
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
    options = [
        "--gil",
        "--subprocesses",
        "--full-filenames",
        "--nolineno",
        "--format",
        "raw",
    ]
    numbers = ["--rate", str(PER_SECOND), "--duration", str(lasting)]
    cookies = [candidate.visitor() for _ in range(VISITORS)] if kind == "known" else []
    with subprocess.Popen(
        [
            *spy,
            *options,
            *numbers,
            "--output",
            stacks,
            "--pid",
            str(candidate.process.pid),
        ],
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
