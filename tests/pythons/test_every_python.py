"""The engine, the project and the hooks on each Python: `make pythons`.

The newest two come from Debian's packages; the others are tried where this machine has them.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import UV, run
from tests.podman import PYTHONS, Podman
from tests.pythons.conftest import in_container

OLDER = ("3.11", "3.12", "3.13")


@pytest.mark.parametrize("version", PYTHONS)
def test_newest(podman: Podman, template: Path, version: str) -> None:
    engine = f"make -C /template engine PYTHON=python{version}"
    output = in_container(podman, template, version, engine, minutes=20)
    assert f"Making .venv with Python {version}." in output
    assert " passed in " in output


@pytest.mark.parametrize("version", OLDER)
def test_older(template: Path, tmp_path: Path, home: Path, version: str) -> None:
    found = subprocess.run(
        [UV, "python", "find", "--no-python-downloads", version],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    if found.returncode:
        pytest.skip(f"this machine has no Python {version}")
    copy = tmp_path / "copy"
    shutil.copytree(template, copy)
    command = ["make", "engine", f"PYTHON={found.stdout.strip()}", f"UV={UV}"]
    status, output = run(home, copy, *command)
    assert status == 0, output
    assert re.search(rf"Making \.venv with Python {re.escape(version)}\.", output)
