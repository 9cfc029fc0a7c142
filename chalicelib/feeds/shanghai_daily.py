"""Shanghai's daily list: the addresses at which yesterday's cases live, by district, as one JSON object.

    {"黄浦区": {"name", "cases", "asymptomaticCases", "addressWithLocation": [[name, lat, lng], ...]}, ...}

The list of a day is published the morning after (that of 12 April 2022 at 09:10 on the 13th): it is in force before
it is known. It names places with a new case and nothing else, so it seals and it restarts; that a place is *not* on
a list says only that no case was found there that day. From that follows when a sealing ends: the rules of 11 April
2022 give it seven days, counted from the day of the last case, and then seven more as a controlled place. The seven
days run out only when a list of each of them was read and none names the place again: a list that is missing may
have named it. What comes after the controlled days needs tests that no list reports, so it never comes from here; it
takes a release (`../shared/research/lockdowns.md`, 1.1).

A district whose list has not come yet while others' have is not known: nothing is handed over in it from the end of
the last day it was heard of. When lists stop coming altogether, nobody knows what holds from two days after the last
one on, however fresh the rules are that others publish. The text （滑动查看更多↓） is known junk of this source and
is refused by name.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any, Final

from chalicelib.domain.address_keys import address_key
from chalicelib.domain.feeds import Entry, Listed, Note, Told, too_many
from chalicelib.domain.places import METRES_PER_DEGREE, Polygon, converted, covers, district_key
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.reading import junk
from chalicelib.domain.shapes import folded, zone_info
from chalicelib.domain.uploads import Mode
from chalicelib.domain.zones import Zone
from chalicelib.feeds._json import document_of, escaped

OURS: Final = "shanghai-daily."
TERM: Final = timedelta(days=7)
"""Of a sealing, and of the controlled days after it."""
SECOND_RULES: Final = date(2022, 4, 11)
"""From which the classes are what they were in April and May; the same words meant something else before."""
CODES: Final = {
    "黄浦": "310101",
    "徐汇": "310104",
    "长宁": "310105",
    "静安": "310106",
    "普陀": "310107",
    "虹口": "310109",
    "杨浦": "310110",
    "闵行": "310112",
    "宝山": "310113",
    "嘉定": "310114",
    "浦东": "310115",
    "金山": "310116",
    "松江": "310117",
    "青浦": "310118",
    "奉贤": "310120",
    "崇明": "310151",
}
"""The districts by GB/T 2260."""

RADIUS_M: Final = 60.0
"""Of what is drawn round a geocoded point, where it is believed at all."""
PRECISION_M: Final = 70.0
"""How far two geocoders lie apart on these addresses, by the median (`../shared/data/SOURCES.md`)."""
SLACK_M: Final = 250.0
"""How far outside its stated district a point may lie: district maps are coarse."""

_SOURCE: Final = "Shanghai Municipal Health Commission, residences of cases, daily"
LISTS_READ: Final = Policy(
    policy_id="shanghai-daily-lists",
    version=1,
    title="Daily lists that were read",
    source=_SOURCE,
)
"""Regulates nothing: its zones say of which days a district's list was read."""
LIST_MISSING: Final = Policy(
    policy_id="shanghai-daily-missing",
    version=1,
    title="The district's list has not come",
    handovers=frozenset(),
    source=_SOURCE,
)
LISTS_SILENT: Final = Policy(
    policy_id="shanghai-daily-silent",
    version=1,
    title="No later list has come",
    unknown=True,
    source=_SOURCE,
)
"""Its zone begins where the lists would be too old to be believed, and each list puts it off by a day."""
SILENT_AFTER: Final = timedelta(days=3)
"""From the beginning of the last day that was heard of: its list comes on the day after, the next one a day later."""

