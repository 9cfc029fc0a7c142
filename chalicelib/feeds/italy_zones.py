"""The Italian Civil Protection's table of zones: one record an act, an area and a colour, as a dBase file.

The colour is the article that the act applies: 1 yellow, 2 orange, 3 red, 1 paragraph 11 white. Days are inclusive in
the table and half-open here. An act rules nothing before it is in force, whatever period its record repeats. Areas are
joined by code: the table, ISTAT and the maps spell them three ways, and Trento and Bolzano are two areas of one region.

`legDataAbr`, the day an act was repealed, is not read as the beginning of another colour: nine records look as if it
were, and the description of the table says nothing of the kind. They contradict others of the same act, and such days
stay unknown. Source: pcm-dpc/COVID-19, `aree/`, CC-BY 4.0; fields as in its `dati-aree-covid19.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from chalicelib.domain.colours import Act, Colour, Period, Why, colours, national, regional
from chalicelib.domain.feeds import Entry, Listed, Note, Told
from chalicelib.domain.policies import Policy
from chalicelib.domain.shapes import folded, zone_info
from chalicelib.feeds._dbf import NoTable, table_of

OURS: Final = "italy-zones."
AREAS: Final = {
    "01": "Piemonte",
    "02": "Valle d'Aosta",
    "03": "Lombardia",
    "05": "Veneto",
    "06": "Friuli Venezia Giulia",
    "07": "Liguria",
    "08": "Emilia-Romagna",
    "09": "Toscana",
    "10": "Umbria",
    "11": "Marche",
    "12": "Lazio",
    "13": "Abruzzo",
    "14": "Molise",
    "15": "Campania",
    "16": "Puglia",
    "17": "Basilicata",
    "18": "Calabria",
    "19": "Sicilia",
    "20": "Sardegna",
    "21": "Provincia autonoma Bolzano",
    "22": "Provincia autonoma Trento",
}
"""By ISTAT's code of the region; of the two provinces of region 04, by the one the Civil Protection gives them."""
COUNTRY: Final = "Intero territorio nazionale"
_CODES: Final = {folded(name): code for code, name in AREAS.items()}

ARTICLES: Final = {
    "art.1": Colour.YELLOW,
    "art.2": Colour.ORANGE,
    "art.3": Colour.RED,
    "art.1 comma 11": Colour.WHITE,
}
SPARING_WHITE: Final = frozenset({"DL 13/03/2021 n.30"})
"""Acts of the whole country that leave white regions out (`../shared/research/lockdowns.md`, 1.2)."""
_ORDINANCES: Final = "Ministero della Salute"

FIRST_DAY: Final = date(2020, 1, 1)
LAST_DAY: Final = date(2030, 1, 1)
"""Days of an act lie between: beyond, a slip of the pen is a century of zones."""
FIELDS: Final = (
    "nomeTesto",
    "designIniz",
    "designFine",
    "nomeAutCom",
    "legNomeBre",
    "legSpecRif",
    "legData",
    "legDataApp",
    "legGU_ID",
)
LEVELS: Final = {
    Colour.WHITE: "open",
    Colour.YELLOW: "curfew_only",
    Colour.ORANGE: "precautionary",
    Colour.RED: "controlled",
}
_WHY: Final = {
    Why.NO_ACT: "no act covers these days",
    Why.TIE: "acts of one day contradict one another",
    Why.REPLACED: "the act that replaced this one is over, and nothing says that it holds again",
}


UNKNOWN: Final = Policy(
    policy_id="italy-unknown",
    version=1,
    title="No act tells the colour of these days",
    unknown=True,
    source="Protezione Civile, table of all acts: none covers these days, or two contradict one another",
)


