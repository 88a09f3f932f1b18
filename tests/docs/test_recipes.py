"""The recipes of the project's docs, typed as they say, and used by browsers in production."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlencode

import pytest
from flask import Flask, session
from redis import Redis

from tests.conftest import PRODUCTION, Server, run, valkey
from tests.docs.recipes import (
    MY_STORAGE,
    PASSWORD,
    SECRET,
    Browser,
    append,
    copy_of,
    install,
    type_command,
    type_in,
)
from tests.pages import code, section

OLD_SECRET_KEY = "dev"
LOGIN = "login: Log in and out"
COOKIES = "moving: Take the sessions over"


def test_log_in_and_out(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    browser = Browser(deploy(typed(LOGIN)))
    browser.get("/")
    before = browser.twin()
    assert browser.get("/account")[0] == 303
    form = {"name": "ada", "password": "wrong"}
    status, page = browser.request("POST", "/login", urlencode(form))
    assert status == 422
    assert '<p role="alert">The name or the password is wrong.</p>' in page
    assert '<input name="name" value="ada"' in page
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


OTHER_USERS = """
users["bob"] = User("bob", generate_password_hash("another sentence"))
"""


def test_a_session_is_not_handed_to_another_user(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    project = typed(LOGIN)
    append(project / "app/login.py", OTHER_USERS)
    browser = Browser(deploy(project))
    browser.log_in()
    assert browser.get("/") == (200, '{"views":1}\n')
    assert browser.post("/login", name="bob", password="another sentence") == 303
    assert "Hello, bob" in browser.get("/account")[1]
    assert browser.get("/") == (200, '{"views":1}\n')


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "https:evil.example",
        "https:/evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "evil.example",
        "/\x00/evil.example",
        "@evil.example",
        "",
    ],
)
def test_a_login_leads_to_no_other_site(
    typed_once: Callable[..., Browser], wanted: str
) -> None:
    browser = typed_once()
    browser.post(f"/login?{urlencode({'next': wanted})}", name="ada", password=PASSWORD)
    assert browser.location == "/account"


@pytest.mark.parametrize(
    "wanted",
    [
        "/",
        "/account?a=b&c=%20",
        "/a b",
        "/%2F",
        "/b\u00fccher?q=//x",
        "/a//b",
        "/ /x",
        "/?a=\u2028",
    ],
)
def test_a_login_leads_back_to_the_page_that_wanted_it(
    typed_once: Callable[..., Browser], wanted: str
) -> None:
    browser = typed_once()
    browser.post(f"/login?{urlencode({'next': wanted})}", name="ada", password=PASSWORD)
    assert browser.location
    assert unquote(browser.location) == unquote(wanted)
    assert browser.location.startswith("/")
    assert not browser.location.startswith("//")


@pytest.fixture(scope="module")
def _typed_once(
    baked: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The login recipe in production, for tests that leave nothing behind."""
    project = copy_of(baked, tmp_path_factory.mktemp("once"))
    type_in(project, LOGIN)
    with valkey() as redis:
        settings = PRODUCTION | {"REDIS_URL": redis.connection_url}
        server = Server(project, "web", TRUSTED_PROXIES="1", **settings)
        yield server
        server.stop()


@pytest.fixture
def typed_once(_typed_once: Server) -> Callable[..., Browser]:
    """A function that returns a new browser at that server."""
    return lambda: Browser(_typed_once)


ASK_TWICE = """
from app import create_app, login
from app.sessions import MemoryStorage

client = create_app(storage=MemoryStorage()).test_client()
check, asked = login.check_password_hash, []
def note(hash, password):
    asked.append(hash.split("$")[0])
    return check(hash, password)
login.check_password_hash = note
login.users["eve"] = login.User("eve", login.users["ada"].password, enabled=False)
answers = []
for name, password in ("ada", "wrong"), ("nobody", "wrong"), ("eve", "a long sentence"):
    answer = client.post("/login", data={"name": name, "password": password})
    answers.append((answer.status, answer.text.replace(f'value="{name}"', ""), dict(answer.headers)))
assert answers[0] == answers[1] == answers[2], answers
assert len(asked) == 3 and len(set(asked)) == 1, asked
"""


