"""Runs requests in every order of their storage calls.

Of the requests, one at a time runs until it comes to its next call. Then one of them is
chosen, makes its call, and runs on.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

Turn = Callable[[], None]  # it returns when it is the turn of whoever calls it
THREADS = ThreadPoolExecutor(4)


class Scheduler:
    """Lets one request at a time run, until it waits for its turn to make a call.

    `path` tells, for the first calls, which of those waiting goes; `taken` notes the
    choice and how many there were, for each call.
    """

    def __init__(self, path: list[int]) -> None:
        self._path = path
        self.taken: list[tuple[int, int]] = []
        self._to_start: list[Callable[[], object]] = []
        self._started: list[Future[None]] = []
        self._waiting: list[int] = []
        self._turns: list[Lock] = []
        self._finished = Lock()

    def run(self, requests: list[Callable[[], object]]) -> None:
        """Run the requests to their ends."""
        self._to_start = requests[::-1]
        self._turns = [Lock() for _ in requests]
        for lock in self._finished, *self._turns:
            lock.acquire()
        self._go_on()
        assert self._finished.acquire(timeout=10)
        for future in self._started:
            future.result()

    def turn_of(self, number: int) -> Turn:
        """Return what a request has to call before each call of the storage."""

        def wait() -> None:
            self._waiting.append(number)
            self._waiting.sort()
            if self._go_on(number) is None:
                assert self._turns[number].acquire(timeout=10)

        return wait

    def _go_on(self, me: int | None = None) -> int | None:
        """Start the next request, or choose who goes on; return who, if it is `me`."""
        if self._to_start:
            self._started.append(THREADS.submit(self._do, self._to_start.pop()))
        elif self._waiting:
            step = len(self.taken)
            choice = self._path[step] if step < len(self._path) else 0
            self.taken.append((choice, len(self._waiting)))
            number = self._waiting.pop(choice)
            if number == me:
                return me
            self._turns[number].release()
        else:
            self._finished.release()
        return None

    def _do(self, request: Callable[[], object]) -> None:
        try:
            request()
        finally:
            self._go_on()


def every_order() -> Iterator[Scheduler]:
    """Yield a scheduler for each order; whoever is given one has to run it."""
    path: list[int] = []
    while True:
        scheduler = Scheduler(path)
        yield scheduler
        taken = scheduler.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        path = [choice for choice, _ in taken]
        path[-1] += 1
