"""The invariants of a day, checked at every commit, at every word of a courier and a brand, and at the end.

The judge reads rows as JSON and couriers' ledgers as they are, and calls nothing of what it judges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from chalicelib.domain.ports import Row
from tests.simulation.brands import Receiver
from tests.simulation.couriers import Company, Job
from tests.simulation.reading import CLOCKS, Reading
from tests.simulation.seats import Seats
from tests.simulation.spared import Spared

if TYPE_CHECKING:
    from tests.simulation.day import Day
    from tests.simulation.processes import Run

LIVE = frozenset({"attempted", "unknown", "booked", "cancelling"})
ENDS = frozenset({"delivered", "returned", "pick_up_failed", "cancelled", "failed"})
AT_AN_END = frozenset(
    {"stranded", "at_gate", "delivered", "failed", "returned", "cancelled", "fulfilled_digitally"}
)
FOR_EVER = {"delivered", "returned", "failed", "cancelled", "stranded", "fulfilled_digitally"}
SKEW = timedelta(seconds=6)
"""Clocks of two processes are at most five seconds apart."""
REACTION = timedelta(minutes=35)
"""How long after something became known a courier may still move on what was known before, without our having
tried to stop it. In fair weather it is seconds. Here nudges are lost and processes die; then a pass over the whole
market makes it good every quarter of an hour (`flows.rezone.AGAIN`), and one pass may be lost on a stale page."""
KEPT = ("brand_id", "market_id", "reference", "fingerprint", "placed_at", "gift", "window", "tier")


class Broken(BaseException):
    """An invariant does not hold. No `except Exception` sees it."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail


