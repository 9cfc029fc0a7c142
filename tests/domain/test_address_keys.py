from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.address_keys import address_key, keys_of
from chalicelib.domain.places import Address


def meet(one: str, other: str, district: str = "黄浦区") -> bool:
    there, here = address_key(one, district).may_meet(address_key(other, district)), None
    here = address_key(other, district).may_meet(address_key(one, district))
    assert there == here, "meeting is mutual"
    return there


def address(line: str, **changes: str) -> Address:
    return Address(country="CN", city="上海市", district="黄浦区", line=line, **changes)


def met(order: Address, listed: str) -> bool:
    return any(key.may_meet(address_key(listed, order.district)) for key in keys_of(order))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("永嘉路123弄", "永嘉路１２３弄"),
        ("永嘉路123弄", " 永嘉路 123 弄"),
        ("永嘉路123弄", "上海市黄浦区永嘉路123弄"),
        ("安顺路240弄（住宅）", "安顺路240弄(住宅)"),
        ("安顺路240弄（住宅）", "安顺路240弄"),
        ("愚园路12號", "愚园路12号"),
        ("天山四村（住宅）", "天山4村"),
        ("田林十二村", "田林12村"),
        ("三林镇西林村西林队金家宅", "西林村西林队金家宅"),
        ("康梧路189号工地生活区", "康梧路189号"),
    ],
)
def test_edge_case_36_two_spellings_of_one_address_are_one_key(one: str, other: str) -> None:
    assert address_key(one, "黄浦区").bases[-1] == address_key(other, "黄浦区").bases[-1]
    assert address_key(one, "黄浦区").steps == address_key(other, "黄浦区").steps
    assert meet(one, other)


@pytest.mark.parametrize(
    ("listed", "meeting", "not_meeting"),
    [
        ("福汇路39-49号", ["福汇路39号", "福汇路44号", "福汇路49号"], ["福汇路38号", "福汇路50号", "福汇路44弄"]),
        ("广元西路88-1号", ["广元西路88-1号", "广元西路88号"], ["广元西路1号", "广元西路88-2号", "广元西路87号"]),
        ("大沽路100号（含102号、104号）", ["大沽路102号", "大沽路100号"], ["大沽路103号"]),
        ("重庆北路106、110号", ["重庆北路106号", "重庆北路110号"], ["重庆北路108号"]),
        ("七莘路2465弄30支弄", ["七莘路2465弄", "七莘路2465弄30支弄5号"], ["七莘路2465弄31支弄", "七莘路30弄"]),
        ("制造局路833弄7号", ["制造局路833弄", "制造局路833弄7号"], ["制造局路833弄8号", "制造局路7号"]),
        ("新浜村", ["新浜村乔家宅"], ["新光村"]),
        ("新浜村乔家宅", ["新浜村"], ["新浜村李家宅"]),
    ],
)  # fmt: skip
def test_edge_case_33_a_lane_meets_its_houses_and_a_range_each_house_in_it(
    listed: str, meeting: list[str], not_meeting: list[str]
) -> None:
    assert [other for other in meeting if not meet(listed, other)] == []
    assert [other for other in not_meeting if meet(listed, other)] == []


def test_a_site_opposite_a_lane_is_not_that_lane() -> None:
    assert not meet("都会路3199弄对面工地", "都会路3199弄")


def test_a_letter_where_a_digit_was_meant_is_not_guessed() -> None:
    assert not meet("黄兴路l019弄", "黄兴路1019弄")
    assert not meet("黄兴路l019弄", "黄兴路19弄")


def test_a_road_named_after_its_district_keeps_its_name() -> None:
    assert address_key("黄浦路12号", "黄浦区").bases == ("黄浦路",)
    assert address_key("黄浦区黄浦路12号", "黄浦区").bases == ("黄浦路",)


def test_a_road_named_after_a_town_keeps_its_name() -> None:
    assert address_key("洋泾镇路61号", "浦东新区").bases == ("洋泾镇路",)


def test_an_order_is_met_by_its_line_or_by_its_parts() -> None:
    assert met(address("永嘉路123弄5号302室"), "永嘉路123弄")
    assert met(address("302室", street="永嘉路", compound="123弄"), "永嘉路123弄5号")
    assert met(address("天山四村", compound="天山四村"), "天山四村（住宅）")
    assert not met(address("永嘉路125弄5号302室", street="永嘉路"), "永嘉路123弄")


def test_an_order_that_states_no_house_may_be_any_and_one_that_does_is_that_one() -> None:
    assert met(address("永嘉路123弄"), "永嘉路123弄5号")
    order = address("永嘉路123弄", compound="永嘉路123弄", building="3号楼")
    assert not met(address("永嘉路123弄3号"), "永嘉路123弄5号")
    assert met(order, "永嘉路123弄3号")
    assert not met(order, "永嘉路123弄5号")


def test_a_street_by_itself_is_the_whole_street() -> None:
    assert met(address("永嘉路"), "永嘉路123弄")
    assert met(address("永嘉路123弄"), "永嘉路")


def coded(line: str, district: str) -> Address:
    return address(line).model_copy(update={"district": district})


def test_a_line_whose_district_is_stated_as_a_code_names_it_all_the_same() -> None:
    assert met(coded("上海市黄浦区永嘉路123弄3号", "310101"), "永嘉路123弄")
    assert met(coded("上海市浦东新区川沙新镇北市街8号", "310115"), "北市街8号")
    assert not met(coded("上海市黄浦区永嘉路12弄", "310101"), "永嘉路123弄")


@given(st.text(max_size=40), st.text(max_size=6))
def test_every_text_has_a_key_and_meets_itself(text: str, district: str) -> None:
    key = address_key(text, district)
    assert key.may_meet(key)
    assert str(key) == str(address_key(text, district))


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from(["弄", "号"]))
def test_two_numbers_of_one_road_meet_only_when_they_are_one(one: int, other: int, word: str) -> None:
    assert meet(f"永嘉路{one}{word}", f"永嘉路{other}{word}") == (one == other)
