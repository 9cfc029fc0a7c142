"""Shop assistants as personal shoppers: each has clients of his own in a country of his own, acts for those and for
nobody else, and every act is on record. What a country asks comes as data: its currency is the one in which its clients
become very important, its borders decide who may be told of whom.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

from chalicelib.domain import jurisdictions
from chalicelib.domain.keys import Role
from sandbox import run
from sandbox.client import Client
from sandbox.programme._scene import Scene

PRACTICE: Final = "shop assistants as personal shoppers, in many countries, each act on record"

BRAND: Final = "maison-celadon"


class Shopper(NamedTuple):
    """An associate and the client that is his."""

    associate: str
    country: str
    client: str
    time_zone: str
    phone: str
    threshold: int
    """For gold, in the minor units of the country's currency."""


SHOPPERS: Final = (
    Shopper("mei", "CN", "vic-cn", "Asia/Shanghai", "+8617000000501", 10_000_000),
    Shopper("anna", "IT", "vic-it", "Europe/Rome", "+390600000001", 1_400_000),
    Shopper("claire", "FR", "vic-fr", "Europe/Paris", "+33100000001", 1_400_000),
    Shopper("jonas", "DE", "vic-de", "Europe/Berlin", "+493000000001", 1_400_000),
    Shopper("urs", "CH", "vic-ch", "Europe/Zurich", "+41440000001", 1_500_000),
    Shopper("noor", "AE", "vic-ae", "Asia/Dubai", "+971400000001", 5_500_000),
)


def play(scene: Scene) -> None:
    brand = scene.brand(BRAND)
    laws = {one.country: jurisdictions.jurisdiction_of(one.country) for one in SHOPPERS}
    by_currency = {laws[one.country].currency: one.threshold for one in SHOPPERS}
    tiers = [
        {"tier": "gold", "spend": {"amount": amount, "currency": currency}}
        for currency, amount in sorted(by_currency.items())
    ]
    brand("PUT", "/v1/programme", {"tiers": tiers})
    keys = {}
    for one in SHOPPERS:
        named = {
            "name": f"{one.associate.title()} (invented)",
            "countries": [one.country],
            "locale": laws[one.country].locales[0],
        }
        brand("PUT", f"/v1/associates/{one.associate}", named)
        keys[one.associate] = scene.caller(Role.ASSOCIATE, BRAND, associate_id=one.associate)
        brand("PUT", f"/v1/clients/{one.client}", _client(scene, one, laws[one.country].locales[0]))
        bought = {
            "purchase": f"till-{one.client}",
            "at": scene.now.isoformat(),
            "amount": {"amount": one.threshold, "currency": laws[one.country].currency},
        }
        brand("POST", f"/v1/clients/{one.client}/purchases", {"purchases": [bought]})
    seen = {
        one.associate: keys[one.associate]("GET", f"/v1/clients/{one.client}/standing") for one in SHOPPERS
    }
    scene.tell(
        "six associates, a country each; the client of each has just bought for as much as gold takes there"
    )
    scene.table(
        ("associate", "country", "currency", "client is", "agreed to hand-over abroad", "countries free to"),
        [
            (
                one.associate,
                laws[one.country].title,
                laws[one.country].currency,
                seen[one.associate]["tier"],
                "no",
                len(laws[one.country].border.free_to),
            )
            for one in SHOPPERS
        ],
    )
    tiers_of = {name: standing["tier"] for name, standing in seen.items()}
    scene.promise(
        "each client is very important in the currency of its country",
        set(tiers_of.values()) == {"gold"},
        tiers_of,
    )
    _own_clients_only(scene, keys)
    _acts(scene, brand, keys["mei"], keys["anna"])
    _borders(scene, brand)
    _taken_back(scene, brand, keys["mei"])


def _client(scene: Scene, one: Shopper, locale: str) -> dict[str, Any]:
    person: dict[str, Any] = {"name": f"Client of {one.associate} (invented)", "phone": one.phone}
    if one.country == "CN":
        person["places"] = {"home": run.order_body(scene.now)["recipient"]["place"]}
    return {
        "country": one.country,
        "locale": locale,
        "time_zone": one.time_zone,
        "associate_id": one.associate,
        "person": person,
    }


def _own_clients_only(scene: Scene, keys: dict[str, Client]) -> None:
    found = {
        name: [one["reference"] for one in key("GET", "/v1/clients")["data"]] for name, key in keys.items()
    }
    own = {one.associate: [one.client] for one in SHOPPERS}
    scene.promise("an associate's list of clients has his own, and nobody else's", found == own, found)
    peeks = {
        (one.associate, other.client): scene.refused(
            partial(keys[one.associate], "GET", f"/v1/clients/{other.client}")
        )
        for one in SHOPPERS
        for other in SHOPPERS
        if one is not other
    }
    nobody = scene.refused(partial(keys["mei"], "GET", "/v1/clients/nobody-at-all"))
    unlike = {
        who: answer for who, answer in peeks.items()
        if (answer[0], str(answer[1]).replace(who[1], "*")) != (nobody[0], str(nobody[1]).replace("nobody-at-all", "*"))
    }  # fmt: skip
    scene.tell(f"each tries to read the clients of the others: {len(peeks)} times, each a 404 as of nobody")
    scene.promise("of another's client an associate cannot even learn that there is one", not unlike, unlike)


