"""Where things are: addresses, coordinates with their datum, polygons.

China maps in three datums that lie up to 900 m apart. A coordinate without its datum is refused; nothing is
guessed. Formulas: the published GCJ-02 obfuscation (Krasovsky 1940) and Baidu's rotation on top of it; the
ways back are fixed-point iterations. Checked against `derived/crs_golden.csv`, 177 addresses in all three.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.domain.shapes import Shape, Slug, Text, TimeZone, Window, fold, folded, is_absent

METRES_PER_DEGREE = 111_320.0


class Datum(StrEnum):
    """The frame a coordinate is given in."""

    WGS84 = "WGS84"
    GCJ02 = "GCJ02"
    BD09 = "BD09"


class MatchQuality(StrEnum):
    """How sure the geocoder was of the point."""

    EXACT = "exact"
    LANE = "lane"
    ROAD = "road"
    NAME = "name"
    CENTROID = "centroid"
    NONE = "none"


class Coordinate(Shape):
    """Degrees, longitude east and latitude north, in a stated datum; precision as a radius in metres."""

    lng: float = Field(strict=True, ge=-180, le=180)
    lat: float = Field(strict=True, ge=-90, le=90)
    datum: Datum
    precision_m: float = Field(default=10.0, strict=True, ge=0, le=50_000)

    def within(self, datum: Datum) -> tuple[float, float]:
        """(lng, lat) of this point in another datum."""
        return converted((self.lng, self.lat), self.datum, datum)


Gate = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


class Address(Shape):
    """The parts of an address that zones are matched by, and the line a courier reads.

    `district`, `compound` and `building` hold a code or a name; they are compared folded.
    """

    country: str = Field(pattern=r"^[A-Z]{2}$", examples=["CN"])
    city: Text
    district: Text
    street: Text | None = None
    compound: Text | None = None
    building: Text | None = None
    unit: Text | None = None
    line: Text = Field(description="The address as a courier reads it.")
    gate: Gate | None = Field(
        default=None,
        exclude_if=is_absent,
        description="Where the compound takes in deliveries, and who brings them on from there, as the client says it. "
        "Told to the courier, and to the client on the tracking page, where the gift is not brought further.",
        examples=["North gate on Yanqing Road; volunteers carry it up"],
    )


class Place(Shape):
    """An address and where it is believed to be."""

    address: Address
    coordinate: Coordinate
    match_quality: MatchQuality


class HandOverPoint(Shape):
    """Where one courier leaves a gift and another fetches it: a desk, a lodge, a depot. It names no person."""

    name: Text = Field(examples=["Line desk, Waibaidu Bridge"])
    place: Place
    hours: Window = Field(description="When it takes gifts in and hands them out.")


class Offer(StrEnum):
    """When a gift is offered to the courier that it is planned with."""

    AT_ONCE = "at_once"
    """As soon as there is one: the client hears early, and a plan made later can no longer do better."""
    LAST_MOMENT = "last_moment"
    """Not before it has to be: until then every plan begins anew, with all that has come to be known."""


class Market(Shape):
    """One city or metro: the unit of dispatch, of rules and of scale."""

    market_id: Slug
    name: Text
    country: str = Field(pattern=r"^[A-Z]{2}$")
    time_zone: TimeZone
    datum: Datum = Field(description="The frame in which zones and addresses are compared.")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    west: float = Field(
        ge=-180, le=180, description="Bounds in the market's datum; what lies outside is refused."
    )
    south: float = Field(ge=-90, le=90)
    east: float = Field(ge=-180, le=180)
    north: float = Field(ge=-90, le=90)
    districts: dict[Text, Text] = Field(
        default={},
        max_length=1_000,
        description="How its districts are read, by the code or name that addresses and zones say. What is not among "
        "them is shown as it is said.",
        examples=[{"310101": "Huangpu"}],
    )
    shards: int = Field(
        default=1, ge=1, le=64, description="Index partitions of open orders; raise, never lower."
    )
    offer: Offer = Field(
        default=Offer.AT_ONCE,
        description="When a gift is given to a courier: at once, or at the last safe moment.",
    )
    fair_load: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=100_000,
        description="Each gift of a courier counts so many minor units more in the plan than the one before, "
        "and is not paid more: so couriers share them. 0: the cheapest takes all that it has places for.",
    )

    def model_post_init(self, _context: object) -> None:
        if self.east <= self.west or self.north <= self.south:
            raise ValueError("east lies east of west and north lies north of south")

    def reads(self, district: str) -> str:
        """The district as people read it."""
        return self.districts.get(district, district)

    def where(self, compound: str | None, district: str | None) -> str:
        """A place as people read it; empty where neither is known."""
        return ", ".join(part for part in (compound, district and self.reads(district)) if part)

    def holds(self, coordinate: Coordinate) -> bool:
        """True when the point lies inside the market's bounds."""
        lng, lat = coordinate.within(self.datum)
        return self.west <= lng <= self.east and self.south <= lat <= self.north


