"""The owner of a project of 1.0.0 types what CHANGELOG.md says, and has 2.0.0."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bake.owner import TEMPLATE, VIEW, put
from tests.bake.test_updates import commit, cruft
from tests.conftest import (
    APP,
    PRODUCTION,
    ROOT,
    UV,
    Server,
    run,
    run_cookiecutter,
    valkey,
)
from tests.docs.recipes import Browser, type_command
from tests.pages import section

RELEASED = "c0c5bb6"  # 1.0.0
RENAMED = "tests/test_app.py"
TEST = '\n\ndef test_greets(client: FlaskClient) -> None:\n    assert "Hello!" in client.get("/hello").text\n'
STEPS = section(ROOT / "CHANGELOG.md", "2.0.0 (2026-11-28)").partition("\n### What")[0]
PREPARE, WITH_CRUFT, BY_HAND, FINISH = (
    [line.strip() for line in block.splitlines()]
    for block in re.findall(r"(?:^ {4}.+\n)+", STEPS, re.MULTILINE)
)
# What the owner of a storage wrote by the README of 1.0.0.
STORAGE = "tests/sessions/sqlite_storage.py"
STORAGE_TEST = """from pathlib import Path

import pytest
from app.my_storage import SQLiteStorage

from .storage_contract import StorageContract


class TestMyStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> SQLiteStorage:
        return SQLiteStorage(str(tmp_path / "sessions.db"))
