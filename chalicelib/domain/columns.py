"""The columns of a list of clients, and how a row of them is read: whole, or with every cell that is wrong.

A list of the kind `clients` has the columns that make a client; JSON lines have the same names as fields. One row
states one place of the client. What a fault repeats of a cell is a word from a short list or an id; never a name, a
number, an address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from chalicelib.domain.clients import NewClient, Purpose
from chalicelib.domain.lists import FAULTS, ListFault, ListKind, ListStart, Member
from chalicelib.domain.purchases import COUNTS
from chalicelib.domain.shapes import Money, Shape, Slug, in_minor_units
from chalicelib.domain.spreadsheets import is_formula

NAMES: Final = 100
"""Columns by which faults are counted."""
HOME: Final = "home"
"""What a client's place is called that has no name."""
_CONSENTS: Final = {f"consent_{purpose.value}": purpose for purpose in Purpose}
_WORD = re.compile(r"(?!.*\d{6})[A-Za-z][A-Za-z0-9_./ -]{0,39}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_AMOUNT = re.compile(r"\d{1,10}(\.\d{1,3})?", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,3}(\.\d{1,15})?", re.ASCII)
_SLUG: TypeAdapter[str] = TypeAdapter(Slug)


@dataclass(frozen=True)
class Column:
    """What one is called, what it holds, and of which kind of list it is."""

    name: str
    expected: str
    path: tuple[str, ...] = ()
    """Where in a `NewClient` it goes; `*` stands for the place's name."""
    is_needed: bool = False
    is_shown: bool = False
    """A wrong cell of it may be repeated: a word from a list."""
    begins_freely: bool = False
    """It may begin with a sign: a phone, a longitude."""


_ADDRESS: Final = ("person", "places", "*", "address")
_POINT: Final = ("person", "places", "*", "coordinate")
_SLUG_WORDS: Final = "1 to 64 letters, digits, dots, dashes and underscores"
CLIENTS: Final = (
    Column("reference", f"the brand's own name for the client, not personal: {_SLUG_WORDS}", is_needed=True),
    Column("name", "a name of 1 to 200 characters", ("person", "name"), is_needed=True),
    Column("phone", "a phone in E.164, such as +8613800138000", ("person", "phone"), begins_freely=True),
    Column("email", "an e-mail address", ("person", "email")),
    Column("whatsapp", "up to 5 numbers without +, or ids, with spaces between", ("person", "whatsapp")),
    Column("allergens", f"with spaces between; each {_SLUG_WORDS}", ("person", "allergens")),
    Column("country", "two capital letters (ISO 3166), such as CN", ("country",), is_needed=True, is_shown=True),
    Column("locale", "a language tag (BCP 47), such as zh-CN", ("locale",), is_needed=True, is_shown=True),
    Column("time_zone", "an IANA zone, such as Asia/Shanghai", ("time_zone",), is_needed=True, is_shown=True),
    Column("channels", "whatsapp, email or webhook, with spaces between, each once", ("channels",), is_shown=True),
    Column("associate", _SLUG_WORDS, ("associate_id",)),
    *(
        Column(name, "the day it was given, such as 2022-04-01; with consent_evidence", is_shown=True)
        for name in _CONSENTS
    ),
    Column("consent_evidence", f"the name of what proves the row's consents: {_SLUG_WORDS}"),
    Column("place", f"the brand's name for the place, home where there is none: {_SLUG_WORDS}"),
    Column("place_country", "two capital letters; absent: the client's", (*_ADDRESS, "country"), is_shown=True),
    Column("city", "1 to 200 characters", (*_ADDRESS, "city")),
    Column("district", "1 to 200 characters, a code or a name", (*_ADDRESS, "district")),
    Column("street", "1 to 200 characters", (*_ADDRESS, "street")),
    Column("compound", "1 to 200 characters", (*_ADDRESS, "compound")),
    Column("gate", "1 to 80 characters", (*_ADDRESS, "gate")),
    Column("building", "1 to 200 characters", (*_ADDRESS, "building")),
    Column("unit", "1 to 200 characters", (*_ADDRESS, "unit")),
    Column("line", "the address as a courier reads it, 1 to 200 characters", (*_ADDRESS, "line")),
    Column("lng", "degrees east, -180 to 180, with a point", (*_POINT, "lng"), begins_freely=True),
    Column("lat", "degrees north, -90 to 90, with a point", (*_POINT, "lat"), begins_freely=True),
    Column("datum", "WGS84, GCJ02 or BD09", (*_POINT, "datum"), is_shown=True),
    Column(
        "match_quality",
        "how sure the geocoder was: exact, lane, road, name, centroid or none",
        ("person", "places", "*", "match_quality"),
        is_shown=True,
    ),
    Column("spent", "an amount such as 120000.50: digits, a point, no separators; with currency and spent_on"),
    Column("currency", "the currency that the list states", is_shown=True),
    Column("spent_on", "the day of it, such as 2022-03-31, not to come and still to be counted", is_shown=True),
)  # fmt: skip
MEMBERS: Final = (
    Column("reference", f"a client's reference: {_SLUG_WORDS}", is_needed=True),
    Column("tier", "standard, silver, gold, platinum or diamond", is_shown=True),
    Column("place", f"the name of one of the client's places: {_SLUG_WORDS}"),
    Column("occasion", _SLUG_WORDS),
)
OF_KIND: Final = {ListKind.CLIENTS: CLIENTS, ListKind.MEMBERS: MEMBERS}
OF_A_PLACE: Final = frozenset({"city", "district", "line", "lng", "lat", "datum", "match_quality"})
"""A place has all of these."""
OF_A_PURCHASE: Final = frozenset({"spent", "currency", "spent_on"})
EASTERNMOST: Final = timedelta(hours=14)
"""No local day begins earlier than by so much."""
_SEVERAL: Final = frozenset({"whatsapp", "allergens", "channels"})


