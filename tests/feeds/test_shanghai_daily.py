from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.places import Address
from chalicelib.domain.policies import Level
from chalicelib.domain.uploads import Content, UploadState
from chalicelib.domain.zones import Rules, Zone
from chalicelib.flows import consult, enlist
from tests import fakes
from tests.feeds import lists
from tests.feeds.shanghai import RULES, after, begun, city, district, file, morning_after, run
from tests.maps import content as ours
from tests.maps import market, part, start

HERE = ZoneInfo("Asia/Shanghai")
LANE = "永嘉路123弄"


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=HERE)


def atlas(content: Content) -> Atlas:
    return Atlas(
        Rules(
            market_id="SHA",
            version=1,
            digest="",
            time_zone=content.time_zone,
            datum=content.datum,
            published_at=fakes.NOON,
            zones=content.zones,
            policies=content.policies,
        )
    )


def level(
    content: Content, line: str, at: str, district: str = "黄浦区", point: Any = None, **more: Any
) -> Level:
    address = Address(country="CN", city="上海市", district=district, line=line, **more)
    start = local(at)
    regime = atlas(content).regime(address, point, 20, start, start + timedelta(hours=1), local("2024-01-01"))
    return regime.level


def sealed(content: Content) -> list[Zone]:
    return [zone for zone in content.zones if zone.level is Level.SEALED]


def days(*named: int, month: int = 5) -> list[str]:
    return [f"2022-{month:02d}-{day:02d}" for day in named]


def quiet(*named: int) -> dict[str, bytes]:
    return {day: file({"宝山区": ["友谊路1弄"]}) for day in days(*named)}


# --- what a list says ---------------------------------------------------------------------------------------


def test_a_listed_address_is_sealed_from_the_day_of_the_list_and_known_from_the_morning_after() -> None:
    found = after(city(), "2022-05-01", file({"黄浦区": [LANE]}))
    (zone,) = sealed(found)
    assert zone.valid_from == local("2022-05-01")
    assert zone.known_since == morning_after("2022-05-01")
    assert (zone.policy_reference, zone.valid_to) == ("shanghai-sealed@2", None)
    assert zone.expected_end == local("2022-05-08"), "a forecast: seven days"
    assert level(found, f"{LANE}5号302室", "2022-05-20T10:00") is Level.SEALED, "which releases nothing"
    assert level(found, "永嘉路125弄5号302室", "2022-05-20T10:00") is Level.PRECAUTIONARY


def test_edge_case_05_a_list_is_in_force_before_it_is_known() -> None:
    found = after(city(), "2022-04-12", file({"黄浦区": [LANE]}))
    address = Address(country="CN", city="上海市", district="黄浦区", line=LANE)
    that_night = (local("2022-04-12T20:00"), local("2022-04-12T21:00"))
    then, later = local("2022-04-12T20:00"), morning_after("2022-04-12")
    assert atlas(found).regime(address, None, 0, *that_night, then).level is Level.PRECAUTIONARY
    assert atlas(found).regime(address, None, 0, *that_night, later).level is Level.SEALED


def test_edge_case_05_a_district_that_is_behind_the_others_is_not_open() -> None:
    base = after(city(), "2022-05-01", file({"黄浦区": [LANE]}))
    early = after(base, "2022-05-02", file({"宝山区": ["友谊路1弄"]}, without=("浦东新区",)))
    assert level(early, "世纪大道8号", "2022-05-02T10:00", "浦东新区") is Level.NO_ACCESS
    assert level(early, "世纪大道8号", "2022-05-01T10:00", "浦东新区") is Level.PRECAUTIONARY, (
        "that day was heard"
    )
    assert level(early, "永嘉路1弄", "2022-05-02T10:00") is Level.PRECAUTIONARY
    late = lists.content(
        json.dumps({"浦东新区": {"addressWithLocation": [["世纪大道9号", None, None]]}}).encode(),
        begun("2022-05-02"),
        early,
        now=morning_after("2022-05-02") + timedelta(hours=3),
    )
    assert level(late, "世纪大道8号", "2022-05-02T10:00", "浦东新区") is Level.PRECAUTIONARY
    assert level(late, "世纪大道9号", "2022-05-02T10:00", "浦东新区") is Level.SEALED


