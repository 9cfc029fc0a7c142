"""Zones as a map and a table of them need it: names, levels, times, and outlines with no more corners than are seen.

Corners are kept to a metre, in whole steps, each as the way from the one before it: a city's twenty thousand zones
travel in a few answers, none of them over a megabyte, and a browser keeps them as long as the rules do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from chalicelib.domain.places import METRES_PER_DEGREE, Polygon, Ring
from chalicelib.domain.zones import Zone

STEP: Final = 100_000
"""Steps a degree: about a metre."""
PART: Final = 2_000
"""Zones in one answer."""
BUDGET: Final = 700_000
"""Characters that the outlines of one answer may take, nearly."""
TOLERANCE_M: Final = 3.0
"""A corner nearer than this to the line between its neighbours is left out; coarser where a part would be too large."""


def drawn(zones: Sequence[Zone]) -> list[list[Any]]:
    """A row each: id, level, from, to, known since (epoch seconds), policy, kind, district, name, outlines."""
    tolerance = TOLERANCE_M
    while True:
        outlines = [_outlines(zone.polygons, tolerance) for zone in zones]
        corners = sum(len(ring) for each in outlines for polygon in each for ring in polygon)
        if corners * 4 <= BUDGET or tolerance > 5_000:
            break
        tolerance *= 2
    return [
        [
            zone.zone_id,
            int(zone.level),
            _seconds(zone.valid_from),
            None if zone.valid_to is None else _seconds(zone.valid_to),
            _seconds(zone.known_since),
            zone.policy_reference,
            zone.unit.kind if zone.unit else "drawn",
            zone.unit.district if zone.unit else None,
            _name(zone),
            outline,
        ]
        for zone, outline in zip(zones, outlines, strict=True)
    ]


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _name(zone: Zone) -> str:
    unit = zone.unit
    if unit is None:
        return zone.zone_id
    if unit.kind == "market":
        return "the whole market"
    parts = [unit.crossing, unit.address, unit.compound, unit.building]
    return " ".join(part for part in parts if part) or unit.district or zone.zone_id


def _outlines(polygons: Iterable[Polygon], tolerance_m: float) -> list[list[list[int]]]:
    """Each polygon's rings as one list of steps: the first corner, then the way to each next one."""
    found = []
    for polygon in polygons:
        rings = [flat for ring in polygon if len(flat := _flat(simplified(ring, tolerance_m))) >= 6]
        if rings:
            found.append(rings)
    return found


def _flat(ring: Sequence[tuple[float, float]]) -> list[int]:
    flat: list[int] = []
    x = y = 0
    for lng, lat in ring:
        across, up = round(lng * STEP), round(lat * STEP)
        flat += (across - x, up - y)
        x, y = across, up
    return flat


def simplified(ring: Ring, tolerance_m: float) -> list[tuple[float, float]]:
    """The ring, open, without corners that lie nearer than that to what is left (Douglas and Peucker). A ring that
    would vanish keeps three corners."""
    points = list(ring[:-1] if ring[0] == ring[-1] else ring)
    if len(points) <= 4:
        return points
    limit = tolerance_m / METRES_PER_DEGREE
    # two ends that stay: the first corner, and the one farthest from it
    far = max(range(len(points)), key=lambda at: _gap(points[at], points[0], points[0]))
    kept = {0, far}
    waiting = [(0, far), (far, len(points))]
    while waiting:
        first, last = waiting.pop()
        start, end = points[first], points[last % len(points)]
        worst, gap = 0, limit
        for at in range(first + 1, last):
            away = _gap(points[at], start, end)
            if away > gap:
                worst, gap = at, away
        if worst:
            kept.add(worst)
            waiting += [(first, worst), (worst, last)]
    if len(kept) < 3:
        kept |= {len(points) // 3, 2 * len(points) // 3}
    return [points[at] for at in sorted(kept)]


def _gap(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> float:
    """Degrees from a point to a stretch, on a plain map."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = point[0] - start[0], point[1] - start[1]
    length = dx * dx + dy * dy
    along = 0.0 if length == 0 else max(0.0, min(1.0, (px * dx + py * dy) / length))
    away: float = ((px - along * dx) ** 2 + (py - along * dy) ** 2) ** 0.5
    return away
