"""What a feed is: one official source's whole dialect, from the bytes it publishes to zones of ours.

A feed is pure, as a courier's dialect is: the bytes of a list and what was known before in, zones, policies,
remarks and faults out. What it makes goes through the same checks as what is handed in as our own parts
(`domain.reading`), and is published whole or not at all. It never opens anything: what a list does not name stays
as it was, unless the rules of its day say when a zone ends *and* the lists show that nothing speaks against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol

from chalicelib.domain.places import Market
from chalicelib.domain.policies import Policy
from chalicelib.domain.rulebooks import Book
from chalicelib.domain.uploads import Content, UploadStart
from chalicelib.domain.zones import Zone

ENTRIES: Final = 200_000
"""That a file may have. A real one takes 160 bytes and more, so this many fill an upload; `1,` takes two."""


def too_many(pointer: str, count: int) -> list[Note]:
    """The fault of a file with more than that, if it is one: to be asked before any of them is read."""
    if count <= ENTRIES:
        return []
    return [Note(pointer, f"at most {ENTRIES} entries were expected", repr(count))]


class Note(NamedTuple):
    """A fault or a remark: where in the file, what, and what stood there."""

    pointer: str
    """RFC 6901, from the file's root; of the upload itself where `of_upload` is true."""
    detail: str
    value: str | None = None
    number: int | None = None
    """Of the entry, feature or record in the file."""
    of_upload: bool = False


def _of_the_entry(_pointer: str) -> str:
    return ""


@dataclass(frozen=True)
class Entry:
    """One zone as a feed makes it: a feature of ours, and where in the file it comes from."""

    feature: Mapping[str, Any]
    pointer: str
    number: int | None = None
    named: Callable[[str], str] = _of_the_entry
    """Where in the entry a pointer into our feature leads; by default to the entry as a whole."""


@dataclass
class Listed:
    """What a list says, in our words."""

    entries: list[Entry] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    """That the entries name, beside those in force."""
    kept: list[Zone] = field(default_factory=list)
    """Zones in force as they are from now on, and zones made of those: an end that is known, a term that restarts."""
    gone: set[str] = field(default_factory=set)
    """Ids of zones in force that others have taken the place of."""
    faults: list[Note] = field(default_factory=list)
    remarks: list[Note] = field(default_factory=list)


@dataclass(frozen=True)
class Told:
    """What a feed is told beside the file."""

    market: Market
    start: UploadStart
    base: Content | None
    """The rules that this upload amends."""
    now: datetime
    books: Mapping[str, Book] = field(default_factory=dict)
    """The rule books that ship, by name."""

    @cached_property
    def book(self) -> Mapping[str, Policy]:
        """Every policy of theirs, by reference."""
        return {e.policy.reference: e.policy for book in self.books.values() for e in book.entries}


class Feed(Protocol):
    """One official source: a file in `feeds/`."""

    def read(self, raw: bytes, told: Told) -> Listed:
        """The file as zones of ours. Whatever is wrong with it is a fault in the answer, never raised."""
