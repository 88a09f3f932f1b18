"""However the storage calls of several requests interleave, all promises hold.

Each group of requests is run in every order of its calls. What comes out must be what
comes out in some order of whole steps, as whole_record.py says what a step should do.
After that, late requests come with the cookie that all of them had.

A call on a new id is not a step of its own, because nobody else knows that id; with
ORDERS=all in the environment it is, and more groups are tried.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import cache, partial
from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from app.sessions import MemoryStorage, Session, SessionEnded, Storage
from app.sessions.record import Record
from app.sessions.signer import storage_key
from app.sessions.states import Cookie
from app.sessions.values import decode, encode

from tests.engine.sessions.programs import BEFORE, OPERATIONS, SINGLES, in_turn
from tests.engine.sessions.scheduler import Turn, every_order
from tests.engine.sessions.whole_record import OLD, WholeRecord, World

Names = tuple[str, ...]
Outcome = str  # the repr of all that is compared
ALL = os.environ.get("ORDERS") == "all"
ID = "a" * 43
KEY = storage_key(ID)
STARTS: dict[str, dict[str, Any]] = {
    "four keys": BEFORE,
    "one key": {"a": 1},
    "none": {},
}
# The same values, not spelled as we do.
FOREIGN = {"a": "1 ", "b": " 2", "list": "[ 0 ]", "n": "5", "cart": '{"9":1,"10":1}'}
VANISH = ("vanish",)  # the third actor: the record expires, is evicted or emptied
PROGRAMS: list[Names] = [
    *SINGLES,
    *(
        ("read", name)
        for name in ("set_key", "change_inside", "clear", "clear_and_set")
    ),
    ("read", "regenerate_and_set"),
    ("increment", "increment"),
    *(("increment", name) for name in ("read", "set_another", "delete_all", "clear")),
    *(("increment", name) for name in ("clear_and_set", "regenerate_and_set")),
]
# A login, a late poll and a logout; two logins, and whatever may come beside them.
THREES: list[tuple[Names, ...]] = [
    (login, other, end)
    for login in [("clear_and_set",), ("regenerate_and_set",)]
    for other in [*(PROGRAMS if ALL else SINGLES), ("increment", "set_another")]
    for end in [("clear",), ("clear_and_set",), ("regenerate_and_set",)]
]


class TurnsStorage(Storage):
    """The storage as one request sees it, whose calls wait for their turn."""

    def __init__(self, storage: Storage, turn: Turn) -> None:
        self._storage = storage
        self._turn = turn

    def _wait(self, key: str) -> None:
        if key == KEY or ALL:
            self._turn()

    def load(self, key: str, *args: Any) -> Any:
        self._wait(key)
        return self._storage.load(key, *args)

    def save(self, key: str, *args: Any, **options: Any) -> Any:
        self._wait(key)
        return self._storage.save(key, *args, **options)

    def increment(self, key: str, *args: Any, **options: Any) -> Any:
        self._wait(key)
        return self._storage.increment(key, *args, **options)

    def delete(self, key: str) -> Any:
        self._wait(key)
        return self._storage.delete(key)

    def ping(self) -> None:
        pass


class Request:
    """A program that is run on a session with the visitor's cookie, and its outcome."""

    def __init__(self, names: Names, record: Any) -> None:
        self.names = names
        self.record = record
        self.session = Session(record)
        self.answers: list[Any] = []

    def __call__(self) -> None:
        self.answers = in_turn(*self.names)(self.session)
        self.session._save()


def outcome(requests: Iterable[Request], live: dict[Any, Any], old: Any) -> Outcome:
    """Return what all were told, which cookies they got, and what they open now."""
    told = []
    for request in requests:
        cookie = request.record.cookie
        mine = live.pop(request.record.id) if cookie is Cookie.ISSUE else None
        told.append((request.names, request.answers, cookie.name, mine))
    return repr((told, live.pop(old, None), live))  # in the end, nothing should be left


def decoded(fields: dict[str, str]) -> list[tuple[str, Any]]:
    return sorted((key, decode("", key, text)) for key, text in fields.items())


