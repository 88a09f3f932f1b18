"""Settings: what is read, what is refused, and in which words."""

import os
import tempfile
from pathlib import Path

import pytest
from app import create_app
from app.sessions import MemoryStorage, RedisStorage
from app.settings import load_settings
from app.web import environment
from app.web.environment import Settings
from click import Choice

GOOD = "0123456789abcdef-0123456789abcdef"
PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def env_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A .env file of the test's own."""
    path = tmp_path / ".env"
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED")
    monkeypatch.setattr(environment, "ENV_FILE", path)
    return path


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A valid configuration for production, for the test to change."""
    monkeypatch.setenv("APP_ENV", "")
    monkeypatch.setenv("SECRET", GOOD)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
    return monkeypatch


def refusal() -> str:
    with pytest.raises(SystemExit) as caught:
        load_settings().refuse_errors(own_storage=False)
    return str(caught.value)


def test_production_is_what_happens_when_nobody_says_otherwise(
    production: pytest.MonkeyPatch,
) -> None:
    assert load_settings().production
    production.setenv("APP_ENV", "staging")
    assert load_settings().production
    production.setenv("APP_ENV", "Development")
    assert not load_settings().production
    production.delenv("APP_ENV")
    assert load_settings().production


def test_the_environment_goes_before_the_env_file(
    env_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_path.write_text("PORT=1111\nWEB_THREADS=7\n")
    monkeypatch.setenv("PORT", "2222")
    monkeypatch.delenv("WEB_THREADS", raising=False)
    settings = load_settings()
    assert (settings["PORT"], settings["WEB_THREADS"]) == (2222, 7)


@pytest.mark.parametrize(
    "text",
    [
        "PORT=1234\nLOG_LEVEL=DEBUG",
        "\ufeffPORT=1234\nLOG_LEVEL=DEBUG\n",
        "PORT=1234\r\nLOG_LEVEL=DEBUG\r\n",
        "export PORT=1234\nexport LOG_LEVEL=DEBUG\n",
        "PORT=\"1234\"\nLOG_LEVEL='DEBUG'\n",
        "PORT=1234 # a port\n\n# a comment\n LOG_LEVEL = DEBUG  # a level\n",
    ],
    ids=["plain", "BOM", "CRLF", "export", "quotes", "comments"],
)
def test_the_env_file_is_read_as_python_dotenv_documents_it(
    env_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    env_path.write_bytes(text.encode())
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    settings = load_settings()
    assert (settings["PORT"], settings["LOG_LEVEL"]) == (1234, "DEBUG")


def test_an_env_file_in_another_encoding_is_refused_by_name(env_path: Path) -> None:
    env_path.write_text("PORT=1234", encoding="utf-16")  # as PowerShell does
    assert refusal().startswith(".env is not UTF-8; fix it with: iconv -f UTF-16 ")
    env_path.write_text("PORT=1234", encoding="utf-16-le")
    assert refusal().startswith(".env is not UTF-8; fix it with: iconv ")


def test_python_dotenv_names_a_line_that_it_cannot_read_and_goes_on(
    env_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    env_path.write_text(f"PORT 1234\n{PASSWORD}\nWEB_THREADS=7\n")
    assert load_settings()["WEB_THREADS"] == 7
    assert "could not parse statement starting at line 1" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_folder_of_that_name_is_no_env_file(env_path: Path) -> None:
    env_path.mkdir()
    assert load_settings()["PORT"] == 8000


def test_an_env_file_that_may_not_be_read_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / ".env"
        path.touch(mode=0o000)
        monkeypatch.setattr(environment, "ENV_FILE", path)
        user = os.geteuid()
        if user == 0:  # who may read everything
            os.seteuid(65534)
        try:
            message = refusal()
        finally:
            os.seteuid(user)
    assert message.startswith(".env cannot be read (Permission denied); fix it with: ")


def test_an_env_file_for_development_does_not_override_another_stages_secret(
    env_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was copied to a host along with the project, and the host has set SECRET."""
    env_path.write_text(f"APP_ENV=development\nSECRET=dev-{GOOD}\n")
    monkeypatch.setenv("SECRET", GOOD)
    for variable in ("unset", "set by the flask command, which has read .env"):
        if variable == "unset":
            monkeypatch.delenv("APP_ENV", raising=False)
        message = refusal()
        assert message.startswith(".env says development, but ")
        assert "fix it with: rm .env " in message
        assert GOOD not in message
        assert len(message.splitlines()) == 1
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1")
    assert load_settings().production


