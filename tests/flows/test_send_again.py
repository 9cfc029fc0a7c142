"""A second attempt: what came back, or found nobody to take it, goes out again as a further leg of the same order."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.custody import FlawKind, Holder
from chalicelib.domain.errors import Clashing, Invalid, Missing, Stale
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.legs import MOST_LEGS, BookingState
from chalicelib.domain.order_views import first_view, view
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.ports import Topic
from chalicelib.domain.shapes import Window
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import cancel, dispatch, hear, look, receive
from chalicelib.flows.place import place
from chalicelib.flows.send_again import seen_back, send_again
from tests.paper import callback
from tests.stage import NOON, Stage, new_order, stage


def window(start: float = 2, end: float = 4.5) -> Window:
    return Window(
        start=NOON + timedelta(hours=start), end=NOON + timedelta(hours=end), time_zone="Asia/Shanghai"
    )


def says(on: Stage, reference: str, kind: str, at: datetime | None = None, **more: Any) -> None:
    if kind in ("picked_up", "returned", "delivered", "failed") and at is None:
        on.company.move(reference, kind, on.clock.now)
    receive.receive(on.world, "SHA", "paper-co", callback(reference, kind, at or on.clock.now, **more))
    on.settle()


def booked(compound: str = "Yongjia") -> tuple[Stage, str]:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order(compound))
    on.settle()
    on.clock.forward(minutes=60)
    return on, order.order_id


def came_back() -> tuple[Stage, str]:
    """Fetched at one, brought back a quarter of an hour later."""
    on, order_id = booked()
    says(on, f"{order_id}-1-1", "picked_up")
    on.clock.forward(minutes=15)
    says(on, f"{order_id}-1-1", "returned")
    on.minutes(3)
    assert on.order(order_id).state is OrderState.RETURNED
    return on, order_id


def again(on: Stage, order_id: str, wish: Window | None = None) -> Order:
    return send_again(on.world, "maison", order_id, wish or window(), on.order(order_id).version)


def states(order: Order) -> list[str]:
    return [step.state.value for step in order.history]


def pieces(on: Stage, order_id: str) -> list[Evidence]:
    return look.evidence_of(on.world, order_id)


# --- the plain way ----------------------------------------------------------------------------------------------


def test_what_came_back_goes_out_again_under_a_reference_of_its_own_and_arrives() -> None:
    on, order_id = came_back()
    after = again(on, order_id)
    assert (after.state, after.leg.leg_no, after.leg.assignment) == (OrderState.PLACED, 2, None)
    on.settle()
    assert on.order(order_id).state is OrderState.BOOKED
    assert list(on.company.jobs) == [f"{order_id}-1-1", f"{order_id}-2-1"]
    on.clock.forward(minutes=60)
    says(on, f"{order_id}-2-1", "picked_up")
    on.clock.forward(minutes=20)
    says(on, f"{order_id}-2-1", "delivered")
    on.minutes(18)
    done = on.order(order_id)
    assert states(done) == [
        "placed", "assigned", "booked", "picked_up", "returned",
        "placed", "assigned", "booked", "picked_up", "delivered",
    ]  # fmt: skip
    assert done.told and on.live_bookings(order_id) == 0
    assert {piece.leg_no for piece in pieces(on, order_id)} == {1, 2}
    assert [s.holder for s in done.custody.stretches] == ["shop", "courier", "shop", "courier", "client"]
    assert done.custody.flaws == ()


def test_its_second_leg_is_planned_and_booked_in_the_window_it_was_given() -> None:
    on, order_id = came_back()
    again(on, order_id)
    on.settle()
    order = on.order(order_id)
    given = order.leg.assignment
    assert given is not None and given.hand_over_by > window().start
    assert (view(order).window, view(order).leg_no) == (window(), 2)
    assert first_view(order).window == new_order().window, "a repeat of the placing reads what it read then"
    assert first_view(order).leg_no == 1 and len(first_view(order).custody.stretches) == 1


def test_a_gift_that_nobody_could_take_in_its_window_gets_another_one() -> None:
    on, order_id = booked("Garden")
    on.clock.forward(hours=4)
    on.minutes(2)
    assert on.order(order_id).state is OrderState.STRANDED
    again(on, order_id, window(24, 28))
    on.settle()
    order = on.order(order_id)
    assert order.state is OrderState.HELD and order.leg.leg_no == 2
    assert order.outlook is not None and Reason.GIFT_ELSEWHERE not in order.outlook.reasons


def test_who_had_refused_the_first_time_may_be_asked_again() -> None:
    on = stage(crews=2)
    on.company.refuse["book-1"] = "no_riders"
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.minutes(1)
    on.clock.forward(minutes=60)
    name = order.order_id
    assert len(on.order(name).leg.refusals) == 1
    says(on, f"{name}-1-2", "picked_up")
    says(on, f"{name}-1-2", "returned")
    assert again(on, name).leg.refused_by(on.clock()) == frozenset()


def test_the_place_of_the_leg_that_went_stays_taken_and_the_new_one_takes_its_own() -> None:
    on, order_id = came_back()
    assert on.left() == 2
    again(on, order_id)
    on.settle()
    assert on.left() == 1


# --- repeats and races --------------------------------------------------------------------------------------------


def test_the_same_request_again_is_the_same_leg_and_nudges_again() -> None:
    on, order_id = came_back()
    version = on.order(order_id).version
    first = send_again(on.world, "maison", order_id, window(), version)
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    assert view(send_again(on.world, "maison", order_id, window(), version)) == view(first)
    assert {topic for topic, _ in on.world.queues.sent} == {Topic.DISPATCH, Topic.TELL}  # type: ignore[attr-defined]
    on.settle()
    repeated = send_again(on.world, "maison", order_id, window(), version)
    assert repeated.leg.leg_no == 2 and repeated.state is OrderState.BOOKED
    with pytest.raises(Stale):
        send_again(on.world, "maison", order_id, window(3), version)


def test_it_takes_the_version_that_was_read() -> None:
    on, order_id = came_back()
    with pytest.raises(Stale):
        send_again(on.world, "maison", order_id, window(), on.order(order_id).version - 1)


def test_an_operator_may_ask_for_any_and_a_brand_for_its_own() -> None:
    on, order_id = came_back()
    version = on.order(order_id).version
    with pytest.raises(Missing):
        send_again(on.world, "autre-maison", order_id, window(), version)
    assert send_again(on.world, None, order_id, window(), version).leg.leg_no == 2


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ((), "only an order that is returned or stranded"),
        (("picked_up",), "only an order that is returned or stranded"),
        (("picked_up", "delivered"), "this one is delivered"),
        (("picked_up", "failed"), "the courier that failed has the gift"),
    ],
)
def test_what_has_not_ended_or_is_not_in_the_shop_is_refused(kinds: tuple[str, ...], why: str) -> None:
    on, order_id = booked()
    for kind in kinds:
        on.clock.forward(minutes=5)
        says(on, f"{order_id}-1-1", kind)
    with pytest.raises(Clashing, match=why):
        again(on, order_id)
    assert len(on.order(order_id).legs) == 1


def test_what_was_cancelled_is_not_sent_again() -> None:
    on, order_id = booked()
    cancel.cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    assert on.order(order_id).state is OrderState.CANCELLED
    with pytest.raises(Clashing, match="whose end was asked for"):
        again(on, order_id)


def test_a_window_that_has_closed_is_refused() -> None:
    on, order_id = came_back()
    with pytest.raises(Invalid, match="/window/end"):
        again(on, order_id, window(0.5, 1))


def test_a_gift_goes_out_only_so_many_times() -> None:
    on, order_id = booked("Garden")
    for leg_no in range(1, MOST_LEGS):
        on.clock.forward(hours=5)
        on.minutes(1)
        now = on.clock.now
        wish = Window(start=now, end=now + timedelta(hours=2), time_zone="Asia/Shanghai")
        assert again(on, order_id, wish).leg.leg_no == leg_no + 1
        on.settle()
    on.clock.forward(hours=5)
    on.minutes(1)
    with pytest.raises(Clashing, match=f"sent out {MOST_LEGS} times"):
        again(on, order_id, window(100, 102))


def test_a_gift_whose_courier_failed_goes_again_once_an_operator_has_seen_it_back() -> None:
    on, order_id = booked()
    for kind in ("picked_up", "failed"):
        on.clock.forward(minutes=5)
        says(on, f"{order_id}-1-1", kind)
    with pytest.raises(Clashing, match="only an order that is failed"):
        seen_back(on.world, place(on.world, "maison", "key-2", new_order())[0].order_id)
    on.clock.forward(minutes=10)
    back = seen_back(on.world, order_id)
    assert back.state is OrderState.RETURNED and back.custody.is_with(Holder.SHOP)
    assert view(seen_back(on.world, order_id)) == view(back)
    on.settle()
    again(on, order_id)
    on.settle()
    assert on.order(order_id).state is OrderState.BOOKED


# --- late words of an earlier leg ------------------------------------------------------------------------------------


def test_late_words_of_the_first_leg_change_nothing_of_the_second() -> None:
    on, order_id = came_back()
    again(on, order_id)
    on.settle()
    before = on.order(order_id)
    says(on, f"{order_id}-1-1", "in_transit", NOON + timedelta(minutes=70))
    for kind in ("accepted", "delivered", "failed", "cancelled"):
        says(on, f"{order_id}-1-1", kind, on.clock.now)
    after = on.order(order_id)
    assert (after.history, after.leg) == (before.history, before.leg)
    assert after.custody.flaws == ()


def corrects(on: Stage, order_id: str, kind: str) -> None:
    """The first courier says that it was wrong to say the gift came back."""
    said = callback(f"{order_id}-1-1", kind, on.clock.now)
    on.company.jobs[f"{order_id}-1-1"].state = kind
    paper = on.world.dialects["paper"]
    heard = paper.hear([{"secret": "paper-secret"}], said, "paper-co", on.clock.now)
    (event,) = heard.events
    receive.save_event(on.world, order_id, event.model_copy(update={"correction": True, "market_id": "SHA"}))
    hear.hear(on.world, order_id)
    on.settle()


def test_a_first_courier_that_has_it_after_all_stops_the_second_and_the_gift_is_held() -> None:
    on, order_id = came_back()
    again(on, order_id)
    on.settle()
    on.clock.forward(minutes=3)
    corrects(on, order_id, "in_transit")
    order = on.order(order_id)
    assert order.state is OrderState.HELD, "law 0: nobody is sent for what is on its way with another"
    assert order.outlook is not None and order.outlook.reasons == (Reason.GIFT_ELSEWHERE,)
    assert [b.state for b in order.leg.bookings] == [BookingState.CANCELLED]
    assert order.leg.bookings[0].cancel_reason == "gift_elsewhere"
    on.clock.forward(minutes=20)
    says(on, f"{order_id}-1-1", "returned")
    on.minutes(2)
    order = on.order(order_id)
    assert order.state is OrderState.BOOKED and len(order.leg.bookings) == 2, "it is back, and goes"


def test_no_courier_is_asked_for_a_gift_that_has_left_the_shop_since_it_was_planned() -> None:
    on, order_id = came_back()
    again(on, order_id)
    dispatch.dispatch(on.world, "SHA")
    assert on.order(order_id).state is OrderState.ASSIGNED and on.left() == 1
    corrects(on, order_id, "in_transit")
    order = on.order(order_id)
    assert order.state is OrderState.HELD and order.leg.bookings == ()
    assert f"{order_id}-2-1" not in on.company.jobs and on.left() == 2
    refused = next(piece for piece in pieces(on, order_id) if piece.step is Step.BOOK)
    assert (refused.leg_no, refused.reasons) == (2, (Reason.GIFT_ELSEWHERE,))


def test_a_first_courier_that_says_late_that_it_had_delivered_before_it_came_back_stops_the_second() -> None:
    on, order_id = came_back()
    again(on, order_id)
    on.settle()
    says(on, f"{order_id}-1-1", "delivered", NOON + timedelta(minutes=70))
    order = on.order(order_id)
    assert order.state is OrderState.HELD and order.custody.is_with(Holder.CLIENT)
    assert not on.company.jobs[f"{order_id}-2-1"].is_open


def test_a_gift_that_the_first_courier_delivered_after_all_is_not_fetched_again() -> None:
    on, order_id = came_back()
    corrects(on, order_id, "delivered")
    order = on.order(order_id)
    assert order.state is OrderState.DELIVERED
    with pytest.raises(Clashing, match="this one is delivered"):
        again(on, order_id)


def test_delivered_after_all_while_the_second_leg_waits_nobody_is_planned_for_it_and_the_chain_says_why() -> (
    None
):
    on, order_id = came_back()
    again(on, order_id, window(24, 28))  # nobody offers those hours
    on.settle()
    corrects(on, order_id, "delivered")
    on.clock.forward(minutes=40)
    on.minutes(2)
    order = on.order(order_id)
    assert order.outlook is not None and Reason.GIFT_ELSEWHERE in order.outlook.reasons
    assert order.custody.is_with(Holder.CLIENT) and FlawKind.OVERLAP not in {
        flaw.kind for flaw in order.custody.flaws
    }
    on.clock.forward(hours=28)
    on.minutes(2)
    assert on.order(order_id).state is OrderState.STRANDED


def test_an_attempt_of_the_first_leg_that_turns_up_late_is_called_off_before_the_second_is_planned() -> None:
    on = stage()
    on.company.deaf.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.company.deaf.clear()
    on.minutes(8)
    name = order.order_id
    first, second = on.order(name).leg.bookings
    assert (first.state, second.state) == (BookingState.LOST, BookingState.BOOKED)
    on.clock.forward(minutes=60)
    says(on, second.reference, "picked_up")
    says(on, second.reference, "returned")
    again(on, name, window(24, 28))
    on.settle()
    on.company.jobs[first.reference] = type(on.company.jobs[second.reference])(first.reference, "P9")
    says(on, first.reference, "accepted")
    on.minutes(2)
    order = on.order(name)
    assert order.legs[0].bookings[0].state is BookingState.CANCELLED
    assert order.leg.bookings == () and order.state is OrderState.HELD
    assert not any(job.is_open for job in on.company.jobs.values())


def test_nothing_of_the_view_of_a_chain_says_who_was_sent_to_a_brand() -> None:
    from chalicelib.routes import disclosure

    on, order_id = came_back()
    whole = view(on.order(order_id))
    assert whole.custody.stretches[1].crew == "crew-1"
    told = json.loads(disclosure.order(whole).model_dump_json(exclude_none=True))
    assert [set(stretch) - {"since", "until"} for stretch in told["custody"]["stretches"]] == [
        {"holder"},
        {"holder", "leg_no", "courier"},
        {"holder"},
    ]
