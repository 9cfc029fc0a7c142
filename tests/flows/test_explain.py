"""Whoever is left over, and whoever goes dearer, finds in its evidence why; of the round one row is kept."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.evidence import LIMIT, Evidence
from chalicelib.domain.explanation import By, Explanation, Instead
from chalicelib.domain.orders import OrderState, Tier
from chalicelib.domain.report import PlanReport, plan_key
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import check, dispatch, enlist, explain
from chalicelib.flows.look import evidence_of
from chalicelib.flows.place import place
from tests.stage import NOON, Stage, crew, new_order, permit, slot, stage


def placed(on: Stage, *tiers: str, **changes: Any) -> list[str]:
    """Orders of these tiers, all planned in one round."""
    found = []
    for number, tier in enumerate(tiers):
        brand = "maison" if number % 2 == 0 else "autre-maison"
        order, _ = place(on.world, brand, f"key-{tier}-{number}", new_order(tier=tier, **changes))
        found.append(order.order_id)
    on.settle()
    return found


def first_piece(on: Stage, order_id: str) -> Evidence:
    return evidence_of(on.world, order_id)[0]


def why(on: Stage, order_id: str) -> Explanation | None:
    return first_piece(on, order_id).explanation


def kept(on: Stage) -> PlanReport | None:
    row = on.plain.table.get(plan_key("SHA"))
    return None if row is None else PlanReport.model_validate_json(row.body)


# --- of one gift ------------------------------------------------------------------------------------------------


def test_who_is_left_over_finds_by_which_rank_and_what_one_more_place_would_have_done() -> None:
    on = stage(capacity=1)
    gold, silver, standard = placed(on, "gold", "silver", "standard")
    assert on.order(gold).state is OrderState.BOOKED and why(on, gold) is None
    told = why(on, silver)
    assert told is not None and told.out_ranked is not None
    assert (told.out_ranked.by, told.out_ranked.lowest) == (By.HIGHER_TIER, Tier.GOLD)
    assert told.out_ranked.slot == "slot-1" and told.out_ranked.would_serve
    told = why(on, standard)
    assert told is not None and told.out_ranked is not None
    assert not told.out_ranked.would_serve and told.out_ranked.next_tier is Tier.SILVER
    for name in (gold, silver, standard):
        assert len(first_piece(on, name).model_dump_json(exclude_defaults=True)) < LIMIT


def test_who_goes_dearer_finds_what_the_cheaper_place_is_worth() -> None:
    on = stage(capacity=1, crews=2)
    enlist.put_slot(on.world, slot(2, 1, price={"amount": 9000, "currency": "CNY"}))
    names = placed(on, "gold", "gold")
    told = [why(on, name) for name in names]
    (dearer,) = [one.dearer for one in told if one is not None]
    assert dearer is not None
    assert (dearer.why, dearer.slot, dearer.less, dearer.saves) == (Instead.WORTH_MORE, "slot-1", 6000, 6000)


def test_who_need_not_wait_for_a_cheaper_slot_is_told_so_and_a_lower_rank_waits_for_it() -> None:
    on = stage(crews=2)
    tonight = {"start": NOON + timedelta(hours=13), "end": NOON + timedelta(hours=18)}
    enlist.put_slot(on.world, slot(2, window=tonight, price={"amount": 1500, "currency": "CNY"}))
    window = {"start": NOON.isoformat(), "end": tonight["end"].isoformat(), "time_zone": "Asia/Shanghai"}
    gold, standard = placed(on, "gold", "standard", window=window)
    told = why(on, gold)
    assert told is not None and told.dearer is not None
    assert (told.dearer.why, told.dearer.slot, told.dearer.less) == (Instead.SOONER, "slot-2", 1500)
    went = on.order(standard).leg.assignment
    assert went is not None and went.slot_id == "slot-2" and why(on, standard) is None


def test_a_place_later_that_was_full_is_not_what_kept_a_gift_from_waiting_and_one_more_saves_nothing() -> (
    None
):
    on = stage(crews=2)
    tonight = {"start": NOON + timedelta(hours=13), "end": NOON + timedelta(hours=18)}
    enlist.put_slot(on.world, slot(2, 1, window=tonight, price={"amount": 1500, "currency": "CNY"}))
    window = {"start": NOON.isoformat(), "end": tonight["end"].isoformat(), "time_zone": "Asia/Shanghai"}
    placed(on, "standard", window=window)
    on.world.memory.clear()
    gold, diamond = placed(on, "gold", "diamond", window=window)
    for name in (gold, diamond):
        told = why(on, name)
        assert told is not None and told.dearer is not None
        assert (told.dearer.why, told.dearer.slot, told.dearer.less) == (Instead.SOONER, "slot-2", 1500)
    ground = check.ground(on.world, "SHA")
    waits = place(on.world, "maison", "key-late", new_order(tier="gold", window=window))[0]
    _, account = dispatch.decide(on.world, [waits], ground, on.clock())
    assert account is not None and account.rationing.one_more() == []


def test_where_nobody_may_go_the_nearest_change_is_told() -> None:
    on = stage(crews=2)
    enlist.put_crew(on.world, crew(1, credentials=[]))
    enlist.remove(on.world, "SHA", "permits", "permit-2")
    on.settle()
    (name,) = placed(on, "gold")
    told = why(on, name)
    assert told is not None
    assert {change.reasons: change.slot for change in told.nearest} == {
        (Reason.CREDENTIAL_MISSING,): "slot-1",
        (Reason.PERMIT_MISSING,): "slot-2",
    }


def test_places_that_went_in_an_earlier_round_are_told_as_such_and_who_is_next() -> None:
    on = stage(capacity=1)
    placed(on, "gold")
    first, second = placed(on, "diamond", "platinum")
    told = why(on, first)
    assert told is not None and told.out_ranked is not None and told.nearest == ()
    assert (told.out_ranked.by, told.out_ranked.slot) == (By.EARLIER, "slot-1")
    assert told.out_ranked.would_serve
    told = why(on, second)
    assert told is not None and told.out_ranked is not None
    assert (told.out_ranked.would_serve, told.out_ranked.next_tier) == (False, Tier.DIAMOND)
    report = kept(on)
    assert report is not None
    assert [(one.slot, one.tiers) for one in report.worths] == [("slot-1", {"diamond": 1})]


def test_an_explanation_that_changes_with_the_prices_writes_nothing_while_the_verdict_stays() -> None:
    """Another waits by then and would come first, so the explanation would be another one."""
    on = stage(capacity=1)
    enlist.put_slot(on.world, slot(1, 0))
    (low,) = placed(on, "standard")
    placed(on, "diamond", "diamond")
    before = len(evidence_of(on.world, low))
    for _ in range(4):
        on.clock.forward(minutes=11)
        dispatch.named(on.world, "SHA:all")
    assert len(evidence_of(on.world, low)) == before


# --- of the round -----------------------------------------------------------------------------------------------


def test_of_a_round_that_left_somebody_one_row_tells_who_was_served_and_what_was_scarce() -> None:
    on = stage(capacity=1)
    placed(on, "gold", "silver", "standard")
    told = kept(on)
    assert told is not None
    assert (told.orders, told.slots, told.pairs, told.served, told.left) == (3, 1, 3, 1, 2)
    assert (told.is_proven, told.gap, told.is_cut_short, told.nobody_may_go) == (True, "0", False, 0)
    tiers = {name: (one.served, one.left) for name, one in told.by_tier.items()}
    assert tiers == {"gold": (1, 0), "silver": (0, 1), "standard": (0, 1)}
    assert list(told.by_tier) == ["gold", "silver", "standard"]
    assert {name: (one.served, one.left) for name, one in told.by_brand.items()} == {
        "maison": (1, 1),
        "autre-maison": (0, 1),
    }
    assert {name: (one.served, one.left) for name, one in told.by_district.items()} == {"310101": (1, 2)}
    (worth,) = told.worths
    assert (worth.slot, worth.courier, worth.tiers) == ("slot-1", "paper-co", {"silver": 1})
    assert worth.saves == -(3000 + 3 * 50)
    row = on.plain.table.get(plan_key("SHA"))
    assert row is not None and row.expires_at is not None
    assert len(row.body) < 1000


def test_a_district_that_nobody_named_in_rules_or_passes_is_not_repeated() -> None:
    """Whatever a brand wrote there might be anything, and anybody's."""
    on = stage(capacity=0)
    wrong = new_order()
    place_there = wrong.recipient.place
    address = place_there.address.model_copy(update={"district": "Wang Secretive, third door"})
    recipient = wrong.recipient.model_copy(
        update={"place": place_there.model_copy(update={"address": address})}
    )
    place(on.world, "maison", "key-1", wrong.model_copy(update={"recipient": recipient}))
    on.settle()
    told = kept(on)
    assert told is not None and list(told.by_district) == ["(others)"]


