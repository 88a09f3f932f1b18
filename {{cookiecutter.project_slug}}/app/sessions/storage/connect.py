"""Reads REDIS_URL: redis-py's own URLs, and those of Sentinels and of a Cluster."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from redis import Redis

from .server import ANSWER, BEFORE

PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}
SEVERAL = "redis+sentinel://host:port,host:port/service/db or redis+cluster://host:port"
TLS = [
    f"ssl_{x}"
    for x in ("ca_certs", "certfile", "keyfile", "cert_reqs", "check_hostname")
]
SENTINEL_LOGIN = ["sentinel_username", "sentinel_password"]
# `protocol` and `driver_info` save round trips at the start of each connection.
OPTIONS: dict[str, Any] = {"protocol": 2, "driver_info": None, "decode_responses": True}
OPTIONS |= {"socket_connect_timeout": BEFORE, "socket_timeout": ANSWER}
# For Sentinels, and for who owns which slots of a Cluster.
SOON = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}


def connect(url: str, connections: int, verify: bool, ca_cert: str | None) -> Any:
    """Return a client of one server, or `ask` for several: see RedisStorage.from_url."""
    scheme, _, rest = url.partition("://")
    where, _, query = rest.partition("?")
    netloc, _, path = where.partition("/")
    login, _, hosts = netloc.rpartition("@")
    scheme, _, kind = scheme.lower().replace("valkey", "redis").partition("+")
    if scheme not in ("redis", "rediss", "" if kind else "unix") or kind not in PORTS:
        raise ValueError("it does not begin with redis://, rediss:// or unix://")
    queries = dict(parse_qsl(query, keep_blank_values=True))
    taken = {"db", *TLS * (scheme == "rediss"), *SENTINEL_LOGIN * (kind == "sentinel")}
    for name in queries.keys() - taken:
        shown = name if name.isidentifier() and "@" not in query else "…"
        raise ValueError(f"it does not take ?{shown}=" + " without TLS" * (name in TLS))
    if queries.get("ssl_cert_reqs", "none") not in ("none", "optional", "required"):
        raise ValueError("?ssl_cert_reqs= is not none, optional or required")
    service, _, number = path.partition("/") if kind == "sentinel" else ("", "", path)
    db = queries.pop("db", "" if scheme == "unix" else number.strip("/")) or "0"
    if not re.fullmatch("[0-9]{1,9}", db) or (kind == "cluster" and int(db)):
        raise ValueError("what follows the host is not a database number")
    own_login = ":".join(quote(queries.pop(name, ""), "") for name in SENTINEL_LOGIN)
    options = {"db": int(db), "max_connections": connections, **OPTIONS}
    if scheme == "rediss":
        required = "required" if verify else "none"  # without it, names are not checked
        options |= {"ssl_cert_reqs": required, "ssl_ca_certs": ca_cert}

    def client_at(*address: Any, login: str = login, **changes: Any) -> Redis:
        user, _, password = (quote(unquote(part), "") for part in login.partition(":"))
        where = f"/{path}" if scheme == "unix" else ""
        url = f"{scheme}://{user}:{password}@{where}?{urlencode(queries)}"
        changes |= dict(zip(("host", "port"), address, strict=False))
        return Redis.from_url(url, **options | changes)

    if scheme == "unix" and path:
        return client_at()
    nodes = [_node(host, PORTS[kind]) for host in hosts.split(",")]
    if kind == "cluster":
        from .cluster import Cluster

        return Cluster(nodes, client_at).ask
    if kind == "sentinel":
        from .sentinel import Master

        if not service:
            raise ValueError("the Sentinel service is missing: …/service/db")
        to_sentinels: dict[str, Any] = SOON | {"db": 0, "login": own_login}
        sentinels = [client_at(*node, **to_sentinels) for node in nodes]
        return Master(unquote(service), sentinels, client_at).ask
    if len(nodes) > 1:
        raise ValueError(f"several hosts are written {SEVERAL}")
    return client_at(*nodes[0])


def _node(text: str, default_port: int) -> tuple[str, int]:
    """Split host:port; an IPv6 address is in brackets."""
    match = re.fullmatch(r"(?:\[([^]]+)\]|([^][:#]+))(?::([0-9]{1,5}))?", text)
    port = int(match[3] or default_port) if match else 0
    if not match or not 0 < port < 65536:
        raise ValueError("the host is missing, or the port is not from 1 to 65535")
    return match[1] or match[2], port
