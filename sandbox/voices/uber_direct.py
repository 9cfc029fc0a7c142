"""Uber Direct, spoken by a simulated company: its API, its windows' rules, and its signed webhooks.

Gives tokens out, refuses what Uber documents that it refuses, lists deliveries newest first, and has a delivery of
its own (`ret_`) bring back what could not be handed over.
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
from urllib.parse import parse_qs, unquote

from sandbox.conduct import Wish
from sandbox.ledger import CourierJob, Stage, Step
from sandbox.voice import Answer, Ask, Call, Letter, News

_TOKEN_LIVES = timedelta(days=30)
_MINUTE = timedelta(minutes=1)
_QUOTE_HOLDS = 15 * _MINUTE
_NEEDED = ("pickup_address", "dropoff_address")
_NEEDED_TO_BOOK = (
    *_NEEDED,
    "pickup_name",
    "pickup_phone_number",
    "dropoff_name",
    "dropoff_phone_number",
    "manifest_items",
)
_STATUSES: Mapping[Stage, str] = {
    Stage.ACCEPTED: "pending",
    Stage.ASSIGNED: "pickup",
    Stage.AT_SHOP: "pickup",
    Stage.PICKED_UP: "pickup_complete",
    Stage.IN_TRANSIT: "dropoff",
    Stage.DELIVERED: "delivered",
    Stage.RETURNING: "returned",
    Stage.RETURNED: "returned",
    Stage.PICK_UP_FAILED: "canceled",
    Stage.CANCELLED: "canceled",
}
_REASONS: Mapping[str, str] = {
    "merchant_cancelled": "cancelled_by_merchant_api",
    "courier_system": "UBER_CANCEL",
    "force_majeure": "order_task_failed",
    "courier_reason": "COURIER_CANCEL",
    "merchant_fault": "merchant_closed",
    "recalled": "cancelled_by_merchant_api",
    "client_unavailable": "customer_unavailable",
    "client_refused": "customer_rejected_order",
    "cannot_access_location": "cannot_access_customer_location",
}
_REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "no_rider": (400, "address_undeliverable_limited_couriers", "All couriers are currently busy."),
    "out_of_area": (400, "address_undeliverable", "The specified location is not in a deliverable area."),
    "closed_area": (400, "address_undeliverable", "The specified location is not in a deliverable area."),
    "goods_refused": (400, "not_allowed", "The parameters of your request were invalid."),
    "account_unpaid": (402, "customer_suspended", "Your account is passed due. Payment is required."),
}
"""A closed compound has no word of its own here, and goods have not either."""
_PHONE = re.compile(r"\+[0-9]+")
_COURIER = {"name": "Cori R.", "vehicle_type": "car", "phone_number": "+15555550100", "rating": "5.00"}
_PICTURE = "https://pictures.example/courier?size=small&of=1"


def account(name: str) -> dict[str, str]:
    """An invented account; its secrets follow from its name, for they protect nothing."""
    chance = hashlib.sha256(f"sandbox/uber_direct/{name}".encode()).hexdigest()
    return {
        "client_id": chance[:32],
        "client_secret": chance[16:56],
        "customer_id": f"cus_{name}_{chance[:8]}",
        "signing_key": chance[24:60],
    }


class UberDirect:
    """One organisation's deliveries."""

    proves = True
    retries: Sequence[timedelta] = tuple(timedelta(seconds=s) for s in (10, 30, 60, 120))
    """As one integrator says; Uber does not."""

    def __init__(self, account: Mapping[str, str]) -> None:
        self.account = dict(account)
        self._tokens: dict[str, datetime] = {}
        self._quotes: dict[str, tuple[datetime, str]] = {}
        """Until when each holds, and for which way; empty once it is used."""

    def expire_tokens(self) -> None:
        """Every access token given out so far is refused from now on."""
        self._tokens.clear()

    def delivery_id(self, reference: str) -> str:
        return f"del_{_tokenised(reference)}"

    # --- reading ---

    def read(self, call: Call) -> Ask | Answer:
        if call.path == "/oauth/v2/token":
            return self._login(call)
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        until = self._tokens.get(token)
        if kind != "Bearer" or until is None or until <= call.at:
            return _no(401, "unauthorized", "Invalid OAuth 2.0 credentials provided.")
        parts = [unquote(part) for part in call.path.strip("/").split("/")]
        if parts[:2] != ["v1", "customers"] or len(parts) < 4:
            return _no(404, "not_found", "There is nothing at this address.")
        if parts[2] != self.account["customer_id"]:
            return _no(404, "customer_not_found", "Customer does not exist.")
        match call.method, parts[3:]:
            case "POST", ["delivery_quotes"]:
                return self._read_job(call, booking=False)
            case "POST", ["deliveries"]:
                return self._read_job(call, booking=True)
            case "GET", ["deliveries"]:
                limit = call.query.get("limit", "")
                most = int(limit) if limit.isdecimal() else 20
                return Ask("look_up", of_all=lambda jobs: self._listed(jobs, most))
            case "GET", ["deliveries", name]:
                return Ask("look_up", delivery_id=name)
            case "POST", ["deliveries", name, "cancel"]:
                return Ask("cancel", delivery_id=name)
        return _no(404, "not_found", "There is nothing at this address.")

    def _login(self, call: Call) -> Answer:
        try:
            asked = {name: values[0] for name, values in parse_qs(call.body.decode("ascii")).items()}
        except ValueError:
            asked = {}
        wanted = {
            "grant_type": "client_credentials",
            "client_id": self.account["client_id"],
            "client_secret": self.account["client_secret"],
            "scope": "eats.deliveries",
        }
        if call.method != "POST" or asked != wanted:
            return _says({"error": "invalid_client", "error_description": "client auth failed"}, 401)
        token = hashlib.sha256(f"{call.at.isoformat()}/{len(self._tokens)}".encode()).hexdigest()
        self._tokens[token] = call.at + _TOKEN_LIVES
        lives = int(_TOKEN_LIVES.total_seconds())
        return _says(
            {
                "access_token": token,
                "expires_in": lives,
                "token_type": "Bearer",  # nosec B105 - a kind of token, and an empty one
                "scope": "eats.deliveries",
                "refresh_token": "",  # nosec B105 - there is none
                "last_authenticated": 0,
            }
        )

    def _read_job(self, call: Call, booking: bool) -> Ask | Answer:
        try:
            asked = json.loads(call.body)
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            return _no(400, "invalid_params", "The parameters of your request were invalid.")
        wrong = _wrong(asked, booking)
        if wrong:
            return _no(400, "invalid_params", "The parameters of your request were invalid.", wrong)
        windows = _windows(asked)
        if windows is None:
            details = {"param_details": "A time is not in RFC 3339."}
            return _no(400, "invalid_params", "The parameters of your request were invalid.", details)
        code = _unfit(windows, call.at)
        if code:
            return _no(400, code, "The windows do not fit.")
        if not booking:
            # no reference is in it: the same question is the same quote
            return Ask("quote", _letters(hashlib.sha256(call.body).digest()), order=(asked, call.at))
        code = self._unquoted(asked, call.at)
        if code:
            return _no(400, code, "The price quote specified does not hold.")
        opens = windows.get("dropoff_ready", windows.get("pickup_ready", call.at))
        closes = windows.get("dropoff_deadline", opens + 60 * _MINUTE)
        wish = Wish(opens + (closes - opens) / 2, "arrival", windows.get("pickup_ready"))
        return Ask("book", reference=asked["external_id"], wish=wish, order=asked)

    def _unquoted(self, asked: Mapping[str, Any], now: datetime) -> str:
        """The code of what is wrong with the quote that this job names, if it names one."""
        if "quote_id" not in asked:
            return ""
        until, way = self._quotes.get(str(asked["quote_id"]), (now, ""))
        if until <= now:
            return "expired_quote"
        if not way:
            return "used_quote"
        return "" if way == _way(asked) else "mismatched_price_quote"

    # --- answering ---

    def quoted(self, ask: Ask, fee: int) -> Answer:
        asked, at = ask.order
        name, until = f"dqt_{ask.reference}", at + _QUOTE_HOLDS
        self._quotes[name] = until, _way(asked)
        told = {"kind": "delivery_quote", "id": name, "created": _time(at), "expires": _time(until)}
        return _says({**told, **_price(fee), "duration": 33})

    def booked(self, ask: Ask, job: CourierJob) -> Answer:
        quote = job.order.get("quote_id")
        if quote in self._quotes:
            self._quotes[quote] = self._quotes[quote][0], ""
        return _says(_delivery(job, job.steps[-1]))

    def exists(self, ask: Ask, job: CourierJob) -> Answer:
        words = "An active delivery like this already exists."
        return _no(409, "duplicate_delivery", words, {"delivery_id": job.delivery_id})

    def refused(self, ask: Ask, reason: str) -> Answer:
        return _no(*_REFUSALS[reason])

    def cancelled(self, ask: Ask, job: CourierJob, fee: int) -> Answer:
        return _says(_delivery(job, job.steps[-1]))

    def kept(self, ask: Ask, job: CourierJob) -> Answer:
        return _no(400, "noncancelable_delivery", "Delivery cannot be cancelled")

    over = kept

    def unknown(self, ask: Ask) -> Answer:
        return _no(404, "delivery_not_found", "The requested delivery does not exist.")

    def found(self, ask: Ask, job: CourierJob) -> Answer:
        return _says(_delivery(job, job.steps[-1]))

    def _listed(self, jobs: Sequence[CourierJob], most: int) -> Answer:
        page = [_delivery(job, job.steps[-1]) for job in jobs[:most]]
        root = f"api.uber.com/v1/customers/{self.account['customer_id']}/deliveries"
        more = f"{root}?offset={most}" if len(jobs) > most else ""
        return _says({"object": "list", "url": root, "total_count": -1, "next_href": more, "data": page})

    # --- telling ---

    def news(self, job: CourierJob, step: Step) -> Sequence[News]:
        """What is on its way to the client is told by an update of the courier, as in what was recorded; what comes
        back, by a delivery of its own, and by the first one when it is made."""
        told = []
        if step.stage is not Stage.RETURNED:
            told.append(_delivery(job, step))
        if step.stage in (Stage.RETURNING, Stage.RETURNED):
            told.append(_return(job, step))
        return tuple(News(str(one["status"]), (step.stage, one)) for one in told)

    def sealed(self, news: News, at: datetime, number: int, forged: bool) -> Letter:
        stage, delivery = news.content
        chance = hashlib.sha256(f"{number}/{at.isoformat()}".encode()).digest()
        webhook = {
            "id": f"evt_{_letters(chance)}",
            "created": _time(at),
            "live_mode": False,
            "delivery_id": delivery["id"],
            "customer_id": self.account["customer_id"],
            "data": delivery,
        }
        if stage is Stage.IN_TRANSIT:
            webhook |= {"kind": "event.courier_update", "location": {"lat": 31.206944, "lng": 121.446389}}
        else:
            webhook |= {"kind": "event.delivery_status", "status": delivery["status"]}
        body = _bytes(webhook)
        key = "not-the-key" if forged else self.account["signing_key"]
        signature = hmac.new(key.encode(), body, "sha256").hexdigest()
        headers = {"content-type": "application/json", "x-uber-signature": signature}
        return Letter("POST", {}, {**headers, "x-postmates-signature": signature}, body)


