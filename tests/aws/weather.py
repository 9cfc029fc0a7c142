"""Answers that AWS gives and no emulator does, put in front of one: conflicts of transactions, batches that are taken
in part, indexes that lag behind.

They hang on botocore's own hooks, below everything of ours: what comes out of them is what botocore makes of AWS's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from chalicelib.aws.clients import client

Answer = dict[str, Any]


@contextmanager
def hooked(service: str, event: str, hook: Callable[..., Any]) -> Iterator[None]:
    """That hook on that event of that service's client."""
    emitter = client(service).meta.events
    emitter.register_first(event, hook)
    try:
        yield
    finally:
        emitter.unregister(event, hook)


def error(code: str, status: int = 400, **more: Any) -> Answer:
    """An error as AWS answers it."""
    return {
        "Error": {"Code": code, "Message": "no text may be believed"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }


def cancelled(*codes: str) -> Answer:
    """A transaction that was cancelled, with the reason of each change."""
    return error("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


@contextmanager
def answering(service: str, operation: str, *answers: Answer | None) -> Iterator[list[Any]]:
    """The next calls of that operation are answered with these, and AWS never hears of them. None: it does."""
    asked: list[Any] = []

    def answer(params: dict[str, Any], **_: Any) -> Any:
        asked.append(json.loads(params["body"]))
        told = answers[len(asked) - 1] if len(asked) <= len(answers) else None
        if told is None:
            return None
        status = told.get("ResponseMetadata", {}).get("HTTPStatusCode", 200)
        return SimpleNamespace(status_code=status), told

    with hooked(service, f"before-call.{service}.{operation}", answer):
        yield asked


@contextmanager
def read_in_part(most: int) -> Iterator[list[int]]:
    """A BatchGetItem answers so many of its keys and names the others as unprocessed."""
    asked: list[int] = []
    left: list[Answer] = []

    def shorten(params: dict[str, Any], **_: Any) -> None:
        ((name, question),) = params["RequestItems"].items()
        asked.append(len(question["Keys"]))
        left[:] = question["Keys"][most:]
        params["RequestItems"] = {name: {**question, "Keys": question["Keys"][:most]}}

    def name_the_rest(parsed: dict[str, Any], **_: Any) -> None:
        if left:
            (name,) = parsed["Responses"]
            parsed["UnprocessedKeys"] = {name: {"Keys": list(left), "ConsistentRead": True}}

    before, after = "before-parameter-build.dynamodb.BatchGetItem", "after-call.dynamodb.BatchGetItem"
    with hooked("dynamodb", before, shorten), hooked("dynamodb", after, name_the_rest):
        yield asked


@contextmanager
def taken_in_part(*most: int) -> Iterator[list[int]]:
    """A SendMessageBatch takes so many of its messages, call after call, and names the others as failed."""
    asked: list[int] = []
    left: list[Answer] = []

    def shorten(params: dict[str, Any], **_: Any) -> None:
        asked.append(len(params["Entries"]))
        few = most[len(asked) - 1] if len(asked) <= len(most) else most[-1]
        left[:] = params["Entries"][few:]
        params["Entries"] = params["Entries"][:few]

    def name_the_rest(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [{"Id": e["Id"], "SenderFault": False, "Code": "InternalError"} for e in left]

    before, after = "before-parameter-build.sqs.SendMessageBatch", "after-call.sqs.SendMessageBatch"
    with hooked("sqs", before, shorten), hooked("sqs", after, name_the_rest):
        yield asked


SORTED_BY = {"work": "due", "shelf": "place_on_shelf"}


@contextmanager
def indexes_standing_still(table: str) -> Iterator[None]:
    """The indexes answer as of now, whatever is written: what has moved is still there, what is new is not."""
    items = client("dynamodb").scan(TableName=table)["Items"]

    def answer(params: dict[str, Any], **_: Any) -> Any:
        asked = json.loads(params["body"])
        index = asked.get("IndexName")
        if index is None or asked["TableName"] != table:
            return None
        place, values = SORTED_BY[index], asked["ExpressionAttributeValues"]
        last = values.get(":until", {"S": "\U0010ffff"})["S"]
        found = [i for i in items if i.get(index) == values[":bucket"] and i[place]["S"] <= last]
        found.sort(key=lambda i: i[place]["S"], reverse=not asked["ScanIndexForward"])
        return SimpleNamespace(status_code=200), {"Items": found[: asked["Limit"]]}

    with hooked("dynamodb", "before-call.dynamodb.Query", answer):
        yield
