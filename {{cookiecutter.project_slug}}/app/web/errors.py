"""Errors, as a page or as JSON."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Request, Response, jsonify, render_template, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.http import parse_accept_header

from ..sessions import StorageUnavailable
from .storage import outage_hint

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What visitors read, unless a view says more: abort(404, "There is no such book.").
SENTENCES = {
    403: "You are not allowed to see this.",
    404: "There is no page at this address.",
    405: "This page does not take that kind of request.",
    413: "That is more than this app accepts.",
    500: "Something went wrong. Please try again in a moment.",
}


def init_app(app: Flask) -> None:
    """Answer every HTTP error, and every exception as a 500, in the app's own style."""
    app.register_error_handler(HTTPException, show_error)
    app.wsgi_app = AnswerOutages(app.wsgi_app)  # type: ignore[method-assign]
    app.logger.addFilter(is_no_outage)


def show_error(error: HTTPException) -> Response:
    """Keep the error's status and headers (Allow, Retry-After), replace its body."""
    if error.response is not None:
        return cast(Response, error.response)
    if isinstance(error, InternalServerError):
        cause = error.original_exception
        if isinstance(cause, StorageUnavailable):
            raise cause  # from an after_request function, for example
    code = error.code or 500
    if prefers_html(request):
        said = vars(error).get("description")
        try:
            page = render_template(
                "error.html",
                code=code,
                name=error.name,
                description=said or SENTENCES.get(code, error.description),
                hint=outage_hint(error),
            )
        except StorageUnavailable as outage:  # the page may show flashed messages
            return plain_outage(outage, request)
        response = Response(page, content_type="text/html; charset=utf-8")
    else:
        response = jsonify(error=error.name)
    response.status_code = code
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def plain_outage(error: StorageUnavailable, client: Request) -> Response:
    """Answer 503 without a template, and without the session."""
    response = Response(error.get_body(), 503, error.get_headers())
    if not prefers_html(client):
        response.set_data('{"error":"Service Unavailable"}\n')
        response.mimetype = "application/json"
    return response


class AnswerOutages:
    """Answers 503 if the storage fails outside a view, as in a teardown function."""

    def __init__(self, wsgi_app: "WSGIApplication") -> None:
        self.wsgi_app = wsgi_app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        starts: list[Any] = []
        try:
            body = self.wsgi_app(environ, lambda *start: starts.append(start))  # type: ignore[arg-type]
        except Exception as error:
            outage = outage_in(error)
            if outage is None:
                raise
            return plain_outage(outage, Request(environ))(environ, start_response)
        start_response(*starts[-1])
        return body


def outage_in(error: BaseException) -> StorageUnavailable | None:
    """Return the outage, even if it is one of several teardown functions' errors."""
    if isinstance(error, BaseExceptionGroup):  # since Flask 3.2
        return next(filter(None, map(outage_in, error.exceptions)), None)
    return error if isinstance(error, StorageUnavailable) else None


def is_no_outage(record: logging.LogRecord) -> bool:
    """Keep outages out of the app's log: the storage logs them, in two lines."""
    cause = record.exc_info and record.exc_info[1]
    return not isinstance(cause, StorageUnavailable)


def prefers_html(client: Request) -> bool:
    """Return whether the client prefers a page to JSON, as browsers do."""
    return html_comes_first(client.environ.get("HTTP_ACCEPT", ""))


@lru_cache(100)  # there are few; parsing a browser's takes 10 % of its visit
def html_comes_first(accept: str) -> bool:
    accepted = parse_accept_header(accept, MIMEAccept)
    return accepted["text/html"] > accepted["application/json"]
