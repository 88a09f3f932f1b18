"""gunicorn's log in the app's style; an access line's format is in gunicorn.conf.py."""

import re
import sys
from datetime import UTC, datetime
from logging import StreamHandler
from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger as GunicornLogger

from .logs import LogfmtFormatter


class Logger(GunicornLogger):
    """Leaves alone what --log-config and --log-syslog say, and log files."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.fields = set(re.findall(r"%\(([^)]+)\)", cfg.access_log_format))
        own = cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
        for handler in () if own else self.error_log.handlers:
            if isinstance(handler, StreamHandler):
                handler.setFormatter(LogfmtFormatter())
                if handler.stream is sys.stderr:
                    handler.setStream(sys.stdout)

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: Any) -> Any:
        """Return a line's fields; what clients choose is percent-encoded."""
        path = environ.get("RAW_URI", "").partition("?")[0]
        client = environ.get("REMOTE_ADDR", "").removeprefix("::ffff:")
        atoms = {
            "time": datetime.now(UTC).isoformat(),
            "method": environ.get("REQUEST_METHOD"),
            "path": quote(path, safe="/%:@+,~"),
            "status": (resp.status or "-")[:3],
            "ms": f"{request_time.total_seconds() * 1000:.1f}",
            "bytes": resp.sent,
            "id": environ.get("app.request_id", "-"),
            "client": quote(client, ":."),
        }
        if self.fields <= atoms.keys():
            return atoms
        return atoms | super().atoms(resp, req, environ, request_time)  # 5 % of a visit
