"""WeChat Immediate Delivery (微信即时配送): one gateway to SF Tongcheng, Dada, Shansong and Meituan.

Requests are JSON over HTTPS under a short-lived access token, each with a `delivery_sign` that the delivery
company checks; status comes as encrypted, signed callbacks (message push in secure mode, format JSON).

An account holds:

    appid, secret       the mini program that calls the gateway
    shopid, app_secret  our developer id and key at the delivery company
    shop_no             our shop there
    delivery_id         which company: SFTC, DADA, SS, MTPS
    token               signs callbacks
    encoding_aes_key    encrypts callbacks, 43 characters
    openid              optional here, wanted by the gateway: the user in whose name jobs are placed
    img_url, wxa_path   optional here, wanted by the gateway: picture and page of the notice in WeChat
    delivery_service_code   optional: Meituan wants one, such as 4011
    base_url            optional, https://api.weixin.qq.com

Sources: developers.weixin.qq.com, server API, immediate-delivery/deliver-by-business (addLocalOrder,
preAddOrder, cancelLocalOrder, getLocalOrder, onOrderStatus), "Delivery company information", getStableAccessToken and
message-push; `../shared/research/courier-callbacks.md` and its vectors.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

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
from chalicelib.domain.shapes import SECOND, Foreign, in_hundredths, rounded_up, without_bom, zone_info

GATEWAY = "https://api.weixin.qq.com"
WINDOW = timedelta(seconds=300)
"""How far a callback's `timestamp` may lie from now. WeChat leaves the choice to the receiver and gives up
after some fifteen seconds, so five minutes is slack for clocks; Svix takes the same."""
TOKEN_MARGIN = timedelta(minutes=2)
"""A token is dropped this long before its end, so that none expires on its way."""

STATUSES: Mapping[int, tuple[EventKind, str]] = {
    101: (EventKind.ACCEPTED, ""),
    102: (EventKind.COURIER_ASSIGNED, ""),
    103: (EventKind.CANCELLED, "merchant_cancelled"),
    201: (EventKind.AT_PICK_UP, ""),
    202: (EventKind.PICKED_UP, ""),
    203: (EventKind.PICK_UP_FAILED, "merchant_cancelled"),
    204: (EventKind.PICK_UP_FAILED, "courier_reason"),
    205: (EventKind.PICK_UP_FAILED, "merchant_fault"),
    301: (EventKind.IN_TRANSIT, ""),
    302: (EventKind.DELIVERED, ""),
    303: (EventKind.RETURNING, "recalled"),
    304: (EventKind.RETURNING, "cannot_reach_recipient"),
    305: (EventKind.RETURNING, "recipient_refused"),
    401: (EventKind.RETURNED, ""),
    501: (EventKind.CANCELLED, "courier_system"),
    502: (EventKind.CANCELLED, "force_majeure"),
}
"""`order_status`, all documented values. 303 to 305 are not final: 401 follows. 501 and 502 can come before the
pick-up and after it."""
_MEANINGS = {str(status): meaning for status, meaning in STATUSES.items()}


# --- what the delivery companies can do ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Company:
    """What one delivery company behind the gateway understands ("Delivery company information", table 2)."""

    time_field: str = "expected_finish_time"
    insures: bool = True
    pickup_code: bool = True
    finish_code: bool = True
    direct: str = "never"


_COMPANIES: Mapping[str, _Company] = {
    "SFTC": _Company(),
    "DADA": _Company(time_field="expected_delivery_time", pickup_code=False, direct="on_request"),
    "SS": _Company(time_field="expected_pick_time", insures=False, direct="always"),
    "MTPS": _Company(pickup_code=False, finish_code=False),
}

_DIRECT_FROM_FEN = 100_000
"""From here on, or for the class high_value, a gift is carried alone and insured, where that can be had."""
_GOODS_VALUE_MAX_FEN = 500_000
"""`goods_value` is documented as (0-5000] yuan; `declared_value` has no bound and gets the whole value."""
_WEIGHT_KG = 1
_SHANSONG_NOTICE = timedelta(hours=2)
"""A pick-up for later is ordered 2 to 48 hours ahead."""

_CARGO: Sequence[tuple[ItemClass, str, str]] = (
    (ItemClass.HIGH_VALUE, "珠宝奢侈品", "奢侈品"),
    (ItemClass.MEDICINE, "医药健康", "送药"),
    (ItemClass.HOT_MEAL, "美食夜宵", "快餐/地方菜"),
    (ItemClass.FROZEN, "果蔬生鲜", "冷冻速食"),
    (ItemClass.CHILLED, "甜品饮料", "甜品"),
    (ItemClass.FLOWERS, "鲜花", "鲜花"),
    (ItemClass.ALCOHOL, "日用百货", "酒水行"),
    (ItemClass.AMBIENT_FOOD, "日用百货", "进口食品"),
    (ItemClass.COSMETICS, "美妆护肤", "日化美妆"),
    (ItemClass.FASHION, "服饰鞋帽", "服饰鞋帽综合"),
    (ItemClass.DOCUMENT, "文件或票务", "票务文件"),
)
"""Our classes as the gateway's closed list of categories, the most demanding first: it names the parcel."""

