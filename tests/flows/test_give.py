"""Gifts to clients who are enrolled: who gets them, with which tier, how often, and what is on record of it."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Clashing, Forgotten, Invalid, Lost, Stale
from chalicelib.domain.given import client_ledger_key, ledger_of_row
from chalicelib.domain.orders import Order, OrderState, Outlook, Tier
from chalicelib.domain.pass_answers import DigitalAction, DigitalStep
from chalicelib.domain.ports import Change, Keep
from chalicelib.domain.programme import NewProgramme
from chalicelib.domain.shapes import Window
from chalicelib.domain.steps import moved
from chalicelib.domain.verdicts import Decision
from chalicelib.flows import answer, cancel, enrol, forget
from chalicelib.flows.acts import acts_for
from chalicelib.flows.count_in import count_in
from chalicelib.flows.give import drafted, give
from chalicelib.flows.grant import NewGrant, grant
from chalicelib.flows.reschedule import reschedule
from chalicelib.flows.send_again import send_again
from chalicelib.flows.set_up import set_up
from tests import digital
from tests.flows.test_standing import bought
from tests.stage import NOON, Stage, client_wish, new_client, place_at, stage

GOLD = {"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}}


def enrolled(on: Stage, reference: str = "vic-1", brand: str = "maison", **changes: Any) -> Client:
    return enrol.enrol(on.world, brand, reference, new_client(**changes))


def with_caps(on: Stage, *caps: dict[str, Any], brand: str = "maison") -> None:
    set_up(on.world, brand, NewProgramme.model_validate({"tiers": [GOLD], "caps": caps}), "brand", None)


def given(on: Stage, key: str, brand: str = "maison", **changes: Any) -> Order:
    return give(on.world, brand, key, client_wish(**changes))[0]


def in_days(days: float) -> dict[str, str]:
    start = NOON + timedelta(days=days, hours=1)
    return {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=3)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }


def test_a_gift_to_a_client_goes_to_the_clients_first_place_and_arrives() -> None:
    on = stage()
    client = enrolled(on)
    order = given(on, "key-1")
    assert (order.client_id, order.occasion) == (client.client_id, "birthday")
    private = facts.unseal_private(on.world.sealer, order)
    assert private.recipient.name == "王女士"
    assert private.recipient.place.address.compound == "Yongjia"
    on.settle()
    assert on.order(order.order_id).state is OrderState.BOOKED


def test_nothing_personal_of_a_client_stands_open_in_a_row_a_key_or_a_line_of_the_log() -> None:
    on = stage()
    with_caps(on, {"per": "household", "at_most": 3, "days": 7})
    enrolled(on)
    given(on, "key-1")
    on.settle()
    table: Any = on.plain.table
    seen = "".join(f"{row.key}{row.body}{row.shelf}{row.work}" for row in table.rows.values())
    seen += json.dumps(on.world.log.lines, default=str, ensure_ascii=False)  # type: ignore[attr-defined]
    for word in ("王女士", "+8613800138000", "Yongjia, Huangpu", "wang@example.com"):
        assert word not in seen


def test_another_of_the_clients_places_is_named() -> None:
    on = stage()
    places = {"home": place_at("Nowhere"), "office": place_at("Yongjia")}
    person = {"name": "Li", "phone": "+8613800138000", "places": places}
    enrolled(on, person=person)
    order = given(on, "key-1", place="office")
    assert facts.unseal_private(on.world.sealer, order).recipient.place.address.compound == "Yongjia"
    with pytest.raises(Invalid) as refused:
        given(on, "key-2", place="villa")
    assert [fault.pointer for fault in refused.value.faults] == ["/place"]


@pytest.mark.parametrize(
    ("person", "pointer"),
    [
        ({"name": "Li", "phone": "+8613800138000"}, "/client"),
        ({"name": "Li", "places": {"home": place_at("Yongjia")}}, "/client"),
        (
            {
                "name": "Li",
                "phone": "+8613800138000",
                "places": {
                    "home": {**place_at("Yongjia"), "coordinate": {"lng": 2.3, "lat": 48.8, "datum": "WGS84"}}
                },
            },
            "/place",
        ),
    ],
)
def test_a_client_whom_no_courier_could_find_is_refused_without_a_word_of_who_it_is(
    person: dict[str, Any], pointer: str
) -> None:
    on = stage()
    enrolled(on, person=person)
    with pytest.raises(Invalid) as refused:
        given(on, "key-1")
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert all(fault.value is None for fault in refused.value.faults)
    assert not [key for key in on.plain.table.rows if key.sk == "order"]  # type: ignore[attr-defined]


def test_nobody_is_given_to_who_is_not_enrolled_or_is_another_brands() -> None:
    on = stage()
    enrolled(on, brand="autre-maison")
    with pytest.raises(Invalid, match="/client"):
        given(on, "key-1")


# --- the same request ---------------------------------------------------------------------------------------


def test_the_same_request_is_the_same_order_whatever_has_become_of_the_client() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 30})
    enrolled(on)
    first = given(on, "key-1")
    moved_away = {"name": "王女士", "phone": "+8613800138009", "places": {"home": place_at("Elsewhere")}}
    enrol.enrol(on.world, "maison", "vic-1", new_client(person=moved_away), version=1)
    again, repeated = give(on.world, "maison", "key-1", client_wish())
    assert repeated and again == on.order(first.order_id), "neither the address nor the cap is asked again"
    ledger = ledger_of_row(on.plain.table.get(client_ledger_key(first.client_id or "", 2022)))
    assert [each.order_id for each in ledger.gifts] == [first.order_id]


def test_the_same_key_for_another_gift_is_refused() -> None:
    on = stage()
    enrolled(on)
    enrolled(on, "vic-2")
    given(on, "key-1")
    for changes in ({"occasion": "new-year"}, {"client": "vic-2"}, {"place": "home"}):
        with pytest.raises(Invalid, match="Idempotency-Key"):
            given(on, "key-1", **changes)


def test_a_repeat_nudges_again() -> None:
    on = stage()
    enrolled(on)
    given(on, "key-1")
    queues: Any = on.world.queues
    queues.take()
    given(on, "key-1")
    assert len(queues.take()) == 1


# --- the tier -----------------------------------------------------------------------------------------------


def test_the_tier_follows_from_what_was_spent() -> None:
    on = stage()
    with_caps(on)
    client = enrolled(on)
    assert given(on, "key-1").tier is Tier.STANDARD
    count_in(on.world, client, (bought("p-1", 10_000_000),), "brand")
    assert given(on, "key-2").tier is Tier.GOLD
    assert given(on, "key-3", tier="silver").tier is Tier.SILVER, "less may be stated"


def test_more_than_the_standing_says_is_refused_until_it_is_granted() -> None:
    on = stage()
    with_caps(on)
    client = enrolled(on)
    with pytest.raises(Invalid, match="grant the tier first") as refused:
        given(on, "key-1", tier="diamond")
    assert [(f.pointer, f.value) for f in refused.value.faults] == [("/tier", "diamond")]
    new = {"grant": "g", "tier": "diamond", "reason": "press", "expires_at": NOON + timedelta(days=3)}
    grant(on.world, client, NewGrant.model_validate(new), "staff:li.wei")
    assert given(on, "key-1", tier="diamond").tier is Tier.DIAMOND


def test_a_brand_without_tiers_here_is_believed() -> None:
    on = stage()
    enrolled(on)
    assert given(on, "key-1", tier="platinum").tier is Tier.PLATINUM
    assert given(on, "key-2").tier is Tier.STANDARD


# --- consent ------------------------------------------------------------------------------------------------


def test_whoever_has_not_agreed_to_it_is_known_to_nobody_abroad() -> None:
    on = stage()
    enrolled(on)
    enrolled(on, "vic-2", consents=[])
    assert given(on, "key-1").stays_in is None
    assert given(on, "key-2", client="vic-2").stays_in == "CN"


# --- caps ---------------------------------------------------------------------------------------------------


def test_a_cap_of_a_client_holds_until_its_days_are_over() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 2, "days": 7})
    enrolled(on)
    first, second = given(on, "key-1"), given(on, "key-2", window=in_days(3))
    with pytest.raises(Clashing) as refused:
        given(on, "key-3", window=in_days(6))
    assert first.order_id in refused.value.detail and second.order_id in refused.value.detail
    assert "at most 2 gifts within 7 days go to a client" in refused.value.detail
    given(on, "key-4", window=in_days(7))
    assert on.plain.table.get(facts.order_key(first.order_id))


def test_a_refused_gift_leaves_no_trace_and_may_be_asked_for_again() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)
    given(on, "key-1")
    table: Any = on.plain.table
    before = dict(table.rows)
    with pytest.raises(Clashing):
        given(on, "key-2")
    assert table.rows == before
    on.clock.forward(days=8)
    window = in_days(9)
    assert given(on, "key-2", window=window).order_id


def test_a_birthday_cake_a_year_and_other_gifts_besides() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "occasion": "birthday"})
    enrolled(on)
    given(on, "key-1")
    with pytest.raises(Clashing, match="'birthday' in a calendar year"):
        given(on, "key-2", window=in_days(40))
    given(on, "key-3", occasion="new-year")


def test_a_household_is_counted_whoever_of_it_is_given_to_and_however_it_is_written() -> None:
    on = stage()
    with_caps(on, {"per": "household", "at_most": 1, "days": 7})
    flat = place_at("Yongjia")
    flat["address"] |= {"unit": "2单元501室"}
    same = place_at("Yongjia")
    same["address"] |= {"building": "03号楼", "unit": "2-501"}
    other = place_at("Yongjia")
    other["address"] |= {"unit": "502"}
    for name, there in (("vic-1", flat), ("vic-2", same), ("vic-3", other)):
        person = {"name": name, "phone": "+8613800138000", "places": {"home": there}}
        enrolled(on, name, person=person)
    given(on, "key-1")
    with pytest.raises(Clashing, match="go to a household"):
        given(on, "key-2", client="vic-2")
    given(on, "key-3", client="vic-3")


def test_a_gift_for_one_occasion_leaves_those_of_another_in_the_households_book() -> None:
    on = stage()
    with_caps(
        on,
        {"per": "household", "at_most": 1, "days": 366, "occasion": "birthday"},
        {"per": "household", "at_most": 9, "days": 7},
    )
    enrolled(on)
    given(on, "key-1")
    on.clock.forward(days=50)
    given(on, "key-2", occasion="new-year", window=in_days(51))
    with pytest.raises(Clashing, match="'birthday' within 366 days"):
        given(on, "key-3", window=in_days(52))


def test_ten_birthday_cakes_from_ten_brands_and_not_one_more_from_any() -> None:
    on = stage(capacity=20)
    caps = [{"per": per, "at_most": 1, "days": 30, "occasion": "birthday"} for per in ("client", "household")]
    for number in range(10):
        brand = f"brand-{number}"
        with_caps(on, *caps, brand=brand)
        enrolled(on, brand=brand)
        given(on, "cake", brand=brand)
        with pytest.raises(Clashing) as refused:
            given(on, "another", brand=brand)
        assert refused.value.detail.count("ord_") == 1, "a brand is told of its own"
    assert len([key for key in on.plain.table.rows if key.sk == "order"]) == 10  # type: ignore[attr-defined]
    homes = {key.pk for key in on.plain.table.rows if key.pk.startswith("home#")}  # type: ignore[attr-defined]
    assert len(homes) == 10, "one household, ten names: no brand's says anything of another's"


def test_the_day_is_the_recipients_and_not_utc() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 1})
    enrolled(on)
    late = datetime(2022, 4, 11, 15, 30, tzinfo=UTC)  # 23:30 in Shanghai
    windows = [
        {
            "start": (late + timedelta(hours=n)).isoformat(),
            "end": (late + timedelta(hours=n + 3)).isoformat(),
            "time_zone": "Asia/Shanghai",
        }
        for n in (0, 1)
    ]
    given(on, "key-1", window=windows[0])
    given(on, "key-2", window=windows[1])


def test_around_new_year_a_cap_of_days_counts_both_years_and_a_cap_of_a_year_its_own() -> None:
    on = stage(start=datetime(2022, 12, 28, 4, tzinfo=UTC))

    def day(month: int, number: int, year: int) -> dict[str, str]:
        start = datetime(year, month, number, 5, tzinfo=UTC)
        return {
            "start": start.isoformat(),
            "end": (start + timedelta(hours=3)).isoformat(),
            "time_zone": "Asia/Shanghai",
        }

    with_caps(
        on,
        {"per": "client", "at_most": 1, "days": 7},
        {"per": "client", "at_most": 1, "occasion": "new-year"},
    )
    enrolled(on)
    given(on, "key-1", window=day(12, 30, 2022), occasion="new-year")
    with pytest.raises(Clashing, match="within 7 days"):
        given(on, "key-2", window=day(1, 4, 2023), occasion="new-year")
    given(on, "key-2", window=day(1, 6, 2023), occasion="new-year")
    with pytest.raises(Clashing):
        given(on, "key-3", window=day(1, 1, 2023), occasion="birthday")


# --- what came to nothing -----------------------------------------------------------------------------------


def test_what_was_cancelled_counts_no_more_though_nothing_was_given_back() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)
    first = given(on, "key-1")
    cancel.cancel(on.world, "maison", first.order_id, 1)
    second = given(on, "key-2")
    ledger = ledger_of_row(on.plain.table.get(client_ledger_key(second.client_id or "", 2022)))
    assert [(each.order_id, each.struck) for each in ledger.gifts] == [
        (first.order_id, True),
        (second.order_id, False),
    ]
    with pytest.raises(Clashing):
        given(on, "key-3")


def test_a_cancelled_gift_that_a_courier_still_has_counts() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)
    first = given(on, "key-1")
    on.settle()
    on.company.deaf.add("cancel")
    cancel.cancel(on.world, "maison", first.order_id, on.order(first.order_id).version)
    on.settle()
    with pytest.raises(Clashing):
        given(on, "key-2")


def test_what_nobody_could_take_counts_no_more() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)
    first = given(on, "key-1")
    assert stranded(on, first).state is OrderState.STRANDED
    given(on, "key-2")


# --- others at the same time --------------------------------------------------------------------------------


class Between:
    """A table before whose next write something happens."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.first: Any = None

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.table, verb)

    def write(self, *changes: Change) -> None:
        happens, self.first = self.first, None
        if happens is not None:
            happens()
        self.table.write(*changes)


