"""A pytest plugin that puts our sessions in place of Flask's, in another project's tests.

SESSIONS says where they are kept: `memory` or a Redis URL; empty leaves Flask's own.
OUTCOMES names the file that gets the outcome of each test, and the number of sessions of
ours that were opened, as JSON.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import flask
import pytest
from flask.sessions import SessionInterface, SessionMixin
from redis import Redis

TEMPLATE = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}"
OUTCOMES: dict[str, str] = {}


def lift_out(package: Path) -> ModuleType:
    """Import the sessions by themselves: without the app, and without a path to it."""
    file = package / "__init__.py"
    spec = importlib.util.spec_from_file_location("our_sessions", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class StandIn(SessionInterface):
    """Gives each app sessions of ours, signed with the keys that it has at that time."""

    opened = 0

    def __init__(self, ours: ModuleType, url: str) -> None:
        self._ours = ours
        self._storage = (
            ours.MemoryStorage()
            if url == "memory"
            else ours.RedisStorage(Redis.from_url(url))
        )

    def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
        """Return a session of ours, or None if the app has no key: Flask then fails."""
        if not app.secret_key:
            return None
        StandIn.opened += 1
        return self._for(app).open_session(app, request)

    def save_session(
        self, app: flask.Flask, session: SessionMixin, response: flask.Response
    ) -> None:
        self._for(app).save_session(app, session, response)

    def _for(self, app: flask.Flask) -> Any:
        keys = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
        lifetime = int(app.permanent_session_lifetime.total_seconds())
        return self._ours.ServerSideSessionInterface(
            self._storage,
            [key.decode("latin-1") if isinstance(key, bytes) else key for key in keys],
            idle_timeout=lifetime,
            lifetime=lifetime,
        )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the outcome: that of the first step which did not pass, if any."""
    if OUTCOMES.get(report.nodeid, "passed") == "passed":
        OUTCOMES[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    told = {"outcomes": OUTCOMES, "opened": StandIn.opened}
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(told))


if os.environ["SESSIONS"]:
    flask.Flask.session_interface = StandIn(
        lift_out(TEMPLATE / "app/sessions"), os.environ["SESSIONS"]
    )
