"""A ring laid out to be asked often: does it cover this point, its edge included?"""

from __future__ import annotations

from typing import Final, NamedTuple

from chalicelib.domain.places import METRES_PER_DEGREE, ON_EDGE_M, Ring, border_distance_m

_BIT: Final = 2 * ON_EDGE_M / METRES_PER_DEGREE
"""Degrees of latitude: what lies farther from a corner's is not on it."""
_SKEW: Final = 60
"""A degree of longitude is at least a 58th of one of latitude up to 89 degrees north, so what is on an edge lies within
so many `_BIT`s of it on a plain map."""


class Outline(NamedTuple):
    """A closed ring without holes in two columns, and what the cross product may come to for a point on its edge."""

    lngs: tuple[float, ...]
    lats: tuple[float, ...]
    slack: float


def outline_of(ring: Ring) -> Outline | None:
    """The ring laid out; None so near to a pole that a plain map says nothing."""
    lngs, lats = zip(*ring, strict=True)
    if max(map(abs, lats)) > 88.9:
        return None
    if ring[0] != ring[-1]:
        lngs, lats = (*lngs, lngs[0]), (*lats, lats[0])
    longest = max(lngs) - min(lngs) + max(lats) - min(lats)
    return Outline(lngs, lats, _SKEW * _BIT * longest)


def outline_covers(lng: float, lat: float, outline: Outline) -> bool:
    """True when the point is inside or within a millimetre of the edge: `places.covers` in a third of the time.

    Each edge that passes the point's latitude is crossed or not by the sign of a cross product. Rounding can mistake
    that only for a point that is on the edge, and whatever may be that is measured.
    """
    lngs, lats, slack = outline
    odd, above, near, at = False, lats[0] > lat, False, 0
    for y2 in lats:  # hot: ten rounds a call, so no `enumerate`
        if (y2 > lat) is not above:
            above = not above
            x1, y1 = lngs[at - 1], lats[at - 1]
            side = (lngs[at] - x1) * (lat - y1) - (y2 - y1) * (lng - x1)
            if (side > 0) is above:
                odd = not odd
            if -slack <= side <= slack:
                near = True
        at += 1  # noqa: SIM113
    if odd:
        return True
    if not near:
        low, high = lat - _BIT, lat + _BIT
        for y in lats:
            if low <= y <= high:
                break
        else:
            return False
    ring = tuple(zip(lngs, lats, strict=True))
    return border_distance_m(lng, lat, (ring,), 2 * ON_EDGE_M) <= ON_EDGE_M
