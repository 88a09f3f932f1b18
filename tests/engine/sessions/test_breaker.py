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
from app.sessions.storage.breaker import OVER, PAUSE, WAIT, Breaker
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.engine.sessions.conftest import Clock

Outcome = Literal["works", "fails soon", "fails late", "refuses"]


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
        self.notified = 0
        self.depth = 0  # how often the one who runs has entered

    def __enter__(self) -> None:
        if self.running and not self.depth:
            self.running.stop_here()
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def notify_all(self) -> None:
        self.notified += 1

    def wait(self, seconds: float) -> None:
        end, notified = self.clock.now + seconds, self.notified
        if self.running:
            self.depth = 0
            self.running.stop_here(
                lambda: self.notified > notified or self.clock.now >= end
            )
            self.depth = 1

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


FULL = "OutOfMemoryError: it is full"
NOBODY = "ConnectionError: nobody there"


def call(breaker: Breaker, clock: Clock, outcome: Outcome) -> None:
    """Do what a server does with each call."""
    began = breaker.let_in()
    if outcome == "works":
        breaker.ended(began)
    elif outcome == "refuses":
        breaker.ended(began, FULL)
        raise StorageUnavailable
    else:
        if outcome == "fails late":
            clock.now += 1
        breaker.ended(began, NOBODY, answered=False)
        raise StorageUnavailable


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all breakers, which the tests set."""
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


class Lines(logging.Handler):
    """What the breaker has logged: each outage that began, and each that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = self.ended = self.refused = 0
        self.open = 0  # lines of the outage that has no end yet

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.ERROR:
            self.begun += 1
            self.open += 1
        else:
            self.ended += 1
            self.open = 0
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
    """And each outage is two lines in the log, or three if the error changes its kind."""
    outcomes: list[Outcome] = ["works", "fails soon", "fails late", "refuses"]
    tried = 0
    for trio in combinations_with_replacement(outcomes, 3):

        def run(order: list[int], trio: tuple[Outcome, ...] = trio) -> list[int]:
            lines.__init__()  # type: ignore[misc]
            clock, unavailable = Clock(), []
            scheduler = Scheduler(clock, order)
            monkeypatch.setattr(module, "monotonic", clock)
            monkeypatch.setattr(module, "Condition", lambda: scheduler)
            breaker = Breaker("it")

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
            assert lines.open == 0
            assert lines.ended <= lines.begun <= 2 * lines.ended  # two kinds of error
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

    def wait(self, seconds: float) -> None:
        assert seconds <= WAIT + 0.001
        self.clock.now += max(0.0, seconds)


