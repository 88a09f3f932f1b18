"""What the READMEs and the docs say: commands that work, settings that exist, messages that are printed."""

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM

import pytest

from tests import faults
from tests.conftest import (
    APP,
    PRODUCTION,
    ROOT,
    Baker,
    Server,
    Visitor,
    environment,
    run,
)
from tests.pages import PAGES, block, blocks, section
from tests.waiting import free_port, listens, wait_until

PROJECT = ROOT / APP
OPERATIONS = PROJECT / "docs/operations.md"

# Which test types the commands of each block, told by the first of them.
TYPED = {
    "uvx cookiecutter gh:OWNER/REPO": "test_the_first_commands",
    "cd visit-counter": "test_the_first_commands",
    "$ curl -c jar -b jar http://127.0.0.1:8000": "test_curl_sees_the_count_rise",
    "make run      # bakes": "docs/test_first_minutes.py",
    "uvx cruft create": "bake/test_updates.py",
    "cruft check": "bake/test_updates.py",
    "make run\n": "test_make_run_serves",
    "curl -c jar -b jar http://127.0.0.1:8000": "test_curl_sees_the_count_rise",
    "REDIS_URL=redis://127.0.0.1:6379/0 make run": "test_make_run_serves",
    "REDIS_URL=redis+sentinel": "test_the_addresses_of_redis_are_understood",
    "make test     # the tests": "docs/test_first_minutes.py",
    "heroku create": "test_heroku_is_told_what_it_needs",
    "echo 'granian": "soak/test_granian.py",
    "echo 'flask-wtf": "docs/test_recipes.py",
    "echo 'sentry-sdk": "docs/test_operations.py",
    "journalctl": "docs/test_operations.py",
    "redis-cli config": "deploy/test_own_server.py",
    "echo 'psycopg": "docs/test_recipes.py",
    "docker build": "deploy/test_image.py",
    "sudo apt install": "deploy/test_own_server.py",
    "cd /srv/app\nsudo sh": "deploy/test_own_server.py",
    "cd /srv/app\nsudo git pull": "deploy/test_own_server.py",
    "heroku config:set SECRET_FALLBACKS": "test_a_secret_is_replaced_in_three_steps_that_log_nobody_out",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_typed_by_a_test(page: Path) -> None:
    for text in blocks(page):
        [test] = [test for start, test in TYPED.items() if text.startswith(start)]
        assert test in globals() or (ROOT / "tests" / test).exists()


def test_the_first_commands(template: Path, home: Path, tmp_path: Path) -> None:
    """As a newcomer types them, but with this template, and `make help` at the end."""
    folder = tmp_path / "empty"
    folder.mkdir()
    first = block(ROOT, "uvx cookiecutter")
    first = first.replace("gh:OWNER/REPO", str(template))
    then = block(ROOT, "cd visit-counter").replace("make run", "make help")
    commands = f"{first.strip()} --no-input\n{then}"
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    status, output = run(home, folder, "sh", "-ec", commands, PATH=path)
    assert status == 0, output
    assert "make run" in output


def test_curl_sees_the_count_rise(
    serve: Callable[..., Server], home: Path, tmp_path: Path
) -> None:
    server = serve()
    shown = block(ROOT, "$ curl")
    commands = [line[2:] for line in shown.splitlines() if line.startswith("$ ")]
    answers = [line for line in shown.splitlines() if not line.startswith("$ ")]
    typed = "; ".join(commands).replace("http://127.0.0.1:8000", server.url)
    status, output = run(home, tmp_path, "sh", "-ec", typed.replace("curl", "curl -s"))
    assert (status, output.splitlines()) == (0, answers)
    again = block(PROJECT, "curl").replace("http://127.0.0.1:8000", server.url)
    status, output = run(home, tmp_path, "sh", "-ec", again.replace("curl", "curl -s"))
    assert output.splitlines() == ['{"views":3}', '{"views":4}']


def serves(folder: Path, home: Path, command: str) -> None:
    """Type a command that starts the server; see that it listens, and stop it."""
    port = free_port()
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env=environment(home, PORT=str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: listens(port), 120)
    finally:
        os.killpg(process.pid, SIGTERM)
        process.wait(30)


@pytest.mark.parametrize("start", ["make run", "REDIS_URL=redis://127.0.0.1:6379/0"])
def test_make_run_serves(baked: Path, redis_url: str, home: Path, start: str) -> None:
    command = block(PROJECT, start).replace("redis://127.0.0.1:6379", redis_url)
    serves(baked, home, command)


HEROKU = r"""#!/bin/sh
echo "heroku $*" >> "$HOME/heroku.log"
config=$HOME/config
mkdir -p "$config"
command=$1
shift
case "$command" in
config:get) cat "$config/$1" ;;
config:set) for given; do printf %s "${given#*=}" > "$config/${given%%=*}"; done ;;
config:unset) rm "$config/$1" ;;
info) printf 'name=app\nweb_url=https://app-0123.herokuapp.com/\nweb_dynos=1\n' ;;
esac
"""


@pytest.fixture
def heroku(home: Path) -> Callable[[Path, str], list[str]]:
    """A function that runs commands where `heroku` only notes what it is told."""
    folder = home / "bin"
    folder.mkdir()
    (folder / "heroku").write_text(HEROKU)
    (folder / "heroku").chmod(0o755)

    def type_in(project: Path, commands: str) -> list[str]:
        path = f"{folder}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        status, output = run(home, project, "sh", "-ec", commands, PATH=path)
        assert status == 0, output
        return (home / "heroku.log").read_text().splitlines()

    return type_in


@pytest.mark.usefixtures("git_user")
def test_heroku_is_told_what_it_needs(
    bake: Baker, heroku: Callable[..., list[str]], tmp_path: Path
) -> None:
    project = bake().project
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "dyno"], check=True)
    subprocess.run(
        ["git", "remote", "add", "heroku", tmp_path / "dyno"], cwd=project, check=True
    )
    told = heroku(project, block(PROJECT, "heroku create"))
    create, addon, policy, secret, info, hosts = told
    assert create == "heroku create"
    assert addon == "heroku addons:create heroku-redis:mini --wait"
    assert policy == "heroku redis:maxmemory --policy volatile-lru"
    assert re.fullmatch(r"heroku config:set SECRET=[\w-]{64}", secret)
    assert info == "heroku info --shell"
    assert hosts == "heroku config:set TRUSTED_HOSTS=app-0123.herokuapp.com"
    tree = ["git", "ls-tree", "-r", "--name-only", "main"]
    files = subprocess.check_output(tree, cwd=tmp_path / "dyno", text=True).split()
    assert "Procfile" in files
    assert ".env" not in files


