from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.errors import Invalid, Malformed, TooLarge
from chalicelib.domain.reading import FAULTS, Reading, junk, part_of
from chalicelib.domain.uploads import PART_BYTES, Difference, difference
from tests.fakes import NOON
from tests.maps import SQUARE, content, faults, feature, market, part, policy, polygon, start

BASE = content(part(feature("z-1"), feature("z-2"), policies=[policy()]))
LATER = NOON + timedelta(hours=6)


def pointers(*parts: bytes, **changes: Any) -> list[tuple[int | None, int | None, str]]:
    return [(fault.part, fault.feature, fault.pointer) for fault in faults(*parts, **changes).listed]


def only(*parts: bytes, **changes: Any) -> Any:
    found = faults(*parts, **changes)
    assert found.count == 1, found.listed
    return found.listed[0]


def test_a_file_that_was_cut_off_does_not_open_what_it_no_longer_names_unless_it_says_so() -> None:
    town = content(part(*(feature(f"z-{n}") for n in range(20)), policies=[policy()]))
    half = part(*(feature(f"z-{n}") for n in range(10)), policies=[policy()])
    fewer = part(*(feature(f"z-{n}") for n in range(9)), policies=[policy()])
    assert len(content(half, base=town, now=LATER).zones) == 10
    fault = only(fewer, base=town, now=LATER)
    assert fault.pointer == "/leaves_out" and "11 of them are not in it" in fault.detail
    assert len(content(fewer, base=town, now=LATER, begun=start(leaves_out=True)).zones) == 9
    village = content(part(*(feature(f"z-{n}") for n in range(19)), policies=[policy()]))
    assert len(content(part(feature("z-1"), policies=[policy()]), base=village, now=LATER).zones) == 1


# --- good ---------------------------------------------------------------------------------------------------


def test_a_part_with_more_entries_than_it_can_have_is_refused_at_the_door() -> None:
    raw = b'{"released": [' + b",".join([b"1"] * 50_001) + b"]}"
    with pytest.raises(Invalid, match="/released: at most 50000 entries a part were expected, got 50001"):
        part_of(raw)


@pytest.mark.parametrize("name", ["days", "item_classes"])
def test_a_curfew_on_no_day_or_for_no_class_is_a_slip_and_no_curfew(name: str) -> None:
    night = {"start_local": "22:00", "end_local": "05:00"}
    raw = part(feature(), policies=[policy(curfews=[night, {**night, name: []}])])
    fault = only(raw)
    assert (fault.part, fault.pointer) == (1, f"/policies/0/curfews/1/{name}")
    assert "stops nothing" in fault.detail


def test_a_named_compound_becomes_a_zone_known_since_its_publication() -> None:
    zone = BASE.zones[0]
    assert (zone.zone_id, zone.level.name, zone.policy_reference) == ("z-1", "SEALED", "sealed@1")
    assert zone.unit is not None
    assert zone.unit.compound == "永嘉路z-1弄"
    assert zone.known_since == NOON
    assert BASE.stale_after_hours == 36


def test_zones_and_policies_may_stand_in_different_parts() -> None:
    found = content(part(feature("z-2")), part(feature("z-1")), part(policies=[policy()]))
    assert [zone.zone_id for zone in found.zones] == ["z-1", "z-2"]


def test_the_order_of_parts_and_features_does_not_matter() -> None:
    assert content(part(feature("z-2"), policies=[policy()]), part(feature("z-1"))) == BASE


def test_the_same_policy_in_every_part_is_one() -> None:
    assert (
        content(part(feature("z-1"), policies=[policy()]), part(feature("z-2"), policies=[policy()])) == BASE
    )


def test_what_was_known_stays_known_and_what_is_new_is_known_from_now() -> None:
    raw = part(feature("z-1"), feature("z-2", level="controlled"), policies=[policy()])
    found = content(raw, base=BASE, now=LATER)
    assert [zone.known_since for zone in found.zones] == [NOON, LATER]


def test_a_forecast_or_an_end_does_not_make_a_zone_newly_known() -> None:
    raw = part(
        feature("z-1", expected_end="2022-04-20T00:00:00+08:00", basis="bulletin 2"), policies=[policy()]
    )
    assert content(raw, base=BASE, now=LATER).zones[0].known_since == NOON


