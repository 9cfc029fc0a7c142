"""Deciding again: no nudge is needed for it, and no page of a lagging index ends it."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from chalicelib.domain import facts
from chalicelib.domain.errors import Newer
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Topic
from chalicelib.flows import consult, enlist, publish, rezone
from chalicelib.flows.place import place
from tests import drive
from tests.stage import MARKET, NOON, Market, Stage, new_order, publish_rules, stage, zone


def booked(count: int = 1) -> tuple[Stage, list[str]]:
    on = stage(capacity=count)
    orders = [place(on.world, "maison", f"key-{n}", new_order())[0].order_id for n in range(count)]
    on.settle()
    return on, orders


def banned_without_a_nudge(on: Stage) -> None:
    """New rules, whose nudge to decide again is lost."""
    queues = on.world.queues
    nudge = queues.nudge

    def losing(topic: Topic, ids: object) -> None:
        names = [name for name in ids if not str(name).startswith("rezone:")]  # type: ignore[attr-defined]
        nudge(topic, names)

    queues.nudge = losing  # type: ignore[method-assign]
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    queues.nudge = nudge  # type: ignore[method-assign]


def test_a_lost_nudge_to_decide_again_is_made_good_by_the_sweep() -> None:
    on, (order_id,) = booked()
    on.minutes(1)
    banned_without_a_nudge(on)
    assert on.order(order_id).state is OrderState.BOOKED
    on.minutes(2)
    assert on.order(order_id).leg.bookings[0].state is BookingState.CANCELLED
    assert on.live_bookings(order_id) == 0


def test_a_pass_over_all_orders_is_made_every_quarter_of_an_hour_and_not_oftener() -> None:
    on, _ = booked()
    began = []
    for _ in range(60):
        on.minutes(1)
        row = on.plain.table.get(facts.rezoned_key("SHA"))
        assert row is not None
        began.append(rezone.Rezoned.model_validate_json(row.body).began_at)
    passes = sorted(set(began))
    assert 3 <= len(passes) <= 5
    assert all(b - a >= rezone.AGAIN for a, b in itertools.pairwise(passes[1:]))


def test_a_pass_over_many_pages_decides_every_order_and_notes_the_rules_it_began_under() -> None:
    on, orders = booked(7)
    rezone_page = rezone.PAGE
    rezone.PAGE = 2  # type: ignore[misc]
    try:
        publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
        on.minutes(2)
    finally:
        rezone.PAGE = rezone_page  # type: ignore[misc]
    assert [on.live_bookings(order_id) for order_id in orders] == [0] * 7
    assert on.left() == 7
    row = on.plain.table.get(facts.rezoned_key("SHA"))
    assert row is not None
    assert rezone.Rezoned.model_validate_json(row.body).rules_version == 2


def test_an_order_that_cannot_be_read_stops_no_other() -> None:
    on, (first, second) = booked(2)
    table = on.plain.table
    row = table.rows[facts.order_key(first)]  # type: ignore[attr-defined]
    newer = row.body.replace('"schema_version":1', '"schema_version":99')
    assert newer != row.body
    table.rows[facts.order_key(first)] = type(row)(**{**row.__dict__, "body": newer})  # type: ignore[attr-defined]
    third, _ = place(on.world, "maison", "key-3", new_order())
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    on.clock.forward(minutes=5)
    on.minutes(3)
    assert on.live_bookings(second) == 0
    assert on.order(third.order_id).state is OrderState.HELD or on.order(third.order_id).outlook is not None
    assert "order_unreadable" in {line["event"] for line in on.world.log.lines}  # type: ignore[attr-defined]


def test_a_door_that_opens_after_the_gate_was_told_changes_nothing_for_the_courier() -> None:
    on = stage()
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed"))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    assert on.order(order.order_id).leg.bookings[0].handover == "gate"
    publish_rules(on.world, "amend", zone("Yongjia"))
    on.minutes(2)
    after = on.order(order.order_id)
    assert after.state is OrderState.BOOKED
    assert after.leg.assignment is not None
    assert after.leg.assignment.handovers == ("gate",)


def test_rules_that_let_a_held_gift_go_wake_it_even_while_a_planner_is_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from chalicelib.flows import lease

    monkeypatch.setattr("chalicelib.flows.dispatch.UNLEASED", 0)
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order("Garden"))
    on.settle()
    assert on.order(order.order_id).state is OrderState.HELD
    on.clock.forward(minutes=1)
    holder = lease.take(on.world, "SHA")
    assert holder is not None
    publish_rules(on.world, "amend", zone("Garden"))
    on.settle()
    assert on.order(order.order_id).state is OrderState.HELD
    held = lease.release(on.world, "SHA", holder)
    assert held is not None
    assert (held.again, held.everything) == (True, True)
    assert on.clock.now < on.order(order.order_id).outlook.next_look + timedelta(0)  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("error", [InvalidTag(), Newer("packed with dictionary 2")])
def test_a_seal_that_does_not_open_keeps_no_other_gift_where_nobody_may_go(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    on, orders = booked(5)
    waits, _ = place(on.world, "maison", "waits", new_order("Nowhere"))
    sealer = on.world.sealer
    unseal = sealer.unseal

    def broken(sealed: bytes, context: str) -> bytes:
        if context == min(orders):
            raise error
        return unseal(sealed, context)

    monkeypatch.setattr(sealer, "unseal", broken)
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    on.minutes(2)
    assert {name for name in orders if on.live_bookings(name)} == {min(orders)}
    assert on.order(waits.order_id).state is OrderState.HELD


def touched_by_the_last(on: Stage) -> int | None:
    upload = publish.upload_of(on.world, "SHA", consult.in_force(on.world, "SHA").upload_id)
    assert upload.difference is not None
    return upload.difference.orders_touched


def sharded(count: int, shards: int) -> tuple[Stage, list[str]]:
    on = stage(capacity=count)
    enlist.put_market(on.world, Market.model_validate({**MARKET, "shards": shards}))
    on.world.memory.clear()
    orders = [place(on.world, "maison", f"key-{n}", new_order())[0].order_id for n in range(count)]
    on.settle()
    on.minutes(1)
    return on, orders


def urgent(on: Stage, hours: int) -> str:
    window = {
        "start": (NOON + timedelta(hours=1)).isoformat(),
        "end": (NOON + timedelta(hours=hours)).isoformat(),
    }
    asked = new_order(window={**window, "time_zone": "Asia/Shanghai"})
    return place(on.world, "maison", f"in-{hours}", asked)[0].order_id


def test_the_most_urgent_are_decided_first_whatever_else_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BLOCK": 1, "URGENT": 1, "SPARE": 1, "MORE": 2}.items():
        monkeypatch.setattr(rezone, name, value)
    on = stage(capacity=9)
    names = [urgent(on, hours) for hours in (5, 3, 6, 2, 4)]
    on.settle()
    decided: list[str] = []
    again = rezone.decide_again

    def noting(world: Any, order: Any, *on: Any) -> Any:
        decided.append(order.order_id)
        return again(world, order, *on)

    monkeypatch.setattr(rezone, "decide_again", noting)
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    assert decided == [names[at] for at in (3, 1, 4, 0, 2)]
    assert [on.live_bookings(name) for name in names] == [0] * 5
    assert touched_by_the_last(on) == 5


def test_shards_are_passed_over_beside_one_another_and_noted_when_the_last_is_through() -> None:
    on, orders = sharded(9, 4)
    upload = publish.begin(on.world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    ban = {"policies": [], "features": [zone("Yongjia", "banned@1", "no_access")], "released": []}
    publish.add_part(on.world, "SHA", upload.upload_id, 1, json.dumps(ban).encode())
    publish.finish(on.world, "SHA", upload.upload_id)
    publish.publish(on.world, "SHA", upload.upload_id)
    queues: Any = on.world.queues
    queues.take(Topic.RULES)
    rezone.rezone(on.world, "SHA", "")
    shards = queues.take(Topic.RULES)
    assert [name.rpartition(",")[2] for _, name in shards] == ["1/", "2/", "3/"]
    for topic, name in reversed(shards[1:]):
        drive.run(on.world, topic, name)
    assert noted(on) == 1
    assert rezone.overdue(on.world, ["SHA"]) == []
    for topic, name in shards * 2:
        drive.run(on.world, topic, name)
    assert noted(on) == 2
    on.settle()
    assert [on.live_bookings(name) for name in orders] == [0] * 9
    assert publish.upload_of(on.world, "SHA", upload.upload_id).difference.orders_touched == 9  # type: ignore[union-attr]


def noted(on: Stage) -> int:
    row = on.plain.table.get(facts.rezoned_key("SHA"))
    assert row is not None
    return rezone.Rezoned.model_validate_json(row.body).rules_version


def test_a_shard_whose_nudge_was_lost_is_met_by_the_next_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    on, orders = sharded(9, 4)
    banned_without_a_nudge(on)
    rezone.rezone(on.world, "SHA", "")
    on.world.queues.take(Topic.RULES)  # type: ignore[attr-defined]
    assert sum(on.live_bookings(name) for name in orders) > 0
    on.minutes(4)
    assert [on.live_bookings(name) for name in orders] == [0] * 9
    assert noted(on) == 2


def test_a_pass_that_is_under_way_is_not_begun_anew_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BLOCK": 1, "URGENT": 1, "SPARE": 1}.items():
        monkeypatch.setattr(rezone, name, value)
    on, _ = booked(3)
    banned_without_a_nudge(on)
    rezone.rezone(on.world, "SHA", "")
    on.clock.forward(minutes=1)
    assert rezone.overdue(on.world, ["SHA"]) == []
    on.clock.forward(minutes=1)
    assert rezone.overdue(on.world, ["SHA"]) == ["rezone:SHA:"]


@pytest.mark.parametrize("place", ["2022-04-11T04:10:00.000000Z|ord_x|order", "!", "!a|b", "0", ""])
def test_a_place_of_former_code_or_of_nobody_costs_a_look_and_no_order(place: str) -> None:
    on, orders = booked(2)
    banned_without_a_nudge(on)
    rezone.rezone(on.world, "SHA", f"2,{facts.epoch(on.clock.now)},0/{place}")
    on.minutes(4)
    assert [on.live_bookings(name) for name in orders] == [0, 0]


def test_rules_that_touch_nothing_say_so_on_their_upload() -> None:
    on, _ = booked(2)
    assert touched_by_the_last(on) == 0
    publish_rules(on.world, "amend", zone("Elsewhere"))
    assert touched_by_the_last(on) == 0
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    assert touched_by_the_last(on) == 2
    on.minutes(1)
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    assert touched_by_the_last(on) is None