def test_edge_case_05_lists_that_stop_coming_open_nothing_whatever_else_is_published() -> None:
    """Another source keeps the market's rules fresh; of new cases nobody hears any more."""
    found = run({"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2)})

    def holds(at: str, content: Content = found) -> bool:
        address = Address(country="CN", city="上海市", district="黄浦区", line="永嘉路1弄")
        start = local(at)
        regime = atlas(content).regime(
            address, None, 0, start, start + timedelta(minutes=1), local("2024-01-01")
        )
        return regime.is_unknown and regime.handovers is None

    assert not holds("2022-05-04T23:59")
    assert holds("2022-05-05T00:00"), "two days and a half after the last list was due"
    later = run(quiet(3), found)
    assert (holds("2022-05-05T00:00", later), holds("2022-05-06T00:00", later)) == (False, True)
    assert run({"2022-05-01": file({"黄浦区": [LANE]})}, later) == later, (
        "an older one does not bring it nearer"
    )


def test_the_same_list_again_says_nothing_new() -> None:
    once = after(city(), "2022-05-01", file({"黄浦区": [LANE]}))
    again = after(once, "2022-05-01", file({"黄浦区": [LANE]}), now=morning_after("2022-05-03"))
    assert again == once


def test_an_edited_list_of_the_same_day_adds_and_opens_nothing() -> None:
    once = after(city(), "2022-05-01", file({"黄浦区": [LANE]}))
    edited = after(once, "2022-05-01", file({"黄浦区": ["永嘉路200弄"]}))
    assert len(sealed(edited)) == 2


# --- how long -----------------------------------------------------------------------------------------------


def test_seven_days_are_over_when_a_list_of_each_was_read_and_controlled_days_follow() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3, 4, 5, 6)})
    assert level(found, LANE, "2022-05-08T10:00") is Level.SEALED
    found = run(quiet(7), found)
    assert level(found, LANE, "2022-05-07T23:30") is Level.SEALED
    assert level(found, LANE, "2022-05-08T00:00") is Level.CONTROLLED
    assert level(found, LANE, "2022-06-30T00:00") is Level.CONTROLLED, (
        "no list says that all tests are negative"
    )


def test_a_list_that_is_missing_may_have_named_it() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3, 5, 6, 7, 8, 9)})
    assert level(found, LANE, "2022-05-12T10:00") is Level.SEALED
    found = run({**quiet(4)}, found)
    assert level(found, LANE, "2022-05-12T10:00") is Level.CONTROLLED


def test_cases_that_are_counted_and_not_named_may_be_there() -> None:
    counted = file({"宝山区": ["友谊路1弄"]}, 黄浦区=3)
    found = run(
        {"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3), "2022-05-04": counted, **quiet(5, 6, 7)}
    )
    assert level(found, LANE, "2022-05-12T10:00") is Level.SEALED
    assert level(found, "永嘉路1弄", "2022-05-12T10:00") is Level.PRECAUTIONARY, "its list did come"


def test_another_case_restarts_the_seven_days() -> None:
    found = run(
        {"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3), "2022-05-04": file({"黄浦区": [LANE]})}
    )
    (zone,) = [zone for zone in sealed(found) if zone.unit is not None and zone.unit.district == "黄浦区"]
    assert (zone.valid_from, zone.expected_end) == (local("2022-05-01"), local("2022-05-11"))
    assert zone.known_since == morning_after("2022-05-04"), "imported together, as of the newest"
    found = run(quiet(5, 6, 7, 8, 9, 10), found)
    assert level(found, LANE, "2022-05-10T10:00") is Level.SEALED
    assert level(found, LANE, "2022-05-11T10:00") is Level.CONTROLLED


def test_a_case_on_the_very_day_of_the_end_goes_on_and_leaves_no_controlled_days() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3, 4, 5, 6, 7)})
    found = run({"2022-05-08": file({"黄浦区": [LANE]})}, found)
    levels = [level(found, LANE, f"{day}T10:00") for day in days(7, 8, 14, 20)]
    assert levels == [Level.SEALED] * 4
    assert not [zone for zone in found.zones if zone.zone_id.endswith(".after")]


