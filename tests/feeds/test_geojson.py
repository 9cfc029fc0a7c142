from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.uploads import UploadState
from chalicelib.flows import consult, enlist
from tests import fakes
from tests.feeds.lists import content, faults, handed_in, settled, start
from tests.feeds.test_shanghai_daily import atlas
from tests.maps import SQUARE, market, part, policy, polygon
from tests.maps import content as ours
from tests.maps import feature as our_feature

BASE = ours(part(our_feature("other"), policies=[policy()]))
WORDING = {
    "names": {"zone_id": "codice", "level": "colore", "district": "quartiere", "valid_from": "dal", "valid_to": "al"},
    "words": {"level": {"rosso": "sealed", "arancione": "controlled"}},
    "fixed": {"policy": "sealed@1", "basis": "ordinance 12"},
}  # fmt: skip
BEGUN = start(format="geojson", wording=WORDING)


def theirs(**changes: Any) -> dict[str, Any]:
    stated = {"codice": 7, "colore": "rosso", "quartiere": "黄浦区", "dal": "2022-04-11", **changes}
    return {"type": "Feature", "geometry": polygon(SQUARE), "properties": stated}


def file(*features: Any, **changes: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **changes}).encode()


def test_an_authoritys_own_names_are_read_as_the_wording_says() -> None:
    found = content(file(theirs(al="2022-04-18")), BEGUN, BASE)
    zone = next(zone for zone in found.zones if zone.zone_id == "7")
    assert (zone.level.name, zone.policy_reference, zone.basis) == ("SEALED", "sealed@1", "ordinance 12")
    assert zone.unit is not None
    assert (zone.unit.kind, zone.unit.district) == ("district", "黄浦区")
    assert zone.valid_from.isoformat() == "2022-04-10T16:00:00+00:00", "midnight in Shanghai"
    assert zone.valid_to is not None
    assert zone.valid_to.isoformat() == "2022-04-17T16:00:00+00:00"
    assert len(found.zones) == 2, "what it does not name is as it was"


def test_edge_case_37_a_ring_wound_the_other_way_is_turned_and_said() -> None:
    raw = file({**theirs(), "geometry": polygon(SQUARE[::-1])})
    found, reading = settled(raw, BEGUN, BASE)
    assert found == content(file(theirs()), BEGUN, BASE)
    remark = reading.remarks.listed[0]
    assert (remark.feature, remark.pointer) == (0, "/features/0/geometry/coordinates/0")


def test_edge_case_37_an_island_is_in_a_hole_is_out_and_its_edge_is_in_however_the_rings_are_wound() -> None:
    """As DataV writes them: outer rings clockwise, so that a reader on a sphere would take the rest of the world."""
    hole = [[121.44, 31.24], [121.46, 31.24], [121.46, 31.26], [121.44, 31.26], [121.44, 31.24]]
    island = [[x + 0.2, y] for x, y in SQUARE]
    for turned in (1, -1):
        rings = [[SQUARE[::turned], hole[::turned]], [island[::turned]]]
        shape = {"type": "MultiPolygon", "coordinates": rings}
        on = atlas(content(file({**theirs(), "geometry": shape}), BEGUN, BASE))

        def drawn(lng: float, lat: float, on: Atlas = on) -> list[str]:
            return [zone.zone_id for zone, _ in on.drawn(lng, lat, 0)]

        for inside in ((121.41, 31.21), (121.61, 31.21), (121.44, 31.25), (121.5, 31.3)):
            assert drawn(*inside) == ["7"], inside
        for outside in ((121.45, 31.25), (121.55, 31.25), (121.39, 31.25), (0.0, 0.0)):
            assert drawn(*outside) == [], outside


def test_edge_case_37_a_topojson_is_refused_and_not_read_without_its_transform() -> None:
    raw = {"type": "Topology", "transform": {"scale": [1, 1], "translate": [0, 0]}, "arcs": [], "objects": {}}
    fault = faults(json.dumps(raw).encode(), BEGUN, BASE).listed[0]
    assert (fault.pointer, "convert it first" in fault.detail) == ("/type", True)


def test_a_feature_of_more_than_ten_megabytes_is_named_by_its_index_and_not_read() -> None:
    ring = [[121.4 + 0.0000001 * number, 31.2] for number in range(450_000)]
    raw = file(theirs(), {**theirs(codice=8), "geometry": polygon([*ring, ring[0]])})
    assert len(raw) > 10_000_000
    fault = faults(raw, BEGUN, BASE).listed[0]
    assert (fault.feature, fault.pointer) == (1, "/features/1/geometry/coordinates")
    assert "points a zone were expected; simplify it" in fault.detail


