"""The listeners of `app.py` themselves, with batches as Lambda hands them over: each message gets its own verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

import app as front
from chalicelib import journal, wiring
from chalicelib.domain import facts, nudges
from chalicelib.domain.errors import Throttled
from chalicelib.domain.ports import Letter, Topic
from chalicelib.flows import place, receive
from tests.conftest import ROOT
from tests.drive import settle
from tests.paper import callback
from tests.stage import NOON, Stage, new_order, stage

GHOST = "ord_" + "a" * 26
LISTENERS = {Topic.BOOK: "on_book", Topic.HEAR: "on_hear", Topic.TELL: "on_tell"}
SECRET = "Wang Secretive"
POISON = {
    "bad JSON": (f"{{not json {SECRET}", "not JSON"),
    "empty": ("", "not JSON"),
    "half a surrogate": (json.dumps({"v": 1})[:-1] + ', "n": "\ud800', "not JSON"),
    "JSON without end": ("[" * 1500, "not JSON"),
    "a number beyond all": ('{"v": 1, "n": ' + "9" * 1900, "not JSON"),
    "no object": (f'["{SECRET}"]', "not a nudge: no object"),
    "no version": (json.dumps({"id": GHOST, "name": SECRET}), "not a nudge: no version"),
    "a version that is no number": (json.dumps({"v": True, "id": GHOST}), "not a nudge: no version"),
    "an older version": (
        json.dumps({"v": 0, "id": GHOST}),
        "a nudge of a version that no code of ours has sent",
    ),
    "no id": (json.dumps({"v": 1, "name": SECRET}), "not a nudge: no id"),
    "an id that is none": (json.dumps({"v": 1, "id": {"name": SECRET}}), "not a nudge: no id"),
    "1 MB": (
        json.dumps({"v": 1, "id": GHOST, "more": "x" * 999_940}),
        "too long for a nudge: 1000000 where at most 8192 bytes were expected",
    ),
    "an unknown id": (json.dumps({"v": 1, "id": GHOST}), "Missing: Nothing here under that name"),
}
"""What can never be done: the body, and the reason that goes with it."""


@pytest.fixture
def on() -> Iterator[Stage]:
    on = stage()
    wiring.use(on.world)
    yield on
    wiring.use(None)
    journal.write_to(None)


def batch(topic: Topic, *bodies: str, receives: int = 1, **attributes: Any) -> dict[str, Any]:
    """An SQS event as Lambda's poller makes it; messages m-0, m-1, ..."""
    return {
        "Records": [
            {
                "messageId": f"m-{n}",
                "receiptHandle": f"handle-{n}",
                "body": text,
                "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1649649600000"},
                "messageAttributes": attributes,
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


def aside(on: Stage) -> dict[str, str]:
    """Why each message was put aside, by its id."""
    return {letter.message_id: letter.reason for _, letter in on.world.queues.letters}  # type: ignore[attr-defined]


def handed(topic: Topic, *bodies: str, receives: int = 1, **attributes: Any) -> list[str]:
    """What the real listener gives back of such a batch."""
    listener: Callable[[Any, Any], Any] = getattr(front, LISTENERS.get(topic, f"on_{topic.value}"))
    answer = listener(batch(topic, *bodies, receives=receives, **attributes), None)
    assert set(answer) == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def booked(on: Stage, count: int) -> list[str]:
    names = [place.place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(count)]
    settle(on.world)
    return names


@pytest.mark.parametrize(("poison", "why"), POISON.values(), ids=POISON)
@pytest.mark.parametrize("topic", LISTENERS)
def test_of_five_messages_exactly_the_poison_is_put_aside_with_its_reason(
    on: Stage, topic: Topic, poison: str, why: str
) -> None:
    one, two, three = booked(on, 3)
    lines: list[str] = []
    journal.write_to(lines.append)
    on.world.queues.letters.clear()  # type: ignore[attr-defined]
    assert handed(topic, nudge(one), nudge(two), poison, nudge(three), nudge(one)) == []
    ((to, letter),) = on.world.queues.letters  # type: ignore[attr-defined]
    assert (to, letter.body, letter.reason) == (topic, poison, why)
    assert (letter.function, letter.message_id, letter.receives) == (LISTENERS[topic], "m-2", 1)
    assert letter.sent_at == 1649649600000
    assert SECRET not in "".join(lines) + letter.reason
    assert "m-2" in "".join(lines)


def test_what_couriers_said_is_heard_around_the_poison(on: Stage) -> None:

    names = booked(on, 3)
    for name in names:
        reference = on.order(name).leg.bookings[0].reference
        receive.receive(on.world, "SHA", "paper-co", callback(reference, "picked_up", NOON))
    bodies = [nudge(names[0]), "{", nudge(GHOST), nudge(names[1]), nudge(names[2])]
    assert handed(Topic.HEAR, *bodies) == []
    assert set(aside(on)) == {"m-1", "m-2"}
    assert {on.order(name).state.value for name in names} == {"picked_up"}


def test_brands_are_told_around_the_poison(on: Stage) -> None:
    names = [place.place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(3)]
    bodies = [nudge(names[0]), nudge(GHOST), "{", nudge(names[1]), nudge(names[2])]
    assert handed(Topic.TELL, *bodies) == []
    assert set(aside(on)) == {"m-1", "m-2"}
    assert {said["subject"] for said in on.brand.heard} == set(names)


def test_what_is_only_delayed_comes_back_alone_and_is_put_aside_after_its_last_try(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = booked(on, 3)
    table: Any = on.world.table
    plain = table.read

    def read(pk: str, *rest: Any, **more: Any) -> Any:
        if pk == two:
            raise Throttled("busy")
        return plain(pk, *rest, **more)

    monkeypatch.setattr(table, "read", read)
    for receives in range(1, nudges.TRIES):
        assert handed(Topic.TELL, nudge(one), nudge(two), nudge(three), receives=receives) == ["m-1"]
    assert aside(on) == {}
    assert handed(Topic.TELL, nudge(one), nudge(two), nudge(three), receives=nudges.TRIES) == []
    assert aside(on) == {"m-1": "Throttled: Not now"}


def test_what_fails_by_our_fault_is_put_aside_after_its_last_try_with_the_place(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = booked(on, 1)

    def read(*_: Any, **__: Any) -> Any:
        raise KeyError(SECRET)

    monkeypatch.setattr(on.world.table, "read", read)
    assert handed(Topic.TELL, nudge(one)) == ["m-0"]
    assert handed(Topic.TELL, nudge(one), receives=5) == []
    (why,) = aside(on).values()
    assert re.fullmatch(r"KeyError at test_listeners\.py:\d+", why)


def test_a_nudge_of_newer_code_waits_for_that_code(on: Stage) -> None:
    newer = json.dumps({"v": 2, "order": GHOST})
    assert handed(Topic.BOOK, newer, receives=4) == ["m-0"]
    assert handed(Topic.BOOK, newer, receives=5) == []
    assert aside(on) == {"m-0": "Newer: Written by newer code than this"}


def test_an_order_of_newer_code_waits_for_that_code_and_one_that_nobody_can_have_written_is_put_aside(
    on: Stage,
) -> None:
    for schema, why in ((2, "Newer: Written by newer code than this"), (0, r"ValueError at facts\.py:\d+")):
        on.world.queues.letters.clear()  # type: ignore[attr-defined]
        order_id, _ = place.place(on.world, "maison", f"k-{schema}", new_order())
        key = facts.order_key(order_id.order_id)
        rows = on.plain.table.rows  # type: ignore[attr-defined]
        told = json.loads(rows[key].body) | {"schema_version": schema, "what_it_knows": "more"}
        rows[key] = replace(rows[key], body=json.dumps(told))
        assert handed(Topic.TELL, nudge(key.pk), receives=4) == ["m-0"]
        assert handed(Topic.TELL, nudge(key.pk), receives=5) == []
        assert re.fullmatch(why, aside(on)["m-0"])


def test_what_cannot_even_be_put_aside_is_given_back(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = booked(on, 1)

    def full(topic: Topic, letter: Letter) -> None:
        raise Throttled("busy")

    monkeypatch.setattr(on.world.queues, "put_aside", full)
    assert handed(Topic.TELL, nudge(one), "{") == ["m-1"]


def test_what_a_message_carried_stays_on_it(on: Stage) -> None:
    trace = {"stringValue": "00-4bf9-00f0-01", "dataType": "String"}
    handed(Topic.TELL, "{", trace=trace)
    ((_, letter),) = on.world.queues.letters  # type: ignore[attr-defined]
    assert letter.attributes == {"trace": trace}


def test_rules_and_markets_have_poison_of_their_own(on: Stage) -> None:
    assert handed(Topic.RULES, nudge("rezone:SHA:")) == []
    for poison in ("abolish:SHA:", "rezone", "publish:SHA:", "rezone:ATLANTIS:", "publish:SHA:upl_nobody"):
        on.world.queues.letters.clear()  # type: ignore[attr-defined]
        assert handed(Topic.RULES, nudge(poison)) == []
        assert aside(on)
    on.world.queues.letters.clear()  # type: ignore[attr-defined]
    assert handed(Topic.DISPATCH, nudge("SHA"), nudge("ATLANTIS"), "{") == []
    assert set(aside(on)) == {"m-1", "m-2"}


def test_the_last_try_is_the_last_that_the_queues_give() -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, tag, node: None)
    told = yaml.load((ROOT / ".chalice" / "resources.yaml").read_text(), Loader)  # noqa: S506 - a safe one
    tries = [
        resource["Properties"]["RedrivePolicy"]["maxReceiveCount"]
        for resource in told["Resources"].values()
        if "RedrivePolicy" in resource.get("Properties", {})
    ]
    assert tries == [nudges.TRIES] * len(Topic)


def test_an_event_without_a_body_is_put_aside_and_stops_nobody(on: Stage) -> None:
    (one,) = booked(on, 1)
    event = batch(Topic.TELL, nudge(one), nudge(one), receives=5)
    del event["Records"][0]["body"]
    assert front.on_tell(event, None) == {"batchItemFailures": []}
    assert set(aside(on)) == {"m-0"}


def test_a_run_that_has_little_time_left_gives_back_what_it_has_not_begun(on: Stage) -> None:
    ids = [place.place(on.world, "maison", f"k-{n}", new_order())[0].order_id for n in range(4)]

    class Late:
        left_ms = 60_000

        def get_remaining_time_in_millis(self) -> int:
            self.left_ms -= 20_000
            return self.left_ms

    event = batch(Topic.TELL, *(nudges.write(name) for name in ids))
    event["Records"][3]["attributes"]["ApproximateReceiveCount"] = str(nudges.TRIES)
    assert front.on_tell(event, Late()) == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
    assert [said["data"]["order_id"] for said in on.brand.heard] == [ids[0], ids[1], ids[3]]
    again = batch(Topic.TELL, nudges.write(ids[2]))
    assert front.on_tell(again, Late()) == {"batchItemFailures": []}
