"""What clearance is asked and what it answers: a delivery, how far it is, yes or hold or no, and every reason."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from chalicelib.domain.gifts import Gift
from chalicelib.domain.handover import Handover
from chalicelib.domain.places import Place
from chalicelib.domain.safeguards import Safeguard
from chalicelib.domain.shapes import Shape, Window

if TYPE_CHECKING:  # the API reads verdicts and no rules
    from chalicelib.domain.zones import Quoted


class Reason(StrEnum):
    """Why not. The first group holds the gift, the second turns it down."""

    RULES_MISSING = "rules_missing"
    RULES_STALE = "rules_stale"
    ZONE_UNKNOWN = "zone_unknown"
    ADDRESS_DOUBTFUL = "address_doubtful"
    ADDRESS_DISAGREES = "address_disagrees"
    CREW_HOME_UNKNOWN = "crew_home_unknown"
    CLOSURE_SUSPECTED = "closure_suspected"
    GIFT_ELSEWHERE = "gift_elsewhere"
    HELD_BY_HAND = "held_by_hand"

    NO_HANDOVER = "no_handover"
    ORIGIN_CLOSED = "origin_closed"
    CROSSING_CLOSED = "crossing_closed"
    ITEM_NOT_ALLOWED = "item_not_allowed"
    CURFEW = "curfew"
    WINDOW = "window"
    SLOT_FULL = "slot_full"
    NO_ROOM = "no_room"
    VEHICLE_SHARED = "vehicle_shared"
    QUOTA_FULL = "quota_full"
    OUTRANKED = "outranked"
    NO_SLOTS = "no_slots"
    COMPANIONS_MISSING = "companions_missing"
    COURIER_SUSPENDED = "courier_suspended"
    COURIER_REFUSED = "courier_refused"
    COURIER_DOWN = "courier_down"
    CREW_WITHDRAWN = "crew_withdrawn"
    CREW_HOME_SEALED = "crew_home_sealed"
    CREDENTIAL_MISSING = "credential_missing"
    CREDENTIAL_EXPIRES = "credential_expires"
    CREDENTIAL_POSITIVE = "credential_positive"
    PERMIT_MISSING = "permit_missing"
    PERMIT_SCOPE = "permit_scope"
    PERMIT_TIME = "permit_time"
    PERMIT_REVOKED = "permit_revoked"
    PERMIT_VEHICLE = "permit_vehicle"
    PERMIT_USED = "permit_used"
    COMPANY_UNLISTED = "company_unlisted"
    PERSON_UNLISTED = "person_unlisted"
    TEMPERATURE = "temperature"
    DWELL = "dwell"
    SIGNATURE_CONFLICT = "signature_conflict"
    PROOF_MISSING = "proof_missing"
    VALUE_UNINSURED = "value_uninsured"
    NOT_CARRIED = "not_carried"
    CONSENT_MISSING = "consent_missing"


HOLDING = frozenset(
    {
        Reason.RULES_MISSING,
        Reason.RULES_STALE,
        Reason.ZONE_UNKNOWN,
        Reason.ADDRESS_DOUBTFUL,
        Reason.ADDRESS_DISAGREES,
        Reason.CREW_HOME_UNKNOWN,
        Reason.CLOSURE_SUSPECTED,
        Reason.GIFT_ELSEWHERE,
        Reason.HELD_BY_HAND,
    }
)


OF_THE_PLACES = frozenset(
    {
        Reason.RULES_MISSING,
        Reason.RULES_STALE,
        Reason.ZONE_UNKNOWN,
        Reason.ADDRESS_DOUBTFUL,
        Reason.ADDRESS_DISAGREES,
        Reason.NO_HANDOVER,
        Reason.ORIGIN_CLOSED,
        Reason.CROSSING_CLOSED,
        Reason.ITEM_NOT_ALLOWED,
        Reason.SIGNATURE_CONFLICT,
        Reason.CLOSURE_SUSPECTED,
    }
)
"""What the rules at both ends say by themselves: no other courier would make a difference."""


class Decision(StrEnum):
    """The three answers."""

    YES = "yes"
    HOLD = "hold"
    NO = "no"


class Phase(StrEnum):
    """How far the delivery is; what lies behind it is not asked again."""

    OPEN = "open"
    """Nobody has been given it: fetching it and the trip still have to fit into the hours."""
    GIVEN = "given"
    """Somebody has: the hours were settled then, and to be late is no lack of permission."""
    CARRIED = "carried"
    """The gift is with the crew: where it was fetched no longer matters, no time for handling is reserved."""


class Delivery(Shape):
    """What clearance has to know of an order; carries personal data and is never stored or logged."""

    gift: Gift
    pick_up: Place
    drop_off: Place
    window: Window
    stays_in: str | None = Field(
        default=None,
        description="A country: who is told the client's data has to be there, or where it allows.",
    )
    visit_minutes: int = 0
    """So long the crew stays with the client; 0: it hands over and goes."""
    safeguard: Safeguard | None = None


class Asked(NamedTuple):
    """What the rules were asked, so that they can be asked the same again."""

    start: datetime
    """The stay, before any curfew shortened it."""
    end: datetime
    phase: Phase
    moment: bool = False


class Verdict(NamedTuple):
    """One answer for one delivery and one slot, with what it rests on. A tuple: thousands are made a minute."""

    decision: Decision
    slot_id: str
    reasons: tuple[Reason, ...] = ()
    handovers: tuple[Handover, ...] = ()
    """Allowed, nearest to the client first."""
    start: datetime | None = None
    """The stay: from pick-up ..."""
    end: datetime | None = None
    """... to being out again."""
    hand_over_from: datetime | None = None
    """Within the stay, outside curfews ..."""
    hand_over_by: datetime | None = None
    """... and early enough to come back."""
    valid_until: datetime | None = None
    """The first moment at which it may lapse."""
    zone_ids: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    permit_ids: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    """Of each its kind, when it was sampled and until when it is good."""
    client_zones: tuple[str, ...] | None = None
    """Those of `zone_ids` that speak at the client's place."""
    asked: Asked | None = None
    """What the rules were asked; None: they were not."""
    quotas: tuple[Quoted, ...] = ()
    """Of the destination's zones and of those on crossings: what a yes still has to take one of."""
    exemptions: tuple[str, ...] = ()
    """Without which the rules would have been stricter."""
