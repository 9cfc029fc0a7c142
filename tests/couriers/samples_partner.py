"""Authentic callbacks of a fleet that speaks Cordon's own API, signed by code of their own.

No fleet's own are at hand, for the API is ours: what lies in `recorded/partner` are the two that the guide prints.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.domain.dialect import Account, Callback, Reply
from tests.couriers.jobs import NOON, REFERENCE

GUIDE = Path(__file__).parents[2] / "docs" / "partner-api.md"

ACCOUNT: Account = {
    "base_url": "https://drivers.example/cordon/v1",
    "api_key": "key_3f1c9a7be2d84056",
    "webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
ROTATED: Account = {**ACCOUNT, "webhook_secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDVlNxJUVdmBk="}
HEARING_SECRETS = ("webhook_secret",)
PROOF_QUERY: tuple[str, ...] = ()
PROOF_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
STATUSES = (
    "accepted",
    "courier_assigned",
    "at_pick_up",
    "picked_up",
    "in_transit",
    "delivered",
    "returning",
    "returned",
    "pick_up_failed",
    "cancelled",
    "failed",
)
UNKNOWN_STATUS = "abducted"
EXISTS_ALREADY = (
    Reply(409, {}, b'{"status":409,"reason":"another_body","title":"Another job has this reference"}'),
)
BOOKED = (
    Reply(201, {}, b'{"reference":"%s","job_id":"J-1"}' % REFERENCE.encode()),
    Reply(
        200,
        {},
        b'{"reference":"%s","job_id":"SF1","fee":{"amount":2800,"currency":"CNY"},"codes":{"pickup_code":"2048"}}'
        % REFERENCE.encode(),
    ),
)
REFUSED = tuple(
    Reply(status, {}, b'{"title":"No","status":%d,"reason":"%s"}' % (status, reason))
    for status, reason in ((422, b"no_rider"), (422, b"closed_area"), (400, b"bad_arguments"))
)
CANCELLED = tuple(
    Reply(200, {}, b'{"reference":"%s","job_id":"SF1","gift":"%s"}' % (REFERENCE.encode(), gift))
    for gift in (b"not_picked_up", b"returning", b"returned")
)
NOT_FOUND = (Reply(404, {}, b'{"title":"No","status":404,"reason":"unknown_job"}'),)
REPLAY_WINDOW: timedelta | None = timedelta(seconds=300)
PERSONAL = ("王师傅", "13900000000")
QUOTED: Reply | None = Reply(
    200,
    {},
    b'{"fee":{"amount":2800,"currency":"CNY"},"quote_id":"q-81","expires_at":"2022-04-11T12:15:00+08:00"}',
)


def content(
    reference: str,
    delivery_id: str,
    status: str,
    occurred_at: datetime,
    **changes: Any,
) -> dict[str, Any]:
    """The body of a callback, and of a job's `last_event`."""
    return {
        "id": f"ev-{delivery_id}-{status}-{int(occurred_at.timestamp())}",
        "type": f"job.{status}",
        "timestamp": occurred_at.isoformat(),
        "data": {"reference": reference, "job_id": delivery_id, "driver": " ".join(PERSONAL), **changes},
    }


FOUND = tuple(
    Reply(
        200,
        {},
        json.dumps(
            {"reference": REFERENCE, "job_id": "SF1", "last_event": content(REFERENCE, "SF1", status, NOON)}
        ).encode(),
    )
    for status in STATUSES
)


def said(account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime) -> bytes:
    """One status, as a fleet words it."""
    return json.dumps(content(reference, delivery_id, status, occurred_at), ensure_ascii=False).encode()


def told(
    account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime, sent_at: datetime
) -> Callback:
    """One status, as a fleet tells it."""
    return wrapped(account, content(reference, delivery_id, status, occurred_at), sent_at)


def wrapped(account: Account, message: Mapping[str, Any], sent_at: datetime) -> Callback:
    body = json.dumps(message, ensure_ascii=False).encode()
    return enveloped(account, body, sent_at, str(message.get("id", "msg-1")))


def enveloped(account: Account, inside: bytes, sent_at: datetime, message_id: str = "msg-1") -> Callback:
    """Any bytes, signed as a fleet would."""
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": signature(account["webhook_secret"], message_id, sent_at, inside),
    }
    return Callback("POST", {}, headers, inside)


def signature(secret: str, message_id: str, sent_at: datetime, body: bytes) -> str:
    """By hand, because junk is signed as well and the library signs text. A test holds the two together."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = b"%s.%d.%s" % (message_id.encode(), int(sent_at.timestamp()), body)
    return "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
