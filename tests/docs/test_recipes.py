"""The recipes of the project's docs, typed as they say, and used by browsers in production."""

import ast
import http.client
import os
import re
import shutil
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask, session
from redis import Redis

from tests.conftest import ROOT, Server, run
from tests.pages import block, code, section

SECRET = "a-production-secret-of-0123456789abcdef"
OLD_SECRET_KEY = "dev"


Definition = ast.ClassDef | ast.FunctionDef


def definitions(source: str) -> dict[str, tuple[int, int]]:
    """Return the first and the last line of each class and function, decorators included."""
    return {
        node.name: (
            min(part.lineno for part in [node, *node.decorator_list]),
            node.end_lineno or 0,
        )
        for node in ast.parse(source).body
        if isinstance(node, Definition)
    }


def merge(source: str, block: str) -> str:
    """Return a module with a block typed into it.

    Its imports go to the top; what it defines replaces what had the name, or comes last.
    """
    lines = block.splitlines()
    new = definitions(block)
    imports = lines[: min(first for first, _ in new.values()) - 1]
    for name, (first, last) in new.items():
        body = lines[first - 1 : last]
        text = source.splitlines()
        if name in (old := definitions(source)):
            text[old[name][0] - 1 : old[name][1]] = body
        else:
            text += ["", "", *body]
        source = "\n".join(text) + "\n"
    return source.replace("\nfrom ", "\n" + "\n".join([*imports, "from "]), 1)


def type_in(project: Path, recipe: str) -> None:
    """Do what a recipe says: to the files that it names, and to the lines."""
    page, _, title = recipe.partition(": ")
    text = section(project / f"docs/{page}.md", title)
    told, *blocks = re.split(r"^```(?:python|html)\n", text, flags=re.MULTILINE)
    factory = project / "app/__init__.py"
    for part in blocks:
        block, after = part.split("```\n", 1)
        name = re.findall(r"`((?:app|tests)/[\w/]+\.(?:py|html))`", told)
        if "first lines of `create_app`" in told:
            lines = factory.read_text().replace("    try:\n", block + "    try:\n", 1)
            factory.write_text(lines)
        elif name == ["app/__init__.py"]:
            [module] = re.findall(r"import `(\w+)` beside `views`", told)
            lines = re.sub(
                "(?m)^from . import (.*views.*)$",
                rf"from . import \1, {module}",
                factory.read_text(),
            )
            assert module in lines
            assert "before `return app`" in told
            lines = lines.replace("    return app\n", block + "    return app\n")
            factory.write_text(lines)
        elif (project / name[-1]).exists():
            change_lines(project, told)
            file = project / name[-1]
            file.write_text(merge(file.read_text(), block))
        else:
            (project / name[-1]).write_text(block)
        told = after


def change_lines(project: Path, told: str) -> None:
    """Type what the remember-me recipe says of single lines."""
    for label in re.findall(r"`(<label>.+?)`", told):
        file = project / "app/templates/login.html"
        file.write_text(
            file.read_text().replace("<button>Log in", f"{label}\n<button>Log in")
        )
    for call in re.findall(r"`(login_user\(.+?\))`", told):
        file = project / "app/login.py"
        file.write_text(file.read_text().replace("login_user(user)", call))


@pytest.fixture
def typed(baked: Path, tmp_path: Path) -> Callable[..., Path]:
    """A function that types recipes into a copy of the default project."""

    def typed(*recipes: str) -> Path:
        project = tmp_path / "typed" / baked.name
        shutil.copytree(baked, project, ignore=shutil.ignore_patterns(".venv"))
        (project / ".venv").symlink_to(baked / ".venv")
        for recipe in recipes:
            type_in(project, recipe)
        return project

    return typed


