"""A client's connection, for which nobody waits without end.

gunicorn gives each request a thread, which would wait for a client for ever, and closes
connections in its only loop, which would wait two seconds for each client that stays.
"""

import socket
from collections.abc import Iterable
from errno import ECONNRESET
from functools import partial
from time import monotonic
from typing import Any

PATIENCE = 30  # seconds
PART = 2**16  # bytes to receive at once; gunicorn would hold a megabyte for each client


class TooSlow(ConnectionResetError):
    """The client has kept us waiting; gunicorn treats it as one that has gone."""

    def __init__(self) -> None:
        super().__init__(ECONNRESET, "The client was too slow")


class Connection(socket.socket):
    """A socket that raises TooSlow: by one deadline for a request, and if sending stalls."""

    due: float | None = None  # by when the request must have arrived
    closing = False

    def setblocking(self, flag: bool, /) -> None:
        """Block, but not for ever; gunicorn asks for it whenever a request begins."""
        self.settimeout(PATIENCE if flag else 0)
        self.due = monotonic() + PATIENCE if flag else None

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if self.closing:
            self.settimeout(0)
        elif self.due is not None:
            self.settimeout(max(self.due - monotonic(), 0.001))
        try:
            return super().recv(min(bufsize, PART), flags)
        except TimeoutError:
            raise TooSlow from None
        finally:
            if self.due is not None:
                self.settimeout(PATIENCE)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send all; the limit is for each part of it, so that steady readers may be slow."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.send(rest, flags) :]
        except TimeoutError:
            raise TooSlow from None

    def shutdown(self, how: int, /) -> None:
        """End the answer; from now on, take what has arrived and wait for nothing more."""
        super().shutdown(how)
        self.closing = True


def guard(listeners: Iterable[Any]) -> None:
    """Make these sockets accept such connections. TLS replaces them by its own."""
    for listener in listeners:
        listener.accept = partial(accept, listener.accept)


def accept(original: Any) -> tuple[Connection, Any]:
    sock, address = original()
    parts = sock.family, sock.type, sock.proto
    return Connection(*parts, fileno=sock.detach()), address
