"""What the pages look like: in light and dark, on every screen, and when something fails."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import FloatRect, Page, expect

from tests.conftest import Server

from .conftest import STATUSES, Site

WIDTHS = (320, 375, 600, 768, 1024, 1440, 2560)

COLOURS = """() => {
    const {backgroundColor, color} = getComputedStyle(document.body)
    return [backgroundColor, color]
}"""

# Where the middle of each line of text is, or of its box.
MIDDLES = """() => [...document.querySelectorAll("a, .count, h1, p, button")].map(
    element => {
        const {left, width} = element.getBoundingClientRect()
        return left + width / 2
    }
)"""

LINES = """element => {
    const lines = []
    const range = document.createRange()
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    let bottom
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        for (let i = 0; i < node.length; i++) {
            range.setStart(node, i)
            range.setEnd(node, i + 1)
            const line = range.getBoundingClientRect().bottom
            if (line !== bottom) lines.push("")
            bottom = line
            lines[lines.length - 1] += node.data[i]
        }
    }
    return lines
}"""

FORM = """<form>
<label>Name <input id="name"></label>
<label>Password <input id="password" type="password" autocomplete="off"></label>
<label><input id="stay" type="checkbox"> Remember me</label>
<button>Log in</button>
</form>"""

TRACKING = """element => {
    const {fontSize, letterSpacing} = getComputedStyle(element)
    return parseFloat(letterSpacing) / parseFloat(fontSize)
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
    site: Site, open_page: Callable[..., Page], set_counts: Callable[[object], None]
) -> None:
    page = open_page()
    page.goto(site.url)
    set_counts(2**63 - 2)
    page.reload()
    expect(page.locator(".count")).to_have_text("9,223,372,036,854,775,807")
    expect_no_scrolling_sideways(page)


def expect_no_scrolling_sideways(page: Page) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_all_stands_on_one_axis(
    show: Callable[[Page, int], str], open_page: Callable[..., Page]
) -> None:
    page = open_page()
    for status in STATUSES:
        show(page, status)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            header, main = box(page, "header"), box(page, "main")
            assert (header["x"], header["width"]) == (main["x"], main["width"])
            assert main["width"] < 900
            middles = page.evaluate(MIDDLES)
            assert len(middles) >= 4
            assert middles == pytest.approx([width / 2] * len(middles), abs=3)


@pytest.mark.parametrize("count", [1, 999, 1_000_006, 9_007_199_254_740_993])
def test_fits_a_small_screen_at_twice_the_size(
    site: Site,
    open_page: Callable[..., Page],
    set_counts: Callable[[object], None],
    count: int,
) -> None:
    """Once as Ctrl and + do it, and once where only the text is set larger."""
    for width, text in ((180, "100%"), (360, "200%")):
        page = open_page(viewport={"width": width, "height": 370})
        page.goto(site.url)
        set_counts(count - 1)
        page.reload()
        expect_fit(page, text)
        assert lines(page, "button") == ["Start over"]
        groups = lines(page, ".count")
        assert "".join(groups) == f"{count:,}"
        assert all(group.endswith(",") for group in groups[:-1])


def test_errors_fit_a_small_screen_at_twice_the_size(
    show: Callable[[Page, int], str], open_page: Callable[..., Page]
) -> None:
    for width, text in ((180, "100%"), (360, "200%")):
        page = open_page(viewport={"width": width, "height": 370})
        for status in STATUSES[1:]:
            show(page, status)
            expect_fit(page, text)
            assert lines(page, ".count") == [str(status)]


def expect_fit(page: Page, text: str) -> None:
    page.evaluate(f"document.documentElement.style.fontSize = '{text}'")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    header, count = box(page, "header"), box(page, ".count")
    assert count["y"] - header["y"] - header["height"] >= 16


def box(page: Page, selector: str) -> FloatRect:
    """Return where an element is, in CSS pixels."""
    found = page.locator(selector).bounding_box()
    assert found
    return found


def lines(page: Page, selector: str) -> list[str]:
    """Return the text of an element as it is broken into lines."""
    found: list[str] = page.locator(selector).evaluate(LINES)
    return found


def test_digits_keep_their_distance(
    development: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(development.url)
    assert page.locator(".count").evaluate(TRACKING) >= -0.02


def test_only_developers_are_told_the_next_step(
    serve: Callable[[], Server],
    development: Site,
    production: Site,
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    next_step = "Next step: edit app/views.py, then restart the server."
    memory = (
        "Sessions are kept in memory and lost when the server stops: set REDIS_URL."
    )
    for site, told in (serve(), [next_step, memory]), (development, [next_step]):
        page.goto(site.url)
        expect(page.get_by_role("contentinfo").locator("p")).to_have_text(told)
    page.goto(production.url)
    expect(page.get_by_role("contentinfo")).to_have_count(0)


def test_screen_readers_hear_each_thing_once(
    production: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(production.url)
    expect(page.locator("body")).to_match_aria_snapshot(
        """
        - /children: equal
        - banner:
          - link "Visit Counter"
        - main:
          - /children: equal
          - heading "This is your 1st visit" [level=1]
          - button "Start over"
        """
    )


def test_a_form_of_your_own_looks_at_home(
    development: Site, open_page: Callable[..., Page]
) -> None:
    """As in the README's recipe for logging in."""
    page = open_page()
    page.goto(development.url)
    page.evaluate("form => document.querySelector('main').innerHTML = form", FORM)
    for width in (180, 360, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        boxes = [
            box(page, selector)
            for selector in ("#name", "#password", "#stay", "button")
        ]
        for above, below in pairwise(boxes):
            assert below["y"] - above["y"] - above["height"] >= 16
        name, password, stay, button = boxes
        assert name["x"] == password["x"] > 0
        assert name["width"] == password["width"] <= width - 2 * name["x"]
        assert name["height"] == password["height"] == button["height"] == 48
        assert stay["height"] < 24


def test_errors_look_like_the_page(
    show: Callable[[Page, int], str], open_page: Callable[..., Page]
) -> None:
    page = open_page()
    show(page, 200)
    colours = page.evaluate(COLOURS)
    header = page.locator("header").inner_text()
    for status, (name, sentence) in {
        403: ("Forbidden", "This request came from another site."),
        404: ("Not Found", "There is no page at this address."),
        405: ("Method Not Allowed", "This page does not take that kind of request."),
        500: (
            "Internal Server Error",
            "Something went wrong. Please try again in a moment.",
        ),
        503: (
            "Service Unavailable",
            "This page is not available just now. Please try again in a moment.",
        ),
    }.items():
        show(page, status)
        assert page.evaluate(COLOURS) == colours
        assert page.locator("header").inner_text() == header
        assert page.title().startswith(name)
        assert page.title().endswith(header)
        expect(page.get_by_role("heading")).to_have_text(name)
        expect(page.locator(".count")).to_have_text(str(status))
        expect(page.locator("h1 + p")).to_have_text(sentence)
        back = page.get_by_role("link", name="Back to the start")
        expect(back).to_have_attribute("href", "/")


def test_all_of_the_page_is_small(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(site.url)
    links = page.eval_on_selector_all("link", "links => links.map(link => link.href)")
    answers = [page.request.get(address) for address in (site.url, *links)]
    assert len(answers) == 3  # the page, its style, its icon
    assert sum(len(answer.body()) for answer in answers) < 15_000
