"""Slow clients hold up nobody, and few views are at work at a time."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse
from select import select
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
from app.web import places
from app.web.places import Limit
from werkzeug.exceptions import ServiceUnavailable

from tests.engine.conftest import Server

Serve = Callable[[str], Server]

HEAD = b"POST /read HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = 2**20
VISIT = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
# What clients send before they drip, one byte after the other, or do not go on at all.
DRIPPING = {
    "the headers": HEAD + b"X: ",
    "a body": HEAD + b"Content-Length: 100000\r\n\r\n",
    "a body in chunks": CHUNKED + b"1F4\r\n",
    "the sizes of chunks": CHUNKED + b"5;",
}
STALLED = {
    "nothing at all": b"",
    "all but the last byte": HEAD
    + b"Content-Length: %d\r\n\r\n" % MEGABYTE
    + bytes(MEGABYTE - 1),
    "large headers, and announcing a megabyte": HEAD
    + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 8000) for n in range(9))
    + b"Content-Length: %d\r\n\r\n" % MEGABYTE,
    "many requests, and reading nothing": VISIT * 2000,
    "a request for much, and reading nothing": VISIT.replace(b"/ ", b"/big "),
    "a malformed request, and staying": b"GET /\r\n\r\n",
    "a last request, and staying": VISIT[:-2] + b"Connection: close\r\n\r\n",
}


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """A function that serves an app of the probe's; each is started once."""
    servers: dict[str, Server] = {}
    settings = {"SECRET": "dev-only-for-the-tests-0123456789"}
    settings |= {"APP_ENV": "development", "REDIS_URL": "", "WEB_CONCURRENCY": "1"}

    def serve(app: str) -> Server:
        if app not in servers:
            servers[app] = Server(f"tests.engine.probe:{app}()", **settings)
        return servers[app]

    yield serve
    for server in servers.values():
        server.stop()
        assert "Socket error" not in "".join(server.log)  # nor its traceback


def connect(server: Server) -> socket.socket:
    """Return a connection to the server."""
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """Return the status and the body of the next answer."""
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read()


@contextmanager
def clients(
    server: Server, number: int, beginning: bytes, *, drip: bool = False
) -> Iterator[list[socket.socket]]:
    """Let so many clients send a beginning at once, and perhaps a byte now and then."""
    over = Event()

    def begin() -> None:
        for connection in connections:
            with suppress(OSError):  # it may be full, or closed
                connection.send(beginning)
        while drip and not over.wait(0.1):
            for connection in connections:
                with suppress(OSError):
                    connection.send(b"1")

    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(number)]
        for connection in connections:
            connection.settimeout(2)
        thread = Thread(target=begin)
        thread.start()
        try:
            yield connections
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("what", [*DRIPPING, *STALLED])
def test_slow_clients_do_not_delay_others(serve: Serve, what: str) -> None:
    server = serve("create_app")
    beginning = DRIPPING.get(what) or STALLED[what]
    with clients(server, 40, beginning, drip=what in DRIPPING):
        visitor = server.visitor()
        assert [visitor.count() for _ in range(10)] == list(range(1, 11))


@pytest.mark.parametrize("what", list(DRIPPING)[1:])
def test_a_body_that_takes_too_long_gets_408(serve: Serve, what: str) -> None:
    server = serve("impatient")
    with clients(server, 1, DRIPPING[what], drip=True) as [connection]:
        connection.settimeout(30)
        assert answer_on(connection)[0] == 408


def test_who_stalls_while_reading_is_cut_off(serve: Serve) -> None:
    server = serve("impatient")
    with clients(server, 1, VISIT.replace(b"/ ", b"/big ")) as [connection]:
        for _ in range(3000):
            if any(" path=/big " in line for line in server.log):
                break  # it is given up
            Event().wait(0.01)
        received = 0
        while part := connection.recv(2**16):
            received += len(part)
        assert 0 < received < 8 * MEGABYTE


def test_who_stalls_in_the_headers_is_cut_off(serve: Serve) -> None:
    server = serve("impatient")
    with clients(server, 1, DRIPPING["the headers"], drip=True) as [connection]:
        connection.settimeout(30)
        assert connection.recv(1000) == b""


