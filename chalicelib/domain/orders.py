"""The gift order: what a brand hands in, what is kept of it, and the state that can be read off it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic.functional_validators import BeforeValidator
from pydantic.json_schema import SkipJsonSchema

from chalicelib.domain.appointments import Appointment, Piece
from chalicelib.domain.custody import Chain, beginning, chain
from chalicelib.domain.gifts import Gift
from chalicelib.domain.handing import TRIES, Handing, HandingView
from chalicelib.domain.instead import UNMET, Digital, DigitalOutcome, WhyDigital
from chalicelib.domain.legs import Booking, BookingState, EventKind, Leg, replace_leg
from chalicelib.domain.places import HandOverPoint, Market, Place
from chalicelib.domain.safeguards import Safeguard
from chalicelib.domain.shapes import (
    Instant,
    Shape,
    Slug,
    Text,
    Window,
    as_name,
    by_name,
    id_of,
    is_absent,
    names_of,
    rounded_up,
)
from chalicelib.domain.substitution import Substitution, WasView
from chalicelib.domain.verdicts import Decision, Delivery, Reason

SCHEMA = 1
"""The version of the stored shape; `facts` upcasts older ones on read."""

POLL = timedelta(minutes=15)
"""A courier that has been silent this long about a live job is asked."""
RETURNING = "returning"
"""What a courier answers that agrees to the end of a job, has the gift, and brings it back."""
SETTLE = timedelta(minutes=2)
"""How long a booking may take to show up at the courier before a look-up that finds nothing is believed."""
RELOOK = timedelta(minutes=30)
"""How often a held gift is looked at again when nothing else wakes it."""
ERASED = "erased"
"""What stands in an order in the place of what could tell whom it was for."""
MINUTE = timedelta(minutes=1)
TOLD_WITHIN = timedelta(minutes=2)
"""An ended order whose last notice is not confirmed sent is looked at again after this."""


class Tier(IntEnum):
    """Priority, strictly: nobody of a lower tier is served in the place of a higher one."""

    STANDARD = 1
    SILVER = 2
    GOLD = 3
    PLATINUM = 4
    DIAMOND = 5


TierName = Annotated[Tier, by_name(Tier), as_name(Tier), names_of(Tier)]


class Fallback(StrEnum):
    """What the brand wishes when nobody may go."""

    HOLD = "hold"
    DIGITAL = "digital"
    CANCEL = "cancel"


class OrderState(StrEnum):
    """Past tense, derived, in this spelling everywhere."""

    PLACED = "placed"
    HELD = "held"
    STRANDED = "stranded"
    ASSIGNED = "assigned"
    BOOKED = "booked"
    PICKED_UP = "picked_up"
    RELAYED = "relayed"
    """Handed over at a hand-over point, and waiting there for the courier of the next leg."""
    AT_GATE = "at_gate"
    DELIVERED = "delivered"
    FAILED = "failed"
    RETURNING = "returning"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    FULFILLED_DIGITALLY = "fulfilled_digitally"


ENDED = frozenset(
    {
        OrderState.STRANDED,
        OrderState.AT_GATE,
        OrderState.DELIVERED,
        OrderState.FAILED,
        OrderState.RETURNED,
        OrderState.CANCELLED,
        OrderState.FULFILLED_DIGITALLY,
    }
)
"""States nothing more is planned for. At gate, the client's own receipt may still follow."""

Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$"), Field(examples=["+8613800138000"])]
"""E.164."""


class Contact(Shape):
    """A person to hand over to or take from. Personal: sealed, never echoed."""

    name: Text
    phone: Phone


class Recipient(Shape):
    """The client and where the client is. Personal: sealed, never echoed."""

    name: Text
    phone: Phone
    place: Place


class PickUp(Shape):
    """Where the gift is fetched: a boutique, a kitchen, a hotel."""

    name: Text
    place: Place
    contact: Contact


class Together(Shape):
    """Gifts of one brand to one household that go with one courier at one time, or not at all."""

    group: Slug = Field(description="The brand's own name for them; not personal.", examples=["EASTER-SET-7"])
    gifts: int = Field(
        strict=True,
        ge=2,
        le=10,
        description="So many bear this name: none of them goes before all are placed.",
    )


