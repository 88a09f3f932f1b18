"""Errors, as a page or as JSON."""

import logging
from functools import lru_cache

from flask import Request, jsonify, render_template, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response

from ..sessions import StorageUnavailable


def show_error(error: HTTPException) -> Response:
    """Keep the error's status and headers (Allow, Retry-After), replace its body."""
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, StorageUnavailable):  # in an after_request function, say
        error = cause
    answer = error.get_response()
    # A view's own answer; or Flask refused the host, and cannot make URLs for a page.
    if error.response is not None or isinstance(error, SecurityError):
        return answer
    if not prefers_html(request):
        answer.data = jsonify(error=error.name).data
        answer.mimetype = "application/json"
        return answer
    try:
        said = vars(error).get("description")
        answer.data = render_template("error.html", error=error, said=said)
    except StorageUnavailable as outage:  # the page uses the session, too
        return outage.get_response()
    return answer


def is_no_outage(record: logging.LogRecord) -> bool:
    """Keep outages out of the app's log: the storage logs them, in two lines."""
    return not (record.exc_info and isinstance(record.exc_info[1], StorageUnavailable))


def prefers_html(client: Request) -> bool:
    """Return whether the client prefers a page to JSON, as browsers do."""
    environ = client.environ
    environ["app.varies_by_accept"] = True  # headers.py tells caches so, by Vary
    return html_comes_first(environ.get("HTTP_ACCEPT", ""))


@lru_cache(100)  # there are few, and parsing one takes 4 % of a visit
def html_comes_first(accept: str) -> bool:
    accepted = parse_accept_header(accept, MIMEAccept)
    return accepted["text/html"] > accepted["application/json"]
