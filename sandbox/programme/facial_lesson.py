"""A facial that clients do themselves, held once by video. The beauty house sends its own list of access codes, in two
parts of which one arrives twice; each goes to one client, and what is withdrawn in time is worth nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chalicelib.domain.keys import Role
from sandbox import shanghai
from sandbox.programme._scene import Scene
from sandbox.programme.yoga_pass import give, pass_of, redeem

PRACTICE: Final = (
    "a DIY facial lesson: a partner's own access codes, each to one client, and a calendar entry"
)

BRAND, HOUSE = "maison-celadon", "beauty-house"
FIRST, SECOND = ["GLOW-7F3A-01", "GLOW-7F3A-02"], ["GLOW-7F3A-03", "glow 7f3a 02"]


def play(scene: Scene) -> None:
    brand, house = scene.brand(BRAND), scene.caller(Role.PARTNER, HOUSE)
    start = scene.now + timedelta(days=2, hours=12)
    lesson = {
        "session_id": "facial",
        "title": "A facial at your own mirror",
        "start": start.isoformat(),
        "end": (start + timedelta(hours=1)).isoformat(),
        "about": "Have the box that came with it at hand",
    }
    gift = {
        "kind": "lesson",
        "title": "A facial at your own mirror",
        "partner": HOUSE,
        "value": {"amount": 120000, "currency": "CNY"},
        "codes": "listed",
        "redeem_by": lesson["end"],
        "time_zone": shanghai.ZONE_NAME,
        "sessions": [lesson],
        "link": "https://beauty.example/live",
    }
    brand("PUT", "/v1/digital-gifts/FACIAL", gift)
    path = "/v1/digital-gifts/FACIAL/codes"
    loaded = [
        brand("PUT", f"{path}/{n}", {"codes": part}) for n, part in ((1, FIRST), (1, FIRST), (2, SECOND))
    ]
    scene.tell(f"{HOUSE} sends its codes in two parts, the first of them twice, one code in both")
    counted = [(part["loaded"], part["known"]) for part in loaded]
    scene.promise("each code is in stock once", counted == [(2, 0), (2, 0), (1, 1)], counted)
    orders = [give(scene, brand, "FACIAL", f"facial-{n}", shanghai.ZONE_NAME) for n in range(3)]
    codes = [brand("GET", f"/v1/passes/{pass_of(order)}/code")["code"] for order in orders]
    scene.promise("three clients have three codes", sorted(codes) == sorted({*FIRST, SECOND[0]}), codes)
    status, problem = scene.refused(lambda: give(scene, brand, "FACIAL", "facial-9", shanghai.ZONE_NAME))
    scene.promise("a fourth client has none", status == 409, problem)
    file = brand.page(f"/v1/passes/{pass_of(orders[0])}/invitation", "text/calendar").decode()
    scene.promise(
        "the calendar has the lesson on the clock of Shanghai",
        "DTSTART;TZID=Asia/Shanghai:20220413T200000" in file and "BEGIN:VTIMEZONE" in file,
        file,
    )
    brand("POST", f"/v1/passes/{pass_of(orders[0])}/withdraw")
    scene.settle()
    scene.tell("one client's gift is withdrawn")
    status, _ = scene.refused(lambda: redeem(house, codes[0], "join-0"))
    scene.promise("its code opens nothing any more", status == 409, status)
    state = brand("GET", f"/v1/orders/{orders[0]['order_id']}")["state"]
    scene.promise("its order is cancelled", state == "cancelled", state)
    status, _ = scene.refused(lambda: give(scene, brand, "FACIAL", "facial-10", shanghai.ZONE_NAME))
    scene.promise("a code that somebody has seen goes to nobody else", status == 409, status)
    scene.until(start)
    joined = redeem(house, codes[1].lower(), "join-1")
    scene.promise(
        "it is used when the lesson begins, however it is typed", joined["state"] == "redeemed", joined
    )
    scene.until(start + timedelta(hours=1))
    status, problem = scene.refused(lambda: redeem(house, codes[2], "join-2"))
    scene.promise(
        "when the lesson is over it is too late", status == 409 and "expired" in problem["detail"], problem
    )
    rows = [
        (code, brand("GET", f"/v1/passes/{pass_of(order)}")["state"])
        for code, order in zip(codes, orders, strict=True)
    ]
    scene.table(("code", "came to"), rows)