def _not_here(_given: object) -> None:
    raise ValueError("an appointment is made by POST /v1/appointments")


class NewOrder(Shape):
    """A gift order as a brand hands it in."""

    market: Slug = Field(examples=["SHA"])
    reference: Slug = Field(
        description="The brand's own name for it; not personal.", examples=["EASTER-0001"]
    )
    gift: Gift
    pick_up: PickUp
    recipient: Recipient
    window: Window
    tier: TierName = Field(default=Tier.STANDARD, json_schema_extra={"default": "standard"})
    fallback: Fallback = Fallback.HOLD
    together: Together | None = Field(
        default=None,
        exclude_if=is_absent,
        description="It travels with others. A courier that then takes only some of them parts them.",
    )
    relay: HandOverPoint | None = Field(
        default=None,
        exclude_if=is_absent,
        description="One courier takes it there, another from there to the client. Not for gifts that travel together.",
    )
    safeguard: Safeguard | None = Field(
        default=None,
        exclude_if=is_absent,
        description="Of a gift of great value: handed over in person, proven by seal, code and identity, riding alone.",
    )
    appointment: Annotated[SkipJsonSchema[Appointment | None], BeforeValidator(_not_here)] = Field(
        default=None, exclude_if=is_absent
    )
    """Of a visit, as a `NewAppointment` makes it."""


class Rescheduling(Shape):
    """The last wish for another window, and what has come of it."""

    window: Window
    asked_at: Instant
    asked_from: int = Field(
        description="The version of the order that this was asked of: the same again is a repeat."
    )
    count: int = Field(
        ge=1, description="What the calendar's SEQUENCE rises by: of wishes, and of refused ones again."
    )
    first: Window = Field(description="The window it was placed with.")
    is_pending: bool = Field(
        default=False, description="The courier that has the job has not let go of it yet."
    )
    refused: str = Field(
        default="", description="Why its hours stay: the courier's answer, or that it had set out."
    )


class Private(Shape):
    """What is sealed: everything that says who or where the client is."""

    recipient: Recipient
    pick_up_contact: Contact
    code: str | None = Field(
        default=None, exclude_if=is_absent, description="That only the client is told, of a safeguarded gift."
    )


class Note(StrEnum):
    """Why a step is told though the state may be the same as before."""

    AWAITING_PROOF = "awaiting_proof"
    """Its courier says that it was handed over, and that is not proven: the gift counts as being with it."""
    SUBSTITUTE_PROPOSED = "substitute_proposed"
    SUBSTITUTED = "substituted"
    """Another gift goes, or the same from elsewhere."""
    DIGITAL_OFFERED = "digital_offered"
    """A gift that needs no courier is offered in its place: the client's answer is waited for."""
    DIGITAL_MISSING = "digital_missing"
    """One was to stand in, and there is none: sold out, over, or never set up."""


class Moved(Shape):
    """The order entered a state, or something happened in it that its brand should know."""

    state: OrderState
    at: Instant
    about: str | None = Field(
        default=None, exclude_if=is_absent, description="A reminder within that state, and of what."
    )


class Outlook(Shape):
    """The last clearance of the order as a whole: why it waits, and when it is looked at again."""

    decision: Decision
    reasons: tuple[Reason, ...]
    decided_at: Instant
    next_look: Instant | None
    digest: str = Field(description="Of the verdict; an unchanged one writes no evidence.")

    @property
    def is_planned(self) -> bool:
        """It has a place in the plan that is not given yet, and was not told before that it has none. A yes with
        reasons: it was, and is held until it has one."""
        return self.decision is Decision.YES and not self.reasons


class Stopped(Shape):
    """A dispatcher keeps the gift from going out until then."""

    until: Instant
    by: Slug
    at: Instant


