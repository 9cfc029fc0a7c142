"""What simulated days (`tests/simulation`) found, each as the short story it shrank to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.dialect import Account
from chalicelib.domain.evidence import Step
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Secrets
from chalicelib.flows import enlist, look, publish, receive, subscribe
from chalicelib.flows.book import book
from chalicelib.flows.cancel import cancel
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.place import place
from chalicelib.flows.tell import tell
from tests.paper import callback
from tests.stage import NOON, Stage, new_order, publish_rules, stage, zone


def booked(on: Stage, **changes: Any) -> tuple[str, str]:
    """An order that is booked, and the booking's reference."""
    order, _ = place(on.world, "maison", "key-1", new_order(**changes))
    on.settle()
    (reference,) = on.company.jobs
    return order.order_id, reference


def hear_at(on: Stage, order_id: str, reference: str, kind: str, courier_id: str = "paper-co") -> None:
    """The courier's callback that it has come to this now."""
    said = on.company.move(reference, kind, on.clock())
    receive.receive(on.world, "SHA", courier_id, said)
    on.settle()


def test_what_was_said_before_a_courier_let_go_and_arrives_after_it_revives_nothing() -> None:
    on = stage()
    order_id, reference = booked(on)
    late = callback(reference, "accepted", on.clock())
    on.clock.forward(minutes=1)
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    receive.receive(on.world, "SHA", "paper-co", late)
    on.settle()
    order = on.order(order_id)
    steps = [OrderState.PLACED, OrderState.ASSIGNED, OrderState.BOOKED, OrderState.CANCELLED]
    assert [step.state for step in order.history] == steps
    assert [b.state for b in order.leg.bookings] == [BookingState.CANCELLED]
    assert on.live_bookings(order_id) == 0


def test_a_pick_up_heard_after_the_end_of_what_was_called_off_makes_no_orphan_and_is_on_record() -> None:
    on = stage()
    order_id, reference = booked(on)
    on.company.deaf.add("cancel")
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    assert on.order(order_id).leg.bookings[0].state is BookingState.CANCELLING
    on.clock.forward(minutes=60)
    late = callback(reference, "picked_up", on.clock())
    on.clock.forward(minutes=20)
    receive.receive(on.world, "SHA", "paper-co", callback(reference, "delivered", on.clock()))
    on.settle()
    receive.receive(on.world, "SHA", "paper-co", late)
    on.settle()
    order = on.order(order_id)
    assert order.leg.bookings[0].cancel_reason != "orphan"
    assert {Step.PICK_UP, Step.HAND_OVER} <= {piece.step for piece in look.evidence_of(on.plain, order_id)}


def test_a_job_that_goes_on_after_its_courier_let_go_of_it_is_still_found_alive() -> None:
    on = stage()
    order_id, reference = booked(on)
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    on.company.refuse["cancel"] = "too_late"
    on.clock.forward(minutes=20)
    hear_at(on, order_id, reference, "at_pick_up")
    assert on.live_bookings(order_id) == 1


def test_another_couriers_word_does_not_stand_in_the_place_of_the_true_one() -> None:
    on = stage()
    enlist.put_courier(
        on.world, Courier(courier_id="other-co", market_id="SHA", dialect="paper", account="other")
    )
    on.world.secrets.by_account["paper", "other"] = [{"secret": "other-secret"}]  # type: ignore[attr-defined]
    order_id, reference = booked(on)
    on.clock.now = NOON + timedelta(hours=2)
    forged = callback(reference, "picked_up", on.clock(), secret="other-secret")
    receive.receive(on.world, "SHA", "other-co", forged)
    on.settle()
    assert on.order(order_id).state is OrderState.BOOKED
    hear_at(on, order_id, reference, "picked_up")
    assert on.order(order_id).state is OrderState.PICKED_UP


@pytest.mark.parametrize(("policy", "item_class"), [("banned@1", "chilled"), ("sealed@1", "high_value")])
def test_where_nobody_may_reach_the_client_a_gift_is_not_said_to_have_done_so(
    policy: str, item_class: str
) -> None:
    on = stage()
    value = {"amount": 88000, "currency": "CNY"}
    insured = {"proofs": ["receipt_code"], "insured_limit": {"amount": 10_000_000, "currency": "CNY"}}
    courier = {"courier_id": "paper-co", "market_id": "SHA", "dialect": "paper", "account": "main", **insured}
    enlist.put_courier(on.world, Courier.model_validate(courier))
    order_id, reference = booked(
        on, gift={"items": [{"name": "Gift", "item_class": item_class, "value": value}]}
    )
    on.clock.now = NOON + timedelta(hours=1)
    hear_at(on, order_id, reference, "picked_up")
    on.company.refuse["cancel"] = "too_late"
    publish_rules(on.world, "amend", zone("Yongjia", policy, "sealed"))
    on.settle()
    on.clock.forward(minutes=30)
    hear_at(on, order_id, reference, "delivered")
    assert on.order(order_id).state is OrderState.AT_GATE


