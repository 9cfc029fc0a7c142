"""Callbacks over the whole path: doubled, reordered, lost and forged ones leave what the ordered truth leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.dialect import Callback
from chalicelib.domain.errors import Malformed, Missing, Unauthorised
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import Order, OrderState
from chalicelib.flows import hear, receive
from chalicelib.flows.place import place
from tests.paper import callback
from tests.stage import NOON, Stage, new_order, publish_rules, stage, zone

STORIES = {
    OrderState.DELIVERED: (
        "accepted",
        "courier_assigned",
        "at_pick_up",
        "picked_up",
        "in_transit",
        "delivered",
    ),
    OrderState.RETURNED: ("accepted", "picked_up", "in_transit", "returning", "returned"),
    OrderState.HELD: ("accepted", "courier_assigned", "pick_up_failed"),
}


def booked() -> tuple[Stage, str, str]:
    """A stage with one order that is booked: the stage, the order and the booking's reference."""
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.clock.forward(hours=1)
    (reference,) = on.company.jobs
    return on, order.order_id, reference


def told(reference: str, kinds: tuple[str, ...]) -> list[Callback]:
    start = NOON + timedelta(hours=1)
    return [callback(reference, kind, start + timedelta(minutes=5 * n)) for n, kind in enumerate(kinds)]


def forged(genuine: Callback, n: int) -> Callback:
    """As the courier would say it, but for the signature: another key, a flipped byte, or none at all."""
    header = genuine.headers["x-paper-signature"]
    wrong = [header[:-1] + ("0" if header[-1] != "0" else "1"), "", "f" * 64][n % 3]
    return Callback("POST", {}, {"x-paper-signature": wrong}, genuine.body)


def outcome(order: Order) -> tuple[object, ...]:
    booking = order.leg.bookings[0]
    return (
        order.state,
        booking.state,
        booking.track.model_dump(exclude={"events"}),
        [(r.slot_id, r.reason) for r in order.leg.refusals],
    )


@pytest.mark.parametrize("state", STORIES)
def test_the_truth_in_order_ends_as_the_story_says(state: OrderState) -> None:
    on, order_id, reference = booked()
    for said in told(reference, STORIES[state]):
        receive.receive(on.world, "SHA", "paper-co", said)
        on.clock.forward(minutes=1)
    hear.hear(on.world, order_id)
    assert on.order(order_id).state is state


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), state=st.sampled_from(list(STORIES)))
def test_doubled_reordered_and_forged_callbacks_change_nothing(
    data: st.DataObject, state: OrderState
) -> None:
    on, order_id, reference = booked()
    plain = told(reference, STORIES[state])
    for said in plain:
        receive.receive(on.world, "SHA", "paper-co", said)
    hear.hear(on.world, order_id)
    wanted, wanted_left = outcome(on.order(order_id)), on.left()

    on, order_id, reference = booked()
    genuine = told(reference, STORIES[state])
    lies = told(reference, ("delivered", "returned", "cancelled", "failed"))
    many = st.permutations([*genuine, *genuine])
    for said in data.draw(many):
        if data.draw(st.booleans()):
            with pytest.raises(Unauthorised):
                receive.receive(
                    on.world, "SHA", "paper-co", forged(data.draw(st.sampled_from(lies)), len(said.body))
                )
        receive.receive(on.world, "SHA", "paper-co", said)
        if data.draw(st.booleans()):
            hear.hear(on.world, order_id)
    hear.hear(on.world, order_id)
    got = on.order(order_id)
    if state is OrderState.DELIVERED or state is OrderState.RETURNED:
        assert outcome(got) == wanted
    else:  # folded half-way, it may have been free and given away again already; never twice
        assert got.state in (OrderState.HELD, OrderState.ASSIGNED)
    assert on.left() == wanted_left


def test_a_callback_of_a_job_that_is_not_ours_is_acknowledged_and_kept_from_the_orders() -> None:
    on, _, _ = booked()
    before = dict(on.world.table.rows)  # type: ignore[attr-defined]
    heard = receive.receive(on.world, "SHA", "paper-co", callback("somebody-elses", "delivered", NOON))
    assert heard.foreign == ("somebody-elses",)
    assert on.world.table.rows == before  # type: ignore[attr-defined]


def test_a_signed_callback_for_an_order_that_does_not_exist_is_kept_for_a_while_and_disturbs_nobody() -> None:
    on, _, _ = booked()
    ghost = "ord_" + "a" * 26
    for kind in ("picked_up", "delivered"):
        receive.receive(on.world, "SHA", "paper-co", callback(f"{ghost}-1-1", kind, NOON))
    on.settle()
    hear.hear(on.world, ghost)  # a double of the nudge
    rows = on.plain.table.read(ghost).rows
    end = int((on.clock.now + timedelta(days=30)).timestamp())
    assert [(row.version, row.expires_at) for row in rows] == [(2, end)] * 2
    assert on.world.queues.sent == []  # type: ignore[attr-defined]
    assert "callback_of_no_order" in {line["event"] for line in on.world.log.lines}  # type: ignore[attr-defined]
    with pytest.raises(Missing):  # of which nothing at all is here
        hear.hear(on.world, "ord_" + "b" * 26)