@pytest.fixture
def serve(redis_url: str) -> Iterator[Callable[..., Server]]:
    """A function that starts a project in production, behind a proxy that speaks https."""
    servers: list[Server] = []
    production = {
        "APP_ENV": "production",
        "SECRET": SECRET,
        "REDIS_URL": redis_url,
        "TRUSTED_PROXIES": "1",
        "WEB_CONCURRENCY": "1",  # the recipe's users are in memory
    }

    def serve(project: Path, **settings: str) -> Server:
        servers.append(Server(project, "web", **production | settings))
        return servers[-1]

    yield serve
    for server in servers:
        if server.process.returncode is None:
            server.stop()


class Browser:
    """A browser behind the proxy; it keeps all cookies and follows no redirects."""

    def __init__(self, server: Server, **cookies: str) -> None:
        self.server = server
        self.cookies = cookies

    def get(self, path: str) -> tuple[int, str]:
        return self.request("GET", path)

    def post(self, path: str, site: str = "same-origin", **form: str) -> int:
        return self.request("POST", path, urlencode(form), site)[0]

    def request(
        self, method: str, path: str, body: str = "", site: str = "same-origin"
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookies,
            "Sec-Fetch-Site": site,
            "X-Forwarded-Proto": "https",
        }
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        for header in response.headers.get_all("Set-Cookie", []):
            for name, cookie in SimpleCookie(header).items():
                self.cookies[name] = cookie.value
                if cookie["max-age"] == "0":
                    del self.cookies[name]
        text = response.read().decode()
        connection.close()
        return response.status, text

    def twin(self) -> "Browser":
        """Return another browser with a copy of the cookies, as a thief has it."""
        return Browser(self.server, **self.cookies)

    def log_in(self, **form: str) -> int:
        return self.post("/login", name="ada", **({"password": PASSWORD} | form))

    def is_in(self) -> bool:
        return "Hello, ada" in self.get("/login")[1]


PASSWORD = "a long sentence"
LOGIN = "login: Log in and out"
EVERYWHERE = "login: Log out everywhere"
REMEMBER = "login: Remember me for some"
COOKIES = "moving: Take the sessions over"
STORAGE = "storage: A storage of your own"


def test_flask_login_is_pinned(typed: Callable[..., Path], home: Path) -> None:
    project = typed()
    command = block(project, "echo 'flask-login")
    status, output = run(home, project, "sh", "-c", command)
    assert status == 0, output
    pinned = (project / "requirements.txt").read_text()
    assert re.search(r"^flask-login==[\d.]+ \\\n +--hash", pinned, re.MULTILINE)


def test_log_in_and_out(
    typed: Callable[..., Path], serve: Callable[..., Server]
) -> None:
    browser = Browser(serve(typed(LOGIN)))
    browser.get("/")
    before = browser.twin()
    assert browser.log_in(password="wrong") == 403
    assert not browser.is_in()
    assert browser.post("/login", "cross-site", name="ada", password=PASSWORD) == 403
    assert browser.log_in() == 303
    assert browser.is_in()
    assert browser.get("/") == (200, '{"views":2}\n')  # the data has come along
    assert not before.is_in()  # under a new id
    inside = browser.twin()
    assert browser.post("/logout", "cross-site") == 403
    assert browser.is_in()
    assert browser.post("/logout") == 303
    assert browser.cookies == {}
    assert not inside.is_in()


def test_a_new_password_logs_out_all_other_browsers(
    typed: Callable[..., Path], serve: Callable[..., Server]
) -> None:
    browser = Browser(serve(typed(LOGIN, EVERYWHERE)))
    phone, other = Browser(browser.server), Browser(browser.server)
    assert other.post("/password", old=PASSWORD, new="mine") in (302, 303)
    assert phone.log_in() == browser.log_in() == 303
    thief = browser.twin()
    assert browser.post("/password", old="wrong", new="another sentence") == 403
    assert phone.is_in()
    assert browser.post("/password", old=PASSWORD, new="another sentence") == 303
    assert browser.is_in()
    assert not phone.is_in()
    assert not thief.is_in()
    assert phone.log_in() == 403
    assert phone.log_in(password="another sentence") == 303
    assert phone.is_in()


