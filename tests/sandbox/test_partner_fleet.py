"""A fleet that was built from the guide: what it says is as published, and what the guide types works against it."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from chalicelib.couriers.partner import Partner
from chalicelib.domain.dialect import (
    Booked,
    CancelConfirmed,
    Found,
    NotTaken,
    Quoted,
    Request,
    Unsure,
)
from chalicelib.domain.errors import Unanswered
from chalicelib.domain.fleet import Proof
from chalicelib.domain.legs import EventKind, Proven
from chalicelib.domain.policies import NEAREST_FIRST, TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import Money
from sandbox.conduct import Fate
from sandbox.fleet import CourierCompany
from sandbox.voices.partner import Partner as Face
from tests.couriers.jobs import NOON, REFERENCE, job
from tests.couriers.samples_partner import ACCOUNT, GUIDE
from tests.partner_document import fits
from tests.sandbox.company import Caller, Ear, HandClock

dialect = Partner()


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


def said(caller: Caller, request: Request | None) -> tuple[int, dict[str, Any]]:
    """The raw answer."""
    assert request is not None
    reply = caller.send(request)
    return reply.status, json.loads(reply.body)


def test_whatever_the_fleet_says_is_as_published(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    of = replace(job(), proofs=frozenset(Proof))
    account = caller.account
    asked = {
        "quote": dialect.quote(account, "", of, NOON),
        "book": dialect.book(account, "", of, NOON),
        "look": dialect.look_up(account, "", REFERENCE, None, NOON),
        "cancel": dialect.cancel(account, "", REFERENCE, None, "brand", NOON),
    }
    shapes = {"quote": "Quote", "book": "TakenJob", "look": "TakenJob", "cancel": "Cancellation"}
    for verb in ("look", "cancel"):
        status, answer = said(caller, asked[verb])
        assert (status, answer["reason"]) == (404, "unknown_job")
        fits("Refusal", answer)
    for verb, expected in (("quote", 200), ("book", 201), ("book", 200), ("look", 200), ("cancel", 200)):
        status, answer = said(caller, asked[verb])
        assert status == expected, verb
        fits(shapes[verb], answer)
    for step in company.jobs[REFERENCE].steps:
        for news in company.voice.news(company.jobs[REFERENCE], step):
            fits("JobEvent", news.content)


def test_a_repeat_gets_the_same_job_and_codes_and_another_body_gets_neither(caller: Caller) -> None:
    of = replace(job(), proofs=frozenset({Proof.PICKUP_CODE, Proof.RECEIPT_CODE}))

    def booked(wanted: Any) -> object:
        return dialect.booked(caller.send(dialect.book(caller.account, "", wanted, NOON)), wanted)

    first = booked(of)
    assert isinstance(first, Booked)
    assert set(first.codes) == {"pickup_code", "receipt_code"}
    assert booked(of) == first
    assert booked(replace(of, handover=Handover.GATE)) == Unsure("another_body")


def test_the_codes_of_a_booking_whose_answer_was_lost_are_in_the_look_up(
    company: CourierCompany, caller: Caller
) -> None:
    company.conduct.fates[REFERENCE] = Fate("stall")
    of = replace(job(), proofs=frozenset({Proof.PICKUP_CODE, Proof.RECEIPT_CODE}))
    with pytest.raises(Unanswered):
        caller.send(dialect.book(caller.account, "", of, NOON))
    found = caller.look_up()
    assert isinstance(found, Found)
    assert set(found.codes) == {"pickup_code", "receipt_code"}


@pytest.mark.parametrize("handover", NEAREST_FIRST)
def test_proofs_are_brought_back_by_name_as_far_as_the_hand_over_has_them(
    caller: Caller, clock: HandClock, ear: Ear, handover: Handover
) -> None:
    of = replace(
        job(handover=handover), proofs=frozenset({Proof.PICKUP_CODE, Proof.RECEIPT_CODE, Proof.PHOTO})
    )
    assert isinstance(dialect.booked(caller.send(dialect.book(caller.account, "", of, NOON)), of), Booked)
    clock.turn()
    brought = {event.kind: {proof.kind for proof in event.proofs} for event in ear.events if event.proofs}
    at_the_door = {Proof.PHOTO, Proof.RECEIPT_CODE} if handover in TO_THE_CLIENT else {Proof.PHOTO}
    assert brought == {EventKind.PICKED_UP: {Proof.PICKUP_CODE}, EventKind.DELIVERED: at_the_door}
    assert all(isinstance(proof, Proven) for event in ear.events for proof in event.proofs)


def test_a_cancellation_says_its_fee_and_where_the_gift_is_and_says_it_again(
    company: CourierCompany, caller: Caller, clock: HandClock
) -> None:
    assert isinstance(caller.book(), Booked)
    clock.turn(company.jobs[REFERENCE].timings.in_transit)
    fee = Money(amount=company.conduct.cancel_fee, currency="CNY")
    assert caller.cancel(None) == CancelConfirmed(fee, returning=True)
    assert caller.cancel(None) == CancelConfirmed(fee, returning=True)
    clock.turn()
    assert caller.cancel(None) == CancelConfirmed(fee, returning=None), "it is back: the look-up tells"
    found = caller.look_up()
    assert isinstance(found, Found) and found.event is not None
    assert (found.event.kind, found.event.reason) == (EventKind.RETURNED, "")


def test_a_look_up_brings_the_event_of_the_callback_and_no_other(
    caller: Caller, clock: HandClock, ear: Ear
) -> None:
    caller.book()
    for hours in range(1, 8):
        clock.turn(NOON + timedelta(hours=hours))
        found = caller.look_up()
        assert isinstance(found, Found) and found.event is not None
        assert found.event.event_id in {event.event_id for event in ear.events} or not ear.events
    assert ear.events[-1].kind is EventKind.DELIVERED


def test_prices_and_refusals_are_of_the_whole_fleet_where_it_says_so(
    company: CourierCompany, caller: Caller
) -> None:
    assert caller.quote() == Quoted(
        Money(amount=company.conduct.fee, currency="CNY"), cast("Quoted", caller.quote()).quote_id
    )
    company.conduct.fates[REFERENCE] = Fate("refuse", "closed_area")
    assert caller.book() == NotTaken("closed_area", whole_courier=True)
    company.conduct.fates[REFERENCE] = Fate("refuse", "no_rider")
    assert caller.book() == NotTaken("no_rider")


@pytest.mark.parametrize("key", [None, "Bearer ", "Bearer key_3f1c9a7be2d84057", "key_3f1c9a7be2d84056"])
def test_without_the_key_nothing_is_told(caller: Caller, company: CourierCompany, key: str | None) -> None:
    caller.book()
    for request in (
        dialect.look_up(caller.account, "", REFERENCE, None, NOON),
        dialect.cancel(caller.account, "", REFERENCE, None, "brand", NOON),
        dialect.book(caller.account, "", job(), NOON),
    ):
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        bare = replace(request, headers={**headers, **({"authorization": key} if key else {})})
        assert said(caller, bare)[0] == 401
    assert dialect.booked(caller.send(bare), job()) == NotTaken("account_refused", whole_courier=True)
    assert company.jobs[REFERENCE].is_live


def test_what_the_guide_types_works(company: CourierCompany) -> None:
    """Its commands, run as they stand, with the two addresses in the place of the invented ones."""
    if not all(shutil.which(name) for name in ("bash", "curl", "openssl")):
        pytest.skip("bash, curl and openssl are wanted")

    class Now(HandClock):
        def now(self) -> datetime:
            return datetime.now(UTC)

    ear = Ear(Now(), dialect, ACCOUNT)
    guide = GUIDE.read_text(encoding="utf-8")
    typed = "\n".join(re.findall(r"```sh\n(.*?)\n```", guide, re.DOTALL))
    typed = typed.replace("https://drivers.example/cordon/v1", company.url)
    typed = typed.replace("https://cordon.example/v1/callbacks/SHA/maison-drivers", ear.url)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", typed],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "NO_PROXY": "*"},
    )
    ear.close()
    assert ran.returncode == 0, ran.stderr
    assert re.findall(r"(?:^| )(\d{3})$", ran.stdout, re.MULTILINE) == ["201", "200", "200", "200", "200"]
    assert [event.kind for event in ear.events] == [EventKind.COURIER_ASSIGNED]
    assert ear.events[0].reference in company.jobs


def test_the_guides_ping_is_answered_and_nothing_comes_of_it(ear: Ear, clock: HandClock) -> None:
    from tests.couriers.samples_partner import enveloped

    ping = enveloped(ACCOUNT, b'{"type":"ping"}', NOON)
    line = http.client.HTTPConnection(urlsplit(ear.url).netloc, timeout=5)
    line.request("POST", urlsplit(ear.url).path, ping.body, dict(ping.headers))
    assert line.getresponse().status == 200
    line.close()
    assert (ear.events, ear.refused) == ([], 0)