def test_a_stated_time_of_knowledge_is_kept() -> None:
    raw = part(feature("z-1", known_since="2022-04-10T20:00:00+08:00"), policies=[policy()])
    assert content(raw).zones[0].known_since.isoformat() == "2022-04-10T12:00:00+00:00"


def test_amending_leaves_the_rest_as_it_was() -> None:
    found = content(part(feature("z-2", level="controlled")), base=BASE, begun=start("amend"), now=LATER)
    assert found.zones[0] == BASE.zones[0]
    assert found.zones[1].level.name == "CONTROLLED"
    assert difference(BASE, found) == Difference(new=0, changed=1, gone=0)


def test_replacing_ends_what_is_not_named() -> None:
    found = content(part(feature("z-2"), feature("z-3"), policies=[policy()]), base=BASE, now=LATER)
    assert difference(BASE, found) == Difference(new=1, changed=0, gone=1)


def test_a_release_ends_a_zone_at_its_time_or_now() -> None:
    until = "2022-04-12T00:00:00+08:00"
    released = ["z-1", {"zone_id": "z-2", "valid_to": until}]
    found = content(part(released=released), base=BASE, begun=start("amend"), now=LATER)
    assert [zone.valid_to for zone in found.zones] == [LATER, NOON + timedelta(hours=12)]


def test_the_same_release_again_changes_nothing() -> None:
    once = content(part(released=["z-1"]), base=BASE, begun=start("amend"), now=LATER)
    again = content(part(released=["z-1"]), base=once, begun=start("amend"), now=LATER + timedelta(hours=1))
    assert again == once


def test_a_release_before_the_zone_began_takes_it_out() -> None:
    soon = content(
        part(feature("z-9", valid_from="2022-05-01T00:00:00+08:00")), base=BASE, begun=start("amend")
    )
    found = content(part(released=["z-9"]), base=soon, begun=start("amend"))
    assert found == BASE


def test_amending_keeps_how_long_the_rules_hold_unless_it_says_so() -> None:
    longer = content(part(feature("z-1"), policies=[policy()]), begun=start(stale_after_hours=48))
    raw = part(feature("z-1"))
    assert content(raw, base=longer, begun=start("amend")).stale_after_hours == 48
    assert content(raw, base=longer, begun=start("amend", stale_after_hours=12)).stale_after_hours == 12


def test_what_was_put_right_is_said() -> None:
    reading = Reading(market(), start())
    reading.read(1, part(feature(geometry=polygon(SQUARE[::-1])), policies=[policy()]))
    remark = reading.remarks.listed[0]
    assert (remark.part, remark.feature, remark.pointer) == (1, 0, "/features/0/geometry/coordinates/0")


# --- bad ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1]", b'{"policies": "\xff"}', b"null", b"[" * 5000], ids=lambda raw: repr(raw[:20])
)
def test_what_is_no_json_object_is_no_part(raw: bytes) -> None:
    with pytest.raises(Malformed):
        part_of(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"features": [{"id": 1}], "features": []}',
        b'{"features": [{"properties": {"level": "sealed", "level": "open"}}]}',
    ],
)
def test_a_name_that_stands_twice_is_no_json_that_anybody_can_believe(raw: bytes) -> None:
    with pytest.raises(Malformed, match="stands twice"):
        part_of(raw)


def test_a_part_of_more_than_a_megabyte_is_too_large() -> None:
    with pytest.raises(TooLarge, match="1000001 bytes"):
        part_of(b" " * (PART_BYTES + 1))


def test_a_part_has_three_lists_and_nothing_else() -> None:
    with pytest.raises(Invalid) as error:
        part_of(b'{"zones/all": [], "features": {}}')
    assert [fault.pointer for fault in error.value.faults] == ["/zones~1all", "/features"]


