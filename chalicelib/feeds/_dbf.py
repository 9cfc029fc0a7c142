"""dBase III tables, as shapefiles carry their attributes: fixed-width records behind a header that names the fields.

Read from bytes. The package `dbfread` opens a file by its path only, and a Lambda has none; the format is forty lines.
Source: dBase III PLUS table layout (header 32 bytes, 32 a field, 0x0D, then the records; 0x2A marks a deleted one).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RECORDS: Final = 20_000
"""That are read. Italy's table had 409 when it ended; a byte can be a record, and a file has 32 million."""
_HEADER, _FIELD, _END = 32, 32, 0x0D
_KINDS = (0x03, 0x83, 0x8B, 0xF5)
"""Without memo, and with the memo of dBase III, dBase IV and FoxPro, which is not read."""


class NoTable(ValueError):
    """It is no such table, or not all of it."""


@dataclass(frozen=True)
class Table:
    """Its fields and its records, in the file's order; deleted records are left out."""

    fields: tuple[str, ...]
    records: tuple[dict[str, str], ...]


def table_of(raw: bytes, encoding: str = "utf-8") -> Table:
    """Every value as its text without padding. Raises `NoTable`."""
    if len(raw) < _HEADER + 1 or raw[0] not in _KINDS:
        raise NoTable("a dBase table was expected")
    count = int.from_bytes(raw[4:8], "little")
    start, width = int.from_bytes(raw[8:10], "little"), int.from_bytes(raw[10:12], "little")
    fields: list[tuple[str, int]] = []
    at = _HEADER
    while at < min(start, len(raw)) and raw[at] != _END:
        described = raw[at : at + _FIELD]
        if len(described) < _FIELD:
            break
        fields.append((described[:11].split(b"\0")[0].decode("ascii", "replace"), described[16]))
        at += _FIELD
    if at >= len(raw) or raw[at] != _END or 1 + sum(size for _, size in fields) != width:
        raise NoTable("a header whose fields add up to its records was expected")
    if count > RECORDS:
        raise NoTable(f"at most {RECORDS} records were expected, got {count}")
    if len(raw) < start + count * width:
        missing = start + count * width - len(raw)
        raise NoTable(f"{count} records of {width} bytes were expected, {missing} bytes are missing")
    records = []
    for number in range(count):
        record = raw[start + number * width : start + (number + 1) * width]
        if record[:1] == b"*":
            continue
        values, at = {}, 1
        for name, size in fields:
            try:
                values[name] = record[at : at + size].decode(encoding).strip(" \0")
            except UnicodeDecodeError as error:
                raise NoTable(f"record {number}, {name}: {encoding} was expected: {error.reason}") from None
            at += size
        records.append(values)
    return Table(tuple(name for name, _ in fields), tuple(records))
