"""The charts, as SVG that is readable on white and on black."""

from collections.abc import Sequence

from benchmarks.apps import APPS, FASTER, OURS, App
from benchmarks.goals import found, grown
from benchmarks.growth import APPS as GROWN
from benchmarks.growth import KINDS, SIZES
from benchmarks.rounds import Results, middle

GREEN, LIGHT_GREEN = "#2f7d5b", "#8cc3a8"
GREY, LIGHT_GREY = "#8a8f98", "#c3c7cd"
WIDTH, HEIGHT, BOTTOM = 230, 220, 255  # of a panel of the growth chart
VERBS = {"count": "counts", "read": "reads one key", "change": "changes one key"}


def visits(results: Results) -> str:
    """Return known and new visitors' visits per second, as two bars for each app."""
    measures = found(results, "visits")
    names = [a.name for a in APPS if f"{a.name} / known" in measures]
    most = max((middle(m, "visits_s") for m in measures.values()), default=1)
    parts = [
        legend(200, 12, GREEN, "known visitors"),
        legend(330, 12, LIGHT_GREEN, "new"),
    ]
    for number, name in enumerate(names):
        top = 24 + 40 * number
        ours = name in (OURS.name, FASTER.name)
        parts.append(text(190, top + 22, name, "end"))
        for row, kind in enumerate(("known", "new")):
            if not (rounds := measures.get(f"{name} / {kind}")):
                continue
            value, y = middle(rounds, "visits_s"), top + 16 * row
            colours = (GREEN, LIGHT_GREEN) if ours else (GREY, LIGHT_GREY)
            parts.append(
                f'<rect x="200" y="{y + 2}" width="{400 * value / most:.0f}" height="14"'
                f' fill="{colours[row]}"/>'
            )
            parts.append(text(206 + 400 * value / most, y + 14, f"{value:,.0f}"))
    return drawing(660, 24 + 40 * len(names), parts)


def growth(results: Results) -> str:
    """Return visits per second over the session's size: a panel for each kind of visit."""
    measures = found(results, "growth")
    most = max((middle(m, "visits_s") for m in measures.values()), default=1)
    parts = []
    for number, kind in enumerate(KINDS):
        left = 50 + (WIDTH + 20) * number
        parts.append(text(left, 18, f"a visit that {VERBS[kind]}"))
        for value in range(0, int(most) + 1, 1000 if most < 6000 else 2000):
            y = BOTTOM - HEIGHT * value / most
            parts.append(
                f'<path d="M{left} {y:.0f}h{WIDTH}" stroke="{LIGHT_GREY}" opacity="0.5"/>'
            )
            if number == 0:
                parts.append(text(left - 6, y + 4, f"{value:,}", "end"))
        xs = [
            left + 25 + n * (WIDTH - 50) // (len(SIZES) - 1) for n in range(len(SIZES))
        ]
        for x, size in zip(xs, SIZES, strict=True):
            parts.append(text(x, BOTTOM + 18, size.name, "middle"))
        for app in GROWN:
            points = [
                (x, BOTTOM - HEIGHT * middle(rounds, "visits_s") / most)
                for x, size in zip(xs, SIZES, strict=True)
                if (rounds := measures.get(grown(app, kind, size.name)))
            ]
            parts.append(line(app, points))
    for number, app in enumerate(GROWN):
        x, y = 50 + 250 * (number % 3), BOTTOM + 45 + 20 * (number // 3)
        parts += [line(app, [(x, y - 4), (x + 30, y - 4)]), text(x + 36, y, app.name)]
    return drawing(820, BOTTOM + 75, parts)


def line(app: App, points: Sequence[tuple[float, float]]) -> str:
    """Return an app's line: green if it is ours, the others with dashes of their own."""
    dashes = ["", "", "6 4", "2 3", "10 3 2 3"][GROWN.index(app)]
    colour = GREEN if app == OURS else GREY
    through = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    look = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
    return f'<polyline points="{through}" fill="none" {look}/>'


def legend(x: int, y: int, colour: str, name: str) -> str:
    """Return a square of a colour, and what it means."""
    square = f'<rect x="{x}" y="{y - 10}" width="10" height="10" fill="{colour}"/>'
    return square + text(x + 16, y, name)


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """Return words at a place."""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{words}</text>'


def drawing(width: int, height: int, parts: list[str]) -> str:
    """Return all of it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="13" fill="#7a7f87">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
