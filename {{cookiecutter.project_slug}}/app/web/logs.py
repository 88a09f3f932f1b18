"""Logs in logfmt, one line per event, on standard output."""

import json
import logging
import random
import re
import sys
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

import click
from flask import has_request_context, request

REQUEST_ID = re.compile(r"[A-Za-z0-9+/=._-]{1,200}")
PLAIN = re.compile(r"[!#-<>-~]+")  # needs no quotes: it has no space, quote or =


class LogfmtFormatter(logging.Formatter):
    """Formats a record as `time=… level=… logger=… request_id=… message=…`."""

    def format(self, record: logging.LogRecord) -> str:
        line = logfmt(
            time=datetime.fromtimestamp(record.created, UTC).isoformat(),
            level=record.levelname.lower(),
            logger=record.name,
            request_id=request_id(request.environ) if has_request_context() else None,
            message=record.getMessage(),
        )
        if record.exc_info:
            # Indented, so that no line of an exception's text can pass for an event.
            line += "\n" + indent(self.formatException(record.exc_info), "  ")
        return line


def configure(level: str) -> None:
    """Log events of this level and above, where hosts collect them."""
    # There, a `flask` command prints its own results.
    in_command = click.get_current_context(silent=True)
    handler = logging.StreamHandler(sys.stderr if in_command else sys.stdout)
    handler.setFormatter(LogfmtFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # As users of `flask run` know it: its address on a line of its own.
    logging.getLogger("werkzeug").propagate = False


def logfmt(**fields: object) -> str:
    """Return `name=value …`, leaving out the fields that are None."""
    known = {name: str(value) for name, value in fields.items() if value is not None}
    return " ".join(f"{name}={quoted(text)}" for name, text in known.items())


def quoted(text: str) -> str:
    """Quote the text if needed, so that one event stays one line."""
    return text if PLAIN.fullmatch(text) else json.dumps(text)


def request_id(environ: dict[str, Any]) -> str:
    """Return the proxy's X-Request-ID if it is well-formed, otherwise a new one."""
    if "app.request_id" not in environ:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        if not REQUEST_ID.fullmatch(given):
            given = f"{random.getrandbits(128):032x}"  # it need not be secret
        environ["app.request_id"] = given
    return str(environ["app.request_id"])