ADMIN = """

@bp.post("/disable")
def disable() -> ResponseReturnValue:
    users["ada"].is_active = False
    log_out_everywhere(users["ada"])
    return ""


@bp.post("/enable")
def enable() -> ResponseReturnValue:
    users["ada"].is_active = True
    return ""


@bp.post("/delete")
def delete() -> ResponseReturnValue:
    users.clear()
    return ""


@bp.get("/slow")
@login_required
def slow() -> ResponseReturnValue:
    return current_user.id + open(request.args["pipe"]).read()
"""


def test_a_disabled_account_is_logged_out_everywhere(
    typed: Callable[..., Path], serve: Callable[..., Server], tmp_path: Path
) -> None:
    """A request that is under way ends as it began; the next one is refused."""
    project = typed(LOGIN, EVERYWHERE)
    with (project / "app/login.py").open("a") as file:
        file.write(ADMIN)
    browser = Browser(serve(project))
    admin = Browser(browser.server)
    browser.log_in()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    answers: list[tuple[int, str]] = []
    page = Thread(target=lambda: answers.append(browser.get(f"/slow?pipe={pipe}")))
    page.start()
    with pipe.open("w") as end:  # waits until the view reads
        assert admin.post("/disable") == 200
        end.write(" was here")
    page.join()
    assert answers == [(200, "ada was here")]
    assert browser.get("/slow")[0] in (302, 303)
    assert not browser.is_in()
    browser.log_in()
    assert not browser.is_in()
    admin.post("/enable")
    assert not browser.is_in()  # until the next login
    browser.log_in()
    assert browser.is_in()
    admin.post("/delete")
    assert not browser.is_in()


def test_a_new_secret_without_a_fallback_logs_everybody_out(
    typed: Callable[..., Path], serve: Callable[..., Server]
) -> None:
    """With one, it ends only what Flask-Login remembers."""
    project = typed(LOGIN, REMEMBER)
    browser = Browser(serve(project))
    browser.log_in(remember="on")

    def restart(**settings: str) -> None:
        browser.server.stop()
        browser.server = serve(project, **settings)

    restart()
    assert browser.is_in()
    restart(SECRET=SECRET[::-1], SECRET_FALLBACKS=SECRET)
    assert browser.is_in()
    remembered = browser.twin()
    del remembered.cookies["__Host-session"]
    assert not remembered.is_in()
    restart(SECRET=SECRET[::-1])
    assert not browser.is_in()


def test_some_are_remembered(
    typed: Callable[..., Path], serve: Callable[..., Server]
) -> None:
    project = typed(LOGIN, EVERYWHERE, REMEMBER)
    idle = re.findall(
        r"`(SESSION_IDLE_TIMEOUT)=(\d+)`", (project / "docs/login.md").read_text()
    )
    browser = Browser(serve(project, **dict(idle)))
    other = Browser(browser.server)
    assert 'name="remember"' in browser.get("/login")[1]
    other.log_in()
    browser.log_in(remember="on")
    assert set(other.cookies) == {"__Host-session"}
    assert set(browser.cookies) == {"__Host-session", "__Host-remember"}
    for one in browser, other:
        del one.cookies["__Host-session"]  # as when its time is over
        one.get("/")
    before = browser.cookies["__Host-session"]
    assert browser.is_in()
    assert browser.cookies["__Host-session"] != before
    assert not other.is_in()
    thief = browser.twin()
    browser.post("/password", old=PASSWORD, new="another sentence")
    del thief.cookies["__Host-session"]
    assert not thief.is_in()
    browser.post("/logout")
    assert browser.cookies == {}


def old_cookie(key: str, **data: object) -> str:
    """Return the cookie that Flask's own sessions give to a visitor."""
    app = Flask("old", static_folder=None)
    app.secret_key = key
    app.add_url_rule("/", view_func=lambda: session.update(data) or "")
    client = app.test_client()
    client.get("/")
    cookie = client.get_cookie("session")
    assert cookie
    return cookie.value


