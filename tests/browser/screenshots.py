"""Takes the README's pictures of the project that was baked into build/."""

import secrets
import shutil

from playwright.sync_api import sync_playwright

from tests.conftest import ROOT, Server


def main() -> None:
    """Visit seven times by day, and seven times by night."""
    server = Server(
        ROOT / "build/visit-counter",
        "web",
        APP_ENV="production",  # without the hint for developers
        SECRET=secrets.token_hex(32),
        REDIS_URL="memory://",
    )
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium")
            )
            for colours in ("light", "dark"):
                page = browser.new_page(
                    color_scheme=colours, viewport={"width": 1200, "height": 750}
                )
                for _ in range(7):
                    page.goto(server.url)
                page.screenshot(path=ROOT / f"screenshots/{colours}.png")
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