_HAND_OVER: Mapping[Handover, tuple[str, str]] = {
    Handover.DOOR: ("送至门口。当面交给收件人", "Hand to the client at the door."),
    Handover.LOBBY: ("送至楼下大堂。当面交给收件人", "Hand to the client in the lobby."),
    Handover.GATE: ("送至小区门口交接。请勿进入小区", "Hand over at the compound gate; do not go in."),
    Handover.SHELF: ("放到小区无接触货架。请勿进入小区", "Leave on the contactless shelf; do not go in."),
    Handover.COLLECTION_POINT: ("送至指定代收点", "Hand over at the collection point."),
}


# --- what the companies answer ------------------------------------------------------------------------------


class _Says(StrEnum):
    DONE = "done"
    RELOGIN = "relogin"
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


_DONE = _Verdict(_Says.DONE)
_GATEWAY_CODES: Mapping[int, _Verdict] = {
    -1: _Verdict(_Says.NOTHING, "busy"),
    40001: _Verdict(_Says.RELOGIN),
    40014: _Verdict(_Says.RELOGIN),
    41001: _Verdict(_Says.RELOGIN),
    42001: _Verdict(_Says.RELOGIN),
    40003: _Verdict(_Says.NO, "openid_unknown", whole=True),
    45009: _Verdict(_Says.NOTHING, "quota_of_calls"),
    45011: _Verdict(_Says.NOTHING, "too_many_calls"),
    47001: _Verdict(_Says.NO, "bad_arguments", whole=True),
    48001: _Verdict(_Says.NO, "account_refused", whole=True),
    930555: _Verdict(_Says.NOTHING, "gateway_error"),
    930556: _Verdict(_Says.NOTHING, "courier_timeout"),
    930557: _Verdict(_Says.NOTHING, "courier_error"),
    930559: _Verdict(_Says.NO, "openid_unknown", whole=True),
    930560: _Verdict(_Says.NO, "account_refused", whole=True),
    930561: _Verdict(_Says.NO, "bad_arguments", whole=True),
    930562: _Verdict(_Says.NOTHING, "exists_already"),
    930563: _Verdict(_Says.MISSING, "unknown_job"),
    930564: _Verdict(_Says.NO, "no_quota", whole=True),
    930565: _Verdict(_Says.NOTHING, "ended_already"),
    930567: _Verdict(_Says.NO, "bad_arguments", whole=True),
    930570: _Verdict(_Says.NO, "goods_refused", whole=True),
    930571: _Verdict(_Says.NO, "account_refused", whole=True),
    9300535: _Verdict(_Says.NO, "bad_arguments", whole=True),
}
"""`errcode`, the gateway's own: 930555 to 930565 and 9300535 are documented, 930567 to 930571 are from its
forum."""

