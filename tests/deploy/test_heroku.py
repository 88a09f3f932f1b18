"""The first commit of a baked project, built, released and run as Heroku does it."""

import json
import os
import re
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.conftest import (
    Server,
    commands_of,
    run,
    run_cookiecutter,
    status_of,
    valkey,
)
from tests.raw import dripping
from tests.tls import TLSProxy
from tests.waiting import wait_until

PASSWORD = "p4ssword-of-the-add-on"
Settings = dict[str, str]


@pytest.fixture(scope="module")
def slug(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the first commit, with its requirements in an empty environment."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    folder = tmp_path_factory.mktemp("projects")
    project = run_cookiecutter(template, folder, home, answers={}).project
    slug = tmp_path_factory.mktemp("build") / "slug"
    subprocess.run(["git", "clone", "--quiet", str(project), str(slug)], check=True)
    subprocess.run([sys.executable, "-m", "venv", slug / ".venv"], check=True)
    pip = [str(slug / ".venv/bin/python"), "-m", "pip", "install", "--quiet"]
    options = ["--disable-pip-version-check", "--require-hashes", "--no-deps"]
    requirements = str(slug / "requirements.txt")
    subprocess.run([*pip, *options, "-r", requirements], check=True)
    return slug


@pytest.fixture(scope="module")
def addon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TLSProxy]:
    """A Redis with a password, behind TLS with a certificate nobody knows."""
    with valkey() as server:
        with server.client() as client:
            client.config_set("requirepass", PASSWORD)
        proxy = TLSProxy(tmp_path_factory.mktemp("tls"), server.port)
        yield proxy
        proxy.close()


@pytest.fixture
def dyno(addon: TLSProxy) -> Settings:
    """The environment that the platform, its buildpack and its add-on make.

    Only the address to bind is this test's: the platform's would be open to the network.
    """
    return {
        "DYNO": "web.1",
        "FORWARDED_ALLOW_IPS": "*",
        "GUNICORN_CMD_ARGS": "--access-logfile - --bind 127.0.0.1:0",
        "PORT": "5000",
        "REDIS_URL": f"rediss://:{PASSWORD}@127.0.0.1:{addon.port}",
        "SECRET": secrets.token_hex(32),  # what app.json's generator makes
        "WEB_CONCURRENCY": "2",
    }


def release(
    slug: Path, home: Path, settings: Settings, options: str = ""
) -> tuple[int, str]:
    """Run the release command; return its status and what it printed."""
    path = f"{slug / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    command = f"{commands_of(slug)['release']} {options}"
    return run(home, slug, "sh", "-c", command, PATH=path, **settings)


def test_the_commit_is_what_the_buildpack_wants(slug: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=slug, check=True, capture_output=True, text=True
    )
    names = set(listed.stdout.splitlines())
    others = {"uv.lock", "poetry.lock", "Pipfile.lock", "Pipfile", "runtime.txt"}
    assert "requirements.txt" in names
    assert not names & others
    assert not any(name.startswith((".venv/", "venv/", "bin/")) for name in names)
    assert re.fullmatch(rb"3\.\d+\n", (slug / ".python-version").read_bytes())
    assert ".env" not in names


def test_runs_with_the_environment_of_a_dyno(
    slug: Path, home: Path, dyno: Settings
) -> None:
    status, output = release(slug, home, dyno)
    assert status == 0, output
    assert PASSWORD not in output
    server = Server(slug, "web", **dyno)
    try:
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        opener.addheaders = [
            ("X-Forwarded-For", "203.0.113.7"),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Proto", "https"),
            ("X-Request-ID", "3a3c1f0e-5a3c-4d9b-9d51-5c1f0e3a3c4d"),
            ("Via", "1.1 heroku-router"),
        ]
        counts = []
        for _ in range(3):
            # The jar sees http, and would keep a Secure cookie to itself.
            for cookie in jar:
                cookie.secure = False
            with opener.open(server.url, timeout=10) as answer:
                counts.append(json.load(answer)["views"])
                assert answer.headers["X-Request-ID"].startswith("3a3c1f0e")
        assert counts == [1, 2, 3]
        [cookie] = jar
        assert cookie.name == "__Host-session"
        wait_until(lambda: sum(" method=" in line for line in server.log) == 3)
    finally:
        server.stop()
    log = "".join(server.log)
    assert log.count("client=203.0.113.7") == 3
    assert len([line for line in server.log if "Booting worker" in line]) == 2
    assert PASSWORD not in log


