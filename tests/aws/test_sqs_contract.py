"""What our listeners, and Lambda before them, rely on at the receiving end of SQS: on moto and on ministack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.aws.clients import client
from chalicelib.aws.queues import SqsQueues
from chalicelib.domain.errors import CordonError
from chalicelib.domain.ports import Letter, Topic
from tests.aws.emulators import EMULATORS, QUEUES
from tests.aws.messages import TRACE, counted, drained, make, take

MOST = 1024 * 1024
"""Bytes of a message, with what it carries; and of a batch."""


@pytest.fixture(scope="module", params=QUEUES)
def emulator(request: pytest.FixtureRequest) -> Iterator[str]:
    with EMULATORS[request.param]():
        yield request.param


@pytest.fixture
def sqs(emulator: str) -> Any:
    return client("sqs")


def test_a_message_comes_whole_and_is_hidden_while_it_is_handled(sqs: Any) -> None:
    url = make(VisibilityTimeout="60")
    sqs.send_message(QueueUrl=url, MessageBody="中 é 😀", MessageAttributes={"traceparent": TRACE})
    (message,) = take(url)
    assert message["Body"] == "中 é 😀"
    assert message["MessageAttributes"]["traceparent"]["StringValue"] == TRACE["StringValue"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
    assert take(url) == [] and counted(url) == (0, 1)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert counted(url) == (0, 0)


def test_what_is_not_deleted_comes_again_with_its_count(sqs: Any) -> None:
    url = make(VisibilityTimeout="1")
    sqs.send_message(QueueUrl=url, MessageBody="a")
    (first,) = take(url)
    time.sleep(1.2)
    (second,) = take(url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    (third,) = take(url)
    assert [m["Attributes"]["ApproximateReceiveCount"] for m in (first, second, third)] == ["1", "2", "3"]
    assert first["MessageId"] == third["MessageId"]
    assert first["Attributes"]["SentTimestamp"] == third["Attributes"]["SentTimestamp"]


def test_after_its_last_try_it_is_a_dead_letter_with_everything_that_it_carried(sqs: Any) -> None:
    dead = make()
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    url = make(VisibilityTimeout="0", RedrivePolicy=policy)
    sent = sqs.send_message(QueueUrl=url, MessageBody="{poison", MessageAttributes={"traceparent": TRACE})
    tries = [take(url, VisibilityTimeout=0) for _ in range(5)]
    assert [len(t) for t in tries] == [1, 1, 1, 0, 0]
    (letter,) = take(dead)
    assert (letter["Body"], letter["MessageId"]) == ("{poison", sent["MessageId"])
    assert letter["MessageAttributes"]["traceparent"]["StringValue"] == TRACE["StringValue"]
    assert letter["Attributes"]["SentTimestamp"] == tries[0][0]["Attributes"]["SentTimestamp"]
    assert counted(url) == (0, 0)


def test_only_the_message_that_was_given_back_comes_again(sqs: Any) -> None:
    url = make(VisibilityTimeout="60")
    entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(5)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 5
    batch = take(url)
    assert sorted(m["Body"] for m in batch) == ["m0", "m1", "m2", "m3", "m4"]
    done = [m for m in batch if m["Body"] != "m2"]
    handles = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(done)]
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=handles)
    assert len(answer["Successful"]) == 4 and not answer.get("Failed")
    (back,) = [m for m in batch if m["Body"] == "m2"]
    shown = [{"Id": "0", "ReceiptHandle": back["ReceiptHandle"], "VisibilityTimeout": 0}]
    assert len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=shown)["Successful"]) == 1
    assert [m["Body"] for m in take(url)] == ["m2"]


def test_at_most_ten_come_at_once_and_all_come_in_the_end(sqs: Any) -> None:
    url = make(VisibilityTimeout="60")
    for start in range(0, 30, 10):
        entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    found = [take(url) for _ in range(12)]
    assert max(map(len, found)) <= 10
    assert sorted(m["Body"] for some in found for m in some) == sorted(f"m{n}" for n in range(30))


def test_a_message_has_at_most_a_megabyte_with_what_it_carries(sqs: Any) -> None:
    url = make()
    sqs.send_message(QueueUrl=url, MessageBody="x" * MOST)
    (message,) = take(url)
    assert len(message["Body"]) == MOST
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.send_message(QueueUrl=url, MessageBody="x" * (MOST + 1))
    letters = SqsQueues({}, {Topic.TELL: url})
    letters.put_aside(Topic.TELL, Letter("x" * (MOST - 2000), "too long", "on_tell", "m", 5, 0))
    assert len(drained(url)) == 1, "a poison message of a megabyte still has room for its reason"


def test_a_batch_has_at_most_a_megabyte_and_ten_messages_and_one_that_is_refused_sends_nothing(
    sqs: Any,
) -> None:
    url = make()
    half = "x" * (MOST // 2)
    two = [{"Id": str(n), "MessageBody": half} for n in range(2)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=two)["Successful"]) == 2
    assert len(drained(url)) == 2
    small = [{"Id": str(n), "MessageBody": "m"} for n in range(11)]
    for entries in ([*two, {"Id": "2", "MessageBody": "m"}], small, [*small[:2], small[0]], []):
        with pytest.raises(sqs.exceptions.ClientError):
            sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert counted(url) == (0, 0)


def test_whoever_waits_at_an_empty_queue_is_woken_by_a_message(sqs: Any, at_once: Any) -> None:
    url = make()

    def act(n: int) -> Any:
        if n == 0:
            began = time.monotonic()
            return len(take(url, wait_s=5)), time.monotonic() - began
        time.sleep(0.3)
        return sqs.send_message(QueueUrl=url, MessageBody="wake")

    (found, waited), _ = at_once(act, 2)
    assert found == 1 and waited < 4


def test_many_who_take_from_one_queue_take_each_message_once(sqs: Any, at_once: Any) -> None:
    url = make(VisibilityTimeout="60")
    for start in range(0, 60, 10):
        sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(start, start + 10)]
        )
    found = at_once(lambda n: [m["Body"] for m in take(url) + take(url)], 16)
    assert sorted(body for some in found for body in some) == sorted(f"m{n}" for n in range(60))


def test_a_queue_that_is_not_there_is_our_bug_and_not_a_busy_one(sqs: Any) -> None:
    url = make()
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(Exception) as raised:
        SqsQueues({Topic.BOOK: url}, {}).nudge(Topic.BOOK, ["a"])
    assert not isinstance(raised.value, CordonError)