_MOST_DIGITS: Final = 9
"""Of a count. What has more is no count of a city's cases, but it says that there are some."""
FIRST_DAY: Final = date(2020, 1, 1)
"""Nobody listed cases before; days so long ago are no moments of ours."""
_COUNTED: Final = "; cases without addresses "
_SWIPE: Final = folded("（滑动查看更多↓）")
_NO_PLACE: Final = re.compile(
    r"(建筑)?工地(（闭环(管理)?）|\(闭环(管理)?\))?|闭环(隔离)?(管理|管控)?(人员)?|集中隔离点"
)


@dataclass(frozen=True)
class _Line:
    """One address of the list."""

    district: str
    text: str
    point: tuple[float, float] | None
    """Longitude first, as given."""
    pointer: str
    number: int


@dataclass
class _Read:
    """The file."""

    lines: list[_Line] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)
    """Districts of which it says all there is to say, by key."""
    heard: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Run:
    """A sealing in force: whole days, each case within seven of the one before."""

    zone: Zone
    first: date
    until: date
    is_released: bool = False
    """By somebody, and not because its term was over."""


class ShanghaiDaily:
    """The municipal list of one day."""

    def read(self, raw: bytes, told: Told) -> Listed:
        listed = Listed()
        assert told.start.day is not None
        if told.start.mode is not Mode.AMEND:
            detail = "amend was expected: a daily list names new cases, not everything there is"
            listed.faults.append(Note("/mode", detail, repr(told.start.mode.value), of_upload=True))
        today = told.now.astimezone(zone_info(told.start.time_zone)).date()
        if not FIRST_DAY <= told.start.day <= today:
            detail = f"a day from {FIRST_DAY.isoformat()} up to today ({today.isoformat()}) was expected"
            listed.faults.append(Note("/day", detail, repr(told.start.day.isoformat()), of_upload=True))
        file = _file(raw, listed)
        if not listed.faults:
            _Importing(told, told.start.day, file, listed).run()
        return listed


feed: Final = ShanghaiDaily()


# --- the file -----------------------------------------------------------------------------------------------


def _file(raw: bytes, listed: Listed) -> _Read:
    found = _Read()
    document = document_of(raw, listed)
    if listed.faults and document is None:
        return found
    if not isinstance(document, dict):
        listed.faults.append(Note("", "an object of districts was expected", repr(document)[:120]))
        return found
    lists = [said.get("addressWithLocation") for said in document.values() if isinstance(said, dict)]
    excess = too_many("", sum(len(lines) for lines in lists if isinstance(lines, list)))
    listed.faults += excess
    if excess:
        return found
    number = 0
    for name, said in document.items():
        key, pointer = district_key(name), f"/{escaped(name)}"
        if key not in CODES:
            listed.faults.append(Note(pointer, "a district of Shanghai was expected", repr(name)))
            continue
        if key in found.heard:
            listed.faults.append(
                Note(pointer, "each district once was expected, whatever its spelling", repr(name))
            )
        found.heard.add(key)
        lines = said.get("addressWithLocation") if isinstance(said, dict) else None
        if not isinstance(lines, list):
            detail = "a list of addresses was expected"
            listed.faults.append(Note(f"{pointer}/addressWithLocation", detail, repr(lines)[:120]))
            continue
        named = 0
        for index, line in enumerate(lines):
            at = f"{pointer}/addressWithLocation/{index}"
            read = _line(name, line, at, number, listed)
            number += 1
            if read is not None:
                found.lines.append(read)
                named += 1
        if named or not _cases(said):
            found.covered.add(key)
        else:
            detail = "cases are counted and no address is named: where they live is not known"
            listed.remarks.append(Note(pointer, detail, repr(_cases(said))))
    if not found.lines and not listed.faults:
        detail = "at least one address was expected: an empty list opens nothing"
        listed.faults.append(Note("", detail))
    return found


def _cases(said: Mapping[str, Any]) -> int:
    """How many the district counts: as a number, or as one in quotes; left out where there is none."""
    counts = [str(said.get(name)) for name in ("cases", "asymptomaticCases")]
    digits = [count.lstrip("0") for count in counts if count.isascii() and count.isdigit()]
    return sum(int(count[:_MOST_DIGITS]) for count in digits if count)


