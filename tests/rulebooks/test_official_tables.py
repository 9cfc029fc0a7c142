"""What the official lists name is what the books say: the same policies, on the days on which they were in force."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.rulebooks import policy_on
from chalicelib.domain.uploads import Content
from chalicelib.feeds.italy_zones import AREAS
from tests.feeds import lists, shanghai
from tests.feeds.test_italy_zones import MILAN, NOW, begun, official
from tests.rulebooks.ground import BOOKS

DAY = timedelta(days=1)


def local_days(start: datetime, end: datetime | None, time_zone: str) -> tuple[date, date]:
    """The first and the last local day of a zone."""
    clock = ZoneInfo(time_zone)
    first = start.astimezone(clock).date()
    return first, first if end is None else (end.astimezone(clock) - timedelta(microseconds=1)).date()


@pytest.fixture(scope="module")
def italy() -> dict[str, Content]:
    """The whole table for every area, from nothing but the book."""
    from tests.conftest import SHARED

    if not (SHARED / "data").is_dir():
        pytest.skip(f"the data of {SHARED} is not here")
    made = {}
    for area in AREAS:
        told = begun(area, mode="replace")
        found, _ = lists.settled(official(SHARED), told, None, NOW, MILAN, BOOKS)
        assert isinstance(found, Content), found.listed
        made[area] = found
    return made


def test_the_italian_table_takes_every_policy_from_the_book_in_the_version_of_its_days(
    italy: dict[str, Content],
) -> None:
    looked_at: Counter[str] = Counter()
    for found in italy.values():
        known = [policy for policy in found.policies if not policy.unknown]
        assert all(BOOKS["italy"].find(policy.reference) == policy for policy in known)
        for zone in found.zones:
            if zone.policy_id == "italy-unknown":
                continue  # no act, no word
            word = zone.policy_id.removeprefix("italy-")
            for day in local_days(zone.valid_from, zone.valid_to, "Europe/Rome"):
                assert policy_on(BOOKS["italy"], word, day).policy.reference == zone.policy_reference
            looked_at[zone.policy_reference] += 1
    assert set(looked_at) == {entry.policy.reference for entry in BOOKS["italy"].entries}
    assert sum(looked_at.values()) > 300


def test_no_region_was_yellow_in_the_days_in_which_yellow_meant_orange(italy: dict[str, Content]) -> None:
    """So the table, which does not know that overlay, loses nothing by it."""
    (overlay,) = [o for o in BOOKS["italy"].overlays if o.overlay_id == "yellow-as-orange-2021"]
    clock = ZoneInfo("Europe/Rome")
    yellow = [
        (area, zone.valid_from)
        for area, found in italy.items()
        for zone in found.zones
        if zone.policy_id == "italy-yellow"
        and zone.valid_from.astimezone(clock).date() < (overlay.in_force.until or date.max)
        and (zone.valid_to or NOW).astimezone(clock).date() > overlay.in_force.since
    ]
    assert yellow == []


def test_the_easter_of_the_table_is_that_of_the_book(italy: dict[str, Content]) -> None:
    (easter,) = [o for o in BOOKS["italy"].overlays if o.overlay_id == "easter-2021"]
    for area, found in italy.items():
        over_the_country = [
            local_days(zone.valid_from, zone.valid_to, "Europe/Rome")
            for zone in found.zones
            if ".country." in zone.zone_id and zone.valid_from > datetime(2021, 3, 1, tzinfo=UTC)
        ]
        assert over_the_country == [(easter.in_force.since, easter.in_force.until - DAY)], area  # type: ignore[operator]


@pytest.mark.parametrize("day", ["2022-05-01", "2022-05-04"])
def test_a_daily_list_of_shanghai_names_the_version_that_was_in_force_on_its_days(
    shared: Path, day: str
) -> None:
    raw = (shared / f"data/shanghai/addresses_{day}_bd09.json").read_bytes()
    told, now = shanghai.begun(day), shanghai.morning_after(day)
    found, _ = lists.settled(raw, told, shanghai.mapped(shared), now, book=BOOKS)
    assert isinstance(found, Content), found.listed
    for zone in found.zones:
        if zone.policy_id in ("shanghai-sealed", "shanghai-controlled"):
            word = zone.policy_id.removeprefix("shanghai-")
            first, _ = local_days(zone.valid_from, None, "Asia/Shanghai")
            assert policy_on(BOOKS["shanghai"], word, first).policy.reference == zone.policy_reference
