"""Count every AWS call and its units as DynamoDB and SQS bill them.

No emulator reports consumed capacity rightly (docs/emulators.md), so the units are computed here, from the items
before and after: DynamoDB Developer Guide, "Read and write operations" and "Using Global Secondary Indexes";
SQS pricing, "every 64 KB chunk of a payload is one request".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from botocore.client import BaseClient

INDEXES = (("work", "due"), ("shelf", "place_on_shelf"))


@dataclass
class Entry:
    """One call as the bill sees it."""

    step: str
    service: str
    operation: str
    what: str
    """Which facts, without their ids."""
    writes: float = 0
    """Write request units, those of the indexes included."""
    reads: float = 0
    """Read request units."""
    requests: int = 0
    """SQS requests of up to 64 KB."""
    size: int = 0
    """Bytes sent or stored."""
    spread: tuple[str, ...] = ()
    """Write units of index entries, each by the kind of its bucket or shelf: wait, pool, brand, hook."""


@dataclass
class Ledger:
    """Entries in the order of the calls; `step` names whoever is calling now."""

    entries: list[Entry] = field(default_factory=list)
    step: str = ""
    is_open: bool = True

    @contextmanager
    def during(self, step: str) -> Iterator[None]:
        """Everything called inside belongs to that step."""
        before, self.step = self.step, step
        try:
            yield
        finally:
            self.step = before

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nothing called inside is counted."""
        before, self.is_open = self.is_open, False
        try:
            yield
        finally:
            self.is_open = before

    def note(self, entry: Entry) -> None:
        if self.is_open:
            self.entries.append(entry)

    def of(self, *services: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.service in services]


@contextmanager
def metered(ledger: Ledger) -> Iterator[None]:
    """Every boto3 call made inside goes into the ledger."""
    plain = BaseClient._make_api_call

    def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
        if not ledger.is_open:
            return plain(client, operation, params)
        service = client.meta.service_model.service_name

        def raw(name: str, **request: Any) -> Any:
            return plain(client, name, request)

        if service == "dynamodb":
            return _dynamodb(ledger, raw, operation, params)
        answer = plain(client, operation, params)
        if service == "sqs":
            _sqs(ledger, operation, params, answer)
        else:
            ledger.note(Entry(ledger.step, service, operation, "", requests=1))
        return answer

    BaseClient._make_api_call = call
    try:
        yield
    finally:
        BaseClient._make_api_call = plain


# --- DynamoDB -------------------------------------------------------------------------------------------------


def size_of(item: dict[str, Any] | None) -> int:
    """Bytes of an item as DynamoDB counts them: names and values in UTF-8; a number by its digits, two a byte."""
    total = 0
    for name, value in (item or {}).items():
        ((kind, content),) = value.items()
        total += len(name.encode())
        if kind == "N":
            total += ceil(len(content.lstrip("-")) / 2) + 1
        else:
            total += len(content if kind == "B" else content.encode())
    return total


