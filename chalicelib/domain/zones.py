"""Lockdown rules: zones (where, since when, known since when) and policies (what is still allowed there).

A zone carries no number to compare; it names a policy. Where zones overlap, their policies *meet*: hand-overs
and item classes are intersected, requirements and curfews united (`../shared/research/lockdowns.md`, 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from chalicelib.domain.gifts import ESSENTIAL_BY_DEFAULT, ItemClass
from chalicelib.domain.places import (
    METRES_PER_DEGREE,
    Address,
    Datum,
    Polygon,
    border_distance_m,
    building_key,
    covers,
    distance_m,
    district_key,
    is_plain_building,
    share_a_number,
    unit_key,
)
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, TimeZone, zone_info


class Level(IntEnum):
    """For display, and for whether people may come out: a crew of its home, a shop's people to hand a gift out.

    What may be done for a resident is read from the policy, never from this.
    """

    OPEN = 0
    CURFEW_ONLY = 1
    PRECAUTIONARY = 2
    CONTROLLED = 3
    SEALED = 4
    SEALED_BUILDING = 5
    NO_ACCESS = 6


class Handover(StrEnum):
    """How the gift may change hands, nearest to the client first."""

    DOOR = "door"
    LOBBY = "lobby"
    GATE = "gate"
    SHELF = "shelf"
    COLLECTION_POINT = "collection_point"


NEAREST_FIRST = (Handover.DOOR, Handover.LOBBY, Handover.GATE, Handover.SHELF, Handover.COLLECTION_POINT)
TO_THE_CLIENT = frozenset({Handover.DOOR, Handover.LOBBY})
"""Hand-overs in which the client receives; the others end at the compound: `at_gate` is not `delivered`."""


class CredentialKind(StrEnum):
    """What a crew member can show."""

    PCR = "pcr"
    ANTIGEN = "antigen"
    HEALTH_CODE = "health_code"
    CLOSED_LOOP = "closed_loop"


class AgeFrom(StrEnum):
    """Which moment a test's age is counted from."""

    SAMPLED = "sampled"
    REPORTED = "reported"


class Requirement(Shape):
    """A credential the crew must hold for the whole stay."""

    kind: CredentialKind
    max_age_hours: float = Field(gt=0, le=24 * 365)
    age_from: AgeFrom = AgeFrom.SAMPLED


class Curfew(Shape):
    """Hours, on the zone's own clock, in which deliveries stop.

    Across midnight it belongs to the day it starts.
    """

    start_local: time
    end_local: time = Field(description="The same as the start: a whole day.")
    days: tuple[Annotated[int, Field(ge=0, le=6)], ...] = Field(
        default=(0, 1, 2, 3, 4, 5, 6), max_length=7, description="Monday is 0; the day on which it starts."
    )
    item_classes: frozenset[ItemClass] | None = Field(default=None, description="Absent: every class.")

    def model_post_init(self, _context: object) -> None:
        if self.start_local.tzinfo is not None or self.end_local.tzinfo is not None:
            raise ValueError("a curfew is read off the zone's own clock, its times have no offset")


class GateProtocol(Shape):
    """What happens at the gate."""

    rest_minutes: int = Field(default=0, ge=0, le=1440, description="The parcel rests after disinfection.")
    antigen_at_gate: bool = Field(
        default=False, description="The crew is tested here first: twenty minutes more before it hands over."
    )


class Policy(Shape):
    """What is allowed under one regime. Data, versioned; absent means *not regulated here*."""

    policy_id: Slug
    version: int = Field(ge=1, le=999_999_999)
    title: Text
    handovers: frozenset[Handover] | None = Field(
        default=None, description="Absent: says nothing. Empty: nothing can be handed over."
    )
    items: frozenset[ItemClass] | None = Field(default=None, description="Absent: says nothing about items.")
    items_denied: frozenset[ItemClass] = frozenset()
    essential_only: bool = False
    curfews: tuple[Curfew, ...] = Field(default=(), max_length=50)
    requirements: tuple[Requirement, ...] = Field(default=(), max_length=20)
    permit_needed: bool = Field(
        default=False, description="The vehicle needs a permit that covers this place."
    )
    gate: GateProtocol = GateProtocol()
    source: str = Field(default="", max_length=500, description="The bulletin it was read from.")

    @property
    def reference(self) -> str:
        return f"{self.policy_id}@{self.version}"