_COMPANY_WORDS: Sequence[tuple[re.Pattern[str], _Verdict]] = tuple(
    (re.compile(pattern, re.IGNORECASE), verdict)
    for pattern, verdict in (
        (r"[订配运货]?送?单不存在|order not exist", _Verdict(_Says.MISSING, "unknown_job")),
        (r"已经?存在|重复|duplicate", _Verdict(_Says.NOTHING, "exists_already")),
        (r"[不无]\S{0,3}取消", _Verdict(_Says.LOCKED, "too_late")),
        (r"已\S{0,2}取消", _Verdict(_Says.CANCELLED)),
        (r"已\S{0,2}(完成|送达|结束)", _Verdict(_Says.NOTHING, "ended_already")),
        (r"签名", _Verdict(_Says.NO, "signature_refused", whole=True)),
        (r"余额|欠费", _Verdict(_Says.NO, "account_unpaid", whole=True)),
        (r"授权|权限|合作|绑定|冻结|支付方式", _Verdict(_Says.NO, "account_refused", whole=True)),
        (r"系统|超时|繁忙|稍[后候]|timeout|busy", _Verdict(_Says.NOTHING, "busy")),
        (r"封控|管控|疫情|封闭", _Verdict(_Says.NO, "closed_area", whole=True)),
        (r"超出|范围|区域|城市", _Verdict(_Says.NO, "out_of_area", whole=True)),
        (r"运力|骑手|爆单", _Verdict(_Says.NO, "no_rider")),
        (r"品类|类目|物品|货物|重量|货值", _Verdict(_Says.NO, "goods_refused", whole=True)),
        (r"营业|服务时间|预约", _Verdict(_Says.NO, "outside_hours")),
        (r"参数|不能为空|缺少|必传|格式", _Verdict(_Says.NO, "bad_arguments", whole=True)),
    )
)
"""`resultcode` is each company's own, the gateway fixes only 0 and passes the rest through: 1 is a system
error at Meituan and an unknown job or a bad signature at Shansong. So the words are read, first match, and a
refusal in words that are not here keeps its number."""


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Name = Annotated[str, BeforeValidator(_text)]
"""An id that arrives as a string from one company and as a number from another."""


class _Answer(Foreign):
    """The parts of every answer that we read. What may be missing or odd without harm is `object`."""

    errcode: int = 0
    resultcode: int | None = None
    resultmsg: object = None
    waybill_id: object = None
    order_status: object = None
    fee: object = None
    deduct_fee: object = None
    pickup_code: object = None
    finish_code: object = None
    delivery_token: object = None


class _Login(Foreign):
    access_token: str = Field(min_length=1)
    expires_in: int = Field(gt=0, le=7 * 24 * 3600)


def _read(reply: Reply) -> _Answer | Unsure:
    if reply.status != 200:
        return Unsure(f"http_{reply.status}")
    try:
        return _Answer.model_validate_json(without_bom(reply.body))
    except ValidationError:
        return Unsure("unreadable")


def _verdict(answer: _Answer) -> _Verdict:
    words = answer.resultmsg if isinstance(answer.resultmsg, str) else ""
    if answer.errcode:
        unknown = _Verdict(_Says.NOTHING, f"errcode_{answer.errcode}")
        if answer.errcode != 930558:  # the company's logic refused: what it says is what counts
            return _GATEWAY_CODES.get(answer.errcode, unknown)
    elif answer.resultcode is None:
        return _Verdict(_Says.NOTHING, "unreadable")
    elif answer.resultcode == 0:
        return _DONE
    for pattern, verdict in _COMPANY_WORDS:
        if pattern.search(words):
            return verdict
    return _Verdict(_Says.NO, f"courier_{answer.resultcode or answer.errcode}")


def _waybill(value: object) -> str | None:
    name = _text(value)
    return name if isinstance(name, str) and _WAYBILL.fullmatch(name) else None


_WAYBILL = re.compile(r"[\x21-\x7e]{1,64}")


def _yuan(fen: int) -> float:
    return round(fen / 100, 2)


# --- what WeChat sends us -----------------------------------------------------------------------------------


class _Envelope(Foreign):
    """The body of a callback in secure mode."""

    to_user: str = Field(alias="ToUserName")
    encrypt: str = Field(alias="Encrypt", min_length=1)


class _Message(Foreign):
    """What every opened message has."""

    to_user: str = Field(alias="ToUserName")
    event: str = Field(alias="Event", default="")


class _Update(Foreign):
    """`update_waybill_status`. The courier's name and phone are in it too and are left where they are."""

    shopid: _Name
    shop_order_id: _Name = Field(min_length=1, max_length=128)
    waybill_id: _Name = Field(pattern=r"^[\x21-\x7e]{1,64}$")
    order_status: int | str
    action_time: int = Field(ge=946_684_800, le=4_102_444_800_000)


