"""However the storage calls of two requests interleave, all promises hold.

A scheduler lets one storage call through at a time. Each pair of programs is run in every
order that there is; after that a late request comes with the cookie that both had.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations_with_replacement
from threading import Condition, Thread
from typing import Any

import pytest
from app.sessions import MemoryStorage, Session, Storage
from app.sessions.record import Record
from app.sessions.signer import storage_key
from app.sessions.states import Cookie
from app.sessions.values import decode, encode

from tests.engine.sessions.programs import BEFORE, OPERATIONS, SINGLES, in_turn

Names = tuple[str, ...]
ID = "a" * 43
LOGINS = ("clear_and_set", "regenerate_and_set")
PROGRAMS: list[Names] = [
    *SINGLES,
    *(("read", name) for name in ("set_key", "change_inside", "clear", *LOGINS)),
    ("increment", "increment"),
    *(("increment", name) for name in ("read", "set_another", "clear", *LOGINS)),
]


class Scheduler:
    """Lets requests run until each waits at a storage call; then lets one call through.

    `path` tells, for the first calls, which of those waiting goes; `taken` notes the
    choice and how many there were, for each call.
    """

    def __init__(self, path: list[int]) -> None:
        self.path = path
        self.taken: list[tuple[int, int]] = []
        self._changed = Condition()
        self._waiting: list[int] = []
        self._running = 0
        self._goes: int | None = None

    def run(self, requests: list[Callable[[], None]]) -> None:
        """Run the requests to their ends."""
        self._running = len(requests)
        threads = [
            Thread(target=self._do, args=[number, request])
            for number, request in enumerate(requests)
        ]
        for thread in threads:
            thread.start()
        with self._changed:
            while True:
                assert self._changed.wait_for(lambda: not self._running, 10)
                if not self._waiting:
                    break
                self._choose()
        for thread in threads:
            thread.join()

    def wait_for_turn(self, number: int) -> None:
        """Wait until it is this request's turn to call the storage."""
        with self._changed:
            self._waiting.append(number)
            self._stop_running()
            assert self._changed.wait_for(lambda: self._goes == number, 10)
            self._goes = None

    def _choose(self) -> None:
        step = len(self.taken)
        choice = self.path[step] if step < len(self.path) else 0
        self.taken.append((choice, len(self._waiting)))
        self._goes = sorted(self._waiting)[choice]
        self._waiting.remove(self._goes)
        self._running += 1
        self._changed.notify_all()

    def _do(self, number: int, request: Callable[[], None]) -> None:
        request()
        with self._changed:
            self._stop_running()

    def _stop_running(self) -> None:
        self._running -= 1
        self._changed.notify_all()


class ScheduledStorage(Storage):
    """The storage as one request sees it, whose calls wait for their turn."""

    def __init__(self, storage: Storage, scheduler: Scheduler, number: int) -> None:
        self._storage = storage
        self._wait = partial(scheduler.wait_for_turn, number)

    def load(self, *args: Any) -> Any:
        self._wait()
        return self._storage.load(*args)

    def save(self, *args: Any, **options: Any) -> Any:
        self._wait()
        return self._storage.save(*args, **options)

    def increment(self, *args: Any, **options: Any) -> Any:
        self._wait()
        return self._storage.increment(*args, **options)

    def delete(self, *args: Any) -> Any:
        self._wait()
        return self._storage.delete(*args)

    def ping(self) -> None:
        pass


class Request:
    """A program that is run on a session with the visitor's cookie, and its outcome."""

    def __init__(self, names: Names, storage: Storage) -> None:
        self.names = names
        record = Record(storage, ID, ttl=60, new_ttl=60)
        self.session = Session(record)
        self.answers: list[Any] = []

    def __call__(self) -> None:
        self.answers = in_turn(*self.names)(self.session)
        self.session.save()

    @property
    def cookie(self) -> Cookie:
        return self.session.record.cookie

    @property
    def told(self) -> list[Any]:
        """What its increments returned."""
        answers = zip(self.names, self.answers, strict=True)
        return [answer for name, answer in answers if name == "increment"]

    @property
    def is_end(self) -> bool:
        """Whether it logs in or out."""
        return bool({*self.names} & {"clear", "clear_and_set", "regenerate_and_set"})


def every_order(
    pair: tuple[Names, ...],
) -> Iterator[tuple[list[Request], MemoryStorage]]:
    """Run two requests in each order of their storage calls."""
    path: list[int] = []
    while True:
        memory = MemoryStorage()
        fields = {key: encode(key, value) for key, value in BEFORE.items()}
        memory.save(storage_key(ID), fields, (), 60, create=True)
        scheduler = Scheduler(path)
        requests = [
            Request(names, ScheduledStorage(memory, scheduler, number))
            for number, names in enumerate(pair)
        ]
        scheduler.run([*requests])
        yield requests, memory
        taken = scheduler.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        path = [choice for choice, _ in taken]
        path[-1] += 1


def live(memory: MemoryStorage) -> list[dict[str, Any]]:
    """Return the data of all sessions that exist."""
    records = [fields for _, fields in memory._records.values() if fields]
    return [{key: decode("", key, fields[key]) for key in fields} for fields in records]


def test_two_requests_in_every_order_and_a_late_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    orders = 0
    for pair in combinations_with_replacement(PROGRAMS, 2):
        for requests, memory in every_order(pair):
            try:
                check(requests, live(memory))
                check_late(requests, memory)
            except AssertionError as error:
                error.add_note(f"in order {orders}, of {pair}")
                raise
            orders += 1
    with capsys.disabled():
        print(f" {orders} orders of two requests ", end="")


def check(requests: list[Request], sessions: list[dict[str, Any]]) -> None:
    """Compare the sessions that exist now with what the requests were told."""
    winners = [r for r in requests if r.cookie is not Cookie.KEEP]
    if not winners:
        [session] = sessions
        told = [n for request in requests for n in request.told]
        assert sorted(told) == [*range(6, 6 + len(told))]
        assert session in outcomes(requests, len(told))
        return
    [winner] = winners  # at most one request ends a session
    [loser] = [request for request in requests if request is not winner]
    if winner.cookie is Cookie.EXPIRE:
        assert sessions == []
    elif "clear_and_set" in winner.names:
        assert sessions == [{"user": 7}]
    else:
        [session] = sessions
        assert session.pop("user") == 7
        # What the other request was told before the end has been taken along, and is exact.
        told = winner.told + loser.told[: session["n"] - 5 - len(winner.told)]
        assert sorted(told) == [*range(6, session["n"] + 1)]
        saved = [] if loser.is_end else [loser]
        assert session in [
            *outcomes([winner], len(told)),
            *outcomes([winner, *saved], len(told)),
        ]


def outcomes(requests: list[Request], counts: int) -> list[dict[str, Any]]:
    """Return what the session may hold after these requests and this many counts."""
    names = [name for request in requests for name in request.names]
    possible = []
    # Of two changes of the same key, both may be there, or only the last one.
    for done in names, dict.fromkeys(names):
        state = copy.deepcopy(BEFORE)
        for name in done:
            OPERATIONS[name](state)
        state.pop("user", None)
        possible.append({**state, "n": 5 + counts})
    return possible


def check_late(requests: list[Request], memory: MemoryStorage) -> None:
    """A request with an ended id finds nothing, changes nothing and gets no cookie."""
    if all(request.cookie is Cookie.KEEP for request in requests):
        return
    before = live(memory)
    for name in OPERATIONS:
        late = Request((name,), memory)
        late()
        assert late.cookie is Cookie.KEEP
        assert late.answers in ([None], [1])
        assert live(memory) == before
