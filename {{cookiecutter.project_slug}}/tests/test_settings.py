"""The settings: one that is wrong stops the start with a sentence that says so."""

import pytest

from app import create_app


def refusal() -> str:
    """Return the sentences with which the app refuses to start."""
    with pytest.raises(SystemExit) as stopped:
        create_app()
    return str(stopped.value)


def test_development_needs_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "")
    assert create_app().test_client().get("/").json == {"views": 1}


def test_production_needs_a_secret_and_a_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("SECRET", "")
    sentences = refusal().splitlines()
    assert {sentence.split()[0] for sentence in sentences} == {"SECRET", "REDIS_URL"}
    assert all(" is not set" in sentence for sentence in sentences)
    assert all("; fix it with: export " in sentence for sentence in sentences)


@pytest.mark.parametrize("secret", ["abc123", "a" * 40, "dev-" + "0123456789" * 4])
def test_production_refuses_a_weak_secret_and_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("SECRET", secret)
    assert secret not in refusal()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "LOUD"),
        ("REDIS_URL", "http://localhost"),
        ("SESSION_LIFETIME", "soon"),
        ("WEB_THREADS", "0"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert refusal().startswith(f"{name} is ")
