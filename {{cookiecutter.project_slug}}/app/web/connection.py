"""The connections of clients, none of which is waited for without end."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from errno import ECONNRESET
from functools import partial
from math import inf
from struct import pack
from time import monotonic
from typing import Any

PATIENCE = 30  # seconds for a request to arrive, and for a client that reads nothing
AT_ONCE = 2**16  # bytes that are received at a time
TOO_SLOW = ECONNRESET, "The client is too slow"  # gunicorn logs no traceback of this


class Connection(socket.socket):
    """What gunicorn gets from its listeners, instead of a plain socket."""

    due = inf  # by when a request must be here

    def setblocking(self, _: bool, /) -> None:
        """gunicorn asks to block whenever a request begins; this always does."""
        self.due = monotonic() + PATIENCE

    def settimeout(self, _: float | None, /) -> None:
        """The kernel's time-outs hold, which accept() sets: changing them takes 3 µs."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        try:  # `suppress` is slower
            data = super().recv(min(size, AT_ONCE), flags)
            if monotonic() <= self.due:
                return data
        except BlockingIOError:
            pass
        raise ConnectionResetError(*TOO_SLOW)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        try:
            super().sendall(data, flags)
        except BlockingIOError:
            raise ConnectionResetError(*TOO_SLOW) from None

    def drain(self, body: Any) -> None:
        """Take in what no view has read; gunicorn would close what it promised to keep."""
        self.due = min(self.due, monotonic() + PATIENCE)
        with suppress(Exception):  # gunicorn notices, and closes it
            while body.read(AT_ONCE):
                pass

    def shutdown(self, _: int, /) -> None:
        """End it. gunicorn's only loop would wait 2 s for the client to do so, too."""
        super().shutdown(socket.SHUT_RDWR)


def guard(listeners: Iterable[Any]) -> None:
    """Make gunicorn's listeners accept such connections. (TLS replaces them by its own.)"""

    def accept(original: Any) -> tuple[Connection, Any]:
        sock, address = original()
        sock.setblocking(True)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, pack("ll", PATIENCE, 0))
        return Connection(fileno=sock.detach()), address

    for listener in listeners:
        listener.accept = partial(accept, listener.accept)
