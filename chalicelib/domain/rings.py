"""GeoJSON geometries into polygons we can trust: in range, inside the market, closed, simple, wound one way.

Points are put on a grid of 1e-7 degrees (about a centimetre), where every test is integer arithmetic:
"crosses" means crosses. Rings are tested as given, before the change of datum bends what was straight.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from itertools import pairwise
from typing import Final, NamedTuple

from chalicelib.domain.places import Datum, Market, Polygon, Ring, converted, covers

GRID: Final = 10_000_000
"""Steps in a degree, and ..."""
DIGITS: Final = 7
"""... the digits of a stored coordinate: the same map gives the same bytes on every machine."""

POINTS: Final = 20_000
"""Points a zone may have: so many always fit into one chunk of a snapshot."""

_Step = tuple[int, int]
"""A point on the grid."""


class Blemish(NamedTuple):
    """What is wrong with a geometry, and where: an RFC 6901 pointer from the geometry on."""

    pointer: str
    detail: str
    value: str | None = None


@dataclass
class Drawn:
    """A geometry as read: the polygons, or what is wrong; and what was put right on the way."""

    polygons: tuple[Polygon, ...] = ()
    blemishes: list[Blemish] = field(default_factory=list)
    remarks: list[Blemish] = field(default_factory=list)


@dataclass(frozen=True)
class _Traced:
    """A ring without its closing point: as given on the grid, in the market's datum, and where each stood."""

    steps: tuple[_Step, ...]
    put: tuple[tuple[float, float], ...]
    at: tuple[int, ...]
    pointer: str


def read_geometry(geometry: object, datum: Datum, market: Market) -> Drawn:
    """A GeoJSON Polygon, MultiPolygon or null in `datum`, as polygons in the market's datum.

    Exterior rings come out counter-clockwise and holes clockwise (RFC 7946, 3.1.6: parsers should not reject
    the other way round, so it is turned and said). A ring may touch itself or another; crossing, or running
    along one another, is refused, because it says that corners are missing or out of order.
    """
    drawn = Drawn()
    if geometry is None:
        return drawn
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in ("Polygon", "MultiPolygon"):
        drawn.blemishes.append(
            Blemish("/type", "a Polygon, a MultiPolygon or null was expected", _shown(kind))
        )
        return drawn
    if "crs" in geometry and not (datum is Datum.WGS84 and names_wgs84(geometry["crs"])):
        detail = (
            f"no crs was expected, the upload says {datum.value}; a frame that contradicts it moves the zone"
        )
        drawn.blemishes.append(Blemish("/crs", detail, _shown(geometry["crs"])))
        return drawn
    given = geometry.get("coordinates")
    several = given if kind == "MultiPolygon" else [given]
    if not isinstance(several, list) or not several:
        drawn.blemishes.append(Blemish("/coordinates", f"the coordinates of a {kind} were expected"))
        return drawn
    given_points = sum(map(_points_of, several))
    if given_points > POINTS:  # before anything is traced: a file of 32 MB has two million
        detail = f"at most {POINTS} points a zone were expected; simplify it"
        drawn.blemishes.append(Blemish("/coordinates", detail, repr(given_points)))
        return drawn
    polygons = []
    for number, rings in enumerate(several):
        pointer = f"/coordinates/{number}" if kind == "MultiPolygon" else "/coordinates"
        polygon = _polygon(rings, pointer, datum, market, drawn)
        if polygon is not None:
            polygons.append(polygon)
    count = sum(len(ring) for polygon in polygons for ring in polygon)
    if count > POINTS:
        drawn.blemishes.append(
            Blemish("/coordinates", f"at most {POINTS} points a zone were expected; simplify it", repr(count))
        )
    drawn.polygons = () if drawn.blemishes else tuple(polygons)
    return drawn


def _points_of(rings: object) -> int:
    """How many points are stated, whatever they are: each ring's last is its first once more. What is no ring is
    read as well, and counts as a point."""
    if not isinstance(rings, list) or not rings:
        return 1
    return sum(max(1, len(ring) - 1) if isinstance(ring, list) else 1 for ring in rings)


def names_wgs84(crs: object) -> bool:
    """The member that GeoJSON had until RFC 7946 (2016), in one of the spellings of longitude and latitude."""
    named = crs.get("properties") if isinstance(crs, dict) and crs.get("type") == "name" else None
    return isinstance(named, dict) and named.get("name") in _WGS84


_WGS84: Final = ("EPSG:4326", "urn:ogc:def:crs:EPSG::4326", "urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84")


