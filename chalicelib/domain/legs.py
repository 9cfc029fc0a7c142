"""A leg of an order's way, its bookings at couriers, and what the couriers' events make of them.

At most one live booking a leg. An attempt is saved before the call; a timeout is *unknown*; a cancellation is
over when the courier says so. Events are folded as a set, sorted by the courier's own event time, so the
order of arrival, doubles and skipped states change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from chalicelib.domain.handing import Handing, Part
from chalicelib.domain.handover import TO_THE_CLIENT, Handover, Proof
from chalicelib.domain.places import HandOverPoint
from chalicelib.domain.shapes import Instant, Money, Shape, Slug, Window


class BookingState(StrEnum):
    """Where one booking stands between us and the courier."""

    ATTEMPTED = "attempted"
    UNKNOWN = "unknown"
    BOOKED = "booked"
    REFUSED = "refused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    LOST = "lost"


HINT = "hint"
"""`Event.source` of what moves nothing by itself."""
LIVE = frozenset({BookingState.ATTEMPTED, BookingState.UNKNOWN, BookingState.BOOKED, BookingState.CANCELLING})
"""States in which a courier may be holding the job: while one is live, no other is attempted."""


class EventKind(StrEnum):
    """What a courier can tell us, in our words.

    Three ends without a hand-over: `pick_up_failed`, it never had the gift; `failed`, it has it; `cancelled`, the
    word does not say, and the gift is where it was last heard to be. A dialect whose code is used on both sides of
    the pick-up says `cancelled`.
    """

    ACCEPTED = "accepted"
    COURIER_ASSIGNED = "courier_assigned"
    AT_PICK_UP = "at_pick_up"
    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    RETURNING = "returning"
    RETURNED = "returned"
    PICK_UP_FAILED = "pick_up_failed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNREADABLE = "unreadable"


_RANK = {kind: rank for rank, kind in enumerate(EventKind)}
ENDS = frozenset(
    {
        EventKind.DELIVERED,
        EventKind.RETURNED,
        EventKind.PICK_UP_FAILED,
        EventKind.CANCELLED,
        EventKind.FAILED,
    }
)
"""Kinds after which a booking moves no more, unless the courier explicitly corrects itself."""
IN_CUSTODY = frozenset({EventKind.PICKED_UP, EventKind.IN_TRANSIT, EventKind.RETURNING})
"""The gift is with the courier: house.md, law 0."""
_BEFORE_CUSTODY = frozenset(EventKind) - IN_CUSTODY - ENDS


class Proven(Shape):
    """Something a courier brought back from a hand-over. What it shows stays with the courier."""

    kind: Proof
    reference: Slug = Field(description="The courier's own name for it.")


class Event(Shape):
    """One thing a courier said, as kept. Immutable; its key makes doubles one."""

    reference: str
    market_id: str = Field(default="", description="Of the courier that said it.")
    courier_id: str
    kind: EventKind
    raw_status: str = Field(max_length=64, description="The courier's own code.")
    occurred_at: Instant = Field(description="The courier's event time: the order of truth.")
    received_at: Instant
    event_id: str = Field(max_length=128, description="Theirs, or made of delivery, status and event time.")
    reason: str = Field(default="", max_length=120, description="The courier's reason, as a code.")
    correction: bool = Field(default=False, description="The courier says that an earlier end was wrong.")
    proofs: tuple[Proven, ...] = Field(default=(), max_length=10)
    seal: Slug | None = Field(default=None, description="The number of the seal, as it was read just then.")
    said: str | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="The code that the client said; never kept like this, ...",
    )
    said_sealed: str | None = Field(default=None, description="... but sealed.")
    source: str = Field(
        default="callback",
        description="'callback', 'look_up', or 'hint': a callback that is not believed until a look-up confirms it.",
    )


class Track(Shape):
    """What the events of one booking come to."""

    kind: EventKind | None = None
    at: Instant | None = None
    picked_up_at: Instant | None = None
    ended_at: Instant | None = None
    reason: str = ""
    events: int = 0
    unreadable: int = 0

    @property
    def has_custody(self) -> bool:
        """True while the courier holds the gift."""
        return self.picked_up_at is not None and not self.has_ended

    @property
    def has_ended(self) -> bool:
        return self.kind in ENDS


def fold(events: Iterable[Event]) -> Track:
    """The events of one booking as one track: the same for every order of arrival.

    A terminal kind is sticky: later events change nothing unless they are explicit corrections. Skipped
    states are legal. Unreadable codes are counted and move nothing, hints are passed over.
    """
    events = [event for event in events if event.source != HINT]
    unique = {event.event_id: event for event in sorted(events, key=_order, reverse=True)}
    kind: EventKind | None = None
    at = picked_up_at = ended_at = None
    reason, unreadable = "", 0
    for event in sorted(unique.values(), key=_order):
        if event.kind is EventKind.UNREADABLE:
            unreadable += 1
            continue
        if kind in ENDS and not event.correction:
            continue
        if kind is EventKind.RETURNING and event.kind in (EventKind.PICKED_UP, EventKind.IN_TRANSIT):
            continue  # a job on its way back does not set out again without a correction
        if picked_up_at is not None and event.kind in _BEFORE_CUSTODY and not event.correction:
            continue  # clocks differ: "at the shop" dated after the pick-up takes the gift from nobody
        kind, at, reason = event.kind, event.occurred_at, event.reason
        # of a bare failure the call of the pick-up was lost
        if (kind in IN_CUSTODY or kind is EventKind.FAILED) and picked_up_at is None:
            picked_up_at = event.occurred_at
        ended_at = event.occurred_at if kind in ENDS else None
    return Track(
        kind=kind,
        at=at,
        picked_up_at=picked_up_at,
        ended_at=ended_at,
        reason=reason,
        events=len(unique),
        unreadable=unreadable,
    )


def _order(event: Event) -> tuple[datetime, int, str, bool, str, str]:
    # total over all that the track is made of: two events that tie here come to the same track
    name, told = event.event_id, (event.correction, event.reason, event.raw_status)
    return event.occurred_at, _RANK[event.kind], name, *told


def with_hinted_reason(track: Track, events: Iterable[Event]) -> Track:
    """What a look-up confirmed without saying why, for the reason that the hint of it gave."""
    if track.reason or track.kind is None:
        return track
    hints = [e for e in events if e.source == HINT and e.kind is track.kind and e.reason]
    last = max(hints, key=lambda e: (e.occurred_at, e.event_id), default=None)
    return track if last is None else track.model_copy(update={"reason": last.reason})


class Booking(Shape):
    """One attempt to have a courier carry this leg."""

    number: int = Field(ge=1)
    reference: str = Field(description="Ours, given to the courier: names order, leg and attempt.")
    courier_id: str
    slot_id: str
    crew_id: str
    state: BookingState
    attempted_at: Instant
    unsent: bool = Field(
        default=False, description="No connection came about: the courier was asked nothing."
    )
    next_look: Instant | None = None
    lapses_at: Instant | None = Field(
        default=None,
        description="Who has named nobody by then loses the job to another. Absent: it is left to it.",
    )
    delivery_id: str | None = Field(default=None, description="The courier's own name for it.")
    fee: Money | None = None
    codes: str | None = Field(default=None, description="Pick-up and receipt codes, sealed.")
    handover: Handover | None = Field(default=None, description="What the courier was told.")
    cancel_reason: str = Field(default="", description="Why we want its end; empty while we do not.")
    cancel_tries: int = 0
    cancel_answer: str = Field(
        default="", description="The courier's last word on that: why not, or `returning`."
    )
    looks: int = Field(default=0, description="Look-ups since the state was last certain.")
    looked_at: Instant | None = Field(default=None, description="When it was last looked up and answered.")
    hints: int = Field(default=0, description="Hints that were seen; more of them are news.")
    is_hinted: bool = Field(default=False, description="There may be news: a look-up has yet to confirm it.")
    hint_looks: int = Field(default=0, description="Look-ups that brought no news of it.")
    let_go_at: Instant | None = Field(default=None, description="When the courier had let go of it.")
    track: Track = Track()

    @property
    def is_live(self) -> bool:
        """True while a courier may hold the job."""
        return self.state in LIVE and not self.track.has_ended

    @property
    def may_have_news(self) -> bool:
        """True when a hint has yet to be looked into: of a live job, or of one that was given up for lost."""
        return self.is_hinted and (
            self.is_live or (self.state is BookingState.LOST and not self.track.has_ended)
        )

    def asked_to_let_go(self, reason: str, now: datetime) -> Booking:
        """The same with its end wished for. Not booked: whether there is anything to end has to be found out first."""
        ended: dict[str, object] = {"cancel_reason": reason}
        if self.state is BookingState.BOOKED:
            ended |= {"state": BookingState.CANCELLING, "next_look": now}
        return self.model_copy(update=ended)

    @property
    def can_be_ended(self) -> bool:
        """True while the courier has neither the gift nor said its last word on an end."""
        return self.track.picked_up_at is None and not self.cancel_answer


MEASURES = ("volume", "weight")
"""Of a slot's room (`rooms`)."""


