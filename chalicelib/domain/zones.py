"""Lockdown rules: zones (where, since when, known since when), and what their policies come to together.

A zone carries no number to compare; it names a policy. Where zones overlap, their policies *meet*: hand-overs
and item classes are intersected, requirements and curfews united (`../shared/research/lockdowns.md`, 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from chalicelib.domain.curfews import Curfew
from chalicelib.domain.gifts import ESSENTIAL_BY_DEFAULT, ItemClass
from chalicelib.domain.places import Datum, Polygon, district_key, unit_key
from chalicelib.domain.policies import AgeFrom, CredentialKind, Handover, Level, Policy, Quota, Requirement
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, TimeZone, folded


class NamedUnit(Shape):
    """A district, compound, building, address or crossing by code or name; or the whole market.

    The district always belongs to it, but for what is decreed for all of a market, and for a crossing, which lies
    between two sets of districts: it is the river, or the line, and not one of several bridges, so a zone over it
    speaks for every delivery whose ends lie on different sides.
    """

    kind: Literal["market", "district", "compound", "building", "address", "crossing"]
    district: Text | None = Field(
        default=None, description="Needed, but for a crossing and for the whole market."
    )
    compound: Text | None = None
    building: Text | None = None
    address: Text | None = Field(default=None, description="A road with its lane or number: 永嘉路580弄.")
    crossing: Text | None = Field(default=None, description="Its name, as permits name it.")
    sides: tuple[Side, Side] | None = Field(
        default=None,
        description="What lies on either side: districts, or `<district>/<street>` where a district lies on both.",
    )

    def model_post_init(self, _context: object) -> None:
        given = tuple(name for name in _PARTS if getattr(self, name) is not None)
        if given != _NAMED_BY[self.kind]:
            *most, last = _NAMED_BY[self.kind] or ("nothing more",)
            names = f"{', '.join(most)} and {last}" if most else last
            raise ValueError(f"{'an' if self.kind == 'address' else 'a'} {self.kind} is named by {names}")
        if self.sides is not None:
            length = sum(len(name) for side in self.sides for name in side)
            if length > SIDES_LENGTH:
                raise ValueError(
                    f"at most {SIDES_LENGTH} characters in the names of both sides were expected, got {length}"
                )
            one, other = (frozenset(map(side_key, side)) for side in self.sides)
            if both := one & other:
                raise ValueError(f"a district lies on one side of a crossing, not on both: {sorted(both)!r}")

    @property
    def key(self) -> str:
        """How it is looked up; no two kinds share one."""
        if self.kind == "market":
            return EVERYWHERE
        if self.crossing is not None:
            return f"{CROSSING}{folded(self.crossing)}"
        assert self.district is not None
        if self.address is not None:
            return f"{unit_key(self.district)}/@{folded(self.address)}"
        return unit_key(self.district, self.compound, self.building)


def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    # a zone is written as it stands into a snapshot that is known by its hash: a set has no order to stand in
    return tuple(sorted(set(names)))


SIDES_LENGTH = 20_000
"""Of all names of a crossing's sides: a zone has to fit into one row."""
Side = Annotated[tuple[Text, ...], Field(min_length=1, max_length=500), AfterValidator(_in_order)]
_PARTS = ("district", "compound", "building", "address", "crossing", "sides")
_NAMED_BY: dict[str, tuple[str, ...]] = {
    "market": (),
    "district": ("district",),
    "compound": ("district", "compound"),
    "building": ("district", "compound", "building"),
    "address": ("district", "address"),
    "crossing": ("crossing", "sides"),
}
EVERYWHERE = "/"
"""The key of the whole market, and of nothing else."""
CROSSING = "//"
"""What the key of a crossing begins with, and no other's: a folded name has no slash."""


def side_key(named: str) -> str:
    """A district of one side, or `<district>/<street>`, as it is compared."""
    district, _, street = named.partition("/")
    return f"{district_key(district)}/{folded(street)}" if street else district_key(district)


class Lift(StrEnum):
    """What of a policy an exemption lifts."""

    CURFEW = "curfew"
    ITEMS = "items"
    PERMIT = "permit"
    REQUIREMENTS = "requirements"
    COMPANIES = "companies"
    PERSONS = "persons"
    HANDOVER = "handover"


PolicyReference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[1-9][0-9]{0,8}$")]


