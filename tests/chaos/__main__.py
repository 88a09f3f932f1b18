"""make chaos SECONDS=60 TOPOLOGY=server|sentinel|cluster SEED=… BREAK=retry|save|…"""

import os
import random
import sys
from signal import SIGTERM, signal

from tests.chaos.run import run
from tests.conftest import ROOT


def main() -> None:
    """Run as the environment says; exit with 1 if there are findings."""
    signal(SIGTERM, lambda *_: sys.exit("Stopped."))  # and all servers with it
    done = run(
        ROOT / "build/visit-counter",
        float(os.environ.get("SECONDS") or 600),
        seed=int(os.environ.get("SEED") or random.getrandbits(32)),
        topology=os.environ.get("TOPOLOGY") or "server",
        broken=os.environ.get("BREAK") or "",
    )
    print("\n".join(done.lines))
    sys.exit(bool(done.verdict.findings))


if __name__ == "__main__":
    main()
