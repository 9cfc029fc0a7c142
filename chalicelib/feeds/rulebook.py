"""A list in the words of a rule book: places, the word they are under, and its days.

    {"book": "italy",
     "zones": [{"zone_id": "milano", "unit": {"kind": "district", "district": "Milano"}, "word": "orange",
                "since": "2021-03-29", "until": "2021-04-12", "basis": "Ordinanza 26/03/2021"}]}

    {"book": "germany", "holidays": ["2021-05-01", "2021-05-13", "2021-05-24"],
     "zones": [{"zone_id": "hagen", "unit": {"kind": "district", "district": "05914"},
                "incidences": {"2021-04-23": 187.2, "2021-04-24": 185.0}}]}

The book says which policies that comes to, version by version, with what lies over the word on some days; each is a
zone of its own, and they meet. The `until` of a list is announced: it ends a zone where the policy says that it does.
A day the book does not know is a fault. Days of a German district whose incidences
do not say which band holds are unknown, whatever else is ruled there: gifts are held, and the days are listed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, Final

from pydantic import Field, ValidationError
from pydantic_core import from_json

from chalicelib.domain.bands import bands
from chalicelib.domain.canonical import Doubled, read_once
from chalicelib.domain.errors import Missing
from chalicelib.domain.feeds import ENTRIES, Entry, Listed, Note, Told
from chalicelib.domain.policies import Policy
from chalicelib.domain.rulebooks import Book, Days, LevelName, layers, policy_on
from chalicelib.domain.shapes import Shape, Slug, zone_info

BY_INCIDENCE: Final = "germany"
"""The book whose words follow from figures."""


UNKNOWN: Final = Policy(
    policy_id=f"{BY_INCIDENCE}-unknown",
    version=1,
    title="No figures tell the band of these days",
    unknown=True,
    source="Infektionsschutzgesetz § 28b, daily incidences by district",
)


class Listing(Shape):
    """One place: a word and its days, or incidences by day."""

    zone_id: Slug
    unit: dict[str, Any] | None = None
    geometry: Any = None
    word: Slug | None = None
    since: date | None = None
    until: date | None = Field(default=None, description="The first day on which it is over. Absent: no end.")
    incidences: dict[date, float] | None = None
    basis: str = Field(default="", max_length=500)

    def model_post_init(self, _context: object) -> None:
        if self.incidences is None and (self.word is None or self.since is None):
            raise ValueError("a word and since were expected, or incidences by day")
        if self.incidences is not None and (self.word or self.since or self.until):
            raise ValueError("incidences say the days themselves: no word, since or until was expected")
        if self.incidences is not None and not self.incidences:
            raise ValueError("the incidence of at least one day was expected: without figures nothing opens")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise ValueError(f"until lies after since ({self.since.isoformat()})")


class List(Shape):
    """The file. Its zones are read one by one, so that one fault hides no other."""

    book: Slug
    zones: list[Any] = Field(max_length=ENTRIES)
    holidays: frozenset[date] = frozenset()


class Rulebook:
    """Any jurisdiction that has a book here."""

    def read(self, raw: bytes, told: Told) -> Listed:
        listed = Listed()
        stated = _file(raw, listed)
        if stated is None:
            return listed
        book = told.books.get(stated.book)
        if book is None:
            known = ", ".join(sorted(told.books)) or "none"
            detail = f"a rule book was expected, there are {known}"
            listed.faults.append(Note("/book", detail, repr(stated.book)))
            return listed
        if told.start.time_zone != book.time_zone:
            detail = f"{book.time_zone!r} was expected, the clock of the book {book.book_id!r}"
            listed.faults.append(Note("/time_zone", detail, repr(told.start.time_zone), of_upload=True))
            return listed
        former = _former(told)
        for index, given in enumerate(stated.zones):
            pointer = f"/zones/{index}"
            try:
                one = Listing.model_validate(given)
                listed.entries += _entries(book, one, stated.holidays, pointer, index, listed)
            except ValidationError as error:
                listed.faults += _faults(error, pointer, index)
            except Missing as error:
                listed.faults.append(Note(f"{pointer}/word", error.detail, repr(one.word), index))
            except ValueError as error:
                listed.faults.append(Note(f"{pointer}/incidences", str(error), None, index))
            else:
                listed.gone |= former.get(one.zone_id, set())
        made = {str(entry.feature["properties"]["zone_id"]) for entry in listed.entries}
        listed.gone -= made
        in_force = {policy.reference for policy in told.base.policies} if told.base else set()
        names = {str(entry.feature["properties"]["policy"]) for entry in listed.entries} - in_force
        policies = {**told.book, UNKNOWN.reference: UNKNOWN}
        listed.policies = [policies[name] for name in sorted(names)]
        return listed


feed: Final = Rulebook()


def _file(raw: bytes, listed: Listed) -> List | None:
    try:
        from_json(raw)  # refuses what is nested too deeply to be read by anybody else
        return List.model_validate(read_once(raw))
    except ValidationError as error:
        listed.faults += _faults(error, "", None)
    except Doubled as error:
        listed.faults.append(Note("", f"every name once in an object was expected, {error}"))
    except (ValueError, RecursionError) as error:
        listed.faults.append(Note("", f"a JSON file was expected: {error}"))
    return None


def _faults(error: ValidationError, pointer: str, number: int | None) -> Iterator[Note]:
    for detail in error.errors(include_url=False, include_context=False):
        path = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in detail["loc"])
        shown = detail.get("input")
        value = None if isinstance(shown, (dict, list)) else repr(shown)[:120]
        yield Note(pointer + path, detail["msg"].removeprefix("Value error, "), value, number)


def _entries(
    book: Book, one: Listing, holidays: frozenset[date], pointer: str, number: int, listed: Listed
) -> Iterator[Entry]:
    def entry(policy: str, level: LevelName, days: Days, basis: str) -> Entry:
        clock = zone_info(book.time_zone)
        stated = {
            "zone_id": f"{one.zone_id}.{policy.removeprefix(f'{book.book_id}-')}.{days.since:%Y%m%d}".replace(
                "@", "v"
            ),
            "level": level,
            "policy": policy,
            "valid_from": datetime.combine(days.since, time(), clock).isoformat(),
            "basis": "; ".join(filter(None, (one.basis, basis)))[:500],
        }
        if days.until is not None:
            end = "expected_end" if days.until == one.until else "valid_to"
            stated[end] = datetime.combine(days.until, time(), clock).isoformat()
        properties = stated if one.unit is None else stated | {"unit": one.unit}
        return Entry({"type": "Feature", "geometry": one.geometry, "properties": properties}, pointer, number)

    if one.incidences is None:
        assert one.word is not None
        assert one.since is not None
        district = None if one.unit is None else one.unit.get("district")
        if not isinstance(district, str):  # of what is no name the zone itself is a fault
            district = None
        for layer in layers(book, one.word, Days(since=one.since, until=one.until), district):
            source = "" if layer.overlay is None else layer.overlay.title
            yield entry(layer.policy.reference, layer.entry.level, layer.days, source)
        return
    if book.book_id != BY_INCIDENCE:
        raise ValueError(f"a word was expected: incidences go with the book {BY_INCIDENCE!r}")
    for band in bands(one.incidences, holidays):
        days = f"{band.since.isoformat()} until {band.until.isoformat()}"
        if band.policy is None:
            detail = f"figures were expected: which band holds from {days} is not known, gifts are held"
            listed.remarks.append(Note(f"{pointer}/incidences", detail, None, number))
            yield entry(UNKNOWN.reference, "precautionary", Days(since=band.since, until=band.until), "")
            continue
        word = band.policy.removeprefix(f"{book.book_id}-").partition("@")[0]
        level = policy_on(book, word, band.since).level
        yield entry(band.policy, level, Days(since=band.since, until=band.until), "")


def _former(told: Told) -> dict[str, set[str]]:
    """By place, what it was under in the rules that this list amends: it is said anew."""
    found: dict[str, set[str]] = defaultdict(set)
    for zone in told.base.zones if told.base is not None else ():
        read = _OURS.fullmatch(zone.zone_id)
        if read is not None:
            found[read["place"]].add(zone.zone_id)
    return found


_OURS: Final = re.compile(r"(?P<place>.+)\.[^.]+v[0-9]+\.[0-9]{8}")
