"""Clients that speak HTTP over a bare socket: the hostile, and those in a hurry."""

import contextlib
import re
import select
import socket
from collections.abc import Iterator
from threading import Event, Thread
from urllib.parse import urlsplit

# The cookie that an answer brings, as one sends it back.
SESSION = re.compile(rb"set-cookie: (session=[^;]+)", re.IGNORECASE)


def connect(url: str, timeout: float = 30) -> socket.socket:
    """Return a connection to a server."""
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout)


def talk(url: str, data: bytes) -> bytes:
    """Send bytes and nothing more; return all that comes back until the end."""
    answer = b""
    with connect(url) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has seen enough
    return answer


def request(target: str = "/", method: str = "GET", **headers: str) -> bytes:
    """Return a well-formed request without a body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Stream:
    """Sends requests one after the other over one connection, as fast as can be."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url)

    def send(self, data: bytes) -> bytes:
        """Send a request; return the answer."""
        self.start(data)
        return self.finish()

    def start(self, data: bytes) -> None:
        """Send a request."""
        self._connection.sendall(data)

    def finish(self) -> bytes:
        """Return the answer, whose length it tells itself."""
        answer = b""
        while True:
            part = self._connection.recv(65536)
            assert part, "the server has closed the connection"
            answer += part
            head, end, body = answer.partition(b"\r\n\r\n")
            if end:
                length = head.lower().partition(b"content-length: ")[2]
                if len(body) >= int(length.partition(b"\r\n")[0]):
                    return answer

    def ended(self) -> bool:
        """Whether the server has closed the connection; not while an answer is due."""
        return bool(select.select([self._connection], [], [], 0)[0])

    def close(self) -> None:
        self._connection.close()


# What clients send before they begin to drip, and of what they never send all.
SLOW = {
    "headers": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
    "bodies": request("/reset", "POST", Content_Length="1000"),
    "bodies in chunks": request("/reset", "POST", Transfer_Encoding="chunked")
    + b"fff\r\n",
}


@contextlib.contextmanager
def dripping(url: str, what: str, clients: int = 20) -> Iterator[None]:
    """Let clients send their headers or bodies at ten bytes a second."""
    over = Event()

    def drip() -> None:
        while not over.wait(0.1):
            for connection in connections:
                with contextlib.suppress(OSError):  # the server may have closed it
                    connection.send(b"x")

    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(url)) for _ in range(clients)]
        for connection in connections:
            connection.sendall(SLOW[what])
        thread = Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
