"""gunicorn reads this file by itself: `gunicorn` alone starts the app."""

import os
import resource
import socket

from app import env_file
from app.config import read_settings
from app.storage import check_processes

env_file.load()
settings, _ = read_settings(os.environ)  # what is wrong with them, create_app says
wsgi_app = "app:create_app()"

# The app is made once, before the workers fork: a wrong setting stops the start instead
# of every worker's, and the workers share its memory.
preload_app = True

# Threads, since a request mostly waits; clients that send slowly get none: see
# app/worker.py. On one core 2 threads count 3 % fewer visits than 4, one thread 16 % fewer.
# Not worth it: the HTTP parser in C (2 % more), and other settings of the garbage
# collector (none).
worker_class = "app.worker.Worker"
workers = settings.processes
threads = settings.threads

# With more than these, new visitors would have to wait. Each is one of the open files that
# the host allows a process, which needs some for other things, too.
worker_connections = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)

# In development nobody else on the network can connect. In production a host's router
# may come by IPv4 or IPv6: where both are there, [::] takes both.
host = "[::]" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104
bind = [f"{host if settings.production else '127.0.0.1'}:{settings.port}"]

# Longer than the 90 s for which Heroku's router keeps idle connections: the side that
# opened a connection should be the one to close it, or requests race with the closing.
keepalive = 95

# A stopping dyno is killed after 30 s; a request is cut off by the router after 30 s. The
# time-out is also how long a request may take to arrive.
graceful_timeout = 25
timeout = 30

# What a proxy says of the client is the app's business: see app/proxies.py. Left
# unset, the environment's FORWARDED_ALLOW_IPS=* would have everybody believed.
forwarded_allow_ips = "*" if settings.trusted_proxies else ""
forwarder_headers = ""  # any client can send SCRIPT_NAME, and would be believed

control_socket_disable = True  # it wants a writable home, which not every host gives
accesslog = "-"  # to standard output, in logfmt: see app/access_log.py
logger_class = "app.access_log.Logger"
loglevel = settings.log_level.lower()


def on_starting(server):  # type: ignore[no-untyped-def] # gunicorn has no types
    """Refuse what cannot work, in one sentence.

    That is several processes with sessions in memory, and a port that is taken, for which
    gunicorn would try five times.
    """
    extensions = getattr(server.app.wsgi(), "extensions", {})
    check_processes(extensions.get("session_storage"), server.cfg.workers)
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        return  # the sockets are handed over
    for address in server.cfg.address:
        if not isinstance(address, tuple):
            continue
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                typed = "make run" if "MAKELEVEL" in os.environ else "gunicorn"
                raise SystemExit(
                    f"PORT {address[1]} cannot be used ({error.strerror}); "
                    f"use another one with: PORT={address[1] + 1} {typed}"
                ) from None