class ItalyZones:
    """The whole table; an upload reads it for one area."""

    def read(self, raw: bytes, told: Told) -> Listed:
        listed = Listed()
        area = told.start.area or ""
        if area not in AREAS:
            known = ", ".join(f"{code} {name}" for code, name in AREAS.items())
            listed.faults.append(Note("/area", f"one of {known} was expected", repr(area), of_upload=True))
        acts = acts_of(raw, listed)
        if listed.faults:
            return listed
        first = min(act.since for act in acts)
        places = {"own": regional(acts, area, first), "country": national(acts, area, first)}
        for kind, periods in places.items():
            for period in periods:
                listed.entries += _zones(kind, area, period, told)
        for period in colours(acts, area, first):
            listed.entries += _unknown(area, period, told)
        _say_what_is_open(places["own"], places["country"], listed)
        stated = {entry.feature["properties"]["zone_id"] for entry in listed.entries}
        base = told.base.zones if told.base else ()
        before = [zone.zone_id for zone in base if zone.zone_id.startswith(OURS)]
        _check_goes_on(before, area, stated, listed)
        listed.gone = set(before) - stated
        known_there = {policy.reference for policy in told.base.policies} if told.base else set()
        named = {entry.feature["properties"]["policy"] for entry in listed.entries} - known_there
        book = {**told.book, UNKNOWN.reference: UNKNOWN}
        listed.policies = [book[name] for name in sorted(named) if name in book]
        return listed


feed: Final = ItalyZones()


def _check_goes_on(before: Iterable[str], area: str, stated: Iterable[str], listed: Listed) -> None:
    """The table only grows, and a market has one area: what an older table or another area's does not name would
    be taken away as if somebody had lifted it."""
    ids = [name.removeprefix(OURS) for name in before]
    others = {name.partition(".")[0] for name in ids} - {area}
    if others:
        detail = f"{min(others)!r} was expected, as before: this would take that area's zones away"
        listed.faults.append(Note("/area", detail, repr(area), of_upload=True))
        return
    newest, goes_to = _newest(ids), _newest(stated)
    if goes_to < newest:
        detail = (
            f"a table as new as the one in force was expected: that one has something that begins on {newest}"
        )
        listed.faults.append(Note("/records", detail, goes_to or None))


def _newest(names: Iterable[str]) -> str:
    """The last day on which an act begins; days without one begin where an act ends, which may be put right."""
    return max((name.rpartition(".")[2] for name in names if ".unknown." not in name), default="")


def acts_of(raw: bytes, listed: Listed) -> tuple[Act, ...]:
    """Every record as an act; what cannot be read is a fault of `listed`."""
    try:
        table = table_of(raw)
    except NoTable as error:
        listed.faults.append(Note("", str(error)))
        return ()
    missing = [name for name in FIELDS if name not in table.fields]
    if missing:
        listed.faults.append(Note("", f"the fields {', '.join(missing)} were expected as well"))
        return ()
    acts = []
    for number, record in enumerate(table.records):
        faults = len(listed.faults)
        act = _act(number, record, listed)
        if act is not None and len(listed.faults) == faults:
            acts.append(act)
    if not acts and not listed.faults:
        listed.faults.append(
            Note("/records", "at least one record was expected: an empty table opens nothing")
        )
    return tuple(acts)


def _act(number: int, record: Mapping[str, str], listed: Listed) -> Act | None:
    def wrong(field: str, expected: str) -> None:
        pointer = f"/records/{number}/{field}"
        listed.faults.append(Note(pointer, f"{expected} was expected", repr(record[field])[:120], number))

    name = folded(record["nomeTesto"])
    area = None if name == folded(COUNTRY) else _CODES.get(name)
    if area is None and name != folded(COUNTRY):
        wrong("nomeTesto", "a region, an autonomous province or the whole country")
    colour = ARTICLES.get(record["legSpecRif"])
    if colour is None:
        wrong("legSpecRif", f"one of {', '.join(ARTICLES)}")
    days: dict[str, date | None] = {}
    for field in ("designIniz", "designFine", "legData", "legDataApp"):
        if field == "designFine" and record[field] == "unknown":
            days[field] = None
            continue
        day = days[field] = _day(record[field])
        if day is None:
            wrong(field, "a day such as 20210315 or 15/03/2021")
            return None
        if not FIRST_DAY <= day < LAST_DAY:
            wrong(field, f"a day from {FIRST_DAY.isoformat()} and before {LAST_DAY.isoformat()}")
            return None
    begins, made, in_force = days["designIniz"], days["legData"], days["legDataApp"]
    if begins is None or made is None or in_force is None or colour is None:
        return None
    last = days["designFine"]
    since = max(begins, in_force)
    until = None if last is None else last + timedelta(days=1)
    if until is not None and until <= since:
        wrong("designFine", f"a day from {since.isoformat()} on")
        return None
    return Act(
        number=number,
        area=area,
        colour=colour,
        since=since,
        until=until,
        made=made,
        name=f"{record['legNomeBre']}, G.U. {record['legGU_ID']}",
        is_decree=record["nomeAutCom"] != _ORDINANCES,
        spares_white=record["legNomeBre"] in SPARING_WHITE,
    )


