"""What is left of an order and of a client once the client is forgotten, and how far an erasure is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from chalicelib.domain.appointments import Appointment
from chalicelib.domain.clients import Client
from chalicelib.domain.deeds import deed_of_row, deed_prefix, deed_row
from chalicelib.domain.facts import event_prefix
from chalicelib.domain.gifts import Gift
from chalicelib.domain.legs import Booking, Event, Leg
from chalicelib.domain.orders import ERASED, Order
from chalicelib.domain.ports import Row
from chalicelib.domain.retention import BACKUPS, ERASED_WITHIN
from chalicelib.domain.shapes import Instant, Shape, Slug
from chalicelib.domain.substitutes import PROPOSALS, proposal_of_row, proposal_row

LOOK = timedelta(minutes=15)
"""How often it is looked at whether what waits has ended."""
AFTERCARE = timedelta(days=1)
"""Once more, so long after it is done: whoever was in the middle of something then has finished."""


class ErasureState(StrEnum):
    """How far it is."""

    WAITING = "waiting"
    """The person can be read no more; orders that are on their way keep what their couriers need."""
    ERASED = "erased"


class ErasureView(Shape):
    """An erasure as its brand reads it."""

    client_id: str
    reference: Slug
    state: ErasureState
    asked_at: Instant
    waiting_for: tuple[str, ...] = Field(
        default=(), description="Orders that have not ended. Each keeps a copy of its own until it has."
    )
    by: Instant = Field(
        description="So long it takes at most: what is still on its way then is erased as well."
    )
    erased_at: Instant | None = None
    out_of_backups_at: Instant = Field(description="From then on nobody can restore it, us included.")


def erasure_view(client: Client, waiting_for: tuple[str, ...]) -> ErasureView:
    """How far the erasure of that client is."""
    assert client.erasure_asked_at is not None
    by = deadline(client.erasure_asked_at)
    done = client.erased_at
    return ErasureView(
        client_id=client.client_id,
        reference=client.reference,
        state=ErasureState.WAITING if done is None else ErasureState.ERASED,
        asked_at=client.erasure_asked_at,
        waiting_for=waiting_for,
        by=done or by,
        erased_at=done,
        out_of_backups_at=(done or by) + BACKUPS,
    )


def deadline(asked_at: datetime) -> datetime:
    """When nothing is waited for any more."""
    return asked_at + ERASED_WITHIN


def left_of_order(order: Order) -> Order:
    """The next version of the order, in which nothing says whom it was for: no names, no address, no codes, nothing
    that a brand wrote in words of its own, nothing to compare another request with."""
    was = tuple(one.model_copy(update={"gift": _left_of_gift(one.gift)}) for one in order.substitution.was)
    changes = {
        "version": order.version + 1,
        "sealed": b"",
        "gift": _left_of_gift(order.gift),
        "substitution": order.substitution.model_copy(update={"was": was}),
        "appointment": None if order.appointment is None else _left_of_visit(order.appointment),
        "legs": tuple(map(_left_of_leg, order.legs)),
        "fingerprint": ERASED,
        "stepped": False,
    }
    return order.model_copy(update=changes)


def left_of_row(row: Row) -> Row | None:
    """The next version of a row that hangs on the order, without what is sealed in it, what the brand wrote on a gift
    that was proposed, and what a dispatcher wrote of what was done; None: nothing of that is in it."""
    body = _left_of_body(row)
    if body is None and not row.sealed:
        return None
    return replace(row, version=row.version + 1, body=row.body if body is None else body, sealed=b"")


def _left_of_body(row: Row) -> str | None:
    """None: it stays as it is."""
    if row.key.sk.startswith(PROPOSALS):
        proposal = proposal_of_row(row)
        gift = _left_of_gift(proposal.gift)
        changed = proposal.model_copy(update={"gift": gift, "version": row.version + 1})
        return None if gift == proposal.gift else proposal_row(changed).body
    if row.key.sk.startswith(deed_prefix()):
        deed = deed_of_row(row)
        return deed_row(deed.model_copy(update={"why": ""})).body if deed.why else None
    if row.key.sk.startswith(event_prefix()) and "said_sealed" in row.body:
        event = Event.model_validate_json(row.body).model_copy(update={"said_sealed": None})
        return event.model_dump_json(exclude_defaults=True)
    return None


def _left_of_gift(gift: Gift) -> Gift:
    items = tuple(item.model_copy(update={"name": ERASED}) for item in gift.items)
    return gift.model_copy(update={"items": items})


def _left_of_visit(visit: Appointment) -> Appointment:
    """Its pieces have their serial numbers still: what is out has to be found again."""
    pieces = tuple(piece.model_copy(update={"name": ERASED}) for piece in visit.pieces)
    return visit.model_copy(update={"pieces": pieces})


def _left_of_leg(leg: Leg) -> Leg:
    return leg.model_copy(update={"bookings": tuple(map(_left_of_booking, leg.bookings))})


def _left_of_booking(booking: Booking) -> Booking:
    return booking.model_copy(update={"codes": None})


def mark(client: Client, now: datetime) -> Client:
    """The client as a mark: that somebody of this reference was here, and is not enrolled again."""
    return Client(
        client_id=client.client_id,
        brand_id=client.brand_id,
        reference=client.reference,
        country=client.country,
        locale="und",
        time_zone="UTC",
        created_at=client.created_at,
        erasure_asked_at=client.erasure_asked_at,
        erased_at=now,
        next_look=now + AFTERCARE,
        version=client.version + 1,
    )