def test_a_gift_that_another_is_quicker_than_is_counted_anew() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)
    between = on.world.table = Between(on.world.table)  # type: ignore[assignment]
    between.first = lambda: give(on.world, "maison", "key-2", client_wish())
    with pytest.raises(Clashing):
        given(on, "key-1")


def test_near_new_year_a_gift_of_the_other_year_that_is_quicker_is_counted_as_well() -> None:
    on = stage(start=datetime(2022, 12, 28, 4, tzinfo=UTC))
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)

    def on_day(start: datetime) -> dict[str, str]:
        return {"start": start.isoformat(), "end": (start + timedelta(hours=3)).isoformat()}

    old, new = on_day(datetime(2022, 12, 30, 5, tzinfo=UTC)), on_day(datetime(2023, 1, 2, 5, tzinfo=UTC))
    between = on.world.table = Between(on.world.table)  # type: ignore[assignment]
    between.first = lambda: give(on.world, "maison", "key-2", client_wish(window=new))
    with pytest.raises(Clashing):
        given(on, "key-1", window=old)


def test_sixteen_at_once_never_give_one_more_than_a_cap_allows() -> None:
    for per in ("client", "household"):
        on = stage()
        with_caps(on, {"per": per, "at_most": 3, "days": 7})
        for number in range(4):
            enrolled(on, f"vic-{number}")
        results: list[str] = []
        count = itertools.count()

        def one(on: Stage = on, per: str = per, results: list[str] = results, count: Any = count) -> None:
            number = next(count)
            client = "vic-0" if per == "client" else f"vic-{number % 4}"
            try:
                results.append(given(on, f"key-{number}", client=client).order_id)
            except Exception as error:
                results.append(type(error).__name__)

        threads = [threading.Thread(target=one) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(name.startswith("ord_") for name in results) == 3, results
        assert set(results) - {"Clashing", "Delayed"} == {r for r in results if r.startswith("ord_")}


def forgotten(on: Stage, client: Client) -> None:
    forget.ask(on.world, "maison", client.reference)
    forget.forget(on.world, client.client_id)


# --- a client who leaves ------------------------------------------------------------------------------------


def test_once_the_books_are_closed_nothing_is_placed_not_even_what_was_under_way() -> None:
    on = stage()
    client = enrolled(on)
    between = on.world.table = Between(on.world.table)  # type: ignore[assignment]
    between.first = lambda: forgotten(on, client)
    with pytest.raises(Forgotten):
        given(on, "key-1")
    assert not [key for key in on.plain.table.rows if key.sk == "order"]  # type: ignore[attr-defined]


def test_from_the_moment_that_it_is_asked_for_nothing_new_is_begun_for_a_client() -> None:
    on = stage()
    client = enrolled(on)
    first = given(on, "key-1")
    forget.ask(on.world, "maison", client.reference)
    with pytest.raises(Forgotten):
        given(on, "key-2")
    assert given(on, "key-1").order_id == first.order_id, "what was placed is told as it was"


def test_whoever_knew_the_client_a_moment_ago_finds_its_books_closed() -> None:
    on = stage()
    client = enrolled(on)
    given(on, "warm")

    class Late:
        """The client is forgotten once it was read, and before its books are."""

        def __init__(self, table: Any) -> None:
            self.table, self.reads = table, 0

        def __getattr__(self, verb: str) -> Any:
            return getattr(self.table, verb)

        def get_many(self, keys: Any) -> Any:
            self.reads += 1
            if self.reads == 2:
                forgotten(on, client)
            return self.table.get_many(keys)

    on.world.table = Late(on.world.table)  # type: ignore[assignment]
    with pytest.raises(Forgotten):
        given(on, "key-1")
    orders = [key for key in on.plain.table.rows if key.sk == "order"]  # type: ignore[attr-defined]
    assert len(orders) == 1


def test_an_answer_that_was_lost_is_found_by_asking_again() -> None:
    on = stage()
    enrolled(on)

    class Deaf:
        def __init__(self, table: Any) -> None:
            self.table = table

        def __getattr__(self, verb: str) -> Any:
            return getattr(self.table, verb)

        def write(self, *changes: Change) -> None:
            self.table.write(*changes)
            if any(isinstance(c, Keep) and c.row.key.sk == "order" for c in changes):
                raise Lost([0])  # what a repeated transaction of our own reads like

    on.world.table = Deaf(on.world.table)  # type: ignore[assignment]
    order, repeated = give(on.world, "maison", "key-1", client_wish())
    assert repeated and order.version == 1


# --- what is on record --------------------------------------------------------------------------------------


def test_who_ordered_and_who_cancelled_is_on_record_the_last_first() -> None:
    on = stage()
    client = enrolled(on)
    first, _ = give(on.world, "maison", "key-1", client_wish(), "associate:anna")
    on.clock.forward(minutes=1)
    give(on.world, "maison", "key-2", client_wish(), "staff:li.wei")
    on.clock.forward(minutes=1)
    cancel.cancel(on.world, "maison", first.order_id, 1, by="associate:anna")
    acts, more = acts_for(on.world, client.client_id, 2, None)
    rest, none = acts_for(on.world, client.client_id, 3, more)
    assert [(act.did, act.by) for act in (*acts, *rest)] == [
        ("gift_cancelled", "associate:anna"),
        ("gift_ordered", "staff:li.wei"),
        ("gift_ordered", "associate:anna"),
        ("client_changed", "brand"),
    ]
    assert more is not None and none is None
    assert acts[0].of == rest[0].of == first.order_id


def test_a_dry_run_says_what_would_be_said_and_writes_nothing() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)
    table: Any = on.plain.table
    drafted(on.world, "maison", "warm", client_wish())  # the salt and the hour's key are made
    before = dict(table.rows)
    found = drafted(on.world, "maison", "key-1", client_wish())
    assert not isinstance(found, Order) and found.order.tier is Tier.STANDARD
    assert table.rows == before
    given(on, "key-1")
    with pytest.raises(Clashing):
        drafted(on.world, "maison", "key-2", client_wish())


