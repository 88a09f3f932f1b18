"""The headers that every response gets, and the request's id."""

import random
import re
from typing import Any

from .environment import Settings

REQUEST_ID = re.compile(r"[A-Za-z0-9+/=._-]{1,200}")


def add(wsgi_app: Any, settings: Settings) -> Any:
    """Wrap an app, so that its answers get the headers that they do not set themselves.

    Flask's after_request would be too early: the session's outage replaces the answer.
    """
    by_name = {name.lower(): (name, text) for name, text in settings["HEADERS"].items()}
    behind_proxy = settings["TRUSTED_PROXIES"] > 0  # or anybody could choose the id

    def wrapper(environ: dict[str, Any], start_response: Any) -> Any:
        request_id = environ.get("HTTP_X_REQUEST_ID", "") if behind_proxy else ""
        if not REQUEST_ID.fullmatch(request_id):
            request_id = f"{random.getrandbits(128):032x}"  # it need not be secret
        environ["app.request_id"] = request_id

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            present = {name.lower() for name, _ in headers}
            missing = [by_name[name] for name in by_name if name not in present]
            headers += [*missing, ("X-Request-ID", request_id)]
            if "app.varies_by_accept" in environ:  # see prefers_html()
                varies = [text for name, text in headers if name.lower() == "vary"]
                headers = [pair for pair in headers if pair[0].lower() != "vary"]
                headers.append(("Vary", ", ".join([*varies, "Accept"])))
            return start_response(status, headers, *exc_info)

        return wsgi_app(environ, start)

    return wrapper