class Order(Shape):
    """An order as kept; `sealed` holds its `Private` part."""

    schema_version: int = Field(description="Of this stored shape; always written.")
    order_id: str
    brand_id: str
    market_id: str
    shard: int = 0
    reference: str
    gift: Gift
    pick_up_name: str
    pick_up_place: Place | None = Field(default=None, description="Absent: there never was a parcel.")
    window: Window
    tier: TierName
    fallback: Fallback
    together: Together | None = None
    placed_at: Instant
    digital_after: Instant | None = Field(
        default=None, description="With `fallback: digital`: held until then, it has waited enough."
    )
    digital: Digital | None = Field(
        default=None, description="What came of a gift that needs no courier, if one ever came into it."
    )
    fingerprint: str = Field(description="Of the body it was placed with, keyed by the idempotency key.")
    client_id: str | None = Field(default=None, description="Of a gift to a client that is known here.")
    occasion: Slug | None = None
    campaign_id: str | None = None
    stays_in: str | None = Field(
        default=None, description="A country: whoever is told the client's data has to be there."
    )
    appointment: Appointment | None = Field(
        default=None, description="Of a visit; absent: a gift is brought."
    )
    rescheduling: Rescheduling | None = None
    safeguard: Safeguard | None = None
    substitution: Substitution = Substitution()
    legs: tuple[Leg, ...] = (Leg(),)
    outlook: Outlook | None = None
    evidence_count: int = 0
    cancel_asked_at: Instant | None = None
    received_at: Instant | None = Field(default=None, description="The client's own receipt, after the gate.")
    history: tuple[Moved, ...]
    stopped: Stopped | None = Field(default=None, description="Nothing is planned for it meanwhile.")
    revoked_links: int = Field(
        default=0, description="Links to its page that were made under a lower number are dead."
    )
    told: bool = Field(default=False, description="The last state of an ended order has been told.")
    version: int = 1
    sealed: bytes = Field(default=b"", exclude=True, repr=False)
    stepped: bool = Field(
        default=False, exclude=True, repr=False, description="In this very version; not kept."
    )

    @property
    def is_erased(self) -> bool:
        """Its client has been forgotten, and with that whom it was for."""
        return self.fingerprint == ERASED

    @property
    def state(self) -> OrderState:
        """The last state entered."""
        return self.history[-1].state

    @property
    def leg(self) -> Leg:
        """The leg under way."""
        return self.legs[-1]

    @property
    def was_given(self) -> bool:
        """To a courier, once at least; or it is sent out again, and goes by itself."""
        return len(self.legs) > 1 or any(step.state is OrderState.ASSIGNED for step in self.history)

    @property
    def custody(self) -> Chain:
        """Who had the gift from when until when."""
        if self.pick_up_place is None:
            return Chain(stretches=())  # there never was one to have
        if self.appointment is None:
            return chain(self.placed_at, self.legs, self.received_at)
        return chain(
            self.placed_at, self.legs, loan=self.appointment.settled_at(has_left=self.has_left), is_loan=True
        )

    @property
    def has_left(self) -> bool:
        """It was fetched at least once, or came to an end that says so."""
        arrived = (EventKind.DELIVERED, EventKind.RETURNED)
        return any(
            b.track.picked_up_at is not None or b.track.kind in arrived
            for leg in self.legs
            for b in leg.bookings
        )

    @property
    def is_on_loan(self) -> bool:
        """Pieces of a visit are out that nobody has accounted for."""
        return self.appointment is not None and bool(self.appointment.on_loan(has_left=self.has_left))

    @property
    def wish(self) -> Window | None:
        """The window that it is to have once its courier lets go."""
        return (
            self.rescheduling.window
            if self.rescheduling is not None and self.rescheduling.is_pending
            else None
        )

    @property
    def calendar_sequence(self) -> int:
        """How often its hours have changed: what a calendar goes by."""
        wished = 0 if self.rescheduling is None else self.rescheduling.count
        is_off = self.state in (OrderState.CANCELLED, OrderState.FULFILLED_DIGITALLY)
        return wished + len(self.legs) - 1 + is_off

    @property
    def can_be_fetched(self) -> bool:
        """Law 0: it is where its leg begins, and no courier of an earlier leg may be coming for it."""
        if any(b.is_live for leg in self.legs[:-1] for b in leg.bookings):
            return False
        if not any(b.track.events for leg in self.legs for b in leg.bookings):
            return True  # nearly all that wait: nobody has said a word of them
        return self.custody.is_with(beginning(self.leg))

    def is_stopped(self, now: datetime) -> bool:
        """True while a dispatcher keeps it here."""
        return self.stopped is not None and now < self.stopped.until

    def as_decided(self, evidence: int) -> Order:
        """With the gift, and the shop, that it had when that piece of evidence was written."""
        was = next((was for was in self.substitution.was if evidence <= was.evidence), None)
        if was is None:
            return self
        names = ("gift", "pick_up_name", "pick_up_place", "safeguard")
        return self.model_copy(update={name: getattr(was, name) for name in names})

    @property
    def awaits_proof(self) -> bool:
        """True when its courier says that it was handed over, and that is not proven."""
        leg = self.leg
        booking = leg.deciding_booking if leg.handing is not None and leg.back_at is None else None
        return (
            booking is not None and booking.track.kind is EventKind.DELIVERED and bool(leg.missing(booking))
        )

    def leg_of(self, booking: Booking) -> Leg:
        """The leg that it is for."""
        return next(leg for leg in self.legs if leg.booking(booking.reference) is not None)

    def with_booking(self, booking: Booking) -> Order:
        """This order with that booking in the place of what it was. No step yet."""
        changed = self.leg_of(booking).with_booking(booking)
        return self.model_copy(update={"legs": replace_leg(self.legs, changed)})

    @property
    def shop(self) -> Place:
        """Where the parcel began; only of an order that has one."""
        assert self.pick_up_place is not None
        return self.pick_up_place

    def up_to(self, leg: Leg) -> Order:
        """As it stood while that leg was the last: what was done on it is judged by the window it was for."""
        if leg.leg_no == self.leg.leg_no:
            return self
        legs = tuple(each for each in self.legs if each.leg_no <= leg.leg_no)
        return self.model_copy(update={"legs": legs, "window": leg.window or self.window})

    @property
    def is_digital(self) -> bool:
        """The client has a gift that needs no courier: no courier is looked for any more."""
        return self.digital is not None and self.digital.is_given

    @property
    def wants_digital(self) -> bool:
        """The client is to have one as soon as the courier has let go of the parcel."""
        return self.digital is not None and self.digital.outcome is DigitalOutcome.WANTED

    @property
    def is_unwanted(self) -> bool:
        """No courier is to carry it: its brand asked for the end, or for another gift in its place."""
        return self.cancel_asked_at is not None or self.is_digital or self.wants_digital

    def delivery(self, private: Private) -> Delivery:
        """What clearance has to know of the leg under way."""
        leg = self.leg
        return Delivery.model_construct(
            gift=self.gift,
            pick_up=self.shop if leg.fetched_at is None else leg.fetched_at.place,
            drop_off=private.recipient.place if leg.taken_to is None else leg.taken_to.place,
            window=self.window,
            stays_in=self.stays_in,
            visit_minutes=0 if self.appointment is None else self.appointment.minutes,
            safeguard=self.safeguard,
        )


