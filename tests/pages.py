"""What people read: the READMEs and the docs of the template and of the project."""

import re
from pathlib import Path

from tests.conftest import APP, ROOT

PAGES = [
    page
    for folder in (ROOT, ROOT / APP)
    for page in [folder / "README.md", *sorted(folder.glob("docs/*.md"))]
]


def code(page: Path) -> list[str]:
    """Return the blocks of code, without their fences."""
    pattern = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return pattern.findall(page.read_text())


def blocks(page: Path) -> list[str]:
    """Return the blocks of commands: those that are indented, trees apart."""
    fenced = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
    found = re.findall(
        r"(?:^ {4}.+\n)+", fenced.sub("", page.read_text()), re.MULTILINE
    )
    return [
        re.sub(r"^    ", "", b, flags=re.MULTILINE) for b in found if "├──" not in b
    ]


def block(folder: Path, start: str) -> str:
    """Return the one block of commands that starts so, in a folder's README or docs."""
    pages = [folder / "README.md", *folder.glob("docs/*.md")]
    [found] = [b for page in pages for b in blocks(page) if b.startswith(start)]
    return found


def section(page: Path, title: str) -> str:
    """Return what stands below a headline, up to the next of its rank."""
    _, headline, text = page.read_text().partition(f"\n## {title}\n")
    assert headline, title
    return text.partition("\n## ")[0]