voice = UberDirect


# --- what it checks -------------------------------------------------------------------------------------------


def _wrong(asked: Mapping[str, Any], booking: bool) -> dict[str, str]:
    """The fields that are missing or are not what they should be."""
    wrong = {
        name: "This field is required."
        for name in (_NEEDED_TO_BOOK if booking else _NEEDED)
        if not asked.get(name)
    }
    for end in ("pickup", "dropoff"):
        phone = asked.get(f"{end}_phone_number")
        if phone is not None and not (isinstance(phone, str) and _PHONE.fullmatch(phone)):
            wrong[f"{end}_phone_number"] = f"{end} phone number is not valid."
        if not _is_address(asked.get(f"{end}_address")):
            wrong.setdefault(f"{end}_address", "No geocoding result found")
        if len(str(asked.get(f"{end}_notes", ""))) > 280:
            wrong[f"{end}_notes"] = "At most 280 characters."
    for name in ("external_id", "idempotency_key") if booking else ():
        if not isinstance(asked.get(name), str):
            wrong[name] = "A string was expected."
    verified = asked.get("dropoff_verification", {})
    left = asked.get("deliverable_action") == "deliverable_action_leave_at_door"
    if left and {"pincode", "signature_requirement", "identification"} & set(verified):
        wrong["deliverable_action"] = "Cannot leave at door with these verification requirements."
    if not isinstance(asked.get("manifest_total_value", 0), int):
        wrong["manifest_total_value"] = "An integer was expected."
    return wrong


