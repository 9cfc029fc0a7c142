"""Couriers are asked what a gift would cost, all at once; the plan weighs what they say, and waits for nobody."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from chalicelib import journal
from chalicelib.domain import facts
from chalicelib.domain.dialect import Quoted, Reply, Request
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.explanation import Explanation
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.shapes import Money
from chalicelib.flows import enlist, quote
from chalicelib.flows.cancel import cancel
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.place import place
from tests.paper import PaperCompany, PricedPaperDialect
from tests.stage import Stage, crew, new_order, permit, slot, stage


def market_of(*names: str) -> tuple[Stage, dict[str, PaperCompany]]:
    """A courier for each name, with a company of its own that names prices; their slots state the same price."""
    on = stage(capacity=9)
    companies: dict[str, PaperCompany] = {}
    main = enlist.courier(on.world, "SHA", "paper-co")
    for number, name in enumerate(names, start=2):
        courier = main.model_copy(
            update={"courier_id": name, "dialect": f"priced-{name}", "account": name, "asks_price": True}
        )
        companies[name] = PaperCompany(on.clock)
        on.world.dialects = {**on.world.dialects, f"priced-{name}": _at(name)}
        on.world.secrets.by_account[f"priced-{name}", name] = [{"secret": name}]  # type: ignore[attr-defined]
        enlist.put_courier(on.world, courier)
        enlist.put_crew(on.world, crew(number).model_copy(update={"courier_id": name}))
        enlist.put_permit(on.world, permit(number))
        enlist.put_slot(on.world, slot(number, 9).model_copy(update={"courier_id": name}))
    enlist.remove(on.world, "SHA", "slots", "slot-1")
    line: Any = on.world.line
    others = line.answer

    def answer(request: Request) -> Reply:
        host = request.url.split("/")[2]
        return companies[host](request) if host in companies else others(request)

    line.answer = answer
    return on, companies


def _at(host: str) -> PricedPaperDialect:
    class At(PricedPaperDialect):
        name = f"priced-{host}"

        def quote(self, *args: Any) -> Request | None:
            return _moved(super().quote(*args))

        def book(self, *args: Any) -> Request:
            request = _moved(super().book(*args))
            assert request is not None
            return request

    def _moved(request: Request | None) -> Request | None:
        if request is None:
            return None
        return Request(
            request.method, request.url.replace("paper.example", host), request.headers, request.body
        )

    return At()


def put(on: Stage, key: str = "key-1", **changes: Any) -> str:
    order, _ = place(on.world, "maison", key, new_order(**changes))
    on.settle()
    return order.order_id


def test_who_quotes_the_least_carries_it_and_is_reminded_of_its_quote() -> None:
    on, companies = market_of("dear", "fair")
    companies["dear"].fee, companies["fair"].fee = 9000, 1500
    order = on.order(put(on))
    (booking,) = order.leg.bookings
    assert (booking.courier_id, booking.state) == ("fair", BookingState.BOOKED)
    assert order.leg.assignment is not None and order.leg.assignment.quote is not None
    assert order.leg.assignment.quote.fee.amount == 1500
    assert companies["fair"].quoted == [f"Q-{booking.reference}"]
    assert companies["dear"].quoted == []


def told_of(on: Stage, name: str) -> Explanation | None:
    rows = on.plain.table.read(name, "evidence#").rows
    pieces = [Evidence.model_validate_json(row.body) for row in rows]
    return next(piece.explanation for piece in pieces if piece.step is Step.DISPATCH)


def test_why_a_gift_goes_dearer_is_told_by_the_prices_that_were_quoted() -> None:
    """What the slots state is not what was weighed: who is the cheapest by its quote goes with nobody dearer."""
    on, companies = market_of("dear", "fair")  # of which the first states a little less
    companies["dear"].fee, companies["fair"].fee = 9000, 1500
    assert told_of(on, put(on)) is None
    late = slot(3, 9, on_time_permille=500).model_copy(update={"courier_id": "fair"})
    enlist.put_slot(on.world, late)
    companies["dear"].fee = 1900
    told = told_of(on, put(on, "key-2"))
    assert told is not None and told.dearer is not None
    assert (told.dearer.slot, told.dearer.less) == ("slot-3", 400)


def test_a_courier_that_refuses_the_quote_is_not_asked_again_for_this_gift() -> None:
    on, companies = market_of("choosy", "fair")
    companies["choosy"].fee, companies["fair"].fee = 100, 9000
    companies["choosy"].refuse["quote"] = "goods_refused"
    order = on.order(put(on))
    assert order.leg.bookings[0].courier_id == "fair"
    (refusal,) = order.leg.refusals
    assert (refusal.courier_id, refusal.reason) == ("choosy", "goods_refused")


def test_where_all_refuse_the_gift_waits_and_the_refusals_are_kept() -> None:
    on, companies = market_of("choosy")
    companies["choosy"].refuse["quote"] = "goods_refused"
    name = put(on)
    assert on.order(name).state is OrderState.HELD
    assert [r.reason for r in on.order(name).leg.refusals] == ["goods_refused"]
    on.minutes(30)
    assert [verb for verb, _ in companies["choosy"].calls] == ["quote"]


def test_a_courier_that_does_not_answer_in_time_delays_nobody_and_its_stated_price_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quote, "DEADLINE_S", 0.2)
    on, companies = market_of("slow", "fair")
    companies["fair"].fee = 100
    began = time.monotonic()

    def dawdle(when: str) -> None:
        if when == "before quote":
            time.sleep(3)

    companies["slow"].meanwhile = dawdle
    order = on.order(put(on))
    assert order.leg.bookings[0].courier_id == "fair"
    assert time.monotonic() - began < 2.5
    assert "quote_missed" in [line["event"] for line in on.world.log.lines]  # type: ignore[attr-defined]


def test_a_quote_that_is_not_answered_leaves_the_price_that_the_slot_states() -> None:
    on, companies = market_of("mute")
    companies["mute"].deaf.add("quote")
    order = on.order(put(on))
    assert order.leg.bookings[0].state is BookingState.BOOKED
    assert order.leg.assignment is not None and order.leg.assignment.quote is None


def test_a_price_in_another_currency_is_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    on, companies = market_of("fair")
    companies["fair"].fee = 5
    euros = Quoted(Money(amount=5, currency="EUR"), "Q")
    monkeypatch.setattr(PricedPaperDialect, "quoted", lambda *_: euros)
    order = on.order(put(on))
    assert order.leg.bookings[0].state is BookingState.BOOKED
    assert order.leg.assignment is not None and order.leg.assignment.quote is None


def test_couriers_that_state_their_prices_are_asked_for_none() -> None:
    on = stage()
    on.world.dialects = {"paper": PricedPaperDialect()}
    put(on)
    assert [verb for verb, _ in on.company.calls] == ["book"]


def test_a_courier_that_was_to_be_asked_and_names_no_prices_keeps_those_of_its_slots() -> None:
    on = stage()
    courier = enlist.courier(on.world, "SHA", "paper-co")
    enlist.put_courier(on.world, courier.model_copy(update={"asks_price": True}))
    order = on.order(put(on))
    assert order.leg.bookings[0].state is BookingState.BOOKED
    assert on.plain.table.get(facts.breaker_key("SHA", "paper-co")) is None


def test_no_more_than_so_many_quotes_are_asked_for_in_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quote, "MOST", 2)
    on, companies = market_of("fair")
    companies["fair"].fee = 100
    for number in range(5):
        place(on.world, "maison", f"key-{number}", new_order(tier="diamond" if number == 4 else "gold"))
    on.settle()
    asked = [reference for verb, reference in companies["fair"].calls if verb == "quote"]
    assert len(asked) == 2


def test_a_quote_is_shown_only_for_the_hours_that_it_was_asked_for() -> None:
    """Couriers are asked about one slot of theirs; a company that keeps to that would come at the hours of it."""
    on, companies = market_of("fair")
    companies["fair"].fee = 1500
    enlist.put_slot(on.world, slot(2, 9, on_time_permille=800).model_copy(update={"courier_id": "fair"}))
    enlist.put_crew(on.world, crew(3).model_copy(update={"courier_id": "fair"}))
    enlist.put_permit(on.world, permit(3))
    enlist.put_slot(on.world, slot(3, 9, on_time_permille=1000).model_copy(update={"courier_id": "fair"}))
    order = on.order(put(on))
    (booking,) = order.leg.bookings
    assert (booking.slot_id, booking.state) == ("slot-3", BookingState.BOOKED)
    assert order.leg.assignment is not None and order.leg.assignment.quote is not None
    assert order.leg.assignment.quote.fee.amount == 1500
    assert order.leg.assignment.quote.quote_id is None
    assert companies["fair"].quoted == []


def test_an_answer_on_which_a_courier_s_file_stumbles_keeps_no_market_from_being_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on, _ = market_of("odd")

    def stumbles(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(PricedPaperDialect, "quoted", stumbles)
    order = on.order(put(on))
    assert order.leg.bookings[0].state is BookingState.BOOKED
    assert order.leg.assignment is not None and order.leg.assignment.quote is None
    failed = [line for line in on.world.log.lines if line["event"] == "failure"]  # type: ignore[attr-defined]
    assert [line["why"] for line in failed] == ["ZeroDivisionError"], "it is a bug all the same, and rings"


def test_what_couriers_answered_is_counted_with_the_run_that_asked_them() -> None:
    on, _ = market_of("dear", "fair")
    written: list[str] = []
    on.world.log = journal.log
    journal.write_to(written.append)
    try:
        with journal.invocation("on_dispatch"):
            put(on)
    finally:
        journal.write_to(None)
    lines = [json.loads(line) for line in written]
    asked = [line for line in lines if line.get("event") == "courier_asked" and line["answer"] == "Quoted"]
    assert {line["courier"] for line in asked} == {"dear", "fair"}
    assert {line.get("function") for line in asked} == {"on_dispatch"}
    assert len([line for line in lines if "CourierMs" in line]) == 1
    (taken,) = [line["CourierMs"] for line in lines if "CourierMs" in line]
    assert len(taken) == 3, "two quotes and the booking"


def test_a_refusal_of_a_gift_that_stands_by_is_kept_and_nobody_is_asked_for_it_in_every_round() -> None:
    on, companies = market_of("choosy")
    enlist.put_slot(on.world, slot(2, 1).model_copy(update={"courier_id": "choosy"}))
    first, second = put(on, "key-1"), put(on, "key-2")
    assert on.order(second).state is OrderState.HELD
    companies["choosy"].refuse["quote"] = "goods_refused"
    cancel(on.world, "maison", first, on.order(first).version)
    on.settle()
    assert [r.reason for r in on.order(second).leg.refusals] == ["goods_refused"]
    asked = len(companies["choosy"].calls)
    dispatch(on.world, "SHA")
    assert len(companies["choosy"].calls) == asked
