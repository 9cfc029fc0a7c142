"""Callbacks of Dada as it sends them: plain JSON with a checksum, to an address that carries a word of ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.domain.dialect import Account, Callback, Reply
from tests.couriers.jobs import REFERENCE

ACCOUNT: Account = {
    "app_key": "dada0123456789abcde",
    "app_secret": "the-app-secret",
    "source_id": "73753",
    "shop_no": "11047059",
    "callback_url": "https://cordon.example/v1/callbacks/SHA/dada",
    "callback_token": "a-word-of-ours",
}
ROTATED: Account = {**ACCOUNT, "callback_token": "another-word"}
HEARING_SECRETS = ("callback_token",)
PROOF_QUERY = ("token",)
PROOF_HEADERS: tuple[str, ...] = ()
STATUSES = tuple(str(code) for code in (1, 2, 3, 4, 5, 7, 8, 9, 10, 100, 1000))
UNKNOWN_STATUS = "999"
PERSONAL = ("测试达达", "13546670420")
REPLAY_WINDOW: timedelta | None = None
NAMES_ITS_JOBS = False


def _no(code: int, words: str) -> Reply:
    said = {"status": "fail", "code": code, "msg": words, "errorCode": code, "result": None}
    return Reply(200, {}, json.dumps(said, ensure_ascii=False).encode())


def _yes(**result: object) -> Reply:
    said = {"status": "success", "code": 0, "msg": "成功", "result": result or ""}
    return Reply(200, {}, json.dumps(said, ensure_ascii=False).encode())


EXISTS_ALREADY = (
    _no(2063, "该订单已发布,请选择新的订单"),
    _no(2105, "订单已下发,如要重发,请使用重发接口"),
    _no(2012, "订单正在处理中,请稍后再试"),
    _no(2065, "该平台订单编号已处理,请勿重复请求"),
)
_PRICE = {
    "distance": 4200.5,
    "fee": 18.5,
    "deliverFee": 18.5,
    "couponFee": 0.0,
    "tips": 0.0,
    "insuranceFee": 0.0,
}
QUOTED: Reply | None = _yes(**_PRICE, deliveryNo="Dada20220411000001")
BOOKED = (_yes(**_PRICE), _yes())
"""The second as order/addAfterQuery answers."""
REFUSED = (_no(2155, "余额不足，请充值"), _no(2086, "运力不充足,发单失败"), _no(2044, "城市尚未开通"))
CANCELLED = (_yes(deduct_fee=2.0), _no(2076, "订单已取消,无法重复取消"))
FOUND = tuple(
    _yes(
        orderId=REFERENCE,
        statusCode=status,
        statusMsg="",
        transporterName=PERSONAL[0],
        transporterPhone=PERSONAL[1],
        createTime="2022-04-11 11:30:00",
        fetchTime="2022-04-11 11:50:00" if status in (3, 4, 9, 10) else "",
        finishTime="2022-04-11 11:59:00" if status == 4 else "",
        cancelTime="2022-04-11 11:45:00" if status == 5 else "",
    )
    for status in (1, 2, 3, 4, 5, 7, 9, 10, 1000)
)
NOT_FOUND = (_no(2005, "订单不存在,请核查订单号"), _no(2530, "订单不存在,请检查订单号"))


def content(reference: str, status: str, occurred_at: datetime, **changes: Any) -> dict[str, object]:
    """What is told, with its checksum; the layout of the recorded one in ../shared."""
    seconds = int(occurred_at.timestamp())
    told: dict[str, object] = {
        "order_status": int(status),
        "cancel_reason": "",
        "cancel_from": 0,
        "update_time": seconds * 1000 if status == "1000" else seconds,
        "dm_id": 666,
        "dm_name": PERSONAL[0],
        "dm_mobile": PERSONAL[1],
        "order_id": reference,
        "client_id": "",
        **changes,
    }
    return {"signature": checksum(told), **told}


def checksum(told: Mapping[str, object]) -> str:
    parts = [
        "" if told[name] is None else str(told[name]) for name in ("client_id", "order_id", "update_time")
    ]
    parts.sort()
    return hashlib.md5("".join(parts).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def told(
    account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime, sent_at: datetime
) -> Callback:
    """One status, as this courier tells it. It has no name of its own for the delivery."""
    return sent(account, content(reference, status, occurred_at))


def said(account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime) -> bytes:
    return json.dumps(content(reference, status, occurred_at), ensure_ascii=False).encode()


def sent(account: Account, message: Mapping[str, object]) -> Callback:
    return enveloped(account, json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def recorded(folder: Path) -> Mapping[str, tuple[Account, Callback, datetime]]:
    """The body is as it was recorded; the word in the address is ours."""
    found: dict[str, tuple[Account, Callback, datetime]] = {}
    for path in sorted((folder / "dada").glob("*.json")):
        raw = path.read_bytes()
        came_at = datetime.fromtimestamp(json.loads(raw)["update_time"], UTC)
        found[path.name] = ACCOUNT, enveloped(ACCOUNT, raw), came_at
    return found


def enveloped(account: Account, inside: bytes, sent_at: datetime | None = None) -> Callback:
    """When it is sent stands nowhere in it."""
    return Callback(
        "POST", {"token": account["callback_token"]}, {"content-type": "application/json"}, inside
    )
