"""gunicorn's log in the app's style, with a line for each request."""

import sys
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from .logs import LogfmtFormatter, quoted


class Logger(GunicornLogger):
    """Logs a request by its path, never by its query, cookies or other headers."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setStream(sys.stdout)
            handler.setFormatter(LogfmtFormatter())

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write the line; never raise: gunicorn would then send a second answer."""
        if not self.access_log_enabled:
            return
        try:
            # Answers that gunicorn makes itself lack PATH_INFO, and some have no status.
            path = (environ.get("PATH_INFO") or req.path or "").encode("latin-1")
            client = environ.get("REMOTE_ADDR") or ""
            line = (
                f"method={environ['REQUEST_METHOD']}"
                f" path={quoted(path.decode(errors='replace'))}"
                f" status={(resp.status or '-')[:3]}"
                f" duration_ms={request_time.total_seconds() * 1000:.1f}"
                f" bytes={resp.sent} request_id={environ.get('app.request_id')}"
                f" client={quoted(client.removeprefix('::ffff:'))}"
            )
            if self.cfg.accesslog != "-":
                self.access_log.info("%s", line)
                return
            # The logger would do the same, and take 4 % of a visit more.
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            pass  # a full disk must not cost an answer
        except Exception:  # noqa: BLE001
            self.exception("The access line could not be written")
