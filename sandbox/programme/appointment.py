"""The boutique that comes to the client's door: a team with twelve pieces on loan. The client asks for another time on
the page behind a link; the rules at the door have to hold until the team is out again; two pieces stay with the client;
and of one that nobody counts back the boutique is reminded until somebody does.
"""

from __future__ import annotations

import html
import json
import re
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from icalendar import Calendar

from chalicelib.domain.curfews import Curfew
from chalicelib.domain.fleet import Courier
from chalicelib.domain.policies import Handover
from sandbox import documents, run, shanghai
from sandbox.client import Client
from sandbox.programme._scene import MARKET, Scene

PRACTICE: Final = "the boutique that comes to the client's door, by appointment"

TEAM: Final = Courier(
    courier_id="boutique-team", market_id=shanghai.MARKET_ID, dialect="partner", account="boutique"
)
COURIERS: Final = (*shanghai.Shanghai.couriers()[:1], TEAM)
VISITED: Final = shanghai.LOBBY.model_copy(
    update={
        "policy_id": "sha-visited",
        "title": "Visitors who were tested may go to the door, and are out by eight in the evening (invented)",
        "handovers": frozenset({Handover.DOOR, Handover.LOBBY, Handover.GATE}),
        "curfews": (Curfew.model_validate({"start_local": "20:00", "end_local": "06:00"}),),
    }
)
BRAND: Final = "maison-celadon"
PIECES: Final = [
    {
        "serial": f"MC-{number:03d}",
        "name": "Evening bag",
        "item_class": "fashion",
        "value": {"amount": 1_850_000, "currency": "CNY"},
    }
    for number in range(1, 13)
]
MINUTES: Final = 90
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


def play(scene: Scene) -> None:
    _open_the_door(scene)
    brand = scene.brand(BRAND)
    order_id = _appointed(scene, brand)
    _moved_by_the_client(scene, brand, order_id)
    _too_late_in_the_evening(scene, brand)
    _visited(scene, brand, order_id)
    _counted(scene, brand, order_id)
    _called_off(scene, brand)


def _open_the_door(scene: Scene) -> None:
    unit = {"kind": "compound", "district": "310101", "compound": run.OPEN}
    since = scene.now - timedelta(minutes=1)
    zone = documents.feature(
        "RUN-Garden",
        unit,
        VISITED,
        "precautionary",
        since,
        since,
        "Notice of the compound's committee (invented)",
    )
    scene.publish([zone], [VISITED])
    negative = {
        "result": "negative",
        "sampled_at": (scene.now - timedelta(minutes=90)).isoformat(),
        "reported_at": scene.now.isoformat(),
    }
    crew = {
        "courier_id": TEAM.courier_id,
        "vehicle": {"plate": "HU-B20002", "compartments": []},
        "credentials": [{"kind": "pcr", **negative}, {"kind": "antigen", **negative}],
    }
    scene.operator("PUT", f"{MARKET}/crews/team-01", crew)
    valid = {"start": since.isoformat(), "end": (scene.now + timedelta(days=3)).isoformat()}
    scene.operator(
        "PUT", f"{MARKET}/permits/pass-team", {"plate": "HU-B20002", "districts": "all", "valid": valid}
    )
    for name, start, end in (("noon", 10, 14), ("afternoon", 14, 18), ("evening", 17, 21)):
        hours = {"start": shanghai.local(start).isoformat(), "end": shanghai.local(end).isoformat()}
        slot = {
            "courier_id": TEAM.courier_id,
            "crew_id": "team-01",
            "window": hours,
            "capacity": 1,
            "visits": True,
            "price": {"amount": 120_000, "currency": "CNY"},
        }
        scene.operator("PUT", f"{MARKET}/slots/team-{name}", slot)
    scene.settle()
    scene.tell(
        f"{run.OPEN} lets tested visitors in until eight; a team of the boutique has three visits a day to give"
    )


def _body(scene: Scene, start: int, end: int, reference: str = "VISIT-0001") -> dict[str, Any]:
    told = run.order_body(scene.now)
    kept = {name: told[name] for name in ("market", "pick_up", "recipient")}
    kept["pick_up"] = {**told["pick_up"], "name": "Maison Celadon, Huaihai Road"}
    return {
        **kept,
        "reference": reference,
        "tier": "diamond",
        "minutes": MINUTES,
        "pieces": PIECES,
        "window": _window(start, end),
    }


