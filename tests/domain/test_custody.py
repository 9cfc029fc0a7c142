"""The chain of custody names one holder at a time, or says where it does not."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.custody import Chain, FlawKind, Holder, chain
from chalicelib.domain.legs import Assignment, Booking, BookingState, EventKind, Leg, fold, reference_of
from chalicelib.domain.places import HandOverPoint
from chalicelib.domain.policies import Handover
from tests import builders as b
from tests.domain.test_legs import ORDER_ID, event

K = EventKind


DESK = HandOverPoint(name="Line desk", place=b.place(), hours=b.window())


def at(minutes: float) -> datetime:
    return b.NOON + b.minutes(minutes)


def booking(leg_no: int = 1, number: int = 1, *said: tuple[EventKind, float], asked: float = 0) -> Booking:
    """Asked for so many minutes after noon; `said`: what was told of it, and when."""
    return Booking(
        number=number,
        reference=reference_of(ORDER_ID, leg_no, number),
        courier_id=f"courier-{leg_no}",
        slot_id="slot-1",
        crew_id="crew-1",
        state=BookingState.BOOKED,
        attempted_at=at(asked),
        handover=Handover.DOOR,
        track=fold(event(kind, minutes) for kind, minutes in said),
    )


def leg(*bookings: Booking, leg_no: int = 1, handover: Handover = Handover.DOOR, **changes: Any) -> Leg:
    given = Assignment(
        slot_id="slot-1",
        courier_id="sf",
        crew_id="crew-1",
        start=b.NOON,
        hand_over_from=b.NOON,
        hand_over_by=at(180),
        end=at(240),
        valid_until=at(240),
        handovers=(handover,),
        rules_version=1,
        assigned_at=b.NOON,
    )
    return Leg(leg_no=leg_no, assignment=given, bookings=bookings, **changes)


def told(found: Chain) -> list[tuple[str, float, float | None]]:
    """Who, from which minute to which."""

    def minute(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - b.NOON).total_seconds() / 60

    return [(str(s.holder), minute(s.since) or 0.0, minute(s.until)) for s in found.stretches]


def flaws(found: Chain) -> list[str]:
    return [str(flaw.kind) for flaw in found.flaws]


# --- the plain ways ---------------------------------------------------------------------------------------------


def test_a_gift_of_which_nobody_has_said_a_word_is_in_the_shop() -> None:
    for legs in ((), (leg(),), (leg(booking(1, 1, (K.ACCEPTED, 5))),)):
        found = chain(b.NOON, legs)
        assert told(found) == [("shop", 0, None)] and found.is_with(Holder.SHOP)


def test_delivered_it_went_from_the_shop_by_courier_to_the_client() -> None:
    found = chain(b.NOON, [leg(booking(1, 1, (K.PICKED_UP, 10), (K.DELIVERED, 40)))])
    assert told(found) == [("shop", 0, 10), ("courier", 10, 40), ("client", 40, None)]
    assert found.flaws == () and found.is_with(Holder.CLIENT)
    assert found.stretches[1].reference == f"{ORDER_ID}-1-1" and found.stretches[1].courier == "courier-1"


def test_left_at_the_gate_it_is_there_until_the_client_has_said_so() -> None:
    legs = [leg(booking(1, 1, (K.PICKED_UP, 10), (K.DELIVERED, 40)), handover=Handover.GATE)]
    assert told(chain(b.NOON, legs))[-1] == ("gate", 40, None)
    found = chain(b.NOON, legs, received_at=at(55))
    assert told(found)[-2:] == [("gate", 40, 55), ("client", 55, None)]
    assert found.flaws == ()


def test_a_gift_that_came_back_and_went_out_again_has_one_chain() -> None:
    first = leg(booking(1, 1, (K.PICKED_UP, 10), (K.RETURNING, 20), (K.RETURNED, 30)))
    second = leg(booking(2, 1, (K.PICKED_UP, 70), (K.DELIVERED, 90), asked=60), leg_no=2)
    assert told(chain(b.NOON, [first]))[-1] == ("shop", 30, None)
    found = chain(b.NOON, [first, second])
    assert told(found) == [
        ("shop", 0, 10),
        ("courier", 10, 30),
        ("shop", 30, 70),
        ("courier", 70, 90),
        ("client", 90, None),
    ]
    assert found.flaws == () and [s.leg_no for s in found.stretches] == [None, 1, None, 2, None]


def test_a_courier_that_failed_has_it_until_it_is_seen_back() -> None:
    failed = leg(booking(1, 1, (K.PICKED_UP, 10), (K.FAILED, 40)))
    assert told(chain(b.NOON, [failed])) == [("shop", 0, 10), ("courier", 10, None)]
    back = failed.model_copy(update={"back_at": at(90)})
    assert told(chain(b.NOON, [back])) == [("shop", 0, 10), ("courier", 10, 90), ("shop", 90, None)]


# --- what is not known, and what cannot be ------------------------------------------------------------------------


def test_a_pick_up_that_was_never_heard_leaves_a_gap_from_the_asking_on() -> None:
    found = chain(b.NOON, [leg(booking(1, 1, (K.DELIVERED, 40), asked=5))])
    assert told(found) == [("shop", 0, 5), ("client", 40, None)]
    assert [(f.kind, f.since, f.until) for f in found.flaws] == [(FlawKind.GAP, at(5), at(40))]


def test_two_couriers_that_both_say_they_have_it_are_an_overlap_and_it_is_with_nobody_for_certain() -> None:
    first, second = booking(1, 1, (K.PICKED_UP, 10)), booking(1, 2, (K.PICKED_UP, 30), asked=20)
    found = chain(b.NOON, [leg(first, second)])
    assert [(f.kind, f.since, f.until, f.stretches) for f in found.flaws] == [
        (FlawKind.OVERLAP, at(30), None, (1, 2))
    ]
    assert not found.is_with(Holder.SHOP)


def test_fetched_from_the_shop_though_the_client_is_said_to_have_it_is_an_overlap() -> None:
    first = leg(booking(1, 1, (K.PICKED_UP, 10), (K.DELIVERED, 40)))
    second = leg(booking(2, 1, (K.PICKED_UP, 70), (K.RETURNED, 90), asked=60), leg_no=2)
    found = chain(b.NOON, [first, second])
    assert set(flaws(found)) == {"overlap"}
    assert not found.is_with(Holder.SHOP) and not found.is_with(Holder.CLIENT)


def test_clocks_that_differ_a_little_leave_the_gift_with_the_second_courier() -> None:
    first = leg(booking(1, 1, (K.PICKED_UP, 10), (K.RETURNED, 30)))
    second = leg(booking(2, 1, (K.PICKED_UP, 28), (K.DELIVERED, 60), asked=31), leg_no=2)
    found = chain(b.NOON, [first, second])
    assert [(f.kind, f.since, f.until) for f in found.flaws] == [(FlawKind.OVERLAP, at(28), at(30))]
    assert found.is_with(Holder.CLIENT)


def test_a_relay_is_at_the_point_between_its_two_couriers() -> None:
    first = leg(booking(1, 1, (K.PICKED_UP, 10), (K.DELIVERED, 40)), taken_to=DESK)
    assert told(chain(b.NOON, [first]))[-1] == ("point", 40, None)
    second = leg(booking(2, 1, (K.PICKED_UP, 70), (K.RETURNED, 90), asked=60), leg_no=2, fetched_at=DESK)
    third = leg(booking(3, 1, (K.PICKED_UP, 120), (K.DELIVERED, 150), asked=95), leg_no=3, fetched_at=DESK)
    found = chain(b.NOON, [first, second, third])
    assert told(found) == [
        ("shop", 0, 10),
        ("courier", 10, 40),
        ("point", 40, 70),
        ("courier", 70, 90),
        ("point", 90, 120),
        ("courier", 120, 150),
        ("client", 150, None),
    ]
    assert found.flaws == ()


# --- for any events -----------------------------------------------------------------------------------------------

SAID = st.lists(st.tuples(st.sampled_from(list(EventKind)), st.integers(0, 90)), max_size=6)


@st.composite
def histories(draw: st.DrawFn) -> list[Leg]:
    legs = []
    for leg_no in range(1, draw(st.integers(1, 3)) + 1):
        bookings = [
            booking(leg_no, number, *draw(SAID), asked=draw(st.integers(0, 60)))
            for number in range(1, draw(st.integers(0, 3)) + 1)
        ]
        back = draw(st.none() | st.integers(0, 120))
        ways = draw(st.sampled_from([Handover.DOOR, Handover.GATE]))
        ends = st.sampled_from([None, DESK])
        legs.append(
            leg(
                *bookings,
                leg_no=leg_no,
                handover=ways,
                back_at=None if back is None else at(back),
                fetched_at=draw(ends),
                taken_to=draw(ends),
            )
        )
    return legs


RECEIPTS = st.none() | st.integers(0, 120).map(at)


@given(histories(), RECEIPTS)
def test_there_are_never_two_holders_at_once_nor_none_without_the_chain_saying_so(
    legs: list[Leg], received_at: datetime | None
) -> None:
    found = chain(b.NOON, legs, received_at)
    far = at(10_000)
    times = {b.NOON, *(t for s in found.stretches for t in (s.since, s.until or far))}
    for since, until in pairwise(sorted(times)):
        middle = since + (until - since) / 2
        holding = [number for number, s in enumerate(found.stretches) if s.since <= middle < (s.until or far)]
        said = [f for f in found.flaws if f.since <= middle < (f.until or far)]
        overlaps = {f.stretches for f in said if f.kind is FlawKind.OVERLAP}
        pairs = {(one, two) for one in holding for two in holding if one < two}
        assert overlaps == pairs
        assert any(f.kind is FlawKind.GAP for f in said) is (not holding)


@given(histories(), RECEIPTS)
def test_somebody_has_it_now_and_the_shop_only_while_no_courier_says_that_it_does(
    legs: list[Leg], received_at: datetime | None
) -> None:
    found = chain(b.NOON, legs, received_at)
    assert any(s.until is None for s in found.stretches)
    carried = [bk for one in legs for bk in one.bookings if bk.track.has_custody]
    if carried:
        assert not found.is_with(Holder.SHOP)


@given(histories())
def test_every_courier_that_says_it_fetched_the_gift_stands_in_the_chain(legs: list[Leg]) -> None:
    found = chain(b.NOON, legs)
    fetched = {bk.reference for one in legs for bk in one.bookings if bk.track.picked_up_at is not None}
    assert {s.reference for s in found.stretches if s.reference is not None} == fetched