def units_of_write(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> tuple[int, tuple[str, ...]]:
    """(units of the item, its index entries that are written, by kind) for one plain write."""
    own = max(1, ceil(max(size_of(before), size_of(after)) / 1024))
    spread: list[str] = []
    for names in INDEXES:
        old, new = _entry(before, names), _entry(after, names)
        if old != new:  # a changed key is a deletion and a put; an unchanged one writes nothing
            spread += [entry[0].split("#")[0] for entry in (old, new) if entry is not None]
    return own, tuple(spread)


def _entry(item: dict[str, Any] | None, names: tuple[str, str]) -> tuple[str, ...] | None:
    if item is None or not all(name in item for name in names):
        return None
    return tuple(item[name]["S"] for name in names)


def _dynamodb(ledger: Ledger, raw: Any, operation: str, params: dict[str, Any]) -> Any:
    if operation in ("PutItem", "UpdateItem", "DeleteItem"):
        key = _key_of(params.get("Item") or params["Key"])
        (entry, before) = (
            Entry(ledger.step, "dynamodb", operation, _kind(key)),
            _now(raw, params["TableName"], key),
        )
        try:
            return raw(operation, **params)
        finally:  # a failed condition is billed like the write it was not
            after = _now(raw, params["TableName"], key)
            own, spread = units_of_write(before, after)
            entry.writes, entry.spread = own + len(spread), spread
            entry.size = max(size_of(before), size_of(after))
            ledger.note(entry)
    if operation == "TransactWriteItems":
        return _transaction(ledger, raw, params)
    answer = raw(operation, **params)
    strong = params.get("ConsistentRead", False)
    if operation == "GetItem":
        item = answer.get("Item")
        ledger.note(
            Entry(
                ledger.step, "dynamodb", operation, _kind(params["Key"]),
                reads=_read_units(size_of(item), strong), size=size_of(item),
            )
        )  # fmt: skip
    elif operation == "Query":
        size = sum(size_of(item) for item in answer["Items"])
        what = params.get("IndexName") or _kind({"pk": params["ExpressionAttributeValues"][":pk"]})
        ledger.note(
            Entry(ledger.step, "dynamodb", operation, what, reads=_read_units(size, strong), size=size)
        )
    elif operation == "BatchGetItem":
        ((table, asked),) = params["RequestItems"].items()
        items = answer["Responses"].get(table, [])
        strong = asked.get("ConsistentRead", False)
        missing = len(asked["Keys"]) - len(items)
        reads = sum(_read_units(size_of(item), strong) for item in items) + missing * _read_units(0, strong)
        kinds = dict.fromkeys(_kind(key) for key in asked["Keys"])
        ledger.note(
            Entry(ledger.step, "dynamodb", operation, ", ".join(kinds), reads=reads,
                  size=sum(map(size_of, items)))
        )  # fmt: skip
    else:
        ledger.note(Entry(ledger.step, "dynamodb", operation, "not priced"))
    return answer


def _transaction(ledger: Ledger, raw: Any, params: dict[str, Any]) -> Any:
    keys = []
    for asked in params["TransactItems"]:
        (request,) = asked.values()
        keys.append((request["TableName"], _key_of(request.get("Item") or request["Key"])))
    before = [_now(raw, table, key) for table, key in keys]
    try:
        return raw("TransactWriteItems", **params)
    finally:
        writes, size = 0, 0
        spreads: tuple[str, ...] = ()
        for (table, key), old in zip(keys, before, strict=True):
            new = _now(raw, table, key)
            own, spread = units_of_write(old, new)
            writes += 2 * own + len(spread)  # prepared, then committed; a check moves no index
            spreads += spread
            size += max(size_of(old), size_of(new))
        kinds = dict.fromkeys(_kind(key) for _, key in keys)
        ledger.note(
            Entry(ledger.step, "dynamodb", "TransactWriteItems", ", ".join(kinds), writes=writes, size=size,
                  spread=spreads)
        )  # fmt: skip


def _now(raw: Any, table: str, key: dict[str, Any]) -> dict[str, Any] | None:
    item: dict[str, Any] | None = raw("GetItem", TableName=table, Key=key, ConsistentRead=True).get("Item")
    return item


def _key_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"pk": item["pk"], "sk": item["sk"]}


def _read_units(size: int, strong: bool) -> float:
    return max(1, ceil(size / 4096)) * (1.0 if strong else 0.5)


def _kind(key: dict[str, Any]) -> str:
    """The fact's kind, without its id: `order`, `event`, `notice`, `rules`, `slot` ..."""
    sk = key.get("sk", {}).get("S", "")
    pk = key["pk"]["S"]
    if not sk:
        return "all of the order" if pk.startswith("ord_") else f"all of the {pk.split('#')[0]}"
    kind: str = sk.split("#")[0]
    return kind


# --- SQS ------------------------------------------------------------------------------------------------------


def _sqs(ledger: Ledger, operation: str, params: dict[str, Any], answer: Any) -> None:
    queue = params["QueueUrl"].rsplit("-", 1)[-1]
    if operation == "ReceiveMessage":
        size = sum(len(message["Body"]) for message in answer.get("Messages", ()))
    else:
        size = len(params.get("MessageBody", "")) or sum(
            len(entry.get("MessageBody", "")) for entry in params.get("Entries", ())
        )
    requests = max(1, ceil(size / 65536))
    ledger.note(Entry(ledger.step, "sqs", operation, queue, requests=requests, size=size))
