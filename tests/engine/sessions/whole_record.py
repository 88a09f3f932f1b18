"""What a Record promises, as if a storage could do all that a request wants in one step.

This is the specification by which test_every_order.py judges the real one.
"""

from itertools import count

from app.sessions.record import Changes, merged
from app.sessions.states import Cookie, Fate, State

from tests.engine.sessions.scheduler import Turn

OLD = 0  # the id that the visitor's cookie names


class World:
    """The records that exist, by their ids, and whether the old id was ended."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.records = {OLD: fields} if fields else {}
        self.ended = False
        self.new_ids = count(1)


class WholeRecord:
    """Stands in for a Record; each of its methods is one step, the whole commit too."""

    has_cookie = True
    key = "old"

    def __init__(self, world: World, turn: Turn) -> None:
        self.world = world
        self.turn = turn
        self.id = OLD
        self.fields: dict[str, str] = {}
        self.state, self.fate, self.cookie = State.UNASKED, Fate.KEEP, Cookie.KEEP

    def load(self) -> dict[str, str]:
        if self.state in (State.UNASKED, State.THERE) and self._is_there():
            self.fields = self.world.records[self.id] | self.fields
            self.state = State.LOADED
        return self.fields

    def increment(self, field: str, by: int) -> int | None:
        if self.state in (State.ABSENT, State.ENDED) or not self._is_there():
            return None
        record = self.world.records[self.id]
        record[field] = self.fields[field] = str(int(record.get(field, "0")) + by)
        return int(record[field])

    def renew(self) -> None:
        if self.fate is Fate.KEEP:
            self.fate = Fate.RENEW

    def forget(self) -> None:
        self.fields = {}
        self.fate = Fate.FORGET
        if self.state is not State.ENDED:
            self.state = State.ABSENT

    def commit(self, texts: Changes) -> None:
        """Do all of it in one step; a request that changes nothing takes none."""
        if self.fate is Fate.RENEW:
            self.load()
        was_gone = self.state is State.ABSENT
        if self.fate is Fate.KEEP and (not texts or self.state is State.ENDED):
            return
        there = self._is_there()
        changes = {f: text for f, text in texts.items() if text != self.fields.get(f)}
        data = self.world.records.get(OLD, {})
        if self.fate is not Fate.KEEP:
            self._leave()
        if self.fate is Fate.FORGET or was_gone:
            self._start(merged({}, texts))
        elif self.state is State.ENDED:
            self._start(merged({}, changes) if self.fate is Fate.RENEW else {})
        elif self.fate is Fate.RENEW or not there:
            self._start(merged(data, changes))
        else:
            self.world.records[OLD] = merged(data, changes)
            if not self.world.records[OLD]:
                del self.world.records[OLD]

    def _is_there(self) -> bool:
        """Take a turn; return whether there is a record, and note why if there is none."""
        self.turn()
        there = OLD in self.world.records
        if self.fate is not Fate.FORGET:
            if self.world.ended:
                self.state = State.ENDED
            elif not there:
                self.state, self.fields = State.ABSENT, {}
            elif self.state is State.UNASKED:
                self.state = State.THERE
        return there

    def _leave(self) -> None:
        """End the old id; only then does the browser need to forget it."""
        if not self.world.ended:
            self.cookie = Cookie.EXPIRE
        self.world.ended = True
        self.world.records.pop(OLD, None)

    def _start(self, data: dict[str, str]) -> None:
        if data:
            self.id = next(self.world.new_ids)
            self.world.records[self.id] = data
            self.cookie = Cookie.ISSUE
