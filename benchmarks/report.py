"""Writes what a run has found: results.json, RESULTS.md and the charts."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import charts, goals, growth, servers, workers
from benchmarks.rounds import Measure, Results, middle, ratio

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"

HEADER = """\
# How fast it is, and beside what

Visits a second, unless another unit is given. All apps take turns in each round; a figure is
the median of the rounds, with their range. Ratios are taken within a round. Every count was
checked. The app has one core, the visitors (wrk) and Redis have another. Each other app is
the smallest that its documentation recommends ([peers](peers)); those for gunicorn have the
same worker, threads and keep-alive. Run it again with `make bench`, or only one part with
`make bench ONLY=growth`. It needs wrk, and Node for Express.
"""
TEXTS = {
    "visits": """\
## A visit that counts

Eight visitors on connections that are kept alive: *known* visitors have a session, *new* ones
get one with each request. *Equal duties* is Flask-Session with signed ids, security headers,
request ids, an origin check and an access log, each by the usual library. *Commands*: what
Redis gets for a visit. *Bytes*: what a session takes in Redis. *Of 200*: how many were counted
of one visitor's 200 parallel visits.

![Visits a second](visits.svg)
""",
    "growth": """\
## When sessions hold something

Known visitors, whose sessions hold 1, 20 or 200 keys of 20 characters each, or one key of
20 kB. A visit counts, reads one key, or changes one key without reading any. The second table
tells what a visit costs Redis: microseconds of its CPU, and bytes on the wire in both
directions.

![Visits a second as the session grows](growth.svg)
""",
    "servers": """\
## Sentinel, Cluster, TLS

Known visitors of this template, with one Redis server, one that three Sentinels watch, a
Cluster of three, and one server over TLS.
""",
    "workers": """\
## Processes and connections

Known visitors of this template. The processes, Redis and the visitors share all cores here,
so a second process adds less than it would on a server of its own.
""",
}


def write(results: Results) -> None:
    """Write all files."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "RESULTS.md").write_text(markdown(results))
    (HERE / "visits.svg").write_text(charts.visits(results))
    (HERE / "growth.svg").write_text(charts.growth(results))


def markdown(results: Results) -> str:
    """Return RESULTS.md."""
    texts = [HEADER, "## Goals\n", *table("measured", "goal", "found", "result")]
    texts += [cells(*goals.row(goal, results)) for goal in goals.GOALS]
    for name, part in TABLES.items():
        if name in results:
            texts += ["", TEXTS[name], measured(results[name])]
            failures = results[name]["failed"].items()
            texts += [f"\n**Failed:** {what}: {why}" for what, why in failures]
            texts += ["", *part(results[name])]
    return "\n".join(texts) + "\n"


def measured(part: Results) -> str:
    """Tell when and where a part was measured."""
    where = ", ".join(str(part[name]) for name in ("date", "machine"))
    pinned = ""
    if not part["pinned"]:
        pinned = " Nothing was pinned to a core: this system cannot, or has but one."
    busy = ""
    if part["others"] > 0.2:
        busy = (
            " **Other programs used the machine when this began"
            f" ({part['others']} cores): do not rely on these figures.**"
        )
    rounds = f"{part['rounds']} rounds in {part['minutes']} minutes"
    return f"{where}, Python {part['python']}; {rounds}.{pinned}{busy}"


def visits_table(part: Results) -> list[str]:
    """Return a row for each app."""
    names = "p50", "p99", "new", "commands", "bytes", "of 200", "memory"
    lines = table("app", "known", *names)
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
                f"{middle(known, 'p50_ms'):.1f} ms",
                f"{middle(known, 'p99_ms'):.1f} ms",
                spread(new),
                f"{facts['commands']:g}" if "commands" in facts else "",
                str(facts.get("session_bytes", "")),
                str(facts.get("counted", "")),
                f"{facts['rss_mib']} MiB",
            )
        )
    return lines


def growth_table(part: Results) -> list[str]:
    """Return two tables: visits a second, and what they cost Redis."""
    sizes = [size.name for size in growth.SIZES]
    lines = table("app", "a visit", *sizes)
    costs = ["", *table("app", "a visit", *sizes)]
    for app in growth.APPS:
        for kind in growth.KINDS:
            names = [f"{app.name} / {kind} / {size}" for size in sizes]
            rows = [part["found"].get(name, []) for name in names]
            if any(rows):
                lines.append(cells(app.name, f"{kind}s", *map(spread, rows)))
                costs.append(cells(app.name, f"{kind}s", *map(cost, rows)))
    return lines + costs


def servers_table(part: Results) -> list[str]:
    """Return a row for each kind of server."""
    plain = servers.SERVERS[0]
    lines = table("Redis", "known", "p50", "p99", "beside one server")
    for name, rounds in part["found"].items():
        ratios = ratio(part["found"], name, plain)
        times = [f"{middle(rounds, what):.1f} ms" for what in ("p50_ms", "p99_ms")]
        beside = f"{median(ratios):.2f} ×" if ratios else ""
        lines.append(cells(name, spread(rounds), *times, beside))
    return lines


def workers_table(part: Results) -> list[str]:
    """Return a row for each number of processes."""
    lines = table("processes", *[f"{many} connections" for many in workers.CONNECTIONS])
    for number in workers.PROCESSES:
        names = [f"{number} / {many}" for many in workers.CONNECTIONS]
        rows = [part["found"].get(name, []) for name in names]
        lines.append(cells(str(number), *map(spread, rows)))
    return lines


TABLES = {
    "visits": visits_table,
    "growth": growth_table,
    "servers": servers_table,
    "workers": workers_table,
}


def spread(rounds: list[Measure]) -> str:
    """Return the median, and from where to where it went."""
    if not rounds:
        return "not run"
    values = [each["visits_s"] for each in rounds]
    return f"{median(values):,.0f} ({min(values):,.0f}–{max(values):,.0f})"


def cost(rounds: list[Measure]) -> str:
    """Return what a visit costs Redis, and the wire."""
    if not rounds:
        return "not run"
    us, size = middle(rounds, "redis_us"), middle(rounds, "wire_bytes")
    return f"{us:.0f} µs, {size:,.0f} B"


def table(*names: str) -> list[str]:
    """Return the head of a table."""
    return [cells(*names), f"|{'---|' * len(names)}"]


def cells(*texts: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(texts)} |"
