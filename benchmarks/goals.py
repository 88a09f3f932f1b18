"""What we want of a run, whether it was reached, and if not, why."""

from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from benchmarks.apps import (
    DJANGO,
    DUTIES,
    EXPRESS,
    FASTER,
    FLASK_SESSION,
    INCR,
    OURS,
    STARLETTE,
    App,
)
from benchmarks.rounds import Results, middle, ratio, times

Find = Callable[[Results], list[float]]  # in ascending order; empty: it was not run
Explain = Callable[[Results], str]


class Goal(NamedTuple):
    """What is wanted (`≤ 42 MiB`), how to find it, and what explains that it was missed."""

    text: str
    wanted: str
    find: Find
    reason: Explain = lambda _: ""


def row(goal: Goal, results: Results) -> tuple[str, str, str, str]:
    """Return the goal's row: what, the goal, what was measured, and the result."""
    sign, number, *unit = goal.wanted.split()
    values = goal.find(results)
    if not values:
        return goal.text, goal.wanted, "not run", "not run"
    value, bound = median(values), float(number)
    reached = value >= bound if sign == "≥" else value <= bound
    shown = times(values) if unit == ["×"] else " ".join([f"{value:g}", *unit])
    reason = "" if reached else goal.reason(results)
    verdict = "reached" if reached else f"**missed**{': ' if reason else ''}{reason}"
    return goal.text, goal.wanted, shown, verdict


def beside(ours: App, other: App, kind: str, what: str = "visits_s") -> Find:
    """Compare two apps' visits."""
    names = f"{ours.name} / {kind}", f"{other.name} / {kind}"
    return lambda results: ratio(found(results, "visits"), *names, what)


def compare(part: str, one: str, other: str) -> Find:
    """Compare two rows of a part."""
    return lambda results: ratio(found(results, part), one, other)


def fact(app: App, name: str) -> Find:
    """Find something that does not depend on rounds."""

    def find(results: Results) -> list[float]:
        facts = results.get("visits", {}).get("facts", {}).get(app.name, {})
        return [facts[name]] if name in facts else []

    return find


def found(results: Results, part: str) -> dict[str, list[dict[str, float]]]:
    """Return a part's measures; none if it was not run."""
    measures: dict[str, list[dict[str, float]]] = results.get(part, {}).get("found", {})
    return measures


def profiles(ours: App, other: App, kind: str) -> Explain:
    """Tell where a visit spends its time here and there."""

    def explain(results: Results) -> str:
        columns = results.get("profile", {}).get("places", {})
        both = [columns.get(f"{app.name}, {kind}") for app in (ours, other)]
        if None in both:
            return ""
        here, there = map(summed, both)
        more = {at: here.get(at, 0) - there.get(at, 0) for at in here | there}
        texts = [
            f"{at} {us:+.0f}"
            for at, us in sorted(more.items(), key=lambda m: -abs(m[1]))
            if abs(us) >= sum(there.values()) / 50
        ]
        return f"{sum(more.values()):+.0f} µs for a visit: {', '.join(texts)}"

    return explain


def summed(places: dict[str, float]) -> dict[str, float]:
    """Return what a visit spends in each package, all files of the app taken together."""
    sums: dict[str, float] = {}
    for place, us in places.items():
        package = "the app" if place.startswith(("app/", "gunicorn.conf")) else place
        sums[package] = sums.get(package, 0) + us
    return sums


def redis_costs(one: str, other: str) -> Explain:
    """Tell what two kinds of visits cost Redis, and the wire."""

    def explain(results: Results) -> str:
        rows = found(results, "growth")
        texts = [
            f"{middle(rows[name], 'redis_us'):.0f} µs of Redis"
            f" and {middle(rows[name], 'wire_bytes'):,.0f} bytes"
            for name in (one, other)
        ]
        return f"a visit takes {texts[0]}, the other {texts[1]}"

    return explain


def with_cluster(results: Results) -> str:
    """Tell how much longer a visit takes with a Cluster."""
    rows = found(results, "storages")
    times = [1e6 / middle(rows[name], "visits_s") for name in ("Cluster", "Redis")]
    return f"a visit takes {times[0] - times[1]:.0f} µs more"


def grown(app: App, kind: str, size: str) -> str:
    """Return the name of a row of the growth part."""
    return f"{app.name} / {kind} / {size}"


def growth(text: str, wanted: str, one: str, other: str) -> Goal:
    """Return a goal for sessions that hold something."""
    return Goal(text, wanted, compare("growth", one, other), redis_costs(one, other))


GOALS = [
    *[
        Goal(text, wanted, beside(ours, other, kind), profiles(ours, other, kind))
        for text, wanted, ours, other, kind in [
            (
                "known visitors beside Flask-Session",
                "≥ 1.1 ×",
                OURS,
                FLASK_SESSION,
                "known",
            ),
            ("… with equal duties", "≥ 1.55 ×", OURS, DUTIES, "known"),
            (
                "… beside Flask + INCR, which has no session",
                "≥ 0.76 ×",
                OURS,
                INCR,
                "known",
            ),
            ("… beside Django", "≥ 2.5 ×", OURS, DJANGO, "known"),
            (
                "new visitors beside Flask-Session",
                "≥ 0.95 ×",
                OURS,
                FLASK_SESSION,
                "new",
            ),
            ("… with equal duties", "≥ 1.35 ×", OURS, DUTIES, "new"),
            (
                "known visitors on Granian beside Express",
                "≥ 1.2 ×",
                FASTER,
                EXPRESS,
                "known",
            ),
            ("… beside Starlette", "≥ 1.1 ×", FASTER, STARLETTE, "known"),
        ]
    ],
    Goal(
        "p99 of known visitors beside Flask + INCR",
        "≤ 1.0 ×",
        beside(OURS, INCR, "known", "p99_ms"),
        profiles(OURS, INCR, "known"),
    ),
    *[
        growth(
            f"{text} of 200 keys beside one of 1",
            "≥ 0.95 ×",
            grown(OURS, kind, "200 keys"),
            grown(OURS, kind, "1 key"),
        )
        for text, kind in [
            ("counting in a session", "count"),
            ("changing one key of a session", "change"),
        ]
    ],
    growth(
        "reading one of 200 keys beside Flask-Session",
        "≥ 1.0 ×",
        grown(OURS, "read", "200 keys"),
        grown(FLASK_SESSION, "read", "200 keys"),
    ),
    Goal(
        "known visitors with a Cluster beside one server",
        "≥ 0.85 ×",
        compare("storages", "Cluster", "Redis"),
        with_cluster,
    ),
    Goal("Redis commands for a visit", "≤ 1", fact(OURS, "commands")),
    Goal("… for a page without session", "≤ 0", fact(OURS, "commands_elsewhere")),
    Goal("bytes of Redis for a session", "≤ 104", fact(OURS, "session_bytes")),
    Goal("visits counted of 200 in parallel", "≥ 200", fact(OURS, "counted")),
    Goal("memory of the worker", "≤ 42 MiB", fact(OURS, "rss_mib")),
    Goal("start to first answer", "≤ 1.0 s", fact(OURS, "start_s")),
]
