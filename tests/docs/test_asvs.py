"""What ASVS.md claims: every requirement is in it, and every test it names exists."""

import http.client
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.conftest import APP, ROOT, Server

REQUIREMENTS = {"3.3": 5, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2}
ROW = re.compile(
    r"^\| (\d\.\d\.\d) \| ([123]) \| .+ \| (.+?) \| (.*?)\|$", re.MULTILINE
)


def test_every_requirement_has_a_row() -> None:
    rows = ROW.findall((ROOT / "ASVS.md").read_text())
    assert [number for number, *_ in sorted(rows)] == [
        f"{section}.{number}"
        for section, last in REQUIREMENTS.items()
        for number in range(1, last + 1)
    ]


def test_every_claim_names_tests_and_every_test_exists() -> None:
    for number, _, who, tests in ROW.findall((ROOT / "ASVS.md").read_text()):
        assert re.match("(template|recipe|owner|nobody)( for .*)?(:|$)", who), number
        named = re.findall(r"`(.+?)::(.+?)`", tests)
        assert bool(named) == (not who.startswith("nobody")), number
        for file, test in named:
            path = (
                Path(file) if file.startswith("tests/") else Path("tests/engine", file)
            )
            assert f"def {test}(" in (ROOT / path).read_text(), test


def test_every_recipe_exists() -> None:
    rows = ROW.findall((ROOT / "ASVS.md").read_text())
    login = (ROOT / APP / "docs/login.md").read_text()
    for _, _, who, _ in rows:
        for recipe in re.findall(r"^recipe.*?: ([A-Z][\w ]+)", who):
            assert f"\n## {recipe}\n" in login


def ask(
    server: Server, method: str, path: str, cookie: str = ""
) -> tuple[str, str, str]:
    """Return the cookie that comes, the other headers, and the body."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request(method, path, headers={"Cookie": cookie, "Accept": "text/html"})
    response = connection.getresponse()
    new = response.headers["Set-Cookie"] or ""
    del response.headers["Set-Cookie"]
    body = response.read().decode()
    connection.close()
    return new.partition(";")[0], str(response.headers), body


def test_the_session_cookie_is_sent_in_set_cookie_only(
    serve: Callable[..., Server],
) -> None:
    server = serve()
    cookie, *rest = ask(server, "GET", "/")
    for method, path in (
        ("GET", "/"),
        ("GET", "/none"),
        ("POST", "/"),
        ("POST", "/reset"),
    ):
        rest += ask(server, method, path, cookie)
    value = cookie.partition("=")[2]
    assert len(value) > 100
    for part in value.split("."):
        assert part not in "".join(rest)


def test_the_cookie_stays_small_whatever_the_session_holds(
    serve: Callable[..., Server],
) -> None:
    server = serve()
    first = ask(server, "GET", "/")[0]
    assert len(first.replace("session", "__Host-session")) < 200
    assert ask(server, "GET", "/", first)[0] == ""  # it is never sent again
