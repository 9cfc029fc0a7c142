"""Onfleet, spoken by a simulated fleet: the tasks it is handed, and the dispatchers and drivers behind them.

A driver starts a task with the gift in hand, as the notes ask. A task that is not started can be deleted, by us or by
a dispatcher when nothing comes of it; one that was started is completed, and of a gift that comes back that is the
last word. Onfleet itself refuses no job for what it is: a fleet's no is told as the error that is nearest to it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from sandbox.conduct import Wish
from sandbox.ledger import CourierJob, Stage, Step
from sandbox.voice import Answer, Ask, Call, Letter, News

_TRIGGERS: Mapping[Stage, tuple[int, str]] = {
    Stage.ACCEPTED: (6, "taskCreated"),
    Stage.ASSIGNED: (9, "taskAssigned"),
    Stage.PICKED_UP: (0, "taskStarted"),
    Stage.DELIVERED: (3, "taskCompleted"),
    Stage.RETURNING: (4, "taskFailed"),
    Stage.PICK_UP_FAILED: (8, "taskDeleted"),
    Stage.CANCELLED: (8, "taskDeleted"),
}
"""At the shop, on the way and back again nothing changes of a task."""
_STATES: Mapping[Stage, int] = {
    Stage.ACCEPTED: 0,
    Stage.ASSIGNED: 1,
    Stage.PICKED_UP: 2,
    Stage.DELIVERED: 3,
    Stage.RETURNING: 3,
    Stage.PICK_UP_FAILED: 1,
    Stage.CANCELLED: 0,
}
_DELETED = frozenset({Stage.PICK_UP_FAILED, Stage.CANCELLED})
_FAILURES: Mapping[str, str] = {
    "client_unavailable": "RECIPIENT_UNAVAILABLE",
    "client_refused": "REFUSED_BY_RECIPIENT",
    "cannot_access_location": "NO_ACCESS",
    "recalled": "RECALLED",
}
"""This fleet's own list of reasons."""
_REFUSALS: Mapping[str, tuple[int, str, int]] = {
    "no_rider": (400, "InvalidContent", 1009),
    "out_of_area": (400, "InvalidContent", 1011),
    "closed_area": (400, "InvalidContent", 1011),
    "goods_refused": (400, "InvalidContent", 1000),
    "account_unpaid": (403, "Forbidden", 1300),
}
_DRIVER = {"id": "COwfwH~Zogm1LXIZYbPlLAyw", "name": "王师傅", "phone": "+8613900000000", "onDuty": True}


def account(name: str) -> dict[str, str]:
    """An invented account; its secrets follow from its name, for they protect nothing."""
    chance = hashlib.sha256(f"sandbox/onfleet/{name}".encode()).hexdigest()
    return {"api_key": chance[:32], "webhook_secret": chance[::-1]}


