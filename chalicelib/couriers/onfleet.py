"""Onfleet: software that a local fleet plans its own drivers with. We hand in tasks; its dispatchers give them out.

**One drop-off task a job.** A task that depends on another has to name it by its id, so a pick-up and a drop-off
cannot be asked for in one request, and an attempt of ours is one request. The pick-up therefore stands in the
task's notes, and one thing has to be agreed with the fleet: *a driver starts the task when they have the gift in
hand*, which the notes say too. So a started task has the gift, and one that was not started never had it.

There is no idempotency key: a repeated request is a second task. Our reference lies in the task's metadata and is
how a job is looked up. It stands in the notes as well, because a clone loses the metadata unless asked to keep it,
and a clone is how a dispatcher tries again what failed. No prices, no receipt code; nobody but us writes to the
client (`skipSMSNotifications`).

An account holds:

    api_key         the user name of HTTP Basic; there is no password
    webhook_secret  signs callbacks; hexadecimal digits, as the dashboard shows them
    team            optional: the id of the team that jobs are given to
    auto_assign     optional: `distance` or `load`, has Onfleet choose the driver, within the team where there is one
    executor        optional: the id of the connected organization that carries it out
    base_url        optional, https://onfleet.com/api/v2

Onfleet has a webhook for each trigger. Wanted are, all at the one address: 0 taskStarted, 3 taskCompleted,
4 taskFailed, 6 taskCreated, 8 taskDeleted, 9 taskAssigned and 10 taskUnassigned; what others say is understood, too.

Sources: docs.onfleet.com/reference: create-task, completion-requirements, create-destination, create-recipient,
querying-by-metadata, get-single-task, state, complete-task, delete-list-of-tasks, clone-task, webhooks, secrets,
validation, retry, an-invalid-request; the list of error codes that it links; the public source of Onfleet's own
clients for Node and Python (a deletion is answered with a bare 200; the range of each error code);
`../shared/research/courier-callbacks.md`, its vector and callbacks.

Not verified, for want of an account: which error code answers the deletion of a task that is under way; what a look-up
says of one that was deleted; whether an address without a house number is taken beside a location; whether a
duplicate made in the dashboard keeps the metadata; the layout of the PIN that tasks can ask for since August 2026,
which is why no receipt code is promised.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from pydantic import ConfigDict, Field, RootModel, ValidationError

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
    Reply,
    Request,
    Token,
    Trust,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised
from chalicelib.domain.fleet import Proof
from chalicelib.domain.legs import Event, EventKind, order_of
from chalicelib.domain.places import Address, Datum, Place
from chalicelib.domain.policies import TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import Foreign, without_bom, zone_info

GATEWAY = "https://onfleet.com/api/v2"
REFERENCE = "cordon_reference"
"""The name of the metadata entry that holds our reference."""

TRIGGERS: Mapping[str, EventKind | None] = {
    "taskStarted": EventKind.IN_TRANSIT,
    "taskEta": None,
    "taskArrival": None,
    "taskCompleted": EventKind.DELIVERED,
    "taskFailed": EventKind.FAILED,
    "taskCreated": None,
    "taskUpdated": None,
    "taskDeleted": EventKind.CANCELLED,
    "taskAssigned": None,
    "taskUnassigned": EventKind.ACCEPTED,
    "taskDelayed": None,
    "taskCloned": None,
    "predictedTaskDelay": None,
}
"""Every documented trigger that carries a task. None: the trigger says nothing of the gift, the task's state does.
"Assigned" may be to a team, which is nobody yet. An unassigned task has lost its driver and no more: the job is still
theirs. A failed one was started, for only a started task can be completed either way."""
_NUMBERED = {
    0: "taskStarted", 1: "taskEta", 2: "taskArrival", 3: "taskCompleted", 4: "taskFailed", 6: "taskCreated",
    7: "taskUpdated", 8: "taskDeleted", 9: "taskAssigned", 10: "taskUnassigned", 12: "taskDelayed", 13: "taskCloned",
}  # fmt: skip

STATES: Mapping[int, EventKind] = {
    0: EventKind.ACCEPTED,
    1: EventKind.COURIER_ASSIGNED,
    2: EventKind.IN_TRANSIT,
}
"""`state`. 3, completed, is used for failures too: `completionDetails.success` tells them apart."""

_REASONS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"\b(LOCK ?DOWN|QUARANTINED?|SEALED OFF|CORDONED|(RESTRICTED|CLOSED) (AREA|ZONE))\b", "closed_area"),
        (r"\b(ACCESS|ENTRY|ENTER|GATE)\b", "cannot_access_location"),
        (r"\b(REFUSED|REJECTED|DECLINED|CANCELL?ED) BY (CLIENT|CUSTOMER|RECIPIENT)\b", "client_refused"),
        (r"\b(CLIENT|CUSTOMER|RECIPIENT) (REFUSED|REJECTED|DECLINED|CANCELL?ED)\b", "client_refused"),
        (r"\b(LOCATE|ADDRESS|NOT FOUND)\b", "address_not_found"),
        (r"\b(UNAVAILABLE|NOT (AT )?HOME|ABSENT|NO ANSWER|UNREACHABLE|NOBODY)\b", "client_unavailable"),
        (r"\b(ITEM|DAMAGED?)\b", "goods_refused"),
    )
)
"""`failureReason`: each organization keeps its own list of them, so the words are read, first match."""
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,39}")

_HAND_OVER: Mapping[Handover, str] = {
    Handover.DOOR: "Hand to the client at the door.",
    Handover.LOBBY: "Hand to the client in the lobby.",
    Handover.GATE: "Hand over at the compound gate; do not go in.",
    Handover.SHELF: "Leave on the contactless shelf; do not go in.",
    Handover.COLLECTION_POINT: "Hand over at the collection point.",
}
_NOTES_MAX = 10_000
_ADULT = 18


# --- what Onfleet sends -------------------------------------------------------------------------------------


class _Ending(Foreign):
    """`completionDetails`."""

    success: object = None
    time: object = None
    failure_reason: object = Field(alias="failureReason", default=None)


class _Task(Foreign):
    """The parts of a task that we read. The client's and the driver's names are in it and are left where they are."""

    id: str = Field(pattern=r"^[\x21-\x7e]{1,64}$")
    state: object = None
    metadata: object = None
    notes: object = None
    source: object = Field(alias="sourceTaskId", default=None)
    modified: object = Field(alias="timeLastModified", default=None)
    ending: _Ending | None = Field(alias="completionDetails", default=None)


class _Data(Foreign):
    task: _Task | None = None


class _Said(Foreign):
    """The body of a callback."""

    time: object = None
    trigger_id: object = Field(alias="triggerId", default=None)
    trigger_name: object = Field(alias="triggerName", default=None)
    data: _Data | None = None


class _Known(RootModel[tuple[_Task, ...] | _Task]):
    """The answer to a look-up: the task, or all that bear the metadata."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class _Fault(Foreign):
    error: int | None = None
    cause: object = None


