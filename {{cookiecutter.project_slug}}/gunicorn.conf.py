"""gunicorn reads this file by itself, so `gunicorn` alone starts the app."""

import os
import resource
import socket

from app.settings import read_settings
from app.web import env_file
from app.web.storage import check_processes

env_file.load()
settings, _ = read_settings(os.environ)  # create_app says what is wrong with them
wsgi_app = "app:create_app()"

# The app is made once, before the workers fork: a wrong setting stops the start, not each
# worker again and again, and the workers share memory.
preload_app = True

# Threads, because a request mostly waits; slow clients do not get one: see app/web/worker.py.
# On one core, 2 threads count 3 % fewer visits than 4, and one thread 16 % fewer. Not worth
# it: the HTTP parser in C (2 % faster), other garbage collector settings (no faster).
worker_class = "app.web.worker.Worker"
workers = settings.processes
threads = settings.threads

# More visitors than these have to wait. Each connection is one of the open files that the
# host allows a process, which also needs some for other things.
worker_connections = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)

# In development, only this machine can connect. In production, a host's router may use
# IPv4 or IPv6: [::] accepts both, where the system has both.
host = "[::]" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104
bind = [f"{host if settings.production else '127.0.0.1'}:{settings.port}"]

# Longer than the 90 s for which Heroku's router keeps idle connections: if the app closed
# them first, a request could arrive at that very moment and be lost.
keepalive = 95

# Heroku kills a stopping dyno after 30 s, and its router cuts off a request after 30 s. The
# time-out is also how long a request may take to arrive.
graceful_timeout = 25
timeout = 30

# The app itself reads what a proxy says of the client: see app/web/proxies.py. If this were
# unset, FORWARDED_ALLOW_IPS=* in the environment would make gunicorn trust everybody.
forwarded_allow_ips = "*" if settings.trusted_proxies else ""
forwarder_headers = ""  # otherwise any client could set SCRIPT_NAME

control_socket_disable = (
    True  # it needs a writable home folder, which not every host has
)
accesslog = "-"  # to standard output, in logfmt: see app/web/access_log.py
logger_class = "app.web.access_log.Logger"
loglevel = settings.log_level.lower()


def on_starting(server):  # type: ignore[no-untyped-def] # gunicorn has no types
    """Refuse, in one sentence, several processes with sessions in memory, or a taken port.

    gunicorn would try a taken port five times.
    """
    extensions = getattr(server.app.wsgi(), "extensions", {})
    check_processes(extensions.get("session_storage"), server.cfg.workers)
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        return  # gunicorn is given its sockets
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
