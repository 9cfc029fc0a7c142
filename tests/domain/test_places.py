"""Datums, polygons, and how places are named."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.places import (
    METRES_PER_DEGREE,
    Coordinate,
    Datum,
    Polygon,
    building_key,
    converted,
    covers,
    is_plain_building,
    unit_key,
)
from chalicelib.domain.shapes import SEPARATOR, folded
from tests import builders as b

GOLDEN = Path(__file__).resolve().parents[3] / "shared/data/derived/crs_golden.csv"
POINTS = st.tuples(st.floats(73.6, 135.0), st.floats(18.2, 53.5))
DATUMS = st.sampled_from(Datum)

WEST: Polygon = (((121.0, 31.0), (121.5, 31.0), (121.5, 31.5), (121.0, 31.5)),)
EAST: Polygon = (((121.5, 31.0), (122.0, 31.0), (122.0, 31.5), (121.5, 31.5), (121.5, 31.0)),)
HOLE = ((121.2, 31.2), (121.3, 31.2), (121.3, 31.3), (121.2, 31.3))


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    wide = (one[0] - other[0]) * math.cos(math.radians(one[1]))
    return math.hypot(wide, one[1] - other[1]) * METRES_PER_DEGREE


def test_the_golden_addresses_of_shanghai_lie_in_one_place_in_all_three_datums() -> None:
    if not GOLDEN.exists():
        pytest.skip(f"{GOLDEN} is not here: the datums are only checked against themselves")
    columns = {
        Datum.BD09: "bd09_{}_baidu",
        Datum.GCJ02: "gcj02_{}_amap",
        Datum.WGS84: "wgs84_{}_exact_inverse",
    }
    rows = list(csv.DictReader(GOLDEN.open(encoding="utf-8")))
    assert len(rows) == 177
    for row in rows:
        at = {d: (float(row[c.format("lng")]), float(row[c.format("lat")])) for d, c in columns.items()}
        for start in Datum:
            for goal in Datum:
                # the two geocoders place the same address up to 30 m apart: that is theirs, not the datum's
                assert metres(converted(at[start], start, goal), at[goal]) < 30, (row["address"], start, goal)


@given(POINTS, DATUMS, DATUMS)
def test_there_and_back_is_less_than_half_a_metre(point: tuple[float, float], a: Datum, b: Datum) -> None:
    assert metres(converted(converted(point, a, b), b, a), point) < 0.5


def test_the_datums_are_hundreds_of_metres_apart_in_shanghai_and_one_in_paris() -> None:
    assert 300 < metres(converted((121.49, 31.22), Datum.WGS84, Datum.GCJ02), (121.49, 31.22)) < 900
    assert converted((2.35, 48.85), Datum.WGS84, Datum.BD09) == (2.35, 48.85)


def test_a_point_on_a_shared_edge_or_corner_belongs_to_both_neighbours() -> None:
    for lat in (31.0, 31.25, 31.5):
        assert covers((WEST,), 121.5, lat) and covers((EAST,), 121.5, lat)


def test_a_hole_is_outside_but_its_edge_is_not() -> None:
    holed = ((WEST[0], HOLE),)
    assert not covers(holed, 121.25, 31.25)
    assert covers(holed, 121.2, 31.25) and covers(holed, 121.1, 31.25)
    assert covers(holed, 121.25, 31.25, buffer_m=6_000)


def test_the_buffer_reaches_so_far_and_no_farther() -> None:
    north = 31.5 + 100 / METRES_PER_DEGREE
    assert not covers((WEST,), 121.25, north)
    assert not covers((WEST,), 121.25, north, 99) and covers((WEST,), 121.25, north, 101)
    west = 121.0 - 100 / METRES_PER_DEGREE / math.cos(math.radians(31.25))
    assert not covers((WEST,), west, 31.25, 99) and covers((WEST,), west, 31.25, 101)


@given(st.floats(120.9, 122.1), st.floats(30.9, 31.6), st.floats(0, 5000), st.floats(0, 5000))
def test_a_wider_buffer_never_covers_less(lng: float, lat: float, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert not covers((WEST,), lng, lat, small) or covers((WEST,), lng, lat, large)


@given(st.floats(121.01, 121.99), st.floats(31.01, 31.49))
def test_winding_and_closing_a_ring_do_not_matter(lng: float, lat: float) -> None:
    ring = WEST[0]
    answers = {
        covers(((r,),), lng, lat) for r in (ring, ring[::-1], (*ring, ring[0]), (*ring[2:], *ring[:2]))
    }
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("黄浦区", "黄浦"),
        ("黄浦区", " 黄浦 区"),
        ("浦东新区", "浦东"),
        ("Huangpu District", "huangpu"),
        ("310101", "310101"),  # full width
        ("Saint-Honoré", "saint honoré"),
    ],
)
def test_spellings_of_one_district_are_one(one: str, other: str) -> None:
    assert unit_key(one) == unit_key(other)
    assert unit_key(one, "甲（二期）", "3号楼") == unit_key(other, "甲(二期)", "3")


def test_names_that_only_end_alike_stay_apart() -> None:
    assert unit_key("城区") != unit_key("郊区") and unit_key("区") != ""
    assert unit_key("a", "b/c") != unit_key("a", "b", "c")


MARKS = st.text(" -./,·–~、（）", min_size=1, max_size=3)
NUMBERS = st.integers(1, 999)


@given(NUMBERS, MARKS, NUMBERS)
def test_punctuation_between_two_numbers_keeps_them_apart(low: int, marks: str, high: int) -> None:
    assert folded(f"和睦新路{low}{marks}{high}弄") == f"和睦新路{low}{SEPARATOR}{high}弄"
    apart, joined = f"{low}{marks}{high}", f"{low}{high}"
    assert unit_key("a", apart) != unit_key("a", joined)
    assert unit_key("a", "b", apart) != unit_key("a", "b", joined)


@given(st.text("ab区弄0123一三 -./·（）", max_size=12))
def test_folding_twice_folds_no_more(name: str) -> None:
    once = folded(name)
    assert folded(once) == once
    assert "/" not in once  # the parts of a key are joined by it


@given(st.text("ab区弄", min_size=1, max_size=4), MARKS, st.text("ab区弄012", min_size=1, max_size=4))
def test_punctuation_next_to_a_letter_is_dropped(left: str, marks: str, right: str) -> None:
    assert folded(left + marks + right) == folded(left + right)


@pytest.mark.parametrize(
    "spelling",
    ["3", "03", "３号", "3号楼", "三号楼", "3栋", "3#", "第3幢", "Building 3", "Bldg. 03", "No. 3", "No.3 Building",
     "3号楼2单元", "3号3单元", "3号楼2单元501", "3号楼201室", "3-201室", "3号501", "Building 3, Unit 2"],
)  # fmt: skip
def test_spellings_of_one_building_are_one(spelling: str) -> None:
    assert building_key(spelling) == "3"


@given(st.integers(1, 99))
def test_chinese_numerals_to_ninety_nine_are_numbers(number: int) -> None:
    digits = "〇一二三四五六七八九"
    tens, ones = divmod(number, 10)
    numeral = (digits[tens] if tens > 1 else "") + ("十" if tens else "") + (digits[ones] if ones else "")
    assert building_key(f"{numeral}号楼") == building_key(numeral) == str(number)


@pytest.mark.parametrize(
    "spelling",
    ["3-1", "1-3号楼", "3、5号楼", "3号楼、5号楼", "3单元", "301室", "二十三室", "东楼", "2号楼A座", "3a"],
)
def test_what_may_be_a_range_a_part_or_a_name_is_no_plain_building(spelling: str) -> None:
    assert not is_plain_building(building_key(spelling))


@given(NUMBERS, NUMBERS)
def test_two_numbers_are_two_buildings_however_they_are_written(one: int, other: int) -> None:
    same = building_key(f"{one}号楼2单元") == building_key(f"Building 0{other}")
    assert same is (one == other)


@pytest.mark.parametrize(
    "changes", [{"lat": 121.4, "lng": 31.2}, {"lng": 181}, {"lat": float("nan")}, {"datum": "GCJ-02"}]
)
def test_a_coordinate_out_of_range_or_in_an_unknown_datum_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Coordinate.model_validate({"lng": 121.4, "lat": 31.2, "datum": "GCJ02", **changes})


def test_a_swapped_point_is_outside_its_market_even_where_both_numbers_are_in_range() -> None:
    rome = b.market(west=12.2, east=12.9, south=41.6, north=42.2, datum="WGS84", time_zone="Europe/Rome")
    assert rome.holds(Coordinate(lng=12.49, lat=41.9, datum=Datum.WGS84))
    assert not rome.holds(Coordinate(lng=41.9, lat=12.49, datum=Datum.WGS84))


def test_a_market_with_a_made_up_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="IANA"):
        b.market(time_zone="Asia/Pudong")
