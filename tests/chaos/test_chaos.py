"""Half a minute of it, in the ordinary run; `make chaos` takes ten."""

import random
from pathlib import Path

from tests.chaos.run import run

SECONDS = 30


def test_whatever_happens_to_redis_and_gunicorn_all_promises_are_kept(
    baked: Path,
) -> None:
    done = run(baked, SECONDS, seed=random.getrandbits(32))
    print("\n".join(done.lines))
    assert not done.verdict.findings, "\n".join(done.lines)
