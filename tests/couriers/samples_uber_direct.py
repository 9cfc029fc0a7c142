"""Authentic webhooks of Uber Direct, signed by code of the samples' own."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.domain.dialect import Account, Callback, Reply
from tests.couriers.jobs import NOON, REFERENCE

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
CORRECTIONS = ("returned",)
"""That a gift comes back is told of a delivery that has ended otherwise."""
REPLAY_WINDOW: timedelta | None = None
PERSONAL = ("Zach Z.", "Cori R.", "5555555555", "恒隆广场店")
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
        "pickup": {"name": PERSONAL[3], "phone_number": f"+1{PERSONAL[2]}", "notes": ""},
        "dropoff": {
            "name": PERSONAL[0],
            "phone_number": f"+1{PERSONAL[2]}",
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
        "courier": {
            "name": PERSONAL[1],
            "phone_number": f"+1{PERSONAL[2]}",
            "img_href": "https://i.test/?a=1&b=2",
        },
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


def said(account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime) -> bytes:
    """One status, as this courier words it."""
    return escaped(webhook(delivery(reference, f"del_{delivery_id}", status, occurred_at), occurred_at))


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


def answered(http: int, /, **told: object) -> Reply:
    return Reply(http, {}, json.dumps(told).encode())


BOOKED = (
    answered(200, **delivery(REFERENCE, "del_gDcyfRgyQcyN0obpqqS_1B", "pending", NOON)),
    answered(200, id="del_1", status="pending", fee=1099, currency="usd"),
)
REFUSED = tuple(
    answered(status, code=code, message="in words", kind="error")
    for status, code in (
        (400, "address_undeliverable"),
        (400, "address_undeliverable_limited_couriers"),
        (400, "something_new"),
        (402, "customer_suspended"),
        (403, "customer_blocked"),
        (404, "customer_not_found"),
    )
)
CANCELLED = (answered(200, **delivery(REFERENCE, "del_1", "canceled", NOON)),)
FOUND = (
    *(answered(200, **delivery(REFERENCE, "del_1", status, NOON)) for status in STATUSES),
    answered(200, data=[delivery(REFERENCE, "del_1", "delivered", NOON)], object="list", total_count=-1),
)
NOT_FOUND = (
    answered(404, code="delivery_not_found", message="The requested delivery does not exist.", kind="error"),
    answered(200, data=[], object="list", total_count=-1),
)