class Exemption(Shape):
    """What an authority has let off: this part of this policy, there, for this time. Nothing else relaxes anything."""

    exemption_id: Slug
    policy: PolicyReference
    lifts: frozenset[Lift] = Field(min_length=1)
    item_classes: frozenset[ItemClass] | None = Field(
        default=None, min_length=1, description="For these classes. Absent: for all."
    )
    unit: NamedUnit | None = Field(default=None, description="There. Absent: wherever the policy speaks.")
    valid_from: Instant
    valid_to: Instant | None = None
    known_since: Instant
    authority: Text = Field(description="Who granted it.")
    basis: str = Field(default="", max_length=500)

    def model_post_init(self, _context: object) -> None:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to lies after valid_from")

    def holds(self, start: datetime, end: datetime, known_at: datetime) -> bool:
        """True when it covers all of `[start, end)` as far as was known at `known_at`."""
        return (
            self.known_since <= known_at
            and self.valid_from <= start
            and (self.valid_to is None or end <= self.valid_to)
        )


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


def is_let_in(
    item_class: ItemClass,
    items: frozenset[ItemClass] | None,
    denied: frozenset[ItemClass],
    essential_only: bool,
) -> bool:
    """True when neither list keeps this class out."""
    if item_class in denied or (items is not None and item_class not in items):
        return False
    return not essential_only or item_class in ESSENTIAL_BY_DEFAULT


class Quoted(NamedTuple):
    """A quota and the zone that sets it."""

    zone_id: str
    policy: str
    quota: Quota


class Regime(Shape):
    """What is allowed at one place over one interval: the meet of every policy that speaks there."""

    zone_ids: tuple[str, ...]
    policies: tuple[str, ...]
    level: Level
    handovers: frozenset[Handover] | None = Field(
        description="None: nobody has ruled on it, or nobody knows."
    )
    is_unknown: bool = Field(default=False, description="A policy says that nobody knows what holds here.")
    items: frozenset[ItemClass] | None
    items_denied: frozenset[ItemClass]
    hand_out_denied: frozenset[ItemClass]
    essential_only: bool
    curfews: tuple[Curfew, ...]
    requirements: tuple[Requirement, ...]
    asking: frozenset[str] = Field(description="The zones that ask for a permit.")
    rest_minutes: int
    antigen_at_gate: bool
    companies: frozenset[str] = Field(description="Lists that the courier has to stand on.")
    persons: frozenset[str] = Field(description="Lists that the crew has to stand on.")
    quotas: tuple[Quoted, ...]
    exemptions: tuple[str, ...] = Field(description="Those that lifted something here.")
    next_change: Instant | None = Field(description="When a zone that is already known starts or ends here.")
    near_border: tuple[str, ...] = Field(
        description="Zones met only through the buffer; they count as inside."
    )

    @property
    def permit_needed(self) -> bool:
        return bool(self.asking)

    def permits(self, item_class: ItemClass) -> bool:
        """True when nothing that speaks here rules this class out."""
        return is_let_in(item_class, self.items, self.items_denied, self.essential_only)