def test_times_are_kept_in_utc_however_they_were_made() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3, 4, 5, 6, 7)})
    times = [
        time for z in found.zones for time in (z.valid_from, z.valid_to, z.expected_end) if time is not None
    ]
    assert {time.tzinfo for time in times} == {UTC}


def test_a_case_in_the_controlled_days_seals_again() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3, 4, 5, 6, 7, 8)})
    found = run({"2022-05-09": file({"黄浦区": [LANE]})}, found)
    levels = [level(found, LANE, f"{day}T10:00") for day in days(7, 8, 9, 20)]
    assert levels == [Level.SEALED, Level.CONTROLLED, Level.SEALED, Level.SEALED]


def test_what_somebody_released_stays_released_until_a_later_case() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]})})
    (zone,) = sealed(found)
    released = part(released=[{"zone_id": zone.zone_id, "valid_to": "2022-05-04T12:00:00+08:00"}])
    found = ours(released, base=found, begun=start("amend"), now=morning_after("2022-05-03"))
    found = run(quiet(2, 3, 4, 5), found)
    assert level(found, LANE, "2022-05-05T10:00") is Level.PRECAUTIONARY
    found = run({"2022-05-06": file({"黄浦区": [LANE]})}, found)
    assert level(found, LANE, "2022-05-05T10:00") is Level.PRECAUTIONARY
    assert level(found, LANE, "2022-05-06T10:00") is Level.SEALED


def test_a_release_at_the_very_end_of_the_term_is_a_release_all_the_same() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]})})
    (zone,) = sealed(found)
    released = part(released=[{"zone_id": zone.zone_id, "valid_to": "2022-05-08T00:00:00+08:00"}])
    found = ours(released, base=found, begun=start("amend"), now=morning_after("2022-05-06"))
    found = run(quiet(6, 7, 8), found)
    assert level(found, LANE, "2022-05-08T10:00") is Level.PRECAUTIONARY


def test_controlled_days_that_somebody_ended_stay_ended() -> None:
    found = run({"2022-05-01": file({"黄浦区": [LANE]}), **quiet(2, 3, 4, 5, 6, 7)})
    (zone,) = [zone for zone in found.zones if zone.level is Level.CONTROLLED]
    released = part(released=[{"zone_id": zone.zone_id, "valid_to": "2022-05-12T12:00:00+08:00"}])
    found = ours(released, base=found, begun=start("amend"), now=morning_after("2022-05-12"))
    found = run(quiet(13, 14), found)
    assert level(found, LANE, "2022-05-12T11:00") is Level.CONTROLLED
    assert level(found, LANE, "2022-05-12T13:00") is Level.PRECAUTIONARY


def test_edge_case_08_the_rules_are_those_of_the_day_of_the_case() -> None:
    before = after(city(), "2022-04-10", file({"黄浦区": [LANE]}))
    assert sealed(before)[0].policy_reference == "shanghai-sealed@1"
    assert (
        sealed(after(before, "2022-04-11", file({"黄浦区": [LANE]})))[0].policy_reference
        == "shanghai-sealed@2"
    )


def said(content: Content) -> list[Any]:
    """All but when it was known: lists that are read in another order are known at other times."""
    return [zone.model_copy(update={"known_since": fakes.NOON}) for zone in content.zones]


LISTS = st.dictionaries(
    st.sampled_from(days(*range(1, 25))), st.sets(st.sampled_from(["永嘉路1弄", "永嘉路2弄"])), min_size=1
)


@settings(max_examples=15)
@given(LISTS, st.randoms(use_true_random=False))
def test_lists_say_the_same_in_whatever_order_they_are_read(named: dict[str, set[str]], chance: Any) -> None:
    files = {
        day: file({"黄浦区": sorted(lines), "宝山区": ["友谊路1弄"]}) for day, lines in sorted(named.items())
    }
    order = list(files)
    chance.shuffle(order)
    assert said(run(files)) == said(run({day: files[day] for day in order}))


