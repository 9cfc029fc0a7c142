"""The gift order: what a brand hands in, what is kept of it, and the state that can be read off it."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic.functional_validators import BeforeValidator
from pydantic.json_schema import SkipJsonSchema

from chalicelib.domain.appointments import Appointment
from chalicelib.domain.custody import Chain, beginning, chain
from chalicelib.domain.gifts import Gift
from chalicelib.domain.instead import Digital, DigitalOutcome
from chalicelib.domain.legs import Booking, EventKind, Leg, replace_leg
from chalicelib.domain.places import HandOverPoint, Place
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
)
from chalicelib.domain.substitution import Substitution
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
AHEAD = frozenset(
    {OrderState.PLACED, OrderState.HELD, OrderState.ASSIGNED, OrderState.BOOKED, OrderState.RELAYED}
)
"""It is in nobody's hands on the way to its client yet: its hours may be changed."""
IN_NO_HANDS = frozenset({OrderState.PLACED, OrderState.HELD, OrderState.RELAYED, OrderState.STRANDED})
"""No courier has it or is sent for it."""
CAN_BE_DIGITAL = IN_NO_HANDS | {OrderState.ASSIGNED, OrderState.RETURNED, OrderState.FAILED}
"""Something that needs no courier can stand in for a parcel; a place given and not booked is given back. Beside
them while a courier has the job and not the gift: it is asked to let go (`flows.answer`)."""

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
        """On the leg under way it was fetched, or came to an end that says so."""
        arrived = (EventKind.DELIVERED, EventKind.RETURNED)
        return any(b.track.picked_up_at is not None or b.track.kind in arrived for b in self.leg.bookings)

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
    def client_window(self) -> Window:
        """When the client is to have it, which of a relay's first leg is not the hours of its courier."""
        return self.leg.client_window or self.window

    @property
    def hoped_window(self) -> Window:
        """The same, or the hours that are asked for instead: what the client is shown."""
        return self.wish or self.client_window

    @property
    def bookings(self) -> tuple[Booking, ...]:
        """Of all legs, the first first."""
        return tuple(booking for leg in self.legs for booking in leg.bookings)

    @property
    def live_bookings(self) -> tuple[Booking, ...]:
        """Those that a courier may be holding a job of."""
        return tuple(booking for booking in self.bookings if booking.is_live)

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
        if not any(b.track.events for b in self.bookings):
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


def shard_of(order_id: str, shards: int) -> int:
    """Which of so many of its market's shards an order is in."""
    return hashlib.sha256(order_id.encode()).digest()[0] % shards


def fingerprint_of(idempotency_key: str, new: Shape) -> str:
    """What tells the same body from another, as it was asked and not as it came to be; keyed, because the body holds
    personal data."""
    body = new.model_dump_json().encode()
    return hmac.new(idempotency_key.encode(), body, hashlib.sha256).hexdigest()[:32]
