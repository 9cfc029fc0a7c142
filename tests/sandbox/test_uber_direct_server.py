"""The simulated Uber Direct, spoken to over real HTTP by the real adapter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.couriers.uber_direct import PAGE, UberDirect
from chalicelib.domain.dialect import (
    Booked,
    CancelConfirmed,
    Found,
    NotFound,
    NotTaken,
    Quoted,
    Reply,
    Request,
    TokenRefused,
    Unsure,
)
from chalicelib.domain.errors import Unanswered
from chalicelib.domain.fleet import Proof
from chalicelib.domain.legs import EventKind, fold, reference_of
from chalicelib.domain.policies import Handover
from chalicelib.domain.shapes import Money
from sandbox.conduct import Conduct, Fate
from sandbox.fleet import CourierCompany
from sandbox.ledger import CourierJob, Stage, Step
from sandbox.voice import Letter
from sandbox.voices.uber_direct import UberDirect as Face
from sandbox.voices.uber_direct import account
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, job
from tests.sandbox.company import Caller, Ear, HandClock

dialect = UberDirect()
ACCOUNT = account("boutique")


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


def booked(caller: Caller, reference: str = REFERENCE) -> str:
    answer = caller.book(reference)
    assert isinstance(answer, Booked), answer
    return answer.delivery_id


def changed(request: Request, **fields: object) -> Request:
    """The request with those fields of its body instead; None: without."""
    body = {**json.loads(request.body), **fields}
    return replace(request, body=json.dumps({k: v for k, v in body.items() if v is not None}).encode())


# --- booking and moving ---


def test_a_job_is_quoted_booked_moved_and_told_in_ubers_words(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    quoted = caller.quote()
    assert isinstance(quoted, Quoted)
    assert quoted.fee == Money(amount=1850, currency="CNY")
    assert (quoted.quote_id or "").startswith("dqt_")
    assert quoted.expires_at == NOON + timedelta(minutes=15)
    assert company.jobs == {}
    assert booked(caller).startswith("del_")
    clock.turn()
    assert ear.statuses() == ["pickup", "pickup", "pickup_complete", "dropoff", "delivered"]
    kinds = [event.kind for event in ear.events]
    assert kinds[:2] == [EventKind.COURIER_ASSIGNED, EventKind.AT_PICK_UP]
    assert ear.refused == 0


def test_a_quote_holds_for_its_way_for_a_quarter_of_an_hour_and_once(
    caller: Caller, clock: HandClock
) -> None:
    def booking(quote_id: str, number: int, **fields: object) -> object:
        of = replace(job(reference_of(ORDER_ID, 1, number)), quote_id=quote_id)
        request = dialect.book(caller.account, caller.token, of, clock.now())
        return dialect.booked(caller.send(changed(request, **fields)), of)

    def quote_id() -> str:
        answer = caller.quote()
        assert isinstance(answer, Quoted) and answer.quote_id is not None
        return answer.quote_id

    first = quote_id()
    elsewhere = '{"street_address":["Nanjing Road 1"],"city":"Shanghai","country":"CN"}'
    assert booking(first, 1, dropoff_address=elsewhere) == NotTaken("quote_expired")
    assert isinstance(booking(first, 1), Booked)
    assert booking(first, 2) == Unsure("exists_already")
    second = quote_id()
    clock.turn(NOON + timedelta(minutes=15))
    assert booking(second, 3) == NotTaken("quote_expired")
    assert booking("dqt_of_nobody", 4) == NotTaken("quote_expired")


def test_the_client_gets_a_pin_where_the_courier_is_relied_on_for_it(caller: Caller) -> None:
    of = replace(job(), proofs=frozenset({Proof.RECEIPT_CODE}))
    request = dialect.book(caller.account, caller.token, of, NOON)
    answer = dialect.booked(caller.send(request), of)
    assert isinstance(answer, Booked)
    assert len(answer.codes["receipt_code"]) == 4
    at_the_shelf = replace(job(reference_of(ORDER_ID, 1, 2), handover=Handover.SHELF), proofs=dialect.proofs)
    request = dialect.book(caller.account, caller.token, at_the_shelf, NOON)
    answer = dialect.booked(caller.send(request), at_the_shelf)
    assert isinstance(answer, Booked)
    assert answer.codes == {}


def test_what_is_left_at_the_door_bears_no_signature_for_uber_either(caller: Caller) -> None:
    of = job(handover=Handover.SHELF)
    request = dialect.book(caller.account, caller.token, of, NOON)
    signed = changed(request, dropoff_verification={"signature_requirement": {"enabled": True}})
    assert dialect.booked(caller.send(signed), of) == NotTaken("bad_arguments", whole_courier=True)
    assert isinstance(dialect.booked(caller.send(request), of), Booked)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pickup_ready_dt": "2022-04-11T03:59:00Z"}, "start_too_soon"),
        ({"pickup_ready_dt": None, "pickup_deadline_dt": "2022-04-11T04:19:00Z"}, "start_too_soon"),
        ({"pickup_ready_dt": "2022-05-12T04:00:00Z"}, "start_too_late"),
        ({"pickup_deadline_dt": "2022-04-11T06:39:00Z"}, "window_refused"),
        ({"dropoff_ready_dt": "2022-04-11T08:45:00Z"}, "window_refused"),
        ({"dropoff_deadline_dt": "2022-04-11T08:39:00Z"}, "window_refused"),
        ({"dropoff_deadline_dt": "2022-04-11T07:19:00Z"}, "window_refused"),
        ({"pickup_ready_dt": "tomorrow"}, "bad_arguments"),
        ({"dropoff_address": "衡山路100号"}, "address_not_found"),
        ({"dropoff_phone_number": "18512345678"}, "phone_refused"),
        ({"manifest_items": []}, "bad_arguments"),
        ({"dropoff_notes": "x" * 281}, "bad_arguments"),
    ],
)
def test_uber_checks_what_it_documents_and_what_we_send_passes(
    caller: Caller, company: CourierCompany, fields: dict[str, object], reason: str
) -> None:
    request = dialect.book(caller.account, caller.token, job(), NOON)
    answer = dialect.booked(caller.send(changed(request, **fields)), job())
    assert isinstance(answer, NotTaken)
    assert answer.reason == reason
    assert company.jobs == {}
    assert isinstance(dialect.booked(caller.send(request), job()), Booked)


@pytest.mark.parametrize("minutes", [0, 100, 130, 149, 151, 175, 181, 220, 260, 278])
def test_whenever_it_is_booked_our_windows_are_taken_and_kept(
    company: CourierCompany, caller: Caller, clock: HandClock, minutes: int
) -> None:
    clock.turn(NOON + timedelta(minutes=minutes))
    booked(caller)
    told = company.jobs[REFERENCE]
    wish = job()
    clock.turn()
    assert told.picked_up_at is not None and told.handed_over_at is not None
    assert told.picked_up_at >= wish.starts_at
    assert wish.deliver_from <= told.handed_over_at
    # one that is asked for in the last hour may be late: no promise is made of it
    assert told.handed_over_at <= wish.deliver_by or minutes > 240


@pytest.mark.parametrize(
    ("refusal", "meaning"),
    [
        ("no_rider", NotTaken("no_rider")),
        ("out_of_area", NotTaken("out_of_area", whole_courier=True)),
        ("closed_area", NotTaken("out_of_area", whole_courier=True)),
        ("goods_refused", NotTaken("account_refused", whole_courier=True)),
        ("account_unpaid", NotTaken("account_unpaid", whole_courier=True)),
    ],
)
def test_a_refusal_is_understood_as_far_as_uber_has_a_word_for_it(
    company: CourierCompany, caller: Caller, refusal: str, meaning: NotTaken
) -> None:
    company.conduct.fates[REFERENCE] = Fate("refuse", refusal)
    assert caller.book() == meaning
    assert company.jobs == {}


# --- proof and doubles ---


def test_a_second_job_under_one_reference_is_a_duplicate(company: CourierCompany, caller: Caller) -> None:
    delivery_id = booked(caller)
    assert caller.book() == Unsure("exists_already")
    assert len(company.jobs) == 1
    found = caller.look_up()
    assert isinstance(found, Found)
    assert found.delivery_id == delivery_id


def test_a_token_that_ended_or_never_was_is_refused(
    caller: Caller, company: CourierCompany, clock: HandClock
) -> None:
    assert isinstance(company.voice, Face)
    company.voice.expire_tokens()
    assert caller.book() == TokenRefused()
    assert caller.quote() == TokenRefused()
    caller.token = caller.login()
    delivery_id = booked(caller)
    clock.turn(NOON + timedelta(days=30))
    assert caller.look_up() == caller.look_up(REFERENCE, delivery_id) == TokenRefused()
    assert caller.cancel(delivery_id) == TokenRefused()


def test_a_wrong_secret_gets_no_token_and_another_organisation_no_job(
    caller: Caller, company: CourierCompany
) -> None:
    caller.account["customer_id"] = "cus_another"
    assert caller.book() == NotTaken("account_refused", whole_courier=True)
    assert company.jobs == {}
    caller.account["client_secret"] = "wrong"
    with pytest.raises(Unanswered):
        caller.login()


# --- looking up ---


def test_a_job_of_which_no_answer_came_is_found_on_the_list(company: CourierCompany, caller: Caller) -> None:
    company.conduct.fates[REFERENCE] = Fate("stall")
    with pytest.raises(Unanswered):
        caller.book()
    for number in range(2, 9):
        booked(caller, reference_of(ORDER_ID, 1, number))
    found = caller.look_up()
    assert isinstance(found, Found)
    assert found.delivery_id == company.jobs[REFERENCE].delivery_id
    assert caller.look_up(reference_of(ORDER_ID, 1, 9)) == NotFound()


def test_a_full_page_proves_nothing_until_it_reaches_back_far_enough(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    wanted = reference_of(ORDER_ID, 2, 1)
    lines = {}
    booked(caller)
    for number in range(PAGE):
        reference = reference_of(ORDER_ID, 3, number + 1)
        lines[reference] = replace(
            company.jobs[REFERENCE], reference=reference, booked_at=NOON - timedelta(seconds=number)
        )
    company.jobs.update(lines)
    assert caller.look_up(wanted) == Unsure("not_on_the_page")
    clock.turn(NOON + timedelta(hours=6))
    caller.token = caller.login()
    assert caller.look_up(wanted) == NotFound()


def test_what_is_not_there_is_not_found(caller: Caller) -> None:
    assert caller.look_up() == NotFound()
    assert caller.look_up(REFERENCE, "del_unknown") == NotFound()


# --- cancelling and coming back ---


def test_a_cancellation_before_the_pick_up_leaves_to_the_look_up_where_the_gift_is(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    delivery_id = booked(caller)
    clock.turn(NOON + timedelta(minutes=5))
    assert caller.cancel(delivery_id) == CancelConfirmed(returning=None)
    found = caller.look_up(REFERENCE, delivery_id)
    assert isinstance(found, Found) and found.event is not None
    assert (found.event.kind, found.event.reason) == (EventKind.CANCELLED, "merchant_cancelled")
    assert caller.cancel(delivery_id) == Unsure("cannot_be_cancelled")
    clock.turn()
    assert ear.statuses() == ["pickup", "canceled"]
    assert found.event.event_id in {event.event_id for event in ear.events}


def test_a_cancellation_after_the_pick_up_brings_the_gift_back_by_a_delivery_of_its_own(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    delivery_id = booked(caller)
    clock.turn(company.jobs[REFERENCE].timings.in_transit)
    assert caller.cancel(delivery_id) == CancelConfirmed(returning=True)
    found = caller.look_up(REFERENCE, delivery_id)
    assert isinstance(found, Found) and found.event is not None
    assert found.event.kind is EventKind.RETURNING
    clock.turn()
    assert ear.statuses()[-3:] == ["returned", "ret_pickup_complete", "ret_delivered"]
    assert fold(ear.events).kind is EventKind.RETURNED
    caller.token = caller.login()
    found = caller.look_up(REFERENCE, delivery_id)
    assert isinstance(found, Found) and found.event is not None
    assert found.event.kind is EventKind.RETURNED


def test_a_company_that_keeps_what_it_has_fetched_says_only_that_it_cannot_be_cancelled(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    company.conduct.cancel_after_pick_up = "refused"
    delivery_id = booked(caller)
    clock.turn(company.jobs[REFERENCE].timings.in_transit)
    assert caller.cancel(delivery_id) == Unsure("cannot_be_cancelled")
    clock.turn()
    assert company.delivered_jobs(ORDER_ID) == 1


@pytest.mark.parametrize(
    ("gate", "reason"),
    [("none", "client_unavailable"), ("refused", "client_refused"), ("closed", "cannot_access_location")],
)
def test_what_could_not_be_handed_over_says_why_in_words_the_board_knows(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear, gate: str, reason: str
) -> None:
    company.conduct.at_gate = lambda job: gate  # type: ignore[assignment, return-value]
    booked(caller)
    clock.turn()
    (returning,) = [event for event in ear.events if event.raw_status == "returned"]
    assert (returning.kind, returning.reason) == (EventKind.RETURNING, reason)


@pytest.mark.parametrize(
    ("failure", "kind", "reason"),
    [
        ("courier_reason", EventKind.PICK_UP_FAILED, "courier_reason"),
        ("merchant_fault", EventKind.PICK_UP_FAILED, "pick_up_closed"),
        ("courier_system", EventKind.CANCELLED, "courier_system"),
        ("force_majeure", EventKind.CANCELLED, "courier_system"),
    ],
)
def test_a_job_that_fails_before_its_pick_up_never_had_the_gift(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear, failure: str, kind: str, reason: str
) -> None:
    company.conduct.fates[REFERENCE] = Fate(failure=failure)  # type: ignore[arg-type]
    booked(caller)
    clock.turn()
    track = fold(ear.events)
    assert (track.kind, track.reason, track.picked_up_at) == (kind, reason, None)


# --- webhooks ---


def letter(company: CourierCompany, stage: Stage, forged: bool = False) -> Letter:
    told: CourierJob = company.jobs[REFERENCE]
    (news,) = company.voice.news(told, Step(NOON, stage))
    return company.voice.sealed(news, NOON, 7, forged)


def test_webhooks_are_signed_in_both_headers_escaped_and_an_update_has_no_status(
    company: CourierCompany, caller: Caller
) -> None:
    booked(caller)
    update, status = letter(company, Stage.IN_TRANSIT), letter(company, Stage.AT_SHOP)
    assert "status" not in json.loads(update.body)
    assert json.loads(update.body)["kind"] == "event.courier_update"
    assert json.loads(status.body)["status"] == "pickup"
    for sent in (update, status):
        assert b"\\u0026" in sent.body and b"&" not in sent.body
        assert sent.headers["x-uber-signature"] == sent.headers["x-postmates-signature"]


def test_a_forged_webhook_is_refused_and_the_true_ones_are_heard(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    company.conduct = Conduct(forge=1.0)
    booked(caller)
    clock.turn(NOON + timedelta(minutes=10))
    assert ear.statuses() == ["pickup"]
    assert [sent.answer for sent in company.sent if sent.how == "forged"] == [401]


def test_a_webhook_that_is_not_taken_is_tried_four_times_more(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    ear.failing = 1000
    booked(caller)
    clock.turn(NOON + timedelta(minutes=10))
    assert [sent.answer for sent in company.sent] == [503] * 5
    assert ear.events == []


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"{}", b'{"external_id":5}'])
def test_junk_is_refused_and_never_a_crash(caller: Caller, company: CourierCompany, body: bytes) -> None:
    for verb in (dialect.book, dialect.quote):
        request = verb(caller.account, caller.token, job(), NOON)
        assert request is not None
        answer: Reply = caller.send(replace(request, body=body))
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "invalid_params")
    assert company.jobs == {}
