"""`make run`: the whole system in real time on loopback, with a small lockdown to try things on.

State stays in `.sandbox/run` over a clean stop. Rules and fleet are put anew at every start, for today and
tomorrow.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3

from chalicelib.aws import clients
from chalicelib.domain.keys import Role
from chalicelib.domain.places import Market
from sandbox import shanghai
from sandbox.client import Client
from sandbox.clock import RealClock
from sandbox.conduct import Conduct
from sandbox.fleet import CourierCompany
from sandbox.meta import everybody
from sandbox.stand import HOME, Stand
from sandbox.voices.wechat import WeChat, account

BRAND = "maison-celadon"
MAIL_DOMAIN = "celadon.example"
"""From which the brand's mail comes."""
KITCHEN, OPEN, SEALED = "Kitchen Court", "Garden Court", "Sealed Court"
ORDER = "order.json"
MINUTE = timedelta(minutes=1)
PATIENCE_S = 120
"""Within so long the rules are published, however busy the machine."""


@dataclass(frozen=True)
class Up:
    """What is up, and who may speak to it."""

    url: str
    keys: dict[Role, str]
    order: Path
    """The body for the README's curl, ..."""
    gift: str
    """... and its Idempotency-Key: state outlives a stop, so each start's body needs a key of its own."""


def main(port: int) -> int:
    """Stay up until Ctrl-C."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with up(HOME, port) as running:
        print(welcome(running), flush=True)
        stop.wait()
        print("\nstopping; the state is kept in .sandbox/run")
    return 0


@contextmanager
def up(home: Path, port: int = 0) -> Iterator[Up]:
    """Everything, furnished, in real time; its state and the order's body stay in `home`."""
    clock = RealClock()
    known = account("sf")
    quick = Conduct(
        assign_after=timedelta(seconds=5),
        shop_wait=timedelta(seconds=5),
        ride=timedelta(seconds=15),
        late=timedelta(days=-1),  # at once, and not when it was asked for: whoever tries this out watches
        at_gate=lambda job: "door",
    )
    with CourierCompany(WeChat(known), clock, conduct=quick) as company, everybody(clock.now) as whatsapp:
        accounts = {
            "wechat": {"sf": [{**known, "base_url": company.url}]},
            "whatsapp": {BRAND: [whatsapp.account]},
            "email": {BRAND: [{"domain": MAIL_DOMAIN}]},
        }
        with Stand(clock, accounts, home=home / "run", port=port, log=home / "run.log") as stand:
            company.callback_url = f"{stand.front.url}/v1/callbacks/{shanghai.MARKET_ID}/sftc"
            whatsapp.callback_url = f"{stand.front.url}/v1/channels/whatsapp/{BRAND}"
            clients.client("sesv2").create_email_identity(EmailIdentity=MAIL_DOMAIN)
            keys = {role: stand.key(role, owner) for role, owner in OWNERS.items()}
            stand.pumps.start()
            pool = urllib3.PoolManager()
            now = datetime.now(UTC)
            operator = Client(stand.front.url, keys[Role.OPERATOR], pool)
            upload, until = furnish(operator, now), time.monotonic() + PATIENCE_S
            # before that every place is unknown
            while operator("GET", upload)["state"] in ("open", "finished"):
                if time.monotonic() > until:
                    raise TimeoutError(
                        f"the rules were not published within {PATIENCE_S} s: {home / 'run.log'}"
                    )
                time.sleep(0.1)
            _listen(Client(stand.front.url, keys[Role.BRAND], pool), stand)
            order = home / ORDER
            text = json.dumps(order_body(now), indent=2, ensure_ascii=False)
            order.write_text(text + "\n", encoding="utf-8")
            _for_the_command_line(home / "cordon.json", stand, keys)
            yield Up(stand.front.url, keys, order, f"easter-{now:%m%d-%H%M%S}")
            pool.clear()
    clock.close()


