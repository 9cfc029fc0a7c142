"""Authentic webhooks of Uber Direct, signed by code of the samples' own."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.domain.dialect import Account, Callback, Reply

ACCOUNT: Account = {
    "client_id": "the-client",
    "client_secret": "the-client-secret",
    "customer_id": "a11e6f29-6850-4d8d-b88d-0ae69cec1111",
    "signing_key": "c5c26d5a-70d6-46c7-a652-d7c09825ad29",
}
ROTATED: Account = {**ACCOUNT, "signing_key": "5a0d2c11-1b1e-4e0f-8a5c-6f3f6f0f9b77"}
HEARING_SECRETS = ("signing_key",)
PROOF_QUERY: tuple[str, ...] = ()
PROOF_HEADERS = ("x-uber-signature",)
STATUSES = ("pending", "pickup", "pickup_complete", "dropoff", "delivered", "canceled", "returned")
UNKNOWN_STATUS = "teleported"
EXISTS_ALREADY = (
    Reply(
        409,
        {},
        b'{"code":"duplicate_delivery","message":"An active delivery like this already exists.","kind":"error",'
        b'"metadata":{"delivery_id":"del_4y-aAymET6KH9TGTJ-ydxx"}}',
    ),
    Reply(
        400, {}, b'{"code":"used_quote","message":"The price quote specified has been used.","kind":"error"}'
    ),
    Reply(409, {}, b""),
)
QUOTED: Reply | None = Reply(
    200,
    {},
    b'{"kind":"delivery_quote","id":"dqt_6gQ2dt31TjiOPfwux-NCXg","created":"2022-04-11T04:00:00.887Z",'
    b'"expires":"2022-04-11T04:15:00.887Z","fee":600,"currency":"usd","currency_type":"USD","duration":33}',
)


def precisely(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def delivery(
    reference: str, delivery_id: str, status: str, updated: datetime, **changes: Any
) -> dict[str, object]:
    """A delivery in the layout of the recorded ones in ../shared."""
    return {
        "id": delivery_id,
        "quote_id": "dqt_XXXXXXXXXXXXX",
        "status": status,
        "complete": status in ("delivered", "canceled", "returned"),
        "kind": "delivery",
        "pickup": {"name": "恒隆广场店", "phone_number": "+15555555555", "notes": ""},
        "dropoff": {
            "name": "Zach Z.",
            "phone_number": "+15555555555",
            "notes": "Kiosk & gate 'B'",
            "verification_requirements": {"pincode": {"enabled": True, "value": "6066"}},
        },
        "manifest": {"reference": reference, "description": "1 X 花束\n"},
        "created": precisely(updated),
        "updated": precisely(updated),
        "fee": 1549,
        "currency": "usd",
        "undeliverable_action": "",
        "undeliverable_reason": "",
        "courier_imminent": False,
        "courier": {"name": "Cori R.", "phone_number": "+15555555555", "img_href": "https://i.test/?a=1&b=2"},
        "related_deliveries": [],
        "live_mode": True,
        "external_id": reference,
        **changes,
    }


def webhook(data: Mapping[str, object], sent_at: datetime, **changes: Any) -> dict[str, object]:
    """The event about a delivery, as it is before it becomes bytes."""
    return {
        "status": data.get("status"),
        "kind": "event.delivery_status",
        "created": precisely(sent_at),
        "live_mode": True,
        "delivery_id": data.get("id"),
        "id": "evt_XXXXXXXXXXXXX",
        "data": data,
        "customer_id": "cus_XXXXXXXXXXXXX",
        **changes,
    }


def escaped(message: Mapping[str, object]) -> bytes:
    """As Uber writes it: all ASCII, and what a page could mistake for its own escaped, too."""
    text = json.dumps(message)
    for sign in "&<>'":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode()


def signed(account: Account, body: bytes, header: str = "x-uber-signature") -> Callback:
    signature = hmac.digest(account["signing_key"].encode(), body, hashlib.sha256).hex()
    return Callback("POST", {}, {"content-type": "application/json", header: signature}, body)


def told(
    account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime, sent_at: datetime
) -> Callback:
    """One status, as this courier tells it."""
    data = delivery(reference, f"del_{delivery_id}", status, occurred_at)
    return signed(account, escaped(webhook(data, sent_at)))


def enveloped(account: Account, inside: bytes, sent_at: datetime) -> Callback:
    """Any bytes, signed: there is no envelope about them."""
    return signed(account, inside)


def recorded(folder: Path) -> Mapping[str, tuple[Account, Callback, datetime]]:
    """The bodies are as they were recorded, byte by byte; the signature is ours, for the key of none is known."""
    found: dict[str, tuple[Account, Callback, datetime]] = {}
    for path in sorted((folder / "uber_direct").rglob("*.json")):
        body = path.read_bytes()
        came_at = datetime.fromisoformat(json.loads(body)["created"])
        found[path.name] = ACCOUNT, signed(ACCOUNT, body), came_at
    return found
