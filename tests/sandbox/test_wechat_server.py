"""The simulated company over real HTTP, spoken to with the real adapter."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from chalicelib.couriers.wechat import WeChat
from chalicelib.domain.dialect import (
    Booked,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
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
from chalicelib.domain.legs import EventKind, fold, reference_of
from chalicelib.domain.policies import Handover
from sandbox.conduct import Conduct, Failure, Fate, Timings, Wish
from sandbox.fleet import CourierCompany
from sandbox.ledger import CourierJob, Delivered, Stage
from sandbox.voices.wechat import WeChat as Face
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, gift, job
from tests.couriers.samples_wechat import ACCOUNT
from tests.sandbox.company import Caller, Ear, HandClock

dialect = WeChat()


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
    with CourierCompany(Face(ACCOUNT), clock, ear.url) as company:
        yield company


@pytest.fixture
def caller(company: CourierCompany, clock: HandClock) -> Caller:
    return Caller(company, clock, dialect, ACCOUNT)


def waybill_of(booked: object) -> str:
    assert isinstance(booked, Booked), booked
    return booked.delivery_id


# --- a job that goes well ---


def test_a_job_goes_from_booking_to_the_door(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    booked = caller.book()
    assert isinstance(booked, Booked)
    assert booked.fee is not None
    assert set(booked.codes) == {"pickup_code", "receipt_code"}
    clock.turn()
    assert ear.statuses() == ["102", "201", "202", "301", "302"]
    track = fold(ear.events)
    assert track.kind is EventKind.DELIVERED
    assert track.picked_up_at is not None
    ledger = company.jobs[REFERENCE]
    assert ledger.handed_over == "door"
    assert track.ended_at == ledger.handed_over_at == NOON + timedelta(hours=4)  # the middle of the window
    assert (company.live_jobs(ORDER_ID), company.delivered_jobs(ORDER_ID)) == (0, 1)


def test_the_steps_follow_the_time_that_was_asked_for(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    caller.book()
    clock.turn()
    when = {step.stage: step.at for step in company.jobs[REFERENCE].steps}
    assert when[Stage.ASSIGNED] == NOON + timedelta(minutes=2)
    assert when[Stage.PICKED_UP] == NOON + timedelta(hours=3, minutes=30)
    assert list(when.values()) == sorted(when.values())
    assert list(when)[-1] is Stage.DELIVERED


@pytest.mark.parametrize("company_id", ["SFTC", "DADA", "SS", "MTPS"])
def test_no_company_comes_for_the_gift_before_the_stay_begins(
    company: CourierCompany, caller: Caller, clock: HandClock, company_id: str
) -> None:
    caller.account["delivery_id"] = company.voice.account["delivery_id"] = company_id
    assert isinstance(caller.book(), Booked)
    clock.turn()
    ledger = company.jobs[REFERENCE]
    begins = job().pick_up_from
    assert begins is not None and ledger.picked_up_at is not None and ledger.handed_over_at is not None
    assert begins <= ledger.picked_up_at
    assert job().deliver_from <= ledger.handed_over_at <= job().deliver_by


def test_timings_are_in_order_even_for_a_job_that_is_late_already() -> None:
    timings = Conduct().timings(NOON, Wish(NOON - timedelta(hours=1)))
    assert timings.assigned <= timings.at_shop <= timings.picked_up < timings.in_transit < timings.arrived
    assert isinstance(timings, Timings)


def test_a_look_up_tells_what_the_callbacks_tell(caller: Caller, clock: HandClock) -> None:
    waybill = waybill_of(caller.book())
    for minutes, kind in (
        (0, EventKind.ACCEPTED),
        (3, EventKind.COURIER_ASSIGNED),
        (600, EventKind.DELIVERED),
    ):
        clock.turn(NOON + timedelta(minutes=minutes))
        caller.token = caller.login()
        found = caller.look_up()
        assert isinstance(found, Found)
        assert found.delivery_id == waybill
        assert found.event is not None
        assert found.event.kind is kind
    assert caller.look_up(reference_of(ORDER_ID, 1, 9)) == NotFound()


def test_a_receipt_code_is_given_only_for_a_hand_over_to_the_client(caller: Caller) -> None:
    booked = caller.book(handover=Handover.GATE)
    assert isinstance(booked, Booked)
    assert set(booked.codes) == {"pickup_code"}


def test_a_price_is_named_before_anything_is_booked(company: CourierCompany, caller: Caller) -> None:
    quoted = caller.quote()
    assert isinstance(quoted, Quoted) and quoted.quote_id is not None
    assert (quoted.fee.amount, quoted.fee.currency) == (1850, "CNY")
    assert company.jobs == {}
    company.conduct.fates[REFERENCE] = Fate("refuse", "closed_area")
    assert caller.quote() == NotTaken("closed_area", whole_courier=True)


# --- proof and idempotency ---


def test_booking_twice_under_one_reference_makes_one_job(company: CourierCompany, caller: Caller) -> None:
    first = caller.book()
    assert caller.book() == Unsure("exists_already")
    found = caller.look_up()
    assert isinstance(found, Found)
    assert found.delivery_id == waybill_of(first)
    assert len(company.jobs) == 1


def test_a_wrong_delivery_sign_is_refused(caller: Caller, company: CourierCompany) -> None:
    caller.account["app_secret"] = "wrong"
    assert caller.book() == NotTaken("signature_refused", whole_courier=True)
    assert company.jobs == {}


def test_a_token_that_ended_or_never_was_is_refused(
    caller: Caller, company: CourierCompany, clock: HandClock
) -> None:
    assert caller.login() == caller.token  # stable
    assert isinstance(company.voice, Face)
    company.voice.expire_tokens()
    assert caller.book() == TokenRefused()
    spent, caller.token = caller.token, caller.login()
    assert caller.token != spent
    assert isinstance(caller.book(), Booked)
    clock.turn(NOON + timedelta(hours=2))
    assert caller.look_up() == TokenRefused()


def test_a_wrong_secret_gets_no_token(caller: Caller) -> None:
    caller.account["secret"] = "wrong"
    with pytest.raises(Unanswered):
        caller.login()


def test_one_kept_line_serves_many_requests(caller: Caller, company: CourierCompany) -> None:
    line = http.client.HTTPConnection(urlsplit(company.url).netloc, timeout=5)
    for number in range(1, 30):
        request = dialect.look_up(caller.account, caller.token, reference_of(ORDER_ID, 1, number), None, NOON)
        parts = urlsplit(request.url)
        line.request("POST", f"{parts.path}?{parts.query}", request.body)
        answer = line.getresponse()
        assert dialect.looked_up(Reply(answer.status, {}, answer.read()), REFERENCE, "sf", NOON) == NotFound()
    line.close()
    assert len(company.asked) == 29


# --- misbehaviour ---


@pytest.mark.parametrize(
    ("refusal", "whole"),
    [
        ("no_rider", False),
        ("out_of_area", True),
        ("closed_area", True),
        ("goods_refused", True),
        ("account_unpaid", True),
    ],
)
def test_a_refusal_is_understood(company: CourierCompany, caller: Caller, refusal: str, whole: bool) -> None:
    company.conduct.fates[REFERENCE] = Fate("refuse", refusal)
    assert caller.book() == NotTaken(refusal, whole)
    assert company.jobs == {}
    assert caller.look_up() == NotFound()


@pytest.mark.parametrize(("fate", "made"), [("stall", True), ("stall_lost", False)])
def test_a_stalled_booking_is_unanswered_and_the_look_up_tells(
    company: CourierCompany, caller: Caller, fate: str, made: bool
) -> None:
    company.conduct.fates[REFERENCE] = Fate("stall" if fate == "stall" else "stall_lost")
    with pytest.raises(Unanswered):
        caller.book()
    assert isinstance(caller.look_up(), Found if made else NotFound)
    assert company.live_jobs(ORDER_ID) == int(made)


@pytest.mark.parametrize(
    ("conduct", "shows"),
    [
        (Conduct(refuse=1.0, refusals=("closed_area",)), "refused"),
        (Conduct(stall=1.0), "stalled"),
        (Conduct(stall_lost=1.0), "stalled"),
        (Conduct(lose=1.0), "lost"),
        (Conduct(double=1.0), "doubled"),
        (Conduct(reorder=1.0), "late"),
        (Conduct(forge=1.0), "forged"),
        (Conduct(), "well"),
    ],
)
def test_every_way_to_misbehave_happens_when_its_chance_is_certain_and_no_other_does(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear, conduct: Conduct, shows: str
) -> None:
    company.conduct = conduct
    seen = set()
    try:
        if isinstance(caller.book(), NotTaken):
            seen.add("refused")
    except Unanswered:
        seen.add("stalled")
    clock.turn(NOON + timedelta(minutes=10))
    if company.live_jobs(ORDER_ID) and not ear.events:
        seen.add("lost" if {sent.how for sent in company.sent} == {"lost"} else "late")
    if len(ear.events) > 1:
        seen.add("doubled")
    if ear.refused:
        seen.add("forged")
    if shows == "stalled":
        assert bool(company.jobs) is bool(conduct.stall)
    assert seen == ({shows} if shows != "well" else set())


def test_a_stall_can_outlast_the_callers_patience(company: CourierCompany, caller: Caller) -> None:
    company.conduct = Conduct(stall_lost=1.0, stall_seconds=0.5)
    with pytest.raises(Unanswered, match="timed out"):
        caller.book(timeout=0.1)


def test_lost_callbacks_never_arrive_and_the_job_goes_on(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    company.conduct = Conduct(lose=1.0)
    caller.book()
    clock.turn()
    assert ear.events == []
    assert company.delivered_jobs(ORDER_ID) == 1
    assert {sent.how for sent in company.sent} == {"lost"}


def test_doubled_callbacks_are_two_and_fold_to_one(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    company.conduct = Conduct(double=1.0)
    caller.book()
    clock.turn()
    assert len(ear.events) == 10
    assert fold(ear.events).events == 5


def test_reordered_callbacks_arrive_late_and_come_to_the_same(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    company.conduct = Conduct(seed=3, reorder=0.5, reorder_by=timedelta(minutes=50))
    for number in range(1, 20):
        caller.book(reference_of(ORDER_ID, 1, number))
    clock.turn()
    orders = set()
    for number in range(1, 20):
        reference = reference_of(ORDER_ID, 1, number)
        orders.add(tuple(ear.statuses(reference)))
        mine = [event for event in ear.events if event.reference == reference]
        assert fold(mine).kind is EventKind.DELIVERED
        assert fold(mine) == fold(reversed(mine))
    assert len(orders) > 1


def test_forged_callbacks_are_refused_and_the_true_ones_heard(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    company.conduct = Conduct(forge=1.0)
    caller.book()
    clock.turn(NOON + timedelta(minutes=10))
    assert ear.statuses() == ["102"]
    assert ear.refused == 1
    assert [sent.answer for sent in company.sent if sent.how == "forged"] == [401]


def test_a_callback_that_is_not_taken_is_tried_three_times(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    ear.failing = 2
    caller.book()
    clock.turn(NOON + timedelta(minutes=10))
    assert ear.statuses() == ["102"]
    assert [sent.answer for sent in company.sent] == [503, 503, 200]
    ear.failing = 1000
    clock.turn()
    assert [sent.status for sent in company.sent].count("302") == 3


def test_a_callback_to_nobody_harms_nothing(clock: HandClock) -> None:
    with CourierCompany(Face(ACCOUNT), clock, "http://127.0.0.1:1/") as company:
        caller = Caller(company, clock, dialect, ACCOUNT)
        caller.book()
        clock.turn()
        assert company.delivered_jobs(ORDER_ID) == 1
        assert {sent.answer for sent in company.sent} == {None}


@pytest.mark.parametrize(
    ("failure", "status"),
    [("courier_reason", 204), ("merchant_fault", 205), ("courier_system", 501), ("force_majeure", 502)],
)
def test_a_pick_up_can_fail(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear, failure: Failure, status: int
) -> None:
    company.conduct.fates[REFERENCE] = Fate(failure=failure)
    caller.book()
    clock.turn()
    assert ear.statuses()[-1] == str(status)
    track = fold(ear.events)
    assert track.has_ended
    assert track.picked_up_at is None
    assert company.live_jobs(ORDER_ID) == 0


# --- at the destination ---


@pytest.mark.parametrize(
    ("gate", "status"),
    [("door", "302"), ("gate", "302"), ("none", "304"), ("closed", "304"), ("refused", "305")],
)
def test_the_scenario_decides_what_happens_at_the_gate(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear, gate: Delivered, status: str
) -> None:
    asked: list[str] = []

    def sealed(job: CourierJob) -> Delivered:
        asked.append(job.reference)
        return gate

    company.conduct.at_gate = sealed
    caller.book()
    clock.turn()
    assert asked == [REFERENCE]
    ledger = company.jobs[REFERENCE]
    if status != "302":
        assert ear.statuses()[-2:] == [status, "401"]
        assert fold(ear.events).kind is EventKind.RETURNED
        assert ledger.returned_at is not None
        assert not ledger.is_delivered
    else:
        assert ear.statuses()[-1] == status
        assert ledger.handed_over == gate


# --- cancelling ---


def test_a_cancellation_before_pick_up_is_confirmed_and_told(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    waybill = waybill_of(caller.book())
    clock.turn(NOON + timedelta(minutes=5))
    answer = caller.cancel(waybill)
    assert isinstance(answer, CancelConfirmed)
    found = caller.look_up()
    assert isinstance(found, Found) and found.event is not None
    assert found.event.kind is EventKind.CANCELLED
    assert answer.fee is not None
    assert answer.fee.amount == 200
    clock.turn()
    assert ear.statuses() == ["102", "103"]
    assert company.jobs[REFERENCE].cancelled_at == NOON + timedelta(minutes=5)
    assert company.live_jobs(ORDER_ID) == 0


def test_a_cancellation_after_pick_up_brings_the_gift_back(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    waybill = waybill_of(caller.book())
    clock.turn(NOON + timedelta(hours=3, minutes=35))
    caller.token = caller.login()
    answer = caller.cancel(waybill)
    assert isinstance(answer, CancelConfirmed)
    assert answer.returning is None, "the answer does not say: the look-up does"
    found = caller.look_up()
    assert isinstance(found, Found) and found.event is not None
    assert found.event.kind is EventKind.RETURNING
    assert company.jobs[REFERENCE].has_custody
    assert caller.cancel(waybill) == Unsure("ended_already")
    clock.turn()
    assert ear.statuses()[-2:] == ["303", "401"]
    track = fold(ear.events)
    assert (track.kind, company.delivered_jobs(ORDER_ID)) == (EventKind.RETURNED, 0)


def test_a_company_may_refuse_to_cancel_after_pick_up(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    company.conduct.cancel_after_pick_up = "refused"
    waybill = waybill_of(caller.book())
    clock.turn(NOON + timedelta(hours=3, minutes=35))
    caller.token = caller.login()
    assert caller.cancel(waybill) == CancelRefused("too_late")
    clock.turn()
    assert company.delivered_jobs(ORDER_ID) == 1


def test_cancelling_what_is_unknown_or_over_is_told_apart(caller: Caller, clock: HandClock) -> None:
    assert caller.cancel("4711") == CancelUnknown()
    waybill = waybill_of(caller.book())
    assert caller.cancel(None) == Unsure("bad_arguments")  # SF Tongcheng wants the waybill
    clock.turn()
    caller.token = caller.login()
    assert caller.cancel(waybill) == Unsure("ended_already")
    found = caller.look_up()
    assert isinstance(found, Found)
    assert found.event is not None
    assert found.event.kind is EventKind.DELIVERED


def test_stalled_cancellations_go_unanswered_and_some_take_effect(
    company: CourierCompany, caller: Caller, clock: HandClock, ear: Ear
) -> None:
    company.conduct.fates[REFERENCE] = Fate(cancel_stalls=2)
    waybill = waybill_of(caller.book())
    with pytest.raises(Unanswered):
        caller.cancel(waybill)
    assert company.live_jobs(ORDER_ID) == 1
    with pytest.raises(Unanswered):
        caller.cancel(waybill)
    assert company.live_jobs(ORDER_ID) == 0
    assert caller.cancel(waybill) == Unsure("ended_already")
    clock.turn()
    assert ear.statuses() == ["103"]


# --- the ledger and the dice ---


def test_the_ledger_sees_two_couriers_for_one_gift(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    first = waybill_of(caller.book(reference_of(ORDER_ID, 1, 1)))
    caller.cancel(first, reference_of(ORDER_ID, 1, 1))
    caller.book(reference_of(ORDER_ID, 1, 2))
    assert company.most_live_at_once(ORDER_ID) == 1
    caller.book(reference_of(ORDER_ID, 1, 3))
    assert company.most_live_at_once(ORDER_ID) == 2
    assert company.live_jobs(ORDER_ID) == 2
    assert [job.reference[-1] for job in company.jobs_of(ORDER_ID)] == ["1", "2", "3"]
    assert company.jobs_of("ord_another") == []
    clock.turn()
    assert company.delivered_jobs(ORDER_ID) == 2


def test_the_same_seed_is_the_same_conduct_whatever_is_asked_first() -> None:
    chances = Conduct(seed=7, refuse=0.2, stall=0.2, stall_lost=0.2, fail=0.3, cancel_stall=0.5, lose=0.3)
    again = replace(chances)
    references = [reference_of(ORDER_ID, 1, number) for number in range(1, 200)]
    fates = {reference: chances.fate_of(reference) for reference in references}
    assert {reference: again.fate_of(reference) for reference in reversed(references)} == fates
    assert {fate.book for fate in fates.values()} == {"accept", "refuse", "stall", "stall_lost"}
    assert fates != {reference: replace(chances, seed=8).fate_of(reference) for reference in references}
    losses = [reference for reference in references if chances.spoils(reference, "102")]
    assert 20 < len(losses) < 100


def test_a_kept_line_ends_with_the_company(clock: HandClock) -> None:
    company = CourierCompany(Face(ACCOUNT), clock)
    line = http.client.HTTPConnection(urlsplit(company.url).netloc, timeout=2)
    line.request("POST", "/cgi-bin/stable_token", b"{}")
    line.getresponse().read()
    company.close()
    assert line.sock.recv(1) == b""


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b'{"shop_order_id":5}'])
def test_junk_is_answered_and_not_a_crash(caller: Caller, company: CourierCompany, body: bytes) -> None:
    url = dialect.look_up(caller.account, caller.token, REFERENCE, None, NOON).url
    assert caller.send(Request("POST", url, body=body)).status == 200
    assert caller.send(Request("POST", company.url + "/elsewhere?x=1", body=body)).status == 200


def test_goods_beyond_what_the_gateway_counts_are_refused_and_ours_never_are(caller: Caller) -> None:
    of = job(of=gift(9_000_000))
    request = dialect.book(caller.account, caller.token, of, NOON)
    beyond = replace(request, body=request.body.replace(b'"goods_value":5000.0', b'"goods_value":90000.0'))
    assert beyond != request
    assert dialect.booked(caller.send(beyond), of) == NotTaken("bad_arguments", whole_courier=True)
    assert isinstance(dialect.booked(caller.send(request), of), Booked)
