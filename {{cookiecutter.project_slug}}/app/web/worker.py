"""A worker for gunicorn whose threads never wait for a client.

gunicorn's own gives a request a thread when its first byte arrives, so a few slow clients
can occupy all threads. This one receives all requests side by side, in one loop, and gives
each a thread once it is complete. Parsing it is still up to gunicorn.
"""

import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import chain
from math import inf
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import get_parser
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

LARGEST = 2**20 + 2**16  # bytes: a body as large as config.py allows, and its headers
TOGETHER = 64 * LARGEST  # bytes of all requests that a process is receiving

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n")
CHUNK = re.compile(rb"([0-9a-f]{1,8})[ \t]*(;.*)?", re.IGNORECASE)


def missing(data: bytearray) -> Iterator[int]:
    """Yield how many bytes a request needs at least, again and again as `data` grows.

    Ends when it is complete, or when it is malformed, so that gunicorn refuses it.
    """
    seen = 0
    while (end := data.find(b"\r\n\r\n", seen)) < 0:
        seen = max(len(data) - 3, 0)
        yield 1
    head = bytes(data[: end + 2]).lower()
    end += 4
    if b"\r\ntransfer-encoding:" not in head:
        if length := LENGTH.search(head):
            end += int(length[1])
        while len(data) < end:
            yield end - len(data)
        return
    size = -1
    while size:
        while (line := data.find(b"\r\n", end)) < 0:
            yield 1
        if not (chunk := CHUNK.fullmatch(data, end, line)):
            return
        size = int(chunk[1], 16)
        end = line + 2 + size + 2
    while data.find(b"\r\n\r\n", line) < 0:
        yield 1


class Incoming:
    """A request that is being received."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.since = time.monotonic()
        self.watched = False
        self._missing = missing(self.data)

    def take(self, sock: Any) -> int:
        """Read what has arrived; return how many bytes are missing: 0 if none will come."""
        try:
            part = sock.recv(2**16)
        except BlockingIOError:
            return next(self._missing, 0)
        except OSError:
            return 0
        self.data += part
        return next(self._missing, 0) if part else 0


class Worker(ThreadWorker):
    """gunicorn's worker with threads, which only complete requests get."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.incoming: dict[Any, Incoming] = {}  # by connection
        self.looked = time.monotonic()

    def enqueue_req(self, conn: Any) -> None:
        """Receive a request; gunicorn would give it a thread already."""
        if self.cfg.is_ssl:  # a thread does what TLS needs
            super().enqueue_req(conn)
            return
        # Some of it may have arrived with the previous request.
        data = conn.parser.unreader.take_buffered() if conn.parser else b""
        self.incoming[conn] = Incoming(data)
        conn.sock.setblocking(False)
        self.receive(conn)

    def receive(self, conn: Any, _: object = None) -> None:
        """Read what has arrived; wait for more, or give the request a thread."""
        incoming = self.incoming[conn]
        missing = incoming.take(conn.sock)
        large = missing + len(incoming.data) > LARGEST
        if missing and not large:
            if not incoming.watched:
                incoming.watched = True
                more = partial(self.receive, conn)
                self.poller.register(conn.sock, EVENT_READ, more)
            return
        self.forget(conn)
        if not incoming.data:  # the client has closed it
            self.close(conn)
            return
        source: Iterable[bytes] = [bytes(incoming.data)]
        if large:  # the app refuses it unread, or a view reads the rest
            source = chain(source, iter(partial(conn.sock.recv, 2**16), b""))
        conn.parser = get_parser(self.cfg, source, conn.client)
        conn.initialized, conn.large = True, large
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer without waiting for what a view has left unread of a large body."""
        if not self.cfg.is_ssl and conn.large:
            req.force_close()
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Keep or close the connection; gunicorn would wait for the client to close it."""
        if self.cfg.is_ssl or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self.close(conn)

    def murder_pending(self) -> None:
        """Once a second, close the connections whose request takes too long."""
        super().murder_pending()
        now = time.monotonic()
        if now < self.looked + 1:
            return
        self.looked, held = now, 0
        for conn, incoming in list(self.incoming.items()):
            held += len(incoming.data)
            leaving = not self.alive and not incoming.data
            limit = STOP_KEEPALIVE_LINGER if leaving else self.cfg.timeout or inf
            if now - incoming.since > limit or held > TOGETHER:
                self.forget(conn)
                self.close(conn)

    def forget(self, conn: Any) -> None:
        """Stop receiving."""
        if self.incoming.pop(conn).watched:
            self.poller.unregister(conn.sock)

    def close(self, conn: Any) -> None:
        """Close a connection."""
        self.nr_conns -= 1
        conn.close()
