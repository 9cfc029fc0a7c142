"""Hearing couriers: who may speak of a booking, when its words are dated, and what they cannot undo."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chalicelib.domain import facts
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.places import Market
from chalicelib.flows import enlist, receive
from chalicelib.flows.cancel import cancel
from chalicelib.flows.place import place
from tests.paper import callback
from tests.stage import MARKET, NOON, Stage, new_order, publish_rules, stage, zone


def booked(**changes: object) -> tuple[Stage, str, str]:
    on = stage(**changes)  # type: ignore[arg-type]
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (reference,) = on.company.jobs
    return on, order.order_id, reference


def say(
    on: Stage, reference: str, kind: str, at: datetime, by: str = "paper-co", market: str = "SHA"
) -> None:
    receive.receive(on.world, market, by, callback(reference, kind, at))
    on.settle()


def with_account(on: Stage, courier_id: str, account: str, market: str = "SHA") -> None:
    """One more courier, whose account happens to have the same secret: its signature is genuine, too."""
    secrets = on.world.secrets
    secrets.by_account["paper", account] = secrets.by_account["paper", "main"]  # type: ignore[attr-defined]
    if market != "SHA":
        enlist.put_market(on.world, Market.model_validate({**MARKET, "market_id": market}))
    enlist.put_courier(
        on.world, Courier(courier_id=courier_id, market_id=market, dialect="paper", account=account)
    )


@pytest.mark.parametrize("kind", ["delivered", "cancelled", "picked_up", "returned"])
@pytest.mark.parametrize("market", ["SHA", "SUZ"])
def test_another_courier_with_a_signature_of_its_own_has_no_say(kind: str, market: str) -> None:
    on, order_id, reference = booked()
    with_account(on, "rival", "rival", market)
    before = on.order(order_id)
    say(on, reference, kind, on.clock.now, by="rival", market=market)
    on.minutes(3)
    assert on.order(order_id).state is before.state is OrderState.BOOKED
    assert on.order(order_id).leg.bookings[0].track.kind is None
    assert {"callback_of_another"} <= {line["event"] for line in on.world.log.lines}  # type: ignore[attr-defined]


def test_one_account_in_two_markets_speaks_at_either_address() -> None:
    on, order_id, reference = booked()
    with_account(on, "paper-suzhou", "main", "SUZ")
    say(on, reference, "picked_up", on.clock.now, by="paper-suzhou", market="SUZ")
    assert on.order(order_id).state is OrderState.PICKED_UP


def test_words_dated_in_another_century_are_dated_when_they_can_have_been_said() -> None:
    on, order_id, reference = booked()
    attempted = on.order(order_id).leg.bookings[0].attempted_at
    say(on, reference, "courier_assigned", on.clock.now + timedelta(days=80 * 365))
    assert on.order(order_id).leg.bookings[0].track.at == on.clock.now
    on.clock.forward(minutes=10)
    say(on, reference, "picked_up", on.clock.now)
    assert on.order(order_id).state is OrderState.PICKED_UP
    say(on, reference, "delivered", datetime(2000, 1, 1, tzinfo=NOON.tzinfo))
    booking = on.order(order_id).leg.bookings[0]
    assert booking.track.at is not None
    assert booking.track.at >= attempted


def test_at_the_shop_dated_after_the_pick_up_takes_the_gift_from_nobody() -> None:
    on, order_id, reference = booked()
    on.clock.forward(minutes=30)
    at = on.clock.now
    say(on, reference, "at_pick_up", at)
    say(on, reference, "picked_up", at - timedelta(seconds=1))
    assert on.order(order_id).state is OrderState.PICKED_UP
    assert on.order(order_id).leg.bookings[0].track.has_custody


def test_a_status_nobody_can_read_makes_no_booking_of_an_unknown_one() -> None:
    on = stage()
    on.company.deaf.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (booking,) = on.order(order.order_id).leg.bookings
    assert booking.state is BookingState.UNKNOWN
    say(on, booking.reference, "a code of tomorrow", on.clock.now)
    assert on.order(order.order_id).leg.bookings[0].state is BookingState.UNKNOWN
    on.company.deaf.clear()
    on.minutes(5)
    assert [b.state for b in on.order(order.order_id).leg.bookings] == [
        BookingState.LOST,
        BookingState.BOOKED,
    ]


@pytest.mark.parametrize("why", ["banned", "brand"])
def test_an_end_that_was_wanted_while_the_booking_was_unknown_is_asked_for_when_it_is_heard_of(
    why: str,
) -> None:
    on = stage()
    on.company.silent.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (reference,) = on.company.jobs
    on.company.deaf.add("look")
    if why == "banned":
        publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    else:
        cancel(on.world, "maison", order.order_id, on.order(order.order_id).version)
    on.settle()
    say(on, reference, "courier_assigned", on.clock.now)
    on.minutes(2)
    assert not on.company.jobs[reference].is_live
    assert on.order(order.order_id).leg.bookings[0].state is BookingState.CANCELLED
    assert on.live_bookings(order.order_id) == 0


def test_what_was_told_to_be_left_at_the_gate_is_at_the_gate_though_the_door_has_opened_since() -> None:
    on = stage()
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed"))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (reference,) = on.company.jobs
    publish_rules(on.world, "amend", zone("Yongjia"))
    on.clock.forward(hours=1, minutes=10)
    say(on, reference, "picked_up", on.clock.now)
    on.clock.forward(minutes=40)
    say(on, reference, "delivered", on.clock.now)
    assert on.order(order.order_id).state is OrderState.AT_GATE


def test_nobody_is_told_and_nothing_asked_again_of_a_state_that_stands() -> None:
    on, order_id, reference = booked()
    on.clock.forward(hours=1, minutes=10)
    say(on, reference, "picked_up", on.clock.now)
    on.company.move(reference, "picked_up", on.clock.now)
    rows = len(on.plain.table.read(order_id, "event#").rows)
    on.minutes(60)  # polled several times meanwhile
    assert len(on.plain.table.read(order_id, "event#").rows) == rows
    assert [n["data"]["state"] for n in on.brand.heard if n["data"]["order_id"] == order_id] == [
        "placed", "assigned", "booked", "picked_up",
    ]  # fmt: skip
    assert facts.load_order(on.plain.table, order_id).state is OrderState.PICKED_UP


def test_where_the_courier_is_on_its_way_is_kept_and_folded_in_with_the_next_thing_that_matters() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.clock.forward(minutes=60)
    (reference,) = on.company.jobs
    for kind in ("accepted", "picked_up"):
        receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, kind, on.clock.now))
        on.settle()
    before = on.order(order.order_id)
    on.clock.forward(minutes=1)
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "in_transit", on.clock.now))
    on.settle()
    assert on.order(order.order_id) == before, "nothing is written for it"
    on.clock.forward(minutes=9)
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "delivered", on.clock.now))
    on.settle()
    after = on.order(order.order_id)
    assert after.state is OrderState.DELIVERED
    assert after.leg.bookings[0].track.events == 4


def test_a_courier_that_reports_on_its_way_is_not_asked_for_its_silence() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.clock.forward(minutes=60)
    (reference,) = on.company.jobs
    for kind in ("accepted", "picked_up", "in_transit"):
        receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, kind, on.clock.now))
        on.settle()
        on.clock.forward(minutes=9)
    on.minutes(1)
    assert [verb for verb, _ in on.company.calls] == ["book"]
    assert on.order(order.order_id).leg.bookings[0].track.kind == "in_transit"


def test_a_job_that_ends_when_its_slot_is_long_gone_ends_all_the_same() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (reference,) = on.company.jobs
    on.clock.forward(days=9)
    del on.world.table.rows[facts.slot_key("SHA", "slot-1")]  # type: ignore[attr-defined]
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "cancelled", on.clock()))
    on.settle()
    assert on.order(order.order_id).state is OrderState.STRANDED
    assert on.live_bookings(order.order_id) == 0
