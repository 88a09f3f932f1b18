"""The verdict over a whole history: everything in it that should not be."""

from dataclasses import dataclass

from tests.chaos.history import History
from tests.chaos.rules import Finding, broken_rules
from tests.chaos.search import Undecided, explain
from tests.chaos.shrink import contradiction
from tests.chaos.steps import lineages

SHOWN = 3  # contradictions are enough to look at: to make them short takes a while


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a history, and how many counts a failover has lost."""

    findings: list[Finding]
    lost: int


def check(history: History) -> Verdict:
    """Judge a history; it has kept all promises if there are no findings."""
    findings, lost = list(broken_rules(history)), 0
    contradictory = []
    for steps in lineages(history):
        try:
            state = explain(steps)
        except Undecided:
            findings.append(Finding("too many orders to try"))
            continue
        if state is None:
            contradictory.append(steps)
        else:
            lost += sum(data.lost for _, data in state)
    contradictory.sort(key=len)  # the shortest are the easiest to understand
    for number, steps in enumerate(contradictory):
        requests = contradiction(steps) if number < SHOWN else []
        findings.append(Finding("no order explains these answers", tuple(requests)))
    return Verdict(findings, lost)
