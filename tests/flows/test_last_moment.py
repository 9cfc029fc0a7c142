"""A market that offers at the last safe moment: planned again and again, given away once, and not before it has to be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.order_views import view
from chalicelib.domain.orders import OrderState
from chalicelib.domain.places import Market
from chalicelib.domain.verdicts import Decision
from chalicelib.flows import dispatch, enlist, explain
from chalicelib.flows.cancel import cancel
from chalicelib.flows.look import evidence_of
from chalicelib.flows.place import place
from tests.stage import MARKET, NOON, Stage, new_order, publish_rules, slot, stage, zone

EVENING = {"start": NOON + timedelta(hours=8), "end": NOON + timedelta(hours=13)}


@pytest.fixture
def on() -> Stage:
    """One crew with one place, this evening."""
    on = stage(capacity=1)
    enlist.put_market(on.world, Market.model_validate({**MARKET, "offer": "last_moment"}))
    enlist.put_slot(on.world, slot(1, 1, window=EVENING))
    on.settle()
    return on


def placed(on: Stage, key: str, tier: str = "gold") -> str:
    window = {
        "start": EVENING["start"].isoformat(),
        "end": EVENING["end"].isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    order, _ = place(on.world, "maison", key, new_order(tier=tier, window=window))
    on.settle()
    return order.order_id


def test_until_then_no_place_is_taken_nothing_is_decided_and_nobody_is_told_of_it(on: Stage) -> None:
    order_id = placed(on, "key-1")
    order = on.order(order_id)
    assert order.state is OrderState.PLACED and order.leg.assignment is None
    assert order.outlook is not None and order.outlook.decision is Decision.YES
    assert order.outlook.next_look == NOON + timedelta(hours=6) == EVENING["start"] - dispatch.LEAD
    assert evidence_of(on.world, order_id) == []
    on.minutes(3)
    assert {notice["data"]["state"] for notice in on.brand.heard} <= {"placed"}


def test_at_that_moment_it_is_booked(on: Stage) -> None:
    order_id = placed(on, "key-1")
    on.clock.forward(minutes=5 * 60 + 58)
    on.minutes(1)
    assert on.order(order_id).state is OrderState.PLACED
    on.minutes(2)
    assert on.order(order_id).state is OrderState.BOOKED
    assert len(evidence_of(on.world, order_id)) >= 1


def test_whoever_comes_with_a_higher_rank_before_that_has_the_place_and_the_other_learns_why(
    on: Stage,
) -> None:
    gold = placed(on, "key-1", "gold")
    on.minutes(90)
    diamond = placed(on, "key-2", "diamond")
    assert on.order(diamond).state is OrderState.PLACED
    assert on.order(gold).state is OrderState.HELD, "it had a place in the plan, and is told that it has none"
    assert evidence_of(on.world, gold)[-1].explanation is not None
    on.clock.forward(minutes=4 * 60 + 28)
    on.minutes(4)
    assert on.order(diamond).state is OrderState.BOOKED
    assert on.order(gold).state is OrderState.HELD


def test_rules_that_change_before_that_hold_a_gift_that_nobody_has_to_be_called_back_from(on: Stage) -> None:
    order_id = placed(on, "key-1")
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    on.settle()
    order = on.order(order_id)
    assert order.state is OrderState.HELD and order.leg.bookings == ()


def test_the_report_of_a_round_does_not_tell_those_that_have_a_place_as_left_behind(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "UNLEASED", 0)
    placed(on, "key-1", "gold")
    told = explain.last(on.world, "SHA")
    assert (told.orders, told.served, told.left, told.later) == (1, 0, 0, 1)
    assert told.by_tier == {}


def test_what_begins_sooner_than_that_goes_at_once(on: Stage) -> None:
    enlist.put_slot(on.world, slot(1, 1))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    assert on.order(order.order_id).state is OrderState.BOOKED


def test_who_was_told_that_it_waits_for_a_place_is_not_told_that_it_was_placed_each_time_one_comes_free_in_the_plan(
    on: Stage,
) -> None:
    gold = placed(on, "key-1", "gold")
    steps, pieces = [], []
    for number in range(3):
        diamond = placed(on, f"key-diamond-{number}", "diamond")
        assert on.order(gold).state is OrderState.HELD
        cancel(on.world, "maison", diamond, on.order(diamond).version)
        on.minutes(21)
        order = on.order(gold)
        assert order.outlook is not None and order.outlook.decision is Decision.YES, (
            "it has a place in the plan"
        )
        steps.append(len(order.history))
        pieces.append(len(evidence_of(on.world, gold)))
    assert steps == [2, 2, 2] and pieces == [1, 1, 1], "placed, held; and why, once"
    assert view(on.order(gold)).reasons, "what it is told to wait for is what its evidence says"
    on.clock.forward(hours=5)
    on.minutes(4)
    assert on.order(gold).state is OrderState.BOOKED


def test_what_held_a_gift_for_another_reason_than_a_place_and_is_over_does_not_hold_it_any_more(
    on: Stage,
) -> None:
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    order_id = placed(on, "key-1")
    assert on.order(order_id).state is OrderState.HELD
    publish_rules(on.world, "amend", zone("Yongjia"))
    on.settle()
    assert on.order(order_id).state is OrderState.PLACED
