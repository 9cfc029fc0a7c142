"""Zones of the whole market, and of a road with its lane or number."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.policies import Level
from chalicelib.domain.zones import NamedUnit, Zone
from tests import builders as b

HOUR = (b.NOON, b.NOON + b.hours(1), b.NOON)


def of(level: Level = Level.SEALED, **unit: Any) -> Zone:
    return b.zone(zone_id=f"z-{level}", level=level, unit=NamedUnit.model_validate(unit))


def lane(text: str, district: str = b.HUANGPU, **changes: Any) -> Zone:
    return of(kind="address", district=district, address=text, **changes)


def at(line: str, **changes: Any) -> Any:
    return b.address(None, line=line, **changes)


def test_a_zone_of_the_whole_market_speaks_everywhere_in_it() -> None:
    atlas = b.atlas([of(Level.CONTROLLED, kind="market")])
    for place in (
        b.address(),
        at("somewhere else", district="浦东新区"),
        at("anywhere", district="Municipio 1"),
    ):
        assert atlas.regime(place, None, 0, *HOUR).level is Level.CONTROLLED


def test_a_zone_of_the_whole_market_is_known_at_a_crews_home() -> None:
    atlas = b.atlas([of(Level.CONTROLLED, kind="market")])
    assert atlas.home_level(b.address(), b.NOON, b.NOON) is Level.CONTROLLED


def test_a_zone_of_the_whole_market_is_named_by_nothing_more() -> None:
    with pytest.raises(ValueError, match="named by nothing more"):
        NamedUnit(kind="market", district="黄浦区")


def test_a_listed_lane_is_known_at_a_crews_home_and_at_no_other() -> None:
    district = b.zone(None)
    atlas = b.atlas([district, lane("永嘉路123弄")])
    assert atlas.home_level(at("永嘉路123弄5号"), b.NOON, b.NOON) is Level.SEALED
    assert atlas.home_level(at("永嘉路125弄5号"), b.NOON, b.NOON) is Level.PRECAUTIONARY
    assert atlas.home_level(at("永嘉新苑"), b.NOON, b.NOON) is None, "it may be that lane"


def test_a_lane_of_another_district_is_another_lane() -> None:
    atlas = b.atlas([b.zone(None), lane("永嘉路123弄", "徐汇区")])
    assert atlas.named(at("永嘉路123弄5号")) == [b.zone(None)]
    assert len(atlas.named(at("徐汇区永嘉路123弄5号", district="徐汇"))) == 1


def test_two_zones_of_one_lane_are_each_found_once() -> None:
    atlas = b.atlas([lane("曹杨镇永嘉路123弄"), lane("永嘉路123弄5号", level=Level.CONTROLLED)])
    assert len(atlas.named(at("永嘉路123弄5号"))) == 2
    assert len(atlas.named(at("永嘉路123弄6号"))) == 1


@pytest.mark.parametrize("kind", ["district", "building"])
def test_fifty_thousand_zones_in_one_place_are_laid_out_as_fast_as_elsewhere(kind: str) -> None:
    named = {"district": b.HUANGPU} | ({} if kind == "district" else {"compound": "Yongjia", "building": "3"})
    plain = of(kind=kind, **named)
    zones = [plain.model_copy(update={"zone_id": f"z-{number}"}) for number in range(50_000)]
    rules = b.rules().model_copy(update={"zones": zones})
    began = time.process_time()
    atlas = Atlas(rules)
    assert time.process_time() - began < 4
    assert len(atlas.named(b.address(compound="Yongjia", building="3"))) == 50_000
