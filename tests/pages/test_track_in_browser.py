"""The recipient's page in a real browser: on a small phone, enlarged, read aloud, and without a script."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.orders import OrderState
from chalicelib.domain.words import LANGUAGES
from chalicelib.flows import links
from sandbox.front import Front
from tests.browser import browser, needs_browser, overhang, violations
from tests.flows.test_reschedule import placed, says
from tests.flows.test_visits import order_for, team, wish
from tests.stage import CONTACTLESS, Stage, publish_rules, stage, zone

pytestmark = needs_browser
SHOTS = os.environ.get("CORDON_SHOTS")
"""A folder for pictures of what was seen."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture
def on() -> Iterator[Stage]:
    from app import app

    on = stage()
    wiring.use(on.world)
    template: dict[str, Any] = {"Resources": {"RestAPI": {"Properties": {"GatewayResponses": {}}}}}
    with Front(app, template) as front:
        on.world.public_url = front.url
        yield on
    wiring.use(None)


def address(on: Stage, order_id: str, lang: str | None = None) -> str:
    found = links.link_of(on.world, on.order(order_id), lang)
    assert found is not None
    return found


def looked_at(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def opened(chromium: Any, **more: Any) -> Any:
    page = chromium.new_context(**{"viewport": {"width": 390, "height": 800}, **more}).new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda line: pytest.fail(f"the browser complains: {line.text}"))
    return page


def at_the_gate(on: Stage) -> str:
    rules = {**CONTACTLESS, "version": 2, "last_leg": ["volunteer"], "gate": {"rest_minutes": 30}}
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@2", "sealed"), policies=[rules])
    order_id = placed(on)
    on.settle()
    return order_id


@pytest.mark.parametrize("lang", LANGUAGES)
def test_in_every_language_it_can_be_read_aloud_enlarged_and_on_the_smallest_phone(
    on: Stage, chromium: Any, lang: str
) -> None:
    order_id = at_the_gate(on)
    page = opened(chromium)
    page.goto(address(on, order_id, lang))
    assert page.evaluate("document.dir") == ("rtl" if lang == "ar" else "ltr")
    assert violations(page) == []
    looked_at(page, f"track-{lang}")
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert overhang(page) == 0, f"at {width} pixels"
    page.set_viewport_size({"width": 640, "height": 700})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overhang(page) == 0, "enlarged to twice the size"
    small = page.evaluate(
        "[...document.querySelectorAll('a, button, input:not([type=hidden]), select')]"
        ".filter(e => e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"
    )
    assert small == [], "what is pressed is 24 pixels high at least"
    elsewhere = [url for url in page.asked if not url.startswith((f"{on.world.public_url}/", "data:"))]
    assert elsewhere == []


@pytest.mark.parametrize("has_script", [True, False])
def test_another_time_is_asked_for_with_the_keyboard_alone_with_and_without_a_script(
    on: Stage, chromium: Any, has_script: bool
) -> None:
    order_id = placed(on)
    on.settle()
    page = opened(chromium, java_script_enabled=has_script)
    page.goto(address(on, order_id, "en"))
    page.get_by_label("Day").fill("2022-04-12")
    page.get_by_label("From").select_option("10:00")
    page.get_by_role("button", name="Ask for this time").press("Enter")
    assert "Thank you. The other time has been noted." in page.get_by_role("status").inner_text()
    assert "Tuesday, 12 April, 10:00 to 13:00" in page.inner_text("main")
    on.settle()
    page.get_by_role("link", name="Look again").press("Enter")
    assert page.inner_text(".hours").strip() == "Tuesday, 12 April, 10:00 to 13:00"
    assert on.order(order_id).state is OrderState.HELD, "nobody has offered hours for that day yet"
    page.get_by_role("link", name="Deutsch").press("Enter")
    page.get_by_role("button", name="Ich bin nicht zu Hause").press("Enter")
    assert "Danke. Die andere Zeit ist vermerkt." in page.get_by_role("status").inner_text()
    assert page.evaluate("document.documentElement.lang") == "de" if has_script else page.url.count("lang=de")