def run_real(
    group: tuple[Names, ...], fields: dict[str, str]
) -> Iterator[tuple[list[Request], MemoryStorage, Outcome]]:
    """Run real requests in each order of their storage calls."""
    for scheduler in every_order():
        memory = MemoryStorage()
        if fields:
            memory.save(KEY, fields, (), 60, create=True)
        records = vars(memory)["_records"]
        requests: list[Request] = []
        runs: list[Callable[[], object]] = []
        for number, names in enumerate(group):
            turn = scheduler.turn_of(number)
            if names == VANISH:
                runs.append(partial(vanish, turn, records))
            else:
                storage = TurnsStorage(memory, turn)
                requests.append(Request(names, Record(storage, ID, ttl=60, new_ttl=60)))
                runs.append(requests[-1])
        scheduler.run(runs)
        live = {key: decoded(held) for key, (_, held) in records.items() if held}
        ids = {
            storage_key(request.record.id): request.record.id for request in requests
        }
        live = {ids.get(key, key): held for key, held in live.items()}
        yield requests, memory, outcome(requests, live, ID)


def vanish(turn: Turn, records: dict[str, tuple[float, dict[str, str] | None]]) -> None:
    """Remove the record, as when it expires, is evicted or emptied; it was not ended."""
    turn()
    if records.get(KEY, (0, None))[1]:
        del records[KEY]


def vanish_whole(turn: Callable[[], object], world: World) -> None:
    """Remove the record of a world in which a request is one step."""
    turn()
    world.records.pop(OLD, None)


@cache
def run_whole(group: tuple[Names, ...], start: str) -> set[Outcome]:
    """Return the outcomes of all orders of whole steps."""
    outcomes = set()
    for scheduler in every_order():
        fields = {key: encode(key, value) for key, value in data_of(start).items()}
        world = World(fields)
        requests: list[Request] = []
        runs: list[Callable[[], object]] = []
        for number, names in enumerate(group):
            turn = scheduler.turn_of(number)
            if names == VANISH:
                runs.append(partial(vanish_whole, turn, world))
            else:
                requests.append(Request(names, WholeRecord(world, turn)))
                runs.append(requests[-1])
        scheduler.run(runs)
        live = {key: decoded(held) for key, held in world.records.items()}
        outcomes.add(outcome(requests, live, OLD))
    return outcomes


def data_of(start: str) -> dict[str, Any]:
    if start == "foreign":
        return {key: decode("", key, text) for key, text in FOREIGN.items()}
    return deepcopy(STARTS[start])


def check(groups: Iterable[tuple[Names, ...]], starts: Iterable[str]) -> int:
    """Compare each group's outcomes with those of whole steps; return how many orders."""
    orders = 0
    for group, start in product(groups, starts):
        fields = {key: encode(key, value) for key, value in data_of(start).items()}
        seen = set()
        for requests, memory, told in run_real(
            group, FOREIGN if start == "foreign" else fields
        ):
            orders += 1
            assert told in run_whole(group, start), (start, orders, told)
            if told not in seen:
                seen.add(told)
                check_late(requests, memory)
    return orders


def check_late(requests: list[Request], memory: MemoryStorage) -> None:
    """A request with an ended id writes nothing and gets no cookie, unless it logs in."""
    if not is_ended(memory):
        return
    records = vars(memory)["_records"]
    before = deepcopy(records)
    for name in OPERATIONS:
        late = Request((name,), Record(memory, ID, ttl=60, new_ttl=60))
        late()
        record = late.record
        if name in ("clear_and_set", "regenerate_and_set"):
            assert record.cookie is Cookie.ISSUE
            assert records.pop(record.key)[1] == {"user": "7"}
        else:
            assert record.cookie is Cookie.KEEP
            assert late.answers in ([None], [1])
        assert {k: v[1] for k, v in records.items()} == {
            k: v[1] for k, v in before.items()
        }


def is_ended(memory: MemoryStorage) -> bool:
    try:
        memory.load(KEY, 60)
    except SessionEnded:
        return True
    return False


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Any:
    def report(orders: int) -> None:
        with capsys.disabled():
            print(f" {orders:,} orders ", end="")

    return report


def test_two_requests(report: Any) -> None:
    groups = combinations_with_replacement(PROGRAMS, 2)
    report(check(groups, [*STARTS, "foreign"]))


def test_one_or_two_requests_while_the_record_vanishes(report: Any) -> None:
    alone = [(names, VANISH) for names in PROGRAMS]
    pairs = combinations_with_replacement(PROGRAMS, 2)
    report(
        check([*alone, *((*pair, VANISH) for pair in pairs)], ["four keys", "one key"])
    )


def test_three_requests(report: Any) -> None:
    report(check(THREES, ["four keys", "one key"]))