def _window(start: int, end: int) -> dict[str, str]:
    first, last = shanghai.local(start).isoformat(), shanghai.local(end).isoformat()
    return {"start": first, "end": last, "time_zone": shanghai.ZONE_NAME}


def _appointed(scene: Scene, brand: Client) -> str:
    body, key = _body(scene, 10, 12), {"Idempotency-Key": "visit-1"}
    said = brand("POST", "/v1/appointments", body, key)
    again = brand("POST", "/v1/appointments", body, key)
    scene.promise("asked for twice it is one appointment", again["order_id"] == said["order_id"], again)
    scene.settle()
    order_id = str(said["order_id"])
    order = brand("GET", f"/v1/orders/{order_id}")
    scene.tell(
        f"an appointment between ten and twelve, {len(PIECES)} pieces, {MINUTES} minutes: {order['state']}"
    )
    scene.promise(
        "it is booked with the team, at the door",
        (order["state"], order["courier"], order["handover"]) == ("booked", TEAM.courier_id, "door"),
        order,
    )
    pieces = brand("GET", f"/v1/orders/{order_id}/evidence")["data"]
    until = max(
        datetime.fromisoformat(piece["judged_until"]) for piece in pieces if piece["decision"] == "yes"
    )
    scene.promise(
        "what lets the team in was asked to hold until the last arrival, the visit and the way out are over",
        until >= shanghai.local(12) + timedelta(minutes=MINUTES + 30),
        until.isoformat(),
    )
    return order_id


def _moved_by_the_client(scene: Scene, brand: Client, order_id: str) -> None:
    method, first = _entry(brand, order_id)
    link = brand("POST", f"/v1/orders/{order_id}/link", {"language": "zh-CN"})
    page = _get(scene, link["url"])
    scene.promise("the page is in the client's language", 'lang="zh-CN"' in page, page[:200])
    form = _field(page, "form")
    asked = {
        "form": form,
        "lang": "zh-CN",
        "do": "move",
        "day": f"{shanghai.local(14):%Y-%m-%d}",
        "from": "14:00",
    }
    for _ in range(2):
        scene.pool.request("POST", link["url"], body=urlencode(asked), headers=FORM, redirect=False)
    scene.settle()
    order = brand("GET", f"/v1/orders/{order_id}")
    scene.tell("the client opens the link, and asks for two in the afternoon instead, with two clicks")
    scene.promise(
        "the team is booked for the hours that the client asked for",
        order["state"] == "booked" and datetime.fromisoformat(order["window"]["start"]) == shanghai.local(14),
        order,
    )
    team = scene.companies[TEAM.courier_id]
    found = (len(team.jobs_of(order_id)), team.live_jobs(order_id))
    scene.promise("of the two jobs that the team was given it has one", found == (2, 1), found)
    _, second = _entry(brand, order_id)
    scene.promise(
        "the entry in the calendar is the same one, and has moved",
        (str(second["UID"]), int(second["SEQUENCE"])) == (str(first["UID"]), int(first["SEQUENCE"]) + 1)
        and second["DTSTART"].dt == shanghai.local(14),
        f"{method} {first['SEQUENCE']} {second['SEQUENCE']}",
    )


def _too_late_in_the_evening(scene: Scene, brand: Client) -> None:
    """A parcel could be handed over shortly before eight; a team would still be there."""
    body = _body(scene, 18, 20, "VISIT-LATE")
    order_id = str(brand("POST", "/v1/appointments", body, {"Idempotency-Key": "visit-late"})["order_id"])
    scene.settle()
    order = brand("GET", f"/v1/orders/{order_id}")
    scene.tell(
        f"another appointment, from six to eight in the evening: {order['state']}, {order.get('reasons')}"
    )
    scene.promise(
        "nobody is sent who would still be at the client's when nobody may be",
        order["state"] == "held" and "curfew" in order["reasons"],
        order,
    )
    brand("POST", f"/v1/orders/{order_id}/cancel", None, {"If-Match": f'"v{order["version"]}"'})
    scene.settle()