class Judge:
    """Watches one day."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.reading = Reading()
        self.spared = Spared()
        self.seats = Seats()
        self.orders: dict[str, dict[str, Any]] = {}
        """Each order as last written."""
        self.answered: dict[str, str] = {}
        """Name of the wish to the id its brand was answered with."""
        self.gifts: dict[str, str] = {}
        """Order to where its gift is: `shop`, a reference of a job, `client`, `gate`."""
        self.left: dict[tuple[str, str], int] = {}
        self.room: dict[tuple[str, str], int] = {}
        self.taken: Counter[tuple[str, str]] = Counter()
        self.orphans: set[str] = set()
        """References of jobs that were given up for lost and turned up."""
        self.counted: dict[Counted, int] = {}
        """What each counter of a quota, or of a permit for one delivery, says."""
        self.held: Counter[Counted] = Counter()
        """How many orders hold one of it."""
        self.homes: dict[tuple[str, str, str, str], str] = {}
        """Market, site, flat and local day to the name under which the household is counted."""
        self.rules: dict[str, int] = {}
        self.states: Counter[str] = Counter()
        self.evidence: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.switched_off: set[str] = set()
        """Endpoints that are told nothing: their receiver said that it is gone, or their brand wished it."""

    def found(self, invariant: str, detail: str) -> None:
        """Something that must not be."""
        broken = Broken(invariant, detail)
        self.day.broken = self.day.broken or broken
        raise broken

    # --- commits ----------------------------------------------------------------------------------------------

    def committed(self, touched: list[tuple[Row | None, Row | None]]) -> None:
        """All that one transaction changed, before and after."""
        slots: set[tuple[str, str]] = set()
        counters: set[Counted] = set()
        orders: list[tuple[Row | None, Row]] = []
        for before, after in touched:
            row = after or before
            assert row is not None
            pk, sk = row.key.pk, row.key.sk
            self.seats.read(before, after)
            if sk == "order":
                if after is None:
                    self.found("conservation", f"the order {pk} was deleted")
                else:
                    orders.append((before, after))
            elif sk.startswith("evidence#"):
                self._evidence(pk, before, after)
            elif pk.startswith("quota#") or (pk.startswith("fleet#") and sk.startswith("used#")):
                counter = _counter(pk, sk)
                counters.add(counter)
                self.counted[counter] = 0 if after is None else after.counters["taken"]
            elif pk.startswith("fleet#"):
                kind, _, name = sk.partition("#")
                if kind == "breaker":
                    self._breaker(pk[6:], name, after)
                elif kind == "slot":
                    slots.add((pk[6:], name))
                    self.left[pk[6:], name] = 0 if after is None else after.counters["left"]
                elif before is None or after is None or before.body != after.body:
                    fact = None if after is None else from_json(after.body)
                    self.reading.learn(pk[6:], f"{kind}/{name}", self.day.clock.now, fact)
            elif sk.startswith("room#"):
                slots.add((pk[7:], sk[5:]))
                self.room[pk[7:], sk[5:]] = 0 if after is None else from_json(after.body)["capacity"]
            elif sk == "rules" and after is not None:
                self._published(pk[7:], after)
            elif pk.startswith("brand#") and sk.startswith("hook#") and after is not None:
                turn = (
                    self.switched_off.add
                    if from_json(after.body).get("disabled")
                    else self.switched_off.discard
                )
                turn(sk[5:])
        for old, new in orders:
            self._order(old, new, slots, counters)
        fault = self.seats.fault()
        if fault:
            self.found("seats", fault)
        for slot in slots:
            self._capacity(slot)
        for counter in counters:
            if self.counted.get(counter, 0) != self.held[counter]:
                said, held = self.counted.get(counter, 0), self.held[counter]
                self.found("quota", f"{counter} says {said}, and {held} orders hold one")

    def _breaker(self, market_id: str, courier_id: str, after: Row | None) -> None:
        run = self.day.current
        assert run is not None
        told = None if after is None else from_json(after.body)
        fault = self.spared.written(market_id, courier_id, told, self.day.clock.now, run)
        if fault:
            self.found("peace", fault)

    def _capacity(self, slot: tuple[str, str]) -> None:
        left, room, taken = self.left.get(slot), self.room.get(slot), self.taken[slot]
        if left is None or room is None:
            return  # a slot is being made: its row and its room come in one commit
        if left < 0 or taken > room:
            self.found("capacity", f"{slot} is oversold: {left} left, {taken} taken of {room}")
        if left + taken != room:
            self.found("capacity", f"{slot} is miscounted: {left} left and {taken} taken are not {room}")

    def _evidence(self, order_id: str, before: Row | None, after: Row | None) -> None:
        if before is not None or after is None:
            self.found("evidence", f"evidence of {order_id} was changed or deleted")
            return
        if len(after.body.encode()) > 4096:
            self.found("evidence", f"evidence of {order_id} is longer than 4 KB")
        self.evidence[order_id].append(from_json(after.body))

    def _published(self, market_id: str, row: Row) -> None:
        pointer = from_json(row.body)
        if pointer["version"] < self.rules.get(market_id, 0):
            self.found("rules", f"the pointer of {market_id} went back to {pointer['version']}")
        self.rules[market_id] = pointer["version"]
        for site, policy in self.day.uploads.get(pointer["upload_id"], {}).items():
            self.reading.learn(market_id, f"site/{site}", self.day.clock.now, policy)

    def _order(
        self, before: Row | None, after: Row, slots: set[tuple[str, str]], counters: set[Counted]
    ) -> None:
        name = after.key.pk
        order = from_json(after.body)
        old = self.orders.get(name)
        self.orders[name] = order
        leg = _leg(order)
        state, steps = order["history"][-1]["state"], order["history"]
        if old is None:
            if before is not None or state != "placed":
                self.found("conservation", f"{name} begins as {state}")
            self.gifts[name] = "shop"
            self.states[state] += 1
            old_leg: dict[str, Any] = {}
            past: list[dict[str, Any]] = []
        else:
            old_leg, past = _leg(old), old["history"]
            for kept in KEPT:
                wished = (order.get("rescheduling") or {}).get("window")
                if old.get(kept) != order.get(kept) and (kept != "window" or order.get(kept) != wished):
                    self.found("conservation", f"{kept} of {name} was changed")
            if steps[: len(past)] != past or len(steps) > len(past) + 1:
                self.found("history", f"the history of {name} was rewritten")
        if old is not None and len(steps) > len(past):
            self.states[state] += 1
            self.day.tell("  {} is {}", name, state)
            self._step(name, order, past[-1]["state"], state)
        assignment, was = leg.get("assignment"), old_leg.get("assignment")
        market_id = order["market_id"]
        for taking, by in ((was, -1), (assignment, 1)):
            if taking is not None:
                slot = (market_id, taking["slot_id"])
                self.taken[slot] += by
                if was is None or assignment is None or was["slot_id"] != assignment["slot_id"]:
                    slots.add(slot)
        self._quotas(name, market_id, was, assignment, counters)
        self._one_live_booking(name, old_leg, leg)
        self._has_evidence(name, order, old or {}, assignment, was)

    def _quotas(
        self,
        name: str,
        market_id: str,
        was: dict[str, Any] | None,
        assignment: dict[str, Any] | None,
        counters: set[Counted],
    ) -> None:
        """What the order holds moves with its assignment, and only what there is is taken."""
        before, after = _held(market_id, was), _held(market_id, assignment)
        for counter in before - after:
            self.held[counter] -= 1
            self.day.counted["quota given back"] += 1
        fresh = after - before
        for counter in fresh:
            self.held[counter] += 1
            self.day.counted["quota taken"] += 1
        counters |= before ^ after
        if assignment is None or (not fresh and was is not None):
            return
        wish = self.day.wish_of(name)
        now, run = self.day.clock.now, self.day.current
        assert run is not None
        moments = [now, *self.reading.changes(market_id, run.began_at - SKEW, now), run.began_at - SKEW]
        rules = [self.reading.quotas(market_id, wish.site, at) for at in moments]
        hours = (_time(assignment[edge]) for edge in ("hand_over_from", "hand_over_by"))
        first, last = (at.astimezone(CLOCKS[market_id]) for at in hours)
        days = {first.date().isoformat(), (last - timedelta(microseconds=1)).date().isoformat()}
        of_days = {(per, day) for _, per, _, day in after if day}
        if not any(of_days == {(per, day) for per in rule for day in days} for rule in rules):
            old = {(per, day) for _, per, _, day in before}
            if was is None or not of_days - old:
                self.found(
                    "quota", f"{name} was assigned to {wish.site} and took {sorted(of_days)} of {rules}"
                )
        for counter in fresh:
            _, per, counted_as, day = counter
            limit = 1 if not day else max(rule.get(per, 0) for rule in rules)
            if self.held[counter] > limit:
                self.found("quota", f"{name} took {counter}, of which {limit} are allowed")
            if per == "household":
                home = (market_id, wish.site, wish.flat, day)
                if self.homes.setdefault(home, counted_as) != counted_as:
                    self.found("quota", f"{home} is counted under two names")
        if len(set(self.homes.values())) < len(self.homes):
            self.found("quota", "two households are counted as one")
        for permit_id in assignment.get("permit_ids", ()):
            permit = self.reading.known(market_id, f"permit/{permit_id}", now)
            if permit is None or not permit.get("single_use"):
                continue
            if (market_id, "permit", permit_id, "") not in after:
                self.found("quota", f"{name} goes under {permit_id}, which is good once, and did not take it")

    def _step(self, name: str, order: dict[str, Any], was: str, state: str) -> None:
        steps = order["history"]
        if _time(steps[-1]["at"]) < _time(steps[-2]["at"]) - SKEW:
            self.found("history", f"{name} runs backwards from {was} to {state}")
        if was in ("stranded", "returned") and state == "fulfilled_digitally":
            pass  # something else stands in for what nobody could carry, or that came back
        elif steps[-1].get("about") is not None and was == state:
            pass  # a step within a state
        elif was in FOR_EVER:
            self.found("history", f"{name} was {was} and became {state}")
        if was == "at_gate" and state != "delivered":
            self.found("history", f"{name} was at the gate and became {state}")
        if state in ("held", "stranded"):
            outlook = order["outlook"]
            if not outlook["reasons"]:
                self.found("named_wait", f"{name} is {state} and nothing says why")
            if state == "held" and outlook["next_look"] is None:
                self.found("named_wait", f"{name} is held and nobody looks again")
        if state in ("delivered", "at_gate"):
            gift = self.gifts[name]
            if gift not in ("client", "gate"):
                self.found("custody", f"{name} became {state}, and the gift is with {gift}")
            if state == "delivered" and gift == "gate" and order.get("received_at") is None:
                self._delivered_at_the_gate(name, order)
        if state in ("cancelled", "stranded", "fulfilled_digitally") and self.gifts[name] != "shop":
            self.found("custody", f"{name} became {state}, and the gift is with {self.gifts[name]}")

    def _delivered_at_the_gate(self, name: str, order: dict[str, Any]) -> None:
        """The courier was told "door"; was it known that only the gate is open?"""
        wish = self.day.wish_of(name)
        job = self.day.job_that_moved(name)
        assert job is not None and job.handed_over_at is not None
        ways = self.reading.ways(wish.market_id, wish.site, job.handed_over_at - SKEW)
        if ways is not None and "door" not in ways:
            self.found("custody", f"{name} is said to be delivered, and was left at the gate")

    def _one_live_booking(self, name: str, old_leg: dict[str, Any], leg: dict[str, Any]) -> None:
        """Not counted: a job that a look-up did not find, that another was booked for, and whose courier reports on it
        after all. That is called off; whether two had the gift's job at once is seen at the couriers (`job_taken`)."""
        was = {b["reference"]: b["state"] for b in old_leg.get("bookings", ())}
        bookings = leg.get("bookings", ())
        self.orphans |= {
            b["reference"]
            for b in bookings
            if b["state"] == "cancelling" and was.get(b["reference"]) == "lost"
        }
        live = [b for b in bookings if _is_live(b) and b["reference"] not in self.orphans]
        if len(live) > 1:
            self.found("one_live_booking", f"{name} has {[b['reference'] for b in live]}")

    def _has_evidence(
        self,
        name: str,
        order: dict[str, Any],
        old: dict[str, Any],
        assignment: dict[str, Any] | None,
        was: dict[str, Any] | None,
    ) -> None:
        count, before = order.get("evidence_count", 0), old.get("evidence_count", 0)
        pieces = self.evidence.get(name, [])
        if count != len(pieces) or count < before:
            self.found("evidence", f"{name} counts {count} pieces of evidence, {len(pieces)} are there")
        fresh = pieces[before:]
        if assignment is not None and (was is None or was["assigned_at"] != assignment["assigned_at"]):
            last = fresh[-1] if fresh else {}
            if last.get("decision") != "yes" or last.get("slot") != assignment["slot_id"]:
                self.found("evidence", f"{name} was assigned to {assignment['slot_id']} without a yes")
            if not assignment["rules_version"] == last["rules_version"] == self.rules[order["market_id"]]:
                self.found("clearance", f"{name} was assigned under rules {assignment['rules_version']}")
        outlook, looked = order.get("outlook"), old.get("outlook")
        if outlook is not None and outlook["digest"] and outlook["digest"] != (looked or {}).get("digest"):
            last = fresh[-1] if fresh else {}
            if last.get("decision") not in ("hold", "no"):
                self.found("evidence", f"{name} waits without evidence")
        if was is not None and assignment is None and not fresh:
            reasons = (outlook or {}).get("reasons", [])
            is_wished = order.get("rescheduling") != old.get(
                "rescheduling"
            )  # its brand gave it another window
            if reasons != ["courier_refused"] and order.get("cancel_asked_at") is None and not is_wished:
                self.found("evidence", f"{name} lost its assignment for {reasons} without evidence")

    # --- couriers ---------------------------------------------------------------------------------------------

    def asked(self, company: Company, verb: str) -> None:
        """A courier is being asked something."""
        run = self.day.current
        assert run is not None
        if not self.spared.may_ask(company.market_id, company.courier_id, run):
            self.found(
                "peace", f"{company.courier_id} was asked to {verb} by {run.key}, and is to be left in peace"
            )

    def has_answered(self, company: Company) -> None:
        """It has just answered."""
        run = self.day.current
        assert run is not None
        self.spared.was_answered(company.market_id, company.courier_id, run)

    def ended(self, run: Run) -> None:
        """A run is over."""
        for courier in self.spared.unforgiven(run):
            self.found("peace", f"{courier} answered {run.key}, and is still on record")

    def _reaction(self, company: Company) -> timedelta:
        """How long what became known may take to reach a courier: as long as it could be told nothing is not counted."""
        now = self.day.clock.now
        silent = timedelta()
        for _ in range(4):  # whatever it is longer by may have been silence, too
            silent = self.spared.silence(company.market_id, company.courier_id, now - REACTION - silent, now)
        return REACTION + silent

    def job_taken(self, company: Company, job: Job) -> None:
        """A courier has just taken a job."""
        name = job.order_id
        order = self.orders.get(name)
        leg = _leg(order) if order else {}
        booking = next((b for b in leg.get("bookings", ()) if b["reference"] == job.reference), None)
        if booking is None:
            self.found("save_then_call", f"{job.reference} was asked for before it was saved")
            return
        others = [
            other.reference
            for each in self.day.companies.values()
            for other in each.jobs.values()
            if other.order_id == name and other is not job and other.is_live
        ]
        if others:
            self.found("one_live_booking", f"{job.reference} was taken while {others} is live at a courier")
        if not _is_live(booking):
            self.found("one_live_booking", f"{job.reference} was asked for when it was {booking['state']}")
        run = self.day.current
        assert run is not None
        now = self.day.clock.now
        faults = self._against(company, job, "pick_up", max(now, job.start), now)
        if faults:  # what became known while the run was at it is for `rezone`
            before = self._against(company, job, "pick_up", max(now, job.start), run.began_at - SKEW)
            faults = [fault for fault in faults if fault in before]
        if faults:
            self.found("clearance", f"{job.reference} was booked although {faults}")
        self._holds_its_quotas(company, job, run.began_at - SKEW)
        slot = (company.market_id, booking["slot_id"])
        if self.taken[slot] > self.room[slot]:
            self.found("capacity", f"{slot} has more jobs than places")

    def move(self, company: Company, job: Job, step: str) -> None:
        """A courier is about to fetch the gift, or to hand it over."""
        name, now = job.order_id, self.day.clock.now
        if step == "pick_up" and self.gifts[name] != "shop":
            self.found("custody", f"{job.reference} came for a gift that is with {self.gifts[name]}")
        if job.stop_asked_at is not None or (job.is_late and step == "hand_over"):
            return  # what is done after it was asked to stop, or after its time, is the courier's doing
        faults = self._against(company, job, step, now, now)
        reaction = self._reaction(company)
        if step == "pick_up":
            self._holds_its_quotas(company, job, now - reaction)
        if faults:
            for known_at in (now - reaction, *self.reading.changes(company.market_id, now - reaction, now)):
                then = self._against(company, job, step, now, known_at)
                faults = [fault for fault in faults if fault in then]  # known all the time, not now and again
        if faults:
            self.found("clearance", f"{step} of {job.reference} although {faults} was known for {reaction}")

    def _holds_its_quotas(self, company: Company, job: Job, since: datetime) -> None:
        """Whoever goes there has taken of what was counted there, by what was known at one moment since then."""
        assignment, now = _leg(self.orders[job.order_id]).get("assignment"), self.day.clock.now
        held = {per for _, per, _, _ in _held(company.market_id, assignment)}
        site = self.day.wish_of(job.order_id).site
        moments = [since, *self.reading.changes(company.market_id, since, now), now]
        if not any(held >= set(self.reading.quotas(company.market_id, site, at)) for at in moments):
            self.found("quota", f"{job.reference} goes to {site} and holds only {sorted(held)}")

    def _against(self, company: Company, job: Job, step: str, at: datetime, known_at: datetime) -> list[str]:
        wish = self.day.wish_of(job.order_id)
        bookings = _leg(self.orders[job.order_id]).get("bookings", ())
        crew_id = next(b["crew_id"] for b in bookings if b["reference"] == job.reference)
        return self.reading.against(
            step,
            at,
            known_at,
            market_id=wish.market_id,
            site=wish.site,
            shop=wish.shop,
            item_class=wish.item_class,
            courier_id=company.courier_id,
            crew_id=crew_id,
        )

    # --- brands -----------------------------------------------------------------------------------------------

    def told(self, receiver: Receiver, order_id: str, sequence: int, state: str) -> None:
        """A brand has just been told a state, and answered that it was."""
        order, run = self.orders[order_id], self.day.current
        assert run is not None
        steps = order["history"]
        if sequence >= len(steps) or steps[sequence]["state"] != state:
            self.found("notices", f"{receiver.host} was told that {order_id} is {state}, which it is not")
        runs = receiver.told.setdefault((order_id, sequence), [])
        for earlier in () if receiver.replays else runs:
            before = self.day.runs[earlier]
            if before.ended_at is not None and before.ended_at <= run.began_at and before.went_well:
                self.found(
                    "notices",
                    f"{receiver.host} was told {sequence} of {order_id} by {earlier} and by {run.key}",
                )
        if not runs and not receiver.was_replayed:
            # one that was tried and not taken waits for its next try, and does not keep the others waiting
            missing = [n for n in range(sequence) if not receiver.tries[order_id, n]]
            if missing:
                self.found("notices", f"{receiver.host} was told {sequence} of {order_id} before {missing}")
        runs.append(run.key)

    # --- the end ----------------------------------------------------------------------------------------------

    def at_rest(self) -> bool:
        """True when nothing is left to be done today."""
        try:
            self.close()
        except Broken:
            self.day.broken = None
            return False
        return True

    def close(self) -> None:
        """The day is over: every order is at an end or in a named wait, and everybody knows."""
        for wish, name in self.answered.items():
            if name not in self.orders:
                self.found("conservation", f"{wish} was accepted as {name} and is gone")
        if len(set(self.answered.values())) < len(self.answered):
            self.found("conservation", "two wishes were answered with one order")
        for name, order in self.orders.items():
            self._closed(name, order)
        for name in self.seats.unended(self.day.clock.now, self._is_on_its_way):
            self.found("seats", f"what was offered for {name} is kept, and nobody waits for an answer")
        for courier in self.spared.still_open(self.day.clock.now):
            self.found("peace", f"{courier} answers, and is left in peace at the end of the day")
        for company in self.day.companies.values():
            for job in company.jobs.values():
                leg = _leg(self.orders[job.order_id])
                booking = next(b for b in leg["bookings"] if b["reference"] == job.reference)
                if job.is_live and not _is_live(booking):
                    self.found(
                        "ends", f"{job.reference} is {booking['state']}, and its courier is still at it"
                    )

    def _is_on_its_way(self, name: str) -> bool:
        """A courier has the order, by what Cordon knows."""
        return any(_is_live(booking) for booking in _leg(self.orders[name]).get("bookings", ()))

    def _closed(self, name: str, order: dict[str, Any]) -> None:
        state, leg, now = order["history"][-1]["state"], _leg(order), self.day.clock.now
        live = [b for b in leg.get("bookings", ()) if _is_live(b)]
        if state == "held":
            look = _time(order["outlook"]["next_look"])
            if look <= now - timedelta(minutes=3):
                self.found("named_wait", f"{name} is held, and should have been looked at at {look}")
        elif live:
            job = self.day.job_of(live[0]["reference"])
            gone = job is not None and job.is_forgotten and live[0].get("next_look")
            if not gone:
                self.found("ends", f"{name} is {state} with a booking that is {live[0]['state']}")
        elif state not in AT_AN_END:
            self.found("ends", f"{name} is {state} at the end of the day")
        else:
            where = {"delivered": "client", "at_gate": "gate"}.get(state, "shop")
            gift = self.gifts[name]
            if state != "failed" and gift != where and not (state == "delivered" and gift == "gate"):
                self.found("custody", f"{name} is {state}, and its gift is with {gift}")
            if not order.get("told"):
                self.found("ends", f"{name} is {state} and this was not told")
        steps = {piece["step"] for piece in self.evidence[name]}
        for booking in leg.get("bookings", ()):
            track = booking.get("track", {})
            if leg.get("assignment") is None or booking["slot_id"] != leg["assignment"]["slot_id"]:
                continue
            if track.get("picked_up_at") and "pick_up" not in steps:
                self.found("evidence", f"{name} was fetched, and no evidence says on what")
            if track.get("kind") == "delivered" and "hand_over" not in steps:
                self.found("evidence", f"{name} was handed over, and no evidence says on what")
        for receiver in self.day.receivers.values():
            # a whole day switches on again what was switched off; a story that is shrunk may lack that deed
            rightly_off = self.day.keep is not None and receiver.was_replayed
            if rightly_off and receiver.endpoint_id in self.switched_off:
                continue
            if receiver.brand_id == order["brand_id"]:
                missing = [n for n in range(len(order["history"])) if (name, n) not in receiver.told]
                if missing:
                    self.found("notices", f"{receiver.host} was never told {missing} of {name}")


Counted = tuple[str, str, str, str]
"""Market, what is counted (zone, household, courier, permit), its name, and the local day, of a permit none."""


def _counter(pk: str, sk: str) -> Counted:
    kind, _, rest = pk.partition("#")
    per, _, name = sk.partition("#")
    market_id, _, day = rest.partition("#")
    return market_id, "permit" if kind == "fleet" else per, name, day


def _held(market_id: str, assignment: dict[str, Any] | None) -> frozenset[Counted]:
    taken = (assignment or {}).get("quotas", ())
    return frozenset((market_id, one["per"], one["name"], one.get("day") or "") for one in taken)


def _leg(order: dict[str, Any]) -> dict[str, Any]:
    legs = order.get("legs")
    leg: dict[str, Any] = legs[-1] if legs else {}
    return leg


def _is_live(booking: dict[str, Any]) -> bool:
    return booking["state"] in LIVE and booking.get("track", {}).get("kind") not in ENDS


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
