"""The company that speaks Dada, spoken to over real HTTP with the real adapter."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.couriers.dada import Dada, _post, _words
from chalicelib.domain.dialect import (
    BookAnswer,
    Booked,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    Job,
    NotTaken,
    Quoted,
    Request,
    Unsure,
)
from chalicelib.domain.fleet import Proof
from chalicelib.domain.legs import EventKind, fold, reference_of
from chalicelib.domain.shapes import Money
from sandbox import voices
from sandbox.conduct import Conduct
from sandbox.fleet import CourierCompany
from sandbox.ledger import Stage
from sandbox.voices.dada import Dada as Face
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, job
from tests.couriers.samples_dada import content, sent
from tests.sandbox.company import Caller, Ear, HandClock

dialect = Dada()
ACCOUNT = voices.account("dada", "dd")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ear(clock: HandClock) -> Iterator[Ear]:
    ear = Ear(clock, dialect, ACCOUNT)
    yield ear
    ear.close()


@pytest.fixture
def company(clock: HandClock, ear: Ear) -> Iterator[CourierCompany]:
    with CourierCompany(Face(ACCOUNT), clock, ear.url, Conduct(seed=5)) as company:
        yield company


@pytest.fixture
def caller(company: CourierCompany, clock: HandClock) -> Caller:
    return Caller(company, clock, dialect, ACCOUNT)


def book(caller: Caller, of: Job) -> BookAnswer:
    return dialect.booked(caller.send(dialect.book(caller.account, "", of, caller.clock.now())), of)


def look(caller: Caller) -> Any:
    found = caller.look_up()
    assert isinstance(found, Found), found
    return found.event


def envelope(request: Request, **changes: str) -> Request:
    return replace(request, body=json.dumps({**json.loads(request.body), **changes}).encode())


# --- a job ---


def test_a_job_is_told_in_dadas_own_statuses_and_its_pick_up_once(
    caller: Caller, clock: HandClock, ear: Ear
) -> None:
    caller.book()
    clock.turn()
    assert ear.statuses() == ["2", "100", "3", "4"]
    track = fold(ear.events)
    assert (track.kind, track.events) == (EventKind.DELIVERED, 4)
    assert all(event.reference == REFERENCE for event in ear.events)


def test_a_look_up_is_one_with_the_callback_of_the_same_step(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    caller.book()
    timings = company.jobs[REFERENCE].timings
    for moment in (timings.assigned, timings.at_shop, timings.picked_up, timings.in_transit, timings.arrived):
        clock.turn(moment)
        event, heard = look(caller), ear.events[-1]
        assert (event.event_id, event.kind, event.occurred_at) == (
            heard.event_id,
            heard.kind,
            heard.occurred_at,
        )
        clock.turn(moment + timedelta(seconds=20))
        assert look(caller) == event.model_copy(update={"received_at": clock.now()})
    assert len(ear.events) == 4


def test_nobody_looks_for_a_rider_before_the_stay_begins(company: CourierCompany, caller: Caller) -> None:
    caller.book()
    told = company.jobs[REFERENCE]
    assert told.asked_for == job().pick_up_from
    assert told.timings.assigned > told.asked_for


def test_the_receipt_code_is_made_where_it_was_asked_for_and_a_look_up_names_it(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    for number, proofs in ((1, frozenset[Proof]()), (2, frozenset(Proof))):
        of = replace(job(reference_of(ORDER_ID, 1, number)), proofs=proofs)
        assert isinstance(book(caller, of), Booked)
        clock.turn(company.jobs[of.reference].timings.assigned)
        found = caller.look_up(of.reference)
        assert isinstance(found, Found)
        assert set(found.codes) == ({"receipt_code"} if proofs else set())


# --- prices ---


def test_a_price_that_was_named_is_kept_to_for_three_minutes(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    quoted = caller.quote()
    assert isinstance(quoted, Quoted)
    assert quoted.expires_at == NOON + timedelta(minutes=3)
    clock.turn(NOON + timedelta(minutes=2))
    of = replace(job(), quote_id=quoted.quote_id)
    assert book(caller, of) == Booked(REFERENCE)
    assert company.jobs[REFERENCE].order["receiver_name"] == of.recipient.name
    assert book(caller, of) == Unsure("exists_already")
    assert book(caller, job()) == Unsure("exists_already")
    assert len(company.jobs) == 1


def test_a_price_that_ran_out_makes_no_job(company: CourierCompany, caller: Caller, clock: HandClock) -> None:
    quoted = caller.quote()
    assert isinstance(quoted, Quoted)
    clock.turn(NOON + timedelta(minutes=4))
    assert book(caller, replace(job(), quote_id=quoted.quote_id)) == Unsure("quote_expired")
    assert company.jobs == {}
    assert isinstance(book(caller, job()), Booked)


def test_a_price_of_another_attempt_makes_no_job_under_the_wrong_name(
    company: CourierCompany, caller: Caller
) -> None:
    quoted = caller.quote()
    assert isinstance(quoted, Quoted)
    second = reference_of(ORDER_ID, 1, 2)
    fee = Money(amount=company.conduct.fee, currency="CNY")
    assert book(caller, replace(job(second), quote_id=quoted.quote_id)) == Booked(second, fee)
    assert set(company.jobs) == {second}


# --- proof ---


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("app_secret", "signature_refused"),
        ("app_key", "account_refused"),
        ("source_id", "account_refused"),
        ("shop_no", "account_refused"),
    ],
)
def test_with_the_wrong_account_nothing_is_booked(
    company: CourierCompany, caller: Caller, part: str, reason: str
) -> None:
    caller.account = {**caller.account, part: "1234"}
    assert caller.book() == NotTaken(reason, whole_courier=True)
    assert company.jobs == {}


def test_an_envelope_that_was_changed_on_the_way_is_refused(company: CourierCompany, caller: Caller) -> None:
    request = dialect.book(caller.account, "", job(), NOON)
    inside = json.loads(json.loads(request.body)["body"])
    dearer = json.dumps({**inside, "cargo_price": 1.0})
    for changed in (
        envelope(request, body=dearer),
        envelope(request, timestamp="1649649601"),
        envelope(request, signature=json.loads(request.body)["signature"].lower()),
    ):
        answer = dialect.booked(caller.send(changed), job())
        assert answer == NotTaken("signature_refused", whole_courier=True)
    assert company.jobs == {}
    assert isinstance(dialect.booked(caller.send(request), job()), Booked)


def test_whoever_does_not_know_the_address_is_refused(clock: HandClock, ear: Ear) -> None:
    lie = content(REFERENCE, "4", NOON)
    for token in ("", "not-the-word", ACCOUNT["callback_token"][:-1]):
        callback = sent({**ACCOUNT, "callback_token": token}, lie)
        line = http.client.HTTPConnection(urlsplit(ear.url).netloc, timeout=2)
        line.request("POST", f"{urlsplit(ear.url).path}?token={token}", callback.body)
        assert line.getresponse().status == 401
        line.close()
    assert (ear.events, ear.refused) == ([], 3)


def test_whoever_has_seen_the_address_is_heard_and_a_look_up_knows_better(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    """Why what Dada says is a hint."""
    company.conduct = Conduct(forge=1.0)
    caller.book()
    clock.turn(company.jobs[REFERENCE].timings.assigned)
    assert {sent.answer for sent in company.sent if sent.how == "forged"} == {200}
    assert fold(ear.events).kind is EventKind.DELIVERED
    assert look(caller).kind is EventKind.AT_PICK_UP
    assert dialect.trust == "hint"
    assert not company.voice.proves


# --- ends ---


def test_a_cancellation_before_the_pick_up_frees_the_gift_and_says_what_it_cost(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    caller.book()
    clock.turn(company.jobs[REFERENCE].timings.at_shop)
    answer = caller.cancel(None)
    assert answer == CancelConfirmed(Money(amount=200, currency="CNY"), returning=False)
    assert look(caller).kind is EventKind.CANCELLED
    assert caller.cancel(None) == CancelConfirmed()
    clock.turn()
    assert ear.statuses()[-1] == "5"
    assert ear.events[-1].reason == "merchant_cancelled"


def test_what_was_fetched_is_not_cancelled(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    company.conduct.cancel_after_pick_up = "refused"
    caller.book()
    clock.turn(company.jobs[REFERENCE].timings.in_transit)
    assert caller.cancel(None) == CancelRefused("too_late")
    clock.turn()
    assert ear.statuses()[-1] == "4"
    assert caller.cancel(None) == Unsure("ended_already")


def test_what_is_called_back_on_the_way_is_known_to_return(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    caller.book()
    clock.turn(company.jobs[REFERENCE].timings.in_transit)
    assert caller.cancel(None) == CancelRefused("returning")
    assert look(caller).kind is EventKind.RETURNING
    clock.turn()
    assert ear.statuses()[-2:] == ["9", "10"]
    assert fold(ear.events).kind is EventKind.RETURNED
    assert company.jobs[REFERENCE].stage is Stage.RETURNED


def test_of_a_job_that_it_never_had_it_says_so(caller: Caller) -> None:
    assert caller.cancel(None) == CancelUnknown()


def test_a_rider_who_asks_to_be_let_off_moves_nothing(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    caller.book()
    clock.turn(company.jobs[REFERENCE].timings.picked_up)
    before = fold(ear.events)
    inside = json.dumps({"orderId": REFERENCE, "dadaOrderId": 1, "cancelReason": "小区封控"})
    body = sent(ACCOUNT, {"messageType": 1, "messageBody": inside}).body
    line = http.client.HTTPConnection(urlsplit(ear.url).netloc, timeout=2)
    line.request("POST", f"{urlsplit(ear.url).path}?token={ACCOUNT['callback_token']}", body)
    answer = line.getresponse()
    assert (answer.status, json.loads(answer.read())) == (200, {"status": "ok"})
    line.close()
    assert ear.statuses()[-1] == "asks_to_cancel"
    track = fold(ear.events)
    assert (track.kind, track.at, track.unreadable) == (before.kind, before.at, 1)
    clock.turn()
    assert fold(ear.events).kind is EventKind.DELIVERED


# --- what it does not take ---


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cargo_weight": 0}, "bad_arguments"),
        ({"receiver_name": ""}, "bad_arguments"),
        ({"receiver_lat": "31.2"}, "bad_arguments"),
        ({"delay_publish_time": 1649649600 + 60}, "outside_hours"),
        ({"delay_publish_time": 1649649600 + 601}, "outside_hours"),
        ({"delay_publish_time": 1649649600 + 4 * 86_400}, "outside_hours"),
    ],
)
def test_what_dada_would_refuse_is_refused(
    company: CourierCompany, caller: Caller, changes: dict[str, object], reason: str
) -> None:
    words = _words(caller.account, job(), NOON)
    request = _post(caller.account, "/api/order/addOrder", {**words, **changes}, NOON)
    assert dialect.booked(caller.send(request), job()) == NotTaken(reason, reason != "outside_hours")
    assert company.jobs == {}


@pytest.mark.parametrize("minutes", [-30, 1, 5, 6, 10, 150, 4 * 1440])
def test_whatever_we_ask_for_it_takes_the_time_of(
    company: CourierCompany, caller: Caller, minutes: int
) -> None:
    begins = NOON + timedelta(minutes=min(minutes, 3 * 1440), seconds=-7)
    of = job(pick_up_from=begins, deliver_from=begins, deliver_by=begins + timedelta(hours=2))
    assert isinstance(book(caller, of), Booked)
