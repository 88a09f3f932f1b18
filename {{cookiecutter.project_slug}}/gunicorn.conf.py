"""gunicorn reads this file by itself, so `gunicorn` alone starts the app."""

import resource
import socket

from app.settings import load_settings

settings = load_settings()  # create_app says what is wrong with them
wsgi_app = "app:create_app()"

# The app is made once, before the workers fork: a wrong setting stops the start, not each
# worker again and again, and the workers share memory.
preload_app = True
workers = settings["WEB_CONCURRENCY"]
worker_class = "gthread"

# Each connection is one of the open files that the host allows a process, which also
# needs some for other things.
worker_connections = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)

# Threads are for clients, who may be slow; WEB_THREADS says how many views are at work:
# see app/web/places.py. Some hosts limit threads: Heroku's small dynos to 256 in all.
most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
most = 256 if most < 0 else (most - 32) // workers
places = settings["WEB_THREADS"]
threads = places + max(0, min(256, most - places, worker_connections // 2))
sendfile = False  # a client that does not read could stop it for ever

# In development, only this machine can connect. In production, a host's router may use
# IPv4 or IPv6: [::] accepts both, where the system has both.
host = "[::]" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104
bind = [f"{host if settings.production else '127.0.0.1'}:{settings['PORT']}"]

# Longer than the 90 s for which Heroku's router keeps idle connections: if the app closed
# them first, a request could arrive at that very moment and be lost.
keepalive = 95
graceful_timeout = 25  # Heroku kills a stopping dyno after 30 s

# The app itself reads what a proxy says of the client. If this were unset,
# FORWARDED_ALLOW_IPS=* in the environment would make gunicorn trust everybody.
forwarded_allow_ips = "*" if settings["TRUSTED_PROXIES"] else ""
forwarder_headers = ""  # otherwise any client could set SCRIPT_NAME

control_socket_disable = (
    True  # it needs a writable home folder, which not every host has
)
accesslog = "-"  # to standard output
access_log_format = (
    "time=%(time)s level=info logger=gunicorn.access method=%(method)s path=%(path)s "
    "status=%(status)s duration_ms=%(duration_ms)s bytes=%(bytes)s "
    "request_id=%(request_id)s client=%(client)s"
)
logger_class = "app.web.access_log.Logger"
loglevel = settings["LOG_LEVEL"].lower()


def on_starting(server):  # type: ignore[no-untyped-def] # gunicorn has no types
    """Refuse, in one sentence, several processes with sessions in memory, and --reload."""
    in_memory = getattr(server.app.wsgi(), "config", {}).get("SESSIONS_IN_MEMORY")
    if in_memory and server.cfg.workers > 1:
        raise SystemExit(
            f"Sessions are kept in memory, which {server.cfg.workers} processes cannot "
            "share; fix it with: export REDIS_URL=redis://127.0.0.1:6379/0 "
            "(or start one: --workers 1)"
        )
    if server.cfg.reload:
        raise SystemExit(
            "gunicorn --reload would go on serving the old code; reload with: make dev"
        )


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Wait for no client without end, unless the app is one that does not know how."""
    guard = getattr(worker.app.wsgi(), "extensions", {}).get("guard")
    if guard:
        guard(worker.sockets)
