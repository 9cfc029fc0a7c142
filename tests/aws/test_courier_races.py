"""Sixteen workers at once about one gift, through the real flows, on every store: whoever books, cancels, hears, looks
up or sweeps beside others leaves one live booking, and no place is lost or sold twice.

All that can decide has decided before anybody saves: the first write of each worker waits for that of every other.
"""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import CordonError, Refused, Stale
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import BookingState, order_of
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.ports import Change, Keep, Table, World
from chalicelib.flows import enlist, look, receive, sweep
from chalicelib.flows.book import book
from chalicelib.flows.cancel import cancel
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.hear import hear
from chalicelib.flows.place import place
from tests import drive
from tests.fakes import FakeLine, FakeLog, FakeQueues
from tests.paper import PaperCompany, callback
from tests.stage import Stage, crew, new_order, permit, slot, stage

WORKERS, PLACES = 16, 3


@dataclasses.dataclass
class Together:
    """A worker's view of the table: its first write waits until every worker has one, or can have none any more."""

    table: Table
    everybody: threading.Barrier
    has_waited: bool = False

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.table, verb)

    def write(self, *changes: Change) -> None:
        self.waits()
        self.table.write(*changes)

    def waits(self) -> None:
        if self.has_waited:
            return
        self.has_waited = True
        try:
            self.everybody.wait(10)
        except threading.BrokenBarrierError:
            pass  # somebody found nothing to write: the others go on without


@dataclasses.dataclass
class Town:
    """Two couriers of one company with places for a few, on some store."""

    on: Stage
    table: Table
    then: Callable[[str], None] = lambda verb: None
    """What else happens once the company has done as it was asked, and before it answers."""

    @property
    def company(self) -> PaperCompany:
        return self.on.company

    def process(self, table: Table | None = None) -> World:
        """A process of its own: own queues, own memory."""
        return dataclasses.replace(
            self.on.plain, table=table or self.table, queues=FakeQueues(), log=FakeLog(), memory={}
        )

    def at_once(self, at_once: Any, *acts: Callable[[World], object]) -> list[Any]:
        """Sixteen processes, each with the next of the acts; then the queues of all are emptied by one."""
        everybody = threading.Barrier(WORKERS)
        worlds = [self.process(Together(self.table, everybody)) for _ in range(WORKERS)]  # type: ignore[arg-type]

        def act(n: int) -> object:
            try:
                return acts[n % len(acts)](worlds[n])
            finally:
                if not worlds[n].table.has_waited:  # type: ignore[attr-defined]
                    everybody.abort()

        answers = at_once(act, WORKERS)
        odd = [one for one in answers if isinstance(one, Exception) and not isinstance(one, CordonError)]
        assert not odd, odd
        self.settle([message for world in worlds for message in world.queues.sent])  # type: ignore[attr-defined]
        return list(answers)

    def settle(self, sent: Sequence[Any] = ()) -> None:
        world = self.process()
        world.queues.sent += sent  # type: ignore[attr-defined]
        drive.settle(world)

    def minutes(self, count: int) -> None:
        drive.minutes(self.process(), self.on.clock, count)

    def order(self, order_id: str) -> Order:
        return facts.load_order(self.table, order_id)

    def says(self, reference: str, kind: str, *, really: bool = True) -> None:
        """The courier's callback, taken and not yet heard."""
        now = self.on.clock()
        said = self.company.move(reference, kind, now) if really else callback(reference, kind, now)
        receive.receive(self.process(), "SHA", "paper-co", said)

    def agrees(self, *order_ids: str) -> None:
        """One live booking a gift, here and at the company; each place is left or held, by one."""
        held = {"slot-1": 0, "slot-2": 0}
        for order_id in order_ids:
            order = self.order(order_id)
            live = [b for b in order.leg.bookings if b.is_live]
            assert len(live) <= 1, live
            jobs = [
                job for ref, job in self.company.jobs.items() if order_of(ref)[0] == order_id and job.is_open
            ]  # type: ignore[index]
            assert [job.reference for job in jobs] == [b.reference for b in live], order.state
            if order.leg.assignment is not None:
                held[order.leg.assignment.slot_id] += 1
        for name, count in held.items():
            row = self.table.get(facts.slot_key("SHA", name))
            assert row is not None
            assert row.counters[facts.LEFT] >= 0
            assert row.counters[facts.LEFT] + count == PLACES, (name, row.counters, held)
        assert not self.company.doubled, "two couriers at one door"


