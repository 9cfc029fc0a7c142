"""A decision that can never be saved is nobody's hot loop; rules are known by the version that stands on their row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Keep, Key, Row, Topic
from chalicelib.flows import dispatch as flow
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.place import place
from tests import drive
from tests.stage import Stage, new_order, publish_rules, stage, zone


def never_saved(on: Stage, **changes: Any) -> str:
    """An order whose next piece of evidence stands there already, as after a row was put back by hand."""
    order, _ = place(on.world, "maison", "never", new_order(**changes))
    on.world.table.write(Keep(Row(Key(order.order_id, "evidence#0001"), 1, "{}"), was=None))
    return order.order_id


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("others", [0, 3, 30])
def test_what_is_never_saved_is_not_nudged_for_ever_and_stops_nobody(others: int, everything: bool) -> None:
    on = stage(capacity=others + 1)
    order_id = never_saved(on)
    beside = [place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(others)]
    waits = [place(on.world, "maison", f"w-{n}", new_order("Nowhere"))[0].order_id for n in range(others)]
    drive.run(on.world, Topic.DISPATCH, "SHA:all" if everything else "SHA")
    on.settle()
    assert on.order(order_id).state is OrderState.PLACED
    assert {on.order(name).state for name in beside} <= {OrderState.BOOKED}
    assert {on.order(name).state for name in waits} <= {OrderState.HELD}
    assert on.left() == 1
    on.minutes(3)


def test_what_lost_a_race_is_planned_again_at_once() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "k-1", new_order())
    table: Any = on.world.table
    write, moved = table.write, []

    def meanwhile(*changes: Any) -> None:
        if len(changes) > 1 and not moved:
            row = table.rows[facts.order_key(order.order_id)]
            moved.append(replace(row, version=row.version + 1))
            table.rows[row.key] = moved[0]
        write(*changes)

    table.write = meanwhile
    dispatch(on.world, "SHA")
    assert moved
    assert on.order(order.order_id).state is OrderState.ASSIGNED


def test_rules_whose_row_was_put_back_under_a_higher_version_are_in_force() -> None:
    on = stage()
    table: Any = on.world.table
    row = table.rows[facts.pointer_key("SHA")]
    table.rows[row.key] = replace(row, version=row.version + 7)
    order, _ = place(on.world, "maison", "k-1", new_order())
    on.settle()
    assert on.order(order.order_id).state is OrderState.BOOKED
    publish_rules(on.world, "amend", zone("Anfu"))
    assert table.rows[row.key].version == row.version + 8
    on.clock.forward(minutes=1)
    other, _ = place(on.world, "maison", "k-2", new_order("Anfu"))
    on.settle()
    assert on.order(other.order_id).state is OrderState.BOOKED
    assert on.clock() - other.placed_at < timedelta(minutes=1)


def test_orders_that_nobody_can_read_do_not_hide_those_that_wait_behind_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flow, "POOL", 3)
    on = stage(capacity=9)
    table: Any = on.world.table
    for n in range(7):
        order, _ = place(on.world, "maison", f"newer-{n}", new_order())
        key = facts.order_key(order.order_id)
        newer = table.rows[key].body.replace('"schema_version":1', '"schema_version":99')
        table.rows[key] = replace(table.rows[key], body=newer)
    on.clock.forward(minutes=1)
    behind = [place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(5)]
    on.settle()
    assert {on.order(name).state for name in behind} == {OrderState.BOOKED}
