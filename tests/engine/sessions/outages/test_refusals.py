"""Redis answers, but it is full, read-only, slow, emptied, locked or crowded."""

import pytest
from app.sessions import RedisStorage, session
from app.sessions.storage import breaker
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from tests.engine.sessions.outages.conftest import close_connections


@pytest.mark.parametrize(
    ("refuse", "allow"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ],
    ids=["out of memory", "read-only"],
)
def test_a_redis_that_refuses_to_write_is_logged_once_and_recovers(
    client: FlaskClient,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    refuse: str,
    allow: str,
) -> None:
    monkeypatch.setattr(breaker, "OVER", 0.0)
    client.get("/")
    redis.execute_command(*refuse.split())
    for _ in range(5):
        assert client.get("/").status_code == 503
        assert client.get("/healthz").status_code == 200
    redis.execute_command(*allow.split())
    assert client.get("/").json == {"views": 2}
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR", "WARNING"]


def test_a_full_redis_still_reads(
    app: Flask, client: FlaskClient, redis: Redis
) -> None:
    app.add_url_rule("/read", view_func=lambda: {"views": session["views"]})
    client.get("/")
    redis.config_set("maxmemory", "1")
    assert client.get("/").status_code == 503
    assert client.get("/read").json == {"views": 1}


def test_connections_of_a_client_of_your_own_are_replaced_too(redis: Redis) -> None:
    """It speaks RESP3."""
    storage = RedisStorage(redis)
    for number in range(1, 4):
        assert storage.increment("session:x", "n", 1, 60, create=True) == number
        close_connections(redis)


def test_connections_that_redis_has_closed_are_replaced(
    client: FlaskClient, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Heroku's closes those that have been idle for 300 seconds."""
    client.get("/")
    close_connections(redis)
    assert client.get("/").json == {"views": 2}
    assert caplog.records == []


def test_a_slow_redis_is_waited_for(client: FlaskClient, redis: Redis) -> None:
    client.get("/")
    redis.client_pause(300)  # milliseconds
    assert client.get("/").json == {"views": 2}


def test_an_emptied_redis_starts_everybody_anew(
    client: FlaskClient, redis: Redis
) -> None:
    client.get("/")
    client.get("/")
    redis.flushall()
    answer = client.get("/")
    assert answer.json == {"views": 1}
    assert answer.headers["Set-Cookie"]
    assert client.get("/").json == {"views": 2}


def test_a_changed_password_is_an_outage_until_it_is_known(
    client: FlaskClient, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/")
    redis.config_set("requirepass", "hunter2")
    close_connections(redis)
    for _ in range(3):
        assert client.get("/").status_code == 503
    redis.config_set("requirepass", "")
    assert client.get("/").json == {"views": 2}
    assert len(caplog.records) == 2
    assert "hunter2" not in caplog.text


def test_too_many_clients_are_an_outage_until_one_leaves(
    client: FlaskClient, redis: Redis
) -> None:
    redis.config_set("maxclients", "1")
    assert client.get("/").status_code == 503
    redis.config_set("maxclients", "10")
    assert client.get("/").json == {"views": 1}