def test_who_reads_slowly_but_steadily_gets_all(serve: Serve) -> None:
    server = serve("impatient")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        address = urlsplit(server.url)
        connection.connect((address.hostname, address.port))
        connection.sendall(VISIT.replace(b"/ ", b"/big "))
        connection.settimeout(30)
        received, slow = 0, 0
        while received < 8 * MEGABYTE and (part := connection.recv(2**16)):
            received += len(part)
            if received > slow * MEGABYTE:
                slow += 1
                Event().wait(0.35)  # 2.8 s in all: longer than its patience
    assert received > 8 * MEGABYTE


def test_what_comes_slowly_is_answered_in_the_end(serve: Serve) -> None:
    server = serve("create_app")
    with connect(server) as connection:
        for part in (HEAD, b"Content-Length: 6\r\n", b"\r\n", b"abc", b"def"):
            connection.sendall(part)
            assert server.visitor().get("/healthz").status == 200
        assert answer_on(connection) == (200, b'{"bytes":6}\n')


def test_a_body_that_no_view_reads_does_not_spoil_the_next_request(
    serve: Serve,
) -> None:
    server = serve("create_app")
    for body in (
        b"Content-Length: %d\r\n\r\n" % MEGABYTE + bytes(MEGABYTE),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        % (MEGABYTE - 1, bytes(MEGABYTE - 1)),
    ):
        with connect(server) as connection:
            post = HEAD.replace(b"/read", b"/reset") + body
            connection.sendall(post)
            assert answer_on(connection)[0] == 303
            connection.sendall(post)
            assert answer_on(connection)[0] == 303
            connection.sendall(VISIT)
            assert answer_on(connection)[0] == 200


@pytest.mark.parametrize("path", ["/reset", "/read", "/static/style.css", "/nowhere"])
@pytest.mark.parametrize("how", ["announced", "in chunks"])
def test_a_body_that_is_too_large_does_not_end_the_connection(
    serve: Serve, path: str, how: str
) -> None:
    """Or a proxy that shares it would lose the next visitor's request."""
    head = HEAD.replace(b"/read", path.encode())
    post = head + b"Content-Length: %d\r\n\r\n%s" % (3 * MEGABYTE, bytes(3 * MEGABYTE))
    if how == "in chunks":
        chunk = b"%x\r\n%s\r\n" % (MEGABYTE, bytes(MEGABYTE))
        post = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3 + b"0\r\n\r\n"
    with connect(serve("create_app")) as connection:
        for _ in range(3):
            connection.sendall(post)
            assert answer_on(connection)[0] < 500
        connection.sendall(VISIT)
        assert answer_on(connection)[0] == 200


def test_a_body_that_is_too_large_gets_413_at_once(serve: Serve) -> None:
    with connect(serve("create_app")) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (MEGABYTE + 1))
        assert answer_on(connection)[0] == 413


@pytest.mark.parametrize("how", ["announced", "in chunks"])
@pytest.mark.parametrize("path", ["/upload", "/unlimited"])
def test_a_view_may_read_more_than_the_others(
    serve: Serve, path: str, how: str
) -> None:
    """By Flask's own request.max_content_length, or with MAX_CONTENT_LENGTH = None."""
    server = serve("create_app" if path == "/upload" else "unlimited")
    head = HEAD.replace(b"/read", b"/read" if path == "/unlimited" else b"/upload")
    size = 20 * MEGABYTE
    with connect(server) as connection:
        if how == "announced":
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % size)
            connection.sendall(bytes(size))
        else:
            connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(20):
                connection.sendall(b"%x\r\n%s\r\n" % (MEGABYTE, bytes(MEGABYTE)))
            connection.sendall(b"0\r\n\r\n")
        assert answer_on(connection) == (200, b'{"bytes":%d}\n' % size)
        connection.sendall(VISIT)
        assert answer_on(connection)[0] == 200


