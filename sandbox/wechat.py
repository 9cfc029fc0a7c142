"""A courier company that speaks WeChat Immediate Delivery over real HTTP, driven by a clock of ours.

It plays both the gateway and the company behind it: hands out access tokens, checks every `delivery_sign`,
takes and cancels jobs, and tells what happens by encrypted, signed callbacks. It signs with code of its own:
shared with the adapter, a common mistake would prove itself right. What it does to each job is in `Conduct`,
drawn from a seed by the job's reference, so that neither threads nor the order of requests change a scenario.
What really happened is in its ledger (`jobs`), which the invariants are checked against.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol, Self, get_args
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class Clock(Protocol):
    """Time as the sandbox runs it; `sandbox.clock` has a virtual and a real one."""

    def now(self) -> datetime: ...

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Run the action when the clock shows `when`: after this call has returned, never inside it."""


Post = Callable[[str, Mapping[str, str], bytes], int | None]
"""Sends a callback (address, query, body); the HTTP status, or None when nobody answered."""


TimeField = Literal["expected_finish_time", "expected_pick_time", "expected_delivery_time"]
"""Which time a job asked for: to have arrived (SF Tongcheng, Meituan), the pick-up (Shansong), or when to start
looking for a courier (Dada)."""
Delivered = Literal["door", "gate", "none"]
"""How it went at the destination: to the client, to the compound, or nobody took it."""
Spoiled = Literal["lost", "doubled", "reordered", "forged"]

REFUSALS: Mapping[str, tuple[int, str]] = {
    "no_rider": (1301, "附近运力不足。暂时无骑手接单"),
    "out_of_area": (1302, "收件地址超出配送范围"),
    "closed_area": (1303, "收件小区封控。暂停配送"),
    "goods_refused": (1304, "物品类型不支持"),
    "account_unpaid": (1305, "账户余额不足"),
}
"""Why it says no: our slug, and its number and words. The numbers are its own, as with every real company."""


@dataclass(frozen=True)
class Fate:
    """What becomes of one booking and of the tries to cancel it."""

    book: Literal["accept", "refuse", "stall", "stall_lost"] = "accept"
    """`stall`: the job is made and no answer comes; `stall_lost`: no answer and no job."""
    refusal: str = "no_rider"
    cancel_stalls: int = 0
    """So many cancellations in a row get no answer; every second of them takes effect all the same."""
    failure: int | None = None
    """The status with which the pick-up fails (203, 204, 205, 501, 502), if it does."""


@dataclass(frozen=True)
class Timings:
    """When what happens to a job that goes well."""

    assigned: datetime
    at_shop: datetime
    picked_up: datetime
    in_transit: datetime
    arrived: datetime


