"""Nudges into SQS, ten a call, each with an id and nothing else, and the trace it goes on beside it; and what could
not be done, to the dead letters.

SQS itself moves a message to the dead letters without a word. So the function that gives it up sends it there, with
the attributes `reason` (for a person) and `letter` (JSON: function, message_id, receives, sent_at); of what else it
carried as much stays on it as SQS takes. Should that sending fail, the message is given back, and SQS moves it after
its last try.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.aws.calls import PATIENCE, Patience, call
from chalicelib.aws.clients import client
from chalicelib.domain import nudges
from chalicelib.domain.errors import Throttled
from chalicelib.domain.ports import Letter, Topic

BATCH = 10
TRIES = 3
WAITING = "ApproximateNumberOfMessages"
REASON, LETTER = "reason", "letter"
ATTRIBUTES = 10
"""So many a message can carry: one more, and SQS takes none of it."""


class SqsQueues:
    """`ports.Queues` on standard queues."""

    def __init__(
        self,
        urls: Mapping[Topic, str],
        letters: Mapping[Topic, str],
        patience: Patience = PATIENCE,
        traceparent: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.urls = urls
        self.letters = letters
        self._patience = patience
        self._traceparent = traceparent

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(dict.fromkeys(ids))
        for start in range(0, len(names), BATCH):
            self._send(topic, names[start : start + BATCH])

    def _send(self, topic: Topic, names: list[str]) -> None:
        url = self.urls[topic]
        if len(names) == 1:
            self._call("send_message", QueueUrl=url, **self._message(names[0]))
            return
        waiting = {str(at): name for at, name in enumerate(names)}
        for tries in range(1, TRIES + 1):
            entries = [{"Id": at, **self._message(name)} for at, name in waiting.items()]
            reply = self._call("send_message_batch", QueueUrl=url, Entries=entries)
            waiting = {failed["Id"]: waiting[failed["Id"]] for failed in reply.get("Failed", ())}
            if not waiting:
                return
            if tries < TRIES:
                self._patience.wait(tries)
        raise Throttled(f"{len(waiting)} nudges to {topic} were not taken")

    def put_aside(self, topic: Topic, letter: Letter) -> None:
        told = {
            "function": letter.function,
            "message_id": letter.message_id,
            "receives": letter.receives,
            "sent_at": letter.sent_at,
        }
        others = [(n, value) for n, value in letter.attributes.items() if n not in (REASON, LETTER)]
        self._call(
            "send_message",
            QueueUrl=self.letters[topic],
            MessageBody=letter.body,
            MessageAttributes={
                **{name: _attribute(value) for name, value in others[: ATTRIBUTES - 2]},
                REASON: {"DataType": "String", "StringValue": letter.reason},
                LETTER: {"DataType": "String", "StringValue": json.dumps(told)},
            },
        )

    def set_aside(self) -> dict[Topic, int]:
        counts = {}
        for topic, url in self.letters.items():
            reply = self._call("get_queue_attributes", QueueUrl=url, AttributeNames=[WAITING])
            counts[topic] = int(reply["Attributes"][WAITING])
        return counts

    def _message(self, name: str) -> dict[str, Any]:
        message: dict[str, Any] = {"MessageBody": nudges.write(name)}
        trace = self._traceparent()
        if trace is not None:  # not in the body: the same nudge is the same, whoever sends it
            message["MessageAttributes"] = {"traceparent": {"DataType": "String", "StringValue": trace}}
        return message

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return call(client("sqs"), operation, patience=self._patience, **request)


def _attribute(handed: Mapping[str, Any]) -> dict[str, Any]:
    """An attribute as SQS takes it, of one as Lambda hands it over."""
    kind = handed["dataType"]
    if kind.startswith("Binary"):
        return {"DataType": kind, "BinaryValue": base64.b64decode(handed["binaryValue"])}
    return {"DataType": kind, "StringValue": handed["stringValue"]}
