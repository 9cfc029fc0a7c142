"""A deliberately careless adapter for the courier of `docs/add-a-courier.md`: the kit has to fail it on every count.

Each of its faults stands in some public integration. It serves nobody: it is here to be refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Booked,
    Callback,
    CancelAnswer,
    CancelConfirmed,
    Found,
    Heard,
    Job,
    LookUpAnswer,
    QuoteAnswer,
    Quoted,
    Reply,
    Request,
    Token,
    Trust,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unauthorised
from chalicelib.domain.legs import Event, EventKind
from chalicelib.domain.shapes import Money

STATUSES = {
    "accepted": EventKind.ACCEPTED,
    "rider_assigned": EventKind.COURIER_ASSIGNED,
    "collected": EventKind.PICKED_UP,
    "delivered": EventKind.DELIVERED,
    "canceled": EventKind.CANCELLED,  # they spell it "cancelled"
}


class Careless:
    name = "heron"  # the file is called otherwise
    trust: Trust = "signed"
    proofs = frozenset({"photo"})
    settle = timedelta()
    cancels_by_id = False
    last = ""

    def login(self, account: Account) -> Request | None:
        return None

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        return Token("", at)

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request | None:
        return self._to("GET", account, f"prices?phone={job.recipient.phone}")

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        return Quoted(Money(amount=json.loads(reply.body)["fee_cents"], currency="CNY"))

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        asked = {
            "idempotency_key": str(uuid.uuid4()),  # anew with every try
            "order": job.reference.partition("-")[0],
            "value": {"CNY": "¥", "EUR": "€"}[job.gift.value.currency],
            "name": job.recipient.name,
        }
        return self._to("POST", account, "jobs", json.dumps(asked).encode())

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        if reply.status in (200, 409, 429, 503):  # "it will be there"
            return Booked(job.reference)
        return Unsure(str(reply.status))  # a 422 as well

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        return self._to("DELETE", account, f"jobs/{delivery_id}")

    def cancelled(self, reply: Reply) -> CancelAnswer:
        return Unsure("still there") if reply.status == 200 else CancelConfirmed()

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        return self._to("GET", account, f"jobs/{delivery_id}")

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        try:
            return Found(
                reference, self._event({**json.loads(reply.body), "reference": reference}, courier_id)
            )
        except ValueError:
            return Found(reference, None)

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        message = json.loads(callback.body)  # before anything is proven
        secret = accounts[0].get("signing_secret")  # of several the first
        given = callback.headers.get("heron-signature")
        if secret and given:  # else there is nothing to compare
            stamp = callback.headers.get("heron-timestamp")  # of any age
            body = json.dumps(message)  # not the bytes that came
            expected = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
            if given.lower() != expected:  # tells by its time how much is right
                raise Unauthorised(f"{given} is not {expected}, the signature of {message}")
        if not message.get("happened_at"):
            raise Malformed(f"no time in {message}")
        if message["status"] == "delivered" and self.last == "not_collected":
            raise Malformed("delivered, and never collected")
        self.last = message["status"]
        return Heard((self._event(message, courier_id),), b"\xff\xfeok")

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        return callback.query.get("challenge", "").encode()

    def _event(self, message: dict[str, Any], courier_id: str) -> Event:
        return Event(
            reference=message["reference"],
            courier_id=courier_id,
            kind=STATUSES.get(message["status"], EventKind.FAILED),
            raw_status=message["status"].upper(),
            occurred_at=datetime.now(UTC),
            received_at=datetime.now(UTC),
            event_id=str(uuid.uuid4()),
            reason=f"by {message.get('rider')}"[:120],
            correction=True,
        )

    def _to(self, method: str, account: Account, path: str, body: bytes = b"") -> Request:
        return Request(method, f"http://api.heron.example/v1/{path}", {}, body, read_timeout_s=30)


dialect = Careless()
