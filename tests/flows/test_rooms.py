"""A vehicle's room, by volume and by weight: never more in it than it has, and what leaves it is free again."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.ports import Key
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import cancel, dispatch, enlist, explain
from chalicelib.flows.place import place
from tests.stage import Stage, body, crew, new_order, permit, slot, stage


def sized(litres: int, kilograms: int = 1, **changes: Any) -> Any:
    item = {**body()["gift"]["items"][0], "millilitres": litres * 1000, "grams": kilograms * 1000}
    return new_order(gift={"items": [item]}, **changes)


@pytest.fixture
def on() -> Stage:
    """One van with ten places, 40 litres and 20 kilograms."""
    found = stage(capacity=10)
    enlist.put_slot(found.world, slot(1, 10, room_litres=40, load_kilograms=20))
    found.settle()
    return found


def put(on: Stage, name: str, litres: int, kilograms: int = 1, **changes: Any) -> str:
    return place(on.world, "maison", name, sized(litres, kilograms, **changes))[0].order_id


def states(on: Stage, *names: str) -> list[OrderState]:
    return [on.order(name).state for name in names]


def taken(on: Stage, measure: str, name: str = "slot-1") -> int:
    row = on.plain.table.get(Key(facts.fleet_collection("SHA"), f"{measure}#{name}"))
    return 0 if row is None else row.counters[facts.TAKEN]


def why(on: Stage, order: Order) -> Any:
    rows = on.plain.table.read(order.order_id, "evidence#").rows
    return rows[-1].body


def test_no_more_goes_into_a_vehicle_than_it_has_room_for(on: Stage) -> None:
    names = [put(on, f"k-{n}", 15) for n in range(3)]
    on.settle()
    assert sorted(states(on, *names)) == [OrderState.BOOKED, OrderState.BOOKED, OrderState.HELD]
    assert (taken(on, "volume"), taken(on, "weight")) == (30_000, 2_000)
    (held,) = (on.order(name) for name in names if on.order(name).state is OrderState.HELD)
    assert held.outlook is not None
    assert held.outlook.reasons == (Reason.NO_ROOM,)
    assert on.left() == 8, "there were places"


def test_nor_than_it_may_carry(on: Stage) -> None:
    names = [put(on, f"k-{n}", 1, 9) for n in range(3)]
    on.settle()
    assert sorted(states(on, *names)) == [OrderState.BOOKED, OrderState.BOOKED, OrderState.HELD]


def test_the_higher_tier_has_the_room(on: Stage) -> None:
    low = [put(on, f"k-{n}", 20, tier="standard") for n in range(2)]
    high = put(on, "k-9", 30, tier="diamond")
    on.settle()
    assert states(on, high, *low) == [OrderState.BOOKED, OrderState.HELD, OrderState.HELD]


def test_a_gift_that_states_no_size_takes_a_place_and_no_room(on: Stage) -> None:
    big = put(on, "k-1", 40)
    small, _ = place(on.world, "maison", "k-2", new_order())
    on.settle()
    assert states(on, big, small.order_id) == [OrderState.BOOKED, OrderState.BOOKED]
    assert on.left() == 8
    assert on.order(small.order_id).leg.assignment.quotas == ()  # type: ignore[union-attr]


def test_a_slot_that_states_no_room_has_room_for_everything() -> None:
    on = stage(capacity=3)
    name = put(on, "k-1", 5_000, 5_000)
    on.settle()
    assert states(on, name) == [OrderState.BOOKED]
    assert taken(on, "volume") == 0, "and nothing is counted"


def test_what_is_cancelled_gives_its_room_back_and_who_stood_by_has_it(on: Stage) -> None:
    first, second = put(on, "k-1", 30), put(on, "k-2", 30)
    on.settle()
    going, waits = sorted((first, second), key=lambda name: on.order(name).state is OrderState.HELD)
    assert states(on, waits) == [OrderState.HELD]
    cancel.cancel(on.world, "maison", going, on.order(going).version)
    on.settle()
    assert states(on, waits) == [OrderState.BOOKED]
    assert (taken(on, "volume"), taken(on, "weight")) == (30_000, 1_000)


def test_a_courier_that_refuses_gives_the_room_back(on: Stage) -> None:
    on.company.refuse["book"] = "no_riders"
    put(on, "k-1", 30)
    on.settle()
    assert (taken(on, "volume"), taken(on, "weight")) == (0, 0)


def test_of_two_planners_who_want_the_last_room_the_second_puts_its_order_back(on: Stage) -> None:
    one = put(on, "k-1", 30)
    dispatch.dispatch(on.world, "SHA")
    two = put(on, "k-2", 30)
    on.world.memory.clear()
    keys = [facts.order_key(two)]
    stale = facts.load_fleet(on.world.table, "SHA").model_copy(update={"taken": {}})
    plain = facts.load_fleet
    try:
        facts.load_fleet = lambda *_: stale  # type: ignore[assignment]
        saved, lost = dispatch._round(on.world, enlist.market(on.world, "SHA"), keys, None, is_first=True)
    finally:
        facts.load_fleet = plain
    assert (saved, lost) == (0, keys)
    assert states(on, one, two) == [OrderState.ASSIGNED, OrderState.PLACED]
    assert taken(on, "volume") == 30_000


def test_a_slot_that_states_its_room_later_counts_who_is_not_booked_yet(on: Stage) -> None:
    enlist.put_slot(on.world, slot(1, 10))
    on.settle()
    name = put(on, "k-1", 30)
    dispatch.dispatch(on.world, "SHA")
    assert taken(on, "volume") == 0
    enlist.put_slot(on.world, slot(1, 10, room_litres=40))
    on.settle()
    assert states(on, name) == [OrderState.BOOKED]
    assert taken(on, "volume") == 30_000


def test_a_gift_too_large_for_any_vehicle_is_told_so_and_what_would_help(on: Stage) -> None:
    name = put(on, "k-1", 41)
    on.settle()
    order = on.order(name)
    assert order.outlook is not None and order.outlook.reasons == (Reason.NO_ROOM,)
    assert '"nearest":[{"reasons":["no_room"]' in why(on, order)


def test_two_vehicles_are_packed_so_that_both_sizes_go() -> None:
    """The large one has room in one of them only: the small one goes with the other, though that is dearer."""
    on = stage(capacity=2, crews=2)
    for n, litres in ((1, 40), (2, 10)):
        enlist.put_crew(on.world, crew(n))
        enlist.put_permit(on.world, permit(n))
        enlist.put_slot(on.world, slot(n, 2, room_litres=litres))
    on.settle()
    small, large = put(on, "k-1", 10), put(on, "k-2", 35)
    on.settle()
    given = [on.order(name).leg.assignment for name in (small, large)]
    assert [one.slot_id if one else None for one in given] == ["slot-2", "slot-1"]


def test_the_report_tells_the_gap_that_room_leaves_open(on: Stage) -> None:
    for n in range(3):
        put(on, f"k-{n}", 15)
    on.settle()
    report = explain.last(on.world, "SHA")
    assert report.is_proven == (report.gap == "0" and report.tiers_are_proven)
    assert (report.served, report.left) != (0, 0)