@settings(max_examples=15)
@given(LISTS, st.sampled_from(days(*range(1, 25))))
def test_one_more_list_opens_no_place_that_it_names_and_none_within_seven_days(
    named: dict[str, set[str]], day: str
) -> None:
    files = {
        on: file({"黄浦区": sorted(lines), "宝山区": ["友谊路1弄"]}) for on, lines in sorted(named.items())
    }
    found = run({**files, day: file({"黄浦区": ["永嘉路1弄"]})})
    for past in range(7):
        at = (local(day) + timedelta(days=past, hours=9)).strftime("%Y-%m-%dT%H:%M")
        assert level(found, "永嘉路1弄", at) is Level.SEALED


# --- names and points ---------------------------------------------------------------------------------------


def test_edge_case_33_a_lane_is_met_by_its_houses_a_name_by_its_spellings() -> None:
    raw = file({"黄浦区": ["福汇路39-49号", "天山四村（住宅）", "制造局路833弄7号"]})
    found = after(city(), "2022-05-01", raw)
    at = "2022-05-02T10:00"
    assert [level(found, line, at) for line in ("福汇路44号", "天山4村12号301室", "制造局路833弄")] == [
        Level.SEALED
    ] * 3
    assert level(found, "制造局路833弄8号", at) is Level.PRECAUTIONARY
    assert level(found, "天山四村", at, "徐汇区") is Level.PRECAUTIONARY, "a namesake in another district"


def test_edge_case_34_points_that_cannot_be_believed_draw_nothing() -> None:
    good, shared, elsewhere = [31.2294, 121.4879], [31.2295, 121.4880], [30.75, 121.34]
    raw = file({"黄浦区": [["永嘉路1弄", *good], ["永嘉路2弄", *shared], ["永嘉路3弄", *shared],
                         ["新建路145号", *elsewhere], ["永嘉路5弄", 23.5, 121.0]],
                "徐汇区": [["永嘉路6弄", 31.2, 121.45]]})  # fmt: skip
    found, reading = lists.settled(raw, begun("2022-05-01"), city(), now=morning_after("2022-05-01"))
    assert isinstance(found, Content)
    assert {z.unit.address: bool(z.polygons) for z in sealed(found) if z.unit} == {
        "永嘉路1弄": True, "永嘉路2弄": False, "永嘉路3弄": False, "新建路145号": False, "永嘉路5弄": False, "永嘉路6弄": False
    }  # fmt: skip
    told = " ".join(remark.detail for remark in reading.remarks.listed)
    assert "2 of 黄浦区 with a point that others have as well" in told
    assert "1 of 黄浦区 geocoded outside the district" in told
    assert "1 of 黄浦区 geocoded outside the market" in told
    assert "1 of 徐汇区 in a district that is not drawn" in told
    assert level(found, "新建路145号", "2022-05-02T10:00") is Level.SEALED, (
        "by its name, wherever its point is"
    )


def test_a_point_is_a_fallback_for_what_no_key_compares() -> None:
    raw = file({"黄浦区": [["永嘉路1弄", 31.2294, 121.4879]]})
    found = after(city(), "2022-05-01", raw)
    (zone,) = sealed(found)
    ring = zone.polygons[0][0]
    inside = (sum(x for x, _ in ring[:-1]) / 8, sum(y for _, y in ring[:-1]) / 8)
    near = (inside[0] + 0.001, inside[1])  # 95 m
    at = "2022-05-02T10:00"
    assert level(found, "永嘉新苑", at, point=inside) is Level.SEALED, "the same place under its name"
    assert level(found, "永嘉新苑", at, point=near) is Level.SEALED, "or near enough to be it"
    assert level(found, "永嘉路2弄", at, point=near) is Level.PRECAUTIONARY, "a neighbour by its own number"
    assert level(found, "永嘉路2弄", at, point=inside) is Level.SEALED


def test_edge_case_35_a_text_of_the_screen_is_left_out_by_name() -> None:
    raw = file({"黄浦区": [["（滑动查看更多↓）", 23.6, 120.9], LANE, "工地（闭环管理）"]})
    found, reading = lists.settled(raw, begun("2022-05-01"), city(), now=morning_after("2022-05-01"))
    assert isinstance(found, Content)
    assert len(sealed(found)) == 1
    named = {remark.value: (remark.pointer, remark.feature) for remark in reading.remarks.listed}
    assert named["'（滑动查看更多↓）'"] == ("/黄浦区/addressWithLocation/0/0", 0)
    assert named["'工地（闭环管理）'"] == ("/黄浦区/addressWithLocation/2/0", 2)


