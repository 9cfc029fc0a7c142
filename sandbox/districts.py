"""Shanghai's sixteen districts, read from the map that npm's `echarts@4.9.0` (Apache-2.0) ships.

The file is `node_modules/echarts/map/json/province/shanghai.json`; `npm ci` puts it there and nothing of it is
copied into the repository. ECharts writes its maps packed: each ring is a string of character pairs, each
character less 64 is a zigzag number, the numbers are steps of 1/1024 degree from the ring's `encodeOffsets`
(ECharts 4.9.0, lib/coord/geo/parseGeoJson.js, `decodePolygon`).

**Datum: GCJ-02**, measured, the file does not say. Of 177 addresses that two geocoders agree on
(`derived/crs_golden.csv`), 175 lie in their own district when read as GCJ-02 (the other two 44 and 64 m
outside), 168 as WGS-84, 156 as BD-09. Its corners lie 54 m (median) and 118 m (nine in ten) from the borders of
Aliyun DataV's present map, which is GCJ-02; shifted as if they were WGS-84 it is 284 and 499 m, as if BD-09 497
and 821 m.

**Coarse and old.** A step is about 95 by 108 m, and the whole map lies half a step too far to the north-east
(shifted back by 0.0005 degrees the median is 32 m). The areas of fifteen districts agree with DataV's within one
per cent; Chongming is drawn with 73 points and a quarter of it is missing. Jing'an is the merged one, of
November 2015. Chongming's feature has no id. On so coarse a grid twelve rings repeat points, run out and back along
themselves, or cross, by a step or two: those points are left out here (13 of Qingpu's 690, the most).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chalicelib.domain.places import Datum, Polygon, Ring
from chalicelib.domain.rings import first_crossing

MAP: Final = Path(__file__).resolve().parent.parent / "node_modules/echarts/map/json/province/shanghai.json"
DATUM: Final = Datum.GCJ02
PRECISION_M: Final = 120.0
"""Nine in ten of the map's corners lie nearer than this to today's border."""

STEPS: Final = 1024

NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "310101": ("黄浦区", "Huangpu"),
    "310104": ("徐汇区", "Xuhui"),
    "310105": ("长宁区", "Changning"),
    "310106": ("静安区", "Jing'an"),
    "310107": ("普陀区", "Putuo"),
    "310109": ("虹口区", "Hongkou"),
    "310110": ("杨浦区", "Yangpu"),
    "310112": ("闵行区", "Minhang"),
    "310113": ("宝山区", "Baoshan"),
    "310114": ("嘉定区", "Jiading"),
    "310115": ("浦东新区", "Pudong"),
    "310116": ("金山区", "Jinshan"),
    "310117": ("松江区", "Songjiang"),
    "310118": ("青浦区", "Qingpu"),
    "310120": ("奉贤区", "Fengxian"),
    "310151": ("崇明区", "Chongming"),
}
"""GB/T 2260 code to the Chinese and the English name."""

_CODES: Final = {chinese: code for code, (chinese, _) in NAMES.items()}

_Step = tuple[int, int]


@dataclass(frozen=True)
class District:
    """One district: its GB/T 2260 code, its names, its polygons in GCJ-02 (rings closed)."""

    code: str
    name: str
    english: str
    polygons: tuple[Polygon, ...]

    @property
    def geometry(self) -> dict[str, Any]:
        """A GeoJSON MultiPolygon in `DATUM`."""
        return {
            "type": "MultiPolygon",
            "coordinates": [
                [[list(point) for point in ring] for ring in polygon] for polygon in self.polygons
            ],
        }

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        points = [point for polygon in self.polygons for point in polygon[0]]
        lngs, lats = [p[0] for p in points], [p[1] for p in points]
        return min(lngs), min(lats), max(lngs), max(lats)


def unpacked(text: str, offset: Sequence[int]) -> list[_Step]:
    """One packed ring as points on the grid of 1/1024 degree."""
    x, y = offset
    points = []
    for lng, lat in zip(text[::2], text[1::2], strict=True):
        x += _zigzag(ord(lng) - 64)
        y += _zigzag(ord(lat) - 64)
        points.append((x, y))
    return points


def _zigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def untangled(points: Iterable[_Step]) -> list[_Step]:
    """The ring without its closing point, repeated points, spikes and loops where it crosses itself."""
    ring: list[_Step] = []
    for point in points:
        if len(ring) > 1 and ring[-2] == point:
            ring.pop()  # out and back: a spike
        elif not ring or ring[-1] != point:
            ring.append(point)
    while len(ring) > 1 and ring[0] == ring[-1]:
        ring.pop()
    while (met := first_crossing([ring])) is not None:
        low, high = sorted((met[0][1], met[1][1]))
        if high - low > len(ring) // 2:
            raise ValueError(f"edges {low!r} and {high!r} cross and enclose most of a ring of {len(ring)!r}")
        del ring[low + 1 : high + 1]
    return ring


def _ring(text: str, offset: Sequence[int]) -> Ring:
    steps = untangled(unpacked(text, offset))
    return tuple((x / STEPS, y / STEPS) for x, y in (*steps, steps[0]))


def _polygons(geometry: Mapping[str, Any]) -> tuple[Polygon, ...]:
    packed, offsets = geometry["coordinates"], geometry["encodeOffsets"]
    if geometry["type"] == "Polygon":
        packed, offsets = [packed], [offsets]
    return tuple(
        tuple(_ring(text, offset) for text, offset in zip(rings, starts, strict=True))
        for rings, starts in zip(packed, offsets, strict=True)
    )


def districts(path: Path = MAP) -> tuple[District, ...]:
    """The sixteen districts in the order of their codes.

    Raises FileNotFoundError where `npm ci` has not run, and ValueError for a map that is not this one.
    """
    if not path.exists():
        raise FileNotFoundError(f"no map at {path}: run `npm ci`, it brings echarts 4.9.0")
    document = json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for feature in document["features"]:
        name = feature["properties"]["name"]
        code = _CODES.get(name)
        if code is None or feature.get("id", code) != code:
            raise ValueError(f"{name!r} with id {feature.get('id')!r} is no district of Shanghai")
        found[code] = District(code, name, NAMES[code][1], _polygons(feature["geometry"]))
    if found.keys() != NAMES.keys():
        raise ValueError(f"the map lacks {sorted(NAMES.keys() - found.keys())!r}")
    return tuple(found[code] for code in sorted(found))
