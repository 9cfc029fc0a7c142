"""Dada (达达秒送), spoken to directly: riders on call in the cities of China.

A request is a JSON envelope that is signed with our secret; what is asked stands inside it as JSON text. The status
comes as plain JSON with a checksum that anybody can compute, so whatever is heard is a hint. Against noise the
address that Dada calls carries a word of ours (`callback_token`) all the same: without it nothing is read.

An account holds:

    app_key, app_secret  of our application on Dada's open platform; the secret signs what we ask
    source_id            the merchant at Dada
    shop_no              the shop there at which its rider fetches: a booking names no other place
    shop_no:NAME         optional, one for each further pick-up of that name; without `shop_no` only those are served
    callback_url         where Dada tells us what happens: our /v1/callbacks/{market}/{courier}
    callback_token       the word that is added to it, and to the address for messages in Dada's console
    city_code            optional: the dialling code of the city, which Dada used to want
    base_url             optional, https://newopen.imdada.cn; for tests https://newopen.qa.imdada.cn, where all
                         the world has source_id 73753 and shop_no 11047059

Dada knows a job by our reference, and names none of its own when it takes one; so the reference is the delivery's id.
It is not sent out again under the same one (order/reAddOrder): a new attempt has a new reference.

Sources: newopen.imdada.cn, development/file (add, readyAdd, addAfterQuery, statusQuery, formalCancel, order,
applicationCancel, code) as public SDKs quote it: xuilong/dada (README), houseme/imdadago, qiyi-tech/dada (all codes),
ledccn/dada-sdk-php; `../shared/research/courier-callbacks.md` and its vector. The site itself could not be read. Not
verified: how long an origin_id may be (ours has 34 characters and more), whether Dada tells the client the receipt
code, on which side of a pick-up a job can expire (7), how old a request's timestamp may be. The details of a job are
said to be brought up to date once a minute: a look-up can lag behind the callback that it is to confirm.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field, ValidationError

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
    Quoted,
    Reply,
    Request,
    Token,
    Trust,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.legs import Event, EventKind, order_of
from chalicelib.domain.places import Datum
from chalicelib.domain.policies import TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import Foreign, fold, in_hundredths, rounded_up, without_bom, zone_info

HOST = "https://newopen.imdada.cn"
QUOTE_LIVES = timedelta(minutes=3)
NOTICE = timedelta(minutes=6)
"""A job for later is ordered five minutes ahead by Dada's clock; one more for the way there."""
HORIZON = timedelta(days=3)
"""And not earlier than this."""

STATUSES: Mapping[int, tuple[EventKind, str]] = {
    1: (EventKind.ACCEPTED, ""),
    2: (EventKind.COURIER_ASSIGNED, ""),
    3: (EventKind.PICKED_UP, ""),
    4: (EventKind.DELIVERED, ""),
    5: (EventKind.CANCELLED, ""),
    7: (EventKind.CANCELLED, "no_rider"),
    8: (EventKind.ACCEPTED, ""),
    9: (EventKind.RETURNING, "undeliverable"),
    10: (EventKind.RETURNED, ""),
    100: (EventKind.AT_PICK_UP, ""),
    1000: (EventKind.PICK_UP_FAILED, "courier_system"),
}
"""`order_status`, all that are documented for a delivery. 3, on its way, is entered by the pick-up. 5 says who
cancelled and not where the gift was: customer service can do it at any time. 8 is offered to one rider alone. 9: the
client did not answer, could not or would not take it. 1000: no job came about, for a fault of Dada's own."""
_MEANINGS = {str(status): meaning for status, meaning in STATUSES.items()}
_ENDED_SOMEWHERE = frozenset({"5", "7"})

_CANCELLED_BY: Mapping[str, str] = {
    "1": "courier_cancelled",
    "2": "merchant_cancelled",
    "3": "courier_system",
}
"""`cancel_from`. 0 is written where nothing was cancelled."""
_AGAIN: Mapping[str, str] = {"1": "reassigned", "2": "rider_changed"}
"""`repeat_reason_type`: a status is told again, because the rider gave the job back or passed it on."""

