"""SQS by hand: queues for one test, and what lies in them."""

from __future__ import annotations

from itertools import count
from typing import Any

from chalicelib.aws.clients import client

_numbers = count()
TRACE = {"DataType": "String", "StringValue": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def make(**attributes: str) -> str:
    url: str = client("sqs").create_queue(QueueName=f"q-{next(_numbers)}", Attributes=attributes)["QueueUrl"]
    return url


def take(url: str, most: int = 10, wait_s: int = 0, **more: Any) -> list[dict[str, Any]]:
    asked = {"MaxNumberOfMessages": most, "WaitTimeSeconds": wait_s, **more}
    names = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    found = client("sqs").receive_message(QueueUrl=url, **names, **asked)
    return list(found.get("Messages", []))


def drained(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while some := take(url):
        found += some
        for message in some:
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def counted(url: str) -> tuple[int, int]:
    """Those that can be received, and those that are being handled."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(told[names[0]]), int(told[names[1]])
