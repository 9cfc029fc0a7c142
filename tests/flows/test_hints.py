"""What is not proven moves nothing until the courier itself confirms it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain import facts
from chalicelib.domain.dialect import Dialect
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Topic
from chalicelib.flows import receive, suspect
from chalicelib.flows.cancel import cancel
from chalicelib.flows.place import place
from tests.paper import HintingPaperDialect, SecretPaperDialect, callback
from tests.stage import Stage, new_order, stage


def on_stage(dialect: Dialect) -> tuple[Stage, str, str]:
    """A booked order, its id and the booking's reference."""
    on = stage(crews=2)
    on.world.dialects = {"paper": dialect}
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (reference,) = on.company.jobs
    return on, order.order_id, reference


def hint(on: Stage, reference: str, kind: str, *, is_true: bool = False) -> None:
    """A callback; `is_true`: of what has really happened."""
    now = on.clock()
    said = on.company.move(reference, kind, now) if is_true else callback(reference, kind, now)
    receive.receive(on.world, "SHA", "paper-co", said)


def looks(on: Stage) -> int:
    return sum(verb == "look" for verb, _ in on.company.calls)


def test_a_hint_that_the_courier_does_not_confirm_moves_nothing_and_costs_two_look_ups() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    before = looks(on)
    for kind in ("picked_up", "delivered"):
        hint(on, reference, kind)
    on.settle()
    order = on.order(name)
    assert order.state is OrderState.BOOKED
    assert order.leg.bookings[0].track.kind is None
    assert looks(on) == before + 1
    on.minutes(6)
    assert looks(on) == before + 2, "once more, for what it shows may lag behind; and not again"
    assert not on.order(name).leg.bookings[0].is_hinted


def test_what_a_courier_shows_a_moment_later_than_it_says_it_is_heard_a_minute_later() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    on.clock.forward(minutes=70)
    hint(on, reference, "picked_up")
    on.settle()
    assert on.order(name).state is OrderState.BOOKED
    on.company.move(reference, "picked_up", on.clock())
    on.minutes(2)
    assert on.order(name).state is OrderState.PICKED_UP


def test_the_reason_that_a_hint_gave_is_kept_with_what_the_look_up_confirmed() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    on.clock.forward(minutes=70)
    hint(on, reference, "picked_up", is_true=True)
    on.settle()
    on.clock.forward(minutes=2)
    on.company.move(reference, "returning", on.clock())
    said = callback(reference, "returning", on.clock(), reason="cannot_access_location")
    receive.receive(on.world, "SHA", "paper-co", said)
    on.settle()
    order = on.order(name)
    assert order.state is OrderState.RETURNING
    assert order.leg.bookings[0].track.reason == "cannot_access_location"
    assert len(suspect.suspicions(on.world, "SHA")) == 1


def test_a_hint_that_the_courier_confirms_moves_the_order_at_once() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    on.clock.forward(minutes=70)
    for kind, state in (("picked_up", OrderState.PICKED_UP), ("delivered", OrderState.DELIVERED)):
        on.clock.forward(minutes=5)
        hint(on, reference, kind, is_true=True)
        on.settle()
        assert on.order(name).state is state


def test_a_hint_that_comes_with_what_was_confirmed_before_is_looked_into_at_once() -> None:
    """A word of where the courier is on its way is folded with the next, which may be a hint: it puts off no look."""
    on, name, reference = on_stage(HintingPaperDialect())
    on.clock.forward(minutes=70)
    for kind in ("courier_assigned", "at_pick_up", "picked_up"):
        on.clock.forward(minutes=5)
        hint(on, reference, kind, is_true=True)
        on.settle()
    assert on.order(name).state is OrderState.PICKED_UP


def test_before_the_stay_begins_too_a_hint_is_looked_into() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    hint(on, reference, "cancelled", is_true=True)
    on.settle()
    assert on.order(name).leg.bookings[0].state is BookingState.CANCELLED


def test_of_a_hundred_hints_a_minute_one_is_looked_into() -> None:
    on, _, reference = on_stage(HintingPaperDialect())
    before = looks(on)
    for _ in range(10):
        for _ in range(10):
            on.clock.forward(seconds=1)
            hint(on, reference, "delivered")
            on.settle()
    assert 1 <= looks(on) - before <= 2


def test_a_flood_of_hints_leaves_one_of_each_kind_in_a_minute() -> None:
    """Every run over the order reads all of them, and each could bear a time and a name of its own."""
    on, name, reference = on_stage(HintingPaperDialect())
    before = len(on.plain.table.read(name, facts.event_prefix()).rows)
    for number in range(200):
        then = on.clock() - timedelta(days=300, microseconds=number)
        kind = "delivered" if number % 2 else f"made-up-{number}"
        receive.receive(on.world, "SHA", "paper-co", callback(reference, kind, then))
    assert len(on.plain.table.read(name, facts.event_prefix()).rows) == before + 2
    on.clock.forward(minutes=1)
    hint(on, reference, "delivered")
    assert len(on.plain.table.read(name, facts.event_prefix()).rows) == before + 3


