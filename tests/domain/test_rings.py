from __future__ import annotations

import itertools
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.places import Datum, converted, covers
from chalicelib.domain.rings import POINTS, Drawn, first_crossing, read_geometry
from tests.maps import SQUARE, market, polygon

HOLE = [[121.44, 31.24], [121.44, 31.26], [121.46, 31.26], [121.46, 31.24], [121.44, 31.24]]


def drawn(geometry: Any, datum: Datum = Datum.GCJ02) -> Drawn:
    return read_geometry(geometry, datum, market())


def wrong(geometry: Any, datum: Datum = Datum.GCJ02) -> tuple[str, str]:
    found = drawn(geometry, datum)
    assert found.polygons == ()
    return found.blemishes[0].pointer, found.blemishes[0].detail


def test_a_square_comes_back_as_it_is() -> None:
    assert drawn(polygon(SQUARE)).polygons == ((tuple((x, y) for x, y in SQUARE),),)


def test_no_geometry_is_no_polygon_and_no_fault() -> None:
    assert drawn(None) == Drawn()


def test_a_ring_wound_the_other_way_is_turned_and_said() -> None:
    found = drawn(polygon(SQUARE[::-1]))
    assert found.polygons == drawn(polygon(SQUARE)).polygons
    assert [(r.pointer, r.detail) for r in found.remarks] == [
        ("/coordinates/0", "turned counter-clockwise, as the outside runs")
    ]


def test_holes_are_kept_and_wound_against_the_outside() -> None:
    found = drawn(polygon(SQUARE, HOLE[::-1]))
    assert found.remarks[0].pointer == "/coordinates/1"
    assert not covers(found.polygons, 121.45, 31.25)
    assert covers(found.polygons, 121.41, 31.21)


def test_several_polygons_are_named_by_their_place() -> None:
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE[:-1]]]}
    assert wrong(geometry)[0] == "/coordinates/1/0"


def test_altitudes_are_let_pass() -> None:
    assert drawn(polygon([[*point, 4.5] for point in SQUARE])).polygons == drawn(polygon(SQUARE)).polygons


def test_coordinates_are_moved_into_the_market_s_datum() -> None:
    wgs = [list(converted((x, y), Datum.GCJ02, Datum.WGS84)) for x, y in SQUARE[:-1]]
    found = drawn(polygon([*wgs, wgs[0]]), Datum.WGS84)
    for (lng, lat), (x, y) in zip(found.polygons[0][0], SQUARE, strict=True):
        assert math.isclose(lng, x, abs_tol=2e-6)
        assert math.isclose(lat, y, abs_tol=2e-6)


