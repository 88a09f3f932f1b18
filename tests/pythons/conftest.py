"""Pythons of Debian's, each in an image of its own."""

from pathlib import Path

from tests.podman import INSTALL, Podman, python_image

# What `make` and the engine's tests need.
PACKAGES = "git make postgresql"
# Baked by that Python, in which the hooks run, too.
BAKE = (
    "python3 -m venv /baker && /baker/bin/pip install -q --require-hashes"
    " -r /template/requirements-run.txt && /baker/bin/python -m cookiecutter --no-input"
    " /template --output-dir /srv init_git=false && cd /srv/visit-counter"
)


def in_container(
    podman: Podman, template: Path, version: str, *commands: str, minutes: float = 5
) -> str:
    """Run shell commands where that Python is, beside the template; return the output."""
    typed = " && ".join(commands)
    file = template.parent / f"Dockerfile-{version}"
    file.write_text(
        f"FROM {python_image(version)}\nRUN {INSTALL} {PACKAGES}\n"
        f"COPY . /template\nRUN {typed}\n"
    )
    return podman("build", f"--file={file}", template, timeout=60 * minutes)
