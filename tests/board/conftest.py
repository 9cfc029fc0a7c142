"""A browser, and the city it looks at. Without Debian's chromium these tests say so, and which package brings it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.board.town import Town, running
from tests.browser import CHROMIUM, NO_BROWSER
from tests.browser import browser as a_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for a file: Playwright allows one at a time in a process, and other files have theirs."""
    if not CHROMIUM.exists():
        pytest.skip(NO_BROWSER)
    with a_browser() as opened:
        yield opened


@pytest.fixture
def town() -> Iterator[Town]:
    with running() as made:
        yield made


EXPECTED = ("responded with a status of 4", "ERR_INTERNET_DISCONNECTED", "GPU stall")
"""A no that the page shows, a line that a test cut, and what drawing in software says."""


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, page: Any, *home: str) -> None:
        self.page, self.home = page, home
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning") and not any(word in message.text for word in EXPECTED):
            self.wrong.append(f"console: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((*self.home, "data:", "blob:")):
            self.wrong.append(f"asked elsewhere: {request.url}")


@pytest.fixture
def desk(browser: Any, town: Town) -> Iterator[Any]:
    """Makes pages of dispatchers; at the end nothing may have gone wrong on any."""
    made: list[tuple[Any, Watched]] = []

    def open_page(who: str | None = "mei", beyond: str = "data:", **how: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **how})
        page = context.new_page()
        page.set_default_timeout(15_000)
        made.append((context, Watched(page, town.url, beyond)))
        if who is not None:
            page.goto(town.link(who))
            page.keyboard.press("Enter")
            page.wait_for_url("**/board/SHA")
            page.wait_for_selector("table.queue")
        return page

    yield open_page
    for context, watched in made:
        context.close()
        assert watched.wrong == []