_REASON_WORDS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), slug)
    for pattern, slug in (
        (r"封控|封闭|管控|疫情|隔离", "closed_area"),
        (r"无法进入|不让进|进不去|不能进|门禁", "cannot_access_location"),
        (r"联系不上|无法联系|打不通|无人接听|不方便收|不在家", "client_unavailable"),
        (r"拒收", "client_refused"),
        (r"地址\S{0,4}(错|不详|不明|不清)|找不到", "address_not_found"),
        (r"没有?(配送员|骑[手士])接单|无人接单|运力", "no_rider"),
    )
)
"""`cancel_reason` is free words of the rider or of customer service, first match. They are not kept."""

# --- what Dada can do ---------------------------------------------------------------------------------------

_PRECIOUS_FROM_FEN = 100_000
"""From here on, or for the class high_value, a gift is carried alone and insured (Dada pays 10,000 yuan at most)."""
_WEIGHT_KG = 1
_CARGO: Sequence[tuple[ItemClass, int]] = (
    (ItemClass.HIGH_VALUE, 5),
    (ItemClass.MEDICINE, 20),
    (ItemClass.HOT_MEAL, 1),
    (ItemClass.FROZEN, 13),
    (ItemClass.CHILLED, 13),
    (ItemClass.FLOWERS, 3),
    (ItemClass.ALCOHOL, 24),
    (ItemClass.AMBIENT_FOOD, 9),
    (ItemClass.COSMETICS, 53),
    (ItemClass.FASHION, 25),
    (ItemClass.DOCUMENT, 8),
)
"""Our classes as `cargo_type`, the most demanding first. 5, other things: there is none for jewellery."""

_HAND_OVER: Mapping[Handover, str] = {
    Handover.DOOR: "送至门口，当面交给收件人",
    Handover.LOBBY: "送至楼下大堂，当面交给收件人",
    Handover.GATE: "送至小区门口交接，请勿进入小区",
    Handover.SHELF: "放到小区无接触货架，请勿进入小区",
    Handover.COLLECTION_POINT: "送至指定代收点",
}
_NOT_NEEDED, _OTHER = 36, 10_000
"""`cancel_reason_id`: only 'other' carries words."""


# --- what Dada answers --------------------------------------------------------------------------------------


class _Says(StrEnum):
    DONE = "done"
    NOTHING = "nothing"
    MISSING = "missing"
    CANCELLED = "cancelled"
    LOCKED = "locked"
    NO = "no"


@dataclass(frozen=True)
class _Verdict:
    """What an answer comes to."""

    says: _Says
    reason: str = ""
    whole: bool = False


def _codes(verdict: _Verdict, *codes: int) -> dict[int, _Verdict]:
    return dict.fromkeys(codes, verdict)


