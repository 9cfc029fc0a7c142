"""DoorDash's own side: callbacks in the layout of a public integration's, and the answers that its reference documents."""

from __future__ import annotations

import json
from datetime import datetime

from chalicelib.domain.dialect import Account, Callback, Reply
from tests.couriers.jobs import NOON, REFERENCE

ACCOUNT: Account = {
    "developer_id": "d-1",
    "key_id": "k-1",
    "signing_secret": "bm90LWluLXVzZQ",
    "callback_secret": "Basic bm90OnVzZWQ=",
}
ROTATED: Account = {**ACCOUNT, "callback_secret": "Basic bm90OmVpdGhlcg=="}
STATUSES = (
    "DASHER_CONFIRMED",
    "DASHER_ENROUTE_TO_PICKUP",
    "DASHER_CONFIRMED_PICKUP_ARRIVAL",
    "DASHER_PICKED_UP",
    "DASHER_ENROUTE_TO_DROPOFF",
    "DASHER_CONFIRMED_DROPOFF_ARRIVAL",
    "DASHER_DROPPED_OFF",
    "DELIVERY_CANCELLED",
    "DELIVERY_RETURN_INITIALIZED",
    "DASHER_CONFIRMED_RETURN_ARRIVAL",
    "DELIVERY_RETURNED",
)
UNKNOWN_STATUS = "DELIVERY_BATCHED"
PERSONAL = ("Test D.", "+16505550100")
REPLAY_WINDOW = None
CURRENCY = "USD"
QUOTED = None


def said(account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime) -> bytes:
    message = {
        "created_at": occurred_at.isoformat(),
        "event_name": status,
        "external_delivery_id": reference,
        "dasher_id": 123212,
        "dasher_name": PERSONAL[0],
        "dasher_dropoff_phone_number": PERSONAL[1],
        "fee": 975,
    }
    return json.dumps(message).encode()


def enveloped(account: Account, inside: bytes, sent_at: datetime) -> Callback:
    return Callback("POST", {}, {"authorization": account["callback_secret"]}, inside)


def _delivery(status: str) -> Reply:
    delivery = {
        "external_delivery_id": REFERENCE,
        "support_reference": "86313",
        "delivery_status": status,
        "updated_at": NOON.isoformat(),
        "fee": 975,
        "currency": "USD",
        "dasher_name": PERSONAL[0],
    }
    return Reply(200, {}, json.dumps(delivery).encode())


BOOKED = (_delivery("created"),)
REFUSED = (
    Reply(422, {}, b'{"code":"validation_error","message":"outside of the delivery area"}'),
    Reply(400, {}, b'{"code":"validation_error","message":"bad phone","field_errors":[]}'),
)
EXISTS_ALREADY = (Reply(409, {}, b'{"code":"duplicate_delivery_id","message":"there is one"}'),)
CANCELLED = (_delivery("cancelled"),)
FOUND = tuple(_delivery(status) for status in ("created", "picked_up", "delivered", "cancelled", "returned"))
NOT_FOUND = (Reply(404, {}, b'{"code":"unknown_delivery_id","message":"none"}'),)
