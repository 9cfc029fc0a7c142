"""A round of planning: how much it takes, what it leaves to the next, and what a failing one nudges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain import nudges
from chalicelib.domain.orders import OrderState
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Count, Keep, Key, KeyPage, Row, Topic
from chalicelib.flows import assign, dispatch, enlist, lease
from chalicelib.flows.place import place
from tests.stage import (
    MARKET,
    NOON,
    OPEN_TO_THE_DOOR,
    Stage,
    new_order,
    publish_rules,
    slot,
    stage,
    zone,
)


class Broken:
    """A solver with a bug."""

    def assign(self, problem: Any, weights: Any) -> Any:
        raise ZeroDivisionError


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Every round takes the lease."""
    monkeypatch.setattr(dispatch, "UNLEASED", 0)
    return stage()


def nudged(on: Stage) -> list[str]:
    return [name for _, name in on.world.queues.take(Topic.DISPATCH)]  # type: ignore[attr-defined]


def test_a_round_that_fails_is_given_back_and_nudges_nobody_else(on: Stage) -> None:
    place(on.world, "maison", "key-1", new_order())
    nudged(on)
    with pytest.raises(ZeroDivisionError):
        dispatch.named(replace(on.world, solver=Broken()), "SHA:all")
    assert nudged(on) == [], "or a bug would keep the planner busy for ever"
    assert lease.take(on.world, "SHA") is not None, "and it holds no lease"


def test_what_others_asked_for_meanwhile_is_nudged_though_the_round_fails(on: Stage) -> None:
    place(on.world, "maison", "key-1", new_order())
    nudged(on)

    class Asked(Broken):
        def assign(self, problem: Any, weights: Any) -> Any:
            assert lease.take(on.world, "SHA", True) is None
            super().assign(problem, weights)

    with pytest.raises(ZeroDivisionError):
        dispatch.named(replace(on.world, solver=Asked()), "SHA")
    assert nudged(on) == ["SHA:all"]


def test_the_lease_is_held_while_a_city_is_thought_about_however_long_that_takes(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AT_A_TIME", 5)
    for number in range(40):
        place(on.world, "maison", f"key-{number}", new_order())
    nudged(on)
    seen: list[str | None] = []

    class Slow:
        """Each order takes four seconds, 160 in all; another planner looks in all the while."""

        def unseal(self, *asked: Any) -> bytes:
            on.clock.forward(seconds=4)
            seen.append(lease.take(replace(on.world, memory={}), "SHA"))
            return on.world.sealer.unseal(*asked)

        def __getattr__(self, verb: str) -> Any:
            return getattr(on.world.sealer, verb)

    dispatch.named(replace(on.world, sealer=Slow()), "SHA")
    assert len(seen) >= 40 and set(seen) == {None}
    last = [line for line in on.world.log.lines if line["event"] == "planned"][-1]  # type: ignore[attr-defined]
    assert last["assigned"] > 0, "what was decided is saved"


def test_a_round_takes_no_more_of_many_shards_than_of_one_and_none_is_left_out(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "POOL", 8)
    enlist.put_market(on.world, Market.model_validate({**MARKET, "shards": 4}))
    on.world.memory.clear()
    orders = [place(on.world, "maison", f"key-{n}", new_order("Garden"))[0] for n in range(30)]
    nudged(on)
    names = ["SHA:all"]
    for _ in range(30):  # who is decided stands later in the index then, and is met once more there
        dispatch.named(on.world, *names)
        names = [name for name in nudged(on) if name.startswith("SHA:all")]
        if not names:
            break
    assert not names, "it comes to an end"
    planned = [line["orders"] for line in on.world.log.lines if line["event"] == "planned"]  # type: ignore[attr-defined]
    assert max(planned) <= 8 and sum(planned) <= 2 * len(orders)
    assert all(on.order(order.order_id).outlook is not None for order in orders)


def test_the_place_of_a_round_in_every_shard_there_can_be_fits_into_a_nudge(on: Stage) -> None:
    market = Market.model_validate({**MARKET, "market_id": "M" * 64, "shards": 64})

    class Endless:
        def find_due(self, *_: Any) -> KeyPage:
            return KeyPage((), f"2022-04-11T04:00:00.000000Z|ord_{'a' * 26}|order")

    world = replace(on.world, table=Endless())  # type: ignore[arg-type]
    _, following = dispatch._pool(world, market, True, "")
    assert following is not None
    name = dispatch.name_of(market.market_id, True, following)
    assert nudges.read(nudges.write(name)) == name


def test_lots_are_drawn_once_a_day_by_the_calendar_of_the_market() -> None:
    morning = datetime(2022, 4, 12, 0, 1, tzinfo=UTC)  # one minute past eight in Shanghai
    drawn = [
        dispatch.lots_of("SHA", morning + timedelta(hours=hours), "Asia/Shanghai")
        for hours in (-1, 0, 15, 16)
    ]
    assert drawn == ["SHA 2022-04-12", "SHA 2022-04-12", "SHA 2022-04-12", "SHA 2022-04-13"]


def test_a_large_round_writes_the_counter_of_each_slot_once_or_twice_and_not_for_each_gift() -> None:
    """All slots of a market are one key of the table, and a key bears 1,000 write units a second."""
    on = stage(capacity=30, crews=4)
    for number in range(120):
        place(on.world, "maison", f"key-{number}", new_order())
    plain: Any = on.world.table
    taken: list[str] = []

    class Watched:
        def __getattr__(self, verb: str) -> Any:
            return getattr(plain, verb)

        def write(self, *changes: Any) -> None:
            taken.extend(change.key.sk for change in changes if isinstance(change, Count))
            plain.write(*changes)

    dispatch.named(replace(on.world, table=Watched()), "SHA")
    assert {name: on.left(name.removeprefix("slot#")) for name in taken} == {
        f"slot#slot-{n}": 0 for n in range(1, 5)
    }
    assert len(taken) <= 4 + 120 // assign.LEGS, (
        "at most once a transaction, and once more where one slot ends"
    )