_CODES: Mapping[int, _Verdict] = {
    0: _Verdict(_Says.DONE),
    999: _Verdict(_Says.NO, "under_maintenance", whole=True),
    2003: _Verdict(_Says.NO, "signature_refused", whole=True),
    2062: _Verdict(_Says.NOTHING, "quote_expired"),
    2076: _Verdict(_Says.CANCELLED),
    2086: _Verdict(_Says.NO, "no_rider"),
    2129: _Verdict(_Says.NO, "address_not_found", whole=True),
    2458: _Verdict(_Says.LOCKED, "returning"),
    **_codes(_Verdict(_Says.NOTHING, "busy"), -1, 1000, 2012, 2067, 2090),
    **_codes(_Verdict(_Says.MISSING, "unknown_job"), 2005, 2530),
    **_codes(_Verdict(_Says.NOTHING, "exists_already"), 2063, 2064, 2065, 2066, 2105, 2130, 2140),
    **_codes(_Verdict(_Says.NOTHING, "ended_already"), 2051, 2052, 2459),
    **_codes(_Verdict(_Says.NOTHING, "not_cancelled"), 2053, 2073, 2460),
    **_codes(_Verdict(_Says.LOCKED, "too_late"), 2050),
    **_codes(_Verdict(_Says.NO, "account_unpaid", whole=True), 2155, 2430, 2436, 2456),
    **_codes(_Verdict(_Says.NO, "out_of_area", whole=True), 2044, 2522, 9943),
    **_codes(_Verdict(_Says.NO, "outside_hours"), 2170, 2468, 2521),
    **_codes(
        _Verdict(_Says.NO, "account_refused", whole=True),
        *(
            2001,
            2002,
            2004,
            2043,
            2045,
            2046,
            2131,
            2132,
            2136,
            2141,
            2400,
            2401,
            2402,
            2483,
            8807,
            8813,
            8818,
        ),
    ),
    **_codes(
        _Verdict(_Says.NO, "bad_arguments", whole=True),
        *(
            *range(1993, 2001),
            *range(2006, 2011),
            2013,
            2042,
            *range(2048, 2050),
            2056,
            2078,
            2079,
            2080,
            2084,
        ),
        *(2085, 2088, 2089, 2103, 2104, 2109, *range(2111, 2129), 2138, 2139, *range(2410, 2420), 2421, 2422),
        *(2454, 2457, 2461, 2472, *range(2479, 2483), 2520, *range(2524, 2530)),
    ),
}
"""`code` of an answer (development/file/code). One that says a job exists is no refusal, and one that is not here
proves nothing: what came of it is looked up. 2460 wants a job that waits for its rider or its pick-up, and may be
said of a rider who is at the shop: that is asked again. A quote that ran out is no reason against the courier."""

_CODE_WORDS: Sequence[tuple[re.Pattern[str], _Verdict]] = tuple(
    (re.compile(pattern), verdict)
    for pattern, verdict in (
        (r"已经?(存在|下发|发布)|重复", _Verdict(_Says.NOTHING, "exists_already")),
        (r"封控|封闭|管控|疫情", _Verdict(_Says.NO, "closed_area", whole=True)),
        (r"超出|范围|城市", _Verdict(_Says.NO, "out_of_area", whole=True)),
        (r"运力|骑[手士]|爆单", _Verdict(_Says.NO, "no_rider")),
        (r"余额|欠费", _Verdict(_Says.NO, "account_unpaid", whole=True)),
    )
)
"""The words that stand beside 2087 and 2533, which say only that it failed."""
_FAILED = frozenset({2087, 2533, 3001})


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Name = Annotated[str, BeforeValidator(_text)]
"""A number or a name that arrives as either."""


class _Answer(Foreign):
    """The parts of every answer that we read. What may be missing or odd without harm is `object`."""

    status: str
    code: int
    msg: object = None
    result: object = None


def _read(reply: Reply) -> tuple[_Verdict, Mapping[str, object]]:
    """What it comes to, and its result. Dada refuses with 200 and a code: any other status is none of its words."""
    if reply.status != 200:
        return _Verdict(_Says.NOTHING, f"http_{reply.status}"), {}
    try:
        answer = _Answer.model_validate_json(without_bom(reply.body))
    except ValidationError:
        return _Verdict(_Says.NOTHING, "unreadable"), {}
    result = answer.result if isinstance(answer.result, dict) else {}
    if (answer.status == "success") is not (answer.code == 0):
        return _Verdict(_Says.NOTHING, "contradiction"), {}
    if answer.code in _FAILED and isinstance(answer.msg, str):
        for pattern, verdict in _CODE_WORDS:
            if pattern.search(answer.msg):
                return verdict, result
    return _CODES.get(answer.code, _Verdict(_Says.NOTHING, f"courier_{answer.code}")), result


# --- what Dada sends us -------------------------------------------------------------------------------------


class _Told(Foreign):
    """Either of the two things that Dada sends."""

    kind: _Name | None = Field(alias="messageType", default=None)
    inside: object = Field(alias="messageBody", default=None)


class _Update(Foreign):
    """A change of status. The rider's name, phone and the receipt code are in it too and are left where they are."""

    client_id: _Name | None = ""
    order_id: _Name = Field(min_length=1, max_length=128)
    order_status: _Name = Field(min_length=1, max_length=64)
    update_time: _Name = Field(pattern=r"^[0-9]{9,13}$")
    signature: str
    cancel_from: object = None
    cancel_reason: object = None
    repeat_reason_type: object = None


