"""Booking: what the courier cannot be asked, what comes too late, who is gone, and what is told again."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.dialect import CancelConfirmed
from chalicelib.domain.errors import Clashing, Invalid
from chalicelib.domain.legs import Booking, BookingState, EventKind
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Topic
from chalicelib.domain.steps import moved
from chalicelib.flows import enlist, receive
from chalicelib.flows.book import book
from chalicelib.flows.bookings import ECHO
from chalicelib.flows.cancel import cancel
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.place import place
from tests.paper import HintingPaperDialect, PaperDialect
from tests.stage import NOON, Stage, crew, new_order, slot, stage


def placed(on: Stage, key: str = "key-1", **changes: Any) -> str:
    order, _ = place(on.world, "maison", key, new_order(**changes))
    return order.order_id


def test_a_job_the_dialect_has_no_words_for_is_refused_by_the_whole_courier_and_never_sent() -> None:
    class Wordless(PaperDialect):
        def book(self, *_: Any) -> Any:
            raise Invalid("no such currency here")

    on = stage(crews=2)
    on.world.dialects = {"paper": Wordless()}
    order_id = placed(on)
    on.minutes(5)
    order = on.order(order_id)
    assert [b.state for b in order.leg.bookings] == [BookingState.REFUSED]
    assert [r.reason for r in order.leg.refusals] == ["not_expressible"]
    assert on.company.calls == []
    assert on.left("slot-1") == on.left("slot-2") == 3


def test_nobody_is_sent_when_the_time_for_handing_over_cannot_be_reached_any_more() -> None:
    on = stage()
    on.company.deaf.add("book")
    order_id = placed(on)
    on.settle()
    by = on.order(order_id).leg.assignment.hand_over_by  # type: ignore[union-attr]
    on.clock.now = by - timedelta(minutes=30)  # the ride takes an hour
    on.company.deaf.clear()
    on.minutes(3)
    assert [verb for verb, _ in on.company.calls if verb == "book"] == ["book"]
    assert on.order(order_id).state in (OrderState.HELD, OrderState.STRANDED)
    assert on.left() == 3


def test_a_courier_or_a_crew_with_a_job_stays_until_it_is_over() -> None:
    on = stage()
    order_id = placed(on)
    on.settle()
    for kind, name in (("couriers", "paper-co"), ("crews", "crew-1")):
        with pytest.raises(Clashing, match="has a job still"):
            enlist.remove(on.world, "SHA", kind, name)
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    enlist.remove(on.world, "SHA", "crews", "crew-1")
    enlist.remove(on.world, "SHA", "couriers", "paper-co")


def test_a_refused_end_of_one_booking_says_nothing_of_the_next() -> None:
    on = stage(crews=2)
    order_id = placed(on)
    on.settle()
    on.company.refuse["cancel"] = "on the way"
    enlist.put_crew(on.world, crew(1, withdrawn=True))
    on.settle()
    first = on.order(order_id).leg.bookings[0]
    assert (first.state, first.cancel_answer != "") == (BookingState.BOOKED, True)
    on.minutes(40)
    assert [verb for verb, _ in on.company.calls].count("cancel") == 1, "its last word is its last"
    on.company.refuse.clear()

    receive.receive(
        on.world, "SHA", "paper-co", on.company.move(first.reference, "pick_up_failed", on.clock.now)
    )
    on.company.silent.add("book")
    on.settle()
    on.minutes(1)
    second = on.order(order_id).leg.bookings[1]
    assert second.state is BookingState.UNKNOWN
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.minutes(5)
    assert on.order(order_id).state is OrderState.CANCELLED
    assert not on.company.jobs[second.reference].is_live


def test_a_booking_is_told_though_every_nudge_to_tell_it_was_lost() -> None:
    on = stage()
    queues = on.world.queues
    nudge = queues.nudge

    def deaf_to_telling(topic: Topic, ids: Any) -> None:
        if topic is not Topic.TELL:
            nudge(topic, ids)

    queues.nudge = deaf_to_telling  # type: ignore[method-assign]
    order_id = placed(on)
    on.settle()
    assert on.order(order_id).state is OrderState.BOOKED
    queues.nudge = nudge  # type: ignore[method-assign]
    assert on.brand.heard == []
    on.minutes(int(ECHO.total_seconds() // 60) + 1)
    assert [n["data"]["state"] for n in on.brand.heard] == ["placed", "assigned", "booked"]


def counting_reads(on: Stage) -> list[str]:
    """The reads of the table from here on, by name."""
    reads: list[str] = []
    table: Any = on.world.table
    for name in ("get", "get_many", "read"):
        plain = getattr(table, name)
        setattr(table, name, lambda *a, _n=name, _p=plain, **k: (reads.append(_n), _p(*a, **k))[1])
    return reads


def test_one_read_brings_the_order_and_what_its_assignment_rests_on() -> None:
    on = stage()
    order_id = placed(on)
    dispatch(on.world, "SHA")
    (name,) = [name for topic, name in on.world.queues.sent if topic is Topic.BOOK]  # type: ignore[attr-defined]
    reads = counting_reads(on)
    book(on.world, name)
    assert on.order(order_id).state is OrderState.BOOKED
    assert reads[0] == "get_many"
    assert len(reads) == 2, "the second is the test's own look"


def test_a_nudge_to_book_that_hints_at_what_is_no_longer_assigned_is_only_a_nudge() -> None:
    on = stage(crews=2)
    order_id = placed(on)
    dispatch(on.world, "SHA")
    slot_id = on.order(order_id).leg.assignment.slot_id  # type: ignore[union-attr]
    other = "slot-2" if slot_id == "slot-1" else "slot-1"
    crew_id = "crew-2" if other == "slot-2" else "crew-1"
    book(on.world, f"{order_id}:SHA:paper-co:{crew_id}:{other}:permit-9")
    assert on.order(order_id).state is OrderState.BOOKED
    assert on.order(order_id).leg.bookings[0].slot_id == slot_id


def test_a_crew_sealed_in_after_the_hint_was_written_is_not_booked() -> None:
    on = stage()
    order_id = placed(on)
    dispatch(on.world, "SHA")
    (name,) = [name for topic, name in on.world.queues.sent if topic is Topic.BOOK]  # type: ignore[attr-defined]
    enlist.put_crew(on.world, crew(credentials=[]))
    book(on.world, name)
    assert on.order(order_id).state is not OrderState.BOOKED
    assert on.company.jobs == {}


def test_a_place_in_a_slot_that_is_gone_is_given_back_to_nobody_and_stops_nothing() -> None:
    on = stage()
    order_id = placed(on)
    on.settle()
    del on.plain.table.rows[facts.slot_key("SHA", "slot-1")]  # type: ignore[attr-defined]
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    assert on.order(order_id).state is OrderState.CANCELLED


def test_a_crew_taken_out_and_put_in_again_is_read_anew() -> None:
    on = stage()
    facts.load_fleet(on.world.table, "SHA", on.world.memory)
    enlist.remove(on.world, "SHA", "crews", "crew-1")
    enlist.put_crew(on.world, crew(1, withdrawn=True))
    assert facts.load_fleet(on.world.table, "SHA", on.world.memory).crews["crew-1"].withdrawn


def test_a_gift_of_another_currency_and_a_window_without_end_are_refused_by_name() -> None:
    on = stage()
    item = {"name": "Ring", "item_class": "chilled", "value": {"amount": 1, "currency": "EUR"}}
    with pytest.raises(Invalid, match="/gift/items/0/value/currency"):
        placed(on, gift={"items": [item]})
    window = {"start": (NOON + timedelta(hours=1)).isoformat(), "end": "2099-01-01T00:00:00Z"}
    with pytest.raises(Invalid, match="/window/end"):
        placed(on, window=window)
    with pytest.raises(Invalid, match="/window/end"):
        enlist.put_slot(
            on.world, slot(2, crew_id="crew-1", window={"start": NOON, "end": NOON + timedelta(days=8)})
        )


def test_the_same_request_has_the_same_answer_after_its_window_has_closed() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.clock.forward(hours=9)
    again, repeated = place(on.world, "maison", "key-1", new_order())
    assert (again.order_id, repeated) == (order.order_id, True)
    with pytest.raises(Invalid, match="another body"):
        place(on.world, "maison", "key-1", new_order(reference="EASTER-2"))


def test_who_wished_for_the_end_rather_than_a_stranded_gift_has_it() -> None:
    on = stage()
    order_id = placed(on, compound="Garden", fallback="cancel")
    on.minutes(2)
    assert on.order(order_id).state is OrderState.HELD
    on.clock.forward(hours=4)
    on.minutes(2)
    assert on.order(order_id).state is OrderState.CANCELLED
    assert on.brand.heard[-1]["data"]["state"] == "cancelled"


def test_a_booking_whose_courier_is_gone_is_looked_at_less_and_less_often() -> None:
    on = stage()
    order_id = placed(on)
    on.settle()
    del on.plain.table.rows[facts.courier_key("SHA", "paper-co")]  # type: ignore[attr-defined]
    on.clock.forward(hours=3)
    on.minutes(60)
    gone = [line for line in on.world.log.lines if line["event"] == "courier_gone"]  # type: ignore[attr-defined]
    assert 3 <= len(gone) <= 10
    book(on.world, order_id)


def test_a_confirmed_end_that_says_nothing_of_the_gift_frees_nothing_before_a_look_up() -> None:
    class Terse(PaperDialect):
        def cancelled(self, reply: Any) -> Any:
            answer = super().cancelled(reply)
            return (
                dataclasses.replace(answer, returning=None) if isinstance(answer, CancelConfirmed) else answer
            )

    on = stage()
    on.world.dialects = {"paper": Terse()}
    order_id = placed(on)
    on.settle()
    (reference,) = on.company.jobs
    on.clock.forward(hours=1)
    on.company.move(reference, "picked_up", on.clock.now)  # and the callback is lost
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    on.minutes(1)
    assert on.order(order_id).state is OrderState.RETURNING
    assert on.left() == 2


def test_an_attempt_that_never_arrived_gives_its_place_back_when_the_brand_wants_no_other() -> None:
    on = stage()
    on.company.deaf.add("book")
    order_id = placed(on)
    on.settle()
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.minutes(6)
    order = on.order(order_id)
    assert (order.state, order.leg.assignment) == (OrderState.CANCELLED, None)
    assert on.left() == 3


def test_an_attempt_at_a_courier_without_an_account_by_now_is_looked_at_less_and_less_often() -> None:
    on = stage()
    on.company.deaf.add("book")
    order_id = placed(on)
    on.settle()
    on.plain.secrets.by_account.clear()  # type: ignore[attr-defined]
    on.minutes(60)
    missing = [line for line in on.world.log.lines if line["event"] == "courier_account_missing"]  # type: ignore[attr-defined]
    assert 3 <= len(missing) <= 10
    assert on.order(order_id).leg.bookings[0].is_live, "whether there is a job stays unknown"


def test_what_becomes_of_a_booking_while_an_orphan_of_the_same_order_is_settled_stands() -> None:
    on = stage()
    order_id = placed(on)
    on.settle()
    order = on.order(order_id)
    first = order.leg.bookings[0]
    second = first.model_copy(update={"number": 2, "reference": f"{order_id}-1-2", "next_look": on.clock.now})
    orphan = first.model_copy(
        update={"state": BookingState.CANCELLING, "cancel_reason": "orphan", "next_look": on.clock.now}
    )

    def keep(*bookings: Booking) -> None:
        now = on.order(order_id)
        assert now.leg.assignment is not None
        later = now.leg.assignment.model_copy(update={"start": on.clock.now + timedelta(hours=1)})
        leg = now.leg.model_copy(update={"assignment": later})
        for booking in bookings:
            leg = leg.with_booking(booking)
        on.plain.table.write(facts.keep_order(moved(now, on.clock.now, legs=(leg,))))

    keep(orphan, second)
    line: Any = on.world.line
    send = line.send

    def meanwhile(*asked: Any, **more: Any) -> Any:
        line.send = send
        keep(second.model_copy(update={"state": BookingState.CANCELLING, "cancel_reason": "not_cleared",
                                       "next_look": on.clock.now + timedelta(minutes=5)}))  # fmt: skip
        return send(*asked, **more)

    line.send = meanwhile
    book(on.world, order_id)
    assert line.send == send, "the courier was asked"
    recalled = on.order(order_id).leg.bookings[1]
    assert (recalled.state, recalled.cancel_reason) == (BookingState.CANCELLING, "not_cleared")
    assert not on.order(order_id).leg.bookings[0].is_live


def impatient(crews: int = 2) -> Stage:
    """A courier that has twenty minutes to find somebody for a job."""
    on = stage(crews=crews)
    patient = enlist.courier(on.world, "SHA", "paper-co")
    enlist.put_courier(on.world, patient.model_copy(update={"offer_minutes": 20}))
    on.settle()
    return on


def test_a_job_that_nobody_of_the_courier_takes_goes_to_another_slot_after_its_time() -> None:
    on = impatient()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (first,) = on.company.jobs
    start = on.order(order.order_id).leg.assignment.start  # type: ignore[union-attr]
    on.clock.now = start
    receive.receive(on.world, "SHA", "paper-co", on.company.move(first, "accepted", on.clock()))
    on.settle()
    on.minutes(19)
    assert on.company.jobs[first].is_open, "it is still being looked for"
    on.minutes(20)
    after = on.order(order.order_id)
    assert [b.state for b in after.leg.bookings] == [BookingState.CANCELLED, BookingState.BOOKED]
    assert [b.slot_id for b in after.leg.bookings] == ["slot-1", "slot-2"]
    assert [r.reason for r in after.leg.refusals] == ["offer_lapsed"]


def test_an_offer_is_looked_at_when_its_time_is_over_and_not_when_the_courier_is_asked_next() -> None:
    on = impatient()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (first,) = on.company.jobs
    on.clock.now = on.order(order.order_id).leg.assignment.start  # type: ignore[union-attr]
    receive.receive(on.world, "SHA", "paper-co", on.company.move(first, "accepted", on.clock()))
    on.settle()
    on.minutes(22)  # the sweep comes once a minute, and what is due is due on a full one
    after = on.order(order.order_id)
    assert [b.state for b in after.leg.bookings] == [BookingState.CANCELLED, BookingState.BOOKED]


def test_a_job_that_somebody_has_taken_is_left_to_them() -> None:
    on = impatient()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (first,) = on.company.jobs
    on.clock.now = on.order(order.order_id).leg.assignment.start  # type: ignore[union-attr]
    for kind in ("accepted", "courier_assigned"):
        receive.receive(on.world, "SHA", "paper-co", on.company.move(first, kind, on.clock()))
        on.clock.forward(minutes=1)
    on.settle()
    on.minutes(60)
    assert [b.state for b in on.order(order.order_id).leg.bookings] == [BookingState.BOOKED]


@pytest.mark.parametrize(
    "dialect", [PaperDialect(), HintingPaperDialect()], ids=lambda dialect: dialect.trust
)
def test_a_job_that_somebody_has_taken_is_left_to_them_though_that_stands_in_its_events_as_yet(
    dialect: PaperDialect,
) -> None:
    """Where a courier is on its way waits for the next word that matters; until then the order says "accepted"."""
    on = impatient()
    on.world.dialects = {"paper": dialect}
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (first,) = on.company.jobs
    on.clock.now = on.order(order.order_id).leg.assignment.start  # type: ignore[union-attr]
    for kind in ("accepted", "courier_assigned"):
        on.minutes(6)
        receive.receive(on.world, "SHA", "paper-co", on.company.move(first, kind, on.clock()))
        on.settle()
    on.minutes(40)
    assert on.order(order.order_id).leg.bookings[0].track.kind is EventKind.ACCEPTED
    assert on.company.jobs[first].is_open


def test_that_somebody_has_taken_it_may_be_said_at_the_address_of_another_market() -> None:
    """One account serves two markets, and has one address for all that it says."""
    on = impatient()
    enlist.put_market(on.world, enlist.market(on.world, "SHA").model_copy(update={"market_id": "SUZ"}))
    same = enlist.courier(on.world, "SHA", "paper-co")
    enlist.put_courier(on.world, same.model_copy(update={"market_id": "SUZ", "courier_id": "paper-suzhou"}))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (first,) = on.company.jobs
    on.clock.now = on.order(order.order_id).leg.assignment.start  # type: ignore[union-attr]
    for kind in ("accepted", "courier_assigned"):
        on.minutes(6)
        receive.receive(on.world, "SUZ", "paper-suzhou", on.company.move(first, kind, on.clock()))
        on.settle()
    on.minutes(40)
    assert on.company.jobs[first].is_open


def test_a_courier_without_such_a_time_is_waited_for_until_the_stay_is_over() -> None:
    on = stage(crews=2)
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (first,) = on.company.jobs
    on.clock.now = on.order(order.order_id).leg.assignment.start  # type: ignore[union-attr]
    receive.receive(on.world, "SHA", "paper-co", on.company.move(first, "accepted", on.clock()))
    on.settle()
    on.minutes(60)
    assert list(on.company.jobs) == [first]
