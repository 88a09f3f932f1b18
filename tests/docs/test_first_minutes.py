"""The first ten minutes, as somebody types them who has never seen this before.

They are recorded in build/first-minutes.txt: read it for the next thing to mend.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, UV, environment
from tests.terminal import Terminal, ctrl_c
from tests.waiting import free_port

READY = "Booting worker"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for the PATH with Python and cookiecutter, and without uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    (folder / "cookiecutter").symlink_to(Path(sys.executable).with_name("cookiecutter"))
    return folder


def test_the_first_ten_minutes(
    template: Path, programs: Path, home: Path, tmp_path: Path
) -> None:
    recording = ROOT / "build/first-minutes.txt"
    recording.parent.mkdir(exist_ok=True)
    recording.write_text("")
    port = free_port()
    path = f"{programs}:/usr/local/bin:/usr/bin:/bin"
    env = environment(home, PATH=path, PORT=str(port))
    published = shutil.copytree(template, tmp_path / "published")
    for name in "init", "add .", "-c user.name=A -c user.email=a@b.c commit -qm Start":
        command = ["git", *name.split()]
        subprocess.run(command, cwd=published, check=True, capture_output=True)
    one, two = (Terminal(tmp_path, env, recording) for _ in range(2))

    def visit(printed: str) -> None:
        [url] = re.findall(r"Listening at: (http://[\d.:]+)", printed)
        for views in 1, 2:
            answer = two.type(f"curl -s -c jar -b jar {url}")
            assert answer == f'{{"views":{views}}}\n'
        (two.folder / "jar").unlink()

    def run_it_twice(_: str) -> None:
        said = two.type("make run")
        assert f"Connection in use: ('127.0.0.1', {port})" in said

    def edit(_: str) -> None:
        url = f"http://127.0.0.1:{port}"
        assert '"views": 1' in two.type(f"curl -s {url}")
        views = two.folder / "app/views.py"
        views.write_text(views.read_text().replace('{"views"', '{"visits"'))
        two.type(f"until curl -s {url} | grep visits; do sleep 1; done")
        views.write_text(views.read_text().replace('{"visits"', '{"views"'))

    def be_told_that_redis_is_away(_: str) -> None:
        assert " 503 " in two.type(f"curl -si http://127.0.0.1:{port}")

    one.type(f"git clone --quiet {published} template")
    one.cd("template")
    one.type("make run", (READY, visit), ("GET", ctrl_c))
    one.cd("..")

    said = one.type(
        "cookiecutter template",
        ("app called?", "☕☕"),
        ("one sentence?", ""),
        ("run on?", ""),
        ("commit?", ""),
        ("(app-1)", "My App"),
    )
    assert "project_slug 'My App' is not a folder name" in said
    said = one.type(
        "cookiecutter template",
        *(("called?", ""), ("one sentence?", ""), ("run on?", ""), ("commit?", "")),
        ("(visit-counter)", ""),
    )
    cd, *git, run, test = re.findall(
        "^ {4}(.+)", said.partition("Now type:")[2], re.MULTILINE
    )
    assert (cd, run.split("#")[0].strip(), test) == (
        "cd visit-counter",
        "make run",
        "make test",
    )
    one.cd("visit-counter")
    for command in git:
        one.type(command)
    two.cd("visit-counter")
    one.type("make run", (READY, visit), ("GET", run_it_twice), ("", ctrl_c))
    one.type(f"make dev FLASK_RUN_PORT={port}", ("Debugger PIN", edit), ("GET", ctrl_c))
    one.type("make")
    assert "Traceback" not in one.type("LOG_LEVEL=warn make run")
    one.type(
        "REDIS_URL=redis://127.0.0.1:1 make run",
        (READY, be_told_that_redis_is_away),
        ("503", ctrl_c),
    )
    (programs / "uv").symlink_to(UV)
    tested = one.type("make test")
    assert re.search(r" \d+ passed in ", tested)
    assert not re.search("skipped|warning|failed", tested)
    assert one.type("git status --short") == ""

    one.cd("..")
    shutil.rmtree(tmp_path / "template/.venv")
    one.cd("template")
    one.type("make run", (READY, visit), ("GET", ctrl_c))
