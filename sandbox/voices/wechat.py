"""WeChat Immediate Delivery, spoken by a simulated company: the gateway and the company behind it in one.

Hands out access tokens, checks every `delivery_sign`, and pushes encrypted, signed callbacks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sandbox.conduct import Aim, Wish
from sandbox.ledger import CourierJob, Stage, Step
from sandbox.voice import Answer, Ask, Call, Letter, News, Verb

_ORDERS = "/cgi-bin/express/local/business/order/"
_VERBS: Mapping[str, Verb] = {"pre_add": "quote", "add": "book", "cancel": "cancel", "get": "look_up"}
_TIMES: Mapping[str, Aim] = {
    "expected_finish_time": "arrival",  # SF Tongcheng, Meituan
    "expected_pick_time": "pick_up",  # Shansong
    "expected_delivery_time": "search",  # Dada
}
_STATUSES: Mapping[tuple[Stage, str], int] = {
    (Stage.ACCEPTED, ""): 101,
    (Stage.ASSIGNED, ""): 102,
    (Stage.CANCELLED, "merchant_cancelled"): 103,
    (Stage.AT_SHOP, ""): 201,
    (Stage.PICKED_UP, ""): 202,
    (Stage.PICK_UP_FAILED, "courier_reason"): 204,
    (Stage.PICK_UP_FAILED, "merchant_fault"): 205,
    (Stage.IN_TRANSIT, ""): 301,
    (Stage.DELIVERED, ""): 302,
    (Stage.RETURNING, "recalled"): 303,
    (Stage.RETURNING, "client_unavailable"): 304,
    (Stage.RETURNING, "cannot_access_location"): 304,
    (Stage.RETURNING, "client_refused"): 305,
    (Stage.RETURNED, ""): 401,
    (Stage.CANCELLED, "courier_system"): 501,
    (Stage.CANCELLED, "force_majeure"): 502,
}
_REFUSALS: Mapping[str, tuple[int, str]] = {
    "no_rider": (1301, "附近运力不足。暂时无骑手接单"),
    "out_of_area": (1302, "收件地址超出配送范围"),
    "closed_area": (1303, "收件小区封控。暂停配送"),
    "goods_refused": (1304, "物品类型不支持"),
    "account_unpaid": (1305, "账户余额不足"),
}
"""Its number and words. The numbers are its own, as with every real company."""
_RIDER = {"name": "王师傅", "phone": "13900000000"}


def account(name: str) -> dict[str, str]:
    """An invented account at the gateway; its secrets follow from its name, for they protect nothing."""
    chance = hashlib.sha256(f"sandbox/{name}".encode()).digest()
    return {
        "appid": "wx" + chance.hex()[:16],
        "secret": chance.hex()[:32],
        "shopid": f"shop-{name}",
        "app_secret": chance.hex()[16:48],
        "shop_no": f"{name}-01",
        "delivery_id": {"sf": "SFTC", "dada": "DADA"}.get(name, "SFTC"),
        "token": chance.hex()[32:56],
        "encoding_aes_key": base64.b64encode(chance).decode()[:43],
        "openid": f"openid-{name}",
        "img_url": "https://cordon.example/parcel.png",
        "wxa_path": "/pages/parcel",
    }


class WeChat:
    """One company behind the gateway."""

    proves = True
    retries: Sequence[timedelta] = (timedelta(seconds=5),) * 2

    def __init__(self, account: Mapping[str, str]) -> None:
        self.account = dict(account)
        self._tokens: dict[str, datetime] = {}
        self._logins = 0

    def expire_tokens(self) -> None:
        """Every access token given out so far is refused from now on."""
        self._tokens.clear()

    def delivery_id(self, reference: str) -> str:
        return str(10**14 + int(hashlib.sha256(reference.encode()).hexdigest()[:10], 16))

    # --- reading ---

    def read(self, call: Call) -> Ask | Answer:
        asked = _json(call.body)
        if call.method != "POST":
            return _says({"errcode": 43002, "errmsg": "require POST method"})
        if not isinstance(asked, dict):
            return _says({"errcode": 47001, "errmsg": "data format error"})
        if call.path == "/cgi-bin/stable_token":
            return self._login(asked, call.at)
        verb = _VERBS.get(call.path.removeprefix(_ORDERS)) if call.path.startswith(_ORDERS) else None
        if verb is None:
            return _says({"errcode": 404, "errmsg": "no such address"})
        refusal = self._unproven(call, asked)
        if refusal is not None:
            return _says(refusal)
        waybill = asked.get("waybill_id")
        if verb == "cancel" and self.account["delivery_id"] == "SFTC" and not waybill:
            return _says({"resultcode": 1202, "resultmsg": "请求参数错误(order_id)", "deduct_fee": 0})
        if verb in ("quote", "book") and not _is_whole(asked):
            return _says({"errcode": 930561, "errmsg": "args error"})
        return Ask(
            verb=verb,
            reference=asked["shop_order_id"],
            delivery_id=waybill if verb == "cancel" else None,
            wish=_wish(asked["order_info"]) if verb == "book" else Wish(),
            reason=str(asked.get("cancel_reason", "")),
            order=asked,
        )

    def _unproven(self, call: Call, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        until = self._tokens.get(call.query.get("access_token", ""))
        if until is None:
            return {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"}
        if until <= call.at:
            return {"errcode": 42001, "errmsg": "access_token expired"}
        reference = asked.get("shop_order_id")
        if not isinstance(reference, str) or not reference:
            return {"errcode": 930561, "errmsg": "args error"}
        if asked.get("shopid") != self.account["shopid"]:
            return {"errcode": 930560, "errmsg": "shopid not bound"}
        proof = f"{self.account['shopid']}{reference}{self.account['app_secret']}"
        if asked.get("delivery_sign") != hashlib.sha1(proof.encode(), usedforsecurity=False).hexdigest():
            return {"resultcode": -99, "resultmsg": "微信接口验证签名失败"}
        return None

    def _login(self, asked: Mapping[str, Any], now: datetime) -> Answer:
        if asked.get("grant_type") != "client_credential" or asked.get("appid") != self.account["appid"]:
            return _says({"errcode": 40013, "errmsg": "invalid appid"})
        if asked.get("secret") != self.account["secret"]:
            return _says({"errcode": 40125, "errmsg": "invalid appsecret"})
        for token, until in self._tokens.items():
            left = int((until - now).total_seconds())
            if left > 300:
                return _says({"access_token": token, "expires_in": left})
        self._logins += 1
        token = hashlib.sha256(f"{now.isoformat()}/{self._logins}".encode()).hexdigest()
        self._tokens[token] = now + timedelta(seconds=7200)
        return _says({"access_token": token, "expires_in": 7200})

    # --- answering ---

    def quoted(self, ask: Ask, fee: int) -> Answer:
        token = hashlib.sha256(f"quote/{ask.reference}".encode()).hexdigest()[:32]
        return _says({**_DONE, **_price(fee), "dispatch_duration": 120, "delivery_token": token})

    def booked(self, ask: Ask, job: CourierJob) -> Answer:
        codes = random.Random(ask.reference)  # nosec B311 - codes of a game
        info = ask.order["order_info"]
        return _says(
            {
                **_DONE,
                **_price(job.fee),
                "waybill_id": job.delivery_id,
                "order_status": 101,
                "pickup_code": codes.randint(1000, 9999) if info.get("is_pickup_code_needed") else 0,
                "finish_code": codes.randint(1000, 9999) if info.get("is_finish_code_needed") else 0,
                "dispatch_duration": 120,
            }
        )

    def exists(self, ask: Ask, job: CourierJob) -> Answer:
        return _says({"errcode": 930562, "errmsg": "order already exists"})

    def refused(self, ask: Ask, reason: str) -> Answer:
        code, words = _REFUSALS[reason]
        return _says({"resultcode": code, "resultmsg": words, "waybill_id": "", "fee": 0, "order_status": 0})

    def cancelled(self, ask: Ask, job: CourierJob, fee: int) -> Answer:
        # free words, and all that is said of the gift: that it comes back is told by status 303
        words = "已扣除违约金" if job.has_custody else ""
        return _says({**_DONE, "deduct_fee": fee / 100, "desc": words})

    def kept(self, ask: Ask, job: CourierJob) -> Answer:
        return _says({"resultcode": 1306, "resultmsg": "骑手已取货。不可取消", "deduct_fee": 0, "desc": ""})

    def over(self, ask: Ask, job: CourierJob) -> Answer:
        return _says({"errcode": 930565, "errmsg": "order already finished"})

    def unknown(self, ask: Ask) -> Answer:
        return _says({"errcode": 930563, "errmsg": "order not exists"})

    def found(self, ask: Ask, job: CourierJob) -> Answer:
        has_rider = job.stage is not Stage.ACCEPTED
        return _says(
            {
                **_DONE,
                "order_status": _status(job.steps[-1]),
                "waybill_id": job.delivery_id,
                "rider_name": _RIDER["name"] if has_rider else "",
                "rider_phone": _RIDER["phone"] if has_rider else "",
            }
        )

    # --- telling ---

    def news(self, job: CourierJob, step: Step) -> Sequence[News]:
        status = _status(step)
        told: dict[str, Any] = {
            "ToUserName": "gh_courier",
            "FromUserName": "oWeChatTeam",
            "CreateTime": int(step.at.timestamp()),
            "MsgType": "event",
            "Event": "update_waybill_status",
            "shopid": self.account["shopid"],
            "shop_order_id": job.reference,
            "waybill_id": job.delivery_id,
            "action_time": int(step.at.timestamp()),
            "order_status": status,
            "action_msg": "",
            "shop_no": self.account["shop_no"],
        }
        if status > 101:
            told["agent"] = dict(_RIDER)
        return (News(str(status), told),)

    def sealed(self, news: News, at: datetime, number: int, forged: bool) -> Letter:
        account = {**self.account, "token": "not-the-token"} if forged else self.account  # nosec B105 - wrong on purpose
        query, body = sealed(account, news.content, at, nonce=f"{number}")
        return Letter("POST", query, {"content-type": "application/json"}, body)


voice = WeChat
_DONE: Mapping[str, Any] = {"resultcode": 0, "resultmsg": "ok"}


def _says(told: Mapping[str, Any]) -> Answer:
    """Every answer is a 200: what went wrong is inside."""
    body = json.dumps(told, ensure_ascii=False).encode()
    return Answer(200, body, {"content-type": "application/json; charset=utf-8"})


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_whole(asked: Mapping[str, Any]) -> bool:
    """True for a job with all its parts and a value that the gateway counts."""
    if not all(isinstance(asked.get(part), dict) for part in ("sender", "receiver", "cargo", "order_info")):
        return False
    value = asked["cargo"].get("goods_value")
    return isinstance(value, int | float) and 0 < value <= 5000


def _wish(info: Mapping[str, Any]) -> Wish:
    name = next((name for name in _TIMES if info.get(name)), "expected_finish_time")
    at = datetime.fromtimestamp(info[name], UTC) if info.get("order_type") else None
    return Wish(at, _TIMES[name])


def _status(step: Step) -> int:
    return _STATUSES[step.stage, step.reason]


def _price(fen: int) -> dict[str, Any]:
    yuan = fen / 100
    return {"fee": yuan, "deliverfee": yuan, "couponfee": 0, "tips": 0, "insurancfee": 0, "distance": 4200}


def sealed(
    account: Mapping[str, str], content: Mapping[str, Any], at: datetime, nonce: str
) -> tuple[dict[str, str], bytes]:
    """(query, body) of a message push in secure mode."""
    key = base64.b64decode(account["encoding_aes_key"] + "=")
    text = json.dumps(content, ensure_ascii=False).encode()
    filler = hashlib.md5(f"{nonce}/{at.isoformat()}".encode(), usedforsecurity=False).digest()
    plain = filler + struct.pack(">I", len(text)) + text + account["appid"].encode()
    rest = 32 - len(plain) % 32
    cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    encrypt = base64.b64encode(cipher.update(plain + bytes([rest] * rest)) + cipher.finalize()).decode()
    stamp = str(int(at.timestamp()))
    query = {
        "signature": _sha1(account["token"], stamp, nonce),
        "timestamp": stamp,
        "nonce": nonce,
        "encrypt_type": "aes",
        "msg_signature": _sha1(account["token"], stamp, nonce, encrypt),
    }
    return query, json.dumps({"ToUserName": content["ToUserName"], "Encrypt": encrypt}).encode()


def _sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()