@pytest.mark.parametrize("secret", ["", "mine", f"dev-{GOOD}"])
def test_an_env_file_for_development_goes_with_secrets_of_development(
    env_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    env_path.write_text("APP_ENV=development\nSECRET=mine\n")
    monkeypatch.delenv("APP_ENV", raising=False)
    monkeypatch.setenv("SECRET", secret)
    assert not load_settings().production


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("dev-" + GOOD, "made for development"),
        ("change-me-" + GOOD, "placeholder"),
        (GOOD[:31], "is too short (31 characters, at least 32 are needed)"),
        ("abc" * 20, "too few different characters"),
        (os.fsdecode(b"\xff\xfe" + GOOD.encode()), "is not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["SECRET", "SECRET_FALLBACKS"])
def test_production_refuses_a_weak_secret_without_printing_it(
    production: pytest.MonkeyPatch, name: str, secret: str, reason: str
) -> None:
    command = "export SECRET=" if name == "SECRET" else "unset SECRET_FALLBACKS (or "
    production.setenv("APP_ENV", "production")
    production.setenv(name, secret)
    message = refusal()
    assert message.startswith(f"{name} ")
    assert reason in message
    assert f"; fix it with: {command}" in message
    assert len(message.splitlines()) == 1
    assert secret not in message


@pytest.mark.parametrize("stage", ["", "prod", "production"])
def test_what_production_lacks_is_said_with_what_production_is(
    production: pytest.MonkeyPatch, stage: str
) -> None:
    """A project without its .env is in production, too; a host is told nothing else."""
    for name in load_settings():
        production.setenv(name, "")
    production.setenv("APP_ENV", stage)
    secret, redis_url = refusal().splitlines()
    assert secret.startswith(
        "SECRET is not set, but it signs the cookies, "
        "and any APP_ENV but development is production; fix it with: export SECRET="
    )
    assert redis_url == (
        "REDIS_URL is not set, but production keeps the sessions there, "
        "and any APP_ENV but development is production; "
        "fix it with: export REDIS_URL=redis://127.0.0.1:6379/0"
    )


@pytest.mark.parametrize("name", ["SECRET", "SECRET_FALLBACKS", "REDIS_URL"])
def test_bytes_that_are_no_text_are_no_traceback(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, os.fsdecode(b"redis://:\xff\xfe@127.0.0.1:1"))
    assert create_app().test_client().get("/healthz").status_code == 200


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
    message = refusal()
    # Following such advice during the wait would create a second add-on, and bill it.
    assert message.index("heroku addons:wait") < message.index("heroku addons:create")
    assert message.endswith("heroku addons:create heroku-redis:mini --wait")


def test_production_does_with_memory_when_told_to(
    production: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    production.setenv("REDIS_URL", "memory://")
    production.setenv("WEB_CONCURRENCY", "4")
    app = create_app()
    assert isinstance(app.extensions["session_storage"], MemoryStorage)
    assert "kept in memory" in caplog.text
    assert load_settings()["WEB_CONCURRENCY"] == 1


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
        f"redis://:{PASSWORD}@host?socket_timeout=3",
    ],
)
def test_a_wrong_redis_url_is_refused_without_printing_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    message = refusal()
    assert message.startswith("REDIS_URL is not a Redis URL: ")
    assert "export REDIS_URL=redis://127.0.0.1:6379/0" in message
    assert ("; in a password, / is %2F, ? is %3F and # is %23" in message) == (
        "@" in url
    )
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
    production: pytest.MonkeyPatch, url: str
) -> None:
    production.setenv("REDIS_URL", url)
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
    assert message.startswith(f"{name} is wrong: ")
    assert f"; fix it with: export {name}=" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "hosts",
    [
        "https://example.com",
        "example.com:8000",
        "a.example, ,b_c",
        "*.example.com",
        "é",
    ],
)
def test_a_trusted_host_that_is_not_a_host_name_is_named(
    monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    monkeypatch.setenv("TRUSTED_HOSTS", hosts)
    message = refusal()
    assert message.startswith("TRUSTED_HOSTS has '")
    assert "export TRUSTED_HOSTS=www.example.com" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("WEB_CONCURRENCY", "257"), ("WEB_THREADS", "1001"), ("TRUSTED_PROXIES", "11")],
)
def test_a_number_that_nobody_can_mean_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert refusal().startswith(f"{name} is wrong: {value} is not in the range ")


