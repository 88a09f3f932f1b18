"""What happened in a run: the visitors' requests, and the faults meanwhile.

Times are seconds by time.monotonic(). A session's id never appears: cookies have labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

UNANSWERED = 0  # the status of a request whose connection ended without an answer
EXPIRED = "expired"  # what Set-Cookie told: to forget the cookie

# What visitors ask for. "add" is two changes in one request: it counts, then it sets.
COUNT, SET, ADD, READ, LOGIN, LOGOUT = "count", "set", "add", "read", "login", "logout"
HEALTH = "health"
WRITES = (COUNT, SET, ADD, LOGIN)


@dataclass(frozen=True)
class Request:
    """One request, and what became of it."""

    visitor: str
    kind: str
    start: float
    end: float
    status: int
    key: str = ""  # what was set, by SET and ADD
    value: str = ""  # to what, or who logged in
    sent: str = ""  # the label of the cookie that was sent; empty: none
    received: str = ""  # of the one that the answer brought, EXPIRED, or empty
    body: Mapping[str, object] = field(default_factory=dict)
    retry_after: bool = False
    instance: int = 0
    server: str = ""  # the server of a Cluster that holds the session, if known

    @property
    def done(self) -> bool:
        """Whether the visitor was told that it worked."""
        return self.status == 200

    def told(self, began: float) -> str:
        """Return it in a line; its times are seconds since the run began."""
        what = " ".join(filter(None, [self.kind, self.key, self.value]))
        answer = f"{self.status or 'no answer'} {dict(self.body) or ''}".rstrip()
        cookies = f"cookie {self.sent or 'none'}"
        if self.received:
            cookies += f", got {self.received}"
        return (
            f"{self.start - began:8.3f} to {self.end - began:8.3f}  {self.visitor}:"
            f" {what} ({cookies}) -> {answer}"
        )


@dataclass(frozen=True)
class Fault:
    """What the nemesis did to whom, and from when until when it lasted."""

    kind: str
    target: str  # "redis", "instance 0", "server 7001", ...
    start: float
    end: float
    loses: bool = False  # whether acknowledged writes may be lost by it
    splits: bool = False  # whether two servers took writes at the same time

    def meets(self, start: float, end: float, margin: float = 0) -> bool:
        """Whether it lasted at any time in between, give or take a margin."""
        return self.start - margin <= end and start <= self.end + margin


@dataclass(frozen=True)
class History:
    """A whole run."""

    requests: tuple[Request, ...]
    faults: tuple[Fault, ...] = ()
    log: tuple[str, ...] = ()  # the lines of the instances