class Onfleet:
    """One fleet's organization."""

    proves = True
    retries: Sequence[timedelta] = (timedelta(minutes=30),) * 48

    def __init__(self, account: Mapping[str, str]) -> None:
        self.account = dict(account)
        self._organization = _id(f"organization/{self.account['api_key']}")

    def delivery_id(self, reference: str) -> str:
        return _id(reference)

    # --- reading ---

    def read(self, call: Call) -> Ask | Answer:
        if not self._is_proven(call.headers.get("authorization", "")):
            return _fault(401, "InvalidCredentials", 1102)
        place, _, name = call.path.removeprefix("/").partition("/")
        if place != "tasks":
            return _fault(404, "ResourceNotFound", 1400)
        asked = _json(call.body)
        if (call.method, name) == ("POST", ""):
            return _booking(asked)
        if (call.method, name) == ("POST", "metadata"):
            reference = _reference(asked)
            return Ask("look_up", reference, order="list") if reference else _says([])
        if call.method == "GET" and name:
            return Ask("look_up", delivery_id=unquote(name), order="one")
        if call.method == "DELETE" and name:
            return Ask("cancel", delivery_id=unquote(name))
        return _fault(405, "MethodNotAllowed", 1500)

    def _is_proven(self, authorization: str) -> bool:
        kind, _, login = authorization.partition(" ")
        expected = base64.b64encode(f"{self.account['api_key']}:".encode()).decode()
        return kind == "Basic" and login == expected

    # --- answering ---

    def quoted(self, ask: Ask, fee: int) -> Answer:
        return _fault(404, "ResourceNotFound", 1400)

    def booked(self, ask: Ask, job: CourierJob) -> Answer:
        return _says(self._task(job, job.steps[0]))

    def exists(self, ask: Ask, job: CourierJob) -> Answer:
        """Onfleet would make a second task of it. The ledger has one line a reference: the first stands for both."""
        return self.booked(ask, job)

    def refused(self, ask: Ask, reason: str) -> Answer:
        return _fault(*_REFUSALS[reason])

    def cancelled(self, ask: Ask, job: CourierJob, fee: int) -> Answer:
        """A started task cannot be deleted: that the driver was called back all the same is told by its failure."""
        return self.kept(ask, job) if job.has_custody else Answer(200)

    def kept(self, ask: Ask, job: CourierJob) -> Answer:
        return _fault(400, "InvalidContent", 1000)

    def over(self, ask: Ask, job: CourierJob) -> Answer:
        return self.unknown(ask) if job.stage in _DELETED else self.kept(ask, job)

    def unknown(self, ask: Ask) -> Answer:
        return _says([]) if ask.order == "list" else _fault(404, "ResourceNotFound", 1402)

    def found(self, ask: Ask, job: CourierJob) -> Answer:
        if job.stage in _DELETED:
            return self.unknown(ask)
        last = next(step for step in reversed(job.steps) if step.stage in _STATES)
        task = self._task(job, last)
        return _says([task] if ask.order == "list" else task)

    def _task(self, job: CourierJob, step: Step) -> dict[str, Any]:
        """The task as it is from that step on."""
        state, ended = _STATES[step.stage], step.stage in (Stage.DELIVERED, Stage.RETURNING)
        started = job.picked_up_at
        details: dict[str, Any] = {
            "actions": [],
            "events": [{"name": "start", "time": _milliseconds(started)}] if ended and started else [],
            "failureNotes": "",
            "failureReason": _FAILURES.get(step.reason, "OTHER") if step.stage is Stage.RETURNING else "NONE",
            "time": _milliseconds(step.at) if ended else None,
        }
        if ended:
            details["success"] = step.stage is Stage.DELIVERED
        kept = (
            "completeAfter",
            "completeBefore",
            "destination",
            "metadata",
            "notes",
            "pickupTask",
            "recipients",
        )
        return {
            "id": job.delivery_id,
            "shortId": _id(job.delivery_id)[:8],
            "organization": self._organization,
            "merchant": self._organization,
            "executor": self._organization,
            "timeCreated": _milliseconds(job.booked_at),
            "timeLastModified": _milliseconds(step.at),
            "worker": _DRIVER["id"] if state else None,
            "state": state,
            "dependencies": [],
            "completionDetails": details,
            **{name: job.order[name] for name in kept if name in job.order},
        }

    # --- telling ---

    def news(self, job: CourierJob, step: Step) -> Sequence[News]:
        if step.stage not in _TRIGGERS:
            return ()
        number, trigger = _TRIGGERS[step.stage]
        told = {
            "actionContext": None,
            "adminId": None,
            "data": {"task": self._task(job, step), "worker": _DRIVER if _STATES[step.stage] else None},
            "taskId": job.delivery_id,
            "time": _milliseconds(step.at),
            "triggerId": number,
            "triggerName": trigger,
            "workerId": _DRIVER["id"] if _STATES[step.stage] else None,
        }
        return (News(trigger, told),)

    def sealed(self, news: News, at: datetime, number: int, forged: bool) -> Letter:
        body = json.dumps(news.content, ensure_ascii=False).encode()
        secret = "00ff" if forged else self.account["webhook_secret"]  # nosec B105 - wrong on purpose
        proof = hmac.digest(bytes.fromhex(secret), body, "sha512").hex()
        return Letter(headers={"content-type": "application/json", "X-Onfleet-Signature": proof}, body=body)


voice = Onfleet


def _booking(asked: object) -> Ask | Answer:
    """A task with all that this fleet needs, or what is wrong with it."""
    if not isinstance(asked, dict) or not _is_whole(asked):
        return _fault(400, "InvalidContent", 1000)
    reference = _reference(asked.get("metadata"))
    start, end = asked.get("completeAfter"), asked.get("completeBefore")
    if not reference or not isinstance(start, int) or not isinstance(end, int):
        return _fault(400, "InvalidContent", 1000)
    if not 0 <= start < end < _FOREVER:
        return _fault(400, "InvalidContent", 1009)
    middle = datetime.fromtimestamp((start + end) / 2000, UTC)
    return Ask("book", reference, wish=Wish(middle, "arrival"), order=asked)


_FOREVER = 4_102_444_800_000


def _is_whole(asked: Mapping[str, Any]) -> bool:
    """True where there is a place with a point and no address in one string beside it, and one client to call; and
    where not both the driver is to be chosen and somebody is named."""
    place, people = asked.get("destination"), asked.get("recipients")
    if not isinstance(place, dict) or not isinstance(people, list) or len(people) != 1:
        return False
    point, address, client = place.get("location"), place.get("address"), people[0]
    if not isinstance(address, dict) or not isinstance(client, dict):
        return False
    has_point = isinstance(point, list) and len(point) == 2 and "unparsed" not in address
    has_address = all(address.get(part) for part in ("number", "street", "city", "country"))
    can_be_called = isinstance(client.get("phone"), str) and client["phone"].startswith("+")
    return has_point and has_address and can_be_called and not {"autoAssign", "container"} <= set(asked)


def _reference(entries: object) -> str:
    """The one in the metadata, given with a task or asked for."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (entry.get("name"), entry.get("type")) == (
            "cordon_reference",
            "string",
        ):
            return str(entry.get("value") or "")
    return ""


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _says(told: object) -> Answer:
    body = json.dumps(told, ensure_ascii=False).encode()
    return Answer(200, body, {"content-type": "application/json"})


def _fault(status: int, code: str, error: int) -> Answer:
    message = {"error": error, "message": "Not as it is.", "request": _id(f"{code}/{error}")}
    body = json.dumps({"code": code, "message": message}).encode()
    return Answer(status, body, {"content-type": "application/json"})


def _id(of: str) -> str:
    """A name as Onfleet makes them: 24 characters, among them some that an address has to escape."""
    chance = base64.b64encode(hashlib.sha256(of.encode()).digest()).decode()
    return chance[:24].replace("+", "~").replace("/", "*")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
