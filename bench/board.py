"""`python -m bench.board`: the board of a city in the sandbox: 5,000 open orders, 20,000 zones, a real browser.

Times are what somebody waits, on whatever else this machine does; CPU is this process's own (app, queues and the asking
of it), which a busy machine changes less. The emulated AWS is a process of its own.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3

from bench import campaign
from chalicelib.domain import facts
from chalicelib.domain.keys import Role
from chalicelib.domain.orders import NewOrder, Outlook, Private
from chalicelib.domain.ports import Keep
from chalicelib.domain.steps import placed
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import draw, sign_in
from sandbox import run, shanghai
from sandbox.client import Client
from sandbox.clock import RealClock
from sandbox.stand import HOME, Stand

ORDERS, ZONES, PART, CAMPAIGNS = 5_000, 20_000, 1_500, 20
COOKIE = "__Host-cordon-board"


def publish(stand: Stand, operator: Client, now: datetime) -> None:
    """Twenty thousand compounds, every second one drawn, beginning at every minute of these days."""
    operator("PUT", "/v1/markets/SHA", json.loads(shanghai.MARKET.model_dump_json(exclude_defaults=True)))
    policies = [json.loads(policy.model_dump_json(exclude_defaults=True)) for policy in shanghai.POLICIES]
    dice, uploads = random.Random(1), "/v1/markets/SHA/rules/uploads"  # nosec B311 - points of a bench
    start = {"mode": "replace", "time_zone": "Asia/Shanghai", "datum": "GCJ02"}
    upload = f"{uploads}/{operator('POST', uploads, start)['upload_id']}"
    features = [_feature(number, dice, now) for number in range(ZONES)]
    parts = [features[at : at + PART] for at in range(0, ZONES, PART)]
    for number, some in enumerate(parts, start=1):
        told = {"features": some, **({"policies": policies} if number == 1 else {})}
        operator("PUT", f"{upload}/parts/{number}", json.dumps(told).encode())
    operator("POST", f"{upload}/finish", {"parts": len(parts)})
    while operator("GET", upload)["state"] in ("open", "finished"):
        for queue in stand.pumps.listeners:
            stand.pumps.take(queue, 1)


def _feature(number: int, dice: random.Random, now: datetime) -> dict[str, Any]:
    lng, lat, wide = 121.2 + dice.random() * 0.5, 31.0 + dice.random() * 0.4, 0.0008
    corners = [(-1, -1), (1, -1), (1.2, 0), (1, 1), (0, 1.1), (-1, 1), (-1, -1)]
    ring = [[lng + wide * x, lat + wide * y] for x, y in corners]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]} if number % 2 else None,
        "properties": {
            "zone_id": f"Z-{number}",
            "level": ("precautionary", "controlled", "sealed")[number % 3],
            "policy": shanghai.POLICIES[-1].reference,
            "unit": {
                "kind": "compound",
                "district": f"3101{1 + number % 16:02d}",
                "compound": f"Court {number}",
            },
            "valid_from": (now - timedelta(days=1) + timedelta(minutes=number % 2800)).isoformat(),
            "known_since": (now - timedelta(days=1)).isoformat(),
        },
    }


def write_orders(stand: Stand, now: datetime) -> None:
    """Held gifts, straight into the table: that they are placed is measured elsewhere."""
    new = NewOrder.model_validate_json(json.dumps(run.order_body(now)))
    private = Private(recipient=new.recipient, pick_up_contact=new.pick_up.contact)
    waits = Outlook(
        decision=Decision.HOLD,
        reasons=(Reason.ZONE_UNKNOWN,),
        decided_at=now,
        next_look=now + timedelta(hours=3),
        digest="bench",
    )

    def put(number: int) -> None:
        named = new.model_copy(update={"reference": f"EASTER-{number:05d}"})
        order = placed(named, "maison-celadon", f"bench-{number}", shanghai.MARKET, now)
        sealed = facts.seal_private(stand.world.sealer, private, order.order_id)
        kept = order.model_copy(update={"outlook": waits, "sealed": sealed})
        stand.world.table.write(Keep(facts.order_row(kept), was=None))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(ORDERS)))


def begin_campaigns(brand: Client, now: datetime) -> None:
    """So many that lie ahead, for five clients each."""
    listed, day = campaign.hand_in(brand, 5), now.astimezone(shanghai.LOCAL).date() + timedelta(days=1)
    while brand("GET", f"/v1/lists/{listed}")["state"] != "ready":
        time.sleep(0.5)
    for number in range(CAMPAIGNS):
        brand(
            "POST", "/v1/campaigns", campaign.boxes(now, day, listed), {"Idempotency-Key": f"bench-{number}"}
        )


def timed(ask: Callable[[], Any], times: int, pause: float = 0.0) -> tuple[list[float], list[float], Any]:
    """Milliseconds waited and of CPU, and the last answer."""
    waited, worked, last = [], [], None
    for _ in range(times):
        began, before = time.perf_counter(), time.process_time()
        last = ask()
        waited.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - before) * 1000)
        time.sleep(pause)
    return waited, worked, last


def told(what: str, goal: str, waited: list[float], worked: list[float] | None = None) -> None:
    cpu = "" if worked is None else f"{statistics.median(worked):8.0f} ms CPU"
    print(
        f"{what:44}{statistics.median(waited):9.0f} ms, worst {max(waited):6.0f}{cpu:>16}   to reach {goal}",
        flush=True,
    )


def in_a_browser(stand: Stand) -> None:
    """First view, tables and map of all zones, and the script of a step."""
    from tests.browser import browser

    with browser() as opened:
        page = opened.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(180_000)
        secret, _ = sign_in.invite(stand.world, "bench", "bench")
        page.goto(f"{stand.front.url}/enter#{secret}")
        page.keyboard.press("Enter")
        page.wait_for_selector("table.queue tbody tr")

        def view() -> None:
            page.goto(f"{stand.front.url}/board/SHA")
            page.wait_for_selector("table.queue tbody tr")

        told("first view, in a browser", "< 2000 ms", timed(view, 3)[0])

        def zones() -> None:
            page.goto(f"{stand.front.url}/board/SHA/map")
            page.wait_for_selector("body[data-tables=ready]")

        told("map page: tables of all zones", "", timed(zones, 2)[0])
        page.wait_for_selector("#map[data-ready]")
        spent = page.evaluate(
            """() => { const at = document.getElementById("at"), found = [];
            for (let n = 0; n < 40; n++) { at.value = String(n * 30); const t = performance.now(); window.cordonStep();
            found.push(performance.now() - t); } return found; }"""
        )
        told("script of a step of the slider", "<= 33 ms", spent)


def main() -> None:
    now, pool = datetime.now(UTC), urllib3.PoolManager(maxsize=8, retries=False)
    with Stand(RealClock(), {}, log=HOME / "bench.log") as stand:
        operator = Client(stand.front.url, stand.key(Role.OPERATOR, "control-room"), pool)
        publish(stand, operator, now)
        write_orders(stand, now)
        stand.pumps.start()
        token, _ = sign_in.enter(stand.world, sign_in.invite(stand.world, "bench", "bench")[0])

        def get(path: str, tag: str = "") -> urllib3.BaseHTTPResponse:
            headers = {"Cookie": f"{COOKIE}={token}", "Accept": "text/html", "If-None-Match": tag}
            return pool.request("GET", f"{stand.front.url}{path}", headers=headers)

        began = time.monotonic()
        while get("/board/SHA/queue").headers.get("ETag", '"none"') == '"none"':
            time.sleep(0.5)
        print(
            f"{ORDERS:,} orders, {ZONES:,} zones; counted {time.monotonic() - began:.1f} s after the first look"
        )
        waited, worked, answer = timed(lambda: get("/board/SHA"), 5)
        told(f"first view, {len(answer.data) // 1000} kB", "< 2000 ms", waited, worked)
        tag = get("/board/SHA/queue").headers.get("ETag", "")
        waited, worked, answer = timed(lambda: get("/board/SHA/queue", tag), 40, 0.25)
        told(f"a poll, nothing new ({answer.status})", "< 200 ms", waited, worked)
        waited, worked, answer = timed(lambda: get("/board/SHA/queue"), 10)
        told(f"a poll, news ({answer.status})", "< 200 ms", waited, worked)
        begin_campaigns(Client(stand.front.url, stand.key(Role.BRAND, "maison-celadon"), pool), now)
        began = time.monotonic()
        while len(re.findall(rb'class="order"', get("/board/SHA/progress").data)) < CAMPAIGNS:
            time.sleep(0.5)
        print(f"{CAMPAIGNS} campaigns, counted {time.monotonic() - began:.1f} s after the first look")
        tag = get("/board/SHA/progress").headers.get("ETag", "")
        waited, worked, answer = timed(lambda: get("/board/SHA/progress", tag), 40, 0.25)
        told(f"a poll of campaigns, nothing new ({answer.status})", "< 200 ms", waited, worked)
        waited, worked, answer = timed(lambda: get("/board/SHA/progress"), 10)
        told(f"a poll of campaigns, news ({answer.status})", "< 200 ms", waited, worked)
        digest, sizes = draw.versions(stand.world, "SHA")[0].digest, []
        for number in range(1, 100):
            part = get(f"/board/SHA/zones/{digest}/{number}")
            if part.status != 200:
                break
            sizes.append(len(part.data))
        print(f"zones travel in {len(sizes)} answers, the largest {max(sizes):,} bytes, to reach < 1,000,000")
        in_a_browser(stand)


if __name__ == "__main__":
    main()