def order_id_of(brand_id: str, idempotency_key: str) -> str:
    """The id that follows from brand and key: the same request is the same order, wherever it lands."""
    return id_of("ord_", brand_id, idempotency_key)


def fingerprint_of(idempotency_key: str, new: Shape) -> str:
    """What tells the same body from another, as it was asked and not as it came to be; keyed, because the body holds
    personal data."""
    body = new.model_dump_json().encode()
    return hmac.new(idempotency_key.encode(), body, hashlib.sha256).hexdigest()[:32]


def placed(new: NewOrder, brand_id: str, idempotency_key: str, market: Market, at: datetime) -> Order:
    """The order as first written, without its sealed part. Everything in it has been validated as it came in."""
    order_id = order_id_of(brand_id, idempotency_key)
    order = Order.model_construct(
        schema_version=SCHEMA,
        order_id=order_id,
        brand_id=brand_id,
        market_id=market.market_id,
        shard=hashlib.sha256(order_id.encode()).digest()[0] % market.shards,
        reference=new.reference,
        gift=new.gift,
        pick_up_name=new.pick_up.name,
        pick_up_place=new.pick_up.place,
        window=new.window.by_clock(market.time_zone),
        tier=new.tier,
        fallback=new.fallback,
        together=new.together,
        appointment=new.appointment,
        placed_at=at,
        fingerprint=fingerprint_of(idempotency_key, new),
        history=(Moved(state=OrderState.PLACED, at=at),),
        stepped=True,
    )
    if new.safeguard is not None:
        order = order.model_copy(update={"safeguard": new.safeguard, "legs": (Leg(handing=Handing()),)})
    return order if new.relay is None else relayed(order, new.relay, order.window)


