"""Fixtures for the recipes of the project's docs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.docs.recipes import SECRET, copy_of, type_in
from tests.engine.sessions.postgresql import PostgreSQL


@pytest.fixture
def typed(baked: Path, tmp_path: Path) -> Callable[..., Path]:
    """A function that types recipes into a copy of the default project."""

    def typed(*recipes: str) -> Path:
        project = copy_of(baked, tmp_path / "typed")
        for recipe in recipes:
            type_in(project, recipe)
        return project

    return typed


@pytest.fixture
def deploy(redis_url: str) -> Iterator[Callable[..., Server]]:
    """A function that starts a project in production, behind a proxy that speaks https."""
    servers: list[Server] = []
    production = {
        "APP_ENV": "production",
        "SECRET": SECRET,
        "REDIS_URL": redis_url,
        "TRUSTED_PROXIES": "1",
        "WEB_CONCURRENCY": "1",  # the recipe's users are in memory
    }

    def deploy(project: Path, **settings: str) -> Server:
        servers.append(Server(project, "web", **production | settings))
        return servers[-1]

    yield deploy
    for server in servers:
        if server.process.returncode is None:
            server.stop()


@pytest.fixture(scope="module")
def postgresql_url() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    server = PostgreSQL()
    yield server.url
    server.remove()
