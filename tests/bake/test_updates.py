"""A project takes over next year's template with cruft, and keeps what is its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bake.owner import add_a_blueprint, add_a_page
from tests.conftest import run

NEXT_YEAR = "# What the next version of the template has to say.\n"


@pytest.fixture
def repository(template: Path, tmp_path: Path, home: Path, git_user: None) -> Path:
    """The template in a git repository of its own."""
    copy = tmp_path / "template"
    subprocess.run(["cp", "-R", template, copy], check=True)
    commit(copy, home, "This year's template")
    return copy


def commit(folder: Path, home: Path, message: str) -> None:
    for command in ["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", message]:
        assert run(home, folder, "git", *command)[0] == 0


def cruft(home: Path, folder: Path, *command: str) -> tuple[int, str]:
    """Run cruft as a user would, with git where it is."""
    program = Path(sys.executable).parent / "cruft"
    return run(home, folder, program, *command)


@pytest.fixture
def project(repository: Path, tmp_path: Path, home: Path) -> Path:
    """A project that was made with cruft, and has been worked on since."""
    folder = tmp_path / "projects"
    folder.mkdir()
    status, output = cruft(home, folder, "create", str(repository), "--no-input")
    assert status == 0, output
    project = folder / "visit-counter"
    [add] = re.findall(r"    (git add .*)", output)
    assert run(home, project, "sh", "-ec", add)[0] == 0
    assert run(home, project, "git", "status", "--porcelain") == (0, "")
    views = project / "app/views.py"
    views.write_text(views.read_text() + "\n\n# Our own pages follow.\n")
    commit(project, home, "Our own work")
    return project


def test_cruft_updates_a_project_and_leaves_its_secret_alone(
    project: Path, repository: Path, home: Path
) -> None:
    env = (project / ".env").read_bytes()
    [secret] = re.findall(r"^SECRET=(.+)$", env.decode(), re.MULTILINE)
    status, output = cruft(home, project, "check")
    assert status == 0, output

    file = repository / "{{cookiecutter.project_slug}}/app/web/health.py"
    file.write_text(file.read_text() + NEXT_YEAR)
    (file.parent / "news.py").write_text(NEXT_YEAR)
    commit(repository, home, "Next year's template")

    printed = []
    status, output = cruft(home, project, "check")
    assert status == 1
    printed.append(output)
    status, output = cruft(home, project, "diff")
    assert "Our own pages follow." in output
    printed.append(output)
    status, output = cruft(home, project, "update", "--skip-apply-ask")
    assert status == 0, output
    printed.append(output)

    assert (project / "app/web/health.py").read_text().endswith(NEXT_YEAR)
    assert (project / "app/web/news.py").read_text() == NEXT_YEAR
    assert "Our own pages follow." in (project / "app/views.py").read_text()
    assert list(project.rglob("*.rej")) == []
    assert (project / ".env").read_bytes() == env
    assert secret not in "".join(printed)
    assert "Your app" not in "".join(printed)
    assert cruft(home, project, "check")[0] == 0


def test_what_the_owner_changed_does_not_conflict_with_a_new_engine(
    project: Path, repository: Path, home: Path
) -> None:
    """The owner's part is edited as the README says; everything else changes."""
    add_a_page(project)
    add_a_blueprint(project)
    commit(project, home, "Our own pages")
    _, names = run(home, project, "git", "diff", "--name-only", "HEAD~")
    ours = {project / name: (project / name).read_text() for name in names.split()}
    assert len(ours) == 7

    template = repository / "{{cookiecutter.project_slug}}"
    engine = [
        path
        for place in ("app/sessions/**/*", "app/web/**/*", "docs/*", "deploy/*", "*")
        for path in template.glob(place)
        if path.suffix in (".conf", ".md", ".py", ".service", ".txt")
    ]
    assert len(engine) > 30
    for file in engine:
        file.write_text(file.read_text() + NEXT_YEAR)
    commit(repository, home, "A new engine")

    status, output = cruft(home, project, "update", "--skip-apply-ask")
    assert status == 0, output
    assert list(project.rglob("*.rej")) == []
    _, changes = run(home, project, "git", "status", "--porcelain")
    assert "U" not in {line[:2].strip() for line in changes.splitlines()}
    for file in engine:
        assert (project / file.relative_to(template)).read_text().endswith(NEXT_YEAR)
    for file, text in ours.items():
        assert file.read_text() == text
