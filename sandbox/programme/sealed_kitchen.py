"""The kitchen is sealed on the morning of the party. What its brand allows goes in the place of the cakes: the same
from another kitchen, or something else that its client may have, once whoever has to agree has agreed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sandbox import documents, run, shanghai
from sandbox.client import Client
from sandbox.programme._scene import Scene

PRACTICE: Final = "substitution when the kitchen or shop is sealed"
BRAND: Final = "maison-celadon"
HUANGPU: Final = "310101"
SECOND: Final = "Second Court"


def _thing(sku: str, name: str, item_class: str = "chilled", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "item_class": item_class,
        "value": {"amount": 88_000, "currency": "CNY"},
        "sku": sku,
        **more,
    }


CAKE: Final = _thing("CAKE", "Strawberry cake", allergens=["milk"])
TART: Final = _thing("TART", "Lemon tart", allergens=["milk"])
BOX: Final = _thing("BOX", "Dessert box", allergens=["milk"])
NUT_CAKE: Final = _thing("NUT-CAKE", "Walnut cake", allergens=["milk", "nuts"])
PLAIN_CAKE: Final = _thing("PLAIN-CAKE", "Sponge cake", allergens=[])
ROSES: Final = _thing("ROSES", "Roses", "flowers")


def play(scene: Scene) -> None:
    _rule(scene, "SECOND", SECOND, shanghai.LOBBY, "precautionary")
    brand = scene.brand(BRAND)
    brand("PUT", "/v1/substitutes", _substitutes(scene))
    _client(brand)
    scene.tell(
        f"the brand says what may go in the place of cakes, tarts and boxes; its second kitchen is in {SECOND}"
    )
    placed = {
        "cake": _gift(scene, brand, "cake", CAKE),
        "tart": _gift(scene, brand, "tart", TART),
        "box": _gift(scene, brand, "box", BOX),
    }
    placed["birthday"] = _gift(scene, brand, "birthday", TART, client="vic-7")
    _rule(scene, "RUN-Kitchen", run.KITCHEN, shanghai.SEALED, "sealed")
    scene.tell(f"{run.KITCHEN} is sealed: nobody there hands anything out any more")
    scene.pass_time(minutes=2)
    orders = {name: brand("GET", f"/v1/orders/{order_id}") for name, order_id in placed.items()}
    _tell(scene, orders)
    _another_kitchen(scene, brand, orders["cake"])
    _never_what_it_must_not_eat(scene, brand, orders["birthday"])
    _with_its_word(scene, brand, orders["tart"])
    _the_kitchen_is_quicker(scene, brand, orders["box"])
    scene.pass_time(hours=9)
    ended = {name: brand("GET", f"/v1/orders/{order_id}") for name, order_id in placed.items()}
    _tell(scene, ended)
    states = {name: order["state"] for name, order in ended.items()}
    scene.promise("every gift reached its client in the end", set(states.values()) == {"delivered"}, states)
    page = " ".join(brand.page(f"/v1/orders/{placed['tart']}/evidence", "text/plain").decode().split())
    scene.promise(
        "the evidence page tells what it was, and why something else went",
        "Before that it was chilled food from Hotel kitchen" in page
        and "Something else goes in its place" in page,
    )


def _rule(scene: Scene, zone_id: str, compound: str, policy: Any, level: str) -> None:
    unit = {"kind": "compound", "district": HUANGPU, "compound": compound}
    since = scene.now - timedelta(minutes=1)
    basis = "Notice of the district (invented)"
    scene.publish([documents.feature(zone_id, unit, policy, level, since, since, basis)])


def _substitutes(scene: Scene) -> dict[str, Any]:
    kitchen = run.order_body(scene.now)["pick_up"]
    place = {
        **kitchen["place"],
        "address": {**kitchen["place"]["address"], "compound": SECOND, "line": SECOND},
    }
    second = {
        "name": "Second kitchen",
        "place": place,
        "contact": {"name": "Night desk", "phone": "+8617000000009"},
    }

    def way(name: str, consent: str, *items: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "consent": consent, "pick_up": second, **({"items": items} if items else {})}

    return {
        "rules": [
            {"sku": "CAKE", "instead": [way("second-kitchen", "none")]},
            {
                "sku": "TART",
                "instead": [
                    way("walnut", "client", NUT_CAKE),
                    way("sponge", "brand", PLAIN_CAKE),
                    way("roses", "brand", ROSES),
                ],
            },
            {"sku": "BOX", "instead": [way("roses", "brand", ROSES)]},
        ]
    }


def _client(brand: Client) -> None:
    """One of them must not eat nuts, and has told the brand."""
    place = run.order_body(shanghai.local(8))["recipient"]["place"]
    brand(
        "PUT",
        "/v1/clients/vic-7",
        {
            "country": "CN",
            "locale": "zh-CN",
            "time_zone": shanghai.ZONE_NAME,
            "person": {
                "name": "A client who must not eat nuts",
                "phone": "+8617000000077",
                "places": {"home": place},
                "allergens": ["nuts"],
            },
            "consents": [
                {
                    "purpose": purpose,
                    "granted_at": shanghai.local(7).isoformat(),
                    "evidence": "form-2022-04",
                }
                for purpose in ("service", "cross_border")
            ],
        },
    )


def _gift(scene: Scene, brand: Client, name: str, thing: dict[str, Any], client: str | None = None) -> str:
    body = run.order_body(scene.now) | {"reference": name.upper(), "gift": {"items": [thing]}}
    start = scene.now + timedelta(hours=4)
    body["window"] |= {"start": start.isoformat(), "end": (start + timedelta(hours=4)).isoformat()}
    if client is not None:
        del body["recipient"], body["tier"]
        body |= {"client": client, "occasion": "birthday"}
    said = brand("POST", "/v1/orders", body, {"Idempotency-Key": f"sealed-{name}"})
    scene.settle()
    return str(said["order_id"])


def _tell(scene: Scene, orders: dict[str, dict[str, Any]]) -> None:
    rows = [
        (name, order["state"], _what(order), order.get("proposed"), ", ".join(order.get("reasons", ())))
        for name, order in orders.items()
    ]
    scene.table(("gift", "is", "now", "proposal", "because"), rows)


def _what(order: dict[str, Any]) -> str:
    return ", ".join(item["name"] for item in order["gift"]["items"])


def _another_kitchen(scene: Scene, brand: Client, order: dict[str, Any]) -> None:
    scene.promise(
        "where nobody has to agree the same cake comes from the second kitchen at once",
        (order["state"], _what(order), len(order.get("was", ()))) == ("booked", CAKE["name"], 1),
        order["state"],
    )
    jobs = [job for company in scene.companies.values() for job in company.jobs_of(order["order_id"])]
    scene.promise(
        "one courier has it, and the first was called off", len([j for j in jobs if j.is_live]) == 1
    )
    heard = [said["type"] for said in scene.listener(BRAND).heard]
    scene.promise("the brand is told that something else goes", "order.substituted" in heard, heard)


def _with_its_word(scene: Scene, brand: Client, order: dict[str, Any]) -> None:
    path = f"/v1/orders/{order['order_id']}/proposals"
    scene.promise(
        "a tart waits, and its brand is told what is proposed",
        (order["state"], order.get("proposed")) == ("held", 1),
    )
    (first,) = brand("GET", path)["data"]
    scene.promise("the best that the brand named comes first", first["name"] == "walnut", first["name"])
    status, _ = scene.refused(lambda: brand("POST", f"{path}/1/accept", {"consent": "brand"}))
    scene.promise("the brand cannot agree in its client's place", status == 422, status)
    brand("POST", f"{path}/1/decline", {"consent": "client", "evidence": "call-17"})
    scene.settle()
    scene.tell("the client would rather not have walnuts")
    second = brand("GET", path)["data"][-1]
    scene.promise("what is next best is proposed then", second["name"] == "sponge", second["name"])
    changed = _substitutes(scene)
    changed["rules"][1]["instead"][1]["items"] = [{**PLAIN_CAKE, "allergens": ["egg"]}]
    brand("PUT", "/v1/substitutes", changed, {"If-Match": '"v1"'})
    status, _ = scene.refused(
        lambda: brand("POST", f"{path}/2/accept", {"consent": "client", "evidence": "call-18"})
    )
    scene.promise("a menu that has changed since is not agreed to unseen", status == 409, status)
    scene.settle()
    third = brand("GET", path)["data"][-1]
    scene.promise(
        "it is proposed anew, and of an egg that nobody knows of only the client can say",
        (third["number"], third["name"], third["needs"]) == (3, "sponge", "client"),
        (third["number"], third["name"], third["needs"]),
    )
    brand("POST", f"{path}/3/accept", {"consent": "client", "evidence": "call-19"})
    scene.settle()
    after = brand("GET", f"/v1/orders/{order['order_id']}")
    scene.promise(
        "with the client's word it goes",
        (after["state"], _what(after)) == ("booked", "Sponge cake"),
        after["state"],
    )


def _never_what_it_must_not_eat(scene: Scene, brand: Client, order: dict[str, Any]) -> None:
    offered = [one["name"] for one in brand("GET", f"/v1/orders/{order['order_id']}/proposals")["data"]]
    scene.promise("who must not eat nuts is not offered any", offered == ["sponge"], offered)
    brand("POST", f"/v1/orders/{order['order_id']}/proposals/1/accept", {})
    scene.settle()


def _the_kitchen_is_quicker(scene: Scene, brand: Client, order: dict[str, Any]) -> None:
    scene.promise("roses are proposed for a dessert box", order.get("proposed") == 1, order.get("proposed"))
    _rule(scene, "RUN-Kitchen", run.KITCHEN, shanghai.LOBBY, "precautionary")
    scene.tell("the kitchen opens again before anybody has agreed to the roses")
    scene.pass_time(minutes=2)
    path = f"/v1/orders/{order['order_id']}"
    status, problem = scene.refused(lambda: brand("POST", f"{path}/proposals/1/accept", {}))
    scene.promise("a yes that comes after that changes nothing", status == 409, problem)
    after = brand("GET", path)
    scene.promise(
        "the box goes as it was", (after["state"], _what(after)) == ("booked", BOX["name"]), after["state"]
    )