def relayed(order: Order, point: HandOverPoint, wished: Window) -> Order:
    """The order with the leg under way ending at that point, in its hours; `wished`: when the client is to have it."""
    hours = point.hours.model_copy(update={"end": min(point.hours.end, wished.end)})
    leg = order.leg.model_copy(update={"taken_to": point, "client_window": wished})
    return order.model_copy(update={"legs": replace_leg(order.legs, leg), "window": hours})


def handed_on(order: Order, at: datetime) -> Order:
    """The order with a leg from the point on, once a courier has handed over there. No step yet: the same where nobody
    has, or where the brand has asked for the end of it."""
    leg = order.leg
    booking = leg.deciding_booking
    if leg.taken_to is None or order.is_unwanted:
        return order
    if booking is None or booking.track.kind is not EventKind.DELIVERED:
        return order
    behind = leg.model_copy(update={"window": order.window})
    onward = Leg(leg_no=leg.leg_no + 1, fetched_at=leg.taken_to, begun_at=at)
    legs = (*replace_leg(order.legs, behind), onward)
    return order.model_copy(
        update={"legs": legs, "window": leg.client_window or order.window, "outlook": None}
    )


def state_of(order: Order) -> OrderState:
    """The state that the saved facts come to, whatever happened on the way."""
    if order.received_at is not None:
        return OrderState.DELIVERED
    leg = order.leg
    booking = leg.deciding_booking
    instead = OrderState.FULFILLED_DIGITALLY if order.is_digital else None
    if booking is not None:
        track = booking.track
        if track.kind is EventKind.DELIVERED and leg.taken_to is not None:
            kept = OrderState.RELAYED if order.cancel_asked_at is None else OrderState.CANCELLED
            return instead or kept
        if track.kind is EventKind.DELIVERED and leg.handing is not None:
            kept = OrderState.PICKED_UP if leg.back_at is None else instead or OrderState.RETURNED
            return kept if leg.missing(booking) else OrderState.DELIVERED
        if track.kind is EventKind.DELIVERED:
            return OrderState.DELIVERED if leg.reaches_client(booking) else OrderState.AT_GATE
        if track.kind is EventKind.RETURNED:
            return instead or OrderState.RETURNED
        if track.kind is EventKind.RETURNING:
            return OrderState.RETURNING
        if track.has_custody:
            return OrderState.PICKED_UP
        if track.has_ended and track.picked_up_at is not None:
            return instead or (OrderState.FAILED if leg.back_at is None else OrderState.RETURNED)
        if booking.is_live:
            if booking.state in (BookingState.BOOKED, BookingState.CANCELLING):
                return OrderState.BOOKED
            return OrderState.ASSIGNED
    if instead is not None:
        return instead
    if order.cancel_asked_at is not None:
        return OrderState.CANCELLED
    if leg.assignment is not None:
        return OrderState.ASSIGNED
    if order.outlook is not None and not order.outlook.is_planned:
        return OrderState.STRANDED if order.outlook.next_look is None else OrderState.HELD
    return OrderState.PLACED if leg.fetched_at is None else OrderState.RELAYED


