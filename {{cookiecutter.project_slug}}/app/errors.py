"""Errors, as a page or as JSON."""

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException


def init_app(app: Flask) -> None:
    """Answer every HTTP error, and every exception as a 500, in the app's own style."""
    app.register_error_handler(HTTPException, show_error)


def show_error(error: HTTPException) -> Response | HTTPException:
    """Keep the error's status and headers (Allow, Retry-After), replace its body."""
    if error.response is not None:
        return error
    code = error.code or 500
    if prefers_html():
        response = Response(
            render_template(
                "error.html", code=code, name=error.name, description=error.description
            ),
            content_type="text/html; charset=utf-8",
        )
    else:
        response = jsonify(error=error.name)
    response.status_code = code
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def prefers_html() -> bool:
    """Whether the client would rather have a page than JSON, as browsers do."""
    if request.environ.get("HTTP_ACCEPT", "*/*") == "*/*":
        return False  # the usual case of programs, told without parsing
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/json"]
