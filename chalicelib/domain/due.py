"""When somebody has to look at an order again: the one rule that feeds the pool, the sweep and the desk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from chalicelib.domain.instead import UNMET, WhyDigital
from chalicelib.domain.legs import Booking, Leg
from chalicelib.domain.orders import ENDED, POLL, SETTLE, Fallback, Order, OrderState
from chalicelib.domain.shapes import rounded_up
from chalicelib.domain.verdicts import Decision

MINUTE = timedelta(minutes=1)
TOLD_WITHIN = timedelta(minutes=2)
"""An ended order whose last notice is not confirmed sent is looked at again after this."""


def is_over(order: Order) -> bool:
    """True when nothing is planned and no courier can be holding a job of it."""
    return order.state in ENDED and not order.live_bookings


AFTERMATH = frozenset({OrderState.STRANDED, OrderState.FAILED, OrderState.RETURNED, OrderState.AT_GATE})
"""Ends that somebody may have to do something about."""


def needs_somebody(order: Order) -> bool:
    """True when it has ended, nothing is owed any more, and a person may still have to do something."""
    return order.state in AFTERMATH and due_at(order) is None


def in_pool(order: Order) -> bool:
    """True when the order waits for an assignment."""
    waits = order.state in (OrderState.PLACED, OrderState.HELD, OrderState.RELAYED)
    return waits and not order.wants_digital


def owes_digital(order: Order, now: datetime) -> bool:
    """True when a gift that needs no courier is to stand in for the parcel, and nothing has been done about it: once on
    each occasion, for an offer that was declined is not made again."""
    if order.fallback is not Fallback.DIGITAL:
        return False
    if order.state is OrderState.STRANDED:
        return order.digital is None or (
            order.digital.why is WhyDigital.PATIENCE and order.digital.outcome in UNMET
        )
    if order.state is not OrderState.HELD or order.digital is not None or order.digital_after is None:
        return False
    waits = order.outlook is not None and order.outlook.decision is not Decision.YES
    return waits and order.digital_after <= now


def due_at(order: Order) -> datetime | None:
    """When somebody has to look at this order again, or None when nothing is owed any more.

    This one rule feeds the pool, the sweep and the retry of whatever was lost on the way. Outside the pool it is a
    full minute: the sweep comes no more often, and an index is not written anew for seconds.
    """
    if in_pool(order):
        looked = order.outlook.next_look if order.outlook else None
        planned = looked or order.leg.begun_at or order.placed_at
        if order.stopped is not None:
            planned = max(planned, order.stopped.until)
        return min([planned, *_looks(order.legs[:-1])])
    looks = list(_looks(order.legs))
    if order.awaits_proof:
        assert order.leg.handing is not None
        looks.append(order.leg.handing.nag_at(order.history[-1].at))
    elif order.leg.assignment is not None and order.leg.live_booking is None and not is_over(order):
        looks.append(order.leg.assignment.assigned_at + SETTLE)
    if looks:
        return rounded_up(min(looks), MINUTE)
    if order.told and not order.wants_digital:
        return _nag_at(order)
    ended = order.history[-1].at
    # a look that was due soon anyway serves as well, and the index stays as it is
    waiting = [b.next_look for b in order.bookings if b.next_look is not None]
    soon = [look for look in waiting if ended + MINUTE <= look <= ended + POLL]
    return rounded_up(min(soon, default=ended + TOLD_WITHIN), MINUTE)


def _nag_at(order: Order) -> datetime | None:
    if order.appointment is None or not order.is_on_loan:
        return None
    nag = order.appointment.next_nag(order.history[-1].at)
    return None if nag is None else rounded_up(nag, MINUTE)


def _looks(legs: Iterable[Leg]) -> Iterator[datetime]:
    return (when for leg in legs for b in leg.bookings if (when := _booking_due(b)) is not None)


def _booking_due(booking: Booking) -> datetime | None:
    if not booking.is_live:
        return booking.next_look if booking.may_have_news else None
    return booking.next_look or booking.attempted_at + SETTLE