def test_a_job_that_is_kept_and_never_begun_is_ended_when_its_courier_lets_go_at_last() -> None:
    on = stage()
    order_id, _ = booked(on)
    on.company.refuse["cancel"] = "too_late"
    end = on.order(order_id).leg.assignment.end  # type: ignore[union-attr]
    on.clock.now = end + timedelta(minutes=5)
    on.minutes(5)
    assert on.order(order_id).state is OrderState.BOOKED
    asked = [verb for verb, _ in on.company.calls].count("cancel")
    on.minutes(30)
    assert [verb for verb, _ in on.company.calls].count("cancel") == asked
    del on.company.refuse["cancel"]
    on.minutes(60)
    assert on.order(order_id).state is OrderState.STRANDED
    assert on.left() == 3


def test_a_pick_up_that_is_heard_of_while_its_end_is_asked_for_is_judged_too() -> None:
    on = stage()
    order_id, reference = booked(on)
    on.clock.now = NOON + timedelta(hours=1)
    on.company.refuse["cancel"] = "too_late"
    on.company.deaf.add("cancel")
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    hear_at(on, order_id, reference, "picked_up")
    assert Step.PICK_UP in [piece.step for piece in look.evidence_of(on.plain, order_id)]


def test_a_process_whose_clock_is_behind_that_of_the_publisher_does_not_overlook_the_news() -> None:
    on = stage()
    order_id, reference = booked(on)
    district = {"unit": {"kind": "district", "district": "310101"}, "valid_from": NOON.isoformat()}
    publish_rules(on.world, "amend", zone("Huangpu", "precautionary@1", **district))
    on.clock.forward(minutes=30, seconds=5)
    publish_rules_only(on, zone("Yongjia", "banned@1", "sealed"))
    on.clock.forward(seconds=-5)
    on.settle()
    assert ("cancel", reference) in on.company.calls
    assert on.order(order_id).state is OrderState.HELD


