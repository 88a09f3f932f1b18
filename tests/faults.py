"""The table of faults, and what comes of each, in the generated README."""

from collections.abc import Iterable
from pathlib import Path

BEGIN = "<!-- Written by the template's tests. -->\n"
END = "<!-- The end of what they wrote. -->\n"

Row = tuple[str, str]

# Those that the generated app tests by itself, in tests/sessions/outages.
IN_THE_APP = [
    (
        "Redis is killed under load",
        "503 at once, then on; no count lost (AOF) or doubled",
    ),
    ("Redis is out of memory or read-only", "503 where it has to write; logged once"),
    ("Redis is still loading", "503 until it has loaded"),
    ("Redis forgets everything", "everybody starts anew, under new ids"),
    ("Redis forgets its scripts", "nothing"),
    ("Redis' password is changed", "503 until `REDIS_URL` has the new one"),
    ("Redis has too many clients", "503 until there is room"),
    ("an answer of Redis is cut short", "503 for that request; it is not sent again"),
    ("a connection has idled too long", "nothing: another one is opened"),
    ("the clock is set back by an hour", "nothing"),
    ("Redis is slow", "it is waited for, 1 s at most"),
]


def table(rows: Iterable[Row]) -> str:
    """Return the rows as Markdown, sorted."""
    lines = [f"| {fault} | {outcome} |" for fault, outcome in sorted(rows)]
    return "\n".join(["| when … | … then |", "|---|---|", *lines])


def write(readme: Path, rows: Iterable[Row]) -> None:
    """Put the rows, and those of the app's own tests, between the two marks."""
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    new = table([*rows, *IN_THE_APP])
    readme.write_text(f"{before}{BEGIN}{new}\n{END}{after}")
