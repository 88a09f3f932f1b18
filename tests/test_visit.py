"""Someone bakes a project, starts it from its Procfile, and reads 1, 2, 3."""

from collections.abc import Callable
from signal import SIGKILL

from tests.conftest import Server, Visitor


def test_counts_in_memory(serve: Callable[..., Server]) -> None:
    server = serve()
    visitor = Visitor(server.url)
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
    assert "Sessions are kept in memory" in "".join(server.log)


def test_counts_on_in_redis_after_a_crash(
    serve: Callable[..., Server], redis_url: str
) -> None:
    first = serve(REDIS_URL=f"{redis_url}/0", WEB_CONCURRENCY="2")
    visitor = Visitor(first.url)
    assert [visitor.count() for _ in range(3)] == [1, 2, 3]
    first.stop(SIGKILL)
    visitor.url = serve(REDIS_URL=f"{redis_url}/0").url
    assert visitor.count() == 4
