"""Poison of every kind through the packaged listeners on the emulator: each message dies alone and with its reason,
the rest of its batch is done, and what was only unlucky lives again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.aws import clients
from chalicelib.domain import facts
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep
from chalicelib.flows import enlist
from chalicelib.flows.place import place
from cli import letters
from sandbox.clock import VirtualClock
from sandbox.stand import Stand
from tests import stage

GHOST = "ord_" + "a" * 26
SECRET = "Wang Secretive"
HOPELESS = {
    f"{{not json {SECRET}": "not JSON",
    json.dumps({"v": 1, "name": SECRET}): "not a nudge: no id",
    json.dumps({"v": 0, "id": GHOST}): "a nudge of a version that no code of ours has sent",
    json.dumps(
        {"v": 1, "id": SECRET, "pad": "x" * 1_000_000}
    ): "too long for a nudge: 1000043 where at most 8192 bytes",
}


@pytest.fixture
def stand() -> Iterator[Stand]:
    before = dict(os.environ)
    with Stand(VirtualClock(datetime(2022, 4, 11, 4, tzinfo=UTC)), {}) as stand:
        yield stand
    os.environ.clear()
    os.environ.update(before)
    clients.reset()


def send(stand: Stand, queue: str, *bodies: str) -> None:
    url = stand.deployment.queues[queue]
    for body in bodies:
        trace = {"trace": {"DataType": "String", "StringValue": "00-4bf9"}}
        clients.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=trace)
    stand.pumps.expect(url, len(bodies))


def dead(queue: str) -> list[letters.Seen]:
    topic = letters.Topic(queue)
    name = queue.upper()
    box = letters.Box(topic, os.environ[f"CORDON_{name}_QUEUE"], os.environ[f"CORDON_{name}_LETTERS"])
    return list(box.open(50))


def left(url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = clients.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(told[name]) for name in names)


@pytest.mark.long
def test_a_message_so_large_that_no_reason_fits_beside_it_is_moved_by_sqs_and_its_reason_is_found_again(
    stand: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    url = stand.deployment.queues["TellQueue"]
    most = "x" * 1024 * 1024
    clients.client("sqs").send_message(QueueUrl=url, MessageBody=most)
    stand.pumps.expect(url, 1)
    stand.pumps.run_until(stand.clock.now() + timedelta(minutes=20))
    ((letter,), more) = dead("tell"), dead("book")
    assert more == [] and left(url) == 0
    assert letter.message["Body"] == most
    assert letter.reason.startswith("too long for a nudge: 1048576")
    capsys.readouterr()
    assert letters.main(["show", "--queue", "tell"]) == 0
    assert "1048576 bytes" in (said := capsys.readouterr().out) and "xxx" not in said


@pytest.mark.long
def test_poison_dies_alone_with_its_reason_is_shown_redacted_and_lives_again(
    stand: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    enlist.put_market(stand.world, Market.model_validate(stage.MARKET))
    order, _ = place(stand.world, "maison", "key-1", stage.new_order())
    newer, _ = place(stand.world, "maison", "key-2", stage.new_order())
    rewrite(stand, newer.order_id, 2)
    good = json.dumps({"v": 1, "id": order.order_id})
    bodies = [*HOPELESS, json.dumps({"v": 1, "id": GHOST}), json.dumps({"v": 2, "order": GHOST})]
    bodies.insert(3, json.dumps({"v": 1, "id": newer.order_id}))
    stand.pumps.run_until(stand.clock.now() + timedelta(minutes=1))
    stand.pumps.handled.clear()
    send(stand, "BookQueue", good, *bodies)
    stand.pumps.run_until(stand.clock.now() + timedelta(minutes=20))

    found = {letter.message["Body"]: letter for letter in dead("book")}
    assert set(found) == set(bodies), "every poisoned message, and no other"
    assert left(stand.deployment.queues["BookQueue"]) == 0
    for body, why in HOPELESS.items():
        assert found[body].reason.startswith(why)
        assert found[body].receives == 1, "what can never be done is not tried again"
    assert found[bodies[-2]].reason == "Missing: Nothing here under that name"
    for body in (bodies[3], bodies[-1]):
        assert (found[body].reason, found[body].receives) == ("Newer: Written by newer code than this", 5)
    assert all(x.message["MessageAttributes"]["trace"]["StringValue"] == "00-4bf9" for x in found.values())
    assert stand.pumps.handled["OnBook"] == len(bodies) + 1

    capsys.readouterr()
    assert letters.main(["list"]) == letters.main(["show", "--queue", "book"]) == 0
    told = capsys.readouterr().out
    assert "book: 7 letters" in told and "tell: 0 letters" in told
    assert newer.order_id in told and GHOST in told, "ids of ours are shown"
    assert SECRET not in told and "xxx" not in told

    rewrite(stand, newer.order_id, 1)  # the newer code is here
    assert letters.main(["replay", "--queue", "book", "--dry-run"]) == 0
    assert "would go back" in capsys.readouterr().out
    assert len(dead("book")) == 7, "only said, not done"
    assert letters.main(["replay", "--queue", "book"]) == 0
    said = capsys.readouterr().out
    assert "3 sent back" in said and "4 left where they are" in said
    stand.pumps.expect(stand.deployment.queues["BookQueue"], 3)
    stand.pumps.run_until(stand.clock.now() + timedelta(minutes=20))
    again = {letter.message["Body"] for letter in dead("book")}
    assert again == {*HOPELESS, bodies[-2], bodies[-1]}, "the one whose code has come is done"
    assert left(stand.deployment.queues["BookQueue"]) == 0


def rewrite(stand: Stand, order_id: str, schema: int) -> None:
    """The order as code of that schema would have kept it."""
    row: Any = stand.world.table.get(facts.order_key(order_id))
    told = json.loads(row.body) | {"schema_version": schema}
    told.pop("what_it_knows", None)
    if schema > 1:
        told["what_it_knows"] = "more"
    after = {**row.__dict__, "body": json.dumps(told), "version": row.version + 1}
    stand.world.table.write(Keep(type(row)(**after), was=row.version))