def _visited(scene: Scene, brand: Client, order_id: str) -> None:
    out = {"pieces": [{"serial": piece["serial"], "state": "out"} for piece in PIECES]}
    brand("POST", f"/v1/orders/{order_id}/manifest", out)
    scene.tell("the boutique counts twelve pieces out")
    scene.until(shanghai.local(15))
    order = brand("GET", f"/v1/orders/{order_id}")
    scene.promise("at three the team is with the client", order["state"] == "picked_up", order["state"])
    scene.until(shanghai.local(18))
    order = brand("GET", f"/v1/orders/{order_id}")
    scene.tell(f"at six the visit is over: {order['state']}, missing {len(order['appointment']['missing'])}")
    scene.promise("the visit took place", order["state"] == "delivered", order["state"])
    scene.promise(
        "every piece that nobody has counted is named",
        order["appointment"]["missing"] == [piece["serial"] for piece in PIECES],
        order["appointment"]["missing"],
    )


def _counted(scene: Scene, brand: Client, order_id: str) -> None:
    path = f"/v1/orders/{order_id}/manifest"
    sold = [{"serial": serial, "state": "sold"} for serial in ("MC-003", "MC-007")]
    back = [
        {"serial": piece["serial"], "state": "back"}
        for piece in PIECES
        if piece["serial"] not in ("MC-003", "MC-007", "MC-012")
    ]
    order = brand("POST", path, {"pieces": [*sold, *back]})
    scene.promise(
        "one piece is missing, and named", order["appointment"]["missing"] == ["MC-012"], order["appointment"]
    )
    scene.promise(
        "until it is found the chain of custody ends with the team",
        order["custody"]["stretches"][-1]["holder"] == "courier",
        order["custody"],
    )
    scene.pass_time(hours=3)
    reminders = [said for said in scene.listener(BRAND).heard if said["type"] == "order.manifest_open"]
    scene.tell("nine come back, two were sold; of MC-012 nobody says a word")
    scene.promise("the boutique was reminded of it", len(reminders) == 1, len(reminders))
    order = brand("POST", path, {"pieces": [{"serial": "MC-012", "state": "back"}]})
    scene.promise(
        "once it is counted nothing is missing, and what was not sold is in the boutique",
        order["appointment"]["missing"] == [] and order["custody"]["stretches"][-1]["holder"] == "shop",
        order["custody"],
    )
    rows = [(piece["serial"], piece["state"], piece["since"]) for piece in order["appointment"]["pieces"]]
    scene.table(("piece", "is", "since"), rows)


def _called_off(scene: Scene, brand: Client) -> None:
    body = _body(scene, 10, 12, "VISIT-0002") | {"window": _tomorrow(scene)}
    order_id = str(brand("POST", "/v1/appointments", body, {"Idempotency-Key": "visit-2"})["order_id"])
    scene.settle()
    version = brand("GET", f"/v1/orders/{order_id}")["version"]
    brand("POST", f"/v1/orders/{order_id}/cancel", None, {"If-Match": f'"v{version}"'})
    scene.settle()
    method, entry = _entry(brand, order_id)
    scene.tell("another appointment is called off")
    scene.promise(
        "its calendar file takes the entry out",
        (method, str(entry["STATUS"]), int(entry["SEQUENCE"])) == ("CANCEL", "CANCELLED", 1),
        f"{method} {entry['STATUS']} {entry['SEQUENCE']}",
    )


def _tomorrow(scene: Scene) -> dict[str, str]:
    start = scene.now + timedelta(hours=12)
    return {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=2)).isoformat(),
        "time_zone": shanghai.ZONE_NAME,
    }


def _entry(brand: Client, order_id: str) -> tuple[str, Any]:
    calendar = Calendar.from_ical(brand.page(f"/v1/orders/{order_id}/calendar", "text/calendar").decode())
    (event,) = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), event


def _get(scene: Scene, url: str) -> str:
    return bytes(scene.pool.request("GET", url).data).decode()


def _field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    return html.unescape(found[1]) if found else json.dumps(None)
