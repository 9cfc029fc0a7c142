"""One leg of an order as a courier is asked to carry it."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain.dialect import Job
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import Assignment
from chalicelib.domain.orders import Contact, Order, Private, Recipient


def job_of(
    order: Order, private: Private, assignment: Assignment, courier: Courier, reference: str, now: datetime
) -> Job:
    """The job of that assignment, under that reference. Carries personal data and is never stored or logged."""
    quote, leg = assignment.quote, order.leg
    shop, recipient = private.pick_up_contact, private.recipient
    if (
        leg.taken_to is not None
    ):  # who calls because of the point has the shop on the line: it knows both couriers
        recipient = Recipient(name=leg.taken_to.name, phone=shop.phone, place=leg.taken_to.place)
    if leg.fetched_at is not None:
        shop = Contact(name=leg.fetched_at.name, phone=shop.phone)
    return Job(
        reference=reference,
        gift=order.gift,
        pick_up_name=order.pick_up_name if leg.fetched_at is None else leg.fetched_at.name,
        pick_up=order.shop if leg.fetched_at is None else leg.fetched_at.place,
        pick_up_contact=shop,
        recipient=recipient,
        deliver_from=max(assignment.hand_over_from, order.window.start),
        deliver_by=min(assignment.hand_over_by, order.window.end),
        handover=assignment.handover,
        time_zone=order.window.time_zone,
        proofs=courier.proofs,
        pick_up_from=assignment.start,
        quote_id=quote.quote_id if quote is not None and quote.holds(now) else None,
        visit_minutes=None if order.appointment is None else order.appointment.minutes,
        is_safeguarded=order.safeguard is not None,
    )
