"""Compares the generated app with what its user would pick instead; see RESULTS.md.

Everything runs on this machine. If a part or an app fails, the results say so and the others
go on; slowness is no failure. `ONLY=growth` runs one part and keeps the other parts' results.
"""

import json
import os
import shutil
import sys
import time
from datetime import UTC, datetime

from benchmarks import (
    connections,
    growth,
    loop,
    many,
    profile,
    report,
    storages,
    visits,
)
from benchmarks.apps import BUILD
from benchmarks.machine import describe
from benchmarks.rounds import ROUNDS, Results, explain
from benchmarks.stores import version

PARTS = {
    "visits": visits.measure,
    "loop": loop.measure,
    "growth": growth.measure,
    "storages": storages.measure,
    "connections": connections.measure,
    "many": many.measure,
    "profile": profile.measure,
}


def main() -> None:
    """Run the parts, and write the results after each; exit with 1 if something failed."""
    only = os.environ.get("ONLY")
    if only and only not in PARTS:
        sys.exit(f"ONLY={only} is not a part: use one of {', '.join(PARTS)}")
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: install it with: apt-get install wrk")
    BUILD.mkdir(parents=True, exist_ok=True)
    machine, results = describe() | {"redis": version()}, Results()
    if only and report.RESULTS.exists():
        results = json.loads(report.RESULTS.read_text())
    for name in [only] if only else PARTS:
        print(f"\n{name}", flush=True)
        results[name] = machine | run(name)
        report.write(results)
    print(report.markdown(results))
    failed = [name for name, part in results.items() if part["failed"]]
    if failed:
        sys.exit(f"Something failed in: {', '.join(failed)}; RESULTS.md tells what")


def run(name: str) -> Results:
    """Run one part; return what it found, when, and how long it took."""
    part: Results = {
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": ROUNDS,
        "found": {},
        "failed": {},
    }
    started = time.monotonic()
    try:
        part |= PARTS[name]()
    except Exception as error:  # noqa: BLE001 - the other parts go on
        part["failed"] = {name: explain(error)}
        print(f"{name} FAILED: {part['failed'][name]}", flush=True)
    return part | {"minutes": round((time.monotonic() - started) / 60, 1)}


if __name__ == "__main__":
    main()