def test_edge_case_35_a_district_with_cases_and_only_junk_was_not_told() -> None:
    raw = file({"黄浦区": [LANE], "金山区": ["（滑动查看更多↓）"]}, 金山区=14)
    _, reading = lists.settled(raw, begun("2022-05-01"), city(), now=morning_after("2022-05-01"))
    assert [r.value for r in reading.remarks.listed if "no address is named" in r.detail] == ["14"]


def test_edge_case_36_districts_are_joined_whatever_their_spelling() -> None:
    raw = json.dumps({"黄浦": {"addressWithLocation": [[LANE, None, None]]}}).encode()
    found = lists.content(raw, begun("2022-05-01"), city(), now=morning_after("2022-05-01"))
    assert level(found, LANE, "2022-05-01T10:00", "黄浦区") is Level.SEALED
    twice = json.dumps({"黄浦": {"addressWithLocation": []}, "黄浦区": {"addressWithLocation": []}}).encode()
    fault = lists.faults(twice, begun("2022-05-01"), city(), now=morning_after("2022-05-01")).listed[0]
    assert (fault.pointer, "whatever its spelling" in fault.detail) == ("/黄浦区", True)


def test_edge_case_39_a_zone_known_only_by_name_is_met_by_name_and_a_vague_address_waits() -> None:
    found = after(city(), "2022-05-01", file({"静安区": ["昌平路418弄"]}))
    at = local("2022-05-02T10:00")
    laid = atlas(found)

    def vague(line: str, **more: str) -> bool:
        address = Address(country="CN", city="上海市", district="静安区", line=line, **more)
        return laid.needs_compound(address, at, at + timedelta(hours=1), at)

    assert level(found, "昌平路418弄2号", "2022-05-02T10:00", "静安区") is Level.SEALED
    assert vague("静安豪园"), "it may be that lane"
    assert not vague("昌平路420弄2号")


# --- bad files ----------------------------------------------------------------------------------------------

BAD: dict[str, tuple[bytes, str, str]] = {
    "no JSON": (b"{", "", "a JSON file was expected"),
    "a list": (b"[]", "", "an object of districts"),
    "a name twice": (b'{"a": 1, "a": 2}', "", "every name once"),
    "another city": (b'{"\xe6\x9c\x9d\xe9\x98\xb3\xe5\x8c\xba": {"addressWithLocation": []}}', "/朝阳区", "a district of Shanghai"),
    "no addresses": (json.dumps({"黄浦区": {}}).encode(), "/黄浦区/addressWithLocation", "a list of addresses"),
    "no line": (file({"黄浦区": [[1, 2]]}), "/黄浦区/addressWithLocation/0", "[address, latitude, longitude]"),
    "swapped": (file({"黄浦区": [[LANE, 121.4, 31.2]]}), "/黄浦区/addressWithLocation/0/1", "look swapped"),
    "half a point": (file({"黄浦区": [[LANE, 31.2, None]]}), "/黄浦区/addressWithLocation/0", "two finite numbers"),
    "no number": (file({"黄浦区": [[LANE, True, 121.4]]}), "/黄浦区/addressWithLocation/0", "two finite numbers"),
    "a number too long": (file({"黄浦区": [[LANE, 10**400, 121.4]]}), "/黄浦区/addressWithLocation/0", "two finite numbers"),
    "other junk": (file({"黄浦区": ["暂无"]}), "/黄浦区/addressWithLocation/0/0", "a word for nothing"),
    "nothing at all": (file(), "", "an empty list opens nothing"),
    "nothing in it": (b"{}", "", "an empty list opens nothing"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "pointer", "detail"), BAD.values(), ids=list(BAD))
def test_what_is_wrong_with_a_list_is_said_where_it_stands(raw: bytes, pointer: str, detail: str) -> None:
    fault = lists.faults(raw, begun("2022-05-01"), city(), now=morning_after("2022-05-01")).listed[0]
    assert fault.pointer == pointer
    assert detail in fault.detail


