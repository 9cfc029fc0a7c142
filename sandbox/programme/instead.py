"""A compound is sealed and stays so. One brand has something that needs no courier sent when the time is over; another
has its clients asked once a gift was held for an hour, and a courier that comes free while the question is out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sandbox import documents, run, shanghai
from sandbox.client import Client
from sandbox.programme._scene import Scene
from sandbox.programme.yoga_pass import pass_of

PRACTICE: Final = "the fallback when no courier may go: sent, or offered to the client, as the brand chose"

SENDS, OFFERS = "maison-celadon", "atelier-nuage"


def play(scene: Scene) -> None:
    sends, offers = scene.brand(SENDS), scene.brand(OFFERS)
    for name, brand, fallback in (
        (SENDS, sends, {"gift": "YOGA-7", "mode": "send"}),
        (OFFERS, offers, {"gift": "YOGA-7", "mode": "offer", "patience_minutes": 60, "offer_minutes": 180}),
    ):
        brand("PUT", "/v1/digital-gifts/YOGA-7", _pass(scene))
        brand("PUT", "/v1/programme", {"fallback": fallback})
        scene.tell(f"{name}: {fallback['mode']} a yoga pass where nobody may go")
    scene.publish([_shut(scene)])
    scene.tell(f"nobody gets into {run.SEALED}")
    sent = _order(scene, sends, "sent", run.SEALED)
    asked = {name: _order(scene, offers, name, run.SEALED) for name in ("accepts", "declines", "silent")}
    lucky = _order(scene, offers, "lucky", run.SEALED)
    scene.pass_time(minutes=75)
    held = {name: _read(offers, order_id) for name, order_id in {**asked, "lucky": lucky}.items()}
    scene.promise(
        "held for an hour, the clients are asked, and the gifts wait on",
        all(o["state"] == "held" and o["digital"]["outcome"] == "offered" for o in held.values()),
        {name: (o["state"], o.get("digital")) for name, o in held.items()},
    )
    left = offers("GET", "/v1/digital-gifts/YOGA-7")["left"]
    scene.promise("a pass is kept for each answer", left == 6, left)
    _answer(offers, asked["accepts"], "accept")
    _answer(offers, asked["declines"], "decline")
    scene.settle()
    accepted, declined = _read(offers, asked["accepts"]), _read(offers, asked["declines"])
    scene.promise("who accepts has it", accepted["state"] == "fulfilled_digitally", accepted["state"])
    scene.promise(
        "who declines waits on for the parcel, and the pass is free again",
        declined["state"] == "held" and offers("GET", "/v1/digital-gifts/YOGA-7")["left"] == 7,
        declined["state"],
    )
    code = offers("GET", f"/v1/passes/{pass_of(accepted)}/code")["code"]
    scene.promise("the code is there for the brand to pass on", len(code) > 26, len(code))
    scene.publish([_opened(scene)])
    scene.tell(f"{run.SEALED} is opened while the question is out")
    scene.pass_time(minutes=15)
    found = _read(offers, lucky)
    scene.promise("a courier that may go takes the parcel", found["state"] in _MOVING, found["state"])
    status, problem = scene.refused(lambda: _answer(offers, lucky, "accept"))
    scene.promise(
        "an answer that comes then is too late, and says so",
        status == 409 and "courier was found" in problem.get("detail", ""),
        (status, problem),
    )
    scene.publish([_shut(scene)])
    scene.pass_time(hours=9)
    orders = {"sent": _read(sends, sent), "lucky": _read(offers, lucky)}
    orders |= {name: _read(offers, order_id) for name, order_id in asked.items()}
    scene.table(
        ("client", "came to", "beside it"),
        [(name, o["state"], (o.get("digital") or {}).get("outcome")) for name, o in orders.items()],
    )
    scene.promise(
        "what could not go is sent where the brand said so",
        orders["sent"]["state"] == "fulfilled_digitally",
        orders["sent"]["state"],
    )
    kept = sum(
        o["digital"]["outcome"] == "given" for n, o in orders.items() if n != "sent" and o.get("digital")
    )
    left = offers("GET", "/v1/digital-gifts/YOGA-7")["left"]
    scene.promise("every pass that nobody took is free again", left + kept == 10, (left, kept))
    told = {said["type"] for said in scene.listener(OFFERS).heard}
    scene.promise(
        "the brand was told when its clients were asked, and what was given",
        {"order.digital_offered", "order.fulfilled_digitally"} <= told,
        told,
    )
    pieces = offers("GET", f"/v1/orders/{asked['accepts']}/evidence")["data"]
    why = [piece for piece in pieces if piece["step"] == "digital"]
    scene.promise(
        "why is on record, with the reasons for which nobody could go",
        [piece["digital"]["outcome"] for piece in why] == ["offered", "given"]
        and all(p["reasons"] for p in why),
        why,
    )
    scene.promise(
        "no courier was ever asked for what was given so",
        not any(job.startswith(asked["accepts"]) for c in scene.companies.values() for job in c.jobs),
    )


_MOVING: Final = ("assigned", "booked", "picked_up", "delivered", "at_gate")


def _pass(scene: Scene) -> dict[str, Any]:
    return {
        "kind": "pass",
        "title": "Seven days of yoga",
        "partner": "yoga-studio",
        "value": {"amount": 70000, "currency": "CNY"},
        "limit": 10,
        "days": 7,
        "redeem_by": (scene.now + timedelta(days=30)).isoformat(),
        "time_zone": shanghai.ZONE_NAME,
    }


def _order(scene: Scene, brand: Client, name: str, where: str) -> str:
    body = run.order_body(scene.now, where) | {"reference": f"BOX-{name.upper()}", "fallback": "digital"}
    return str(brand("POST", "/v1/orders", body, {"Idempotency-Key": f"instead-{name}"})["order_id"])


def _read(brand: Client, order_id: str) -> dict[str, Any]:
    return brand("GET", f"/v1/orders/{order_id}")


def _answer(brand: Client, order_id: str, action: str) -> dict[str, Any]:
    version = _read(brand, order_id)["version"]
    return brand("POST", f"/v1/orders/{order_id}/digital", {"action": action}, {"If-Match": f'"v{version}"'})


def _opened(scene: Scene) -> dict[str, Any]:
    return _zone(scene, shanghai.LOBBY, "precautionary")


def _shut(scene: Scene) -> dict[str, Any]:
    return _zone(scene, shanghai.NO_ACCESS, "no_access")


def _zone(scene: Scene, policy: Any, level: str) -> dict[str, Any]:
    unit = {"kind": "compound", "district": "310101", "compound": run.SEALED}
    basis = "Notice of the compound's committee (invented)"
    zone = f"RUN-{run.SEALED.split()[0]}"
    return documents.feature(zone, unit, policy, level, scene.now, scene.now, basis)