def _line(district: str, given: object, pointer: str, number: int, listed: Listed) -> _Line | None:
    if not (isinstance(given, list) and len(given) == 3 and isinstance(given[0], str)):
        detail = "[address, latitude, longitude] was expected"
        listed.faults.append(Note(pointer, detail, repr(given)[:120], number))
        return None
    text, lat, lng = given
    if folded(text) == _SWIPE:
        listed.remarks.insert(
            0, Note(f"{pointer}/0", "a text of the screen, no address: left out", repr(text), number)
        )
        return None
    why = junk(text)
    if why is not None or len(text) > 200:
        detail = f"an address was expected, this is {why or 'too long'}"
        listed.faults.append(Note(f"{pointer}/0", detail, repr(text)[:120], number))
        return None
    if _NO_PLACE.fullmatch(text):
        listed.remarks.insert(0, Note(f"{pointer}/0", "names no place: left out", repr(text), number))
        return None
    if lat is None and lng is None:
        return _Line(district, text, None, pointer, number)
    if not all(map(_is_degrees, (lat, lng))):
        detail = "two finite numbers, or null twice, were expected"
        listed.faults.append(Note(pointer, detail, repr(given[1:])[:120], number))
        return None
    if not -90 <= lat <= 90:
        swapped = "; latitude and longitude look swapped" if -90 <= lng <= 90 else ""
        detail = f"a latitude from -90 to 90 was expected{swapped}"
        listed.faults.append(Note(f"{pointer}/1", detail, repr(lat), number))
        return None
    return _Line(district, text, (lng, lat), pointer, number)


