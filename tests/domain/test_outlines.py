from __future__ import annotations

import math
from array import array
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.grid import Grid
from chalicelib.domain.outlines import outline_covers, outline_of
from chalicelib.domain.places import covers

STEPS = st.integers(0, 60).map(lambda step: round(121.4 + step * 2e-7, 7))
SOUTHERN = st.integers(0, 60).map(lambda step: round(31.2 + step * 2e-7, 7))
WIDE = st.floats(121.3, 121.5)
TALL = st.floats(31.1, 31.3)


def ring(points: list[tuple[float, float]]) -> Any:
    """Round the middle by angle: a simple ring of any shape."""
    x, y = (sum(p[axis] for p in points) / len(points) for axis in (0, 1))
    return tuple(sorted(set(points), key=lambda p: (math.atan2(p[1] - y, p[0] - x), p)))


@given(st.lists(st.tuples(WIDE, TALL), min_size=3, max_size=12), st.lists(st.tuples(WIDE, TALL), max_size=20))
def test_an_outline_covers_what_its_polygon_covers(
    corners: list[tuple[float, float]], points: list[tuple[float, float]]
) -> None:
    around = ring(corners)
    outline = outline_of(around)
    assert outline is not None
    middles = [
        ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(around, (*around[1:], around[0]), strict=True)
    ]
    for lng, lat in [*points, *corners, *middles]:
        assert outline_covers(lng, lat, outline) == covers(((around,),), lng, lat)


@given(
    st.lists(st.tuples(STEPS, SOUTHERN), min_size=3, max_size=8, unique=True),
    st.tuples(st.floats(-3e-8, 3e-8), st.floats(-3e-8, 3e-8)),
)
def test_a_millimetre_from_the_edge_both_say_the_same(
    corners: list[tuple[float, float]], off: tuple[float, float]
) -> None:
    around = ring(corners)
    outline = outline_of(around)
    assert outline is not None
    for a, b in zip(around, (*around[1:], around[0]), strict=True):
        for share in (0.0, 0.3, 1.0):
            lng = a[0] + (b[0] - a[0]) * share + off[0]
            lat = a[1] + (b[1] - a[1]) * share + off[1]
            assert outline_covers(lng, lat, outline) == covers(((around,),), lng, lat)


BOXES = st.tuples(
    st.floats(-180, 180), st.floats(-90, 90), st.sampled_from([0.0, 0.0001, 0.003, 0.02, 0.7, 9.0, 200.0])
)


@given(st.lists(BOXES, max_size=12), st.tuples(st.floats(-180, 180), st.floats(-90, 90)))
def test_a_grid_finds_every_box_that_holds_a_point_and_no_other(
    given_boxes: list[tuple[float, float, float]], point: tuple[float, float]
) -> None:
    boxes = [(x, y, min(181.0, x + wide), min(91.0, y + wide)) for x, y, wide in given_boxes]
    edges = [array("d", edge) for edge in zip(*boxes, strict=True)] or [array("d")] * 4
    grid = Grid(*edges)
    corners = [corner for west, south, east, north in boxes for corner in ((west, south), (east, north))]
    for lng, lat in [point, *corners]:
        wanted = [n for n, b in enumerate(boxes) if b[0] <= lng <= b[2] and b[1] <= lat <= b[3]]
        assert sorted(grid.at(lng, lat)) == wanted
        assert grid.near(lng, lat, lng, lat) == wanted
