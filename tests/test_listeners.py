"""The listeners of `app.py` themselves, with batches as Lambda hands them over: each message gets its own verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import app as front
from chalicelib import edge, wiring
from chalicelib.domain.errors import Throttled
from chalicelib.domain.ports import Topic
from chalicelib.flows import place
from tests.drive import settle
from tests.paper import callback
from tests.stage import NOON, Stage, new_order, stage

GHOST = "ord_" + "a" * 26
LISTENERS = {Topic.BOOK: "on_book", Topic.HEAR: "on_hear", Topic.TELL: "on_tell"}
POISON = {
    "bad JSON": "{not json",
    "no object": '["ord_1"]',
    "another version": json.dumps({"v": 2, "id": GHOST}),
    "no id": json.dumps({"v": 1}),
    "empty": "",
}


@pytest.fixture
def on() -> Iterator[Stage]:
    on = stage()
    wiring.use(on.world)
    yield on
    wiring.use(None)
    edge.log_to(None)


def batch(topic: Topic, *bodies: str) -> dict[str, Any]:
    """An SQS event as Lambda's poller makes it; messages m-0, m-1, ..."""
    return {
        "Records": [
            {
                "messageId": f"m-{n}",
                "receiptHandle": f"handle-{n}",
                "body": text,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1649649600000"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:000000000000:{topic.value}",
                "awsRegion": "eu-west-1",
            }
            for n, text in enumerate(bodies)
        ]
    }


def nudge(name: str) -> str:
    return json.dumps({"v": 1, "id": name})


def handed(topic: Topic, *bodies: str) -> list[str]:
    """What the real listener gives back of such a batch."""
    listener: Callable[[Any, Any], Any] = getattr(front, LISTENERS.get(topic, f"on_{topic.value}"))
    answer = listener(batch(topic, *bodies), None)
    assert set(answer) == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def booked(on: Stage, count: int) -> list[str]:
    names = [place.place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(count)]
    settle(on.world)
    return names


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
@pytest.mark.parametrize("topic", LISTENERS)
def test_of_five_messages_exactly_the_poison_is_given_back(on: Stage, topic: Topic, poison: str) -> None:
    one, two, three = booked(on, 3)
    assert handed(topic, nudge(one), poison, nudge(two), nudge(GHOST), nudge(three)) == ["m-1"]


def test_what_couriers_said_is_heard_around_the_poison(on: Stage) -> None:
    from chalicelib.flows import hear

    names = booked(on, 3)
    for name in names:
        reference = on.order(name).leg.bookings[0].reference
        hear.receive(on.world, "SHA", "paper-co", callback(reference, "picked_up", NOON))
    bodies = [nudge(names[0]), "{", nudge(GHOST), nudge(names[1]), nudge(names[2])]
    assert handed(Topic.HEAR, *bodies) == ["m-1"]
    assert {on.order(name).state.value for name in names} == {"picked_up"}


def test_brands_are_told_around_the_poison(on: Stage) -> None:
    names = [place.place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(3)]
    bodies = [nudge(names[0]), nudge(GHOST), "{", nudge(names[1]), nudge(names[2])]
    assert handed(Topic.TELL, *bodies) == ["m-2"]
    assert {said["subject"] for said in on.brand.heard} == set(names)


def test_what_is_only_delayed_comes_back_alone(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = booked(on, 3)
    table: Any = on.world.table
    plain = table.read

    def read(pk: str, *rest: Any, **more: Any) -> Any:
        if pk == two:
            raise Throttled("busy")
        return plain(pk, *rest, **more)

    monkeypatch.setattr(table, "read", read)
    assert handed(Topic.TELL, nudge(one), nudge(two), nudge(three)) == ["m-1"]


def test_rules_and_markets_have_poison_of_their_own(on: Stage) -> None:
    assert handed(Topic.RULES, nudge("rezone:SHA:")) == []
    assert handed(Topic.RULES, nudge("abolish:SHA:")) == ["m-0"]
    assert handed(Topic.RULES, nudge("rezone")) == ["m-0"]
    assert handed(Topic.DISPATCH, nudge("SHA"), nudge("ATLANTIS"), "{") == ["m-2"]


def test_the_log_says_what_was_given_back_and_nothing_of_what_was_in_it(on: Stage) -> None:
    lines: list[str] = []
    edge.log_to(lines.append)
    assert handed(Topic.TELL, '{"v": 1, "name": "Wang Secretive"}') == ["m-0"]
    assert "m-0" in "".join(lines)
    assert "Wang" not in "".join(lines)
