"""A simulated day: the real flows on a table and queues in memory, by a virtual clock, in bad weather.

One integer gives one day. What is left of it can be chosen by name (`keep`, `only`), which is how a day that
failed is shrunk to a story.
"""

from __future__ import annotations

import heapq
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import orders
from chalicelib.domain.dialect import Callback
from chalicelib.domain.errors import Stale
from chalicelib.domain.fleet import Courier, Crew, Permit, Slot
from chalicelib.domain.orders import NewOrder
from chalicelib.domain.pass_answers import DigitalAction, DigitalStep
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Topic, World
from chalicelib.domain.shapes import stamp
from chalicelib.flows import answer, cancel, enlist, look, place, publish, subscribe, sweep, tell
from chalicelib.flows import receive as receiving
from tests import drive, fakes
from tests.paper import callback
from tests.simulation import plan as plans
from tests.simulation import processes, seats
from tests.simulation.brands import Receiver
from tests.simulation.couriers import Company, Crane, Heron, Job, Paper
from tests.simulation.judge import AT_AN_END, Broken, Judge
from tests.simulation.processes import HELD_FOR, LIMITS, Hand, Killed, Run, closed
from tests.simulation.quick import quickly
from tests.simulation.scale import scaled
from tests.simulation.store import Store
from tests.simulation.trouble import Trouble

VISIBLE_AGAIN = (40.0, 180.0)
"""Seconds after which a message that was given back, or whose process died, comes again."""
SLOW = {"dispatch": 0.15, "rules": 0.1, "book": 0.12}
"""How likely a run is slow: planners most of all, so that they outlive their leases."""
SO_BRIEFLY = 2.0
"""Seconds that a planner is held while something happens in its middle: longer, and others plan its orders first."""
AT_THE_LATEST = 1200.0
"""Seconds that a deed waits for a planner in whose middle it can happen."""
TRIES = 5
"""Then it goes to the dead letters."""
OUT_HOURS = 5
"""Within these a courier may go out; whoever does is back in fair weather."""


