"""The breaker: all orders of three calls are tried, and random histories of many."""

import logging
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations_with_replacement
from threading import Semaphore, Thread
from typing import Literal

import pytest
from app.sessions import StorageUnavailable
from app.sessions.storage import breaker as module
from app.sessions.storage.breaker import LOST, OVER, PAUSE, WAIT, Breaker, Turn
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.engine.sessions.conftest import Clock

Outcome = Literal["works", "fails soon", "fails late", "refuses", "is lost"]


class Caller:
    """A thread that runs only when it is its turn, from one lock to the next."""

    def __init__(self, program: Callable[[], None]) -> None:
        self.waits_for: Callable[[], bool] = lambda: True
        self.done = False
        self.go, self.gone = Semaphore(0), Semaphore(0)
        self.thread = Thread(target=self._run, args=[program])
        self.thread.start()

    def _run(self, program: Callable[[], None]) -> None:
        self.go.acquire()
        program()
        self.done = True
        self.gone.release()

    def stop_here(self, until: Callable[[], bool] = lambda: True) -> None:
        """Let others run; go on when chosen, which can be when `until` is true."""
        self.waits_for = until
        self.gone.release()
        self.go.acquire()

    def step(self) -> None:
        """Let it run until it stops."""
        self.go.release()
        assert self.gone.acquire(timeout=10)

    def can_run(self) -> bool:
        return not self.done and self.waits_for()


class Scheduler:
    """Stands in for the breaker's lock and condition, and tells who runs."""

    def __init__(self, clock: Clock, order: list[int]) -> None:
        self.clock = clock
        self.order = order  # which of those who can run: the n-th
        self.branches: list[int] = []  # how many could run, each time
        self.running: Caller | None = None

    def __enter__(self) -> None:
        if self.running:
            self.running.stop_here()

    def __exit__(self, *_: object) -> None:
        pass

    def notify_all(self) -> None:
        pass

    def wait_for(self, predicate: Callable[[], bool], seconds: float) -> None:
        end = self.clock.now + seconds
        if not predicate() and self.running:
            self.running.stop_here(lambda: predicate() or self.clock.now >= end)

    def run(self, programs: list[Callable[[], None]]) -> None:
        """Run all of them; time passes when nobody can go on otherwise."""
        callers = [Caller(program) for program in programs]
        for caller in callers:  # up to their first lock
            self.running = caller
            caller.step()
        while not all(caller.done for caller in callers):
            able = [caller for caller in callers if caller.can_run()]
            if not able:
                self.clock.now += WAIT
                able = [caller for caller in callers if caller.can_run()]
                assert able, "nobody can go on: it sticks"
            place = len(self.branches)
            chosen = self.order[place] if place < len(self.order) else 0
            self.branches.append(len(able))
            self.running = able[chosen]
            self.running.step()
            self.running = None
        for caller in callers:
            caller.thread.join()


def all_orders(run: Callable[[list[int]], list[int]]) -> int:
    """Run in every order there is; return how many there were."""
    order: list[int] = []
    for tried in range(1, 1_000_000):
        branches = run(order)
        order += [0] * (len(branches) - len(order))
        while order and order[-1] == branches[len(order) - 1] - 1:
            order.pop()
        if not order:
            return tried
        order[-1] += 1
    raise AssertionError("too many orders")


def call(breaker: Breaker, clock: Clock, outcome: Outcome) -> None:
    """Do what a server does with each call."""
    turn = breaker.let_in()
    if outcome == "works":
        breaker.worked(turn)
    elif outcome == "refuses":
        breaker.refused(turn, "OutOfMemoryError: it is full")
        raise StorageUnavailable
    else:
        if outcome == "fails late":
            clock.now += 1
        breaker.failed(turn, "ConnectionError: nobody there")
        raise StorageUnavailable


class Lines(logging.Handler):
    """What the breaker has logged: each outage that began, and each that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = self.ended = self.refused = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.ERROR:
            self.begun += 1
        else:
            self.ended += 1
            counted = re.search(r"(\d+) calls were refused", record.getMessage())
            assert counted
            self.refused += int(counted[1])


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged; and nobody else listens."""
    lines = Lines()
    module.log.addHandler(lines)
    module.log.propagate = False
    yield lines
    module.log.propagate = True
    module.log.removeHandler(lines)