@dataclass
class Conduct:
    """How the company behaves. Chances are drawn per job, and for callbacks per callback."""

    seed: int = 0
    refuse: float = 0.0
    refusals: tuple[str, ...] = ("no_rider",)
    stall: float = 0.0
    stall_lost: float = 0.0
    fail: float = 0.0
    failures: tuple[int, ...] = (204, 205, 501, 502)
    cancel_stall: float = 0.0
    cancel_after_pick_up: Literal["returns", "refused"] = "returns"
    lose: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    forge: float = 0.0
    stall_seconds: float = 0.0
    """Real seconds for which a stalled request is held before the line is cut; 0 cuts it at once."""

    assign_after: timedelta = timedelta(minutes=2)
    shop_wait: timedelta = timedelta(minutes=5)
    ride: timedelta = timedelta(minutes=30)
    late: timedelta = timedelta(0)
    """Arrival counted from the time the job asked for."""
    immediate: timedelta = timedelta(minutes=60)
    """Arrival counted from the booking when the job asked for no time."""
    return_after: timedelta = timedelta(minutes=40)
    reorder_by: timedelta = timedelta(minutes=20)
    at_gate: Callable[[CourierJob], Delivered] = lambda job: "door"
    """Asked on arrival: a scenario seals a compound here."""
    fates: dict[str, Fate] = field(default_factory=dict)
    """Fates by reference that are not left to chance."""

    def fate_of(self, reference: str) -> Fate:
        """What becomes of this booking."""
        told = self.fates.get(reference)
        if told is not None:
            return told
        dice = random.Random(f"{self.seed}/{reference}")  # nosec B311 - dice of a game
        draw, refusal = dice.random(), dice.choice(self.refusals)
        failing, failure, stalling = dice.random(), dice.choice(self.failures), dice.random()
        book: Literal["accept", "refuse", "stall", "stall_lost"] = "accept"
        if draw < self.refuse:
            book = "refuse"
        elif draw < self.refuse + self.stall:
            book = "stall"
        elif draw < self.refuse + self.stall + self.stall_lost:
            book = "stall_lost"
        return Fate(
            book=book,
            refusal=refusal,
            cancel_stalls=dice.choice((1, 2)) if stalling < self.cancel_stall else 0,
            failure=failure if failing < self.fail else None,
        )

    def spoils(self, reference: str, status: int) -> frozenset[Spoiled]:
        """What goes wrong with this callback."""
        dice = random.Random(f"{self.seed}/{reference}/{status}")  # nosec B311 - dice of a game
        chances: tuple[tuple[Spoiled, float], ...] = (
            ("lost", self.lose),
            ("doubled", self.double),
            ("reordered", self.reorder),
            ("forged", self.forge),
        )
        return frozenset(name for name, chance in chances if dice.random() < chance)

    def timings(
        self, booked: datetime, asked: datetime | None, field: TimeField = "expected_finish_time"
    ) -> Timings:
        """When it means to do what, for a job that asked for that time."""
        assigned = booked + self.assign_after
        arrived = asked or booked + self.immediate
        if asked is not None and field == "expected_pick_time":
            arrived = asked + self.ride
        elif asked is not None and field == "expected_delivery_time":
            assigned = max(booked, asked) + self.assign_after
            arrived = assigned + self.shop_wait + self.ride
        arrived += self.late
        picked_up = max(assigned + self.shop_wait, arrived - self.ride)
        return Timings(
            assigned=assigned,
            at_shop=max(assigned, picked_up - self.shop_wait),
            picked_up=picked_up,
            in_transit=picked_up + timedelta(minutes=1),
            arrived=max(arrived, picked_up + timedelta(minutes=2)),
        )


@dataclass
class CourierJob:
    """One line of the ledger: a booking as the company holds it."""

    reference: str
    waybill_id: str
    order: Mapping[str, Any]
    """The request as it came."""
    booked_at: datetime
    asked_for: datetime | None
    timings: Timings
    fate: Fate
    status: int = 101
    steps: list[tuple[datetime, int]] = field(default_factory=list)
    picked_up_at: datetime | None = None
    handed_over_at: datetime | None = None
    handed_over: Delivered | None = None
    cancelled_at: datetime | None = None
    returned_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_tries: int = 0
    recalled_at: datetime | None = None
    """When it was first asked to stop because nobody was cleared any more."""

    @property
    def is_live(self) -> bool:
        """True while a courier may still move."""
        return self.ended_at is None

    @property
    def has_custody(self) -> bool:
        """True while the gift is with the courier."""
        return self.picked_up_at is not None and self.ended_at is None

    @property
    def is_delivered(self) -> bool:
        return self.handed_over_at is not None


@dataclass(frozen=True)
class Sent:
    """One callback that went out, or was meant to."""

    at: datetime
    reference: str
    status: int
    how: Literal["true", "lost", "forged"]
    answer: int | None
    """The HTTP status we answered; None: lost, or nobody answered."""


_ENDS = frozenset({103, 203, 204, 205, 302, 401, 501, 502})
_ORDERS = "/cgi-bin/express/local/business/order/"
_TIME_FIELDS: tuple[TimeField, ...] = get_args(TimeField)
_RETRY = timedelta(seconds=5)
_TRIES = 3


