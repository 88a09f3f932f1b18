"""A Redis that lets in only clients with a certificate (its `tls-auth-clients yes`)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Server, Visitor, run
from tests.nodes import Node
from tests.tls import TLSProxy


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[TLSProxy]:
    """A Redis behind TLS that wants certificates of its clients."""
    node = Node()
    proxy = TLSProxy(tmp_path, node.port)
    proxy.demand_certificates()
    yield proxy
    proxy.close()
    node.close()


def test_a_redis_that_wants_a_certificate_says_so_and_gets_the_one_in_the_url(
    strict: TLSProxy,
    baked: Path,
    home: Path,
    serve: Callable[..., Server],
    tmp_path: Path,
) -> None:
    url = f"rediss://127.0.0.1:{strict.port}"
    trust = {"REDIS_CA_CERT": str(strict.ca_file)}
    flask = baked / ".venv/bin/flask"
    status, output = run(home, baked, flask, "check", REDIS_URL=url, **trust)
    assert status == 1
    assert "ssl_certfile=…&ssl_keyfile=…" in output
    assert "for a client certificate" in output

    own = strict.authority.issue_cert("app@example.com")
    certificate, key = tmp_path / "app.pem", tmp_path / "app.key"
    own.cert_chain_pems[0].write_to_path(str(certificate))
    own.private_key_pem.write_to_path(str(key))
    url += f"/0?ssl_certfile={certificate}&ssl_keyfile={key}"
    status, output = run(home, baked, flask, "check", REDIS_URL=url, **trust)
    assert status == 0, output
    visitor = Visitor(serve(REDIS_URL=url, **trust).url)
    assert [visitor.count(), visitor.count()] == [1, 2]


PINGS = """
import sys
from app.sessions import RedisStorage

for _ in range(100):
    RedisStorage.from_url(sys.argv[1], ca_cert=sys.argv[2]).load("session:a", 1)
"""


def test_each_new_connection_works_from_the_start(
    strict: TLSProxy, baked: Path, home: Path, tmp_path: Path
) -> None:
    """Though the first that a server of TLS 1.3 sends are tickets, which are no answer."""
    own, file = strict.authority.issue_cert("app@example.com"), tmp_path / "app.pem"
    own.private_key_and_cert_chain_pem.write_to_path(str(file))
    url = f"rediss://127.0.0.1:{strict.port}/0?ssl_certfile={file}&ssl_keyfile={file}"
    python = baked / ".venv/bin/python"
    status, output = run(home, baked, python, "-c", PINGS, url, str(strict.ca_file))
    assert status == 0, output
