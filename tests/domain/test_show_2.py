"""Show 2 of issue 4: real addresses of Shanghai classify the same in WGS-84, GCJ-02 and BD-09, on the real map."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.places import Datum
from tests import builders as b

COLUMNS = {
    Datum.BD09: "bd09_{}_baidu",
    Datum.GCJ02: "gcj02_{}_amap",
    Datum.WGS84: "wgs84_{}_exact_inverse",
}
AGREE_M = 30.0
"""Two geocoders placed each address, up to so far apart."""


@pytest.fixture(scope="module")
def golden() -> list[dict[str, str]]:
    return _read("derived/crs_golden.csv", lambda file: list(csv.DictReader(file)))


@pytest.fixture(scope="module")
def on() -> Atlas:
    """DataV's sixteen districts, in GCJ-02."""
    features = _read("shanghai/datav_310000_districts_gcj02.json", json.load)["features"]
    zones = []
    for feature in features:
        shape = feature["geometry"]
        parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
        polygons = tuple(
            tuple(tuple((lng, lat) for lng, lat in ring) for ring in polygon) for polygon in parts
        )
        name = feature["properties"]["name"]
        zones.append(b.zone(None, district=name, zone_id=f"d{len(zones)}", polygons=polygons))
    assert len(zones) == 16
    return b.atlas(zones)


def _read(name: str, read: Any) -> Any:
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with path.open(encoding="utf-8") as file:
        return read(file)


def _place(row: dict[str, str], datum: Datum) -> Any:
    lng, lat = (float(row[COLUMNS[datum].format(axis)]) for axis in ("lng", "lat"))
    return b.place(
        None,
        district=row["district"],
        lng=lng,
        lat=lat,
        datum=datum,
        precision_m=AGREE_M,
        line=row["address"],
    )


def _districts(on: Atlas, place: Any) -> set[str | None]:
    """Where its point lies, whatever its address says, and without any buffer."""
    point = place.coordinate.within(Datum.GCJ02)
    return {zone.unit.district for zone, _ in on.drawn(*point, 0) if zone.unit is not None}


def test_the_golden_addresses_classify_the_same_in_all_three_datums(
    golden: list[dict[str, str]], on: Atlas
) -> None:
    assert len(golden) == 177
    for row in golden:
        for datum in COLUMNS:
            place = _place(row, datum)
            assert _districts(on, place) == {row["district"]}, (row["address"], datum)
            point = place.coordinate.within(Datum.GCJ02)
            assert not on.district_disagrees(place.address, *point, AGREE_M), (row["address"], datum)


def test_read_in_a_wrong_datum_some_of_them_lie_elsewhere(golden: list[dict[str, str]], on: Atlas) -> None:
    """So that the test above could fail: a datum that is guessed puts people into other districts."""
    moved = 0
    for row in golden:
        place = _place(row, Datum.BD09)
        taken = place.coordinate.model_copy(update={"datum": Datum.GCJ02})
        moved += _districts(on, place.model_copy(update={"coordinate": taken})) != {row["district"]}
    assert moved >= 10