@pytest.mark.parametrize("stage", ["production", "development"])
def test_flasks_own_cookies_are_taken_over_once(
    typed: Callable[..., Path],
    serve: Callable[..., Server],
    redis_url: str,
    stage: str,
) -> None:
    """In production the new cookie has another name than the old one, in development not."""
    secret = SECRET if stage == "production" else ""  # then .env has one
    settings = {"APP_ENV": stage, "SECRET": secret, "OLD_SECRET_KEY": OLD_SECRET_KEY}
    server = serve(typed(COOKIES), **settings)
    browser = Browser(server, session=old_cookie(OLD_SECRET_KEY, views=41, user="ada"))
    old = browser.twin()
    assert browser.get("/")[1] == '{"views":42}\n'
    late = old.twin()  # a page that was asked for at the same time
    assert late.get("/")[1] == '{"views":42}\n'
    assert browser.get("/")[1] == '{"views":43}\n'
    name = "__Host-session" if stage == "production" else "session"
    assert set(browser.cookies) == {name}
    assert browser.get("/")[1] == '{"views":44}\n'
    assert browser.post("/reset") == 303
    assert browser.get("/")[1] == '{"views":1}\n'
    with Redis.from_url(redis_url) as redis:
        [record] = redis.keys("old-cookie:*")
        redis.hincrby(record, "at", -60)  # a minute has passed
    assert old.get("/")[1] == '{"views":1}\n'


def test_no_other_old_cookie_is_believed(
    typed: Callable[..., Path], serve: Callable[..., Server]
) -> None:
    server = serve(typed(COOKIES), OLD_SECRET_KEY=OLD_SECRET_KEY)
    for cookie in old_cookie(SECRET, views=41), "", "nonsense":
        assert Browser(server, session=cookie).get("/")[1] == '{"views":1}\n'


def test_a_storage_of_ones_own(
    typed: Callable[..., Path], serve: Callable[..., Server], home: Path
) -> None:
    project = typed(STORAGE)
    example = (ROOT / "tests/engine/sessions/sqlite_storage.py").read_text()
    own = 'class MyStorage(SQLiteStorage):\n    def __init__(self) -> None:\n        super().__init__("sessions.db")\n'
    (project / "app/my_storage.py").write_text(f"{example}\n\n{own}")
    factory = project / "app/__init__.py"
    factory.write_text(
        factory.read_text().replace(
            "from .sessions", "from .my_storage import MyStorage\nfrom .sessions", 1
        )
    )
    settings = {"APP_ENV": "production", "SECRET": SECRET}
    server = serve(project, REDIS_URL="")
    browser = Browser(server)
    assert [browser.get("/")[1] for _ in range(2)] == ['{"views":1}\n', '{"views":2}\n']
    server.stop()
    browser.server = serve(project, REDIS_URL="")
    assert browser.get("/")[1] == '{"views":3}\n'
    bin = project / ".venv/bin"
    status, output = run(home, project, bin / "flask", "check", **settings)
    assert status == 0, output
    status, output = run(
        home, project, bin / "pytest", "-q", "tests/test_my_storage.py"
    )
    assert status == 0, output
    for target in "format", "check":
        status, output = run(home, project, "make", target)
        assert status == 0, output


def test_a_test_of_ones_own(typed: Callable[..., Path], home: Path) -> None:
    """The one in the section about tests, in a file of its own, and clean."""
    project = typed()
    [test] = [text for text in code(project / "README.md") if "def test_" in text]
    (project / "tests/test_own.py").write_text(test)
    pytest_ = [project / ".venv/bin/pytest", "-q", "tests/test_own.py"]
    for command in pytest_, ["make", "check"]:
        status, output = run(home, project, *command)
        assert status == 0, output


def test_the_typed_code_is_clean(typed: Callable[..., Path], home: Path) -> None:
    """In style and types, once `make format` has put the imports together."""
    project = typed(LOGIN, EVERYWHERE, REMEMBER, COOKIES)
    for target in "format", "check":
        status, output = run(home, project, "make", target)
        assert status == 0, output