def _polygon(given: object, pointer: str, datum: Datum, market: Market, drawn: Drawn) -> Polygon | None:
    if not isinstance(given, list) or not given:
        drawn.blemishes.append(
            Blemish(pointer, "a list of rings was expected, the outside first", _shown(given))
        )
        return None
    traced = []
    for number, points in enumerate(given):
        ring = _trace(points, f"{pointer}/{number}", datum, market, drawn)
        if isinstance(ring, Blemish):
            drawn.blemishes.append(ring)
        else:
            traced.append(ring)
    if len(traced) < len(given):
        return None
    met = first_crossing([ring.steps for ring in traced])
    if met is not None:
        (ring_a, at_a), (ring_b, at_b) = met
        one, other = traced[ring_a], traced[ring_b]
        detail = f"an edge clear of the one from {other.pointer}/{other.at[at_b]} was expected, they cross"
        drawn.blemishes.append(Blemish(f"{one.pointer}/{one.at[at_a]}", detail, _degrees(one.steps[at_a])))
        return None
    rings: list[Ring] = []
    for number, ring in enumerate(traced):
        area = _doubled_area(ring.steps)
        if area == 0:
            drawn.blemishes.append(Blemish(ring.pointer, "a ring that encloses something was expected"))
            return None
        points = ring.put
        if (area > 0) != (number == 0):
            points = (points[0], *reversed(points[1:]))
            wanted = "counter-clockwise, as the outside runs" if number == 0 else "clockwise, as holes run"
            drawn.remarks.append(Blemish(ring.pointer, f"turned {wanted}"))
        rings.append((*points, points[0]))
    for ring, degrees in zip(traced[1:], rings[1:], strict=True):
        corners = set(rings[0])
        lng, lat = next((point for point in degrees if point not in corners), degrees[0])
        if not covers(((rings[0],),), lng, lat):
            drawn.blemishes.append(Blemish(ring.pointer, "a hole inside its outer ring was expected"))
    return tuple(rings)


def _trace(points: object, pointer: str, datum: Datum, market: Market, drawn: Drawn) -> _Traced | Blemish:
    if not isinstance(points, list) or len(points) < 4:
        return Blemish(pointer, "a ring of at least 4 points was expected", _shown(points))
    steps: list[tuple[_Step, int]] = []
    there: list[tuple[float, float]] = []
    before: tuple[float, float] | None = None
    for number, given in enumerate(points):
        here = f"{pointer}/{number}"
        if not isinstance(given, list) or len(given) not in (2, 3) or not all(map(_is_number, given)):
            return Blemish(here, "a point [longitude, latitude] of two numbers was expected", _shown(given))
        lng, lat = given[0], given[1]
        if not (math.isfinite(lng) and math.isfinite(lat)):
            return Blemish(here, "finite numbers were expected", _shown(given))
        put = _put(lng, lat, datum, market)
        swapped = "" if put or not _put(lat, lng, datum, market) else _SWAPPED
        if not (-180 <= lng <= 180 and -90 <= lat <= 90):
            detail = "longitude from -180 to 180 and latitude from -90 to 90 were expected" + swapped
            return Blemish(here, detail, _shown(given))
        if before is not None and abs(lng - before[0]) > 180:
            return Blemish(
                here, "an edge that does not cross the antimeridian was expected; cut the zone there"
            )
        if put is None:
            bounds = f"{market.west:g} to {market.east:g} east, {market.south:g} to {market.north:g} north"
            detail = f"a point inside the market {market.market_id!r} ({bounds}) was expected{swapped}"
            return Blemish(here, detail, _shown(given))
        before = (lng, lat)
        there.append((round(put[0], DIGITS), round(put[1], DIGITS)))
        steps.append(((round(lng * GRID), round(lat * GRID)), number))
    if points[0][:2] != points[-1][:2]:
        return Blemish(pointer, "a closed ring was expected: its last point is its first", _shown(points[-1]))
    kept, spikes = _blunted(steps)
    if len({step for step, _ in kept}) < 3:
        return Blemish(pointer, "a ring that encloses something was expected, it has no breadth")
    if spikes:
        note = f"spikes without any breadth were taken off: {len(spikes)}"
        drawn.remarks.append(Blemish(f"{pointer}/{spikes[0]}", note))
    return _Traced(
        steps=tuple(step for step, _ in kept),
        put=tuple(there[number] for _, number in kept),
        at=tuple(number for _, number in kept),
        pointer=pointer,
    )


def _blunted(points: Sequence[tuple[_Step, int]]) -> tuple[list[tuple[_Step, int]], list[int]]:
    """The ring without repeated points and without corners that go out and back on one line, and those.

    Coarse maps are full of them; they enclose nothing, so the zone is the same without.
    """
    kept: list[tuple[_Step, int]] = []
    spikes: list[int] = []
    for point in points:
        kept.append(point)
        while len(kept) > 1:
            if kept[-1][0] == kept[-2][0]:
                kept.pop()
            elif len(kept) > 2 and _is_spike(kept[-3][0], kept[-2][0], kept[-1][0]):
                spikes.append(kept.pop(-2)[1])
            else:
                break
    while len(kept) > 2:  # the same across the seam
        if kept[-1][0] == kept[0][0]:
            kept.pop()
        elif _is_spike(kept[-2][0], kept[-1][0], kept[0][0]):
            spikes.append(kept.pop()[1])
        elif _is_spike(kept[-1][0], kept[0][0], kept[1][0]):
            spikes.append(kept.pop(0)[1])
        else:
            break
    return kept, sorted(spikes)


def _is_spike(before: _Step, tip: _Step, after: _Step) -> bool:
    ax, ay, bx, by = before[0] - tip[0], before[1] - tip[1], after[0] - tip[0], after[1] - tip[1]
    return ax * by == ay * bx and ax * bx + ay * by > 0


