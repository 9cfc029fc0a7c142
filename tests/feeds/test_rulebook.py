"""Lists in the words of a rule book: layers become zones, and what a book does not know is a fault."""

from __future__ import annotations

import json
import time
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.places import Market
from chalicelib.domain.reading import Reading
from chalicelib.domain.uploads import Content, UploadState
from chalicelib.domain.zones import Rules, Zone
from chalicelib.rulebooks import Shelf
from tests import builders as b
from tests import fakes
from tests.feeds import lists
from tests.maps import feature, market, part
from tests.rulebooks.ground import BOOKS, moment

ITALY = "Europe/Rome"
HOME = {"kind": "district", "district": b.HUANGPU}
EASTER = {"since": "2021-03-29", "until": "2021-04-12"}


def place(**changes: Any) -> dict[str, Any]:
    return {"zone_id": "lombardia", "unit": HOME, "word": "orange", **EASTER, **changes}


def figures(first: str, *of_days: float) -> dict[str, float]:
    start = date.fromisoformat(first)
    return {(start + timedelta(days=n)).isoformat(): figure for n, figure in enumerate(of_days)}


def file(*zones: Any, book: str = "italy", **changes: Any) -> bytes:
    return json.dumps({"book": book, "zones": zones, **changes}).encode()


def begun(time_zone: str = ITALY, mode: str = "replace") -> Any:
    return lists.start(mode=mode, format="rulebook", time_zone=time_zone)


AMENDING = lists.start(mode="amend", format="rulebook", time_zone=ITALY, datum="WGS84")
GOOD = file(place(), place(zone_id="lazio", word="yellow", until=None), holidays=["2021-05-01"])


def there(time_zone: str = ITALY, **_: Any) -> Market:
    """A market on that clock."""
    return market(time_zone=time_zone)


def read(raw: bytes, base: Content | None = None, **changes: Any) -> Content:
    return lists.content(raw, begun(**changes), base, book=Shelf(), place=there(**changes))


def wrong(raw: bytes, **changes: Any) -> list[tuple[str, str]]:
    found = lists.faults(raw, begun(**changes), book=Shelf(), place=there(**changes))
    return [(fault.pointer, fault.detail) for fault in found.listed]


def told(zone: Zone) -> str:
    """Policy, beginning and end, in UTC."""
    end = "" if zone.valid_to is None else f" {zone.valid_to.isoformat()[:16]}"
    return f"{zone.policy_reference} {zone.valid_from.isoformat()[:16]}{end}"


def test_easter_in_an_orange_region_is_two_zones_that_meet() -> None:
    found = read(file(place()))
    assert [told(zone) for zone in found.zones] == [
        "italy-orange@1 2021-03-28T22:00 2021-04-11T22:00",
        "italy-red@1 2021-04-02T22:00 2021-04-05T22:00",
    ]
    _, easter = found.zones
    assert "Easter" in easter.basis
    assert {policy.reference for policy in found.policies} == {"italy-orange@1", "italy-red@1"}


def test_an_announced_end_releases_a_statute_and_no_seal() -> None:
    sealed = {**HOME, "kind": "compound", "compound": b.HOME}
    one = place(zone_id="yongjia", unit=sealed, word="sealed", since="2022-04-12", until="2022-04-26")
    found = read(file(one, book="shanghai"), time_zone="Asia/Shanghai")
    ends = {zone.policy_id: (zone.valid_to, zone.expected_end) for zone in found.zones}
    announced = moment(BOOKS["shanghai"], "2022-04-26 00:00")
    assert ends["shanghai-sealed"] == (None, announced)
    statute = read(file(place())).zones[0]
    assert statute.valid_to == statute.expected_end == moment(BOOKS["italy"], "2021-04-12 00:00")


def test_jewellers_are_closed_over_easter_and_no_longer() -> None:
    found = read(file(place()))
    at = moment(BOOKS["italy"], "2021-04-05 23:00")
    rules = Rules(
        market_id="ROM", version=1, digest="0" * 64, time_zone=ITALY, datum=found.datum, published_at=at,
        zones=tuple(zone.model_copy(update={"known_since": at - b.hours(99)}) for zone in found.zones),
        policies=found.policies,
    )  # fmt: skip
    seen = [
        Atlas(rules).regime(b.address(), None, 0, moment_, moment_ + b.minutes(1), at + b.hours(9))
        for moment_ in (at, at + b.hours(1))
    ]
    assert [ItemClass.HIGH_VALUE in regime.hand_out_denied for regime in seen] == [True, False]


def test_a_later_list_takes_the_place_of_what_it_said_before_of_the_same_places_only() -> None:
    base = read(file(place(), place(zone_id="lazio", word="white", unit={**HOME, "district": b.XUHUI})))
    found = read(file(place(word="yellow", since="2021-04-12", until=None)), base, mode="amend")
    assert [zone.zone_id for zone in found.zones] == [
        "lazio.whitev1.20210329",
        "lombardia.yellowv1.20210412",
        "lombardia.yellowv2.20210519",
    ]


def test_a_place_takes_nothing_from_one_whose_name_begins_the_same() -> None:
    base = read(file(place(zone_id="lazio"), place(zone_id="lazio.roma", word="red")))
    found = read(file(place(zone_id="lazio", word="white")), base, mode="amend")
    kept = [zone for zone in base.zones if zone.zone_id.startswith("lazio.roma.")]
    assert kept and set(kept) <= set(found.zones)


def test_a_word_or_a_day_that_the_book_does_not_know_is_a_fault_with_its_place() -> None:
    found = wrong(file(place(), place(zone_id="x", word="purple"), place(zone_id="y", since="2020-10-01")))
    assert [pointer for pointer, _ in found] == ["/zones/1/word", "/zones/2/word"]
    assert "does not know 'purple'" in found[0][1] and "on 2020-10-01" in found[1][1]


