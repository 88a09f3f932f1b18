"""What we want of a run, and whether it was reached; of what was missed, the limit."""

from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from benchmarks.apps import (
    DJANGO,
    DUTIES,
    EXPRESS,
    FAST_INCR,
    FASTER,
    FLASK_SESSION,
    INCR,
    OURS,
    STARLETTE,
    App,
)
from benchmarks.rounds import Results, middle, ratio, times

Find = Callable[[Results], list[float]]  # from low to high; empty: it was not run
Explain = Callable[[Results], str]


class Goal(NamedTuple):
    """A goal: the sign, the number and the unit that are wanted, and what is found."""

    text: str
    wanted: str
    find: Find
    limit: Explain = lambda _: ""


def row(goal: Goal, results: Results) -> tuple[str, str, str, str]:
    """Return what is wanted, what was measured and what came of it."""
    sign, number, *unit = goal.wanted.split()
    values = goal.find(results)
    if not values:
        return goal.text, goal.wanted, "not run", "not run"
    value, bound = median(values), float(number)
    reached = value >= bound if sign == "≥" else value <= bound
    shown = times(values) if unit == ["×"] else " ".join([f"{value:g}", *unit])
    limit = "" if reached else goal.limit(results)
    verdict = "reached" if reached else f"**missed**{': ' if limit else ''}{limit}"
    return goal.text, goal.wanted, shown, verdict


def beside(ours: App, other: App, kind: str, what: str = "visits_s") -> Find:
    """Compare two apps' visits."""
    names = f"{ours.name} / {kind}", f"{other.name} / {kind}"
    return lambda results: ratio(found(results, "visits"), *names, what)


def compare(part: str, one: str, other: str) -> Find:
    """Compare two rows of a part."""
    return lambda results: ratio(found(results, part), one, other)


def fact(app: str, name: str) -> Find:
    """Find something that does not depend on rounds."""

    def find(results: Results) -> list[float]:
        facts = results.get("visits", {}).get("facts", {}).get(app, {})
        return [facts[name]] if name in facts else []

    return find


def found(results: Results, part: str) -> dict[str, list[dict[str, float]]]:
    """Return a part's measures; none if it was not run."""
    measures: dict[str, list[dict[str, float]]] = results.get(part, {}).get("found", {})
    return measures


def floor(of: App, other: App, kind: str) -> Explain:
    """Tell how far an app comes that does nothing but count."""

    def explain(results: Results) -> str:
        values = beside(of, other, kind)(results)
        if not values:
            return ""
        return (
            f"{of.name}, without session, cookie, headers and log,"
            f" gets {median(values):.2f} ×"
        )

    return explain


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


def slower(results: Results) -> str:
    """Tell how much longer a visit takes with a Cluster."""
    rows = found(results, "servers")
    times = [1e6 / middle(rows[name], "visits_s") for name in ("Cluster", "one server")]
    return f"a visit takes {times[0] - times[1]:.0f} µs more"


def grown(app: App, kind: str, size: str) -> str:
    """Return the name of a row of the growth part."""
    return f"{app.name} / {kind} / {size}"


def growth(text: str, wanted: str, one: str, other: str) -> Goal:
    """Return a goal for sessions that hold something."""
    return Goal(text, wanted, compare("growth", one, other), redis_costs(one, other))


OUR_DUTIES = "it makes no session, cookie, headers or log"
GOALS = [
    Goal(
        "known visitors beside Flask + INCR, which has no session",
        "≥ 1.0 ×",
        beside(OURS, INCR, "known"),
        lambda _: OUR_DUTIES,
    ),
    *[
        Goal(text, wanted, beside(OURS, app, kind), floor(INCR, app, kind))
        for text, wanted, app, kind in [
            ("known visitors beside Flask-Session", "≥ 1.45 ×", FLASK_SESSION, "known"),
            ("… beside Flask-Session with equal duties", "≥ 1.5 ×", DUTIES, "known"),
            ("… beside Django", "≥ 2.5 ×", DJANGO, "known"),
            ("new visitors beside Flask-Session", "≥ 1.12 ×", FLASK_SESSION, "new"),
            ("… beside Flask-Session with equal duties", "≥ 1.3 ×", DUTIES, "new"),
        ]
    ],
    *[
        Goal(text, wanted, beside(FASTER, app, "known"), floor(FAST_INCR, app, "known"))
        for text, wanted, app in [
            ("known visitors on Granian beside Starlette", "≥ 1.1 ×", STARLETTE),
            ("… beside Express", "≥ 1.2 ×", EXPRESS),
        ]
    ],
    Goal(
        "p99 beside Flask + INCR",
        "≤ 1.1 ×",
        beside(OURS, INCR, "known", "p99_ms"),
        lambda _: OUR_DUTIES,
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
        compare("servers", "Cluster", "one server"),
        slower,
    ),
    Goal("Redis commands for a visit", "≤ 1", fact(OURS.name, "commands")),
    Goal("… for a page without session", "≤ 0", fact(OURS.name, "commands_elsewhere")),
    Goal("bytes for a session", "≤ 104", fact(OURS.name, "session_bytes")),
    Goal("counted of 200 at a time", "≥ 200", fact(OURS.name, "counted")),
    Goal("memory of the worker", "≤ 42 MiB", fact(OURS.name, "rss_mib")),
    Goal("start to first answer", "≤ 1.0 s", fact(OURS.name, "start_s")),
]
