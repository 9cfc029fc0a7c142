"""The table of a simulated day: the fake with its indexes laid out, and a memory of how they were.

An index that lags is read as it was some seconds ago, for some keys and not for others: so keys are missing,
stand where they no longer are, or both. Whoever watches is told of every commit.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain.ports import Change, Count, Keep, Key, KeyPage, Page, Require, Row
from chalicelib.domain.shapes import stamp
from tests.fakes import FakeTable
from tests.simulation.dice import number

Entry = tuple[str, str, str]
"""Place in the index, pk, sk."""
_LAST = "\U0010ffff"
REMEMBERED = timedelta(minutes=1)
"""Longer than any index lags."""
Watch = Callable[[list[tuple[Row | None, Row | None]]], None]
"""Told of every commit: each row that it changed, before and after."""


class Index:
    """One index: its buckets in order, and what changed of late."""

    def __init__(self) -> None:
        self.buckets: dict[str, list[Entry]] = {}
        self.recent: deque[tuple[datetime, Key, str | None, str | None]] = deque()
        """When, whose, and bucket and place before."""

    def move(
        self, at: datetime, key: Key, before: tuple[str, str] | None, after: tuple[str, str] | None
    ) -> None:
        if before == after:
            return
        if before is not None:
            entries = self.buckets[before[0]]
            del entries[bisect_left(entries, (before[1], key.pk, key.sk))]
        if after is not None:
            insort(self.buckets.setdefault(after[0], []), (after[1], key.pk, key.sk))
        self.recent.append((at, key, *(before or (None, None))))
        while self.recent[0][0] < at - REMEMBERED:
            self.recent.popleft()

    def seen(self, bucket: str, since: datetime | None, salt: str = "") -> list[Entry]:
        """The bucket now, or as a reader sees it for whom some changes after `since` have not arrived."""
        entries = self.buckets.get(bucket, [])
        if since is None or not self.recent or self.recent[-1][0] <= since:
            return entries
        old: dict[Key, tuple[str | None, str | None]] = {}
        for at, key, where, place in reversed(self.recent):
            if at <= since:
                break
            if number(f"{salt}{key.pk}{key.sk}") % 3:
                old[key] = (where, place)
        seen = [entry for entry in entries if entry[1:] not in old]  # so here
        seen += [
            (place, key.pk, key.sk)
            for key, (where, place) in old.items()
            if where == bucket and place is not None
        ]
        return sorted(seen)


class Store(FakeTable):
    """`FakeTable`, indexed. It is used by one thread at a time."""

    def __init__(self, clock: Callable[[], datetime], watch: Watch | None = None) -> None:
        super().__init__()
        self.clock = clock
        self.watch = watch
        self.work, self.shelves = Index(), Index()
        self._collections: dict[str, list[str]] = {}

    def get_row(self, pk: str, sk: str) -> Row | None:
        return self.rows.get(Key(pk, sk))

    def read(self, pk: str, prefix: str = "", *, limit: int | None = None, after: str | None = None) -> Page:
        places = self._collections.get(pk, [])
        low = bisect_left(places, prefix)
        if after is not None:
            low = max(low, bisect_right(places, after))
        high = bisect_left(places, prefix + _LAST) if prefix else len(places)
        found = [self.rows[pk, sk] for sk in places[low:high]]  # type: ignore[index]  # a key equals the tuple of its parts
        if limit is None or len(found) < limit:
            return Page(tuple(found), None)
        return Page(tuple(found[:limit]), found[limit - 1].key.sk)

    def find_due(
        self,
        bucket: str,
        until: datetime,
        limit: int,
        after: str | None = None,
        *,
        since: datetime | None = None,
        salt: str = "",
    ) -> KeyPage:
        entries = self.work.seen(bucket, since, salt)
        high = bisect_right(entries, (stamp(until), _LAST, _LAST))
        low = 0 if after is None else bisect_right(entries, _entry(after))
        return _page(entries[low : min(high, low + limit)], limit, entries[low][0] if low < high else None)

    def find_shelved(
        self,
        shelf: str,
        limit: int,
        after: str | None = None,
        *,
        since: datetime | None = None,
        salt: str = "",
    ) -> KeyPage:
        entries = self.shelves.seen(shelf, since, salt)
        high = len(entries) if after is None else bisect_left(entries, _entry(after))
        return _page(entries[:high][::-1], limit)

    def write(self, *changes: Change) -> None:
        keys = [change.row.key if isinstance(change, Keep) else change.key for change in changes]
        before = [self.rows.get(key) for key in keys]
        super().write(*changes)
        if self.watch is not None:
            touched = [(row, self.rows.get(key)) for key, row in zip(keys, before, strict=True)]
            self.watch([pair for pair in touched if pair[0] is not pair[1]])

    def earliest(self, *prefixes: str) -> str | None:
        """The stamp of what is due first in the buckets of the work index with one of these prefixes."""
        found = [
            entries[0][0]
            for name, entries in self.work.buckets.items()
            if entries and name.startswith(prefixes)
        ]
        return min(found, default=None)

    def _apply(self, change: Change) -> None:
        if isinstance(change, Count):
            row = self.rows[change.key]
            counters = {**row.counters, change.counter: row.counters.get(change.counter, 0) + change.by}
            self.rows[change.key] = replace(row, counters=counters)
            return
        if isinstance(change, Require):
            return
        key = change.row.key if isinstance(change, Keep) else change.key
        before = self.rows.get(key)
        super()._apply(change)
        after = self.rows.get(key)
        if before is None:
            insort(self._collections.setdefault(key.pk, []), key.sk)
        elif after is None:
            self._collections[key.pk].remove(key.sk)
        now = self.clock()
        self.work.move(now, key, _place(before, "work", "due"), _place(after, "work", "due"))
        self.shelves.move(
            now, key, _place(before, "shelf", "place_on_shelf"), _place(after, "shelf", "place_on_shelf")
        )


def _place(row: Row | None, bucket: str, place: str) -> tuple[str, str] | None:
    if row is None or getattr(row, bucket) is None or getattr(row, place) is None:
        return None
    return getattr(row, bucket), getattr(row, place)


def _entry(after: str) -> Entry:
    place, pk, sk = after.split("|", 2)
    return place, pk, sk


def _page(found: list[Entry], limit: int, since: str | None = None) -> KeyPage:
    after = "|".join(found[limit - 1]) if len(found) >= limit else None
    return KeyPage(tuple([Key(pk, sk) for _, pk, sk in found[:limit]]), after, since)