def test_the_button_deploys_this_project(bake: Baker) -> None:
    project = bake(project_slug="my-app").project
    [template] = re.findall(
        r"/deploy\?template=(.+?)\)", (project / "README.md").read_text()
    )
    assert template == "https://github.com/YOU/my-app"
    assert (project / "app.json").exists()


def test_a_secret_is_replaced_in_three_steps_that_log_nobody_out(
    heroku: Callable[..., list[str]],
    serve: Callable[..., Server],
    redis_url: str,
    home: Path,
) -> None:
    """While a step is taken, instances before and after it run side by side."""
    heroku(home, "heroku config:set SECRET=a-production-secret-of-0123456789abcdef")

    def release() -> Server:
        config = {file.name: file.read_text() for file in (home / "config").iterdir()}
        return serve(**PRODUCTION | {"REDIS_URL": redis_url} | config)

    before = release()
    known, counts = Visitor(before.url), itertools.count(1)
    for step in block(PROJECT, "heroku config:set SECRET_FALLBACKS").splitlines():
        heroku(home, step)
        after = release()
        for first, second in (before, after), (after, before):
            new = Visitor(first.url)
            assert new.count() == 1
            new.url = second.url
            assert new.count() == 2
            if "90 days later" not in step:
                known.url = first.url
                assert known.count() == next(counts)
        before.stop()
        before = after


ASK = """
import sys
from app.sessions import RedisStorage
from app.settings import load_settings

if sys.argv[1:]:
    [RedisStorage.from_url(url) for url in sys.argv[1:]]
else:
    print(*load_settings())
"""


def test_the_settings_are_those_that_the_app_reads(baked: Path, home: Path) -> None:
    status, output = run(home, baked, baked / ".venv/bin/python", "-c", ASK)
    assert status == 0, output
    table = section(OPERATIONS, "Settings")
    told = re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)
    in_the_file = {"HEADERS", "MAX_CONTENT_LENGTH", "SESSION_COOKIE_SAMESITE"}
    assert {*told, *in_the_file} == set(output.split())
    assert len(told) == len(set(told))


def test_the_addresses_of_redis_are_understood(baked: Path, home: Path) -> None:
    storage = (PROJECT / "docs/storage.md").read_text()
    urls = re.findall(r"redis[s+][^\s`…]*://[^\s`]+", storage)
    assert len(urls) >= 2
    status, output = run(home, baked, baked / ".venv/bin/python", "-c", ASK, *urls)
    assert status == 0, output


def test_the_faults_are_those_that_tests_try() -> None:
    """Each row has a test, and each test of a fault has its row."""
    told = faults.rows()
    assert told.keys() == {*faults.REPORTED, *faults.IN_THE_APP}
    for fault, (outcome, test) in faults.IN_THE_APP.items():
        assert told[fault] == outcome
        assert test in functions_in(ROOT / "tests/engine")
    for test in faults.REPORTED.values():
        assert test.partition("[")[0] in functions_in(ROOT / "tests")


def functions_in(folder: Path) -> set[str]:
    """Return the names of the test functions in a folder, and below it."""
    texts = [path.read_text() for path in folder.rglob("test_*.py")]
    return set(re.findall(r"^ *def (test_\w+)", "\n".join(texts), re.MULTILINE))


def test_the_messages_are_those_that_the_app_prints() -> None:
    """Those of Redis, OpenSSL, gunicorn and Python apart."""
    text = section(OPERATIONS, "Troubleshooting")
    messages = set(re.findall(r"^\| `(.+?)` \|", text, re.MULTILINE))
    theirs = {
        "certificate required",
        "certificate verify failed",
        "max number of clients reached",
        "OOM command not allowed",
        "Connection in use:",
        "pyenv: version '3.14' is not installed",
        ".venv/bin/flask: No such file or directory",
        "UnicodeDecodeError: 'utf-8' codec can't decode",
    }
    sources = [
        *PROJECT.glob("app/**/*.py"),
        PROJECT / "gunicorn.conf.py",
        PROJECT / "Makefile",
    ]
    code = " ".join(path.read_text() for path in sources)
    printed = re.sub(r'"\s+f?"', "", code)
    for message in messages - theirs:
        name, _, what = message.partition(" ")
        assert (
            message in printed
            or (f'"{name}"' in printed and what in printed)
            or (re.sub(r"\(.*\)", "({error.strerror})", message) in printed)
            or (re.sub(r"^Redis at \S+", "%s", message) in printed)
        ), message
    assert theirs <= messages
