"""The rules for a map: which versions there are, and the zones of one, part by part. Changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from chalicelib.domain import snapshots
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.drawing import PART, drawn
from chalicelib.domain.errors import Missing
from chalicelib.domain.policies import Policy
from chalicelib.domain.ports import World
from chalicelib.domain.shapes import Instant, Shape
from chalicelib.domain.snapshots import Head, Pointer
from chalicelib.domain.zones import Zone
from chalicelib.flows import consult, enlist

FORMER = 20
"""Versions of the rules that can be looked back to."""


def versions(world: World, market_id: str) -> list[Pointer]:
    """The rules that hold, and those before them, the last first; none where none were ever published. Raises
    `Missing` for a market that is not here."""
    enlist.market(world, market_id)
    try:
        now = consult.in_force(world, market_id)
    except Missing:
        return []
    numbers = range(now.version - 1, max(0, now.version - 1 - FORMER), -1)
    rows = world.table.get_many([snapshots.former_key(market_id, number) for number in numbers])
    olds = sorted((snapshots.former_of_row(row) for row in rows), key=lambda old: old.version, reverse=True)
    return [now, *olds]


def policies(world: World, market_id: str) -> tuple[Policy, ...]:
    """The policies that the rules name now; none where none were ever published."""
    try:
        digest = consult.in_force(world, market_id).digest
    except Missing:
        return ()
    return consult.manifest_of(world, digest).policies


def zone(world: World, market_id: str, zone_id: str) -> Zone | None:
    """The zone of that name under the rules that hold; None where there is none."""
    atlas = consult.atlas(world, market_id)
    return None if atlas is None else next((one for one in atlas.rules.zones if one.zone_id == zone_id), None)


def part(world: World, market_id: str, digest: str, number: int) -> tuple[int, list[list[Any]]]:
    """The zones of that snapshot from `number` parts on, and how many parts there are. Raises `Missing` for one that is
    none of this market's."""
    atlas = _atlas(world, market_id, digest)
    zones = atlas.rules.zones
    parts = max(1, -(-len(zones) // PART))
    if not 1 <= number <= parts:
        raise Missing(f"no part {number}: these rules have {parts}")
    return parts, drawn(zones[(number - 1) * PART : number * PART])


def _atlas(world: World, market_id: str, digest: str) -> Atlas:
    kept: tuple[str, Atlas] | None = world.memory.get(f"drawing#{market_id}")
    if kept is not None and kept[0] == digest:
        return kept[1]
    pointer = next((each for each in versions(world, market_id) if each.digest == digest), None)
    if pointer is None:
        raise Missing(f"no rules {digest[:64]!r} of the market {market_id!r}")
    atlas = consult.as_known(world, market_id, Head(pointer.digest, pointer.version, pointer.published_at))
    world.memory[f"drawing#{market_id}"] = (digest, atlas)
    return atlas


class ZoneHere(Shape):
    """One zone that speaks at that place."""

    zone_id: str
    level: str
    policy: str
    valid_from: Instant
    valid_to: Instant | None = None
    expected_end: Instant | None = None
    is_near: bool = Field(default=False, description="Met only within its own precision of the edge.")


class ZonesHere(Shape):
    """What is drawn at a place: zones that are lists of names are not met by a point."""

    rules_version: int | None = Field(default=None, description="Absent: no rules were ever published.")
    at: Instant
    data: tuple[ZoneHere, ...]


def at(world: World, market_id: str, lng: float, lat: float, when: datetime | None) -> ZonesHere:
    """The drawn zones at that point (in the market's datum) and moment, the strictest first. Raises `Missing`."""
    enlist.market(world, market_id)
    now = world.clock()
    moment = when or now
    atlas = consult.atlas(world, market_id)
    if atlas is None:
        return ZonesHere(at=moment, data=())
    end = moment + timedelta(seconds=1)
    found = [
        ZoneHere(
            zone_id=zone.zone_id,
            level=zone.level.name.lower(),
            policy=zone.policy_reference,
            valid_from=zone.valid_from,
            valid_to=zone.valid_to,
            expected_end=zone.expected_end,
            is_near=is_near,
        )
        for zone, is_near in sorted(
            atlas.drawn(lng, lat, 0.0), key=lambda met: (-met[0].level, met[0].zone_id)
        )
        if zone.holds(moment, end, max(now, atlas.rules.published_at))
    ]
    return ZonesHere(rules_version=atlas.rules.version, at=moment, data=tuple(found))
