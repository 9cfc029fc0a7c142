"""The rule books that ship: policies as data, one file per jurisdiction, read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.domain.rulebooks import Book

FOLDER = Path(__file__).resolve().parent


class Shelf(Mapping[str, "Book"]):
    """Every book here, by name. Each is read and checked once a process."""

    def __getitem__(self, book_id: str) -> Book:
        if book_id not in _names():
            raise KeyError(book_id)
        return _read(book_id)

    def __contains__(self, book_id: object) -> bool:
        return book_id in _names()

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@cache
def _read(book_id: str) -> Book:
    from chalicelib.domain.rulebooks import Book  # here: most functions read none

    return Book.model_validate_json((FOLDER / f"{book_id}.json").read_bytes())
