"""Dada, spoken by a simulated company.

Checks the signature of every envelope, keeps a price for three minutes, and calls the address that came with the job,
with a checksum that anybody can compute. It cancels what nobody has fetched, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.conduct import Wish
from sandbox.ledger import CourierJob, Stage, Step
from sandbox.voice import Answer, Ask, Call, Letter, News

_PARTS = ("app_key", "body", "format", "source_id", "timestamp", "v", "signature")
_NEEDED: Mapping[str, tuple[type, ...]] = {
    "shop_no": (str,),
    "origin_id": (str,),
    "cargo_price": (int, float),
    "is_prepay": (int,),
    "receiver_name": (str,),
    "receiver_address": (str,),
    "receiver_phone": (str,),
    "receiver_lat": (int, float),
    "receiver_lng": (int, float),
    "callback": (str,),
    "cargo_weight": (int, float),
}
_STATUSES: Mapping[Stage, int] = {
    Stage.ACCEPTED: 1,
    Stage.ASSIGNED: 2,
    Stage.AT_SHOP: 100,
    Stage.PICKED_UP: 3,
    Stage.IN_TRANSIT: 3,
    Stage.DELIVERED: 4,
    Stage.CANCELLED: 5,
    Stage.PICK_UP_FAILED: 5,
    Stage.RETURNING: 9,
    Stage.RETURNED: 10,
}
_ENDED_BY: Mapping[str, tuple[int, str]] = {
    "merchant_cancelled": (2, "我不需要配送了"),
    "courier_system": (3, "没有配送员接单"),
    "force_majeure": (3, "系统取消"),
    "courier_reason": (1, "配送员自身原因"),
    "merchant_fault": (1, "商家未备货"),
}
"""Who cancelled (`cancel_from`), and in which words."""
_TIMES: Mapping[str, tuple[Stage, ...]] = {
    "createTime": (Stage.ACCEPTED,),
    "acceptTime": (Stage.ASSIGNED,),
    "arriveTime": (Stage.AT_SHOP,),
    "fetchTime": (Stage.PICKED_UP,),
    "finishTime": (Stage.DELIVERED,),
    "cancelTime": (Stage.CANCELLED, Stage.PICK_UP_FAILED),
}
_REFUSALS: Mapping[str, tuple[int, str]] = {
    "no_rider": (2086, "运力不充足,发单失败"),
    "out_of_area": (9943, "距离超出约定限制，发单失败"),
    "closed_area": (2087, "收件小区封控,发单失败"),
    "goods_refused": (2089, "订单不合要求"),
    "account_unpaid": (2155, "余额不足，请充值"),
}
_OVER: Mapping[Stage, tuple[int, str]] = {
    Stage.DELIVERED: (2051, "订单已完成配送,无法取消"),
    Stage.CANCELLED: (2076, "订单已取消,无法重复取消"),
    Stage.PICK_UP_FAILED: (2076, "订单已取消,无法重复取消"),
    Stage.RETURNING: (2458, "取消失败[订单状态为9,不能取消]"),
    Stage.RETURNED: (2459, "取消失败[订单状态为10,不能取消]"),
}
_RIDER = {"name": "李师傅", "phone": "13800000000"}
_CHINA = timezone(timedelta(hours=8))
_PRICE_HOLDS = timedelta(minutes=3)


def account(name: str) -> dict[str, str]:
    """An invented account; its secrets follow from its name, for they protect nothing."""
    chance = hashlib.sha256(f"sandbox/dada/{name}".encode()).hexdigest()
    return {
        "app_key": f"dada{chance[:15]}",
        "app_secret": chance[15:47],
        "source_id": str(10_000 + int(chance[47:51], 16)),
        "shop_no": f"{name}-01",
        "callback_url": f"https://cordon.example/v1/callbacks/SHA/{name}",
        "callback_token": chance[32:],
    }


class Dada:
    """The company."""

    proves = False
    retries: Sequence[timedelta] = (timedelta(minutes=1), timedelta(minutes=5))

    def __init__(self, account: Mapping[str, str]) -> None:
        self.account = dict(account)
        self._prices: dict[str, tuple[dict[str, Any], datetime]] = {}
        """By its number: what was asked about, and when."""

    def delivery_id(self, reference: str) -> str:
        return str(10**14 + int(hashlib.sha256(reference.encode()).hexdigest()[:10], 16))

    # --- reading ---

    def read(self, call: Call) -> Ask | Answer:
        envelope = _object(call.body)
        if call.method != "POST" or envelope is None:
            return _no(2000, "接口请求参数不能为空")
        refusal = self._unproven(envelope)
        asked = _object(envelope.get("body"))
        if refusal is not None:
            return refusal
        if asked is None:
            return _no(2419, "body参数json解析出错,请检查body内的参数格式是否正确")
        if call.path in ("/api/order/addOrder", "/api/order/queryDeliverFee"):
            return self._order(call, asked)
        if call.path == "/api/order/addAfterQuery":
            return self._priced(call, asked)
        reference = asked.get("order_id")
        if call.path not in ("/api/order/formalCancel", "/api/order/status/query"):
            return Answer(404)
        if not isinstance(reference, str) or not reference:
            return _no(1997, "原始订单order_id不能为空")
        if call.path == "/api/order/status/query":
            return Ask("look_up", reference, order=asked)
        if asked.get("cancel_reason_id") not in (1, 2, 3, 4, 5, 34, 35, 36, 37, 10_000):
            return _no(2457, "取消失败[cancel_reason_id不在取消原因列表中]")
        if asked["cancel_reason_id"] == 10_000 and not asked.get("cancel_reason"):
            return _no(2049, "订单取消原因ID对应其他,取消原因不能为空")
        return Ask("cancel", reference, reason=str(asked.get("cancel_reason", "")), order=asked)

    def _unproven(self, envelope: Mapping[str, Any]) -> Answer | None:
        if not all(isinstance(envelope.get(part), str) for part in _PARTS):
            return _no(1998, "请求参数的个数不正确,请仔细核对")
        if envelope["app_key"] != self.account["app_key"]:
            return _no(2001, "app_key无效")
        if envelope["source_id"] != self.account["source_id"]:
            return _no(2002, "没有绑定正式商户,请检查接口中source_id值")
        text = self.account["app_secret"]
        for part in sorted(set(_PARTS) - {"signature"}):
            text += part + envelope[part]
        text += self.account["app_secret"]
        digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
        return None if envelope["signature"] == digest.upper() else _no(2003, "签名错误")

    def _order(self, call: Call, asked: dict[str, Any]) -> Ask | Answer:
        for name, kinds in _NEEDED.items():
            if not isinstance(asked.get(name), kinds) or asked[name] == "":
                return _no(2013, "请求接口参数异常,请查看开发文档参数设定")
        if asked["shop_no"] != self.account["shop_no"]:
            return _no(2402, "门店不存在")
        if asked["cargo_weight"] <= 0:
            return _no(2103, "cargo_weight必须大于0")
        later = asked.get("delay_publish_time")
        if later is not None:
            ahead = timedelta(seconds=later - call.at.timestamp()) if isinstance(later, int) else timedelta()
            if not timedelta(minutes=5) <= ahead <= timedelta(days=3) or later % 60:
                return _no(2468, "预约时间unix时间戳(10位),精确到分;整1分钟为间隔，并且需要至少提前5分钟预约")
        reference = asked["origin_id"]
        if call.path == "/api/order/queryDeliverFee":
            self._prices[_price_name(reference)] = asked, call.at
            return Ask("quote", reference, order=asked)
        return Ask("book", reference, wish=_wish(asked), order=asked)

    def _priced(self, call: Call, asked: Mapping[str, Any]) -> Ask | Answer:
        """Makes what was asked about when the price was named, under the reference of then."""
        name = asked.get("deliveryNo")
        if not isinstance(name, str) or not name:
            return _no(2078, "deliveryNo不能为空")
        known = self._prices.get(name)
        if known is None or call.at > known[1] + _PRICE_HOLDS:
            return _no(2062, "订单价格信息已过期,请重新查询后发单")
        order = known[0]
        return Ask("book", order["origin_id"], wish=_wish(order), order={**order, "deliveryNo": name})

    # --- answering ---

    def quoted(self, ask: Ask, fee: int) -> Answer:
        return _yes({**_price(fee), "deliveryNo": _price_name(ask.reference)})

    def booked(self, ask: Ask, job: CourierJob) -> Answer:
        return _yes("" if "deliveryNo" in ask.order else _price(job.fee))

    def exists(self, ask: Ask, job: CourierJob) -> Answer:
        if "deliveryNo" in ask.order:
            return _no(2065, "该平台订单编号已处理,请勿重复请求")
        return _no(2105, "订单已下发,如要重发,请使用重发接口")

    def refused(self, ask: Ask, reason: str) -> Answer:
        return _no(*_REFUSALS[reason])

    def cancelled(self, ask: Ask, job: CourierJob, fee: int) -> Answer:
        # what is on its way back was not cancelled by this call, in Dada's words: somebody there turned it back
        return _yes({"deduct_fee": fee / 100}) if job.stage is Stage.CANCELLED else self.over(ask, job)

    def kept(self, ask: Ask, job: CourierJob) -> Answer:
        return _no(2050, "订单配送中,无法取消")

    def over(self, ask: Ask, job: CourierJob) -> Answer:
        return _no(*_OVER[job.stage])

    def unknown(self, ask: Ask) -> Answer:
        return _no(2005, "订单不存在,请核查订单号")

    def found(self, ask: Ask, job: CourierJob) -> Answer:
        has_rider = any(step.stage is Stage.ASSIGNED for step in job.steps)
        return _yes(
            {
                "orderId": job.reference,
                "statusCode": _STATUSES[job.stage],
                "statusMsg": "",
                "transporterName": _RIDER["name"] if has_rider else "",
                "transporterPhone": _RIDER["phone"] if has_rider else "",
                "deliveryFee": job.fee / 100,
                "actualFee": job.fee / 100,
                "orderFinishCode": _finish_code(job) if has_rider else "",
                **{name: _clock(job, stages) for name, stages in _TIMES.items()},
            }
        )

    # --- telling ---

    def news(self, job: CourierJob, step: Step) -> Sequence[News]:
        if step.stage is Stage.IN_TRANSIT:
            return ()  # the pick-up has said so
        status = _STATUSES[step.stage]
        who, words = _ENDED_BY.get(step.reason, (0, "")) if status == 5 else (0, "")
        told: dict[str, Any] = {
            "client_id": job.delivery_id,
            "order_id": job.reference,
            "order_status": status,
            "cancel_reason": words,
            "cancel_from": who,
            "update_time": int(step.at.timestamp()),
            "dm_id": 4711,
            "dm_name": _RIDER["name"],
            "dm_mobile": _RIDER["phone"],
            "finish_code": _finish_code(job),
        }
        return (News(str(status), (job.order["callback"], told)),)

    def sealed(self, news: News, at: datetime, number: int, forged: bool) -> Letter:
        """To the query of the address that came with the job. A forger has read it in somebody's log, and knows how
        the checksum is made: who hears him can tell nothing."""
        address, told = news.content
        pieces = [told["client_id"], told["order_id"], f"{told['update_time']}"]
        digest = hashlib.md5("".join(sorted(pieces)).encode(), usedforsecurity=False).hexdigest()
        body = json.dumps({**told, "signature": digest}, ensure_ascii=False).encode()
        query = dict(parse_qsl(urlsplit(address).query))
        return Letter("POST", query, {"content-type": "application/json;charset=utf-8"}, body)


voice = Dada


def _yes(result: object) -> Answer:
    return _says({"status": "success", "code": 0, "msg": "成功", "result": result})


def _no(code: int, words: str) -> Answer:
    """Every answer is a 200: what went wrong is inside."""
    return _says({"status": "fail", "code": code, "msg": words, "errorCode": code, "result": None})


def _says(told: Mapping[str, object]) -> Answer:
    body = json.dumps(told, ensure_ascii=False).encode()
    return Answer(200, body, {"content-type": "application/json;charset=UTF-8"})


def _object(text: object) -> dict[str, Any] | None:
    try:
        read = json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _wish(order: Mapping[str, Any]) -> Wish:
    later = order.get("delay_publish_time")
    return Wish() if later is None else Wish(datetime.fromtimestamp(later, UTC), "search")


def _price(fen: int) -> dict[str, Any]:
    yuan = fen / 100
    return {"distance": 4200.5, "fee": yuan, "deliverFee": yuan, "couponFee": 0, "tips": 0, "insuranceFee": 0}


def _price_name(reference: str) -> str:
    return "Dada" + hashlib.sha256(f"price/{reference}".encode()).hexdigest()[:20]


def _finish_code(job: CourierJob) -> str:
    if not job.order.get("is_finish_code_needed"):
        return ""
    return str(random.Random(job.reference).randint(1000, 9999))  # nosec B311 - codes of a game


def _clock(job: CourierJob, stages: tuple[Stage, ...]) -> str:
    """The last time at which it came to one of these stages, on China's clock; empty where it did not."""
    times = [step.at for step in job.steps if step.stage in stages]
    return times[-1].astimezone(_CHINA).strftime("%Y-%m-%d %H:%M:%S") if times else ""
