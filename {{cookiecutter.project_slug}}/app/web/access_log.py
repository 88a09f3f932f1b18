"""gunicorn's log in the app's style."""

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from logging import StreamHandler
from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger as GunicornLogger

from .logs import LogfmtFormatter


class Logger(GunicornLogger):
    """Leaves alone what --log-config and --log-syslog say, and log files."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        own = cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
        self.other_format = cfg.access_log_format != "logfmt"
        self.to_stdout = cfg.accesslog == "-" and not (own or cfg.syslog)
        for handler in () if own else self.error_log.handlers:
            if isinstance(handler, StreamHandler):
                handler.setFormatter(LogfmtFormatter())
                if handler.stream is sys.stderr:
                    handler.setStream(sys.stdout)

    def access(self, resp: Any, req: Any, environ: Any, time: timedelta) -> None:
        """Log a request; what clients choose is percent-encoded."""
        if self.other_format:
            super().access(resp, req, environ, time)
            return
        path = quote(environ.get("RAW_URI", "").partition("?")[0], safe="/%:@+,~")
        client = quote(environ.get("REMOTE_ADDR", "").removeprefix("::ffff:"), ":.")
        line = (
            f"time={datetime.now(UTC).isoformat()} level=info logger=gunicorn.access"
            f" method={environ.get('REQUEST_METHOD')} path={path}"
            f" status={(resp.status or '-')[:3]}"
            f" duration_ms={time.total_seconds() * 1000:.1f} bytes={resp.sent}"
            f" request_id={environ.get('app.request_id', '-')} client={client}"
        )
        if self.to_stdout:  # at once: logging takes 5 % of a visit
            with suppress(OSError):
                os.write(1, f"{line}\n".encode())
        else:
            self.access_log.info(line)
