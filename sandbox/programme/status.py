"""Very important is who has spent about CNY 100,000 in a year, more at another brand; or whom a named member of staff
has granted it, expecting that the client will. When places are short, they are served first; and every change of a tier
can be read afterwards, with who did it and why.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sandbox import run, shanghai
from sandbox.client import Client
from sandbox.programme._scene import MARKET, Scene

PRACTICE: Final = (
    "very-important status by yearly spend, different by brand, or granted by staff, with its history"
)

BRANDS: Final = {"maison-celadon": 10_000_000, "atelier-nuage": 20_000_000}
"""What each brand asks for gold, in fen a year."""
BOUGHT: Final = {"lin": 12_000_000, "zhao": 12_000_000, "qian": 9_900_000, "sun": 0}
"""What each client has spent at either brand within the year."""
PLACES: Final = 3


def play(scene: Scene) -> None:
    brands = {name: scene.brand(name) for name in BRANDS}
    for name, threshold in BRANDS.items():
        _set_up(scene, brands[name], threshold)
        _buy(scene, brands[name])
    scene.tell("both brands have handed in what the same four clients have bought this year")
    scene.table(
        ("client", "spent, CNY", *BRANDS),
        [
            (who, f"{amount / 100:,.0f}", *(_tier(brand, who) for brand in brands.values()))
            for who, amount in BOUGHT.items()
        ],
    )
    maison, atelier = brands.values()
    scene.promise(
        "CNY 120,000 is gold at the one brand", _tier(maison, "lin") == "gold", _tier(maison, "lin")
    )
    scene.promise("... and not at the other", _tier(atelier, "lin") == "standard", _tier(atelier, "lin"))
    scene.promise("CNY 99,000 is not", _tier(maison, "qian") == "standard", _tier(maison, "qian"))
    _say_again(scene, maison)
    _refuse(scene, maison)
    _grant(scene, maison)
    _serve(scene, maison)
    _take_back(scene, maison)
    _lapse(scene, maison)


def _set_up(scene: Scene, brand: Client, threshold: int) -> None:
    tiers = [
        {"tier": "gold", "spend": {"amount": threshold, "currency": "CNY"}},
        {"tier": "diamond", "spend": {"amount": 5 * threshold, "currency": "CNY"}},
    ]
    brand("PUT", "/v1/programme", {"days": 365, "tiers": tiers})
    for number, who in enumerate(BOUGHT, start=1):
        home = run.order_body(scene.now)["recipient"]["place"]
        home["address"] |= {"unit": f"{number}01"}
        person = {
            "name": f"{who.title()} (invented)",
            "phone": f"+861700000010{number}",
            "places": {"home": home},
        }
        told = {"country": "CN", "locale": "zh-CN", "time_zone": shanghai.ZONE_NAME, "person": person}
        brand("PUT", f"/v1/clients/{who}", told)


def _buy(scene: Scene, brand: Client) -> None:
    for who, amount in BOUGHT.items():
        if amount:
            halves = [amount // 2, amount - amount // 2]
            brand("POST", f"/v1/clients/{who}/purchases", {"purchases": [
                _purchase(f"{who}-{number}", half, scene.now - timedelta(days=364 - 200 * number))
                for number, half in enumerate(halves)
            ]})  # fmt: skip


def _purchase(name: str, amount: int, at: datetime, **more: str) -> dict[str, Any]:
    return {"purchase": name, "at": at.isoformat(), "amount": {"amount": amount, "currency": "CNY"}, **more}


def _standing(brand: Client, who: str) -> dict[str, Any]:
    return brand("GET", f"/v1/clients/{who}/standing")


def _tier(brand: Client, who: str) -> str:
    return str(_standing(brand, who)["tier"])


def _say_again(scene: Scene, brand: Client) -> None:
    before = _standing(brand, "lin")["spent"]
    _buy(scene, brand)
    scene.tell("the nightly list of purchases is sent in a second time")
    after = _standing(brand, "lin")["spent"]
    scene.promise("a purchase counts once, however often it is sent", after == before, after)


def _refuse(scene: Scene, brand: Client) -> None:
    status, problem = scene.refused(lambda: _give(scene, brand, "sun", tier="gold"))
    scene.tell(f"an order states gold for sun, who has bought nothing: {status}")
    pointers = [fault["pointer"] for fault in problem.get("errors", ())]
    scene.promise(
        "nobody states a tier that the client does not have", (status, pointers) == (422, ["/tier"]), problem
    )


def _grant(scene: Scene, brand: Client) -> None:
    until = (scene.now + timedelta(days=90)).isoformat()
    new = {"grant": "spring-22", "tier": "diamond", "reason": "expected-to-spend", "expires_at": until}
    status, _ = scene.refused(lambda: brand("POST", "/v1/clients/sun/grants", new))
    scene.promise("a grant that nobody has put a name to is refused", status == 400, status)
    brand("POST", "/v1/clients/sun/grants", new, {"X-Acting-Staff": "chen.yu"})
    scene.tell("chen.yu grants sun diamond for ninety days: expected to spend")
    standing = _standing(brand, "sun")
    scene.promise(
        "a grant names who gave it, why and until when, and lifts the client",
        (standing["tier"], standing["rests_on"], standing["grants"][0]["by"])
        == ("diamond", "grant", "staff:chen.yu"),
        standing,
    )


def _give(scene: Scene, brand: Client, who: str, **changes: Any) -> dict[str, Any]:
    body = run.order_body(scene.now)
    del body["recipient"], body["tier"]
    body |= {"client": who, "reference": f"BOX-{who}", "occasion": "spring", **changes}
    return brand("POST", "/v1/orders", body, {"Idempotency-Key": f"spring-{who}"})


def _serve(scene: Scene, brand: Client) -> None:
    """Everybody is given the same; there are fewer places than gifts."""
    fleet = scene.operator("GET", f"{MARKET}/fleet")
    for number, slot in enumerate(sorted(fleet["slots"], key=lambda one: one["window"]["start"])):
        changed = {**slot, "capacity": PLACES if number == 0 else 0}
        scene.operator("PUT", f"{MARKET}/slots/{slot['slot_id']}", changed)
    scene.settle()
    orders = {who: _give(scene, brand, who) for who in ("qian", "zhao", "lin", "sun")}
    scene.settle()
    scene.pass_time(hours=2)
    read = {who: brand("GET", f"/v1/orders/{order['order_id']}") for who, order in orders.items()}
    scene.tell(f"a dessert box for each of the four, and {PLACES} places in the only vehicle")
    scene.table(
        ("client", "tier of the order", "came to"),
        [(who, order["tier"], order["state"]) for who, order in read.items()],
    )
    tiers = {who: order["tier"] for who, order in read.items()}
    expected = {"qian": "standard", "zhao": "gold", "lin": "gold", "sun": "diamond"}
    scene.promise("the tier of each order follows from its client's standing", tiers == expected, tiers)
    waits = [who for who, order in read.items() if order["state"] in ("held", "placed")]
    scene.promise("whoever is not very important waits, though asked for first", waits == ["qian"], waits)


def _take_back(scene: Scene, brand: Client) -> None:
    refund = _purchase("lin-back", 3_000_000, scene.now, refunds="lin-1")
    brand("POST", "/v1/clients/lin/purchases", {"purchases": [refund]})
    brand("DELETE", "/v1/clients/sun/grants/spring-22", headers={"X-Acting-Staff": "chen.yu"})
    scene.tell("lin brings something back worth CNY 30,000; chen.yu takes the grant back")
    scene.table(
        ("client", "when", "came to", "because", "of", "by"),
        [
            (who, change["at"][:10], change["tier"], change["because"], change.get("of"), change.get("by"))
            for who in ("lin", "sun")
            for change in _standing(brand, who)["history"]
        ],
    )
    steps = {
        who: [(change["tier"], change["because"]) for change in _standing(brand, who)["history"]]
        for who in ("lin", "sun")
    }
    scene.promise(
        "every change is in the history, with what caused it",
        steps
        == {
            "lin": [("gold", "purchase"), ("standard", "refund")],
            "sun": [("diamond", "grant"), ("standard", "revoked")],
        },
        steps,
    )
    acts = brand("GET", "/v1/clients/sun/acts")["data"]
    who = {(act["did"], act["by"]) for act in acts}
    named = {("tier_granted", "staff:chen.yu"), ("grant_revoked", "staff:chen.yu"), ("gift_ordered", "brand")}
    scene.promise("who did what for a client is on record", named <= who, sorted(who))


def _lapse(scene: Scene, brand: Client) -> None:
    said = _standing(brand, "zhao")["until"]
    scene.pass_time(days=2)
    standing = _standing(brand, "zhao")
    scene.tell(f"two days on, what zhao bought a year ago counts no more: {standing['tier']}")
    last = standing["history"][-1]
    scene.promise(
        "a tier lapses on the day that was foretold, though nobody was looking",
        (last["tier"], last["because"], last["at"]) == ("standard", "lapsed", said),
        (last, said),
    )
