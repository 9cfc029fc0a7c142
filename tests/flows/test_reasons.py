"""What waits says why, and what that rests on; what was done is cleared at the moment it was done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.evidence import Evidence
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.verdicts import Decision, Phase, Reason
from chalicelib.flows import check, enlist
from chalicelib.flows.look import ClearanceQuestion, clearance, evidence_of
from chalicelib.flows.place import place
from tests.stage import (
    CLOSED,
    NOON,
    OPEN_TO_THE_DOOR,
    Stage,
    body,
    crew,
    new_order,
    publish_rules,
    slot,
    stage,
    zone,
)

R = Reason
UNLISTED = "Nobody ruled on it"


def placed(on: Stage, compound: str = "Yongjia", **changes: Any) -> str:
    order, _ = place(on.world, "maison", "key-1", new_order(compound, **changes))
    on.settle()
    return order.order_id


def waiting(on: Stage, order_id: str) -> tuple[Reason, ...]:
    outlook = on.order(order_id).outlook
    assert outlook is not None
    return outlook.reasons


def pieces(on: Stage, order_id: str) -> list[Evidence]:
    return evidence_of(on.world, order_id)


def untested() -> Any:
    return crew(credentials=[])


def hours_at(start: float, end: float) -> dict[str, Any]:
    return {"start": NOON + timedelta(hours=start), "end": NOON + timedelta(hours=end)}


def test_the_place_comes_first_and_is_still_said_when_the_window_is_over() -> None:
    on = stage()
    enlist.put_crew(on.world, untested())
    order_id = placed(on, UNLISTED)
    assert waiting(on, order_id) == (R.ZONE_UNKNOWN, R.CREDENTIAL_MISSING)
    on.minutes(260)
    assert on.order(order_id).state is OrderState.STRANDED
    assert waiting(on, order_id)[:2] == (R.ZONE_UNKNOWN, R.CREDENTIAL_MISSING)
    assert R.NO_SLOTS not in {reason for piece in pieces(on, order_id) for reason in piece.reasons}


def test_evidence_that_nobody_goes_names_the_zones_and_policies_it_rests_on() -> None:
    on = stage()
    publish_rules(on.world, "amend", zone("Banned", "banned@1", "no_access"))
    unlisted, banned = (place(on.world, "maison", c, new_order(c))[0].order_id for c in (UNLISTED, "Banned"))
    on.settle()
    (piece,) = pieces(on, unlisted)
    assert (piece.decision, piece.reasons) == (Decision.HOLD, (R.ZONE_UNKNOWN,))
    assert (piece.zones, piece.policies) == (("zone-Kitchen",), ("precautionary@1",))
    (piece,) = pieces(on, banned)
    assert (piece.decision, piece.reasons) == (Decision.NO, (R.NO_HANDOVER,))
    assert (piece.zones, piece.policies) == (("zone-Banned", "zone-Kitchen"), ("banned@1", "precautionary@1"))
    assert piece.slot is None and [group.slots for group in piece.turned_down] == [("slot-1",)]


def test_what_kept_the_couriers_stays_when_it_is_too_late_for_all_of_them() -> None:
    on = stage()
    enlist.put_crew(on.world, untested())
    order_id = placed(on)
    assert waiting(on, order_id) == (R.CREDENTIAL_MISSING,)
    on.minutes(200)  # the hour there no longer fits in
    assert on.order(order_id).state is not OrderState.STRANDED
    assert waiting(on, order_id) == (R.CREDENTIAL_MISSING, R.WINDOW)
    on.minutes(60)
    assert on.order(order_id).state is OrderState.STRANDED
    assert waiting(on, order_id)[0] is R.CREDENTIAL_MISSING


def test_a_place_that_becomes_known_too_late_is_no_longer_called_unknown() -> None:
    on = stage()
    order_id = placed(on, UNLISTED)
    on.minutes(200)
    publish_rules(on.world, "amend", zone(UNLISTED, zone_id="late"))
    on.settle()
    assert waiting(on, order_id) == (R.WINDOW,)


def test_only_where_no_slot_shares_the_window_there_are_none() -> None:
    on = stage()
    enlist.put_slot(on.world, slot(window=hours_at(6, 9)))
    order_id = placed(on)
    assert waiting(on, order_id) == (R.NO_SLOTS,)
    other, _ = place(on.world, "maison", "key-2", new_order(UNLISTED))
    on.settle()
    assert waiting(on, other.order_id) == (R.ZONE_UNKNOWN, R.NO_SLOTS)
    enlist.put_slot(on.world, slot(window=hours_at(3.5, 9)))
    third, _ = place(on.world, "maison", "key-3", new_order())
    on.settle()
    assert waiting(on, third.order_id) == (R.WINDOW,)


def test_an_unchanged_verdict_writes_nothing_however_often_it_is_looked_at() -> None:
    on = stage(crews=3)
    order_id = placed(on, UNLISTED)
    on.minutes(150)
    assert len(pieces(on, order_id)) == 1


def test_a_dry_run_gives_the_same_reasons() -> None:
    on = stage()

    def reasons(compound: str, **window: Any) -> tuple[Decision, tuple[Reason, ...]]:
        asked = body(compound, **({"window": {**window, "time_zone": "UTC"}} if window else {}))
        names = ("market", "gift", "pick_up", "recipient", "window")
        answer = clearance(on.world, ClearanceQuestion.model_validate({name: asked[name] for name in names}))
        return answer.decision, answer.reasons

    assert reasons(UNLISTED) == (Decision.HOLD, (R.ZONE_UNKNOWN,))
    assert reasons(UNLISTED, **hours_at(10, 12)) == (Decision.HOLD, (R.ZONE_UNKNOWN, R.NO_SLOTS))
    assert reasons("Yongjia", **hours_at(10, 12)) == (Decision.NO, (R.NO_SLOTS,))
    assert reasons("Yongjia", **hours_at(4.75, 6)) == (Decision.NO, (R.WINDOW,))


# --- moments --------------------------------------------------------------------------------------------------


def under_curfew(at: str, start: str, end: str) -> tuple[Stage, Order]:
    """An order that was assigned, then a curfew that had been known all along."""
    on = stage(start=NOON - timedelta(hours=2))
    order_id = placed(on)
    curfew = {
        "policy_id": "curfew",
        "version": 1,
        "title": "Curfew",
        "curfews": [{"start_local": start, "end_local": end}],
    }
    there = zone(at, "curfew@1", zone_id=f"curfew-{at}", known_since=(NOON - timedelta(days=1)).isoformat())
    publish_rules(on.world, "amend", there, policies=[OPEN_TO_THE_DOOR, CLOSED, curfew])
    return on, on.order(order_id)


@pytest.mark.parametrize(("minute", "reasons"), [(-1, ()), (40, (R.CURFEW,)), (119, (R.CURFEW,)), (120, ())])
def test_a_hand_over_in_a_curfew_is_on_record_as_one(minute: int, reasons: tuple[Reason, ...]) -> None:
    on, order = under_curfew("Yongjia", "12:00", "14:00")
    at = NOON + timedelta(minutes=minute)
    verdict, _ = check.check_now(on.world, order, at, Phase.CARRIED, moment=True)
    assert verdict.reasons == reasons


def test_a_pick_up_before_the_stay_began_is_judged_when_it_was() -> None:
    on, order = under_curfew("Kitchen", "10:00", "11:30")
    assert order.leg.assignment is not None and order.leg.assignment.start == NOON
    for minute, reasons in ((-40, (R.CURFEW,)), (-30, ()), (10, ())):
        at = NOON + timedelta(minutes=minute)
        verdict, _ = check.check_now(on.world, order, at, Phase.GIVEN, moment=True)
        assert verdict.reasons == reasons, minute
