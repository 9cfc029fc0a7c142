from __future__ import annotations

import struct
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.colours import Colour, Why, colours
from chalicelib.domain.curfews import Curfew, curfew_spans
from chalicelib.domain.feeds import Listed
from chalicelib.domain.places import Address, Market
from chalicelib.domain.policies import Level
from chalicelib.domain.uploads import Content, UploadStart, UploadState
from chalicelib.domain.zones import Rules
from chalicelib.feeds.italy_zones import AREAS, COUNTRY, FIELDS, acts_of
from chalicelib.flows import enlist
from tests import builders, fakes
from tests.feeds import lists
from tests.maps import part, policy

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2022, 4, 5, tzinfo=UTC)
MILAN = Market.model_validate(builders.MILAN)
NIGHT = {"start_local": "22:00", "end_local": "05:00"}
COLOURS = [
    policy("italy-white", 1, handovers=["door"]),
    policy("italy-yellow", 1, handovers=["door"], curfews=[NIGHT]),
    policy("italy-yellow", 2, handovers=["door"], curfews=[{**NIGHT, "start_local": "23:00"}]),
    policy("italy-orange", 1, handovers=["door"], curfews=[NIGHT]),
    policy("italy-red", 1, handovers=["door"], curfews=[NIGHT]),
]


def begun(area: str = "03", **changes: Any) -> UploadStart:
    told = {"format": "italy_zones", "area": area, "time_zone": "Europe/Rome", "datum": "WGS84", **changes}
    return lists.start(**told)


def base() -> Content:
    """The colours as policies, and a zone of long ago so that there is something to amend."""
    past = {"zone_id": "past", "level": "open", "policy": "italy-white@1", "unit": {"kind": "market"},
            "valid_from": "2020-01-01T00:00:00+01:00", "valid_to": "2020-01-02T00:00:00+01:00"}  # fmt: skip
    return with_city(past)


def with_city(zone: dict[str, Any]) -> Content:
    """The colours as policies, and one zone of the city's own."""
    from chalicelib.domain.reading import Reading

    reading = Reading(MILAN, UploadStart(mode="replace", time_zone="Europe/Rome", datum="WGS84"))
    reading.read(1, part({"type": "Feature", "geometry": None, "properties": zone}, policies=COLOURS))
    found = reading.settle(None, NOW)
    assert isinstance(found, Content), found.listed
    return found


def record(area: str, since: str, until: str, article: str, made: str, **changes: str) -> dict[str, str]:
    return {
        "nomeTesto": area,
        "designIniz": since,
        "designFine": until,
        "nomeAutCom": "Ministero della Salute",
        "legNomeBre": f"Ordinanza {made}",
        "legSpecRif": article,
        "legData": made,
        "legDataApp": since,
        "legGU_ID": "1",
        **changes,
    }


def table(*records: dict[str, str], fields: tuple[str, ...] = FIELDS, width: int = 60) -> bytes:
    head = struct.pack("<B3xIHH20x", 3, len(records), 33 + 32 * len(fields), 1 + width * len(fields))
    described = b"".join(struct.pack("<11sc4xBB14x", name.encode(), b"C", width, 0) for name in fields)
    rows = b"".join(b" " + b"".join(r[name].encode().ljust(width) for name in fields) for r in records)
    return head + described + b"\r" + rows


def hollow(count: int) -> bytes:
    """So many records whose fields are no bytes wide."""
    empty = table(width=0)
    return empty[:4] + struct.pack("<I", count) + empty[8:] + b" " * count


def official(shared: Path) -> bytes:
    return (shared / "data/italy/dpc-covid-19-ita-aree-nuove-g.dbf").read_bytes()


def regime(content: Content, at: datetime) -> Any:
    rules = Rules(market_id="MIL", version=1, digest="", time_zone=content.time_zone, datum=content.datum,
                  published_at=NOW, zones=content.zones, policies=content.policies)  # fmt: skip
    address = Address(country="IT", city="Milano", district="Municipio 1", line="via Dante 7")
    return Atlas(rules).regime(address, (9.19, 45.46), 20, at, at + timedelta(minutes=1), NOW)


# --- the official table -------------------------------------------------------------------------------------


