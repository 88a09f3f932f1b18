"""Visitors with a browser: they count, start over, come back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .conftest import Site


def expect_visit(page: Page, ordinal: str) -> None:
    expect(page.get_by_role("heading")).to_have_text(f"This is your {ordinal} visit")


@pytest.mark.parametrize("javascript", [True, False])
def test_each_visitor_has_a_count(
    site: Site, open_page: Callable[..., Page], javascript: bool
) -> None:
    ada = open_page(java_script_enabled=javascript)
    ada.goto(site.url)
    expect_visit(ada, "1st")
    ada.reload()
    expect_visit(ada, "2nd")
    bob = open_page(java_script_enabled=javascript)
    bob.goto(site.url)
    expect_visit(bob, "1st")
    ada.get_by_role("button", name="Start over").click()
    expect_visit(ada, "1st")
    assert ada.url == f"{site.url}/"
    ada.reload()
    expect_visit(ada, "2nd")
    bob.reload()
    expect_visit(bob, "2nd")


def test_the_keyboard_is_enough(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(site.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link")).to_be_focused()
    expect(page.get_by_role("link")).to_have_css("outline-width", "3px")
    page.keyboard.press("Enter")
    expect_visit(page, "2nd")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button")).to_be_focused()
    expect(page.get_by_role("button")).to_have_css("outline-width", "3px")
    page.keyboard.press("Enter")
    expect_visit(page, "1st")


def test_the_count_goes_on_after_a_restart(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(site.url)
    page.reload()
    expect_visit(page, "2nd")
    site.restart()
    page.reload()
    expect_visit(page, "3rd")


def test_scripts_cannot_read_the_cookie(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(site.url)
    [cookie] = page.context.cookies()
    secure = site.url.startswith("https:")
    assert cookie["name"] == ("__Host-session" if secure else "session")
    assert cookie["secure"] == secure
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["path"] == "/"
    assert cookie["domain"] == "127.0.0.1"
    assert page.evaluate("document.cookie") == ""


def test_back_shows_no_count_of_the_past(
    development: Site, open_page: Callable[..., Page]
) -> None:
    """Not in production, where Chromium would cache nothing: it knows no such CA."""
    page = open_page()
    page.goto(development.url)
    page.reload()  # a cache would not give the first answer to one with a cookie
    expect_visit(page, "2nd")
    page.goto(f"{development.url}/nowhere")
    page.go_back()
    expect_visit(page, "3rd")
    page.reload()
    expect_visit(page, "4th")


def test_back_after_starting_over_neither_revives_nor_repeats(
    development: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))
    page.goto(development.url)
    page.reload()
    page.reload()
    expect_visit(page, "3rd")
    page.get_by_role("button", name="Start over").click()
    expect_visit(page, "1st")
    page.go_back()
    expect_visit(page, "2nd")
    page.go_forward()
    expect_visit(page, "3rd")
    assert methods.count("POST") == 1
