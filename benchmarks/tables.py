"""The tables of the report: a function for each part, which returns its lines."""

from statistics import median
from typing import Any

from benchmarks import connections, growth, loop, many, storages
from benchmarks.rounds import Measure, Results, middle, ratio, times


def of_visits(part: Results) -> list[str]:
    """Return a row for each app."""
    names = "p50", "p99", "CPU", "new", "commands", "bytes", "of 200", "memory"
    lines = head("app", "known", *names)
    for name in [
        row.removesuffix(" / known") for row in part["found"] if "/ known" in row
    ]:
        known, new = (
            part["found"].get(f"{name} / {kind}", []) for kind in ("known", "new")
        )
        facts: dict[str, Any] = part["facts"][name]
        lines.append(
            cells(
                name,
                spread(known),
                figure(known, "p50_ms", "{:.1f} ms"),
                figure(known, "p99_ms", "{:.1f} ms"),
                figure(known, "cpu_us", "{:.0f} µs"),
                spread(new),
                f"{facts['commands']:g}" if "commands" in facts else "",
                str(facts.get("session_bytes", "")),
                str(facts.get("counted", "")),
                f"{facts['rss_mib']} MiB",
            )
        )
    return lines


def of_growth(part: Results) -> list[str]:
    """Return two tables: visits per second, and what they cost Redis."""
    sizes = [size.name for size in growth.SIZES]
    lines = head("app", "a visit", *sizes)
    costs = ["", *head("app", "a visit", *sizes)]
    for app in growth.APPS:
        for kind in growth.KINDS:
            names = [f"{app.name} / {kind} / {size}" for size in sizes]
            rows = [part["found"].get(name, []) for name in names]
            if any(rows):
                lines.append(cells(app.name, f"{kind}s", *map(spread, rows)))
                costs.append(cells(app.name, f"{kind}s", *map(cost, rows)))
    return lines + costs


def of_loop(part: Results) -> list[str]:
    """Return a row for each app and storage."""
    lines = head("app, storage", *loop.KINDS)
    for name in dict.fromkeys(row.partition(" / ")[0] for row in part["found"]):
        rows = [part["found"].get(f"{name} / {kind}", []) for kind in loop.KINDS]
        lines.append(cells(name, *[figure(r, "cpu_us", "{:.0f} µs") for r in rows]))
    return lines


def of_storages(part: Results) -> list[str]:
    """Return a row for each storage."""
    redis = storages.REDIS
    lines = head("storage", "known", "p50", "p99", f"beside {redis}")
    for name, rounds in part["found"].items():
        beside = times(ratio(part["found"], name, redis)) if name != redis else ""
        waits = [figure(rounds, what, "{:.1f} ms") for what in ("p50_ms", "p99_ms")]
        lines.append(cells(name, spread(rounds), *waits, beside))
    return lines


def of_connections(part: Results) -> list[str]:
    """Return a row for each choice."""
    found, spread_out = part["found"], connections.SPREAD.name
    columns = [f"{at} connections" for at in connections.CONNECTIONS]
    lines = head("started as", *columns, f"at 64, beside {spread_out}")
    for choice in connections.CHOICES:
        rows = [
            found.get(f"{choice.name} / {at}", []) for at in connections.CONNECTIONS
        ]
        beside = times(ratio(found, f"{choice.name} / 64", f"{spread_out} / 64"))
        lines.append(cells(choice.name, *map(with_p99, rows), beside))
    return lines


def of_many(part: Results) -> list[str]:
    """Return a row for each load, with what visitors notice of it on each server."""
    lines = head("beside the visitors", *many.SERVERS)
    for load in many.LOADS:
        rows = [part["found"].get(f"{name} / {load}") for name in many.SERVERS]
        lines.append(cells(load, *[many.tell(r) if r else "not run" for r in rows]))
    return lines


def of_profile(part: Results) -> list[str]:
    """Return a row for each place that matters."""
    columns = part.get("places", {})
    lines = head("place", *columns)
    shares = {
        place: max(at.get(place, 0) / sum(at.values()) for at in columns.values())
        for place in dict.fromkeys(place for at in columns.values() for place in at)
    }
    for place in sorted(p for p, share in shares.items() if share >= 0.01):
        row = [f"{at[place]:.0f}" if place in at else "" for at in columns.values()]
        lines.append(cells(place, *row))
    rest = [
        sum(us for place, us in at.items() if shares[place] < 0.01)
        for at in columns.values()
    ]
    lines.append(cells("all others", *[f"{us:.0f}" for us in rest]))
    return [
        *lines,
        cells("a visit", *[f"{sum(at.values()):.0f}" for at in columns.values()]),
    ]


PARTS = {
    "visits": of_visits,
    "loop": of_loop,
    "growth": of_growth,
    "storages": of_storages,
    "connections": of_connections,
    "many": of_many,
    "profile": of_profile,
}


def spread(rounds: list[Measure]) -> str:
    """Return the median of visits per second, and the range."""
    if not rounds:
        return "not run"
    values = [each["visits_s"] for each in rounds]
    return f"{median(values):,.0f} ({min(values):,.0f}–{max(values):,.0f})"


def with_p99(rounds: list[Measure]) -> str:
    """Return the visits per second, and what one in a hundred has to wait."""
    return spread(rounds) + figure(rounds, "p99_ms", ", p99 {:.0f} ms")


def cost(rounds: list[Measure]) -> str:
    """Return what a visit costs Redis, and the wire."""
    us = figure(rounds, "redis_us", "{:.0f} µs")
    return us + figure(rounds, "wire_bytes", ", {:,.0f} B")


def figure(rounds: list[Measure], what: str, form: str) -> str:
    """Return the rounds' median in this form; nothing if it was not measured."""
    if not rounds or what not in rounds[0]:
        return ""
    return form.format(middle(rounds, what))


def head(*names: str) -> list[str]:
    """Return the head of a table."""
    return [cells(*names), f"|{'---|' * len(names)}"]


def cells(*texts: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(texts)} |"
