"""A long mixed load: two instances, four workers, one Valkey; `make soak SECONDS=600`.

Nothing may fail, no count may be lost or doubled, and no worker's memory may grow by more
than five percent once it is warm.
"""

import os
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tests.conftest import ROOT, Server, valkey, workers_of
from tests.raw import SESSION, Stream, request
from tests.waiting import wait_until

SECONDS = int(os.environ.get("SECONDS", "600"))
REPORTS = 10
CLIENTS = 8
GROWTH = 1.05
KINDS, SHARES = ("visit", "new", "health", "reset"), (80, 10, 9, 1)


def visit_on(urls: list[str], over: Event) -> Counter[str]:
    """Count on one's own, now here, now there, among other requests, until the end."""
    streams = [Stream(url) for url in urls]
    done: Counter[str] = Counter()
    cookie, count = "", 0
    while not over.is_set():
        stream = random.choice(streams)  # noqa: S311 - it is no secret
        kind = random.choices(KINDS, SHARES)[0]  # noqa: S311
        done[kind] += 1
        if kind == "visit":
            answer = stream.send(request(Cookie=cookie))
            count += 1
            assert answer.endswith(b'{"views":%d}\n' % count), answer
            if count == 1:
                cookie = SESSION.findall(answer)[0].decode()
        elif kind == "new":
            assert stream.send(request()).endswith(b'{"views":1}\n')
        elif kind == "health":
            answer = stream.send(request("/healthz"))
            assert answer.startswith(b"HTTP/1.1 200 "), answer
        else:
            answer = stream.send(request("/reset", "POST", Cookie=cookie))
            assert answer.startswith(b"HTTP/1.1 303 "), answer
            cookie, count = "", 0
    for stream in streams:
        stream.close()
    return done


def memory(pid: int) -> int:
    """Return the kilobytes that a process has for itself alone."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        lines = [line.split() for line in file]
    return sum(int(line[1]) for line in lines if line[0].startswith("Private_"))


def main() -> None:
    """Run the load, and print what became of the memory."""
    project = ROOT / "build/visit-counter"
    with valkey() as redis:
        settings = {"REDIS_URL": f"{redis.connection_url}/0", "WEB_CONCURRENCY": "2"}
        servers = [Server(project, "web", **settings) for _ in range(2)]
        try:
            for server in servers:
                wait_until(lambda s=server: len(workers_of(s)) == 2)  # type: ignore[misc]
            workers = sorted(pid for server in servers for pid in workers_of(server))
            over = Event()
            with ThreadPoolExecutor(CLIENTS) as pool:
                urls = [server.url for server in servers]
                clients = [pool.submit(visit_on, urls, over) for _ in range(CLIENTS)]
                sizes = []
                for number in range(1, REPORTS + 1):
                    over.wait(SECONDS / REPORTS)
                    sizes.append([memory(pid) for pid in workers])
                    print(
                        f"{number * SECONDS // REPORTS} s: {sizes[-1]} kB", flush=True
                    )
                    if any(client.done() for client in clients):
                        break
                over.set()
                done = sum((client.result() for client in clients), Counter[str]())
            survivors = sorted(pid for server in servers for pid in workers_of(server))
        finally:
            for server in servers:
                server.stop()
        log = "".join(line for server in servers for line in server.log)
    print(dict(done))
    growth = max(last / warm for warm, last in zip(sizes[0], sizes[-1], strict=True))
    print(f"Memory grew to {growth:.3f} times what it was after the first tenth.")
    if (
        growth > GROWTH
        or survivors != workers
        or " status=5" in log
        or "level=error" in log
    ):
        sys.exit(
            "Memory has grown too much, a worker was lost, or an error was logged."
        )


if __name__ == "__main__":
    main()
