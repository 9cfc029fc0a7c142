"""One gift's whole life, through the app as it is deployed: HTTP in, listeners called with what SQS hands out, the
real table, queues, sealer and secrets on moto. Only the courier and the brand at the other end are on paper.
"""

from __future__ import annotations

import base64
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import Client

from chalicelib import journal, wiring
from chalicelib.aws import clients
from chalicelib.domain import facts
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Unanswered
from chalicelib.domain.fleet import Courier
from chalicelib.domain.keys import Role
from chalicelib.domain.legs import EventKind
from chalicelib.domain.notices import Endpoint
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, Topic, World
from chalicelib.flows import enlist, publish
from tests import fakes, stage
from tests.aws.cloud import make_cloud
from tests.ledger.meter import Entry, Ledger, metered
from tests.paper import ACCOUNT, PaperCompany, PaperDialect

CALLBACKS = (
    EventKind.ACCEPTED,
    EventKind.COURIER_ASSIGNED,
    EventKind.PICKED_UP,
    EventKind.IN_TRANSIT,
    EventKind.DELIVERED,
)
"""What the courier says of one gift: five callbacks."""
RESTS = (1, 3, 10, 1, 12, 20)
"""Minutes before each callback, and after the last."""
MINUTES = sum(RESTS)
STATES = ("placed", "assigned", "booked", "picked_up", "delivered")
"""What the brand is told: five notices."""


@dataclass
class Town:
    """A market on moto with a courier, a crew and a brand, and the app in front of it."""

    world: World
    clock: fakes.FakeClock
    company: PaperCompany
    key: str
    ledger: Ledger
    heard: list[dict[str, Any]] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    """(step, line) of the log."""
    strangers: set[str] = field(default_factory=set)
    """Orders whose messages are nobody's business here."""
    invocations: list[tuple[str, str]] = field(default_factory=list)
    """(step, function) of every Lambda that would have run."""

    # --- the outside --------------------------------------------------------------------------------------

    def place(self, name: str, asked: dict[str, Any] | None = None) -> str:
        """Place the cake over HTTP, or what is asked; the order's id."""
        from app import app

        with self.ledger.during("place"), Client(app) as client:
            self._ran("api_handler")
            said = client.http.post(
                "/v1/orders",
                headers={
                    "Authorization": f"Bearer {self.key}",
                    "Idempotency-Key": name,
                    "Content-Type": "application/json",
                },
                body=json.dumps(asked or stage.body()).encode(),
            )
        assert said.status_code == 202, said.body
        order_id: str = said.json_body["order_id"]
        return order_id

    def call_back(self, order_id: str, kind: EventKind) -> None:
        """The courier of that order says that."""
        from app import app

        with self.ledger.closed():
            reference = facts.load_order(self.world.table, order_id).leg.bookings[-1].reference
        said = self.company.move(reference, kind, self.clock.now)
        with self.ledger.during(f"callback {kind}"), Client(app) as client:
            self._ran("api_handler")
            answer = client.http.post(
                "/v1/callbacks/SHA/paper-co",
                headers={**said.headers, "Content-Type": "application/json"},
                body=said.body,
            )
        assert answer.status_code == 200, answer.body

    def answer(self, request: Request) -> Reply:
        """Whatever stands at the other end of the line."""
        host = request.url.split("/")[2]
        who = {"paper.example": "the courier", "brand.example": "the brand"}.get(host)
        self.ledger.note(
            Entry(self.ledger.step, "http", request.method, who or host, requests=1, size=len(request.body))
        )
        if who == "the courier":
            return self.company(request)
        if who == "the brand":
            self.heard.append(json.loads(request.body))
            return Reply(204, {}, b"")
        raise Unanswered(host)

    # --- what Lambda does ---------------------------------------------------------------------------------

    def settle(self, step: str = "") -> None:
        """Hand every waiting message to its listener, one a batch, until none is left."""
        import app

        sqs = clients.client("sqs")
        urls = self.world.queues.urls  # type: ignore[attr-defined]
        busy = True
        while busy:
            busy = False
            for topic in Topic:
                with self.ledger.closed():
                    waits = sqs.get_queue_attributes(
                        QueueUrl=urls[topic], AttributeNames=["ApproximateNumberOfMessages"]
                    )["Attributes"]["ApproximateNumberOfMessages"]
                if waits == "0":
                    continue
                busy = True
                with self.ledger.during(f"{step} {topic}".strip()):
                    self._take(sqs, urls[topic], topic, getattr(app, f"on_{topic}"))

    def _take(self, sqs: Any, url: str, topic: Topic, listener: Any) -> None:
        messages = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=1, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages", [])
        if any(name in message["Body"] for message in messages for name in self.strangers):
            if self.ledger.is_open:
                del self.ledger.entries[-1]
            with self.ledger.closed():
                self._hand_over(sqs, url, topic, listener, messages)
        else:
            self._hand_over(sqs, url, topic, listener, messages)

    def _hand_over(self, sqs: Any, url: str, topic: Topic, listener: Any, messages: list[Any]) -> None:
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {
                    name: {"stringValue": value.get("StringValue"), "dataType": value["DataType"]}
                    for name, value in message.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:cordon-{topic}",
                "awsRegion": "eu-west-1",
            }
            for message in messages
        ]
        self._ran(f"on_{topic}")
        verdict = listener({"Records": records}, None)
        assert verdict == {"batchItemFailures": []}, verdict
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def pass_minutes(self, count: int) -> None:
        """The schedules fire every minute; what they cost is the market's, not the gift's, until they nudge."""
        from chalicelib.flows import sweep

        for _ in range(count):
            self.clock.forward(minutes=1)
            with self.ledger.during("the schedules"):
                sweep.tick(self.world)
                sweep.sweep(self.world)
            self.settle("after a look:")

    def _ran(self, function: str) -> None:
        if self.ledger.is_open:
            self.invocations.append((self.ledger.step, function))


