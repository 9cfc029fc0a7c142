"""The seven daily lists of 1 to 7 May 2022 in order, with the rules of that day, against a recount of its own.

The recount shares nothing with the feed: it reads the files as they are, takes a place for its text without notes
and the words for a building site, and counts days.
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chalicelib.domain.places import Address
from chalicelib.domain.policies import Level
from chalicelib.domain.uploads import Content, UploadState
from chalicelib.domain.zones import Zone
from chalicelib.flows import consult, enlist
from tests import fakes
from tests.feeds import lists, shanghai
from tests.feeds.shanghai import RULES, begun, mapped, morning_after
from tests.feeds.test_shanghai_daily import atlas, local, said
from tests.maps import market, part

DAYS = [date(2022, 5, day) for day in range(1, 8)]


class Counted(NamedTuple):
    """Of one day, on the morning on which its list was read."""

    new: int
    resealed: int
    """Named before, and again: the seven days begin anew."""
    released: int
    """Into their controlled days."""
    sealed: int
    """In force."""


def raw_of(shared: Path, day: date) -> bytes:
    return (shared / f"data/shanghai/addresses_{day.isoformat()}_bd09.json").read_bytes()


@pytest.fixture(scope="module")
def mays(request: pytest.FixtureRequest) -> list[Content]:
    """The rules after each of the seven lists."""
    from tests.conftest import SHARED

    if not (SHARED / "data").is_dir():
        pytest.skip(f"the data of {SHARED} is not here")
    found = [mapped(SHARED)]
    for day in DAYS:
        told = begun(day.isoformat())
        now = morning_after(day.isoformat())
        found.append(lists.content(raw_of(SHARED, day), told, found[-1], now=now))
    return found[1:]


def by_the_feed(mays: list[Content]) -> list[Counted]:
    counted = []
    before: dict[str, Zone] = {}
    for day, content in zip(DAYS, mays, strict=True):
        at = morning_after(day.isoformat())
        known = {zone.zone_id: zone for zone in content.zones if zone.level is Level.SEALED}
        counted.append(
            Counted(
                new=len(known.keys() - before.keys()),
                resealed=sum(known[name].expected_end != zone.expected_end for name, zone in before.items()),
                released=sum(
                    zone.valid_to is not None and zone.valid_to <= at and before[name].valid_to is None
                    for name, zone in known.items()
                    if name in before
                ),
                sealed=sum(zone.valid_to is None or zone.valid_to > at for zone in known.values()),
            )
        )
        before = known
    return counted


def recounted(shared: Path) -> list[Counted]:
    named: list[set[tuple[str, str]]] = []
    told: list[set[str]] = []
    for day in DAYS:
        document = json.loads(raw_of(shared, day))
        places = set()
        complete = set()
        for district, said_of_it in document.items():
            texts = [line[0] for line in said_of_it["addressWithLocation"] if "滑动查看" not in line[0]]
            counts = [said_of_it.get(name, 0) for name in ("cases", "asymptomaticCases")]
            if texts or sum(map(int, counts)) == 0:
                complete.add(district)
            for text in texts:
                plain = re.sub("（[^）]*）|(?<=号)(工地)?(生活区)?$", "", text).replace("支弄", "弄")
                places.add((district, plain))
        named.append(places)
        told.append(complete)
    counted = []
    for number in range(len(DAYS)):
        past = set().union(*named[:number])
        ever = past | named[number]
        over = set()
        for place in ever:
            last = max(index for index in range(number + 1) if place in named[index])
            first = min(index for index in range(number + 1) if place in named[index])
            term = range(first, last + 7)
            if term.stop <= number + 1 and all(place[0] in told[index] for index in term):
                over.add(place)
        counted.append(
            Counted(
                new=len(named[number] - past),
                resealed=len(named[number] & past),
                released=len(over),
                sealed=len(ever) - len(over),
            )
        )
    return counted


def test_the_seven_lists_seal_reseal_and_release_what_a_recount_says(
    shared: Path, mays: list[Content], capsys: pytest.CaptureFixture[str]
) -> None:
    found = by_the_feed(mays)
    with capsys.disabled():
        for day, counted in zip(DAYS, found, strict=True):
            told = ", ".join(f"{value:,} {name}" for name, value in counted._asdict().items())
            print(f"\n{day}: {told}", end="")  # noqa: T201
    assert found == recounted(shared)
    assert found[-1].released > 0


def test_the_seven_lists_say_the_same_read_backwards(shared: Path, mays: list[Content]) -> None:
    found = mapped(shared)
    newest = morning_after(DAYS[-1].isoformat())
    for day in reversed(DAYS):
        found = lists.content(raw_of(shared, day), begun(day.isoformat()), found, now=newest)
    forward = {zone.zone_id: zone for zone in said(mays[-1])}
    backward = {zone.zone_id: zone for zone in said(found)}
    assert backward.keys() == forward.keys()
    assert {
        name
        for name, zone in forward.items()
        # of a place that is named twice, what its point was drawn from is the first list that was read
        if zone.model_copy(update={"polygons": (), "precision_m": 0, "unit": None})
        != backward[name].model_copy(update={"polygons": (), "precision_m": 0, "unit": None})
    } == set()


def test_every_address_of_a_list_is_sealed_by_its_own_text(shared: Path, mays: list[Content]) -> None:
    laid = atlas(mays[-1])
    at = local("2022-05-07T12:00")
    open_ones = []
    for district, stated in json.loads(raw_of(shared, DAYS[-1])).items():
        for text, *_ in stated["addressWithLocation"]:
            address = Address(country="CN", city="上海市", district=district, line=f"上海市{district}{text}")
            regime = laid.regime(address, None, 0, at, at + timedelta(hours=1), local("2022-06-01"))
            if regime.level is not Level.SEALED and "滑动" not in text:
                open_ones.append((district, text))
    assert open_ones == []


def test_no_zone_of_a_week_of_lists_is_made_of_a_text_of_the_screen(mays: list[Content]) -> None:
    names = [zone.unit.address for zone in mays[-1].zones if zone.unit is not None]
    assert [name for name in names if name is not None and "滑动" in name] == []


def test_most_points_agree_with_their_district_and_draw_something(mays: list[Content]) -> None:
    places = [zone for zone in mays[-1].zones if zone.level is Level.SEALED]
    assert 0.9 < sum(bool(zone.polygons) for zone in places) / len(places) < 0.99


def test_a_list_is_handed_in_as_published_with_policies_from_the_book(shared: Path) -> None:
    world = fakes.world(clock=fakes.FakeClock(morning_after("2022-05-07")))
    enlist.put_market(world, market())
    drawn = json.loads((shared / "data/shanghai/datav_310000_districts_gcj02.json").read_bytes())["features"]
    districts = [shanghai.district(each["properties"]["name"], each["geometry"]) for each in drawn]
    base = part(*districts, policies=[RULES[0]])
    assert lists.handed_in(world, "SHA", base, mode="replace").state is UploadState.PUBLISHED
    told: dict[str, Any] = {"format": "shanghai_daily", "day": "2022-05-07", "datum": "BD09"}
    upload = lists.handed_in(world, "SHA", raw_of(shared, DAYS[-1]), **told)
    assert (upload.state, upload.faults) == (UploadState.PUBLISHED, ())
    assert upload.difference is not None
    assert (upload.difference.new, upload.difference.gone) == (1_297 - 13 + 16 + 1, 0)
    assert sum("a text of the screen" in remark.detail for remark in upload.remarks) == 13
    found = consult.atlas(world, "SHA")
    assert found is not None
    assert found.policies["shanghai-sealed@2"] == world.books["shanghai"].find("shanghai-sealed@2")
    assert lists.handed_in(world, "SHA", raw_of(shared, DAYS[-1]), **told).unchanged is True