_DISTRICT_WORD = re.compile(r"(?<=..)(新区|新區|区|區|district)$")

_ORDINAL = (
    r"(?>[0-9]+|[一二三四五六七八九]?十[一二三四五六七八九]?|廿[一二三四五六七八九]?|[一二三四五六七八九])"
)
_BUILDING_WORD = r"(?:号楼|號樓|号|號|楼|樓|栋|棟|幢|座|#楼|#)"
_PART_WORD = r"(?:单元|單元|门|門|层|層|室|房)"
_BUILDING = re.compile(
    rf"(?:第|#|no|building|bldg|block|blk|tower|楼|樓)*+(?P<name>{_ORDINAL}|[a-z]|[甲乙丙丁戊])"
    rf"(?P<word>{_BUILDING_WORD}|building|bldg)?"
    rf"(?P<part>(?:-?(?:{_ORDINAL}|[a-z]){_PART_WORD}|-?(?:unit|room|rm|flat|apt|floor)[0-9]+[a-z]?)*)"
    r"(?P<room>[0-9]{3,}[a-z]?)?"
)
"""A building by number or letter, and the part of it that may follow. Read off a folded name; numbers are taken
whole, so that room 301 is not room 1 of building 30."""
_CHINESE = {numeral: number for number, numeral in enumerate("一二三四五六七八九", start=1)}


@lru_cache(maxsize=8192)
def district_key(district: str) -> str:
    """A district's code or name as it is compared: without the word for its kind, so that 黄浦区 is 黄浦.

    A zone that fails to meet its address lets a courier through, so spellings are joined generously.
    """
    return _DISTRICT_WORD.sub("", folded(district))


def building_key(building: str) -> str:
    """A building as it is compared: `3号楼`, `03`, `三号楼`, `Building 3` and `3号楼2单元501室` are all `3`.

    What cannot be read so, a range such as `1-3号楼` or a name such as `东楼`, stays as it is folded.
    """
    plain = folded(building)
    read = _BUILDING.fullmatch(plain)
    if read is None or (read["room"] and not (read["word"] or read["part"])):
        return plain
    name = read["name"]
    if name.isascii():
        return name.lstrip("0") or "0" if name.isdigit() else name
    return str(_number(name)) if name[0] in _CHINESE or name[0] in "十廿" else name


def flat_in(building: str) -> str:
    """What a building's name says of the flat in it, folded: `2单元501室` of `3号楼2单元501室`, or nothing."""
    read = _BUILDING.fullmatch(folded(building))
    if read is None or not (read["word"] or read["part"]):
        return ""
    return "-".join(filter(None, (read["part"], read["room"])))


def _number(numeral: str) -> int:
    """A Chinese numeral from 1 to 99: 三, 十二, 二十, 廿三."""
    tens, ten, ones = numeral.replace("廿", "二十").rpartition("十")
    return (_CHINESE.get(tens, 1) * 10 if ten else 0) + _CHINESE.get(ones, 0)


def is_plain_building(key: str) -> bool:
    """True for one number or one letter: two plain keys that differ are two buildings, others may be one."""
    return key.isdigit() or len(key) == 1


def share_a_number(one: str, other: str) -> bool:
    """True when two building keys have a number in common, as `3-1` and `3` do."""
    return not set(_NUMBERS.findall(one)).isdisjoint(_NUMBERS.findall(other))


_NUMBERS = re.compile(r"[1-9][0-9]*")


def unit_key(district: str, compound: str | None = None, building: str | None = None) -> str:
    """How a named unit is looked up: never by compound name alone, namesakes live in several districts."""
    key = district_key(district)
    if compound is not None:
        key += "/" + folded(compound)
        if building is not None:
            key += "/" + building_key(building)
    return key


def compound_key(district: str, compound: str) -> str:
    """`unit_key` of a compound, remembered by nobody: an index of 20,000 asks for each once."""
    return f"{district_key(district)}/{fold(compound)}"


# --- datums -------------------------------------------------------------------------------------------------

_AXIS = 6378245.0
_ECCENTRICITY = 0.00669342162296594323
_BAIDU = math.pi * 3000.0 / 180.0


def _offset(lng: float, lat: float) -> tuple[float, float]:
    x, y = lng - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    waves = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = lat / 180.0 * math.pi
    magic = 1 - _ECCENTRICITY * math.sin(radians) ** 2
    root_magic = math.sqrt(magic)
    d_lat = north * 180.0 / ((_AXIS * (1 - _ECCENTRICITY)) / (magic * root_magic) * math.pi)
    d_lng = east * 180.0 / (_AXIS / root_magic * math.cos(radians) * math.pi)
    return d_lng, d_lat