def moved(order: Order, at: datetime, about: Note | None = None, **changes: object) -> Order:
    """The next version of the order: the changes, its state derived anew, and the step in its history. `about`: a step
    even where the state stays."""
    after = order.model_copy(update={**changes, "version": order.version + 1, "stepped": False})
    if after.wish is not None:
        after = _wish_settled(after)
    state = state_of(after)
    if after.awaits_proof and order.history[-1].about != Note.AWAITING_PROOF:
        about = Note.AWAITING_PROOF
    if state is not order.state or about is not None:
        history = (*order.history, Moved(state=state, at=at, about=about))
        is_step = state is not order.state
        after = after.model_copy(update={"history": history, "told": False, "stepped": is_step})
    return after


def _wish_settled(order: Order) -> Order:
    """The order with what its courier's last word makes of a wish for another window: granted once the courier has let
    go, refused once it has said that it will not, or has set out."""
    wished, leg = order.rescheduling, order.leg
    assert wished is not None
    live = leg.live_booking
    if order.cancel_asked_at is not None:
        return order.model_copy(
            update={"rescheduling": wished.model_copy(update={"is_pending": False, "refused": "cancelled"})}
        )
    if live is None and leg.assignment is None and leg.deciding_booking is None:
        granted = wished.model_copy(update={"is_pending": False})
        return order.model_copy(update={"rescheduling": granted, "window": wished.window, "outlook": None})
    if live is not None and live.can_be_ended:
        return order
    why = "picked_up" if live is None or not live.cancel_answer else live.cancel_answer
    kept = wished.model_copy(update={"is_pending": False, "refused": why, "count": wished.count + 1})
    return order.model_copy(update={"rescheduling": kept})


def is_over(order: Order) -> bool:
    """True when nothing is planned and no courier can be holding a job of it."""
    return order.state in ENDED and not any(b.is_live for leg in order.legs for b in leg.bookings)


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
    waiting = [b.next_look for leg in order.legs for b in leg.bookings if b.next_look is not None]
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


class AppointmentView(Shape):
    """A visit: how long it lasts, and where its pieces are."""

    minutes: int
    pieces: tuple[Piece, ...]
    missing: tuple[str, ...] = Field(
        default=(),
        description="Serial numbers that are out though the visit is over: sold, or back, nobody has said.",
    )


class ReschedulingView(Shape):
    """A wish for another window."""

    window: Window
    asked_at: Instant
    is_pending: bool = Field(description="The courier has been asked to let go of the job.")
    refused: str | None = Field(default=None, description="Why the window stays what it was.")


class OrderView(Shape):
    """An order as a brand reads it. Whom it is for stays out: the brand knows, and answers are logged."""

    order_id: str
    market: str
    reference: str
    state: OrderState
    version: int
    tier: TierName
    fallback: Fallback
    window: Window
    gift: Gift
    together: Together | None = None
    placed_at: Instant
    digital: Digital | None = Field(
        default=None, description="What came of a gift that needs no courier, if one ever came into it."
    )
    reasons: tuple[Reason, ...] = Field(default=(), description="Why it is held or stranded.")
    next_look: Instant | None = None
    handover: str | None = Field(default=None, description="How it will change, or changed, hands.")
    courier: str | None = None
    cancel_asked_at: Instant | None = None
    cancel_refused: str | None = None
    leg_no: int = Field(
        default=1, description="Which leg is under way; a relay and a second attempt are legs."
    )
    relay: str | None = Field(
        default=None, description="The hand-over point that the leg under way goes to or begins at."
    )
    appointment: AppointmentView | None = Field(default=None, exclude_if=is_absent)
    rescheduling: ReschedulingView | None = Field(
        default=None, exclude_if=is_absent, description="The last wish for another window."
    )
    proposed: int | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The number of the proposal that waits for an answer: something else in its place.",
    )
    was: tuple[WasView, ...] | None = Field(
        default=None, exclude_if=is_absent, description="What it was before something else took its place."
    )
    safeguard: Safeguard | None = Field(default=None, exclude_if=is_absent)
    handing: HandingView | None = Field(default=None, exclude_if=is_absent)
    custody: Chain = Field(description="Who had the gift from when until when, as far as is known.")
    history: tuple[Moved, ...]


