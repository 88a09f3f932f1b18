"""gunicorn's log in the app's style, with a line for each request."""

import re
import sys
from datetime import UTC, datetime
from logging import StreamHandler
from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger as GunicornLogger

from .logs import LogfmtFormatter

FIELD = re.compile(r"%\(([^)]+)\)")


class Logger(GunicornLogger):
    """Logs events as the app does, unless --log-config says how."""

    def setup(self, cfg: Any) -> None:
        """Write events to standard output; leave files, and syslog's format, alone."""
        super().setup(cfg)
        self.fields = set(FIELD.findall(cfg.access_log_format))
        if cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json:
            return
        for handler in self.error_log.handlers:
            if isinstance(handler, StreamHandler):
                handler.setFormatter(LogfmtFormatter())
                if handler.stream is sys.stderr:
                    handler.setStream(sys.stdout)

    def atoms(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any
    ) -> dict[str, Any]:
        """Return the fields of an access line, percent-encoded as clients can choose them.

        gunicorn's own, which take 5 % of a visit, are there for other formats.
        """
        path = (environ.get("RAW_URI") or "-").partition("?")[0]
        client = (environ.get("REMOTE_ADDR") or "-").removeprefix("::ffff:")
        atoms: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(),
            "method": environ.get("REQUEST_METHOD") or "-",
            "path": quote(path, safe="/%:@!$&'()*+,;~[]"),
            "status": (resp.status or "-")[:3],
            "duration_ms": f"{request_time.total_seconds() * 1000:.1f}",
            "bytes": resp.sent,
            "request_id": environ.get("app.request_id", "-"),
            "client": quote(client, safe=":.%"),
        }
        if not self.fields <= atoms.keys():
            atoms |= super().atoms(resp, req, environ, request_time)
        return atoms
