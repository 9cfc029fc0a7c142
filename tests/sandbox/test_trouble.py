"""The scenario *trouble*: four fleets of four dialects misbehave, and a report that can fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.legs import Booking, BookingState, EventKind, Refusal, Track
from chalicelib.domain.orders import Moved, NewOrder, OrderState
from chalicelib.flows.place import place
from sandbox import fleets, profiles, trouble
from sandbox.clock import VirtualClock
from sandbox.fleets import FLEETS, GIFTS, Fleets
from sandbox.shanghai import local
from tests.stage import new_order, stage


@pytest.fixture
def day() -> Fleets:
    return Fleets()


def test_the_gifts_are_orders_that_a_brand_could_hand_in(day: Fleets) -> None:
    assert len({order.reference for order in day.orders}) == len(day.orders) == GIFTS
    for order in day.orders:
        NewOrder.model_validate_json(json.dumps(order.body))


def test_one_is_down_one_slow_one_refuses_and_one_lies_and_no_two_speak_the_same_dialect() -> None:
    assert {fleet.conduct for fleet in FLEETS} == {"down", "slow", "refusing", "lying"}
    assert {fleet.conduct for fleet in FLEETS} <= set(profiles.FLEETS)
    assert len({fleet.dialect for fleet in FLEETS}) == len(FLEETS)


def test_whoever_is_only_slow_could_carry_every_gift_alone(day: Fleets) -> None:
    slow = next(fleet for fleet in FLEETS if fleet.conduct == "slow")
    assert sum(slot.capacity for slot in day.slots if slot.courier_id == slow.courier_id) >= GIFTS


def test_whoever_is_asked_in_vain_while_one_is_down_has_time_left_when_it_is_back() -> None:
    """A gift that may be with a courier goes to nobody else: its window is longer than the courier can be away."""
    for seed in range(100):
        unavailable, gone = profiles.conduct("down", seed, fleets.BEGINS, fleets.ENDS).down
        assert gone.end - unavailable.start < fleets.PATIENCE - timedelta(hours=2)


def test_the_same_day_twice_is_the_same_day(day: Fleets) -> None:
    again = Fleets()
    assert (again.orders, again.happenings, again.slots) == (day.orders, day.happenings, day.slots)
    assert again.truth() == day.truth()


# --- the report -----------------------------------------------------------------------------------------------


def booking(number: int, courier_id: str, **changes: Any) -> Booking:
    told: dict[str, Any] = {
        "number": number,
        "reference": f"ord_x-1-{number}",
        "courier_id": courier_id,
        "slot_id": f"slot-{number}",
        "crew_id": "crew-1",
        "state": BookingState.BOOKED,
        "attempted_at": local(9, number),
        **changes,
    }
    return Booking(**told)


def told(
    *bookings: Booking, refusals: tuple[Refusal, ...] = (), state: OrderState = OrderState.DELIVERED
) -> trouble.Told:
    """A gift that ended so, with the evidence that belongs to it."""
    order, _ = place(stage().world, "maison", "key-1", new_order())
    leg = order.leg.model_copy(update={"bookings": bookings, "refusals": refusals})
    history = (*order.history, Moved(state=state, at=local(11)))
    order = order.model_copy(update={"legs": (leg,), "history": history})
    pieces = [
        {"step": "hand_over", "decision": "yes", "decided_at": "2022-04-11T03:00:00Z", "reasons": []},
        {"step": "book", "decision": "no", "decided_at": "2022-04-11T02:00:00Z", "reasons": ["courier_down"]},
        {
            "step": "dispatch", "decision": "yes", "decided_at": "2022-04-11T02:00:00Z", "reasons": [],
            "turned_down": [{"reason": "courier_refused", "slots": ["slot-1"]}],
        },
    ]  # fmt: skip
    return trouble.Told("MC-02", order, tuple(pieces))


DELIVERED = Track(kind=EventKind.DELIVERED, at=local(11), ended_at=local(11))
REFUSED = Refusal(slot_id="slot-1", courier_id="locals", reason="no_rider", at=local(9, 1))


@pytest.fixture
def played(day: Fleets) -> Iterator[trouble.Trouble]:
    """The companies of the day before anything happened."""
    played = trouble.Trouble(day, VirtualClock(day.begins), lambda line: None)
    yield played
    played.close()


def wrong(played: trouble.Trouble, one: trouble.Told) -> list[str]:
    return [fault.split(":")[0] for fault in played._against(one)]


def test_a_gift_that_did_not_arrive_is_wrong(played: trouble.Trouble) -> None:
    assert wrong(played, told(state=OrderState.STRANDED)) == ["not_delivered"]


def test_a_boast_that_was_believed_is_wrong(played: trouble.Trouble) -> None:
    assert wrong(played, told(booking(1, "dada", track=DELIVERED))) == ["boast_believed"]


def test_what_a_courier_did_without_evidence_of_it_is_wrong(played: trouble.Trouble) -> None:
    unsent = booking(2, "sftc", state=BookingState.LOST, unsent=True)
    whole = told(booking(1, "locals", state=BookingState.REFUSED), unsent, refusals=(REFUSED,))
    assert wrong(played, whole) == []
    for gone in ("hand_over", "book", "dispatch"):
        pieces = tuple(piece for piece in whole.pieces if piece["step"] != gone)
        assert wrong(played, replace(whole, pieces=pieces)) == ["no_evidence"], gone


def test_a_gift_that_waits_for_a_courier_that_was_asked_nothing_is_wrong(played: trouble.Trouble) -> None:
    _, gone = played.companies["sftc"].conduct.down
    for at, faults in ((gone.start, ["in_doubt"]), (gone.end, [])):
        waits = booking(1, "sftc", state=BookingState.LOST, attempted_at=at)
        assert wrong(played, told(waits)) == faults
        assert wrong(played, told(waits.model_copy(update={"courier_id": "dada"}))) == []


def test_asking_a_courier_that_is_gone_as_if_it_were_there_is_wrong(played: trouble.Trouble) -> None:
    _, gone = played.companies["sftc"].conduct.down
    line = {"event": "courier_asked", "answer": "Unanswered", "courier": "sftc", "at": gone.start.isoformat()}
    assert list(played._pestered([line] * 20)) == []
    assert [fault.split(":")[0] for fault in played._pestered([line] * 40)] == ["pestered"]
    later = {**line, "at": gone.end.isoformat()}
    assert list(played._pestered([later] * 40)) == []


def test_a_gift_that_went_straight_is_not_told_of_and_another_is_in_one_line() -> None:
    outcome: Any = None
    straight = told(booking(1, "dada", track=DELIVERED))
    odd = told(
        booking(1, "locals", state=BookingState.REFUSED),
        booking(2, "sftc", state=BookingState.LOST, unsent=True),
        booking(3, "dada", state=BookingState.CANCELLED),
        booking(4, "boutique", track=DELIVERED),
        refusals=(REFUSED,),
    )
    account = trouble.Account(outcome, (), (straight, odd), (), (), ())
    assert list(trouble.lines(account)) == [
        "MC-02  09:01 locals refused (no rider); 09:02 sftc took no connection; 09:03 dada let go of it; "
        "09:04 boutique; 11:00 delivered"
    ]


def test_boasts_and_times_of_peace_are_told() -> None:
    outcome: Any = None
    account = trouble.Account(
        outcome,
        (),
        (),
        (
            trouble.Boast("MC-02", "dada", local(9), local(10)),
            trouble.Boast("MC-04", "dada", local(9), None),
            trouble.Boast("MC-06", "dada", local(9), local(9)),
        ),
        (
            ("sftc", "breaker_opened", local(9)),
            ("sftc", "breaker_opened", local(10)),
            ("sftc", "breaker_closed", local(11)),
        ),
        (),
    )
    assert list(trouble.boasts(account)) == [
        "MC-02  dada said so at 09:00  and did so at 10:00",
        "MC-04  dada said so at 09:00  and did not",
    ]
    assert list(trouble.breaks(account)) == [
        "sftc was left in peace 2 times, first at 09:00; asked again as ever from 11:00 on"
    ]


@pytest.mark.long
def test_every_gift_arrives_once_and_the_evidence_says_how(own_environment: None, tmp_path: Path) -> None:
    account = trouble.play(Fleets(), lambda line: None, tmp_path / "log")
    assert account.wrong == ()
    assert Counter(one.order.state for one in account.told) == {OrderState.DELIVERED: GIFTS}
    rows = {row.fleet.conduct: row for row in account.rows}
    assert all(row.delivered >= 3 for row in account.rows), "each had its part of the day"
    assert rows["lying"].forgot >= 3 and rows["lying"].boasted >= 3
    assert rows["refusing"].refused >= 10
    assert rows["down"].unanswered >= 3 and rows["down"].unsure >= 1 and rows["down"].spared >= 1
    assert rows["slow"].unanswered >= 1
    assert {what for _, what, _ in account.breaks} == {"breaker_opened", "breaker_closed"}
    assert len(list(trouble.boasts(account))) >= 3
    text = trouble.table(account.rows)
    assert all(fleet.courier_id in text for fleet in FLEETS)


@pytest.mark.long
def test_five_dialects_with_other_vices_leave_nothing_lost_or_twice_either(
    own_environment: None, tmp_path: Path
) -> None:
    vices = {
        "wechat": "lapsed",
        "partner": "forged",
        "dada": "out_of_order",
        "onfleet": "silent",
        "uber_direct": "doubling",
    }
    mixed = tuple(
        fleets.Fleet(dialect.replace("_", "-"), dialect, vice, 2_000 + 100 * number, 2 + 4 * (number == 4))
        for number, (dialect, vice) in enumerate(vices.items())
    )
    account = trouble.play(Fleets(fleets=mixed), lambda line: None, tmp_path / "log")
    assert account.outcome.is_clean
    carried = {row.fleet.dialect: row.taken for row in account.rows}
    delivered = {row.fleet.dialect: row.delivered for row in account.rows}
    brought_back = carried["wechat"] - delivered["wechat"]
    assert min(carried.values()) > 0, "each had its part of the day"
    assert delivered == {**carried, "wechat": delivered["wechat"]}
    ends = Counter(one.order.state for one in account.told)
    assert ends == Counter({OrderState.DELIVERED: GIFTS - brought_back, OrderState.RETURNED: brought_back})
    assert all(fault.startswith("not_delivered") for fault in account.wrong)
