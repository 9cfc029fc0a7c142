"""A small city with gifts in every kind of trouble, behind the app over HTTP: what the board's tests look at.

Queues are emptied by a thread of their own, and the clock goes ten times as fast as ours, so that a browser's polls
see what comes of what was clicked.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chalicelib import wiring
from chalicelib.domain.board import FRESH
from chalicelib.domain.campaigns import NewCampaign
from chalicelib.domain.orders import OrderState
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Letter, Topic
from chalicelib.domain.suspicion import ENOUGH
from chalicelib.flows import enlist, enrol, look, mount, receive, recount, sign_in, suspect
from chalicelib.flows.place import place
from cli.package import read
from sandbox.districts import districts as read_districts
from sandbox.front import Front
from tests import digital, drive
from tests.conftest import ROOT
from tests.paper import callback
from tests.stage import MARKET, NOON, Stage, body, new_client, new_order, place_at, publish_rules, stage, zone

SPEED = 10
QUOTED = "Ben & 'Co' Court"
HOSTILE = '<img src=x onerror="document.title=1">&'
DISTRICTS = {"310101": "Huangpu", "310104": "Xuhui", "310106": "Jing'an", "310115": HOSTILE}
TIERS = ("diamond", "gold", "silver", "standard", "platinum")


@dataclass
class Town:
    """The city, where it is found, and its gifts by name."""

    on: Stage
    front: Front
    gifts: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return self.front.url

    def link(self, who: str = "mei") -> str:
        secret, _ = sign_in.invite(self.on.world, who, "control-room")
        return f"{self.url}/enter#{secret}"

    def state(self, name: str) -> OrderState:
        return self.on.order(self.gifts[name]).state

    def place(self, name: str, compound: str = "Yongjia", **changes: Any) -> str:
        told = {"reference": name.upper(), "tier": TIERS[len(self.gifts) % len(TIERS)], **changes}
        order, _ = place(self.on.world, "maison", name, new_order(compound, **told))
        self.gifts[name] = order.order_id
        return order.order_id

    def begin_campaign(self, clients: int = 3) -> str:
        """Easter boxes for so many clients and one who is not enrolled: planned, told to be placed, and not begun."""
        with self.lock:
            world = self.on.world
            for number in range(clients):
                home = place_at("Jade Court" if number else "Nowhere Court")
                home["address"] |= {"unit": str(number)}
                person = {"name": f"W{number}", "phone": f"+86138{number:08d}", "places": {"home": home}}
                enrol.enrol(world, "maison", f"vic-{number}", new_client(person=person))
            named = [{"client": f"vic-{number}"} for number in range(clients)] + [{"client": "somebody-else"}]
            whole = {name: body()[name] for name in ("market", "gift", "pick_up")} | {
                "reference": "EASTER-BOXES",
                "audience": {"clients": named},
                "day": f"{NOON:%Y-%m-%d}",
                "hours": [{"start": "16:00", "end": "20:00"}],
            }
            new = NewCampaign.model_validate_json(json.dumps(whole))
            campaign = mount.mount(world, "maison", "boxes", new)
            drive.settle(world)
            found = mount.campaign_of(world, "maison", campaign.campaign_id)
            mount.place(world, "maison", found.campaign_id, found.version)
            # its nudges are lost, so it stands still until somebody has it go on or the sweep comes by
            queues: Any = world.queues
            queues.sent[:] = [told for told in queues.sent if told[0] is not Topic.CAMPAIGN]
            return found.campaign_id

    def says(self, name: str, kind: str) -> None:
        reference = f"{self.gifts[name]}-1-1"
        self.on.company.move(reference, kind, self.on.clock.now)
        told = callback(reference, kind, self.on.clock.now)
        receive.receive(self.on.world, "SHA", "paper-co", told)
        self.on.settle()

    def close(self, compound: str) -> None:
        """The compound is closed from now on."""
        with self.lock:
            now = self.on.clock.now.isoformat()
            name = "closed-" + re.sub(r"\W", "", compound)
            changes = {"zone_id": name, "valid_from": now, "known_since": now}
            closed = zone(compound, "banned@1", "no_access", **changes)
            publish_rules(self.on.world, "amend", closed)

    def pump(self) -> None:
        last = time.monotonic()
        while not self.stopping.wait(0.05):
            now = time.monotonic()
            with self.lock:
                self.on.clock.now += timedelta(seconds=SPEED * (now - last))
                drive.settle(self.on.world)
            last = now


def furnished() -> Town:
    """The city before anybody looks."""
    from app import app

    on = stage(capacity=6, crews=3)
    enlist.put_market(on.world, Market.model_validate({**MARKET, "districts": DISTRICTS}))
    digital.put(on.world, "YOGA", digital.yoga())
    digital.programme(on.world, gift="YOGA", mode="send")
    names = ("Garden Court", "Jade Court", "Lilong 12", "Park View", QUOTED)
    features = [zone(name, zone_id=f"zone-{n}") for n, name in enumerate(names)]
    strictness = {"310101": "precautionary", "310104": "sealed", "310115": "controlled", "310106": "open"}
    for district in read_districts():
        level = strictness.get(district.code)
        if level is None:
            continue
        features.append(
            {
                "type": "Feature",
                "geometry": district.geometry,
                "properties": {
                    "zone_id": f"district-{district.code}",
                    "level": level,
                    "policy": "precautionary@1",
                    "unit": {"kind": "district", "district": district.code},
                    "valid_from": (NOON - timedelta(days=2)).isoformat(),
                },
            }
        )
    coming = zone("Riverside", "sealed@1", "sealed", zone_id="zone-coming")
    coming["properties"] |= {
        "valid_from": (NOON + timedelta(hours=6)).isoformat(),
        "known_since": NOON.isoformat(),
    }
    publish_rules(on.world, "amend", *features, coming)
    drive.settle(on.world)
    template = {"Resources": read(ROOT / ".chalice" / "resources.yaml")["Resources"]}
    front = Front(app, template, ttl_s=-1)
    town = Town(on, front)
    _gifts(town)
    return town


def _gifts(town: Town) -> None:
    on = town.on
    for number in range(1, 6):
        town.place(f"easter-{number}", "Garden Court")
    for name in ("parcel-a", "parcel-b", "parcel-c"):
        town.place(name, "Jade Court")
    town.place("unruled", "Nowhere Court")
    (item,) = body()["gift"]["items"]
    town.place("hostile", QUOTED, reference="HOSTILE", gift={"items": [{**item, "name": HOSTILE}]})
    on.settle()
    on.clock.forward(minutes=60)
    town.says("parcel-a", "picked_up")
    town.says("parcel-b", "picked_up")
    on.clock.forward(minutes=10)
    town.says("parcel-b", "returned")
    for order_id in (town.gifts["parcel-c"], town.gifts["unruled"])[:ENOUGH]:
        suspect.suspect(on.world, look.any_order(on.world, order_id), "paper-co", "closed_area")
    on.world.queues.put_aside(Topic.TELL, Letter("{}", "no nudge", "on_tell", "m-1", 5, 0))
    on.settle()
    recount.watch(on.world, "SHA")
    on.settle()
    on.clock.now += FRESH


@contextmanager
def running() -> Iterator[Town]:
    """The city with a browser's door."""
    town = furnished()
    town.on.world.public_url = town.url
    wiring.use(town.on.world)
    plain = town.front.answer

    def one_at_a_time(*asked: Any) -> Any:
        with town.lock:
            return plain(*asked)

    town.front.answer = one_at_a_time  # type: ignore[method-assign]
    thread = threading.Thread(target=town.pump, daemon=True)
    thread.start()
    with town.front:
        try:
            yield town
        finally:
            town.stopping.set()
            thread.join()
            wiring.use(None)