class NamedUnit(Shape):
    """A district, compound or building by code or name; the district always belongs to it."""

    kind: Literal["district", "compound", "building"]
    district: Text
    compound: Text | None = None
    building: Text | None = None

    def model_post_init(self, _context: object) -> None:
        needs = {"district": 0, "compound": 1, "building": 2}[self.kind]
        given = (self.compound is not None) + (self.building is not None)
        if given != needs or (needs == 1 and self.compound is None):
            names = ("district", "district and compound", "district, compound and building")
            raise ValueError(f"a {self.kind} is named by {names[needs]}")

    @property
    def key(self) -> str:
        return unit_key(self.district, self.compound, self.building)


class Zone(Shape):
    """One zone, one version: immutable, with the time it holds and the time it was known."""

    zone_id: Slug
    level: Level
    policy_id: Slug
    policy_version: int = Field(ge=1)
    unit: NamedUnit | None = None
    polygons: tuple[Polygon, ...] = Field(default=(), description="In the market's datum, longitude first.")
    precision_m: float = Field(default=0, ge=0, le=5_000)
    valid_from: Instant
    valid_to: Instant | None = Field(default=None, description="Set by a release, or by a law with an end.")
    expected_end: Instant | None = Field(default=None, description="A forecast: releases nothing.")
    known_since: Instant
    basis: str = Field(default="", max_length=500)

    def model_post_init(self, _context: object) -> None:
        if self.unit is None and not self.polygons:
            raise ValueError("a zone has a unit, a polygon, or both")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to lies after valid_from")

    @property
    def policy_reference(self) -> str:
        return f"{self.policy_id}@{self.policy_version}"

    def holds(self, start: datetime, end: datetime, known_at: datetime) -> bool:
        """True when it is in force at any time of `[start, end)` as far as was known at `known_at`."""
        return (
            self.known_since <= known_at
            and self.valid_from < end
            and (self.valid_to is None or self.valid_to > start)
        )


class Regime(Shape):
    """What is allowed at one place over one interval: the meet of every policy that speaks there."""

    zone_ids: tuple[str, ...]
    policies: tuple[str, ...]
    level: Level
    handovers: frozenset[Handover] | None
    items: frozenset[ItemClass] | None
    items_denied: frozenset[ItemClass]
    essential_only: bool
    curfews: tuple[Curfew, ...]
    requirements: tuple[Requirement, ...]
    permit_needed: bool
    rest_minutes: int
    antigen_at_gate: bool
    next_change: Instant | None = Field(description="When a zone that is already known starts or ends here.")
    near_border: tuple[str, ...] = Field(
        description="Zones met only through the buffer; they count as inside."
    )

    def permits(self, item_class: ItemClass) -> bool:
        """True when nothing that speaks here rules this class out."""
        if item_class in self.items_denied or (self.items is not None and item_class not in self.items):
            return False
        return not self.essential_only or item_class in ESSENTIAL_BY_DEFAULT


def meet(zones: Sequence[Zone], policies: Mapping[str, Policy]) -> Regime:
    """The policies of these zones, all at once. Adding a zone never permits more."""
    handovers: frozenset[Handover] | None = None
    items: frozenset[ItemClass] | None = None
    denied: frozenset[ItemClass] = frozenset()
    curfews: dict[Curfew, None] = {}
    strictest: dict[tuple[CredentialKind, AgeFrom], Requirement] = {}
    rest, essential, permit, antigen = 0, False, False, False
    spoken: dict[str, None] = {}
    for zone in zones:
        policy = policies[zone.policy_reference]
        if policy.reference in spoken:
            continue
        spoken[policy.reference] = None
        if policy.handovers is not None:
            handovers = policy.handovers if handovers is None else handovers & policy.handovers
        if policy.items is not None:
            items = policy.items if items is None else items & policy.items
        denied |= policy.items_denied
        curfews.update(dict.fromkeys(policy.curfews))
        for need in policy.requirements:
            had = strictest.get((need.kind, need.age_from))
            if had is None or need.max_age_hours < had.max_age_hours:
                strictest[need.kind, need.age_from] = need
        rest = max(rest, policy.gate.rest_minutes)
        essential = essential or policy.essential_only
        permit = permit or policy.permit_needed
        antigen = antigen or policy.gate.antigen_at_gate
    return Regime.model_construct(
        zone_ids=tuple(sorted(zone.zone_id for zone in zones)),
        policies=tuple(sorted(spoken)),
        level=max((zone.level for zone in zones), default=Level.OPEN),
        handovers=handovers,
        items=items,
        items_denied=denied,
        essential_only=essential,
        curfews=tuple(curfews),
        requirements=tuple(sorted(strictest.values(), key=lambda need: (need.kind, need.age_from))),
        permit_needed=permit,
        rest_minutes=rest,
        antigen_at_gate=antigen,
        next_change=None,
        near_border=(),
    )