class _Refusal(Foreign):
    """The body of every answer that is no."""

    code: str = Field(min_length=1)
    message: _Fault | str


# --- what a refusal comes to --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _No:
    """A refusal of a booking. Not `certain`: it does not say that there is no job."""

    reason: str
    whole: bool = True
    certain: bool = True


_FAULTS: Mapping[int, _No] = {
    1000: _No("bad_arguments"),
    1001: _No("bad_arguments"),
    1004: _No("exists_already", certain=False),
    1005: _No("bad_arguments"),
    1009: _No("times_refused", whole=False),
    1010: _No("bad_phone"),
    1011: _No("address_not_found"),
}
"""`message.error`, by the list of error codes. Only another time may fare better with the same fleet."""
_MISSING = frozenset({1003, 1402})
_STATUSES: Mapping[int, _No] = {
    400: _No("bad_arguments"),
    401: _No("account_refused"),
    402: _No("account_unpaid"),
    403: _No("account_refused"),
    404: _No("bad_arguments"),
    412: _No("bad_arguments"),
    422: _No("bad_arguments"),
}
_GEOCODING = re.compile(r"geocod", re.IGNORECASE)


def _refusal(reply: Reply) -> _Fault | Unsure:
    """What is wrong, in an answer that is certainly Onfleet's own and about this request."""
    if reply.status not in _STATUSES:
        return Unsure(f"http_{reply.status}")
    try:
        read = _Refusal.model_validate_json(without_bom(reply.body))
    except ValidationError:
        return Unsure("unreadable")
    return _Fault() if isinstance(read.message, str) else read.message


