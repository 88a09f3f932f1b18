"""gunicorn's log in the app's style; an access line's format is in gunicorn.conf.py."""

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
        self.to_stdout = cfg.accesslog == "-" and not (own or cfg.syslog)
        for handler in () if own else self.error_log.handlers:
            if isinstance(handler, StreamHandler):
                handler.setFormatter(LogfmtFormatter())
                if handler.stream is sys.stderr:
                    handler.setStream(sys.stdout)

    def access(self, *request: Any) -> None:
        """Write a line at once, if it goes to standard output: logging takes 5 % of a visit."""
        line = ""
        with suppress(KeyError):  # if the format has gunicorn's own fields
            line = self.cfg.access_log_format % fields(*request)
        if line and self.to_stdout:
            with suppress(OSError):
                os.write(1, f"{line}\n".encode())
        else:
            super().access(*request)

    def atoms(self, *request: Any) -> Any:
        return super().atoms(*request) | fields(*request)


def fields(
    resp: Any, _: Any, environ: dict[str, Any], time: timedelta
) -> dict[str, Any]:
    """Return a line's fields; what clients choose is percent-encoded."""
    path = environ.get("RAW_URI", "").partition("?")[0]
    client = environ.get("REMOTE_ADDR", "").removeprefix("::ffff:")
    return {
        "time": datetime.now(UTC).isoformat(),
        "method": environ.get("REQUEST_METHOD"),
        "path": quote(path, safe="/%:@+,~"),
        "status": (resp.status or "-")[:3],
        "ms": f"{time.total_seconds() * 1000:.1f}",
        "bytes": resp.sent,
        "id": environ.get("app.request_id", "-"),
        "client": quote(client, ":."),
    }