def view(order: Order) -> OrderView:
    """The order as its brand reads it now."""
    leg = order.leg
    waiting = order.outlook if order.state in (OrderState.HELD, OrderState.STRANDED) else None
    return OrderView.model_construct(
        order_id=order.order_id,
        market=order.market_id,
        reference=order.reference,
        state=order.state,
        version=order.version,
        tier=order.tier,
        fallback=order.fallback,
        window=leg.client_window or order.window,
        gift=order.gift,
        together=order.together,
        placed_at=order.placed_at,
        digital=order.digital,
        reasons=waiting.reasons if waiting else (),
        next_look=waiting.next_look if waiting else None,
        handover=leg.assignment.handover if leg.assignment else None,
        courier=leg.assignment.courier_id if leg.assignment else None,
        cancel_asked_at=order.cancel_asked_at,
        cancel_refused=_cancel_refused(order),
        leg_no=leg.leg_no,
        relay=None if (point := leg.taken_to or leg.fetched_at) is None else point.name,
        proposed=order.substitution.proposed if in_pool(order) else None,
        was=order.substitution.seen,
        safeguard=order.safeguard,
        handing=None if leg.handing is None else _handing(order, leg.handing),
        custody=order.custody,
        appointment=_visit(order),
        rescheduling=_wished(order),
        history=order.history,
    )


def _visit(order: Order) -> AppointmentView | None:
    visit = order.appointment
    if visit is None:
        return None
    out = visit.on_loan(has_left=order.has_left) if order.state in ENDED else ()
    return AppointmentView(
        minutes=visit.minutes,
        pieces=visit.known(has_left=order.has_left),
        missing=tuple(piece.serial for piece in out),
    )


def _wished(order: Order) -> ReschedulingView | None:
    wished = order.rescheduling
    if wished is None:
        return None
    return ReschedulingView(
        window=wished.window,
        asked_at=wished.asked_at,
        is_pending=wished.is_pending,
        refused=wished.refused or None,
    )


def _handing(order: Order, known: Handing) -> HandingView:
    booking = order.leg.deciding_booking
    return HandingView(
        missing=known.missing(booking.handover if booking is not None else None),
        awaits_proof=order.awaits_proof,
        tries_left=max(0, TRIES - known.tries),
        **{name: getattr(known, name) for name in HandingView.model_fields if name in Handing.model_fields},
    )


def _cancel_refused(order: Order) -> str | None:
    booking = order.leg.deciding_booking
    answer = booking.cancel_answer if booking is not None and order.cancel_asked_at is not None else ""
    return answer if answer and answer != RETURNING else None


def first_window(order: Order) -> Window:
    """The window it was placed with."""
    if order.rescheduling is not None:
        return order.rescheduling.first
    return order.legs[0].client_window or order.legs[0].window or order.window


def _as_made(visit: Appointment) -> AppointmentView:
    pieces = (piece.model_copy(update={"state": None, "since": None}) for piece in visit.pieces)
    return AppointmentView(minutes=visit.minutes, pieces=tuple(pieces))


def first_view(order: Order) -> OrderView:
    """The order as the answer to its placing read: what a repeat of the request gets again. It says nothing of a relay,
    for whether that was asked for then or named later cannot be told any more."""
    if order.version == 1:
        return view(order).model_copy(update={"relay": None})
    made = order.as_decided(0)
    return view(order).model_copy(
        update={
            "gift": made.gift,
            "safeguard": made.safeguard,
            "proposed": None,
            "was": None,
            "state": OrderState.PLACED,
            "version": 1,
            "digital": None,
            "reasons": (),
            "next_look": None,
            "handover": None,
            "courier": None,
            "cancel_asked_at": None,
            "cancel_refused": None,
            "window": first_window(order),
            "leg_no": 1,
            "relay": None,
            "appointment": None if order.appointment is None else _as_made(order.appointment),
            "rescheduling": None,
            "handing": None if made.safeguard is None else _handing(order, Handing()),
            "custody": chain(order.placed_at, ()),
            "history": order.history[:1],
        }
    )
