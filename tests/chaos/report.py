"""What a run was like, as a table; and what was found, as the requests that show it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tests.chaos.checker import Verdict
from tests.chaos.history import COUNT, HEALTH, UNANSWERED, History, Request
from tests.chaos.rules import Finding, outages, unconcerned, undisturbed

ALIKE = 2  # findings of one kind that are shown
MOST = 12  # requests shown of a finding


def table(
    history: History, verdict: Verdict, about: Mapping[str, object]
) -> Iterator[str]:
    """Yield the lines of the table; `about` is told first."""
    rows = {name: str(value) for name, value in about.items()}
    requests = history.requests
    rows["requests"] = _counted(request.kind for request in requests)
    rows["faults"] = _counted(fault.kind for fault in history.faults)
    rows["answers"] = _counted(
        "none" if request.status == UNANSWERED else str(request.status)
        for request in requests
    )
    rows["longest /healthz"] = _longest(history, HEALTH)
    rows["longest count"] = _longest(history, COUNT)
    if others := unconcerned(history):
        share = sum(request.done for request in others) / len(others)
        rows["other servers' visitors"] = (
            f"{share:.2%} of {len(others)} answered 200; {_times(others)};"
            f" usually {_times(undisturbed(history))}"
        )
    rows["outages in the log"] = "{} began, {} ended".format(*outages(history))
    if any(fault.loses for fault in history.faults):
        rows["lost by failovers"] = f"{verdict.lost} acknowledged counts"
    rows["findings"] = _counted(finding.what for finding in verdict.findings) or "none"
    width = max(map(len, rows))
    for name, value in rows.items():
        yield f"{name:{width}}  {value}"


def shown(findings: Iterable[Finding], began: float) -> Iterator[str]:
    """Yield lines that show the findings; times are seconds since the run began."""
    kinds: Counter[str] = Counter()
    for finding in findings:
        kinds[finding.what] += 1
        if kinds[finding.what] <= ALIKE:
            yield from _one(finding, began)


def _one(finding: Finding, began: float) -> Iterator[str]:
    yield finding.what
    for request in finding.requests[:MOST]:
        yield f"    {request.told(began)}"
    if len(finding.requests) > MOST:
        yield f"    and {len(finding.requests) - MOST} more"


def _counted(names: Iterable[str]) -> str:
    counts = Counter(names)
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def _longest(history: History, kind: str) -> str:
    times = [r.end - r.start for r in history.requests if r.kind == kind]
    return f"{max(times, default=0):.1f} s"


def _times(requests: Iterable[Request]) -> str:
    """Return within which time 99 of 100 were answered, and all."""
    times = sorted(request.end - request.start for request in requests) or [0.0]
    p99 = times[-1 - len(times) // 100]
    return f"p99 {p99 * 1000:.0f} ms, longest {times[-1]:.1f} s"
