"""No request is smuggled through a real HAProxy, however its length is spelled."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.raw import connect, request, talk
from tests.waiting import free_port, listens, wait_until

SMUGGLED = request("/smuggled")
N = str(len(SMUGGLED))
LENGTHS = [
    *(
        N,
        f"0{N}",
        f"{N:0>19}",
        f"{N:0>400}",
        f" {N}",
        f"{N} ",
        f"\t{N}\t",
        f"+{N}",
        f"-{N}",
    ),
    *(f"{N}.0", f"{N},{N}", f"{N}, 0", f"0, {N}", f"{N} 0", f"0x{int(N):x}", f"{N}e0"),
    *(
        "0",
        "00",
        "-0",
        "+0",
        "",
        " ",
        "\xb2",
        f"{N}\0",
        f"{N};",
        f"{N}\r\n 0",
        f"0\r\n {N}",
    ),
    *(f"{N}\r\nContent-Length: 0", f"0\r\nContent-Length: {N}", "9" * 19),
]
FIELDS = [
    *(f"Content-Length: {length}" for length in LENGTHS),
    *(f"content-length: {N}", f"Content-Length : {N}", f"Content_Length: {N}"),
    *(f"Content-Length\t: {N}", f" Content-Length: {N}", f"X: a\rContent-Length: {N}"),
    *(
        f"X: a\nContent-Length: {N}",
        f"\x0bContent-Length: {N}",
        f"Content-Length\0: {N}",
    ),
    f"Connection: Content-Length\r\nContent-Length: {N}",
    f"Expect: 100-continue\r\nContent-Length: {N:0>19}",
]
CODINGS = [
    *(
        "chunked",
        "Chunked",
        " chunked",
        "chunked ",
        "\tchunked",
        "\x0bchunked",
        "chunked,",
    ),
    *(
        ",chunked",
        "xchunked",
        "chunked, identity",
        "identity",
        "identity, chunked",
        "gzip",
    ),
    *(
        "chunked\r\nTransfer-Encoding: x",
        "x\r\nTransfer-Encoding: chunked",
        "chu\r\n nked",
    ),
    *('"chunked"', "chunked;a", "chunked\0", ""),
]
CHUNKS = [
    "0\r\n\r\n",
    f"{int(N):x}\r\n",
    "0;a\r\n\r\n",
    "0;a\n\r\n\r\n",
    "1;a\rb\r\nx\r\n0\r\n\r\n",
    "00000000000000000000\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\n\n",
    "0 \r\n\r\n",
    "+0\r\n\r\n",
]


def attacks() -> Iterator[tuple[str, str]]:
    """Yield heads, and what comes between them and the smuggled request."""
    head = "POST /reset HTTP/1.1\r\nHost: localhost\r\n"
    for field in FIELDS:
        yield f"{head}{field}\r\n\r\n", ""
    for coding in CODINGS:
        chunked = f"{head}Transfer-Encoding: {coding}\r\n"
        yield f"{chunked}\r\n", CHUNKS[0]
        yield f"{chunked}Content-Length: {int(N) + 5}\r\n\r\n", CHUNKS[0]
    for chunks in CHUNKS:
        yield f"{head}Transfer-Encoding: chunked\r\n\r\n", chunks


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """A function that starts HAProxy in front of an address, and returns its own."""
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    running = []

    def start(address: str, reuse: str) -> str:
        port = free_port()
        config = tmp_path / f"{reuse}.cfg"
        config.write_text(
            "defaults\n mode http\n timeout client 30s\n timeout server 30s\n"
            f" timeout connect 5s\n http-reuse {reuse}\n"
            f"frontend visitors\n bind 127.0.0.1:{port}\n"
            " http-request deny if { path /smuggled }\n default_backend app\n"
            f"backend app\n server app {address}\n"
        )
        running.append(subprocess.Popen([program, "-db", "-q", "-f", config]))
        wait_until(lambda: listens(port))
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("reuse", ["safe", "always"])
def test_no_request_is_smuggled(
    serve: Callable[..., Server], haproxy: Callable[[str, str], str], reuse: str
) -> None:
    server = serve(WEB_CONCURRENCY="1")
    url = haproxy(server.url.removeprefix("http://"), reuse)
    visit = request("/healthz", Connection="close")
    asked = 0
    for head, between in attacks():
        with connect(url) as attacker:
            attacker.sendall(head.encode("latin-1"))
            time.sleep(0.02)  # so that it comes in two parts, or more
            with contextlib.suppress(ConnectionError):  # HAProxy has refused it
                attacker.sendall(between.encode() + SMUGGLED)
            answer = talk(url, visit)  # of another visitor
            asked += 1
            assert answer.startswith(b"HTTP/1.1 200 "), (head, answer)
            assert answer.endswith(b'{"status":"ok"}\n'), (head, answer)
    server.stop()
    paths = re.findall(r" path=(\S+) status=(\d+)", "".join(server.log))
    assert paths.count(("/healthz", "200")) == asked
    assert not [path for path, _ in paths if "smuggled" in path]
