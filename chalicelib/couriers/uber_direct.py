"""Uber Direct, and Postmates' API that it grew out of: JSON over HTTPS under an OAuth token.

Status comes as webhooks, signed over the raw bytes with the webhook's own key. The scheme has no replay window, so a
replay is known by what it says (`_event`).

An account holds:

    client_id, client_secret    for the access token, scope eats.deliveries
    customer_id                 the organisation that deliveries are made for
    signing_key                 signs the webhooks ("Webhook Signing Key"); one for both kinds, at one address
    min_age                     optional, 18: what an identity check has to prove
    robo_courier                optional, for test accounts: `auto` has Uber's Robo Courier play every delivery
    base_url                    optional, https://api.uber.com; one that is given answers logins as well

Uber cannot look a delivery up by a name of ours: a list is filtered by status, and by nothing else. So our reference
is given as `external_id`, `manifest_reference` and `idempotency_key`, and found again on the newest page of the list;
what that page does not prove is not claimed (`UberDirect.looked_up`).

Sources: developer.uber.com/docs/deliveries, its guides (webhooks, proof-of-delivery, pincode, robocourier), FAQ and
API reference; the OpenAPI in uber/uber-direct-sdk; `../shared/research/courier-callbacks.md` and the recorded webhooks.

Not verified, for want of an account: that the list is newest first and what page it grants; whether webhooks of a
return (`ret_`) bear our reference; whether `canceled` can precede `returned`; amounts in currencies without
hundredths, which are refused; codes of `undeliverable_reason` beyond the five that Uber names, which are from public
integrations; that an address may lack state and postcode when its coordinates are given; that a quote without
telephone numbers holds for a booking that has them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Booked,
    Callback,
    CancelAnswer,
    CancelConfirmed,
    CancelUnknown,
    Found,
    Heard,
    Job,
    LookUpAnswer,
    NotFound,
    NotTaken,
    QuoteAnswer,
    Quoted,
    Reply,
    Request,
    Token,
    TokenRefused,
    Trust,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.legs import Event, EventKind, order_of
from chalicelib.domain.places import Datum, Place
from chalicelib.domain.policies import TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import MOST, SECOND, Foreign, Instant, Money, rounded_up, zone_info

API = "https://api.uber.com"
AUTH = "https://auth.uber.com"
TOKEN_MARGIN = timedelta(hours=1)
"""A token lives 30 days; it is dropped this long before its end."""
PAGE = 200
"""Deliveries asked for in one list. One has up to 4 KB, and a reply of more than 1 MiB counts as none."""
LOOK_BACK = timedelta(hours=6)
"""A page of the list that reaches back so far without our reference says that there is no such job. An attempt whose
fate is unknown is looked up at least every quarter of an hour, so an older one is an outage's, and a busy account's."""

STATUSES: Mapping[str, EventKind] = {
    "pending": EventKind.ACCEPTED,
    "pickup": EventKind.COURIER_ASSIGNED,
    "pickup_complete": EventKind.PICKED_UP,
    "dropoff": EventKind.IN_TRANSIT,
    "delivered": EventKind.DELIVERED,
    "canceled": EventKind.CANCELLED,
    "returned": EventKind.RETURNING,
}
"""`status`, all documented values, where nothing else in the delivery says it more exactly (`_meaning`).

