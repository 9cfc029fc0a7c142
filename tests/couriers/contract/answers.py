"""Answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from chalicelib.domain.dialect import (
    Booked,
    CancelConfirmed,
    Found,
    NotFound,
    NotTaken,
    Reply,
    Unsure,
)
from chalicelib.domain.legs import ENDS, EventKind
from tests.couriers.contract.clause import Broken, NotAsked, clause, crash, expect
from tests.couriers.contract.meaning import said
from tests.couriers.contract.subject import COURIER_ID, Subject
from tests.couriers.jobs import NOON, REFERENCE

SLUG = re.compile(r"[a-z][a-z0-9_]*")


def read(subject: Subject, samples: str, verb: str) -> Iterator[tuple[str, Reply, object]]:
    """Each of those sample answers as that verb reads it."""
    for reply in subject.wants(samples):
        what = f"{reply.status} {reply.body.decode(errors='replace')[:120]!r}"
        try:
            if verb == "booked":
                answer: object = subject.dialect.booked(reply, subject.job())
            elif verb == "cancelled":
                answer = subject.dialect.cancelled(reply)
            else:
                answer = subject.dialect.looked_up(reply, REFERENCE, COURIER_ID, NOON)
        except Exception as error:
            raise Broken(f"a reading of the answer {what}", crash(error, subject.file)) from error
        yield what, reply, answer


def words(kinds: Iterable[EventKind]) -> str:
    return ", ".join(sorted(str(kind) for kind in kinds)) or "none"


@clause
def a_job_that_was_taken_is_booked_under_the_name_its_courier_gave_it(subject: Subject) -> None:
    for what, reply, answer in read(subject, "BOOKED", "booked"):
        expect(isinstance(answer, Booked), f"Booked for {what}", f"it says {answer!r}")
        assert isinstance(answer, Booked)
        name, named = answer.delivery_id, subject.may_say("NAMES_ITS_JOBS", True)
        if named:
            expect(name and name.encode() in reply.body, f"the id in {what}", f"delivery_id is {name!r}")
        else:
            expect(name == REFERENCE, f"our reference {REFERENCE!r} as its name", f"delivery_id is {name!r}")
        codes = {proof.value for proof in subject.dialect.proofs}
        expect(
            set(answer.codes) <= codes,
            f"codes named as its proofs, {', '.join(sorted(codes)) or 'of which it has none'}",
            f"they are named {', '.join(sorted(answer.codes))}",
        )


@clause
def a_certain_no_is_a_no_and_not_a_doubt(subject: Subject) -> None:
    """A doubt keeps the gift waiting until a look-up; after a certain no another courier is asked at once."""
    for what, _, answer in read(subject, "REFUSED", "booked"):
        expect(isinstance(answer, NotTaken), f"NotTaken for {what}", f"it says {answer!r}")
        assert isinstance(answer, NotTaken)
        expect(SLUG.fullmatch(answer.reason), f"a slug as the reason of {what}", f"it is {answer.reason!r}")


@clause
def a_repeat_that_finds_the_job_there_already_is_neither_a_booking_nor_a_refusal(subject: Subject) -> None:
    for what, _, answer in read(subject, "EXISTS_ALREADY", "booked"):
        expect(isinstance(answer, Unsure), f"Unsure for {what}: a look-up tells", f"it says {answer!r}")


@clause
def a_cancellation_is_over_when_the_courier_says_so(subject: Subject) -> None:
    for what, _, answer in read(subject, "CANCELLED", "cancelled"):
        expect(isinstance(answer, CancelConfirmed), f"CancelConfirmed for {what}", f"it says {answer!r}")


@clause
def a_look_up_says_what_a_callback_would(subject: Subject) -> None:
    kinds = set()
    for what, _, answer in read(subject, "FOUND", "looked_up"):
        expect(isinstance(answer, Found) and answer.delivery_id, f"Found for {what}", f"it says {answer!r}")
        assert isinstance(answer, Found)
        event = answer.event
        if event is None:
            continue
        kinds.add(event.kind)
        for name, value in (
            ("reference", REFERENCE),
            ("courier_id", COURIER_ID),
            ("source", "look_up"),
            ("received_at", NOON),
        ):
            was = getattr(event, name)
            expect(was == value, f"an event with {name} {value!r} for {what}", f"it is {was!r}")
        expect(event.kind is not EventKind.UNREADABLE, f"a meaning of {what}", "it is unreadable")
    expect(
        EventKind.DELIVERED in kinds,
        "a delivered job among FOUND to be read so",
        f"they are {words(kinds)}",
    )


@clause
def an_end_that_is_not_proven_can_be_confirmed_by_a_look_up(subject: Subject) -> None:
    """A hint moves nothing, nor does a secret in clear end anything, until a look-up says so too."""
    if subject.dialect.trust == "signed":
        raise NotAsked("a signature proves it")
    hinted = {said(subject, status).kind for status in subject.wants("STATUSES")} & ENDS
    answers = [answer for _, _, answer in read(subject, "FOUND", "looked_up")]
    confirmed = {answer.event.kind for answer in answers if isinstance(answer, Found) and answer.event}
    expect(
        hinted <= confirmed,
        f"a look-up among FOUND for each end that a callback tells: {words(hinted)}",
        f"there are {words(confirmed)}",
    )


@clause
def a_job_that_the_courier_does_not_have_is_not_found(subject: Subject) -> None:
    for what, _, answer in read(subject, "NOT_FOUND", "looked_up"):
        expect(isinstance(answer, NotFound), f"NotFound for {what}", f"it says {answer!r}")