class _Plea(Foreign):
    """The inside of a message of type 1: the rider asks to be let off the job."""

    reference: _Name = Field(alias="orderId", min_length=1, max_length=128)
    words: object = Field(alias="cancelReason", default=None)


class Dada:
    """The language of Dada's open platform."""

    name = "dada"
    trust: Trust = "hint"
    proofs = frozenset({Proof.RECEIPT_CODE})
    settle = timedelta(minutes=2)
    cancels_by_id = False

    # --- asking ---

    def login(self, account: Account) -> Request | None:
        """None: each request is signed."""
        return None

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        raise Unanswered("Dada gives out no access tokens")

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """One order/queryDeliverFee: the same words as the booking, and nothing is made of them."""
        return _post(account, "/api/order/queryDeliverFee", _words(account, job, at), at)

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        """The fee, and the `deliveryNo` with which order/addAfterQuery keeps to it for three minutes."""
        verdict, result = _read(reply)
        if verdict.says is _Says.NO:
            return NotTaken(verdict.reason, verdict.whole)
        fee, name = in_hundredths(result.get("fee"), "CNY"), _text(result.get("deliveryNo"))
        if verdict.says is not _Says.DONE or fee is None:
            return Unsure(verdict.reason or "no_fee")
        if not isinstance(name, str) or not _QUOTE.fullmatch(name):
            return Quoted(fee)
        return Quoted(fee, name + _quoted_for(job), at + QUOTE_LIVES)

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """One order/addOrder, or order/addAfterQuery for a price that was asked for.

        `origin_id` is our reference, so a repeat is answered 'exists already'. The second call names only the
        quote, and Dada makes what was asked about then: a quote for another attempt or another way to hand over
        is left alone. Raises `Uncarriable`.
        """
        words = _words(account, job, at)
        name, tail = (job.quote_id or "").partition("/")[0], _quoted_for(job)
        if job.quote_id is not None and job.quote_id == name + tail:
            return _post(account, "/api/order/addAfterQuery", {"deliveryNo": name}, at)
        return _post(account, "/api/order/addOrder", words, at)

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        """Success is a booking; the receipt code comes into being later, and a look-up names it."""
        verdict, result = _read(reply)
        if verdict.says is _Says.DONE:
            return Booked(job.reference, in_hundredths(result.get("fee"), "CNY"))
        if verdict.says is _Says.NO:
            return NotTaken(verdict.reason, verdict.whole)
        return Unsure(verdict.reason or verdict.says.value)

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        """One order/formalCancel."""
        asked: dict[str, object] = {"order_id": reference, "cancel_reason_id": _NOT_NEEDED}
        if reason:
            asked = {"order_id": reference, "cancel_reason_id": _OTHER, "cancel_reason": reason[:100]}
        return _post(account, "/api/order/formalCancel", asked, at)

    def cancelled(self, reply: Reply) -> CancelAnswer:
        """Documented: it ends only a job that waits for its rider or its pick-up, so the gift never left. Of one
        that had been cancelled before, nothing is said of the gift."""
        verdict, result = _read(reply)
        if verdict.says is _Says.DONE:
            return CancelConfirmed(in_hundredths(result.get("deduct_fee"), "CNY"), returning=False)
        if verdict.says is _Says.CANCELLED:
            return CancelConfirmed()
        if verdict.says is _Says.MISSING:
            return CancelUnknown(verdict.reason)
        if verdict.says is _Says.LOCKED:
            return CancelRefused(verdict.reason)
        return Unsure(verdict.reason)

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        return _post(account, "/api/order/status/query", {"order_id": reference}, at)

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        """The job's present state, dated by the time that Dada gives for it and else by the look.

        A job that ended and had been fetched is one that failed with the gift in the rider's hands: that is more
        than its callback says, so it is an event of its own name.
        """
        verdict, result = _read(reply)
        if verdict.says is _Says.MISSING:
            return NotFound()
        if verdict.says is not _Says.DONE:
            return Unsure(verdict.reason)
        if _text(result.get("orderId")) != reference:
            return Unsure("another_job")
        status = _status(result.get("statusCode"))
        codes = _finish_code(result.get("orderFinishCode"))
        if status is None or status == "0":
            return Found(reference, None, codes)
        kind, reason = _MEANINGS.get(status, (EventKind.UNREADABLE, ""))
        then = _moment(result.get(_TIMES.get(status, "")))
        name = f"{reference}-{status}-{'look_up' if then is None else int(then.timestamp())}"
        if status in _ENDED_SOMEWHERE and _moment(result.get("fetchTime")) is not None:
            kind, name = EventKind.FAILED, f"{name}-fetched"
        return Found(
            reference,
            Event(
                reference=reference,
                courier_id=courier_id,
                kind=kind,
                raw_status=status,
                occurred_at=min(at, then or at),
                received_at=at,
                event_id=name,
                reason=reason,
                source="look_up",
            ),
            codes,
        )

    # --- hearing ---

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        """A change of status, whose checksum has to be right; or a message, which has none.

        What lets either in is our own word in the address.
        """
        if callback.method != "POST":
            raise Unauthorised(f"a callback is sent by 'POST', got {callback.method!r}")
        _let_in(accounts, callback.query.get("token", ""))
        try:
            told = _Told.model_validate_json(without_bom(callback.body))
        except ValidationError:
            raise Malformed("the body is not a JSON object") from None
        if told.kind is not None:
            return _message(told, courier_id, at)
        try:
            update = _Update.model_validate_json(without_bom(callback.body))
        except ValidationError as error:
            raise Malformed(f"a change of status without proper {_fields(error)!r}") from None
        if not _same(_checksum(update), update.signature):
            raise Unauthorised("the checksum does not fit what was told")
        reference = update.order_id
        if order_of(reference) is None:
            return Heard((), _THANKS, _JSON, foreign=(reference,))
        status = _status(update.order_status) or "none"
        kind, reason = _MEANINGS.get(status, (EventKind.UNREADABLE, ""))
        if kind is EventKind.CANCELLED:
            reason = _said(update.cancel_reason) or _CANCELLED_BY.get(_digit(update.cancel_from), reason)
        elif kind is EventKind.RETURNING:
            reason = _said(update.cancel_reason) or reason
        elif kind is not EventKind.UNREADABLE:
            reason = _AGAIN.get(_digit(update.repeat_reason_type), reason)
        event = Event(
            reference=reference,
            courier_id=courier_id,
            kind=kind,
            raw_status=status,
            occurred_at=_stamped(update),
            received_at=at,
            event_id=f"{reference}-{status}-{update.update_time}",
            reason=reason,
        )
        return Heard((event,), _THANKS, _JSON)

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        raise Unauthorised("Dada checks no address by GET")


