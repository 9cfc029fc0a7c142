"""Authentic callbacks of WeChat Immediate Delivery, sealed by the simulated company's own code."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from chalicelib.domain.dialect import Account, Callback, Reply
from sandbox.voices.wechat import sealed

ACCOUNT: Account = {
    "appid": "wx5823bf96d3bd56c7",
    "secret": "the-app-secret",
    "shopid": "122222222",
    "app_secret": "the-shop-secret",
    "shop_no": "12345678",
    "delivery_id": "SFTC",
    "token": "QDG6eK",
    "encoding_aes_key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    "openid": "oABC123456",
}
ROTATED: Account = {
    **ACCOUNT,
    "token": "NewTok",
    "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
}
HEARING_SECRETS = ("token", "encoding_aes_key", "appid")
PROOF_QUERY = ("msg_signature", "timestamp", "nonce")
PROOF_HEADERS: tuple[str, ...] = ()
STATUSES = tuple(
    str(code) for code in (101, 102, 103, 201, 202, 203, 204, 205, 301, 302, 303, 304, 305, 401, 501, 502)
)
UNKNOWN_STATUS = "999"
EXISTS_ALREADY = (
    Reply(200, {}, b'{"errcode":930562,"errmsg":"order already exists"}'),
    Reply(200, {}, '{"resultcode":1202,"resultmsg":"不要在2s内重复提交数据!","waybill_id":""}'.encode()),
)
QUOTED: Reply | None = Reply(
    200, {}, b'{"resultcode":0,"resultmsg":"ok","fee":18.5,"dispatch_duration":120,"delivery_token":"T1"}'
)
BOOKED = (
    Reply(200, {}, b'{"resultcode":0,"fee":12,"waybill_id":"SF1","finish_code":"1024","pickup_code":"2048"}'),
    Reply(200, {}, b'{"errcode":0,"resultcode":0,"resultmsg":"ok","waybill_id":779}'),
)
REFUSED = (
    Reply(200, {}, '{"resultcode":2,"resultmsg":"收件地址超出配送范围"}'.encode()),
    Reply(200, {}, b'{"errcode":930564,"errmsg":"no quota"}'),
)
CANCELLED = (Reply(200, {}, b'{"resultcode":0,"resultmsg":"ok","deduct_fee":5,"desc":""}'),)
FOUND = tuple(
    Reply(200, {}, b'{"resultcode":0,"waybill_id":"SF1","order_status":%d,"rider_name":"x"}' % status)
    for status in (101, 202, 302, 401)
)
NOT_FOUND = (Reply(200, {}, b'{"errcode":930563,"errmsg":"order not exist"}'),)
REPLAY_WINDOW: timedelta | None = timedelta(seconds=300)
PERSONAL = ("王师傅", "13900000000")


def content(
    reference: str,
    delivery_id: str,
    status: str,
    occurred_at: datetime,
    account: Account = ACCOUNT,
    **changes: Any,
) -> dict[str, object]:
    """The message before it is sealed; the layout of the recorded ones in ../shared."""
    return {
        "ToUserName": "gh_97417a04a28d",
        "FromUserName": "oWeChatTeam",
        "CreateTime": int(occurred_at.timestamp()),
        "MsgType": "event",
        "Event": "update_waybill_status",
        "shopid": account["shopid"],
        "shop_order_id": reference,
        "waybill_id": delivery_id,
        "action_time": int(occurred_at.timestamp()),
        "order_status": int(status),
        "action_msg": "",
        "shop_no": account["shop_no"],
        "agent": {"name": PERSONAL[0], "phone": PERSONAL[1]},
        **changes,
    }


def told(
    account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime, sent_at: datetime
) -> Callback:
    """One status, as this courier tells it."""
    return wrapped(account, content(reference, delivery_id, status, occurred_at, account), sent_at)


def said(account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime) -> bytes:
    """The message alone, as it is before it is sealed."""
    message = content(reference, delivery_id, status, occurred_at, account)
    return json.dumps(message, ensure_ascii=False).encode()


def recorded(folder: Path) -> Mapping[str, tuple[Account, Callback, datetime]]:
    """The recorded messages are what was inside; the envelope, with its proof, is ours."""
    found: dict[str, tuple[Account, Callback, datetime]] = {}
    for path in sorted((folder / "wechat_immediate_delivery").glob("update_waybill_status_*.json")):
        message = json.loads(path.read_bytes().decode("utf-8-sig"))
        account = {**ACCOUNT, "shopid": message["shopid"]}
        came_at = datetime.fromtimestamp(message["CreateTime"], UTC)
        found[path.name] = account, wrapped(account, message, came_at), came_at
    return found


def wrapped(account: Account, message: Mapping[str, object], sent_at: datetime) -> Callback:
    query, body = sealed(account, message, sent_at, nonce="1372623149")
    return Callback("POST", query, {"content-type": "application/json"}, body)


def enveloped(account: Account, inside: bytes, sent_at: datetime, padding: bytes | None = None) -> Callback:
    """Any bytes, sealed and signed as the courier would; `padding`: the wrong one on purpose."""
    key = base64.b64decode(account["encoding_aes_key"] + "=")
    plain = b"0123456789abcdef" + struct.pack(">I", len(inside)) + inside + account["appid"].encode()
    if padding is None:
        rest = 32 - len(plain) % 32
        padding = bytes([rest] * rest)
    else:
        rest = -(len(plain) + len(padding)) % 16
        plain = plain[:20] + b" " * rest + plain[20:]
        plain = plain[:16] + struct.pack(">I", len(inside) + rest) + plain[20:]
    cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    encrypt = base64.b64encode(cipher.update(plain + padding) + cipher.finalize()).decode()
    stamp, nonce = str(int(sent_at.timestamp())), "77"
    joined = "".join(sorted([account["token"], stamp, nonce, encrypt]))
    query = {
        "timestamp": stamp,
        "nonce": nonce,
        "msg_signature": hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest(),
    }
    body = json.dumps({"ToUserName": "gh_97417a04a28d", "Encrypt": encrypt}).encode()
    return Callback("POST", query, {}, body)
