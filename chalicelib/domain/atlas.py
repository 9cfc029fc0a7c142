"""A snapshot of the rules laid out for look-ups: which zones may speak somewhere, and what they come to."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from chalicelib.domain.address_keys import AddressKey, address_key, keys_of
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.grid import Box, Grid
from chalicelib.domain.outlines import Outline, outline_covers, outline_of
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
from chalicelib.domain.rings import GRID
from chalicelib.domain.shapes import folded
from chalicelib.domain.sheets import Sheet, sheet_of
from chalicelib.domain.zones import EVERYWHERE, Exemption, NamedUnit, Regime, Rules, Zone, meet, side_key

Found = Sequence[tuple[Zone, bool]]
"""Zones that may speak somewhere, whatever the time, and whether only the buffer reaches them."""


REMEMBERED = 20_000
"""Places and meetings of policies that an atlas keeps."""


_Met = tuple[Zone, tuple[Polygon, ...], Outline | None]
"""A zone and its polygons, laid out where that is one ring without a hole and as precise as can be."""


class Atlas:
    """A snapshot laid out for look-ups: units by key, outlines by a grid. A zone is made when it is met."""

    def __init__(self, rules: Rules, sheets: Iterable[Sheet] | None = None) -> None:
        """`sheets`: the rules' zones as they were read; without them they are laid out here."""
        self.rules = rules
        self.policies = {policy.reference: policy for policy in rules.policies}
        self._sheets = tuple(sheets) if sheets is not None else (sheet_of(rules.zones),)
        self._starts = tuple(accumulate(map(len, self._sheets), initial=0))
        self._by_unit: dict[str, Sequence[int]] = {}
        self._buildings: dict[str, Sequence[int]] = {}
        self._districts: dict[str, Sequence[int]] = {}
        self._undrawn: dict[str, list[int]] = {}
        self._addresses: dict[str, list[int]] = {}
        self._roads: dict[str, dict[str, list[tuple[AddressKey, Zone]]]] = {}
        """Of the districts that were asked about: by road or name, the addresses that lists name there."""
        self._crossings: dict[str, list[tuple[_Sides, Zone]]] = {}
        self._over: set[int] = set()
        """Zones over a crossing: they speak for what crosses it, not for who is near."""
        self._precisions = array("d")
        for start, sheet in zip(self._starts, self._sheets, strict=False):
            self._precisions.extend(sheet.precisions)
            self._index_units(start, sheet)
        self._grid = Grid(*self._padded())
        self._at_hand: list[_Met | None] = [None] * self._starts[-1]
        self.seen: dict[object, object] = {}
        """What clearance found around a place: these zones never change, and the same gift is looked at often."""
        self._met: dict[tuple[object, ...], Regime] = {}
        self._named: frozenset[str] | None = None

    def _index_units(self, start: int, sheet: Sheet) -> None:
        by_unit = self._by_unit
        for number, (kind, key) in enumerate(zip(sheet.kinds, sheet.keys, strict=True), start):
            if key is None:
                continue
            if kind == "crossing":
                unit = self._zone(number).unit
                assert unit is not None
                assert unit.crossing is not None
                self._crossings.setdefault(folded(unit.crossing), []).append(
                    (_sides_of(unit), self._zone(number))
                )
                self._over.add(number)
                continue
            _enter(by_unit, key, number)
            is_drawn = sheet.is_drawn(number - start)
            if kind == "building":
                _enter(self._buildings, key.rpartition("/")[0], number)
            if kind == "address":
                self._addresses.setdefault(key.partition("/")[0], []).append(number)
            elif kind in ("compound", "building") and not is_drawn:
                self._undrawn.setdefault(key.partition("/")[0], []).append(number)
            if kind == "district" and is_drawn:
                _enter(self._districts, key, number)

    def _padded(self) -> tuple[array[float], array[float], array[float], array[float]]:
        """Every zone's box in degrees, padded by what its own precision reaches, and a metre."""
        padded = (array("d"), array("d"), array("d"), array("d"))
        # a zone that is not drawn has its south far in the north, and changes neither
        souths = [min(sheet.boxes[1]) for sheet in self._sheets if len(sheet)]
        norths = [max(sheet.boxes[3]) for sheet in self._sheets if len(sheet)]
        farthest = max((*norths, *(-south for south in souths)), default=0) / GRID
        wide = 1 / math.cos(math.radians(max(0.0, min(89.0, farthest + 0.1))))
        for sheet in self._sheets:
            talls = [(precision + 1) / METRES_PER_DEGREE for precision in sheet.precisions]
            for into, edges, by in zip(padded, sheet.boxes, (-wide, -1.0, wide, 1.0), strict=True):
                into.extend([edge / GRID + tall * by for edge, tall in zip(edges, talls, strict=True)])
        for number in self._over:
            padded[2][number] = -math.inf
        return padded

    def _zone(self, number: int) -> Zone:
        at = bisect_right(self._starts, number) - 1
        return self._sheets[at].zone(number - self._starts[at])

    def _outline(self, number: int) -> tuple[Polygon, ...]:
        at = bisect_right(self._starts, number) - 1
        return self._sheets[at].outline(number - self._starts[at])

    def _met_at(self, number: int) -> _Met:
        """The zone as `drawn` needs it, from now on at hand."""
        polygons = self._outline(number)
        is_plain = len(polygons) == 1 and len(polygons[0]) == 1 and self._precisions[number] == 0
        outline = outline_of(polygons[0][0]) if is_plain else None
        met = self._at_hand[number] = (self._zone(number), polygons, outline)
        return met

    def is_stale(self, now: datetime) -> bool:
        """True when the feed has been silent too long to be believed: unknown is not open."""
        return now >= self.stale_from

    @property
    def stale_from(self) -> datetime:
        """When these rules, if nothing follows them, are no longer believed."""
        return self.rules.published_at + timedelta(hours=self.rules.stale_after_hours)

    def named(self, address: Address) -> list[Zone]:
        """Zones that name this address. A building that is not stated is taken to be the strictest one."""
        numbers = [*self._by_unit.get(EVERYWHERE, ()), *self._by_unit.get(unit_key(address.district), ())]
        buildings: Sequence[Zone] = ()
        if address.compound is not None:
            compound = unit_key(address.district, address.compound)
            numbers += self._by_unit.get(compound, ())
            inner = self._buildings.get(compound)
            if inner is not None:
                buildings = [self._zone(number) for number in inner]
                if address.building is not None:
                    buildings = _may_be(address.building, buildings)
        return [*map(self._zone, numbers), *buildings, *self._listed(address)]

    def districts(self) -> frozenset[str]:
        """Every district that a zone names, as they are compared."""
        if self._named is None:
            self._named = frozenset(key.partition("/")[0] for key in self._by_unit) - {EVERYWHERE}
        return self._named

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
            for zone in map(self._zone, self._addresses[district]):
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
        found: list[tuple[Zone, bool]] = []
        at_hand = self._at_hand
        if buffer_m == 0:
            for number in self._grid.at(lng, lat):
                zone, polygons, outline = at_hand[number] or self._met_at(number)
                if outline is not None:
                    if outline_covers(lng, lat, outline):
                        found.append((zone, False))
                    continue
                distance = distance_m(polygons, lng, lat, zone.precision_m)
                if distance < math.inf:
                    found.append((zone, distance > 0))
            return found
        for number in self._grid.near(*_round(lng, lat, buffer_m)):
            zone, polygons, _ = at_hand[number] or self._met_at(number)
            distance = distance_m(polygons, lng, lat, buffer_m + zone.precision_m)
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
            return not any(covers(self._outline(number), lng, lat, slack_m) for number in own)
        return any(
            distance_m((polygon,), lng, lat) == 0
            and border_distance_m(lng, lat, polygon, slack_m + 1) > slack_m
            for others in self._districts.values()
            for number in others
            for polygon in self._outline(number)
        )

    def needs_compound(self, address: Address, start: datetime, end: datetime, known_at: datetime) -> bool:
        """True when the address states no compound where compounds are ruled by name alone: it may be any.

        The same for one that states no lane and no number where a list that draws nothing names those.
        """
        district = district_key(address.district)
        if address.compound is None and any(
            zone.holds(start, end, known_at) for zone in map(self._zone, self._undrawn.get(district, ()))
        ):
            return True
        listed = self._addresses.get(district)
        return (
            listed is not None
            and not any(key.steps for key in keys_of(address))
            and any(
                not zone.polygons and zone.holds(start, end, known_at) for zone in map(self._zone, listed)
            )
        )

    def vague(self, address: Address) -> object:
        """What `needs_compound` hangs on: addresses of which this is equal need one at the same times; None: never."""
        district = district_key(address.district)
        is_stated = address.compound is not None or district not in self._undrawn
        if is_stated and district not in self._addresses:
            return None
        return district, is_stated, any(key.steps for key in keys_of(address))

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
        the whole district; never when the compound is not stated and others there are ruled by name, or when a policy
        says that nobody knows.
        """
        until = end or start + timedelta(microseconds=1)
        speaking = [zone for zone in self.named(address) if zone.holds(start, until, known_at)]
        is_ruled = any(
            (zone.unit is not None and zone.unit.kind not in ("district", "market"))
            or self.policies[zone.policy_reference].handovers is not None
            for zone in speaking
        )
        is_unknown = any(self.policies[zone.policy_reference].unknown for zone in speaking)
        if is_unknown or not is_ruled or self.needs_compound(address, start, until, known_at):
            return None
        return max(zone.level for zone in speaking)


def _enter(index: dict[str, Sequence[int]], key: str, number: int) -> None:
    """One more under that key: most have one, which is smallest as a tuple; a hundred thousand are a list."""
    had = index.get(key)
    if had is None:
        index[key] = (number,)
    elif isinstance(had, list):
        had.append(number)
    else:
        index[key] = [*had, number]


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


def _round(lng: float, lat: float, metres: float) -> Box:
    tall = (metres + 1) / METRES_PER_DEGREE
    wide = tall / math.cos(math.radians(min(89.0, abs(lat) + tall)))
    return lng - wide, lat - tall, lng + wide, lat + tall