class QuotaTaken(Shape):
    """What an assignment has taken one of, or of a slot's room what its gift takes: enough to give it back without any
    rules (`quotas`, `rooms`)."""

    per: Literal["zone", "household", "courier", "permit", "volume", "weight", "alone"]
    name: str = Field(description="Zone; household, unreadable; zone and courier; permit; slot.")
    day: date | None = Field(
        default=None, description="Local. Absent: of a permit, good once and not a day; or of a slot's room."
    )


class Quote(Shape):
    """What the courier would take for it, as it said when it was asked."""

    fee: Money
    quote_id: str | None = Field(default=None, max_length=200, description="The courier's own name for it.")
    expires_at: Instant | None = None

    def holds(self, now: datetime) -> bool:
        """True while the courier can be reminded of it."""
        return self.expires_at is None or now < self.expires_at


class Assignment(Shape):
    """The slot this leg was given, on what clearance."""

    slot_id: str
    courier_id: str
    crew_id: str
    start: Instant
    hand_over_from: Instant
    hand_over_by: Instant
    end: Instant = Field(description="Out of the zones again.")
    valid_until: Instant
    handovers: tuple[Handover, ...] = Field(min_length=1)
    permit_ids: tuple[str, ...] = Field(default=(), description="What the clearance rested on.")
    quotas: tuple[QuotaTaken, ...] = Field(default=(), description="Given back when the slot's place is.")
    places: int = Field(default=1, description="Of the slot: all of them for what rides alone.")
    rules_version: int
    assigned_at: Instant
    quote: Quote | None = Field(default=None, description="Absent: the price that the slot states.")

    @property
    def handover(self) -> Handover:
        """The one the courier is told: the nearest to the client that is allowed."""
        return self.handovers[0]

    def narrowed(self, allowed: Iterable[Handover]) -> tuple[Handover, ...]:
        """Of what is allowed now, what was allowed before: a courier that was told "gate" is not told "door"."""
        kept = frozenset(allowed)
        return tuple(handover for handover in self.handovers if handover in kept)


