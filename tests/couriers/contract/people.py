"""People."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote_plus

from chalicelib.domain.errors import CordonError, Malformed, Unauthorised
from tests.couriers.contract.asking import every_request
from tests.couriers.contract.clause import NotAsked, clause, expect
from tests.couriers.contract.junk import damaged
from tests.couriers.contract.subject import COURIER_ID, Subject
from tests.couriers.jobs import NOON, job


@clause
def what_a_callback_says_of_people_stays_where_it_is(subject: Subject) -> None:
    people = subject.wants("PERSONAL")
    if not people:
        raise NotAsked("its callbacks name nobody")
    for status in (*subject.wants("STATUSES"), subject.wants("UNKNOWN_STATUS")):
        heard = subject.heard(f"the status {status!r}", subject.told(status))
        for person in people:
            expect(
                person not in repr(heard),
                f"nothing of {person!r} in the events of {status!r}",
                f"it is in {heard.events!r}",
            )


@clause
def errors_name_nobody(subject: Subject) -> None:
    people = subject.wants("PERSONAL")
    if not people:
        raise NotAsked("its callbacks name nobody")
    subject.wants("said")
    for inside in damaged(subject):
        callback = subject.enveloped(inside)
        for tried in (callback, replace(callback, query={}, headers={})):
            try:
                subject.dialect.hear((subject.account,), tried, COURIER_ID, NOON)
            except (Malformed, Unauthorised) as error:
                _names_nobody(error, people)
            except Exception:  # noqa: S112  (whether it crashes, the chapter on junk asks)
                continue


def _names_nobody(error: CordonError, people: Sequence[str]) -> None:
    for person in people:
        expect(
            person not in str(error), f"an error without {person!r} in it", f"{type(error).__name__}: {error}"
        )


@clause
def no_address_of_a_request_names_anybody(subject: Subject) -> None:
    """Addresses stand in the logs of every proxy on the way, and headers beside them."""
    of = job()
    people = (
        of.recipient.name,
        of.recipient.phone.removeprefix("+86"),
        of.pick_up_contact.name,
        of.pick_up_contact.phone.removeprefix("+86"),
        of.recipient.place.address.line,
    )
    for name, request in every_request(subject):
        where = unquote_plus(request.url) + repr(dict(request.headers))
        for person in people:
            expect(
                person not in where, f"{name} without {person!r} in its URL or headers", f"it is {where!r}"
            )