@pytest.fixture
def town(fresh: Callable[[], Table]) -> Town:
    on = stage(capacity=PLACES)
    other = enlist.courier(on.world, "SHA", "paper-co").model_copy(update={"courier_id": "other-co"})
    enlist.put_courier(on.world, Courier.model_validate(other))
    enlist.put_crew(on.world, crew(2, courier_id="other-co"))
    enlist.put_permit(on.world, permit(2))
    enlist.put_slot(on.world, slot(2, PLACES, courier_id="other-co"))
    drive.settle(on.world)
    on.plain.queues.take()  # type: ignore[attr-defined]
    table = fresh()
    for row in on.plain.table.rows.values():  # type: ignore[attr-defined]
        table.write(Keep(row, was=None))
    found = Town(on, table)
    turn = threading.Lock()

    def answer(request: Request) -> Reply:
        if "paper.example" not in request.url:
            return on.brand(request)
        with turn:  # a company does one thing at a time, and is not held up by who waits for its answer
            reply = on.company(request)
        found.then(request.url.rsplit("/", 1)[1])
        return reply

    on.plain.line = FakeLine(answer)
    return found


def assigned(town: Town, key: str = "key-1") -> str:
    """A gift that has a courier's place and is not booked yet."""
    world = town.process()
    order, _ = place(world, "maison", key, new_order())
    dispatch(world, "SHA")
    given = town.order(order.order_id).leg.assignment
    assert given is not None and given.courier_id == "paper-co"
    return order.order_id


def booked(town: Town) -> tuple[str, str]:
    """A gift that is booked, and the reference of its job, twenty minutes into its stay."""
    name = assigned(town)
    book(town.process(), name)
    town.on.clock.forward(minutes=80)
    return name, town.order(name).leg.bookings[0].reference


def ends(name: str) -> Callable[[World], object]:
    """What a brand does that wants the end of its order: read it, ask, and read again when it has moved."""

    def act(world: World) -> object:
        for _ in range(WORKERS):
            try:
                return cancel(world, "maison", name, look.own_order(world, "maison", name).version)
            except Stale:
                continue
        raise AssertionError("it moved under every one of them")

    return act


def sweeps(world: World) -> None:
    """A sweep, and all that it nudges."""
    sweep.sweep(world)
    drive.settle(world)


def test_sixteen_workers_who_book_one_gift_make_one_job(town: Town, at_once: Any) -> None:
    name = assigned(town)
    town.at_once(at_once, lambda world: book(world, name))
    assert [verb for verb, _ in town.company.calls] == ["book"], "one attempt was saved, and one was made"
    assert town.order(name).state is OrderState.BOOKED
    town.agrees(name)


def test_a_courier_given_up_for_lost_accepts_while_another_is_booked_and_one_of_them_carries_it(
    town: Town, at_once: Any
) -> None:
    town.company.deaf.add("book")
    name = assigned(town)
    book(town.process(), name)
    town.company.deaf.clear()
    (lost,) = town.order(name).leg.bookings
    town.on.clock.forward(minutes=6)
    courier = enlist.courier(town.process(), "SHA", "paper-co")
    enlist.put_courier(town.process(), courier.model_copy(update={"suspended": True}))
    world = town.process()
    book(world, name)  # it is looked up, and nothing is found
    book(world, name)  # and its courier may not be asked again
    dispatch(world, "SHA")
    order = town.order(name)
    assert [b.state for b in order.leg.bookings] == [BookingState.LOST]
    assert order.leg.assignment is not None and order.leg.assignment.courier_id == "other-co"
    town.company.book(lost.reference)  # against its promise: it had only been slow
    town.says(lost.reference, "courier_assigned")
    town.at_once(at_once, lambda world: hear(world, name), lambda world: book(world, name))
    town.minutes(4)
    order = town.order(name)
    assert [b.state for b in order.leg.bookings] == [BookingState.CANCELLED, BookingState.BOOKED]
    town.company.doubled.clear()
    town.agrees(name)


def test_a_gift_that_is_booked_and_cancelled_at_once_ends_cancelled_and_no_courier_comes(
    town: Town, at_once: Any
) -> None:
    name = assigned(town)
    town.at_once(at_once, lambda world: book(world, name), ends(name))
    town.minutes(3)
    assert town.order(name).state is OrderState.CANCELLED
    town.agrees(name)


def test_a_cancellation_that_comes_while_the_courier_answers_ends_the_job_that_it_took(
    town: Town, at_once: Any
) -> None:
    name = assigned(town)
    asked, cancelled = threading.Event(), threading.Barrier(WORKERS)

    def then(verb: str) -> None:
        if verb == "book":
            asked.set()
            cancelled.wait(10)

    def act(n: int) -> object:
        if n == 0:
            return book(town.process(), name)
        asked.wait(10)
        try:
            return ends(name)(town.process())
        finally:
            cancelled.wait(10)

    town.then = then
    answers = at_once(act, WORKERS)
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    assert town.company.jobs, "it took the job before it heard of the end"
    town.minutes(3)
    assert town.order(name).state is OrderState.CANCELLED
    town.agrees(name)


