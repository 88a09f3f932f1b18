"""The baked project, in an environment of its own: tests, style, types."""

from pathlib import Path

from tests.conftest import run


def make(project: Path, target: str, home: Path) -> str:
    status, output = run(home, project, "make", target)
    assert status == 0, output
    return output


def test_passes_its_own_tests(baked: Path, home: Path) -> None:
    output = make(baked, "test", home)
    assert " passed" in output
    assert "skipped" not in output
    assert "warning" not in output


def test_has_clean_style_and_types(baked: Path, home: Path) -> None:
    make(baked, "check", home)


def test_tells_what_make_can_do(baked: Path, home: Path) -> None:
    assert "make run" in make(baked, "help", home)
