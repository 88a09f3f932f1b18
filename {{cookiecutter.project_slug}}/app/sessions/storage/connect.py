"""Makes a client from REDIS_URL: one server, Sentinel or a Cluster, with or without TLS."""

from typing import Any
from urllib.parse import unquote

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from .cluster import Cluster

DEFAULT_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}

# Seconds: with these, every answer takes 1.5 s at most when Redis hangs.
OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 1.0,
    "protocol": 2,  # saves a round trip at the start of each connection
    "retry": Retry(NoBackoff(), 0),
}
# Leaves time for two Sentinels that hang before one that answers.
SENTINEL_OPTIONS = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}
SENTINEL_LOGIN = {"sentinel_username": "username", "sentinel_password": "password"}


def connect(
    url: str, *, connections: int = 1, verify: bool = True, ca_cert: str | None = None
) -> Redis | Cluster:
    """Return a client, which opens up to `connections` to each server when needed.

    redis://:password@host:port/db, rediss:// with TLS, unix:///path/to/socket,
    redis+sentinel://host:port,host:port/service/db?sentinel_password=password,
    redis+cluster://host:port,host:port

    `ca_cert` names a file of certificates to trust instead of the system's. Raises
    ValueError, without quoting the URL, if it is not one of these.
    """
    scheme, _, rest = url.partition("://")
    where, _, query = rest.partition("?")
    netloc, _, path = where.partition("/")
    login, _, hosts = netloc.rpartition("@")
    transport, _, kind = scheme.lower().partition("+")
    sentinel_login = _sentinel_login(kind, query)
    options = OPTIONS | _login(login) | {"max_connections": connections}
    if scheme.lower() == "unix":
        return Redis(unix_socket_path=f"/{path}", **options)
    if transport not in ("redis", "rediss") or kind not in DEFAULT_PORTS:
        raise ValueError("it does not begin with redis://, rediss:// or unix://")
    nodes = [_node(host, DEFAULT_PORTS[kind]) for host in hosts.split(",")]
    if len(nodes) > 1 and not kind:
        raise ValueError(
            "only redis+sentinel:// and redis+cluster:// take several hosts"
        )
    service, _, path = path.partition("/") if kind == "sentinel" else ("", "", path)
    if kind == "sentinel" and not service:
        raise ValueError("the Sentinel service is missing: …/service/db")
    db = path.strip("/") or "0"
    if not db.isdecimal() or (kind == "cluster" and db != "0"):
        raise ValueError("what follows the host is not a database number")
    tls: dict[str, Any] = {}
    if transport == "rediss":
        tls = {
            "ssl": True,
            "ssl_ca_certs": ca_cert,
            "ssl_check_hostname": verify,
            "ssl_cert_reqs": "required" if verify else "none",
        }
    options |= tls
    if kind == "cluster":
        return Cluster(nodes, **options)
    if kind == "sentinel":
        to_sentinels = OPTIONS | tls | SENTINEL_OPTIONS | sentinel_login
        sentinel = Sentinel(nodes, sentinel_kwargs=to_sentinels)
        master: Redis = sentinel.master_for(service, db=int(db), **options)
        return master
    [(host, port)] = nodes
    return Redis(host=host, port=port, db=int(db), **options)


def _login(text: str) -> dict[str, str]:
    """Split user:password, of which either may be missing."""
    username, _, password = text.partition(":")
    login = {"username": unquote(username), "password": unquote(password)}
    return {name: part for name, part in login.items() if part}


def _sentinel_login(kind: str, query: str) -> dict[str, str]:
    """Read the queries that Sentinel allows; refuse any other by its name."""
    login = {}
    for item in filter(None, query.split("&")):
        name, _, text = item.partition("=")
        if kind != "sentinel" or name not in SENTINEL_LOGIN:
            shown = name if name.isidentifier() and "@" not in query else "…"
            raise ValueError(
                f"it does not take ?{shown}= (a database number goes after the host: /3)"
            )
        login[SENTINEL_LOGIN[name]] = unquote(text)
    return login


def _node(text: str, default_port: int) -> tuple[str, int]:
    """Split host:port; an IPv6 address is in brackets."""
    host, _, port = text.partition(":")
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    if not host:
        raise ValueError("the host is missing")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("the port is not a number from 1 to 65535")
    return host, int(port or default_port)
