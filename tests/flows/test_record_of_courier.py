"""A courier's own record: what came within the hours that were asked for, and what it makes of the next plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain import facts, records
from chalicelib.domain.fleet import Courier, Record
from chalicelib.domain.orders import OrderState
from chalicelib.flows import enlist, receive
from chalicelib.flows.place import place
from tests.stage import NOON, Stage, crew, new_order, permit, publish_rules, slot, stage, zone


@pytest.fixture
def on() -> Stage:
    return stage(capacity=10)


def booked(on: Stage, name: str = "k-1") -> str:
    order, _ = place(on.world, "maison", name, new_order())
    on.settle()
    assert on.order(order.order_id).state is OrderState.BOOKED
    return order.order_id


def say(on: Stage, order_id: str, kind: str, at: datetime | None = None) -> None:
    booking = on.order(order_id).leg.bookings[-1]
    said = on.company.move(booking.reference, kind, at or on.clock.now)
    receive.receive(on.world, "SHA", booking.courier_id, said)
    on.settle()


def brought(on: Stage, order_id: str, hours: float) -> None:
    """Fetched, and handed over so many hours after noon; the window is from one to four."""
    on.clock.now = NOON + timedelta(minutes=70)
    say(on, order_id, "picked_up")
    on.clock.now = NOON + timedelta(hours=hours)
    say(on, order_id, "delivered")


def record(on: Stage, courier: str = "paper-co") -> Record:
    found = facts.load_fleet(on.plain.table, "SHA").records.get(courier, {})
    return Record(
        on_time=sum(each.on_time for each in found.values()), late=sum(each.late for each in found.values())
    )


@pytest.mark.parametrize(("hours", "expected"), [(3, Record(on_time=1)), (4.1, Record(late=1))])
def test_what_comes_within_its_hours_is_on_time_and_what_comes_after_is_not(
    on: Stage, hours: float, expected: Record
) -> None:
    brought(on, booked(on), hours)
    assert record(on) == expected


def test_a_callback_that_comes_again_counts_once(on: Stage) -> None:
    order_id = booked(on)
    brought(on, order_id, 3)
    say(on, order_id, "delivered", on.clock.now)
    on.minutes(30)
    assert record(on) == Record(on_time=1)


def test_a_gift_that_fails_on_its_way_was_not_on_time(on: Stage) -> None:
    order_id = booked(on)
    on.clock.now = NOON + timedelta(minutes=70)
    say(on, order_id, "picked_up")
    say(on, order_id, "failed")
    assert record(on) == Record(late=1)


def test_what_was_called_back_or_never_fetched_says_nothing_of_the_courier(on: Stage) -> None:
    recalled, refused = booked(on, "k-1"), booked(on, "k-2")
    say(on, refused, "pick_up_failed")
    on.clock.now = NOON + timedelta(minutes=70)
    say(on, recalled, "picked_up")
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "sealed"))
    on.minutes(3)
    say(on, recalled, "returned")
    assert record(on) == Record()


def test_the_operator_reads_it_with_the_fleet(on: Stage) -> None:
    brought(on, booked(on), 3)
    assert enlist.fleet(on.world, "SHA").records["paper-co"] == {
        records.period_of(on.clock.now): Record(on_time=1)
    }


def known(on: Stage, courier: str, on_time: int, late: int, weeks: int = 0) -> None:
    """A record from so many weeks ago."""
    at = on.clock.now - timedelta(weeks=weeks)
    for is_on_time, count in ((True, on_time), (False, late)):
        for _ in range(count):
            on.world.table.write(records.noted("fleet#SHA", courier, at, on_time=is_on_time))


def two_couriers(stated: int = 950) -> Stage:
    """The second is 60 dearer, which is 20 permille."""
    on = stage(capacity=10)
    enlist.put_courier(
        on.world, Courier(courier_id="other-co", market_id="SHA", dialect="paper", account="main")
    )
    enlist.put_crew(on.world, crew(2, courier_id="other-co"))
    enlist.put_permit(on.world, permit(2))
    told: dict[str, Any] = {"price": {"amount": 3060, "currency": "CNY"}, "on_time_permille": stated}
    enlist.put_slot(on.world, slot(1, 10, on_time_permille=stated))
    enlist.put_slot(on.world, slot(2, 10, courier_id="other-co", **told))
    on.settle()
    return on


def goes_with(on: Stage, name: str = "k-1") -> str | None:
    assignment = on.order(booked(on, name)).leg.assignment
    return assignment.courier_id if assignment else None


def test_a_courier_that_is_often_late_loses_gifts_to_a_dearer_one() -> None:
    on = two_couriers()
    assert goes_with(on, "k-1") == "paper-co"
    known(on, "paper-co", 30, 30)
    assert goes_with(on, "k-2") == "other-co"


def test_a_few_late_gifts_do_not_outweigh_what_is_stated() -> None:
    on = two_couriers()
    known(on, "paper-co", 10, 1)
    assert goes_with(on) == "paper-co"


def test_what_was_long_ago_is_forgotten() -> None:
    on = two_couriers()
    known(on, "paper-co", 30, 30, weeks=28)
    assert goes_with(on) == "paper-co"


def test_who_goes_dearer_for_it_is_told_how_much_less_often_the_other_comes_in_time() -> None:
    on = two_couriers()
    known(on, "paper-co", 30, 30)
    order_id = booked(on)
    rows = on.plain.table.read(order_id, "evidence#").rows
    assert '"why":"later"' in rows[0].body and '"later":' in rows[0].body


def test_each_period_counts_half_of_the_next_and_a_record_as_large_as_the_prior_half_of_it() -> None:
    at = NOON
    now = {records.period_of(at): Record(on_time=records.PRIOR)}
    assert records.on_time_permille(500, records.aged(now, at)) == 750
    before = {records.period_of(at) - 1: Record(on_time=2 * records.PRIOR)}
    assert records.on_time_permille(500, records.aged(before, at)) == 750
    assert records.on_time_permille(950, records.aged({}, at)) == 950
    assert records.on_time_permille(0, records.aged({records.period_of(at): Record(late=5)}, at)) == 0
