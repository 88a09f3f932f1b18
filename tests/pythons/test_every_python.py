"""The engine, the project and the hooks on each Python: `make pythons`.

The newest two come from Debian's packages; the others are tried where this machine has them.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import UV, run
from tests.podman import PYTHONS, Podman
from tests.pythons.conftest import in_container

OLDER = ("3.11", "3.12", "3.13")
# What `make engine` does not run: the hooks, and visits to a project of the Procfile's.
MORE = "tests/bake/test_hooks.py tests/servers/test_visit.py"


def typed(folder: Path, *options: str) -> list[str]:
    """Return the commands that test the copy of the template in a folder."""
    return [
        f"cd {folder}",
        f"make engine {' '.join(options)}",
        "git init -q . && git add .",  # the tests copy what git lists
        f".venv/bin/python -m pytest {MORE}",
    ]


def check(output: str, version: str) -> None:
    """Fail unless all ran, and on that Python; show how many tests did."""
    [made] = re.findall(rf"Making \.venv with (Python {version}\.\S+)", output)
    counts = re.findall(r"\d+ passed.* in \S+s", output)
    assert len(counts) == 2, output
    assert not any("skipped" in count for count in counts), counts
    print(f"{made}: project and engine {counts[0]}, hooks and visits {counts[1]}")


@pytest.mark.parametrize("version", PYTHONS)
def test_newest(podman: Podman, template: Path, version: str) -> None:
    commands = typed(Path("/template"), f"PYTHON=python{version}")
    check(in_container(podman, template, version, *commands, minutes=30), version)


def interpreter(version: str) -> str:
    """Return the path of that Python, also of one that pyenv keeps; "" if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    # Before pyenv's own commands, which work for one version at a time.
    folders = [*pyenv.glob(f"versions/{version}.*/bin"), os.environ["PATH"]]
    found = subprocess.run(
        [UV, "python", "find", "--no-python-downloads", "--system", version],
        check=False,
        cwd="/",  # no .venv there
        env=os.environ | {"PATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()


FOUND = {version: python for version in OLDER if (python := interpreter(version))}


@pytest.mark.parametrize("version", FOUND)
def test_older(template: Path, tmp_path: Path, home: Path, version: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(template, copy)
    commands = typed(copy, f"PYTHON={FOUND[version]}", f"UV={UV}")
    status, output = run(home, copy, "sh", "-c", " && ".join(commands))
    assert status == 0, output
    check(output, version)
