"""Rule books: what a jurisdiction's words meant, as policies with the days on which each version was in force.

*Controlled* (管控区) of 1 April 2022 is not *controlled* of 11 April; *precautionary* of 1 May is five regimes by
district; *yellow* is orange from 15 March to 6 April 2021. A list of zones says a word and days; the book says which
policies that comes to, day by day, and refuses a day it does not know: unknown is not open.

A book is data and is read by whoever may open files; nothing here does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import combinations
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from chalicelib.domain.errors import Missing
from chalicelib.domain.places import district_key
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.shapes import Shape, Slug, Text, TimeZone


def _level(name: str) -> str:
    if name != name.lower() or name.upper() not in Level.__members__:
        raise ValueError(f"one of {', '.join(level.lower() for level in Level.__members__)} was expected")
    return name


LevelName = Annotated[str, AfterValidator(_level)]


class Days(Shape):
    """Local days `[since, until)`."""

    since: date
    until: date | None = Field(default=None, description="Absent: no end is known.")

    def model_post_init(self, _context: object) -> None:
        if self.until is not None and self.until <= self.since:
            raise ValueError(f"until lies after since ({self.since.isoformat()})")

    def holds(self, day: date) -> bool:
        """True on every day from since, until is the first day after."""
        return self.since <= day and (self.until is None or day < self.until)

    def shared(self, other: Days) -> Days | None:
        """The days of both, or None."""
        since = max(self.since, other.since)
        ends = [days.until for days in (self, other) if days.until is not None]
        until = min(ends, default=None)
        return Days(since=since, until=until) if until is None or since < until else None


class Entry(Shape):
    """One version of one policy, the word it goes by, and when and where that word meant it."""

    word: Slug = Field(description="What lists of zones call it.", examples=["controlled"])
    policy: Policy
    level: LevelName
    in_force: Days
    districts: frozenset[Text] = Field(
        default=frozenset(), description="The only districts where it is meant; none: everywhere."
    )
    not_verified: tuple[Text, ...] = Field(
        default=(), max_length=10, description="What no source confirms, and how it was read."
    )

    def is_meant_in(self, district: str | None) -> bool:
        """True when the word means this in that district; None: in a place of which no district is stated."""
        if not self.districts:
            return True
        return district is not None and district_key(district) in set(map(district_key, self.districts))


class Overlay(Shape):
    """Days on which some words of a book mean another one as well: the policies of both meet.

    It names the words it lies on. What it does not name it leaves as it was: Easter 2021 was red in Italy
    wherever it was yellow or orange, and not in white regions.
    """

    overlay_id: Slug
    title: Text
    on: frozenset[Slug] = Field(min_length=1)
    adds: Slug
    in_force: Days
    source: str = Field(min_length=1, max_length=500)


class Layer(NamedTuple):
    """One policy over days of a zone; where layers share days, their policies meet."""

    entry: Entry
    days: Days
    overlay: Overlay | None = None
    """What put it there; None: the word itself."""

    @property
    def policy(self) -> Policy:
        return self.entry.policy


class Book(Shape):
    """What a jurisdiction decreed. Days are those of its own clock."""

    book_id: Slug
    title: Text
    country: str = Field(pattern=r"^[A-Z]{2}$")
    time_zone: TimeZone
    entries: tuple[Entry, ...] = Field(min_length=1, max_length=200)
    overlays: tuple[Overlay, ...] = Field(default=(), max_length=50)

    def model_post_init(self, _context: object) -> None:
        stated = [entry.policy.reference for entry in self.entries]
        if len(set(stated)) < len(stated):
            raise ValueError(f"each version of a policy stands in book {self.book_id!r} once")
        for one, other in combinations(self.entries, 2):
            if one.word == other.word and _share_a_place(one, other) and one.in_force.shared(other.in_force):
                raise ValueError(
                    f"{one.word!r} means {one.policy.reference!r} and {other.policy.reference!r} on the same days"
                )
        words = {entry.word for entry in self.entries}
        for overlay in self.overlays:
            for word in (*sorted(overlay.on), overlay.adds):
                if word not in words:
                    raise ValueError(f"overlay {overlay.overlay_id!r} names {word!r}, which is no word here")

    def find(self, reference: str) -> Policy | None:
        """The policy of that reference, `italy-red@1`, or None."""
        return next((e.policy for e in self.entries if e.policy.reference == reference), None)


class BookSummary(Shape):
    """What a book is about, and the policies that can be named from it."""

    book_id: Slug
    title: Text
    country: str
    time_zone: TimeZone
    policies: tuple[str, ...]


class BookList(Shape):
    """Every book that ships."""

    data: tuple[BookSummary, ...]
    has_more: bool = False


def listed(books: Iterable[Book]) -> BookList:
    """These books, as a list shows them."""
    return BookList(
        data=tuple(
            BookSummary(
                book_id=book.book_id,
                title=book.title,
                country=book.country,
                time_zone=book.time_zone,
                policies=tuple(entry.policy.reference for entry in book.entries),
            )
            for book in books
        )
    )


def policy_on(book: Book, word: str, day: date, district: str | None = None) -> Entry:
    """What the word meant on that day. Raises `Missing` for a day or district the book does not know."""
    for entry in book.entries:
        if entry.word == word and entry.in_force.holds(day) and entry.is_meant_in(district):
            return entry
    raise _unknown(book, word, day, district)


def layers(book: Book, word: str, days: Days, district: str | None = None) -> tuple[Layer, ...]:
    """Everything that holds where a list says this word for these days: what a zone for each of them says.

    Raises `Missing` when there is a day among them on which the book does not know the word.
    """
    found = [Layer(entry, shared) for entry, shared in _meanings(book, word, days, district)]
    for overlay in book.overlays:
        shared = days.shared(overlay.in_force)
        if word in overlay.on and shared is not None:
            found += [
                Layer(entry, part, overlay) for entry, part in _meanings(book, overlay.adds, shared, district)
            ]
    return tuple(found)


def _meanings(book: Book, word: str, days: Days, district: str | None) -> Iterator[tuple[Entry, Days]]:
    day: date | None = days.since
    while day is not None and (days.until is None or day < days.until):
        entry = policy_on(book, word, day, district)
        shared = entry.in_force.shared(Days(since=day, until=days.until))
        assert shared is not None
        yield entry, shared
        day = shared.until


def _share_a_place(one: Entry, other: Entry) -> bool:
    if not one.districts or not other.districts:
        return True
    return not _keys(one.districts).isdisjoint(_keys(other.districts))


def _keys(districts: Iterable[str]) -> set[str]:
    return set(map(district_key, districts))


def _unknown(book: Book, word: str, day: date, district: str | None) -> Missing:
    known = [entry for entry in book.entries if entry.word == word]
    place = "" if district is None else f" in {district!r}"
    said = "; ".join(f"{entry.policy.reference} {_spoken(entry)}" for entry in known)
    more = (
        f"it means {said}" if known else f"its words are {', '.join(sorted({e.word for e in book.entries}))}"
    )
    return Missing(f"book {book.book_id!r} does not know {word!r} on {day.isoformat()}{place}: {more}")


def _spoken(entry: Entry) -> str:
    until = "" if entry.in_force.until is None else f" until {entry.in_force.until.isoformat()}"
    where = f" in {', '.join(sorted(entry.districts))}" if entry.districts else ""
    return f"from {entry.in_force.since.isoformat()}{until}{where}"