def _way(asked: Mapping[str, Any]) -> str:
    """What a price is for."""
    return f"{asked['pickup_address']} {asked['dropoff_address']}"


def _is_address(text: object) -> bool:
    try:
        address = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return False
    return isinstance(address, dict) and bool(address.get("street_address")) and bool(address.get("country"))


def _windows(asked: Mapping[str, Any]) -> dict[str, datetime] | None:
    """The four bounds, as far as they are told; None when one is no time."""
    found = {}
    for name in ("pickup_ready", "pickup_deadline", "dropoff_ready", "dropoff_deadline"):
        text = asked.get(f"{name}_dt")
        if text is None:
            continue
        try:
            found[name] = datetime.fromisoformat(text)
        except (ValueError, TypeError):
            return None
        if found[name].tzinfo is None:
            return None
    return found


def _unfit(told: Mapping[str, datetime], now: datetime) -> str:
    """The code of the first documented rule that these windows break."""
    ready = told.get("pickup_ready", now)
    deadline = told.get("pickup_deadline", ready + 20 * _MINUTE)
    opens = told.get("dropoff_ready", ready)
    closes = told.get("dropoff_deadline", max(deadline, opens) + 60 * _MINUTE)
    rules = (
        ("pickup_ready_too_early", ready >= now),
        ("pickup_ready_too_late", ready <= now + timedelta(days=30)),
        ("pickup_window_too_small", deadline >= ready + 10 * _MINUTE),
        ("pickup_deadline_too_early", deadline >= now + 20 * _MINUTE),
        ("dropoff_ready_after_pickup_deadline", opens <= deadline),
        ("dropoff_deadline_too_early", closes >= opens + 20 * _MINUTE),
        ("dropoff_deadline_before_pickup_deadline", closes >= deadline),
    )
    return next((code for code, is_kept in rules if not is_kept), "")


