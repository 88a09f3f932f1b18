"""Static files, which browsers keep for a year: their URLs change with their content."""

from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, request


def init_app(app: Flask) -> None:
    """Put a hash of all static files into the URL of each."""
    files = sorted(Path(app.static_folder or "").rglob("*"))
    contents = (file.read_bytes() for file in files if file.is_file())
    version = sha256(b"".join(contents)).hexdigest()[:16]

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, str]) -> None:
        if endpoint == "static":
            values["v"] = version

    def send(filename: str) -> Response:
        response = app.send_static_file(filename)
        # During a deploy, another release's URL may come here: browsers must not keep
        # this file under that URL for a year.
        if request.args.get("v") == version:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    app.view_functions["static"] = send
