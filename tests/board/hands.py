"""What a dispatcher does in a browser: waits for news, goes by keyboard, opens an order, asks, comes by a provider."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.board.town import Town
from tests.provider import ACCOUNT, Provider

PLACES = {
    "queue": "",
    "map": "/map",
    "whatif": "/whatif",
    "campaigns": "/campaigns",
    "couriers": "/couriers",
    "suspicions": "/suspicions",
    "log": "/log",
}


def soon(page: Any, what: Callable[[], bool], why: str, seconds: float = 20) -> None:
    """Wait for the queues and the next poll."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, why
        page.wait_for_timeout(100)


def tab_to(page: Any, selector: str, most: int = 80) -> None:
    """By the Tab key alone: what cannot be reached so is not there for whoever has no mouse."""
    for _ in range(most):
        if page.evaluate("s => document.activeElement?.matches(s) ?? false", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} was not reached with {most} tabs")


def risk(page: Any, town: Town, name: str) -> str:
    return str(page.inner_text(f"#{town.gifts[name]} .badge"))


def open_order(page: Any, town: Town, name: str) -> None:
    """From the top of the page to the order's drawer, by keyboard."""
    page.evaluate("() => document.activeElement?.blur()")
    page.keyboard.press("Escape")
    keys = ["ArrowUp"] * 15 + ["ArrowDown"] * 15
    for _ in range(3):  # the lines may be sorted anew under whoever goes through them
        tab_to(page, "a.order")  # or to the order that was open before, where Escape leads back to
        for key in keys:
            if page.evaluate("() => document.activeElement?.dataset.order") == town.gifts[name]:
                page.keyboard.press("Enter")
                page.wait_for_selector(f"#drawer article[data-order={town.gifts[name]}]")
                return
            page.keyboard.press(key)
    raise AssertionError(f"{name} was not reached by keyboard")


def settled(page: Any, town: Town, name: str) -> None:
    page.goto(f"{town.url}/board/SHA{PLACES[name]}")
    if name == "map":
        soon(page, lambda: page.get_attribute("#map", "data-ready") is not None, "the map is drawn", 40)
    if name in ("queue", "campaigns"):
        page.wait_for_selector("table.queue", timeout=40_000)


def ask_what_if(page: Any, town: Town) -> None:
    """What if Jade Court were closed? By keyboard, and there is an answer."""
    page.goto(f"{town.url}/board/SHA/whatif")
    tab_to(page, "input[name=district]")
    page.keyboard.type("310101")
    tab_to(page, "input[name=compound]")
    page.keyboard.type("Jade Court")
    page.select_option("select[name=policy]", "banned@1")
    tab_to(page, "form.wide button.main")
    page.keyboard.press("Enter")
    page.wait_for_selector("#impact-done", timeout=30_000)


@contextmanager
def a_provider(page: Any, town: Town) -> Iterator[None]:
    """An identity provider is set up, and has a page with one link: whoever follows it is signed in there."""
    world: Any = town.on.world
    provider = Provider(town.on.clock)

    def away(route: Any) -> None:
        # what a page has been sent away to is not asked of whoever stands in for the network: a page that goes on
        told = route.fetch(max_redirects=0)
        assert told.status == 303
        goes_on = f'<meta http-equiv="refresh" content="0;url={html.escape(told.headers["location"])}">'
        headers = {"set-cookie": told.headers["set-cookie"]}
        route.fulfill(content_type="text/html", headers=headers, body=goes_on)

    def its_page(route: Any) -> None:
        state, code = provider.sign_in(route.request.url)
        back = f"{town.url}/enter/oidc/back?state={state}&code={code}"
        route.fulfill(
            content_type="text/html", body=f'<!doctype html><title>.</title><a href="{back}">It is me</a>'
        )

    plain = world.line.answer
    page.route("**/enter/oidc", away)
    page.route(f"{ACCOUNT['issuer']}/**", its_page)
    with town.lock:
        world.secrets.by_account["oidc", "board"] = [ACCOUNT]
        world.line.answer = provider
    try:
        yield
    finally:
        with town.lock:
            del world.secrets.by_account["oidc", "board"]
            world.line.answer = plain
        page.unroute_all()


def come_by_provider(page: Any, town: Town) -> None:
    """From the entrance to the provider and back, by keyboard."""
    page.goto(f"{town.url}/enter")
    tab_to(page, "a.button")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{ACCOUNT['issuer']}/**")
    tab_to(page, "a")
    with page.expect_navigation():
        page.keyboard.press("Enter")