def test_a_gift_of_the_day_after_tomorrow_is_planned_when_its_hours_are_two_days_away() -> None:
    on = stage()
    free = {**OPEN_TO_THE_DOOR, "policy_id": "free", "requirements": [], "permit_needed": False}
    places = (zone(name, "free@1", "precautionary") for name in ("Yongjia", "Kitchen"))
    publish_rules(on.world, "amend", *places, policies=[free])
    far = slot(1, 3)
    window = far.window.model_copy(
        update={"start": NOON + timedelta(hours=49), "end": NOON + timedelta(hours=54)}
    )
    enlist.put_slot(on.world, far.model_copy(update={"slot_id": "slot-far", "window": window}))
    on.settle()
    hours = {
        "start": (NOON + timedelta(hours=50)).isoformat(),
        "end": (NOON + timedelta(hours=53)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    order, _ = place(on.world, "maison", "key-1", new_order(window=hours))
    on.settle()
    early = on.order(order.order_id)
    assert (early.state, early.evidence_count) == (OrderState.PLACED, 0), "nothing has been decided"
    assert early.outlook is not None
    assert early.outlook.next_look == NOON + timedelta(hours=2)
    on.minutes(10)
    on.world.queues.nudge(Topic.DISPATCH, ["SHA:all"])
    on.settle()
    assert on.order(order.order_id).version == early.version, "nobody writes it before its time"
    on.clock.now = NOON + timedelta(hours=2)
    on.minutes(2)
    looked = on.order(order.order_id)
    assert (looked.state, looked.evidence_count) == (OrderState.HELD, 1), "these rules do not last until then"
    on.clock.now = NOON + timedelta(hours=30)
    places = (zone(name, "free@1", "precautionary") for name in ("Yongjia", "Kitchen"))
    publish_rules(on.world, "amend", *places)
    on.minutes(2)
    late = on.order(order.order_id)
    assert (late.state, late.leg.bookings[0].slot_id) == (OrderState.BOOKED, "slot-far")


def test_that_a_gift_of_next_week_is_placed_is_told_whoever_is_stopped_after_looking_at_it() -> None:
    """Nobody looks at it again for days: a nudge that was not sent by then would be missed for as long."""
    on = stage()
    hours = {
        "start": (NOON + timedelta(days=7)).isoformat(),
        "end": (NOON + timedelta(days=7, hours=3)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    order, _ = place(on.world, "maison", "key-1", new_order(window=hours))
    table: Any = on.world.table
    write = table.write

    class Stopped(BaseException):
        pass

    def and_no_further(*changes: Any) -> None:
        write(*changes)
        raise Stopped

    table.write = and_no_further
    with pytest.raises(Stopped):
        dispatch.dispatch(on.world, "SHA")
    table.write = write
    assert on.order(order.order_id).outlook is not None, "it was saved"
    on.settle()
    on.minutes(3)
    assert [heard["data"]["state"] for heard in on.brand.heard] == ["placed"]


def test_what_only_a_newer_version_knows_of_the_fleet_stops_no_round() -> None:
    on = stage()
    on.world.table.write(Keep(Row(Key("fleet#SHA", "novelty#one"), 1, "{}"), was=None))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    assert on.order(order.order_id).state is OrderState.BOOKED