_THANKS = b'{"status":"ok"}'
_JSON = "application/json; charset=utf-8"
_CODE = re.compile(r"[0-9A-Za-z]{3,16}")
_QUOTE = re.compile(r"[A-Za-z0-9._-]{1,64}")


# --- requests -----------------------------------------------------------------------------------------------


def _post(account: Account, path: str, asked: Mapping[str, object], at: datetime) -> Request:
    """The envelope. Signed is its text, so the inside is made once and carried as it is; beyond ASCII it is escaped,
    and no two charsets can disagree about what was signed."""
    envelope = {
        "app_key": account["app_key"],
        "body": json.dumps(asked, sort_keys=True, separators=(",", ":")),
        "format": "json",
        "source_id": account["source_id"],
        "timestamp": str(int(at.timestamp())),
        "v": "1.0",
    }
    envelope["signature"] = _signature(account["app_secret"], envelope)
    body = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()
    base = (account.get("base_url") or HOST).rstrip("/")
    return Request("POST", base + path, {"content-type": _JSON}, body)


def _signature(secret: str, envelope: Mapping[str, str]) -> str:
    joined = "".join(name + envelope[name] for name in sorted(envelope))
    return hashlib.md5(f"{secret}{joined}{secret}".encode(), usedforsecurity=False).hexdigest().upper()