def test_what_is_no_list_says_what_was_expected() -> None:
    assert wrong(b"[]")[0][0] == ""
    assert wrong(b"{")[0][1].startswith("a JSON file was expected")
    assert wrong(file(place(), book="narnia"))[0] == (
        "/book",
        "a rule book was expected, there are france, germany, italy, shanghai",
    )
    assert wrong(file(place()), time_zone="Asia/Shanghai")[0] == (
        "/time_zone",
        "'Europe/Rome' was expected, the clock of the book 'italy'",
    )
    assert wrong(file(place(since=None)))[0][1] == "a word and since were expected, or incidences by day"
    assert wrong(file(place(incidences={})))[0][1].startswith("incidences say the days themselves")
    assert wrong(file(place(until="2021-03-29")))[0][1] == "until lies after since (2021-03-29)"
    assert wrong(file(place(colour="red")))[0][0] == "/zones/0/colour"
    assert wrong(file())[0][1].startswith("at least one zone was expected")


def german(*of_days: float, **changes: Any) -> bytes:
    one = {"zone_id": "hagen", "unit": HOME, "incidences": figures("2021-04-23", *of_days)}
    return file(one | changes, book="germany", holidays=["2021-05-01", "2021-05-13", "2021-05-24"])


def test_incidences_become_the_days_of_their_bands_and_unknown_ones_are_listed() -> None:
    raw = german(*[120.0] * 5, *[80.0] * 14)
    found, reading = lists.settled(raw, begun("Europe/Berlin"), book=Shelf(), place=there("Europe/Berlin"))
    assert isinstance(found, Content)
    assert [told(zone) for zone in sorted(found.zones, key=lambda zone: zone.valid_from)] == [
        "germany-below-100@1 2021-04-22T22:00 2021-04-26T22:00",
        "germany-100-150@1 2021-04-26T22:00 2021-05-05T22:00",
        "germany-below-100@1 2021-05-05T22:00 2021-05-13T22:00",
        "germany-unknown@1 2021-05-13T22:00 2021-06-30T22:00",
    ]
    (remark,) = reading.remarks.listed
    assert "2021-05-14 until 2021-07-01 is not known" in remark.detail


def test_a_list_with_fewer_figures_opens_no_day_it_says_nothing_of() -> None:
    """Also where the whole market has a rule of its own that would let gifts through."""
    before = read(german(*[160.0] * 20), time_zone="Europe/Berlin")
    opened = {"policy_id": "open", "version": 1, "title": "Open", "handovers": ["door"]}
    nation = feature("nation", level="open", policy="open@1", unit={"kind": "market"},
                     valid_from="2021-04-01T00:00:00+02:00")  # fmt: skip
    there_ = there("Europe/Berlin")
    reading = Reading(there_, lists.start(mode="amend", time_zone="Europe/Berlin"))
    reading.read(1, part(nation, policies=[opened]))
    base = reading.settle(before, fakes.NOON)
    assert isinstance(base, Content), base.listed
    found = read(german(160.0), base, time_zone="Europe/Berlin", mode="amend")
    at = moment(BOOKS["germany"], "2021-05-05 12:00")
    rules = Rules(
        market_id="SHA", version=1, digest="0" * 64, time_zone="Europe/Berlin", datum=found.datum,
        published_at=at, zones=found.zones, policies=found.policies,
    )  # fmt: skip
    regime = Atlas(rules).regime(b.address(), None, 0, at, at + b.minutes(1), fakes.NOON)
    assert "germany-unknown@1" in regime.policies


def test_a_figure_that_is_none_and_incidences_of_another_country_are_faults() -> None:
    assert wrong(german(-1.0), time_zone="Europe/Berlin")[0][1].startswith(
        "an incidence of 0 or more was expected"
    )
    one = {"zone_id": "x", "unit": HOME, "incidences": figures("2021-04-23", 120)}
    assert wrong(file(one))[0] == (
        "/zones/0/incidences",
        "a word was expected: incidences go with the book 'germany'",
    )


def test_a_district_of_which_no_figure_is_stated_keeps_what_it_was_under() -> None:
    before = read(german(*[120.0] * 5), time_zone="Europe/Berlin")
    found = lists.faults(
        german(incidences={}),
        begun("Europe/Berlin", "amend"),
        before,
        book=Shelf(),
        place=there("Europe/Berlin"),
    )
    assert "the incidence of at least one day was expected" in found.listed[0].detail


@pytest.mark.parametrize("district", [5, ["黄浦"], {"a": 1}, None, True])
def test_a_district_that_is_no_name_is_a_fault_also_of_a_word_that_is_meant_in_some_only(
    district: Any,
) -> None:
    one = place(unit={**HOME, "district": district}, word="precautionary", since="2022-04-20", until=None)
    assert wrong(file(one, book="shanghai"), time_zone="Asia/Shanghai")


def test_a_long_list_that_amends_a_long_one_is_read_in_its_own_time() -> None:
    many = file(*(place(zone_id=f"place-{number}") for number in range(1500)))
    base = read(many)
    began = time.process_time()
    assert read(many, base, mode="amend") == base
    assert time.process_time() - began < 1.5


def test_a_list_is_published_by_the_flow_and_the_same_again_changes_nothing() -> None:
    world = fakes.world()
    from chalicelib.flows import enlist

    enlist.put_market(world, b.market(time_zone=ITALY))
    for unchanged in (False, True):
        upload = lists.handed_in(
            world, "SHA", file(place()), mode="replace", time_zone=ITALY, format="rulebook"
        )
        assert (upload.state, upload.unchanged or False) == (UploadState.PUBLISHED, unchanged), upload.faults
