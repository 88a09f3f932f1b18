"""What a session's requests may do and answer, one after the other: the specification.

A lineage is the sessions that logins connect: each login moves the data to a new id.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.chaos.history import COUNT, LOGIN, READ, SET, Request

FOREVER = float("inf")
VIEWS = "views"  # the key that is counted
# What a step does: as the kinds of requests, and these.
BEGIN, END, COPY, EMPTY, ROLL_BACK = "begin", "end", "copy", "empty", "roll back"
FORGET = "forget"  # after two masters at once, any session may be anything
REFUSED = "refused"  # a login that failed, and has to leave the session as it was

Values = tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class Data:
    """What one session holds.

    After a server has lost writes, the session may be any earlier one, and one that had
    ended may be there again, until a look tells: `count_lost` and `values_lost`.
    """

    values: Values = ()
    ended: bool = False
    count_lost: bool = False
    values_lost: bool = False
    lost: int = 0  # how many counts turned out to be

    def with_value(self, key: str, value: object) -> "Data":
        """Return the same with one more value."""
        values = dict(self.values) | {key: value}
        return replace(self, values=tuple(sorted(values.items())))

    @property
    def count(self) -> int:
        """Return the count, which starts at 0."""
        return count_in(self.values)


# The sessions of a lineage by their labels; those not made yet are missing.
State = frozenset[tuple[str, Data]]


def count_in(values: Values) -> int:
    """Return the count among the values of a session."""
    count = dict(values).get(VIEWS, 0)
    return count if isinstance(count, int) else 0


@dataclass(frozen=True)
class Step:
    """One atomic change or look, which took effect between start and end.

    `must`: it has to be explained. Otherwise it may have taken effect at any time after
    its start: a command can wait in the socket of a Redis that hangs, when its sender
    has long given up. `told`: its effect and its answer are known for certain.
    """

    kind: str
    label: str
    start: float
    end: float
    must: bool = True
    told: bool = True
    key: str = ""
    value: str = ""
    new: str = ""  # the label of the session that it makes
    count: int = (
        0  # what COUNT was answered; for FORGET, the most that it may have been
    )
    seen: Values = ()  # what READ was answered
    labels: tuple[str, ...] = ()  # all sessions, of which FORGET knows nothing more
    request: Request | None = None

    @property
    def certain(self) -> bool:
        """Whether its answer says anything about the session."""
        return self.must and self.told

    def apply(self, state: State) -> Iterator[State]:
        """Yield the states that it may leave; none if it contradicts this one."""
        if not self.told:
            yield state
        sessions = dict(state)
        if self.kind == BEGIN:
            if self.new not in sessions:
                yield _put(state, self.new, Data())
        elif self.kind == ROLL_BACK:
            yield frozenset(
                (label, replace(data, count_lost=True, values_lost=True))
                for label, data in state
            )
        elif self.kind == FORGET:
            unknown = Data(((VIEWS, self.count),), count_lost=True, values_lost=True)
            yield frozenset((label, unknown) for label in {*sessions, *self.labels})
        elif self.label in sessions:
            for data, new in self._change(sessions[self.label]):
                changed = _put(state, self.label, data)
                yield _put(changed, self.new, new) if new else changed

    def _change(self, data: Data) -> Iterator[tuple[Data, Data | None]]:
        """Yield what may become of the session, and the one that is made of it."""
        lost = data.count_lost or data.values_lost
        alive, ended = replace(data, ended=False), replace(data, ended=True)
        if self.kind == END:
            yield ended, None
        elif self.kind == REFUSED:
            yield (data if self.told else ended), None
        elif self.kind == EMPTY:
            if data.ended or lost:
                gone = 0 if data.ended else data.count
                yield replace(ended, lost=data.lost + gone), None
        elif self.kind in (LOGIN, COPY):
            new = Data() if data.ended and not lost else alive
            left = data if self.kind == COPY else replace(ended, lost=0)
            yield left, new.with_value("user", self.value)
        elif data.ended and not lost:
            if not self.certain or self._may_be_empty():
                yield data, None
        elif not self.certain:
            if self.kind == COUNT:
                yield alive.with_value(VIEWS, data.count + 1), None
            elif self.kind == SET:
                yield alive.with_value(self.key, self.value), None
        else:
            if lost and self._may_be_empty():
                yield ended, None
            yield from ((changed, None) for changed in self._explained(alive))

    def _may_be_empty(self) -> bool:
        """Whether the answer could be that of a session which has ended."""
        return self.kind == SET or (
            self.count == 1 if self.kind == COUNT else not self.seen
        )

    def _explained(self, data: Data) -> Iterator[Data]:
        """Yield what a living session becomes, if the answer tells of it."""
        if self.kind == SET:
            yield data.with_value(self.key, self.value)
        elif self.kind == COUNT:
            counted = data.count + 1
            if self.count == counted or (data.count_lost and self.count < counted):
                lost = data.lost + counted - self.count
                counted_on = data.with_value(VIEWS, self.count)
                yield replace(counted_on, count_lost=False, lost=lost)
        elif self.kind == READ:
            count = count_in(self.seen)
            right = count == data.count or (data.count_lost and count < data.count)
            if data.values_lost and right:
                yield Data(self.seen, lost=data.lost + data.count - count)
            elif self.seen == data.values:
                yield data


def _put(state: State, label: str, data: Data) -> State:
    return frozenset((dict(state) | {label: data}).items())
