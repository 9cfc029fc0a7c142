"""Asking."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import cast
from urllib.parse import unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.dialect import Found, Job, Quoted, Request
from chalicelib.domain.errors import Uncarriable
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.legs import reference_of
from chalicelib.domain.policies import Handover
from tests.couriers.contract.clause import Broken, NotAsked, clause, crash, expect
from tests.couriers.contract.junk import patiently
from tests.couriers.contract.subject import COURIER_ID, DELIVERY_ID, Subject
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, gift, job

LONGEST_S = 10
WORD = re.compile(r"[A-Za-z0-9._-]+")
THERE = "https://there.test"
OTHER = reference_of(ORDER_ID, 1, 2)


def book(subject: Subject, of: Job, token: str = "token", late: timedelta = timedelta()) -> Request:
    try:
        return request_of("book", subject.dialect.book(subject.account, token, of, NOON + late))
    except Uncarriable as error:
        value = of.gift.value
        if not subject.has("CURRENCY"):
            reason = f"it does not take a gift of {value.currency} ({error}): samples name its CURRENCY"
            raise NotAsked(reason, wanting=True) from None
        raise Broken(
            f"a request for an ordinary job, a gift of {value.amount} {value.currency}",
            f"raised Uncarriable({str(error)!r})",
        ) from None


def every_request(subject: Subject, **changes: str) -> list[tuple[str, Request]]:
    """Each, for an ordinary job, under our account with those values changed."""
    dialect, account = subject.dialect, {**subject.account, **changes}
    book(subject, subject.job())
    found = [
        ("login", dialect.login(account)),
        ("quote", dialect.quote(account, "token", subject.job(), NOON)),
        ("book", dialect.book(account, "token", subject.job(), NOON)),
        ("look_up", dialect.look_up(account, "token", REFERENCE, None, NOON)),
        ("look_up", dialect.look_up(account, "token", REFERENCE, DELIVERY_ID, NOON)),
        ("cancel", dialect.cancel(account, "token", REFERENCE, DELIVERY_ID, "closed", NOON)),
    ]
    if not dialect.cancels_by_id:
        found.append(("cancel", dialect.cancel(account, "token", REFERENCE, None, "closed", NOON)))
    return [(name, request_of(name, request)) for name, request in found if request is not None]


def request_of(name: str, request: object) -> Request:
    expect(isinstance(request, Request), f"a Request from {name}", f"it gave {request!r}")
    return cast("Request", request)


def names(request: Request, what: str) -> bool:
    return what in unquote_plus(request.url) or what.encode() in request.body


@clause
def booking_the_same_job_again_is_the_same_request(subject: Subject) -> None:
    first, again = (book(subject, subject.job()) for _ in range(2))
    expect(first == again, f"one and the same request twice, {first!r}", f"the second is {again!r}")
    for request in (first, book(subject, subject.job(), "other-token", timedelta(minutes=9))):
        expect(names(request, REFERENCE), f"our reference {REFERENCE!r} in the request", f"it is {request!r}")


@clause
def booking_another_job_or_the_same_one_anew_is_another_request(subject: Subject) -> None:
    asked = {
        (request.url, request.body)
        for number in range(1, 5)
        for request in [book(subject, subject.job(reference_of(ORDER_ID, 1, number)))]
    }
    expect(len(asked) == 4, "four requests for four references", f"there are {len(asked)}")


@clause
def a_job_is_asked_for_or_cannot_be_and_there_is_no_third(subject: Subject) -> None:
    @patiently
    @given(of=_jobs())
    def asked(of: Job) -> None:
        for verb in (subject.dialect.book, subject.dialect.quote):
            answers = [_answer(subject, verb, of) for _ in range(2)]
            expect(answers[0] == answers[1], f"the same from {verb.__name__} twice", f"got {answers!r}")

    subject.account  # noqa: B018
    asked()


def _answer(subject: Subject, verb: object, of: Job) -> object:
    name = verb.__name__  # type: ignore[attr-defined]
    try:
        return verb(subject.account, "token", of, NOON)  # type: ignore[operator]
    except Uncarriable as error:
        expect(error.reason.isidentifier(), "a slug as the reason of Uncarriable", f"it is {error.reason!r}")
        return error.reason
    except Exception as error:
        raise Broken(f"a request or Uncarriable from {name}", crash(error, subject.file)) from error


def _jobs() -> st.SearchStrategy[Job]:
    minutes = st.integers(-600, 6000)

    def made(begins: int, later: int, length: int, told: bool, currency: str, **of: object) -> Job:
        start = NOON + timedelta(minutes=begins)
        hand_over = start + timedelta(minutes=later)
        return job(
            of=gift(cast("int", of["fen"]), cast("ItemClass", of["item_class"]), currency=currency),
            handover=cast("Handover", of["handover"]),
            deliver_from=hand_over,
            deliver_by=hand_over + timedelta(minutes=length),
            pick_up_from=start if told else None,
        )

    return st.builds(
        made,
        begins=minutes,
        later=st.integers(0, 300),
        length=st.integers(1, 600),
        told=st.booleans(),
        currency=st.sampled_from(["CNY", "EUR", "JPY", "USD"]),
        fen=st.integers(0, 10**9),
        item_class=st.sampled_from(ItemClass),
        handover=st.sampled_from(Handover),
    )


@clause
def a_courier_names_a_price_or_is_never_asked_for_one(subject: Subject) -> None:
    quoted = subject.wants("QUOTED")
    request = subject.dialect.quote(subject.account, "token", subject.job(), NOON)
    if quoted is None:
        expect(request is None, "no request, for QUOTED of the samples is None", f"quote asks {request!r}")
        raise NotAsked("it names no prices")
    expect(request is not None, "a request for a price", "quote says None")
    answer = subject.dialect.quoted(quoted, subject.job(), NOON)
    expect(isinstance(answer, Quoted), f"Quoted for {quoted.body!r}", f"it says {answer!r}")
    assert isinstance(answer, Quoted)
    expect(answer.fee.amount > 0, "a fee", f"it is {answer.fee!r}")
    if answer.quote_id is not None:
        follows = book(subject, replace(subject.job(), quote_id=answer.quote_id))
        words = [word for word in WORD.findall(answer.quote_id) if word.encode() in quoted.body]
        expect(
            words,
            f"quote_id to hold the courier's name for it in {quoted.body!r}",
            f"it is {answer.quote_id!r}",
        )
        expect(
            any(names(follows, word) for word in words),
            f"a booking that follows the quote {answer.quote_id!r} to name it",
            f"it is {follows!r}",
        )


@clause
def a_job_is_looked_up_under_our_reference(subject: Subject) -> None:
    """After a timeout there is no other name for it. Who has to list all jobs looks for it in the answer."""
    ask = subject.dialect.look_up
    request, other = (ask(subject.account, "token", name, None, NOON) for name in (REFERENCE, OTHER))
    if request != other:
        expect(names(request, REFERENCE), f"our reference {REFERENCE!r} in the request", f"it is {request!r}")
        return
    for reply in subject.wants("FOUND"):
        answer = subject.dialect.looked_up(reply, OTHER, COURIER_ID, NOON)
        expect(
            not isinstance(answer, Found),
            f"our reference in the request, or nothing found of {OTHER!r} in {reply.body!r}",
            f"it says {answer!r}",
        )


@clause
def a_job_is_cancelled_under_a_name_that_the_courier_knows(subject: Subject) -> None:
    dialect, account = subject.dialect, subject.account
    if dialect.cancels_by_id:
        request = dialect.cancel(account, "token", REFERENCE, DELIVERY_ID, "closed", NOON)
        expect(
            names(request, DELIVERY_ID), f"its own id {DELIVERY_ID!r} (cancels_by_id)", f"it is {request!r}"
        )
        return
    request = dialect.cancel(account, "token", REFERENCE, None, "closed", NOON)
    expect(
        names(request, REFERENCE),
        f"our reference {REFERENCE!r} in it, for cancels_by_id is False",
        f"it is {request!r}",
    )


@clause
def no_request_waits_longer_than_a_function_may(subject: Subject) -> None:
    for name, request in every_request(subject):
        waits = request.connect_timeout_s + request.read_timeout_s
        expect(0 < waits <= LONGEST_S, f"{name} to wait {LONGEST_S} s at most", f"it waits {waits:g} s")
        expect(request.url.startswith("https://"), f"{name} to go over https", f"it goes to {request.url!r}")


@clause
def every_request_goes_to_the_address_that_the_account_names(subject: Subject) -> None:
    """The sandbox, and the courier's own, stand at another. A token may come from elsewhere."""
    for name, request in every_request(subject, base_url=THERE):
        expect(
            name == "login" or request.url.startswith(f"{THERE}/"),
            f"{name} to go to the account's base_url {THERE!r}",
            f"it goes to {request.url!r}",
        )