def test_a_wrong_log_level_is_answered_with_all_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "warn")
    assert refusal() == (
        "LOG_LEVEL is wrong: 'warn' is not one of 'debug', 'info', 'warning', 'error', "
        "'critical'; fix it with: export LOG_LEVEL=INFO"
    )


def test_a_file_of_certificates_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    monkeypatch.setenv("REDIS_CA_CERT", str(path))
    assert refusal() == (
        f"REDIS_CA_CERT is wrong: Path '{path}' does not exist; "
        "fix it with: unset REDIS_CA_CERT"
    )
    path.touch()
    load_settings().refuse_errors(own_storage=False)


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("name", ["SECRET", "REDIS_URL", "PORT", "TRUSTED_HOSTS"])
def test_quotes_that_docker_keeps_are_refused_as_such(
    monkeypatch: pytest.MonkeyPatch, name: str, quote: str
) -> None:
    monkeypatch.setenv(name, f"{quote}{PASSWORD}{quote}")
    assert refusal() == (
        f"{name} is in quotes, which Docker's --env-file keeps; "
        f"fix it with: {name}=... (without quotes)"
    )


def test_a_stage_in_quotes_does_not_count_as_development(
    production: pytest.MonkeyPatch,
) -> None:
    production.setenv("APP_ENV", '"development"')
    [line] = refusal().splitlines()
    assert line.startswith("APP_ENV is in quotes, which Docker's --env-file keeps; ")


def test_every_wrong_setting_gets_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("REDIS_TLS_VERIFY", "maybe")
    assert len(refusal().splitlines()) == 3


def test_a_setting_of_the_owners_is_one_more_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In load_settings(), of which this is an example."""

    def load_more() -> Settings:
        env = load_settings()
        env.add("GREETING", "Hello")
        env.add("COLOUR", "Blue", Choice(["Blue", "Red"], case_sensitive=False))
        return env

    monkeypatch.setattr("app.load_settings", load_more)
    assert create_app().config["GREETING"] == "Hello"
    monkeypatch.setenv("GREETING", "Good day")
    monkeypatch.setenv("COLOUR", "red")
    config = create_app().config
    assert (config["GREETING"], config["COLOUR"]) == ("Good day", "Red")
    monkeypatch.setenv("COLOUR", "green")
    with pytest.raises(SystemExit) as caught:
        create_app()
    assert str(caught.value) == (
        "COLOUR is wrong: 'green' is not one of 'blue', 'red'; "
        "fix it with: export COLOUR=Blue"
    )


def test_settings_do_not_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@host")
    settings = load_settings()
    assert settings["SECRET"] == "s3cret"
    assert "s3cret" not in repr(settings)
    assert PASSWORD not in repr(settings)
