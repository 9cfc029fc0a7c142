"""DoorDash Drive: dashers of a marketplace. JSON over HTTPS under a self-signed token; status by callbacks.

An account holds:

    developer_id, key_id, signing_secret   make the token of each request (DD-JWT-V1)
    callback_secret                        what we had DoorDash send as `Authorization`
    base_url                               optional, https://openapi.doordash.com

Callbacks are not signed: they show a secret, and are believed as far as that goes.

Sources: developer.doordash.com, Drive API reference, "JWTs", "Webhooks", "Error codes and reasons". Not verified against
the real service: which of its clocks `created_at` is read off.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pydantic import Field, ValidationError

from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Booked,
    Callback,
    CancelAnswer,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    Heard,
    Job,
    LookUpAnswer,
    NotFound,
    NotTaken,
    QuoteAnswer,
    Reply,
    Request,
    Token,
    Trust,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.fleet import Proof
from chalicelib.domain.legs import Event, EventKind, order_of
from chalicelib.domain.policies import TO_THE_CLIENT
from chalicelib.domain.shapes import Foreign, Instant, Money

GATEWAY = "https://openapi.doordash.com"
CURRENCIES = frozenset({"USD", "CAD", "AUD", "NZD"})
TOKEN_LIVES = timedelta(minutes=5)

EVENTS: Mapping[str, tuple[EventKind, str]] = {
    "DASHER_CONFIRMED": (EventKind.COURIER_ASSIGNED, ""),
    "DASHER_ENROUTE_TO_PICKUP": (EventKind.COURIER_ASSIGNED, ""),
    "DASHER_CONFIRMED_PICKUP_ARRIVAL": (EventKind.AT_PICK_UP, ""),
    "DASHER_PICKED_UP": (EventKind.PICKED_UP, ""),
    "DASHER_ENROUTE_TO_DROPOFF": (EventKind.IN_TRANSIT, ""),
    "DASHER_CONFIRMED_DROPOFF_ARRIVAL": (EventKind.IN_TRANSIT, ""),
    "DASHER_DROPPED_OFF": (EventKind.DELIVERED, ""),
    "DELIVERY_CANCELLED": (EventKind.CANCELLED, "courier_cancelled"),
    "DELIVERY_RETURN_INITIALIZED": (EventKind.RETURNING, ""),
    "DASHER_CONFIRMED_RETURN_ARRIVAL": (EventKind.RETURNING, ""),
    "DELIVERY_RETURNED": (EventKind.RETURNED, ""),
}
"""`event_name` of a callback."""
STATUSES: Mapping[str, tuple[EventKind, str]] = {
    "created": (EventKind.ACCEPTED, ""),
    "confirmed": (EventKind.COURIER_ASSIGNED, ""),
    "enroute_to_pickup": (EventKind.COURIER_ASSIGNED, ""),
    "arrived_at_pickup": (EventKind.AT_PICK_UP, ""),
    "picked_up": (EventKind.PICKED_UP, ""),
    "enroute_to_dropoff": (EventKind.IN_TRANSIT, ""),
    "arrived_at_dropoff": (EventKind.IN_TRANSIT, ""),
    "delivered": (EventKind.DELIVERED, ""),
    "cancelled": (EventKind.CANCELLED, "courier_cancelled"),
    "enroute_to_return": (EventKind.RETURNING, ""),
    "arrived_at_return": (EventKind.RETURNING, ""),
    "returned": (EventKind.RETURNED, ""),
}
"""`delivery_status` of an answer: another vocabulary than the callbacks'."""


class _Delivery(Foreign):
    external_delivery_id: str = Field(min_length=1, max_length=128)
    delivery_status: str = Field(pattern=r"^[\x21-\x7e]{1,64}$")
    support_reference: str = Field(default="", pattern=r"^[\x21-\x7e]{0,64}$")
    updated_at: Instant | None = None
    fee: int | None = Field(default=None, ge=0, le=10**9)
    currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")


class _Error(Foreign):
    code: str


class _Update(Foreign):
    """A callback. The dasher's name, phone and place and both addresses are in it too and are left there."""

    event_name: str = Field(pattern=r"^[\x21-\x7e]{1,64}$")
    external_delivery_id: str = Field(min_length=1, max_length=128)
    created_at: Instant