"""


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def do_an_owners_work(project: Path) -> None:
    """A page, a setting, a link and the login of the README, in the shape of 1.0.0."""
    app = project / "app"
    put(
        app / "views.py",
        "import Blueprint, redirect",
        "import Blueprint, current_app, redirect",
    )
    (app / "views.py").write_text((app / "views.py").read_text() + VIEW)
    (app / "templates/hello.html").write_text(TEMPLATE)
    tests = project / RENAMED
    tests.write_text(tests.read_text() + TEST)
    config, level = app / "config.py", "        log_level=reader.log_level(),\n"
    put(config, "    log_level: str\n", "    log_level: str\n    greeting: str\n")
    put(config, level, level + '        greeting=reader.get("GREETING") or "Hello",\n')
    most = '            "MAX_CONTENT_LENGTH"'
    put(config, most, f'            "GREETING": self.greeting,\n{most}')
    base = app / "templates/base.html"
    put(base, "</a></header>", '</a> <a href="/login">Log in</a></header>')
    flashed = (
        "{% for message in get_flashed_messages() %}<p>{{ message }}</p>{% endfor %}"
    )
    put(base, "<main>\n", f"<main>\n{flashed}\n")
    recipe = (project / "README.md").read_text().partition("\n### Log in and out\n")[2]
    code, page = re.findall(
        r"^```(?:python|html)\n(.+?)^```", recipe, re.MULTILINE | re.DOTALL
    )[:2]
    (app / "login.py").write_text(code)
    (app / "templates/login.html").write_text(page)
    put(app / "__init__.py", "    logs,\n", "    login,\n    logs,\n")
    last = "    sessions.check_cookie(app)\n"
    put(app / "__init__.py", last, f"{last}    login.init_app(app)\n")
    [package] = re.findall(
        r"^    echo '(flask-login.+)' >> requirements.in", recipe, re.MULTILINE
    )
    with (project / "requirements.in").open("a") as requirements:
        requirements.write(package + "\n")


def resolve_conflicts(project: Path) -> None:
    """Edit what both sides changed, as CHANGELOG.md says."""
    conflict = re.compile(r"<{7}.*?^={7}\n(.*?)^>{7}.*?\n", re.MULTILINE | re.DOTALL)
    for name in "app/__init__.py", "app/templates/base.html":
        text, found = conflict.subn(r"\1", (project / name).read_text())
        assert found == 1, name
        (project / name).write_text(text)
    put(project / "app/__init__.py", "import views, web", "import login, views, web")
    last = '    env.add("LOG_LEVEL", '
    put(
        project / "app/settings.py",
        last,
        f'    env.add("GREETING", "Hello")\n{last}',
    )


class Upgrade:
    """A project as it was in 1.0.0, and what became of it in both ways."""

    def __init__(self, template: Path, folder: Path, home: Path) -> None:
        self.home = home
        repository = folder / "template"
        git(folder, "clone", "-q", str(ROOT), str(repository))
        git(repository, "checkout", "-q", "-B", "main", RELEASED)
        (folder / "cruft").mkdir()
        status, output = cruft(
            home, folder / "cruft", "create", str(repository), "--no-input"
        )
        assert status == 0, output
        self.with_cruft = folder / "cruft/visit-counter"
        [add] = re.findall(r"    (git add .*)", output)
        type_command(self.with_cruft, home, add)
        self.by_hand = run_cookiecutter(
            repository, folder / "hand", home, answers={}
        ).project
        for project in self.by_hand, self.with_cruft:
            do_an_owners_work(project)
        type_command(self.by_hand, home, f"make lock PYTHON={sys.executable} UV={UV}")
        self.copy_requirements()
        for project in self.by_hand, self.with_cruft:
            commit(project, home, "Our own work")
        self.before = folder / "before"
        shutil.copytree(
            self.by_hand, self.before, ignore=shutil.ignore_patterns(".venv")
        )
        (self.before / ".venv").symlink_to(self.by_hand / ".venv")

        git(repository, "rm", "-r", "-q", ".")
        shutil.copytree(template, repository, dirs_exist_ok=True)
        commit(repository, home, "2.0.0")
        self.shown = self.type_in(self.by_hand, PREPARE)
        self.type_in(self.with_cruft, PREPARE + WITH_CRUFT)
        new = BY_HAND[0].replace("gh:OWNER/REPO", f"{repository} --no-input")
        self.type_in(self.by_hand, [new, *BY_HAND[1:]])
        for project in self.by_hand, self.with_cruft:
            resolve_conflicts(project)
        # Once is enough for what needs an environment.
        self.finished = {
            command: self.type_in(self.by_hand, [command]) for command in FINISH
        }
        self.copy_requirements()
        self.type_in(self.with_cruft, FINISH[-2:])

    def copy_requirements(self) -> None:
        for name in "requirements.txt", "requirements-dev.txt":
            shutil.copy(self.by_hand / name, self.with_cruft)

    def type_in(self, project: Path, commands: list[str]) -> str:
        """Type commands; a merge with conflicts is one that fails."""
        bin_ = Path(sys.executable).parent
        output = ""
        for command in commands:
            path = f"PATH={bin_}:$PATH; {command}"
            status, printed = run(self.home, project, "sh", "-c", path)
            conflicts = command.startswith("git merge") and "CONFLICT" in printed
            assert status == int(conflicts), f"{command}\n{printed}"
            output += printed
        return output


@pytest.fixture(scope="module", autouse=True)
def _history() -> None:
    """Have the commit of 1.0.0, which is missing in a shallow clone."""
    here = subprocess.run(
        ["git", "cat-file", "-e", f"{RELEASED}^{{commit}}"],
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    if here.returncode:
        pytest.fail(
            f"The commit {RELEASED}, which is 1.0.0, is not here, because this is a shallow"
            " clone; get it with: git fetch --unshallow"
        )


@pytest.fixture(scope="module")
def upgrade(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Upgrade:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    return Upgrade(template, tmp_path_factory.mktemp("upgrade"), home)


def test_it_takes_twenty_commands_at_most() -> None:
    for way in WITH_CRUFT, BY_HAND:
        assert len(PREPARE + way + FINISH) <= 20


def test_it_names_each_file_that_is_gone(template: Path) -> None:
    """Those that the owner changed would keep cruft from merging, and stay behind."""
    old = git(ROOT, "ls-tree", "-r", "--name-only", f"{RELEASED}:{APP}").splitlines()
    gone = {name for name in old if not (template / APP / name).exists()}
    named = tuple(PREPARE[0].partition(" -- ")[2].split())
    assert {name for name in gone if not name.startswith(named)} == {RENAMED}
    assert all(any(name.startswith(start) for name in gone) for start in named)


def test_its_tests_and_checks_pass(upgrade: Upgrade) -> None:
    assert "passed" in upgrade.finished["make test"]
    assert "error" not in upgrade.finished[".venv/bin/flask check"]


def test_git_shows_what_of_the_owners_is_removed(upgrade: Upgrade) -> None:
    removed = re.findall(r"^-(?!--)(.+)", upgrade.shown, re.MULTILINE)
    assert len(removed) == 3
    assert all("greeting" in line for line in removed)


def files(project: Path) -> dict[str, str]:
    names = git(project, "ls-files").splitlines()
    assert git(project, "status", "--porcelain", "--ignored=no") == ""
    return {name: (project / name).read_text() for name in names}


def test_both_ways_lead_to_the_same_project(upgrade: Upgrade) -> None:
    with_cruft = files(upgrade.with_cruft)
    assert '"_template_version": "2.0.0"' in with_cruft.pop(".cruft.json")
    assert with_cruft == files(upgrade.by_hand)


def test_it_has_all_of_the_owners_and_of_the_template_and_nothing_else(
    upgrade: Upgrade,
) -> None:
    new = files(upgrade.by_hand.parent / "new/visit-counter")
    mine = files(upgrade.by_hand)
    assert mine.keys() - new.keys() == {
        "app/login.py",
        "app/templates/hello.html",
        "app/templates/login.html",
    }
    assert new.keys() <= mine.keys()
    changed = {name for name in new if mine[name] != new[name]}
    assert changed == {
        "app/__init__.py",
        "app/settings.py",
        "app/templates/base.html",
        "app/views.py",
        "requirements-dev.txt",
        "requirements.in",
        "requirements.txt",
        "tests/test_views.py",
    }
    assert '<a href="/login">Log in</a>' in mine["app/templates/base.html"]
    assert mine["app/templates/base.html"].count("get_flashed_messages") == 1
    assert mine["app/views.py"].endswith(VIEW)
    assert mine["tests/test_views.py"].endswith(TEST)
    env = [
        (project / ".env").read_text() for project in (upgrade.by_hand, upgrade.before)
    ]
    assert env[0] == env[1]


def test_nobody_is_logged_out_while_both_versions_run_and_after(
    upgrade: Upgrade,
) -> None:
    with valkey() as redis:
        settings = PRODUCTION | {"REDIS_URL": redis.connection_url}
        old = Server(upgrade.before, "web", **settings)
        new = Server(upgrade.by_hand, "web", **settings)
        try:
            browser = Browser(old)
            counts = [browser.get("/")[1]]
            assert browser.log_in() == 303
            cookies = dict(browser.cookies)
            for browser.server in new, old, new:
                counts.append(browser.get("/")[1])
                assert "Hello, ada" in browser.get("/login")[1]
            assert browser.cookies == cookies
            assert counts == [f'{{"views":{n}}}\n' for n in (1, 2, 3, 4)]
            late = browser.twin()
            late.server = old
            assert browser.post("/logout") == 303  # by the new one
            assert "Hello" not in late.get("/login")[1]
        finally:
            old.stop()
            new.stop()


def test_a_storage_of_1_0_0_is_told_what_to_change(upgrade: Upgrade) -> None:
    project = upgrade.before.parent / "storage"
    shutil.copytree(upgrade.by_hand, project, ignore=shutil.ignore_patterns(".venv"))
    storage = project / "app/my_storage.py"
    shutil.copy(upgrade.before / STORAGE, storage)
    (project / "tests/test_my_storage.py").write_text(STORAGE_TEST)
    python = str(upgrade.by_hand / ".venv/bin/python")
    test = [python, "-m", "pytest", "tests/test_my_storage.py"]
    status, output = run(upgrade.home, project, *test)
    assert status == 1
    assert "storage.delete(key)" in output
    assert re.search(r"DID NOT RAISE .*SessionEnded", output)
    put(storage, "            suppress(SessionEnded),\n", "")
    status, output = run(upgrade.home, project, *test)
    assert status == 0, output
