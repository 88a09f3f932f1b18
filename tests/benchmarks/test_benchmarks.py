"""The benchmark's rounds, and its report of what they have found."""

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import charts, growth, report, run
from benchmarks.apps import INCR, OURS, PEERS
from benchmarks.candidate import Candidate
from benchmarks.goals import GOALS, Goal, profiles, row
from benchmarks.machine import cpu_time
from benchmarks.rounds import ROUNDS, Measure, in_turns, ratio
from tests.conftest import ROOT
from tests.waiting import wait_until

RESULTS = json.loads((ROOT / "benchmarks/results.json").read_text())


def test_what_is_shown_is_what_was_measured() -> None:
    folder = ROOT / "benchmarks"
    assert (folder / "RESULTS.md").read_text() == report.markdown(RESULTS)
    assert (folder / "visits.svg").read_text() == charts.visits(RESULTS)
    assert (folder / "growth.svg").read_text() == charts.growth(RESULTS)


def test_ratios_are_taken_within_a_round() -> None:
    """So that a slow minute of the machine does not count."""
    found = {
        "ours": [{"visits_s": 100.0}, {"visits_s": 10.0}, {"visits_s": 60.0}],
        "other": [{"visits_s": 50.0}, {"visits_s": 5.0}, {"visits_s": 20.0}],
    }
    assert ratio(found, "ours", "other") == [2, 2, 3]
    assert ratio(found, "ours", "absent") == []


@pytest.mark.parametrize(
    ("wanted", "found", "shown", "result"),
    [
        ("≥ 1.1 ×", [1.0, 1.1, 1.3], "1.10 × (1.00–1.30)", "reached"),
        ("≥ 1.1 ×", [1.0, 1.09, 1.3], "1.09 × (1.00–1.30)", "**missed**: the cookie"),
        ("≤ 42 MiB", [41.5], "41.5 MiB", "reached"),
        ("≤ 42 MiB", [42.5], "42.5 MiB", "**missed**: the cookie"),
        ("≤ 42 MiB", [], "not run", "not run"),
    ],
)
def test_a_goal_that_was_missed_says_so_and_what_limits_it(
    wanted: str, found: list[float], shown: str, result: str
) -> None:
    goal = Goal("speed", wanted, lambda _: found, lambda _: "the cookie")
    assert row(goal, {}) == ("speed", wanted, shown, result)


def test_a_missed_goal_says_where_a_visit_takes_longer_or_shorter() -> None:
    places = {
        f"{OURS.name}, known": {
            "app/views.py": 20.0,
            "app/web/a.py": 10.0,
            "flask": 70,
        },
        f"{INCR.name}, known": {"flask": 71, "redis": 50.0},
    }
    explain = profiles(OURS, INCR, "known")
    shown = "-21 µs for a visit: redis -50, the app +30"
    assert explain({"profile": {"places": places}}) == shown
    assert explain({}) == ""


def test_every_goal_is_in_the_report() -> None:
    lines = report.markdown(RESULTS).splitlines()
    for goal in GOALS:
        assert f"| {' | '.join(row(goal, RESULTS))} |" in lines


@pytest.mark.parametrize("counted", [99, 109])
def test_a_visit_that_was_not_counted_or_twice_is_noticed(counted: int) -> None:
    class Liar(Candidate):
        app = OURS

        def __init__(self) -> None:
            self.answers = iter([1, 2 + counted])

        def views(self, cookie: str) -> int:
            return next(self.answers)

        def load(self, *args: object) -> Measure:
            return {"requests": 100, "visits_s": 50}

    with pytest.raises(AssertionError, match=f"100 answers, but {counted}"):
        Liar().count(["cookie"], 1, connections=8)


LOOPED = """
from flask import Flask, session

app = Flask(__name__)
app.secret_key = "a-secret-of-this-test"

@app.get("/")
def index():
    session["views"] = session.get("views", 0) + {step}
    return {{"views": session["views"]}}
"""


