from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.policies import Level
from chalicelib.domain.reading import Faults
from chalicelib.domain.uploads import Content, UploadStart
from chalicelib.domain.zones import Zone
from tests.feeds import lists
from tests.feeds.shanghai import RULES, district
from tests.feeds.test_shanghai_daily import level, local
from tests.maps import content as ours
from tests.maps import part, policy

WORDING = {
    "words": {
        "level": {"high": "sealed", "medium": "controlled", "low": "precautionary"},
        "policy": {"high": "shanghai-sealed@2", "medium": "shanghai-controlled@2", "low": "precautionary@1"},
    }
}
NOW = datetime(2023, 1, 3, tzinfo=UTC)
BASE = ours(part(*(district(name) for name in ("黄浦区", "浦东新区")), policies=RULES))


def begun(area: str = "上海市", **changes: Any) -> UploadStart:
    return lists.start(**{"format": "risk_list", "area": area, "wording": WORDING, **changes})


def row(county: str, *places: str, province: str = "上海市", city: str = "上海市") -> dict[str, Any]:
    name = f"{province} {city} {county}"
    return {
        "type": "2",
        "province": province,
        "city": city,
        "county": county,
        "area_name": name,
        "communitys": places,
    }


def file(at: str, high: Any = (), medium: Any = (), **changes: Any) -> bytes:
    def count(rows: Any) -> int:
        return sum(len(each["communitys"]) for each in rows)

    data = {"end_update_time": at, "hcount": count(high), "mcount": count(medium), "highlist": list(high), "middlelist": list(medium)}  # fmt: skip
    return json.dumps({"data": {**data, **changes}, "code": 0, "msg": ""}).encode()


ELSEWHERE = row("安次区", "葛渔城镇", province="河北省", city="廊坊市")
FIRST = file(
    "2022-04-15 11时",
    [ELSEWHERE],
    [row("黄浦区", "打浦桥街道顺昌路612弄20号"), row("浦东新区", "日京路88号")],
)


def read(raw: bytes, base: Content = BASE, **changes: Any) -> Content:
    return lists.content(raw, begun(**changes), base, now=NOW)


def wrong(raw: bytes, base: Content = BASE, **changes: Any) -> Faults:
    return lists.faults(raw, begun(**changes), base, now=NOW)


def named(content: Content) -> list[Zone]:
    return [
        z for z in content.zones if z.zone_id.startswith("china-risk.") and z.unit and z.unit.kind != "market"
    ]


def official(shared: Path, name: str) -> bytes:
    return (shared / f"data/risk-lists/{name}.json").read_bytes()


def test_only_this_citys_places_become_zones_from_the_lists_hour() -> None:
    found = read(FIRST)
    assert sorted(z.unit.address for z in named(found) if z.unit and z.unit.address) == [
        "打浦桥街道顺昌路612弄20号",
        "日京路88号",
    ]
    assert {z.valid_from for z in named(found)} == {local("2022-04-15T11:00")}
    assert level(found, "顺昌路612弄20号", "2022-04-16T10:00") is Level.CONTROLLED
    assert level(found, "顺昌路612弄", "2022-04-16T10:00") is Level.CONTROLLED, "it may be that house"
    assert level(found, "顺昌路612弄21号", "2022-04-16T10:00") is Level.PRECAUTIONARY


def test_a_place_that_a_later_list_leaves_out_is_over_from_its_hour() -> None:
    later = read(file("2022-04-20 20时", [ELSEWHERE], [row("浦东新区", "日京路88号")]), read(FIRST))
    assert level(later, "顺昌路612弄20号", "2022-04-20T19:30") is Level.CONTROLLED
    assert level(later, "顺昌路612弄20号", "2022-04-20T20:00") is Level.PRECAUTIONARY
    assert level(later, "日京路88号", "2022-04-21T10:00", "浦东新区") is Level.CONTROLLED