def publish_rules_only(on: Stage, *features: dict[str, Any]) -> None:
    """Make them known, and leave what follows from it in the queue."""
    upload = publish.begin(on.world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    part = json.dumps({"policies": [], "features": list(features), "released": []}).encode()
    publish.add_part(on.world, "SHA", upload.upload_id, 1, part)
    publish.finish(on.world, "SHA", upload.upload_id)
    publish.publish(on.world, "SHA", upload.upload_id)


def test_a_wait_is_told_though_the_nudges_to_tell_it_were_lost_several_times() -> None:
    on = stage(crews=0)
    order, _ = place(on.world, "maison", "key-1", new_order())
    for _ in range(3):
        dispatch(on.world, "SHA")
        on.world.queues.take()  # type: ignore[attr-defined]
        assert on.order(order.order_id).state is OrderState.HELD
        on.clock.forward(minutes=30)
    on.minutes(1)
    assert [said["data"]["state"] for said in on.brand.heard] == ["placed", "held"]


def test_what_was_put_off_for_a_pause_is_told_before_what_follows_it() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    stored = subscribe.find(on.world, "maison", "hook-1")
    until = on.clock() + timedelta(seconds=30)
    paused = stored.model_copy(update={"paused_until": until, "next_look": until})
    subscribe.amend(on.world, stored, lambda _: paused)
    tell(on.world, order.order_id)
    assert on.brand.heard == []
    on.world.memory.clear()  # another process, which read the endpoint when it was well, and whose clock is behind
    on.world.memory["hooks#maison"] = (on.clock(), {"hook-1": stored})
    dispatch(on.world, "SHA")
    tell(on.world, order.order_id)
    assert [said["data"]["sequence"] for said in on.brand.heard] == [0, 1]


def test_a_pause_that_ends_while_what_it_put_off_is_written_down_lets_no_later_state_overtake() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    dispatch(on.world, "SHA")
    stored = subscribe.find(on.world, "maison", "hook-1")
    until = on.clock() + timedelta(milliseconds=100)
    paused = stored.model_copy(update={"paused_until": until, "next_look": until})
    subscribe.amend(on.world, stored, lambda _: paused)
    write = on.world.table.write

    def slowly(*changes: Any, **kwargs: Any) -> None:
        write(*changes, **kwargs)
        on.clock.forward(seconds=1)

    on.world.table.write = slowly  # type: ignore[method-assign]
    tell(on.world, order.order_id)
    assert on.brand.heard == []
    on.world.table.write = write  # type: ignore[method-assign]
    tell(on.world, order.order_id)
    assert [said["data"]["state"] for said in on.brand.heard] == ["placed", "assigned"]


def test_an_attempt_that_was_held_up_is_not_made_when_others_may_soon_believe_that_it_never_arrived() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    dispatch(on.world, "SHA")
    secrets = on.world.secrets
    on.world.secrets = HeldUp(secrets, on)
    book(on.world, order.order_id)
    assert on.company.calls == []
    on.world.secrets = secrets
    on.minutes(4)
    assert [b.state for b in on.order(order.order_id).leg.bookings] == [
        BookingState.LOST,
        BookingState.BOOKED,
    ]
    assert len(on.company.jobs) == 1


def test_a_look_up_that_is_answered_after_its_job_was_let_go_revives_nothing() -> None:
    on = stage()
    order_id, _ = booked(on)
    on.clock.now = NOON + timedelta(hours=3)
    look_up = on.company.look

    def meanwhile(reference: str) -> dict[str, object]:
        said = look_up(reference)
        on.company.look = look_up  # type: ignore[method-assign]
        cancel(on.world, "maison", order_id, on.order(order_id).version)
        book(on.world, order_id)
        return said

    on.company.look = meanwhile  # type: ignore[method-assign]
    book(on.world, order_id)
    assert [b.state for b in on.order(order_id).leg.bookings] == [BookingState.CANCELLED]
    assert on.left() == 3


def test_a_job_that_turns_up_alive_after_another_delivered_the_gift_is_ended_and_takes_nothing_back() -> None:
    on = stage()
    on.company.deaf.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.company.deaf.clear()
    on.minutes(14)
    first, second = (f"{order.order_id}-1-{number}" for number in (1, 2))
    assert list(on.company.jobs) == [second]
    on.company.jobs[first] = replace(on.company.jobs[second], reference=first)
    on.clock.now = NOON + timedelta(hours=1)
    for kind in ("picked_up", "delivered"):
        hear_at(on, order.order_id, second, kind)
        on.clock.forward(minutes=1)
    left = on.left()
    hear_at(on, order.order_id, first, "accepted")
    on.minutes(2)
    after = on.order(order.order_id)
    assert [step.state.value for step in after.history[-2:]] == ["picked_up", "delivered"]
    assert [b.state for b in after.leg.bookings] == [BookingState.CANCELLED, BookingState.BOOKED]
    assert on.company.jobs[first].state == "cancelled"
    assert on.left() == left
    assert after.told


def test_a_delivery_that_failed_though_its_pick_up_was_never_heard_keeps_the_gift_with_its_courier() -> None:
    """Day 1365: the call of the pick-up was lost, the gift was damaged on the way, and the order was cancelled."""
    on = stage(crews=2)
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (job,) = on.company.jobs
    hear_at(on, order.order_id, job, "failed")
    on.minutes(2)
    after = on.order(order.order_id)
    assert after.state is OrderState.FAILED
    assert len(after.leg.bookings) == 1, "nobody else is sent for a gift that somebody has"


def test_a_job_that_its_courier_has_reported_on_and_then_forgets_is_not_booked_again() -> None:
    """Day 3503: the word was saved, its nudge was lost, and the look-up found nothing."""
    on = stage(crews=2)
    on.company.silent.add("book")
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.company.silent.clear()
    (reference,) = on.company.jobs
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, "courier_assigned", on.clock()))
    on.world.queues.take()  # type: ignore[attr-defined]
    del on.company.jobs[reference]
    on.minutes(14)
    after = on.order(order.order_id)
    assert [b.state for b in after.leg.bookings] == [BookingState.BOOKED]
    assert not on.company.jobs, "nobody else is sent for it"
    assert "booking_vanished" in [line["event"] for line in on.world.log.lines]  # type: ignore[attr-defined]


@dataclass
class HeldUp:
    """Secrets that take a minute and a half."""

    secrets: Secrets
    on: Stage

    def accounts(self, dialect: str, account: str) -> Sequence[Account]:
        self.on.clock.forward(seconds=90)
        return self.secrets.accounts(dialect, account)

    def signing_keys(self) -> Sequence[str]:
        return self.secrets.signing_keys()