# --- sent out again, or on another day ----------------------------------------------------------------------


def stranded(on: Stage, order: Order) -> Order:
    outlook = Outlook(decision=Decision.NO, reasons=(), decided_at=NOON, next_look=None, digest="x")
    after = moved(on.order(order.order_id), on.clock.now, outlook=outlook)
    on.plain.table.write(facts.keep_order(after))
    return after


def window_in(days: float) -> Window:
    return Window.model_validate(in_days(days))


def entries(on: Stage, order: Order, year: int = 2022) -> list[tuple[str, str, bool]]:
    gifts = ledger_of_row(on.plain.table.get(client_ledger_key(order.client_id or "", year))).gifts
    return [(gift.order_id, gift.day.isoformat(), gift.struck) for gift in gifts]


def test_what_is_sent_out_again_counts_again_and_may_be_one_too_many() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 7})
    enrolled(on)
    first = stranded(on, given(on, "key-1"))
    second = given(on, "key-2")
    with pytest.raises(Clashing, match="at most 1 gifts within 7 days"):
        send_again(on.world, "maison", first.order_id, window_in(1), first.version)
    assert on.order(first.order_id).version == first.version
    again = send_again(on.world, "maison", first.order_id, window_in(7), first.version)
    assert again.state is OrderState.PLACED
    assert entries(on, first) == [
        (second.order_id, "2022-04-11", False),
        (first.order_id, "2022-04-18", False),
    ]
    with pytest.raises(Clashing):
        given(on, "key-3", window=in_days(13))