def _day(text: str) -> date | None:
    for form in ("%Y%m%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    return None


# --- zones --------------------------------------------------------------------------------------------------


def _zones(kind: str, area: str, period: Period, told: Told) -> Iterator[Entry]:
    if period.colour is None:
        return  # `_unknown` says so, of the days for which the country does not speak either
    clock = zone_info(told.start.time_zone)
    for version, since, until in _versions(period.colour, period):
        place = area if kind == "own" else f"{area}.country"
        stated = {
            "zone_id": f"{OURS}{place}.{since:%Y%m%d}",
            "level": LEVELS[period.colour],
            "policy": f"italy-{period.colour.name.lower()}@{version}",
            "unit": {"kind": "market"},
            "valid_from": datetime.combine(since, time(), clock),
            "valid_to": None if until is None else datetime.combine(until, time(), clock),
            "basis": _basis(period.acts),
        }
        number = period.acts[0].number
        feature = {"type": "Feature", "geometry": None, "properties": stated}
        yield Entry(feature, f"/records/{number}", number)


def _unknown(area: str, period: Period, told: Told) -> Iterator[Entry]:
    """Of days whose colour nobody can tell: else the other zones of the market would be all that is asked."""
    if period.colour is not None:
        return
    clock = zone_info(told.start.time_zone)
    stated = {
        "zone_id": f"{OURS}{area}.unknown.{period.since:%Y%m%d}",
        "level": "precautionary",
        "policy": UNKNOWN.reference,
        "unit": {"kind": "market"},
        "valid_from": datetime.combine(period.since, time(), clock),
        "valid_to": None if period.until is None else datetime.combine(period.until, time(), clock),
        "basis": _basis(period.acts),
    }
    number = period.acts[0].number if period.acts else None
    feature = {"type": "Feature", "geometry": None, "properties": stated}
    yield Entry(feature, "" if number is None else f"/records/{number}", number)


def _basis(acts: Sequence[Act]) -> str:
    return "; ".join(dict.fromkeys(act.name for act in acts))[:500]


YELLOW_AGAIN: Final = date(2021, 5, 19)
"""From which yellow has its second curfew."""


def _versions(colour: Colour, period: Period) -> Iterator[tuple[int, date, date | None]]:
    """The days of a period by the version of the colour's rules."""
    since, until = period.since, period.until
    if colour is not Colour.YELLOW:
        yield 1, since, until
        return
    if since < YELLOW_AGAIN:
        yield 1, since, YELLOW_AGAIN if until is None else min(until, YELLOW_AGAIN)
    if until is None or until > YELLOW_AGAIN:
        yield 2, max(since, YELLOW_AGAIN), until


def _say_what_is_open(own: Sequence[Period], country: Iterable[Period], listed: Listed) -> None:
    covered = {
        period.since + timedelta(days=day)
        for period in country
        if period.until is not None
        for day in range((period.until - period.since).days)
    }
    for period in own:
        number = period.acts[0].number if period.acts else None
        pointer = "" if number is None else f"/records/{number}"
        if period.why is not None:
            days = _spoken(period)
            over = (
                period.until is not None
                and {period.since + timedelta(days=day) for day in range((period.until - period.since).days)}
                <= covered
            )
            if over:
                continue  # the country speaks for all of them
            more = ", ".join(f"record {act.number} says {act.colour.name.lower()}" for act in period.acts)
            detail = f"unknown {days}: {_WHY[period.why]}" + (f" ({more})" if more else "")
            listed.remarks.append(Note(pointer, detail, _basis(period.acts) or None, number))
        elif period.acts[0].until is None:
            act = period.acts[0]
            detail = (
                f"no end is stated: {act.colour.name.lower()} {_spoken(period)}, until another act begins"
            )
            listed.remarks.append(Note(f"{pointer}/designFine", detail, _basis(period.acts), number))


def _spoken(period: Period) -> str:
    if period.until is None:
        return f"from {period.since.isoformat()} on"
    return f"from {period.since.isoformat()} to {(period.until - timedelta(days=1)).isoformat()}"
