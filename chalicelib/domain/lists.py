"""A list of clients as a brand hands it in, in parts: what it says of itself, and what becomes of it.

Two kinds: `clients` enrols everybody on it, `members` names clients that are enrolled. Either can be whom a campaign
is for. How it is read: `domain.columns`.

    collection (pk)   place (sk)        noun                                   indexes
    list#<list>       list              Roster                             shelf: lists#<brand>
    list#<list>       have#<nnn>        Have, one a part                       (domain.snapshots)
    list#<list>       part#<nnn>#<n>    piece of a part, compressed and sealed; dropped when it has been read
    list#<list>       rows#<nnnnn>      rows that are to be enrolled, sealed; dropped with the step that enrols them
    list#<list>       members#<nnnnn>   Member, a hundred a row
    list#<list>       faults#<nnnn>     ListFault, a hundred a row
    list#<list>       lane#...          (domain.lanes)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import Field, model_validator

from chalicelib.domain.orders import TierName
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Currency, Instant, Shape, Slug, is_absent, stamp
from chalicelib.domain.tallies import Tally

PART_BYTES: Final = 1_000_000
PARTS: Final = 200
LIST_BYTES: Final = 48_000_000
"""Of all parts together: 100,000 rows of some 300 bytes, and half as much again."""
ROWS: Final = 100_000
PAGE: Final = 100
"""Rows in one page: so many clients are enrolled, or given a gift, in one step."""
FAULTS: Final = 1000
"""Faults that are kept to be read; all are counted."""


class ListKind(StrEnum):
    """What its rows are."""

    CLIENTS = "clients"
    """Whole clients, who are enrolled; who stands otherwise is changed."""
    MEMBERS = "members"
    """Names of clients who are enrolled."""


class ListFormat(StrEnum):
    """How it is written."""

    CSV = "csv"
    LINES = "jsonl"


class Charset(StrEnum):
    """In which letters it is written. Not guessed: what a wrong guess reads as a name is nobody's name."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    """With its byte order mark."""
    GB18030 = "gb18030"
    WINDOWS_1252 = "windows-1252"
    """Of Western Europe; what is called Latin-1 is nearly always this."""


ALIASES: Final[Mapping[str, Charset]] = {
    "utf8": Charset.UTF_8,
    "utf16": Charset.UTF_16,
    "gbk": Charset.GB18030,
    "gb2312": Charset.GB18030,
    "cp1252": Charset.WINDOWS_1252,
    "latin1": Charset.WINDOWS_1252,
    "iso-8859-1": Charset.WINDOWS_1252,
}
"""Other names of the same letters, or of some of them; what browsers understand by them (WHATWG)."""


class ListStart(Shape):
    """What a list states about itself before its first part."""

    kind: ListKind = ListKind.CLIENTS
    format: ListFormat = ListFormat.CSV
    charset: Charset = Charset.UTF_8
    currency: Currency | None = Field(
        default=None,
        exclude_if=is_absent,
        description="In which its column `spent` is. A row in another is a fault.",
    )
    changes_clients: bool = Field(
        default=True,
        strict=True,
        description="Of a list of clients: who is enrolled and stands otherwise is changed. False: is left as is.",
    )

    @model_validator(mode="after")
    def _of_its_kind(self) -> ListStart:
        if self.kind is ListKind.MEMBERS and (self.currency is not None or not self.changes_clients):
            raise ValueError("currency and changes_clients go with the kind 'clients'")
        if self.format is ListFormat.LINES and self.charset is not Charset.UTF_8:
            raise ValueError("JSON lines are utf-8 (RFC 8259, 8.1)")
        return self


class ListState(StrEnum):
    """How far it has come."""

    OPEN = "open"
    READING = "reading"
    ENROLLING = "enrolling"
    READY = "ready"
    REFUSED = "refused"
    """Something in it is wrong, see its faults: nobody was enrolled."""


OVER: Final = frozenset({ListState.READY, ListState.REFUSED})


class ListFault(Shape):
    """One thing that is wrong: in which row and column, and what was expected. What is personal is never repeated."""

    row: int | None = Field(
        default=None, description="As a spreadsheet counts: the header is 1. Absent: the list as a whole."
    )
    column: str | None = None
    detail: str
    value: str | None = None


