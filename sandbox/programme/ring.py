"""A ring worth some EUR 300,000 is sold over messages and brought to the door: by who is insured for it on that way,
alone in the vehicle, sealed, and delivered when seal, code and identity are there, and not when its courier says so.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.fleet import Courier, InsuredWay, Proof
from chalicelib.domain.policies import Handover
from chalicelib.domain.shapes import Money
from sandbox import documents, run, shanghai
from sandbox.client import Client
from sandbox.programme._scene import MARKET, Scene

PRACTICE: Final = "a ring sold over messages and brought to the door"
BRAND: Final = "maison-celadon"
GUARDED, PLAIN = "guard-co", "sftc"
HUANGPU: Final = "310101"
GATE_COURT: Final = "Gate Court"
VALUE: Final = 225_000_000
"""Some EUR 300,000 in fen."""


def _yuan(amount: int) -> Money:
    return Money(amount=amount, currency="CNY")


COURIERS: Final = (
    *shanghai.Shanghai.couriers()[:1],
    Courier(
        courier_id=GUARDED,
        market_id=shanghai.MARKET_ID,
        dialect="partner",
        account="guard",
        proofs=frozenset({Proof.IDENTITY, Proof.PHOTO}),
        insured_limit=_yuan(50_000_000),
        insured_ways=(InsuredWay(origin=HUANGPU, destination=HUANGPU, limit=_yuan(300_000_000)),),
    ),
)
TO_THE_DOOR: Final = shanghai.LOBBY.model_copy(
    update={
        "policy_id": "sha-to-the-door",
        "title": "Couriers come up to the door (invented)",
        "handovers": frozenset(Handover),
    }
)
AT_THE_GATE: Final = shanghai.LOBBY.model_copy(
    update={
        "policy_id": "sha-gate-only",
        "title": "Nobody goes in; the client comes to the gate (invented)",
        "handovers": frozenset({Handover.GATE, Handover.SHELF}),
    }
)
RING: Final = {
    "items": [
        {
            "name": "Ring",
            "item_class": "high_value",
            "value": {"amount": VALUE, "currency": "CNY"},
            "sku": "RING-SOLITAIRE",
        }
    ]
}


def play(scene: Scene) -> None:
    since = scene.now - timedelta(minutes=1)
    rules = (("RUN-Garden", run.OPEN, TO_THE_DOOR), ("RING-Gate", GATE_COURT, AT_THE_GATE))
    zones = [
        documents.feature(
            zone_id,
            {"kind": "compound", "district": HUANGPU, "compound": name},
            policy,
            "precautionary",
            since,
            since,
            "Notice of the compound's committee (invented)",
        )
        for zone_id, name, policy in rules
    ]
    scene.publish(zones, [TO_THE_DOOR, AT_THE_GATE])
    _guards(scene)
    brand = scene.brand(BRAND)
    scene.tell(f"{run.OPEN} lets couriers up to the door, {GATE_COURT} only to its gate")
    ring = _ring(scene, brand, "ring", run.OPEN)
    scene.tell(
        "a ring worth CNY 2,250,000 is placed for two in the afternoon; nobody may know of it before ten"
    )
    _nobody_knows_yet(scene, brand, ring)
    scene.pass_time(hours=2, minutes=10)
    order = _read(brand, ring)
    scene.tell(f"at ten it is {order['state']} with {order.get('courier')}")
    scene.promise(
        "it goes with the courier that is insured for it on that way",
        (order["state"], order.get("courier")) == ("booked", GUARDED),
        (order["state"], order.get("courier"), order.get("reasons")),
    )
    _rides_alone(scene, brand)
    _at_the_door(scene, brand, ring)
    _at_the_gate(scene, brand)


def _guards(scene: Scene) -> None:
    """Two crews of the company, each with a vehicle that has places for three."""
    negative = {
        "result": "negative",
        "sampled_at": (scene.now - timedelta(minutes=90)).isoformat(),
        "reported_at": scene.now.isoformat(),
    }
    day = {"start": scene.now.isoformat(), "end": (scene.now + timedelta(days=1)).isoformat()}
    for number in ("1", "2"):
        scene.operator(
            "PUT",
            f"{MARKET}/crews/guards-{number}",
            {
                "courier_id": GUARDED,
                "vehicle": {"plate": f"HU-G1000{number}", "compartments": [{"min_c": 0, "max_c": 8}]},
                "credentials": [{"kind": kind, **negative} for kind in ("pcr", "antigen")],
            },
        )
        scene.operator(
            "PUT",
            f"{MARKET}/permits/pass-guards-{number}",
            {"plate": f"HU-G1000{number}", "districts": "all", "valid": day},
        )
        scene.operator(
            "PUT",
            f"{MARKET}/slots/guards-{number}",
            {
                "courier_id": GUARDED,
                "crew_id": f"guards-{number}",
                "window": day,
                "capacity": 3,
                "price": {"amount": 90_000, "currency": "CNY"},
            },
        )
    scene.settle()


def _ring(scene: Scene, brand: Client, name: str, to: str, **safeguard: Any) -> str:
    body = run.order_body(scene.now, to)
    start = shanghai.local(14)
    body |= {
        "reference": name.upper(),
        "gift": RING,
        "window": {
            "start": start.isoformat(),
            "end": (start + timedelta(hours=4)).isoformat(),
            "time_zone": shanghai.ZONE_NAME,
        },
        "safeguard": {"hours_before": 4, **safeguard},
    }
    said = brand("POST", "/v1/orders", body, {"Idempotency-Key": name})
    scene.settle()
    return str(said["order_id"])


def _read(brand: Client, order_id: str) -> dict[str, Any]:
    return brand("GET", f"/v1/orders/{order_id}")


def _nobody_knows_yet(scene: Scene, brand: Client, ring: str) -> None:
    order = _read(brand, ring)
    scene.promise(
        "hours before its window no courier has been told of it",
        order["state"] == "placed" and not scene.companies[GUARDED].jobs_of(ring),
        order["state"],
    )
    early = [
        scene.refused(lambda who=who: who("POST", f"/v1/orders/{ring}/looks", {"reason": "curious"}))[0]  # type: ignore[misc]
        for who in (scene.operator, brand)
    ]
    scene.promise("and nobody may look where it goes, its brand included", early == [409, 409], early)


def _rides_alone(scene: Scene, brand: Client) -> None:
    fleet = scene.operator("GET", f"{MARKET}/fleet")
    left = sorted(fleet["left"][f"guards-{number}"] for number in ("1", "2"))
    scene.promise("it has all places of one vehicle and none of the other", left == [0, 3], left)
    taken = next(number for number in ("1", "2") if fleet["left"][f"guards-{number}"] == 0)
    slot = next(each for each in fleet["slots"] if each["slot_id"] == f"guards-{taken}")
    wider = {name: value for name, value in slot.items() if name not in ("slot_id", "market_id")}
    status, problem = scene.refused(
        lambda: scene.operator("PUT", f"{MARKET}/slots/guards-{taken}", {**wider, "capacity": 9})
    )
    scene.promise("more places in that vehicle are refused while it is there", status == 409, problem)


def _at_the_door(scene: Scene, brand: Client, ring: str) -> None:
    path = f"/v1/orders/{ring}"
    code = brand("GET", f"{path}/codes")["codes"]["hand_over_code"]
    scene.tell("the brand has its client told a code of six digits; nobody else can read it")
    scene.promise(
        "an operator cannot read the code",
        scene.refused(lambda: scene.operator("GET", f"{path}/codes"))[0] == 403,
    )
    while _read(brand, ring)["state"] == "booked":
        scene.pass_time(minutes=5)
    scene.operator("POST", f"{path}/proofs", {"pick_up_seal": "SEAL-4711"})
    scene.tell("fetched, and sealed: SEAL-4711")
    shown = scene.operator("POST", f"{path}/looks", {"reason": "door-bell-is-broken"})
    scene.promise("the control room reads the address now, and is written down", "recipient" in shown)
    while not _read(brand, ring)["handing"]["awaits_proof"] and scene.now < shanghai.local(20):
        scene.pass_time(minutes=5)
    order = _read(brand, ring)
    scene.tell(f"its courier says that it is delivered; here it is {order['state']}")
    scene.promise(
        "a courier that says so without proof still has it",
        (order["state"], order["custody"]["stretches"][-1]["holder"]) == ("picked_up", "courier"),
        order["state"],
    )
    scene.pass_time(minutes=40)
    heard = [said["type"] for said in scene.listener(BRAND).heard]
    scene.promise("the brand is told, and again", heard.count("order.awaiting_proof") >= 2, heard)
    for words, said in (
        ("a seal of another number is refused", {"seal": "SEAL-4712"}),
        ("a wrong code is refused", {"code": f"{(int(code) + 1) % 10**6:06d}"}),
    ):
        status = scene.refused(lambda said=said: scene.operator("POST", f"{path}/proofs", said))[0]  # type: ignore[misc]
        scene.promise(words, status == 409, status)
    missing = _read(brand, ring)["handing"]["missing"]
    scene.promise("its courier has told itself who it was", missing == ["seal", "code"], missing)
    for name, value in (("seal", "SEAL-4711"), ("code", code)):
        before = _read(brand, ring)["state"]
        scene.promise(f"without the {name} it is not delivered", before == "picked_up", before)
        scene.operator("POST", f"{path}/proofs", {name: value})
    scene.settle()
    order = _read(brand, ring)
    scene.promise(
        "with all of it it is, and custody was never broken",
        order["state"] == "delivered" and not order["custody"].get("flaws"),
        (order["state"], order["custody"]),
    )
    page = " ".join(brand.page(f"{path}/evidence", "text/plain").decode().split())
    told = (
        "SEAL-4711, read at the pick-up",
        "SEAL-4712 was read",
        "because: door-bell-is-broken",
        "Unbroken: at every moment it is known who had it",
    )
    scene.promise(
        "the evidence page tells all of it",
        all(words in page for words in told),
        [w for w in told if w not in page],
    )
    everything = page + json.dumps(order) + json.dumps(scene.listener(BRAND).heard)
    secret = (code, "A very important client", "+8617000000002")
    scene.promise("and not whose it is, nor the code", not any(word in everything for word in secret))


def _at_the_gate(scene: Scene, brand: Client) -> None:
    """Where nobody may come to the door, a ring waits; unless its insurer has agreed to another way."""
    held = _ring(scene, brand, "ring-2", GATE_COURT)
    agreed = _ring(
        scene, brand, "ring-3", GATE_COURT, contactless="code_seal_photo", insurer_consent="paper-2022-17"
    )
    scene.pass_time(minutes=15)
    orders = {name: _read(brand, order_id) for name, order_id in (("2", held), ("3", agreed))}
    rows = [
        (name, o["state"], o.get("handover"), ", ".join(o.get("reasons", ()))) for name, o in orders.items()
    ]
    scene.table(("ring", "came to", "handed over", "because"), rows)
    scene.promise(
        "a ring is never left at a gate",
        (orders["2"]["state"], orders["2"].get("reasons", [""])[0]) == ("held", "signature_conflict"),
        orders["2"].get("reasons"),
    )
    scene.promise(
        "with the insurer's paper it is handed to the client there, for the code, with a photo",
        (orders["3"]["state"], orders["3"].get("handover")) in (("booked", "gate"), ("picked_up", "gate")),
        (orders["3"]["state"], orders["3"].get("handover")),
    )
