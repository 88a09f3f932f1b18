"""Logs in logfmt, one line per event, on standard output."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from textwrap import indent

from flask import has_request_context, request

PLAIN = re.compile(r"[!#-<>-~]+")  # needs no quotes: it has no space, quote or =
STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class LogfmtFormatter(logging.Formatter):
    """Formats a record as `time=… level=… logger=… request_id=… message=…`, and `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        in_request = has_request_context()
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": request.environ.get("app.request_id") if in_request else None,
            "message": record.getMessage(),
        }
        extra = {n: value for n, value in vars(record).items() if n not in STANDARD}
        lines = [logfmt(**fields | extra)]
        # Indented, so that no line of an exception's text can pass for an event.
        if record.exc_info:
            lines.append(indent(self.formatException(record.exc_info), "  "))
        if record.stack_info:
            lines.append(indent(self.formatStack(record.stack_info), "  "))
        return "\n".join(lines)


def configure(level: str) -> None:
    """Log events of this level and above, where hosts collect them."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LogfmtFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # Print the address on a line of its own, as `flask run` does.
    logging.getLogger("werkzeug").propagate = False


def logfmt(**fields: object) -> str:
    """Return `name=value …`, leaving out the fields that are None."""
    known = {name: str(value) for name, value in fields.items() if value is not None}
    return " ".join(f"{quoted(name)}={quoted(text)}" for name, text in known.items())


def quoted(text: str) -> str:
    """Quote the text if needed, so that one event stays one line."""
    return text if PLAIN.fullmatch(text) else json.dumps(text)