def _words(account: Account, job: Job, at: datetime) -> dict[str, object]:
    value = job.gift.value
    if value.currency != "CNY":
        detail = f"a gift that goes with Dada is valued in 'CNY', got {value.currency!r}"
        raise Uncarriable(detail, "currency_unknown", whole_courier=True)
    precious = value.amount >= _PRECIOUS_FROM_FEN or ItemClass.HIGH_VALUE in job.gift.item_classes
    address = job.recipient.place.address
    lng, lat = job.recipient.place.coordinate.within(Datum.GCJ02)
    parts = (address.compound, address.building, address.unit)
    words: dict[str, object] = {
        "shop_no": _shop(account, job.pick_up_name),
        "origin_id": job.reference,
        "origin_mark_no": "#" + re.sub(r"[^A-Za-z0-9]", "", job.reference)[-29:],
        "callback": _callback(account),
        "cargo_price": round(value.amount / 100, 2),
        "cargo_weight": _WEIGHT_KG,
        "cargo_type": next(code for kind, code in _CARGO if kind in job.gift.item_classes),
        "cargo_num": sum(item.quantity for item in job.gift.items),
        "is_prepay": 0,
        "is_use_insurance": int(precious),
        "is_direct_delivery": int(precious),
        # at a gate or a shelf the client is not there to say the code, and no job ends without it
        "is_finish_code_needed": int(Proof.RECEIPT_CODE in job.proofs and job.handover in TO_THE_CLIENT),
        "receiver_name": job.recipient.name,
        "receiver_phone": job.recipient.phone.removeprefix("+86"),
        "receiver_address": " ".join((address.line, *(p for p in parts if p and p not in address.line))),
        "receiver_lng": round(lng, 6),
        "receiver_lat": round(lat, 6),
        "info": _note(job),
    }
    if account.get("city_code"):
        words["city_code"] = account["city_code"]
    start = _start(job, at)
    if start is not None:
        words["delay_publish_time"] = int(start.timestamp())
    return words


def _shop(account: Account, name: str) -> str:
    """The shop at Dada that this pick-up is. A rider sent to another one would be given nothing."""
    wanted = fold(f"shop_no:{name}")
    shop = next((no for key, no in account.items() if no and fold(key) == wanted), "")
    shop = shop or account.get("shop_no", "")
    if not shop:
        raise Uncarriable("no shop at Dada stands for this pick-up", "shop_unknown", whole_courier=True)
    return shop


def _callback(account: Account) -> str:
    url = account["callback_url"]
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'token': account['callback_token']})}"


def _start(job: Job, at: datetime) -> datetime | None:
    """When Dada begins to look for a rider: as the stay begins; None: at once, once it has begun.

    Nobody was cleared to come earlier. Within its notice it is as soon after that as it can be told, as long as
    there is a window left. Where it cannot be told, this is a refusal of the slot: another is better for the gift
    than a booking that is put off. Raises `Uncarriable`.
    """
    if job.starts_at <= at:
        return None
    start = rounded_up(max(job.starts_at, at + NOTICE), timedelta(minutes=1))
    if start >= job.deliver_by:
        detail = f"a pick-up from {job.starts_at.isoformat()!r} on is too soon to order for later"
        raise Uncarriable(detail, "start_too_soon", whole_courier=False)
    if start > at + HORIZON:
        detail = f"a job is ordered {HORIZON.days} days ahead at most, got {job.starts_at.isoformat()!r}"
        raise Uncarriable(detail, "start_too_far", whole_courier=False)
    return start


def _note(job: Job) -> str:
    """How to hand over, when, and how cold: what the rider reads."""
    zone = zone_info(job.time_zone)
    hours = f"{job.deliver_from.astimezone(zone):%H:%M}-{job.deliver_by.astimezone(zone):%H:%M}"
    gate = f"（{job.gate}）" if job.gate else ""
    note = f"{_HAND_OVER[job.handover]}{gate}。{hours}送达。"
    ranges = [item.temperature for item in job.gift.items if item.temperature is not None]
    if ranges:
        low, high = max(r.min_c for r in ranges), min(r.max_c for r in ranges)
        if low <= high:
            note += f"温度{low:g}~{high:g}°C。"
    return note