# --- what it writes -------------------------------------------------------------------------------------------


def _delivery(job: CourierJob, step: Step) -> dict[str, Any]:
    """The delivery after that step."""
    asked, stage = job.order, step.stage
    ended = stage in (Stage.DELIVERED, Stage.CANCELLED, Stage.PICK_UP_FAILED, Stage.RETURNING, Stage.RETURNED)
    pickup: dict[str, Any] = {"name": asked["pickup_name"], "phone_number": asked["pickup_phone_number"]}
    dropoff: dict[str, Any] = {"name": asked["dropoff_name"], "phone_number": asked["dropoff_phone_number"]}
    dropoff["notes"] = asked.get("dropoff_notes", "")
    if job.picked_up_at is not None:
        pickup |= {"status": "completed", "status_timestamp": _time(job.picked_up_at)}
    elif stage is Stage.PICK_UP_FAILED:
        pickup |= {"status": "failed", "status_timestamp": _time(step.at)}
    if stage is Stage.DELIVERED:
        dropoff |= {"status": "completed", "status_timestamp": _time(step.at)}
    verified = dict(asked.get("dropoff_verification", {}))
    if "pincode" in verified:
        codes = random.Random(job.reference)  # nosec B311 - codes of a game
        verified["pincode"] = {"enabled": True, "value": f"{codes.randint(0, 9999):04}"}
    dropoff["verification_requirements"] = verified
    told: dict[str, Any] = {
        "id": job.delivery_id,
        "quote_id": asked.get("quote_id", ""),
        "kind": "delivery",
        "status": _STATUSES[stage],
        "complete": ended,
        "created": _time(job.booked_at),
        "updated": _time(step.at),
        "external_id": job.reference,
        "manifest": {
            "reference": asked.get("manifest_reference", ""),
            "total_value": asked.get("manifest_total_value", 0),
        },
        "manifest_items": asked["manifest_items"],
        "pickup": pickup,
        "dropoff": dropoff,
        **_price(job.fee),
        "courier": None if ended or stage is Stage.ACCEPTED else {**_COURIER, "img_href": _PICTURE},
        "courier_imminent": stage is Stage.AT_SHOP,
        "tracking_url": f"https://tracking.example/orders/{job.delivery_id}?theme=plain&lang=en",
        "undeliverable_action": "returned" if stage is Stage.RETURNED else "",
        "undeliverable_reason": _REASONS[_why(job, step)] if _why(job, step) else "",
        "related_deliveries": [],
        "live_mode": False,
    }
    if stage in (Stage.RETURNING, Stage.RETURNED):
        told["related_deliveries"] = [{"id": _return_id(job), "relationship": "return"}]
        told["return"] = dict(pickup, status="completed" if stage is Stage.RETURNED else "", notes="")
    return told


