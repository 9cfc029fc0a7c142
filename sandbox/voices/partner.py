"""Cordon's own booking API, spoken by a simulated fleet that was built from `docs/partner-api.md`.

Takes a bearer key, answers problem details, and signs its callbacks with Standard Webhooks' own library, as a fleet
would.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

from sandbox.conduct import Wish
from sandbox.ledger import CourierJob, Stage, Step
from sandbox.voice import Answer, Ask, Call, Letter, News

_JOB = re.compile(r"/jobs/([A-Za-z0-9_-]{1,64})(/cancel)?")
_TYPES: Mapping[Stage, str] = {
    Stage.ACCEPTED: "job.accepted",
    Stage.ASSIGNED: "job.courier_assigned",
    Stage.AT_SHOP: "job.at_pick_up",
    Stage.PICKED_UP: "job.picked_up",
    Stage.IN_TRANSIT: "job.in_transit",
    Stage.DELIVERED: "job.delivered",
    Stage.RETURNING: "job.returning",
    Stage.RETURNED: "job.returned",
    Stage.PICK_UP_FAILED: "job.pick_up_failed",
    Stage.CANCELLED: "job.cancelled",
}
_REASONS: Mapping[str, str] = {
    "merchant_cancelled": "cancelled_by_sender",
    "recalled": "cancelled_by_sender",
    "courier_system": "no_rider",
    "force_majeure": "weather",
    "courier_reason": "vehicle_broke_down",
    "merchant_fault": "gift_not_ready",
}
"""The company's reasons in the guide's words, where they differ; `weather` is a word of its own."""
_GIFT: Mapping[Stage, str] = {
    Stage.CANCELLED: "not_picked_up",
    Stage.RETURNING: "returning",
    Stage.RETURNED: "returned",
}
_PARTS = ("pick_up", "drop_off", "deliver_from", "deliver_by", "time_zone", "handover", "proofs", "items")


def account(name: str) -> dict[str, str]:
    """An invented account; its secrets follow from its name, for they protect nothing."""
    chance = hashlib.sha256(f"sandbox/{name}".encode()).digest()
    return {
        "api_key": "key_" + chance.hex()[:24],
        "webhook_secret": "whsec_" + base64.b64encode(chance).decode(),
        "datum": "GCJ02",
    }


class Partner:
    """One fleet."""

    proves = True
    retries: Sequence[timedelta] = (
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
    )

    def __init__(self, account: Mapping[str, str]) -> None:
        self.account = dict(account)
        self._fees: dict[str, int] = {}
        """What cancellations cost, by reference: a repeat is answered the same."""

    def delivery_id(self, reference: str) -> str:
        return "J-" + hashlib.sha256(reference.encode()).hexdigest()[:10]

    # --- reading ---

    def read(self, call: Call) -> Ask | Answer:
        given = call.headers.get("authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {self.account['api_key']}".encode()):
            return _no(401, "account_refused")
        named = _JOB.fullmatch(call.path)
        if (call.method, call.path) == ("POST", "/quotes"):
            return self._asked("quote", _json(call.body), "")
        if named is not None and (call.method, named[2]) == ("GET", None):
            return Ask("look_up", named[1])
        if named is not None and (call.method, named[2]) == ("PUT", None):
            return self._asked("book", _json(call.body), named[1])
        if named is not None and (call.method, named[2]) == ("POST", "/cancel"):
            reason = _json(call.body).get("reason")
            if not isinstance(reason, str):
                return _no(400, "bad_arguments")
            return Ask("cancel", named[1], reason=reason)
        return _no(404, "no_such_address")

    def _asked(self, verb: Any, order: Mapping[str, Any], reference: str) -> Ask | Answer:
        wish = _wish(order)
        if wish is None or order.get("reference", "") != reference:
            return _no(400, "bad_arguments")
        return Ask(verb, reference, wish=wish, order=order)

    # --- answering ---

    def quoted(self, ask: Ask, fee: int) -> Answer:
        text = json.dumps(ask.order, sort_keys=True)
        return _says(200, {"fee": _money(ask.order, fee), "quote_id": "q-" + _digest(text)})

    def booked(self, ask: Ask, job: CourierJob) -> Answer:
        return _says(201, self._job(job))

    def exists(self, ask: Ask, job: CourierJob) -> Answer:
        return _says(200, self._job(job)) if ask.order == job.order else _no(409, "another_body")

    def refused(self, ask: Ask, reason: str) -> Answer:
        return _no(422, reason)

    def cancelled(self, ask: Ask, job: CourierJob, fee: int) -> Answer:
        self._fees[job.reference] = fee
        told = {"reference": job.reference, "job_id": job.delivery_id, "gift": _GIFT[job.stage]}
        return _says(200, {**told, "fee": _money(job.order, fee)})

    def kept(self, ask: Ask, job: CourierJob) -> Answer:
        return _no(409, "too_late")

    def over(self, ask: Ask, job: CourierJob) -> Answer:
        if job.stage in _GIFT and job.cancelled_at is not None:
            return self.cancelled(ask, job, self._fees.get(job.reference, 0))
        return _no(409, "ended_already")

    def unknown(self, ask: Ask) -> Answer:
        return _no(404, "unknown_job")

    def found(self, ask: Ask, job: CourierJob) -> Answer:
        return _says(200, self._job(job))

    def _job(self, job: CourierJob) -> dict[str, Any]:
        dice = random.Random(job.reference)  # nosec B311 - codes of a game
        codes = {name: f"{dice.randint(1000, 9999)}" for name in ("pickup_code", "receipt_code")}
        return {
            "reference": job.reference,
            "job_id": job.delivery_id,
            "fee": _money(job.order, job.fee),
            "codes": {name: code for name, code in codes.items() if name in job.order["proofs"]},
            "last_event": self._event(job, job.steps[-1]),
        }

    # --- telling ---

    def news(self, job: CourierJob, step: Step) -> Sequence[News]:
        event = self._event(job, step)
        return (News(event["type"], event),)

    def _event(self, job: CourierJob, step: Step) -> dict[str, Any]:
        data: dict[str, Any] = {"reference": job.reference, "job_id": job.delivery_id}
        if step.reason:
            data["reason"] = _REASONS.get(step.reason, step.reason)
        proven = {Stage.PICKED_UP: {"pickup_code"}, Stage.DELIVERED: {*job.order["proofs"]} - {"pickup_code"}}
        proofs = sorted(proven.get(step.stage, set()) & {*job.order["proofs"]})
        if proofs:
            data["proofs"] = [
                {"kind": kind, "reference": f"{job.delivery_id}-{number}"}
                for number, kind in enumerate(proofs)
            ]
        stamp = step.at.isoformat()
        return {
            "id": "ev-" + _digest(f"{job.reference}/{step.stage}/{stamp}"),
            "type": _TYPES[step.stage],
            "timestamp": stamp,
            "data": data,
        }

    def sealed(self, news: News, at: datetime, number: int, forged: bool) -> Letter:
        secret = self.account["webhook_secret"]
        if forged:
            secret = "whsec_" + base64.b64encode(b"somebody who has no secret").decode()  # nosec B105 - wrong on purpose
        body = json.dumps(news.content, ensure_ascii=False)
        moment = at.astimezone(UTC).replace(microsecond=0)  # sign() takes any time of day for UTC
        headers = {
            "content-type": "application/json",
            "webhook-id": news.content["id"],
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret).sign(news.content["id"], moment, body),
        }
        return Letter("POST", {}, headers, body.encode())


voice = Partner


def _json(body: bytes) -> dict[str, Any]:
    """What was sent, or nothing where that is no JSON object."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _wish(order: Mapping[str, Any]) -> Wish | None:
    """When it is wanted; None for a job without all its parts."""
    if not all(part in order for part in _PARTS):
        return None
    try:
        _money(order, 0)
        start, end = (datetime.fromisoformat(order[name]) for name in ("deliver_from", "deliver_by"))
        fetched = datetime.fromisoformat(order.get("pick_up_not_before") or order["pick_up"]["not_before"])
        stays = timedelta(minutes=int(order.get("visit_minutes") or 0))
        middle = (start + (end - start) / 2).astimezone(UTC)
        return Wish(middle, not_before=fetched.astimezone(UTC), stays=stays)
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def _money(order: Mapping[str, Any], amount: int) -> dict[str, Any]:
    """In the currency of the gift."""
    return {"amount": amount, "currency": order["items"][0]["value"]["currency"]}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _says(status: int, told: Mapping[str, Any]) -> Answer:
    body = json.dumps(told, ensure_ascii=False).encode()
    return Answer(status, body, {"content-type": "application/json"})


def _no(status: int, reason: str) -> Answer:
    problem = {"title": reason.replace("_", " "), "status": status, "reason": reason}
    return Answer(status, json.dumps(problem).encode(), {"content-type": "application/problem+json"})
