"""What the couriers' events come to, whatever the order they arrive in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import facts
from chalicelib.domain.fleet import Proof
from chalicelib.domain.legs import (
    ENDS,
    IN_CUSTODY,
    Booking,
    BookingState,
    Event,
    EventKind,
    Leg,
    Proven,
    Track,
    fold,
    order_of,
    reference_of,
    replace_leg,
)
from tests import builders as b

K = EventKind
ORDER_ID = "ord_" + "a2" * 13


def event(kind: EventKind, at: float = 0, **changes: Any) -> Event:
    """So many minutes after noon."""
    return Event.model_validate(
        {
            "reference": f"{ORDER_ID}-1-1",
            "courier_id": "sf",
            "kind": kind,
            "raw_status": str(kind),
            "occurred_at": b.NOON + b.minutes(at),
            "received_at": b.NOON + b.minutes(at + 1),
            "event_id": f"{kind}-{at}",
            **changes,
        }
    )


def booking(number: int = 1, state: BookingState = BookingState.BOOKED, *kinds: EventKind) -> Booking:
    return Booking(
        number=number,
        reference=reference_of(ORDER_ID, 1, number),
        courier_id="sf",
        slot_id="slot-1",
        crew_id="crew-1",
        state=state,
        attempted_at=b.NOON,
        track=fold(event(kind, n) for n, kind in enumerate(kinds)),
    )


EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from(EventKind),
        st.integers(0, 5),
        event_id=st.sampled_from("abcdef"),
        reason=st.sampled_from(["", "gone"]),
        raw_status=st.sampled_from(["1", "2"]),
        correction=st.booleans(),
    ),
    max_size=8,
)


@given(EVENTS, st.randoms(use_true_random=False))
def test_every_order_of_arrival_comes_to_the_same_track(events: list[Event], dice: Any) -> None:
    shuffled = [*events, *events[: len(events) // 2]]
    dice.shuffle(shuffled)
    assert fold(shuffled) == fold(events)


@given(EVENTS)
def test_doubles_change_nothing_and_everything_is_counted_once(events: list[Event]) -> None:
    track = fold(events * 3)
    assert track == fold(events)
    assert track.events == len({e.event_id for e in events})
    assert track.has_ended is (track.ended_at is not None)


@given(EVENTS)
def test_what_came_before_an_end_cannot_be_changed_by_what_follows_without_a_correction(
    events: list[Event],
) -> None:
    plain = [e.model_copy(update={"correction": False}) for e in events]
    ended = fold(plain)
    if ended.has_ended:
        late = event(K.PICKED_UP, 99, event_id="late"), event(K.FAILED, 100, event_id="later")
        after = fold([*plain, *late])
        assert (after.kind, after.at, after.ended_at) == (ended.kind, ended.at, ended.ended_at)


def test_nothing_comes_to_nothing() -> None:
    assert fold([]) == Track()


def test_skipped_states_are_legal() -> None:
    assert fold([event(K.DELIVERED, 9)]).kind is K.DELIVERED
    assert fold([event(K.ACCEPTED, 1), event(K.IN_TRANSIT, 5)]).picked_up_at == b.NOON + b.minutes(5)


def test_an_explicit_correction_reopens_an_end() -> None:
    events = [event(K.PICKED_UP, 1), event(K.DELIVERED, 5), event(K.IN_TRANSIT, 6, correction=True)]
    track = fold(events)
    assert track.kind is K.IN_TRANSIT and track.has_custody and track.ended_at is None
    assert fold([*events, event(K.DELIVERED, 9)]).ended_at == b.NOON + b.minutes(9)


def test_an_unreadable_code_is_kept_counted_and_moves_nothing() -> None:
    track = fold([event(K.PICKED_UP, 1), event(K.UNREADABLE, 2), event(K.UNREADABLE, 3)])
    assert (track.kind, track.unreadable, track.events) == (K.PICKED_UP, 2, 3)


def test_a_job_on_its_way_back_does_not_set_out_again() -> None:
    back = [event(K.PICKED_UP, 1), event(K.RETURNING, 2), event(K.IN_TRANSIT, 3)]
    assert fold(back).kind is K.RETURNING
    assert fold([*back, event(K.RETURNED, 9)]).kind is K.RETURNED
    assert fold([*back, event(K.DELIVERED, 9)]).kind is K.DELIVERED


def test_ends_and_custody_exclude_one_another() -> None:
    assert not ENDS & IN_CUSTODY


def test_the_live_booking_is_the_one_a_courier_may_hold() -> None:
    S = BookingState
    for state in S:
        live = Leg(bookings=(booking(1, state),)).live_booking
        assert (live is not None) is (state in (S.ATTEMPTED, S.UNKNOWN, S.BOOKED, S.CANCELLING))
    assert Leg(bookings=(booking(1, S.BOOKED, K.DELIVERED),)).live_booking is None
    both = Leg(bookings=(booking(1, S.REFUSED), booking(2)))
    assert both.live_booking is both.bookings[1] is both.deciding_booking


@pytest.mark.parametrize(
    ("kinds", "decides"),
    [
        ((K.DELIVERED,), True),
        ((K.RETURNED,), True),  # though its pick-up was never heard of
        ((K.PICKED_UP, K.FAILED), True),
        ((K.PICK_UP_FAILED,), False),
        ((K.ACCEPTED, K.CANCELLED), False),
        ((), False),
    ],
)
def test_an_ended_booking_decides_when_the_gift_has_moved(
    kinds: tuple[EventKind, ...], decides: bool
) -> None:
    leg = Leg(bookings=(booking(1, BookingState.CANCELLED if not kinds else BookingState.BOOKED, *kinds),))
    assert leg.live_booking is None
    assert (leg.deciding_booking is not None) is decides


@given(
    st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26),
    st.integers(1, 99),
    st.integers(1, 9999),
)
def test_a_reference_names_its_order_leg_and_attempt(name: str, leg_no: int, number: int) -> None:
    assert order_of(reference_of(f"ord_{name}", leg_no, number)) == (f"ord_{name}", leg_no, number)


@given(st.text() | st.from_regex(r"ord_[a-z2-7]{26}-\d{1,3}-\d{1,5}\s?"))
def test_a_foreign_reference_is_nobodys(text: str) -> None:
    named = order_of(text)
    assert named is None or reference_of(*named) == text


@pytest.mark.parametrize(
    "tail", ["-1-1\n", "-0-1", "-1-0", "-01-1", "-1-٣", "-1-10000", "-100-1", "-1-1 ", "-1", ""]
)
def test_near_misses_of_a_reference_are_foreign(tail: str) -> None:
    assert order_of(ORDER_ID + tail) is None


def test_a_booking_and_a_leg_replace_their_own_kind_only() -> None:
    leg = Leg(bookings=(booking(1, BookingState.LOST), booking(2)))
    refused = booking(2, BookingState.REFUSED)
    assert leg.with_booking(refused).bookings == (leg.bookings[0], refused)
    assert [x.number for x in leg.with_booking(booking(3)).bookings] == [1, 2, 3]
    legs = (Leg(leg_no=1), Leg(leg_no=2))
    assert replace_leg(legs, leg.model_copy(update={"leg_no": 2}))[0] is legs[0]


def test_what_a_courier_brought_back_is_kept_with_its_event_and_moves_nothing() -> None:
    bare = event(K.DELIVERED)
    photo = Proven(kind=Proof.PHOTO, reference="ph-1")
    proven = bare.model_copy(update={"proofs": (photo,)})
    kept = facts.event_row(ORDER_ID, proven)
    assert Event.model_validate_json(kept.body).proofs == (photo,)
    assert kept.key == facts.event_row(ORDER_ID, bare).key, "a double that says more is the same event"
    assert "proofs" not in facts.event_row(ORDER_ID, bare).body
    assert fold([proven]) == fold([bare])
