"""A market that shares gifts out among couriers: each delivery of one counts more than the one before."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.explanation import Instead
from chalicelib.domain.fleet import Courier
from chalicelib.domain.places import Market
from chalicelib.flows import enlist, look
from chalicelib.flows.place import place
from tests.stage import (
    MARKET,
    OPEN_TO_THE_DOOR,
    Stage,
    crew,
    new_order,
    permit,
    publish_rules,
    slot,
    stage,
    zone,
)

STEP = 300


def two_couriers(fair_load: int, capacity: int = 10) -> Stage:
    """The second is 500 dearer."""
    on = stage(capacity=capacity)
    enlist.put_market(on.world, Market.model_validate({**MARKET, "fair_load": fair_load}))
    on.world.memory.clear()
    enlist.put_courier(
        on.world, Courier(courier_id="other-co", market_id="SHA", dialect="paper", account="main")
    )
    enlist.put_crew(on.world, crew(2, courier_id="other-co"))
    enlist.put_permit(on.world, permit(2))
    dear = {"amount": 3500, "currency": "CNY"}
    enlist.put_slot(on.world, slot(2, capacity, courier_id="other-co", price=dear))
    on.settle()
    return on


def given(on: Stage, names: list[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name in names:
        assignment = on.order(name).leg.assignment
        found[assignment.courier_id if assignment else "nobody"] += 1
    return found


def put(on: Stage, count: int, first: int = 0) -> list[str]:
    return [place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(first, first + count)]


def test_without_it_the_cheapest_takes_all() -> None:
    on = two_couriers(0)
    names = put(on, 6)
    on.settle()
    assert given(on, names) == {"paper-co": 6}


def test_with_it_the_dearer_one_has_its_share_in_one_round() -> None:
    """0, 300, 600, 900 against 500, 800: of six the cheaper one has four."""
    on = two_couriers(STEP)
    names = put(on, 6)
    on.settle()
    assert given(on, names) == {"paper-co": 4, "other-co": 2}


def test_and_so_it_has_where_gifts_come_one_by_one() -> None:
    on = two_couriers(STEP)
    names: list[str] = []
    for n in range(6):
        names += put(on, 1, n)
        on.settle()
    assert given(on, names) == {"paper-co": 4, "other-co": 2}


def test_nobody_is_left_behind_for_it() -> None:
    on = two_couriers(100_000, capacity=3)
    names = put(on, 6)
    on.settle()
    assert given(on, names) == {"paper-co": 3, "other-co": 3}


def test_who_goes_dearer_for_it_is_told_so() -> None:
    on = two_couriers(STEP)
    names = put(on, 2)
    on.settle()
    names += put(on, 1, 2)
    on.settle()
    told = [
        piece.explanation.dearer.why
        for name in names
        for piece in look.evidence_of(on.world, name)
        if piece.explanation is not None and piece.explanation.dearer is not None
    ]
    assert told == [Instead.FAIR_LOAD]


def test_a_quota_of_one_courier_lies_inside_of_its_load() -> None:
    on = two_couriers(STEP)
    quotas: list[dict[str, Any]] = [{"per": "courier", "limit": 3}]
    rule = {**OPEN_TO_THE_DOOR, "version": 2, "quotas": quotas}
    publish_rules(on.world, "amend", zone("Yongjia", "precautionary@2"), policies=[rule])
    names = put(on, 6)
    on.settle()
    assert given(on, names) == {"paper-co": 3, "other-co": 3}


@pytest.mark.parametrize("wrong", [-1, 100_001, 1.5, "1"])
def test_it_is_a_whole_number_of_minor_units(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="fair_load"):
        Market.model_validate({**MARKET, "fair_load": wrong})
