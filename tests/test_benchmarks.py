"""The benchmark's report, made of results as a run leaves them."""

import json
from xml.etree import ElementTree

from benchmarks import report
from tests.conftest import ROOT

RESULTS = json.loads((ROOT / "benchmarks/results.json").read_text())


def test_what_is_shown_is_what_was_measured() -> None:
    assert (ROOT / "benchmarks/RESULTS.md").read_text() == report.markdown(RESULTS)
    assert (ROOT / "benchmarks/chart.svg").read_text() == report.chart(RESULTS)


def test_ratios_are_taken_within_a_round() -> None:
    """So that a slow minute of the machine does not count."""
    rounds = {
        "ours": {"known": [{"visits_s": 100}, {"visits_s": 10}, {"visits_s": 60}]},
        "other": {"known": [{"visits_s": 50}, {"visits_s": 5}, {"visits_s": 20}]},
    }
    assert report.ratio({"apps": rounds}, "ours", "other", "known") == 2
    assert report.ratio({"apps": rounds}, "ours", "absent", "known") is None


def test_the_chart_is_a_drawing() -> None:
    chart = ElementTree.fromstring(report.chart(RESULTS))  # noqa: S314 - our own
    assert len(list(chart)) == 3 * len(RESULTS["apps"])