def test_large_bodies_together_do_not_fill_the_memory(
    serve: Serve,
) -> None:
    """Whoever finds no room waits, and gets 503; the others, and small bodies, get in."""
    server = serve("restless")
    with clients(server, 60, STALLED["all but the last byte"]) as connections:
        refused = set[socket.socket]()
        while len(refused) < 12:
            refused.update(select(connections, [], [], 30)[0])
            assert len(refused) <= 12
        for connection in refused:
            assert answer_on(connection)[0] == 503
        with connect(server) as small:
            small.sendall(HEAD + b"Content-Length: 6\r\n\r\nabcdef")
            assert answer_on(small) == (200, b'{"bytes":6}\n')
        for connection in set(connections) - refused:
            connection.settimeout(30)
            connection.send(b"x")
            assert answer_on(connection) == (200, b'{"bytes":%d}\n' % MEGABYTE)
    with connect(server) as connection:  # there is room again
        connection.sendall(STALLED["all but the last byte"] + b"x")
        assert answer_on(connection)[0] == 200


def test_bodies_in_chunks_wait_for_room(serve: Serve) -> None:
    """How long they are, nobody knows before their end."""
    server = serve("create_app")
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(60)]
        for connection in connections:
            connection.sendall(CHUNKED + b"5\r\nhello\r\n")
        assert select(connections, [], [], 1)[0] == []  # none of them is refused
        for connection in connections:
            connection.sendall(b"0\r\n\r\n")
        answers = {answer_on(connection) for connection in connections}
    assert answers == {(200, b'{"bytes":5}\n')}


@contextmanager
def held(server: Server, path: str, number: int) -> Iterator[list[socket.socket]]:
    """Let so many views hang, in a call to a server that does not answer."""
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        silent.settimeout(30)
        port = silent.getsockname()[1]
        hanging = []
        with ExitStack() as calls:
            for _ in range(number):
                hanging.append(stack.enter_context(connect(server)))
                hanging[-1].sendall(
                    VISIT.replace(b"/ ", b"/%s/%d " % (path.encode(), port))
                )
                calls.enter_context(silent.accept()[0])
            yield hanging
        for connection in hanging:  # who answers has given its place back
            connection.recv(2**16)


def test_views_that_hang_leave_out_what_needs_no_place(
    serve: Serve,
) -> None:
    server = serve("restless")
    visitor = server.visitor()
    with held(server, "hang", 4) as hanging:
        answers = [visitor.get("/") for _ in range(3)]
        assert [answer.status for answer in answers] == [503] * 3
        for path in ("/healthz", "/static/style.css"):
            assert visitor.get(path).status == 200
    assert hanging
    assert visitor.count() == 1


def test_streams_hold_no_place(serve: Serve) -> None:
    server = serve("restless")
    with held(server, "stream", 8) as streams:
        for stream in streams:
            assert b"begun" in stream.recv(2**16)
        assert server.visitor().count() == 1


def test_a_view_that_fails_gives_its_place_back(serve: Serve) -> None:
    visitor = serve("create_app").visitor()
    assert [visitor.get("/fail").status for _ in range(10)] == [500] * 10
    assert visitor.count() == 1


def in_a_thread(limit: Limit, amount: int, order: list[int]) -> Thread:
    """Take from it in a thread that has begun to wait, and note what it took."""

    def take() -> None:
        try:
            limit.take(amount)
            order.append(amount)
        except ServiceUnavailable:
            order.append(-amount)

    thread, before = Thread(target=take), len(limit.waiting)
    thread.start()
    while len(limit.waiting) == before:
        Event().wait(0.001)
    return thread


def test_who_waits_is_served_in_turn() -> None:
    limit, order = Limit(5), list[int]()
    limit.take(5)
    amounts = [3, 1, 4, 5, 2]
    threads = [in_a_thread(limit, amount, order) for amount in amounts]
    for thread, amount in zip(threads, amounts, strict=True):
        limit.give(amount)  # enough for the next one only
        thread.join(30)
        assert order[-1] == amount
    assert order == amounts


def test_who_gives_up_leaves_the_turn_to_those_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit, order = Limit(2), list[int]()
    limit.take(1)
    monkeypatch.setattr(places, "WAIT", 0.5)
    threads = [in_a_thread(limit, 2, order)]
    monkeypatch.setattr(places, "WAIT", 30)
    threads.append(in_a_thread(limit, 1, order))
    for thread in threads:
        thread.join(30)
    assert sorted(order) == [-2, 1]
    assert limit.left == 0
