"""Who waits for a place only, and gets the next one that comes free before anybody of a lower tier."""

from __future__ import annotations

import pytest

from chalicelib.domain import facts
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Keep, Row
from chalicelib.flows import dispatch, lease, stand_by
from chalicelib.flows.cancel import cancel
from chalicelib.flows.place import place
from tests.stage import Stage, new_order, stage


def placed(on: Stage, key: str, tier: str) -> str:
    order_id = place(on.world, "maison", key, new_order(tier=tier))[0].order_id
    on.settle()
    return order_id


def remembered(on: Stage) -> tuple[str, ...]:
    row = on.world.table.get(facts.standing_by_key("SHA"))
    return () if row is None else stand_by.StandingBy.model_validate_json(row.body).orders


def test_a_place_that_comes_free_goes_to_who_waits_with_the_higher_rank_and_not_to_who_is_placed_just_then() -> (
    None
):
    on = stage(capacity=1)
    first = placed(on, "key-1", "gold")
    waits = placed(on, "key-2", "gold")
    assert (on.order(first).state, on.order(waits).state) == (OrderState.BOOKED, OrderState.HELD)
    assert remembered(on) == (waits,)
    cancel(on.world, "maison", first, on.order(first).version)
    late = place(on.world, "maison", "key-3", new_order(tier="standard"))[0].order_id
    on.settle()
    assert on.order(first).state is OrderState.CANCELLED
    assert (on.order(waits).state, on.order(late).state) == (OrderState.BOOKED, OrderState.HELD)
    assert remembered(on) == (late,)


def test_who_is_placed_with_a_higher_rank_still_comes_first() -> None:
    on = stage(capacity=1)
    first, waits = placed(on, "key-1", "gold"), placed(on, "key-2", "gold")
    cancel(on.world, "maison", first, on.order(first).version)
    late = place(on.world, "maison", "key-3", new_order(tier="diamond"))[0].order_id
    on.settle()
    assert (on.order(waits).state, on.order(late).state) == (OrderState.HELD, OrderState.BOOKED)


def test_who_stands_by_in_vain_is_not_written_again() -> None:
    on = stage(capacity=1)
    placed(on, "key-1", "gold")
    waits = placed(on, "key-2", "gold")
    version = on.order(waits).version
    for number in range(3, 6):
        placed(on, f"key-{number}", "standard")
    assert on.order(waits).version == version
    assert remembered(on)[0] == waits
    assert len(remembered(on)) == 4


def test_who_lacks_more_than_a_place_does_not_stand_by() -> None:
    on = stage(capacity=1)
    placed(on, "key-1", "gold")
    place(on.world, "maison", "key-2", new_order("Nowhere"))
    on.settle()
    assert remembered(on) == ()


def test_a_row_that_names_those_who_are_gone_or_was_written_meanwhile_does_no_harm() -> None:
    on = stage(capacity=2)
    first = placed(on, "key-1", "gold")
    row = on.world.table.get(facts.standing_by_key("SHA"))
    assert row is None, "nobody was left over"
    gone = stand_by.StandingBy(orders=("ord_gone", first)).model_dump_json()
    key = facts.standing_by_key("SHA")
    on.world.table.write(Keep(Row(key, 1, gone), was=None))
    second = placed(on, "key-2", "standard")
    assert on.order(second).state is OrderState.BOOKED
    assert remembered(on) == ()
    stand_by.note(on.world, "SHA", None, [on.order(first)])
    assert remembered(on) == (), "it was known to be absent, and is there: the other one knows better"


def test_who_is_gone_is_forgotten_though_nobody_else_is_there_to_be_planned() -> None:
    on = stage(capacity=1)
    placed(on, "key-1", "gold")
    waits = placed(on, "key-2", "gold")
    cancel(on.world, "maison", waits, on.order(waits).version)
    on.settle()
    assert remembered(on) == (waits,)
    dispatch.named(on.world, "SHA")
    assert remembered(on) == ()


def test_only_so_many_are_remembered_the_highest_tiers_first() -> None:
    on = stage(capacity=1)
    placed(on, "key-0", "diamond")
    for number, tier in enumerate(["standard", "gold", "silver"]):
        placed(on, f"key-{number + 1}", tier)
    left = [on.order(name) for name in remembered(on)]
    assert [order.tier.name for order in left] == ["GOLD", "SILVER", "STANDARD"]
    most, stand_by.MOST = stand_by.MOST, 1
    try:
        row = on.world.table.get(facts.standing_by_key("SHA"))
        stand_by.note(on.world, "SHA", row, left)
    finally:
        stand_by.MOST = most
    assert remembered(on) == (left[0].order_id,)


def test_where_many_stand_by_rounds_take_the_lease_and_who_comes_late_joins_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each round reads all of them: a burst of nudges would else do so side by side."""
    on = stage(capacity=1)
    for number in range(4):
        placed(on, f"key-{number}", "gold")
    assert len(remembered(on)) == 3
    monkeypatch.setattr(dispatch, "UNLEASED", 3)
    holder = lease.take(on.world, "SHA")
    late = place(on.world, "maison", "key-late", new_order())[0].order_id
    dispatch.named(on.world, "SHA")
    assert on.order(late).state is OrderState.PLACED, "whoever plans now goes round again"
    assert holder is not None
    held = lease.release(on.world, "SHA", holder)
    assert held is not None and held.again
    dispatch.named(on.world, "SHA")
    assert on.order(late).state is OrderState.HELD