def test_nothing_tells_an_unknown_name_from_a_wrong_password(
    typed: Callable[..., Path], home: Path
) -> None:
    """The answers are the same, and each checks one hash of the same kind."""
    project = typed(LOGIN)
    script = ASK_TWICE.replace("dict(answer.headers)", "'Set-Cookie' in answer.headers")
    status, output = run(home, project, project / ".venv/bin/python", "-c", script)
    assert status == 0, output


def test_tries_are_limited_for_an_account_and_an_address(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    """Whoever drops the cookies gains nothing; nobody locks out another address."""
    project = typed(LOGIN)
    append(project / "app/login.py", OTHER_USERS)
    settings = {"WEB_CONCURRENCY": "2"}  # they count together
    server = deploy(project, **settings)

    def tries(number: int, address: str = "192.0.2.1", **form: str) -> list[int]:
        answers = []
        for _ in range(number):
            browser = Browser(server)
            browser.address = address
            answers.append(browser.log_in(**form))
        return answers

    assert tries(12) == [303] * 12  # right ones are not counted
    assert tries(12, password="wrong") == [422] * 10 + [429] * 2
    assert tries(1) == [429]
    assert tries(1, name="bob", password="another sentence") == [303]
    assert tries(1, address="192.0.2.2") == [303]
    network = [f"2001:db8::{number:x}" for number in range(1, 12)]
    answers = [tries(1, address, password="wrong") for address in network]
    assert answers == [[422]] * 10 + [[429]]
    assert tries(1, address="2001:db8:0:1::1") == [303]
    names = [f"name-{number}" for number in range(101)]
    answers = [tries(1, "192.0.2.3", name=name, password="x") for name in names]
    assert answers == [[422]] * 100 + [[429]]


def test_a_new_password_logs_out_all_other_browsers(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    browser = Browser(deploy(typed(LOGIN)))
    phone, other = Browser(browser.server), Browser(browser.server)
    path, new = "/account/password", "another sentence"
    assert other.post(path, old=PASSWORD, new=new) == 303
    assert other.location == "/login"
    assert phone.log_in() == browser.log_in() == 303
    thief = browser.twin()
    for wrong in {"old": "wrong", "new": new}, {"old": PASSWORD, "new": "short"}:
        assert browser.post(path, **wrong) == 303
        assert phone.is_in()
    assert browser.post(path, old=PASSWORD, new=new) == 303
    assert browser.is_in()
    assert not phone.is_in()
    assert not thief.is_in()
    assert phone.log_in() == 422
    assert phone.log_in(password=new) == 303
    assert phone.is_in()
    assert browser.is_in()
    assert browser.post("/account/sessions") == 303
    assert not browser.is_in()
    assert not phone.is_in()


ADMIN = """

@bp.post("/disable")
def disable() -> ResponseReturnValue:
    users["ada"].enabled = False
    return ""


@bp.post("/enable")
def enable() -> ResponseReturnValue:
    users["ada"].enabled = True
    return ""


@bp.post("/stamp")
def renew_stamp() -> ResponseReturnValue:
    log_out_everywhere(users["ada"])
    return ""


@bp.post("/delete")
def delete() -> ResponseReturnValue:
    users.clear()
    return ""


@bp.post("/age")
def age() -> ResponseReturnValue:
    session["used"] -= int(request.form["by"])
    return ""


@bp.get("/slow")
@login_required
def slow() -> ResponseReturnValue:
    return open(request.args["pipe"]).read()
"""


def test_a_disabled_account_is_logged_out_everywhere(
    typed: Callable[..., Path], deploy: Callable[..., Server], tmp_path: Path
) -> None:
    """A request that is under way ends as it began; the next one is refused."""
    project = typed(LOGIN)
    append(project / "app/login.py", ADMIN)
    browser = Browser(deploy(project))
    admin = Browser(browser.server)
    browser.log_in()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    answers: list[tuple[int, str]] = []
    page = Thread(target=lambda: answers.append(browser.get(f"/slow?pipe={pipe}")))
    page.start()
    with pipe.open("w") as end:  # waits until the view reads
        assert admin.post("/disable") == 200
        end.write("ada was here")
    page.join()
    assert answers == [(200, "ada was here")]
    assert browser.get("/slow")[0] == 303
    assert not browser.is_in()
    assert browser.log_in() == 422
    admin.post("/enable")
    browser.log_in()
    assert browser.is_in()
    admin.post("/stamp")
    assert not browser.is_in()
    browser.log_in()
    assert browser.is_in()
    admin.post("/delete")
    assert not browser.is_in()


def test_a_new_secret_without_a_fallback_logs_everybody_out(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    project = typed(LOGIN)
    fixed = (
        (project / "app/login.py")
        .read_text()
        .replace("default_factory=secrets.token_urlsafe", 'default="as in a database"')
    )
    (project / "app/login.py").write_text(fixed)
    browser = Browser(deploy(project))
    browser.log_in()

    def restart(**settings: str) -> None:
        browser.server.stop()
        browser.server = deploy(project, **settings)

    restart()
    assert browser.is_in()
    restart(SECRET=SECRET[::-1], SECRET_FALLBACKS=SECRET)
    assert browser.is_in()
    restart(SECRET=SECRET[::-1])
    assert not browser.is_in()


def test_some_are_remembered(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    """The others are logged out after an hour without a visit."""
    project = typed(LOGIN)
    append(project / "app/login.py", ADMIN)
    browser = Browser(deploy(project))
    other = Browser(browser.server)
    assert 'name="remember"' in browser.get("/login")[1]
    other.log_in()
    browser.log_in(remember="on")
    assert len(browser.cookies) == len(other.cookies) == 1
    for _ in range(2):
        for one in browser, other:
            one.post("/age", by="3500")
            assert one.is_in()
    for one in browser, other:
        one.post("/age", by="3700")
    assert browser.is_in()
    assert not other.is_in()
    assert not other.is_in()
    other.log_in()
    assert other.is_in()


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
    deploy: Callable[..., Server],
    redis_url: str,
    stage: str,
) -> None:
    """In production the new cookie has another name than the old one, in development not."""
    secret = SECRET if stage == "production" else ""  # then .env has one
    settings = {"APP_ENV": stage, "SECRET": secret, "OLD_SECRET_KEY": OLD_SECRET_KEY}
    server = deploy(typed(COOKIES), **settings)
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
        [record] = redis.keys("session:old-*")
        redis.hincrby(record, "until", -60)  # a minute has passed
    assert old.get("/")[1] == '{"views":1}\n'


def test_a_logout_as_the_first_request_after_the_move_ends_the_old_cookie(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    server = deploy(typed(COOKIES), OLD_SECRET_KEY=OLD_SECRET_KEY)
    browser = Browser(server, session=old_cookie(OLD_SECRET_KEY, views=41, user="ada"))
    thief = browser.twin()
    assert browser.post("/reset") == 303
    assert browser.cookies == {}
    assert thief.get("/")[1] == '{"views":1}\n'


def test_no_other_old_cookie_is_believed(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    server = deploy(typed(COOKIES), OLD_SECRET_KEY=OLD_SECRET_KEY)
    for cookie in old_cookie(SECRET, views=41), "", "nonsense":
        assert Browser(server, session=cookie).get("/")[1] == '{"views":1}\n'


@pytest.mark.parametrize("storage", ["an SQLite file", "PostgreSQL"])
def test_a_storage_to_take(
    typed: Callable[..., Path],
    deploy: Callable[..., Server],
    postgresql_url: str,
    home: Path,
    storage: str,
) -> None:
    """Several processes share it, and a restart keeps what is in it."""
    project = typed(f"storage: In {storage}")
    install(project, home, "storage", f"In {storage}")
    file = str(project.parent / "sessions.db")
    own = {"DATABASE_URL": postgresql_url, "SESSIONS_FILE": file}
    settings = {"REDIS_URL": ""} | own
    stage = {"APP_ENV": "production", "SECRET": SECRET}
    check = project / ".venv/bin/flask", "check"
    status, output = run(home, project, *check, **settings | stage)
    assert status == 0, output
    server = deploy(project, WEB_CONCURRENCY="2", **settings)
    browser = Browser(server)
    for number in range(1, 9):
        assert browser.get("/")[1] == f'{{"views":{number}}}\n'
    server.stop()
    browser.server = deploy(project, WEB_CONCURRENCY="2", **settings)
    assert browser.get("/")[1] == '{"views":9}\n'
    status, output = run(home, project, project / ".venv/bin/pytest", "-q")
    assert status == 0, output


FORM = "forms: A form"


def test_a_form(
    typed: Callable[..., Path], deploy: Callable[..., Server], home: Path
) -> None:
    """It comes again with what is wrong; what was right is in the session."""
    project = typed(FORM)
    install(project, home, "forms", "A form")
    browser = Browser(deploy(project))
    assert '<input id="name"' in browser.get("/hello")[1]
    assert browser.cookies == {}
    for name, problem in ("", "Please type it."), ("x" * 41, "longer than 40"):
        status, page = browser.request("POST", "/hello", urlencode({"name": name}))
        assert status == 422
        assert problem in page.partition('<p role="alert">')[2]
        assert 'aria-invalid="true"' in page
    assert browser.post("/hello", site="cross-site", name="Ada") == 403
    assert browser.post("/hello", site="same-site", name="Ada") == 403
    assert browser.post("/hello", name="<Ada>") == 303
    assert browser.location == "/hello"
    page = browser.get("/hello")[1]
    assert "Hello, &lt;Ada&gt;!" in page
    assert 'value="&lt;Ada&gt;"' in page
    assert "Hello, &lt;Ada&gt;!" not in browser.get("/hello")[1]


def test_one_view_takes_what_other_sites_send(
    typed: Callable[..., Path], deploy: Callable[..., Server]
) -> None:
    browser = Browser(deploy(typed("forms: What other sites may send")))
    assert browser.post("/webhook", "cross-site") == 204
    assert browser.post("/reset", "cross-site") == 403


def test_a_storage_of_ones_own(typed: Callable[..., Path], home: Path) -> None:
    """Its test keeps it to the contract, and one line has the app use it."""
    title = "In a storage of your own"
    project = typed(f"storage: {title}")
    (project / "app/my_storage.py").write_text(MY_STORAGE)
    pytest_ = project / ".venv/bin/pytest"
    status, output = run(home, project, pytest_, "-q", "tests/test_my_storage.py")
    assert status == 0, output
    assert int(re.findall(r"(\d+) passed", output)[0]) > 30
    told = section(project / "docs/storage.md", title)
    [line] = re.findall("`(storage = .+?)`", told)
    factory, above = project / "app/__init__.py", "    app = Flask(__name__)\n"
    text = factory.read_text().replace(above, f"{above}    {line}\n")
    factory.write_text(f"from .my_storage import MyStorage\n{text}")
    check = project / ".venv/bin/flask", "check"
    status, output = run(home, project, *check, APP_ENV="production", SECRET=SECRET)
    assert (status, "MyStorage answers" in output) == (0, True), output


def test_a_test_of_ones_own(typed: Callable[..., Path], home: Path) -> None:
    """The one in the section about tests, in a file of its own, and clean."""
    project = typed()
    [test] = [text for text in code(project / "README.md") if "def test_" in text]
    (project / "tests/test_own.py").write_text(test)
    for command in ".venv/bin/pytest tests/test_own.py", "make check":
        type_command(project, home, command)


UNTYPED = """

@bp.get("/first")
def first():
    return {"status": "ok"}
"""


def test_types_are_asked_for_in_the_engine_only(
    typed: Callable[..., Path], home: Path
) -> None:
    project = typed()
    append(project / "app/views.py", UNTYPED)
    type_command(project, home, "make check")
    append(project / "app/web/health.py", UNTYPED)
    status, output = run(home, project, project / ".venv/bin/mypy")
    assert status == 1
    assert "app/web/health.py" in output


def test_the_typed_code_is_clean(typed: Callable[..., Path], home: Path) -> None:
    """In style and types, once `make format` has put the imports together."""
    project = typed(LOGIN, COOKIES)
    for target in "format", "check":
        type_command(project, home, f"make {target}")