def test_a_hint_whose_nudge_was_lost_is_looked_into_when_the_order_is_heard_of_again() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    on.clock.forward(minutes=70)
    hint(on, reference, "picked_up", is_true=True)
    on.world.queues.take()  # type: ignore[attr-defined]
    on.minutes(20)
    assert on.order(name).state is OrderState.PICKED_UP


def test_a_hint_that_could_not_be_looked_into_is_owed_until_it_is() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    on.clock.forward(minutes=70)
    on.company.deaf.add("look")
    hint(on, reference, "picked_up", is_true=True)
    on.settle()
    assert on.order(name).state is OrderState.BOOKED
    on.company.deaf.clear()
    on.minutes(4)
    assert on.order(name).state is OrderState.PICKED_UP


def test_a_hint_of_an_attempt_whose_answer_is_awaited_gives_nothing_up_before_its_time() -> None:
    on = stage(crews=2)
    on.world.dialects = {"paper": HintingPaperDialect()}
    on.company.deaf.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    reference = f"{order.order_id}-1-1"
    hint(on, reference, "accepted")
    on.settle()
    (booking,) = on.order(order.order_id).leg.bookings
    assert booking.state is BookingState.UNKNOWN
    on.minutes(1)
    (booking,) = on.order(order.order_id).leg.bookings
    assert booking.state is BookingState.UNKNOWN
    assert booking.next_look == booking.attempted_at + timedelta(minutes=2)


def test_a_hint_that_a_job_given_up_for_lost_is_alive_has_it_found_and_ended() -> None:
    on = stage(crews=2)
    on.world.dialects = {"paper": HintingPaperDialect()}
    on.company.deaf.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.company.deaf.clear()
    on.minutes(6)
    first, second = (f"{order.order_id}-1-{number}" for number in (1, 2))
    assert list(on.company.jobs) == [second]
    hint(on, first, "accepted")
    on.minutes(2)
    assert [b.state for b in on.order(order.order_id).leg.bookings] == [
        BookingState.LOST,
        BookingState.BOOKED,
    ]
    on.company.book(first)
    hint(on, first, "courier_assigned", is_true=True)
    on.minutes(4)
    states = [b.state for b in on.order(order.order_id).leg.bookings]
    assert states == [BookingState.CANCELLED, BookingState.BOOKED]
    assert on.company.jobs[first].state == "cancelled"


@pytest.mark.parametrize("kind", ["delivered", "failed", "cancelled", "returned", "pick_up_failed"])
def test_by_a_secret_sent_in_clear_no_end_is_believed_unconfirmed(kind: str) -> None:
    on, name, reference = on_stage(SecretPaperDialect())
    on.clock.forward(minutes=70)
    hint(on, reference, "picked_up")
    on.settle()
    assert on.order(name).state is OrderState.PICKED_UP, "what can be put right is believed"
    hint(on, reference, kind)
    on.settle()
    assert on.order(name).state is OrderState.PICKED_UP
    on.clock.forward(minutes=1)
    hint(on, reference, kind, is_true=True)
    on.minutes(2)
    assert on.order(name).state is not OrderState.PICKED_UP


def test_hearing_a_hint_again_owes_nothing_more() -> None:
    on, name, reference = on_stage(HintingPaperDialect())
    hint(on, reference, "picked_up")
    on.settle()
    before = on.order(name)
    on.world.queues.nudge(Topic.HEAR, [name])
    on.settle()
    assert on.order(name) == before


def test_what_is_said_of_a_tenth_attempt_says_nothing_of_the_first() -> None:
    """Its name begins as that of the first does."""
    on = stage(crews=2)
    on.company.deaf.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.company.deaf.clear()
    said = callback(f"{order.order_id}-1-10", "accepted", on.clock())
    receive.receive(on.world, "SHA", "paper-co", said)
    on.minutes(4)
    assert [b.state for b in on.order(order.order_id).leg.bookings] == [
        BookingState.LOST,
        BookingState.BOOKED,
    ]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_hint_that_met_a_cancellation_is_looked_into_when_the_courier_has_answered_that(
    keeps: bool,
) -> None:
    """Why it keeps the job may be just what the hint said: that it has the gift."""
    on, name, reference = on_stage(HintingPaperDialect())
    on.clock.forward(minutes=70)
    on.company.refuse |= {"cancel": "too_late"} if keeps else {}
    hint(on, reference, "picked_up", is_true=True)
    cancel(on.world, "maison", name, on.order(name).version)
    on.settle()
    on.minutes(2)
    order = on.order(name)
    assert order.state is (OrderState.PICKED_UP if keeps else OrderState.RETURNING)
    assert not order.leg.bookings[0].is_hinted
