"""Gifts that travel together: one courier at one time for all of them, or nobody goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.explanation import By
from chalicelib.domain.orders import OrderState
from chalicelib.domain.places import Market
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import assign, dispatch, enlist, look
from chalicelib.flows.place import place
from tests.stage import (
    MARKET,
    NOON,
    Stage,
    new_order,
    place_at,
    publish_rules,
    slot,
    stage,
    zone,
)

BOOKED, HELD, PLACED = OrderState.BOOKED, OrderState.HELD, OrderState.PLACED


def put(on: Stage, name: str, gifts: int | None = 2, *, brand: str = "maison", **changes: Any) -> str:
    told = {} if gifts is None else {"together": {"group": "SET-7", "gifts": gifts}}
    return place(on.world, brand, name, new_order(**told, **changes))[0].order_id


def states(on: Stage, *names: str) -> list[OrderState]:
    return [on.order(name).state for name in names]


def slots(on: Stage, *names: str) -> set[str | None]:
    given = [on.order(name).leg.assignment for name in names]
    return {one.slot_id if one else None for one in given}


def reasons(on: Stage, name: str) -> tuple[Reason, ...]:
    outlook = on.order(name).outlook
    return outlook.reasons if outlook is not None else ()


def two_crews(first: int, second: int) -> Stage:
    on = stage(capacity=first, crews=2)
    enlist.put_slot(on.world, slot(2, second))
    on.settle()
    return on


def test_nobody_goes_before_all_are_placed_and_then_all_go_with_one_courier() -> None:
    on = two_crews(1, 5)
    one = put(on, "k-1")
    on.settle()
    assert states(on, one) == [HELD] and reasons(on, one) == (Reason.COMPANIONS_MISSING,)
    two = put(on, "k-2")
    on.settle()
    assert states(on, one, two) == [BOOKED, BOOKED]
    assert slots(on, one, two) == {"slot-2"}, "the cheaper vehicle has one place"


def test_a_gift_of_that_name_to_another_door_or_of_another_brand_is_no_companion() -> None:
    on = stage(capacity=5)
    flat = place_at("Yongjia")
    flat["address"]["unit"] = "1202"
    elsewhere = {"name": "Zhao", "phone": "+8613800138009", "place": flat}
    names = [put(on, "k-1"), put(on, "k-2", recipient=elsewhere), put(on, "k-3", brand="other")]
    on.settle()
    assert states(on, *names) == [HELD, HELD, HELD]


def test_where_nobody_can_take_all_of_them_nobody_takes_one_and_each_is_told_why() -> None:
    on = two_crews(1, 1)
    names = [put(on, "k-1"), put(on, "k-2")]
    on.settle()
    assert states(on, *names) == [HELD, HELD]
    assert (on.left("slot-1"), on.left("slot-2")) == (1, 1)
    for name in names:
        (piece,) = look.evidence_of(on.world, name)
        assert piece.explanation is not None and piece.explanation.out_ranked is not None
        assert piece.explanation.out_ranked.by is By.TOGETHER


def test_when_a_place_for_both_comes_they_go_without_being_asked_again() -> None:
    on = two_crews(1, 1)
    names = [put(on, "k-1"), put(on, "k-2")]
    on.settle()
    enlist.put_slot(on.world, slot(1, 2))
    on.settle()
    assert states(on, *names) == [BOOKED, BOOKED]


def test_they_do_not_have_the_places_of_two_of_a_higher_tier() -> None:
    on = stage(capacity=2)
    low = [put(on, "k-1", tier="silver"), put(on, "k-2", tier="silver")]
    high = [put(on, f"h-{n}", None, tier="gold") for n in range(2)]
    on.settle()
    assert states(on, *low, *high) == [HELD, HELD, BOOKED, BOOKED]


def test_where_one_loses_a_race_none_of_them_is_saved() -> None:
    on = stage(capacity=5)
    names = [put(on, "k-1"), put(on, "k-2")]
    alone = put(on, "k-3", None)
    table: Any = on.plain.table
    write, moved = table.write, []

    def meanwhile(*changes: Any) -> None:
        if len(changes) > 1 and not moved:
            row = table.rows[facts.order_key(names[0])]
            moved.append(replace(row, version=row.version + 1))
            table.rows[row.key] = moved[0]
        write(*changes)

    table.write = meanwhile
    market = enlist.market(on.world, "SHA")
    keys = [facts.order_key(name) for name in (*names, alone)]
    saved, lost = dispatch._round(on.world, market, keys, None, is_first=True)
    assert saved == 1 and set(lost) == {facts.order_key(name) for name in names}
    assert states(on, *names) == [PLACED, PLACED]
    on.minutes(1)
    assert states(on, *names, alone) == [BOOKED, BOOKED, BOOKED]


def test_a_party_is_saved_in_one_transaction_however_many_are_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assign, "LEGS", 3)
    monkeypatch.setattr(dispatch, "UNLEASED", 3)
    on = stage(capacity=30)
    names = [put(on, "k-1"), *(put(on, f"a-{n}", None) for n in range(7)), put(on, "k-2")]
    transactions: list[set[str]] = []
    plain: Any = on.world.table

    class Watched:
        def __getattr__(self, verb: str) -> Any:
            return getattr(plain, verb)

        def write(self, *changes: Any) -> None:
            transactions.append({c.row.key.pk for c in changes if hasattr(c, "row")} & set(names))
            plain.write(*changes)

    dispatch.named(replace(on.world, table=Watched()), "SHA")
    both = {names[0], names[-1]}
    assert any(both <= saved for saved in transactions)
    assert not any(len(both & saved) == 1 for saved in transactions)


def test_a_courier_that_refuses_one_of_them_parts_them_and_that_one_goes_alone() -> None:
    on = two_crews(2, 2)
    names = [put(on, "k-1"), put(on, "k-2")]
    refused: list[str] = []
    book = on.company.book

    def once(reference: str) -> dict[str, object]:
        if not refused:
            refused.append(reference)
            return {"said": "no", "why": "too_large"}
        return book(reference)

    on.company.book = once  # type: ignore[method-assign]
    on.settle()
    on.minutes(1)
    assert states(on, *names) == [BOOKED, BOOKED]
    assert slots(on, *names) == {"slot-1", "slot-2"}


def test_what_the_rules_call_back_goes_together_again() -> None:
    on = two_crews(5, 5)
    names = [put(on, "k-1"), put(on, "k-2")]
    on.settle()
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "sealed"))
    on.minutes(2)
    assert all(state is not BOOKED for state in states(on, *names))
    enlist.put_slot(on.world, slot(1, 1))
    publish_rules(on.world, "amend", zone("Yongjia"))
    on.minutes(2)
    assert states(on, *names) == [BOOKED, BOOKED]
    assert slots(on, *names) == {"slot-2"}


def test_at_the_last_moment_they_are_given_away_at_the_moment_of_the_first() -> None:
    on = stage(capacity=5)
    enlist.put_market(on.world, Market.model_validate({**MARKET, "offer": "last_moment"}))
    on.world.memory.clear()
    enlist.put_slot(
        on.world, slot(1, 5, window={"start": NOON + timedelta(hours=3), "end": NOON + timedelta(hours=12)})
    )
    on.settle()
    soon = {"start": NOON + timedelta(hours=4), "end": NOON + timedelta(hours=7)}
    late = {"start": NOON + timedelta(hours=6), "end": NOON + timedelta(hours=10)}
    names = [
        put(
            on,
            f"k-{n}",
            window={**{k: v.isoformat() for k, v in window.items()}, "time_zone": "Asia/Shanghai"},
        )
        for n, window in enumerate((soon, late))
    ]
    on.settle()
    assert states(on, *names) == [PLACED, PLACED]
    on.minutes(130)
    assert states(on, *names) == [BOOKED, BOOKED], "the first begins at three, two hours after"
