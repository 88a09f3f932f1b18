"""Restarts lose nobody: no request, and no count."""

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from redis import Redis

from tests.conftest import Report, Server, Visitor
from tests.raw import connect, request
from tests.waiting import wait_until

RESTARTS = 10
VISITORS = 4


class Balancer(ThreadingHTTPServer):
    """Passes each request on to one of two instances, in turn."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._instances: list[Server] = []
        self._lock = threading.Lock()

    def add(self, instance: Server) -> None:
        """Send requests there, too."""
        with self._lock:
            self._instances.append(instance)

    def remove_one(self) -> Server:
        """Send no more requests to one of the instances, and return it."""
        with self._lock:
            return self._instances.pop(0)

    def send(self, path: str, headers: dict[str, str]) -> http.client.HTTPConnection:
        """Send a request to the instance whose turn it is."""
        with self._lock:
            self._instances.append(self._instances.pop(0))
            netloc = urlsplit(self._instances[0].url).netloc
            instance = http.client.HTTPConnection(netloc, timeout=30)
            instance.request("GET", path, headers=headers)
            return instance


class Handler(BaseHTTPRequestHandler):
    server: Balancer

    def do_GET(self) -> None:
        instance = self.server.send(self.path, dict(self.headers))
        answer = instance.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("Connection", "Date", "Server", "Transfer-Encoding"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        instance.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_rolling_restarts_lose_no_request_and_no_count(
    serve: Callable[..., Server], redis_url: str, report: Report
) -> None:
    def start() -> Server:
        return serve(REDIS_URL=redis_url, WEB_CONCURRENCY="2")

    counts: list[list[int]] = [[] for _ in range(VISITORS)]
    failures: list[Exception] = []
    done = threading.Event()

    def visit(url: str, counted: list[int]) -> None:
        visitor = Visitor(url)
        while not done.is_set():
            try:
                counted.append(visitor.count())
            except Exception as error:  # noqa: BLE001 - any is a lost request
                failures.append(error)
                return

    with Balancer() as balancer:
        balancer.add(start())
        balancer.add(start())
        threading.Thread(target=balancer.serve_forever, args=[0.05]).start()
        visitors = [
            threading.Thread(target=visit, args=[balancer.url, counted])
            for counted in counts
        ]
        for thread in visitors:
            thread.start()
        for _ in range(RESTARTS):
            balancer.add(start())
            balancer.remove_one().stop()
        done.set()
        for thread in visitors:
            thread.join()
        balancer.shutdown()
    assert failures == []
    for counted in counts:
        assert len(counted) > RESTARTS
        assert counted == list(range(1, len(counted) + 1))
    report(
        "instances are restarted in turn, under load", "no request and no count is lost"
    )


def test_a_request_in_flight_is_answered_before_the_end(
    serve: Callable[..., Server], redis_url: str
) -> None:
    """SIGTERM while a view waits for Redis does not cut its request off."""
    server = serve(REDIS_URL=redis_url)
    with connect(server.url) as connection, Redis.from_url(redis_url) as redis:
        redis.client_pause(800, all=False)  # writes wait
        connection.sendall(request())
        wait_until(
            lambda: any(c["cmd"].startswith("eval") for c in redis.client_list())
        )
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        answer = connection.recv(1000)
    stopping.join()
    assert answer.startswith(b"HTTP/1.1 200 ")