def test_a_round_that_served_everybody_without_the_lease_writes_no_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = stage()
    placed(on, "gold", "silver")
    assert kept(on) is None, "a gift's write units are promised"
    monkeypatch.setattr(dispatch, "UNLEASED", 0)
    placed(on, "diamond")
    told = kept(on)
    assert told is not None and (told.served, told.left) == (1, 0)


def test_who_only_waits_on_writes_no_row_again() -> None:
    on = stage(capacity=0)
    placed(on, "gold")
    before = on.plain.table.get(plan_key("SHA"))
    assert before is not None
    for _ in range(3):
        on.clock.forward(minutes=31)
        dispatch.named(on.world, "SHA")
    assert on.plain.table.get(plan_key("SHA")) == before


def test_the_last_row_stands_whoever_writes_it_and_an_older_one_does_not_come_over_a_newer() -> None:
    on = stage(capacity=1)
    placed(on, "gold", "silver")
    on.world.memory.clear()  # another process
    on.clock.forward(minutes=1)
    placed(on, "diamond")
    told, row = kept(on), on.plain.table.get(plan_key("SHA"))
    assert told is not None and row is not None and (row.version, told.by_tier["diamond"].left) == (2, 1)
    on.world.memory.clear()
    on.clock.forward(minutes=-1)
    try:
        placed(on, "platinum")
    finally:
        on.clock.forward(minutes=1)
    assert kept(on) == told