def one_in_a_week(**fallback: Any) -> Stage:
    """A client who may get one gift in seven days, and three passes that may stand in for one."""
    on = stage()
    digital.put(on.world, "YOGA", digital.yoga())
    said = {"caps": [{"per": "client", "at_most": 1, "days": 7}], "fallback": fallback or None}
    set_up(on.world, "maison", NewProgramme.model_validate(said), "brand", None)
    enrolled(on)
    return on


def in_its_place(on: Stage, order: Order, step: str, gift: str | None = None) -> Order:
    wish = DigitalAction(action=DigitalStep(step), gift=gift)
    return answer.act(on.world, "maison", order.order_id, wish, on.order(order.order_id).version)


def test_a_gift_is_not_over_for_a_cap_while_something_is_offered_in_its_place() -> None:
    on = one_in_a_week(gift="YOGA", mode="offer", offer_minutes=1440)
    first = stranded(on, given(on, "key-1", fallback="digital"))
    with pytest.raises(Clashing, match="at most 1 gifts within 7 days"):
        given(on, "key-2")  # it is owed, and nobody has looked yet
    on.settle()
    assert on.order(first.order_id).digital is not None
    with pytest.raises(Clashing, match="at most 1 gifts within 7 days"):
        given(on, "key-2")
    in_its_place(on, first, "decline")
    assert given(on, "key-2")


