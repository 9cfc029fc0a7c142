"""A gift that needs no courier stands in for a parcel that nobody may carry: sent, offered, answered, too late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.clients import client_id_of
from chalicelib.domain.errors import Clashing, Forgotten, Invalid, Missing, Stale
from chalicelib.domain.evidence import Step
from chalicelib.domain.instead import Digital, DigitalOutcome, WhyDigital
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.pass_answers import DigitalAction, DigitalStep
from chalicelib.domain.pass_rows import OFFERS
from chalicelib.domain.passes import PassState
from chalicelib.domain.ports import Drop, Topic
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import answer, enrol, look, receive, redeem, sweep
from chalicelib.flows.cancel import cancel
from chalicelib.flows.give import give
from chalicelib.flows.place import place
from chalicelib.flows.send_again import send_again
from tests import digital, drive, stage
from tests.digital import STUDIO
from tests.paper import PaperJob, callback
from tests.stage import NOON, Stage, new_order, publish_rules, zone

SEALED = zone("Yongjia", "banned@1", "no_access")
OFFERED, GIVEN, LAPSED = DigitalOutcome.OFFERED, DigitalOutcome.GIVEN, DigitalOutcome.LAPSED


@pytest.fixture
def on() -> Stage:
    """Nobody may go to Yongjia, and there are three passes."""
    on = stage.stage()
    digital.put(on.world, "YOGA", digital.yoga())
    publish_rules(on.world, "amend", SEALED)
    return on


def placed(on: Stage, key: str = "key-1", **changes: Any) -> str:
    order, _ = place(on.world, "maison", key, new_order(**{"fallback": "digital", **changes}))
    on.settle()
    return order.order_id


def stranded(on: Stage, key: str = "key-1") -> str:
    """An order whose time passes."""
    order_id = placed(on, key)
    on.clock.now = NOON + timedelta(hours=4)
    on.minutes(6)
    return order_id


def act(on: Stage, order_id: str, step: str, gift: str | None = None, version: int | None = None) -> Order:
    wish = DigitalAction(action=DigitalStep(step), gift=gift)
    version = version or on.order(order_id).version
    order = answer.act(on.world, "maison", order_id, wish, version)
    on.settle()
    return order


def outcome(on: Stage, order_id: str) -> DigitalOutcome | None:
    digital_ = on.order(order_id).digital
    return None if digital_ is None else digital_.outcome


def open_again(on: Stage) -> None:
    publish_rules(on.world, "amend", zone("Yongjia"))


# --- sent ---------------------------------------------------------------------------------------------------------


def test_a_stranded_order_is_fulfilled_digitally_where_its_brand_said_so_and_the_brand_hears_both(
    on: Stage,
) -> None:
    digital.programme(on.world, gift="YOGA", mode="send")
    order_id = stranded(on)
    order = on.order(order_id)
    assert [step.state for step in order.history] == [
        OrderState.PLACED,
        OrderState.HELD,
        OrderState.STRANDED,
        OrderState.FULFILLED_DIGITALLY,
    ]
    assert [said["type"] for said in on.brand.heard][-2:] == ["order.stranded", "order.fulfilled_digitally"]
    assert order.told
    assert digital.left(on.world) == 2
    assert digital.pass_of(on.world, order_id).state is PassState.GIVEN


def test_why_it_was_sent_is_on_record_with_the_reasons_for_which_nobody_could_go(on: Stage) -> None:
    digital.programme(on.world, gift="YOGA", mode="send")
    order_id = stranded(on)
    piece = look.evidence_of(on.world, order_id)[-1]
    assert (piece.step, piece.decision) == (Step.DIGITAL, Decision.YES)
    assert Reason.NO_HANDOVER in piece.reasons
    assert piece.digital == on.order(order_id).digital
    assert piece.digital is not None
    assert (piece.digital.gift, piece.digital.why) == ("YOGA", WhyDigital.STRANDED)


@pytest.mark.parametrize(("fallback", "state"), [("hold", "stranded"), ("cancel", "cancelled")])
def test_only_where_the_order_wishes_it(on: Stage, fallback: str, state: str) -> None:
    digital.programme(on.world, gift="YOGA", mode="send", patience_minutes=1)
    order_id = placed(on, fallback=fallback)
    on.clock.now = NOON + timedelta(hours=4)
    on.minutes(4)
    assert on.order(order_id).state.value == state
    assert digital.left(on.world) == 3


def test_held_for_longer_than_its_brand_waits_is_long_enough(on: Stage) -> None:
    digital.programme(on.world, gift="YOGA", mode="send", patience_minutes=47)
    order_id = placed(on)
    on.minutes(46)
    assert on.order(order_id).state is OrderState.HELD
    on.minutes(2)
    assert on.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    open_again(on)
    on.minutes(30)
    assert not on.company.jobs, "no courier goes any more"
    assert on.left() == 3


def test_an_order_that_has_a_courier_is_not_impatient(on: Stage) -> None:
    open_again(on)
    digital.programme(on.world, gift="YOGA", mode="send", patience_minutes=10)
    order_id = placed(on)
    on.minutes(30)
    assert on.order(order_id).state is OrderState.BOOKED
    assert outcome(on, order_id) is None


def test_a_lost_nudge_costs_a_minute_and_no_gift(on: Stage) -> None:
    digital.programme(on.world, gift="YOGA", mode="send")
    order_id = placed(on)
    on.clock.now = NOON + timedelta(hours=4)
    sweep.tick(on.world)
    queues: Any = on.world.queues
    while any(topic is Topic.DISPATCH for topic, _ in queues.sent):
        topic, name = queues.sent.pop(0)
        drive.run(on.world, topic, name)
    assert on.order(order_id).state is OrderState.STRANDED
    queues.sent.clear()
    on.minutes(4)
    assert on.order(order_id).state is OrderState.FULFILLED_DIGITALLY


# --- nothing to give ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fallback", [{}, {"gift": "NO-SUCH", "mode": "send"}])
def test_where_nothing_is_set_up_it_stays_stranded_says_so_and_is_not_tried_for_ever(
    on: Stage, fallback: dict[str, Any]
) -> None:
    digital.programme(on.world, **fallback)
    order_id = stranded(on)
    order = on.order(order_id)
    assert (order.state, outcome(on, order_id)) == (OrderState.STRANDED, DigitalOutcome.NOT_SET_UP)
    assert order.told
    version = order.version
    on.minutes(5)
    assert on.order(order_id).version == version
    piece = look.evidence_of(on.world, order_id)[-1]
    assert (piece.step, piece.decision) == (Step.DIGITAL, Decision.NO)


def test_where_none_is_left_it_stays_stranded_and_the_brand_can_send_another(on: Stage) -> None:
    digital.put(on.world, "YOGA", digital.yoga(limit=1), 1)
    digital.put(on.world, "CLUB", digital.club())
    digital.programme(on.world, gift="YOGA", mode="send")
    first, second = placed(on), placed(on, "key-2")
    on.clock.now = NOON + timedelta(hours=4)
    on.minutes(6)
    states = {on.order(first).state, on.order(second).state}
    assert states == {OrderState.STRANDED, OrderState.FULFILLED_DIGITALLY}
    left = first if on.order(first).state is OrderState.STRANDED else second
    assert outcome(on, left) is DigitalOutcome.SOLD_OUT
    assert act(on, left, "send", "CLUB").state is OrderState.FULFILLED_DIGITALLY


def test_what_was_sold_out_while_it_was_held_is_asked_for_again_once_it_is_stranded(on: Stage) -> None:
    digital.put(on.world, "YOGA", digital.yoga(limit=1), 1)
    digital.programme(on.world, gift="YOGA", mode="send", patience_minutes=10)
    order_ids = [placed(on), placed(on, "key-2")]
    on.minutes(12)
    left = next(o for o in order_ids if on.order(o).state is OrderState.HELD)
    assert outcome(on, left) is DigitalOutcome.SOLD_OUT
    digital.put(on.world, "YOGA", digital.yoga(limit=2), 2)
    on.minutes(30)
    assert on.order(left).state is OrderState.HELD
    on.clock.now = NOON + timedelta(hours=4)
    on.minutes(4)
    assert on.order(left).state is OrderState.FULFILLED_DIGITALLY


# --- offered ------------------------------------------------------------------------------------------------------


def offering(on: Stage, **more: Any) -> None:
    digital.programme(on.world, gift="YOGA", mode="offer", **{"offer_minutes": 120, **more})


def test_an_offer_keeps_one_for_the_answer_and_an_acceptance_gives_it(on: Stage) -> None:
    offering(on)
    order_id = stranded(on)
    order = on.order(order_id)
    assert (order.state, outcome(on, order_id)) == (OrderState.STRANDED, OFFERED)
    assert digital.left(on.world) == 2
    with pytest.raises(Clashing, match="no code"):
        redeem.code_of(on.world, digital.pass_of(on.world, order_id))
    assert act(on, order_id, "accept").state is OrderState.FULFILLED_DIGITALLY
    assert digital.left(on.world) == 2
    code = redeem.code_of(on.world, digital.pass_of(on.world, order_id)).code
    assert redeem.redeem(on.world, STUDIO, "visit-1", code)
    assert on.brand.heard[-1]["type"] == "order.fulfilled_digitally"


def test_an_answer_that_comes_twice_is_the_same_and_the_other_one_is_too_late(on: Stage) -> None:
    offering(on)
    order_id = stranded(on)
    version = on.order(order_id).version
    first = act(on, order_id, "accept", version=version)
    again = act(on, order_id, "accept", version=version)
    assert again.state is first.state is OrderState.FULFILLED_DIGITALLY
    assert digital.left(on.world) == 2
    with pytest.raises(Clashing, match="withdraw its pass"):
        act(on, order_id, "decline")


def test_what_is_declined_is_free_again_once(on: Stage) -> None:
    offering(on)
    order_id = stranded(on)
    version = on.order(order_id).version
    for _ in range(2):
        act(on, order_id, "decline", version=version)
    assert digital.left(on.world) == 3
    assert (on.order(order_id).state, outcome(on, order_id)) == (
        OrderState.STRANDED,
        DigitalOutcome.DECLINED,
    )
    with pytest.raises(Clashing, match="the offer is over: declined since"):
        act(on, order_id, "accept")
    on.minutes(200)
    assert digital.left(on.world) == 3, "nothing is left in the index that gives it back again"


def test_an_offer_that_nobody_answers_lapses_and_its_seat_is_free_again_once(on: Stage) -> None:
    offering(on)
    order_id = stranded(on)
    until = on.order(order_id).digital.until  # type: ignore[union-attr]
    assert until is not None
    on.clock.now = until
    with pytest.raises(Clashing, match="the offer is over since"):
        answer.accept(on.world, order_id)
    on.minutes(3)
    assert (outcome(on, order_id), digital.left(on.world)) == (LAPSED, 3)
    assert on.world.table.find_due(OFFERS, on.clock.now + timedelta(days=99), 9).keys == ()
    assert digital.pass_of(on.world, order_id).state is PassState.RELEASED


def test_an_offer_of_a_partners_code_gives_that_code_back(on: Stage) -> None:
    digital.put(on.world, "STUDIO", digital.listed())
    digital.load(on.world, "STUDIO", 1, "YOGA-0001")
    digital.programme(on.world, gift="STUDIO", mode="offer", offer_minutes=30)
    first, second = placed(on), placed(on, "key-2")
    on.clock.now = NOON + timedelta(hours=4)
    on.minutes(5)
    asked = first if outcome(on, first) is OFFERED else second
    other = second if asked == first else first
    assert outcome(on, other) is DigitalOutcome.SOLD_OUT
    with pytest.raises(Clashing, match="not given"):
        redeem.redeem(on.world, STUDIO, "visit-1", "YOGA-0001")
    act(on, asked, "decline")
    assert digital.left(on.world, "STUDIO") == 1
    with pytest.raises(Missing):
        redeem.redeem(on.world, STUDIO, "visit-1", "YOGA-0001")
    assert act(on, other, "send", "STUDIO").state is OrderState.FULFILLED_DIGITALLY
    assert redeem.redeem(on.world, STUDIO, "visit-1", "YOGA-0001")


def test_a_courier_that_comes_free_while_the_offer_is_out_takes_the_parcel(on: Stage) -> None:
    offering(on, patience_minutes=10)
    order_id = placed(on)
    on.minutes(12)
    assert (on.order(order_id).state, outcome(on, order_id)) == (OrderState.HELD, OFFERED)
    open_again(on)
    on.minutes(12)
    assert on.order(order_id).state is OrderState.BOOKED
    with pytest.raises(Clashing, match="a courier was found meanwhile"):
        answer.accept(on.world, order_id)
    assert digital.left(on.world) == 2, "the courier may still say no"
    on.clock.forward(hours=1)
    (reference,) = on.company.jobs
    for kind in ("picked_up", "delivered"):
        on.clock.forward(minutes=5)
        said = on.company.move(reference, kind, on.clock.now)
        receive.receive(on.world, "SHA", "paper-co", said)
        on.settle()
        with pytest.raises(Clashing):
            answer.accept(on.world, order_id)
    assert on.order(order_id).state is OrderState.DELIVERED
    assert (outcome(on, order_id), digital.left(on.world)) == (LAPSED, 3)


def test_a_courier_that_says_no_after_all_leaves_the_offer_open(on: Stage) -> None:
    offering(on, patience_minutes=10, offer_minutes=600)
    order_id = placed(on)
    on.minutes(12)
    on.company.refuse["book"] = "no_riders"
    open_again(on)
    on.minutes(3)
    assert on.order(order_id).state is OrderState.HELD
    assert on.company.refuse
    assert answer.accept(on.world, order_id).state is OrderState.FULFILLED_DIGITALLY
    on.minutes(20)
    assert on.left() == 3
    assert on.live_bookings(order_id) == 0


def test_an_offer_to_a_cancelled_order_ends_with_it(on: Stage) -> None:
    offering(on, patience_minutes=10)
    order_id = placed(on)
    on.minutes(12)
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    assert on.order(order_id).state is OrderState.CANCELLED
    assert (outcome(on, order_id), digital.left(on.world)) == (LAPSED, 3)


def test_sent_out_again_while_the_offer_is_out_it_waits_and_may_still_be_accepted(on: Stage) -> None:
    offering(on, offer_minutes=600)
    order_id = stranded(on)
    later = new_order().window.model_copy(
        update={"start": NOON + timedelta(hours=8), "end": NOON + timedelta(hours=11)}
    )
    send_again(on.world, "maison", order_id, later, on.order(order_id).version)
    on.settle()
    assert on.order(order_id).state is OrderState.HELD
    assert answer.accept(on.world, order_id).state is OrderState.FULFILLED_DIGITALLY
    on.minutes(5)
    with pytest.raises(Clashing):
        send_again(on.world, "maison", order_id, later, on.order(order_id).version)


# --- asked for ----------------------------------------------------------------------------------------------------


def test_a_brand_sends_one_before_anybody_is_stranded(on: Stage) -> None:
    order_id = placed(on, fallback="hold")
    assert act(on, order_id, "send", "YOGA").state is OrderState.FULFILLED_DIGITALLY
    digital_ = on.order(order_id).digital
    assert digital_ == Digital(gift="YOGA", why=WhyDigital.ASKED, outcome=GIVEN, at=on.clock.now)


def test_a_place_and_quota_that_were_given_and_not_booked_come_back(on: Stage) -> None:
    quota = {"per": "household", "limit": 5}
    limited = {**stage.OPEN_TO_THE_DOOR, "policy_id": "limited", "quotas": [quota]}
    publish_rules(on.world, "amend", zone("Yongjia", "limited@1"), policies=[limited])
    order_id = placed_and_not_booked(on)
    taken = on.order(order_id).leg.assignment.quotas  # type: ignore[union-attr]
    assert [each.per for each in taken] == ["household"]
    counted = facts.quota_key("SHA", taken[0])
    assert (on.left(), counter(on, counted)) == (2, 1)
    version = on.order(order_id).version
    wish = DigitalAction(action=DigitalStep.SEND, gift="YOGA")
    answer.act(on.world, "maison", order_id, wish, version)
    assert (on.left(), counter(on, counted)) == (3, 0)
    on.settle()
    on.minutes(10)
    assert on.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    assert not on.company.jobs
    assert on.left() == 3


def counter(on: Stage, key: Any) -> int:
    row = on.plain.table.get(key)
    assert row is not None
    return row.counters["taken"]


def placed_and_not_booked(on: Stage) -> str:
    queues: Any = on.world.queues
    order, _ = place(on.world, "maison", "key-1", new_order(fallback="hold"))
    while queues.sent[0][0] is not Topic.BOOK:
        drive.run(on.world, *queues.sent.pop(0))
    assert on.order(order.order_id).state is OrderState.ASSIGNED
    return order.order_id


def booked(on: Stage, **changes: Any) -> str:
    """An order that a courier has the job of."""
    open_again(on)
    order_id = placed(on, **changes)
    assert on.order(order_id).state is OrderState.BOOKED
    return order_id


def test_a_booked_courier_is_asked_to_let_go_and_then_it_is_given(on: Stage) -> None:
    order_id = booked(on)
    with pytest.raises(Clashing, match="a courier has it or is sent for it"):
        act(on, order_id, "offer", "YOGA")
    version = on.order(order_id).version
    wish = DigitalAction(action=DigitalStep.SEND, gift="YOGA")
    asked = answer.act(on.world, "maison", order_id, wish, version)
    assert (asked.state, asked.digital and asked.digital.outcome) == (
        OrderState.BOOKED,
        DigitalOutcome.WANTED,
    )
    assert digital.left(on.world) == 2
    assert answer.act(on.world, "maison", order_id, wish, version).version == asked.version
    with pytest.raises(Clashing, match="has not answered"):
        answer.decline(on.world, order_id)
    on.settle()
    on.minutes(3)
    assert on.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    assert on.live_bookings(order_id) == 0
    assert (on.left(), digital.left(on.world)) == (3, 2)
    assert [p.digital.outcome for p in look.evidence_of(on.world, order_id) if p.digital] == [
        DigitalOutcome.WANTED,
        GIVEN,
    ]


def test_a_courier_that_would_not_let_go_carries_the_parcel_and_the_seat_is_free_again(on: Stage) -> None:
    order_id = booked(on)
    on.company.refuse["cancel"] = "too_late"
    act(on, order_id, "send", "YOGA")
    on.minutes(3)
    carry(on, "picked_up")
    assert (on.order(order_id).state, outcome(on, order_id)) == (OrderState.PICKED_UP, LAPSED)
    assert digital.left(on.world) == 3
    carry(on, "delivered")
    assert on.order(order_id).state is OrderState.DELIVERED


def test_a_courier_that_sets_out_at_that_moment_carries_it(on: Stage) -> None:
    order_id = booked(on)
    on.company.deaf.add("cancel")
    act(on, order_id, "send", "YOGA")
    carry(on, "picked_up")
    assert (on.order(order_id).state, outcome(on, order_id)) == (OrderState.PICKED_UP, LAPSED)
    on.company.deaf.clear()
    on.minutes(3)
    assert digital.left(on.world) == 3


def test_an_offer_that_is_out_is_given_once_the_courier_has_let_go_where_the_brand_says_so(on: Stage) -> None:
    offering(on, patience_minutes=10, offer_minutes=600)
    order_id = placed(on)
    on.minutes(12)
    open_again(on)
    on.minutes(2)
    assert on.order(order_id).state is OrderState.BOOKED
    act(on, order_id, "send", "YOGA")
    on.minutes(3)
    assert on.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    assert digital.left(on.world) == 2


def test_what_is_wanted_is_not_planned_again_and_a_cancellation_frees_it(on: Stage) -> None:
    order_id = booked(on)
    on.company.silent.add("cancel")
    act(on, order_id, "send", "YOGA")
    order = on.order(order_id)
    cancel(on.world, "maison", order_id, order.version)
    on.company.silent.clear()
    on.settle()
    on.minutes(6)
    assert on.order(order_id).state is OrderState.CANCELLED
    assert (outcome(on, order_id), digital.left(on.world)) == (LAPSED, 3)
    assert len(on.company.jobs) == 1


def carry(on: Stage, kind: str) -> None:
    (reference,) = on.company.jobs
    on.clock.forward(minutes=61 if kind == "picked_up" else 5)
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, kind, on.clock.now))
    on.settle()


def test_what_came_back_can_be_stood_in_for(on: Stage) -> None:
    open_again(on)
    order_id = placed(on, fallback="hold")
    on.clock.forward(hours=1)
    (reference,) = on.company.jobs
    for kind in ("picked_up", "returned"):
        on.clock.forward(minutes=5)
        receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, kind, on.clock.now))
        on.settle()
    assert on.order(order_id).state is OrderState.RETURNED
    assert act(on, order_id, "send", "YOGA").state is OrderState.FULFILLED_DIGITALLY
    on.minutes(3)
    assert on.order(order_id).state is OrderState.FULFILLED_DIGITALLY


def test_a_brand_has_its_client_asked_and_need_not_wait_for_the_answer(on: Stage) -> None:
    order_id = placed(on, fallback="hold")
    asked = act(on, order_id, "offer", "YOGA")
    assert (asked.state, outcome(on, order_id)) == (OrderState.HELD, OFFERED)
    version = on.order(order_id).version
    assert act(on, order_id, "offer", "YOGA").version == version
    digital.put(on.world, "CLUB", digital.club())
    with pytest.raises(Clashing, match="'YOGA' is offered"):
        act(on, order_id, "send", "CLUB")
    assert act(on, order_id, "send", "YOGA").state is OrderState.FULFILLED_DIGITALLY
    assert digital.left(on.world) == 2


def test_what_cannot_be_is_refused_and_says_why(on: Stage) -> None:
    order_id = placed(on, fallback="hold")
    with pytest.raises(Invalid, match="the programme names none"):
        act(on, order_id, "send")
    with pytest.raises(Clashing, match="nothing was offered"):
        act(on, order_id, "accept")
    with pytest.raises(Stale):
        act(on, order_id, "send", "YOGA", version=99)
    with pytest.raises(Missing):
        answer.act(on.world, "autre-maison", order_id, DigitalAction(action=DigitalStep.ACCEPT), None)
    digital.put(on.world, "YOGA", digital.yoga(limit=1), 1)
    act(on, placed(on, "key-2"), "send", "YOGA")
    rows = dict(on.plain.table.rows)  # type: ignore[attr-defined]
    with pytest.raises(Clashing, match="none of 'YOGA' is left"):
        act(on, order_id, "send", "YOGA")
    assert on.plain.table.rows == rows  # type: ignore[attr-defined]


def test_a_job_given_up_for_lost_that_turns_up_is_called_off(on: Stage) -> None:
    """The client has another gift by then: the courier that had it after all is asked to let go."""
    open_again(on)
    on.company.deaf.add("book")
    order_id = placed(on, fallback="hold")
    on.company.deaf.clear()
    on.company.refuse["book"] = "no_riders"
    on.minutes(12)
    assert on.live_bookings(order_id) == 0
    act(on, order_id, "send", "YOGA")
    reference = f"{order_id}-1-1"
    on.company.jobs[reference] = PaperJob(reference, "P-lost")
    receive.receive(on.world, "SHA", "paper-co", callback(reference, "accepted", on.clock.now))
    on.settle()
    on.minutes(6)
    assert not on.company.jobs[reference].is_open
    assert on.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    assert on.live_bookings(order_id) == 0


# --- clients who are forgotten ------------------------------------------------------------------------------------


def for_a_client(on: Stage, key: str = "key-1") -> str:
    order, _ = give(on.world, "maison", key, stage.client_wish(fallback="digital"))
    on.settle()
    return order.order_id


def forgotten(on: Stage) -> None:
    """The data key is gone, whatever still waits to be cleared."""
    key = data_key_of_client(client_id_of("maison", "vic-1"))
    row = on.plain.table.get(key)
    assert row is not None
    on.plain.table.write(Drop(key, was=row.version))
    on.world.memory.clear()


def test_nothing_stands_in_for_a_client_who_was_forgotten_and_no_key_is_made_anew(on: Stage) -> None:
    enrol.enrol(on.world, "maison", "vic-1", stage.new_client())
    digital.programme(on.world, gift="YOGA", mode="send")
    order_id = for_a_client(on)
    assert on.order(order_id).state is OrderState.HELD
    forgotten(on)
    on.clock.now = NOON + timedelta(hours=4)
    on.minutes(6)
    assert (on.order(order_id).state, outcome(on, order_id)) == (OrderState.STRANDED, LAPSED)
    assert digital.left(on.world) == 3
    assert on.plain.table.get(data_key_of_client(client_id_of("maison", "vic-1"))) is None


@pytest.mark.parametrize("gift", ["YOGA", "STUDIO"])
def test_an_offer_to_a_client_who_was_forgotten_lapses(on: Stage, gift: str) -> None:
    digital.put(on.world, "STUDIO", digital.listed())
    digital.load(on.world, "STUDIO", 1, "YOGA-0001", "YOGA-0002")
    enrol.enrol(on.world, "maison", "vic-1", stage.new_client())
    digital.programme(on.world, gift=gift, mode="offer", offer_minutes=30, patience_minutes=5)
    order_id = for_a_client(on)
    on.minutes(12)
    assert outcome(on, order_id) is OFFERED
    forgotten(on)
    if gift == "YOGA":
        with pytest.raises(Forgotten):
            answer.accept(on.world, order_id)
    on.minutes(35)
    assert outcome(on, order_id) is LAPSED
    free = {"YOGA": 3, "STUDIO": 1}  # a code that nobody can read any more goes to nobody
    assert digital.left(on.world, gift) == free[gift]