BAD = {
    "a type we do not know": ({"type": "Point", "coordinates": [1, 2]}, "/type", "a Polygon, a MultiPolygon"),
    "no object": ([1], "/type", "a Polygon, a MultiPolygon"),
    "no coordinates": ({"type": "MultiPolygon"}, "/coordinates", "the coordinates of a MultiPolygon"),
    "no rings": (polygon(), "/coordinates", "a list of rings"),
    "a ring of three": (polygon(SQUARE[:2] + SQUARE[:1]), "/coordinates/0", "at least 4 points"),
    "an open ring": (polygon([*SQUARE[:-1], [121.41, 31.21]]), "/coordinates/0", "a closed ring"),
    "a point of one": (polygon([[121.4], *SQUARE[1:]]), "/coordinates/0/0", "a point [longitude, latitude]"),
    "a point of text": (polygon([SQUARE[0], ["x", 1], *SQUARE[2:]]), "/coordinates/0/1", "of two numbers"),
    "a point of truth": (polygon([SQUARE[0], [True, 1], *SQUARE[2:]]), "/coordinates/0/1", "of two numbers"),
    "a giant integer": (polygon([SQUARE[0], [10**400, 1], *SQUARE[2:]]), "/coordinates/0/1", "of two numbers"),
    "NaN": (polygon([SQUARE[0], [math.nan, 31.2], *SQUARE[2:]]), "/coordinates/0/1", "finite"),
    "infinity": (polygon([SQUARE[0], [121.5, math.inf], *SQUARE[2:]]), "/coordinates/0/1", "finite"),
    "out of range": (polygon([SQUARE[0], [121.5, 95.0], *SQUARE[2:]]), "/coordinates/0/1", "from -90 to 90"),
    "swapped": (polygon([[y, x] for x, y in SQUARE]), "/coordinates/0/0", "look swapped"),
    "outside the market": (polygon([SQUARE[0], [2.35, 48.85], *SQUARE[2:]]), "/coordinates/0/1", "inside the market"),
    "over the antimeridian": (
        polygon([SQUARE[0], [-179.9, 31.2], *SQUARE[2:]]), "/coordinates/0/1", "antimeridian"
    ),
    "a bow-tie": (
        polygon([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]), "/coordinates/0/2", "they cross"
    ),
    "a hole through the outside": (
        polygon(SQUARE, [[121.45, 31.25], [121.55, 31.25], [121.55, 31.26], [121.45, 31.26], [121.45, 31.25]]),
        "/coordinates/1/0",
        "they cross",
    ),
    "a hole outside": (
        polygon(SQUARE, [[x + 0.2, y] for x, y in HOLE]), "/coordinates/1", "a hole inside its outer ring"
    ),
    "the outside twice": (polygon(SQUARE, SQUARE), "/coordinates/1/0", "they cross"),
    "no breadth": (
        polygon([[121.4, 31.2], [121.5, 31.2], [121.45, 31.2], [121.4, 31.2]]), "/coordinates/0", "no breadth"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("geometry", "pointer", "detail"), BAD.values(), ids=list(BAD))
def test_a_bad_geometry_is_named_by_its_pointer(geometry: Any, pointer: str, detail: str) -> None:
    found = wrong(geometry)
    assert found[0] == pointer
    assert detail in found[1]


def test_a_point_outside_that_would_fit_when_swapped_says_so() -> None:
    assert "look swapped" not in wrong(polygon([SQUARE[0], [2.35, 48.85], *SQUARE[2:]]))[1]
    assert "look swapped" in wrong(polygon([SQUARE[0], [31.25, 121.45], *SQUARE[2:]]))[1]


def test_a_ring_may_touch_itself_in_a_corner_or_on_an_edge() -> None:
    corner = [[0, 0], [4, 0], [2, 2], [4, 4], [0, 4], [2, 2], [0, 0]]
    edge = [[0, 0], [4, 0], [4, 4], [2, 0], [0, 4], [0, 0]]
    for ring in (corner, edge):
        placed = [[121.4 + x / 100, 31.2 + y / 100] for x, y in ring]
        assert drawn(polygon(placed)).blemishes == []


def test_a_crossing_through_a_corner_is_a_crossing() -> None:
    assert first_crossing([[(0, 0), (4, 4), (4, 0), (2, 2), (0, 4)]]) is not None
    assert first_crossing([[(0, 0), (4, 4), (4, 0), (2, 2), (3, 0)]]) is None


def test_spikes_are_taken_off_and_said() -> None:
    spiked = [SQUARE[0], [121.6, 31.2], *SQUARE[1:]]
    found = drawn(polygon(spiked))
    assert found.polygons == drawn(polygon(SQUARE)).polygons
    assert [(r.pointer, r.detail) for r in found.remarks] == [
        ("/coordinates/0/1", "spikes without any breadth were taken off: 1")
    ]


def test_a_zone_of_too_many_points_is_refused() -> None:
    ring = circle(POINTS + 1)
    assert wrong(polygon(ring)) == (
        "/coordinates",
        f"at most {POINTS} points a zone were expected; simplify it",
    )


@pytest.mark.parametrize(
    ("kind", "coordinates"),
    [
        ("Polygon", [[[121.4, 31.2]] * 150_000]),
        ("Polygon", [[]] * 300_000),
        ("MultiPolygon", [[]] * 300_000),
        ("MultiPolygon", [[SQUARE]] * 100_000),
    ],
    ids=["one ring", "rings of nothing", "polygons of nothing", "many squares"],
)
def test_a_zone_of_far_too_many_points_is_refused_before_any_is_looked_at(
    kind: str, coordinates: Any
) -> None:
    began = time.process_time()
    found = drawn({"type": kind, "coordinates": coordinates})
    assert [(each.pointer, each.detail) for each in found.blemishes] == [
        ("/coordinates", f"at most {POINTS} points a zone were expected; simplify it")
    ]
    assert time.process_time() - began < 0.3


def test_ten_thousand_points_are_read() -> None:
    assert len(drawn(polygon(circle(10_000))).polygons[0][0]) == 10_001


def circle(count: int) -> list[list[float]]:
    turns = [2 * math.pi * n / count for n in range(count)]
    ring = [[121.45 + 0.3 * math.cos(turn), 31.25 + 0.3 * math.sin(turn)] for turn in turns]
    return [*ring, ring[0]]


def test_the_sweep_agrees_with_looking_at_every_pair() -> None:
    chance = random.Random(411)
    crossing = 0
    for _ in range(4000):
        size = chance.choice((3, 4, 6, 10, 40))
        rings = [
            [(chance.randint(0, size), chance.randint(0, size)) for _ in range(chance.randint(3, 8))]
            for _ in range(chance.choice((1, 1, 2)))
        ]
        if any(a == b for ring in rings for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)):
            continue
        found = first_crossing(rings) is not None
        assert found == every_pair(rings), rings
        crossing += found
    assert 500 < crossing < 3900


