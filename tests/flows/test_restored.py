"""What `docs/operate.md` says of rows that were put back from an earlier moment: what has to go with them, and what
comes of it. The table of that moment is a copy; putting back is what a person does by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Count, Key, Row
from chalicelib.flows import receive
from chalicelib.flows.place import place
from tests.stage import Stage, new_order, stage


def rows_of(on: Stage) -> dict[Key, Row]:
    table: Any = on.world.table
    rows: dict[Key, Row] = table.rows
    return rows


def put_back(on: Stage, order_id: str, then: dict[Key, Row]) -> None:
    """The order's row of that moment over the present one, and no evidence that it does not know of."""
    rows, key = rows_of(on), facts.order_key(order_id)
    version = max(rows[key].version, then[key].version) + 1 if key in rows else then[key].version
    rows[key] = replace(then[key], version=version)
    for later in [k for k in rows if k.pk == order_id and k.sk.startswith("evidence#") and k not in then]:
        del rows[later]


def test_an_order_put_back_to_before_its_booking_finds_the_job_it_has_and_books_no_other() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "k-1", new_order())
    then = dict(rows_of(on))
    on.settle()
    (reference,) = on.company.jobs
    told = len(on.brand.heard)
    put_back(on, order.order_id, then)
    on.world.table.write(
        Count(facts.slot_key("SHA", "slot-1"), facts.LEFT, 1, None)
    )  # the place it had, back
    on.minutes(5)
    assert list(on.company.jobs) == [reference] and on.company.doubled == []
    assert on.order(order.order_id).state is OrderState.BOOKED
    assert on.left() == 2
    assert len(on.brand.heard) == told, "the same states under the same numbers are not told again"
    on.clock.forward(minutes=60)
    for kind in ("picked_up", "delivered"):
        receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, kind, on.clock()))
        on.minutes(1)
    assert on.order(order.order_id).state is OrderState.DELIVERED
    assert [said["data"]["state"] for said in on.brand.heard][-2:] == ["picked_up", "delivered"]


def test_an_order_put_back_without_its_later_evidence_taken_out_stands_still_and_is_seen() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "k-1", new_order())
    key, then = facts.order_key(order.order_id), dict(rows_of(on))
    on.settle()
    rows_of(on)[key] = replace(then[key], version=rows_of(on)[key].version + 1)
    on.minutes(10)
    assert on.order(order.order_id).state is OrderState.PLACED
    ticked = [line for line in on.world.log.lines if line["event"] == "ticked"]  # type: ignore[attr-defined]
    assert ticked[-1]["lag_s"] >= 600, "the alarm on the planner's lag rings"


def test_an_order_that_was_lost_and_is_put_back_whole_goes_on_where_it_was() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "k-1", new_order())
    on.settle()
    then = dict(rows_of(on))
    for key in [k for k in rows_of(on) if k.pk == order.order_id]:
        del rows_of(on)[key]
    rows_of(on).update({key: row for key, row in then.items() if key.pk == order.order_id})
    (reference,) = on.company.jobs
    on.clock.forward(minutes=60)
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "delivered", on.clock()))
    on.minutes(3)
    assert on.order(order.order_id).state is OrderState.DELIVERED
    assert list(on.company.jobs) == [reference]


def test_what_hangs_on_an_order_that_was_lost_waits_for_it_and_does_not_lapse() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "k-1", new_order())
    on.settle()
    (reference,) = on.company.jobs
    del rows_of(on)[facts.order_key(order.order_id)]
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "accepted", on.clock()))
    on.settle()
    lapsing = {
        row.key.sk.split("#")[0]
        for row in rows_of(on).values()
        if row.key.pk == order.order_id and row.expires_at
    }
    assert lapsing == {"event"}
