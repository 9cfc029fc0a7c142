"""Meaning."""

from __future__ import annotations

import re
from datetime import timedelta

from chalicelib.domain.dialect import Callback
from chalicelib.domain.legs import Event, EventKind, fold
from tests.couriers.contract.clause import NotAsked, clause, expect
from tests.couriers.contract.subject import Subject, described
from tests.couriers.jobs import NOON

SLUG = re.compile(r"[a-z0-9_]*")
PLAIN = re.compile(r"[\x21-\x7e]+")


def event_of(subject: Subject, callback: Callback, what: str, late: timedelta = timedelta()) -> Event:
    heard = subject.heard(what, callback, at=NOON + late)
    expect(len(heard.events) == 1, f"one event in {what}", described(heard))
    return heard.events[0]


def said(subject: Subject, status: str, minutes: int = 0) -> Event:
    told = subject.told(status, occurred_at=NOON + timedelta(minutes=minutes))
    return event_of(subject, told, f"the status {status!r}")


@clause
def every_recorded_callback_is_read_the_same_each_time(subject: Subject) -> None:
    if not subject.recorded:
        raise NotAsked("no recorded callbacks are here", wanting=not subject.has("recorded"))
    for sent in subject.recorded:
        heard = subject.heard(sent.label, sent.callback, sent.account, at=sent.came_at)
        expect(
            heard.events or heard.foreign,
            f"an event, or a foreign reference, in {sent.label}",
            described(heard),
        )
        again = subject.heard(sent.label, sent.callback, sent.account, at=sent.came_at)
        expect(again == heard, f"{sent.label} to be read as before ({described(heard)})", described(again))
        for event in heard.events:
            expect(
                event.kind is not EventKind.UNREADABLE,
                f"to know the status in {sent.label}",
                described(heard),
            )


@clause
def every_documented_status_is_understood(subject: Subject) -> None:
    found = {}
    for status in subject.wants("STATUSES"):
        event = said(subject, status)
        expect(event.kind is not EventKind.UNREADABLE, f"a meaning of {status!r}", "it is unreadable")
        expect(event.raw_status == status, f"raw_status {status!r}", f"it is {event.raw_status!r}")
        found[event.kind] = status
    expect(
        EventKind.DELIVERED in found, "a status that means delivered", f"they mean {', '.join(sorted(found))}"
    )


@clause
def an_unknown_status_is_kept_and_moves_nothing(subject: Subject) -> None:
    status = subject.wants("UNKNOWN_STATUS")
    event = said(subject, status)
    expect(event.kind is EventKind.UNREADABLE, f"{status!r} to be unreadable", f"it is read as {event.kind}")
    expect(event.raw_status == status, f"raw_status {status!r}", f"it is {event.raw_status!r}")
    track = fold([event])
    expect(track.kind is None and track.unreadable == 1, "a track that has not moved", f"it is {track!r}")


@clause
def what_an_event_keeps_are_codes(subject: Subject) -> None:
    for status in (*subject.wants("STATUSES"), subject.wants("UNKNOWN_STATUS")):
        event = said(subject, status)
        for name, shape in (("reason", SLUG), ("event_id", PLAIN), ("raw_status", PLAIN)):
            value = getattr(event, name)
            expect(
                shape.fullmatch(value), f"{name} of {status!r} to match {shape.pattern}", f"it is {value!r}"
            )
        expect(event.source == "callback", "source 'callback'", f"it is {event.source!r}")
        brought = {proof.kind for proof in event.proofs}
        expect(
            brought <= subject.dialect.proofs,
            f"proofs of {status!r} among those that the courier can bring back",
            f"there are {', '.join(sorted(brought))}",
        )


@clause
def a_reference_that_is_not_ours_is_acknowledged_and_makes_no_event(subject: Subject) -> None:
    told = subject.told(reference="SOMEBODY-1")
    heard = subject.heard("a callback about somebody else's job", told)
    expect(
        heard.events == () and heard.foreign == ("SOMEBODY-1",),
        "no event, and 'SOMEBODY-1' as foreign",
        described(heard),
    )


@clause
def what_couriers_say_is_answered_with_text(subject: Subject) -> None:
    for sent in subject.sent:
        heard = subject.heard(sent.label, sent.callback, sent.account, at=sent.came_at)
        try:
            heard.answer.decode()
        except UnicodeDecodeError:
            expect(False, "an answer in UTF-8", f"it is {heard.answer[:40]!r}")