def test_late_comers_do_not_hide_for_a_while_how_many_were_shared_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = stage(capacity=1)
    monkeypatch.setattr(dispatch, "UNLEASED", 2)
    placed(on, "gold", "silver", "standard")
    told = kept(on)
    assert told is not None and told.is_large
    on.clock.forward(minutes=5)
    placed(on, "diamond")
    assert kept(on) == told
    on.clock.forward(minutes=26)
    placed(on, "platinum")
    told = kept(on)
    assert told is not None and "platinum" in told.by_tier


def test_a_row_that_cannot_be_kept_costs_nobody_a_booking(monkeypatch: pytest.MonkeyPatch) -> None:
    on = stage(capacity=1)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(explain, "note", broken)
    for tier in ("gold", "silver"):
        place(on.world, "maison", f"key-{tier}", new_order(tier=tier))
    on.world.queues.take("dispatch")  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        dispatch.named(on.world, "SHA")
    topics = {topic for topic, _ in on.world.queues.take()}  # type: ignore[attr-defined]
    assert {"book", "tell"} <= {str(topic) for topic in topics}, "all that is owed was nudged before"


def test_with_long_names_everywhere_the_row_stays_small_and_so_does_the_evidence() -> None:
    on = stage(capacity=0, crews=0)
    enlist.put_crew(on.world, crew(1))
    enlist.put_permit(on.world, permit(1))
    for number in range(60):
        name = f"{number:02d}-" + "s" * 61
        enlist.put_slot(on.world, slot(1, 1, slot_id=name))
    names = placed(on, *["gold"] * 65)
    told = kept(on)
    assert told is not None and len(told.worths) == 50 and told.full_slots == 60
    row = on.plain.table.get(plan_key("SHA"))
    assert row is not None and len(row.body) < 12_000
    left = [piece for name in names for piece in evidence_of(on.world, name) if piece.explanation]
    assert left and all(len(piece.model_dump_json(exclude_defaults=True)) <= LIMIT for piece in left)
    assert (
        max(
            len(json.dumps(piece.explanation.model_dump(mode="json", exclude_defaults=True)))
            for piece in left
            if piece.explanation
        )
        < 400
    )
