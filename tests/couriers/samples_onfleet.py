"""Authentic callbacks of Onfleet, in the layout of the recorded ones and signed by code of their own."""

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
    "api_key": "c64f80ba83d7cfce8ae74f51e263ce93",
    "webhook_secret": "9f0f56c8d4cbd9d3a3b2c4a9c1c0c3a7d2a1b0e4f5c6d7e8f90112233445566778",
}
ROTATED: Account = {**ACCOUNT, "webhook_secret": "00ff" * 16}
HEARING_SECRETS = ("webhook_secret",)
PROOF_QUERY: tuple[str, ...] = ()
PROOF_HEADERS = ("x-onfleet-signature",)
TRIGGERS: Mapping[str, tuple[int, int]] = {
    "taskStarted": (0, 2),
    "taskEta": (1, 2),
    "taskArrival": (2, 2),
    "taskCompleted": (3, 3),
    "taskFailed": (4, 3),
    "taskCreated": (6, 0),
    "taskUpdated": (7, 1),
    "taskDeleted": (8, 1),
    "taskAssigned": (9, 1),
    "taskUnassigned": (10, 0),
    "taskDelayed": (12, 2),
}
"""By name: the number, and the state in which the task is when it fires. A clone's own trigger tells no status."""
STATUSES = tuple(TRIGGERS)
UNKNOWN_STATUS = "taskTeleported"
PERSONAL = ("王师傅", "+8613900000000", "王女士", "+8618512345678")
REPLAY_WINDOW: timedelta | None = None
EXISTS_ALREADY: tuple[Reply, ...] = (
    Reply(
        400,
        {},
        b'{"code":"InvalidContent","message":{"error":1004,"message":"The values of one or more parameters break a '
        b'uniqueness constraint.","cause":{"type":"duplicateKey"},"request":"fbf5580f-d4bd-458b-950d-f7dd057afcc8"}}',
    ),
)
QUOTED: Reply | None = None
CANCELLED = (Reply(200, {}, b""), Reply(200, {}, b"{}"))


def metadata(reference: str) -> list[dict[str, object]]:
    return [{"name": "cordon_reference", "type": "string", "value": reference, "visibility": ["api"]}]


def task(
    reference: str, delivery_id: str, state: int, at: datetime, success: bool | None = None, **changes: Any
) -> dict[str, Any]:
    """One task, with what stands in every recorded one."""
    moment = milliseconds(at)
    ended = state == 3
    return {
        "id": delivery_id,
        "shortId": "fab829cf",
        "timeCreated": moment,
        "timeLastModified": moment,
        "organization": "nYrkNP6jZMSKgBwG9qG7ci3J",
        "merchant": "nYrkNP6jZMSKgBwG9qG7ci3J",
        "executor": "nYrkNP6jZMSKgBwG9qG7ci3J",
        "worker": None if state == 0 else "COwfwH~Zogm1LXIZYbPlLAyw",
        "state": state,
        "pickupTask": False,
        "dependencies": [],
        "notes": "",
        "metadata": metadata(reference),
        "recipients": [{"name": "王女士", "phone": "+8618512345678"}],
        "completionDetails": {
            "events": [{"name": "start", "time": moment}] if ended else [],
            "failureReason": "UNABLE_TO_LOCATE" if ended and success is False else "NONE",
            "failureNotes": "",
            "time": moment if ended else None,
            **({} if success is None else {"success": success}),
        },
        **changes,
    }


def body(trigger: str, of: Mapping[str, Any] | None, at: datetime, **changes: Any) -> bytes:
    """The body of a callback about that task."""
    number, _ = TRIGGERS.get(trigger, (99, 0))
    told = {
        "actionContext": {"id": "COwfwH~Zogm1LXIZYbPlLAyw", "type": "WORKER"},
        "adminId": None,
        "data": {"task": of, "worker": {"name": "王师傅", "phone": "+8613900000000"}},
        "taskId": of["id"] if of else None,
        "time": milliseconds(at),
        "triggerId": number,
        "triggerName": trigger,
        "workerId": "COwfwH~Zogm1LXIZYbPlLAyw",
        **changes,
    }
    return json.dumps(told, ensure_ascii=False).encode()


def signed(account: Account, raw: bytes) -> Callback:
    mac = hmac.new(bytes.fromhex(account["webhook_secret"]), raw, hashlib.sha512)
    headers = {"content-type": "application/json", "x-onfleet-signature": mac.hexdigest()}
    return Callback("POST", {}, headers, raw)


def said(account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime) -> bytes:
    """One trigger, as this courier words it."""
    _, state = TRIGGERS.get(status, (99, 1))
    success = None if state != 3 else status == "taskCompleted"
    return body(status, task(reference, delivery_id, state, occurred_at, success), occurred_at)


def told(
    account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime, sent_at: datetime
) -> Callback:
    return signed(account, said(account, reference, delivery_id, status, occurred_at))


def recorded(folder: Path) -> Mapping[str, tuple[Account, Callback, datetime]]:
    """The vendor's own samples, byte for byte; only the signature is ours."""
    found: dict[str, tuple[Account, Callback, datetime]] = {}
    for path in sorted((folder / "onfleet").glob("task*.json")):
        raw = path.read_bytes()
        came_at = datetime.fromtimestamp(json.loads(raw)["time"] / 1000, UTC)
        found[path.name] = ACCOUNT, signed(ACCOUNT, raw), came_at
    return found


def enveloped(account: Account, inside: bytes, sent_at: datetime) -> Callback:
    return signed(account, inside)


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def refusal(status: int, error: int, cause: object = None) -> Reply:
    """The layout of every refusal."""
    message = {"error": error, "message": "no", "cause": cause, "request": "ec76efd0-b8c0-484a-ad5f"}
    return reply({"code": "InvalidContent", "message": message}, status)


def reply(told: object, status: int = 200) -> Reply:
    return Reply(status, {}, json.dumps(told, ensure_ascii=False).encode())


BOOKED = (reply(task(REFERENCE, "txiK2xHBIaUwAKB~BJrjscKu", 0, NOON)),)
REFUSED = (
    refusal(400, 1000, "Geocoding errors found. "),
    refusal(400, 1009),
    refusal(400, 1010),
    refusal(401, 1102),
    refusal(403, 1300),
    refusal(404, 1402),
)
FOUND = tuple(
    reply(known)
    for of in ((0, None), (1, None), (2, None), (3, True), (3, False))
    for known in (
        task(REFERENCE, "txiK2xHBIaUwAKB~BJrjscKu", of[0], NOON, of[1]),
        [task(REFERENCE, "txiK2xHBIaUwAKB~BJrjscKu", of[0], NOON, of[1])],
    )
)
NOT_FOUND = (reply([]), refusal(404, 1402))
