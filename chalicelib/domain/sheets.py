"""A chunk of a snapshot as it lies in memory: zones as text until somebody meets them, outlines as numbers.

A snapshot of 20,000 compounds is read cold by a function that may ask about one address. So a zone becomes a `Zone`
only when it is met, and what an index needs (the unit's key, the box, the precision) is read off the text once.

    zones/2\n                       which way it is written
    <texts> <units> <counts>        three little-endian 32-bit numbers: bytes, bytes, numbers of what follows
    {...}\n{...}                    the zones without unit and outline, a line each: JSON holds no bare line break
    {...}\nnull                     their units
    0.0, 0.0, ...                   how precise each is, in metres, as doubles
    west, ... south, ... ...        the box of each, in steps of 1e-7 degrees; with what is above an index is made
    polygons, rings, points, ...    for each zone how many polygons, for each how many rings, for each how many points
    x, x, x, ... y, y, y, ...       in the same steps, each less the one before: small numbers pack well

Numbers are 32 bits wide and little-endian. A zone with points off that grid (no upload gives any) has -1 polygons and
keeps its outline in its text. A chunk that begins with `[` is of the way before: a JSON list of whole zones.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate, chain
from typing import Any, Final, NamedTuple, overload

from pydantic import TypeAdapter
from pydantic_core import from_json

from chalicelib.domain.places import Polygon, compound_key
from chalicelib.domain.rings import GRID
from chalicelib.domain.zones import NamedUnit, Zone

MARK: Final = b"zones/2\n"
_SIZES: Final = struct.Struct("<III")
_IN_TEXT: Final = -1

StepBox = tuple[int, int, int, int]
"""West, south, east, north in steps of the grid."""
UNDRAWN: Final = (2**31 - 1, 2**31 - 1, -(2**31), -(2**31))
"""The box of a zone without an outline: nothing lies in it, however it is padded."""


class Leaf(NamedTuple):
    """A zone as it is written: its text, its unit's, and its outline in steps of the grid."""

    text: bytes
    unit: bytes
    precision_m: float
    box: StepBox
    counts: tuple[int, ...]
    xs: tuple[int, ...]
    ys: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.text) + len(self.unit) + 26 + 4 * (len(self.counts) + 2 * len(self.xs))


def leaf_of(zone: Zone) -> Leaf:
    """How a zone is written."""
    unit = b"null" if zone.unit is None else zone.unit.model_dump_json(exclude_defaults=True).encode()
    counts = [len(zone.polygons)]
    xs: list[int] = []
    ys: list[int] = []
    apart = {"unit", "polygons"}
    for polygon in zone.polygons:
        counts.append(len(polygon))
        for ring in polygon:
            counts.append(len(ring))
            xs += [round(point[0] * GRID) for point in ring]
            ys += [round(point[1] * GRID) for point in ring]
    rings = chain.from_iterable(zone.polygons)
    if any(
        (x / GRID, y / GRID) != point for x, y, point in zip(xs, ys, chain.from_iterable(rings), strict=True)
    ):
        counts, xs, ys, apart = [_IN_TEXT], [], [], {"unit"}
    text = zone.model_dump_json(exclude_defaults=True, exclude=apart).encode()
    return Leaf(text, unit, zone.precision_m, _box(zone.polygons), tuple(counts), tuple(xs), tuple(ys))


def written(leaves: Sequence[Leaf]) -> bytes:
    """A chunk of these."""
    texts = b"\n".join(leaf.text for leaf in leaves)
    units = b"\n".join(leaf.unit for leaf in leaves)
    counts = [number for leaf in leaves for number in leaf.counts]
    numbers = _raw(array("d", [leaf.precision_m for leaf in leaves]))
    for edges in zip(*(leaf.box for leaf in leaves), strict=True):
        numbers += _raw(array("i", edges))
    numbers += _raw(array("i", counts))
    for steps in ([x for leaf in leaves for x in leaf.xs], [y for leaf in leaves for y in leaf.ys]):
        numbers += _raw(array("i", [b - a for a, b in zip((0, *steps), steps, strict=False)]))
    return MARK + _SIZES.pack(len(texts), len(units), len(counts)) + texts + units + numbers


