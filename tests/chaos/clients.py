"""Visitors with two tabs each, who count, set, read, log in and out, and come late."""

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread

from tests.chaos.history import (
    ADD,
    COUNT,
    EXPIRED,
    HEALTH,
    LOGIN,
    LOGOUT,
    READ,
    SET,
    UNANSWERED,
    Request,
)
from tests.chaos.stage import Instance
from tests.raw import SESSION, Stream, request

NAMES = [
    "ada",
    "bob",
    "cem",
    "dan",
    "eva",
    "fay",
    "gil",
    "hal",
    "ida",
    "jan",
    "kim",
    "leo",
    "mia",
    "ned",
    "ola",
    "pia",
]  # 16
TABS = 2
SHARES = {COUNT: 50, SET: 20, ADD: 8, READ: 15, LOGIN: 3, LOGOUT: 1}
LATE = 0.06  # the share of requests that come with an old cookie
RECENT = 4  # old cookies that are tried most often
KEYS = "abcd"
PAUSES = 0.0, 0.03  # seconds between two requests of a tab
AFTER_A_FAILURE = 0.1  # seconds
PATHS = {
    COUNT: "",
    SET: "set",
    ADD: "add",
    READ: "read",
    LOGIN: "login",
    LOGOUT: "logout",
    HEALTH: "healthz",
}
EXPIRING = re.compile(rb"set-cookie: session=;", re.IGNORECASE)


class Log:
    """All requests of a run; what they sent as cookies stays here, under labels."""

    def __init__(self, server_of: Callable[[str], str]) -> None:
        self.requests: list[Request] = []
        self._labels: dict[str, str] = {}
        self._servers: dict[str, str] = {}
        self._server_of = server_of
        self._lock = Lock()

    def add(self, request: Request) -> None:
        """Record a request."""
        with self._lock:
            self.requests.append(request)

    def label(self, cookie: str, visitor: str) -> str:
        """Return what a cookie is called."""
        if not cookie:
            return ""
        with self._lock:
            new = f"{visitor}/{len(self._labels) + 1}"
            return self._labels.setdefault(cookie, new)

    def server(self, cookie: str) -> str:
        """Return the name of the server that holds the session; empty: any."""
        return self._server_of(cookie) if cookie else ""


class Tab:
    """Sends one request after the other, to whichever instance takes them."""

    def __init__(
        self,
        visitor: str,
        log: Log,
        instances: Sequence[Instance],
        chance: random.Random,
    ) -> None:
        self.visitor = visitor
        self._log = log
        self._instances = instances
        self._chance = chance
        self._streams: dict[str, Stream] = {}

    def send(
        self, kind: str, cookie: str = "", key: str = "", value: str = ""
    ) -> tuple[Request, str]:
        """Send a request; return what is recorded of it, and the cookie it brought."""
        path = "/" + "/".join(filter(None, [PATHS[kind], key, value]))
        data = request(path, **{"Cookie": cookie} if cookie else {})
        instance, stream, url = self._connect()
        start = time.monotonic()
        try:
            answer = stream.send(data)
        except (OSError, AssertionError):
            answer = b""
        end = time.monotonic()
        if not answer:
            self._streams.pop(url).close()
        status = int(answer.split(b" ", 2)[1]) if answer else UNANSWERED
        head, _, body = answer.partition(b"\r\n\r\n")
        received = ""
        if found := SESSION.findall(head):
            received = found[0].decode()
        got = self._log.label(received, self.visitor)
        if EXPIRING.search(head):
            got = EXPIRED
        sent = Request(
            self.visitor,
            kind,
            start,
            end,
            status,
            key=key,
            value=value,
            sent=self._log.label(cookie, self.visitor),
            received=got,
            body=json.loads(body) if status == 200 else {},
            retry_after=b"\r\nretry-after: " in head.lower(),
            instance=instance.number,
            server=self._log.server(cookie),
        )
        self._log.add(sent)
        return sent, received

    def close(self) -> None:
        """Close its connections."""
        for stream in self._streams.values():
            stream.close()

    def _connect(self) -> tuple[Instance, Stream, str]:
        """Return a connection to an instance: an open one, if the other end is open."""
        deadline = time.monotonic() + 60
        while True:
            instance = self._chance.choice(self._instances)
            url = instance.url
            stream = self._streams.get(url)
            if stream and not stream.ended():
                return instance, stream, url
            if stream:
                self._streams.pop(url).close()
            with suppress(OSError):
                self._streams[url] = Stream(url)
                return instance, self._streams[url], url
            assert time.monotonic() < deadline, "no instance takes connections"
            time.sleep(0.01)


class Visitor:
    """Somebody with a browser: tabs that share a cookie, and old cookies."""

    def __init__(
        self, name: str, log: Log, instances: Sequence[Instance], chance: random.Random
    ) -> None:
        self.name = name
        self._cookie = ""
        self._old: list[str] = []
        self._values = 0
        self._lock = Lock()
        self._chance = chance
        self._tabs = [Tab(name, log, instances, chance) for _ in range(TABS)]

    def start(self, over: Event) -> list[Thread]:
        """Use all tabs, each in a thread, until it is over."""
        threads = [Thread(target=self._use, args=[tab, over]) for tab in self._tabs]
        for thread in threads:
            thread.start()
        return threads

    def read_all(self) -> bool:
        """Read back everything, and count once more; return whether that worked."""
        tab = self._tabs[0]
        answers = [self._visit(tab, kind, self._cookie) for kind in (READ, COUNT, READ)]
        return all(answer.done for answer in answers)

    def close(self) -> None:
        """Close all tabs."""
        for tab in self._tabs:
            tab.close()

    def _use(self, tab: Tab, over: Event) -> None:
        while not over.is_set():
            chance = self._chance.random()
            if self._old and chance < LATE:
                kind = self._chance.choice([COUNT, SET, READ])
                recent = (
                    self._old[-RECENT:] if self._chance.random() < 0.9 else self._old
                )
                answer = self._visit(tab, kind, self._chance.choice(recent), late=True)
            else:
                [kind] = self._chance.choices(list(SHARES), list(SHARES.values()))
                answer = self._visit(tab, kind, self._cookie)
            over.wait(self._chance.uniform(*PAUSES) if answer.done else AFTER_A_FAILURE)

    def _visit(self, tab: Tab, kind: str, cookie: str, late: bool = False) -> Request:
        """Send a request; a late one belongs to the past, and so does its cookie."""
        key = value = ""
        if kind in (SET, ADD, LOGIN):
            with self._lock:
                self._values += 1
                value = f"{self.name}:{self._values}"
            key = "" if kind == LOGIN else self._chance.choice(KEYS)
        answer, received = tab.send(kind, cookie, key, value)
        if answer.received and not late:
            with self._lock:
                if self._cookie:
                    self._old.append(self._cookie)
                self._cookie = received
        return answer


def watch(instance: Instance, log: Log, over: Event, chance: random.Random) -> None:
    """Ask for /healthz ten times a second: it concerns no Redis."""
    tab = Tab("", log, [instance], chance)
    while not over.is_set():
        tab.send(HEALTH)
        over.wait(0.1)
    tab.close()


def visitors(
    log: Log, instances: Sequence[Instance], chance: random.Random
) -> list[Visitor]:
    """Return all visitors, who do not know each other."""
    return [
        Visitor(name, log, instances, random.Random(chance.random()))  # noqa: S311
        for name in NAMES
    ]
