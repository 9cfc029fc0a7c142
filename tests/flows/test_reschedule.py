"""Another window: the place is given back once, the courier that has the job is asked first, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain import facts
from chalicelib.domain.errors import Clashing, Invalid, Stale
from chalicelib.domain.legs import BookingState
from chalicelib.domain.order_views import first_view, view
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.ports import Topic
from chalicelib.domain.shapes import Window
from chalicelib.flows import book, cancel, dispatch, hear, receive
from chalicelib.flows.place import place
from chalicelib.flows.reschedule import MOST, reschedule
from tests.paper import callback
from tests.stage import NOON, Stage, new_order, stage


def window(start: float = 2, end: float = 4.5) -> Window:
    return Window(
        start=NOON + timedelta(hours=start), end=NOON + timedelta(hours=end), time_zone="Asia/Shanghai"
    )


def placed(on: Stage) -> str:
    return place(on.world, "maison", "key-1", new_order())[0].order_id


def booked() -> tuple[Stage, str]:
    on = stage()
    order_id = placed(on)
    on.settle()
    assert on.order(order_id).state is OrderState.BOOKED
    return on, order_id


def moved_to(on: Stage, order_id: str, wish: Window | None = None) -> Order:
    return reschedule(on.world, "maison", order_id, wish or window(), on.order(order_id).version)


def left(on: Stage, slot: str = "slot-1") -> int:
    row = on.world.table.get(facts.slot_key("SHA", slot))
    assert row is not None
    return row.counters[facts.LEFT]


def states(order: Order) -> list[str]:
    return [step.state.value for step in order.history]


def says(on: Stage, reference: str, kind: str) -> None:
    on.company.move(reference, kind, on.clock.now)
    receive.receive(on.world, "SHA", "paper-co", callback(reference, kind, on.clock.now))
    on.settle()


def test_an_order_that_nobody_has_yet_gets_its_window_at_once_and_is_planned_in_it() -> None:
    on = stage()
    order_id = placed(on)
    after = moved_to(on, order_id)
    assert (after.state, after.window, after.calendar_sequence) == (OrderState.PLACED, window(), 1)
    assert after.wish is None
    on.settle()
    given = on.order(order_id).leg.assignment
    assert given is not None and given.hand_over_from == window().start
    assert left(on) == 2


def test_a_place_that_was_given_and_not_booked_comes_back_in_the_same_write() -> None:
    on = stage()
    order_id = placed(on)
    dispatch.dispatch(on.world, "SHA")
    assert on.order(order_id).state is OrderState.ASSIGNED and left(on) == 2
    after = moved_to(on, order_id)
    assert (after.state, after.leg.assignment, left(on)) == (OrderState.PLACED, None, 3)
    on.settle()
    assert on.order(order_id).state is OrderState.BOOKED and left(on) == 2


def test_a_courier_that_has_the_job_is_asked_first_and_keeps_its_hours_until_it_has_let_go() -> None:
    on, order_id = booked()
    after = moved_to(on, order_id)
    live = after.leg.live_booking
    assert live is not None and (live.state, live.cancel_reason) == (BookingState.CANCELLING, "rescheduled")
    assert (after.state, after.wish, after.window.start) == (
        OrderState.BOOKED, window(), NOON + timedelta(hours=1),
    )  # fmt: skip
    told = view(after).rescheduling
    assert told is not None and told.is_pending
    on.settle()
    done = on.order(order_id)
    assert (done.state, done.window, done.wish, left(on)) == (OrderState.BOOKED, window(), None, 2)
    assert states(done) == ["placed", "assigned", "booked", "placed", "assigned", "booked"]
    assert on.live_bookings(order_id) == 1
    assert [job.is_open for job in on.company.jobs.values()] == [False, True]


def test_the_same_request_again_is_the_same_wish_while_it_waits_and_after_it_was_granted() -> None:
    on, order_id = booked()
    version = on.order(order_id).version
    first = reschedule(on.world, "maison", order_id, window(), version)
    assert reschedule(on.world, "maison", order_id, window(), version) == first
    on.settle()
    again = reschedule(on.world, "maison", order_id, window(), version)
    assert again == on.order(order_id) and again.calendar_sequence == 1
    with pytest.raises(Stale):
        reschedule(on.world, "maison", order_id, window(2.5, 4), version)


def test_a_repeat_of_the_placing_still_reads_the_first_window() -> None:
    on, order_id = booked()
    first = first_view(on.order(order_id))
    moved_to(on, order_id)
    on.settle()
    moved_to(on, order_id, window(2.5, 4.5))
    on.settle()
    assert first_view(on.order(order_id)) == first
    assert on.order(order_id).calendar_sequence == 2


def test_a_courier_that_does_not_let_go_keeps_the_hours_and_the_wish_is_refused() -> None:
    on, order_id = booked()
    moved_to(on, order_id)
    says(on, f"{order_id}-1-1", "picked_up")
    on.minutes(5)
    order = on.order(order_id)
    assert (order.wish, order.window.start) == (None, NOON + timedelta(hours=1))
    told = view(order).rescheduling
    assert told is not None and (told.is_pending, bool(told.refused)) == (False, True)
    assert order.calendar_sequence == 2, "the entry in the calendar goes back to the hours that stay"


@pytest.mark.parametrize("ear", ["deaf", "silent"])
def test_an_attempt_in_doubt_is_not_made_again_for_the_old_hours(ear: str) -> None:
    """Whether the courier has the job (silent) or never heard of it (deaf)."""
    on = stage()
    order_id = placed(on)
    dispatch.dispatch(on.world, "SHA")
    getattr(on.company, ear).add("book")
    book.book(on.world, order_id)
    assert on.order(order_id).leg.bookings[-1].state is BookingState.UNKNOWN
    moved_to(on, order_id)
    getattr(on.company, ear).clear()
    on.minutes(6)
    done = on.order(order_id)
    assert (done.state, done.window, left(on)) == (OrderState.BOOKED, window(), 2)
    assert on.live_bookings(order_id) == 1


def test_who_cancels_while_the_wish_waits_gets_the_end_of_it() -> None:
    on, order_id = booked()
    moved_to(on, order_id)
    cancel.cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    done = on.order(order_id)
    assert (done.state, done.wish, left(on)) == (OrderState.CANCELLED, None, 3)
    assert done.calendar_sequence == 2


def test_what_was_stranded_or_came_back_goes_out_again_instead() -> None:
    on, order_id = booked()
    on.clock.forward(minutes=60)
    says(on, f"{order_id}-1-1", "picked_up")
    says(on, f"{order_id}-1-1", "returned")
    on.minutes(3)
    version = on.order(order_id).version
    after = reschedule(on.world, "maison", order_id, window(2, 4.5), version)
    assert (after.leg.leg_no, after.calendar_sequence) == (2, 1)
    on.settle()
    repeat = reschedule(on.world, "maison", order_id, window(2, 4.5), version)
    assert repeat.leg.leg_no == 2


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        (["picked_up"], "picked_up can have no other window"),
        (["picked_up", "delivered"], "delivered can have no other window"),
    ],
)
def test_what_is_under_way_or_over_keeps_its_window(kinds: list[str], why: str) -> None:
    on, order_id = booked()
    on.clock.forward(minutes=60)
    for kind in kinds:
        says(on, f"{order_id}-1-1", kind)
    with pytest.raises(Clashing, match=why):
        moved_to(on, order_id)


def test_gifts_that_travel_together_keep_their_window() -> None:
    on = stage()
    new = new_order(together={"group": "SET", "gifts": 2})
    order_id = place(on.world, "maison", "key-1", new)[0].order_id
    with pytest.raises(Clashing, match="travel together"):
        moved_to(on, order_id)


def test_a_window_that_is_over_is_refused_and_named() -> None:
    on, order_id = booked()
    on.clock.forward(hours=3)
    with pytest.raises(Invalid, match="/window/end"):
        moved_to(on, order_id, window(0, 1))


def test_a_window_is_not_changed_for_ever() -> None:
    on = stage()
    order_id = placed(on)
    for n in range(MOST):
        moved_to(on, order_id, window(1 + n / 100, 4.5))
    with pytest.raises(Clashing, match="which is all that is done"):
        moved_to(on, order_id)


def test_a_nudge_that_was_lost_costs_nothing() -> None:
    on, order_id = booked()
    moved_to(on, order_id)
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    on.minutes(3)
    assert (on.order(order_id).state, on.order(order_id).window) == (OrderState.BOOKED, window())
    on.world.queues.nudge(Topic.HEAR, [order_id])
    hear.hear(on.world, order_id)
