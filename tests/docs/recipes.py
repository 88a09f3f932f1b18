"""Types the recipes of the project's docs, and visits what comes of them."""

import ast
import http.client
import os
import re
import shutil
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.conftest import UV, Server, run
from tests.pages import blocks, section

SECRET = "a-production-secret-of-0123456789abcdef"


Definition = ast.ClassDef | ast.FunctionDef


def definitions(source: str) -> dict[str, tuple[int, int]]:
    """Return the first and the last line of each class and function, decorators included."""
    return {
        node.name: (
            min(part.lineno for part in [node, *node.decorator_list]),
            node.end_lineno or 0,
        )
        for node in ast.parse(source).body
        if isinstance(node, Definition)
    }


def merge(source: str, block: str) -> str:
    """Return a module with a block typed into it.

    Its imports go to the top; what it defines replaces what had the name, or comes last.
    """
    lines = block.splitlines()
    new = definitions(block)
    imports = lines[: min(first for first, _ in new.values()) - 1]
    for name, (first, last) in new.items():
        body = lines[first - 1 : last]
        text = source.splitlines()
        if name in (old := definitions(source)):
            text[old[name][0] - 1 : old[name][1]] = body
        else:
            text += ["", "", *body]
        source = "\n".join(text) + "\n"
    return source.replace("\nfrom ", "\n" + "\n".join([*imports, "from "]), 1)


def type_in(project: Path, recipe: str) -> None:
    """Do what a recipe says: to the files that it names, and to the factory's lines."""
    page, _, title = recipe.partition(": ")
    text = section(project / f"docs/{page}.md", title)
    told, *blocks = re.split(r"^```(?:python|html)\n", text, flags=re.MULTILINE)
    for part in blocks:
        block, after = part.split("```\n", 1)
        told = told.strip().rpartition("\n\n")[2]  # the paragraph before the block
        name = re.findall(r"`((?:app/|tests/|gunicorn)[\w/.]+\.(?:py|html))`", told)[-1]
        if name == "app/__init__.py":
            change_factory(project / name, told, block)
        elif block.startswith("    env."):
            add_below(project / name, told, block)
        elif block.startswith("HEADERS["):
            text = (project / name).read_text()
            (project / name).write_text(
                text.replace("\n\ndef ", f"\n{block}\n\ndef ", 1)
            )
        elif (project / name).exists():
            (project / name).write_text(merge((project / name).read_text(), block))
        else:
            (project / name).write_text(block)
        told = after


def change_factory(file: Path, told: str, block: str) -> None:
    """Import what is told, and type the lines where they belong in create_app."""
    text, told = file.read_text(), " ".join(told.split())
    for module in re.findall(r"`(\w+)` beside `views`", told):
        text = re.sub(
            "(?m)^from . import (.*views.*)$", rf"from . import {module}, \1", text
        )
        assert module in text
    for name, module in re.findall(r"import `(\w+)` from `\.(\w+)`", told):
        text = text.replace(
            "from . import", f"from .{module} import {name}\nfrom . import", 1
        )
    file.write_text(text)
    add_below(file, told, block)


def add_below(file: Path, told: str, block: str) -> None:
    """Type a block below the line that is told."""
    [line] = re.findall(r"below `(.+?)`", " ".join(told.split()))
    text = file.read_text()
    assert f"    {line}\n" in text
    file.write_text(text.replace(f"    {line}\n", f"    {line}\n{block}"))


def copy_of(project: Path, folder: Path) -> Path:
    """Return a copy of a project that uses the same environment."""
    copy = folder / project.name
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".venv"))
    (copy / ".venv").symlink_to(project / ".venv")
    return copy


def install(project: Path, home: Path, page: str, title: str) -> None:
    """Type a recipe's commands for what it needs, and install that."""
    text = section(project / f"docs/{page}.md", title)
    commands = [b for b in blocks(project / f"docs/{page}.md") if "make lock" in b]
    commands = [command for command in commands if command.strip() in text]
    for command in commands:
        type_command(project, home, command)
    if commands:
        type_command(project, home, "make .venv/bin/pytest")


def type_command(project: Path, home: Path, command: str) -> str:
    """Type a command where there is uv; return what it prints."""
    path = f"{UV.parent}{os.pathsep}{os.environ['PATH']}"
    status, output = run(home, project, "sh", "-c", command, PATH=path)
    assert status == 0, output
    return output


MY_STORAGE = """from .sessions import MemoryStorage


class MyStorage(MemoryStorage):
    pass
"""


def type_everything_in(project: Path, home: Path) -> None:
    """Write all that docs/ tells to write, page by page, from top to bottom."""
    (project / "app/my_storage.py").write_text(MY_STORAGE)
    written = re.compile(r"`(app|tests)/\w+\.py`.*\n\n```python", re.DOTALL)
    for page in sorted(project.glob("docs/*.md")):
        for title in re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE):
            install(project, home, page.stem, title)
            if written.search(section(page, title)):
                type_in(project, f"{page.stem}: {title}")


def append(file: Path, code: str) -> None:
    """Add an owner's code to the recipe's."""
    with file.open("a") as end:
        end.write(code)


class Browser:
    """A browser behind the proxy; it keeps all cookies and follows no redirects."""

    def __init__(self, server: Server, **cookies: str) -> None:
        self.server = server
        self.address = "192.0.2.1"  # as the proxy says
        self.location: str | None = None  # where the last answer leads to
        self.cookies = cookies

    def get(self, path: str) -> tuple[int, str]:
        return self.request("GET", path)

    def post(self, path: str, site: str = "same-origin", **form: str) -> int:
        return self.request("POST", path, urlencode(form), site)[0]

    def request(
        self, method: str, path: str, body: str = "", site: str = "same-origin"
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookies,
            "Sec-Fetch-Site": site,
            "X-Forwarded-For": self.address,
            "X-Forwarded-Proto": "https",
        }
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        self.location = response.headers["Location"]
        for header in response.headers.get_all("Set-Cookie", []):
            for name, cookie in SimpleCookie(header).items():
                self.cookies[name] = cookie.value
                if cookie["max-age"] == "0":
                    del self.cookies[name]
        text = response.read().decode()
        connection.close()
        return response.status, text

    def twin(self) -> "Browser":
        """Return another browser with a copy of the cookies, as a thief has it."""
        return Browser(self.server, **self.cookies)

    def log_in(self, **form: str) -> int:
        return self.post("/login", **({"name": "ada", "password": PASSWORD} | form))

    def is_in(self) -> bool:
        return "Hello, ada" in self.get("/account")[1]


PASSWORD = "a long sentence"
