"""Where a request begins and ends is gunicorn's opinion, and nobody else's."""

import asyncio
import os
import random
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.engine.conftest import Server
from tests.engine.odd_requests import REQUESTS

# FRAMING=all tries each request in two parts at every byte, which takes minutes.
ALL = os.environ.get("FRAMING") == "all"
PAUSE = 0.02  # seconds between two parts
AT_ONCE = 100  # connections


class Case(NamedTuple):
    """A request, where it is cut in two, and whether the client then sends its FIN."""

    request: bytes
    cut: int
    half_closed: bool


class Seen(NamedTuple):
    """What a client has seen of a server."""

    statuses: list[int]
    kept: bool  # whether the connection was
    promised: bool  # whether the last answer said that it is


async def look(port: int, case: Case, patience: float) -> Seen:
    """Send a request in two parts; read for as long as something comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer, kept = b"", False
    try:
        try:
            writer.write(case.request[: case.cut])
            await writer.drain()
            await asyncio.sleep(PAUSE)
            writer.write(case.request[case.cut :])
            if case.half_closed:
                writer.write_eof()
            await writer.drain()
        except OSError:
            pass  # the server has seen enough
        try:
            while part := await asyncio.wait_for(reader.read(2**16), patience):
                answer += part
        except TimeoutError:
            kept = True
        except ConnectionError:
            pass
    finally:
        writer.close()
    statuses = [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]
    said = re.findall(rb"\nconnection: (keep-alive|close)\r", answer.lower())
    return Seen(statuses, kept, said[-1:] == [b"keep-alive"] and not case.half_closed)


def fits(seen: Seen, plain: Seen) -> bool:
    """Return whether a server is right, where plain gunicorn is seen like this.

    We receive the body before the view is called. So a body that never comes gets no
    answer yet, and one that is malformed gets 400, without a view: of plain gunicorn, a
    view that reads it gets 500, and another one's answer is followed by 400.

    A connection that an answer promises to keep is kept. Otherwise a proxy could send the
    next visitor's request over it just when it is closed: HAProxy answers 502.
    """
    if seen.promised and not seen.kept:
        return False
    statuses = [400 if status == 500 else status for status in plain.statuses]
    if seen.kept and plain.kept:
        return statuses[: len(seen.statuses)] == seen.statuses
    once = [*statuses[:-2], 400] if statuses[-2:] == [303, 400] else statuses
    return seen.kept == plain.kept and seen.statuses in (statuses, once)


async def compare(ours: int, plain: int, cases: list[Case]) -> list[str]:
    """Return where the two differ."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> str | None:
        async with limit:
            for patience in (0.3, 1, 4):  # a busy machine may be slow
                seen, wanted = await asyncio.gather(
                    look(ours, case, patience), look(plain, case, patience)
                )
                if fits(seen, wanted):
                    return None
        return f"{case}: {seen} instead of {wanted}"

    found = await asyncio.gather(*map(one, cases))
    return [each for each in found if each]


def cases() -> list[Case]:
    """Return the requests, each whole and in parts."""
    sample = random.Random(20)  # noqa: S311
    found = []
    for request in REQUESTS:
        if ALL and len(request) < 1000:
            cuts = [*range(1, len(request) + 1)]
        else:
            cuts = [len(request), *sample.sample(range(1, len(request)), 2)]
        found += [
            Case(request, cut, closed) for cut in cuts for closed in (False, True)
        ]
    return found


def test_requests_are_understood_as_by_plain_gunicorn(
    start_server: Callable[..., Server],
) -> None:
    ports = []
    for app in ("create_app", "plain"):
        server = start_server(f"tests.engine.probe:{app}()")
        ports.append(urlsplit(server.url).port or 0)
    differences = asyncio.run(compare(ports[0], ports[1], cases()))
    assert not differences, f"{len(differences)}: " + "\n".join(differences[:20])
