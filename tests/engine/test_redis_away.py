"""Where sessions are kept, and what is said when Redis is not there."""

from html import unescape

import pytest
from app import create_app
from app.sessions import MemoryStorage, RedisStorage, StorageUnavailable
from app.web.check import explain
from redis import Redis

from tests.engine.conftest import free_port

PASSWORD = "hunter2"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> str:
    """The host and port of a Redis that is not there."""
    where = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@{where}/0")
    return where


def test_development_says_so_on_the_page(away: str) -> None:
    answer = create_app().test_client().get("/", headers=PAGE)
    text = unescape(answer.text)
    assert answer.status_code == 503
    assert f"{away}. Connection refused" in text
    assert "; fix it with: export REDIS_URL=redis://:password@host:6379/0 (or " in text
    assert PASSWORD not in text


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


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("ConnectionError: refused", "export REDIS_URL=redis://:password@host:6379/0"),
        ("… CERTIFICATE_VERIFY_FAILED …", "export REDIS_CA_CERT=/path/to/ca.pem"),
    ],
)
def test_what_fixes_it_depends_on_the_reason(
    redis: Redis, reason: str, command: str
) -> None:
    _, subject, text = explain(StorageUnavailable(reason), RedisStorage(redis))
    assert subject == "REDIS_URL"
    assert f"({reason}); fix it with: {command}" in text


def test_of_a_storage_of_your_own_only_the_reason_is_known() -> None:
    found = explain(StorageUnavailable("full"), MemoryStorage())
    assert found == ("error", "storage", "full")