def test_it_keeps_itself_up_to_date_and_leaves_alone_what_somebody_is_at(on: Stage, chromium: Any) -> None:
    order_id = placed(on)
    on.settle()
    page = opened(chromium)
    page.clock.install()
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if "?lang=en" in answer.url else None)
    page.goto(address(on, order_id, "en"))

    def a_minute_later() -> None:
        told = len(answers)
        page.clock.fast_forward(61_000)
        for _ in range(100):
            if len(answers) > told:
                break
            page.wait_for_timeout(50)
        page.wait_for_timeout(100)

    answers.clear()
    a_minute_later()
    assert answers == [304], "nothing has changed"
    assert "confirmed" in page.get_by_role("status").inner_text()
    page.get_by_label("Day").fill("2022-04-12")
    says(on, f"{order_id}-1-1", "picked_up")
    a_minute_later()
    assert answers[-1] == 200 and "on its way" in page.get_by_role("status").inner_text()
    assert page.inner_text("[aria-current=step]").startswith("On its way")
    assert page.get_by_label("Day").input_value() == "2022-04-12", "what was typed stands there"
    page.get_by_label("This page keeps itself up to date.").uncheck()
    answers.clear()
    page.clock.fast_forward(600_000)
    page.wait_for_timeout(300)
    assert answers == [], "whoever wants none of it has none of it"


def test_without_a_script_nothing_is_promised_that_needs_one(on: Stage, chromium: Any) -> None:
    order_id = placed(on)
    on.settle()
    page = opened(chromium, java_script_enabled=False)
    page.goto(address(on, order_id, "en"))
    assert not page.locator("#by-itself").is_visible()
    assert page.get_by_role("link", name="Look again").is_visible()


def test_each_state_can_be_read_aloud(on: Stage, chromium: Any) -> None:
    order_id = placed(on)
    page = opened(chromium)

    def seen(name: str, lang: str = "en") -> None:
        page.goto(address(on, order_id, lang))
        assert violations(page) == [], name
        assert overhang(page) == 0
        looked_at(page, f"track-{name}")

    seen("placed")
    on.settle()
    on.clock.forward(minutes=60)
    says(on, f"{order_id}-1-1", "picked_up")
    seen("on-its-way")
    says(on, f"{order_id}-1-1", "delivered")
    seen("delivered", "fr")


def test_a_visit_in_the_dark_and_a_link_that_is_dead(on: Stage, chromium: Any) -> None:
    from chalicelib.flows import enlist
    from chalicelib.flows.place import place

    enlist.put_slot(on.world, team())
    order_id = place(on.world, "maison", "visit-1", order_for(wish()))[0].order_id
    on.settle()
    page = opened(chromium, color_scheme="dark")
    page.goto(address(on, order_id, "it"))
    assert violations(page) == []
    looked_at(page, "track-visit-dark")
    dead = chromium.new_page()
    dead.goto(f"{on.world.public_url}/t/none-of-ours?lang=ar")
    assert violations(dead) == [] and "هذا الرابط لم يعد يعمل" in dead.inner_text("h1")
    looked_at(dead, "track-dead")


def test_a_name_that_is_html_runs_nothing(on: Stage, chromium: Any) -> None:
    from chalicelib.flows.place import place
    from tests.stage import body, new_order

    name = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    order_id = place(on.world, "maison", "key-1", new_order(pick_up={**body()["pick_up"], "name": name}))[
        0
    ].order_id
    page = opened(chromium)
    page.goto(address(on, order_id))
    assert page.title() != "run" and name in page.inner_text("h1")
    scripts = page.locator("script")
    assert page.locator("img").count() == 0
    assert [scripts.nth(at).inner_html() for at in range(scripts.count())] == [""], (
        "the page's own file alone"
    )
