"""Logs in logfmt, one line per event, on standard output."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from textwrap import indent

import click
from flask import has_request_context, request

PLAIN = re.compile(r"[!#-<>-~]+")  # needs no quotes: it has no space, quote or =
STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class LogfmtFormatter(logging.Formatter):
    """Formats a record as `time=… level=… logger=… request_id=… message=…`.

    What a call gives as `extra` follows, then the lines of an exception or a stack.
    """

    def format(self, record: logging.LogRecord) -> str:
        given = vars(record).items()
        line = logfmt(
            time=datetime.fromtimestamp(record.created, UTC).isoformat(),
            level=record.levelname.lower(),
            logger=record.name,
            request_id=request.environ.get("app.request_id")
            if has_request_context()
            else None,
            message=record.getMessage(),
            **{name: value for name, value in given if name not in STANDARD},
        )
        more = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            more.append(self.formatStack(record.stack_info))
        # Indented, so that no line of an exception's text can pass for an event.
        return "\n".join([line, *(indent(text, "  ") for text in more)])


def configure(level: str) -> None:
    """Log events of this level and above, where hosts collect them."""
    # A `flask` command prints its results to stdout, so its log goes to stderr.
    in_command = click.get_current_context(silent=True)
    handler = logging.StreamHandler(sys.stderr if in_command else sys.stdout)
    handler.setFormatter(LogfmtFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # Print the address on a line of its own, as `flask run` does.
    logging.getLogger("werkzeug").propagate = False


def logfmt(**fields: object) -> str:
    """Return `name=value …`, leaving out the fields that are None."""
    known = {name: str(value) for name, value in fields.items() if value is not None}
    return " ".join(f"{name}={quoted(text)}" for name, text in known.items())


def quoted(text: str) -> str:
    """Quote the text if needed, so that one event stays one line."""
    return text if PLAIN.fullmatch(text) else json.dumps(text)