def test_a_place_that_goes_up_is_what_it_was_until_that_hour() -> None:
    later = read(
        file("2022-04-20 20时", [ELSEWHERE, row("浦东新区", "日京路88号")], [row("黄浦区", "顺昌路1号")]),
        read(FIRST),
    )
    assert level(later, "日京路88号", "2022-04-20T19:00", "浦东新区", ) is Level.CONTROLLED  # fmt: skip
    assert level(later, "日京路88号", "2022-04-20T20:00", "浦东新区") is Level.SEALED


def test_when_the_levels_mean_something_else_places_that_stay_on_the_list_do_as_well() -> None:
    stricter = {name: {**words, "medium": words["high"]} for name, words in WORDING["words"].items()}
    rows = [row("黄浦区", "打浦桥街道顺昌路612弄20号"), row("浦东新区", "日京路88号")]
    later = read(file("2022-04-20 20时", [ELSEWHERE], rows), read(FIRST), wording={"words": stricter})
    assert level(later, "顺昌路612弄20号", "2022-04-20T19:00") is Level.CONTROLLED
    assert level(later, "顺昌路612弄20号", "2022-04-20T20:00") is Level.SEALED
    assert level(later, "顺昌路612弄20号", "2022-05-20T20:00") is Level.SEALED
    back = read(file("2022-04-21 08时", [ELSEWHERE], rows), later)
    assert level(back, "顺昌路612弄20号", "2022-05-20T20:00") is Level.SEALED, "nothing is loosened by a word"
    assert named(back) == named(later)
    over = read(file("2022-04-22 08时", [ELSEWHERE], rows[1:]), back)
    assert level(over, "顺昌路612弄20号", "2022-04-22T08:00") is Level.PRECAUTIONARY


def test_a_list_that_is_read_for_another_city_ends_nothing() -> None:
    first = read(FIRST)
    raw = file(
        "2022-04-20 20时", [row("朝阳区", "酒仙桥街道", province="北京市", city="北京市")], [ELSEWHERE]
    )
    fault = wrong(raw, first, area="北京市").listed[0]
    assert (fault.part, fault.pointer, "'上海市' was expected" in fault.detail) == (None, "/area", True)


def test_a_list_that_names_nothing_here_any_more_ends_nothing_and_says_so() -> None:
    raw = file("2022-04-20 20时", [ELSEWHERE])
    found, reading = lists.settled(raw, begun(), read(FIRST), now=NOW)
    assert isinstance(found, Content)
    assert [zone.valid_to for zone in named(found)] == [None, None]
    assert any("stays until somebody releases it" in remark.detail for remark in reading.remarks.listed)


def test_edge_case_05_an_older_list_that_comes_late_is_refused_and_the_same_one_is_nothing_new() -> None:
    once = read(FIRST)
    assert read(FIRST, once) == once
    fault = wrong(file("2022-04-14 20时", [ELSEWHERE]), once).listed[0]
    assert (fault.pointer, "from 2022-04-15T11:00:00+08:00 on" in fault.detail) == (
        "/data/end_update_time",
        True,
    )


def test_edge_case_07_a_file_in_which_every_list_is_empty_opens_nothing(shared: Path) -> None:
    fault = wrong(official(shared, "2023010215-f950a1b2"), read(FIRST)).listed[0]
    assert (fault.pointer, "discontinued or broken" in fault.detail) == ("/data", True)


def test_edge_case_07_counts_are_of_places_and_not_of_rows(shared: Path) -> None:
    raw = official(shared, "2022041511-b38a8084")
    data = json.loads(raw)["data"]
    assert (data["hcount"], len(data["highlist"])) == (15, 12)
    found = read(raw)
    assert len(named(found)) == 13
    assert {zone.level for zone in named(found)} == {Level.CONTROLLED}
    again = read(official(shared, "2022051520-ef177961"), found)
    assert [zone.zone_id for zone in named(again)] == [zone.zone_id for zone in named(found)], (
        "the same thirteen"
    )


