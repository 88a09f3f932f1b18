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
        environ = request.environ if has_request_context() else {}
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": environ.get("app.request_id"),
            "message": record.getMessage(),
        }
        extra = {n: value for n, value in vars(record).items() if n not in STANDARD}
        # Indented, so that no line of an exception's text can pass for an event.
        more = [self.formatException(record.exc_info)] if record.exc_info else []
        more += [record.stack_info] if record.stack_info else []
        return "\n".join([logfmt(**fields | extra), *(indent(t, "  ") for t in more)])


def configure(level: str) -> None:
    """Log events of this level and above, where hosts collect them."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LogfmtFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # Print the address on a line of its own, as `flask run` does.
    logging.getLogger("werkzeug").propagate = False


def logfmt(**fields: object) -> str:
    """Return `name=value …`, quoted if needed, without the fields that are None."""
    pairs = [(name, str(text)) for name, text in fields.items() if text is not None]
    return " ".join("=".join(map(quoted, pair)) for pair in pairs)


def quoted(text: str) -> str:
    return text if PLAIN.fullmatch(text) else json.dumps(text)