_SWAPPED: Final = "; longitude and latitude look swapped"


def _put(lng: float, lat: float, datum: Datum, market: Market) -> tuple[float, float] | None:
    """The point in the market's datum; None when it lies outside the market."""
    if not (-180 <= lng <= 180 and -90 <= lat <= 90):
        return None
    x, y = converted((lng, lat), datum, market.datum)
    return (x, y) if market.west <= x <= market.east and market.south <= y <= market.north else None


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= 2**53  # a longer one is no float any more
    return isinstance(value, float)


def _shown(value: object) -> str:
    return repr(value)[:120]


def _degrees(step: _Step) -> str:
    return repr([step[0] / GRID, step[1] / GRID])


def _doubled_area(steps: Sequence[_Step]) -> int:
    """Twice the area, positive when counter-clockwise."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(steps, (*steps[1:], steps[0]), strict=True))


# --- the sweep ----------------------------------------------------------------------------------------------


class _Edge(NamedTuple):
    """From its left end to its right one, and which edge of which ring it is."""

    ax: int
    ay: int
    bx: int
    by: int
    place: tuple[int, int]


def _side(edge: _Edge, x: int, y: int) -> int:
    """Positive: the point lies above the edge; 0: on its line."""
    return (edge.bx - edge.ax) * (y - edge.ay) - (edge.by - edge.ay) * (x - edge.ax)


def _cross(one: _Edge, other: _Edge) -> bool:
    """True when each passes through the other's inside. What meets in a corner is judged there."""
    below, above = _side(one, other.ax, other.ay), _side(one, other.bx, other.by)
    if below == 0 or above == 0 or (below > 0) == (above > 0):
        return False
    left, right = _side(other, one.ax, one.ay), _side(other, one.bx, one.by)
    return left != 0 and right != 0 and (left > 0) != (right > 0)


def _steeper(one: _Edge, other: _Edge) -> int:
    turn = (one.bx - one.ax) * (other.by - other.ay) - (one.by - one.ay) * (other.bx - other.ax)
    return (turn < 0) - (turn > 0)


def first_crossing(rings: Sequence[Sequence[_Step]]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Two edges, each as (ring, edge), that cross or lie on one another; or None. Touching is no crossing.

    A sweep from left to right (Shamos and Hoey 1976) that stops at the first it meets: n log n whatever the
    shape, where a grid of cells is quadratic for a comb of long thin teeth.
    """
    starts: dict[_Step, list[_Edge]] = defaultdict(list)
    corners: set[_Step] = set()
    for ring_no, ring in enumerate(rings):
        corners.update(ring)
        for number, (a, b) in enumerate(zip(ring, (*ring[1:], ring[0]), strict=True)):
            left, right = (a, b) if a < b else (b, a)
            starts[left].append(_Edge(*left, *right, (ring_no, number)))
    status: list[_Edge] = []
    """The edges above and below the sweep's place, from the lowest to the highest."""
    for x, y in sorted(corners):
        low = bisect_left(status, True, key=lambda edge: _side(edge, x, y) <= 0)
        high = low
        while high < len(status) and _side(status[high], x, y) == 0:
            high += 1
        over = status[low:high]
        touched = [edge for edge in over if (edge.bx, edge.by) != (x, y)]
        begun = [*starts.get((x, y), ()), *(edge._replace(ax=x, ay=y) for edge in touched)]
        if len(begun) > 1:
            begun.sort(key=cmp_to_key(_steeper))
            for one, other in pairwise(begun):
                if _steeper(one, other) == 0:
                    return _ordered(one, other)
        if len(begun) + len(over) > 2:
            met = _interlaced(rings, (x, y), begun, over, {edge.place for edge in touched})
            if met is not None:
                return met
        status[low:high] = begun
        for under in {low - 1, low + len(begun) - 1}:
            if 0 <= under < len(status) - 1 and _cross(status[under], status[under + 1]):
                return _ordered(status[under], status[under + 1])
    return None


def _interlaced(
    rings: Sequence[Sequence[_Step]],
    at: _Step,
    begun: Sequence[_Edge],
    ended: Sequence[_Edge],
    touched: set[tuple[int, int]],
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Where several passes of a ring meet in one point: two that change sides there, or None.

    Going round the point, passes that only touch close like brackets; those that cross interlace.
    """
    open_ones: list[tuple[tuple[int, int, bool], _Edge]] = []
    for edge in (*begun, *reversed(ended)):
        ring_no, number = edge.place
        ring = rings[ring_no]
        through = edge.place in touched
        corner = number if through or ring[number] == at else (number + 1) % len(ring)
        name = (ring_no, corner, through)
        if open_ones and open_ones[-1][0] == name:
            open_ones.pop()
        else:
            open_ones.append((name, edge))
    if not open_ones:
        return None
    return _ordered(open_ones[0][1], open_ones[1][1])


def _ordered(one: _Edge, other: _Edge) -> tuple[tuple[int, int], tuple[int, int]]:
    # the later one is named as the one that is wrong
    return (max(one.place, other.place), min(one.place, other.place))
