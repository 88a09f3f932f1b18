"""Reads REDIS_URL: redis-py's own URLs, and those of Sentinels and of a Cluster."""

import re
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from redis import Redis

from .breaker import ANSWER, BEFORE

PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}
SEVERAL = "redis+sentinel://host:port,host:port/service/db or redis+cluster://host:port"
HOST = r"(?:\[([^]]+)\]|([^][:#]+))(?::([0-9]{1,5}))?"  # an IPv6 address is in brackets
TLS = "|ssl_(ca_certs|certfile|keyfile|check_hostname)=.+"
TLS += "|ssl_cert_reqs=(none|optional|required)"
OPTIONS: dict[str, Any] = {"protocol": 2, "decode_responses": True}  # 2: no HELLO
OPTIONS |= {"socket_connect_timeout": BEFORE, "socket_timeout": ANSWER}
SOON = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}  # to ask who owns what


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
    taken = "db=[0-9]+" + TLS * (scheme == "rediss")
    taken += "|sentinel_(username|password)=.+" * (kind == "sentinel")
    for name, value in queries.items():
        if not re.fullmatch(taken, f"{name}={value}"):
            shown = name if name.isidentifier() and "@" not in query else "…"
            raise ValueError(f"it does not take ?{shown}=, or not with this value")
    service, _, number = path.partition("/") if kind == "sentinel" else ("", "", path)
    db = queries.pop("db", "" if scheme == "unix" else number.strip("/")) or "0"
    if not re.fullmatch("[0-9]{1,9}", db) or (kind == "cluster" and int(db)):
        raise ValueError("what follows the host is not a database number")
    options: dict[str, Any] = {"db": int(db), "max_connections": connections, **OPTIONS}
    if scheme == "rediss":
        required = "required" if verify else "none"  # without it, names are not checked
        options |= {"ssl_cert_reqs": required, "ssl_ca_certs": ca_cert}
    else:
        options["driver_info"] = None  # spares a round trip, which TLS's tickets need
    own = {x: queries.pop(f"sentinel_{x}", None) for x in ("username", "password")}
    user, _, password = map(unquote, login.partition(":"))
    options |= {"username": user or None, "password": password or None}
    if scheme == "unix" and path:
        return Redis.from_url(f"unix:///{path}", **options)
    found = [re.fullmatch(HOST, host) for host in hosts.split(",")]
    nodes = [(m[1] or m[2], int(m[3] or PORTS[kind])) for m in found if m]
    if len(nodes) < len(found) or not all(0 < port < 65536 for _, port in nodes):
        raise ValueError("the host is missing, or the port is not from 1 to 65535")
    connect_to = partial(Redis.from_url, f"{scheme}://?{urlencode(queries)}", **options)
    if kind == "cluster":
        from .cluster import Cluster

        return Cluster(nodes, connect_to).ask
    if kind == "sentinel" and service:
        from .sentinel import Master

        to_sentinels: dict[str, Any] = SOON | own | {"db": 0}
        sentinels = [connect_to(host=h, port=p, **to_sentinels) for h, p in nodes]
        return Master(unquote(service), sentinels, connect_to).ask
    if kind:
        raise ValueError("the Sentinel service is missing: …/service/db")
    if len(nodes) > 1:
        raise ValueError(f"several hosts are written {SEVERAL}")
    return connect_to(host=nodes[0][0], port=nodes[0][1])
