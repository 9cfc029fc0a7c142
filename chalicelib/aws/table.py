"""The facts in DynamoDB. One table; every write is conditional, and several are one transaction.

A single change is a plain conditional write, which costs half a transaction's write units. `Lost` carries what
stands there, so that a repeated request is answered without a second call.

A write whose answer never came is `Throttled`, and may have happened: whoever repeats it looks at what stands there.
A single one is not repeated here (its own first success would read as `Lost`); a transaction is, under one token.

Bodies are packed (`packing.py`) where that is shorter; a plain text is read as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from chalicelib.aws.calls import PATIENCE, Patience, call, code_of
from chalicelib.aws.clients import client
from chalicelib.aws.packing import pack, unpack
from chalicelib.domain.errors import Lost, Throttled
from chalicelib.domain.ports import Change, Count, Keep, Key, KeyPage, Page, Require, Row, Take
from chalicelib.domain.shapes import stamp

BATCH = 100
"""Keys a BatchGetItem takes."""
ONE_BY_ONE = 4
"""Batches that are read one after the other; more of them, so many at once:"""
SIDE_BY_SIDE = 8
TRIES = 5
"""How often a conflicting transaction, and what a batch left unread, is tried before it is given back."""

_OURS = frozenset(
    {"pk", "sk", "version", "body", "sealed", "work", "due", "shelf", "place_on_shelf", "expires_at"}
)


ROWS = 7
"""How rows are written: 1 plain and sealed each with its own key, 2 packed and sealed with the hour's, 3 with what
the rule book added to policies, zones, fleet, uploads and evidence, and zones in columns (`domain/sheets.py`), 4 with
explanations in evidence, and with when a market offers, 5 with the room of slots and the sizes of gifts, gifts that
travel together and a fair load, 6 with keys of associates, couriers that say where their data stays and by what way
they may carry what, and what clients and their programmes have added to evidence, items and events, 7 with names of
districts in markets and gates in addresses. Whoever writes one way reads those before it, and none after:
`cli/deploy.py` does not go back past it. Only orders say their schema: a field more in any other noun is one way
more, for shapes are closed and former code cannot read it."""


class DynamoTable:
    """`ports.Table` on one DynamoDB table with the indexes `work` and `shelf`."""

    def __init__(self, name: str, patience: Patience = PATIENCE) -> None:
        self.name = name
        self._patience = patience

    # --- reading ----------------------------------------------------------------------------------------------

    def get(self, key: Key) -> Row | None:
        item = self._call("get_item", Key=_key(key), ConsistentRead=True).get("Item")
        return None if item is None else _row(item)

    def get_many(self, keys: Sequence[Key]) -> list[Row]:
        wanted = [_key(key) for key in dict.fromkeys(keys)]
        batches = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
        if len(batches) <= ONE_BY_ONE:
            return [row for batch in batches for row in self._read(batch)]
        from concurrent.futures import ThreadPoolExecutor

        # a city's open orders are five hundred batches, and each is a wait for the network
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return [row for rows in pool.map(self._read, batches) for row in rows]

    def _read(self, asked: list[dict[str, Any]]) -> list[Row]:
        """The rows of one batch."""
        rows: list[Row] = []
        for tries in range(1, TRIES + 1):
            reply = self._call(
                "batch_get_item", RequestItems={self.name: {"Keys": asked, "ConsistentRead": True}}
            )
            rows += [_row(item) for item in reply["Responses"].get(self.name, ())]
            asked = reply.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if not asked:
                return rows
            if tries < TRIES:
                self._patience.wait(tries)
        raise Throttled("some rows were not read")

    def read(self, pk: str, prefix: str = "", *, limit: int | None = None, after: str | None = None) -> Page:
        rows: list[Row] = []
        start = None if after is None else {"pk": {"S": pk}, "sk": {"S": after}}
        values = {":pk": {"S": pk}}
        condition = "pk = :pk"
        if prefix:
            condition += " AND begins_with(sk, :prefix)"
            values[":prefix"] = {"S": prefix}
        while True:
            asked: dict[str, Any] = {
                "KeyConditionExpression": condition,
                "ExpressionAttributeValues": values,
                "ConsistentRead": True,
            }
            if limit is not None:
                asked["Limit"] = limit - len(rows)
            if start is not None:
                asked["ExclusiveStartKey"] = start
            reply = self._call("query", **asked)
            rows += [_row(item) for item in reply["Items"]]
            start = reply.get("LastEvaluatedKey")
            if start is None or (limit is not None and len(rows) >= limit):
                return Page(tuple(rows), None if start is None else start["sk"]["S"])

    def find_due(self, bucket: str, until: datetime, limit: int, after: str | None = None) -> KeyPage:
        return self._find(
            "work", "due", limit, after, True,
            KeyConditionExpression="#bucket = :bucket AND due <= :until",
            ExpressionAttributeNames={"#bucket": "work"},
            ExpressionAttributeValues={":bucket": {"S": bucket}, ":until": {"S": stamp(until)}},
        )  # fmt: skip

    def find_shelved(self, shelf: str, limit: int, after: str | None = None) -> KeyPage:
        return self._find(
            "shelf", "place_on_shelf", limit, after, False,
            KeyConditionExpression="shelf = :bucket",
            ExpressionAttributeValues={":bucket": {"S": shelf}},
        )  # fmt: skip

    def _find(
        self, index: str, sort: str, limit: int, after: str | None, forward: bool, **question: Any
    ) -> KeyPage:
        bucket = question["ExpressionAttributeValues"][":bucket"]
        start = None
        if after is not None:
            place, pk, sk = after.split("|", 2)
            start = {index: bucket, sort: {"S": place}, "pk": {"S": pk}, "sk": {"S": sk}}
        keys: list[Key] = []
        since: str | None = None
        while True:
            asked = {"IndexName": index, "Limit": limit - len(keys), "ScanIndexForward": forward, **question}
            if start is not None:
                asked["ExclusiveStartKey"] = start
            reply = self._call("query", **asked)
            keys += [Key(item["pk"]["S"], item["sk"]["S"]) for item in reply["Items"]]
            if since is None and reply["Items"] and sort == "due":
                since = reply["Items"][0]["due"]["S"]
            start = reply.get("LastEvaluatedKey")
            if start is None:
                return KeyPage(tuple(keys), None, since)
            if len(keys) >= limit:
                return KeyPage(
                    tuple(keys), f"{start[sort]['S']}|{start['pk']['S']}|{start['sk']['S']}", since
                )

    # --- writing ----------------------------------------------------------------------------------------------

    def write(self, *changes: Change) -> None:
        if len(changes) == 1:
            self._write_one(changes[0])
        else:
            self._write_all(changes)

    def _write_one(self, change: Change) -> None:
        from botocore.exceptions import ClientError

        verb, request = self._request(change)
        operation = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}.get(verb)
        if operation is None:
            self._write_all([change])
            return
        try:
            self._call(operation, repeatable=False, ReturnValuesOnConditionCheckFailure="ALL_OLD", **request)
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            item = error.response.get("Item")
            raise Lost([0], _row(item) if item else None) from None

    def _write_all(self, changes: Sequence[Change]) -> None:
        from botocore.exceptions import ClientError

        items = []
        for change in changes:
            verb, request = self._request(change)
            items.append({verb: {**request, "TableName": self.name}})
        for tries in range(1, TRIES + 1):
            try:
                # the token makes a repeated call the same call; a transaction that was cancelled is another one
                self._call("transact_write_items", TransactItems=items, ClientRequestToken=str(uuid4()))
                return
            except ClientError as error:
                if code_of(error) != "TransactionCanceledException":
                    raise
                reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
                failed = [at for at, code in enumerate(reasons) if code == "ConditionalCheckFailed"]
                if failed:
                    raise Lost(failed) from None
                if not all(code in (None, "None", "TransactionConflict", "ThrottlingError",
                                    "ProvisionedThroughputExceeded") for code in reasons):  # fmt: skip
                    raise
            if tries < TRIES:
                self._patience.wait(tries)
        raise Throttled(f"the transaction met others {TRIES} times")

    def _request(self, change: Change) -> tuple[str, dict[str, Any]]:
        if isinstance(change, Keep):
            if change.was is None:
                return "Put", {"Item": _item(change.row), "ConditionExpression": "attribute_not_exists(pk)"}
            return "Update", _replacing(change)
        if isinstance(change, Count):
            values = {":by": {"N": str(change.by)}}
            condition = "attribute_exists(pk)"
            if change.floor is not None:
                values[":least"] = {"N": str(change.floor - change.by)}
                condition = "#counter >= :least"
            return "Update", {
                "Key": _key(change.key),
                "UpdateExpression": "ADD #counter :by",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {"#counter": change.counter},
                "ExpressionAttributeValues": values,
            }
        if isinstance(change, Take):
            return "Update", _taking(change)
        if isinstance(change, Require):
            if change.version is None:
                return "ConditionCheck", {
                    "Key": _key(change.key),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            return "ConditionCheck", {
                "Key": _key(change.key),
                "ConditionExpression": "#version = :was",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":was": {"N": str(change.version)}},
            }
        return "Delete", {
            "Key": _key(change.key),
            "ConditionExpression": "#version = :was",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":was": {"N": str(change.was)}},
        }

    def _call(self, operation: str, *, repeatable: bool = True, **request: Any) -> dict[str, Any]:
        if operation not in ("batch_get_item", "transact_write_items"):
            request["TableName"] = self.name
        return call(client("dynamodb"), operation, repeatable=repeatable, patience=self._patience, **request)


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _text(body: str) -> dict[str, Any]:
    plain = body.encode()
    packed = pack(plain)
    return {"B": packed} if len(packed) < len(plain) else {"S": body}


def _plain(body: dict[str, Any]) -> str:
    if "S" in body:
        text: str = body["S"]
        return text
    return unpack(bytes(body["B"])).decode()


def _fields(row: Row) -> dict[str, Any]:
    fields: dict[str, Any] = {"version": {"N": str(row.version)}, "body": _text(row.body)}
    if row.sealed:
        fields["sealed"] = {"B": row.sealed}
    if row.work is not None and row.due is not None:
        fields |= {"work": {"S": row.work}, "due": {"S": row.due}}
    if row.shelf is not None and row.place_on_shelf is not None:
        fields |= {"shelf": {"S": row.shelf}, "place_on_shelf": {"S": row.place_on_shelf}}
    if row.expires_at is not None:
        fields["expires_at"] = {"N": str(row.expires_at)}
    return fields


def _item(row: Row) -> dict[str, Any]:
    return {**_key(row.key), **_fields(row), **{name: {"N": str(n)} for name, n in row.counters.items()}}


_OPTIONAL = ("sealed", "work", "due", "shelf", "place_on_shelf", "expires_at")


def _replacing(change: Keep) -> dict[str, Any]:
    # an update and not a put, so that the counters of the row, which others move, are left alone
    fields = _fields(change.row)
    gone = [name for name in _OPTIONAL if name not in fields]
    names = {f"#{name}": name for name in (*fields, *gone)}
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in fields)
    if gone:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in gone)
    return {
        "Key": _key(change.row.key),
        "UpdateExpression": expression,
        "ConditionExpression": "#version = :was",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {
            **{f":{name}": value for name, value in fields.items()},
            ":was": {"N": str(change.was)},
        },
    }


def _taking(change: Take) -> dict[str, Any]:
    # without a row, what is set here makes it one; a counter that is not there has room up to the ceiling
    names = {"#counter": change.counter, "#version": "version", "#body": "body"}
    values = {
        ":by": {"N": str(change.by)},
        ":most": {"N": str(change.ceiling - change.by)},
        ":first": {"N": "1"},
        ":nothing": {"S": "{}"},
    }
    made = "#version = if_not_exists(#version, :first), #body = if_not_exists(#body, :nothing)"
    if change.expires_at is not None:
        names["#expires_at"], values[":expires_at"] = "expires_at", {"N": str(change.expires_at)}
        made += ", #expires_at = :expires_at"
    condition = "#counter <= :most"
    if change.by <= change.ceiling:
        condition = f"attribute_not_exists(#counter) OR {condition}"
    return {
        "Key": _key(change.key),
        "UpdateExpression": f"SET {made} ADD #counter :by",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _row(item: dict[str, Any]) -> Row:
    def text(name: str) -> str | None:
        value: str | None = item[name]["S"] if name in item else None
        return value

    return Row(
        key=Key(item["pk"]["S"], item["sk"]["S"]),
        version=int(item["version"]["N"]),
        body=_plain(item["body"]),
        sealed=bytes(item["sealed"]["B"]) if "sealed" in item else b"",
        work=text("work"),
        due=text("due"),
        shelf=text("shelf"),
        place_on_shelf=text("place_on_shelf"),
        counters={name: int(value["N"]) for name, value in item.items() if name not in _OURS},
        expires_at=int(item["expires_at"]["N"]) if "expires_at" in item else None,
    )
