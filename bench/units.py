"""What DynamoDB would bill and bear of what a flow writes: units by the key they fall on.

A partition takes 1,000 write units a second, and a key is never in two of them at once unless the table has split it
for heat, which takes minutes: so the key that most units fall on says how long a burst of writes takes at least.
Reckoned from the items before and after (tests/ledger/meter.py); no emulator bills rightly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from chalicelib.aws.table import _item
from chalicelib.domain.ports import Change, Count, Drop, Keep, Key, Require, Row, Table, Take
from tests.ledger.bill import KEY_WRITES_S
from tests.ledger.meter import size_of

COUNTED = (("work", "due"), ("shelf", "place_on_shelf"))


class Billed:
    """The table; what it writes is reckoned. Reading is left to it."""

    def __init__(self, table: Table, before: Mapping[Key, Row]) -> None:
        self._table = table
        self._rows = dict(before)
        self.transactions = 0
        self.largest = 0
        """Bytes of the largest transaction."""
        self.by_key: Counter[str] = Counter()
        """Write units by partition key of the table, and of an index with its name before it."""

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._table, verb)

    def write(self, *changes: Change) -> None:
        self._table.write(*changes)
        twice = 2 if len(changes) > 1 else 1  # prepared, then committed
        self.transactions += twice - 1
        size = 0
        for change in changes:
            size += self._reckon(change, twice)
        self.largest = max(self.largest, size)

    def _reckon(self, change: Change, twice: int) -> int:
        if isinstance(change, Keep):
            key, after = change.row.key, _item(change.row)
            had = self._rows.get(key)
            before = None if had is None else _item(had)
            self._rows[key] = change.row
            for hashed, ranged in COUNTED:
                entries = [
                    None if item is None or hashed not in item else (item[hashed]["S"], item[ranged]["S"])
                    for item in (before, after)
                ]
                if entries[0] != entries[1]:  # a changed key is a deletion and a put
                    self.by_key.update(f"{hashed}: {entry[0]}" for entry in entries if entry is not None)
            size = max(size_of(before), size_of(after))
        else:
            assert isinstance(change, Count | Take | Require | Drop)
            key = change.key
            row = self._rows.get(key)
            size = size_of(None if row is None else _item(row))
        self.by_key[key.pk] += twice * max(1, -(-size // 1024))
        return size

    @property
    def units(self) -> int:
        """All write units, those of the indexes included."""
        return self.by_key.total()

    def seconds(self) -> list[tuple[str, float]]:
        """The keys in the way, the slowest first: how long each takes what falls on it."""
        return [(name, units / KEY_WRITES_S) for name, units in self.by_key.most_common(20)]