class Spent(Shape):
    """What a client spent, as a list tells it."""

    value: Money
    on: date


class ClientRow(Shape):
    """One row of a list of clients, read."""

    row: int
    reference: Slug
    client: NewClient
    place: Slug | None = None
    spent: Spent | None = None


@dataclass
class Found:
    """What is wrong, as it is found: the first are kept, all are counted."""

    listed: list[ListFault] = field(default_factory=list)
    count: int = 0
    by_column: dict[str, int] = field(default_factory=dict)

    def add(self, row: int | None, column: str | None, detail: str, value: str | None = None) -> None:
        """One more."""
        self.count += 1
        name = column or "(whole)"
        if len(self.by_column) >= NAMES and name not in self.by_column:
            name = "(others)"  # of a first row with ten thousand names the list itself has to stay one row
        self.by_column[name] = self.by_column.get(name, 0) + 1
        if len(self.listed) < FAULTS:
            self.listed.append(ListFault(row=row, column=column, detail=detail, value=value))


class Reader:
    """Reads the rows of one list, and remembers whom it has met."""

    def __init__(self, start: ListStart, begun_at: datetime) -> None:
        self.start = start
        self.begun_at = begun_at
        self.columns = {column.name: column for column in OF_KIND[start.kind]}
        self.found = Found()
        self.rows = 0
        self.lines = 0
        """Rows that say something, and those that cannot be read."""
        self._met: dict[str, int] = {}

    def head(self, names: Iterable[str]) -> bool:
        """Whether these are columns, each once, with all that are needed."""
        met: set[str] = set()
        before = self.found.count
        for number, name in enumerate(names, start=1):
            if name not in self.columns:  # what stands there may be a row of data, and personal
                self.found.add(1, f"number {number}", f"one of these was expected: {', '.join(self.columns)}")
            elif name in met:
                self.found.add(1, name, "each column once was expected")
            met.add(name)
        for column in self.columns.values():
            if column.is_needed and column.name not in met:
                self.found.add(1, column.name, "this column was expected, and is missing")
        return self.found.count == before

    def read(self, number: int, cells: Mapping[str, str]) -> ClientRow | Member | None:
        """The row of that number; None with its faults noted. `cells`: those that are not empty."""
        self.rows += 1
        before = self.found.count
        for name, text in cells.items():
            self._check(number, self.columns[name], text)
        for column in self.columns.values():
            if column.is_needed and column.name not in cells:
                self.found.add(number, column.name, f"{column.expected}, was expected; it is empty")
        reference = cells.get("reference")
        if reference is not None:
            earlier = self._met.setdefault(reference, number)
            if earlier != number:
                self.found.add(
                    number, "reference", f"each client once was expected; row {earlier} has this one"
                )
        if self.found.count > before:
            return None
        made = self._client if self.start.kind is ListKind.CLIENTS else self._member
        return made(number, cells)

    def row_of(self, reference: str) -> int:
        """In which row that client was met."""
        return self._met[reference]

    def _check(self, number: int, column: Column, text: str) -> None:
        if is_formula(text) and not (column.begins_freely and text[0] in "+-"):
            self.found.add(
                number, column.name, "no cell was expected that a spreadsheet would run as a formula"
            )
        elif _CONTROL.search(text):
            self.found.add(number, column.name, "no line breaks and control characters were expected")

    def fault(self, number: int, name: str, value: object = None) -> None:
        """That cell is not what its column holds."""
        column = self.columns[name]
        is_shown = column.is_shown and isinstance(value, str) and _WORD.fullmatch(value) is not None
        self.found.add(number, name, f"{column.expected}, was expected", repr(value) if is_shown else None)

    # --- kinds ----------------------------------------------------------------------------------------------

    def _member(self, number: int, cells: Mapping[str, str]) -> Member | None:
        try:
            given = {name: value for name, value in cells.items() if name != "reference"}
            return Member.model_validate({**given, "client": cells["reference"]})
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False):
                name = "reference" if detail["loc"][0] == "client" else str(detail["loc"][0])
                self.fault(number, name, cells.get(name))
            return None

    def _client(self, number: int, cells: Mapping[str, str]) -> ClientRow | None:
        before = self.found.count
        place = self._place_name(number, cells)
        stated = self._stated(cells, place)
        stated["consents"] = self._consents(number, cells)
        spent = self._spent(number, cells)
        for name in ("lng", "lat"):
            if name in cells and not _DECIMAL.fullmatch(cells[name]):
                self.fault(number, name)
        if not _is(_SLUG, cells["reference"]):
            self.fault(number, "reference")
        if self.found.count > before:
            return None
        try:
            client = NewClient.model_validate(stated)
        except ValidationError as error:
            for name in dict.fromkeys(
                _column_at(detail["loc"]) for detail in error.errors(include_url=False)
            ):
                self.fault(number, name, cells.get(name))
            return None
        return ClientRow.model_construct(
            row=number, reference=cells["reference"], client=client, place=place, spent=spent
        )

    def _place_name(self, number: int, cells: Mapping[str, str]) -> str | None:
        told = OF_A_PLACE & cells.keys()
        if not told:
            return None
        for name in sorted(OF_A_PLACE - told):
            self.found.add(number, name, f"{self.columns[name].expected}, was expected: a place has all of "
                           f"{', '.join(sorted(OF_A_PLACE))}")  # fmt: skip
        name = cells.get("place", HOME)
        if not _is(_SLUG, name):
            self.fault(number, "place")
        return name

    def _stated(self, cells: Mapping[str, str], place: str | None) -> dict[str, Any]:
        stated: dict[str, Any] = {"person": {"places": {}}}
        for name, text in cells.items():
            path = self.columns[name].path
            if not path or ("*" in path and place is None):
                continue
            at = stated
            for part in path[:-1]:
                at = at.setdefault(str(place) if part == "*" else part, {})
            at[path[-1]] = _READ.get(name, str)(text)
        if place is not None:
            address = stated["person"]["places"][place].setdefault("address", {})
            address.setdefault("country", cells.get("country"))
        return stated

    def _consents(self, number: int, cells: Mapping[str, str]) -> list[dict[str, Any]]:
        given = [(name, purpose) for name, purpose in _CONSENTS.items() if name in cells]
        evidence = cells.get("consent_evidence")
        if given and (evidence is None or not _is(_SLUG, evidence)):
            self.fault(number, "consent_evidence")
        found = []
        for name, purpose in given:
            day = _day(cells[name])
            if day is None or day > (self.begun_at + EASTERNMOST).date():
                self.fault(number, name, cells[name])
                continue
            # a day begins earlier in the east: by our clock it may be tomorrow's
            at = min(datetime.combine(day, time(), UTC), self.begun_at)
            found.append({"purpose": purpose, "granted_at": at, "evidence": evidence})
        return found

    def _spent(self, number: int, cells: Mapping[str, str]) -> Spent | None:
        told = OF_A_PURCHASE & cells.keys()
        if not told:
            return None
        for name in sorted(OF_A_PURCHASE - told):
            self.fault(number, name)
        if OF_A_PURCHASE - told:
            return None
        currency, day = self.start.currency, _day(cells["spent_on"])
        if currency is None or cells["currency"] != currency:
            wanted = (
                f"{currency} was expected, as the list states" if currency else "the list states no currency"
            )
            is_word = re.fullmatch(r"[A-Z]{3}", cells["currency"]) is not None
            self.found.add(number, "currency", wanted, repr(cells["currency"]) if is_word else None)
            return None
        amount = in_minor_units(cells["spent"], currency) if _AMOUNT.fullmatch(cells["spent"]) else None
        if amount is None:
            self.fault(number, "spent")
        today = (self.begun_at + EASTERNMOST).date()
        if day is not None and not today - COUNTS <= day <= today:
            day = None
        if day is None:
            self.fault(number, "spent_on", cells["spent_on"])
        return None if amount is None or day is None else Spent(value=amount, on=day)