class Rules(Shape):
    """A market's rules as published: one snapshot, immutable, known by the hash of its content."""

    market_id: Slug
    version: int = Field(ge=1)
    digest: str
    time_zone: TimeZone
    datum: Datum
    published_at: Instant
    stale_after_hours: float = Field(default=36, gt=0, le=24 * 366)
    zones: tuple[Zone, ...]
    policies: tuple[Policy, ...]

    def model_post_init(self, _context: object) -> None:
        known = {(policy.policy_id, policy.version) for policy in self.policies}
        if len(known) < len(self.policies):
            raise ValueError("each version of a policy stands in the rules once")
        for zone in self.zones:
            if (zone.policy_id, zone.policy_version) not in known:
                raise ValueError(
                    f"zone {zone.zone_id!r} names {zone.policy_reference!r}, which is no policy here"
                )

    def atlas(self) -> Atlas:
        """The same, laid out for look-ups."""
        return Atlas(self)


Box = tuple[float, float, float, float]
"""West, south, east, north."""
Found = Sequence[tuple[Zone, bool]]
"""Zones that may speak somewhere, whatever the time, and whether only the buffer reaches them."""

_CELL = 0.02
"""Degrees: about 2 km, so most compounds lie in one cell of the index and most districts in none."""
_CELLS = 400
"""What spreads over more cells than this is looked at every time."""
REMEMBERED = 20_000
"""Places and meetings of policies that an atlas keeps."""


