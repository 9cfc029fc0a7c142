"""A dispatcher acts on an order: each deed is written with its line, and of two who act at a time one wins."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.deeds import What
from chalicelib.domain.due import due_at
from chalicelib.domain.errors import Clashing, Invalid, Lost, Stale
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Change
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import act, dispatch, reveal
from chalicelib.flows.place import place
from tests.flows.test_send_again import booked, came_back, says, window
from tests.stage import Stage, new_order, slot, stage


def version(on: Stage, order_id: str) -> int:
    return on.order(order_id).version


def waiting() -> tuple[Stage, str]:
    """In a compound on which nobody has ruled."""
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order("Nowhere"))
    on.settle()
    assert on.order(order.order_id).state is OrderState.HELD
    return on, order.order_id


def test_a_booked_gift_is_given_to_another_slot_and_the_first_has_its_place_back() -> None:
    on, order_id = booked()
    on.world.table.read("fleet#SHA")
    from chalicelib.flows import enlist

    enlist.put_slot(on.world, slot(2, 3, crew_id="crew-1"))
    assert on.order(order_id).leg.assignment is not None
    act.redispatch(on.world, order_id, version(on, order_id), "mei", "the crew called in sick")
    on.settle()
    after = on.order(order_id)
    assert after.state is OrderState.BOOKED
    assert after.leg.assignment is not None and after.leg.assignment.slot_id == "slot-2"
    assert (on.left("slot-1"), on.left("slot-2")) == (3, 2)
    assert on.live_bookings(order_id) == 1
    (deed,) = act.deeds_of(on.world, order_id)
    assert (deed.what, deed.who, deed.why) == (What.REDISPATCHED, "mei", "the crew called in sick")


def test_with_no_other_slot_it_waits_and_says_why() -> None:
    on, order_id = booked()
    act.redispatch(on.world, order_id, version(on, order_id), "mei", not_this_courier=True)
    on.settle()
    after = on.order(order_id)
    assert after.state is OrderState.HELD and after.outlook is not None
    assert Reason.COURIER_REFUSED in after.outlook.reasons
    assert on.left() == 3 and on.live_bookings(order_id) == 0


def test_a_held_gift_is_looked_at_at_once() -> None:
    on, order_id = waiting()
    act.redispatch(on.world, order_id, version(on, order_id), "mei")
    due = due_at(on.order(order_id))
    assert due is not None and due <= on.clock.now


def test_a_booked_gift_is_held_its_place_given_back_and_nothing_planned_until_then() -> None:
    on, order_id = booked()
    until = on.clock.now + timedelta(minutes=40)
    act.hold(on.world, order_id, version(on, order_id), until, "mei", "the client asked to wait")
    on.settle()
    held = on.order(order_id)
    assert held.state is OrderState.HELD and held.outlook is not None
    assert (held.outlook.decision, held.outlook.reasons) == (Decision.HOLD, (Reason.HELD_BY_HAND,))
    assert on.left() == 3 and due_at(held) == until
    dispatch.dispatch(on.world, "SHA", everything=True)
    on.minutes(39)
    assert on.order(order_id).version == held.version
    on.minutes(5)
    assert on.order(order_id).state is OrderState.BOOKED


def test_a_waiting_gift_that_is_held_is_let_go_by_hand() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    act.hold(on.world, order.order_id, 1, on.clock.now + timedelta(hours=2), "mei")
    on.settle()
    on.minutes(3)
    assert on.order(order.order_id).state is OrderState.HELD and on.left() == 3
    act.release(on.world, order.order_id, version(on, order.order_id), "mei")
    on.settle()
    assert on.order(order.order_id).state is OrderState.BOOKED
    with pytest.raises(Clashing, match="nobody had stopped"):
        act.release(on.world, order.order_id, version(on, order.order_id), "mei")


@pytest.mark.parametrize("hours", [0.0, -1.0, 49.0])
def test_a_gift_is_held_for_a_while_and_not_for_ever(hours: float) -> None:
    on, order_id = waiting()
    with pytest.raises(Invalid, match="within the next 48 hours"):
        act.hold(on.world, order_id, version(on, order_id), on.clock.now + timedelta(hours=hours), "mei")


def test_a_gift_on_its_way_is_recalled_and_neither_held_nor_redispatched() -> None:
    on, order_id = booked()
    says(on, f"{order_id}-1-1", "picked_up")
    for deed in (
        lambda: act.hold(on.world, order_id, version(on, order_id), on.clock.now + timedelta(hours=1), "mei"),
        lambda: act.redispatch(on.world, order_id, version(on, order_id), "mei"),
    ):
        with pytest.raises(Clashing):
            deed()
    act.recall(on.world, order_id, version(on, order_id), "mei", "the client has left")
    (booking,) = on.order(order_id).leg.bookings
    assert booking.state is BookingState.CANCELLING
    on.settle()
    assert [deed.what for deed in act.deeds_of(on.world, order_id)] == [What.RECALLED]
    with pytest.raises(Clashing):
        act.recall(on.world, order_id, version(on, order_id), "mei")


def test_only_what_a_courier_has_is_recalled() -> None:
    on, order_id = waiting()
    with pytest.raises(Clashing, match="only a gift that a courier has"):
        act.recall(on.world, order_id, version(on, order_id), "mei")


def test_the_control_room_ends_an_order_and_sends_one_again() -> None:
    on, order_id = waiting()
    act.cancel(on.world, order_id, version(on, order_id), "mei", "the brand asked by telephone")
    assert on.order(order_id).state is OrderState.CANCELLED
    assert [deed.what for deed in act.deeds_of(on.world, order_id)] == [What.CANCELLED]
    on, order_id = came_back()
    act.send_again(on.world, order_id, version(on, order_id), window(), "mei")
    assert on.order(order_id).leg.leg_no == 2
    assert [deed.what for deed in act.deeds_of(on.world, order_id)] == [What.SENT_AGAIN]


def test_of_two_dispatchers_one_wins_and_the_other_is_told_by_whom_and_to_what() -> None:
    on, order_id = waiting()
    seen = version(on, order_id)
    act.hold(on.world, order_id, seen, on.clock.now + timedelta(hours=1), "mei")
    with pytest.raises(Stale, match=r"held at \"v\d+\" by now, .* mei has held it"):
        act.cancel(on.world, order_id, seen, "anna")
    assert [deed.who for deed in act.deeds_of(on.world, order_id)] == ["mei"]


def test_of_two_at_the_very_same_moment_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    on, order_id = waiting()
    seen, write = version(on, order_id), on.world.table.write

    def late(*changes: Change) -> None:
        monkeypatch.undo()
        act.cancel(on.world, order_id, seen, "anna")
        write(*changes)

    monkeypatch.setattr(on.world.table, "write", late)
    with pytest.raises(Stale, match="anna has cancelled it"):
        act.hold(on.world, order_id, seen, on.clock.now + timedelta(hours=1), "mei")
    assert [deed.who for deed in act.deeds_of(on.world, order_id)] == ["anna"]


def test_whoever_looks_at_the_client_leaves_a_line_and_the_line_says_nothing_of_the_client() -> None:
    on, order_id = waiting()
    seen = act.look_at(on.world, order_id, "mei", "control-room")
    assert seen.recipient.name == "Wang Secretive"
    act.look_at(on.world, order_id, "anna", "control-room")
    told = [(one.staff, one.by, one.reason) for one in reveal.looks_of(on.world, order_id)]
    assert told == [
        ("mei", "control-room", "at-the-board"),
        ("anna", "control-room", "at-the-board"),
    ]


def test_a_deed_whose_line_cannot_be_written_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    on, order_id = waiting()
    seen = version(on, order_id)

    def full(*changes: Change) -> None:
        raise Lost([1])

    monkeypatch.setattr(on.world.table, "write", full)
    with pytest.raises(Stale):
        act.hold(on.world, order_id, seen, on.clock.now + timedelta(hours=1), "mei")
    monkeypatch.undo()
    assert version(on, order_id) == seen


def test_the_same_deed_again_is_the_same_deed_and_is_nudged_again() -> None:
    on, order_id = waiting()
    seen = version(on, order_id)
    first = act.hold(on.world, order_id, seen, on.clock.now + timedelta(hours=1), "mei")
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    again = act.hold(on.world, order_id, seen, on.clock.now + timedelta(hours=1), "mei")
    assert again == first.model_copy(update={"stepped": False})
    assert len(on.world.queues.sent) == 2 and len(act.deeds_of(on.world, order_id)) == 1  # type: ignore[attr-defined]
    with pytest.raises(Stale, match="mei has held it"):
        act.hold(on.world, order_id, seen, on.clock.now + timedelta(hours=1), "anna")