class WeChat:
    """The language of the gateway."""

    name = "wechat"
    trust: Trust = "signed"
    proofs = frozenset({Proof.PICKUP_CODE, Proof.RECEIPT_CODE})
    settle = timedelta(minutes=2)
    cancels_by_id = False

    # --- asking ---

    def login(self, account: Account) -> Request | None:
        """The stable token: fetching it again does not spoil the one another process holds."""
        asked = {
            "grant_type": "client_credential",
            "appid": account["appid"],
            "secret": account["secret"],
        }
        return _post(f"{_base(account)}/cgi-bin/stable_token", asked)

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        if reply.status == 200:
            try:
                read = _Login.model_validate_json(without_bom(reply.body))
            except ValidationError:
                pass
            else:
                lives = max(timedelta(seconds=read.expires_in) - TOKEN_MARGIN, timedelta(0))
                return Token(read.access_token, at + lives)
        raise Unanswered(f"no access token in the answer to a login, status {reply.status}")

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """One order/pre_add: the same words as the booking, and nothing is made of them."""
        return _post(_order_url(account, "pre_add", token), self._words(account, job, at))

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        """The fee, and the `delivery_token` with which order/add keeps to it."""
        answer = _read(reply)
        if isinstance(answer, Unsure):
            return answer
        verdict, fee = _verdict(answer), in_hundredths(answer.fee, "CNY")
        if verdict.says is _Says.RELOGIN:
            return TokenRefused()
        if verdict.says is _Says.DONE and fee is not None:
            return Quoted(fee, _waybill(answer.delivery_token))
        if verdict.says is _Says.NO:
            return NotTaken(verdict.reason, verdict.whole)
        return Unsure(verdict.reason or "no_fee")

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """One order/add. `shop_order_id` is our reference, so a repeat is answered 'exists already'.

        Raises `Uncarriable` for a gift that is not valued in yuan (the gateway knows no other currency), and
        for a start that Shansong cannot be told.
        """
        asked = self._words(account, job, at)
        if job.quote_id is not None:
            asked["delivery_token"] = job.quote_id
        return _post(_order_url(account, "add", token), asked)

    def _words(self, account: Account, job: Job, at: datetime) -> dict[str, object]:
        value = job.gift.value
        if value.currency != "CNY":
            detail = f"a gift that goes through WeChat is valued in 'CNY', got {value.currency!r}"
            raise Uncarriable(detail, "currency_unknown", whole_courier=True)
        company = _COMPANIES.get(account["delivery_id"], _Company())
        precious = value.amount >= _DIRECT_FROM_FEN or ItemClass.HIGH_VALUE in job.gift.item_classes
        insured = precious and company.insures
        direct = company.direct == "always" or (company.direct == "on_request" and precious)
        first_class, second_class = next(
            (one, two) for kind, one, two in _CARGO if kind in job.gift.item_classes
        )
        items = job.gift.items
        return {
            **_signed(account, job.reference),
            "delivery_id": account["delivery_id"],
            "openid": account.get("openid", ""),
            "sender": _party(job.pick_up, job.pick_up_contact.name, job.pick_up_contact.phone),
            "receiver": _party(job.recipient.place, job.recipient.name, job.recipient.phone),
            "cargo": {
                "goods_value": _yuan(min(max(value.amount, 1), _GOODS_VALUE_MAX_FEN)),
                "goods_weight": _WEIGHT_KG,
                "goods_detail": {
                    "goods": [
                        {
                            "good_count": item.quantity,
                            "good_name": item.name,
                            "good_price": _yuan(item.value.amount),
                            "good_unit": "件",
                        }
                        for item in items
                    ]
                },
                "goods_pickup_info": job.pick_up_name[:100],
                "cargo_first_class": first_class,
                "cargo_second_class": second_class,
            },
            "order_info": {
                "delivery_service_code": account.get("delivery_service_code", ""),
                **_times(company, job, at),
                "order_time": int(at.timestamp()),
                "poi_seq": job.reference.removeprefix("ord_")[-32:],
                "note": _note(job),
                "is_insured": int(insured),
                "declared_value": _yuan(value.amount) if insured else 0,
                "is_direct_delivery": int(direct),
                "is_pickup_code_needed": int(company.pickup_code),
                # at a gate or a shelf the client is not there to say the code, and no job ends without it
                "is_finish_code_needed": int(company.finish_code and job.handover in TO_THE_CLIENT),
                "rider_pick_method": 1,
                "tips": 0,
            },
            "shop": {
                "wxa_path": account.get("wxa_path", ""),
                "img_url": account.get("img_url", ""),
                "goods_name": items[0].name.encode()[:128].decode(errors="ignore"),
                "goods_count": sum(item.quantity for item in items),
            },
        }

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        """0 and a waybill is a booking. A refusal that names a waybill is not believed: look."""
        answer = _read(reply)
        if isinstance(answer, Unsure):
            return answer
        verdict, waybill = _verdict(answer), _waybill(answer.waybill_id)
        if verdict.says is _Says.RELOGIN:
            return TokenRefused()
        if verdict.says is _Says.DONE:
            if waybill is None:
                return Unsure("no_waybill")
            codes = {
                Proof.PICKUP_CODE.value: _code(answer.pickup_code),
                Proof.RECEIPT_CODE.value: _code(answer.finish_code),
            }
            return Booked(
                waybill,
                in_hundredths(answer.fee, "CNY"),
                {name: code for name, code in codes.items() if code},
            )
        if verdict.says is _Says.NO and waybill is None:
            return NotTaken(verdict.reason, verdict.whole)
        return Unsure(verdict.reason or verdict.says.value)

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        """One order/cancel. SF Tongcheng wants the waybill; the others find the job by our reference."""
        asked: dict[str, object] = {
            **_signed(account, reference),
            "delivery_id": account["delivery_id"],
            "cancel_reason_id": 6 if reason else 1,  # 6, another reason, is the only one that carries words
            "cancel_reason": reason[:100],
        }
        if delivery_id is not None:
            asked["waybill_id"] = delivery_id
        return _post(_order_url(account, "cancel", token), asked)

    def cancelled(self, reply: Reply) -> CancelAnswer:
        """Only plain words count, either way: what is not understood is asked again.

        Where the gift is, no answer says: `desc` is documented as free words about the fee, and order/cancel
        is allowed after the pick-up. That it comes back is status 303, in a callback or a look-up.
        """
        answer = _read(reply)
        if isinstance(answer, Unsure):
            return answer
        verdict = _verdict(answer)
        if verdict.says is _Says.RELOGIN:
            return TokenRefused()
        if verdict.says is _Says.DONE:
            return CancelConfirmed(in_hundredths(answer.deduct_fee, "CNY"))
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
        return _post(_order_url(account, "get", token), _signed(account, reference))

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        """The job's present state. order/get names no time, so the event is dated by the look."""
        answer = _read(reply)
        if isinstance(answer, Unsure):
            return answer
        verdict = _verdict(answer)
        if verdict.says is _Says.RELOGIN:
            return TokenRefused()
        if verdict.says is _Says.MISSING:
            return NotFound()
        waybill = _waybill(answer.waybill_id)
        if verdict.says is not _Says.DONE or waybill is None:
            return Unsure(verdict.reason or "no_waybill")
        status = _status(answer.order_status)
        if status in (None, "0"):  # seen in the field: known there, and nothing said of its state
            return Found(waybill, None)
        return Found(
            waybill,
            _event(status, reference, courier_id, at, at, f"{waybill}-{status}-look_up", source="look_up"),
        )

    # --- hearing ---

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        """A message push: signed over the ciphertext, opened with our key, and addressed to our appid.

        The signature does not cover `ToUserName` outside the ciphertext, so it has to equal the one inside.
        """
        if callback.method != "POST":
            raise Unauthorised(f"a callback is sent by 'POST', got {callback.method!r}")
        stamp, nonce = _fresh(callback, "msg_signature", at)
        try:
            envelope = _Envelope.model_validate_json(without_bom(callback.body))
        except ValidationError:
            raise Unauthorised("the body is no encrypted message in JSON (WeChat's secure mode)") from None
        account, content = _opened(accounts, callback.query["msg_signature"], stamp, nonce, envelope.encrypt)
        try:
            message = _Message.model_validate_json(without_bom(content))
        except ValidationError:
            raise Malformed("the message inside is not a JSON object with 'ToUserName'") from None
        if message.to_user != envelope.to_user:
            raise Unauthorised("the message is addressed to one name outside and another inside")
        if message.event.lower() != "update_waybill_status":
            return Heard((), _THANKS)
        try:
            update = _Update.model_validate_json(without_bom(content))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            fields = sorted({str(fault["loc"][0]) for fault in faults if fault["loc"]})
            raise Malformed(f"update_waybill_status without proper {fields!r}") from None
        reference = update.shop_order_id
        ours = update.shopid == account["shopid"] and reference.isprintable()
        if not ours or order_of(reference) is None:
            return Heard((), _THANKS, foreign=(reference,))
        seconds = update.action_time // 1000 if update.action_time > 10**11 else update.action_time
        status = _status(update.order_status) or "none"
        event = _event(
            status,
            reference,
            courier_id,
            datetime.fromtimestamp(seconds, UTC),
            at,
            f"{update.waybill_id}-{status}-{seconds}",
        )
        return Heard((event,), _THANKS)

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        """The `echostr` of the GET with which WeChat checks the address.

        The signature covers only time and nonce. What is echoed is unsigned, so it may hold nothing that a
        browser could take for a page.
        """
        stamp, nonce = _fresh(callback, "signature", at)
        echo = callback.query.get("echostr", "")
        proven = False
        for account in accounts:
            token = account.get("token", "")
            if token and _same(_sha1_sorted(token, stamp, nonce), callback.query["signature"]):
                proven = True
        if not proven or not _ECHO.fullmatch(echo):
            raise Unauthorised("no account's token gives this signature")
        return echo.encode()


