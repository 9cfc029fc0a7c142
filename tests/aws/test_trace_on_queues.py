"""The trace beside a nudge, as SQS takes it and hands it out; the nudge itself stays what it is."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import journal, trace
from chalicelib.aws.clients import client
from chalicelib.aws.queues import SqsQueues
from chalicelib.domain.ports import Topic

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def received(url: str) -> list[dict[str, Any]]:
    answer = client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


@pytest.fixture
def url(moto: None) -> str:
    made: str = client("sqs").create_queue(QueueName="book")["QueueUrl"]
    return made


@pytest.mark.parametrize("count", [1, 3])
def test_a_nudge_carries_the_trace_under_way_beside_its_body(url: str, count: int) -> None:
    queues = SqsQueues({Topic.BOOK: url}, {}, traceparent=journal.traceparent)
    with journal.invocation("on_dispatch", f"00-{TRACE}-00f067aa0ba902b7-01"):
        queues.nudge(Topic.BOOK, [f"ord_{n}" for n in range(count)])
    messages = received(url)
    assert sorted(message["Body"] for message in messages) == [
        f'{{"v": 1, "id": "ord_{n}"}}' for n in range(count)
    ]
    for message in messages:
        value = message["MessageAttributes"][trace.HEADER]["StringValue"]
        assert trace.trace_id_in(value) == TRACE
        assert "00f067aa0ba902b7" not in value, "each step has a span of its own"


def test_outside_of_any_run_a_nudge_has_no_trace(url: str) -> None:
    SqsQueues({Topic.BOOK: url}, {}, traceparent=journal.traceparent).nudge(Topic.BOOK, ["ord_1"])
    (message,) = received(url)
    assert "MessageAttributes" not in message
