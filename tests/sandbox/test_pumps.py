"""The pumps do with messages and schedules what Lambda would do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox import template as templates
from sandbox.clock import RealClock, VirtualClock
from sandbox.emulator import Emulator
from sandbox.pumps import Pumps, dead_letters
from tests.sandbox.aws import clients

START = datetime(2022, 4, 11, 6, tzinfo=UTC)
DAY = timedelta(days=1)


class Hand:
    """What the stand-in functions do, and what they saw."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Any] = lambda event: {"batchItemFailures": []}
        self.batches: list[list[str]] = []
        self.ticks: list[str] = []
        self.tick: Callable[[], None] = lambda: None

    def seen(self) -> list[str]:
        """The body of every message, as often as it came."""
        return [body for batch in self.batches for body in batch]


hand = Hand()


def on_order(event: dict[str, Any], context: Any) -> Any:
    """The stand-in listener."""
    assert context.get_remaining_time_in_millis() > 0
    hand.batches.append([record["body"] for record in event["Records"]])
    return hand.answer(event)


def tick(event: dict[str, Any], context: Any) -> None:
    """The stand-in schedule."""
    hand.ticks.append(event["time"])
    hand.tick()


def poison(event: dict[str, Any]) -> dict[str, Any]:
    """Gives back the poisoned messages and no other."""
    bad = [record for record in event["Records"] if record["body"].startswith("poison")]
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in bad]}


def template() -> dict[str, Any]:
    dead = {"Fn::GetAtt": ["OrderDeadLetters", "Arn"]}
    source = {"Queue": {"Fn::GetAtt": ["OrderQueue", "Arn"]}, "BatchSize": 10}
    return {
        "Globals": {"Function": {"Environment": {"Variables": {"ORDERS": {"Ref": "OrderQueue"}}}}},
        "Resources": {
            "OrderDeadLetters": {"Type": "AWS::SQS::Queue", "Properties": {}},
            "OrderQueue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "VisibilityTimeout": 360,
                    "RedrivePolicy": {"deadLetterTargetArn": dead, "maxReceiveCount": 3},
                },
            },
            "OnOrder": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Handler": f"{__name__}.on_order",
                    "Timeout": 60,
                    "Events": {
                        "Queue": {
                            "Type": "SQS",
                            "Properties": {**source, "FunctionResponseTypes": ["ReportBatchItemFailures"]},
                        }
                    },
                },
            },
            "Tick": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Handler": f"{__name__}.tick",
                    "Events": {"Rate": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 minute)"}}},
                },
            },
        },
    }


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


class Scene:
    """Pumps on a deployment with one queue and one schedule."""

    def __init__(self, emulator: Emulator, clock: Any) -> None:
        self.client = clients(emulator)
        self.deployment = templates.deploy(template(), self.client, {})
        self.url = self.deployment.queues["OrderQueue"]
        self.pumps = Pumps(self.deployment, self.client, clock, workers=1)

    def send(self, *bodies: str) -> None:
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        self.client("sqs").send_message_batch(QueueUrl=self.url, Entries=entries)
        self.pumps.expect(self.url, len(bodies))

    def dead(self) -> list[str]:
        return dead_letters(self.client, self.deployment)["OrderQueue"]

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.client("sqs").get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)


@pytest.fixture
def scene(emulator: Emulator) -> Scene:
    hand.__init__()  # type: ignore[misc]
    scene = Scene(emulator, VirtualClock(START))
    for url in scene.client("sqs").list_queues()["QueueUrls"]:
        scene.client("sqs").purge_queue(QueueUrl=url)
    return scene


def test_a_batch_that_succeeds_is_gone(scene: Scene) -> None:
    scene.send("a", "b", "c")
    scene.pumps.settle()
    assert sorted(hand.seen()) == ["a", "b", "c"]
    assert (scene.left(), scene.dead()) == (0, [])


def test_a_poison_message_reaches_the_dead_letter_queue_alone_and_the_rest_of_its_batch_is_done_once(
    scene: Scene,
) -> None:
    hand.answer = poison
    scene.send("a", "b", "poison", "c", "d")
    scene.pumps.run_until(START + DAY)
    scene.pumps.settle()
    seen = hand.seen()
    assert sorted(body for body in seen if body != "poison") == ["a", "b", "c", "d"]
    assert seen.count("poison") == 3, "as often as maxReceiveCount says"
    assert (scene.left(), scene.dead()) == (0, ["poison"])


def test_a_handler_that_raises_gives_its_whole_batch_back_and_it_comes_again(scene: Scene) -> None:
    def once(event: dict[str, Any]) -> None:
        hand.answer = lambda event: None
        raise RuntimeError("a bad day")

    hand.answer = once
    scene.send("a", "b")
    scene.pumps.run_until(START + DAY)
    assert sorted(hand.seen()) == ["a", "a", "b", "b"]
    assert (scene.left(), scene.dead()) == (0, [])


def test_a_message_that_a_handler_sends_is_handled_in_the_same_settling(scene: Scene) -> None:
    def echo(event: dict[str, Any]) -> None:
        if any(record["body"] == "a" for record in event["Records"]):
            scene.send("b")

    hand.answer = echo
    scene.send("a")
    scene.pumps.settle()
    assert hand.seen() == ["a", "b"]


def test_a_schedule_fires_at_its_rate_on_the_virtual_clock(scene: Scene) -> None:
    scene.pumps.start_schedules()
    began = time.monotonic()
    scene.pumps.run_until(START + timedelta(minutes=3))
    assert hand.ticks == ["2022-04-11T06:00:30Z", "2022-04-11T06:01:30Z", "2022-04-11T06:02:30Z"]
    assert time.monotonic() - began < 30, "virtual minutes must not be waited for"


def test_in_real_time_the_pumps_run_by_themselves(emulator: Emulator) -> None:
    hand.__init__()  # type: ignore[misc]
    clock, heard = RealClock(), threading.Event()
    hand.answer = lambda event: heard.set()
    scene = Scene(emulator, clock)
    scene.pumps.start()
    try:
        scene.send("a")
        assert heard.wait(10)
    finally:
        scene.pumps.stop()
        clock.close()
