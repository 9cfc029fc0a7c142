"""A birthday: ten brands send their cake to the same client, and that is fine; no brand sends a second one, neither to
the client nor to the household, however many systems of that brand ask for it at the same moment.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sandbox import run, shanghai
from sandbox.client import Client, Refused
from sandbox.programme._scene import MARKET, Scene

PRACTICE: Final = "ten birthday cakes from ten brands, and no second one from any"

BRANDS: Final = tuple(f"house-{number:02d}" for number in range(1, 11))
CAPS: Final = [
    {"per": "client", "at_most": 1, "days": 300, "occasion": "birthday"},
    {"per": "household", "at_most": 2, "days": 7, "occasion": "birthday"},
    {"per": "client", "at_most": 3},
]
AT_ONCE: Final = 16


def play(scene: Scene) -> None:
    for slot in scene.operator("GET", f"{MARKET}/fleet")["slots"]:
        scene.operator("PUT", f"{MARKET}/slots/{slot['slot_id']}", {**slot, "capacity": 40})
    scene.settle()
    brands = {name: scene.brand(name) for name in BRANDS}
    for name, brand in brands.items():
        brand("PUT", "/v1/programme", {"caps": CAPS})
        _enrol(scene, brand, "ma", "501", f"+8617000000{name[-2:]}1")
    scene.tell("ten brands know the same lady, each under its own name for her, and each caps its own gifts")
    placed = {name: _cake(scene, brand, "ma", "cake") for name, brand in brands.items()}
    scene.settle()
    scene.promise("all ten cakes are ordered", len(set(placed.values())) == len(BRANDS), placed)
    again = {
        name: scene.refused(partial(_cake, scene, brand, "ma", "another")) for name, brand in brands.items()
    }
    scene.tell("each brand's other system orders a cake as well")
    scene.promise("every second cake is refused", {status for status, _ in again.values()} == {409}, again)
    named = {
        name: [one for one in placed.values() if one in problem["detail"]]
        for name, (_, problem) in again.items()
    }
    scene.promise(
        "a brand is told which cake of its own it was, and of nobody else's",
        all(named[name] == [placed[name]] for name in BRANDS),
        named,
    )
    same = {name: _cake(scene, brand, "ma", "cake") for name, brand in brands.items()}
    scene.promise("who asks again for the cake that was ordered gets the same answer", same == placed)
    scene.pass_time(hours=8)
    states = {
        name: brands[name]("GET", f"/v1/orders/{order_id}")["state"] for name, order_id in placed.items()
    }
    scene.table(("brand", "cake"), states.items())
    scene.promise("ten cakes arrive", set(states.values()) == {"delivered"}, states)
    _family(scene, brands[BRANDS[0]])
    _at_once(scene, brands[BRANDS[1]])
    _days(scene, brands[BRANDS[2]])


def _enrol(scene: Scene, brand: Client, who: str, flat: str, phone: str) -> None:
    home = run.order_body(scene.now)["recipient"]["place"]
    home["address"] |= {"unit": flat}
    person = {"name": f"{who.title()} (invented)", "phone": phone, "places": {"home": home}}
    told = {"country": "CN", "locale": "zh-CN", "time_zone": shanghai.ZONE_NAME, "person": person}
    brand("PUT", f"/v1/clients/{who}", told)


def _cake(scene: Scene, brand: Client, who: str, key: str, days: float = 0, **changes: Any) -> str:
    body = run.order_body(shanghai.local(8) + timedelta(days=days))
    del body["recipient"], body["tier"]
    body |= {"client": who, "occasion": "birthday", "reference": f"CAKE-{who}", **changes}
    return str(brand("POST", "/v1/orders", body, {"Idempotency-Key": f"{key}-{who}"})["order_id"])


def _family(scene: Scene, brand: Client) -> None:
    """The household has had one cake this week; its second is the last."""
    for number, who in enumerate(("wei", "lan"), start=2):
        _enrol(scene, brand, who, "501室" if who == "wei" else "501", f"+861700000020{number}")
    answers = {}
    for who in ("wei", "lan"):
        answers[who] = scene.refused(partial(_cake, scene, brand, who, "cake", days=1))[0]
    scene.tell(
        "her son and her daughter have birthdays tomorrow, and live with her; the brand lets two into a household"
    )
    scene.table(
        ("client", "answer"),
        [(who, status if status != 200 else "ordered") for who, status in answers.items()],
    )
    scene.promise(
        "a household gets no more than two, whoever of it they are for and however its flat is written",
        list(answers.values()) == [200, 409],
        answers,
    )


def _at_once(scene: Scene, brand: Client) -> None:
    """Sixteen systems of one brand, one client, one cake."""
    _enrol(scene, brand, "yu", "1203", "+8617000000301")
    said: list[int] = []

    def one(number: int) -> None:
        for _ in range(20):  # busy: whoever asks, asks again
            try:
                _cake(scene, brand, "yu", f"system-{number}", days=1)
            except Refused as refused:
                if refused.status == 503:
                    continue
                said.append(refused.status)
                return
            said.append(202)
            return

    threads = [threading.Thread(target=one, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scene.settle()
    scene.tell(f"{AT_ONCE} systems of one brand order a cake for yu at the same moment")
    scene.promise(
        "one is ordered, fifteen are refused", sorted(said) == [202] + [409] * (AT_ONCE - 1), sorted(said)
    )


def _days(scene: Scene, brand: Client) -> None:
    """What was cancelled makes room, and a calendar year has an end."""
    _enrol(scene, brand, "he", "1204", "+8617000000401")
    first = _cake(scene, brand, "he", "first", days=2)
    version = brand("GET", f"/v1/orders/{first}")["version"]
    brand("POST", f"/v1/orders/{first}/cancel", {}, {"If-Match": f'"v{version}"'})
    scene.settle()
    status, _ = scene.refused(lambda: _cake(scene, brand, "he", "second", days=2))
    scene.tell("a cake for he is cancelled, and another ordered")
    scene.promise("a cake that was cancelled is no cake", status == 200, status)
    others = [
        scene.refused(partial(_cake, scene, brand, "he", f"tea-{day}", days=day, occasion="tea"))[0]
        for day in (2, 3, 4)
    ]
    scene.promise("three gifts a calendar year are three, whatever for", others == [200, 200, 409], others)
