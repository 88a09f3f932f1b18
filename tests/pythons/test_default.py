"""A project passes its own tests on the Python that is the default, as its owner runs them."""

from pathlib import Path

from tests.podman import PYTHONS, Podman
from tests.pythons.conftest import BAKE, in_container


def test_the_projects_tests_pass(podman: Podman, template: Path) -> None:
    output = in_container(podman, template, PYTHONS[0], BAKE, "make test check")
    assert f"Making .venv with Python {PYTHONS[0]}." in output
    assert " passed in " in output