def test_an_unknown_courier_and_signed_junk_are_refused_without_a_trace() -> None:
    on, _, reference = booked()
    with pytest.raises(Missing):
        receive.receive(on.world, "SHA", "nobody", callback(reference, "delivered", NOON))
    junk = b"{not json"
    from tests.paper import signature

    sent = Callback("POST", {}, {"x-paper-signature": signature("paper-secret", junk)}, junk)
    with pytest.raises(Malformed):
        receive.receive(on.world, "SHA", "paper-co", sent)


def test_an_unknown_status_is_kept_and_moves_nothing() -> None:
    on, order_id, reference = booked()
    receive.receive(on.world, "SHA", "paper-co", callback(reference, "abducted", NOON))
    on.settle()
    order = on.order(order_id)
    assert order.state is OrderState.BOOKED
    assert order.leg.bookings[0].track.unreadable == 1
    assert any(line["event"] == "callback_unreadable" for line in on.world.log.lines)  # type: ignore[attr-defined]


def test_a_gift_whose_compound_is_closed_on_the_way_is_recalled_and_ends_returned() -> None:
    on, order_id, reference = booked()
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "picked_up", on.clock.now))
    on.settle()
    assert on.order(order_id).state is OrderState.PICKED_UP
    on.clock.forward(minutes=5)
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access", zone_id="ban"))
    on.settle()
    assert ("cancel", reference) in on.company.calls
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "returning", on.clock.now))
    later = on.clock.forward(minutes=30)
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "returned", later))
    on.settle()
    order = on.order(order_id)
    assert order.state is OrderState.RETURNED
    assert on.live_bookings(order_id) == 0


def test_a_gift_whose_compound_is_sealed_on_the_way_goes_on_to_the_gate_and_is_not_called_delivered() -> None:
    on, order_id, reference = booked()
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "picked_up", on.clock.now))
    on.clock.forward(minutes=5)
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed", zone_id="seal"))
    on.settle()
    assert on.order(order_id).leg.bookings[0].state is BookingState.BOOKED
    on.clock.forward(minutes=10)
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "delivered", on.clock.now))
    on.settle()
    assert on.order(order_id).state is OrderState.AT_GATE


def test_new_rules_before_the_pick_up_cancel_the_booking_and_free_the_slot() -> None:
    on, order_id, reference = booked()
    assert on.left() == 2
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access", zone_id="ban"))
    on.settle()
    assert on.company.jobs[reference].state == "cancelled"
    order = on.order(order_id)
    assert order.state is OrderState.HELD
    assert on.left() == 3


def test_a_cancellation_nobody_answers_is_asked_again_and_survives_callbacks_in_between() -> None:
    on, order_id, reference = booked()
    on.company.deaf.add("cancel")
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access", zone_id="ban"))
    on.settle()
    receive.receive(on.world, "SHA", "paper-co", callback(reference, "courier_assigned", on.clock.now))
    on.settle()
    booking = on.order(order_id).leg.bookings[0]
    assert booking.state is BookingState.CANCELLING
    assert booking.next_look is not None
    assert booking.next_look - on.clock.now <= timedelta(minutes=2), "a callback does not put it off"
    on.company.deaf.clear()
    on.minutes(5)
    assert on.company.jobs[reference].state == "cancelled"


def test_a_lost_last_callback_is_found_by_asking() -> None:
    on, order_id, reference = booked()
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "picked_up", on.clock.now))
    on.settle()
    on.clock.forward(minutes=20)
    on.company.move(reference, "delivered", on.clock.now)  # and its callback never comes
    on.minutes(20)
    assert on.order(order_id).state is OrderState.DELIVERED


def test_a_booking_without_an_answer_is_not_repeated_before_it_is_looked_up() -> None:
    on = stage()
    on.company.silent.add("book")  # it takes the job and never answers
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    assert on.order(order.order_id).leg.bookings[0].state is BookingState.UNKNOWN
    on.minutes(5)
    verbs = [verb for verb, _ in on.company.calls]
    assert verbs.count("book") == 1
    assert on.order(order.order_id).leg.bookings[0].state is BookingState.BOOKED


def test_a_booking_that_never_arrived_is_tried_again_under_a_new_number() -> None:
    on = stage()
    on.company.deaf.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.company.deaf.clear()
    on.minutes(6)
    present = on.order(order.order_id)
    assert [b.state for b in present.leg.bookings] == [BookingState.LOST, BookingState.BOOKED]
    assert on.left() == 2
    assert sum(job.is_live for job in on.company.jobs.values()) == 1


def test_a_courier_that_refuses_is_remembered_and_the_place_comes_back() -> None:
    on = stage(crews=2)
    on.company.refuse["book"] = "no_riders"
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    present = on.order(order.order_id)
    assert {r.slot_id for r in present.leg.refusals} == {"slot-1", "slot-2"}
    assert present.state is OrderState.HELD
    assert on.left("slot-1") == on.left("slot-2") == 3


def test_a_gift_nobody_could_take_is_stranded_when_its_window_closes_with_every_reason() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order("Nobody ruled on it"))
    on.settle()
    assert on.order(order.order_id).state is OrderState.HELD
    on.minutes(260)
    present = on.order(order.order_id)
    assert present.state is OrderState.STRANDED
    assert present.outlook is not None
    assert "zone_unknown" in present.outlook.reasons