def test_nothing_goes_in_the_place_of_a_gift_once_another_has_filled_the_cap() -> None:
    on = one_in_a_week()
    first = stranded(on, given(on, "key-1"))
    second = given(on, "key-2")
    for step in ("send", "offer"):
        with pytest.raises(Clashing, match="at most 1 gifts within 7 days"):
            in_its_place(on, first, step, "YOGA")
    assert (digital.left(on.world), on.order(first.order_id).digital) == (3, None)
    cancel.cancel(on.world, "maison", second.order_id, second.version)
    assert in_its_place(on, first, "send", "YOGA").state is OrderState.FULFILLED_DIGITALLY
    assert (first.order_id, "2022-04-11", False) in entries(on, first)
    with pytest.raises(Clashing):
        given(on, "key-3")


@pytest.mark.parametrize("how", ["in its place", "again"])
def test_of_two_gifts_that_come_back_and_come_new_at_one_moment_one_goes(how: str) -> None:
    on = one_in_a_week()
    first = stranded(on, given(on, "key-1"))
    between: Any = Between(on.plain.table)
    between.first = lambda: given(on, "key-2")
    on.world = replace(on.world, table=between)
    comes_back = {
        "again": lambda: send_again(on.world, "maison", first.order_id, first.window, first.version),
        "in its place": lambda: in_its_place(on, first, "send", "YOGA"),
    }[how]
    with pytest.raises((Stale, Clashing)):
        comes_back()
    assert on.order(first.order_id).state is OrderState.STRANDED


