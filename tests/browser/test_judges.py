"""What axe, the Nu HTML checker and Lighthouse say of the pages."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserType, Page

from .conftest import STATUSES, Site

TOOLS = Path(__file__).parent / "node_modules"


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_no_barrier(
    show: Callable[[Page, int], str], open_page: Callable[..., Page], colours: str
) -> None:
    page = open_page(color_scheme=colours)
    for status in STATUSES:
        show(page, status)
        page.evaluate((TOOLS / "axe-core/axe.min.js").read_text())
        report = page.evaluate("axe.run()")
        assert report["passes"]
        assert report["violations"] == []
        assert report["incomplete"] == []


def test_the_html_is_valid(
    show: Callable[[Page, int], str], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page()
    for status in STATUSES:
        (tmp_path / f"{status}.html").write_text(show(page, status))
    assert_valid(tmp_path)


def assert_valid(folder: Path) -> None:
    """Have the Nu HTML checker judge the pages in a folder."""
    jar = TOOLS / "vnu-jar/build/dist/vnu.jar"
    done = subprocess.run(
        ["java", "-jar", jar, "--Werror", *folder.iterdir()],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout == ""


def test_lighthouse_gives_full_marks(
    production: Site,
    chromium: BrowserType,
    tmp_path: Path,
) -> None:
    """Lighthouse wants a Chromium that listens, and does not end one that it found."""
    profile = chromium.launch_persistent_context(
        tmp_path,
        executable_path=shutil.which("chromium"),
        args=["--remote-debugging-port=0", "--ignore-certificate-errors"],
    )
    port = (tmp_path / "DevToolsActivePort").read_text().splitlines()[0]
    categories = "performance,accessibility,best-practices,seo"
    try:
        done = subprocess.run(
            [
                *(TOOLS / ".bin/lighthouse", production.url, "--port", port),
                *("--only-categories", categories, "--output", "json"),
                *("--quiet", "--no-enable-error-reporting"),
            ],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=100,
        )
    finally:
        profile.close()
    found = json.loads(done.stdout)["categories"]
    scores = {name: round(100 * found[name]["score"]) for name in found}
    assert scores == dict.fromkeys(categories.split(","), 100)
