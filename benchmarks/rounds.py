"""Rounds in which all take turns, so that a slow minute slows all of them."""

import os
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")
Measure = dict[str, float]
Turn = Callable[[], Measure]

# For short trials: ROUNDS=1 SECONDS=1 make bench
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def seconds(usual: int) -> int:
    """Return how long one measure takes."""
    return int(os.environ.get("SECONDS", usual))


def in_turns(
    turns: Mapping[str, Turn], failed: dict[str, str]
) -> dict[str, list[Measure]]:
    """Measure everything once a round.

    A failure is noted in `failed` and tried once more; after a second one, it is left out.
    """
    found: dict[str, list[Measure]] = {name: [] for name in turns}
    for number in range(1, ROUNDS + 1):
        for name in list(found):
            measured = attempt(turns[name], f"{name} / round {number}", failed)
            measured = measured or attempt(turns[name], f"{name} / left out", failed)
            if measured is None:
                del found[name]
                continue
            found[name].append(measured)
            figures = ", ".join(f"{what} {n:,.1f}" for what, n in measured.items())
            print(f"Round {number} of {ROUNDS}, {name}: {figures}", flush=True)
    return found


def attempt(work: Callable[[], T], name: str, failed: dict[str, str]) -> T | None:
    """Return what `work` returns; if it raises, note why in `failed` and return None."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the others go on
        failed[name] = explain(error)
        print(f"{name} FAILED: {failed[name]}", flush=True)
        return None


def explain(error: Exception) -> str:
    """Return why something failed, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def ratio(
    found: Mapping[str, list[Measure]], one: str, other: str, what: str = "visits_s"
) -> list[float]:
    """Return each round's ratio, in ascending order; none if one of the two was not run."""
    rounds = zip(found.get(one, []), found.get(other, []), strict=False)
    return sorted(mine[what] / its[what] for mine, its in rounds)


def times(ratios: list[float]) -> str:
    """Return the median of sorted ratios, and their range."""
    return (
        f"{median(ratios):.2f} × ({ratios[0]:.2f}–{ratios[-1]:.2f})" if ratios else ""
    )


def middle(rounds: list[Measure], what: str) -> float:
    """Return the median of one figure over the rounds."""
    return float(median(each[what] for each in rounds))


Results = dict[str, Any]
