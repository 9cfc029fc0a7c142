"""In the evening a brand hands in its clients as a table, first with mistakes in it, and has boxed meals brought to the
very important ones the next day: one request, foreseen client by client before anything is sent, placed once however
often it is asked for, and reported on when the day is over. A second campaign is called off in time.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import timedelta
from typing import Any, Final

from sandbox import documents, run, shanghai
from sandbox.client import Client
from sandbox.programme._scene import MARKET, Scene

PRACTICE: Final = "boxed meals to very important clients the next day: one gift, a rule, a day and windows"

BRAND: Final = "maison-celadon"
CLIENTS: Final = 60
GOLD: Final = 10_000_000
HERE: Final = ("reference", "name", "phone", "country", "locale", "time_zone", "consent_service", "consent_evidence",
               "city", "district", "compound", "building", "unit", "line", "lng", "lat", "datum", "match_quality",
               "spent", "currency", "spent_on")  # fmt: skip
NOWHERE, SHUT = "Unmapped Court", "Shut Court"
HOURS: Final = [
    {"start": "10:00", "end": "14:00", "districts": ["310101"]},
    {"start": "12:00", "end": "16:00"},
]
HAS_ONE: Final = "vic-004"
"""A gold client who has had a gift for the occasion already."""


def play(scene: Scene) -> None:
    brand = scene.brand(BRAND)
    brand("PUT", "/v1/programme", {
        "days": 365,
        "tiers": [{"tier": "gold", "spend": {"amount": GOLD, "currency": "CNY"}}],
        "caps": [{"per": "client", "at_most": 1, "occasion": "lockdown-box"}],
    })  # fmt: skip
    unit = {"kind": "compound", "district": "310101", "compound": SHUT}
    since = scene.now - timedelta(minutes=1)
    basis = "Notice of the compound's committee (invented)"
    scene.publish([documents.feature("RUN-Shut", unit, shanghai.NO_ACCESS, "no_access", since, since, basis)])
    _hand_in_with_mistakes(scene, brand)
    _hand_in(scene, brand)
    scene.pass_time(hours=12)
    _ready_for_tomorrow(scene)
    _one_has_had_it(scene, brand)
    campaign = _foreseen(scene, brand)
    _placed(scene, brand, campaign)
    scene.until(shanghai.local(18) + timedelta(days=1))
    _told_after(scene, brand, campaign)
    _called_off(scene, brand)


# --- the table ----------------------------------------------------------------------------------------------


def _rows() -> list[dict[str, Any]]:
    """Sixty invented clients; two in three have spent enough, some live where nobody may go, or nobody has ruled."""
    rows = []
    for number in range(CLIENTS):
        compound = {2: run.SEALED, 7: SHUT, 11: NOWHERE}.get(number % 12, run.OPEN)
        place = run.order_body(shanghai.local(8), compound)["recipient"]["place"]
        address, point = place["address"], place["coordinate"]
        told = {
            "reference": f"vic-{number:03d}", "name": f"Client {number} (invented)",
            "phone": f"+86170000{number:05d}", "country": "CN", "locale": "zh-CN",
            "time_zone": shanghai.ZONE_NAME, "consent_service": "2022-01-10", "consent_evidence": "form-7",
            **{name: address[name] for name in ("city", "district", "compound", "building", "line")},
            "unit": f"{number}01", **{name: point[name] for name in ("lng", "lat", "datum")},
            "match_quality": "exact", "spent": "120000.00" if number % 3 else "40000.00", "currency": "CNY",
            "spent_on": "2022-03-01",
        }  # fmt: skip
        rows.append(told)
    return rows


def _file(rows: list[dict[str, Any]], head: tuple[str, ...] = HERE) -> bytes:
    page = io.StringIO()
    writer = csv.DictWriter(page, head)
    writer.writeheader()
    writer.writerows(rows)
    return page.getvalue().encode("gb18030")


def _sent(scene: Scene, brand: Client, raw: bytes) -> dict[str, Any]:
    """A list in two parts, cut in the middle of a row, and what became of it."""
    begun = brand("POST", "/v1/lists", {"charset": "gb18030", "currency": "CNY"})["list_id"]
    kind = {"Content-Type": "application/octet-stream; charset=gb18030"}
    middle = len(raw) // 2
    for number, part in enumerate((raw[:middle], raw[middle:]), start=1):
        brand("PUT", f"/v1/lists/{begun}/parts/{number}", part, kind)
    brand("POST", f"/v1/lists/{begun}/finish", {"parts": 2})
    scene.settle()
    return brand("GET", f"/v1/lists/{begun}")


def _hand_in_with_mistakes(scene: Scene, brand: Client) -> None:
    rows = _rows()
    rows[4]["phone"] = "017000000004"
    rows[9]["name"] = '=HYPERLINK("http://example.com")'
    rows[20]["currency"] = "EUR"
    rows[33]["reference"] = "vic-032"
    found = _sent(scene, brand, _file(rows))
    scene.tell(f"a table of {CLIENTS} clients is handed in, with four mistakes: it is {found['state']}")
    scene.table(
        ("row", "column", "expected"),
        [(fault["row"], fault["column"], fault["detail"][:70]) for fault in found["faults"]],
    )
    told = [(fault["row"], fault["column"]) for fault in found["faults"]]
    wanted = [(6, "phone"), (11, "name"), (22, "currency"), (35, "reference")]
    scene.promise("each mistake is told by row and column", told == wanted, told)
    scene.promise("nothing personal is repeated", "017000000004" not in json.dumps(found), found)
    clients = brand("GET", "/v1/clients")["data"]
    scene.promise("nobody of that table is enrolled", clients == [], clients)


def _hand_in(scene: Scene, brand: Client) -> None:
    found = _sent(scene, brand, _file(_rows()))
    again = _sent(scene, brand, _file(_rows()))
    scene.tell(f"put right, everybody is enrolled: {found['progress']['outcomes']}; sent in once more, "
               f"{again['progress']['outcomes']}")  # fmt: skip
    scene.promise(
        "the table enrols everybody once",
        (found["progress"]["outcomes"], again["progress"]["outcomes"])
        == ({"enrolled": CLIENTS}, {"unchanged": CLIENTS}),
        (found["progress"], again["progress"]),
    )
    standing = brand("GET", "/v1/clients/vic-001/standing")["tier"]
    scene.promise("what was spent by the table makes the tier", standing == "gold", standing)


# --- the campaign -------------------------------------------------------------------------------------------


def _ready_for_tomorrow(scene: Scene) -> None:
    """The crew is tested in the evening, and there are places for the whole of tomorrow."""
    tested = {"result": "negative", "sampled_at": scene.now.isoformat(), "reported_at": scene.now.isoformat()}
    scene.operator("PUT", f"{MARKET}/crews/crew-01", {
        "courier_id": "sftc",
        "vehicle": {"plate": "HU-A10001", "compartments": [{"min_c": 0, "max_c": 8}]},
        "credentials": [{"kind": "pcr", **tested}, {"kind": "antigen", **tested}],
    })  # fmt: skip
    tomorrow = shanghai.local(10) + timedelta(days=1)
    window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(hours=6)).isoformat()}
    scene.operator("PUT", f"{MARKET}/slots/slot-tomorrow", {
        "courier_id": "sftc", "crew_id": "crew-01", "window": window, "capacity": 100,
        "price": {"amount": 3000, "currency": "CNY"},
    })  # fmt: skip
    scene.settle()


def _one_has_had_it(scene: Scene, brand: Client) -> None:
    whole = run.order_body(scene.now)
    given = {name: whole[name] for name in ("market", "gift", "pick_up", "window")}
    told = {**given, "reference": "BOX-BEFORE", "client": HAS_ONE, "occasion": "lockdown-box"}
    brand("POST", "/v1/orders", told, {"Idempotency-Key": "before"})
    scene.settle()


def _asked(scene: Scene, brand: Client, reference: str, audience: dict[str, Any]) -> dict[str, Any]:
    whole = run.order_body(scene.now)
    body = {
        "market": shanghai.MARKET_ID, "reference": reference, "gift": whole["gift"], "pick_up": whole["pick_up"],
        "audience": audience, "occasion": "lockdown-box", "hours": HOURS,
        "day": (scene.now.astimezone(shanghai.LOCAL) + timedelta(days=1)).date().isoformat(),
    }  # fmt: skip
    made = brand("POST", "/v1/campaigns", body, {"Idempotency-Key": reference})
    scene.settle()
    return brand("GET", f"/v1/campaigns/{made['campaign_id']}")


def _foreseen(scene: Scene, brand: Client) -> dict[str, Any]:
    before = [order["order_id"] for order in brand.pages("/v1/orders")]
    rule = {"tier_at_least": "gold", "consent": "service", "open_occasion": "lockdown-box"}
    campaign = _asked(scene, brand, "BOXED-MEALS", {"rule": rule})
    plan, gathered = campaign["plan"], campaign["gathered"]
    scene.tell(
        f"a campaign for tomorrow is {campaign['state']}: for {campaign['clients']} of {CLIENTS} clients"
    )
    scene.table(
        ("passed by because", "clients"), [(why, count) for why, count in gathered["reasons"].items()]
    )
    scene.table(
        ("foreseen", "clients"),
        [
            *plan["tally"]["outcomes"].items(),
            *(("  " + why, n) for why, n in plan["tally"]["reasons"].items()),
        ],
    )
    after = [order["order_id"] for order in brand.pages("/v1/orders")]
    scene.promise("nothing is sent before it is told to be", before == after, after)
    gold = sum(1 for number in range(CLIENTS) if number % 3)
    scene.promise(
        "the rule takes the gold ones, and not whom the gift was given to already",
        (campaign["clients"], gathered["reasons"].get("occasion_given")) == (gold - 1, 1),
        (campaign["clients"], gathered),
    )
    scene.promise(
        "who cannot get it is told with the reason, client by client",
        {"no_handover", "zone_unknown"} <= plan["tally"]["reasons"].keys(),
        plan["tally"]["reasons"],
    )
    scene.promise("there are places for all who may", plan["short_by"] == 0, plan)
    return campaign


def _placed(scene: Scene, brand: Client, campaign: dict[str, Any]) -> None:
    path = f"/v1/campaigns/{campaign['campaign_id']}"
    tag = {"If-Match": f'"v{campaign["version"]}"'}
    for _ in range(2):  # whoever did not hear the answer asks again
        brand("POST", f"{path}/place", headers=tag)
    scene.settle()
    _asked(scene, brand, "BOXED-MEALS", campaign["audience"])
    found = brand("GET", path)
    orders = [order for order in brand.pages("/v1/orders") if order["reference"] == "BOXED-MEALS"]
    scene.tell(f"it is {found['state']}: {found['progress']['outcomes']}")
    scene.promise(
        "an order for each client, and for nobody two, however often it was asked for",
        len(orders) == len({order["order_id"] for order in orders}) == campaign["clients"],
        len(orders),
    )


def _told_after(scene: Scene, brand: Client, campaign: dict[str, Any]) -> None:
    path = f"/v1/campaigns/{campaign['campaign_id']}"
    brand("POST", f"{path}/report")
    scene.settle()
    tally = brand("GET", f"{path}/report")["tally"]
    scene.tell("the day is over, and the brand has a report made")
    scene.table(("state", "gifts"), sorted(tally["outcomes"].items()))
    scene.table(("because", "gifts"), sorted(tally["reasons"].items()))
    clients = list(_clients(brand, path))
    came = Counter((one["foreseen"], one["state"]) for one in clients)
    delivered = {"delivered", "at_gate"}
    scene.promise(
        "what was foreseen came about: who could get it has it, and nobody else",
        all((state in delivered) == (foreseen == "yes") for foreseen, state in came),
        dict(came),
    )
    scene.promise(
        "the report adds up to everybody",
        sum(tally["outcomes"].values()) == campaign["clients"] == len(clients),
        tally,
    )
    rows = list(
        csv.reader(io.StringIO(brand.page(f"{path}/clients?rows=1000", "text/csv").decode("utf-8-sig")))
    )
    scene.promise(
        "and it is a table for whoever works with one", len(rows) == campaign["clients"] + 1, len(rows)
    )


def _clients(brand: Client, path: str) -> list[dict[str, Any]]:
    page = brand("GET", f"{path}/clients?rows=1000")
    return list(page["data"])


def _called_off(scene: Scene, brand: Client) -> None:
    named = {"clients": [{"client": "vic-000", "tier": "standard"}, {"client": "vic-006"}]}
    campaign = _asked(scene, brand, "ONE-TOO-MANY", named)
    path = f"/v1/campaigns/{campaign['campaign_id']}"
    brand("POST", f"{path}/place", headers={"If-Match": f'"v{campaign["version"]}"'})
    scene.settle()
    version = brand("GET", path)["version"]
    brand("POST", f"{path}/cancel", {"orders": "cancelled"}, {"If-Match": f'"v{version}"'})
    scene.settle()
    scene.pass_time(minutes=30)
    found = brand("GET", path)
    scene.tell(f"another one is called off: {found['state']}, {found['progress']['outcomes']}")
    states = {order["state"] for order in brand.pages("/v1/orders") if order["reference"] == "ONE-TOO-MANY"}
    scene.promise(
        "what was placed and not given yet is cancelled", states == {"cancelled"} and found["state"] == "cancelled",
        (states, found["state"]),
    )  # fmt: skip
