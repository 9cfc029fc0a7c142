"""Courier companies that misbehave, each with a ledger that tells the truth, and the languages they speak.

A company keeps one promise, without which nobody could ever ask it twice: a job that it has taken is found under
our reference within its settle time (`domain.dialect.Dialect.settle`).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.domain.dialect import (
    Account,
    Callback,
    CancelAnswer,
    CancelUnknown,
    Reply,
    Request,
    Token,
    TokenRefused,
    Trust,
)
from chalicelib.domain.dialect import Job as Asked
from chalicelib.domain.errors import Unanswered
from tests.paper import PaperDialect, callback

if TYPE_CHECKING:
    from tests.simulation.day import Day

APPEARS = timedelta(seconds=40)
"""The longest that a job which was taken may stay hidden from look-ups."""
TOKEN_LASTS = timedelta(minutes=30)
OUT_CHANCE = 0.08
"""That a courier goes out for a while, within an hour."""
ENDED = frozenset({"delivered", "returned", "cancelled", "pick_up_failed", "failed"})


class Paper(PaperDialect):
    """`tests.paper` with a company of its own behind every account, which is told all that a courier is told."""

    def book(self, account: Account, token: str, job: Asked, at: datetime) -> Request:
        return _request(
            account,
            token,
            "book",
            job.reference,
            handover=job.handover.value,
            start=job.starts_at.isoformat(),
            deliver_from=job.deliver_from.isoformat(),
            deliver_by=job.deliver_by.isoformat(),
        )

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        return _request(account, token, "cancel", reference)

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        return _request(account, token, "look", reference)


class Crane(Paper):
    """The same with access tokens that lapse, and honest about jobs it does not know."""

    name = "crane"

    def login(self, account: Account) -> Request | None:
        return _request(account, "", "login", "-")

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        if reply.status != 200:
            raise Unanswered("no token")
        said = json.loads(reply.body)
        return Token(said["token"], at + timedelta(seconds=said["seconds"]))

    def booked(self, reply: Reply, job: Asked) -> Any:
        return TokenRefused() if reply.status == 401 else super().booked(reply, job)

    def cancelled(self, reply: Reply) -> CancelAnswer:
        if reply.status == 401:
            return TokenRefused()
        if reply.status == 200 and json.loads(reply.body)["said"] == "unknown":
            return CancelUnknown()
        return super().cancelled(reply)

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> Any:
        return TokenRefused() if reply.status == 401 else super().looked_up(reply, reference, courier_id, at)


class Heron(Paper):
    """The same of a courier whose callbacks prove nothing."""

    name = "heron"
    trust: Trust = "hint"


def _request(account: Account, token: str, verb: str, reference: str, **more: str) -> Request:
    body = json.dumps({"reference": reference, "token": token, **more}).encode()
    return Request("POST", f"https://{account['host']}/{verb}", {}, body)


@dataclass
class Job:
    """One job in a company's ledger, as it really was."""

    reference: str
    order_id: str
    job_id: str
    told: str
    start: datetime
    deliver_from: datetime
    deliver_by: datetime
    taken_at: datetime
    shown_from: datetime
    state: str = "accepted"
    since: datetime | None = None
    picked_up_at: datetime | None = None
    handed_over_at: datetime | None = None
    how: str = ""
    ended_at: datetime | None = None
    stop_asked_at: datetime | None = None
    """When we first tried to have it ended, whether or not that arrived."""
    is_forgotten: bool = False
    is_late: bool = False
    """It is done later than was asked: the courier's own doing."""

    @property
    def is_live(self) -> bool:
        return self.state not in ENDED and not self.is_forgotten


