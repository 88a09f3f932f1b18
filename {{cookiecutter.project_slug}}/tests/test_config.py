"""Settings: what is read, what is refused, and in which words."""

from pathlib import Path

import pytest

from app import config, create_app
from app.config import ConfigurationError, Settings, load_settings
from app.sessions import MemoryStorage, RedisStorage

GOOD = "0123456789abcdef-0123456789abcdef"
PASSWORD = "hunter2"  # noqa: S105


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An .env of the test's own."""
    path = tmp_path / ".env"
    monkeypatch.setattr(config, "ENV_FILE", path)
    return path


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A sound configuration for production, to be changed by the test."""
    monkeypatch.setenv("APP_ENV", "")
    monkeypatch.setenv("SECRET", GOOD)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
    return monkeypatch


def refusal() -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    return str(caught.value)


def test_production_is_what_happens_when_nobody_says_otherwise(
    production: pytest.MonkeyPatch,
) -> None:
    assert load_settings().production
    production.setenv("APP_ENV", "staging")
    assert load_settings().production
    production.delenv("APP_ENV")
    assert load_settings().production


def test_the_environment_goes_before_the_env_file(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("PORT=1111\nWEB_THREADS=7\n")
    monkeypatch.setenv("PORT", "2222")
    monkeypatch.delenv("WEB_THREADS")
    settings = load_settings()
    assert (settings.port, settings.threads) == (2222, 7)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("dev-" + GOOD, "made for development"),
        ("change-me-" + GOOD, "placeholder"),
        (GOOD[:31], "has 31 characters"),
        ("abc" * 20, "too few different characters"),
    ],
)
@pytest.mark.parametrize("name", ["SECRET", "SECRET_FALLBACKS"])
def test_production_refuses_a_weak_secret_without_printing_it(
    production: pytest.MonkeyPatch, name: str, secret: str, reason: str
) -> None:
    production.setenv(name, secret)
    message = refusal()
    assert message.startswith(f"{name} ")
    assert reason in message
    assert "secrets.token_urlsafe" in message
    assert len(message.splitlines()) == 1
    assert secret not in message


def test_production_needs_a_secret(production: pytest.MonkeyPatch) -> None:
    production.setenv("APP_ENV", "production")
    production.setenv("SECRET", "")
    assert refusal().startswith("SECRET is not set, but it signs the cookies; ")


def test_a_project_without_its_env_file_says_so(
    production: pytest.MonkeyPatch,
) -> None:
    production.setenv("SECRET", "")
    assert refusal().startswith("SECRET is not set, and there is no .env")
    assert "echo APP_ENV=development > .env" in refusal()


def test_development_does_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SECRET", "")
    first, second = create_app(), create_app()
    assert first.secret_key != second.secret_key
    assert "SECRET is not set" in caplog.text


def test_production_needs_a_redis(production: pytest.MonkeyPatch) -> None:
    production.setenv("REDIS_URL", "")
    assert "export REDIS_URL=redis://" in refusal()
    production.setenv("DYNO", "web.1")
    assert "heroku addons:create heroku-redis" in refusal()


def test_production_does_with_memory_when_told_to(
    production: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    production.setenv("REDIS_URL", "memory://")
    production.setenv("WEB_CONCURRENCY", "4")
    app = create_app()
    assert isinstance(app.extensions["session_storage"], MemoryStorage)
    assert "kept in memory" in caplog.text
    assert load_settings().processes == 1


def test_a_storage_of_your_own_needs_no_redis(production: pytest.MonkeyPatch) -> None:
    production.setenv("REDIS_URL", "")
    storage = MemoryStorage()
    assert create_app(storage=storage).extensions["session_storage"] is storage


@pytest.mark.parametrize(
    "url",
    [
        "foo",
        "http://127.0.0.1",
        "redis://",
        f"redis://:{PASSWORD}@",
        f"redis://:{PASSWORD}/x@host:6379/0",
        f"redis://:{PASSWORD}@host:port/0",
        f"redis://:{PASSWORD}@host:99999/0",
        f"redis://:{PASSWORD}@host:6379/zero",
        f"redis://:{PASSWORD}@one:6379,two:6379/0",
        f"redis+sentinel://:{PASSWORD}@host:26379",
        f"redis+cluster://:{PASSWORD}@host:7000/1",
        "redis+other://host",
        "redis://[::1",
        f"redis://:{PASSWORD}@host?db=3",
    ],
)
def test_a_wrong_redis_url_is_refused_without_printing_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    message = refusal()
    assert message.startswith("REDIS_URL is no address of a Redis: ")
    assert "export REDIS_URL=redis://127.0.0.1:6379/0" in message
    assert PASSWORD not in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://:p%40ss@127.0.0.1:6379/1",
        "rediss://user:password@[::1]:6380",
        "unix:///var/run/redis.sock",
        "redis+sentinel://one:26379,two/service/1",
    ],
)
def test_a_right_redis_url_connects_nothing_yet(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    storage = create_app().extensions["session_storage"]
    assert isinstance(storage, RedisStorage)


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "WEB_CONCURRENCY",
        "WEB_THREADS",
        "SESSION_IDLE_TIMEOUT",
        "SESSION_LIFETIME",
        "TRUSTED_PROXIES",
    ],
)
@pytest.mark.parametrize("value", ["abc", "-1", "1.5", "²", "9" * 30, "9" * 5000])
def test_a_number_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    message = refusal()
    assert message.startswith(f"{name} is '{value}', not a whole number from ")
    assert f"export {name}=" in message


def test_every_wrong_setting_gets_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("REDIS_TLS_VERIFY", "maybe")
    assert len(refusal().splitlines()) == 3


def test_settings_do_not_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@host")
    settings = load_settings()
    assert isinstance(settings, Settings)
    assert "s3cret" not in repr(settings)
    assert PASSWORD not in repr(settings)