def _is_degrees(value: object) -> bool:
    """A number that may be one; True is none, and an integer may be longer than any float."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 360


# --- what it changes ----------------------------------------------------------------------------------------


class _Importing:
    """One list on top of what was known before."""

    def __init__(self, told: Told, day: date, file: _Read, listed: Listed) -> None:
        self.told = told
        self.day = day
        self.file = file
        self.listed = listed
        self.clock = zone_info(told.start.time_zone)
        base = told.base.zones if told.base else ()
        self.own = {zone.zone_id: zone for zone in base if zone.zone_id.startswith(OURS)}
        self.spelt: dict[str, str] = {}
        self.drawn: dict[str, list[Polygon]] = defaultdict(list)
        for zone in base:
            if zone.unit is not None and zone.unit.kind == "district" and zone.unit.district is not None:
                self.spelt.setdefault(district_key(zone.unit.district), zone.unit.district)
                self.drawn[district_key(zone.unit.district)] += zone.polygons
        self.runs: dict[str, list[_Run]] = defaultdict(list)
        self.after: dict[str, Zone] = {}
        """The controlled days after a sealing, by its id."""
        for name, zone in self.own.items():
            if name.endswith(".after"):
                self.after[name.removesuffix(".after")] = zone
            elif zone.unit is not None and zone.unit.kind == "address" and zone.expected_end is not None:
                run = _Run(
                    zone,
                    self._local(zone.valid_from),
                    self._local(zone.expected_end),
                    # at the end of a term, too: then no controlled days of ours follow
                    zone.valid_to is not None
                    and (zone.valid_to != zone.expected_end or f"{name}.after" not in self.own),
                )
                self.runs[_stem(name)].append(run)
        self.days: dict[str, frozenset[date]] = {}
        self.counted: dict[str, frozenset[date]] = {}
        for key in CODES:
            read, counted = self._days_read(key)
            self.days[key] = read | ({day} if key in file.covered else set())
            self.counted[key] = (counted | ({day} if key in file.heard else set())) - self.days[key]
        self.made: dict[str, Zone] = {}
        """Zones in force as they are from now on."""
        self.new: dict[str, tuple[date, date, _Line, dict[str, Any] | None]] = {}

    def run(self) -> None:
        drawn = self._geocoded()
        named: dict[str, _Line] = {}
        for line in self.file.lines:
            key = district_key(line.district)
            unit = str(address_key(line.text, line.district))
            stem = f"{OURS}{CODES[key]}.{sha256(f'{key}/{unit}'.encode()).hexdigest()[:16]}"
            if stem in named:
                detail = f"each address once was expected, it is there as {named[stem].text!r}: taken as one"
                self.listed.remarks.append(Note(f"{line.pointer}/0", detail, repr(line.text), line.number))
                continue
            named[stem] = line
            self._seal(stem, line, drawn.get(line.number))
        self._end_and_follow()
        self._say_what_was_read()
        self._miss_what_was_not()
        self._know_nothing_after_the_last()
        known = {policy.reference for policy in self.told.base.policies} if self.told.base else set()
        names = {zone.policy_reference for zone in self.made.values()}
        names |= {str(entry.feature["properties"]["policy"]) for entry in self.listed.entries}
        book = {**self.told.book, **{own.reference: own for own in (LISTS_READ, LIST_MISSING, LISTS_SILENT)}}
        self.listed.policies = [book[name] for name in sorted(names - known) if name in book]
        self.listed.kept = [zone for name, zone in self.made.items() if self.own.get(name) != zone]

    # --- sealing --------------------------------------------------------------------------------------------

    def _seal(self, stem: str, line: _Line, geometry: dict[str, Any] | None) -> None:
        """A case on this day: a run begins, or one that it touches goes on."""
        first, until = self.day, self.day + TERM
        touched = []
        for run in self.runs[stem]:
            if run.is_released:
                assert run.zone.valid_to is not None
                if (
                    self._midnight(self.day + timedelta(days=1)) <= run.zone.valid_to
                    and run.first <= self.day
                ):
                    return  # whoever released it since knew of this case
            elif run.first <= until and first <= run.until:
                touched.append(run)
        touched.sort(key=lambda run: run.first)
        first = min([first, *(run.first for run in touched)])
        until = max([until, *(run.until for run in touched)])
        for run in touched:
            self.runs[stem].remove(run)
            if run.first != first:
                self.listed.gone.add(run.zone.zone_id)
        name = f"{stem}.{first:%Y%m%d}"
        if touched and touched[0].first == first:
            zone = touched[0].zone
            if until != touched[0].until or len(touched) > 1:
                zone = zone.model_copy(
                    update={
                        "valid_to": None,
                        "expected_end": self._midnight(until),
                        "policy_version": _rules_of(until - TERM),
                        "basis": _basis(until - TERM),
                    }
                )
            self.runs[stem].append(_Run(zone, first, until))
        else:
            self.new[name] = (first, until, line, geometry)

    def _end_and_follow(self) -> None:
        """Where a list of every day of the term was read, the sealing ends with it, and controlled days follow."""
        for runs in list(self.runs.values()):
            for run in runs:
                zone, name = run.zone, run.zone.zone_id
                if run.is_released or zone.unit is None or zone.unit.district is None:
                    continue
                is_over = self._is_over(district_key(zone.unit.district), run.first, run.until)
                end = self._midnight(run.until)
                self.made[name] = zone.model_copy(update={"valid_to": end if is_over else None})
                if is_over:
                    self._follow(zone, run.until)
                elif name in self.after:
                    self.listed.gone.add(self.after[name].zone_id)
        self.listed.gone |= {zone.zone_id for name, zone in self.after.items() if name in self.listed.gone}
        for name, (first, until, line, geometry) in self.new.items():
            key = district_key(line.district)
            is_over = self._is_over(key, first, until)
            self._state(name, line, first, until, geometry, is_over=is_over)
            if is_over:
                last = until - TERM
                self._add(
                    f"{name}.after",
                    line,
                    geometry,
                    level="controlled",
                    policy=f"shanghai-controlled@{_rules_of(last)}",
                    valid_from=self._midnight(until),
                    expected_end=self._midnight(until + TERM),
                    basis=_basis(last),
                )

    def _is_over(self, key: str, first: date, until: date) -> bool:
        days = self.days[key]
        return all(first + timedelta(days=past) in days for past in range((until - first).days))

    def _follow(self, sealed: Zone, until: date) -> None:
        name = f"{sealed.zone_id}.after"
        known = self.own.get(name)
        begins = self._midnight(until)
        if known is not None and known.valid_from == begins:
            self.made[name] = known
            return
        self.made[name] = sealed.model_copy(
            update={
                "zone_id": name,
                "level": Level.CONTROLLED,
                "policy_id": "shanghai-controlled",
                "valid_from": begins,
                "valid_to": None,
                "expected_end": self._midnight(until + TERM),
                "known_since": self.told.now,
            }
        )

    def _state(
        self,
        name: str,
        line: _Line,
        first: date,
        until: date,
        geometry: dict[str, Any] | None,
        *,
        is_over: bool,
    ) -> None:
        end = self._midnight(until)
        self._add(
            name,
            line,
            geometry,
            level="sealed",
            policy=f"shanghai-sealed@{_rules_of(until - TERM)}",
            valid_from=self._midnight(first),
            expected_end=end,
            valid_to=end if is_over else None,
            basis=_basis(until - TERM),
        )

    def _add(self, name: str, line: _Line, geometry: dict[str, Any] | None, **stated: Any) -> None:
        unit = {"kind": "address", "district": self._spelt(line.district), "address": line.text}
        properties = {"zone_id": name, "unit": unit, "precision_m": PRECISION_M if geometry else 0, **stated}
        feature = {"type": "Feature", "geometry": geometry, "properties": properties}
        self.listed.entries.append(Entry(feature, line.pointer, line.number))

    # --- what was read --------------------------------------------------------------------------------------

    def _days_read(self, key: str) -> tuple[frozenset[date], frozenset[date]]:
        """Of which days this district's list was read, and of which it counted cases and named no address."""
        zone = self.own.get(f"{OURS}{CODES[key]}.lists")
        read, _, counted = (zone.basis if zone is not None else "").partition(_COUNTED)
        try:
            return frozenset(self._heard_on(read)), frozenset(self._heard_on(counted))
        except ValueError:  # somebody else stated that zone: what it says is no list of ours that was read
            return frozenset(), frozenset()

    def _heard_on(self, basis: str) -> Iterator[date]:
        """The days that `_spans` wrote down, none of another age. Raises ValueError for another text."""
        newest = self._local(self.told.now) + timedelta(days=366)
        for span in basis.split(", ") if basis else ():
            low, _, high = span.partition("/")
            first, last = date.fromisoformat(low), date.fromisoformat(high or low)
            first, last = max(first, FIRST_DAY), min(last, newest)
            yield from (first + timedelta(days=past) for past in range((last - first).days + 1))

    def _say_what_was_read(self) -> None:
        for key, code in CODES.items():
            heard = self.days[key] | self.counted[key]
            if heard:
                counted = _COUNTED + _spans(self.counted[key]) if self.counted[key] else ""
                self._of_the_district(
                    f"{OURS}{code}.lists",
                    key,
                    level="open",
                    policy=LISTS_READ.reference,
                    valid_from=self._midnight(min(heard)),
                    basis=_spans(self.days[key]) + counted,
                )

    def _miss_what_was_not(self) -> None:
        """A district that is behind the others is not known from the end of the last day it was heard of."""
        heard = {key: self.days[key] | self.counted[key] for key in CODES}
        newest = max(day for days in heard.values() for day in days)
        for key, code in CODES.items():
            name = f"{OURS}{code}.missing"
            if newest in heard[key]:
                self.listed.gone |= {name} & self.own.keys()
                continue
            last = max(heard[key], default=newest - timedelta(days=1))
            self._of_the_district(
                name,
                key,
                level="no_access",
                policy=LIST_MISSING.reference,
                valid_from=self._midnight(last + timedelta(days=1)),
                basis=f"no list of {newest.isoformat()} yet",
            )

    def _know_nothing_after_the_last(self) -> None:
        newest = max(day for key in CODES for day in self.days[key] | self.counted[key])
        self._speak_of(
            f"{OURS}silent",
            {"kind": "market"},
            level="open",
            policy=LISTS_SILENT.reference,
            valid_from=self._midnight(newest + SILENT_AFTER),
            basis=f"the last list was that of {newest.isoformat()}",
        )

    def _of_the_district(self, name: str, key: str, **stated: Any) -> None:
        self._speak_of(name, {"kind": "district", "district": self._spelt(key)}, **stated)

    def _speak_of(self, name: str, unit: dict[str, str], **stated: Any) -> None:
        feature = {
            "type": "Feature",
            "geometry": None,
            "properties": {"zone_id": name, "unit": unit, **stated},
        }
        self.listed.entries.append(Entry(feature, ""))

    # --- where ----------------------------------------------------------------------------------------------

    def _geocoded(self) -> dict[int, dict[str, Any]]:
        """What is drawn round the points that can be believed, by line; and why not round the others."""
        shared = Counter(line.point for line in self.file.lines)
        doubts: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], _Line] = {}
        drawn: dict[int, dict[str, Any]] = {}
        market = self.told.market
        for line in self.file.lines:
            why = None
            if line.point is None:
                why = "without a point"
            else:
                lng, lat = converted(line.point, self.told.start.datum, market.datum)
                district = self.drawn.get(district_key(line.district))
                if not (market.west <= lng <= market.east and market.south <= lat <= market.north):
                    why = "geocoded outside the market"
                elif shared[line.point] > 1:
                    why = "with a point that others have as well, as a geocoder's centre of something has"
                elif not district:
                    why = "in a district that is not drawn, so that no point can be checked"
                elif not covers(district, lng, lat, SLACK_M):
                    why = "geocoded outside the district the list states"
                else:
                    drawn[line.number] = _octagon(*line.point)
            if why is not None:
                doubts[line.district, why] += 1
                first.setdefault((line.district, why), line)
        for doubt, count in doubts.items():
            line = first[doubt]
            detail = f"{count} of {' '.join(doubt)}: they count by their names alone"
            self.listed.remarks.append(Note(line.pointer, detail, repr(line.text), line.number))
        return drawn

    # --- days -----------------------------------------------------------------------------------------------

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.clock).astimezone(UTC)

    def _local(self, moment: datetime) -> date:
        return moment.astimezone(self.clock).date()

    def _spelt(self, district: str) -> str:
        """As it is spelt in force: one district under two names would be there twice."""
        key = district_key(district)
        return self.spelt.get(key) or _OFFICIAL.get(key, f"{key}区")


_OFFICIAL: Final = {"浦东": "浦东新区"}


def _rules_of(day: date) -> int:
    """The version of the rules of that day."""
    return 2 if day >= SECOND_RULES else 1


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _basis(day: date) -> str:
    return f"on the municipal list of {day.isoformat()}"


def _spans(days: Iterable[date]) -> str:
    """Days as a person reads them: 2022-05-01/2022-05-04, 2022-05-06. The newest ones where they are too many."""
    spans: list[list[date]] = []
    for day in sorted(days):
        if spans and spans[-1][1] + timedelta(days=1) == day:
            spans[-1][1] = day
        else:
            spans.append([day, day])
    told = [low.isoformat() if low == high else f"{low}/{high}" for low, high in spans]
    return ", ".join(told[-18:])


def _octagon(lng: float, lat: float) -> dict[str, Any]:
    """Eight points round it, counter-clockwise, closed."""
    tall = RADIUS_M / METRES_PER_DEGREE
    wide = tall / math.cos(math.radians(lat))
    turns = [math.radians(45 * turn + 22.5) for turn in range(8)]
    ring = [[round(lng + wide * math.cos(a), 7), round(lat + tall * math.sin(a), 7)] for a in turns]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
