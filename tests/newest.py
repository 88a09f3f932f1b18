"""The project on other releases of what it is built on; `make newest PARTS="redis==8.0.0"`.

Without PARTS: the newest of each part, pre-releases too, alone and then all together. What is
not a part stays as it is pinned, unless a part asks for more.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import APP, ROOT, UV

PARTS = ["cookiecutter", "flask", "gunicorn", "python-dotenv", "redis", "werkzeug"]
FOLDER = ROOT / "build/newest"
PYTHON = FOLDER / ".venv/bin/python"
# Where the parts meet the template: cookiecutter runs the hooks, and asks the questions.
OF_THE_TEMPLATE = ["tests/bake/test_hooks.py", "tests/bake/test_answers.py"]


def passes(parts: list[str], tested: dict[str, bool]) -> bool:
    """Bake and test with these parts, unless the same releases were tested before."""
    print(f"Installing {' '.join(parts)} ...", flush=True)
    install(parts)
    installed = run(UV, "pip", "freeze", "-q", "-p", PYTHON)
    print(*re.findall(rf"^(?:{'|'.join(PARTS)})==.*", installed, re.MULTILINE))
    if installed in tested:
        print("These releases were tested above.", flush=True)
    else:
        tested[installed] = suites_pass()
    return tested[installed]


def install(parts: list[str]) -> None:
    """Make a virtual environment with the pinned versions of everything else."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    locks = ROOT / "requirements-dev.txt", ROOT / APP / "requirements-dev.txt"
    run(UV, "venv", "-q", "-p", sys.executable, PYTHON.parents[1])
    pip = UV, "pip", "install", "-q", "-p", PYTHON
    run(*pip, "--require-hashes", *[f"-r{lock}" for lock in locks])
    names = [re.split("[^a-z-]", part)[0] for part in parts]
    upgrade = [f"--upgrade-package={name}" for name in names]
    run(*pip, "--prerelease", "allow", *upgrade, *parts)


def suites_pass() -> bool:
    """Run the tests of a new project, its engine, and of how it is baked."""
    options = "--no-input", "--default-config", "--output-dir", FOLDER
    run(PYTHON, "-m", "cookiecutter", *options, ROOT, "init_git=no")
    project = FOLDER / "visit-counter"
    shutil.copytree(ROOT / "tests/engine", project / "tests/engine")
    tests = [str(PYTHON), "-m", "pytest", "-q", "--tb=short"]
    suites = [(project, tests), (ROOT, [*tests, *OF_THE_TEMPLATE])]
    statuses = [
        subprocess.run(suite, check=False, cwd=where).returncode
        for where, suite in suites
    ]
    return not any(statuses)


def run(*command: str | Path) -> str:
    """Run a program, and stop if it fails; return what it prints."""
    return subprocess.run(
        command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    given = os.environ.get("PARTS", "").split()
    rounds = [given] if given else [*([part] for part in PARTS), PARTS]
    tested: dict[str, bool] = {}
    failed = [" ".join(parts) for parts in rounds if not passes(parts, tested)]
    sys.exit(f"It fails with: {'; '.join(failed)}" if failed else 0)
