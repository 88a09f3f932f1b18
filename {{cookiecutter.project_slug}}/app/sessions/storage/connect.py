"""From REDIS_URL to a Redis client: one server, Sentinel or Cluster, TLS or not."""

from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry
from redis.sentinel import Sentinel

DEFAULT_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}

# Seconds, which keep every answer of the app within 1.5 s when Redis hangs. A retry
# would count twice where only the answer was lost, so there is none; instead a
# connection that has idled is tried with a PING first.
OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 1.0,
    "health_check_interval": 30,
    "protocol": 2,  # saves a round trip at the start of each connection
}


class LazyCluster:
    """A RedisCluster that connects when it is first used, not when it is made.

    So the app starts while the cluster is away, and each process connects for itself.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options

    @cached_property
    def _cluster(self) -> RedisCluster:
        return RedisCluster(**self._options)

    def execute_command(self, *command: Any) -> Any:
        """Send a command to the server that its key belongs to."""
        return self._cluster.execute_command(*command)

    def close(self) -> None:
        """Close all connections."""
        self._cluster.close()


class Address(NamedTuple):
    """A REDIS_URL, taken apart."""

    kind: str  # "", "unix", "sentinel" or "cluster"
    tls: bool
    nodes: list[tuple[str, int]]
    login: dict[str, str]
    path: str  # of the socket, or the Sentinel service
    db: int


def parse_url(url: str) -> Address:
    """Take a Redis URL apart; raise ValueError, without quoting it, if it is none.

    redis://:password@host:port/db, rediss:// with TLS, unix:///path/to/socket,
    redis+sentinel://host:port,host:port/service/db, redis+cluster://host:port,host:port
    """
    scheme, _, kind = url.partition("://")[0].lower().partition("+")
    if scheme == "unix":
        kind = "unix" if not kind else "?"
    elif scheme not in ("redis", "rediss") or kind not in DEFAULT_PORTS:
        raise ValueError("it begins with none of redis://, rediss://, unix://")
    _, netloc, path, _, _ = urlsplit(url)
    user, _, hosts = netloc.rpartition("@")
    username, _, password = user.partition(":")
    login = {"username": unquote(username), "password": unquote(password)}
    login = {name: text for name, text in login.items() if text}
    if kind == "unix":
        return Address(kind, False, [], login, path, 0)
    nodes = [_node(host, DEFAULT_PORTS[kind]) for host in hosts.split(",")]
    if len(nodes) > 1 and not kind:
        raise ValueError("only redis+sentinel:// and redis+cluster:// take many hosts")
    parts = path.strip("/").split("/")
    service = parts.pop(0) if kind == "sentinel" else ""
    if kind == "sentinel" and not service:
        raise ValueError("the Sentinel service is missing: …/service/db")
    db = parts[0] if parts and parts[0] else "0"
    if not db.isdecimal() or len(parts) > 1 or (kind == "cluster" and db != "0"):
        raise ValueError("what follows the host is no database number")
    return Address(kind, scheme == "rediss", nodes, login, service, int(db))


def _node(text: str, default_port: int) -> tuple[str, int]:
    """Split host:port, where an IPv6 address stands in brackets."""
    host, _, port = text.partition(":")
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    if not host:
        raise ValueError("the host is missing")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("the port is no number from 1 to 65535")
    return host, int(port or default_port)


def connect(
    url: str, *, connections: int, verify: bool = True, ca_cert: str | None = None
) -> "Redis | LazyCluster":
    """Return a client with so many connections at most, made when they are needed.

    `ca_cert` names a file of certificates to trust instead of the system's. Raises
    ValueError if the URL is none.
    """
    address = parse_url(url)
    transport = OPTIONS | {"retry": Retry(NoBackoff(), 0)}
    if address.tls:
        transport |= {
            "ssl": True,
            "ssl_ca_certs": ca_cert,
            "ssl_check_hostname": verify,
        }
        transport |= {"ssl_cert_reqs": "required" if verify else "none"}
    options = transport | address.login | {"max_connections": connections}
    match address.kind:
        case "cluster":
            nodes = [ClusterNode(host, port) for host, port in address.nodes]
            return LazyCluster(startup_nodes=nodes, **options)
        case "sentinel":
            sentinel = Sentinel(address.nodes, sentinel_kwargs=transport)
            master: Redis = sentinel.master_for(address.path, db=address.db, **options)
            return master
        case "unix":
            return Redis(unix_socket_path=address.path, **options)
        case _:
            [(host, port)] = address.nodes
            return Redis(host=host, port=port, db=address.db, **options)