class Refusal(Shape):
    """A courier said no; nobody is asked twice for the same reason."""

    slot_id: str
    courier_id: str
    reason: str
    at: Instant
    whole_courier: bool = Field(default=False, description="It holds for every slot of that courier.")


MOST_LEGS = 6
"""A gift that came back so often is not sent out once more: somebody should call the client."""


ABOUT_US = frozenset(
    {
        "account_incomplete",
        "account_missing",
        "account_refused",
        "account_unpaid",
        "no_quota",
        "openid_unknown",
        "shop_unknown",
        "signature_refused",
        "under_maintenance",
    }
)
"""Reasons that say nothing of the gift: when our account is in order again, it may go there."""
ASK_AGAIN = timedelta(hours=1)


class Leg(Shape):
    """One stretch of the way. Most orders have one; a relay, and a gift that was sent out again, have more."""

    leg_no: int = Field(default=1, ge=1)
    assignment: Assignment | None = None
    bookings: tuple[Booking, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    fetched_at: HandOverPoint | None = Field(default=None, description="Absent: in the shop.")
    taken_to: HandOverPoint | None = Field(default=None, description="Absent: to the client.")
    client_window: Window | None = Field(
        default=None, description="Of a leg to a hand-over point: when the client is to have it."
    )
    begun_at: Instant | None = Field(default=None, description="Of a further leg: when it was asked for.")
    begun_from: int | None = Field(
        default=None,
        description="The version of the order that this was asked of: the same again is a repeat.",
    )
    window: Window | None = Field(
        default=None, description="Of a leg that another has followed: the window it was for."
    )
    back_at: Instant | None = Field(
        default=None, description="The gift was seen in the shop again, though no courier said so."
    )
    handing: Handing | None = Field(
        default=None, description="Of a gift of great value: how its hand-over is proven."
    )

    @property
    def live_booking(self) -> Booking | None:
        """The booking a courier may be holding now."""
        return next((booking for booking in reversed(self.bookings) if booking.is_live), None)

    @property
    def deciding_booking(self) -> Booking | None:
        """The booking that says where the gift is: the live one, else one that ended with the gift moved.

        Delivered and returned say that it moved, even when the pick-up was never heard of. A job that had been
        given up and is alive after all decides nothing once a later one has moved the gift, unless it has it.
        """
        live = self.live_booking
        arrived = (EventKind.DELIVERED, EventKind.RETURNED)
        moved = [b for b in self.bookings if b.track.picked_up_at or b.track.kind in arrived]
        last = moved[-1] if moved else None
        if live is None or (last is not None and last.number > live.number and not live.track.has_custody):
            return last
        return live

    def reaches_client(self, booking: Booking) -> bool:
        """True when what that booking handed over went to the client, and not to a compound's gate: both what the
        courier was told and what is allowed have to say so."""
        allowed = self.assignment.handover if self.assignment else None
        return {allowed, booking.handover or allowed} <= TO_THE_CLIENT

    def missing(self, booking: Booking) -> tuple[Part, ...]:
        """What is not proven yet of the hand-over that this booking is for; of an ordinary gift, nothing ever."""
        return () if self.handing is None else self.handing.missing(booking.handover)

    def is_handed_over(self, booking: Booking) -> bool:
        """True when its courier said so, and it is proven where that is demanded."""
        return booking.track.kind is EventKind.DELIVERED and not self.missing(booking)

    def booking(self, reference: str) -> Booking | None:
        return next((b for b in self.bookings if b.reference == reference), None)

    def with_booking(self, booking: Booking) -> Leg:
        """This leg with that booking added or replaced."""
        others = tuple(b for b in self.bookings if b.number != booking.number)
        ordered = tuple(sorted((*others, booking), key=lambda b: b.number))
        return self.model_copy(update={"bookings": ordered})

    @property
    def next_number(self) -> int:
        """Of the next attempt."""
        return max((b.number for b in self.bookings), default=0) + 1

    def with_refusal(self, refusal: Refusal) -> Leg:
        """This leg, with one more no."""
        return self.model_copy(update={"refusals": (*self.refusals, refusal)})

    def refused_by(self, now: datetime) -> frozenset[str]:
        """Slots and couriers that clearance leaves out at that moment: for good, where the gift was what was refused;
        for an hour, where we were."""
        return frozenset(
            r.courier_id if r.whole_courier else r.slot_id
            for r in self.refusals
            if r.reason not in ABOUT_US or now - r.at < ASK_AGAIN
        )


_REFERENCE = re.compile(r"(ord_[a-z2-7]{26})-([1-9][0-9]?)-([1-9][0-9]{0,3})")


def reference_of(order_id: str, leg_no: int, number: int) -> str:
    """Our name for one attempt: the order can be read off it, so that a callback needs no look-up."""
    return f"{order_id}-{leg_no}-{number}"


def order_of(reference: str) -> tuple[str, int, int] | None:
    """(order id, leg, attempt) of a reference of ours, or None for a foreign one."""
    match = _REFERENCE.fullmatch(reference)
    return (match[1], int(match[2]), int(match[3])) if match else None


def replace_leg(legs: Sequence[Leg], leg: Leg) -> tuple[Leg, ...]:
    """The legs with that one in its place."""
    return tuple(leg if leg.leg_no == old.leg_no else old for old in legs)
