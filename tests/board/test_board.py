"""The board in a real browser: a dispatcher's day by keyboard alone, two at one order, hostile names, ways in."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from chalicelib.domain.deeds import What
from chalicelib.domain.orders import OrderState
from chalicelib.flows import act
from tests import digital
from tests.board.hands import a_provider, ask_what_if, come_by_provider, open_order, risk, soon, tab_to
from tests.board.town import HOSTILE, QUOTED, Town
from tests.provider import ACCOUNT

HEADS = ("clients", "placed", "refused", "remaining", "held", "under way", "late", "delivered")


def do(page: Any, deed: str, why: str = "") -> None:
    """The deed of the order that is open, by keyboard."""
    form = f"form[data-deed={deed}]"
    if why:
        tab_to(page, f"{form} input[name=why]")
        page.keyboard.type(why)
    tab_to(page, f"{form} button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer [role=alert]")


def test_a_dispatchers_day_by_keyboard_from_the_link_to_the_line_in_the_audit(desk: Any, town: Town) -> None:
    page = desk()
    assert risk(page, town, "easter-1").endswith("On track")
    town.close("Garden Court")
    soon(
        page,
        lambda: all("On track" not in risk(page, town, f"easter-{n}") for n in range(1, 6)),
        "five orders turn red when their compound closes",
    )
    assert int(page.inner_text(".counters .held strong")) >= 5
    # two are looked at again, one becomes digital, one stands by for the client's word, one is ended, one is called
    # back from the road
    for name in ("easter-1", "easter-2"):
        open_order(page, town, name)
        do(page, "redispatch", "look again")
        assert "Done" in page.inner_text("#drawer [role=alert]")
    open_order(page, town, "easter-3")
    do(page, "hold", "the client asked to wait")
    assert "Done" in page.inner_text("#drawer [role=alert]")
    open_order(page, town, "easter-4")
    do(page, "cancel", "the brand sends flowers next week")
    open_order(page, town, "easter-5")
    do(page, "send_digitally", "yoga suits her as well")
    assert "Done" in page.inner_text("#drawer [role=alert]")
    assert "fulfilled digitally" in page.inner_text("#drawer")
    open_order(page, town, "parcel-a")
    do(page, "recall", "the client has left the city")
    soon(page, lambda: town.state("easter-4") is OrderState.CANCELLED, "the order is over")
    told = {
        name: [(deed.what, deed.who) for deed in act.deeds_of(town.on.plain, town.gifts[name])]
        for name in ("easter-1", "easter-2", "easter-3", "easter-4", "easter-5", "parcel-a")
    }
    assert told == {
        "easter-1": [(What.REDISPATCHED, "mei")],
        "easter-2": [(What.REDISPATCHED, "mei")],
        "easter-3": [(What.HELD, "mei")],
        "easter-4": [(What.CANCELLED, "mei")],
        "easter-5": [(What.SENT_DIGITALLY, "mei")],
        "parcel-a": [(What.RECALLED, "mei")],
    }
    passed = digital.pass_of(town.on.world, town.gifts["easter-5"])
    assert (passed.gift, passed.state) == ("YOGA", "given"), "the client has it, and nobody else"
    open_order(page, town, "parcel-a")
    assert "mei called it back" in page.inner_text("#drawer")
    assert "the client has left the city" in page.inner_text("#drawer")
    page.keyboard.press("Escape")
    focused = page.evaluate("() => document.activeElement.dataset.order")
    assert focused == town.gifts["parcel-a"], "where one came from is where one is again"
    tab_to(page, ".who button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/enter")


def test_of_two_dispatchers_at_one_order_one_wins_and_the_other_is_told_why(desk: Any, town: Town) -> None:
    mei, anna = desk("mei"), desk("anna")
    for page in (mei, anna):
        open_order(page, town, "easter-5")
    do(mei, "hold", "waits")
    do(anna, "cancel", "not wanted")
    assert "Done" in mei.inner_text("#drawer [role=alert]")
    told = anna.inner_text("#drawer [role=alert]")
    assert told.startswith("Not done") and "mei has held it" in told
    (deed,) = act.deeds_of(town.on.plain, town.gifts["easter-5"])
    assert (deed.who, deed.what) == ("mei", What.HELD)


def test_a_campaign_is_had_rest_and_goes_on_by_keyboard_and_is_seen_to_move(desk: Any, town: Town) -> None:
    name = town.begin_campaign()
    page = desk()
    tab_to(page, "nav a[href$='/campaigns']")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#{name}", timeout=40_000)
    assert "Being placed" in page.inner_text(f"#{name}")
    tab_to(page, "a.order")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#drawer article[data-order={name}]")
    do(page, "pause", "the kitchen is behind")
    assert "Done" in page.inner_text("#drawer [role=alert]")
    assert "mei had it rest" in page.inner_text("#drawer")
    soon(page, lambda: "Paused" in page.inner_text(f"#{name}"), "the list follows", 40)
    do(page, "proceed")
    soon(page, lambda: "Placed" in page.inner_text(f"#{name} .badge"), "it goes on to its end", 60)
    counts = dict(zip(HEADS, page.locator(f"#{name} td.count").all_inner_texts(), strict=True))
    assert (counts["clients"], counts["placed"].strip(), counts["refused"], counts["remaining"]) == (
        "4",
        "3",
        "1",
        "0",
    )
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.dataset.order") == name


def test_names_that_would_be_markup_are_text(desk: Any, town: Town) -> None:
    page = desk()
    assert QUOTED in page.inner_text(f"#{town.gifts['hostile']}")
    open_order(page, town, "hostile")
    assert HOSTILE in page.inner_text("#drawer")
    page.goto(f"{town.url}/board/SHA/map")
    page.wait_for_selector("body[data-tables=ready]")
    assert QUOTED in page.inner_text("#zones")
    assert "Cordon" in page.title()


def test_a_poll_draws_nothing_anew_and_keeps_the_place_of_whoever_types(desk: Any, town: Town) -> None:
    page = desk()
    page.evaluate("() => { document.querySelector('table.queue tbody tr').dataset.mine = 'yes' }")
    page.focus("a.order >> nth=2")
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if "/queue" in answer.url else None)
    soon(page, lambda: len(answers) >= 2, "it polls")
    assert set(answers) == {304}
    assert page.evaluate("() => document.querySelector('table.queue tbody tr').dataset.mine") == "yes"
    town.close("Garden Court")
    # a count that was not answered is asked for again after half a minute (board.ASK_AGAIN)
    soon(page, lambda: 200 in answers, "something changed", 40)
    soon(
        page,
        lambda: page.evaluate("() => document.activeElement?.matches('a.order') ?? false"),
        "the focus stays",
    )


def test_nothing_is_polled_while_nobody_looks_and_silence_is_shown(desk: Any, town: Town) -> None:
    page = desk()
    page.context.set_offline(True)
    soon(page, lambda: page.get_attribute("#live", "data-stale") == "yes", "no answer is said to be none", 40)
    page.context.set_offline(False)
    soon(page, lambda: page.get_attribute("#live", "data-stale") is None, "and over when there is one", 20)


def on_the_map(page: Any, town: Town) -> Any:
    """Labels of zones, of spots with gifts at risk, and of hubs."""
    page.goto(f"{town.url}/board/SHA/map")
    soon(page, lambda: page.get_attribute("#map", "data-ready") == "yes", "the map is drawn", 40)
    return page.evaluate(
        """() => ["zones", "gifts-dots", "hubs-dots"].map((layer) =>
        [...new Set(window.cordonMap.queryRenderedFeatures({layers: [layer]}).map((one) => one.properties.label))])"""
    )


def test_spots_that_would_lie_on_one_another_are_one_with_the_gifts_of_both(desk: Any, town: Town) -> None:
    page = desk()
    town.close("Garden Court")
    soon(page, lambda: on_the_map(page, town)[1] == [6], "five where it closed, and one near by", 60)
    assert page.locator("#gifts tr").count() == 2, "the table keeps them apart"
    assert "Garden Court, Huangpu" in page.inner_text("#gifts")


def test_the_map_moves_through_a_day_and_the_tables_say_the_same(desk: Any, town: Town) -> None:
    page = desk()
    zones, gifts, hubs = on_the_map(page, town)
    assert {"╱ Huangpu", "▦ Xuhui", f"╳ {HOSTILE}", "· Jing'an"} <= set(zones)
    assert gifts == [1] and hubs == ["⌂ Hotel kitchen (10)"]
    assert _colours(page.locator("#map canvas").screenshot()) > 20, "patterns are painted"
    assert "Riverside" in page.inner_text("#changes")
    assert "Riverside" not in page.inner_text("#zones")
    page.focus("#at")
    for _ in range(7):
        page.keyboard.press("PageUp")
    assert "(+" in page.inner_text("#at-said")
    soon(page, lambda: "Riverside" in page.inner_text("#zones"), "the zone of tonight is in force by then")
    page.select_option("#level", label="sealed")
    soon(page, lambda: "Jade Court" not in page.inner_text("#zones"), "only one level is listed")
    assert "Xuhui" in page.inner_text("#districts")


def _colours(png: bytes) -> int:
    """How many different bytes a row of the picture has, unpacked: an empty map has a handful."""
    packed = b"".join(
        png[at + 8 : at + 8 + int.from_bytes(png[at : at + 4])]
        for at in _chunks(png)
        if png[at + 4 : at + 8] == b"IDAT"
    )
    return len(set(zlib.decompress(packed)))


def _chunks(png: bytes) -> Iterator[int]:
    at = 8
    while at < len(png):
        yield at
        at += 12 + int.from_bytes(png[at : at + 4])


def test_a_step_of_the_slider_takes_less_than_two_frames_of_script(desk: Any, town: Town) -> None:
    page = desk()
    page.goto(f"{town.url}/board/SHA/map")
    soon(page, lambda: page.get_attribute("#map", "data-ready") == "yes", "the map is drawn", 40)
    spent = page.evaluate(
        """() => { const at = document.getElementById("at"), found = [];
        for (let n = 0; n < 30; n++) { at.value = String(n * 40); const t = performance.now(); window.cordonStep(); found.push(performance.now() - t); }
        return found.sort((a, b) => a - b); }"""
    )
    assert spent[27] <= 33, spent


def test_what_if_is_asked_by_keyboard_and_answers_with_orders(desk: Any, town: Town) -> None:
    page = desk()
    ask_what_if(page, town)
    told = page.inner_text("#impact")
    assert "PARCEL-C" in told and "EASTER-1" not in told
    assert town.state("parcel-c") is OrderState.BOOKED, "nothing was changed by asking"


def test_who_signs_in_with_a_provider_comes_back_to_the_board_and_stays_there(desk: Any, town: Town) -> None:
    page = desk(None, beyond=ACCOUNT["issuer"])
    with a_provider(page, town):
        come_by_provider(page, town)
        page.wait_for_url("**/board/SHA")
    page.reload()
    page.wait_for_selector("table.queue")
    assert "mei.lin" in page.inner_text("header")