class Onfleet:
    """The language of Onfleet's API, version 2."""

    name = "onfleet"
    trust: Trust = "signed"
    proofs = frozenset({Proof.SIGNATURE, Proof.PHOTO, Proof.IDENTITY})
    settle = timedelta(minutes=5)
    """Onfleet works on a request for up to 70 seconds, and how soon metadata can be searched it does not say."""
    cancels_by_id = True

    # --- asking ---

    def login(self, account: Account) -> Request | None:
        """None: every request carries the key."""
        return None

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        raise Unanswered("Onfleet hands out no access tokens")

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request | None:
        """None: what a delivery costs is between us and the fleet, Onfleet knows nothing of it."""
        return None

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        return Unsure("no_prices")

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """One POST /tasks. Not repeatable: whoever is unsure of the answer looks it up first."""
        task: dict[str, object] = {
            "destination": _destination(job.recipient.place),
            "recipients": [
                {
                    "name": job.recipient.name,
                    "phone": job.recipient.phone,
                    "skipSMSNotifications": True,
                    # it is E.164 already; numbers that a list of country rules does not know yet are refused
                    "skipPhoneNumberValidation": True,
                }
            ],
            # a phone that Onfleet has seen before keeps its old name and wish; for this task ours hold
            "recipientName": job.recipient.name,
            "recipientSkipSMSNotifications": True,
            "completeAfter": _milliseconds(job.deliver_from, up=True),
            "completeBefore": _milliseconds(job.deliver_by),
            "pickupTask": False,
            "quantity": sum(item.quantity for item in job.gift.items),
            "notes": _notes(job),
            "metadata": [{**_named(job.reference), "visibility": ["api"]}],
        }
        requirements = _requirements(job)
        if requirements:
            task["requirements"] = requirements
        team, mode = account.get("team"), account.get("auto_assign")
        if mode:
            task["autoAssign"] = {"mode": mode, "team": team} if team else {"mode": mode}
        elif team:  # not beside automatic assignment
            task["container"] = {"type": "TEAM", "team": team}
        if account.get("executor"):
            task["executor"] = account["executor"]
        return _request(account, "POST", "tasks", task)

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        """The task, with its id, is a booking."""
        if reply.status == 200:
            try:
                return Booked(_Task.model_validate_json(without_bom(reply.body)).id)
            except ValidationError:
                return Unsure("unreadable")
        fault = _refusal(reply)
        if isinstance(fault, Unsure):
            return fault
        no = _FAULTS.get(fault.error or 0) or _STATUSES[reply.status]
        if fault.error == 1000 and isinstance(fault.cause, str) and _GEOCODING.search(fault.cause):
            no = _FAULTS[1011]
        return NotTaken(no.reason, no.whole) if no.certain else Unsure(no.reason)

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        """One DELETE of the task. Without its id nothing can be deleted: our reference names no task there."""
        return _request(account, "DELETE", f"tasks/{quote(delivery_id or reference, safe='')}")

    def cancelled(self, reply: Reply) -> CancelAnswer:
        """A bare 200 is a deletion, and the gift never left: a task that was started cannot be deleted."""
        if reply.status == 200:
            gone = reply.body in (b"", b"{}")
            return CancelConfirmed(returning=False) if gone else Unsure("unreadable")
        fault = _refusal(reply)
        if isinstance(fault, Unsure):
            return fault
        if reply.status == 404 or fault.error in _MISSING:
            return CancelUnknown()
        if reply.status in (400, 412, 422):  # the deletion of a task that is under way, or over
            return CancelRefused("not_deletable")
        return Unsure(_STATUSES[reply.status].reason)

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        if delivery_id is not None:
            return _request(account, "GET", f"tasks/{quote(delivery_id, safe='')}")
        return _request(account, "POST", "tasks/metadata", [_named(reference)])

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        """The task, or of several under our reference (a job and its clones) the one that has come furthest."""
        if reply.status == 404:
            fault = _refusal(reply)
            return fault if isinstance(fault, Unsure) else NotFound()
        if reply.status != 200:
            fault = _refusal(reply)
            if isinstance(fault, _Fault) and fault.error in _MISSING:
                return NotFound()
            return fault if isinstance(fault, Unsure) else Unsure(_STATUSES[reply.status].reason)
        try:
            known = _Known.model_validate_json(without_bom(reply.body)).root
        except ValidationError:
            return Unsure("unreadable")
        if isinstance(known, _Task):  # found by its id: that somebody took our name off it changes nothing
            ours = [known] if _reference(known) in ("", reference) else []
        elif not known:
            return NotFound()
        else:
            ours = [task for task in known if _reference(task) == reference]
        if not ours:
            return Unsure("another_job")
        task = max(ours, key=_furthest)
        return Found(task.id, _seen(task, reference, courier_id, at))

    # --- hearing ---

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        """HMAC-SHA512 over the raw body. No window: what failed is sent again for a day, and a repeat changes nothing.

        Anything but 200 counts as a failure, and more than 300 of them in a row switch the webhook off.
        """
        if callback.method != "POST":
            raise Unauthorised(f"a callback is sent by 'POST', got {callback.method!r}")
        if not _proven(accounts, callback):
            raise Unauthorised("no account's secret gives this signature")
        try:
            said = _Said.model_validate_json(without_bom(callback.body))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            fields = sorted({".".join(map(str, fault["loc"])) or "JSON" for fault in faults})
            raise Malformed(f"a callback without proper {fields!r}") from None
        task = said.data.task if said.data is not None else None
        if task is None:  # a driver's shift, a text message, a route: nothing of a gift
            return Heard(())
        reference = _reference(task)
        if order_of(reference) is None:
            return Heard((), foreign=(reference or task.id,))
        time = _moment(said.time)
        if time is None:
            raise Malformed("a callback without a proper ['time']")
        event = _told(said, task, reference, courier_id, time, at)
        return Heard((event,) if event is not None else ())

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        """The `check` of the GET with which Onfleet validates the address. It is not signed.

        Refused while we hold no secret: every callback would be, and it is better found out now. What is echoed may
        hold nothing that a browser could take for a page.
        """
        check = callback.query.get("check", "")
        if callback.method != "GET" or not _ECHO.fullmatch(check):
            raise Unauthorised("an address is validated by 'GET' with a plain 'check'")
        if not any(_key(account) for account in accounts):
            raise Unauthorised("no account has the secret that callbacks are signed with")
        return check.encode()


