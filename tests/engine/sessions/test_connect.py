"""REDIS_URL: what is taken, what is refused and why, and whom a storage connects to."""

import subprocess
import sys

import pytest
from app.sessions import RedisStorage
from redis import Redis, RedisCluster
from redis.sentinel import Sentinel

SECRET = "hunter2"


def options_of(url: str, **settings: object) -> dict[str, object]:
    client = RedisStorage.from_url(url, **settings).client  # type: ignore[arg-type]
    assert isinstance(client, Redis)
    return client.get_connection_kwargs()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://one", {"host": "one", "port": 6379, "db": 0}),
        ("valkey://one:7000/3", {"host": "one", "port": 7000, "db": 3}),
        ("redis://one/3?db=4", {"db": 4}),
        ("redis://[::1]:7000", {"host": "::1", "port": 7000}),
        ("redis://me:p%40ss%2F@one", {"username": "me", "password": "p@ss/"}),
        ("redis://:a[b]c%20d@one", {"password": "a[b]c d"}),
        ("unix:///a%20folder/socket?db=2", {"path": "/a folder/socket", "db": 2}),
        ("unix://me:pw@/socket", {"username": "me", "password": "pw"}),
        ("rediss://one", {"ssl_cert_reqs": "required", "ssl_ca_certs": None}),
        (
            "valkeys://one?ssl_certfile=/a.pem&ssl_keyfile=/a.key&ssl_ca_certs=/ca.pem",
            {
                "ssl_certfile": "/a.pem",
                "ssl_keyfile": "/a.key",
                "ssl_ca_certs": "/ca.pem",
            },
        ),
    ],
)
def test_a_url_is_read_as_redis_py_reads_it(
    url: str, expected: dict[str, object]
) -> None:
    options = options_of(url)
    assert options.items() >= expected.items()


def test_a_query_beats_the_variables() -> None:
    url = "rediss://one?ssl_cert_reqs=required&ssl_ca_certs=/mine.pem"
    options = options_of(url, verify=False, ca_cert="/other.pem")
    assert options["ssl_cert_reqs"] == "required"
    assert options["ssl_ca_certs"] == "/mine.pem"
    assert options_of("rediss://one", verify=False)["ssl_cert_reqs"] == "none"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"redis://:{SECRET}@one?socket_timeout=9", r"\?socket_timeout="),
        (f"redis://:{SECRET}@one?foo=1", r"\?foo="),
        (f"redis://:{SECRET}@one?ssl_certfile=/a.pem", r"\?ssl_certfile="),
        (f"redis://:{SECRET}@one?sentinel_password=x", r"\?sentinel_password="),
        (f"rediss://:{SECRET}@one?ssl_cert_reqs=CERT_NONE", r"\?ssl_cert_reqs="),
        (f"redis://:{SECRET}@one?db=x", r"\?db="),
        (f"redis://:{SECRET}@one/zero", "database number"),
        (f"redis+cluster://:{SECRET}@one/1", "database number"),
        (f"redis://:{SECRET}@", "the host is missing"),
        (f"redis://:{SECRET}@one:0", "the port is not"),
        (f"redis://:{SECRET}@one:65536", "the port is not"),
        (f"redis://:{SECRET}@one#two", "the host is missing, or the port"),
        (f"redis://:{SECRET}@one,two", r"redis\+cluster://"),
        (f"redis+sentinel://:{SECRET}@one", "service is missing"),
        (f"unix+cluster://:{SECRET}@/socket", "does not begin with"),
        (f"memcached://:{SECRET}@one", "does not begin with"),
        (f"redis://:{SECRET}?{SECRET}@one", "it does not take"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name_and_no_password_is_told(
    url: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        RedisStorage.from_url(url)
    assert SECRET not in str(caught.value)
    assert "one" not in str(caught.value).replace("none", "")


def test_clients_of_several_servers_are_refused_in_favour_of_a_url() -> None:
    cluster = RedisCluster.__new__(RedisCluster)  # the real one would connect at once
    for client in cluster, Sentinel([("one", 26379)]).master_for("service"):
        with pytest.raises(TypeError, match=r"from_url with redis\+sentinel://"):
            RedisStorage(client)  # type: ignore[arg-type]


def test_only_those_who_have_several_servers_load_the_code_for_them() -> None:
    program = (
        "import sys; from app.sessions import RedisStorage; "
        "RedisStorage.from_url('redis://one'); "
        "print([name for name in ('sentinel', 'cluster') "
        "if f'app.sessions.storage.{name}' in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
