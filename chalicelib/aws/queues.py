"""Nudges into SQS: ten a call, each with an id and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from chalicelib.aws.clients import client
from chalicelib.domain.errors import Throttled
from chalicelib.domain.ports import Topic

BATCH = 10
TRIES = 3


class SqsQueues:
    """`ports.Queues` on standard queues."""

    def __init__(self, urls: Mapping[Topic, str]) -> None:
        self.urls = urls

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(dict.fromkeys(ids))
        for start in range(0, len(names), BATCH):
            self._send(topic, names[start : start + BATCH])

    def _send(self, topic: Topic, names: list[str]) -> None:
        if len(names) == 1:
            client("sqs").send_message(QueueUrl=self.urls[topic], MessageBody=_message(names[0]))
            return
        waiting = {str(at): name for at, name in enumerate(names)}
        for _ in range(TRIES):
            reply = client("sqs").send_message_batch(
                QueueUrl=self.urls[topic],
                Entries=[{"Id": at, "MessageBody": _message(name)} for at, name in waiting.items()],
            )
            waiting = {failed["Id"]: waiting[failed["Id"]] for failed in reply.get("Failed", ())}
            if not waiting:
                return
        raise Throttled(f"{len(waiting)} nudges to {topic} were not taken")


def _message(name: str) -> str:
    return json.dumps({"v": 1, "id": name})
