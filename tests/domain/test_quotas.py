"""What a delivery takes of quotas: which days, which household, the lowest limit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.legs import QuotaTaken
from chalicelib.domain.places import Address
from chalicelib.domain.policies import Quota
from chalicelib.domain.quotas import (
    KEPT,
    household_of,
    local_days,
    midnight,
    needed,
    once,
    sealed_household,
)
from chalicelib.domain.zones import Quoted
from tests import builders as b

SALT = b"a secret of this market"
DAY = date(2022, 4, 11)


def address(**changes: Any) -> Address:
    given = {
        "country": "CN",
        "city": "Shanghai",
        "district": "310101",
        "compound": "永嘉新村",
        "building": "3",
        "unit": "501",
        "line": "永嘉路580弄3号501室",
    }
    return Address.model_validate({**given, **changes})


# --- days -----------------------------------------------------------------------------------------------------


def at(hour: float, day: int = 11) -> datetime:
    """That hour in Shanghai."""
    return datetime(2022, 4, day, tzinfo=UTC) + timedelta(hours=hour - 8)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (0, 1, [11]),  # still the tenth in UTC
        (7.9, 8.1, [11]),
        (22, 24, [11]),  # half-open: midnight is the next day's
        (22, 24.001, [11, 12]),
        (22, 49, [11, 12, 13]),
        (24, 24, [12]),
    ],
)
def test_a_stay_counts_on_every_local_day_that_it_touches(start: float, end: float, days: list[int]) -> None:
    assert [day.day for day in local_days(at(start), at(end), "Asia/Shanghai")] == days


def test_the_day_of_a_time_change_is_one_day_and_the_next_begins_on_its_own_clock() -> None:
    noon = datetime(2021, 3, 27, 12, tzinfo=UTC)
    assert midnight(noon, "Europe/Rome") == datetime(2021, 3, 27, 23, tzinfo=UTC)
    assert midnight(noon + timedelta(days=1), "Europe/Rome") == datetime(2021, 3, 28, 22, tzinfo=UTC)
    assert midnight(at(23.99), "Asia/Shanghai") == at(24)
    assert midnight(at(24), "Asia/Shanghai") == at(48), "midnight itself belongs to the new day"


# --- households -----------------------------------------------------------------------------------------------

ALIKE = [
    {},
    {"unit": "501室"},
    {"unit": "Room 501"},
    {"unit": "０501"},
    {"building": "3号楼"},
    {"building": "三号楼501室", "unit": None},
    {"building": "Building 3", "unit": "Apt. 501"},
    {"compound": " 永嘉·新村"},
    {"line": "another way to write it", "street": "Yongjia Road"},
]
OTHERS = [
    {"unit": "502"},
    {"unit": "1-501"},
    {"unit": None},
    {"building": "4"},
    {"building": None},
    {"compound": "长寿新村"},
    {"district": "310106"},
]


@pytest.mark.parametrize("changes", ALIKE)
def test_a_household_is_one_however_its_address_is_written(changes: dict[str, Any]) -> None:
    assert household_of(address(**changes)) == household_of(address())


def test_what_differs_in_flat_building_compound_or_district_is_another_household() -> None:
    names = [household_of(address(**changes)) for changes in ({}, *OTHERS)]
    assert len(set(names)) == len(names)


def test_a_staircase_is_part_of_the_flat_wherever_it_is_written() -> None:
    whole = household_of(address(building="3号楼2单元501室", unit=None))
    assert whole == household_of(address(building="3号楼", unit="2单元501室"))
    assert whole == household_of(address(building="3", unit="2-501"))
    assert whole == household_of(address(building="3号楼2单元", unit="501"))


def test_without_a_compound_the_line_stands_in_its_place() -> None:
    lane = {"compound": None, "building": None}
    one = household_of(address(**lane, line="永嘉路580弄3号"))
    assert one == household_of(address(**lane, line="永嘉路 580弄 3号"))
    assert one != household_of(address(**lane, line="永嘉路580弄4号"))
    assert one != household_of(address(**lane, line="永嘉路580弄3号", unit="502"))


def test_a_household_is_named_by_market_and_day_and_the_name_says_nothing() -> None:
    names = [
        sealed_household(salt, market, there, day)
        for salt in (SALT, b"another secret")
        for market in ("SHA", "MIL")
        for there in (address(), address(unit="502"))
        for day in (DAY, DAY + timedelta(days=1))
    ]
    assert len(set(names)) == len(names) and all(len(name) == 32 for name in names)
    assert sealed_household(SALT, "SHA", address(unit="501室"), DAY) == names[0]
    assert not any(part in "".join(names) for part in ("310101", "永嘉", "580"))


# --- what is needed -------------------------------------------------------------------------------------------


def quoted(zone_id: str, per: str, limit: int) -> Quoted:
    return Quoted(zone_id, "p@1", Quota.model_validate({"per": per, "limit": limit}))


def test_every_quota_counts_by_zone_and_courier_and_a_household_once_with_the_lowest_limit() -> None:
    quotas = [
        quoted("z1", "zone", 40),
        quoted("z2", "zone", 9),
        quoted("z1", "household", 2),
        quoted("z2", "household", 1),
        quoted("z1", "courier", 5),
        quoted("z1", "courier", 7),
    ]
    found = needed(quotas, "sf", [DAY], lambda day: f"home-{day.day}")
    assert {(taken.per, taken.name, need.limit) for taken, need in found.items()} == {
        ("zone", "z1", 40),
        ("zone", "z2", 9),
        ("household", "home-11", 1),
        ("courier", "z1/sf", 5),
    }
    assert {need.until for need in found.values()} == {datetime(2022, 4, 11, tzinfo=UTC) + KEPT}
    two = needed(quotas[:1], "sf", [DAY, DAY + timedelta(days=1)], lambda day: "")
    assert [(taken.name, taken.day) for taken in two] == [("z1", DAY), ("z1", DAY + timedelta(days=1))]


def test_what_was_taken_is_the_same_when_it_is_read_again() -> None:
    found = needed([quoted("z1", "zone", 40)], "sf", [DAY], lambda day: "")
    permit = once(b.permit(single_use=True))[0]
    for taken in (*found, permit):
        again = QuotaTaken.model_validate_json(taken.model_dump_json(exclude_defaults=True))
        assert again == taken and hash(again) == hash(taken)
    assert permit.day is None and once(b.permit())[1].until == b.permit().valid.end + KEPT