def cells_of_row(names: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """What stands in a row of a table, by column, without what is empty. Raises ValueError for another number of cells;
    spreadsheets leave empty ones at the end out, and add some."""
    if len(row) > len(names) and any(cell.strip() for cell in row[len(names) :]):
        raise ValueError(f"{len(names)} cells were expected, as in the first row, got {len(row)}")
    return {
        name: text for name, cell in zip(names, row, strict=False) if (text := cell.strip(" \u00a0\u3000"))
    }


def cells_of_object(said: Mapping[str, Any], columns: Collection[str]) -> dict[str, str]:
    """The same of a line of JSON. Raises ValueError for a field that is none, and for what no cell could hold."""
    cells: dict[str, str] = {}
    for name, value in said.items():
        if name not in columns:
            raise ValueError(f"fields of these names were expected: {', '.join(columns)}")
        if name in _SEVERAL and isinstance(value, list) and all(isinstance(each, str) for each in value):
            cells[name] = " ".join(value)
        elif isinstance(value, str):
            cells[name] = value.strip()
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            cells[name] = repr(value)
        elif value is not None:
            raise ValueError("each field was expected to be a string, a number or null")
    return {name: text for name, text in cells.items() if text}


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "whatsapp": str.split,
    "allergens": str.split,
    "channels": str.split,
    "lng": lambda text: float(text) if _DECIMAL.fullmatch(text) else text,
    "lat": lambda text: float(text) if _DECIMAL.fullmatch(text) else text,
}


def _day(text: str) -> date | None:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 <= day.year < 2200 else None


def _is(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def _column_at(loc: tuple[int | str, ...]) -> str:
    """Which column said what stands at that place of a client."""
    path = tuple(
        "*" if at == 2 and loc[:2] == ("person", "places") else str(part) for at, part in enumerate(loc)
    )
    return _by_path().get(path) or next(
        (name for known, name in _by_path().items() if known[: len(path)] == path or path[: len(known)] == known),
        "reference",
    )  # fmt: skip


@cache
def _by_path() -> dict[tuple[str, ...], str]:
    return {column.path: column.name for column in CLIENTS if column.path}
