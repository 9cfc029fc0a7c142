"""Every page of the board as a program can judge it, on the smallest window and enlarged; and the manual's pictures."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.places import Market
from chalicelib.flows import enlist, steer
from tests.board.hands import (
    PLACES,
    a_provider,
    ask_what_if,
    come_by_provider,
    open_order,
    risk,
    settled,
    soon,
)
from tests.board.town import DISTRICTS, Town
from tests.browser import overhang, violations
from tests.conftest import ROOT
from tests.provider import ACCOUNT
from tests.stage import MARKET


def every_page(page: Any, town: Town, anonymous: Any) -> Iterator[tuple[str, Any]]:
    """Each page that there is, one after another, with its name and the window it stands in."""
    alone = {
        "markets": "/board",
        "order": f"/board/SHA/orders/{town.gifts['easter-1']}",
        "evidence": f"/board/SHA/orders/{town.gifts['easter-1']}/evidence",
        "campaign": f"/board/SHA/campaigns/{town.begin_campaign()}",
        "not found": "/board/SHA/orders/ord_00000000000000000000000000",
    }
    for name in PLACES:
        settled(page, town, name)
        yield name, page
    ask_what_if(page, town)
    yield "what if, answered", page
    for name, place in alone.items():
        page.goto(f"{town.url}{place}")
        yield name, page
    page.goto(f"{town.url}/board/SHA")
    open_order(page, town, "easter-1")
    yield "drawer", page
    with a_provider(anonymous, town):
        for name, place in (("enter", "/enter"), ("nobody's", "/board/SHA")):
            anonymous.goto(f"{town.url}{place}")
            yield name, anonymous
        anonymous.route(
            "**/board", lambda route: route.fulfill(status=204)
        )  # where it would go on to by itself
        come_by_provider(anonymous, town)
        anonymous.wait_for_url("**/enter/oidc/back*")
        yield "welcome", anonymous


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_that_a_program_can_check(desk: Any, town: Town, scheme: str) -> None:
    how = {"bypass_csp": True, "color_scheme": scheme}
    pages = every_page(desk(**how), town, desk(None, beyond=ACCOUNT["issuer"], **how))
    found = {name: broken for name, page in pages if (broken := violations(page))}
    assert found == {}


@pytest.mark.parametrize(("width", "zoom"), [(320, 1), (1280, 2)])
def test_nothing_has_to_be_scrolled_sideways(desk: Any, town: Town, width: int, zoom: int) -> None:
    """At 320 CSS pixels, and at 200 % of a usual screen: which for a page is half as many pixels, each twice as large."""
    how = {"viewport": {"width": width // zoom, "height": 900 // zoom}, "device_scale_factor": zoom}
    pages = every_page(desk(**how), town, desk(None, beyond=ACCOUNT["issuer"], **how))
    found = {name: over for name, page in pages if (over := overhang(page)) > 0}
    assert found == {}, f"wider than {width // zoom}"


@pytest.mark.skipif(
    not os.environ.get("CORDON_SCREENSHOTS"), reason="set CORDON_SCREENSHOTS=1 to write docs/board/"
)
def test_the_pictures_of_the_manual(desk: Any, town: Town) -> None:
    folder: Path = ROOT / "docs" / "board"
    folder.mkdir(exist_ok=True)
    named = {**DISTRICTS, "310115": "Pudong"}
    enlist.put_market(town.on.world, Market.model_validate({**MARKET, "districts": named}))
    entrance = desk(None, beyond=ACCOUNT["issuer"], viewport={"width": 900, "height": 500})
    with a_provider(entrance, town):
        entrance.goto(f"{town.url}/enter")
        entrance.screenshot(path=folder / "enter.png")
    page = desk()
    campaign = town.begin_campaign(12)
    steer.pause(town.on.world, "SHA", campaign, 3, "mei", "the kitchen is behind")
    steer.proceed(town.on.world, "SHA", campaign, 4, "mei")
    town.close("Garden Court")
    soon(page, lambda: "On track" not in risk(page, town, "easter-1"), "it turns red")
    open_order(page, town, "easter-1")
    page.evaluate("() => document.activeElement.blur()")
    page.evaluate("() => window.scrollTo(0, 0)")
    page.screenshot(path=folder / "queue.png")
    for name in PLACES:
        if name == "queue":
            continue
        if name == "whatif":
            ask_what_if(page, town)
        else:
            settled(page, town, name)
        time.sleep(0.8)
        if name == "campaigns":
            soon(page, lambda: "at " in page.inner_text("td.count:last-child"), "its report is there", 90)
            page.click("a.order")
            page.wait_for_selector("#drawer article")
        page.screenshot(path=folder / f"{name}.png", full_page=name != "map")
    page.goto(f"{town.url}/board/SHA/orders/{town.gifts['easter-1']}/evidence")
    page.screenshot(path=folder / "evidence.png")
    narrow = desk(viewport={"width": 390, "height": 844}, device_scale_factor=2, color_scheme="dark")
    narrow.screenshot(path=folder / "narrow.png")
