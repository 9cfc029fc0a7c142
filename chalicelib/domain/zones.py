"""Lockdown rules: zones (where, since when, known since when), and what their policies come to together.

A zone carries no number to compare; it names a policy. Where zones overlap, their policies *meet*: hand-overs
and item classes are intersected, requirements and curfews united (`../shared/research/lockdowns.md`, 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from chalicelib.domain.curfews import Curfew
from chalicelib.domain.gifts import ESSENTIAL_BY_DEFAULT, ItemClass
from chalicelib.domain.places import Datum, Polygon, unit_key
from chalicelib.domain.policies import AgeFrom, CredentialKind, Handover, Level, Policy, Requirement
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, TimeZone


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
