"""The State Council's list of risk areas: every place of the country at high and medium risk, as of an hour.

    {"data": {"end_update_time": "2022-04-15 11时", "hcount": 15, "mcount": 188, "highlist": [row ...],
              "middlelist": [row ...]}, "code": 0, "msg": "..."}     and since the 9th edition lcount and lowlist
    row = {"province", "city", "county", "area_name", "communitys": [place ...]}

It says everything there is, so a place that a later list leaves out is over from that list's hour. But a list that is
empty is discontinued or broken, and one that names nothing in this city any more may be; neither ends anything. Nor
does a list whose counts are not the places it names (`hcount` counts places, not rows), or one older than was read.

What a risk level *means* is not in the list, and it changed with the 9th edition: the upload's `wording` says it, by
`high`, `medium` and `low`, as levels and policies. It is not the city's own list: on 15 April 2022 it had 13 places
of Shanghai, and thousands of compounds were sealed (`../shared/research/lockdowns.md`, 1.1).

A place described by the roads round it, or a whole town, has no key of its own: the whole district is taken for it,
and that is said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from chalicelib.domain.address_keys import address_key
from chalicelib.domain.feeds import Entry, Listed, Note, Told, too_many
from chalicelib.domain.places import district_key
from chalicelib.domain.policies import Policy
from chalicelib.domain.reading import junk
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.uploads import Mode, Wording
from chalicelib.domain.zones import Zone
from chalicelib.feeds._json import document_of, escaped

OURS: Final = "china-risk."
LISTS: Final = {
    "highlist": ("high", "hcount"),
    "middlelist": ("medium", "mcount"),
    "lowlist": ("low", "lcount"),
}
LIST_READ: Final = Policy(
    policy_id="china-risk-list",
    version=1,
    title="The national list of risk areas that was read",
    source="State Council of China, list of risk areas by level",
)
"""Regulates nothing: its zone says which list was read last."""

_READ_FOR: Final = ", read for "
_HOUR: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2}) (\d{1,2})时")
_WIDE: Final = re.compile(r"全[域区县市镇乡]|以[东西南北]|合围|区域|(除|外).*以外|及周边")


@dataclass(frozen=True)
class _Place:
    """One place of this city."""

    level: str
    district: str
    name: str | None
    """None: the whole district."""
    pointer: str
    number: int

    @property
    def stem(self) -> str:
        unit = "" if self.name is None else str(address_key(self.name, self.district))
        named = f"{self.level}/{district_key(self.district)}/{unit}"
        return f"{OURS}{sha256(named.encode()).hexdigest()[:16]}"


class RiskList:
    """The national list, read for one city."""

    def read(self, raw: bytes, told: Told) -> Listed:
        listed = Listed()
        if told.start.mode is not Mode.AMEND:
            detail = "amend was expected: the list says nothing of what the city itself has ruled"
            listed.faults.append(Note("/mode", detail, repr(told.start.mode.value), of_upload=True))
        document = document_of(raw, listed)
        if listed.faults:
            return listed
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict) or document.get("code", 0) != 0:
            listed.faults.append(Note("/data", "a list with code 0 was expected", repr(data)[:120]))
            return listed
        listed.faults += too_many("/data", _count(data))
        if listed.faults:
            return listed
        at = _hour(data, told, listed)
        places = tuple(_places(data, told.start.area or "", listed))
        if at is not None and not listed.faults:
            _change(at, places, told, listed)
        return listed


feed: Final = RiskList()


def _count(data: Mapping[str, Any]) -> int:
    """Rows and the places in them, whatever they are."""
    rows = [row for key in LISTS if isinstance(data.get(key), list) for row in data[key]]
    places = [row.get("communitys") for row in rows if isinstance(row, dict)]
    return len(rows) + sum(len(names) for names in places if isinstance(names, list))


def _hour(data: Mapping[str, Any], told: Told, listed: Listed) -> datetime | None:
    said = data.get("end_update_time")
    read = _HOUR.fullmatch(said) if isinstance(said, str) else None
    pointer = "/data/end_update_time"
    try:
        if read is None:
            raise ValueError
        year, month, day, hour = map(int, read.groups())
        at = datetime(year, month, day, hour, tzinfo=zone_info(told.start.time_zone))
    except ValueError:
        listed.faults.append(Note(pointer, "an hour such as 2022-04-15 11时 was expected", repr(said)[:120]))
        return None
    if at > told.now:
        detail = f"an hour up to now ({told.now.isoformat()}) was expected"
        listed.faults.append(Note(pointer, detail, repr(said)))
    before = next((z for z in told.base.zones if z.zone_id == f"{OURS}list"), None) if told.base else None
    if before is not None and at < before.valid_from:
        detail = f"a list from {before.valid_from.astimezone(at.tzinfo).isoformat()} on was expected, that one was read"
        listed.faults.append(Note(pointer, detail, repr(said)))
    if before is not None:
        _, _, area = before.basis.partition(_READ_FOR)
        if area and area != told.start.area:
            detail = f"{area!r} was expected, as before: this would end the zones of that city"
            listed.faults.append(Note("/area", detail, repr(told.start.area), of_upload=True))
    return at


def _places(data: Mapping[str, Any], area: str, listed: Listed) -> Iterator[_Place]:
    number = total = 0
    for key, value in data.items():
        if key in ("end_update_time", *(count for _, count in LISTS.values())):
            continue
        pointer = f"/data/{escaped(key)}"
        if key not in LISTS:
            if isinstance(value, list | dict) and value:
                detail = f"one of {', '.join(LISTS)} was expected: what this list means is not known"
                listed.faults.append(Note(pointer, detail))
            continue
        level, count = LISTS[key]
        if not isinstance(value, list):
            listed.faults.append(Note(pointer, "a list was expected", repr(value)[:120]))
            continue
        there = 0
        for index, row in enumerate(value):
            at = f"{pointer}/{index}"
            names = row.get("communitys") if isinstance(row, dict) else None
            if not isinstance(names, list) or not all(
                isinstance(row.get(n), str) for n in ("province", "city", "county")
            ):
                listed.faults.append(
                    Note(at, "province, city, county and communitys were expected", number=number)
                )
                continue
            there += len(names)
            yield from _of_the_row(level, row, names, at, number, area, listed)
            number += 1
        total += there
        if data.get(count) != there:
            detail = f"{there} was expected, the number of places in {key}: it is not all there"
            listed.faults.append(Note(f"/data/{count}", detail, repr(data.get(count))))
    if total == 0 and not listed.faults:
        detail = "at least one place was expected: an empty list is discontinued or broken, it opens nothing"
        listed.faults.append(Note("/data", detail))


def _of_the_row(
    level: str, row: Mapping[str, Any], names: list[Any], pointer: str, number: int, area: str, listed: Listed
) -> Iterator[_Place]:
    """Of 北京市 the city is a district and the county a street; of 上海市 and of cities in a province it is not so."""
    if area == row["city"]:
        district = row["county"]
    elif area == row["province"]:
        district = row["city"]
    else:
        return
    if not names:
        listed.remarks.append(
            Note(pointer, "names no place: the whole district is taken for it", repr(district), number)
        )
        yield _Place(level, district, None, pointer, number)
    for index, name in enumerate(names):
        at = f"{pointer}/communitys/{index}"
        why = junk(name) if isinstance(name, str) else "no text"
        if why is not None or len(name) > 200:
            detail = f"a place was expected, this is {why or 'too long'}"
            listed.faults.append(Note(at, detail, repr(name)[:120], number))
        elif _WIDE.search(name):
            detail = "a place without a key of its own: the whole district is taken for it"
            listed.remarks.append(Note(at, detail, repr(name), number))
            yield _Place(level, district, None, at, number)
        else:
            yield _Place(level, district, name, at, number)


def _change(at: datetime, places: tuple[_Place, ...], told: Told, listed: Listed) -> None:
    base: Sequence[Zone] = told.base.zones if told.base else ()
    spelt: dict[str, str] = {}
    for zone in base:
        if zone.unit is not None and zone.unit.kind == "district" and zone.unit.district is not None:
            spelt.setdefault(district_key(zone.unit.district), zone.unit.district)
    running: dict[str, list[Zone]] = defaultdict(list)
    for zone in base:
        is_a_place = zone.unit is not None and zone.unit.kind != "market"
        if zone.zone_id.startswith(OURS) and is_a_place and zone.valid_to is None:
            running[zone.zone_id.rpartition(".")[0]].append(zone)
    wording = told.start.wording or Wording()
    named: set[str] = set()
    for place in places:
        if place.stem in named:
            continue
        named.add(place.stem)
        meaning = {name: wording.words.get(name, {}).get(place.level) for name in ("level", "policy")}
        missing = [name for name, word in meaning.items() if word is None]
        if missing:
            detail = f"a word for {place.level!r} was expected: the list does not say what its levels mean"
            listed.faults.append(Note(f"/wording/words/{missing[0]}", detail, of_upload=True))
            return
        before = running.get(place.stem, [])
        if any(
            (z.level.name.lower(), z.policy_reference) == (meaning["level"], meaning["policy"])
            for z in before
        ):
            continue
        if before:
            detail = (
                f"{place.level!r} means something else now; what it meant stays as well until it is released"
            )
            listed.remarks.append(Note(place.pointer, detail, repr(before[0].zone_id), place.number))
        district = spelt.get(district_key(place.district), place.district)
        unit = {"kind": "district", "district": district}
        if place.name is not None:
            unit = {"kind": "address", "district": district, "address": place.name}
        stated = {
            "zone_id": f"{place.stem}.{at:%Y%m%d%H}",
            "unit": unit,
            "valid_from": at,
            "basis": f"{place.level} risk on the national list of {at:%Y-%m-%d %H}:00",
            **meaning,
        }
        feature = {"type": "Feature", "geometry": None, "properties": stated}
        listed.entries.append(Entry(feature, place.pointer, place.number))
    left = [zone for stem, zones in running.items() if stem not in named for zone in zones]
    if places:
        listed.kept = [
            zone.model_copy(update={"valid_to": at.astimezone(UTC)}) for zone in left if zone.valid_from < at
        ]
    elif left:
        detail = (
            f"nothing is named in {told.start.area!r} any more: what was stays until somebody releases it"
        )
        listed.remarks.append(Note("/data", detail, repr(len(left))))
    read = {
        "zone_id": f"{OURS}list",
        "level": "open",
        "policy": LIST_READ.reference,
        "unit": {"kind": "market"},
        "valid_from": at,
        "basis": f"national list of {at:%Y-%m-%d %H}:00{_READ_FOR}{told.start.area}",
    }
    listed.entries.append(Entry({"type": "Feature", "geometry": None, "properties": read}, ""))
    known = {policy.reference for policy in told.base.policies} if told.base else set()
    wanted = {str(entry.feature["properties"]["policy"]) for entry in listed.entries} - known
    book = {**told.book, LIST_READ.reference: LIST_READ}
    listed.policies = [book[name] for name in sorted(wanted) if name in book]
