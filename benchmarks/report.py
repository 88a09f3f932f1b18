"""Writes what a run has found: results.json, RESULTS.md and the charts."""

import json
import re
from pathlib import Path

from benchmarks import charts, goals, tables
from benchmarks.rounds import Results

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"

HEADER = """\
# How fast it is, and beside what

Visits per second, unless another unit is given. All apps take turns in each round; a figure is
the median of the rounds, with their range. Ratios are taken within a round. Every count was
checked. The app has one core, the visitors (wrk) and Redis have another. Each other app is
the smallest that its documentation recommends ([peers](peers)); on gunicorn they have its
gthread worker, with four threads, as many as this template has at work at a time, and the same
keep-alive. Run it again with `make bench`, or only one part with `make bench ONLY=growth`. It
needs wrk, Node for Express, and PostgreSQL for its row.
"""
GOALS = """\
Ratios are visits per second, except for p99. Where a goal was missed beside an app in Python,
the last column says what takes more or less of a visit here than there, as far as it matters;
[where the time goes](#where-the-time-goes) has all of it.
"""
TEXTS = {
    "visits": """\
## A visit that counts

Eight visitors on connections that are kept alive: *known* visitors have a session, *new* ones
get one with each request. *Equal duties* is Flask-Session with signed ids, security headers,
request ids, an origin check and an access log, each by the usual library. *CPU*: what a known
visitor's visit takes of it in the app's processes; other programs hardly disturb this figure.
*Commands*: what Redis gets for a visit. *Bytes*: what a session takes in Redis. *Of 200*: how
many were counted of one visitor's 200 parallel visits.

![Visits per second](visits.svg)
""",
    "loop": """\
## What a visit costs the app itself

Microseconds of CPU for a visit without a web server: one thread calls the app's `wsgi_app` in
a loop. Each round is a program of its own, whose best of 20 batches counts. `make compare
OTHER=../another-checkout` shows what a change of the code is worth.
""",
    "growth": """\
## When sessions hold something

Known visitors, whose sessions hold 1, 20 or 200 keys of 20 characters each, or one key of
20 kB. A visit counts, reads one key, or changes one key without reading any. The second table
tells what a visit costs Redis: microseconds of its CPU, and bytes on the wire in both
directions. Only Django does not prolong a session that is merely read.

![Visits per second as the session grows](growth.svg)
""",
    "storages": """\
## Storages

Known visitors of this template, with one Redis server, one that three Sentinels watch, a
Cluster of three, one server over TLS, and without Redis: in memory, and in the two storages
of the project's docs/storage.md. PostgreSQL has its own defaults, and its server shares a
core with the visitors, as Redis does.
""",
    "connections": """\
## Connections, cores and processes

Eight known visitors, each on one, 8 or 32 connections; here, Flask-Session's lost counts are
not held against it. The first rows are kept on one core, as
above. Below, this template may use all cores, one of which it shares with Redis and the
visitors. There, one process counts less than on one core, since its threads wait for each
other's lock across cores; as many processes as cores make up for it. Where only one process
is possible, `taskset -c 0 gunicorn` keeps it on one core.
""",
    "many": """\
## Many at once, and slow ones

What eight visitors notice who come some 15 times a second each, every other time with a new
connection: the median, and the longest, until the answer is complete. One process, which has four
views at work at a time. Idle connections have had one answer and are kept open. Slow clients send a
byte a second.

*gunicorn's gthread* is the same app without places and time-outs, with four threads and gunicorn's
own 1,000 connections: further ones are closed after the answer. nginx has the generated project's settings and one process; it
closes the oldest of more than 768 connections. Granian takes 10,000 connections here, and
nobody any more: it closes none to make room, until it has idled for 30 seconds.
""",
    "profile": """\
## Where the time goes

Microseconds of a known or a new visitor's visit, by the app's file or the package that is at
work; what these call of Python's own library counts as theirs. Places that take less than 1 %
everywhere are summed up as all others.
""",
}


def write(results: Results) -> None:
    """Write all files."""
    text = json.dumps(results, indent=1)
    one_line_each = re.sub(r"\{[^{}\[\]]*\}", lambda m: " ".join(m[0].split()), text)
    RESULTS.write_text(one_line_each + "\n")
    (HERE / "RESULTS.md").write_text(markdown(results))
    (HERE / "visits.svg").write_text(charts.visits(results))
    (HERE / "growth.svg").write_text(charts.growth(results))


def markdown(results: Results) -> str:
    """Return RESULTS.md."""
    texts = [HEADER, "## Goals\n", *tables.head("measured", "goal", "found", "result")]
    texts += [tables.cells(*goals.row(goal, results)) for goal in goals.GOALS]
    texts += ["", GOALS.strip()]
    for name, lines in tables.PARTS.items():
        if name in results:
            texts += ["", TEXTS[name], measured(results[name])]
            failures = results[name]["failed"].items()
            texts += [f"\n**Failed:** {what}: {why}" for what, why in failures]
            texts += ["", *lines(results[name])]
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
    number = part["rounds"]
    rounds = f"{number} round{'s' * (number != 1)} in {part['minutes']} minutes"
    versions = f"Python {part['python']}, {part['redis']}"
    return f"{where}, {versions}; {rounds}.{pinned}{busy}"