class Histories(RuleBasedStateMachine):
    """Calls come, end in any order and in any way, and time passes."""

    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(module, "Condition", lambda: FakeCondition(self.clock))
        self.patch.setattr(module, "monotonic", self.clock)
        self.breaker = Breaker("it")
        self.calls: list[float] = []  # when those began that have not ended
        self.tries: list[float] = []  # of these, the ones let in while it was away
        self.lines = Lines()
        module.log.addHandler(self.lines)
        module.log.propagate = False

    def teardown(self) -> None:
        """Whatever has happened: once the server is well, the next try ends it."""
        for began in self.calls:
            self.breaker.ended(began, NOBODY, answered=False)
        self.clock.now += PAUSE
        self.breaker.ended(self.breaker.let_in())
        assert self.breaker.works
        self.clock.now += OVER + 1
        self.breaker.ended(self.breaker.let_in())
        assert self.lines.begun == 0 or self.lines.ended >= 1
        assert not self.breaker._kinds
        module.log.removeHandler(self.lines)
        module.log.propagate = True
        self.patch.undo()

    @rule()
    def come(self) -> None:
        worked, came = self.breaker.works, self.clock.now
        rested = not worked and came < self.breaker._due
        try:
            began = self.breaker.let_in()
        except StorageUnavailable:
            assert not worked
            assert self.clock.now <= came + WAIT + 0.001
            return
        assert not rested
        self.calls.append(began)
        if not worked:
            assert not self.tries  # one at a time
            self.tries.append(began)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), outcome=st.sampled_from(["works", "refuses", "fails"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        place = data.draw(st.integers(0, len(self.calls) - 1))
        began = self.calls.pop(place)
        if outcome == "works":
            self.breaker.ended(began)
        elif outcome == "refuses":
            self.breaker.ended(began, FULL)
        else:
            self.breaker.ended(began, NOBODY, answered=False)
        if began in self.tries:
            self.tries.remove(began)

    @rule(seconds=st.sampled_from([0.01, 0.2, PAUSE, OVER + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def it_has_logged_an_end_for_each_outage_but_the_last(self) -> None:
        """An outage is two lines, or three if it is of both kinds."""
        if hasattr(self, "lines"):
            assert self.lines.ended <= self.lines.begun <= 2 * (self.lines.ended + 1)
            assert bool(self.breaker._kinds) == (self.lines.open > 0)


TestHistories = Histories.TestCase


def test_a_failure_that_is_heard_of_after_the_outage_begins_no_other(
    lines: Lines, clock: Clock
) -> None:
    breaker = Breaker("it")
    first, second = breaker.let_in(), breaker.let_in()
    clock.now += 0.01
    breaker.ended(first, NOBODY, answered=False)
    clock.now += 0.01
    call(breaker, clock, "works")
    breaker.ended(second, NOBODY, answered=False)
    assert breaker.works
    assert lines.begun == lines.ended == 1


def test_those_who_waited_for_a_try_that_failed_do_not_try_again(
    lines: Lines, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(clock, [])
    monkeypatch.setattr(module, "Condition", lambda: scheduler)
    breaker = Breaker("it")
    breaker.ended(breaker.let_in(), NOBODY, answered=False)
    began = breaker.let_in()

    def wait(*_: object) -> None:
        breaker.ended(began, NOBODY, answered=False)

    monkeypatch.setattr(scheduler, "wait", wait)
    with pytest.raises(StorageUnavailable, match="did not answer a moment ago"):
        breaker.let_in()


def test_a_server_that_refuses_some_work_and_does_other_fails_once(
    lines: Lines, clock: Clock
) -> None:
    """A full Redis lets some writes in and others not: that is one outage, not many."""
    breaker = Breaker("it")
    for _ in range(10):
        breaker.ended(breaker.let_in(), FULL)
        clock.now += OVER / 2
        breaker.ended(breaker.let_in())
    assert (lines.begun, lines.ended) == (1, 0)
    clock.now += OVER
    breaker.ended(breaker.let_in())
    assert (lines.begun, lines.ended, lines.refused) == (1, 1, 10)


def test_an_outage_has_a_third_line_only_for_another_kind_of_error(
    lines: Lines, clock: Clock
) -> None:
    breaker = Breaker("it")
    for error in FULL, "OutOfMemoryError: still full", "ReadOnlyError: a replica now":
        breaker.ended(breaker.let_in(), error)
    assert lines.begun == 2
    for error in NOBODY, "TimeoutError: nobody says anything":
        breaker.ended(breaker.let_in(), error, answered=False)
    assert (lines.begun, lines.ended) == (3, 0)
    breaker.ended(breaker.let_in())  # it answers, but may still be full
    assert breaker.works
    assert (lines.begun, lines.ended) == (3, 0)
    clock.now += OVER + 1
    breaker.ended(breaker.let_in())
    assert (lines.ended, lines.refused) == (1, 5)


def test_the_outage_of_a_server_that_was_replaced_has_an_end(
    lines: Lines, clock: Clock
) -> None:
    Breaker("another").end("is no longer in use")
    assert (lines.begun, lines.ended) == (0, 0)
    breaker = Breaker("it")
    late, began = breaker.let_in(), breaker.let_in()
    clock.now += 0.01
    breaker.ended(began, NOBODY, answered=False)
    breaker.end("is no longer in use")
    breaker.ended(late, NOBODY, answered=False)
    assert (lines.begun, lines.ended) == (1, 1)


def test_a_call_under_way_when_a_server_is_replaced_begins_no_outage(
    lines: Lines, clock: Clock
) -> None:
    """Nobody would ask that server again, so it would have no end."""
    breaker = Breaker("it")
    late = breaker.let_in()
    clock.now += 0.01
    breaker.end("is no longer in use")
    breaker.ended(late, NOBODY, answered=False)
    assert (lines.begun, lines.ended) == (0, 0)


@pytest.mark.parametrize("worked", [True, False])
def test_a_call_that_waited_for_a_replaced_server_begins_no_outage(
    lines: Lines, clock: Clock, worked: bool
) -> None:
    breaker = Breaker("it")
    if not worked:
        breaker.ended(breaker.let_in(), NOBODY, answered=False)
    breaker.end("is no longer in use")
    clock.now += 0.01
    for error in NOBODY, FULL:
        breaker.ended(breaker.let_in(), error, answered=error is FULL)
    assert lines.begun == lines.ended
