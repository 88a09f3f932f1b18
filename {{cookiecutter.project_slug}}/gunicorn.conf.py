"""gunicorn reads this file by itself, so `gunicorn` alone starts the app."""

from resource import RLIMIT_NOFILE, RLIMIT_NPROC, getrlimit
from socket import has_dualstack_ipv6

from app.settings import load_settings

settings = load_settings()  # create_app says what is wrong with them
wsgi_app = "app:create_app()"
preload_app = True  # made once, before the fork: a wrong setting stops the start
workers = settings["WEB_CONCURRENCY"]
worker_class = "gthread"
worker_connections = min(10_000, getrlimit(RLIMIT_NOFILE)[0] - 100)  # open files
# Slow clients may take 256 threads, or as many as the host allows (Heroku: 256 in all).
views = settings["WEB_THREADS"]  # at a time: see app/web/places.py
allowed = (getrlimit(RLIMIT_NPROC)[0] % 2**31 - 32) // workers  # -1: no limit
threads = views + max(0, min(256, allowed - views, worker_connections // 2))
sendfile = False  # it would wait without end for a client that does not read
public = "[::]" if has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - [::] takes IPv4, too
bind = [f"{public if settings.production else '127.0.0.1'}:{settings['PORT']}"]
keepalive = 95  # longer than Heroku's router keeps idle connections, which is 90 s
graceful_timeout = 25  # Heroku kills a stopping dyno after 30 s
# The app itself reads what proxies say. Unset, it would be FORWARDED_ALLOW_IPS=* on Heroku.
forwarded_allow_ips = "*" if settings["TRUSTED_PROXIES"] else ""
forwarder_headers = ""  # otherwise any client could set SCRIPT_NAME
control_socket_disable = True  # it needs a writable home folder
loglevel = settings["LOG_LEVEL"].lower()
logger_class = "app.web.access_log.Logger"
accesslog = "-"  # to standard output
access_log_format = "logfmt"  # or any that gunicorn documents


def on_starting(server):  # type: ignore[no-untyped-def] # gunicorn has no types
    """Refuse, in one sentence, what would go wrong."""
    memory = getattr(server.app.wsgi(), "config", {}).get("SESSIONS_IN_MEMORY")
    if memory and (many := server.cfg.workers) > 1:
        what = f"Sessions are kept in memory, which {many} processes cannot share"
        fix = "export REDIS_URL=redis://127.0.0.1:6379/0 (or start one: --workers 1)"
        raise SystemExit(f"{what}; fix it with: {fix}")
    if any(kind in str(server.cfg.worker_class) for kind in ("gevent", "asgi")):
        raise SystemExit("Views would hang or fail under that worker; leave out: -k")
    if server.cfg.reload:
        raise SystemExit("--reload would go on serving old code; reload with: make dev")


def when_ready(server):  # type: ignore[no-untyped-def]
    """Wait for no client without end: see app/web/connection.py."""
    getattr(server.app.wsgi(), "extensions", {}).get("guard", list)(server.LISTENERS)
