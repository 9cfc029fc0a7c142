"""Play *Shanghai, 11 April 2022* on the running system, and recount it: everything goes in over HTTP."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import urllib3

from chalicelib.domain import facts
from chalicelib.domain.fleet import Courier
from chalicelib.domain.keys import Role
from chalicelib.domain.legs import Booking, order_of
from sandbox import brand, checker, shanghai, voices
from sandbox.client import Client
from sandbox.clock import VirtualClock
from sandbox.conduct import Conduct
from sandbox.fleet import CourierCompany
from sandbox.ledger import CourierJob, Delivered
from sandbox.pumps import dead_letters
from sandbox.shanghai import Asked, Happening, Hour, Put, Strike, Upload
from sandbox.stand import Stand

MISHAPS: dict[str, float] = {
    "refuse": 0.04,
    "stall": 0.02,
    "stall_lost": 0.02,
    "fail": 0.02,
    "cancel_stall": 0.2,
    "lose": 0.04,
    "double": 0.05,
    "reorder": 0.05,
    "forge": 0.03,
}
"""How often couriers misbehave: refuse a job, take it or not and never answer, fail at the shop, ignore a
cancellation, lose, double, reorder and forge callbacks."""


@dataclass
class Outcome:
    """The played day."""

    report: checker.Report
    faults: list[str]
    placed: int
    zones: int
    callbacks: Counter[str]
    notices: dict[str, Counter[str]]
    evidence: int
    messages: int
    seconds: float
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return self.report.is_clean and not self.faults


class Scenario(Protocol):
    """What a day is made of, and how it really was."""

    seed: int
    begins: datetime
    ends: datetime

    @property
    def brands(self) -> Sequence[str]: ...

    @property
    def orders(self) -> Sequence[Asked]: ...

    @property
    def happenings(self) -> Sequence[Happening]: ...

    def couriers(self) -> Sequence[Courier]: ...

    def strike(self, strike: Strike, at: datetime, carried: Mapping[str, str]) -> Upload | Put | None:
        """What happens to parcels under way: `carried` is who carries which, crew by reference."""

    def physical(self, when: datetime, reference: str) -> Delivered: ...

    def truth(self) -> checker.Truth: ...

    def fleet_by_hour(self) -> Sequence[Hour]: ...


@dataclass(frozen=True)
class Seen:
    """How far the day was at an hour."""

    at: datetime
    placed: int
    live: int
    handed_over: int
    crews: int | None
    """That may drive; None: outside the hours that are counted."""


class Day:
    """One played day; `say` gets the lines of progress."""

    def __init__(
        self,
        scenario: Scenario,
        clock: VirtualClock,
        say: Any,
        mishaps: Mapping[str, float] = MISHAPS,
    ) -> None:
        self.scenario, self.clock, self.say = scenario, clock, say
        self.mishaps = mishaps
        fleet = scenario.couriers()
        self.accounts = {c.courier_id: voices.account(c.dialect, c.account) for c in fleet}
        self.companies = {
            courier.courier_id: CourierCompany(
                voices.speaking(courier.dialect, self.accounts[courier.courier_id]),
                clock,
                conduct=self.conduct_of(courier),
            )
            for courier in fleet
        }
        self.references: dict[str, str] = {}
        """Order id to the brand's reference."""
        self.uploads: dict[str, str] = {}
        self.hours = scenario.fleet_by_hour()
        self.seen: list[Seen] = []
        self._evidence = 0

    def conduct_of(self, courier: Courier) -> Conduct:
        """How that company behaves."""
        chances: dict[str, Any] = {**self.mishaps}
        return Conduct(seed=self.scenario.seed, at_gate=self._at_gate, **chances)

    def secrets(self) -> dict[str, Any]:
        """What goes into the secret store: our accounts, each at its company's own address."""
        told: dict[str, dict[str, Any]] = {}
        for courier in self.scenario.couriers():
            url = self.companies[courier.courier_id].url
            ours = told.setdefault(courier.dialect, {})
            ours[courier.account] = [{**self.accounts[courier.courier_id], "base_url": url}]
        return told

    def close(self) -> None:
        for company in self.companies.values():
            company.close()

    # --- playing ----------------------------------------------------------------------------------------------

    def play(self, stand: Stand) -> Outcome:
        began = time.monotonic()
        self.stand = stand
        pool = urllib3.PoolManager(maxsize=16)
        url = stand.front.url
        for name, company in self.companies.items():
            company.callback_url = f"{url}/v1/callbacks/{shanghai.MARKET_ID}/{name}"
        self.operator = Client(url, stand.key(Role.OPERATOR, "control-room"), pool)
        self.source = Client(url, stand.key(Role.SOURCE, "city-bulletin"), pool)
        self.brands = {name: Client(url, stand.key(Role.BRAND, name), pool) for name in self.scenario.brands}
        for name, client in self.brands.items():
            listener = stand.brands.listen(name)
            made = client("POST", "/v1/webhooks", {"url": f"{stand.brands.url}/{name}"})
            listener.secret = made["secret"]
        for happening in self.scenario.happenings:
            self.clock.at(happening.when, lambda happening=happening: self._happen(happening))  # type: ignore[misc]
        for asked in self.scenario.orders:
            self.clock.at(asked.when, lambda asked=asked: self._place(asked))  # type: ignore[misc]
        stand.pumps.start_schedules()
        at = self.scenario.begins
        while at < self.scenario.ends:
            at = min(at + timedelta(hours=1), self.scenario.ends)
            stand.pumps.run_until(at)
            self._progress(at, time.monotonic() - began)
        return self._recount(time.monotonic() - began)

    def _happen(self, happening: Happening) -> None:
        what = happening.what
        if isinstance(what, Strike):
            self._do(self.scenario.strike(what, self.clock.now(), self.carried()))
        else:
            self._do(what)

    def _do(self, what: Put | Upload | None) -> None:
        if isinstance(what, Put):
            path = f"/v1/markets/{shanghai.MARKET_ID}"
            if what.noun != "markets":
                path += f"/{what.noun}/{what.name}"
            self.operator("PUT", path, what.body)
        elif what is not None:
            self._publish(what)

    def _publish(self, upload: Upload) -> None:
        path = f"/v1/markets/{shanghai.MARKET_ID}/rules/uploads"
        begun = self.source(
            "POST", path, {"mode": upload.mode, "time_zone": upload.time_zone, "datum": upload.datum}
        )
        upload_id = begun["upload_id"]
        for number, part in enumerate(upload.parts, start=1):
            self.source("PUT", f"{path}/{upload_id}/parts/{number}", part)
        self.source("POST", f"{path}/{upload_id}/finish", {"parts": len(upload.parts)})
        self.uploads[upload.name] = upload_id

    def _place(self, asked: Asked) -> None:
        said = self.brands[asked.brand](
            "POST", "/v1/orders", asked.body, {"Idempotency-Key": asked.idempotency_key}
        )
        self.references[said["order_id"]] = asked.reference

    def carried(self) -> dict[str, str]:
        """Who carries what now: the crew by the order's reference."""
        jobs = [
            job for company in self.companies.values() for job in company.jobs.values() if job.has_custody
        ]
        bookings = self._bookings(named[0] for job in jobs if (named := order_of(job.reference)))
        return {self._reference(job): known.crew_id for job in jobs if (known := bookings.get(job.reference))}

    def _reference(self, job: CourierJob) -> str:
        named = order_of(job.reference)
        return self.references[named[0]] if named else job.reference

    def _at_gate(self, job: CourierJob) -> Any:
        return self.scenario.physical(self.clock.now(), self._reference(job))

    def _progress(self, at: datetime, seconds: float) -> None:
        jobs = [job for company in self.companies.values() for job in company.jobs.values()]
        hour = next((h for h in self.hours if h.at == at), None)
        self.seen.append(
            Seen(
                at=at,
                placed=len(self.references),
                live=sum(job.is_live for job in jobs),
                handed_over=sum(job.is_delivered for job in jobs),
                crews=None if hour is None else len(hour.cleared),
            )
        )
        crews = f"{len(hour.cleared):2d} of 16 crews may drive" if hour else ""
        self.say(
            f"{at.astimezone(shanghai.LOCAL):%d %b %H:%M}  {len(self.references):3d} orders placed  "
            f"{sum(job.is_live for job in jobs):3d} booked or on their way  "
            f"{sum(job.is_delivered for job in jobs):3d} handed over  {crews:25}  {seconds:4.0f} s"
        )

    def stories(self) -> list[dict[str, Any]]:
        """Every order as its brand reads it at the end, with what was decided of it and on what."""
        return [
            {"brand": name, **order, "decisions": self._decisions(order["order_id"])}
            for name, client in self.brands.items()
            for order in client.pages("/v1/orders")
        ]

    def _decisions(self, order_id: str) -> list[dict[str, Any]]:
        rows = self.stand.world.table.read(order_id, "evidence#").rows
        return [json.loads(row.body) for row in rows]

    # --- recounting -------------------------------------------------------------------------------------------

    def _recount(self, seconds: float) -> Outcome:
        orders = [
            (name, order) for name, client in self.brands.items() for order in client.pages("/v1/orders")
        ]
        bookings = self._bookings(order["order_id"] for _, order in orders)
        published, faults = self._published()
        fleet = self.operator("GET", f"/v1/markets/{shanghai.MARKET_ID}/fleet")
        rules = self.operator("GET", f"/v1/markets/{shanghai.MARKET_ID}/rules")
        report = checker.check(
            checker.History(
                truth=self.scenario.truth(),
                orders=tuple(_order_line(order) for _, order in orders),
                jobs=tuple(self._job_lines(bookings)),
                left=fleet["left"],
                published=published,
                at=self.clock.now(),
            )
        )
        for queue, bodies in dead_letters(self.stand.pumps.client, self.stand.deployment).items():
            faults += [f"a message died in {queue}: {body}" for body in bodies]
        self._explain(report, orders, bookings)
        notices, untold = self._told(orders)
        faults += untold
        sent = [line for company in self.companies.values() for line in company.sent]
        callbacks: Counter[str] = Counter(line.how for line in sent)
        believed = [
            line
            for company in self.companies.values()
            for line in company.sent
            if company.voice.proves and line.how == "forged" and line.answer == 200
        ]
        faults += [f"a forged callback was believed: {line.reference} {line.status}" for line in believed]
        return Outcome(
            report=report,
            faults=faults,
            placed=len(self.references),
            zones=rules["zones"],
            callbacks=callbacks,
            notices=notices,
            evidence=self._evidence,
            messages=sum(self.stand.pumps.handled.values()),
            seconds=seconds,
        )

    def _explain(self, report: checker.Report, orders: Any, bookings: dict[str, Booking]) -> None:
        """Into the log, for every order that something is wrong with: what it and its couriers say."""
        wrong = {violation.subject for violation in report.violations}
        for _, order in orders:
            if order["reference"] not in wrong:
                continue
            for company in self.companies.values():
                for job in company.jobs.values():
                    if self._reference(job) == order["reference"]:
                        steps = [f"{step.at:%H:%M} {step.stage} {step.reason}" for step in job.steps]
                        self.stand.remark("wrong_job", job=job.reference, steps=steps, tries=job.cancel_tries)
            for booking in bookings.values():
                if booking.reference.startswith(order["order_id"]):
                    self.stand.remark("wrong_booking", booking=booking.model_dump(mode="json"))
            self.stand.remark("wrong_order", order=order["order_id"], history=order["history"])

    def _bookings(self, order_ids: Any) -> dict[str, Booking]:
        rows = self.stand.world.table.get_many([facts.order_key(order_id) for order_id in order_ids])
        orders = [facts.order_of_row(row) for row in rows]
        self._evidence = sum(order.evidence_count for order in orders)
        return {b.reference: b for order in orders for leg in order.legs for b in leg.bookings}

    def _job_lines(self, bookings: dict[str, Booking]) -> Any:
        for company in self.companies.values():
            for job in company.jobs.values():
                known = bookings.get(job.reference)
                yield checker.JobLine(
                    job=job.reference,
                    reference=self._reference(job),
                    crew_id=known.crew_id if known else "unknown",
                    slot_id=known.slot_id if known else "unknown",
                    booked_at=job.booked_at,
                    picked_up_at=job.picked_up_at,
                    handed_over_at=job.handed_over_at,
                    how=job.handed_over if job.handed_over in ("door", "gate") else None,
                    cancelled_at=job.cancelled_at,
                    returned_at=job.returned_at,
                    ended_at=job.ended_at,
                    recalled_at=job.recalled_at,
                )

    def _published(self) -> tuple[dict[str, datetime], list[str]]:
        published, faults = {}, []
        for name, upload_id in self.uploads.items():
            path = f"/v1/markets/{shanghai.MARKET_ID}/rules/uploads/{upload_id}"
            said = self.source("GET", path)
            if said["state"] == "published":
                published[name] = datetime.fromisoformat(said["settled_at"])
            else:
                faults.append(f"upload {name} is {said['state']}: {said.get('faults')}")
        return published, faults

    def _told(self, orders: Any) -> tuple[dict[str, Counter[str]], list[str]]:
        """Every state of every order reached its brand, at most twice, and nothing forged did."""
        counts: dict[str, Counter[str]] = {}
        faults: list[str] = []
        for name, listener in self.stand.brands.listeners.items():
            heard = Counter(said["id"] for said in listener.heard)
            owed = {
                (order["order_id"], sequence)
                for whose, order in orders
                if whose == name
                for sequence in range(len(order["history"]))
            }
            told = {(said["data"]["order_id"], said["data"]["sequence"]) for said in listener.heard}
            faults += [
                f"{name} was never told of {order_id} step {step}" for order_id, step in sorted(owed - told)
            ]
            faults += [f"{name} was told what is not its own: {who}" for who, _ in sorted(told - owed)]
            faults += [f"{name} was told {count} times: {n}" for n, count in heard.items() if count > 2]
            if listener.forged:
                faults.append(f"{name} could not verify {listener.forged} notices")
            counts[name] = Counter(told=len(told), doubled=brand.doubles(listener))
        return counts, faults


def _order_line(order: dict[str, Any]) -> checker.OrderLine:
    return checker.OrderLine(
        order_id=order["order_id"],
        reference=order["reference"],
        state=order["state"],
        history=tuple((step["state"], datetime.fromisoformat(step["at"])) for step in order["history"]),
        reasons=tuple(order.get("reasons", ())),
        next_look=datetime.fromisoformat(order["next_look"]) if order.get("next_look") else None,
        handover=order.get("handover"),
        courier=order.get("courier"),
    )