class CourierCompany:
    """The company. `with CourierCompany(account, clock) as company:` serves at `company.url`.

    `account` is the same mapping the adapter gets, without `base_url`; `callback_url` may be set later.
    """

    def __init__(
        self,
        account: Mapping[str, str],
        clock: Clock,
        callback_url: str = "",
        conduct: Conduct | None = None,
        port: int = 0,
        post: Post | None = None,
    ) -> None:
        self.account = dict(account)
        self.clock = clock
        self.callback_url = callback_url
        self.conduct = conduct or Conduct()
        self.jobs: dict[str, CourierJob] = {}
        self.sent: list[Sent] = []
        self.asked: list[tuple[str, str]] = []
        """(verb, reference) of every request that was understood."""
        self._tokens: dict[str, datetime] = {}
        self._logins = 0
        self._lock = threading.RLock()
        self._out = _Out()
        self._post = post or self._out.post
        company = self

        class Handler(_Handler):
            courier = company

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """What goes into the account as `base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # --- the ledger ---

    def jobs_of(self, order_id: str) -> list[CourierJob]:
        """Every booking under references of this order, oldest first."""
        with self._lock:
            found = [
                job for ref, job in self.jobs.items() if ref == order_id or ref.startswith(f"{order_id}-")
            ]
        return sorted(found, key=lambda job: job.booked_at)

    def live_jobs(self, order_id: str) -> int:
        return sum(job.is_live for job in self.jobs_of(order_id))

    def delivered_jobs(self, order_id: str) -> int:
        return sum(job.is_delivered for job in self.jobs_of(order_id))

    def most_live_at_once(self, order_id: str) -> int:
        """How many jobs of one order were ever live together: more than one is two couriers for one gift."""
        moments: list[tuple[datetime, int]] = []
        for job in self.jobs_of(order_id):
            moments.append((job.booked_at, 1))
            if job.ended_at is not None:
                moments.append((job.ended_at, -1))
        most = now = 0
        for _, change in sorted(moments):  # an end counts before a start of the same moment
            now += change
            most = max(most, now)
        return most

    def expire_tokens(self) -> None:
        """Every access token given out so far is refused from now on."""
        with self._lock:
            self._tokens.clear()

    # --- what it answers ---

    def answer(self, path: str, query: Mapping[str, str], asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer to one request; None: the line is cut without one."""
        if path == "/cgi-bin/stable_token":
            return self._login(asked)
        if not path.startswith(_ORDERS):
            return {"errcode": 404, "errmsg": "no such address"}
        with self._lock:
            until = self._tokens.get(query.get("access_token", ""))
        if until is None:
            return {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"}
        if until <= self.clock.now():
            return {"errcode": 42001, "errmsg": "access_token expired"}
        verb, reference = path.removeprefix(_ORDERS), asked.get("shop_order_id")
        if not isinstance(reference, str) or not reference:
            return {"errcode": 930561, "errmsg": "args error"}
        if asked.get("shopid") != self.account["shopid"]:
            return {"errcode": 930560, "errmsg": "shopid not bound"}
        proof = f"{self.account['shopid']}{reference}{self.account['app_secret']}"
        if asked.get("delivery_sign") != hashlib.sha1(proof.encode(), usedforsecurity=False).hexdigest():
            return {"resultcode": -99, "resultmsg": "微信接口验证签名失败"}
        with self._lock:
            self.asked.append((verb, reference))
            if verb == "add":
                return self._add(reference, asked)
            if verb == "cancel":
                return self._cancel(reference, asked)
            if verb == "get":
                return self._get(reference)
        return {"errcode": 404, "errmsg": "no such address"}

    def _login(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if asked.get("grant_type") != "client_credential" or asked.get("appid") != self.account["appid"]:
            return {"errcode": 40013, "errmsg": "invalid appid"}
        if asked.get("secret") != self.account["secret"]:
            return {"errcode": 40125, "errmsg": "invalid appsecret"}
        now = self.clock.now()
        with self._lock:
            for token, until in self._tokens.items():
                left = int((until - now).total_seconds())
                if left > 300:
                    return {"access_token": token, "expires_in": left}
            self._logins += 1
            token = hashlib.sha256(f"{now.isoformat()}/{self._logins}".encode()).hexdigest()
            self._tokens[token] = now + timedelta(seconds=7200)
        return {"access_token": token, "expires_in": 7200}

    def _add(self, reference: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        if reference in self.jobs:
            return {"errcode": 930562, "errmsg": "order already exists"}
        if not all(
            isinstance(asked.get(part), dict) for part in ("sender", "receiver", "cargo", "order_info")
        ):
            return {"errcode": 930561, "errmsg": "args error"}
        value = asked["cargo"].get("goods_value")
        if not isinstance(value, int | float) or not 0 < value <= 5000:
            return {"errcode": 930561, "errmsg": "args error"}
        fate = self.conduct.fate_of(reference)
        if fate.book == "refuse":
            code, words = REFUSALS[fate.refusal]
            return {"resultcode": code, "resultmsg": words, "waybill_id": "", "fee": 0, "order_status": 0}
        if fate.book == "stall_lost":
            return None
        job = self._take(reference, asked, fate)
        if fate.book == "stall":
            return None
        codes = random.Random(reference)  # nosec B311 - codes of a game
        info = asked["order_info"]
        return {
            "resultcode": 0,
            "resultmsg": "ok",
            "fee": 18.5,
            "deliverfee": 18.5,
            "couponfee": 0,
            "tips": 0,
            "insurancfee": 0,
            "distance": 4200,
            "waybill_id": job.waybill_id,
            "order_status": 101,
            "pickup_code": codes.randint(1000, 9999) if info.get("is_pickup_code_needed") else 0,
            "finish_code": codes.randint(1000, 9999) if info.get("is_finish_code_needed") else 0,
            "dispatch_duration": 120,
        }

    def _take(self, reference: str, asked: Mapping[str, Any], fate: Fate) -> CourierJob:
        now, info = self.clock.now(), asked["order_info"]
        field = next((name for name in _TIME_FIELDS if info.get(name)), _TIME_FIELDS[0])
        wanted = datetime.fromtimestamp(info[field], UTC) if info.get("order_type") else None
        waybill = str(10**14 + int(hashlib.sha256(reference.encode()).hexdigest()[:10], 16))
        job = CourierJob(
            reference=reference,
            waybill_id=waybill,
            order=dict(asked),
            booked_at=now,
            asked_for=wanted,
            timings=self.conduct.timings(now, wanted, field),
            fate=fate,
        )
        self.jobs[reference] = job
        job.steps.append((now, 101))
        self.clock.at(job.timings.assigned, lambda: self._assign(job))
        return job

    def _cancel(self, reference: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        job = self.jobs.get(reference)
        if self.account["delivery_id"] == "SFTC" and not asked.get("waybill_id"):
            return {"resultcode": 1202, "resultmsg": "请求参数错误(order_id)", "deduct_fee": 0, "desc": ""}
        if job is None or asked.get("waybill_id", job.waybill_id) != job.waybill_id:
            return {"errcode": 930563, "errmsg": "order not exists"}
        if not job.is_live or job.status in (303, 304, 305):
            return {"errcode": 930565, "errmsg": "order already finished"}
        if asked.get("cancel_reason") == "not_cleared" and job.recalled_at is None:
            job.recalled_at = self.clock.now()
        if job.has_custody and self.conduct.cancel_after_pick_up == "refused":
            return {"resultcode": 1306, "resultmsg": "骑手已取货。不可取消", "deduct_fee": 0, "desc": ""}
        job.cancel_tries += 1
        stalled = job.cancel_tries <= job.fate.cancel_stalls
        if stalled and job.cancel_tries % 2:
            return None
        job.cancelled_at = self.clock.now()
        fee = 0 if job.status == 101 else 2
        desc = ""
        if job.has_custody:
            self._turn_back(job, 303)
            desc = "已扣除违约金"  # free words: that the gift comes back is told by status 303
        else:
            self._step(job, 103)
        if stalled:
            return None
        return {"resultcode": 0, "resultmsg": "ok", "deduct_fee": fee, "desc": desc}

    def _get(self, reference: str) -> dict[str, Any]:
        job = self.jobs.get(reference)
        if job is None:
            return {"errcode": 930563, "errmsg": "order not exists"}
        return {
            "resultcode": 0,
            "resultmsg": "ok",
            "order_status": job.status,
            "waybill_id": job.waybill_id,
            "rider_name": "王师傅" if job.status > 101 else "",
            "rider_phone": "13900000000" if job.status > 101 else "",
        }

    # --- what it does ---

    def _assign(self, job: CourierJob) -> None:
        with self._lock:
            if job.status != 101:
                return
            if job.fate.failure in (501, 502):
                self._step(job, job.fate.failure)
                return
            self._step(job, 102)
            self.clock.at(job.timings.at_shop, lambda: self._reach_shop(job))

    def _reach_shop(self, job: CourierJob) -> None:
        with self._lock:
            if job.status != 102:
                return
            self._step(job, 201)
            self.clock.at(job.timings.picked_up, lambda: self._pick_up(job))

    def _pick_up(self, job: CourierJob) -> None:
        with self._lock:
            if job.status != 201:
                return
            if job.fate.failure is not None:
                self._step(job, job.fate.failure)
                return
            job.picked_up_at = self.clock.now()
            self._step(job, 202)
            self.clock.at(job.timings.in_transit, lambda: self._set_out(job))

    def _set_out(self, job: CourierJob) -> None:
        with self._lock:
            if job.status != 202:
                return
            self._step(job, 301)
            self.clock.at(job.timings.arrived, lambda: self._arrive(job))

    def _arrive(self, job: CourierJob) -> None:
        with self._lock:
            if job.status != 301:
                return
            went = self.conduct.at_gate(job)
            if went == "none":
                self._turn_back(job, 304)
                return
            job.handed_over, job.handed_over_at = went, self.clock.now()
            self._step(job, 302)

    def _turn_back(self, job: CourierJob, status: int) -> None:
        self._step(job, status)
        self.clock.at(self.clock.now() + self.conduct.return_after, lambda: self._bring_back(job))

    def _bring_back(self, job: CourierJob) -> None:
        with self._lock:
            if job.is_live:
                job.returned_at = self.clock.now()
                self._step(job, 401)

    def _step(self, job: CourierJob, status: int) -> None:
        now = self.clock.now()
        job.status = status
        job.steps.append((now, status))
        if status in _ENDS:
            job.ended_at = now
        spoils = self.conduct.spoils(job.reference, status)
        content = self._content(job, status, now)
        if "forged" in spoils:
            lie = self._content(job, 302, now)
            self.clock.at(now, lambda: self._call(job.reference, 302, lie, forged=True))
        if "lost" in spoils:
            self.sent.append(Sent(now, job.reference, status, "lost", None))
            return
        when = now + self.conduct.reorder_by if "reordered" in spoils else now
        for _ in range(2 if "doubled" in spoils else 1):
            self.clock.at(when, lambda: self._call(job.reference, status, content))

    # --- what it says ---

    def _content(self, job: CourierJob, status: int, at: datetime) -> dict[str, Any]:
        told: dict[str, Any] = {
            "ToUserName": "gh_courier",
            "FromUserName": "oWeChatTeam",
            "CreateTime": int(at.timestamp()),
            "MsgType": "event",
            "Event": "update_waybill_status",
            "shopid": self.account["shopid"],
            "shop_order_id": job.reference,
            "waybill_id": job.waybill_id,
            "action_time": int(at.timestamp()),
            "order_status": status,
            "action_msg": "",
            "shop_no": self.account["shop_no"],
        }
        if status > 101:
            told["agent"] = {"name": "王师傅", "phone": "13900000000"}
        return told

    def _call(
        self,
        reference: str,
        status: int,
        content: Mapping[str, Any],
        forged: bool = False,
        tries: int = _TRIES,
    ) -> None:
        if not self.callback_url:
            return
        now = self.clock.now()
        account = {**self.account, "token": "not-the-token"} if forged else self.account  # nosec B105 - wrong on purpose
        query, body = sealed(account, content, now, nonce=f"{len(self.sent)}")
        answer = self._post(self.callback_url, query, body)
        self.sent.append(Sent(now, reference, status, "forged" if forged else "true", answer))
        refused = answer is None or not 200 <= answer < 300
        if refused and not forged and tries > 1:  # WeChat tries three times, five seconds apart
            self.clock.at(now + _RETRY, lambda: self._call(reference, status, content, tries=tries - 1))


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


class _Out:
    """One kept connection to the place that hears us."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: http.client.HTTPConnection | None = None
        self._place = ""

    def post(self, url: str, query: Mapping[str, str], body: bytes) -> int | None:
        """The HTTP status, or None when nobody answered."""
        parts = urlsplit(url)
        target = (parts.path or "/") + "?" + "&".join(filter(None, (parts.query, urlencode(query))))
        with self._lock:
            for fresh in (False, True):  # a kept connection may have been closed at the other end meanwhile
                try:
                    line = None if fresh or self._place != parts.netloc else self._line
                    line = line or self._open(parts.netloc)
                    line.request("POST", target, body, {"content-type": "application/json"})
                    answer = line.getresponse()
                    answer.read()
                    return answer.status
                except (OSError, http.client.HTTPException):
                    self.close()
        return None

    def _open(self, place: str) -> http.client.HTTPConnection:
        self.close()
        line = http.client.HTTPConnection(place, timeout=5)
        line.connect()
        line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line, self._place = line, place
        return line

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        line, address = super().get_request()
        self._open.add(line)
        return line, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Kept connections too: thousands of scenarios run in one process."""
        super().server_close()
        for line in list(self._open):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    courier: CourierCompany

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            asked = json.loads(raw)
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            self._say({"errcode": 47001, "errmsg": "data format error"})
            return
        told = self.courier.answer(parts.path, query, asked)
        if told is None:
            time.sleep(self.courier.conduct.stall_seconds)
            self.close_connection = True
            return
        self._say(told)

    def _say(self, told: Mapping[str, Any]) -> None:
        body = json.dumps(told, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the ledger says what happened."""
