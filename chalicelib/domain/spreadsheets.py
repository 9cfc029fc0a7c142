"""Tables as spreadsheets write and read them: letters, separators, and cells that would be run as formulas.

Nothing is guessed. Bytes that are no letters of the stated kind are named by their place; the separator is the one by
which the first row consists of known names. Cells that a spreadsheet would run (OWASP: CSV injection) are refused on
the way in, for they come out again in every export, and made harmless on the way out.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that Excel, LibreOffice or WPS may run; the wide ones in China and Japan."""
SEPARATORS: Final = (",", ";", "\t")
"""Excel writes the one of its country: `;` in Italy, France, Germany and Switzerland."""
LINE: Final = 100_000
"""Characters of one row."""
_MARKS: Final = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


class Unreadable(ValueError):
    """The text as a whole cannot be read. Says why, and nothing of what stands in it. `at`: the byte, if it is one."""

    def __init__(self, detail: str, at: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.at = at


def decoded(raw: bytes, charset: str) -> str:
    """The text in these bytes, without its mark. Raises `Unreadable`."""
    for mark, its in _MARKS.items():
        if raw.startswith(mark) and its != charset:
            raise Unreadable(f"it begins with the mark of {its}, and {charset} was stated")
    if charset == "utf-16" and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable(
            "utf-16 begins with a byte order mark, without which nobody knows which byte is first"
        )
    try:
        text = raw.decode("utf-8-sig" if charset == "utf-8" else charset)
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start + 1} is not {charset}", error.start) from None
    if "\x00" in text:
        raise Unreadable(f"there are zero bytes in it, which {charset} text has not; is it another charset?")
    return text


def table(text: str, known: Collection[str]) -> tuple[list[str], Iterator[list[str] | None]]:
    """The names in the first row, and the rows after it as they come; None for one that cannot be read.

    Raises `Unreadable` where the first row names nothing known by any separator.
    """
    first = text[: LINE + 1].partition("\n")[0].rstrip("\r")
    heads = {mark: [cell.strip() for cell in _one(first, mark)] for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: sum(name in known for name in heads[mark]))
    if not any(name in known for name in heads[best]):
        raise Unreadable(f"the first row names the columns, and none of these: {', '.join(known)}")
    rows = _rows(text, best)
    next(rows, None)
    return heads[best], rows


def _one(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark, strict=True), [])
    except csv.Error:
        return []


def _rows(text: str, mark: str) -> Iterator[list[str] | None]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except (
            csv.Error
        ):  # of a quote that is not closed everything after it is one cell: there is no more to read
            yield None
            return


def lines(text: str) -> Iterator[Mapping[str, Any] | None]:
    """The objects of JSON lines, one a line; None for a line that is none, an empty mapping for an empty line."""
    for line in io.StringIO(text):
        if not line.strip():
            yield {}
            continue
        try:
            said = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            yield None
            continue
        yield said if isinstance(said, dict) and said else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def is_formula(cell: str) -> bool:
    """True of a cell that a spreadsheet may run."""
    return cell.startswith(FORMULA) or cell.lstrip(" \u00a0\u3000").startswith(FORMULA)


def harmless(cell: object) -> str:
    """A cell as it goes out: what would be run is preceded by the sign for text."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if is_formula(text) else text


def written(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for a spreadsheet, with the mark by which Excel knows UTF-8 (RFC 4180)."""
    page = io.StringIO()
    writer = csv.writer(page)
    writer.writerow(names)
    for row in rows:
        writer.writerow([harmless(cell) for cell in row])
    return "\ufeff" + page.getvalue()