FILES: dict[str, tuple[bytes, str, str]] = {
    "no JSON": (b"{", "", "a JSON file was expected"),
    "a name twice": (b'{"type": 1, "type": 2}', "", "every name once"),
    "a list": (b"[]", "/type", "a FeatureCollection"),
    "TopoJSON": (b'{"type": "Topology"}', "/type", "convert it first"),
    "a frame of its own": (file(theirs(), crs={"type": "name"}), "/crs", "no crs was expected"),
    "no features": (b'{"type": "FeatureCollection"}', "/features", "a list was expected"),
    "no feature": (file(7), "/features/0", "a Feature was expected"),
    "no properties": (file({"type": "Feature"}), "/features/0/properties", "an object"),
    "an unknown word": (file(theirs(colore="viola")), "/features/0/properties/colore", "one of arancione, rosso"),
    "no level": (file(theirs(colore=None)), "/features/0/properties/colore", "this field was expected"),
    "no day": (file(theirs(dal="2022-02-30")), "/features/0/properties/dal", "a day of the calendar"),
    "no offset": (file(theirs(dal="2022-02-03T10:00")), "/features/0/properties/dal", "offset"),
    "swapped": (
        file({**theirs(), "geometry": polygon([[y, x] for x, y in SQUARE])}),
        "/features/0/geometry/coordinates/0/0",
        "look swapped",
    ),
    "a point": (
        file({**theirs(), "geometry": {"type": "Point", "coordinates": [121.4, 31.2]}}),
        "/features/0/geometry/type",
        "a Polygon",
    ),
    "twice": (file(theirs(), theirs()), "/features/1/properties/codice", "once an upload"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "pointer", "detail"), FILES.values(), ids=list(FILES))
def test_what_is_wrong_is_said_in_the_files_own_words(raw: bytes, pointer: str, detail: str) -> None:
    fault = faults(raw, BEGUN, BASE).listed[0]
    assert fault.pointer == pointer
    assert detail in fault.detail


def test_a_wording_for_what_we_do_not_have_is_refused() -> None:
    begun = start(format="geojson", wording={"names": {"colour": "colore"}})
    fault = faults(file(), begun, BASE).listed[0]
    assert (fault.part, fault.pointer, fault.value) == (None, "/wording/names", "'colour'")


def test_what_others_wrote_is_repeated_in_part_only() -> None:
    words = {f"a word of some length, number {number}": "sealed" for number in range(100)}
    begun = start(format="geojson", wording={**WORDING, "words": {"level": words}})
    fault = faults(file(theirs(colore="x" * 10_000)), begun, BASE).listed[0]
    assert (len(fault.detail), len(fault.value or "")) == (500, 120)
    with pytest.raises(ValueError, match="at most 20000 characters"):
        start(
            format="geojson",
            wording={"words": {"level": {f"{number:0190}": "open" for number in range(200)}}},
        )


def test_a_file_in_pieces_is_published_whole_and_the_same_file_again_is_nothing_new() -> None:
    world = fakes.world()
    enlist.put_market(world, market())
    raw = part(our_feature("other"), policies=[policy()])
    assert handed_in(world, "SHA", raw, mode="replace").state is UploadState.PUBLISHED
    first = handed_in(world, "SHA", file(theirs()), cut=50, format="geojson", wording=WORDING)
    assert (first.state, first.unchanged, first.parts > 5) == (UploadState.PUBLISHED, False, True)
    assert handed_in(world, "SHA", file(theirs()), format="geojson", wording=WORDING).unchanged is True


def test_one_fault_and_nothing_of_the_file_is_taken() -> None:
    world = fakes.world()
    enlist.put_market(world, market())
    handed_in(world, "SHA", part(our_feature("other"), policies=[policy()]), mode="replace")
    refused = handed_in(
        world, "SHA", file(theirs(), theirs(codice=8, colore="viola")), format="geojson", wording=WORDING
    )
    assert refused.state is UploadState.REFUSED
    assert next((fault.feature, fault.value) for fault in refused.faults) == (1, "'viola'")
    atlas = consult.atlas(world, "SHA")
    assert atlas is not None
    assert [zone.zone_id for zone in atlas.rules.zones] == ["other"]


def test_an_empty_collection_opens_nothing() -> None:
    fault = faults(file(), BEGUN, BASE).listed[0]
    assert "this amends nothing" in fault.detail
    replacing = start(mode="replace", format="geojson", wording=WORDING)
    assert "an empty feed opens nothing" in faults(file(), replacing).listed[0].detail
