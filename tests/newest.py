"""The project on other releases of what it is built on; `make newest PARTS="redis==8.0.0"`.

Without PARTS: the newest of each part, pre-releases too, alone and then all together.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import APP, ROOT, UV

PARTS = ["cookiecutter", "flask", "gunicorn", "python-dotenv", "redis", "werkzeug"]
FOLDER = ROOT / "build/newest"
PYTHON = FOLDER / ".venv/bin/python"


def passes(parts: list[str]) -> bool:
    """Bake and test with the pinned versions of everything else."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    locks = ROOT / "requirements-dev.txt", ROOT / APP / "requirements-dev.txt"
    run(UV, "venv", "-q", "-p", sys.executable, PYTHON.parents[1])
    install = UV, "pip", "install", "-q", "-p", PYTHON
    run(*install, "--require-hashes", *[f"-r{lock}" for lock in locks])
    run(*install, "--upgrade", "--prerelease", "allow", *parts)
    options = "--no-input", "--default-config", "--output-dir", FOLDER
    run(PYTHON, "-m", "cookiecutter", *options, ROOT, "init_git=no")
    project = FOLDER / "visit-counter"
    shutil.copytree(ROOT / "tests/engine", project / "tests/engine")
    print(f"Testing with {' '.join(parts)} ...", flush=True)
    tests = [str(PYTHON), "-m", "pytest", "-q", "--tb=short"]
    return subprocess.run(tests, check=False, cwd=project).returncode == 0


def run(*command: str | Path) -> None:
    """Run a program, and stop if it fails."""
    subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    given = os.environ.get("PARTS", "").split()
    rounds = [given] if given else [*([part] for part in PARTS), PARTS]
    failed = [" ".join(parts) for parts in rounds if not passes(parts)]
    sys.exit(f"It fails with: {'; '.join(failed)}" if failed else 0)
