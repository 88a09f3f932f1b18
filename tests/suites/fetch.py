"""Gets the suites into build/suites: an environment, and each source distribution.

The index has them, tests included; versions and hashes are those of requirements.txt.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build/suites"
PYTHON = FOLDER / "venv/bin/python"
LOCK = HERE / "requirements.txt"
NAMES = ("flask", "flask-dance", "flask-login", "flask-security", "flask-wtf")


def locked(name: str) -> str:
    """Return what requirements.txt says of a package: its version and its hashes."""
    [found] = re.findall(
        rf"^{name}==.+(?:\n    --hash=.+)+", LOCK.read_text(), re.MULTILINE
    )
    return str(found)


def install() -> None:
    """Make the environment that all suites run in."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "venv", "-q", "-p", sys.executable, PYTHON.parents[1]],
        check=True,
    )
    subprocess.run(
        [uv, "pip", "install", "-q", "-p", PYTHON, "--require-hashes", "-r", LOCK],
        env=os.environ | {"UV_SYSTEM_CERTS": "1"},
        check=True,
    )


def download() -> None:
    """Download the source distributions, and check their hashes."""
    wanted = FOLDER / "sources.txt"
    wanted.write_text("\n".join(map(locked, NAMES)))
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", *options),
            *("--dest", FOLDER, "--no-binary", ",".join(NAMES)),
            *("--require-hashes", "-r", wanted),
        ],
        check=True,
    )


def unpack(archive: Path) -> None:
    """Unpack the tests and the settings of pytest; not the package, which is installed."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = Path(member.name)
            if path.is_absolute() or ".." in path.parts or not member.isfile():
                continue
            kept = path.parts[1] in ("tests", "pytest.ini", "setup.cfg")
            if kept or path.parts[1:] == ("pyproject.toml",):
                tar.extract(member, FOLDER / "unpacked")


def folder_of(name: str) -> Path:
    """Return where a suite was unpacked, whichever way its archive writes the name."""
    [found] = [
        path
        for path in (FOLDER / "unpacked").iterdir()
        if path.name.rpartition("-")[0].lower().replace("_", "-") == name
    ]
    return found


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    install()
    download()
    for archive in FOLDER.glob("*.tar.gz"):
        unpack(archive)