@dataclass
class Company:
    """One courier in one market."""

    day: Day
    market_id: str
    courier_id: str
    secret: str
    needs_token: bool
    jobs: dict[str, Job] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, datetime] = field(default_factory=dict)
    hints: bool = False
    """What it calls proves nothing, so that anybody can call it."""
    out_until: datetime | None = None
    """Till then nobody there answers anything."""
    out_with: Reply | None = None
    """What its front door says meanwhile; None: nothing at all."""

    def goes_out(self, where: str) -> None:
        """For a while nobody there answers; its people go on with what they have."""
        trouble, now = self.day.trouble, self.day.clock.now
        if not trouble.strikes("courier_out", where, OUT_CHANCE):
            return
        self.out_until = now + timedelta(minutes=5 + 35 * trouble.roll(f"{where} lasts"))
        how = trouble.roll(f"{where} how")
        wait = {"retry-after": str(int(60 + 600 * trouble.roll(f"{where} wait")))} if how < 0.15 else {}
        self.out_with = Reply(503, wait, b"") if how < 0.5 else None
        self.day.judge.spared.out(self.market_id, self.courier_id, now, self.out_until)
        self.day.tell("  {} is out until {}", self.courier_id, self.out_until)

    def __call__(self, request: Request) -> Reply:
        verb = request.url.rsplit("/", 1)[1]
        said = json.loads(request.body)
        reference = said["reference"]
        self.asked[verb + reference] += 1
        where = f"{self.courier_id} {verb} {reference} {self.asked[verb + reference]}"
        strikes, now = self.day.trouble.strikes, self.day.clock.now
        self.day.judge.asked(self, verb)
        if self.out_until is not None and now < self.out_until and not self.day.trouble.over:
            self.day.counted["asked while out"] += 1
            if self.out_with is None:
                raise Unanswered("out")
            return self.out_with
        if verb == "login":
            return self._login(where)
        if self.needs_token and self.tokens.get(said["token"], now) <= now:
            return Reply(401, {}, b"{}")
        if strikes("courier_down", where, 0.04):
            return Reply(503, {}, b"")
        if strikes("courier_deaf", where, 0.03):
            raise Unanswered("deaf")
        answer = {"book": self._book, "cancel": self._cancel, "look": self._look}[verb](
            reference, said, where
        )
        self.day.tell("    {} answers {}", where, answer)
        if strikes("courier_mute", where, 0.06 if verb == "book" else 0.03):
            raise Unanswered("mute")
        if strikes("courier_odd", where, 0.02):  # done, and told as a failure
            return Reply(500, {}, b"")
        if answer["said"] != "double":  # which proves nothing, and so not that it is back
            self.day.judge.has_answered(self)
        return Reply(200, {}, json.dumps(answer).encode())

    def stop_tried(self, reference: str) -> None:
        """A cancellation is on its way here, and may never arrive."""
        job = self.jobs.get(reference)
        if job is not None and job.stop_asked_at is None:
            job.stop_asked_at = self.day.clock.now

    # --- what it is asked -------------------------------------------------------------------------------------

    def _login(self, where: str) -> Reply:
        now = self.day.clock.now
        token = f"token-{self.asked['login-']}"
        lasts = TOKEN_LASTS
        if self.day.trouble.strikes("token_revoked", where, 0.2):
            lasts = timedelta(minutes=2)
        self.tokens[token] = now + lasts
        said = {"token": token, "seconds": TOKEN_LASTS.total_seconds()}
        return Reply(200, {}, json.dumps(said).encode())

    def _book(self, reference: str, said: dict[str, str], where: str) -> dict[str, object]:
        strikes = self.day.trouble.strikes
        if reference in self.jobs:
            return {"said": "double"}
        if strikes("courier_refuses", where, 0.07):
            return {"said": "no", "why": "no_rider", "whole": self.day.trouble.roll(where + "whole") < 0.3}
        now = self.day.clock.now
        hidden = timedelta(0)
        if strikes("shown_late", where, 0.06):
            hidden = APPEARS * self.day.trouble.roll(where + "shown")
        moments = [datetime.fromisoformat(said[name]) for name in ("start", "deliver_from", "deliver_by")]
        job = Job(
            reference,
            reference.partition("-")[0],
            f"{self.courier_id}-{len(self.jobs) + 1}",
            said["handover"],
            *moments,
            taken_at=now,
            shown_from=now + hidden,
        )
        self.jobs[reference] = job
        self.day.judge.job_taken(self, job)
        self.day.live_a_job(self, job)
        return {"said": "yes", "id": job.job_id}

    def _cancel(self, reference: str, said: dict[str, str], where: str) -> dict[str, object]:
        job = self.jobs.get(reference)
        if job is None or job.is_forgotten:
            return {"said": "unknown"} if self.needs_token else {"said": "yes"}
        if job.state in ("delivered", "failed"):
            return {"said": "no"}
        if job.state in ("returning", "returned"):
            return {"said": "returning"}
        if job.ended_at is None and self.day.trouble.strikes("cancel_refused", where, 0.12):
            return {"said": "no"}
        if job.picked_up_at is not None:
            self.day.bring_back(self, job)
            return {"said": "returning"}
        if job.ended_at is None:
            self.day.end_job(self, job, "cancelled", tell=self.day.trouble.roll(where + "tell") < 0.5)
        return {"said": "yes"}

    def _look(self, reference: str, said: dict[str, str], where: str) -> dict[str, object]:
        job = self.jobs.get(reference)
        if job is None or job.is_forgotten or job.shown_from > self.day.clock.now:
            return {"said": "none"}
        event = None
        if job.since is not None:
            event = {"reference": reference, "kind": job.state, "at": job.since.isoformat()}
        return {"said": "found", "id": job.job_id, "event": event}

    # --- what it says -----------------------------------------------------------------------------------------

    def says(self, job: Job, kind: str, at: datetime) -> Callback:
        """The signed callback that this job has come to something, by the company's own clock."""
        return callback(job.reference, kind, at, secret=self.secret)
