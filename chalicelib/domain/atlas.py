"""A snapshot of the rules laid out for look-ups: which zones may speak somewhere, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.address_keys import AddressKey, address_key, keys_of
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.places import (
    METRES_PER_DEGREE,
    Address,
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
from chalicelib.domain.policies import Level
from chalicelib.domain.shapes import folded
from chalicelib.domain.zones import EVERYWHERE, Exemption, NamedUnit, Regime, Rules, Zone, meet, side_key

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
        self._addresses: dict[str, list[Zone]] = {}
        self._roads: dict[str, dict[str, list[tuple[AddressKey, Zone]]]] = {}
        """Of the districts that were asked about: by road or name, the addresses that lists name there."""
        self._shaped: list[tuple[Box, Zone]] = []
        self._cells: dict[tuple[int, int], list[int]] = {}
        self._wide: list[int] = []
        self.seen: dict[object, object] = {}
        """What clearance found around a place: these zones never change, and the same gift is looked at often."""
        self._met: dict[tuple[object, ...], Regime] = {}
        self._crossings: dict[str, list[tuple[_Sides, Zone]]] = {}
        for zone in rules.zones:
            if zone.unit is not None and zone.unit.crossing is not None:
                self._crossings.setdefault(folded(zone.unit.crossing), []).append(
                    (_sides_of(zone.unit), zone)
                )
                continue  # it speaks for what crosses it, not for who is near
            if zone.unit is not None:
                key = zone.unit.key
                self._by_unit.setdefault(key, []).append(zone)
                if zone.unit.kind == "building":
                    self._buildings.setdefault(key.rpartition("/")[0], []).append(zone)
                if zone.unit.kind == "address":
                    self._addresses.setdefault(key.partition("/")[0], []).append(zone)
                elif zone.unit.kind in ("compound", "building") and not zone.polygons:
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
        found = [*self._by_unit.get(EVERYWHERE, ()), *self._by_unit.get(unit_key(address.district), ())]
        if address.compound is not None:
            compound = unit_key(address.district, address.compound)
            found += self._by_unit.get(compound, ())
            buildings = self._buildings.get(compound)
            if buildings is not None:
                found += buildings if address.building is None else _may_be(address.building, buildings)
        return found + self._listed(address)

    def _is_another(self, zone: Zone, address: Address) -> bool:
        """True when a list names a lane or number, and the address states one: where the two were compared by key
        and did not meet, what was geocoded near by is a neighbour."""
        if zone.unit is None or zone.unit.address is None or zone.unit.district is None:
            return False
        listed = address_key(zone.unit.address, zone.unit.district)
        return bool(listed.steps) and any(key.steps for key in keys_of(address))

    def _listed(self, address: Address) -> list[Zone]:
        """Zones that name a road with its lane or number, where this address may be that one."""
        district = district_key(address.district)
        if district not in self._addresses:
            return []
        roads = self._roads.get(district)
        if roads is None:
            roads = self._roads[district] = {}
            for zone in self._addresses[district]:
                assert zone.unit is not None
                assert zone.unit.address is not None
                named = address_key(zone.unit.address, address.district)
                for base in named.bases:
                    roads.setdefault(base, []).append((named, zone))
        found = {
            id(zone): zone
            for key in keys_of(address)
            for base in key.bases
            for named, zone in roads.get(base, ())
            if named.may_meet(key)
        }
        return list(found.values())

    def crossed(self, origin: Address, destination: Address) -> list[tuple[str, Found]]:
        """Each crossing on the way between these two addresses, and its zones.

        By district and street as they are stated, never by the point: parts of a district lie across the river.
        An address that may lie on either side may have to cross; that is marked as a buffer's reach is.
        """
        found: list[tuple[str, Found]] = []
        for name, zones in self._crossings.items():
            speaking = []
            for sides, zone in zones:
                here, there = _side_of(origin, sides), _side_of(destination, sides)
                if here and there and (here != there or len(here) > 1):
                    speaking.append((zone, len(here) + len(there) > 2))
            if speaking:
                found.append((name, speaking))
        return found

    def excusing(self, address: Address) -> tuple[Exemption, ...]:
        """Exemptions for this address, whatever the time. Nothing that is not stated is taken to be exempt."""
        return tuple(one for one in self.rules.exemptions if one.unit is None or _is_at(address, one.unit))

    def excusing_crossing(self, name: str) -> tuple[Exemption, ...]:
        """The same for a crossing."""
        return tuple(
            one
            for one in self.rules.exemptions
            if one.unit is None or (one.unit.crossing is not None and folded(one.unit.crossing) == name)
        )

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
        """True when the address states no compound where compounds are ruled by name alone: it may be any.

        The same for one that states no lane and no number where a list that draws nothing names those.
        """
        district = district_key(address.district)
        if address.compound is None and any(
            zone.holds(start, end, known_at) for zone in self._undrawn.get(district, ())
        ):
            return True
        listed = self._addresses.get(district)
        return (
            listed is not None
            and not any(key.steps for key in keys_of(address))
            and any(not zone.polygons and zone.holds(start, end, known_at) for zone in listed)
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
                if id(zone) not in seen and not (near and (elsewhere or self._is_another(zone, address))):
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

    def regime_of(
        self,
        found: Found,
        start: datetime,
        end: datetime,
        known_at: datetime,
        excuses: Sequence[Exemption] = (),
        item_classes: frozenset[ItemClass] = frozenset(),
    ) -> Regime:
        """The same for zones of this atlas that were found before, with what may excuse a gift of these classes."""
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
        key: tuple[object, ...] = (tuple(map(id, met)), change, tuple(edge))
        if excuses:
            excuses = [one for one in excuses if one.holds(start, end, known_at)]
            if excuses:
                key = (*key, tuple(map(id, excuses)), item_classes)
        known = self._met.get(key)
        if known is None:
            if len(self._met) >= REMEMBERED:
                self._met.clear()
            known = self._met[key] = meet(met, self.policies, excuses, item_classes).model_copy(
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
            (zone.unit is not None and zone.unit.kind not in ("district", "market"))
            or self.policies[zone.policy_reference].handovers is not None
            for zone in speaking
        )
        if not is_ruled or self.needs_compound(address, start, until, known_at):
            return None
        return max(zone.level for zone in speaking)


_Sides = tuple[frozenset[str], frozenset[str]]


def _sides_of(unit: NamedUnit) -> _Sides:
    assert unit.sides is not None
    one, other = unit.sides
    return frozenset(map(side_key, one)), frozenset(map(side_key, other))


def _side_of(address: Address, sides: _Sides) -> set[int]:
    """On which side of a crossing it lies: none where it is not named, both where it cannot be told.

    Where streets of its district are named for a side of their own, what is stated of it decides, or the line.
    """
    district = district_key(address.district)
    streets = {
        name.partition("/")[2]: n
        for n, side in enumerate(sides)
        for name in side
        if name.startswith(f"{district}/")
    }
    if streets:
        stated = "" if address.street is None else folded(address.street)
        if stated in streets:
            return {streets[stated]}
        line = folded(address.line)
        named = {n for street, n in streets.items() if street in line}
        if named:
            return named
    plain = {n for n, side in enumerate(sides) if district in side}
    return plain if address.street is not None or not streets else plain | set(streets.values())


def _is_at(address: Address, unit: NamedUnit) -> bool:
    """True when the address is stated to lie in the unit."""
    if unit.kind == "market":
        return True
    if unit.district is None or district_key(unit.district) != district_key(address.district):
        return False
    if unit.kind == "district":
        return True
    if unit.address is not None:
        named = address_key(unit.address, unit.district)
        return any(_is_within(key, named) for key in keys_of(address))
    if address.compound is None or unit_key(address.district, address.compound) != unit_key(
        unit.district, unit.compound
    ):
        return False
    if unit.building is None:
        return True
    return address.building is not None and building_key(address.building) == building_key(unit.building)


def _is_within(key: AddressKey, named: AddressKey) -> bool:
    """True when `key` says all that `named` does: an address that may be elsewhere is not excused."""
    return (
        bool(named.steps)
        and not set(key.bases).isdisjoint(named.bases)
        and len(key.steps) >= len(named.steps)
        and all(
            one.kind == other.kind and one.numbers <= other.numbers
            for one, other in zip(key.steps, named.steps, strict=False)
        )
    )


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