FEATURES: dict[str, tuple[Any, str, str]] = {
    "no feature": (17, "", "valid dictionary"),
    "another type": ({**feature(), "type": "Zone"}, "/type", "Feature"),
    "no geometry": ({k: v for k, v in feature().items() if k != "geometry"}, "/geometry", "was expected"),
    "an unknown property": (feature(lvl=1), "/properties/lvl", "not known here"),
    "an unknown level": (feature(level="Sealed"), "/properties/level", "precautionary"),
    "a level as a number": (feature(level=4), "/properties/level", "precautionary"),
    "a policy without version": (feature(policy="sealed"), "/properties/policy", "pattern"),
    "an unknown policy": (feature(policy="sealed@2"), "/properties/policy", "a policy that this upload states"),
    "an id with a slash": (feature("z/1"), "/properties/zone_id", "pattern"),
    "a time without offset": (feature(valid_from="2022-04-11T00:00:00"), "/properties/valid_from", "offset"),
    "an end before the start": (feature(valid_to="2022-04-10T00:00:00+08:00"), "/properties/valid_to", "after"),
    "known in the future": (feature(known_since="2022-04-11T12:00:01+08:00"), "/properties/known_since", "up to now"),
    "neither unit nor geometry": (feature(unit=None), "/properties/unit", "a unit, a geometry, or both"),
    "a compound without name": (feature(unit={"kind": "compound", "district": "黄浦区"}), "/properties/unit", "named by"),
    "a precision of NaN": (feature(precision_m=math.nan), "/properties/precision_m", "finite"),
    "a negative precision": (feature(precision_m=-1), "/properties/precision_m", "greater"),
    "coordinates of NaN": (
        feature(geometry=polygon([[121.4, math.nan], *SQUARE[1:]])), "/geometry/coordinates/0/0", "finite"
    ),
    "swapped coordinates": (
        feature(geometry=polygon([[y, x] for x, y in SQUARE])), "/geometry/coordinates/0/0", "look swapped"
    ),
    "a bow-tie": (
        feature(geometry=polygon([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]])),
        "/geometry/coordinates/0/2",
        "they cross",
    ),
    "a screen text for a compound": (
        feature(unit={"kind": "compound", "district": "黄浦区", "compound": "（滑动查看更多↓）"}),
        "/properties/unit/compound",
        "a text of a screen",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "pointer", "detail"), FEATURES.values(), ids=list(FEATURES))
def test_a_bad_feature_is_named_by_part_index_and_pointer(given: Any, pointer: str, detail: str) -> None:
    fault = only(part(feature("z-0"), policies=[policy()]), part(feature("z-00"), given))
    assert (fault.part, fault.feature, fault.pointer) == (2, 1, f"/features/1{pointer}")
    assert detail in fault.detail


def test_an_infinite_literal_is_a_fault_of_its_place() -> None:
    raw = part(feature(geometry=polygon(SQUARE)), policies=[policy()]).replace(
        b"121.5, 31.2]", b"1e999, 31.2]"
    )
    assert only(raw).pointer == "/features/0/geometry/coordinates/0/1"


def test_a_bad_policy_is_named_and_the_zones_under_it_are_not() -> None:
    raw = part(feature("z-1"), feature("z-2"), policies=[policy(handovers=["window"])])
    assert pointers(raw) == [(1, None, "/policies/0/handovers/0")]


def test_one_policy_version_says_one_thing() -> None:
    raw = part(feature("z-1"), policies=[policy(), policy(essential_only=True)])
    assert pointers(raw) == [(1, None, "/policies/1")]


def test_a_published_policy_version_cannot_be_rewritten() -> None:
    changed = part(feature("z-1"), feature("z-2"), policies=[policy(essential_only=True)])
    for mode in ("replace", "amend"):
        assert pointers(changed, base=BASE, begun=start(mode)) == [(1, None, "/policies/0")]
    moved = part(feature("z-1", policy="sealed@2"), policies=[policy(version=2, essential_only=True)])
    assert content(moved, base=BASE).policies[0].reference == "sealed@2"


def test_a_zone_stands_once_in_an_upload() -> None:
    fault = only(part(feature("z-1"), policies=[policy()]), part(feature("z-1")))
    assert (fault.part, fault.pointer) == (2, "/features/0/properties/zone_id")
    assert "see part 1, /features/0" in fault.detail


def district(zone_id: str, name: str) -> dict[str, Any]:
    return feature(zone_id, unit={"kind": "district", "district": name})


def test_a_district_named_under_two_spellings_is_refused() -> None:
    raw = part(district("z-1", "黄浦区"), district("z-2", "黄浦"), policies=[policy()])
    assert pointers(raw) == [(1, 1, "/features/1/properties/unit/district")]
    base = content(part(district("z-1", "黄浦区"), policies=[policy()]))
    amending = {"base": base, "begun": start("amend")}
    assert pointers(part(district("z-2", "黄浦")), **amending) == [
        (1, 0, "/features/0/properties/unit/district")
    ]
    assert len(content(part(district("z-2", " 黄浦 区")), **amending).zones) == 2