_ECHO = re.compile(r"[\w+/=.~*-]{1,256}", re.ASCII)


# --- requests -----------------------------------------------------------------------------------------------


def _request(account: Account, method: str, path: str, asked: object = None) -> Request:
    base = (account.get("base_url") or GATEWAY).rstrip("/")
    login = base64.b64encode(f"{account['api_key']}:".encode()).decode()
    headers = {"authorization": f"Basic {login}"}
    if asked is None:
        return Request(method, f"{base}/{path}", headers)
    body = json.dumps(asked, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return Request(
        method, f"{base}/{path}", {**headers, "content-type": "application/json; charset=utf-8"}, body
    )


def _named(reference: str) -> dict[str, object]:
    return {"name": REFERENCE, "type": "string", "value": reference}


def _destination(place: Place) -> dict[str, object]:
    """With a location nothing is geocoded. An address in one string cannot be given beside one, so it has parts."""
    lng, lat = place.coordinate.within(Datum.WGS84)
    number, street = _house(place.address.line)
    address = {
        "name": place.address.compound or "",
        "number": number,
        "street": street,
        "apartment": " ".join(_inside(place.address)),
        "city": place.address.city,
        "state": place.address.district,
        "country": place.address.country,
    }
    return {
        "address": {name: value for name, value in address.items() if value},
        "location": [round(lng, 6), round(lat, 6)],
    }


def _inside(address: Address) -> list[str]:
    return [part for part in (address.building, address.unit) if part]


def _house(line: str) -> tuple[str, str]:
    """(number, street) of `2695 East Katella Avenue`, `衡山路100号`, `Hauptstraße 5a`; `-` where there is none."""
    for pattern in _HOUSES:
        found = pattern.fullmatch(line)
        if found is not None:
            return found["number"], found["street"]
    return "-", line


_HOUSES = (
    re.compile(r"(?P<number>\d[\w/-]{0,9}),?\s+(?P<street>\D.+)"),
    re.compile(r"(?P<street>.*[^\d\s/-])\s*(?P<number>\d[\w/-]{0,9})"),
)


def _milliseconds(moment: datetime, *, up: bool = False) -> int:
    """Rounded into the window: it is never made wider."""
    whole, rest = divmod(moment - _EPOCH, timedelta(milliseconds=1))
    return whole + (1 if up and rest else 0)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _requirements(job: Job) -> dict[str, object]:
    """What the driver has to bring back. At a gate or a shelf only what needs nobody: a photo."""
    asked: dict[str, object] = {}
    if Proof.PHOTO in job.proofs:
        asked["photo"] = True
    if job.handover in TO_THE_CLIENT:
        if Proof.SIGNATURE in job.proofs:
            asked["signature"] = True
        if Proof.IDENTITY in job.proofs:  # the identity card is scanned for the age
            asked["minimumAge"] = _ADULT
    return asked


def _notes(job: Job) -> str:
    """Where the gift is, how to hand over, when, and how cold: what the driver reads."""
    zone = zone_info(job.time_zone)
    shop = job.pick_up.address
    where = ", ".join(
        [job.pick_up_name, shop.line, *filter(None, (shop.compound, *_inside(shop))), shop.city]
    )
    contact = job.pick_up_contact
    gate = f" Which: {job.gate}." if job.gate else ""
    lines = [
        f"PICK UP at {where}, not before {job.starts_at.astimezone(zone):%Y-%m-%d %H:%M}.",
        f"Contact there: {contact.name}, {contact.phone}.",
        "START this task when you have the gift in hand, not before.",
        f"{_HAND_OVER[job.handover]}{gate} Between {job.deliver_from.astimezone(zone):%Y-%m-%d %H:%M}"
        f" and {job.deliver_by.astimezone(zone):%H:%M}.",
    ]
    ranges = [item.temperature for item in job.gift.items if item.temperature is not None]
    if ranges:
        low, high = max(r.min_c for r in ranges), min(r.max_c for r in ranges)
        if low <= high:
            lines.append(f"Keep at {low:g} to {high:g} °C.")
    lines += [f"{item.quantity} x {item.name}" for item in job.gift.items]
    reference = f"Reference {job.reference}"
    # a name with a line of its own in it could pass for the reference of another job
    plain = "\n".join(" ".join(line.split()) for line in lines)
    return plain[: _NOTES_MAX - len(reference) - 1] + f"\n{reference}"


# --- tasks as events ----------------------------------------------------------------------------------------


def _reference(task: _Task) -> str:
    """Ours in the metadata; of a clone that lost it, ours in the notes; nothing of anybody else's task."""
    entries = task.metadata if isinstance(task.metadata, list | tuple) else ()
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("name") == REFERENCE:
            value = entry.get("value")
            if isinstance(value, str):
                return value
    if _is_clone(task) and isinstance(task.notes, str):
        written = _WRITTEN.findall(task.notes)
        return written[-1] if written else ""
    return ""


_WRITTEN = re.compile(r"^Reference (ord_[a-z2-7]{26}-[0-9]{1,2}-[0-9]{1,4})$", re.MULTILINE)


def _is_clone(task: _Task) -> bool:
    return bool(task.source)


def _told(
    said: _Said, task: _Task, reference: str, courier_id: str, time: datetime, at: datetime
) -> Event | None:
    """What the trigger says, and where it says nothing of the gift what the task's state says."""
    trigger = _trigger(said)
    kind = EventKind.UNREADABLE
    if trigger in TRIGGERS:
        kind = TRIGGERS[trigger] or _stands(task) or EventKind.UNREADABLE
        if trigger == "taskCompleted" and _success(task) is False:
            kind = EventKind.FAILED
    return _event(task, kind, trigger, reference, courier_id, time, at)


def _seen(task: _Task, reference: str, courier_id: str, at: datetime) -> Event | None:
    """The state of a task that was looked up, dated by its last change; an end is named as its callback is."""
    kind = _stands(task)
    if kind is None:
        return None
    status = _ENDS.get(kind, f"state_{task.state}"[:32])
    time = _moment(task.modified) or at
    return _event(task, kind, status, reference, courier_id, time, at, source="look_up")


_ENDS = {EventKind.DELIVERED: "taskCompleted", EventKind.FAILED: "taskFailed"}


def _event(
    task: _Task,
    kind: EventKind,
    status: str,
    reference: str,
    courier_id: str,
    time: datetime,
    at: datetime,
    source: str = "callback",
) -> Event | None:
    """One event; None for what a clone says before it is started.

    A clone under our reference is the same job tried again. Until it is started it says nothing of the gift, and
    that it was deleted ends nothing. Once it is started the end of the first task was not the end.
    """
    clone = _is_clone(task)
    if clone and kind in (EventKind.ACCEPTED, EventKind.COURIER_ASSIGNED, EventKind.CANCELLED):
        return None
    if kind in _ENDS and task.ending is not None:
        time = _moment(task.ending.time) or time
    name = _ENDS.get(kind, status)  # an end is one event, whoever tells it
    return Event(
        reference=reference,
        courier_id=courier_id,
        kind=kind,
        raw_status=status,
        occurred_at=time,
        received_at=at,
        event_id=f"{task.id}-{name}-{_milliseconds(time)}",
        reason=_reason(task, kind, status),
        correction=clone and kind in (EventKind.IN_TRANSIT, EventKind.DELIVERED),
        source=source,
    )


def _trigger(said: _Said) -> str:
    """The trigger by its name, or by its number where it came without."""
    if isinstance(said.trigger_name, str) and said.trigger_name.strip():
        return re.sub(r"[^\x21-\x7e]", "?", said.trigger_name.strip())[:32]
    number = said.trigger_id if isinstance(said.trigger_id, int) else -1
    return _NUMBERED.get(number, f"trigger_{number}"[:32])


def _stands(task: _Task) -> EventKind | None:
    """Where the task stands by its state; None where it says none."""
    if not isinstance(task.state, int) or isinstance(task.state, bool):
        return None
    if task.state != 3:
        return STATES.get(task.state, EventKind.UNREADABLE)
    success = _success(task)
    if success is None:
        return EventKind.FAILED if _failure(task) else EventKind.UNREADABLE
    return EventKind.DELIVERED if success else EventKind.FAILED


def _success(task: _Task) -> bool | None:
    success = task.ending.success if task.ending is not None else None
    return success if isinstance(success, bool) else None


def _failure(task: _Task) -> str:
    reason = task.ending.failure_reason if task.ending is not None else None
    return reason.strip() if isinstance(reason, str) and reason.strip() != "NONE" else ""


def _reason(task: _Task, kind: EventKind, status: str) -> str:
    if kind is EventKind.CANCELLED:
        return "deleted"
    if kind is EventKind.FAILED:
        said = _failure(task)
        for pattern, reason in _REASONS:
            if pattern.search(re.sub(r"[_\W]+", " ", said.upper())):
                return reason
        return said.lower() if _CODE.fullmatch(said) else "other"
    return "driver_lost" if status == "taskUnassigned" else ""


def _furthest(task: _Task) -> tuple[int, int]:
    kind = _stands(task)
    changed = task.modified if isinstance(task.modified, int) else 0
    return (_STAGES.index(kind) if kind in _STAGES else -1), changed


_STAGES = (
    EventKind.FAILED,
    EventKind.ACCEPTED,
    EventKind.COURIER_ASSIGNED,
    EventKind.IN_TRANSIT,
    EventKind.DELIVERED,
)
"""A failed task comes first: beside it stands the one in which it is tried again."""


def _moment(milliseconds: object) -> datetime | None:
    """Epoch milliseconds of this century; None for what is none."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    if not 946_684_800_000 <= milliseconds <= 4_102_444_800_000:
        return None
    return _EPOCH + timedelta(milliseconds=int(milliseconds))


# --- proof --------------------------------------------------------------------------------------------------


def _key(account: Account) -> bytes:
    """The secret's bytes; none for a secret that is empty or no hexadecimal number.

    An HMAC pads its key with zeros, so a secret of nothing but zeros is an empty one, too.
    """
    secret = account.get("webhook_secret", "").strip()
    return bytes.fromhex(secret).rstrip(b"\0") if _HEX.fullmatch(secret) else b""


_HEX = re.compile(r"([0-9a-fA-F]{2})+")


def _proven(accounts: Sequence[Account], callback: Callback) -> bool:
    given = callback.headers.get("x-onfleet-signature", "").encode("utf-8", "surrogatepass")
    proven = False
    for account in accounts:
        key = _key(account)
        if key:
            expected = hmac.new(key, callback.body, hashlib.sha512).hexdigest()
            proven |= hmac.compare_digest(expected.encode(), given)
    return proven


dialect = Onfleet()
