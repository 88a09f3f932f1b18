"""Clients that send slowly get no thread: nobody else notices them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse
from threading import Event, Thread
from time import monotonic
from urllib.parse import urlsplit

import pytest
from app.web.worker import missing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Server

StartServer = Callable[..., Server]

HEAD = b"POST /read HTTP/1.1\r\nHost: localhost\r\n"
PARTS = {
    "the headers": HEAD + b"X: ",
    "a body": HEAD + b"Content-Length: 1000\r\n\r\n",
    "a body in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1F4\r\n",
    "the sizes of chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;",
    "a body that is too large": HEAD + b"Content-Length: 99999999\r\n\r\n",
}


def connect(server: Server) -> socket.socket:
    """Return a connection to the server."""
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def body_on(connection: socket.socket) -> bytes:
    """Return the body of the next answer."""
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.read()


@contextmanager
def dripping(server: Server, clients: int, beginning: bytes) -> Iterator[None]:
    """Let so many clients send a beginning at once, and then one byte after the other."""
    over = Event()

    def drip() -> None:
        while not over.wait(0.1):
            for connection in connections:
                with suppress(OSError):  # the server may have closed it
                    connection.send(b"1")

    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(clients)]
        for connection in connections:
            connection.sendall(beginning)
        thread = Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("what", PARTS)
def test_the_slow_stop_nobody(start_server: StartServer, what: str) -> None:
    server = start_server("tests.engine.probe:create_app()")
    with dripping(server, 40, PARTS[what]):
        visitor = server.visitor()
        assert [visitor.count() for _ in range(10)] == list(range(1, 11))


def test_what_comes_slowly_is_answered_in_the_end(start_server: StartServer) -> None:
    server = start_server("tests.engine.probe:create_app()")
    with connect(server) as connection:
        for part in (HEAD, b"Content-Length: 6\r\n", b"\r\n", b"abc", b"def"):
            connection.sendall(part)
            assert server.visitor().get("/healthz").status == 200
        assert body_on(connection) == b'{"bytes":6}\n'


def test_what_does_not_arrive_in_time_is_given_up(start_server: StartServer) -> None:
    server = start_server(GUNICORN_CMD_ARGS="--timeout 3")
    begun = monotonic()
    with connect(server) as connection, dripping(server, 1, PARTS["a body"]):
        connection.sendall(HEAD)
        assert connection.recv(1000) == b""
        assert monotonic() - begun > 3
    assert not any("TIMEOUT" in line for line in server.log)  # no worker was replaced


def test_what_is_too_large_is_refused_at_once(start_server: StartServer) -> None:
    with connect(start_server()) as connection:
        connection.sendall(PARTS["a body that is too large"])
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_large_bodies_together_do_not_fill_the_memory(
    start_server: StartServer,
) -> None:
    """The latest are given up."""
    server = start_server("tests.engine.probe:create_app()")
    body = bytes(2**20)
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(70)]
        for connection in connections:
            with suppress(OSError):  # the server may have closed it
                connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
                connection.sendall(body[1:])
        with suppress(ConnectionResetError):
            assert connections[-1].recv(1000) == b""
        connections[0].sendall(body[:1])
        assert body_on(connections[0]) == b'{"bytes":1048576}\n'


def test_a_stop_waits_for_a_request_that_has_begun(start_server: StartServer) -> None:
    server = start_server("tests.engine.probe:create_app()")
    with connect(server) as silent, connect(server) as begun:
        begun.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert body_on(begun)  # so both have been accepted
        begun.sendall(HEAD + b"Content-Length: 3\r\n\r\n")
        stopping = Thread(target=server.stop)
        stopping.start()
        assert silent.recv(1000) == b""  # closed, when the stop had begun
        begun.sendall(b"abc")
        assert body_on(begun) == b'{"bytes":3}\n'
        stopping.join()
    assert server.process.returncode == 0


CHUNKS = st.lists(st.binary(min_size=1, max_size=20), max_size=4)
TRAILERS = st.sampled_from([b"", b"X: 1\r\n", b"X: 1\r\nY: 2\r\n"])


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=50), CHUNKS, TRAILERS)
def test_a_request_is_complete_at_its_last_byte(
    body: bytes, chunks: list[bytes], trailers: bytes
) -> None:
    sized = [b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    for request in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"content-length: %d\r\n\r\n%s" % (len(body), body),
        HEAD
        + b"TRANSFER-Encoding: chunked\r\n\r\n%s0\r\n%s\r\n"
        % (b"".join(sized), trailers),
    ):
        data = bytearray()
        steps = missing(data)
        for byte in request[:-1]:
            data.append(byte)
            needed = next(steps)
            assert 1 <= needed <= len(request) - len(data)
        data += request[-1:]
        assert next(steps, None) is None
