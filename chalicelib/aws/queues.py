"""Nudges into SQS: ten a call, each with an id and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from chalicelib.aws.calls import PATIENCE, Patience, call
from chalicelib.aws.clients import client
from chalicelib.domain.errors import Throttled
from chalicelib.domain.ports import Topic

BATCH = 10
TRIES = 3


class SqsQueues:
    """`ports.Queues` on standard queues."""

    def __init__(self, urls: Mapping[Topic, str], patience: Patience = PATIENCE) -> None:
        self.urls = urls
        self._patience = patience

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(dict.fromkeys(ids))
        for start in range(0, len(names), BATCH):
            self._send(topic, names[start : start + BATCH])

    def _send(self, topic: Topic, names: list[str]) -> None:
        url, patience = self.urls[topic], self._patience
        if len(names) == 1:
            call(
                client("sqs"), "send_message", patience=patience, QueueUrl=url, MessageBody=_message(names[0])
            )
            return
        waiting = {str(at): name for at, name in enumerate(names)}
        for tries in range(1, TRIES + 1):
            entries = [{"Id": at, "MessageBody": _message(name)} for at, name in waiting.items()]
            reply = call(
                client("sqs"), "send_message_batch", patience=patience, QueueUrl=url, Entries=entries
            )
            waiting = {failed["Id"]: waiting[failed["Id"]] for failed in reply.get("Failed", ())}
            if not waiting:
                return
            if tries < TRIES:
                patience.wait(tries)
        raise Throttled(f"{len(waiting)} nudges to {topic} were not taken")


def _message(name: str) -> str:
    return json.dumps({"v": 1, "id": name})