`returned` is not yet back: the delivery is over and another one, `ret_`, has been made that brings the gift back.
"""
_ON_ITS_WAY_BACK: Mapping[str, tuple[EventKind, str]] = {
    "pending": (EventKind.RETURNING, ""),
    "pickup": (EventKind.RETURNING, ""),
    "pickup_complete": (EventKind.RETURNING, ""),
    "dropoff": (EventKind.RETURNING, ""),
    "delivered": (EventKind.RETURNED, ""),
    "canceled": (EventKind.FAILED, "return_failed"),
}
"""`status` of a return: its pick-up is where the gift could not be handed over, its drop-off is the shop."""

REASONS: Mapping[str, str] = {
    "cannot_access_customer_location": "cannot_access_location",
    "cannot_find_customer_address": "address_not_found",
    "customer_rejected_order": "client_refused",
    "customer_unavailable": "client_unavailable",
    "no_secure_location_to_dropoff": "no_safe_place",
    "customer_not_available": "client_unavailable",
    "excessive_wait_time": "client_unavailable",
    "wrong_address": "address_not_found",
    "recipient_id": "identity_not_proven",
    "recipient_age": "identity_not_proven",
    "customer_id_check_failed": "identity_not_proven",
    "pin_match_issue": "code_wrong",
    "customer_cancel": "client_cancelled",
    "merchant_cancel": "merchant_cancelled",
    "cancelled_by_merchant_api": "merchant_cancelled",
    "unable_to_find_pickup": "pick_up_not_found",
    "merchant_closed": "pick_up_closed",
    "restaurant_closed": "pick_up_closed",
    "supplier_closed": "pick_up_closed",
    "merchant_refused": "pick_up_refused",
    "oversized_item": "goods_refused",
    "item_lost": "gift_lost",
    "courier_cancel": "courier_reason",
    "courier_report_crash": "accident",
    "order_task_failed": "courier_system",
    "uber_cancel": "courier_system",
    "cannot_dispatch_courier": "no_rider",
    "batch_force_ended_expired_order": "no_rider",
    "unfulfillment": "no_rider",
    "unfulfilled": "no_rider",
}
"""`undeliverable_reason`, in small letters, in our words: the first four are those of the Robo Courier, the fifth is
named in the OpenAPI."""

_REFUSALS: Mapping[str, tuple[str, bool]] = {
    "address_undeliverable": ("out_of_area", True),
    "address_undeliverable_limited_couriers": ("no_rider", False),
    "customer_blocked": ("account_refused", True),
    "customer_not_found": ("account_refused", True),
    "customer_suspended": ("account_unpaid", True),
    "dropoff_deadline_before_pickup_deadline": ("window_refused", False),
    "dropoff_deadline_too_early": ("window_refused", False),
    "dropoff_ready_after_pickup_deadline": ("window_refused", False),
    "expired_quote": ("quote_expired", False),
    "invalid_params": ("bad_arguments", True),
    "mismatched_price_quote": ("quote_expired", False),
    "missing_payment": ("account_unpaid", True),
    "not_allowed": ("account_refused", True),
    "pickup_deadline_too_early": ("start_too_soon", False),
    "pickup_ready_too_early": ("start_too_soon", False),
    "pickup_ready_too_late": ("start_too_late", False),
    "pickup_window_too_small": ("window_refused", False),
    "unknown_location": ("address_not_found", True),
}
"""`code` of a 4xx that made no job, in our words, and whether another crew would hear the same."""
_SAYS_NOTHING: Mapping[str, str] = {
    "duplicate_delivery": "exists_already",
    "used_quote": "exists_already",  # by whom, if not by an attempt of ours
    "request_timeout": "courier_timeout",
    "customer_limited": "too_many_calls",
    "couriers_busy": "no_rider",
}
"""`code` of an answer after which there may be a job all the same, whatever its HTTP status: some come as a 400."""
_PARAMETERS: Sequence[tuple[re.Pattern[str], tuple[str, bool]]] = (
    (re.compile(r"from now", re.IGNORECASE), ("start_too_soon", False)),
    (re.compile(r"phone", re.IGNORECASE), ("phone_refused", True)),
    (re.compile(r"geocod|address|location", re.IGNORECASE), ("address_not_found", True)),
)
"""What an `invalid_params` says in its `metadata`, in words only."""

_NOT_IN_HUNDREDTHS = re.compile(
    "BHD|BIF|CLP|DJF|GNF|IQD|ISK|JOD|JPY|KMF|KRW|KWD|LYD|OMR|PYG|RWF|TND|UGX|UYI|VND|VUV|XAF|XOF|XPF"
)
"""ISO 4217: currencies whose minor unit is not a hundredth, or that have none."""
_PROVES_AGE = frozenset({ItemClass.ALCOHOL, ItemClass.MEDICINE, ItemClass.HIGH_VALUE})
_UPRIGHT = frozenset({ItemClass.HOT_MEAL, ItemClass.CHILLED, ItemClass.FLOWERS})
_HAND_OVER: Mapping[Handover, str] = {
    Handover.DOOR: "Hand to the client at the door.",
    Handover.LOBBY: "Hand to the client in the lobby.",
    Handover.GATE: "Hand over at the compound gate; do not go in.",
    Handover.SHELF: "Leave on the contactless shelf; do not go in.",
    Handover.COLLECTION_POINT: "Hand over at the collection point.",
}
_MINUTE = timedelta(minutes=1)
_PICK_UP_WINDOW, _FROM_NOW, _DROP_OFF_WINDOW = 10 * _MINUTE, 21 * _MINUTE, 20 * _MINUTE
"""Uber's least: of the pick-up window, from now to its end (with a minute for the way there), of the hand-over's."""
_NOTICE = 30 * _MINUTE
"""A hand-over that may not begin at once is announced at least 29 minutes ahead."""
_AHEAD = timedelta(days=30)


# --- what Uber sends ------------------------------------------------------------------------------------------


class _Delivery(Foreign):
    """A delivery as every answer and webhook has it. What may be missing or odd without harm is `object`; names and
    telephone numbers of client and courier are in it too and are left where they are."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    status: object = None
    updated: Instant | None = None
    created: Instant | None = None
    complete: object = None
    external_id: object = None
    manifest: object = None
    courier_imminent: object = None
    undeliverable_action: object = None
    undeliverable_reason: object = None
    related_deliveries: object = None
    pickup: object = None
    dropoff: object = None
    sent_back: object = Field(default=None, validation_alias=AliasChoices("return", "sent_back"))
    fee: object = None
    currency: object = None
    currency_type: object = None

    @property
    def names(self) -> tuple[str, ...]:
        """What it may call us by."""
        said = (self.external_id, _within(self.manifest, "reference"))
        return tuple(name for name in said if isinstance(name, str) and name)

    @property
    def is_return(self) -> bool:
        return self.id.startswith("ret_")


