"""A courier company over real HTTP, driven by a clock of ours, in whatever dialect its voice speaks.

It takes and cancels jobs, moves them, and tells what happens by callbacks. How it behaves is in its `Conduct`; what
really happened is in its ledger (`jobs`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, Self

from sandbox.conduct import AT_SHOP, Conduct, Fate
from sandbox.ledger import ENDS, HANDED_OVER, CourierJob, Sent, Stage, Step, most_live_at_once
from sandbox.switchboard import Out, Post, Server
from sandbox.voice import Answer, Ask, Call, News, Verb, Voice


class Clock(Protocol):
    """Time as the sandbox runs it; `sandbox.clock` has a virtual and a real one."""

    def now(self) -> datetime: ...

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Run the action when the clock shows `when`: after this call has returned, never inside it."""


class CourierCompany:
    """The company. `with CourierCompany(voice, clock) as company:` serves at `company.url`.

    `callback_url` may be set later.
    """

    def __init__(
        self,
        voice: Voice,
        clock: Clock,
        callback_url: str = "",
        conduct: Conduct | None = None,
        port: int = 0,
        post: Post | None = None,
    ) -> None:
        self.voice = voice
        self.clock = clock
        self.callback_url = callback_url
        self.conduct = conduct or Conduct()
        self.jobs: dict[str, CourierJob] = {}
        self.sent: list[Sent] = []
        self.asked: list[tuple[Verb, str]] = []
        """(verb, reference) of every request that was understood."""
        self.forgotten: dict[str, datetime] = {}
        """Jobs that it said it took and has no line for: when it said so, by reference."""
        self._lock = threading.RLock()
        self._out = Out()
        self._post = post or self._out.post
        self._server = Server(port, clock.now, self.answer, lambda: self.conduct.stall_seconds)
        for down in self.conduct.down:
            if down.how == "gone":
                clock.at(down.start, self._server.hang_up)
                clock.at(down.end, self._server.open)

    @property
    def url(self) -> str:
        """What goes into the account as `base_url`."""
        return f"http://127.0.0.1:{self._server.port}"

    def close(self) -> None:
        self._server.close()
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
        return most_live_at_once(self.jobs_of(order_id))

    # --- what it answers ---

    def answer(self, call: Call) -> Answer | None:
        """The answer to one request; None: the line is cut without one."""
        conduct = self.conduct
        if conduct.is_down(call.at):
            return self._put_off(503)
        with self._lock:
            ask = self.voice.read(call)
            if isinstance(ask, Ask):
                asked = (ask.verb, ask.reference)
                self.asked.append(asked)
                busy = conduct.is_busy(*asked, self.asked.count(asked)) if conduct.busy else False
                answer = self._put_off(429) if busy else self._decide(ask)
            else:
                answer = ask
        if conduct.slow_seconds:
            time.sleep(conduct.slow_seconds)
        return answer

    def _put_off(self, status: int) -> Answer:
        return Answer(status, headers={"retry-after": f"{self.conduct.retry_after.total_seconds():.0f}"})

    def _decide(self, ask: Ask) -> Answer | None:
        if ask.verb == "book":
            return self._book(ask)
        if ask.verb == "quote":
            return self._quote(ask)
        if ask.of_all is not None:
            return ask.of_all(sorted(self.jobs.values(), key=lambda job: job.booked_at, reverse=True))
        job = self._named(ask)
        if job is None:
            return self.voice.unknown(ask)
        return self.voice.found(ask, job) if ask.verb == "look_up" else self._cancel(ask, job)

    def _named(self, ask: Ask) -> CourierJob | None:
        """The job that is asked about: where it is named twice, both have to name it."""
        job = self.jobs.get(ask.reference)
        if not ask.reference:
            job = next((job for job in self.jobs.values() if job.delivery_id == ask.delivery_id), None)
        return job if job is not None and ask.delivery_id in (None, job.delivery_id) else None

    def _quote(self, ask: Ask) -> Answer:
        fate = self.conduct.fate_of(ask.reference)
        if fate.book == "refuse":
            return self.voice.refused(ask, fate.refusal)
        return self.voice.quoted(ask, self.conduct.fee)

    def _book(self, ask: Ask) -> Answer | None:
        known = self.jobs.get(ask.reference)
        if known is not None:
            return self.voice.exists(ask, known)
        fate = self.conduct.fate_of(ask.reference)
        if fate.book == "refuse":
            return self.voice.refused(ask, fate.refusal)
        if fate.book == "stall_lost":
            return None
        job = self._made(ask, fate)
        if fate.forgets:
            self.forgotten[ask.reference] = job.booked_at
            if self.conduct.own_up_after is not None:
                self.clock.at(job.booked_at + self.conduct.own_up_after, lambda: self._own_up(job))
        else:
            self.jobs[ask.reference] = job
            self.clock.at(job.timings.assigned, lambda: self._assign(job))
        return None if fate.book == "stall" else self.voice.booked(ask, job)

    def _made(self, ask: Ask, fate: Fate) -> CourierJob:
        now = self.clock.now()
        return CourierJob(
            reference=ask.reference,
            delivery_id=self.voice.delivery_id(ask.reference),
            order=ask.order,
            booked_at=now,
            asked_for=ask.wish.at,
            timings=self.conduct.timings(now, ask.wish),
            fate=fate,
            fee=self.conduct.fee,
            steps=[Step(now, Stage.ACCEPTED)],
        )

    def _cancel(self, ask: Ask, job: CourierJob) -> Answer | None:
        if not job.is_live or job.stage is Stage.RETURNING:
            return self.voice.over(ask, job)
        if ask.reason == "not_cleared" and job.recalled_at is None:
            job.recalled_at = self.clock.now()
        if job.has_custody and self.conduct.cancel_after_pick_up == "refused":
            return self.voice.kept(ask, job)
        job.cancel_tries += 1
        stalled = job.cancel_tries <= job.fate.cancel_stalls
        if stalled and job.cancel_tries % 2:
            return None
        job.cancelled_at = self.clock.now()
        fee = 0 if job.stage is Stage.ACCEPTED else self.conduct.cancel_fee
        if job.has_custody:
            self._turn_back(job, "recalled")
        else:
            self._step(job, Stage.CANCELLED, "merchant_cancelled")
        return None if stalled else self.voice.cancelled(ask, job, fee)

    # --- what it does ---

    def _own_up(self, job: CourierJob) -> None:
        with self._lock:
            self.jobs[job.reference] = job
            self._step(job, Stage.CANCELLED, "courier_system")

    def _assign(self, job: CourierJob) -> None:
        with self._lock:
            if job.stage is not Stage.ACCEPTED:
                return
            failure = job.fate.failure
            if failure is not None and failure not in AT_SHOP:
                self._step(job, Stage.CANCELLED, failure)
                return
            self._step(job, Stage.ASSIGNED)
            if job.fate.boasts:
                for lie in self.voice.news(job, Step(self.clock.now(), Stage.DELIVERED)):
                    self._tell(job, lie)
            self.clock.at(job.timings.at_shop, lambda: self._reach_shop(job))

    def _reach_shop(self, job: CourierJob) -> None:
        with self._lock:
            if job.stage is not Stage.ASSIGNED:
                return
            self._step(job, Stage.AT_SHOP)
            self.clock.at(job.timings.picked_up, lambda: self._pick_up(job))

    def _pick_up(self, job: CourierJob) -> None:
        with self._lock:
            if job.stage is not Stage.AT_SHOP:
                return
            if job.fate.failure is not None:
                self._step(job, Stage.PICK_UP_FAILED, job.fate.failure)
                return
            job.picked_up_at = self.clock.now()
            self._step(job, Stage.PICKED_UP)
            self.clock.at(job.timings.in_transit, lambda: self._set_out(job))

    def _set_out(self, job: CourierJob) -> None:
        with self._lock:
            if job.stage is not Stage.PICKED_UP:
                return
            self._step(job, Stage.IN_TRANSIT)
            self.clock.at(job.timings.arrived, lambda: self._arrive(job))

    def _arrive(self, job: CourierJob) -> None:
        with self._lock:
            if job.stage is not Stage.IN_TRANSIT:
                return
            went = job.fate.at_gate or self.conduct.at_gate(job)
            if went not in HANDED_OVER:
                self._turn_back(job, _NOT_HANDED_OVER[went])
                return
            job.handed_over, job.handed_over_at = went, self.clock.now()
            self._step(job, Stage.DELIVERED)

    def _turn_back(self, job: CourierJob, reason: str) -> None:
        self._step(job, Stage.RETURNING, reason)
        self.clock.at(self.clock.now() + self.conduct.return_after, lambda: self._bring_back(job))

    def _bring_back(self, job: CourierJob) -> None:
        with self._lock:
            if job.is_live:
                job.returned_at = self.clock.now()
                self._step(job, Stage.RETURNED)

    def _step(self, job: CourierJob, stage: Stage, reason: str = "") -> None:
        step = Step(self.clock.now(), stage, reason)
        job.steps.append(step)
        if stage in ENDS:
            job.ended_at = step.at
        for news in self.voice.news(job, step):
            self._tell(job, news)

    # --- what it says ---

    def _tell(self, job: CourierJob, news: News) -> None:
        now = self.clock.now()
        spoils = self.conduct.spoils(job.reference, news.status)
        if "forged" in spoils:
            for lie in self.voice.news(job, Step(now, Stage.DELIVERED)):
                self._send_at(now, job.reference, lie, forged=True)
        if "lost" in spoils:
            self.sent.append(Sent(now, job.reference, news.status, "lost", None))
            return
        when = now + self.conduct.reorder_by if "reordered" in spoils else now
        for _ in range(2 if "doubled" in spoils else 1):
            self._send_at(when, job.reference, news)

    def _send_at(
        self, when: datetime, reference: str, news: News, forged: bool = False, tries: int = 1
    ) -> None:
        self.clock.at(when, lambda: self._send(reference, news, forged, tries))

    def _send(self, reference: str, news: News, forged: bool, tries: int) -> None:
        if not self.callback_url:
            return
        now = self.clock.now()
        letter = self.voice.sealed(news, now, len(self.sent), forged)
        # who cannot be reached cannot call either
        answer = None if self.conduct.is_down(now) else self._post(self.callback_url, letter)
        self.sent.append(Sent(now, reference, news.status, "forged" if forged else "true", answer))
        refused = answer is None or not 200 <= answer < 300
        if refused and not forged and tries <= len(self.voice.retries):
            self._send_at(now + self.voice.retries[tries - 1], reference, news, tries=tries + 1)


_NOT_HANDED_OVER = {
    "none": "client_unavailable",
    "refused": "client_refused",
    "closed": "cannot_access_location",
}
"""What is said of a job that turns back at the destination."""
