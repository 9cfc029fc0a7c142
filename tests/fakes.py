"""A world in memory. The fakes pass the same contract as the real store and queues (tests/aws/)."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.channels import email, webhook, whatsapp
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.dialect import Account, Dialect, Reply, Request
from chalicelib.domain.errors import Forgotten, Lost, Unanswered
from chalicelib.domain.ports import (
    Change,
    Count,
    Drop,
    Keep,
    Key,
    KeyPage,
    Letter,
    Page,
    Require,
    Row,
    Take,
    Topic,
    World,
)
from chalicelib.domain.saying import Mail
from chalicelib.domain.shapes import stamp
from chalicelib.feeds import Folder
from chalicelib.locales import Shelf as Shelf_of_words
from chalicelib.rulebooks import Shelf
from chalicelib.solver import FlowSolver

NOON = datetime(2022, 4, 11, 4, 0, tzinfo=UTC)
"""Noon in Shanghai on the day of the first list."""


class FakeTable:
    """The table in a dict behind one lock: every write is all or nothing.

    It promises no more than DynamoDB does, and refuses what DynamoDB refuses: an item or a key that is too large, a
    transaction of too much, a page that is full and yet the last (it does not say so).
    """

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self._lock = threading.RLock()

    def get(self, key: Key) -> Row | None:
        with self._lock:
            return self.rows.get(key)

    def get_many(self, keys: Sequence[Key]) -> list[Row]:
        with self._lock:
            return [self.rows[key] for key in dict.fromkeys(keys) if key in self.rows]

    def read(self, pk: str, prefix: str = "", *, limit: int | None = None, after: str | None = None) -> Page:
        with self._lock:
            found = sorted(
                (r for k, r in self.rows.items() if k.pk == pk and k.sk.startswith(prefix)),
                key=lambda r: r.key.sk,
            )
        found = [row for row in found if after is None or row.key.sk > after]
        if limit is None or len(found) < limit:
            return Page(tuple(found), None)
        return Page(tuple(found[:limit]), found[limit - 1].key.sk)

    def find_due(self, bucket: str, until: datetime, limit: int, after: str | None = None) -> KeyPage:
        last = stamp(until)
        with self._lock:
            found = [
                (row.due, *_names(row.key))
                for row in self.rows.values()
                if row.work == bucket and row.due is not None and row.due <= last
            ]
        found = sorted(place for place in found if after is None or place > _place(after))
        return replace(_page(found, limit), since=found[0][0] if found else None)

    def find_shelved(self, shelf: str, limit: int, after: str | None = None) -> KeyPage:
        with self._lock:
            found = [
                (row.place_on_shelf, *_names(row.key))
                for row in self.rows.values()
                if row.shelf == shelf and row.place_on_shelf is not None
            ]
        rest = (place for place in found if after is None or place < _place(after))
        return _page(sorted(rest, reverse=True), limit)

    def write(self, *changes: Change) -> None:
        assert 0 < len(changes) <= 100
        names = [c.row.key if isinstance(c, Keep) else c.key for c in changes]
        assert len(set(names)) == len(names), f"one transaction names {names!r} twice"
        sizes = [_size(c.row) for c in changes if isinstance(c, Keep)]
        assert len(changes) == 1 or sum(sizes) <= 4 * 1024 * 1024, f"a transaction of {sum(sizes)} bytes"
        with self._lock:
            failed = [at for at, change in enumerate(changes) if not self._allows(change)]
            if failed:
                is_told = len(changes) == 1 and not isinstance(changes[0], Require)
                raise Lost(failed, self.rows.get(names[0]) if is_told else None)
            for change in changes:
                self._apply(change)

    def _allows(self, change: Change) -> bool:
        row = self.rows.get(change.row.key if isinstance(change, Keep) else change.key)
        version = None if row is None else row.version
        if isinstance(change, Keep):
            return version == change.was
        if isinstance(change, Require):
            return version == change.version
        if isinstance(change, Drop):
            return version == change.was
        if isinstance(change, Take):
            return change.by + (0 if row is None else row.counters.get(change.counter, 0)) <= change.ceiling
        if row is None or change.floor is None:
            return row is not None
        left = row.counters.get(change.counter)
        return left is not None and left + change.by >= change.floor

    def _apply(self, change: Change) -> None:
        if isinstance(change, Keep):
            old, row = self.rows.get(change.row.key), change.row
            if (row.work is None) != (row.due is None):
                row = replace(row, work=None, due=None)
            if (row.shelf is None) != (row.place_on_shelf is None):
                row = replace(row, shelf=None, place_on_shelf=None)
            counters = row.counters if old is None else old.counters
            self.rows[row.key] = (
                row if not counters and not row.counters else replace(row, counters=dict(counters))
            )
        elif isinstance(change, Drop):
            del self.rows[change.key]
        elif isinstance(change, Count):
            row = self.rows[change.key]
            counters = {**row.counters, change.counter: row.counters.get(change.counter, 0) + change.by}
            self.rows[change.key] = replace(row, counters=counters)
        elif isinstance(change, Take):
            row = self.rows.get(change.key) or Row(change.key, 1, "{}")
            counters = {**row.counters, change.counter: row.counters.get(change.counter, 0) + change.by}
            expires_at = row.expires_at if change.expires_at is None else change.expires_at
            self.rows[change.key] = replace(row, counters=counters, expires_at=expires_at)


ITEM_LIMIT = 400 * 1024


def calls_of(table: Any, patch: Any) -> list[str]:
    """The verbs that the table is asked for from now on, in their order; `patch`: pytest's `monkeypatch`."""
    calls: list[str] = []

    def noted(verb: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            calls.append(verb)
            return plain(*args, **more)

        return call

    for verb in ("get", "get_many", "read", "find_due", "find_shelved", "write"):
        patch.setattr(table, verb, noted(verb, getattr(table, verb)))
    return calls


def _size(row: Row) -> int:
    """Bytes of the row as DynamoDB counts them, nearly: names, numbers and index places are less than 1 KB."""
    assert 0 < len(row.key.pk.encode()) <= 2048 and 0 < len(row.key.sk.encode()) <= 1024, (
        f"the key {row.key!r}"
    )
    size = len(row.body) + len(row.sealed)
    if size > ITEM_LIMIT // 4:  # only then can it be too large in UTF-8
        size = len(row.body.encode()) + len(row.sealed)
    assert size <= ITEM_LIMIT, f"the row {row.key!r} has {size} bytes"
    return size


def _names(key: Key) -> tuple[str, str]:
    return key.pk, key.sk


def _place(after: str) -> tuple[str, str, str]:
    place, pk, sk = after.split("|", 2)
    return place, pk, sk


def _page(found: list[tuple[str, str, str]], limit: int) -> KeyPage:
    # a page that is just full says that there is more: DynamoDB does not look
    keys = tuple(Key(pk, sk) for _, pk, sk in found[:limit])
    after = "|".join(found[limit - 1]) if len(found) >= limit else None
    return KeyPage(keys, after)


class FakeQueues:
    """Messages in the order sent; tests take them out, or a `Drive` does."""

    def __init__(self) -> None:
        self.sent: list[tuple[Topic, str]] = []
        self.letters: list[tuple[Topic, Letter]] = []

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        self.sent += [(topic, name) for name in dict.fromkeys(ids)]

    def put_aside(self, topic: Topic, letter: Letter) -> None:
        self.letters.append((topic, letter))

    def set_aside(self) -> dict[Topic, int]:
        return {topic: sum(each is topic for each, _ in self.letters) for topic in Topic}

    def take(self, topic: Topic | None = None) -> list[tuple[Topic, str]]:
        """Everything waiting (on that topic), removed."""
        taken = [m for m in self.sent if topic is None or m[0] is topic]
        self.sent = [m for m in self.sent if m not in taken]
        return taken


_MIRROR = bytes(b ^ 0x5A for b in range(256))


class FakeSealer:
    """Readable by nobody who greps for the plain text, bound to its context, and to its owner's data key in the table."""

    table: Any = None

    def seal(self, plain: bytes, context: str, owner: str = "") -> bytes:
        if owner:
            with suppress(Lost):  # it has one
                self.table.write(Keep(Row(data_key_of_client(owner), 1, "wrapped"), was=None))
            return b"owned:" + owner.encode() + b":" + self.seal(plain, context)
        return b"sealed:" + context.encode() + b":" + plain.translate(_MIRROR)

    def unseal(self, sealed: bytes, context: str) -> bytes:
        if sealed.startswith(b"owned:"):
            _, owner, sealed = sealed.split(b":", 2)
            if self.table.get(data_key_of_client(owner.decode())) is None:
                raise Forgotten(f"the data key of the client {owner.decode()!r} is gone")
        prefix = b"sealed:" + context.encode() + b":"
        if not sealed.startswith(prefix):
            raise ValueError(f"not sealed for {context!r}")
        return sealed[len(prefix) :].translate(_MIRROR)


class FakeLine:
    """Answers requests with a function; without one nobody answers."""

    def __init__(self, answer: Callable[[Request], Reply] | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    def send(self, request: Request, *, public_only: bool = False) -> Reply:
        self.requests.append(request)
        if self.answer is None:
            raise Unanswered("nobody answers")
        return self.answer(request)


class FakeMailer:
    """Takes every mail; a test may have it answer otherwise."""

    def __init__(self, answer: Callable[[Mail], Reply] = lambda mail: Reply(200, {}, b"")) -> None:
        self.answer = answer
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> Reply:
        self.sent.append(mail)
        return self.answer(mail)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@dataclass
class FakeSecrets:
    """Accounts by (dialect, account)."""

    by_account: dict[tuple[str, str], list[Account]] = field(default_factory=lambda: defaultdict(list))

    def accounts(self, dialect: str, account: str) -> Sequence[Account]:
        return self.by_account.get((dialect, account), [])

    def signing_keys(self) -> Sequence[str]:
        return ["test-signing-key"]


class FakeLog:
    """Log lines as dicts."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def __call__(self, event: str, **facts: Any) -> None:
        self.lines.append({"event": event, **facts})


def world(
    *,
    clock: FakeClock | None = None,
    line: Any = None,
    dialects: Mapping[str, Dialect] | None = None,
    secrets: FakeSecrets | None = None,
    seed: int = 1,
    **changes: Any,
) -> World:
    """A whole world in memory; the same seed gives the same chance."""
    chance = random.Random(seed)
    parts: dict[str, Any] = {
        "table": FakeTable(),
        "queues": FakeQueues(),
        "line": line or FakeLine(),
        "sealer": FakeSealer(),
        "solver": FlowSolver(),
        "secrets": secrets or FakeSecrets(),
        "dialects": dialects or {},
        "channels": {"webhook": webhook},
        "client_channels": {"whatsapp": whatsapp, "email": email},
        "mailer": FakeMailer(),
        "words": Shelf_of_words("messages"),
        "feeds": Folder(),
        "books": Shelf(),
        "clock": clock or FakeClock(),
        "dice": chance.random,
        "token": lambda: f"{chance.getrandbits(256):064x}",
        "log": FakeLog(),
        "webhooks_may_be_private": True,
        "public_url": "https://cordon.example/prod",
    }
    made = World(**{**parts, **changes})
    sealer: Any = made.sealer
    if (
        getattr(sealer, "table", made.table) is None
    ):  # a fake that seals for clients, whose keys stand in the table
        sealer.table = made.table
    return made
