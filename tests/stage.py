"""A small lockdown on a stage: one market, rules, a courier on paper with one crew, and a brand that listens."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.clients import NewClient
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Lost, Unanswered
from chalicelib.domain.fleet import Courier, Crew, Permit, Slot
from chalicelib.domain.legs import LIVE
from chalicelib.domain.notices import Endpoint
from chalicelib.domain.orders import NewOrder, Order
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, World
from chalicelib.domain.wishes import OrderWish
from chalicelib.flows import enlist, publish
from tests import drive, fakes
from tests.builders import SHANGHAI
from tests.paper import ACCOUNT, PaperCompany, PaperDialect

NOON = fakes.NOON
MARKET = SHANGHAI
OPEN_TO_THE_DOOR: dict[str, Any] = {
    "policy_id": "precautionary",
    "version": 1,
    "title": "Precautionary zone",
    "handovers": ["door", "gate"],
    "requirements": [{"kind": "pcr", "max_age_hours": 48}],
    "permit_needed": True,
}
CONTACTLESS: dict[str, Any] = {
    "policy_id": "sealed",
    "version": 1,
    "title": "Sealed zone",
    "handovers": ["gate"],
    "requirements": [{"kind": "pcr", "max_age_hours": 48}],
    "permit_needed": True,
}
CLOSED: dict[str, Any] = {"policy_id": "banned", "version": 1, "title": "Nobody goes", "handovers": []}
SECRET = base64.b64encode(b"a brand's webhook secret").decode()


def zone(
    name: str, policy: str = "precautionary@1", level: str = "precautionary", **changes: Any
) -> dict[str, Any]:
    """A compound of that name in Huangpu, under that policy since yesterday."""
    properties = {
        "zone_id": f"zone-{name}",
        "level": level,
        "policy": policy,
        "unit": {"kind": "compound", "district": "310101", "compound": name},
        "valid_from": (NOON - timedelta(days=1)).isoformat(),
        **changes,
    }
    return {"type": "Feature", "geometry": None, "properties": properties}


def place_at(compound: str) -> dict[str, Any]:
    return {
        "address": {
            "country": "CN",
            "city": "Shanghai",
            "district": "310101",
            "compound": compound,
            "building": "3",
            "line": f"{compound}, Huangpu",
        },
        "coordinate": {"lng": 121.49, "lat": 31.22, "datum": "GCJ02"},
        "match_quality": "exact",
    }


def body(compound: str = "Yongjia", **changes: Any) -> dict[str, Any]:
    """An order as a brand hands it in: a cake for this afternoon."""
    return {
        "market": "SHA",
        "reference": "EASTER-1",
        "gift": {
            "items": [
                {
                    "name": "Cake",
                    "item_class": "chilled",
                    "value": {"amount": 88000, "currency": "CNY"},
                    "temperature": {"min_c": 0, "max_c": 8},
                    "dwell_limit_minutes": 120,
                }
            ]
        },
        "pick_up": {
            "name": "Hotel kitchen",
            "place": place_at("Kitchen"),
            "contact": {"name": "Li Baoxian", "phone": "+8613800138000"},
        },
        "recipient": {"name": "Wang Secretive", "phone": "+8613800138001", "place": place_at(compound)},
        "window": {
            "start": (NOON + timedelta(hours=1)).isoformat(),
            "end": (NOON + timedelta(hours=4)).isoformat(),
            "time_zone": "Asia/Shanghai",
        },
        "tier": "gold",
        **changes,
    }


def client_body(name: str = "王女士", **changes: Any) -> dict[str, Any]:
    """A client as a brand hands it in: agreed to messages about gifts, and to the courier abroad."""
    consents = [
        {"purpose": purpose, "granted_at": (NOON - timedelta(days=30)).isoformat(), "evidence": "form-7"}
        for purpose in ("service", "cross_border")
    ]
    return {
        "country": "CN",
        "locale": "zh-CN",
        "time_zone": "Asia/Shanghai",
        "channels": ["whatsapp", "email"],
        "consents": consents,
        "person": {
            "name": name,
            "phone": "+8613800138000",
            "email": "wang@example.com",
            "places": {"home": place_at("Yongjia")},
        },
        **changes,
    }


def new_client(name: str = "王女士", **changes: Any) -> NewClient:
    return NewClient.model_validate(client_body(name, **changes))


def new_order(compound: str = "Yongjia", **changes: Any) -> NewOrder:
    return NewOrder.model_validate_json(json.dumps(body(compound, **changes)))


def client_order(client: str = "vic-1", **changes: Any) -> dict[str, Any]:
    """The same cake, to a client who is enrolled."""
    whole = {name: value for name, value in body().items() if name not in ("recipient", "tier")}
    return {**whole, "client": client, "occasion": "birthday", **changes}


def client_wish(client: str = "vic-1", **changes: Any) -> OrderWish:
    return OrderWish.model_validate_json(json.dumps(client_order(client, **changes)))


@dataclass
class Brand:
    """The brand's end of the webhook."""

    heard: list[dict[str, Any]] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)
    """When each was heard."""
    took: list[bool] = field(default_factory=list)
    """Whether it was answered with a success."""
    clock: Callable[[], datetime] = lambda: NOON
    answer: Callable[[Request], Reply] | None = None

    def __call__(self, request: Request) -> Reply:
        self.heard.append(json.loads(request.body))
        self.at.append(self.clock())
        self.took.append(False)
        reply = Reply(204, {}, b"") if self.answer is None else self.answer(request)
        self.took[-1] = 200 <= reply.status < 300
        return reply


