"""The rule books that ship: policies as data, one file per jurisdiction, read when somebody asks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chalicelib.domain.errors import Missing
from chalicelib.domain.rulebooks import Book

FOLDER = Path(__file__).resolve().parent


@cache
def names() -> tuple[str, ...]:
    """Every book, by name."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@cache
def read(book_id: str) -> Book:
    """That book. Raises `Missing`."""
    if book_id not in names():
        raise Missing(f"no rule book {book_id[:80]!r}, there are {', '.join(names())}")
    return Book.model_validate_json((FOLDER / f"{book_id}.json").read_bytes())
