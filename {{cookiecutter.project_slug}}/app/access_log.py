"""gunicorn's log in the style of the app's: an access line for each request."""

import sys
from datetime import timedelta
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

    def access(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta
    ) -> None:
        if not self.access_log_enabled:
            return
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        line = (
            f"method={environ['REQUEST_METHOD']} path={quoted(path)}"
            f" status={resp.status[:3]}"
            f" duration_ms={request_time.total_seconds() * 1000:.1f} bytes={resp.sent}"
            f" request_id={environ['app.request_id']}"
            f" client={environ['REMOTE_ADDR'].removeprefix('::ffff:')}"
        )
        if self.cfg.accesslog != "-":
            self.access_log.info("%s", line)
            return
        # As the logger would, in a fifth of its time. A full disk costs no answers.
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            pass