def _raw(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _numbers(kind: str, raw: bytes) -> array[Any]:
    numbers = array(kind, raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


class Sheet:
    """The zones of one chunk."""

    def __init__(self, texts: Sequence[bytes], units: Sequence[bytes], zones: Sequence[Zone | None]) -> None:
        self._texts = texts
        self._units = units
        self._zones = list(zones)
        self.kinds: list[str | None] = []
        """Of each zone's unit, ..."""
        self.keys: list[str | None] = []
        """... and how that unit is looked up."""
        self.precisions = array("d")
        self.boxes = (array("i"), array("i"), array("i"), array("i"))
        """West, south, east and north of every zone: the box round all polygons, `UNDRAWN` where there are none."""
        self._steps: tuple[array[int], array[int], array[int]] | None = None
        """Counts, and the points' differences, as they were written; until the first outline is asked for."""
        self._counts: list[int] = []
        self._first_count = array("i")
        self._first_point = array("i")
        self._xs = array("i")
        self._ys = array("i")
        self._outlines: dict[int, tuple[Polygon, ...]] = {}

    def __len__(self) -> int:
        return len(self._zones)

    def __iter__(self) -> Iterator[Zone]:
        return map(self.zone, range(len(self)))

    def zone(self, number: int) -> Zone:
        """The zone itself, made when it is first asked for; always the same one."""
        known = self._zones[number]
        if known is None:
            stated = from_json(self._texts[number])
            stated["unit"] = from_json(self._units[number])
            if "polygons" not in stated and self.is_drawn(number):
                stated["polygons"] = self.outline(number)
            known = self._zones[number] = Zone.model_validate(stated)
        return known

    def is_drawn(self, number: int) -> bool:
        return self.boxes[0][number] <= self.boxes[2][number]

    def outline(self, number: int) -> tuple[Polygon, ...]:
        """The zone's polygons, without the rest of it."""
        known = self._outlines.get(number)
        if known is None:
            zone = self._zones[number]
            known = self._drawn(number) if zone is None else zone.polygons
            self._outlines[number] = known
        return known

    def _lay_out(self, counts: array[int], across: array[int], up: array[int]) -> None:
        """Where each zone's numbers begin, and the points as they are."""
        self._steps = None
        self._counts = counts.tolist()
        self._xs, self._ys = array("i", accumulate(across)), array("i", accumulate(up))
        at = point = 0
        for _ in self._zones:
            self._first_count.append(at)
            self._first_point.append(point)
            polygons = max(0, self._counts[at])
            at += 1
            for _ in range(polygons):
                rings = self._counts[at]
                point += sum(self._counts[at + 1 : at + 1 + rings])
                at += 1 + rings

    def _drawn(self, number: int) -> tuple[Polygon, ...]:
        if self._steps is not None:
            self._lay_out(*self._steps)
        at, point = self._first_count[number], self._first_point[number]
        counts, xs, ys = self._counts, self._xs, self._ys
        if counts[at] == _IN_TEXT:
            return self.zone(number).polygons
        polygons = []
        for _ in range(counts[at]):
            at += 1
            rings = []
            for _ in range(counts[at]):
                at += 1
                end = point + counts[at]
                steps = zip(xs[point:end], ys[point:end], strict=True)
                rings.append(tuple([(x / GRID, y / GRID) for x, y in steps]))
                point = end
            polygons.append(tuple(rings))
        return tuple(polygons)


def sheet_of(zones: Iterable[Zone]) -> Sheet:
    """A sheet of zones that are there already."""
    given = tuple(zones)
    sheet = Sheet((), (), given)
    sheet.kinds = [None if zone.unit is None else zone.unit.kind for zone in given]
    sheet.keys = [None if zone.unit is None else zone.unit.key for zone in given]
    sheet.precisions.extend(zone.precision_m for zone in given)
    for edges, edge in zip(
        sheet.boxes, zip(*(_box(zone.polygons) for zone in given), strict=True), strict=False
    ):
        edges.extend(edge)
    return sheet


def read(chunk: bytes) -> Sheet:
    """The zones of a chunk, written either way."""
    if not chunk.startswith(MARK):
        return sheet_of(_zones().validate_json(chunk))
    text_bytes, unit_bytes, counts = _SIZES.unpack_from(chunk, len(MARK))
    start = len(MARK) + _SIZES.size
    texts = chunk[start : (start := start + text_bytes)].split(b"\n")
    units = chunk[start : (start := start + unit_bytes)].split(b"\n")
    sheet = Sheet(texts, units, [None] * len(texts))
    sheet.precisions = _numbers("d", chunk[start : (start := start + 8 * len(texts))])
    numbers = _numbers("i", chunk[start:])
    count, zones = counts + 4 * len(texts), len(texts)
    sheet.boxes = (
        numbers[:zones],
        numbers[zones : 2 * zones],
        numbers[2 * zones : 3 * zones],
        numbers[3 * zones : 4 * zones],
    )
    middle = (count + len(numbers)) // 2
    sheet._steps = (numbers[4 * zones : count], numbers[count:middle], numbers[middle:])
    for stated in from_json(b"[" + b",".join(units) + b"]"):
        kind, key = _unit(stated)
        sheet.kinds.append(kind)
        sheet.keys.append(key)
    return sheet


@cache
def _zones() -> TypeAdapter[tuple[Zone, ...]]:
    return TypeAdapter(tuple[Zone, ...])


def _unit(stated: dict[str, Any] | None) -> tuple[str | None, str | None]:
    if stated is None:
        return None, None
    kind = stated["kind"]
    if kind == "compound":  # nearly all of them
        return "compound", compound_key(stated["district"], stated["compound"])
    return kind, NamedUnit.model_validate(stated).key


def _box(polygons: Sequence[Polygon]) -> StepBox:
    if not polygons:
        return UNDRAWN
    lngs = [point[0] * GRID for polygon in polygons for point in polygon[0]]
    lats = [point[1] * GRID for polygon in polygons for point in polygon[0]]
    return math.floor(min(lngs)), math.floor(min(lats)), math.ceil(max(lngs)), math.ceil(max(lats))


class Zones(Sequence[Zone]):
    """All zones of some sheets by zone_id, made when the first is asked for: a look-up never asks."""

    def __init__(self, sheets: Iterable[Sheet]) -> None:
        self._sheets = tuple(sheets)
        self._all: tuple[Zone, ...] | None = None

    def _made(self) -> tuple[Zone, ...]:
        if self._all is None:
            every = chain.from_iterable(self._sheets)
            self._all = tuple(sorted(every, key=lambda zone: zone.zone_id))
        return self._all

    def __len__(self) -> int:
        return sum(map(len, self._sheets))

    @overload
    def __getitem__(self, at: int) -> Zone: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Zone, ...]: ...
    def __getitem__(self, at: int | slice) -> Zone | tuple[Zone, ...]:
        return self._made()[at]

    def __iter__(self) -> Iterator[Zone]:
        return iter(self._made())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._made() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._made())
