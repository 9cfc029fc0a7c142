"""Rows that were read ahead, many in one call, and served from there to whoever asks for them one by one.

It serves reading only: what is written goes to the table itself, on the condition of the version that was read, so a
row that has changed since is found by the write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from chalicelib.domain.ports import Change, Key, KeyPage, Page, Row, Table


class Ahead:
    """A table of which some rows are known, and of some keys that there are none."""

    def __init__(self, table: Table, keys: Sequence[Key]) -> None:
        self._table = table
        self._asked = frozenset(keys)
        self.rows: Mapping[Key, Row] = {row.key: row for row in table.get_many(keys)}

    def get(self, key: Key) -> Row | None:
        return self.rows.get(key) if key in self._asked else self._table.get(key)

    def get_many(self, keys: Sequence[Key]) -> list[Row]:
        there = [self.rows[key] for key in dict.fromkeys(keys) if key in self.rows]
        unknown = [key for key in keys if key not in self._asked]
        return [*there, *self._table.get_many(unknown)] if unknown else there

    def read(self, pk: str, prefix: str = "", *, limit: int | None = None, after: str | None = None) -> Page:
        return self._table.read(pk, prefix, limit=limit, after=after)

    def find_due(self, bucket: str, until: datetime, limit: int, after: str | None = None) -> KeyPage:
        return self._table.find_due(bucket, until, limit, after)

    def find_shelved(self, shelf: str, limit: int, after: str | None = None) -> KeyPage:
        return self._table.find_shelved(shelf, limit, after)

    def write(self, *changes: Change) -> None:
        self._table.write(*changes)
