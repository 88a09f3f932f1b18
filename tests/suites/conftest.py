"""What the suites share: where our sessions are kept."""

import pytest


@pytest.fixture(params=["memory", "redis"])
def sessions(request: pytest.FixtureRequest) -> str:
    """Where our sessions are kept."""
    if request.param == "memory":
        return "memory"
    return str(request.getfixturevalue("redis_url"))