def _order(scene: Scene, who: Client, client: str, key: str) -> dict[str, Any]:
    body = run.order_body(scene.now)
    del body["recipient"], body["tier"]
    body |= {"client": client, "occasion": "visit", "reference": f"GIFT-{key}"}
    return who("POST", "/v1/orders", body, {"Idempotency-Key": key})


def _acts(scene: Scene, brand: Client, mei: Client, anna: Client) -> None:
    order = _order(scene, mei, "vic-cn", "from-mei")
    status, problem = scene.refused(lambda: _order(scene, anna, "vic-cn", "from-anna"))
    scene.promise("an associate orders for no client of another", status == 422, (status, problem))
    described = run.order_body(scene.now)
    status, problem = scene.refused(
        lambda: mei("POST", "/v1/orders", described, {"Idempotency-Key": "to-anybody"})
    )
    scene.promise("... nor for somebody whom nobody has enrolled", status == 403, (status, problem))
    scene.settle()
    scene.pass_time(hours=2)
    seen = mei("GET", f"/v1/orders/{order['order_id']}")
    hidden = scene.refused(lambda: anna("GET", f"/v1/orders/{order['order_id']}"))[0]
    scene.promise(
        "the gift that mei ordered is booked, as gold",
        (seen["tier"], seen["state"]) == ("gold", "booked"),
        seen,
    )
    scene.promise("... and anna cannot see it", hidden == 404, hidden)
    consent = {"purpose": "marketing", "granted_at": scene.now.isoformat(), "evidence": "form-in-the-shop"}
    mei("POST", "/v1/clients/vic-cn/consents", {"granted": consent})
    second = _order(scene, mei, "vic-cn", "from-mei-too")
    mei("POST", f"/v1/orders/{second['order_id']}/cancel", {}, {"If-Match": '"v1"'})
    acts = brand("GET", "/v1/clients/vic-cn/acts")["data"]
    scene.tell(
        "mei orders a gift, has her client agree to something in the shop, orders another and cancels it"
    )
    scene.table(
        ("when", "who", "did", "of"),
        [(act["at"][:16], act["by"], act["did"], act.get("of")) for act in reversed(acts)],
    )
    of_mei = sorted(act["did"] for act in acts if act["by"] == "associate:mei")
    scene.promise(
        "all that mei did is on record under her name",
        of_mei == ["consent_changed", "gift_cancelled", "gift_ordered", "gift_ordered"],
        of_mei,
    )


def _borders(scene: Scene, brand: Client) -> None:
    """The courier keeps its data abroad: of a client in China who has not agreed to that it is not told."""
    status, problem = scene.refused(lambda: _move_data(scene, "US"))
    scene.promise("a courier may say where it keeps its data", status == 200, problem)
    order = _order(scene, brand, "vic-cn", "over-the-border")
    scene.settle()
    held = brand("GET", f"/v1/orders/{order['order_id']}")
    scene.tell("the courier moves its data to the United States, and another gift is ordered")
    scene.promise(
        "the gift is held for want of a consent", "consent_missing" in held.get("reasons", ()), held
    )
    consent = {"purpose": "cross_border", "granted_at": scene.now.isoformat(), "evidence": "call-17"}
    brand("POST", "/v1/clients/vic-cn/consents", {"granted": consent})
    after = _order(scene, brand, "vic-cn", "once-agreed")
    scene.settle()
    scene.pass_time(minutes=30)
    seen = brand("GET", f"/v1/orders/{after['order_id']}")
    scene.tell(f"the client agrees; the next gift is {seen['state']}")
    scene.promise("once the client has agreed the courier is told", seen["state"] == "booked", seen)


def _move_data(scene: Scene, region: str) -> None:
    from sandbox.programme._scene import MARKET

    (courier,) = scene.operator("GET", f"{MARKET}/fleet")["couriers"]
    scene.operator("PUT", f"{MARKET}/couriers/{courier['courier_id']}", {**courier, "data_region": region})
    scene.settle()


def _taken_back(scene: Scene, brand: Client, mei: Client) -> None:
    read = brand("GET", "/v1/associates/mei")
    told = {name: read[name] for name in ("name", "countries", "locale")}
    brand("PUT", "/v1/associates/mei", {**told, "disabled": True}, {"If-Match": f'"v{read["version"]}"'})
    status = scene.refused(lambda: mei("GET", "/v1/clients/vic-cn"))[0]
    scene.tell("mei leaves the brand")
    scene.promise("whoever was taken back acts for nobody, with the same key", status == 403, status)
