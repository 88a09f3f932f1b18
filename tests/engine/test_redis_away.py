"""Where sessions are kept, and what is said when Redis is not there."""

import pytest
from app import create_app

from tests.engine.conftest import free_port

PASSWORD = "hunter2"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> str:
    """The host and port of a Redis that is not there."""
    where = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@{where}/0")
    return where


def test_production_tells_neither_visitors_nor_itself(
    away: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Redis that is away for a moment must not keep a deployment from starting."""
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("SECRET", "0123456789abcdef-0123456789abcdef")
    app = create_app()
    assert caplog.text == ""
    answer = app.test_client().get("/", headers=PAGE)
    assert answer.status_code == 503
    for secret in away, "refused", "REDIS_URL", "fix it with", PASSWORD:
        assert secret not in answer.text


def test_a_redis_that_is_there_is_worth_no_word(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    create_app()
    assert caplog.text == ""