class Atlas:
    """A snapshot laid out for look-ups: units by key, polygons by a coarse grid."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.policies = {policy.reference: policy for policy in rules.policies}
        self._by_unit: dict[str, list[Zone]] = {}
        self._buildings: dict[str, list[Zone]] = {}
        self._districts: dict[str, list[Zone]] = {}
        self._undrawn: dict[str, list[Zone]] = {}
        self._shaped: list[tuple[Box, Zone]] = []
        self._cells: dict[tuple[int, int], list[int]] = {}
        self._wide: list[int] = []
        self.seen: dict[object, object] = {}
        """What clearance found around a place: these zones never change, and the same gift is looked at often."""
        self._met: dict[tuple[tuple[int, ...], datetime | None, tuple[str, ...]], Regime] = {}
        for zone in rules.zones:
            if zone.unit is not None:
                key = zone.unit.key
                self._by_unit.setdefault(key, []).append(zone)
                if zone.unit.kind == "building":
                    self._buildings.setdefault(key.rpartition("/")[0], []).append(zone)
                if zone.unit.kind != "district" and not zone.polygons:
                    self._undrawn.setdefault(key.partition("/")[0], []).append(zone)
                if zone.unit.kind == "district" and zone.polygons:
                    self._districts.setdefault(key, []).append(zone)
            if zone.polygons:
                self._draw(zone)

    def _draw(self, zone: Zone) -> None:
        number, box = len(self._shaped), _padded(_bounds(zone.polygons), zone.precision_m)
        self._shaped.append((box, zone))
        cells = _cells_of(box)
        if cells is None:
            self._wide.append(number)
        else:
            for cell in cells:
                self._cells.setdefault(cell, []).append(number)

    def is_stale(self, now: datetime) -> bool:
        """True when the feed has been silent too long to be believed: unknown is not open."""
        return now >= self.stale_from

    @property
    def stale_from(self) -> datetime:
        """When these rules, if nothing follows them, are no longer believed."""
        return self.rules.published_at + timedelta(hours=self.rules.stale_after_hours)

    def named(self, address: Address) -> list[Zone]:
        """Zones that name this address. A building that is not stated is taken to be the strictest one."""
        found = list(self._by_unit.get(unit_key(address.district), ()))
        if address.compound is not None:
            compound = unit_key(address.district, address.compound)
            found += self._by_unit.get(compound, ())
            buildings = self._buildings.get(compound)
            if buildings is not None:
                found += buildings if address.building is None else _may_be(address.building, buildings)
        return found

    def drawn(self, lng: float, lat: float, buffer_m: float) -> list[tuple[Zone, bool]]:
        """Zones whose polygon covers the point, and whether only the buffer reaches it."""
        west, south, east, north = _padded((lng, lat, lng, lat), buffer_m)
        cells = _cells_of((west, south, east, north))
        if cells is None:
            numbers: Iterable[int] = range(len(self._shaped))
        else:
            numbers = sorted({*self._wide, *(n for cell in cells for n in self._cells.get(cell, ()))})
        found = []
        for number in numbers:
            box, zone = self._shaped[number]
            if box[0] <= east and west <= box[2] and box[1] <= north and south <= box[3]:
                reach = buffer_m + zone.precision_m
                distance = distance_m(zone.polygons, lng, lat, reach)
                if distance < math.inf:
                    found.append((zone, distance > 0))
        return found

    def district_disagrees(self, address: Address, lng: float, lat: float, slack_m: float) -> bool:
        """True when the point contradicts the stated district by more than `slack_m`.

        Either that district is drawn and the point lies outside it, or it is not and the point lies well
        inside another one.
        """
        own = self._districts.get(unit_key(address.district))
        if own is not None:
            return not any(covers(zone.polygons, lng, lat, slack_m) for zone in own)
        return any(
            distance_m((polygon,), lng, lat) == 0
            and border_distance_m(lng, lat, polygon, slack_m + 1) > slack_m
            for others in self._districts.values()
            for zone in others
            for polygon in zone.polygons
        )

    def needs_compound(self, address: Address, start: datetime, end: datetime, known_at: datetime) -> bool:
        """True when the address states no compound where compounds are ruled by name alone: it may be any."""
        return address.compound is None and any(
            zone.holds(start, end, known_at) for zone in self._undrawn.get(district_key(address.district), ())
        )

    def around(self, address: Address, point: tuple[float, float] | None, buffer_m: float) -> Found:
        """Every zone that may ever speak there: by name first, then by geometry."""
        found = [(zone, False) for zone in self.named(address)]
        seen = {id(zone) for zone, _ in found}
        if point is not None:
            own = unit_key(address.district)
            for zone, near in self.drawn(*point, buffer_m):
                # a neighbour *district* reached only through the buffer is not where the address says it is
                elsewhere = zone.unit is not None and zone.unit.kind == "district" and zone.unit.key != own
                if id(zone) not in seen and not (near and elsewhere):
                    found.append((zone, near))
        return found

    def regime(
        self,
        address: Address,
        point: tuple[float, float] | None,
        buffer_m: float,
        start: datetime,
        end: datetime,
        known_at: datetime,
    ) -> Regime:
        """What is allowed there during `[start, end)`, as known at `known_at`.

        `point` is in the rules' datum.
        """
        return self.regime_of(self.around(address, point, buffer_m), start, end, known_at)

    def regime_of(self, found: Found, start: datetime, end: datetime, known_at: datetime) -> Regime:
        """The same for zones of this atlas that were found before."""
        met: list[Zone] = []
        edge: list[str] = []
        change: datetime | None = None
        for zone, near in found:
            if zone.known_since > known_at:
                continue
            turn = zone.valid_from if zone.valid_from >= end else zone.valid_to
            if turn is not None and turn > start and (change is None or turn < change):
                change = turn
            if zone.holds(start, end, known_at):
                met.append(zone)
                if near:
                    edge.append(zone.zone_id)
        key = (tuple(map(id, met)), change, tuple(edge))
        known = self._met.get(key)
        if known is None:
            if len(self._met) >= REMEMBERED:
                self._met.clear()
            known = self._met[key] = meet(met, self.policies).model_copy(
                update={"next_change": change, "near_border": tuple(sorted(edge))}
            )
        return known

    def home_level(
        self, address: Address, start: datetime, known_at: datetime, end: datetime | None = None
    ) -> Level | None:
        """The highest level at a crew's home during `[start, end)`, or None where it is not known.

        It is known when a list names its compound or building, or when rules that speak of hand-overs hold for
        the whole district; never when the compound is not stated and others there are ruled by name.
        """
        until = end or start + timedelta(microseconds=1)
        speaking = [zone for zone in self.named(address) if zone.holds(start, until, known_at)]
        is_ruled = any(
            (zone.unit is not None and zone.unit.kind != "district")
            or self.policies[zone.policy_reference].handovers is not None
            for zone in speaking
        )
        if not is_ruled or self.needs_compound(address, start, until, known_at):
            return None
        return max(zone.level for zone in speaking)


def _may_be(building: str, zones: Sequence[Zone]) -> list[Zone]:
    """Those zones of one compound's buildings that may mean this one.

    Two plain numbers tell two buildings apart; anything else (a range, a name, 3-1) may be the building or part
    of it, and then the zone counts, unless the very same spelling is there as well.
    """
    wanted = building_key(building)
    is_plain = is_plain_building(wanted)
    keyed = [(building_key(zone.unit.building), zone) for zone in zones if zone.unit and zone.unit.building]
    is_listed = any(key == wanted for key, _ in keyed)
    return [
        zone
        for key, zone in keyed
        if key == wanted
        or (is_plain and not is_plain_building(key))
        or (not is_plain and (not is_listed or share_a_number(key, wanted)))
    ]


def _bounds(polygons: Sequence[Polygon]) -> Box:
    points = [point for polygon in polygons for point in polygon[0]]
    lngs, lats = [p[0] for p in points], [p[1] for p in points]
    return min(lngs), min(lats), max(lngs), max(lats)


def _padded(box: Box, metres: float) -> Box:
    west, south, east, north = box
    tall = (metres + 1) / METRES_PER_DEGREE
    farthest = min(89.0, max(abs(south), abs(north)) + tall)
    wide = tall / math.cos(math.radians(farthest))
    return west - wide, south - tall, east + wide, north + tall


def _cells_of(box: Box) -> list[tuple[int, int]] | None:
    """The cells of the grid that a box touches, or None when they are too many."""
    west, south, east, north = (math.floor(edge / _CELL) for edge in box)
    if (east - west + 1) * (north - south + 1) > _CELLS:
        return None
    return [(x, y) for x in range(west, east + 1) for y in range(south, north + 1)]


def curfew_spans(
    curfew: Curfew, time_zone: str, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """The curfew's hours that touch `[start, end)`, in UTC.

    Each end is converted by itself, so a night with a DST change is as long as it really is; an hour that
    happens twice, or not at all, is read so that the curfew is longest.
    """
    zone = zone_info(time_zone)
    first: date = start.astimezone(zone).date() - timedelta(days=1)
    last: date = end.astimezone(zone).date()
    spans = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if day.weekday() not in curfew.days:
            continue
        until = day if curfew.end_local > curfew.start_local else day + timedelta(days=1)
        low = min(_readings(day, curfew.start_local, zone))
        high = max(_readings(until, curfew.end_local, zone))
        if low < end and high > start:
            spans.append((low, high))
    return spans


def _readings(day: date, clock: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """What a local time can mean: one moment, two in an hour that happens twice or not at all."""
    local = datetime.combine(day, clock, zone)
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def open_hours(
    start: datetime, end: datetime, closed: Iterable[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    """`[start, end)` less the closed spans, in order."""
    pieces = [(start, end)]
    for low, high in closed:
        pieces = [
            piece for a, b in pieces for piece in ((a, min(b, low)), (max(a, high), b)) if piece[0] < piece[1]
        ]
    return sorted(set(pieces))