_THANKS = b"success"
"""What stops WeChat from trying again (message-push: 'success' or nothing, within five seconds)."""
_ECHO = re.compile(r"[\w+/=.-]{1,512}", re.ASCII)
_STAMP = re.compile(r"[0-9]{1,12}")


# --- requests -----------------------------------------------------------------------------------------------


def _base(account: Account) -> str:
    return (account.get("base_url") or GATEWAY).rstrip("/")


def _order_url(account: Account, verb: str, token: str) -> str:
    orders = f"{_base(account)}/cgi-bin/express/local/business/order"
    return f"{orders}/{verb}?access_token={quote(token, safe='')}"


def _post(url: str, asked: Mapping[str, object]) -> Request:
    # the gateway rejects \u escapes in category names with 930570: plain UTF-8
    body = json.dumps(asked, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return Request("POST", url, {"content-type": "application/json; charset=utf-8"}, body)


def _signed(account: Account, reference: str) -> dict[str, object]:
    proof = f"{account['shopid']}{reference}{account['app_secret']}".encode()
    return {
        "shopid": account["shopid"],
        "shop_order_id": reference,
        "shop_no": account.get("shop_no", ""),
        "delivery_sign": hashlib.sha1(proof, usedforsecurity=False).hexdigest(),
    }


def _party(place: Place, name: str, phone: str) -> dict[str, object]:
    lng, lat = place.coordinate.within(Datum.GCJ02)
    address = place.address
    parts = (address.compound, address.building, address.unit)
    return {
        "name": name,
        "phone": phone.removeprefix("+86"),
        "city": address.city,
        "address": address.line,
        "address_detail": " ".join(part for part in parts if part) or address.line,
        "lng": round(lng, 6),
        "lat": round(lat, 6),
        "coordinate_type": 0,
    }


def _times(company: _Company, job: Job, at: datetime) -> dict[str, int]:
    """A job for later, in the field that the company reads.

    Aimed at the middle of what is left of the window: an early courier and a late one both stay inside it,
    and outside it nobody was cleared to go. Dada takes the time at which it starts to look for a courier: the
    beginning of the stay. Shansong takes the pick-up: at the beginning of the stay, or, because it wants two
    hours' notice, as soon after it as it can be told and not later than the hand-over may begin. "Immediate"
    is said only once the stay has begun: a rider would be there before anybody is cleared. Where neither will
    do, this is a refusal of the slot and not a wait: another slot is better for the gift than a booking that
    is put off until the last moment and may then find no rider. Raises `Uncarriable`.
    """
    fields = {"expected_delivery_time": 0, "expected_finish_time": 0, "expected_pick_time": 0}
    if company.time_field == "expected_pick_time":
        if job.starts_at <= at:
            return {"order_type": 0, **fields}
        target = max(job.starts_at, rounded_up(at, SECOND) + _SHANSONG_NOTICE)
        if target > max(job.starts_at, job.deliver_from):
            detail = f"a pick-up from {job.starts_at.isoformat()!r} on is too soon to order for later"
            raise Uncarriable(detail, "start_too_soon", whole_courier=False)
    elif company.time_field == "expected_delivery_time":
        target = max(job.starts_at, min(at, job.deliver_by))
    else:
        start = max(job.deliver_from, min(at, job.deliver_by))
        target = start + (job.deliver_by - start) / 2
    return {"order_type": 1, **fields, company.time_field: int(rounded_up(target, SECOND).timestamp())}


def _note(job: Job) -> str:
    """How to hand over, when, and how cold: what the person on the scooter reads, in 200 characters."""
    chinese, english = _HAND_OVER[job.handover]
    zone = zone_info(job.time_zone)
    hours = f"{job.deliver_from.astimezone(zone):%H:%M}-{job.deliver_by.astimezone(zone):%H:%M}"
    gate = f"（{job.gate}）" if job.gate else ""
    note = f"{chinese}{gate}。{hours}送达。{english} {hours}."
    ranges = [item.temperature for item in job.gift.items if item.temperature is not None]
    if ranges:
        low, high = max(r.min_c for r in ranges), min(r.max_c for r in ranges)
        if low <= high:
            note += f" 温度/Keep {low:g}~{high:g}°C"
    return note[:200]


# --- answers and events -------------------------------------------------------------------------------------


def _code(value: object) -> str:
    code = _text(value)
    return code if isinstance(code, str) and code.isdigit() and code.strip("0") else ""


def _status(value: object) -> str | None:
    """Their status as text: digits where it is a number in any dress, at most 32 characters."""
    text = _text(value)
    if not isinstance(text, str) or not text.strip():
        return None
    return re.sub(r"[^\x21-\x7e]", "?", text.strip())[:32]


def _event(
    status: str,
    reference: str,
    courier_id: str,
    occurred_at: datetime,
    received_at: datetime,
    event_id: str,
    source: str = "callback",
) -> Event:
    kind, reason = _MEANINGS.get(status, (EventKind.UNREADABLE, ""))
    return Event(
        reference=reference,
        courier_id=courier_id,
        kind=kind,
        raw_status=status,
        occurred_at=occurred_at,
        received_at=received_at,
        event_id=event_id,
        reason=reason,
        source=source,
    )


# --- proof --------------------------------------------------------------------------------------------------


def _sha1_sorted(*parts: str) -> str:
    """WeChat's scheme, SHA-1 and all: said to be for no security so that a FIPS build computes it."""
    joined = "".join(sorted(parts)).encode("utf-8", "surrogatepass")
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def _fresh(callback: Callback, signature: str, at: datetime) -> tuple[str, str]:
    """(timestamp, nonce) of a query that has all three parts and is not older or newer than the window."""
    query = callback.query
    for name in (signature, "timestamp", "nonce"):
        if not query.get(name):
            raise Unauthorised(f"the query has no {name!r}")
    stamp = query["timestamp"]
    if not _STAMP.fullmatch(stamp) or abs(at.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise Unauthorised(f"the timestamp is not within {WINDOW.total_seconds():g} seconds of now")
    return stamp, query["nonce"]


def _opened(
    accounts: Sequence[Account], signature: str, stamp: str, nonce: str, encrypt: str
) -> tuple[Account, bytes]:
    """The account whose token signed this and whose key opens it, and what is inside."""
    for account in accounts:
        if not all(account.get(name) for name in ("token", "encoding_aes_key", "appid", "shopid")):
            continue  # an empty secret proves nothing: anybody can sign with it
        if _same(_sha1_sorted(account["token"], stamp, nonce, encrypt), signature):
            content = _decrypted(account["encoding_aes_key"], account["appid"], encrypt)
            if content is not None:
                return account, content
    raise Unauthorised("no account's token and key fit this callback")


def _decrypted(encoding_aes_key: str, appid: str, encrypt: str) -> bytes | None:
    """What is inside: AES-256-CBC with the key's first half as IV, over 16 random bytes, 4 bytes of length,
    the content, the appid, and padding to 32.

    None when anything about it is not so: another key, or a message for another app.
    """
    # only hearing needs it, and booking should not wait for it to load
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    try:
        key = base64.b64decode(encoding_aes_key + "=", validate=True)
        sealed = base64.b64decode(encrypt, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(key) != 32 or not sealed or len(sealed) % 16:
        return None
    opener = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    plain = opener.update(sealed) + opener.finalize()
    padding = plain[-1]
    if not 1 <= padding <= 32 or plain[-padding:] != bytes([padding]) * padding:
        return None
    plain = plain[:-padding]
    end = 20 + int.from_bytes(plain[16:20], "big")
    if len(plain) < 20 or end > len(plain) or not hmac.compare_digest(plain[end:], appid.encode()):
        return None
    return plain[20:end]


dialect = WeChat()