def test_edge_case_07_a_list_that_lacks_some_of_its_places_is_not_believed() -> None:
    fault = wrong(file("2022-04-15 11时", [ELSEWHERE], hcount=12)).listed[0]
    assert (fault.pointer, fault.value) == ("/data/hcount", "12")


def test_edge_case_07_a_new_key_is_read_where_it_is_known_and_refused_where_it_is_not() -> None:
    low = read(file("2022-07-01 08时", [ELSEWHERE], lowlist=[row("黄浦区", "永嘉路1弄")], lcount=1))
    assert [zone.level for zone in named(low)] == [Level.PRECAUTIONARY]
    fault = wrong(file("2022-07-01 08时", [ELSEWHERE], watchlist=[row("黄浦区", "永嘉路1弄")])).listed[0]
    assert (fault.pointer, "is not known" in fault.detail) == ("/data/watchlist", True)


def test_edge_case_08_what_a_level_means_is_said_by_whoever_hands_the_list_in() -> None:
    wording = {"words": {"level": {"high": "sealed"}, "policy": {"high": "shanghai-sealed@2"}}}
    fault = wrong(FIRST, wording=wording).listed[0]
    assert (fault.part, fault.pointer, "'medium'" in fault.detail) == (None, "/wording/words/level", True)


def test_of_a_municipality_the_city_may_be_the_district() -> None:
    beijing = row("酒仙桥街道", "二街坊", province="北京市", city="朝阳区")
    plain = ours(part(district("黄浦区"), policies=[*RULES, policy("x")]))
    (zone,) = named(read(file("2022-04-15 11时", [beijing]), plain, area="北京市"))
    assert zone.unit is not None
    assert (zone.unit.district, zone.unit.address) == ("朝阳区", "二街坊")


def test_a_place_without_a_key_takes_its_whole_district() -> None:
    raw = file(
        "2022-04-15 11时", [row("浦东新区", "团结路以南、建设路以北区域", "北蔡镇全域")], [row("黄浦区")]
    )
    found, reading = lists.settled(raw, begun(), BASE, now=NOW)
    assert isinstance(found, Content)
    assert level(found, "世纪大道8号", "2022-04-16T10:00", "浦东新区") is Level.SEALED
    assert level(found, "永嘉路1弄", "2022-04-16T10:00") is Level.CONTROLLED
    assert [remark.value for remark in reading.remarks.listed] == [
        "'团结路以南、建设路以北区域'",
        "'北蔡镇全域'",
        "'黄浦区'",
    ]


BAD: dict[str, tuple[bytes, str, str]] = {
    "no JSON": (b"{", "", "a JSON file"),
    "another shape": (b'{"highlist": []}', "/data", "a list with code 0"),
    "an error": (b'{"code": 1, "data": {}}', "/data", "a list with code 0"),
    "no hour": (file("2022-04-15", [ELSEWHERE]), "/data/end_update_time", "an hour such as"),
    "no such hour": (file("2022-04-31 11时", [ELSEWHERE]), "/data/end_update_time", "an hour such as"),
    "tomorrow": (file("2023-01-04 11时", [ELSEWHERE]), "/data/end_update_time", "an hour up to now"),
    "no list": (file("2022-04-15 11时", highlist={}), "/data/highlist", "a list was expected"),
    "no row": (file("2022-04-15 11时", highlist=[7], hcount=0), "/data/highlist/0", "province, city"),
    "junk": (file("2022-04-15 11时", [row("黄浦区", "点击查看")]), "/data/highlist/0/communitys/0", "a text of a screen"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "pointer", "detail"), BAD.values(), ids=list(BAD))
def test_what_is_wrong_with_a_list_is_said_where_it_stands(raw: bytes, pointer: str, detail: str) -> None:
    fault = wrong(raw).listed[0]
    assert fault.pointer == pointer
    assert detail in fault.detail


def test_a_list_is_amended_to_what_the_city_has_ruled() -> None:
    assert (
        lists.faults(FIRST, begun(mode="replace"), now=NOW + timedelta(hours=1)).listed[0].pointer == "/mode"
    )