def every_pair(rings: Any) -> bool:
    """The same by brute force: proper crossings, overlaps, and passes that change sides where they meet."""

    def turn(a: Any, b: Any, c: Any) -> int:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    def between(a: Any, b: Any, p: Any) -> bool:
        inside = min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])
        return p not in (a, b) and turn(a, b, p) == 0 and inside

    edges = [pair for ring in rings for pair in zip(ring, [*ring[1:], ring[0]], strict=True)]
    for (a, b), (c, d) in itertools.combinations(edges, 2):
        if turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0:
            return True
    for p in {point for ring in rings for point in ring}:
        passes = [
            (ring[k - 1], ring[(k + 1) % len(ring)])
            for ring in rings
            for k in range(len(ring))
            if ring[k] == p
        ]
        passes += [edge for edge in edges if between(*edge, p)]
        angles = [[math.atan2(q[1] - p[1], q[0] - p[0]) for q in pair] for pair in passes]
        flat = [angle for pair in angles for angle in pair]
        if any(abs(a - b) < 1e-9 for a, b in itertools.combinations(flat, 2)):
            return True
        for (a, b), (c, d) in itertools.combinations(angles, 2):
            low, high = min(a, b), max(a, b)
            if (low < c < high) != (low < d < high):
                return True
    return False


def test_the_real_districts_of_shanghai_are_read(shared: Path) -> None:
    document = json.loads((shared / "data/shanghai/datav_310000_districts_gcj02.json").read_text())
    for given in document["features"]:
        found = drawn(given["geometry"])
        assert found.blemishes == [], given["properties"]["name"]
        assert found.polygons


def _crs(name: object) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize(
    "crs", [_crs("EPSG:3857"), _crs("urn:ogc:def:crs:EPSG::4490"), _crs(None), "EPSG:4326", None, 4326, {}]
)
def test_a_frame_that_contradicts_the_upload_s_is_refused_and_not_ignored(crs: object) -> None:
    for datum in Datum:
        assert wrong({**polygon(SQUARE), "crs": crs}, datum)[0] == "/crs"


def test_a_frame_that_says_what_the_upload_says_is_taken() -> None:
    named = {**polygon(SQUARE), "crs": _crs("urn:ogc:def:crs:OGC:1.3:CRS84")}
    assert drawn(named, Datum.WGS84) == drawn(polygon(SQUARE), Datum.WGS84)
    assert wrong(named, Datum.GCJ02)[0] == "/crs"