def by_hand(shared: Path) -> tuple[dict[tuple[str, date], str], date, date]:
    """A recount that shares nothing with the feed: the records as text, and each day by itself."""
    raw = official(shared)
    count, start, width = struct.unpack("<IHH", raw[4:12])
    names, at = [], 32
    while raw[at] != 13:
        names.append((raw[at : at + 11].split(b"\0")[0].decode(), raw[at + 16]))
        at += 32
    acts = []
    for number in range(count):
        line, at, said = raw[start + number * width : start + (number + 1) * width], 1, {}
        for name, size in names:
            said[name], at = line[at : at + size].decode().strip(), at + size
        begins = datetime.strptime(max(said["designIniz"], said["legDataApp"]), "%Y%m%d").date()  # noqa: DTZ007
        last = date.max
        if said["designFine"] != "unknown":
            last = datetime.strptime(said["designFine"], "%d/%m/%Y").date()  # noqa: DTZ007
        acts.append((said["nomeTesto"], begins, last, said["legData"], said["legSpecRif"]))
    rank = {"art.1 comma 11": 0, "art.1": 1, "art.2": 2, "art.3": 3}
    first, past = min(act[1] for act in acts), date(2022, 4, 5)
    found = {}
    for area in {act[0] for act in acts} - {COUNTRY}:
        day = first
        while day < past:
            mine = [act for act in acts if act[0] == area and act[1] <= day <= act[2]]
            newest = {act[4] for act in mine if act[3] == max(other[3] for other in mine)}
            top = {act[4] for act in acts if act[0] == COUNTRY and act[1] <= day <= act[2]}
            if len(newest) > 1:
                found[area, day] = "tie"
            elif newest | top:
                found[area, day] = max(newest | top, key=rank.__getitem__)
            else:
                found[area, day] = "no act"
            day += timedelta(days=1)
    return found, first, past


