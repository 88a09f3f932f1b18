"""One run: servers, instances, visitors and the nemesis, until the time is over."""

import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from tests.chaos import nemesis, report
from tests.chaos.checker import Verdict, check
from tests.chaos.clients import Log, visitors, watch
from tests.chaos.history import History
from tests.chaos.rules import Finding
from tests.chaos.stage import Instance, prepare
from tests.chaos.topologies import TOPOLOGIES
from tests.waiting import wait_until

INSTANCES = 2
RECOVERY = 30  # seconds after the last fault within which everybody is served again


@dataclass(frozen=True)
class Run:
    """What came of it."""

    verdict: Verdict
    lines: list[str]  # to print


def run(
    project: Path,
    seconds: float,
    *,
    seed: int,
    topology: str = "server",
    broken: str = "",
) -> Run:
    """Ill-treat a baked project, which has its environment, for so many seconds."""
    with ExitStack() as cleanup:
        folder = Path(
            cleanup.enter_context(tempfile.TemporaryDirectory(prefix="chaos-"))
        )
        stores = TOPOLOGIES[topology](folder, cleanup)
        settings = {"REDIS_URL": stores.url, "CHAOS_BREAK": broken}
        staged = prepare(project, folder)
        instances = []
        for number in range(INSTANCES):
            instances.append(Instance(staged, number, **settings))
            cleanup.callback(instances[-1].stop)
        began = time.monotonic()
        log = Log(stores.server_of)
        chance = random.Random(seed)  # noqa: S311 - it is no secret
        people = visitors(log, instances, chance)
        over, harmless = Event(), Event()
        cleanup.callback(harmless.set)
        cleanup.callback(over.set)
        pool = cleanup.enter_context(ThreadPoolExecutor(2))
        deeds = nemesis.to_store(stores), nemesis.to_instances(instances)
        harm = [
            pool.submit(
                nemesis.ill_treat,
                deed,
                random.Random(chance.random()),  # noqa: S311
                harmless,
            )
            for deed in deeds
        ]
        threads = [thread for visitor in people for thread in visitor.start(over)] + [
            _start(watch, instance, log, over, chance) for instance in instances
        ]
        harmless.wait(seconds)
        harmless.set()
        faults = [fault for done in harm for fault in done.result()]
        recovered = time.monotonic()
        findings = []
        over.set()
        for thread in threads:
            thread.join()
        deadline = recovered + RECOVERY
        for visitor in people:
            try:
                wait_until(visitor.read_all, max(0, deadline - time.monotonic()))
            except AssertionError:
                what = f"not served {RECOVERY} s after the last fault: {visitor.name}"
                findings.append(Finding(what))
            visitor.close()
        recovered = time.monotonic() - recovered
    logged = tuple(line for instance in instances for line in instance.log)
    history = History(tuple(log.requests), tuple(faults), logged)
    verdict = check(history)
    verdict.findings.extend(findings)
    about = {
        "topology": topology,
        "seed": seed,
        "seconds": f"{seconds:.0f}",
        "broken on purpose": broken or "no",
        "all served again": f"{recovered:.1f} s after the last fault",
    }
    lines = list(report.table(history, verdict, about))
    lines += report.shown(verdict.findings, began)
    return Run(verdict, lines)


def _start(target: Callable[..., None], *args: object) -> Thread:
    thread = Thread(target=target, args=args)
    thread.start()
    return thread
