"""Brands that listen: receivers by URL on a fake line, and an order that walks through its states."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks.webhooks import Webhook

from chalicelib.domain import facts, steps
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Unanswered
from chalicelib.domain.notices import Notice
from chalicelib.domain.orders import NewOrder, Order, Outlook, Private
from chalicelib.domain.ports import Keep, World
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows.subscribe import create
from chalicelib.flows.tell import due_notices, tell
from tests import fakes
from tests.builders import market

PERSONAL = ("Wang Secretive", "+8613800138001", "Li Baoxian", "+8613800138000", "Lane 12, Huangpu")
STEPS = ("placed", "held", "cancelled")

MARKET = market()


def new_order() -> NewOrder:
    place = {
        "address": {"country": "CN", "city": "Shanghai", "district": "310101", "line": "Lane 12, Huangpu"},
        "coordinate": {"lng": 121.49, "lat": 31.22, "datum": "GCJ02"},
        "match_quality": "exact",
    }
    cake = {"name": "Cake", "item_class": "chilled", "value": {"amount": 88000, "currency": "CNY"}}
    body = {
        "market": "SHA",
        "reference": "EASTER-1",
        "gift": {"items": [cake]},
        "pick_up": {
            "name": "Kitchen",
            "place": place,
            "contact": {"name": "Li Baoxian", "phone": "+8613800138000"},
        },
        "recipient": {"name": "Wang Secretive", "phone": "+8613800138001", "place": place},
        "window": {
            "start": (fakes.NOON + timedelta(hours=1)).isoformat(),
            "end": (fakes.NOON + timedelta(hours=4)).isoformat(),
            "time_zone": "Asia/Shanghai",
        },
    }
    return NewOrder.model_validate_json(json.dumps(body))


@dataclass
class Receiver:
    """One endpoint's far end."""

    answer: Callable[[Request], Reply] = lambda request: Reply(204, {}, b"")
    requests: list[Request] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)

    def states(self) -> list[str]:
        return [json.loads(request.body)["data"]["state"] for request in self.requests]

    def ids_by_sequence(self) -> dict[int, list[str]]:
        ids: dict[int, list[str]] = defaultdict(list)
        for request in self.requests:
            body = json.loads(request.body)
            assert body["id"] == request.headers["webhook-id"]
            ids[body["data"]["sequence"]].append(body["id"])
        return dict(ids)


def status(code: int, **headers: str) -> Callable[[Request], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: Reply(code, named, b"")


@dataclass
class Town:
    """A world with receivers; the stopwatch follows the clock, so that a stall takes time."""

    clock: fakes.FakeClock = field(default_factory=fakes.FakeClock)
    receivers: dict[str, Receiver] = field(default_factory=dict)
    public_only: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line = self
        self.world: World = fakes.world(
            clock=self.clock, line=self, stopwatch=lambda: self.clock.now.timestamp()
        )

    def send(self, request: Request, *, public_only: bool = False) -> Reply:
        self.public_only.append(public_only)
        receiver = self.receivers[request.url]
        receiver.requests.append(request)
        receiver.at.append(self.clock.now)
        return receiver.answer(request)

    def stall(self, request: Request) -> Reply:
        self.clock.forward(seconds=5)
        raise Unanswered("brand.example: timed out")

    def listen(self, name: str, brand: str = "maison", answer: Any = None) -> tuple[Receiver, str, str]:
        """A receiver that is subscribed: it, its endpoint's id, its secret."""
        url = f"https://{name}.example/hooks"
        self.receivers[url] = Receiver(answer) if answer else Receiver()
        endpoint, secret = create(self.world, brand, url)
        return self.receivers[url], endpoint.endpoint_id, secret

    def place(self, key: str = "k1", brand: str = "maison") -> str:
        """An order in its first state."""
        order = steps.placed(new_order(), brand, key, MARKET, self.clock())
        private = Private(recipient=new_order().recipient, pick_up_contact=new_order().pick_up.contact)
        sealed = facts.seal_private(self.world.sealer, private, order.order_id)
        self.world.table.write(Keep(facts.order_row(order.model_copy(update={"sealed": sealed})), was=None))
        return order.order_id

    def order(self, order_id: str) -> Order:
        return facts.load_order(self.world.table, order_id)

    def hold(self, order_id: str) -> None:
        at = self.clock()
        outlook = Outlook(
            decision=Decision.HOLD,
            reasons=(Reason.RULES_MISSING,),
            decided_at=at,
            next_look=at + timedelta(minutes=30),
            digest="d",
        )
        self._move(order_id, outlook=outlook)

    def cancel(self, order_id: str) -> None:
        self._move(order_id, cancel_asked_at=self.clock())

    def ended(self, key: str = "k1", brand: str = "maison") -> str:
        """An order that went through three states, a second apart."""
        order_id = self.place(key, brand)
        self.clock.forward(seconds=1)
        self.hold(order_id)
        self.clock.forward(seconds=1)
        self.cancel(order_id)
        return order_id

    def notices(self, order_id: str) -> list[Notice]:
        return [facts.notice_of_row(row) for row in self.world.table.read(order_id, "notice#").rows]

    def minutes(self, count: int) -> None:
        """What the sweep and the queue do, minute by minute."""
        for _ in range(count):
            self.clock.forward(minutes=1)
            for order_id in due_notices(self.world, 100):
                tell(self.world, order_id)
            self.drain()

    def drain(self) -> None:
        queues: Any = self.world.queues
        while queues.sent:
            tell(self.world, queues.sent.pop(0)[1])

    def _move(self, order_id: str, **changes: object) -> None:
        after = steps.moved(self.order(order_id), self.clock(), **changes)
        self.world.table.write(facts.keep_order(after))


def signs(secret: str, request: Request) -> bool:
    """True when that secret proves the request, asked of the public library."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    wanted = Webhook(secret).sign(request.headers["webhook-id"], at, request.body.decode())
    return wanted in request.headers["webhook-signature"].split(" ")