@contextmanager
def town(patch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town with everything in it, and processes that have just delivered another gift: warm, as most are."""
    make_cloud(patch)
    clock = fakes.FakeClock(fakes.NOON)
    company, ledger = PaperCompany(clock), Ledger(is_open=False)
    secrets = fakes.FakeSecrets()
    secrets.by_account["paper", "main"] = [ACCOUNT]
    here: Town
    lines: list[tuple[str, str]] = []
    journal.write_to(lambda line: lines.append((ledger.step, line)) if ledger.is_open else None)
    chance = random.Random(7)  # sizes on the page shall be the same in every run
    patch.setattr(os, "urandom", chance.randbytes)
    world = replace(
        wiring.real(),
        clock=clock,
        stopwatch=lambda: 0.0,
        token=lambda: base64.urlsafe_b64encode(chance.randbytes(32)).decode().rstrip("="),
        line=fakes.FakeLine(lambda request: here.answer(request)),
        dialects={"paper": PaperDialect()},
        secrets=secrets,
    )
    wiring.use(world)
    try:
        enlist.put_market(world, Market.model_validate(stage.MARKET))
        key = enlist.create_key(world, Role.BRAND, "maison")
        here = Town(world, clock, company, key, ledger, lines=lines)
        _publish(here)
        enlist.put_courier(
            world, Courier(courier_id="paper-co", market_id="SHA", dialect="paper", account="main")
        )
        enlist.put_crew(world, stage.crew())
        enlist.put_permit(world, stage.permit())
        enlist.put_slot(world, stage.slot(1, 50))
        _listen(world)
        with metered(ledger):
            clock.forward(minutes=45)
            here.settle()
            yield here
    finally:
        wiring.use(None)
        journal.write_to(None)


def _publish(here: Town) -> None:
    upload = publish.begin(
        here.world, "SHA", "test", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02"
    )
    part = {
        "policies": [stage.OPEN_TO_THE_DOOR, stage.CONTACTLESS, stage.CLOSED],
        "features": [stage.zone("Yongjia"), stage.zone("Kitchen")],
        "released": [],
    }
    publish.add_part(here.world, "SHA", upload.upload_id, 1, json.dumps(part).encode())
    publish.finish(here.world, "SHA", upload.upload_id)
    here.settle()


def _listen(world: World) -> None:
    sealed = world.sealer.seal(stage.SECRET.encode(), "hook#hook-1")
    endpoint = Endpoint(
        endpoint_id="hook-1",
        brand_id="maison",
        url="https://brand.example/hooks",
        created_at=fakes.NOON - timedelta(days=1),
        secrets_sealed=(base64.b64encode(sealed).decode(),),
    )
    world.table.write(Keep(facts.endpoint_row(endpoint), was=None))


def of_two_kilobytes() -> dict[str, Any]:
    """An order of about 2 KB of JSON: three lines of gift and long addresses, in two scripts."""
    asked = stage.body()
    item = asked["gift"]["items"][0]
    asked["gift"]["items"] = [
        {**item, "name": name}
        for name in (
            "Celebration cake, black forest, for eight, 黑森林生日蛋糕八人份",
            "Bouquet of white peonies and eucalyptus, 白牡丹与尤加利叶花束",
            "Box of twelve pralines, dark, Grand Cru, 黑巧克力礼盒十二颗装",
        )
    ]
    asked["recipient"]["place"]["address"]["line"] = (
        "上海市黄浦区永嘉路387弄永嘉新村3号楼1402室, Yongjia Road 387 lane"
    )
    asked["pick_up"]["place"]["address"]["line"] = (
        "上海市黄浦区外滩中山东一路32号半岛酒店西饼房, Zhongshan East 1st Road"
    )
    return asked


def live(here: Town, name: str, asked: dict[str, Any] | None = None) -> str:
    """One gift from placed to told: five callbacks, five notices. The order's id.

    A neighbour of the same brand goes the same way a moment before, uncounted: so the processes are warm and
    remember what they may remember (a market, a courier, an endpoint for half a minute or a whole one), as they do
    wherever gifts are many. What is not remembered is read and counted.
    """
    with here.ledger.closed():
        neighbour = here.place(f"{name}-neighbour")
        here.strangers.add(neighbour)
        here.settle()
    order_id = here.place(name, asked)
    here.settle()
    here.pass_minutes(RESTS[0])
    for kind, rest in zip(CALLBACKS, RESTS[1:], strict=True):
        with here.ledger.closed():
            here.call_back(neighbour, kind)
            here.settle()
        here.call_back(order_id, kind)
        here.settle(f"{kind}:")
        here.pass_minutes(rest)
    return order_id