@pytest.mark.parametrize("what", ["bodies", "bodies in chunks"])
def test_slow_bodies_stop_nobody(slug: Path, dyno: Settings, what: str) -> None:
    """The router passes them on as they come; of headers it does so when it has all."""
    server = Server(slug, "web", **dyno)
    try:
        with dripping(server.url, what):
            assert [status_of(server.url + "/") for _ in range(10)] == [200] * 10
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SECRET": ""}, "SECRET is not set"),
        ({"SECRET": "replace-this-with-random-text"}, "SECRET is a placeholder"),
        ({"SECRET": "a8f5f167f44f4964"}, "SECRET is too short (16 characters"),
        (
            {"SECRET": "dev-" + "a8f5f167f44f4964" * 3},
            "SECRET was made for development",
        ),
        ({"REDIS_URL": ""}, "REDIS_URL is not set"),
        ({"REDIS_URL": "https://example.com"}, "REDIS_URL is not a Redis URL"),
        ({"REDIS_URL": "rediss://127.0.0.1:1"}, "Connection refused"),
        ({"REDIS_URL": "wrong password"}, "password"),
        ({"REDIS_TLS_VERIFY": "1"}, "certificate"),
    ],
    ids=str,
)
def test_a_wrong_setting_never_goes_live(
    slug: Path,
    home: Path,
    dyno: Settings,
    addon: TLSProxy,
    change: Settings,
    sentence: str,
) -> None:
    if change.get("REDIS_URL") == "wrong password":
        change = {"REDIS_URL": f"rediss://:wrong@127.0.0.1:{addon.port}"}
    status, output = release(slug, home, dyno | change)
    assert status == 1
    assert sentence in " ".join(output.split())
    assert re.search("fix it with: heroku (config:set|addons:wait)", output)
    assert "Traceback" not in output
    assert PASSWORD not in output


def test_waits_for_an_addon_rather_than_making_a_second_one(
    slug: Path, home: Path, dyno: Settings
) -> None:
    """In the release phase nobody can tell whether there is one that is still made."""
    early = dyno | {"DYNO": "release.1234", "REDIS_URL": ""}
    status, output = release(slug, home, early)
    assert status == 1
    [line] = [line for line in output.splitlines() if "REDIS_URL" in line]
    assert "is not set, but production keeps the sessions there" in line
    assert line.index("heroku addons:wait") < line.index("heroku addons:create")
    assert line.endswith("heroku addons:create heroku-redis:mini --wait")


def test_verifies_certificates_everywhere_but_on_a_dyno(
    slug: Path, home: Path, dyno: Settings, addon: TLSProxy
) -> None:
    elsewhere = dyno | {"DYNO": ""}
    status, output = release(slug, home, elsewhere)
    assert status == 1
    assert "certificate" in output
    assert "export REDIS_CA_CERT=" in output
    trusting = elsewhere | {"REDIS_CA_CERT": str(addon.ca_file)}
    assert release(slug, home, trusting)[0] == 0
    assert release(slug, home, elsewhere | {"REDIS_TLS_VERIFY": "0"})[0] == 0
    both = dyno | {"REDIS_TLS_VERIFY": "1", "REDIS_CA_CERT": str(addon.ca_file)}
    assert release(slug, home, both)[0] == 0


def test_app_json_has_only_what_heroku_allows(slug: Path) -> None:
    content = json.loads((slug / "app.json").read_text())
    allowed = (
        "name description keywords website repository logo success_url scripts env"
        " formation addons buildpacks environments stack image"
    )
    assert content.keys() <= set(allowed.split()) - {"stack"}
    assert content["env"]["SECRET"]["generator"] == "secret"
    for variable in content["env"].values():
        assert variable.keys() <= {"description", "value", "required", "generator"}
    for kind in content["formation"].values():
        assert kind.keys() <= {"quantity", "size"}
    plans = [a if isinstance(a, str) else a["plan"] for a in content["addons"]]
    assert plans == ["heroku-redis:mini"]
    test = content["environments"]["test"]
    assert test["addons"] == ["heroku-redis:in-dyno"]
    assert all(isinstance(word, str) for word in content["keywords"])
