"""From REDIS_URL to a Redis client: one server, Sentinel or Cluster, TLS or not."""

from typing import Any, NamedTuple
from urllib.parse import unquote

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from .servers import Cluster

DEFAULT_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}

# In seconds: they keep every answer of the app within 1.5 s when Redis hangs.
OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 1.0,
    "protocol": 2,  # saves a round trip at the start of each connection
    "retry": Retry(NoBackoff(), 0),
}
# There is time for two Sentinels that hang before one that answers.
SENTINEL_OPTIONS = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}
SENTINEL_LOGIN = {"sentinel_username": "username", "sentinel_password": "password"}


class Address(NamedTuple):
    """A REDIS_URL, taken apart."""

    kind: str  # "", "unix", "sentinel" or "cluster"
    tls: bool
    nodes: list[tuple[str, int]]
    path: str  # of the socket, or the Sentinel service
    db: int
    login: dict[str, str]
    sentinel_login: dict[str, str]


def parse_url(url: str) -> Address:
    """Take a Redis URL apart; raise ValueError, without quoting it, if it is none.

    redis://:password@host:port/db, rediss:// with TLS, unix:///path/to/socket,
    redis+sentinel://host:port,host:port/service/db?sentinel_password=password,
    redis+cluster://host:port,host:port
    """
    scheme, _, kind = url.partition("://")[0].lower().partition("+")
    if scheme == "unix":
        kind = "unix" if not kind else "?"
    elif scheme not in ("redis", "rediss") or kind not in DEFAULT_PORTS:
        raise ValueError("it begins with none of redis://, rediss://, unix://")
    where, _, query = url.partition("://")[2].partition("?")
    netloc, _, path = where.partition("/")
    user, _, hosts = netloc.rpartition("@")
    username, _, password = user.partition(":")
    login = {"username": unquote(username), "password": unquote(password)}
    login = {name: text for name, text in login.items() if text}
    sentinel_login = _sentinel_login(kind, query)
    if kind == "unix":
        return Address(kind, False, [], f"/{path}", 0, login, {})
    nodes = [_node(host, DEFAULT_PORTS[kind]) for host in hosts.split(",")]
    if len(nodes) > 1 and not kind:
        raise ValueError("only redis+sentinel:// and redis+cluster:// take many hosts")
    parts = path.strip("/").split("/")
    service = parts.pop(0) if kind == "sentinel" else ""
    if kind == "sentinel" and not service:
        raise ValueError("the Sentinel service is missing: …/service/db")
    db = parts[0] if parts and parts[0] else "0"
    if not db.isdecimal() or len(parts) > 1 or (kind == "cluster" and db != "0"):
        raise ValueError("what follows the host is not a database number")
    tls = scheme == "rediss"
    return Address(kind, tls, nodes, service, int(db), login, sentinel_login)


def _sentinel_login(kind: str, query: str) -> dict[str, str]:
    """Read the only query there is; refuse any other by its name."""
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
    """Split host:port, where an IPv6 address stands in brackets."""
    host, _, port = text.partition(":")
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    if not host:
        raise ValueError("the host is missing")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("the port is not a number from 1 to 65535")
    return host, int(port or default_port)


def connect(
    url: str, *, connections: int, verify: bool = True, ca_cert: str | None = None
) -> Redis | Cluster:
    """Return a client; it makes its connections, so many to a server, when needed.

    `ca_cert` names a file of certificates to trust instead of the system's. Raises
    ValueError if the URL is none.
    """
    address = parse_url(url)
    transport = OPTIONS.copy()
    if address.tls:
        transport |= {
            "ssl": True,
            "ssl_ca_certs": ca_cert,
            "ssl_check_hostname": verify,
            "ssl_cert_reqs": "required" if verify else "none",
        }
    options = transport | address.login | {"max_connections": connections}
    match address.kind:
        case "cluster":
            return Cluster(address.nodes, **options)
        case "sentinel":
            to_sentinels = transport | SENTINEL_OPTIONS | address.sentinel_login
            sentinel = Sentinel(address.nodes, sentinel_kwargs=to_sentinels)
            master: Redis = sentinel.master_for(address.path, db=address.db, **options)
            return master
        case "unix":
            return Redis(unix_socket_path=address.path, **options)
        case _:
            [(host, port)] = address.nodes
            return Redis(host=host, port=port, db=address.db, **options)
