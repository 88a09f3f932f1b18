"""Clients that mean harm, or know no better: no 500, no traceback, no worker lost."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.conftest import Report, Server, Visitor, valkey, workers_of
from tests.raw import SESSION, Stream, dripping, request, talk
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with valkey() as server, Redis(port=server.port) as client:
        yield client


@pytest.fixture(scope="module")
def running(baked: Path, redis: Redis) -> Iterator[Server]:
    port = redis.connection_pool.connection_kwargs["port"]
    url = f"redis://127.0.0.1:{port}/0"
    server = Server(baked, "web", REDIS_URL=url, WEB_CONCURRENCY="2")
    wait_until(lambda: len(workers_of(server)) == 2)
    yield server
    server.stop()
    assert "Traceback" not in "".join(server.log)


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """A server that must be as healthy after each test as it was before."""
    workers = workers_of(running)
    yield running
    assert workers_of(running) == workers
    assert Visitor(running.url).count() == 1


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


ODD = {
    "a cookie of 64 kB": request(Cookie="session=" + "x" * 65536),
    "200 cookies": request(Cookie="; ".join(f"c{n}={n}" for n in range(200))),
    "session cookies twice": request(Cookie="session=a; session=b"),
    "session cookies in two lines": request(Cookie="session=a\r\nCookie: session=b"),
    "a broken cookie": request(Cookie='session="\\777; =; ;;session'),
    "no UTF-8 in a cookie": request(Cookie="session=\xff\xfe"),
    "no UTF-8 in the path": request("/\xff\xfe"),
    "no UTF-8 behind a percent sign": request("/%ff%fe%00"),
    "no UTF-8 in the query": request("/?a=\xff%ff"),
    "no UTF-8 in a header": request(Accept="\xff\xfe", Origin="\xff"),
    "an odd request id": request(X_Request_ID='a b\tc="d" \xff'),
    "an odd method": request(method="BREW"),
    "another host": b"GET / HTTP/1.1\r\nHost: \xff:99999999\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a whole URL": request("http://elsewhere.example/"),
    "half a request": b"GET / HTTP/1.1\r\nHo",
    "half a body": request("/reset", "POST", Content_Length="100") + b"half",
    "half a chunk": request("/reset", "POST", Transfer_Encoding="chunked")
    + b"9\r\nhal",
    "no chunk at all": request("/reset", "POST", Transfer_Encoding="chunked")
    + b"z\r\n",
    "a body too large": request("/reset", "POST", Content_Length="99999999999"),
    "a length below nothing": request("/reset", "POST", Content_Length="-1"),
    "a length in words": request("/reset", "POST", Content_Length="many"),
    "a length of many digits": request("/reset", "POST", Content_Length="9" * 5000),
    "two lengths": request("/", Content_Length="0\r\nContent-Length: 5") + b"hello",
    "a length and chunks": request(
        "/reset", "POST", Content_Length="4", Transfer_Encoding="chunked"
    )
    + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a folded header": request(Accept="text/html,\r\n application/json"),
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n",
    "a NUL in a header": request(Accept="a\0b"),
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP of tomorrow": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_are_answered_or_refused(server: Server, name: str) -> None:
    answered = statuses(talk(server.url, ODD[name]))
    assert 500 not in answered
    assert set(answered[1:]) <= {400}  # what is left over is refused, not smuggled in


def test_requests_that_come_all_at_once_are_answered_in_turn(server: Server) -> None:
    first = Stream(server.url)
    cookie = SESSION.findall(first.send(request()))[0].decode()
    first.close()
    answer = talk(server.url, request(Cookie=cookie) * 20)
    assert statuses(answer) == [200] * 20
    counts = [int(count) for count in re.findall(rb'"views":(\d+)', answer)]
    assert counts == list(range(2, 22))


def test_the_slow_hold_up_nobody(server: Server) -> None:
    with dripping(server.url, "headers", 100), dripping(server.url, "bodies", 100):
        visitor = Visitor(server.url)
        assert [visitor.count() for _ in range(20)] == list(range(1, 21))


def test_forged_cookies_never_reach_redis(
    server: Server, redis: Redis, report: Report
) -> None:
    redis.flushdb()
    stream = Stream(server.url)
    genuine = SESSION.findall(stream.send(request()))[0].decode()
    before = redis.info("stats")["total_commands_processed"]
    for number in range(10_000):
        # Each has another id; starting over is what needs the old one's record.
        forged = f"session={number:043}{genuine[len('session=') + 43 :]}"
        answer = stream.send(request("/reset", "POST", Cookie=forged))
        assert answer.startswith(b"HTTP/1.1 303")
    stream.close()
    commands = redis.info("stats")["total_commands_processed"] - before
    assert commands == 1  # our own
    assert redis.dbsize() == 1
    report("10,000 cookies are forged", "Redis is not asked once")


TEXT = st.sampled_from(
    ["", "a", "é\xff", "%00", "%ff", "../", "x" * 9000, '"', ";=,", "\t"]
)
TARGETS = st.sampled_from(
    ["/", "/reset", "/healthz", "/static/style.css", "/nowhere", "*"]
)
NAMES = st.sampled_from(
    [
        *("Cookie", "Accept", "Host", "Content-Length", "Transfer-Encoding", "Origin"),
        *("Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID"),
        *("Range", "If-None-Match", "Expect", "Connection", "Upgrade", "Content-Type"),
    ]
)
VALUES = st.one_of(
    TEXT,
    st.sampled_from(["chunked", "0", "-1", "close", "100-continue", "bytes=0-", "h2c"]),
    st.builds("session={}.{}.{}".format, TEXT, TEXT, TEXT),
    st.text(st.characters(max_codepoint=255), max_size=20),
)
HEADER = st.builds("{}: {}\r\n".format, NAMES, VALUES)
REQUEST = st.builds(
    lambda method, target, query, version, headers, body: (
        f"{method} {target}{query} {version}\r\n{''.join(headers)}\r\n".encode(
            "latin-1"
        )
        + body
    ),
    st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "get", "G\0T", ""]),
    TARGETS,
    TEXT,
    st.sampled_from(["HTTP/1.1"] * 5 + ["HTTP/1.0", "HTTP/2.0", ""]),
    st.lists(HEADER, max_size=4),
    st.sampled_from([b"", b"a=1", b"0\r\n\r\n", b"\xff\x00"]),
)


def test_no_request_of_20000_brings_it_down(server: Server, report: Report) -> None:
    sent = 0

    @settings(
        max_examples=500,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(REQUEST, min_size=40, max_size=40))
    def send(requests: list[bytes]) -> None:
        nonlocal sent
        for data in requests:
            sent += 1
            assert 500 not in statuses(talk(server.url, data)), data

    send()
    assert sent >= 20_000
    report(f"{sent:,} requests are nonsense", "no 500, no worker lost")