def test_compounds_may_spell_their_district_either_way() -> None:
    bare = feature("z-2", unit={"kind": "compound", "district": "黄浦", "compound": "x"})
    assert len(content(part(feature("z-1"), bare, policies=[policy()])).zones) == 2


def test_an_empty_feed_opens_nothing() -> None:
    for parts in ([], [part()], [part(policies=[policy()])]):
        fault = only(*parts, base=BASE)
        assert (fault.part, fault.pointer) == (None, "")
        assert "opens nothing" in fault.detail


def test_an_amendment_of_nothing_and_one_by_nothing_are_refused() -> None:
    assert pointers(part(feature("z-1"), policies=[policy()]), begun=start("amend")) == [
        (None, None, "/mode")
    ]
    assert pointers(part(), base=BASE, begun=start("amend")) == [(None, None, "")]


@pytest.mark.parametrize("mode", ["replace", "amend"])
@pytest.mark.parametrize("clock", ["Europe/Rome", "UTC"])
def test_rules_on_another_clock_than_their_markets_are_refused(mode: str, clock: str) -> None:
    begun = start(mode, time_zone=clock)
    fault = only(part(feature("z-1"), policies=[policy()]), base=BASE, begun=begun)
    assert (fault.part, fault.pointer, fault.value) == (None, "/time_zone", repr(clock))
    assert fault.detail == "'Asia/Shanghai' was expected, the clock of the market 'SHA'"


RELEASES: dict[str, tuple[Any, str]] = {
    "unknown": ("z-7", "/released/0"),
    "too early": ({"zone_id": "z-1", "valid_to": "2022-04-10T00:00:00Z"}, "/released/0/valid_to"),
    "no name": ({"valid_to": "2022-04-12T00:00:00Z"}, "/released/0/zone_id"),
    "no release": (7, "/released/0"),
}


@pytest.mark.parametrize(("given", "pointer"), RELEASES.values(), ids=list(RELEASES))
def test_a_bad_release_is_named(given: Any, pointer: str) -> None:
    assert pointers(part(released=[given]), base=BASE, begun=start("amend")) == [(1, None, pointer)]


def test_a_zone_is_not_stated_and_released_at_once() -> None:
    raw = part(feature("z-1"), released=["z-1"])
    assert pointers(raw, base=BASE, begun=start("amend")) == [(1, None, "/released/0")]
    assert pointers(part(released=["z-1", "z-1"]), base=BASE, begun=start("amend")) == [
        (1, None, "/released/1")
    ]


def test_releases_belong_to_amendments() -> None:
    raw = part(feature("z-1"), policies=[policy()], released=["z-2"])
    assert pointers(raw, base=BASE) == [(1, None, "/released/0")]


def test_the_first_fifty_faults_are_listed_and_all_are_counted() -> None:
    found = faults(part(*(feature(f"z-{n}", level="?") for n in range(80)), policies=[policy()]))
    assert (len(found.listed), found.count) == (FAULTS, 80)


def test_one_fault_does_not_hide_another() -> None:
    raw = part(feature("z-1", level="?"), feature("z-2", policy="x@1"), feature("z 3"), policies=[policy()])
    assert {fault.feature for fault in faults(raw).listed} == {0, 1, 2}


@pytest.mark.parametrize(
    "name",
    [
        "（滑动查看更多↓）",
        "点击查看",
        "Swipe for more",
        "click here",
        "……",
        "--",
        "null",
        "<b>",
        "https://x.cn",
        "未知",
    ],
)
def test_screen_texts_and_words_for_nothing_are_junk(name: str) -> None:
    assert junk(name) is not None


@pytest.mark.parametrize(
    "name", ["永嘉路600弄", "Showroom", "None", "A-3", "小区（二期）", "Clickton Court", "无锡路1号"]
)
def test_names_are_no_junk(name: str) -> None:
    assert junk(name) is None


def test_real_lists_are_names_but_for_the_screen_text(shared: Path) -> None:
    found: dict[str, int] = {}
    count = 0
    for file in sorted((shared / "data/shanghai").glob("addresses_*.json")):
        for district in json.loads(file.read_text()).values():
            for name, *_ in district["addressWithLocation"]:
                count += 1
                if junk(name):
                    found[name] = found.get(name, 0) + 1
    assert count > 10_000
    assert all("滑动查看更多" in name for name in found), found
    assert sum(found.values()) > 50