def meet(
    zones: Sequence[Zone],
    policies: Mapping[str, Policy],
    exemptions: Sequence[Exemption] = (),
    item_classes: frozenset[ItemClass] = frozenset(),
) -> Regime:
    """The policies of these zones, all at once. Adding a zone never permits more.

    `exemptions`: those that hold there and then, for a gift of these classes. An exemption for some classes lets
    just those pass the list of items; of the rest of a policy it lifts nothing unless the whole gift is of them.
    """
    handovers: frozenset[Handover] | None = None
    items: frozenset[ItemClass] | None = None
    denied: frozenset[ItemClass] = frozenset()
    kept_in: frozenset[ItemClass] = frozenset()
    curfews: dict[Curfew, None] = {}
    strictest: dict[tuple[CredentialKind, AgeFrom, str], Requirement] = {}
    rest, essential, antigen, unknown = 0, False, False, False
    companies: frozenset[str] = frozenset()
    persons: frozenset[str] = frozenset()
    quotas: set[Quoted] = set()
    asking: set[str] = set()
    lifting: dict[str, frozenset[Lift]] = {}
    used: set[str] = set()
    spoken: dict[str, None] = {}
    for zone in zones:
        policy = policies[zone.policy_reference]
        name = policy.reference
        quotas.update(Quoted(zone.zone_id, name, quota) for quota in policy.quotas)
        lifted = lifting.get(name)
        if lifted is None:
            mine = [one for one in exemptions if one.policy == name]
            whole = [one for one in mine if one.item_classes is None or item_classes <= one.item_classes]
            lifted = lifting[name] = frozenset(lift for one in whole for lift in one.lifts)
            used.update(one.exemption_id for one in mine if one in whole or Lift.ITEMS in one.lifts)
        if policy.permit_needed and Lift.PERMIT not in lifted:
            asking.add(zone.zone_id)
        if name in spoken:
            continue
        spoken[name] = None
        if policy.handovers is not None:
            ways = _EVERY_WAY if Lift.HANDOVER in lifted else policy.handovers
            handovers = ways if handovers is None else handovers & ways
        unknown = unknown or policy.unknown
        let_in = _let_in(exemptions, name)
        if let_in is None:
            if policy.items is not None:
                items = policy.items if items is None else items & policy.items
            denied |= policy.items_denied
            essential = essential or policy.essential_only
        else:
            open_to = frozenset(
                c
                for c in ItemClass
                if c in let_in or is_let_in(c, policy.items, policy.items_denied, policy.essential_only)
            )
            items = open_to if items is None else items & open_to
        kept_in |= policy.hand_out_denied - (let_in or frozenset())
        if Lift.CURFEW not in lifted:
            curfews.update(dict.fromkeys(policy.curfews))
        for need in policy.requirements if Lift.REQUIREMENTS not in lifted else ():
            key = (need.kind, need.age_from, need.sequence or "")
            had = strictest.get(key)
            if had is None or need.max_age_hours < had.max_age_hours:
                strictest[key] = need
        rest = max(rest, policy.gate.rest_minutes)
        antigen = antigen or policy.gate.antigen_at_gate
        if Lift.COMPANIES not in lifted:
            companies |= policy.companies
        if Lift.PERSONS not in lifted:
            persons |= policy.persons
    return Regime.model_construct(
        zone_ids=tuple(sorted(zone.zone_id for zone in zones)),
        policies=tuple(sorted(spoken)),
        level=max((zone.level for zone in zones), default=Level.OPEN),
        handovers=None if unknown else handovers,
        is_unknown=unknown,
        items=items,
        items_denied=denied,
        hand_out_denied=kept_in,
        essential_only=essential,
        curfews=tuple(curfews),
        requirements=tuple(strictest[key] for key in sorted(strictest)),
        asking=frozenset(asking),
        rest_minutes=rest,
        antigen_at_gate=antigen,
        companies=companies,
        persons=persons,
        quotas=tuple(sorted(quotas, key=lambda quoted: (quoted.zone_id, quoted.policy, str(quoted.quota)))),
        exemptions=tuple(sorted(used)),
        next_change=None,
        near_border=(),
    )


_EVERY_WAY = frozenset(Handover)


def _let_in(exemptions: Sequence[Exemption], policy: str) -> frozenset[ItemClass] | None:
    """The item classes that this policy's list no longer keeps out; None: it stands as it is."""
    let_in: frozenset[ItemClass] | None = None
    for one in exemptions:
        if one.policy == policy and Lift.ITEMS in one.lifts:
            classes = frozenset(ItemClass) if one.item_classes is None else one.item_classes
            let_in = classes if let_in is None else let_in | classes
    return let_in


class Rules(Shape):
    """A market's rules as published: one snapshot, immutable, known by the hash of its content."""

    market_id: Slug
    version: int = Field(ge=1)
    digest: str
    time_zone: TimeZone
    datum: Datum
    published_at: Instant
    stale_after_hours: float = Field(default=36, gt=0, le=24 * 366)
    zones: Sequence[Zone]
    policies: tuple[Policy, ...]
    exemptions: tuple[Exemption, ...] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        # not `model_post_init`: what was published was held against this then, and reading it makes no zone
        known = {(policy.policy_id, policy.version) for policy in self.policies}
        if len(known) < len(self.policies):
            raise ValueError("each version of a policy stands in the rules once")
        for zone in self.zones:
            if (zone.policy_id, zone.policy_version) not in known:
                raise ValueError(
                    f"zone {zone.zone_id!r} names {zone.policy_reference!r}, which is no policy here"
                )
        return self