@pytest.mark.parametrize("away", [False, True], ids=["it works", "a try is due"])
def test_no_order_of_three_calls_makes_it_stick(
    away: bool, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each outage is two lines in the log."""
    outcomes: list[Outcome] = ["works", "fails soon", "fails late", "refuses"]
    tried = 0
    for trio in combinations_with_replacement(outcomes, 3):

        def run(order: list[int], trio: tuple[Outcome, ...] = trio) -> list[int]:
            lines.__init__()  # type: ignore[misc]
            clock, unavailable = Clock(), []
            scheduler = Scheduler(clock, order)
            monkeypatch.setattr(module, "Condition", lambda _: scheduler)
            breaker = Breaker("it", clock)

            def visit(outcome: Outcome) -> None:
                try:
                    call(breaker, clock, outcome)
                except StorageUnavailable:
                    unavailable.append(outcome)

            if away:
                visit("fails soon")
            scheduler.run([partial(visit, outcome) for outcome in trio])
            if away and set(trio) == {"works"}:
                assert len(unavailable) == 1  # those who came during the try waited
            clock.now += PAUSE
            visit("works")  # the next try is let in, and all is well
            assert breaker.works
            clock.now += OVER + 1
            visit("works")
            assert lines.begun == lines.ended
            assert lines.refused <= len(unavailable)  # what failed late is not counted
            return scheduler.branches

        tried += all_orders(run)
    print(f"{tried} orders tried")
    assert tried > 1000


class FakeCondition:
    """For one thread: what it waits for does not come, but the time passes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def notify_all(self) -> None:
        pass

    def wait_for(self, _: Callable[[], bool], seconds: float) -> None:
        assert seconds <= WAIT + 0.001
        self.clock.now += max(0.0, seconds)


class Histories(RuleBasedStateMachine):
    """Calls come, end in any order, in any way or never, and time passes."""

    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "Condition", lambda _: FakeCondition(self.clock))
            self.breaker = Breaker("it", self.clock)
        self.turns: list[Turn] = []
        self.tries: list[
            float
        ] = []  # when those began that were let in while it failed
        self.lines = Lines()
        module.log.addHandler(self.lines)
        module.log.propagate = False

    def teardown(self) -> None:
        """Whatever has happened: once the server is well, the next try ends it."""
        self.clock.now += LOST
        self.breaker.worked(self.breaker.let_in())
        assert self.breaker.works
        self.clock.now += OVER + 1
        self.breaker.worked(self.breaker.let_in())
        assert self.lines.begun == self.lines.ended
        module.log.removeHandler(self.lines)
        module.log.propagate = True

    @rule()
    def come(self) -> None:
        worked, came = self.breaker.works, self.clock.now
        rested = not worked and came < self.breaker._due
        try:
            turn = self.breaker.let_in()
        except StorageUnavailable:
            assert not worked
            assert self.clock.now <= came + WAIT + 0.001
            return
        assert not rested
        self.turns.append(turn)
        if not worked:
            assert all(came >= began + LOST for began in self.tries)  # one at a time
            self.tries.append(came)

    @precondition(lambda self: self.turns)
    @rule(
        data=st.data(), outcome=st.sampled_from(["works", "refuses", "fails", "lost"])
    )
    def end(self, data: st.DataObject, outcome: str) -> None:
        place = data.draw(st.integers(0, len(self.turns) - 1))
        turn = self.turns.pop(place)
        if outcome == "works":
            self.breaker.worked(turn)
        elif outcome == "refuses":
            self.breaker.refused(turn, "OutOfMemoryError: it is full")
        elif outcome == "fails":
            self.breaker.failed(turn, "ConnectionError: nobody there")
        if outcome != "lost" and turn.started in self.tries:
            self.tries.remove(turn.started)

    @rule()
    def hear_from_others_that_it_is_away(self) -> None:
        self.breaker.rest("TimeoutError: nobody answers")
        assert not self.breaker.works

    @rule(seconds=st.sampled_from([0.01, 0.2, PAUSE, LOST, OVER + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def it_has_logged_as_many_beginnings_as_ends_or_one_more_of_each_kind(self) -> None:
        if hasattr(self, "lines"):
            assert 0 <= self.lines.begun - self.lines.ended <= 2


TestHistories = Histories.TestCase


def test_a_failure_that_is_heard_of_after_the_outage_begins_no_other(
    lines: Lines,
) -> None:
    breaker = Breaker("it", clock := Clock())
    first, second = breaker.let_in(), breaker.let_in()
    breaker.failed(first, "ConnectionError: nobody there")
    call(breaker, clock, "works")
    breaker.failed(second, "ConnectionError: nobody there")
    assert breaker.works
    assert lines.begun == lines.ended == 1


def test_those_who_waited_for_a_try_that_failed_do_not_try_again(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    scheduler = Scheduler(clock, [])
    monkeypatch.setattr(module, "Condition", lambda _: scheduler)
    breaker = Breaker("it", clock)
    breaker.failed(breaker.let_in(), "ConnectionError: nobody there")
    turn = breaker.let_in()

    def wait(*_: object) -> None:
        breaker.failed(turn, "ConnectionError: nobody there")

    monkeypatch.setattr(scheduler, "wait_for", wait)
    with pytest.raises(StorageUnavailable, match="a moment ago"):
        breaker.let_in()


def test_a_server_that_refuses_some_work_and_does_other_fails_once(
    lines: Lines,
) -> None:
    """A full Redis lets some writes in and others not: that is one outage, not many."""
    breaker = Breaker("it", clock := Clock())
    for _ in range(10):
        breaker.refused(breaker.let_in(), "OutOfMemoryError: it is full")
        clock.now += OVER / 2
        breaker.worked(breaker.let_in())
    assert (lines.begun, lines.ended) == (1, 0)
    clock.now += OVER
    breaker.worked(breaker.let_in())
    assert (lines.begun, lines.ended, lines.refused) == (1, 1, 10)
