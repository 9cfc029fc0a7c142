"""A brand buys three weeks of yoga and gives each of four clients a pass. The third is the last; the studio redeems a
code once, says when a second try comes, and a week is a week of the client's own calendar.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.keys import Role
from sandbox import shanghai
from sandbox.client import Client
from sandbox.programme._scene import Scene

PRACTICE: Final = "seven-day yoga passes: never one too many, used once, good for seven days from first use"

BRAND, STUDIO, OTHER = "maison-celadon", "yoga-studio", "another-studio"
CLIENTS: Final = {"in Shanghai": "Asia/Shanghai", "in Paris": "Europe/Paris", "in Dubai": "Asia/Dubai"}


def play(scene: Scene) -> None:
    brand, studio = scene.brand(BRAND), scene.caller(Role.PARTNER, STUDIO)
    gift = {
        "kind": "pass",
        "title": "Seven days of yoga",
        "partner": STUDIO,
        "value": {"amount": 70000, "currency": "CNY"},
        "limit": 3,
        "days": 7,
        "redeem_by": (scene.now + timedelta(days=30)).isoformat(),
        "time_zone": shanghai.ZONE_NAME,
        "link": "https://yoga.example/first-time",
    }
    brand("PUT", "/v1/digital-gifts/YOGA-7", gift)
    scene.tell(f"{BRAND} puts three passes in stock, which {STUDIO} honours")
    orders = {
        who: give(scene, brand, "YOGA-7", f"yoga-{n}", zone) for n, (who, zone) in enumerate(CLIENTS.items())
    }
    again = give(scene, brand, "YOGA-7", "yoga-0", "Asia/Shanghai")
    status, problem = scene.refused(lambda: give(scene, brand, "YOGA-7", "yoga-3", "Asia/Shanghai"))
    scene.settle()
    scene.tell("three clients are given one; a request is sent twice; a fourth client asks for one")
    scene.promise("the same request is the same gift", again["order_id"] == orders["in Shanghai"]["order_id"])
    scene.promise("there are three, and no fourth", status == 409, (status, problem))
    heard = [said["type"] for said in scene.listener(BRAND).heard]
    scene.promise(
        "the brand hears of each that it was given",
        heard.count("order.fulfilled_digitally") == 3,
        heard,
    )
    codes = {who: brand("GET", f"/v1/passes/{pass_of(order)}/code")["code"] for who, order in orders.items()}
    used = {who: redeem(studio, code, f"visit-{who[3:]}") for who, code in codes.items()}
    scene.table(
        ("client", "first used", "good until"),
        [(who, told["redeemed_at"], told["valid_until"]) for who, told in used.items()],
    )
    ends = {who: told["valid_until"] for who, told in used.items()}
    scene.promise(
        "seven days are days of the client's own calendar",
        list(ends.values()) == ["2022-04-17T16:00:00Z", "2022-04-17T22:00:00Z", "2022-04-17T20:00:00Z"],
        ends,
    )
    scene.pass_time(hours=2)
    status, problem = scene.refused(lambda: redeem(studio, codes["in Paris"], "visit-again"))
    scene.promise(
        "a second use is refused, and says when the first was",
        status == 409 and "redeemed at 2022-04-11T00:00:00" in problem.get("detail", ""),
        (status, problem),
    )
    same = redeem(studio, codes["in Paris"], "visit-Paris")
    scene.promise("the desk that was not answered asks again and is", same == used["in Paris"], same)
    other = scene.caller(Role.PARTNER, OTHER)
    status, _ = scene.refused(lambda: redeem(other, codes["in Dubai"], "visit-1"))
    scene.promise("another studio finds no such code", status == 404, status)
    scene.pass_time(days=7)
    late = brand("GET", f"/v1/passes/{pass_of(orders['in Shanghai'])}")
    scene.promise("a week later the pass is over", late["expired"] is True, late)


def give(scene: Scene, brand: Client, gift: str, key: str, zone: str, **more: Any) -> dict[str, Any]:
    """An order for that gift, which never has a parcel."""
    wanted = {"market": shanghai.MARKET_ID, "reference": key.upper(), "gift": gift, "time_zone": zone, **more}
    return brand("POST", "/v1/digital-orders", wanted, {"Idempotency-Key": f"{key}-of-{gift}"})


def pass_of(order: dict[str, Any]) -> str:
    return str(order["order_id"]).replace("ord_", "pass_")


def redeem(partner: Client, code: str, visit: str) -> dict[str, Any]:
    return partner("POST", "/v1/redemptions", {"code": code}, {"Idempotency-Key": visit})