@dataclass
class Day:
    """One day, to be played once."""

    seed: int
    keep: Collection[str] | None = None
    """Names of orders and deeds that take place; None: all."""
    only: Collection[str] | None = None
    """Names of mishaps that may happen; None: all."""
    clock: fakes.FakeClock = field(default_factory=lambda: fakes.FakeClock(plans.NOON))
    began_at: datetime = plans.NOON
    broken: Broken | None = None
    current: Run | None = None

    def __post_init__(self) -> None:
        self.plan = plans.drawn(self.seed)
        self.trouble = Trouble(self.seed, self.only)
        self.trouble.now = self.clock.now
        self.judge = Judge(self)
        self.store = Store(self.clock, self.judge.committed)
        self.sealer = fakes.FakeSealer()
        self.secrets = fakes.FakeSecrets()
        self.dialects = {"paper": Paper(), "crane": Crane(), "heron": Heron()}
        self.companies: dict[str, Company] = {}
        self.receivers: dict[str, Receiver] = {}
        self.uploads: dict[str, dict[str, str]] = {}
        """Upload to the sites and the policies it states."""
        self.runs: dict[str, Run] = {}
        self.counted: Counter[str] = Counter()
        """What was logged, what came of runs, and what else happened."""
        self.story: list[tuple[datetime, str, tuple[Any, ...]]] = []
        self.wishes: dict[str, plans.Wish] = {}
        """Order id to the wish."""
        self._occasions: Counter[str] = Counter()
        self._agenda: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._back = closed()
        self._held: dict[str, Run] = {}
        self._mid_flight: list[plans.Deed] = []
        self._processes = [processes.process(self, number) for number in range(len(processes.SKEWS))]

    # --- playing ----------------------------------------------------------------------------------------------

    def play(self) -> Day:
        """From the first order to the last state told. Raises `Broken` where an invariant does not hold."""
        with quickly(), scaled(self.seed, self.counted):
            try:
                self._set_up()
                self._run_out()
            finally:
                self._end_threads()
        return self

    def _run_out(self) -> None:
        agenda = self._agenda
        while agenda:
            at, _, do, args = heapq.heappop(agenda)
            if at > plans.END:
                break
            if at > self.clock.now:
                self.clock.now = self.trouble.now = at
            do(*args)
            if self.broken is not None:
                raise self.broken
        self.judge.close()

    def after(self, seconds: float, do: Callable[..., None], *args: Any) -> None:
        """Have it done so many seconds from now."""
        self.at(self.clock.now + timedelta(seconds=seconds), do, *args)

    def at(self, when: datetime, do: Callable[..., None], *args: Any) -> None:
        """Have it done then."""
        self._number += 1
        heapq.heappush(self._agenda, (when, self._number, do, args))

    def tell(self, text: str, *facts: Any) -> None:
        """One step of the story."""
        self.story.append((self.clock.now, text, facts))

    def log(self, event: str, **facts: Any) -> None:
        """`ports.Log`."""
        self.counted[event] += 1

    def forget(self) -> None:
        """Let go of everything, so that nothing of a day has to be collected. It cannot be asked anything after."""
        self.__dict__.clear()

    # --- running flows ----------------------------------------------------------------------------------------

    def run(
        self, function: str, label: str, do: Callable[[World], Any], done: Callable[[Run], None] | None = None
    ) -> None:
        """Have a process run this flow; `done` is told how it ended."""
        self._occasions[label] += 1
        key = f"{label}#{self._occasions[label]}"
        self._begin(function, key, do, done or (lambda run: None))

    def _begin(
        self, function: str, key: str, do: Callable[[World], Any], done: Callable[[Run], None]
    ) -> None:
        free = [process for process in self._processes if process.run is None]
        if not free:
            self.after(1.0, self._begin, function, key, do, done)
            return
        process = free[int(self.trouble.roll(key) * len(free))]
        run = Run(key, do, done, self.clock.now, timedelta(seconds=LIMITS[function]), process)
        run.is_slow = self.trouble.strikes("slow", key, SLOW.get(function, 0.05))
        self.runs[key] = process.run = run
        self.tell("{} in process {}{}", key, process.number, " (slow)" if run.is_slow else "")
        self.current = run
        if run.is_slow:
            self._held[key] = run
            run.go = closed()
            Hand.borrow(lambda: self._in_a_thread(run))
            self._hand_to(run)
        else:
            processes.run_in_one_go(run)
            self._ended(run)

    def _in_a_thread(self, run: Run) -> threading.Lock:
        assert run.go is not None
        run.go.acquire()
        processes.run_in_one_go(run)
        run.ended_at = self.clock.now
        return self._back

    def _hand_to(self, run: Run) -> None:
        assert run.go is not None
        self.current = run
        run.go.release()
        self._back.acquire()
        self.current = None
        if run.ended_at is not None:
            del self._held[run.key]
            self._ended(run)

    def maybe_hold(self, run: Run, where: str, most_s: float | None = None, *, writes: bool = False) -> None:
        """Hold a slow run at this call, or not, while others go on. Called in its own thread."""
        meets = self._meets(run) if writes and self._mid_flight else []
        if self.trouble.over or (not meets and self.trouble.roll(f"hold {where}") > 0.3):
            return
        seconds = HELD_FOR[int(self.trouble.roll(f"long {where}") * len(HELD_FOR))]
        seconds = seconds if most_s is None else min(seconds, most_s)
        for deed in meets:
            self.after(0.05, self._do_if_waiting, deed)
            seconds = SO_BRIEFLY
        end = run.began_at + run.limit
        until = min(self.clock.now + timedelta(seconds=seconds), end)
        self.counted["held"] += 1
        self.tell("    {} is held for {} s", run.key, seconds)
        self.at(until, self._go_on, run)
        assert run.go is not None
        self._back.release()
        run.go.acquire()
        self.current = run
        if run.is_dead:
            raise Killed
        if self.clock.now >= end:
            run.is_dead = True
            self.counted["timed_out"] += 1
            raise Killed

    def _meets(self, run: Run) -> list[plans.Deed]:
        """What is in store for the market that this run plans: it happens between its reading and its writing."""
        return [deed for deed in self._mid_flight if run.key.startswith(f"dispatch:{deed.facts['market']}")]

    def _go_on(self, run: Run) -> None:
        self.tell("    {} goes on", run.key)
        self._hand_to(run)

    def take_time(self, seconds: float) -> None:
        """Whoever runs now waits so long, by its stopwatch."""
        assert self.current is not None
        self.current.process.extra_s += seconds

    def _ended(self, run: Run) -> None:
        self.current = None
        run.ended_at = self.clock.now
        run.process.run = None
        self.counted[f"run {run.outcome}"] += 1
        if run.outcome != "done":
            self.tell("    {} ended: {} {!r}", run.key, run.outcome, run.error)
        if run.outcome == "broken":
            if isinstance(run.error, Broken):
                raise run.error
            self.broken = Broken("no_surprise", f"{run.key} raised {run.error!r}")
            raise self.broken from run.error
        if run.outcome == "killed":
            run.process.world.memory.clear()  # the next process in its place remembers nothing
        self.judge.ended(run)
        run.done(run)

    def _end_threads(self) -> None:
        for run in list(self._held.values()):
            assert run.go is not None
            run.is_dead = True
            run.go.release()
            self._back.acquire()
        self._held.clear()

    # --- messages ---------------------------------------------------------------------------------------------

    def send(self, topic: Topic, name: str, where: str) -> None:
        """A nudge has been taken by the queue: it arrives once, or twice, or late, or never, in any order."""
        strikes, roll = self.trouble.strikes, self.trouble.roll
        here = f"{where} {topic.value} {name}"
        if strikes("message_lost", here, 0.02):
            self.tell("    lost: {} {}", topic.value, name)
            return
        wait = 2 * roll(here)
        if strikes("message_late", here, 0.03):
            wait = 30 + 900 * roll(here + " late")
        self.after(wait, self._deliver, topic, name, 1)
        if strikes("message_doubled", here, 0.03):
            self.after(60 * roll(here + " again"), self._deliver, topic, name, 1)

    def _deliver(self, topic: Topic, name: str, tries: int) -> None:
        def done(run: Run) -> None:
            if run.outcome in ("done", "refused"):
                return
            if tries >= TRIES:
                self.counted["dead_letter"] += 1
                self.tell("    dead letter: {} {}", topic.value, name)
                return
            low, high = VISIBLE_AGAIN
            self.after(
                low + (high - low) * self.trouble.roll(run.key + " visible"),
                self._deliver,
                topic,
                name,
                tries + 1,
            )

        self.run(topic.value, f"{topic.value}:{name}", lambda world: drive.run(world, topic, name), done)

    # --- schedules --------------------------------------------------------------------------------------------

    def _minute(self, number: int) -> None:
        now = self.clock.now
        self.at(now + timedelta(minutes=1), self._minute, number + 1)
        if now >= plans.FAIR_WEATHER:
            self.trouble.over = True
            if number % 15 == 0 and self._quiet():
                self._agenda.clear()
                return
        soon = stamp(now + timedelta(seconds=3))
        first = self.store.earliest("pool#")
        if first is not None and first <= soon:
            self.run("api", "tick", sweep.tick)
        first = self.store.earliest("wait#", "hooks", "upload")
        if (first is not None and first <= soon) or number % 15 == 0:
            self.run("api", "sweep", sweep.sweep)

    def _quiet(self) -> bool:
        """True when all that is left of the day is waiting for tomorrow."""
        if self._held or any(
            order["history"][-1]["state"] not in (*AT_AN_END, "held") for order in self.judge.orders.values()
        ):
            return False
        return self.judge.at_rest()

    # --- people -----------------------------------------------------------------------------------------------

    def ask(
        self,
        label: str,
        do: Callable[[World], Any],
        then: Callable[[Any], None] | None = None,
        tries: int = 12,
    ) -> None:
        """Call the API as people do: again, after a while, when it was busy or did not answer."""

        def done(run: Run) -> None:
            if run.outcome == "done":
                if then is not None:
                    then(run.result)
            elif run.outcome == "refused" and not isinstance(run.error, Stale):
                self.counted[f"refused {type(run.error).__name__}"] += 1
            elif tries > 1:
                self.after(
                    5 + 60 * self.trouble.roll(run.key + " again"), self.ask, label, do, then, tries - 1
                )

        self.run("api", label, do, done)

    def _place(self, wish: plans.Wish) -> None:
        new = NewOrder.model_validate_json(json.dumps(wish.body))

        def answered(answer: tuple[Any, bool]) -> None:
            order, _ = answer
            before = self.judge.answered.setdefault(wish.name, order.order_id)
            if before != order.order_id:
                self.judge.found("conservation", f"{wish.name} was answered {before} and {order.order_id}")
            self.tell("  {} is {}", wish.name, order.order_id)

        self.ask(
            f"place {wish.name}",
            lambda world: place.place(world, wish.brand_id, f"key-{wish.name}", new),
            answered,
        )

    def _do(self, deed: plans.Deed) -> None:
        if not deed.facts.get("mid_flight"):
            self._do_now(deed)
            return
        self._mid_flight.append(deed)
        self.after(AT_THE_LATEST, self._do_if_waiting, deed)

    def _do_if_waiting(self, deed: plans.Deed) -> None:
        if deed in self._mid_flight:
            self._mid_flight.remove(deed)
            self._do_now(deed)

    def _do_now(self, deed: plans.Deed) -> None:
        self.counted[deed.what] += 1
        self.tell("  {}", deed)
        facts = deed.facts
        if deed.order:
            self._do_to_an_order(deed, next(w for w in self.plan.wishes if w.name == deed.order))
        elif deed.what == "publish":
            self._publish(deed.name, facts["market"], {facts["site"]: facts["policy"]}, "amend")
        elif deed.what == "withdraw":
            self._put(deed, enlist.put_crew, Crew, {**facts["crew"], "withdrawn": True})
        elif deed.what == "report a test of":
            self._put(deed, enlist.put_crew, Crew, {**facts["crew"], "credentials": facts["tests"]})
        elif deed.what in ("suspend", "resume"):
            courier = next(c for c in self.plan.couriers if c["courier_id"] == facts["courier"])
            self._put(deed, enlist.put_courier, Courier, {**courier, "suspended": deed.what == "suspend"})
        elif deed.what == "revoke":
            self._put(deed, enlist.put_permit, Permit, {**facts["permit"], "revoked_at": facts["at"]})
        elif deed.what == "resize":
            self._put(deed, enlist.put_slot, Slot, {**facts["slot"], "capacity": facts["capacity"]})
        else:
            self._do_to_endpoints(deed, facts["brand"])

    def _put(
        self, deed: plans.Deed, flow: Callable[[World, Any], Any], noun: Any, facts: Mapping[str, Any]
    ) -> None:
        self.ask(f"{deed.what} {deed.name}", lambda world: flow(world, noun.model_validate(facts)))

    def _do_to_an_order(self, deed: plans.Deed, wish: plans.Wish) -> None:
        name = order_id_of(wish)
        if deed.what == "place again":
            self._place(wish)
        elif deed.what == "place another under its key":
            other = NewOrder.model_validate_json(json.dumps({**wish.body, "reference": "ANOTHER"}))

            def taken(answer: tuple[Any, bool]) -> None:
                if wish.name in self.judge.answered:
                    self.judge.found("conservation", f"another gift was taken under the key of {wish.name}")

            if wish.name in self.judge.answered:
                self.ask(
                    f"place another {wish.name}",
                    lambda world: place.place(world, wish.brand_id, f"key-{wish.name}", other),
                    taken,
                )
        elif deed.what == "cancel":

            def end(world: World) -> None:
                order = look.own_order(world, wish.brand_id, name)
                cancel.cancel(world, wish.brand_id, name, order.version)

            self.ask(f"cancel {wish.name}", end)
        elif deed.what == "rather give":

            def instead(world: World) -> None:
                order = look.own_order(world, wish.brand_id, name)
                if order.state is orders.OrderState.FAILED:
                    return  # where its parcel is, a person has to find out first
                send = DigitalAction(action=DigitalStep.SEND)
                answer.act(world, wish.brand_id, name, send, order.version)

            self.ask(f"rather give {wish.name}", instead)
        elif deed.what in ("say yes for", "say no for"):
            said = answer.accept if deed.what == "say yes for" else answer.decline
            self.ask(f"{deed.what} {wish.name}", lambda world: said(world, name))
        else:
            self.ask(f"receipt {wish.name}", lambda world: cancel.receipt(world, name))

    def _do_to_endpoints(self, deed: plans.Deed, brand_id: str) -> None:
        for receiver in self.receivers.values():
            if receiver.brand_id != brand_id:
                continue
            endpoint_id, label = receiver.endpoint_id, f"{deed.what} {deed.name}"
            if deed.what == "fall ill":
                receiver.ill, receiver.ill_until = deed.facts["ill"], self.clock.now + deed.facts["for"]
                self.trouble.counts[receiver.ill] += 1
                receiver.was_replayed |= receiver.ill == "brand_gone"
            elif deed.what == "rotate":
                self.ask(label, lambda world, name=endpoint_id: subscribe.rotate(world, brand_id, name))
            elif deed.what == "disable":
                receiver.was_replayed = True
                self.ask(label, lambda world, name=endpoint_id: subscribe.disable(world, brand_id, name))
            elif deed.what == "replay" or receiver.was_replayed:
                self._replay(receiver, label)

    def _replay(self, receiver: Receiver, label: str) -> None:
        def again(world: World) -> None:
            subscribe.enable(world, receiver.brand_id, receiver.endpoint_id)
            receiver.was_replayed = True
            receiver.replays += 1
            after: str | None = None
            try:
                while True:
                    replayed = tell.replay(
                        world,
                        receiver.brand_id,
                        receiver.endpoint_id,
                        since=self.began_at - timedelta(days=1),
                        after=after,
                    )
                    after = replayed.after
                    if after is None:
                        return
            finally:  # however far it came: what was told before it ended may be told once more
                receiver.replays -= 1
                for runs in receiver.told.values():
                    runs.clear()

        self.ask(label, again)

    def _publish(self, name: str, market_id: str, sites: Mapping[str, str], mode: str) -> None:
        market = plans.MARKETS[market_id]
        part = json.dumps(
            {"policies": policies(), "features": [feature(market_id, s, p) for s, p in sites.items()]}
        ).encode()

        def begin(world: World) -> Any:
            upload = publish.begin(
                world, market_id, "source", mode=mode, time_zone=market["time_zone"], datum=market["datum"]
            )
            self.uploads[upload.upload_id] = dict(sites)
            return upload

        def add(upload: Any) -> None:
            self.ask(
                f"add a part {name}",
                lambda world: publish.add_part(world, market_id, upload.upload_id, 1, part),
                lambda _: self.ask(
                    f"finish {name}", lambda world: publish.finish(world, market_id, upload.upload_id)
                ),
            )

        self.ask(f"publish {name}", begin, add)

    # --- couriers at work -------------------------------------------------------------------------------------

    def live_a_job(self, company: Company, job: Job) -> None:
        """What a courier does with a job that it has taken."""
        strikes, name, now = self.trouble.strikes, job.reference, self.clock.now

        def soon(what: str, low: float, high: float) -> timedelta:
            return timedelta(minutes=low + (high - low) * self.trouble.roll(f"{name} {what}"))

        self._say(company, job, "accepted", 0.7)
        if strikes("job_forgotten", name, 0.03):
            self.at(now + soon("forgotten", 1, 20), self._forget, job)
            return
        if strikes("job_dropped", name, 0.05):
            self.at(now + soon("dropped", 1, 30), self.end_job, company, job, "cancelled")
            return
        if strikes("job_not_begun", name, 0.03):
            return
        fetch = max(now + soon("fetch", 3, 12), job.start + soon("start", 0, 15))
        self.at(fetch - timedelta(minutes=2), self._say, company, job, "courier_assigned", 0.4)
        self.at(fetch - timedelta(minutes=1), self._say, company, job, "at_pick_up", 0.4)
        if strikes("pick_up_failed", name, 0.04):
            self.at(fetch, self.end_job, company, job, "pick_up_failed")
            return
        hand = max(fetch + soon("carry", 10, 30), job.deliver_from + soon("from", 0, 20))
        if hand >= job.deliver_by:
            hand = max(fetch + timedelta(minutes=5), job.deliver_by - timedelta(minutes=1))
        if strikes("courier_late", name, 0.05):
            hand = max(hand, job.deliver_by) + soon("late", 5, 50)
        job.is_late = hand > job.deliver_by
        self.at(fetch, self._fetch, company, job, hand)

    def _forget(self, job: Job) -> None:
        if job.is_live and job.picked_up_at is None:
            job.is_forgotten = True
            self.tell("  {} is forgotten by its courier", job.reference)

    def _fetch(self, company: Company, job: Job, hand: datetime) -> None:
        if not job.is_live:
            return
        self.judge.move(company, job, "pick_up")
        now = self.clock.now
        job.picked_up_at = now
        self.judge.gifts[job.order_id] = job.reference
        self._reach(company, job, "picked_up")
        self.at(now + timedelta(minutes=2), self._under_way, company, job)
        if self.trouble.strikes("gift_damaged", job.reference, 0.02):
            self.at(hand, self.end_job, company, job, "failed")
        elif self.trouble.strikes("not_received", job.reference, 0.05):
            self.at(hand, self.bring_back, company, job)
        else:
            self.at(hand, self._hand_over, company, job)

    def _under_way(self, company: Company, job: Job) -> None:
        if job.state == "picked_up" and self.trouble.roll(f"{job.reference} says") < 0.5:
            self._reach(company, job, "in_transit")

    def _hand_over(self, company: Company, job: Job) -> None:
        if job.state not in ("picked_up", "in_transit"):
            return
        self.judge.move(company, job, "hand_over")
        wish, now = self.wish_of(job.order_id), self.clock.now
        there = self.judge.reading.ways(wish.market_id, wish.site, now) or frozenset()
        job.how = "door" if job.told == "door" and "door" in there else "gate"
        job.handed_over_at = now
        self.judge.gifts[job.order_id] = "client" if job.how == "door" else "gate"
        self.end_job(company, job, "delivered")

    def bring_back(self, company: Company, job: Job) -> None:
        """The courier has the gift and turns round."""
        if job.state not in ("picked_up", "in_transit"):
            return
        self._reach(company, job, "returning")
        self.after(
            60 * (10 + 30 * self.trouble.roll(f"{job.reference} back")), self._back_again, company, job
        )

    def _back_again(self, company: Company, job: Job) -> None:
        self.judge.gifts[job.order_id] = "shop"
        self.end_job(company, job, "returned")

    def end_job(self, company: Company, job: Job, state: str, tell: bool = True) -> None:
        """It is over for this courier."""
        if not job.is_live or (state in ("cancelled", "pick_up_failed") and job.picked_up_at is not None):
            return
        job.ended_at = self.clock.now
        self._reach(company, job, state, tell)

    def _reach(self, company: Company, job: Job, state: str, tell: bool = True) -> None:
        job.state, job.since = state, self.clock.now
        self.tell("  {} of {} is {}", job.reference, company.courier_id, state)
        if tell:
            self._say(company, job, state)

    def _say(self, company: Company, job: Job, kind: str, probability: float = 1.0) -> None:
        """A callback, which gets lost, or is late, or comes twice, or is somebody else's."""
        if probability < 1 and (
            not job.is_live or self.trouble.roll(f"{job.reference} {kind} said") > probability
        ):
            return
        strikes, roll, where = self.trouble.strikes, self.trouble.roll, f"{job.reference} {kind}"
        wrong = timedelta(seconds=8 * roll(company.courier_id + " clock") - 4)
        said = company.says(job, kind, self.clock.now + wrong)
        at = company.courier_id
        if strikes("callback_forged", where, 0.04):
            body = callback(job.reference, "delivered", self.clock.now, secret="guessed")
            self.after(
                20 * roll(where + " forged"),
                self._call_back,
                company.market_id,
                at,
                body,
                where + " forged",
                1,
            )
        if company.hints and strikes("callback_false", where, 0.06):
            lie = "delivered" if roll(where + " lie") < 0.5 else "cancelled"
            body = callback(job.reference, lie, self.clock.now, secret=company.secret)
            self.after(
                20 * roll(where + " false"), self._call_back, company.market_id, at, body, where + " false", 1
            )
        if strikes("callback_of_another", where, 0.03):
            other = next(
                each
                for each in self.companies.values()
                if each.market_id == company.market_id and each.courier_id != at
            )
            body = callback(job.reference, "delivered", self.clock.now, secret=other.secret)
            self.after(
                20 * roll(where + " other"),
                self._call_back,
                other.market_id,
                other.courier_id,
                body,
                where + " other",
                1,
            )
        if strikes("callback_unreadable", where, 0.03):
            body = callback(job.reference, "weather", self.clock.now, secret=company.secret)
            self.after(
                20 * roll(where + " odd"), self._call_back, company.market_id, at, body, where + " odd", 1
            )
        if strikes("callback_lost", where, 0.05):
            return
        wait = 1 + 30 * roll(where + " wait")
        if strikes("callback_late", where, 0.05):
            wait = 60 + 5400 * roll(where + " late")
        self.after(wait, self._call_back, company.market_id, at, said, where, 1)
        if strikes("callback_doubled", where, 0.05):
            self.after(
                wait + 600 * roll(where + " twice"),
                self._call_back,
                company.market_id,
                at,
                said,
                where + " twice",
                1,
            )

    def _call_back(self, market_id: str, courier_id: str, said: Callback, where: str, tries: int) -> None:
        def done(run: Run) -> None:
            if where.endswith("forged") and run.outcome == "done":
                self.judge.found("clearance", f"a forged callback was believed: {where}")
            if run.outcome in ("delayed", "killed") and tries < 4:
                self.after(20 * tries, self._call_back, market_id, courier_id, said, where, tries + 1)

        self.run(
            "api",
            f"callback {where}",
            lambda world: receiving.receive(world, market_id, courier_id, said),
            done,
        )

    # --- who is who -------------------------------------------------------------------------------------------

    def wish_of(self, order_id: str) -> plans.Wish:
        """What that order was placed for."""
        return self.wishes[order_id]

    def job_of(self, reference: str) -> Job | None:
        """The job under that reference, whoever has it."""
        return next((c.jobs[reference] for c in self.companies.values() if reference in c.jobs), None)

    def job_that_moved(self, order_id: str) -> Job | None:
        """The job by which that order's gift changed hands."""
        return next(
            (
                j
                for c in self.companies.values()
                for j in c.jobs.values()
                if j.order_id == order_id and j.handed_over_at
            ),
            None,
        )

    # --- the morning ------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        """Markets, rules, fleets and brands, without any trouble."""
        quiet = fakes.world(
            table=self.store,
            clock=self.clock,
            dialects=self.dialects,
            secrets=self.secrets,
            sealer=self.sealer,
        )
        for market_id, market in plans.MARKETS.items():
            enlist.put_market(quiet, Market.model_validate(market))
            sites = {site: rule for (where, site), rule in self.plan.zones.items() if where == market_id}
            upload = publish.begin(
                quiet,
                market_id,
                "source",
                mode="replace",
                time_zone=market["time_zone"],
                datum=market["datum"],
            )
            self.uploads[upload.upload_id] = sites
            part = {
                "policies": policies(),
                "features": [feature(market_id, site, rule) for site, rule in sites.items()],
            }
            publish.add_part(quiet, market_id, upload.upload_id, 1, json.dumps(part).encode())
            publish.finish(quiet, market_id, upload.upload_id)
            publish.publish(quiet, market_id, upload.upload_id)
        for facts in self.plan.couriers:
            courier = enlist.put_courier(quiet, Courier.model_validate(facts))
            host = f"{courier.courier_id}.example"
            secret = f"secret of {courier.courier_id}"
            self.secrets.by_account[courier.dialect, courier.account] = [{"secret": secret, "host": host}]
            company = self.companies[host] = Company(
                self,
                courier.market_id,
                courier.courier_id,
                secret,
                courier.dialect == "crane",
                hints=courier.dialect == "heron",
            )
            for hour in range(OUT_HOURS):
                where = f"{courier.courier_id} {hour}"
                begins = self.began_at + timedelta(hours=hour + self.trouble.roll(f"{where} out"))
                self.at(begins, company.goes_out, where)
        for facts in self.plan.crews:
            enlist.put_crew(quiet, Crew.model_validate(facts))
        for facts in self.plan.permits:
            enlist.put_permit(quiet, Permit.model_validate(facts))
        for facts in self.plan.slots:
            enlist.put_slot(quiet, Slot.model_validate(facts))
        for brand_id, hosts in self.plan.endpoints.items():
            for host in hosts:
                receiver = Receiver(self, brand_id, host)
                endpoint, _ = subscribe.create(quiet, brand_id, f"https://{host}/hooks")
                receiver.endpoint_id = endpoint.endpoint_id
                self.receivers[host] = receiver
        seats.put_up(quiet)
        wanted = None if self.keep is None else frozenset(self.keep)
        for wish in self.plan.wishes:
            self.wishes[order_id_of(wish)] = wish
            if wanted is None or wish.name in wanted:
                self.at(wish.at, self._place, wish)
        for deed in self.plan.deeds:
            if wanted is None or (deed.name in wanted and (not deed.order or deed.order in wanted)):
                self.at(deed.at, self._do, deed)
        self.at(self.began_at + timedelta(minutes=1), self._minute, 1)


def order_id_of(wish: plans.Wish) -> str:
    """The id that the order will have."""
    return orders.order_id_of(wish.brand_id, f"key-{wish.name}")


def policies() -> list[dict[str, Any]]:
    """Every policy, as an upload states it."""
    return [{"policy_id": name, "version": 1, "title": name, **rule} for name, rule in plans.POLICIES.items()]


def feature(market_id: str, site: str, policy: str) -> dict[str, Any]:
    """A compound under a policy, as an upload states it."""
    return {
        "type": "Feature",
        "geometry": None,
        "properties": {
            "zone_id": f"zone-{site}",
            "level": plans.LEVELS[policy],
            "policy": f"{policy}@1",
            "unit": {"kind": "compound", "district": plans.DISTRICT[market_id], "compound": site},
            "valid_from": (plans.NOON - timedelta(days=1)).isoformat(),
        },
    }
