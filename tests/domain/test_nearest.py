"""What would have let somebody go: the least that any slot lacked, and hours where hours are what was missing."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.explanation import NearestChange
from chalicelib.domain.fleet import Slot
from chalicelib.domain.nearest import TOLD, nearest
from chalicelib.domain.verdicts import Decision, Reason, Verdict
from tests import builders as b

R = Reason


def no(slot: str, *reasons: Reason) -> Verdict:
    return Verdict(Decision.NO, slot, reasons)


def told(*answers: Verdict, fleet: dict[str, Slot] | None = None, **more: Any) -> tuple[NearestChange, ...]:
    slots = fleet or {one.slot_id: b.slot(one.slot_id) for one in answers}
    asked: dict[str, Any] = {"left": dict.fromkeys(slots, 1), "window": b.window(1, 4), "now": b.NOON, **more}
    return nearest(answers, slots, **asked)


def test_the_fewest_missing_things_are_told_and_how_many_slots_lacked_just_those() -> None:
    said = told(
        no("a", R.CREDENTIAL_MISSING),
        no("b", R.PERMIT_MISSING),
        no("c", R.PERMIT_MISSING),
        no("d", R.PERMIT_MISSING, R.TEMPERATURE),
    )
    assert said == (
        NearestChange(reasons=(R.PERMIT_MISSING,), slots=2, slot="b"),
        NearestChange(reasons=(R.CREDENTIAL_MISSING,), slots=1, slot="a"),
    )


def test_where_every_slot_lacks_several_things_all_of_the_nearest_are_told() -> None:
    said = told(no("a", R.TEMPERATURE, R.DWELL, R.CURFEW), no("b", R.PERMIT_TIME, R.CREDENTIAL_EXPIRES))
    assert [change.reasons for change in said] == [(R.CREDENTIAL_EXPIRES, R.PERMIT_TIME)]


def test_a_slot_that_would_have_gone_and_was_full_lacks_a_place() -> None:
    assert told(Verdict(Decision.YES, "a"))[0].reasons == (R.SLOT_FULL,)


def test_a_trip_that_does_not_fit_comes_last_and_says_which_hours_would_do() -> None:
    fleet = {
        "late": b.slot("late", window=b.window(3, 8), trip_minutes=90),
        "later": b.slot("later", window=b.window(3.5, 8), trip_minutes=90),
        "a": b.slot("a"),
    }
    said = told(no("late", R.WINDOW), no("later", R.WINDOW), no("a", R.DWELL), fleet=fleet)
    assert [change.reasons for change in said] == [(R.DWELL,), (R.WINDOW,)]
    assert (said[1].slots, said[1].slot) == (2, "late")
    assert (said[1].hours_from, said[1].hours_until) == (b.NOON + b.hours(4.5), b.NOON + b.hours(8))


def test_where_no_slot_shares_the_hours_the_nearest_in_time_is_told() -> None:
    fleet = {
        "morning": b.slot("morning", window=b.window(-6, 0.5), trip_minutes=60),
        "evening": b.slot("evening", window=b.window(5, 9), trip_minutes=60),
        "night": b.slot("night", window=b.window(8, 12), trip_minutes=60),
    }
    (said,) = told(fleet=fleet)
    assert (said.reasons, said.slots, said.slot) == ((R.NO_SLOTS,), 1, "evening")
    assert (said.hours_from, said.hours_until) == (b.NOON + b.hours(6), b.NOON + b.hours(9))
    (said,) = told(fleet=fleet, left={"morning": 3, "night": 1})
    assert said.slot == "night", "a full one would be of no use, nor one that is over"


def test_without_any_slot_there_is_nothing_to_tell() -> None:
    assert nearest((), {}, {}, b.window(), b.NOON) == ()


def test_no_more_changes_are_named_than_fit() -> None:
    reasons = (R.DWELL, R.TEMPERATURE, R.PERMIT_MISSING, R.PERMIT_TIME, R.CURFEW)
    assert len(told(*(no(f"s{n}", reason) for n, reason in enumerate(reasons)))) == TOLD