class DoorDashDrive:
    """The language of DoorDash Drive."""

    name = "doordash_drive"
    trust: Trust = "shared_secret"
    proofs = frozenset({Proof.PHOTO, Proof.SIGNATURE})
    settle = timedelta(minutes=2)
    cancels_by_id = False

    def login(self, account: Account) -> Request | None:
        return None  # each request brings a token that we sign

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        raise Unanswered("there is nothing to log in to")

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request | None:
        return None  # a quote takes the external id, and a booking under the same id is refused then

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        return Unsure("names_no_prices")

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        value = job.gift.value
        if value.currency not in CURRENCIES:
            detail = f"a value in one of {sorted(CURRENCIES)!r} was expected, got {value.currency!r}"
            raise Uncarriable(detail, "currency_unknown", whole_courier=True)
        to_client = job.handover in TO_THE_CLIENT
        asked = {
            "external_delivery_id": job.reference,
            "pickup_address": job.pick_up.address.line,
            "pickup_business_name": job.pick_up_name,
            "pickup_phone_number": job.pick_up_contact.phone,
            "dropoff_address": job.recipient.place.address.line,
            "dropoff_phone_number": job.recipient.phone,
            "dropoff_contact_given_name": job.recipient.name,
            "dropoff_instructions": f"Hand over: {job.handover.value}",
            "order_value": value.amount,
            "currency": value.currency,
            "pickup_time": job.starts_at.isoformat(),
            "contactless_dropoff": not to_client,
            "action_if_undeliverable": "return_to_pickup",
            "dropoff_requires_signature": to_client and Proof.SIGNATURE in job.proofs,
        }
        return _request("POST", account, "", at, json.dumps(asked, sort_keys=True).encode())

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        made = _delivery(reply) if reply.status in (200, 201) else None
        if made is not None and made.external_delivery_id == job.reference:
            fee = (
                Money(amount=made.fee, currency=made.currency)
                if made.fee is not None and made.currency
                else None
            )
            return Booked(made.support_reference or made.external_delivery_id, fee)
        code = _error(reply)
        if reply.status == 422 and code:
            return NotTaken("out_of_area", whole_courier=True)
        if reply.status in (400, 403) and code:
            return NotTaken("bad_arguments" if reply.status == 400 else "account_refused", whole_courier=True)
        return Unsure(f"http_{reply.status}")

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        return _request("PUT", account, f"/{reference}/cancel", at, b"{}")

    def cancelled(self, reply: Reply) -> CancelAnswer:
        delivery = _delivery(reply) if reply.status == 200 else None
        if delivery is not None and delivery.delivery_status == "cancelled":
            return CancelConfirmed()
        if reply.status == 404 and _error(reply):
            return CancelUnknown()
        if reply.status == 409 and _error(reply):
            return CancelRefused("too_late")
        return Unsure(f"http_{reply.status}")

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        return _request("GET", account, f"/{reference}", at)

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        if reply.status == 404 and _error(reply) == "unknown_delivery_id":
            return NotFound()
        delivery = _delivery(reply) if reply.status == 200 else None
        if delivery is None or delivery.external_delivery_id != reference:
            return Unsure(f"http_{reply.status}")
        name = delivery.support_reference or reference
        kind, reason = STATUSES.get(delivery.delivery_status, (EventKind.UNREADABLE, ""))
        happened = delivery.updated_at or at
        return Found(
            name,
            _event(kind, reason, delivery.delivery_status, reference, courier_id, happened, at, "look_up"),
        )

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        given = callback.headers.get("authorization", "")
        proven = False
        for account in accounts:
            secret = account.get("callback_secret", "")
            if secret and hmac.compare_digest(secret.encode(), given.encode("utf-8", "surrogatepass")):
                proven = True
        if callback.method != "POST" or not proven:
            raise Unauthorised("no account's callback secret is this 'Authorization'")
        try:
            update = _Update.model_validate_json(callback.body)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            raise Malformed(
                f"a callback without proper {sorted({str(f['loc'][0]) for f in faults if f['loc']})!r}"
            ) from None
        if order_of(update.external_delivery_id) is None:
            return Heard((), foreign=(update.external_delivery_id,))
        kind, reason = EVENTS.get(update.event_name.upper(), (EventKind.UNREADABLE, ""))
        told = (
            kind,
            reason,
            update.event_name,
            update.external_delivery_id,
            courier_id,
            update.created_at,
            at,
        )
        return Heard((_event(*told),))

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        raise Unauthorised("DoorDash does not check addresses")


def _request(method: str, account: Account, path: str, at: datetime, body: bytes = b"") -> Request:
    base = (account.get("base_url") or GATEWAY).rstrip("/")
    headers = {"authorization": f"Bearer {_jwt(account, at)}", "content-type": "application/json"}
    return Request(method, f"{base}/drive/v2/deliveries{path}", headers, body)


def _jwt(account: Account, at: datetime) -> str:
    now = int(at.timestamp())
    claims = {
        "aud": "doordash",
        "iss": account["developer_id"],
        "kid": account["key_id"],
        "iat": now,
        "exp": now + int(TOKEN_LIVES.total_seconds()),
    }
    head = {"alg": "HS256", "typ": "JWT", "dd-ver": "DD-JWT-V1"}
    signed = b".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    secret = account["signing_secret"]
    try:
        key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except (binascii.Error, ValueError):
        raise Uncarriable("the signing secret is not Base64", "account_refused", whole_courier=True) from None
    return (signed + b"." + _base64(hmac.new(key, signed, hashlib.sha256).digest())).decode()


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _delivery(reply: Reply) -> _Delivery | None:
    try:
        return _Delivery.model_validate_json(reply.body)
    except ValidationError:
        return None


def _error(reply: Reply) -> str:
    try:
        return _Error.model_validate_json(reply.body).code
    except ValidationError:
        return ""


def _event(
    kind: EventKind,
    reason: str,
    raw: str,
    reference: str,
    courier_id: str,
    occurred_at: datetime,
    received_at: datetime,
    source: str = "callback",
) -> Event:
    return Event(
        reference=reference,
        courier_id=courier_id,
        kind=kind,
        raw_status=raw,
        occurred_at=occurred_at,
        received_at=received_at,
        event_id=f"{reference}-{raw}-{occurred_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}",
        reason=reason,
        source=source,
    )


dialect = DoorDashDrive()