@dataclass
class Stage:
    """The world with everything on it."""

    clock: fakes.FakeClock
    company: PaperCompany
    brand: Brand
    world: World
    plain: World
    """The same without whatever a test wrapped around it: for looking."""

    def order(self, order_id: str) -> Order:
        return facts.load_order(self.plain.table, order_id)

    def left(self, slot_id: str = "slot-1") -> int:
        row = self.plain.table.get(facts.slot_key("SHA", slot_id))
        assert row is not None
        return row.counters[facts.LEFT]

    def live_bookings(self, order_id: str) -> int:
        return sum(
            b.state in LIVE and not b.track.has_ended
            for leg in self.order(order_id).legs
            for b in leg.bookings
        )

    def settle(self) -> None:
        drive.settle(self.world)

    def minutes(self, count: int, each: Callable[[], None] | None = None) -> None:
        drive.minutes(self.world, self.clock, count, each)


def publish_rules(
    world: World,
    mode: str,
    *features: dict[str, Any],
    policies: Any = (),
    released: Any = (),
    exemptions: Any = (),
) -> None:
    """Publish through the real flow: begin, one part, finish, and what the queue does."""
    upload = publish.begin(world, "SHA", "test", mode=mode, time_zone="Asia/Shanghai", datum="GCJ02")
    part = {"policies": list(policies), "features": list(features), "released": list(released)}
    if exemptions:
        part["exemptions"] = list(exemptions)
    publish.add_part(world, "SHA", upload.upload_id, 1, json.dumps(part).encode())
    publish.finish(world, "SHA", upload.upload_id)
    drive.settle(world)


def bare(clock: fakes.FakeClock, company: PaperCompany, brand: Brand) -> World:
    """A world with nothing in its table: that courier and that brand are at the end of its line."""

    def answer(request: Request) -> Reply:
        if "paper.example" in request.url:
            return company(request)
        if "brand.example" in request.url:
            return brand(request)
        raise Unanswered(request.url)

    secrets = fakes.FakeSecrets()
    secrets.by_account["paper", "main"] = [ACCOUNT]
    return fakes.world(
        clock=clock, line=fakes.FakeLine(answer), dialects={"paper": PaperDialect()}, secrets=secrets
    )


def stage(
    *,
    capacity: int = 3,
    start: datetime = NOON,
    crews: int = 1,
    wrap: Callable[[World], World] = lambda world: world,
) -> Stage:
    """Noon in Shanghai. The compounds Yongjia and Kitchen are open to the door, everything else is unknown."""
    clock = fakes.FakeClock(start)
    company, brand = PaperCompany(clock), Brand(clock=clock)
    world = bare(clock, company, brand)
    enlist.put_market(world, Market.model_validate(MARKET))
    publish_rules(
        world,
        "replace",
        zone("Yongjia"),
        zone("Kitchen"),
        policies=[OPEN_TO_THE_DOOR, CONTACTLESS, CLOSED],
    )
    enlist.put_courier(
        world, Courier(courier_id="paper-co", market_id="SHA", dialect="paper", account="main")
    )
    for n in range(1, crews + 1):
        enlist.put_crew(world, crew(n))
        enlist.put_permit(world, permit(n))
        enlist.put_slot(world, slot(n, capacity))
    endpoint = Endpoint(
        endpoint_id="hook-1",
        brand_id="maison",
        url="https://brand.example/hooks",
        created_at=start - timedelta(days=1),
        secrets_sealed=(base64.b64encode(world.sealer.seal(SECRET.encode(), "hook#hook-1")).decode(),),
    )
    try:
        world.table.write(Keep(facts.endpoint_row(endpoint), was=None))
    except Lost as error:
        raise AssertionError("a fresh world holds nothing") from error
    drive.settle(world)
    return Stage(clock, company, brand, wrap(world), world)


def crew(n: int = 1, **changes: Any) -> Crew:
    return Crew.model_validate(
        {
            "crew_id": f"crew-{n}",
            "market_id": "SHA",
            "courier_id": "paper-co",
            "vehicle": {"plate": f"A{n:04d}", "compartments": [{"min_c": 0, "max_c": 8}]},
            "credentials": [
                {
                    "kind": "pcr",
                    "result": "negative",
                    "sampled_at": NOON - timedelta(hours=20),
                    "reported_at": NOON - timedelta(hours=12),
                }
            ],
            **changes,
        }
    )


def permit(n: int = 1, **changes: Any) -> Permit:
    valid = {"start": NOON - timedelta(days=1), "end": NOON + timedelta(days=2)}
    return Permit.model_validate(
        {
            "permit_id": f"permit-{n}",
            "market_id": "SHA",
            "plate": f"A{n:04d}",
            "districts": "all",
            "valid": valid,
            **changes,
        }
    )


def slot(n: int = 1, capacity: int = 3, **changes: Any) -> Slot:
    """The crew of a lower number is a little cheaper, so that no lot decides whom a test is about."""
    return Slot.model_validate(
        {
            "slot_id": f"slot-{n}",
            "market_id": "SHA",
            "courier_id": "paper-co",
            "crew_id": f"crew-{n}",
            "window": {"start": NOON, "end": NOON + timedelta(hours=5)},
            "capacity": capacity,
            "price": {"amount": 2999 + n, "currency": "CNY"},
            **changes,
        }
    )