class Member(Shape):
    """One client on a list, and what of the gift is the client's own. It names nobody."""

    client: Slug = Field(description="The brand's reference.")
    tier: TierName | None = Field(default=None, exclude_if=is_absent)
    place: Slug | None = Field(
        default=None, exclude_if=is_absent, description="Which of the client's places."
    )
    occasion: Slug | None = Field(default=None, exclude_if=is_absent)


class Members(Shape):
    """A page of them."""

    data: tuple[Member, ...]


class FaultPage(Shape):
    """Some of the faults."""

    data: tuple[ListFault, ...]


class Roster(Shape):
    """One list and what became of it."""

    list_id: str
    brand_id: str
    kind: ListKind
    format: ListFormat
    charset: Charset
    currency: Currency | None = Field(default=None, exclude_if=is_absent)
    changes_clients: bool = True
    state: ListState = ListState.OPEN
    begun_at: Instant
    finished_at: Instant | None = None
    parts: int = Field(default=0, description="How many it has; known when it is finished.")
    rows: int = Field(default=0, description="Of clients, without the header; known when it has been read.")
    pages: int = 0
    settled_at: Instant | None = None
    progress: Tally = Field(
        default=Tally(), description="Enrolled, changed, unchanged and refused, and why those."
    )
    fault_count: int = Field(default=0, description="Of all; the first 1,000 are kept.")
    faults_by_column: dict[str, int] = {}
    faults: tuple[ListFault, ...] = Field(default=(), description="The first 50.")
    version: int = Field(default=1, exclude=True)

    @property
    def start(self) -> ListStart:
        """What it stated of itself."""
        return ListStart.model_validate({name: getattr(self, name) for name in ListStart.model_fields})

    @property
    def is_over(self) -> bool:
        return self.state in OVER


class RosterPage(Shape):
    """A page of lists, the last begun first."""

    data: tuple[Roster, ...]
    has_more: bool
    next_cursor: str | None = None


class FaultList(Shape):
    """A page of the faults that are kept, in the order of the rows."""

    list_id: str
    fault_count: int
    data: tuple[ListFault, ...]
    has_more: bool
    next_cursor: str | None = None


class ListParts(Shape):
    """How many parts were sent: a lost last one would leave clients out."""

    parts: int = Field(ge=1, le=PARTS)


# --- rows ---------------------------------------------------------------------------------------------------


def collection(list_id: str) -> str:
    return f"list#{list_id}"


def list_key(list_id: str) -> Key:
    return Key(collection(list_id), "list")


def shelf(brand_id: str) -> str:
    """Where a brand's lists stand, the last begun first."""
    return f"lists#{brand_id}"


def list_row(found: Roster, expires_at: int) -> Row:
    return Row(
        key=list_key(found.list_id),
        version=found.version,
        body=found.model_dump_json(exclude_defaults=True),
        shelf=shelf(found.brand_id),
        place_on_shelf=f"{stamp(found.begun_at)}#{found.list_id}",
        expires_at=expires_at,
    )


def list_of_row(row: Row) -> Roster:
    return Roster.model_validate_json(row.body).model_copy(update={"version": row.version})


def have_key(list_id: str, number: int) -> Key:
    return Key(collection(list_id), f"have#{number:03d}")


def part_prefix(number: int | None = None) -> str:
    return "part#" if number is None else f"part#{number:03d}#"


def piece_key(list_id: str, number: int, piece: int) -> Key:
    return Key(collection(list_id), f"{part_prefix(number)}{piece}")


def rows_key(list_id: str, page: int) -> Key:
    return Key(collection(list_id), f"rows#{page:05d}")


def members_key(list_id: str, page: int) -> Key:
    return Key(collection(list_id), f"members#{page:05d}")


def members_row(key: Key, members: tuple[Member, ...], expires_at: int) -> Row:
    body = Members(data=members).model_dump_json(exclude_none=True)
    return Row(key, 1, body, expires_at=expires_at)


def members_of_row(row: Row) -> tuple[Member, ...]:
    return Members.model_validate_json(row.body).data


def faults_key(list_id: str, page: int) -> Key:
    return Key(collection(list_id), f"faults#{page:04d}")