def _why(job: CourierJob, step: Step) -> str:
    """What went wrong: of a gift that is back, why it came back."""
    if step.stage is not Stage.RETURNED:
        return step.reason
    return next((past.reason for past in reversed(job.steps) if past.stage is Stage.RETURNING), "")


def _return_id(job: CourierJob) -> str:
    return f"ret_{_tokenised(f'{job.reference}/return')}"


def _return(job: CourierJob, step: Step) -> dict[str, Any]:
    """The delivery that brings the gift back, from where it could not be handed over."""
    out = _delivery(job, step)
    is_back = step.stage is Stage.RETURNED
    return {
        **out,
        "id": _return_id(job),
        "status": "delivered" if is_back else "pickup_complete",
        "complete": is_back,
        "pickup": {**out["dropoff"], "status": "completed"},
        "dropoff": {**out["pickup"], "status": "completed" if is_back else ""},
        "undeliverable_action": "",
        "undeliverable_reason": "",
        "related_deliveries": [{"id": job.delivery_id, "relationship": "original"}],
        "return": None,
    }


def _price(fee: int) -> dict[str, Any]:
    return {"fee": fee, "currency": "cny", "currency_type": "CNY"}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _letters(chance: bytes) -> str:
    return base64.urlsafe_b64encode(chance[:16]).decode().rstrip("=")


def _tokenised(name: str) -> str:
    return _letters(hashlib.sha256(name.encode()).digest())


def _bytes(told: object) -> bytes:
    """As Uber's servers write JSON: what a page could mistake for its own is escaped."""
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    for sign in "&<>":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode()


def _says(told: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(status, _bytes(told), {"content-type": "application/json"})


def _no(status: int, code: str, words: str, metadata: Mapping[str, str] | None = None) -> Answer:
    told: dict[str, Any] = {"code": code, "message": words, "kind": "error"}
    return _says(told if metadata is None else {**told, "metadata": metadata}, status)