def test_a_list_of_new_cases_replaces_nothing_and_is_not_of_tomorrow() -> None:
    raw = file({"黄浦区": [LANE]})
    assert lists.faults(raw, begun("2022-05-01", mode="replace")).listed[0].pointer == "/mode"
    assert lists.faults(raw, begun("2022-05-01"), city(), now=fakes.NOON).listed[0].pointer == "/day"


@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "2019-12-31"])
def test_a_day_long_before_there_were_lists_is_a_fault(day: str) -> None:
    fault = lists.faults(file({"黄浦区": [LANE]}), begun(day), city()).listed[0]
    assert (fault.part, fault.pointer) == (None, "/day")
    assert "from 2020-01-01 up to today" in fault.detail


@pytest.mark.parametrize("basis", ["as the mayor said", "2022-05-01/soon", "0001-01-01/9999-12-31"])
def test_what_somebody_else_wrote_about_the_lists_that_were_read_stops_no_list(basis: str) -> None:
    before = run({"2022-05-01": file({"黄浦区": [LANE]})})
    zones = tuple(
        zone.model_copy(update={"basis": basis}) if zone.zone_id.endswith(".lists") else zone
        for zone in before.zones
    )
    found = after(replace(before, zones=zones), "2022-05-02", file({"静安区": [LANE]}))
    assert level(found, LANE, "2022-05-03T10:00") is Level.SEALED
    (zone,) = [zone for zone in found.zones if zone.zone_id.endswith(".310101.lists")]
    assert zone.basis in ("2022-05-02", "2020-01-01/2023-05-04")


def test_a_count_longer_than_any_number_still_says_that_there_are_cases() -> None:
    raw = file({"静安区": [LANE]}, 黄浦区=0)
    stated = json.loads(raw)
    stated["黄浦区"]["cases"] = "9" * 5000
    found = after(city(), "2022-05-01", json.dumps(stated).encode())
    (zone,) = [zone for zone in found.zones if zone.zone_id == "shanghai-daily.310101.lists"]
    assert "cases without addresses 2022-05-01" in zone.basis


def test_an_old_list_that_is_sent_again_and_again_does_not_keep_the_rules_fresh() -> None:
    clock = fakes.FakeClock(morning_after("2022-05-01"))
    world = fakes.world(clock=clock)
    enlist.put_market(world, market())
    raw = part(*(district(name) for name in ("黄浦区", "静安区")), policies=RULES)
    lists.handed_in(world, "SHA", raw, mode="replace")
    told: dict[str, Any] = {"format": "shanghai_daily", "day": "2022-05-01", "datum": "BD09"}
    lists.handed_in(world, "SHA", file({"黄浦区": [LANE]}), **told)
    fresh = []
    for _ in range(10):
        clock.forward(hours=6)
        assert lists.handed_in(world, "SHA", file({"黄浦区": [LANE]}), **told).unchanged is True
        found = consult.atlas(world, "SHA")
        assert found is not None
        fresh.append(not found.is_stale(clock()))
    assert fresh == [True] * 7 + [False] * 3, "36 hours after the last time it was news"
    told["day"] = "2022-05-03"
    lists.handed_in(world, "SHA", file({"静安区": [LANE]}), **told)
    again = consult.atlas(world, "SHA")
    assert again is not None
    assert not again.is_stale(clock())


def test_a_list_is_handed_in_published_and_in_force() -> None:
    clock = fakes.FakeClock(morning_after("2022-05-01"))
    world = fakes.world(clock=clock)
    enlist.put_market(world, market())
    raw = part(*(district(name) for name in ("黄浦区", "静安区")), policies=RULES)
    assert lists.handed_in(world, "SHA", raw, mode="replace").state is UploadState.PUBLISHED
    told: dict[str, Any] = {"format": "shanghai_daily", "day": "2022-05-01", "datum": "BD09"}
    upload = lists.handed_in(world, "SHA", file({"黄浦区": [LANE]}), cut=100, **told)
    assert (upload.state, upload.faults) == (UploadState.PUBLISHED, ())
    assert lists.handed_in(world, "SHA", file({"黄浦区": [LANE]}), **told).unchanged is True
    found = consult.atlas(world, "SHA")
    assert found is not None
    address = Address(country="CN", city="上海市", district="黄浦区", line=LANE)
    assert "shanghai-sealed@2" in {zone.policy_reference for zone in found.named(address)}
