"""A real browser for pages: Debian's chromium, driven by Playwright; and axe, which knows what a reader needs.

Where there is none the tests that need it say which package is missing, and are passed by.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ROLES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NO_BROWSER = f"{CHROMIUM} is missing: apt-get install chromium (Debian's package) and again"
needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason=NO_BROWSER)
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""Root has no sandbox of its own; the map is drawn in software."""


@contextmanager
def browser() -> Iterator[Any]:
    """The browser, with nothing open in it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        try:
            yield opened
        finally:
            opened.close()


def violations(page: Any) -> list[str]:
    """What is wrong with the page for whoever cannot see it, or not well: WCAG 2.2, A and AA."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": ROLES}}).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def overhang(page: Any) -> int:
    """CSS pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