def _gcj_from_wgs(lng: float, lat: float) -> tuple[float, float]:
    d_lng, d_lat = _offset(lng, lat)
    return lng + d_lng, lat + d_lat


def _wgs_from_gcj(lng: float, lat: float) -> tuple[float, float]:
    guess_lng, guess_lat = lng, lat
    for _ in range(5):
        there_lng, there_lat = _gcj_from_wgs(guess_lng, guess_lat)
        guess_lng, guess_lat = guess_lng + lng - there_lng, guess_lat + lat - there_lat
    return guess_lng, guess_lat


def _bd_from_gcj(lng: float, lat: float) -> tuple[float, float]:
    radius = math.hypot(lng, lat) + 0.00002 * math.sin(lat * _BAIDU)
    angle = math.atan2(lat, lng) + 0.000003 * math.cos(lng * _BAIDU)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


def _gcj_from_bd(lng: float, lat: float) -> tuple[float, float]:
    guess_lng, guess_lat = lng - 0.0065, lat - 0.006
    for _ in range(5):
        there_lng, there_lat = _bd_from_gcj(guess_lng, guess_lat)
        guess_lng, guess_lat = guess_lng + lng - there_lng, guess_lat + lat - there_lat
    return guess_lng, guess_lat


def in_china_box(lng: float, lat: float) -> bool:
    """The rectangle outside which the GCJ-02 shift is not applied by anybody."""
    return 72.004 <= lng <= 137.8347 and 0.8293 <= lat <= 55.8271


def converted(point: tuple[float, float], given: Datum, wanted: Datum) -> tuple[float, float]:
    """(lng, lat) in `given` as (lng, lat) in `wanted`. Outside China the datums are one."""
    if given is wanted or not in_china_box(*point):
        return point
    if given is Datum.BD09:
        point = _gcj_from_bd(*point)
    elif given is Datum.WGS84:
        point = _gcj_from_wgs(*point)
    if wanted is Datum.BD09:
        return _bd_from_gcj(*point)
    if wanted is Datum.WGS84:
        return _wgs_from_gcj(*point)
    return point


# --- polygons -----------------------------------------------------------------------------------------------

Ring = tuple[tuple[float, float], ...]
Polygon = tuple[Ring, ...]
"""The first ring is the outside, the others are holes; winding does not matter here."""


def _inside(lng: float, lat: float, ring: Ring) -> bool:
    odd = False
    x1, y1 = ring[-1]
    above = y1 > lat
    for x2, y2 in ring:  # hot
        if (y2 > lat) is not above:
            above = not above
            if lng < (x2 - x1) * (lat - y1) / (y2 - y1) + x1:
                odd = not odd
        x1, y1 = x2, y2
    return odd


def border_distance_m(lng: float, lat: float, polygon: Polygon, within_m: float = math.inf) -> float:
    """Metres from the point to the nearest edge, or infinity where that is farther than `within_m`.

    Equirectangular: good below some tens of kilometres.
    """
    scale = math.cos(math.radians(lat))
    limit = nearest = within_m / METRES_PER_DEGREE
    for ring in polygon:
        x1, ay = ring[-1][0], ring[-1][1] - lat
        for x2, y2 in ring:  # hot
            by = y2 - lat
            if not ((ay > nearest and by > nearest) or (ay < -nearest and by < -nearest)):
                ax, bx = (x1 - lng) * scale, (x2 - lng) * scale
                dx, dy = bx - ax, by - ay
                length = dx * dx + dy * dy
                along = 0.0 if length == 0 else max(0.0, min(1.0, -(ax * dx + ay * dy) / length))
                nearest = min(nearest, math.hypot(ax + along * dx, ay + along * dy))
            x1, ay = x2, by
    return nearest * METRES_PER_DEGREE if nearest < limit else math.inf


ON_EDGE_M = 1e-3
"""So near to an edge is on it: coordinates are kept to a centimetre."""


def distance_m(polygons: Sequence[Polygon], lng: float, lat: float, within_m: float = 0.0) -> float:
    """0 inside one of the polygons or on its edge, else metres to the nearest; infinity beyond `within_m`."""
    for polygon in polygons:
        if _inside(lng, lat, polygon[0]) and (
            len(polygon) == 1 or not any(_inside(lng, lat, hole) for hole in polygon[1:])
        ):
            return 0.0
    limit = within_m + ON_EDGE_M
    nearest = min((border_distance_m(lng, lat, polygon, limit) for polygon in polygons), default=math.inf)
    return 0.0 if nearest <= ON_EDGE_M else nearest


def covers(polygons: Sequence[Polygon], lng: float, lat: float, buffer_m: float = 0.0) -> bool:
    """True when the point is inside one of the polygons, on its edge, or within `buffer_m` of it.

    On the edge counts: two neighbours that share an edge both cover it.
    """
    return distance_m(polygons, lng, lat, buffer_m) < math.inf