def test_another_window_is_another_day_in_the_books() -> None:
    on = stage()
    with_caps(on, {"per": "client", "at_most": 1, "days": 3}, {"per": "household", "at_most": 1, "days": 3})
    enrolled(on)
    first, second = given(on, "key-1", window=in_days(4)), given(on, "key-2", window=in_days(10))
    with pytest.raises(Clashing):
        reschedule(on.world, "maison", first.order_id, window_in(9), 1)
    reschedule(on.world, "maison", first.order_id, window_in(7), 1)
    assert entries(on, first)[1] == (first.order_id, "2022-04-18", False)
    assert len(entries(on, first)) == 2
    given(on, "key-3", window=in_days(4))
    assert second.order_id


def test_over_new_year_a_gift_leaves_the_old_years_book() -> None:
    on = stage(start=datetime(2022, 12, 28, 4, tzinfo=UTC))
    with_caps(on, {"per": "client", "at_most": 1, "days": 3}, {"per": "household", "at_most": 1, "days": 3})
    enrolled(on)

    def hours(day: datetime) -> dict[str, str]:
        return {"start": day.isoformat(), "end": (day + timedelta(hours=3)).isoformat()}

    old, new = datetime(2022, 12, 31, 5, tzinfo=UTC), datetime(2023, 1, 1, 5, tzinfo=UTC)
    first = given(on, "key-1", window=hours(old))
    reschedule(on.world, "maison", first.order_id, Window.model_validate(hours(new)), 1)
    assert entries(on, first) == []
    assert entries(on, first, 2023) == [(first.order_id, "2023-01-01", False)]
    homes = [row for key, row in on.plain.table.rows.items() if key.pk.startswith("home#")]  # type: ignore[attr-defined]
    assert sorted(len(ledger_of_row(row).gifts) for row in homes) == [0, 1]
