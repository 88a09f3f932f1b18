"""gunicorn's log in the style of the app's: an access line for each request."""

import sys
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from .logs import LogfmtFormatter, logfmt


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
        line = logfmt(
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
            status=resp.status.split(" ")[0],
            duration_ms=round(request_time / timedelta(milliseconds=1), 1),
            bytes=resp.sent,
            request_id=environ.get("app.request_id"),
            client=environ["REMOTE_ADDR"].removeprefix("::ffff:"),
        )
        self.access_log.info("%s", line)