@pytest.mark.parametrize(("kind", "step"), [("new", 1), ("new", 2), ("known", 0)])
def test_the_loop_checks_what_it_visits(kind: str, step: int, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LOOPED.format(step=step))
    done = subprocess.run(
        [sys.executable, "-m", "visit_loop", "/", kind],
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(PEERS)},
        capture_output=True,
        text=True,
    )
    if step == 1:
        assert float(done.stdout) > 0, done.stderr
    else:
        assert "visits counted instead of" in done.stderr


def test_the_cpu_time_of_a_process_is_also_its_childrens() -> None:
    before = cpu_time(os.getpid())
    burn = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", burn]) as child:
        try:
            wait_until(lambda: cpu_time(child.pid) >= 0.1)
            assert cpu_time(os.getpid()) > before + 0.05
        finally:
            child.kill()


def test_what_fails_is_told_and_tried_once_more() -> None:
    answers = iter([*range(1, ROUNDS), None, ROUNDS])

    def fail_once() -> Measure:
        if answer := next(answers):
            return {"visits_s": answer}
        raise AssertionError("3 visits\nwere lost")

    failed: dict[str, str] = {}
    found = in_turns({"one": fail_once}, failed)
    assert found == {"one": [{"visits_s": n} for n in range(1, ROUNDS + 1)]}
    assert failed == {f"one / round {ROUNDS}": "AssertionError: 3 visits were lost"}


def test_what_fails_twice_is_left_out_and_the_others_go_on() -> None:
    calls = []

    def fail() -> Measure:
        calls.append("failing")
        raise TimeoutError("wrk did not end")

    failed: dict[str, str] = {}
    found = in_turns({"failing": fail, "other": lambda: {"visits_s": 7}}, failed)
    assert failed["failing / left out"] == "TimeoutError: wrk did not end"
    assert list(found) == ["other"]
    assert len(calls) == 2


def test_a_part_that_fails_is_told_in_the_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> dict[str, object]:
        raise TimeoutError("the server did not start")

    monkeypatch.setitem(run.PARTS, "storages", fail)
    results = RESULTS | {"storages": RESULTS["storages"] | run.run("storages")}
    shown = report.markdown(results)
    assert "**Failed:** storages: TimeoutError: the server did not start" in shown
    assert "| ≥ 0.85 × | not run | not run |" in shown


def test_an_app_that_was_not_run_is_left_out() -> None:
    results = deepcopy(RESULTS)
    for part in ("visits", "growth"):
        found, results[part]["failed"] = results[part]["found"], {}
        results[part]["found"] = {
            name: rounds for name, rounds in found.items() if "Express" not in name
        }
    assert "Express + connect" not in charts.visits(results)
    assert "Express" not in report.markdown(results).partition("## A visit")[2]
    ElementTree.fromstring(charts.growth(results))  # noqa: S314 - our own


def test_the_machine_was_busy_is_said() -> None:
    results = deepcopy(RESULTS)
    results["visits"]["others"] = 1.5
    assert "(1.5 cores): do not rely on these figures" in report.markdown(results)


def test_the_charts_are_drawings_of_all_that_was_run() -> None:
    chart = ElementTree.fromstring(charts.visits(RESULTS))  # noqa: S314 - our own
    bars, legend = RESULTS["visits"]["found"], 2
    assert len(chart.findall("{*}rect")) == len(bars) + legend
    chart = ElementTree.fromstring(charts.growth(RESULTS))  # noqa: S314 - our own
    lines = chart.findall("{*}polyline")[: len(growth.KINDS) * len(growth.APPS)]
    points = [point for line in lines for point in line.attrib["points"].split()]
    assert len(points) == len(RESULTS["growth"]["found"])


def test_an_unknown_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY", "speed")
    with pytest.raises(SystemExit, match="use one of visits, loop, growth, storages"):
        run.main()
