"""Who may import whom in a project: settings, sessions, web, app, in this direction."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import APP, ROOT

PROJECT = ROOT / APP
FILES = [*sorted(PROJECT.glob("app/**/*.py")), PROJECT / "gunicorn.conf.py"]


def module_of(file: Path) -> str:
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


# `session` is what app.sessions offers, and a module of it.
MODULES = {module_of(file) for file in FILES} - {"app.sessions.session"}


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """Yield what a file imports of the app: the module, and the name that is used."""
    package = file.relative_to(PROJECT).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            here = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*here, *filter(None, [node.module])])
            modules = [
                (f"{module}.{alias.name}", "")
                if f"{module}.{alias.name}" in MODULES
                else (module, alias.name)
                for alias in node.names
            ]
        else:
            continue
        yield from (pair for pair in modules if pair[0].split(".")[0] == "app")


def public(package: str) -> set[str]:
    """Return the names that a package offers, and not those that it needs itself."""
    body = ast.parse((PROJECT / package.replace(".", "/") / "__init__.py").read_text())
    names = set()
    for node in body.body:
        if isinstance(node, ast.ImportFrom):  # "as" itself, as type checkers have it
            names |= {alias.name for alias in node.names if alias.asname == alias.name}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            names |= set(ast.literal_eval(node.value)) if name == "__all__" else {name}
    return names


def is_allowed(by: str, module: str, name: str) -> bool:
    if by.startswith("app.sessions"):
        return module.startswith("app.sessions")
    if by.startswith("app.web"):
        return module.startswith("app.web") or (
            module == "app.sessions" and name in public("app.sessions")
        )
    if by == "app.settings":
        return module == "app.web.environment"
    if by == "gunicorn.conf":
        return module == "app.settings"
    if module in ("app.sessions", "app.web"):
        return not name or name in public(module)
    return module.count(".") == 1  # the owner's own modules


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_only_what_it_may(file: Path) -> None:
    wrong = [pair for pair in imported(file) if not is_allowed(module_of(file), *pair)]
    assert wrong == []


def test_the_rules_tell_right_from_wrong() -> None:
    assert is_allowed("app.views", "app.web", "prefers_html")
    assert not is_allowed("app.views", "app.web", "logs")
    assert not is_allowed("app.views", "app.web.errors", "prefers_html")
    assert not is_allowed("app.web.errors", "app.settings", "load_settings")
    assert not is_allowed("app.web.errors", "app.sessions.session", "Session")
    assert not is_allowed("app.sessions.record", "app.web", "show_error")
    assert not is_allowed("gunicorn.conf", "app.web", "init_app")
