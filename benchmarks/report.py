"""Writes what a run of the benchmark has found: results.json, RESULTS.md, chart.svg."""

import json
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
OURS, FASTER = "this template", "this template on Granian"

HEADER = """\
# What a counted visit costs

Visits a second on one core, {machine}, Python {python}, {redis}, {date}. Eight visitors on
connections that are kept alive; `known` have a session, `new` get one with each request.
{rounds} rounds of {seconds} s, the apps in turn: the median, with the range. Every count was
checked. {pinning} Each other app is the smallest that its documentation recommends
(`benchmarks/peers`), those for gunicorn with the same worker, threads and keep-alive.
Run it again with `make bench`: it needs wrk, and Node for Express.
"""


def write(results: dict[str, Any]) -> None:
    """Write all three files."""
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "RESULTS.md").write_text(markdown(results))
    (HERE / "chart.svg").write_text(chart(results))
    print(markdown(results))


def ratio(
    results: dict[str, Any], ours: str, other: str, kind: str, what: str = "visits_s"
) -> float | None:
    """Return the median of the rounds' ratios; None if one of the two did not run."""
    apps = results["apps"]
    if ours not in apps or other not in apps:
        return None
    rounds = zip(apps[ours][kind], apps[other][kind], strict=True)
    return float(median(mine[what] / its[what] for mine, its in rounds))


def goals(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what we want of a run, and what it has found."""
    found = results["apps"][OURS]

    def beside(ours: str, other: str, kind: str, what: str = "visits_s") -> str:
        value = ratio(results, ours, other, kind, what)
        return "not run" if value is None else f"{value:.2f} ×"

    return [
        (
            "known visitors beside Flask + INCR",
            "≥ 1.0 ×",
            beside(OURS, "Flask + INCR", "known"),
        ),
        ("… beside Flask-Session", "≥ 1.45 ×", beside(OURS, "Flask-Session", "known")),
        ("… beside Django", "≥ 2.5 ×", beside(OURS, "Django, cache sessions", "known")),
        (
            "new visitors beside Flask-Session",
            "≥ 1.25 ×",
            beside(OURS, "Flask-Session", "new"),
        ),
        (
            "known visitors on Granian beside Express",
            "≥ 1.1 ×",
            beside(FASTER, "Express + connect-redis", "known"),
        ),
        (
            "… beside Starlette",
            "≥ 1.1 ×",
            beside(FASTER, "Starlette + starsessions", "known"),
        ),
        (
            "p99 beside Flask + INCR",
            "≤ 1.1 ×",
            beside(OURS, "Flask + INCR", "known", "p99_ms"),
        ),
        ("Redis commands for a visit", "1", f"{found['commands']:g}"),
        (
            "Redis commands for a page without session",
            "0",
            f"{results['commands_without_session']:g}",
        ),
        ("bytes for a session", "≤ 104", str(found["session_bytes"])),
        ("counted of 200 at a time", "200", str(found["counted"])),
        ("memory of the worker", "≤ 42 MiB", f"{found['rss_mib']} MiB"),
        ("start to first answer", "≤ 1.0 s", f"{found['start_s']} s"),
        ("baking", "", f"{results['bake_s']} s"),
    ]


def markdown(results: dict[str, Any]) -> str:
    """Return RESULTS.md."""
    pinning = (
        "The app has one core, wrk and Redis have another."
        if results["pinned"]
        else "Nothing was pinned to a core: this system cannot, or has but one."
    )
    lines = [
        HEADER.format(**results, pinning=pinning),
        "| app | known, a second | p50 | p99 | new, a second | commands | bytes | of 200 | memory |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in results["apps"].items():
        cells = [
            name,
            spread(found["known"]),
            f"{median(m['p50_ms'] for m in found['known']):.1f} ms",
            f"{median(m['p99_ms'] for m in found['known']):.1f} ms",
            spread(found["new"]),
            f"{found['commands']:g}" if "commands" in found else "",
            str(found.get("session_bytes", "")),
            str(found.get("counted", "")),
            f"{found['rss_mib']} MiB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| measured | goal | found |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in goals(results)]
    return "\n".join(lines) + "\n"


def spread(rounds: list[dict[str, float]]) -> str:
    """Return the median, and from where to where it went."""
    values = [m["visits_s"] for m in rounds]
    return f"{median(values):,.0f} ({min(values):,.0f}–{max(values):,.0f})"


def chart(results: dict[str, Any]) -> str:
    """Return known visitors' visits a second as bars, readable on white and on black."""
    rows = {
        n: median(m["visits_s"] for m in f["known"]) for n, f in results["apps"].items()
    }
    scale = 400 / max(rows.values())
    bars = []
    for number, (name, value) in enumerate(rows.items()):
        y = 30 * number
        colour = "#2f7d5b" if name.startswith(OURS) else "#8a8f98"
        bars.append(
            f'<text x="190" y="{y + 20}" text-anchor="end">{name}</text>'
            f'<rect x="200" y="{y + 5}" width="{value * scale:.0f}" height="20" fill="{colour}"/>'
            f'<text x="{206 + value * scale:.0f}" y="{y + 20}">{value:,.0f}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 {30 * len(rows)}"'
        ' font-family="sans-serif" font-size="13" fill="#7a7f87">\n'
        + "\n".join(bars)
        + "\n</svg>\n"
    )