@pytest.mark.parametrize("kind", ["cancelled", "pick_up_failed"])
def test_a_job_that_ended_unfetched_is_heard_looked_up_and_swept_at_once_and_its_place_comes_back_once(
    town: Town, at_once: Any, kind: str
) -> None:
    name, reference = booked(town)
    town.says(reference, kind)
    town.at_once(at_once, lambda world: hear(world, name), lambda world: book(world, name), sweeps)
    first = town.order(name).leg.bookings[0]
    assert first.state is BookingState.CANCELLED
    assert first.track.ended_at is not None
    town.agrees(name)


def test_a_gift_that_was_fetched_and_handed_over_is_heard_looked_up_and_swept_at_once_and_judged_once(
    town: Town, at_once: Any
) -> None:
    name, reference = booked(town)
    town.says(reference, "picked_up")
    town.on.clock.forward(minutes=15)
    town.says(reference, "delivered")
    town.at_once(at_once, lambda world: hear(world, name), lambda world: book(world, name), sweeps)
    order = town.order(name)
    assert order.state is OrderState.DELIVERED
    rows = town.table.read(name, "evidence#").rows
    steps = [Evidence.model_validate_json(row.body).step for row in rows]
    assert (steps.count(Step.PICK_UP), steps.count(Step.HAND_OVER)) == (1, 1)
    assert order.evidence_count == len(steps)
    town.agrees(name)


def test_a_brand_cancels_while_the_courier_gives_the_job_back_and_its_place_comes_back_once(
    town: Town, at_once: Any
) -> None:
    name, reference = booked(town)
    town.says(reference, "cancelled")
    town.at_once(
        at_once, ends(name), lambda world: hear(world, name), lambda world: book(world, name), sweeps
    )
    town.minutes(3)
    assert town.order(name).state is OrderState.CANCELLED
    town.agrees(name)


def test_a_brand_cancels_while_the_gift_is_fetched_and_it_is_with_one_of_both(
    town: Town, at_once: Any
) -> None:
    name, reference = booked(town)
    town.says(reference, "picked_up")
    answers = town.at_once(at_once, ends(name), lambda world: hear(world, name), sweeps)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    town.minutes(3)
    order = town.order(name)
    asked = order.cancel_asked_at is not None
    assert asked or refused
    assert town.company.jobs[reference].state == ("returning" if asked else "picked_up")
    town.agrees(name)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 9))])
def test_whatever_sixteen_workers_do_at_once_to_eight_gifts_six_places_are_six(
    town: Town, at_once: Any, seed: int
) -> None:
    names = [place(town.process(), "maison", f"key-{n}", new_order())[0].order_id for n in range(8)]

    def job_moves(dice: random.Random) -> None:
        """A courier does something that it can do, and says so."""
        jobs = [(reference, job) for reference, job in list(town.company.jobs.items()) if job.is_open]
        if jobs:
            reference, job = dice.choice(jobs)
            fetched = job.state == "picked_up"
            may_be = (
                ("delivered",)
                if fetched
                else ("courier_assigned", "picked_up", "cancelled", "pick_up_failed")
            )
            town.says(reference, dice.choice(may_be))

    def does(dice: random.Random, world: World, name: str) -> object:
        acts: list[Callable[[], object]] = [
            lambda: dispatch(world, "SHA"), lambda: book(world, name), lambda: hear(world, name),
            lambda: sweeps(world), lambda: job_moves(dice), lambda: ends(name)(world),
        ]  # fmt: skip
        try:
            return dice.choices(acts, [2, 3, 3, 2, 3, 0.4])[0]()
        except CordonError:
            return None  # a queue would bring it again

    def act(n: int) -> None:
        dice = random.Random(f"{seed}/{n}")
        for _ in range(6):
            does(dice, town.process(), dice.choice(names))

    for _ in range(3):
        answers = at_once(act, WORKERS)
        assert answers == [None] * WORKERS, answers
        town.on.clock.forward(minutes=25)
    town.minutes(30)
    town.agrees(*names)


def test_orders_that_are_saved_whatever_has_happened_would_give_a_place_back_many_times(
    town: Town, at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The races above find what they are there to find."""
    name, reference = booked(town)
    town.says(reference, "cancelled")
    turn = threading.Lock()

    def whatever(view: Together, *changes: Change) -> None:
        view.waits()
        with turn:
            view.table.write(*(as_it_is(view.table, change) for change in changes))

    def as_it_is(table: Table, change: Change) -> Change:
        if not isinstance(change, Keep) or change.row.key.sk != facts.ORDER:
            return change
        row = table.get(change.row.key)
        assert row is not None
        return Keep(dataclasses.replace(change.row, version=row.version + 1), was=row.version)

    monkeypatch.setattr(Together, "write", whatever)
    with pytest.raises(AssertionError):  # noqa: PT012
        town.at_once(at_once, lambda world: hear(world, name))
        town.agrees(name)