def _quoted_for(job: Job) -> str:
    return f"/{job.reference}/{job.handover}"


# --- answers and events -------------------------------------------------------------------------------------

_TIMES: Mapping[str, str] = {
    "1": "createTime",
    "2": "acceptTime",
    "3": "fetchTime",
    "4": "finishTime",
    "5": "cancelTime",
    "7": "cancelTime",
    "100": "arriveTime",
}
"""Which time of a look-up belongs to which status; `arriveTime` is seen in the field only."""
_CHINA = zone_info("Asia/Shanghai")
_CLOCK = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def _moment(text: object) -> datetime | None:
    """A time of a look-up: China's clock, without saying so. None for what is none, such as an empty one."""
    if not isinstance(text, str) or not _CLOCK.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=_CHINA).astimezone(UTC)
    except ValueError:
        return None


def _stamped(update: _Update) -> datetime:
    """`update_time`: seconds, and milliseconds where the creation failed. The digits say which."""
    number = int(update.update_time)
    milliseconds = number if number >= 10**11 else number * 1000
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _finish_code(value: object) -> dict[str, str]:
    """What the client says to the rider; empty where none was asked for, or none is made yet."""
    code = _text(value)
    fits = isinstance(code, str) and _CODE.fullmatch(code)
    return {Proof.RECEIPT_CODE.value: str(code)} if fits else {}


def _status(value: object) -> str | None:
    """Their status as text, at most 32 printable characters."""
    text = _text(value)
    if not isinstance(text, str) or not text.strip():
        return None
    return re.sub(r"[^\x21-\x7e]", "?", text.strip())[:32]


def _digit(value: object) -> str:
    text = _text(value)
    return text if isinstance(text, str) else ""


def _said(words: object) -> str:
    """The reason that these words give, as a slug; empty for words we do not know."""
    if not isinstance(words, str):
        return ""
    return next((slug for pattern, slug in _REASON_WORDS if pattern.search(words)), "")


def _message(told: _Told, courier_id: str, at: datetime) -> Heard:
    """A rider who asks to be let off is kept on record and moves nothing; other messages are acknowledged.

    Dada lets the rider go by itself when nobody answers for some minutes, and that it tells by a change of status.
    The message bears no time: it is dated by its arrival, and its doubles are one.
    """
    if told.kind != "1":
        return Heard((), _THANKS, _JSON)
    inside = told.inside
    try:
        plea = _Plea.model_validate_json(inside) if isinstance(inside, str) else _Plea.model_validate(inside)
    except ValidationError as error:
        raise Malformed(f"a message of type 1 without proper {_fields(error)!r}") from None
    reference = plea.reference
    if order_of(reference) is None:
        return Heard((), _THANKS, _JSON, foreign=(reference,))
    event = Event(
        reference=reference,
        courier_id=courier_id,
        kind=EventKind.UNREADABLE,
        raw_status="asks_to_cancel",
        occurred_at=at,
        received_at=at,
        event_id=f"{reference}-asks_to_cancel",
        reason=_said(plea.words),
    )
    return Heard((event,), _THANKS, _JSON)


def _fields(error: ValidationError) -> list[str]:
    faults = error.errors(include_input=False, include_url=False)
    return sorted({str(fault["loc"][0]) for fault in faults if fault["loc"]})


# --- proof --------------------------------------------------------------------------------------------------


def _checksum(update: _Update) -> str:
    """No key goes into it: it tells a slip from what was meant, and a forger computes it as we do."""
    joined = "".join(sorted((update.client_id or "", update.order_id, update.update_time)))
    return hashlib.md5(joined.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def _let_in(accounts: Sequence[Account], token: str) -> None:
    known = [account.get("callback_token", "") for account in accounts]
    fits = [_same(word, token) for word in known if word]  # an empty word lets nobody in
    if not any(fits):
        raise Unauthorised("the address that was called does not carry our word")


dialect = Dada()