class _Quote(Foreign):
    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    fee: object = None
    currency: object = None
    currency_type: object = None
    expires: Instant | None = None


class _Page(Foreign):
    data: list[object]
    next_href: object = None


class _Failure(Foreign):
    code: str = Field(pattern=r"^[A-Za-z0-9_]{1,64}$")
    metadata: object = None


class _Login(Foreign):
    access_token: str = Field(min_length=1)
    expires_in: int = Field(gt=0, le=366 * 24 * 3600)


class _Webhook(Foreign):
    kind: str
    created: Instant | None = None
    delivery_id: object = None
    status: object = None
    data: object = None


_Model = TypeVar("_Model", bound=BaseModel)


def _read(model: type[_Model], raw: bytes) -> _Model | None:
    try:
        return model.model_validate_json(raw.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError:
        return None


def _within(value: object, *path: str) -> object:
    """What stands there in a JSON value, or None."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _slug(value: object, length: int) -> str:
    return re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")[:length] if isinstance(value, str) else ""


class UberDirect:
    """The language of Uber Direct."""

    name = "uber_direct"
    trust: Trust = "signed"
    proofs = frozenset({Proof.RECEIPT_CODE, Proof.SIGNATURE, Proof.IDENTITY, Proof.PHOTO})
    settle = timedelta(minutes=5)
    """Longer than elsewhere: nobody says how soon a list shows what has just been made."""
    cancels_by_id = True

    # --- asking ---

    def login(self, account: Account) -> Request | None:
        asked = {
            "grant_type": "client_credentials",
            "client_id": account["client_id"],
            "client_secret": account["client_secret"],
            "scope": "eats.deliveries",
        }
        form = {"content-type": "application/x-www-form-urlencoded"}
        return Request("POST", f"{_base(account, AUTH)}/oauth/v2/token", form, urlencode(asked).encode())

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        read = _read(_Login, reply.body) if reply.status == 200 else None
        if read is None:
            raise Unanswered(f"no access token in the answer to a login, status {reply.status}")
        lives = max(timedelta(seconds=read.expires_in) - TOKEN_MARGIN, timedelta(0))
        return Token(read.access_token, at + lives)

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """One delivery_quotes, for the same way at the same times; nothing is made of it, and nobody is named."""
        return _post(account, token, "delivery_quotes", _way(job, at))

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        """The fee and the `dqt_` that keeps it for some 15 minutes. That all couriers are busy now (503) is no no: of
        a gift for later it says nothing."""
        if reply.status != 200:
            return _refusal(reply)
        read = _read(_Quote, reply.body)
        fee = _money(read) if read else None
        if read is None or fee is None:
            return Unsure("unreadable" if read is None else "no_fee")
        return Quoted(fee, read.id, read.expires)

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """One deliveries. A second of the same reference is a `duplicate_delivery`, for an hour by its
        `idempotency_key`, and after that by `external_id` and `manifest_reference`, that have to be unique together.

        Raises `Uncarriable` for a currency without hundredths, and for times that Uber cannot be told.
        """
        asked: dict[str, object] = {
            **_way(job, at),
            "external_id": job.reference,
            "manifest_reference": job.reference,
            "idempotency_key": job.reference,
            "pickup_name": job.pick_up_contact.name,
            "pickup_phone_number": job.pick_up_contact.phone,
            "pickup_business_name": job.pick_up_name,
            "pickup_notes": f"{job.reference} {_keep(job)}".strip()[:280],
            "dropoff_name": job.recipient.name,
            "dropoff_phone_number": job.recipient.phone,
            "dropoff_notes": _note(job)[:280],
            "manifest_items": [
                {
                    "name": item.name,
                    "quantity": item.quantity,
                    "price": item.value.amount,
                    "must_be_upright": item.item_class in _UPRIGHT,
                    **({"weight": item.grams} if item.grams else {}),
                }
                for item in job.gift.items
            ],
            "deliverable_action": "deliverable_action_leave_at_door"
            if job.handover is Handover.SHELF
            else "deliverable_action_meet_at_door",
            "undeliverable_action": "return",
            **_verification(account, job),
        }
        if job.quote_id is not None:
            asked["quote_id"] = job.quote_id
        if account.get("robo_courier"):
            asked["test_specifications"] = {"robo_courier_specification": {"mode": account["robo_courier"]}}
        return _post(account, token, "deliveries", asked)

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        """A delivery with an id is a booking, unless it bears another's name."""
        if reply.status != 200:
            return _refusal(reply)
        read = _read(_Delivery, reply.body)
        if read is None:
            return Unsure("unreadable")
        if read.is_return or (read.names and job.reference not in read.names):
            return Unsure("another_job")
        return Booked(read.id, _money(read), _codes(read))

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        """By Uber's id; under our reference it knows nothing, and so nothing is cancelled. No reason is taken."""
        return _post(account, token, f"deliveries/{quote(delivery_id or reference, safe='')}/cancel", None)

    def cancelled(self, reply: Reply) -> CancelAnswer:
        """Where the gift is, is said by the delivery's waypoints, or not at all. `fee` is the price of the delivery;
        what of it is charged for a cancelled one, no answer says."""
        if reply.status == 200:
            read = _read(_Delivery, reply.body)
            kind = _meaning(read)[0] if read else None
            if kind in (EventKind.RETURNING, EventKind.RETURNED):
                return CancelConfirmed(returning=True)
            if kind is EventKind.PICK_UP_FAILED:
                return CancelConfirmed(returning=False)
            if kind in (EventKind.CANCELLED, EventKind.FAILED):
                return CancelConfirmed()
            return Unsure("unreadable" if read is None else "not_cancelled")
        code = _code(reply)
        if (reply.status, code) == (404, "delivery_not_found"):
            return CancelUnknown()
        if (reply.status, code) == (400, "noncancelable_delivery"):
            return Unsure("cannot_be_cancelled")  # too late, or cancelled already: the look-up says which
        answer = _refusal(reply)
        return Unsure(answer.reason) if isinstance(answer, NotTaken) else answer

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        """The delivery by Uber's id or, where we have none yet, the newest page of all."""
        if delivery_id is not None:
            return _get(account, token, f"deliveries/{quote(delivery_id, safe='')}")
        return _get(account, token, f"deliveries?limit={PAGE}")

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        """The job's present state; of a page, the delivery that bears our reference.

        A page without it proves that there is none when it is whole, or newest first and reaching back `LOOK_BACK`:
        else whoever is told "none" books a second courier.
        """
        if reply.status != 200:
            if (reply.status, _code(reply)) == (404, "delivery_not_found"):
                return NotFound()
            answer = _refusal(reply)
            return Unsure(answer.reason) if isinstance(answer, NotTaken) else answer
        read = _read(_Delivery, reply.body)
        if read is not None:
            if read.names and reference not in read.names:
                return Unsure("another_job")
            return _found(read, reference, courier_id, at)
        page = _read(_Page, reply.body)
        if page is None:
            return Unsure("unreadable")
        rows = [_row(row) for row in page.data]
        ours = [row for row in rows if row is not None and reference in row.names and not row.is_return]
        if ours:
            return _found(min(ours, key=lambda row: row.complete is True), reference, courier_id, at)
        whole = not rows or (len(rows) < PAGE and not page.next_href)
        proves = (whole or _reaches(rows, at - LOOK_BACK)) and not _hides(rows, at - LOOK_BACK)
        return NotFound() if proves else Unsure("not_on_the_page")

    # --- hearing ---

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        """A webhook: `x-uber-signature`, or where that is not sent the older `x-postmates-signature`, over the raw
        bytes. It is read only then, and never written anew: its escapes, such as \\u0026, are signed too.

        A refund or a shopper's progress say nothing of where the delivery is, and are acknowledged. `data` is the
        delivery as it is now, and goes before the `status` beside it, which an update does not have.
        """
        if callback.method != "POST":
            raise Unauthorised(f"a webhook is sent by 'POST', got {callback.method!r}")
        _proven(accounts, callback)
        webhook = _read(_Webhook, callback.body)
        if webhook is None:
            raise Malformed("the webhook is not a JSON object with 'kind'")
        if webhook.kind not in _OF_A_DELIVERY:
            return Heard(())
        try:
            delivery = _Delivery.model_validate(webhook.data)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            fields = sorted({str(fault["loc"][0]) for fault in faults if fault["loc"]})
            raise Malformed(f"a webhook whose delivery is without proper {fields!r}") from None
        ours = next((name for name in delivery.names if name.isprintable() and order_of(name)), None)
        if ours is None:
            return Heard((), foreign=(next(iter(delivery.names), delivery.id)[:64],))
        if delivery.status is None:
            delivery = delivery.model_copy(update={"status": webhook.status})
        occurred_at = delivery.updated or webhook.created
        if occurred_at is None:
            raise Malformed("a webhook whose delivery is without 'updated'")
        return Heard((_event(delivery, ours, courier_id, occurred_at, at),))

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        """Uber checks no address: whoever asks is somebody else."""
        raise Unauthorised("this courier checks no address")


_OF_A_DELIVERY = frozenset({"event.delivery_status", "event.delivery_return", "event.courier_update"})
"""`kind`. The second is in older editions of the documentation."""


# --- requests -------------------------------------------------------------------------------------------------


def _base(account: Account, otherwise: str) -> str:
    return (account.get("base_url") or otherwise).rstrip("/")


def _url(account: Account, path: str) -> str:
    return f"{_base(account, API)}/v1/customers/{quote(account['customer_id'], safe='')}/{path}"


def _get(account: Account, token: str, path: str) -> Request:
    return Request("GET", _url(account, path), {"authorization": f"Bearer {token}"})


def _post(account: Account, token: str, path: str, asked: Mapping[str, object] | None) -> Request:
    headers = {"authorization": f"Bearer {token}"}
    if asked is None:
        return Request("POST", _url(account, path), headers)
    return Request(
        "POST", _url(account, path), {**headers, "content-type": "application/json"}, _json(asked).encode()
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _way(job: Job, at: datetime) -> dict[str, object]:
    """From where to where, when, and what it is worth: what a quote is asked for by."""
    value = job.gift.value
    if _NOT_IN_HUNDREDTHS.fullmatch(value.currency):
        detail = f"Uber counts in hundredths, and {value.currency!r} has none"
        raise Uncarriable(detail, "currency_unknown", whole_courier=True)
    way: dict[str, object] = {"manifest_total_value": value.amount, **_times(job, at)}
    for end, place in (("pickup", job.pick_up), ("dropoff", job.recipient.place)):
        lng, lat = place.coordinate.within(Datum.WGS84)
        way[f"{end}_address"] = _address(place)
        way[f"{end}_latitude"], way[f"{end}_longitude"] = round(lat, 6), round(lng, 6)
    return way


def _address(place: Place) -> str:
    """Structured, as JSON within the JSON."""
    address = place.address
    parts = [part for part in (address.compound, address.building, address.unit) if part]
    street = [address.line, " ".join(part for part in parts if part not in address.line)]
    return _json(
        {"street_address": [s for s in street if s], "city": address.city, "country": address.country}
    )


def _times(job: Job, at: datetime) -> dict[str, str]:
    """The windows of pick-up and hand-over, inside ours. Raises `Uncarriable` where Uber wants wider ones.

    A hand-over that may not begin at once cannot be announced at short notice; then the gift is fetched no sooner
    than it may be handed over, so that nobody is there before anybody is cleared. The pick-up may be as late as
    leaves time for the hand-over: what counts is when the client has it.
    """
    begins, closes = max(job.starts_at, at), job.deliver_by.replace(microsecond=0)
    if begins < job.deliver_from < at + _NOTICE:
        begins = job.deliver_from
    told = {}
    if begins > at:  # else at once, which has no time: now would be in the past when it arrives
        begins = rounded_up(max(begins, at + _MINUTE), SECOND)
        told["pickup_ready_dt"] = begins
    opens = begins
    if job.deliver_from > begins:
        opens = told["dropoff_ready_dt"] = rounded_up(job.deliver_from, SECOND)
    earliest = max(begins + _PICK_UP_WINDOW, rounded_up(at, SECOND) + _FROM_NOW, opens)
    if begins > at + _AHEAD:
        detail = f"a pick-up from {begins.isoformat()!r} on is more than {_AHEAD.days} days ahead"
        raise Uncarriable(detail, "start_too_late", whole_courier=False)
    if closes < max(earliest, opens + _DROP_OFF_WINDOW):
        detail = f"from {opens.isoformat()!r} to {closes.isoformat()!r} is too short for Uber's windows"
        raise Uncarriable(detail, "window_too_short", whole_courier=False)
    told["pickup_deadline_dt"] = max(earliest, closes - _DROP_OFF_WINDOW)
    told["dropoff_deadline_dt"] = closes
    return {name: f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for name, moment in told.items()}


def _verification(account: Account, job: Job) -> dict[str, object]:
    """What the courier has to bring back, of what this courier is relied on for (`Job.proofs`).

    Where the client is not there a photograph is all that can be asked. Identity is the scan of a document that
    proves an age: it is asked where that is the point, and nobody shows one for flowers.
    """
    asked: dict[str, Any] = {}
    back: dict[str, Any] = {}
    if Proof.PHOTO in job.proofs:
        asked["picture"] = back["picture"] = True
    if Proof.SIGNATURE in job.proofs:
        back["signature_requirement"] = {"enabled": True}
    if job.handover in TO_THE_CLIENT:
        if Proof.RECEIPT_CODE in job.proofs:
            asked["pincode"] = {"enabled": True}
        if Proof.SIGNATURE in job.proofs:
            asked["signature_requirement"] = {"enabled": True}
        if Proof.IDENTITY in job.proofs and not _PROVES_AGE.isdisjoint(job.gift.item_classes):
            asked["identification"] = {"min_age": _min_age(account)}
    both = (("dropoff_verification", asked), ("return_verification", back))
    return {name: wanted for name, wanted in both if wanted}


def _min_age(account: Account) -> int:
    told = account.get("min_age", "")
    return int(told) if told.isdecimal() else 18


def _keep(job: Job) -> str:
    """How cold. Uber has no field for it."""
    ranges = [item.temperature for item in job.gift.items if item.temperature is not None]
    if not ranges:
        return ""
    low, high = max(r.min_c for r in ranges), min(r.max_c for r in ranges)
    return f"Keep at {low:g} to {high:g} °C." if low <= high else ""


def _note(job: Job) -> str:
    zone = zone_info(job.time_zone)
    hours = f"{job.deliver_from.astimezone(zone):%H:%M}-{job.deliver_by.astimezone(zone):%H:%M}"
    gate = f" Which: {job.gate}." if job.gate else ""
    return f"{_HAND_OVER[job.handover]}{gate} {hours}. {_keep(job)}".strip()


# --- answers --------------------------------------------------------------------------------------------------


def _code(reply: Reply) -> str:
    failure = _read(_Failure, reply.body)
    return failure.code.lower() if failure else ""


def _refusal(reply: Reply) -> NotTaken | TokenRefused | Unsure:
    """What an answer other than 200 comes to. Only a 4xx that says why made no job for certain."""
    if reply.status == 401:
        return TokenRefused()
    failure = _read(_Failure, reply.body)
    code = failure.code.lower() if failure else ""
    if code in _SAYS_NOTHING:
        return Unsure(_SAYS_NOTHING[code])
    if failure is None or not 400 <= reply.status < 500 or reply.status in (408, 409, 425, 429):
        return Unsure(f"http_{reply.status}")
    reason, whole = _REFUSALS.get(code, (f"courier_{_slug(code, 40)}", False))
    if code == "invalid_params" and isinstance(failure.metadata, Mapping):
        words = " ".join(str(word) for pair in failure.metadata.items() for word in pair)
        known = (meaning for pattern, meaning in _PARAMETERS if pattern.search(words))
        reason, whole = next(known, (reason, whole))
    return NotTaken(reason, whole)


def _money(priced: _Delivery | _Quote) -> Money | None:
    """`fee` in hundredths; None for what is no amount, or of a currency that has none."""
    currency = priced.currency_type or priced.currency
    amount = priced.fee
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Za-z]{3}", currency):
        return None
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= MOST:
        return None
    currency = currency.upper()
    return None if _NOT_IN_HUNDREDTHS.fullmatch(currency) else Money(amount=amount, currency=currency)


def _codes(delivery: _Delivery) -> dict[str, str]:
    pin = _within(delivery.dropoff, "verification_requirements", "pincode", "value")
    return {Proof.RECEIPT_CODE.value: pin} if isinstance(pin, str) and _PIN.fullmatch(pin) else {}


_PIN = re.compile(r"[0-9]{1,12}")


def _row(row: object) -> _Delivery | None:
    try:
        return _Delivery.model_validate(row)
    except ValidationError:
        return None


def _reaches(rows: Sequence[_Delivery | None], since: datetime) -> bool:
    """True for a page that is newest first, every row of it, and goes back at least so far."""
    made = [row.created for row in rows if row is not None and row.created is not None]
    if len(made) < len(rows) or not made:
        return False
    return made == sorted(made, reverse=True) and made[-1] <= since


def _hides(rows: Sequence[_Delivery | None], since: datetime) -> bool:
    """True when one of these could be ours and does not say so: made lately, and without any name of a customer's."""
    return any(row is None or (not row.names and (row.created or since) >= since) for row in rows)


def _found(delivery: _Delivery, reference: str, courier_id: str, at: datetime) -> Found:
    """And its code: the answer to the booking, which had it, may have been lost."""
    if delivery.status is None:
        return Found(delivery.id, None, _codes(delivery))
    occurred_at = delivery.updated or at
    event = _event(delivery, reference, courier_id, occurred_at, at, "look_up")
    return Found(delivery.id, event, _codes(delivery))


# --- events ---------------------------------------------------------------------------------------------------


def _meaning(delivery: _Delivery) -> tuple[EventKind, str]:
    """Our word for a delivery as it stands, and why it failed.

    `pickup` with the courier imminent, within some 80 metres, is the nearest Uber has to "at the shop". `canceled` is
    used on both sides of the pick-up: its waypoints say on which, or nothing does.
    """
    status = delivery.status if isinstance(delivery.status, str) else ""
    if delivery.is_return:
        return _ON_ITS_WAY_BACK.get(status, (EventKind.UNREADABLE, ""))
    kind = STATUSES.get(status, EventKind.UNREADABLE)
    said = _slug(delivery.undeliverable_reason, 64)
    reason = REASONS.get(said, said[:28])
    if kind is EventKind.COURIER_ASSIGNED and delivery.courier_imminent is True:
        return EventKind.AT_PICK_UP, ""
    if kind is EventKind.DELIVERED:
        return kind, "left_at_door" if delivery.undeliverable_action == "left_at_door" else ""
    if kind is EventKind.CANCELLED and _is_sent_back(delivery):
        kind = EventKind.RETURNING
    if kind is EventKind.RETURNING:
        back = _within(delivery.sent_back, "status") == "completed"
        return EventKind.RETURNED if back else kind, reason
    if kind is EventKind.CANCELLED:
        fetched = _within(delivery.pickup, "status")
        known = {"completed": EventKind.FAILED, "failed": EventKind.PICK_UP_FAILED}
        return known.get(fetched, kind) if isinstance(fetched, str) else kind, reason
    return kind, ""


def _is_sent_back(delivery: _Delivery) -> bool:
    """True when another delivery has been made that returns the gift of this one."""
    related = delivery.related_deliveries
    others = related if isinstance(related, list) else [related]
    return any(str(_within(other, "relationship")).startswith("return") for other in others)


def _event(
    delivery: _Delivery,
    reference: str,
    courier_id: str,
    occurred_at: datetime,
    received_at: datetime,
    source: str = "callback",
) -> Event:
    """What a delivery says, at the time of its last change (`updated`, not `created`: that is when it was sent).

    The event is named by all that it says and not by `evt_...`, of which an update has a new one every 20 seconds: a
    repeat, an update that tells only where the courier is, and a look-up are one event. That a gift comes back
    corrects whatever end was told before.
    """
    kind, reason = _meaning(delivery)
    raw = delivery.status if isinstance(delivery.status, str) else "none"
    raw = re.sub(r"[^\x21-\x7e]", "?", raw)[:20] or "none"
    if delivery.is_return:
        raw = f"ret_{raw}"
    moment = int(occurred_at.timestamp() * 1000)
    return Event(
        reference=reference,
        courier_id=courier_id,
        kind=kind,
        raw_status=raw,
        occurred_at=occurred_at,
        received_at=received_at,
        event_id="-".join(part for part in (delivery.id, raw, kind.value, reason, str(moment)) if part),
        reason=reason,
        correction=kind in (EventKind.RETURNING, EventKind.RETURNED),
        source=source,
    )


# --- proof ----------------------------------------------------------------------------------------------------


def _proven(accounts: Sequence[Account], callback: Callback) -> None:
    """Raises `Unauthorised` unless some account's key gives the signature sent. The newer header decides."""
    given = callback.headers.get("x-uber-signature", callback.headers.get("x-postmates-signature", ""))
    proven = False
    for account in accounts:
        key = account.get("signing_key", "")
        if not key:
            continue  # an empty key proves nothing: anybody can sign with it
        expected = hmac.new(key.encode(), callback.body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass")):
            proven = True
    if not proven:
        raise Unauthorised("no account's key gives this signature")


dialect = UberDirect()
