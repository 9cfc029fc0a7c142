"""A courier that fails is left in peace, its gifts go to others, and it comes back by one question."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.breaker import FAILURES
from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Dialect,
    Job,
    LookUpAnswer,
    NotFound,
    Reply,
    Request,
    Unsure,
)
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import enlist, look, spare
from chalicelib.flows.ask import ask
from chalicelib.flows.book import book
from chalicelib.flows.cancel import cancel
from chalicelib.flows.place import place
from tests.paper import PaperDialect, TokenPaperDialect
from tests.stage import NOON, Stage, crew, new_order, permit, slot, stage

EVERY_VERB = {"book", "look", "cancel"}


def put(on: Stage, key: str) -> str:
    order, _ = place(on.world, "maison", key, new_order())
    return order.order_id


def breaker_row(on: Stage) -> Any:
    return on.plain.table.get(facts.breaker_key("SHA", "paper-co"))


def down(on: Stage) -> list[str]:
    """The courier answers nobody until its breaker opens: the orders that it was asked for."""
    on.company.deaf |= EVERY_VERB
    names = [put(on, f"down-{number}") for number in range(FAILURES)]
    on.settle()
    assert facts.breaker_of_row(breaker_row(on)).is_open(on.clock())
    return names


def wide(**changes: Any) -> Stage:
    return stage(capacity=20, **changes)


def test_a_courier_that_does_well_costs_no_row() -> None:
    on = wide()
    put(on, "key-1")
    on.settle()
    assert breaker_row(on) is None


def test_nobody_asks_a_courier_that_is_left_in_peace_and_no_attempt_is_saved() -> None:
    on = wide()
    down(on)
    calls = len(on.company.calls)
    name = put(on, "key-late")
    on.settle()
    order = on.order(name)
    assert len(on.company.calls) == calls
    assert order.leg.bookings == ()
    assert order.state is OrderState.HELD
    assert order.outlook is not None and order.outlook.reasons == (Reason.COURIER_DOWN,)


def test_the_evidence_says_that_it_did_not_answer_and_so_does_the_question_who_could_go() -> None:
    on = wide()
    down(on)
    name = put(on, "key-late")
    on.settle()
    rows = on.plain.table.read(name, "evidence#").rows
    last = Evidence.model_validate_json(rows[-1].body)
    assert (last.step, last.reasons) == (Step.DISPATCH, (Reason.COURIER_DOWN,))
    answer = look.clearance(on.world, new_order())
    assert answer.reasons == (Reason.COURIER_DOWN,)


def test_the_gifts_go_to_another_courier_meanwhile() -> None:
    on = wide()
    names = down(on)
    on.company.deaf.clear()
    second_courier(on)
    late = put(on, "key-late")
    on.settle()
    (booking,) = on.order(late).leg.bookings
    assert (booking.courier_id, booking.state) == ("other-co", BookingState.BOOKED)
    assert all(on.live_bookings(name) == 1 for name in names), (
        "what was asked stays unknown until it is looked up"
    )


def second_courier(on: Stage) -> None:
    known = enlist.courier(on.world, "SHA", "paper-co")
    enlist.put_courier(on.world, known.model_copy(update={"courier_id": "other-co"}))
    enlist.put_crew(on.world, crew(2).model_copy(update={"courier_id": "other-co"}))
    enlist.put_permit(on.world, permit(2))
    enlist.put_slot(on.world, slot(2, 5).model_copy(update={"courier_id": "other-co"}))


def test_what_was_never_sent_is_in_doubt_nowhere_and_the_gift_goes_to_another_at_once() -> None:
    """A courier that takes no connection was asked nothing: only what went out can have been done."""
    on = wide()
    on.company.gone |= EVERY_VERB
    name = put(on, "key-1")
    on.settle()
    gone = on.order(name)
    assert gone.leg.live_booking is None
    assert {booking.state for booking in gone.leg.bookings} == {BookingState.LOST}
    assert len(gone.leg.bookings) <= FAILURES
    assert (gone.state, gone.outlook and gone.outlook.reasons) == (OrderState.HELD, (Reason.COURIER_DOWN,))
    rows = on.plain.table.read(name, "evidence#").rows
    told = [Evidence.model_validate_json(row.body) for row in rows]
    assert (Step.BOOK, (Reason.COURIER_DOWN,)) in {(piece.step, piece.reasons) for piece in told}
    assert gone.leg.refusals == (), "it has refused nothing, and may be asked when it is back"
    second_courier(on)
    on.company.gone.clear()
    on.minutes(2)
    assert on.live_bookings(name) == 1
    assert not on.company.doubled


@pytest.mark.parametrize("reason", ["account_refused", "signature_refused"])
def test_a_courier_that_does_not_know_our_account_is_left_in_peace_before_every_gift_has_lost_it(
    reason: str,
) -> None:
    on = wide()
    on.company.refuse["book"] = reason
    names = [put(on, f"key-{number}") for number in range(FAILURES + 4)]
    on.settle()
    row = facts.breaker_of_row(breaker_row(on))
    assert (row.is_open(on.clock()), row.why) == (True, "account_refused")
    spared = [name for name in names if not on.order(name).leg.refusals]
    assert len(spared) == 4
    on.company.refuse.clear()
    on.minutes(20)
    assert {on.order(name).state for name in spared} == {OrderState.BOOKED}


def test_where_nobody_lets_us_log_in_nothing_is_in_doubt_either() -> None:
    on = wide()
    on.world.dialects = {"paper": TokenPaperDialect()}
    on.company.gone.add("login")
    name = put(on, "key-1")
    on.settle()
    assert {booking.state for booking in on.order(name).leg.bookings} == {BookingState.LOST}
    assert on.company.calls == []
    on.company.gone.clear()
    on.minutes(20)
    assert on.order(name).state is OrderState.BOOKED


def test_a_place_that_was_never_asked_for_is_free_again() -> None:
    on = wide()
    left = enlist.fleet(on.world, "SHA").left
    on.company.gone |= EVERY_VERB
    put(on, "key-1")
    on.settle()
    assert enlist.fleet(on.world, "SHA").left == left


def test_one_question_goes_out_when_its_time_is_over_and_an_answer_brings_everything_back() -> None:
    on = wide()
    names = [*down(on), put(on, "key-late")]
    on.settle()
    on.company.deaf.clear()
    on.minutes(20)
    assert breaker_row(on) is None
    assert [on.order(name).state for name in names] == [OrderState.BOOKED] * len(names)
    assert not on.company.doubled
    said = [line["event"] for line in on.world.log.lines]  # type: ignore[attr-defined]
    assert said.count("breaker_opened") == said.count("breaker_closed") == 1


def test_while_it_stays_down_it_is_asked_ever_less_and_never_by_two_at_once() -> None:
    on = wide()
    down(on)
    calls = len(on.company.calls)
    on.minutes(60)
    asked = len(on.company.calls) - calls
    assert 3 <= asked <= 7, "after 1, 2, 4, 8, 15, 15 minutes"


def test_of_sixteen_who_ask_when_its_time_is_over_one_is_let_through() -> None:
    on = wide()
    down(on)
    on.clock.forward(minutes=2)
    courier = enlist.courier(on.world, "SHA", "paper-co")
    row = breaker_row(on)
    with ThreadPoolExecutor(16) as pool:
        given = list(pool.map(lambda _: spare.leave(on.world, courier, row), range(16)))
    assert sum(isinstance(leave, spare.Leave) for leave in given) == 1


def test_a_probe_that_was_never_answered_lapses() -> None:
    on = wide()
    down(on)
    on.clock.forward(minutes=2)
    courier = enlist.courier(on.world, "SHA", "paper-co")
    assert isinstance(spare.leave(on.world, courier, breaker_row(on)), spare.Leave)
    assert not isinstance(spare.leave(on.world, courier, breaker_row(on)), spare.Leave)
    on.clock.forward(seconds=31)
    assert isinstance(spare.leave(on.world, courier, breaker_row(on)), spare.Leave)


@pytest.mark.parametrize("said", ["420", "Mon, 11 Apr 2022 04:07:00 GMT"])
def test_a_courier_that_says_when_it_wants_to_be_asked_again_is_not_asked_before(said: str) -> None:
    on = wide()
    line: Any = on.world.line
    answer = line.answer
    line.answer = lambda request: (
        Reply(429, {"retry-after": said}, b"") if "paper.example" in request.url else answer(request)
    )
    name = put(on, "key-1")
    on.settle()
    line.answer = answer
    (booking,) = on.order(name).leg.bookings
    assert booking.next_look == on.clock() + timedelta(minutes=7)
    calls = len(on.company.calls)
    for _ in range(6):
        on.clock.forward(minutes=1)
        book(on.world, name)
    assert len(on.company.calls) == calls
    on.minutes(6)
    assert on.order(name).state is OrderState.BOOKED


@pytest.mark.parametrize(
    "said", ["", "soon", "-4", "9" * 40, "Mon, 11 Apr 2022", f"Mon, 11 Apr {'9' * 20} 04:07:00 GMT"]
)
def test_what_cannot_be_read_of_retry_after_says_nothing(said: str) -> None:
    on = wide()
    line: Any = on.world.line
    line.answer = lambda request: Reply(503, {"retry-after": said}, b"")
    name = put(on, "key-1")
    on.settle()
    (booking,) = on.order(name).leg.bookings
    assert booking.state is BookingState.UNKNOWN
    assert not facts.breaker_of_row(breaker_row(on)).is_open(on.clock())


def answering(on: Stage, reply: Reply) -> None:
    """From now on whoever asks the courier gets that."""
    line: Any = on.world.line
    line.answer = lambda request: reply


class UnreadingPaperDialect(PaperDialect):
    """The same; what is no JSON it cannot read."""

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        return super().booked(reply, job) if reply.body[:1] == b"{" else Unsure("unreadable")

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        known = super().looked_up
        return known(reply, reference, courier_id, at) if reply.body[:1] == b"{" else Unsure("unreadable")


@pytest.mark.parametrize("status", [200, 302, 404])
def test_a_page_that_says_it_is_being_mended_is_no_answer_of_the_courier(status: int) -> None:
    on = wide()
    on.world.dialects = {"paper": UnreadingPaperDialect()}
    answering(on, Reply(status, {}, b"<html>back soon"))
    for number in range(FAILURES):
        put(on, f"key-{number}")
    on.settle()
    assert facts.breaker_of_row(breaker_row(on)).is_open(on.clock())


def test_the_one_question_is_not_answered_by_what_proves_nothing() -> None:
    """Else hundreds that wait would be sent after it, and stay in doubt."""
    on = wide()
    down(on)
    on.company.deaf.clear()
    courier, was = enlist.courier(on.world, "SHA", "paper-co"), breaker_row(on)
    until = facts.breaker_of_row(was).until
    assert until is not None
    on.clock.now = until
    busy = ask(on.world, courier, _look, lambda dialect, reply: Unsure("busy"), "ord")
    assert isinstance(busy, Unsure)
    assert breaker_row(on) is not None
    on.clock.forward(seconds=31)
    ask(on.world, courier, _look, lambda dialect, reply: NotFound(), "ord")
    assert breaker_row(on) is None


def _look(dialect: Dialect, account: Account, token: str) -> Request:
    return dialect.look_up(account, token, "nobody", None, NOON)


def test_what_was_not_asked_is_no_try_and_waits_no_longer_than_the_courier_is_left_in_peace() -> None:
    """A gift that somebody wants called off is called off when the courier is back, not when its tries grew rare."""
    on = wide()
    name = put(on, "key-booked")
    on.settle()
    down(on)
    cancel(on.world, "maison", name, on.order(name).version)
    on.minutes(40)
    (booking,) = on.order(name).leg.bookings
    until = facts.breaker_of_row(breaker_row(on)).until
    assert booking.state is BookingState.CANCELLING and booking.next_look is not None and until is not None
    assert booking.next_look <= max(until, on.clock()) + timedelta(minutes=2)
    on.company.deaf.clear()
    on.clock.now = max(until, on.clock())
    on.minutes(5)
    assert on.order(name).state is OrderState.CANCELLED


class NeedyPaperDialect(PaperDialect):
    """The same, of a courier that wants to be told which shop."""

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        assert account["shop_no"]
        return super().book(account, token, job, at)


def test_an_account_that_lacks_what_its_courier_wants_leaves_no_gift_in_doubt() -> None:
    on = wide()
    on.world.dialects = {"paper": NeedyPaperDialect()}
    name = put(on, "key-1")
    on.settle()
    order = on.order(name)
    assert on.company.calls == []
    assert order.leg.live_booking is None
    assert [refusal.reason for refusal in order.leg.refusals] == ["account_missing"]
    said = [line["event"] for line in on.world.log.lines]  # type: ignore[attr-defined]
    assert "courier_account_missing" in said


def test_what_was_refused_because_of_our_account_is_asked_again_when_that_may_be_mended() -> None:
    on = wide()
    on.company.refuse["book"] = "account_unpaid"
    name = put(on, "key-1")
    on.settle()
    order = on.order(name)
    assert order.state is OrderState.HELD
    assert order.leg.refused_by(on.clock()) == {"slot-1"}
    assert order.leg.refused_by(on.clock() + timedelta(hours=1)) == frozenset()
    on.company.refuse.clear()
    on.minutes(95)
    assert on.order(name).state is OrderState.BOOKED


def test_what_was_refused_because_of_the_gift_is_refused_for_good() -> None:
    on = wide()
    on.company.refuse["book"] = "goods_refused"
    name = put(on, "key-1")
    on.settle()
    order = on.order(name)
    assert order.leg.refused_by(on.clock() + timedelta(days=9)) == {"slot-1"}


def test_of_all_that_wait_one_asks_whether_it_is_back_and_the_others_are_given_to_it_when_it_is() -> None:
    """Each that was given to it and taken back again would cost a step, and its brand would be told of both."""
    on = wide()
    down(on)
    waiting = [put(on, f"waits-{number}") for number in range(8)]
    on.settle()
    on.minutes(12)  # it stays silent: asked after one minute, after two more, after four more
    given = [sum(step.state is OrderState.ASSIGNED for step in on.order(name).history) for name in waiting]
    assert sum(given) <= 4, f"of eight one at a time asks, and none goes to and fro: {given}"
    assert max(given) <= 2
    on.company.deaf.clear()
    on.minutes(10)
    assert [on.live_bookings(name) for name in waiting] == [1] * 8
    assert not on.company.doubled
