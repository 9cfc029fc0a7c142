"""What is looked up once, before anybody is asked: of a delivery its places, of a slot its crew, of an interval the
ground, and when a slot would do it. `clearance` judges by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from chalicelib.domain.atlas import REMEMBERED, Atlas, Found
from chalicelib.domain.curfews import Curfew
from chalicelib.domain.fleet import Courier, Crew, Slot
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.permits import Errand
from chalicelib.domain.places import MatchQuality, Place, district_key
from chalicelib.domain.policies import Handover, Requirement
from chalicelib.domain.verdicts import Asked, Delivery, Phase, Reason
from chalicelib.domain.zones import Exemption, Quoted, Regime

HANDLING = timedelta(minutes=20)
"""The shortest stretch of open hours in which a hand-over is planned."""

MOMENT = timedelta(microseconds=1)
"""How long something that has happened took, for the rules."""

DISTRICT_SLACK_M = 250.0
"""How far outside the drawn district a point may lie before it contradicts its address (maps are coarse)."""

NO_TIME = timedelta(0)


def rest_of_stay(
    begins: datetime, by: datetime, phase: Phase, at: datetime, *, moment: bool = False
) -> tuple[datetime, datetime]:
    """What is left at that moment of a stay that was given, from its beginning to the last hand-over.

    A gift on its way is held to the stay that it was given; what still has to be planned needs time to be done in.
    """
    start = at if moment else max(at, begins)
    if phase is not Phase.CARRIED:
        return start, max(by, start + HANDLING)
    return start, start + MOMENT if moment else max(by, start + MOMENT)


class Ground(NamedTuple):
    """What the places alone say, before any courier is asked: the same for every slot of one interval."""

    reasons: tuple[Reason, ...]
    origin: Regime
    destination: Regime
    handovers: tuple[Handover, ...]
    """Allowed for this gift, nearest to the client first."""
    requirements: tuple[Requirement, ...]
    """Of both ends and what is crossed; once carried, no longer of the origin. So is all that follows."""
    zone_ids: tuple[str, ...]
    policies: tuple[str, ...]
    crossings: tuple[Regime, ...]
    """What holds on each crossing that the way leads over."""
    errand: Errand | None
    """What permits are asked for; None: none is."""
    companies: tuple[str, ...]
    persons: tuple[str, ...]
    fetching: tuple[Curfew, ...]
    """What may keep this gift from being fetched, ..."""
    carrying: tuple[Curfew, ...]
    """... from being brought, ..."""
    coming_out: tuple[Curfew, ...]
    """... and its client from coming out for it."""
    exemptions: tuple[str, ...]
    quotas: tuple[Quoted, ...]
    """Of the destination and the crossings."""


def _doubts(place: Place, point: tuple[float, float], atlas: Atlas) -> list[Reason]:
    """What is doubtful about where this is."""
    if place.match_quality in (MatchQuality.CENTROID, MatchQuality.NONE):
        return [Reason.ADDRESS_DOUBTFUL]
    slack = DISTRICT_SLACK_M + place.coordinate.precision_m
    return [Reason.ADDRESS_DISAGREES] if atlas.district_disagrees(place.address, *point, slack) else []


@dataclass(frozen=True)
class Surveyed:
    """What is known of a delivery whatever the hour: looked up once, asked for every slot."""

    delivery: Delivery
    doubts: tuple[Reason, ...]
    origin: Found
    destination: Found
    item_classes: frozenset[ItemClass]
    dwell_limit: timedelta | None
    districts: tuple[str, str]
    """Of origin and destination, as they are compared."""
    crossings: tuple[tuple[str, Found], ...]
    """Each crossing on the way by name, and its zones."""
    visit: timedelta
    """So long the crew stays with the client."""
    excuses: tuple[tuple[Exemption, ...], ...]
    """Exemptions that may hold at the origin, at the destination, and on each of the crossings."""
    kept: dict[str, bool] = field(default_factory=dict)
    """By crew: can its vehicle keep everything at its temperature?"""


def survey(delivery: Delivery, atlas: Atlas) -> Surveyed:
    there, doubts = _seen(delivery.drop_off, atlas)
    here, others = _seen(delivery.pick_up, atlas)
    limit = delivery.gift.dwell_limit_minutes
    origin, destination = delivery.pick_up.address, delivery.drop_off.address
    crossings = tuple(atlas.crossed(origin, destination))
    excuses: tuple[tuple[Exemption, ...], ...] = ((),) * (2 + len(crossings))
    if atlas.rules.exemptions:
        over = (atlas.excusing_crossing(name) for name, _ in crossings)
        excuses = (atlas.excusing(origin), atlas.excusing(destination), *over)
    return Surveyed(
        delivery,
        doubts=tuple(dict.fromkeys((*doubts, *others))),
        origin=here,
        destination=there,
        item_classes=delivery.gift.item_classes,
        dwell_limit=None if limit is None else timedelta(minutes=limit),
        districts=(district_key(origin.district), district_key(destination.district)),
        crossings=crossings,
        visit=timedelta(minutes=delivery.visit_minutes) if delivery.visit_minutes else NO_TIME,
        excuses=excuses,
    )


def _seen(place: Place, atlas: Atlas) -> tuple[Found, tuple[Reason, ...]]:
    known: Any = atlas.seen.get(place)
    if known is None:
        point, reach = place.coordinate.within(atlas.rules.datum), place.coordinate.precision_m
        known = (atlas.around(place.address, point, reach), tuple(_doubts(place, point, atlas)))
        if len(atlas.seen) >= REMEMBERED:
            atlas.seen.clear()
        atlas.seen[place] = known
    found: tuple[Found, tuple[Reason, ...]] = known
    return found


@dataclass(frozen=True)
class Offer:
    """A slot at this moment: the same for every delivery it is asked about."""

    slot: Slot
    crew: Crew | None
    courier: Courier | None
    standing: tuple[Reason, ...]
    """What speaks against it whatever the delivery."""
    begins: datetime
    ends: datetime
    trip: timedelta
    back: timedelta
    homes: dict[datetime, Reason | None] = field(default_factory=dict)
    """What the crew's home says, by the end of the stay."""


class Stay(NamedTuple):
    """When a slot would do it, and what the hours and the places say."""

    reasons: tuple[Reason, ...]
    base: Ground | None
    """None: the hours do not fit, and nothing more is asked."""
    handovers: tuple[Handover, ...]
    start: datetime
    since: datetime
    """It may be handed over from then ..."""
    by: datetime
    """... to then."""
    end: datetime
    """By then the crew is out, whatever curfews say: tests and permits are held against this."""
    at_gate: timedelta
    asked: Asked | None


_NEVER = datetime.min.replace(tzinfo=UTC)
NO_STAY = Stay((Reason.WINDOW,), None, (), _NEVER, _NEVER, _NEVER, _NEVER, NO_TIME, None)


def staying(surveyed: Surveyed, phase: Phase) -> timedelta:
    """What a visit adds to the way out of whoever has still to arrive; who carries is held to the end of the visit."""
    return NO_TIME if phase is Phase.CARRIED else surveyed.visit