def test_the_official_table_gives_a_regime_for_every_region_and_day(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = Listed()
    acts = acts_of(official(shared), listed)
    assert (len(acts), listed.faults) == (409, [])
    words = {
        Colour.WHITE: "art.1 comma 11",
        Colour.YELLOW: "art.1",
        Colour.ORANGE: "art.2",
        Colour.RED: "art.3",
    }
    recount, first, past = by_hand(shared)
    found = {}
    for area, name in AREAS.items():
        for period in colours(acts, area, first):
            day = period.since
            while day < (period.until or past):
                why = {Why.TIE: "tie", Why.NO_ACT: "no act"}
                found[name, day] = words[period.colour] if period.colour is not None else why[period.why]  # type: ignore[index]
                day += timedelta(days=1)
    assert found == recount
    days = Counter(found.values())
    with capsys.disabled():
        told = ", ".join(f"{days[word]:,} {colour.name.lower()}" for colour, word in words.items())
        print(f"\n{len(AREAS)} areas, {len(found):,} days: {told}, "  # noqa: T201
              f"unknown {days['tie']:,} by a tie and {days['no act']:,} without an act")  # fmt: skip
    assert days["tie"] == 8 * 15


def test_lombardys_christmas_is_the_calendar_of_the_decree(shared: Path) -> None:
    acts = acts_of(official(shared), Listed())
    told = {p.since: p.colour for p in colours(acts, "03", date(2020, 11, 6))}
    christmas = [
        (24, 12, 2020),
        (28, 12, 2020),
        (31, 12, 2020),
        (4, 1, 2021),
        (5, 1, 2021),
        (7, 1, 2021),
        (9, 1, 2021),
    ]
    letters = "".join(
        (told[date(year, month, day)] or Colour.WHITE).name[0] for day, month, year in christmas
    )
    assert letters == "RORORYO"


def test_true_ties_and_unknown_ends_are_listed(shared: Path) -> None:
    _, reading = lists.settled(official(shared), begun("15"), base(), now=NOW, place=MILAN)
    told = [remark.detail for remark in reading.remarks.listed]
    assert any("unknown from 2020-12-06 to 2020-12-20" in text and "record 47 says orange" in text
               and "record 58 says yellow" in text for text in told), told  # fmt: skip
    assert any("no end is stated: white from 2021-06-21" in text for text in told), told
    assert not any("2020-12-24" in text for text in told), "the country speaks for those days"


def test_days_of_a_tie_are_held_though_the_city_has_ruled_on_its_own(shared: Path) -> None:
    """A city's own zone opens nothing while nobody knows its region's colour."""
    ours = {"zone_id": "city", "level": "open", "policy": "italy-white@1", "unit": {"kind": "market"},
            "valid_from": "2020-01-01T00:00:00+01:00"}  # fmt: skip
    reading = lists.settled(official(shared), begun("15"), with_city(ours), now=NOW, place=MILAN)
    found = reading[0]
    assert isinstance(found, Content)
    tie = regime(found, datetime(2020, 12, 10, 12, tzinfo=ROME))
    assert (tie.is_unknown, tie.handovers) == (True, None)
    country = regime(found, datetime(2020, 12, 24, 12, tzinfo=ROME))
    assert (country.is_unknown, country.policies) == (False, ("italy-red@1", "italy-white@1"))
    assert regime(found, datetime(2020, 11, 20, 12, tzinfo=ROME)).is_unknown is False


def test_ends_that_are_not_stated_are_sixty_eight(shared: Path) -> None:
    acts = acts_of(official(shared), Listed())
    assert sum(act.until is None for act in acts) == 68


def test_the_table_becomes_zones_of_the_whole_market_with_an_overlay_of_its_own(shared: Path) -> None:
    found = lists.content(official(shared), begun(), base(), now=NOW, place=MILAN)
    easter = regime(found, datetime(2021, 4, 4, 12, tzinfo=ROME))
    assert (easter.level, easter.policies) == (Level.CONTROLLED, ("italy-red@1",))
    assert len(easter.zone_ids) == 2, "a date overlay, not a change of colour"
    christmas = regime(found, datetime(2020, 12, 29, 12, tzinfo=ROME))
    assert christmas.policies == ("italy-orange@1",)
    assert regime(found, datetime(2021, 6, 1, 12, tzinfo=ROME)).policies == ("italy-yellow@2",)
    assert regime(found, datetime(2021, 2, 10, 12, tzinfo=ROME)).handovers is None, (
        "no act: unknown, not open"
    )


def test_edge_case_26_the_night_of_27_to_28_march_2021_is_one_hour_short(shared: Path) -> None:
    found = lists.content(official(shared), begun(), base(), now=NOW, place=MILAN)
    evening = datetime(2021, 3, 27, 23, tzinfo=ROME)
    (curfew,) = regime(found, evening).curfews
    assert isinstance(curfew, Curfew)
    ((low, high),) = curfew_spans(
        curfew, "Europe/Rome", evening.astimezone(UTC), evening.astimezone(UTC) + timedelta(hours=1)
    )
    assert high - low == timedelta(hours=6)


def test_edge_case_36_every_area_of_the_table_is_joined_by_code(shared: Path) -> None:
    acts = acts_of(official(shared), Listed())
    assert {act.area for act in acts} == {*AREAS, None}


def test_the_same_table_again_is_nothing_new_and_an_older_one_takes_its_zones_along() -> None:
    raw = table(record("Lombardia", "20210315", "29/03/2021", "art.3", "20210312"))
    once = lists.content(raw, begun(), base(), now=NOW, place=MILAN)
    assert lists.content(raw, begun(), once, now=NOW + timedelta(days=1), place=MILAN) == once
    other = table(record("Lombardia", "20210322", "29/03/2021", "art.2", "20210319"))
    corrected = lists.content(other, begun(), once, now=NOW, place=MILAN)
    names = ["italy-zones.03.20210322", "italy-zones.03.unknown.20210330", "past"]
    assert [zone.zone_id for zone in corrected.zones] == names


def test_an_end_that_is_put_right_makes_no_older_table() -> None:
    long = table(record("Lombardia", "20210315", "29/03/2021", "art.3", "20210312"))
    short = table(record("Lombardia", "20210315", "27/03/2021", "art.3", "20210312"))
    once = lists.content(long, begun(), base(), now=NOW, place=MILAN)
    found = lists.content(short, begun(), once, now=NOW, place=MILAN)
    assert "italy-zones.03.unknown.20210328" in {zone.zone_id for zone in found.zones}


def test_edge_case_06_a_correction_after_the_fact_is_known_from_then_on_only() -> None:
    red = table(record("Lombardia", "20210117", "31/01/2021", "art.3", "20210116"))
    orange = table(record("Lombardia", "20210117", "31/01/2021", "art.2", "20210116"))
    then, later = datetime(2021, 1, 17, 8, tzinfo=UTC), datetime(2021, 1, 23, 8, tzinfo=UTC)
    stated = {zone.zone_id: zone for zone in base().zones}
    before = Content("MIL", "Europe/Rome", base().datum, 36, base().policies, tuple(stated.values()))
    first = lists.content(red, begun(), before, now=then, place=MILAN)
    second = lists.content(orange, begun(), first, now=later, place=MILAN)
    zone, after = [zone for zone in second.zones if zone.zone_id.startswith("italy")]
    assert (zone.policy_id, zone.known_since) == ("italy-orange", later)
    assert (after.policy_id, after.known_since) == ("italy-unknown", then), (
        "the days after it were unknown before"
    )
    assert [zone.policy_id for zone in first.zones if zone.policy_id != "italy-white"] == [
        "italy-red",
        "italy-unknown",
    ]


def test_a_table_older_than_the_one_in_force_opens_nothing() -> None:
    orange = record("Lombardia", "20210315", "unknown", "art.2", "20210312")
    red = record("Lombardia", "20210329", "unknown", "art.3", "20210326")
    now = lists.content(table(orange, red), begun(), base(), now=NOW, place=MILAN)
    fault = lists.faults(table(orange), begun(), now, now=NOW, place=MILAN).listed[0]
    assert (fault.pointer, "begins on 20210329" in fault.detail) == ("/records", True)
    assert lists.content(table(orange, red), begun(), now, now=NOW, place=MILAN) == now


def test_another_areas_table_takes_no_zones_away() -> None:
    red = record("Lombardia", "20210315", "29/03/2021", "art.3", "20210312")
    white = record("Sardegna", "20210315", "29/03/2021", "art.1 comma 11", "20210312")
    now = lists.content(table(red, white), begun("03"), base(), now=NOW, place=MILAN)
    fault = lists.faults(table(red, white), begun("20"), now, now=NOW, place=MILAN).listed[0]
    assert (fault.part, fault.pointer, "'03' was expected" in fault.detail) == (None, "/area", True)


# --- bad tables ---------------------------------------------------------------------------------------------

GOOD = record("Lombardia", "20210315", "29/03/2021", "art.3", "20210312")
BAD: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "", "a dBase table"),
    "JSON": (b'{"type": "FeatureCollection", "features": []}', "", "a dBase table"),
    "cut off": (table(GOOD)[:-9], "", "9 bytes are missing"),
    "a field less": (table(GOOD, fields=FIELDS[1:]), "", "nomeTesto were expected"),
    "no records": (table(), "/records", "an empty table opens nothing"),
    "an unknown article": (table(GOOD, {**GOOD, "legSpecRif": "art.4"}), "/records/1/legSpecRif", "art.1 comma 11"),
    "an unknown region": (table({**GOOD, "nomeTesto": "Padania"}), "/records/0/nomeTesto", "a region"),
    "no day": (table({**GOOD, "designIniz": "20210230"}), "/records/0/designIniz", "a day such as"),
    "a year with a digit too many": (table({**GOOD, "designFine": "29/03/9021"}), "/records/0/designFine", "before 2030-01-01"),
    "the last day there is": (table({**GOOD, "designFine": "99991231"}), "/records/0/designFine", "before 2030-01-01"),
    "the first day there is": (table({**GOOD, "legDataApp": "00010101"}), "/records/0/legDataApp", "from 2020-01-01"),
    "records of a byte": (hollow(1_000_000), "", "at most 20000 records"),
    "an end before the start": (table({**GOOD, "designFine": "14/03/2021"}), "/records/0/designFine", "from 2021-03-15 on"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "pointer", "detail"), BAD.values(), ids=list(BAD))