def _for_the_command_line(file: Path, stand: Stand, keys: dict[Role, str]) -> None:
    """What `cordon` needs to speak to this sandbox, readable for nobody else: address, keys, where its queues are."""
    told = {
        "url": stand.front.url,
        "keys": {role.value: key for role, key in keys.items()},
        "environment": {**stand.emulator.environment, **stand.deployment.environment},
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


OWNERS = {Role.BRAND: BRAND, Role.OPERATOR: "control-room", Role.SOURCE: "city-bulletin"}


def furnish(operator: Client, now: datetime, place: Market = shanghai.MARKET) -> str:
    """A market with three compounds, one crew with fresh tests, and slots for a day from this hour; the address of the
    upload of its rules, which are published soon."""
    market = f"/v1/markets/{shanghai.MARKET_ID}"
    operator("PUT", market, json.loads(place.model_dump_json(exclude_defaults=True)))
    yesterday = (now - timedelta(days=1)).isoformat()
    rules = ((KITCHEN, shanghai.LOBBY), (OPEN, shanghai.LOBBY), (SEALED, shanghai.SEALED))
    features = [
        {
            "type": "Feature",
            "geometry": None,
            "properties": {
                "zone_id": f"RUN-{name.split()[0]}",
                "level": "sealed" if policy is shanghai.SEALED else "precautionary",
                "policy": policy.reference,
                "unit": {"kind": "compound", "district": "310101", "compound": name},
                "valid_from": yesterday,
                "known_since": yesterday,
            },
        }
        for name, policy in rules
    ]
    # without what is as it is anyway: the version before, which a rehearsal furnishes, knows fewer fields
    policies = [json.loads(policy.model_dump_json(exclude_defaults=True)) for policy in shanghai.POLICIES]
    uploads = f"{market}/rules/uploads"
    begun = operator(
        "POST", uploads, {"mode": "replace", "time_zone": shanghai.ZONE_NAME, "datum": shanghai.MARKET.datum}
    )
    part = json.dumps({"policies": policies, "features": features}).encode()
    operator("PUT", f"{uploads}/{begun['upload_id']}/parts/1", part)
    operator("POST", f"{uploads}/{begun['upload_id']}/finish", {"parts": 1})
    for courier in shanghai.Shanghai.couriers()[:1]:
        told = json.loads(courier.model_dump_json(exclude_defaults=True))
        operator("PUT", f"{market}/couriers/{courier.courier_id}", told)
    negative = {
        "result": "negative",
        "sampled_at": (now - 90 * MINUTE).isoformat(),
        "reported_at": now.isoformat(),
    }
    operator(
        "PUT",
        f"{market}/crews/crew-01",
        {
            "courier_id": "sftc",
            "vehicle": {"plate": "HU-A10001", "compartments": [{"min_c": 0, "max_c": 8}]},
            "credentials": [{"kind": "pcr", **negative}, {"kind": "antigen", **negative}],
        },
    )
    valid = {"start": yesterday, "end": (now + timedelta(days=3)).isoformat()}
    operator("PUT", f"{market}/permits/pass-01", {"plate": "HU-A10001", "districts": "all", "valid": valid})
    start = now.replace(minute=0, second=0, microsecond=0)
    for number in range(6):
        begin = start + timedelta(hours=4 * number)
        operator(
            "PUT",
            f"{market}/slots/slot-{begin:%m%d-%H}",
            {
                "courier_id": "sftc",
                "crew_id": "crew-01",
                "window": {"start": begin.isoformat(), "end": (begin + timedelta(hours=4)).isoformat()},
                "capacity": 20,
                "price": {"amount": 3000, "currency": "CNY"},
            },
        )
    return f"{uploads}/{begun['upload_id']}"


def _listen(brand: Client, stand: Stand) -> None:
    """The brand's receiver, so that there is somebody to tell."""
    listener = stand.brands.listen(BRAND)
    for known in brand("GET", "/v1/webhooks")["data"]:
        if not known["disabled"]:
            brand("POST", f"/v1/webhooks/{known['endpoint_id']}/disable", {})
    listener.secret = brand("POST", "/v1/webhooks", {"url": f"{stand.brands.url}/{BRAND}"})["secret"]


def order_body(now: datetime, to: str = OPEN) -> dict[str, Any]:
    """A dessert box for the next hours."""

    def place(compound: str) -> dict[str, Any]:
        return {
            "address": {
                "country": "CN",
                "city": "Shanghai",
                "district": "310101",
                "compound": compound,
                "building": "3",
                "line": f"{compound}, building 3, Huangpu",
            },
            "coordinate": {"lng": 121.4903, "lat": 31.2228, "datum": "GCJ02", "precision_m": 20},
            "match_quality": "exact",
        }

    start = now + timedelta(minutes=1)
    item = {
        "name": "Dessert box",
        "item_class": "chilled",
        "quantity": 1,
        "value": {"amount": 88000, "currency": "CNY"},
        "temperature": {"min_c": 0, "max_c": 8},
        "dwell_limit_minutes": 180,
    }
    return {
        "market": shanghai.MARKET_ID,
        "reference": "EASTER-0001",
        "gift": {"items": [item]},
        "pick_up": {
            "name": "Hotel kitchen",
            "place": place(KITCHEN),
            "contact": {"name": "Kitchen desk", "phone": "+8617000000001"},
        },
        "recipient": {"name": "A very important client", "phone": "+8617000000002", "place": place(to)},
        "window": {
            "start": start.isoformat(timespec="seconds"),
            "end": (start + timedelta(hours=8)).isoformat(timespec="seconds"),
            "time_zone": shanghai.ZONE_NAME,
        },
        "tier": "gold",
        "fallback": "hold",
    }


CURL = """curl -sS "$CORDON/v1/orders" \\
  -H "Authorization: Bearer $BRAND_KEY" \\
  -H "Idempotency-Key: $GIFT" \\
  -H "Content-Type: application/json" \\
  -d @{order}"""


def welcome(running: Up) -> str:
    """What `make run` prints."""
    here = Path.cwd()
    order = running.order.relative_to(here) if running.order.is_relative_to(here) else running.order
    url, keys = running.url, running.keys
    command = "\n".join(f"  {line}" for line in CURL.format(order=order).splitlines())
    return f"""Cordon is up at {url}  (description: {url}/openapi.json; log: {HOME / "run.log"})

  brand     {keys[Role.BRAND]}
  operator  {keys[Role.OPERATOR]}
  source    {keys[Role.SOURCE]}

In another terminal, in this directory:

  export CORDON={url} BRAND_KEY={keys[Role.BRAND]} GIFT={running.gift}

{command}

The gift goes from {KITCHEN} to {OPEN}, which is open to the lobby. {SEALED} is sealed but for its gate, and
anywhere else nobody has ruled on: change the compound in {order}, and GIFT, and see. It takes
about three minutes to the door. The board, for whoever dispatches, and all the rest from a terminal:

  .venv/bin/python -m cli keys link --yes mei
  .venv/bin/python -m cli --help

Ctrl-C stops."""
