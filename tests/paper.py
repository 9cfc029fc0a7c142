"""A courier on paper: a dialect of plain JSON and the company behind it, both in memory.

The dialect exists to test flows without a real courier's cryptography; the real ones have their own tests.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Booked,
    Callback,
    CancelAnswer,
    CancelConfirmed,
    CancelRefused,
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
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Unreached
from chalicelib.domain.fleet import Proof
from chalicelib.domain.legs import Event, EventKind, Proven, order_of
from chalicelib.domain.shapes import Money

ACCOUNT: Account = {"secret": "paper-secret"}


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class PaperDialect:
    """`domain.dialect.Dialect` in plain JSON, signed with HMAC-SHA256."""

    name = "paper"
    trust: Trust = "signed"
    proofs = frozenset({Proof.RECEIPT_CODE, Proof.PICKUP_CODE, Proof.IDENTITY, Proof.PHOTO})
    settle = timedelta(minutes=2)
    cancels_by_id = False
    takes_visits = True
    wants_token = False
    names_prices = False

    def login(self, account: Account) -> Request | None:
        return Request("POST", "https://paper.example/login", {}, b"{}") if self.wants_token else None

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        return Token(json.loads(reply.body)["token"], at + timedelta(hours=2))

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request | None:
        return _request("quote", job.reference, token) if self.names_prices else None

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        if reply.status == 401:
            return TokenRefused()
        if reply.status != 200:
            return Unsure("busy")
        said = json.loads(reply.body)
        if said["said"] == "no":
            return NotTaken(said["why"], whole_courier=said.get("whole", False))
        return Quoted(Money(amount=said["fee"], currency=job.gift.value.currency), said.get("id"))

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        return _request("book", job.reference, token, job.quote_id)

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        if reply.status == 401:
            return TokenRefused()
        if reply.status == 429 or reply.status >= 500:
            return Unsure("busy")
        said = json.loads(reply.body)
        if said["said"] == "no":
            return NotTaken(said["why"], whole_courier=said.get("whole", False))
        if said["said"] == "double":
            return Unsure("double")
        return Booked(said["id"], codes={"receipt": "4711"})

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        return _request("cancel", reference)

    def cancelled(self, reply: Reply) -> CancelAnswer:
        if reply.status == 429 or reply.status >= 500:
            return Unsure("busy")
        said = json.loads(reply.body)["said"]
        if said == "no":
            return CancelRefused("too_late")
        return CancelConfirmed(returning=said == "returning")

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        return _request("look", reference)

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        if reply.status == 429 or reply.status >= 500:
            return Unsure("busy")
        said = json.loads(reply.body)
        if said["said"] == "none":
            return NotFound()
        event = said.get("event")
        found = None if event is None else _event(event, courier_id, at, "look_up")
        return Found(said["id"], found, said.get("codes", {}))

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        given = callback.headers.get("x-paper-signature", "")
        if not any(
            account["secret"] and hmac.compare_digest(signature(account["secret"], callback.body), given)
            for account in accounts
        ):
            raise Unauthorised("the signature does not fit")
        try:
            said = json.loads(callback.body)
        except ValueError:
            raise Malformed("not JSON") from None
        if order_of(said["reference"]) is None:
            return Heard((), b"ok", foreign=(said["reference"],))
        return Heard((_event(said, courier_id, at, "callback"),), b"ok")

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        raise Unauthorised("paper does not greet")


def _request(verb: str, reference: str, token: str = "", quote_id: str | None = None) -> Request:
    named = {} if quote_id is None else {"quote": quote_id}
    body = json.dumps({"reference": reference, **named}).encode()
    return Request("POST", f"https://paper.example/{verb}", {"x-paper-token": token}, body)


class TokenPaperDialect(PaperDialect):
    """The same, of a courier that wants to be logged in to before it takes a booking."""

    wants_token = True


class NamedPaperDialect(PaperDialect):
    """The same, of a courier that ends only what is named by its own id."""

    cancels_by_id = True


class PricedPaperDialect(PaperDialect):
    """The same, of a courier that names its price when it is asked."""

    names_prices = True


class HintingPaperDialect(PaperDialect):
    """The same, of a courier whose callbacks prove nothing."""

    trust: Trust = "hint"


class SecretPaperDialect(PaperDialect):
    """The same, of a courier that sends a secret with its callbacks in clear."""

    trust: Trust = "shared_secret"


def _event(said: dict[str, str], courier_id: str, at: datetime, source: str) -> Event:
    kind = said["kind"] if said["kind"] in set(EventKind) else "unreadable"
    return Event(
        reference=said["reference"],
        courier_id=courier_id,
        kind=EventKind(kind),
        raw_status=said["kind"],
        occurred_at=datetime.fromisoformat(said["at"]),
        received_at=at,
        event_id=f"{said['reference']}.{said['kind']}.{said['at']}",
        reason=said.get("reason", ""),
        proofs=tuple(
            Proven(kind=Proof(kind), reference=f"{kind}-1") for kind in said.get("proofs", "").split()
        ),
        seal=said.get("seal"),
        said=said.get("said"),
        source=source,
    )


@dataclass
class PaperJob:
    """One job at the company."""

    reference: str
    job_id: str
    state: str = "accepted"
    since: datetime | None = None
    times_booked: int = 1

    @property
    def is_live(self) -> bool:
        return self.state not in ("cancelled", "returned", "pick_up_failed", "failed")

    @property
    def is_open(self) -> bool:
        """True while the company still has to do something for it."""
        return self.is_live and self.state != "delivered"


@dataclass
class PaperCompany:
    """The company: books idempotently by our reference, and does as it is told to misbehave."""

    clock: object
    refuse: dict[str, str] = field(default_factory=dict)
    """Reason by courier action: {"book": "no_riders"}; {"book-1": ...} says it of first attempts alone."""
    silent: set[str] = field(default_factory=set)
    """Verbs that are carried out and never answered."""
    deaf: set[str] = field(default_factory=set)
    """Verbs that are neither carried out nor answered."""
    gone: set[str] = field(default_factory=set)
    """Verbs for which nobody takes the connection."""
    jobs: dict[str, PaperJob] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    fee: int = 0
    """What it wants when it is asked for its price, in minor units."""
    quoted: list[str] = field(default_factory=list)
    """Names of quotes that bookings followed."""
    token: str = ""
    """Who is logged in; "" where nobody has to be."""
    logins: int = 0
    meanwhile: Callable[[str], None] = lambda when: None
    """Told `before cancel` and, when the courier has acted, `before the answer to cancel`; so for each verb."""
    told_later: dict[str, str] = field(default_factory=dict)
    """Codes that it names only when it is looked up."""
    doubled: list[str] = field(default_factory=list)
    """References that were booked while another job of their leg was open: two couriers at one door."""

    def __call__(self, request: Request) -> Reply:
        verb = request.url.rsplit("/", 1)[1]
        if verb in self.gone:
            raise Unreached("no connection")
        if verb == "login":
            self.logins += 1
            self.token = f"token-{self.logins}"
            return Reply(200, {}, json.dumps({"token": self.token}).encode())
        if verb == "book" and self.token != request.headers["x-paper-token"]:
            return Reply(401, {}, b"")
        asked = json.loads(request.body)
        reference = asked["reference"]
        self.quoted += [asked["quote"]] if "quote" in asked else []
        self.calls.append((verb, reference))
        if verb in self.deaf:
            raise Unanswered("deaf")
        self.meanwhile(f"before {verb}")
        said = getattr(self, verb)(reference)
        self.meanwhile(f"before the answer to {verb}")
        if verb in self.silent:
            raise Unanswered("silent")
        return Reply(200, {}, json.dumps(said).encode())

    def book(self, reference: str) -> dict[str, object]:
        leg, _, number = reference.rpartition("-")
        why = self.refuse.get("book") or self.refuse.get(f"book-{number}")
        if why is not None:
            return {"said": "no", "why": why}
        if reference in self.jobs:
            self.jobs[reference].times_booked += 1
            return {"said": "double"}
        if any(job.is_open and job.reference.rpartition("-")[0] == leg for job in self.jobs.values()):
            self.doubled.append(reference)
        self.jobs[reference] = PaperJob(reference, f"P{len(self.jobs) + 1}")
        return {"said": "yes", "id": self.jobs[reference].job_id}

    def quote(self, reference: str) -> dict[str, object]:
        if "quote" in self.refuse:
            return {"said": "no", "why": self.refuse["quote"]}
        return {"said": "yes", "fee": self.fee, "id": f"Q-{reference}"}

    def cancel(self, reference: str) -> dict[str, object]:
        job = self.jobs.get(reference)
        if job is None:
            return {"said": "yes"}
        if "cancel" in self.refuse or job.state == "delivered":
            return {"said": "no"}
        if job.state in ("picked_up", "in_transit", "returning"):
            job.state = "returning"
            return {"said": "returning"}
        job.state = "cancelled"
        return {"said": "yes"}

    def look(self, reference: str) -> dict[str, object]:
        job = self.jobs.get(reference)
        if job is None:
            return {"said": "none"}
        event = None
        if job.since is not None:
            event = {"reference": reference, "kind": job.state, "at": job.since.isoformat()}
        return {"said": "found", "id": job.job_id, "event": event, "codes": self.told_later}

    def move(self, reference: str, kind: str, at: datetime, reason: str = "") -> Callback:
        """The job reaches a state; the callback that says so."""
        self.jobs[reference].state, self.jobs[reference].since = kind, at
        return callback(reference, kind, at, reason=reason)


def callback(
    reference: str,
    kind: str,
    at: datetime,
    *,
    secret: str = "paper-secret",
    reason: str = "",
    **read: str,
) -> Callback:
    """A signed callback; `proofs`: kinds of what was brought back, between spaces; `seal`, `said`: as of an event."""
    told = {"reference": reference, "kind": kind, "at": at.isoformat(), "reason": reason, **read}
    body = json.dumps(told).encode()
    return Callback("POST", {}, {"x-paper-signature": signature(secret, body)}, body)