def test_what_is_wrong_with_a_table_is_said_by_record_and_field(
    raw: bytes, pointer: str, detail: str
) -> None:
    fault = lists.faults(raw, begun(), base(), now=NOW, place=MILAN).listed[0]
    assert fault.pointer == pointer
    assert detail in fault.detail


def test_region_04_is_two_provinces_and_no_area() -> None:
    fault = lists.faults(table(GOOD), begun("04"), base(), now=NOW, place=MILAN).listed[0]
    assert (fault.part, fault.pointer, "22 Provincia autonoma Trento" in fault.detail) == (
        None,
        "/area",
        True,
    )


def test_a_table_is_handed_in_as_bytes_and_published() -> None:
    world = fakes.world(clock=fakes.FakeClock(NOW))
    enlist.put_market(world, MILAN)
    past = {"zone_id": "past", "level": "open", "policy": "italy-white@1", "unit": {"kind": "market"},
            "valid_from": "2020-01-01T00:00:00+01:00", "valid_to": "2020-01-02T00:00:00+01:00"}  # fmt: skip
    raw = part({"type": "Feature", "geometry": None, "properties": past}, policies=COLOURS)
    told: dict[str, Any] = {"time_zone": "Europe/Rome", "datum": "WGS84"}
    assert lists.handed_in(world, "MIL", raw, mode="replace", **told).state is UploadState.PUBLISHED
    upload = lists.handed_in(world, "MIL", table(GOOD), cut=100, format="italy_zones", area="03", **told)
    assert (upload.state, upload.faults) == (UploadState.PUBLISHED, ())
    assert upload.difference is not None
    assert upload.difference.new == 2, "red, and from its end on nobody knows"
