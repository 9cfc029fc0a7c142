"""Which boxes may hold a point: a grid in steps of eight, each box on the level where it spans few cells.

Kept as one sorted array of numbers and unfolded a cell at a time: 20,000 compounds are some 50,000 numbers, and a
look-up is one dictionary look-up a level. A compound, a street and a province differ by a thousand in size; on a
single level either the compounds crowd in a cell or the province fills a million of them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

CELL: Final = 0.004
"""Degrees of the finest level: about 400 m, a few compounds."""
STEP: Final = 8
"""How much larger the cells of a level are than those of the one before; the sixth is half the world."""
SPAN: Final = 4
"""Cells that a box may be long."""
_PER_DEGREE: Final = tuple(1 / (CELL * STEP**level) for level in range(6))
_LNG_BITS, _LAT_BITS, _NUMBER_BITS = 17, 16, 24
UNFOLDED: Final = 50_000
"""Cells that are kept unfolded."""

Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
Entry = tuple[float, float, float, float, int]
"""A box and its number."""


class Grid:
    """Boxes by number, immutable; one whose east lies west of its west is nowhere."""

    def __init__(
        self, wests: array[float], souths: array[float], easts: array[float], norths: array[float]
    ) -> None:
        self._edges = (wests, souths, easts, norths)
        keys: list[int] = []
        used: set[int] = set()
        number = -1
        for west, south, east, north in zip(wests, souths, easts, norths, strict=True):
            number += 1
            if east < west:
                continue
            level, extent = 0, max(east - west, north - south)
            while extent * _PER_DEGREE[level] > SPAN:
                level += 1
            used.add(level)
            per_degree = _PER_DEGREE[level]
            first, last = max(0, int((south + 90) * per_degree)), int((north + 90) * per_degree)
            x, x_last = max(0, int((west + 180) * per_degree)), int((east + 180) * per_degree)
            while x <= x_last:
                key = ((level << _LNG_BITS | x) << _LAT_BITS | first) << _NUMBER_BITS | number
                keys.append(key)
                for _ in range(first, last):
                    key += 1 << _NUMBER_BITS
                    keys.append(key)  # noqa: PERF401
                x += 1
        keys.sort()
        self._keys = array("q", keys)
        self._levels = tuple((level << _LNG_BITS, _PER_DEGREE[level]) for level in sorted(used))
        self._unfolded: dict[int, tuple[Entry, ...]] = {}

    def at(self, lng: float, lat: float) -> list[int]:
        """The numbers of the boxes that hold the point, in order on each level."""
        found = []
        for level, per_degree in self._levels:
            cell = (level | int((lng + 180) * per_degree)) << _LAT_BITS | int((lat + 90) * per_degree)
            entries = self._unfolded.get(cell)
            if entries is None:
                entries = self._unfold(cell)
            for west, south, east, north, number in entries:
                if west <= lng <= east and south <= lat <= north:
                    found.append(number)  # noqa: PERF401
        return found

    def near(self, west: float, south: float, east: float, north: float) -> list[int]:
        """The numbers of the boxes that meet this one."""
        found: set[int] = set()
        for level, per_degree in self._levels:
            first, last = max(0, int((south + 90) * per_degree)), int((north + 90) * per_degree)
            for x in range(max(0, int((west + 180) * per_degree)), int((east + 180) * per_degree) + 1):
                for y in range(first, last + 1):
                    cell = (level | x) << _LAT_BITS | y
                    entries = self._unfolded.get(cell)
                    if entries is None:
                        entries = self._unfold(cell)
                    for its_west, its_south, its_east, its_north, number in entries:
                        if (
                            its_west <= east
                            and west <= its_east
                            and its_south <= north
                            and south <= its_north
                        ):
                            found.add(number)
        return sorted(found)

    def _unfold(self, cell: int) -> tuple[Entry, ...]:
        first = bisect_left(self._keys, cell << _NUMBER_BITS)
        last = bisect_left(self._keys, (cell + 1) << _NUMBER_BITS, first)
        wests, souths, easts, norths = self._edges
        numbers = [key & ((1 << _NUMBER_BITS) - 1) for key in self._keys[first:last]]
        entries = tuple([(wests[n], souths[n], easts[n], norths[n], n) for n in numbers])
        if len(self._unfolded) >= UNFOLDED:
            self._unfolded.clear()
        self._unfolded[cell] = entries
        return entries
