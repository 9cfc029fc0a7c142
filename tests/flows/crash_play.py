"""Plays a story: step after step, each handler an act that is run again when its process is killed.

A story is first played undisturbed. Before each step its whole world is kept (rows are immutable, so that is
cheap), and from there it is played again with a stop inside that step. As soon as a stopped world is the same as
the undisturbed one was at that point, the rest is known and not played again: what was said meanwhile to the
courier and to the brand is joined with what the undisturbed play said from there on.

Two stops with nothing changed outside between them are one: a process that dies leaves nothing else behind. So
one of each such row is played, and `every_stop` (in `make test-long`) plays them all.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from chalicelib.domain import facts
from chalicelib.domain.assignment import Problem
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Delayed, Refused
from chalicelib.domain.orders import Order, OrderState, order_id_of
from chalicelib.domain.ports import Key, Row, Solver, Topic, World
from chalicelib.domain.shapes import Shape
from chalicelib.domain.weights import Weights
from chalicelib.flows import lease, sweep
from tests import drive
from tests.drive import Stopped
from tests.flows.crash_wire import Call, Tripwire
from tests.paper import PaperCompany
from tests.stage import Stage, stage

States = dict[str, tuple[OrderState, ...]]
"""The states each order has been in."""
MOST = 400
"""Acts in one step; more is a loop."""


@dataclass(frozen=True)
class Story:
    """What happens, and where each gift ends."""

    name: str
    steps: tuple[Callable[[Play], None], ...]
    ends: Mapping[str, OrderState | frozenset[OrderState]]
    """Where each order ends, by the brand's key; several where a stop decides who comes first."""
    opening: Callable[..., Stage] = stage
    at_end: Callable[[Play], None] = lambda play: None
    settings: Mapping[tuple[ModuleType, str], object] = field(default_factory=dict)
    """Constants of the flows that are other in this story, so that few orders fill a page."""
    most_told: int = 2
    """How often one notice may be taken by the brand, with one stop in the story."""
    waits: tuple[str, ...] = ()
    """Modules of the flows in which a stop may cost a minute here, though they repeat what they owe."""
    eager: bool = True
    """False where the story itself says which nudge is handled when."""
    by_itself: bool = True
    """False where an undisturbed play needs the sweep to go on: nudges are lost on purpose."""


@dataclass(frozen=True)
class Stop:
    """One moment to be killed at."""

    step: int
    number: int
    after: bool
    call: Call
    may_wait: bool
    """The stopped handler asks a courier, and what it said is unknown, or it plans, and a repeat finds the pool
    empty: the story may go on later, when the sweep has been."""
    is_nudged: bool
    """A queue delivered it, and may lose it."""

    @property
    def place(self) -> tuple[int, bool]:
        return self.number, self.after

    def __str__(self) -> str:
        when = "after" if self.after else "before"
        return f"stopped {when} call {self.number}, {self.call.name} at {self.call.site}, in step {self.step}"


@dataclass
class Moment:
    """A world as it stood between two steps."""

    rows: dict[Key, Row]
    sent: list[tuple[Topic, str]]
    now: datetime
    company: PaperCompany
    known: dict[str, Any]
    tokens: int
    count: int
    heard: int
    calls: int
    states: States


class Play:
    """One story on its stage, with the wire across it."""

    def __init__(self, story: Story) -> None:
        self.story, self.wire = story, Tripwire()
        self.on = story.opening(wrap=self.wire.around)
        self.known: dict[str, Any] = {}
        """What the story has to remember between its steps."""
        self.tokens = 0
        self.on.world.token = self._token
        self.on.world.dice = lambda: 0.5
        self.table: Any = self.on.plain.table
        self.queues: Any = self.on.plain.queues
        self.loses_nudges = False
        self.keeps_memory = False
        self.is_eager = False
        """Every nudge is handled by others before its sender goes on."""
        self.stopped = 0
        self.watch: _Watch | None = None
        self.on.brand.answer = lambda request: self.known.get("brand", _fine)(self, request)
        self.on.company.meanwhile = self.once
        self.wire.meanwhile = self.once
        self.on.world.stopwatch = lambda: self.known.get("seconds", 0.0)
        solver = self.on.world.solver
        self.on.world.solver = _Interrupted(solver, self)

    def once(self, name: str) -> None:
        """Do what the story has under this name, once: what happens in the middle of an act."""
        if self.is_eager and name == "after queues.nudge":
            self.settle_beside()
        meanwhile = self.known.pop(name, None)
        if meanwhile is not None:
            meanwhile(self)

    def settle_beside(self) -> None:
        """Other processes are quicker than whoever has nudged them."""
        mine, self.on.world.memory = self.on.world.memory, {}
        try:
            self.settle()
        finally:
            self.on.world.memory = mine

    def other_process(self) -> World:
        """The same world as another process sees it, that remembers nothing."""
        return dataclasses.replace(self.on.world, memory={})

    def _token(self) -> str:
        self.tokens += 1
        return f"{self.tokens:06d}-token-of-the-story-and-long-enough"

    # --- acts -----------------------------------------------------------------------------------------------

    def act(self, do: Callable[[], Any], kind: str = "asked") -> Any:
        """What at-least-once means: whoever was not answered asks again."""
        for _ in range(4):
            try:
                return self._tried(do, kind)
            except Stopped:
                continue
        raise AssertionError("stopped four times")

    def _tried(self, do: Callable[[], Any], kind: str) -> Any:
        if self.watch is not None:
            self.watch.act_begins(kind)
        before = dict(self.on.world.memory) if self.keeps_memory else {}
        try:
            answer = do()
        except Stopped:
            self.wire.revive()
            self.stopped += 1
            self.on.world.memory.clear()
            self.on.world.memory.update(before)  # of another process, that has been there all the time
            raise
        finally:
            if self.watch is not None:
                self.watch.act_ends()
        return answer

    def settle(self) -> None:
        """Deliver every nudge. One whose handler was killed comes again later, or is lost."""
        for _ in range(MOST):
            if not self.queues.sent:
                return
            self.deliver(0)
        raise AssertionError(f"still not quiet after {MOST} nudges, next is {self.queues.sent[0]}")

    def deliver(self, at: int) -> None:
        """Deliver the nudge at that place of the queue."""
        topic, name = self.queues.sent.pop(at)
        try:
            self._tried(lambda: drive.run(self.on.world, topic, name), "nudged")
        except Refused:
            pass
        except Delayed:
            self.queues.sent.append((topic, name))
        except Stopped:
            if not self.loses_nudges:
                self.queues.sent.append((topic, name))

    def minute(self) -> None:
        """A minute passes, the schedules fire, and everything settles."""
        self.on.clock.forward(minutes=1)
        self.act(lambda: sweep.tick(self.on.world))
        self.act(lambda: sweep.sweep(self.on.world))
        self.settle()

    # --- looking --------------------------------------------------------------------------------------------

    def order_id(self, key: str = "key-1") -> str:
        return order_id_of("maison", key)

    def order(self, key: str = "key-1") -> Order:
        return self.on.order(self.order_id(key))

    def orders(self) -> list[Order]:
        return [facts.order_of_row(row) for row in self.table.rows.values() if row.key.sk == facts.ORDER]

    def states(self) -> States:
        return {order.order_id: tuple(step.state for step in order.history) for order in self.orders()}

    # --- keeping and going back -----------------------------------------------------------------------------

    def keep(self) -> Moment:
        return Moment(
            rows=dict(self.table.rows),
            sent=list(self.queues.sent),
            now=self.on.clock.now,
            company=self._company(self.on.company),
            known=dict(self.known),
            tokens=self.tokens,
            count=self.wire.count,
            heard=len(self.on.brand.heard),
            calls=len(self.on.company.calls),
            states=self.states(),
        )

    @staticmethod
    def _company(company: PaperCompany) -> PaperCompany:
        return dataclasses.replace(
            company,
            jobs={name: copy.copy(job) for name, job in company.jobs.items()},
            refuse=dict(company.refuse),
            silent=set(company.silent),
            deaf=set(company.deaf),
            calls=list(company.calls),
            doubled=list(company.doubled),
        )

    def go_back(self, moment: Moment, first: Recording | None = None) -> None:
        """Stand where the story stood then; `first`: whose ledgers of what was said are cut to that length."""
        self.table.rows = dict(moment.rows)
        self.queues.sent = list(moment.sent)
        self.on.clock.now = moment.now
        vars(self.on.company).update(vars(self._company(moment.company)))
        self.known = dict(moment.known)
        self.tokens, self.wire.count = moment.tokens, moment.count
        if first is not None:
            self.on.brand.heard[:] = first.heard[: moment.heard]
            self.on.brand.at[:] = first.heard_at[: moment.heard]
            self.on.brand.took[:] = first.took[: moment.heard]
        self.on.world.memory.clear()
        self.wire.stops.clear()
        self.wire.revive()

    def is_at(self, moment: Moment) -> bool:
        """True when everything that can still have an effect is as it was then."""
        company, then = self.on.company, moment.company
        return (
            self.on.clock.now == moment.now
            and self.queues.sent == moment.sent
            and self.known == moment.known
            and (company.jobs, company.refuse, company.silent, company.deaf, company.token)
            == (then.jobs, then.refuse, then.silent, then.deaf, then.token)
            and (self.table.rows == moment.rows or _facts(self.table.rows) == _facts(moment.rows))
        )


def _fine(play: Play, request: Request) -> Reply:
    return Reply(204, {}, b"")


@dataclass
class _Interrupted:
    """The solver, and what the story lets happen while a planner thinks."""

    solver: Solver
    play: Play

    def assign(self, problem: Problem, weights: Weights) -> Sequence[int]:
        self.play.once("while planning")
        return self.solver.assign(problem, weights)


_READ: dict[tuple[type[Shape], str | bytes], Shape] = {}


@contextmanager
def reading_once() -> Iterator[None]:
    """Shapes are frozen, so the same text is read once for all plays: a third of their time."""
    plain = vars(Shape).get("model_validate_json")
    read = BaseModel.model_validate_json.__func__  # type: ignore[attr-defined]

    def once(cls: type[Shape], text: str | bytes) -> Shape:
        found = _READ.get((cls, text))
        if found is None:
            found = _READ[cls, text] = read(cls, text)
        return found

    assert plain is None, "shapes read themselves in a way of their own now"
    Shape.model_validate_json = classmethod(once)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        del Shape.model_validate_json


def _facts(rows: Mapping[Key, Row]) -> dict[Key, Row]:
    """The rows, without leases that nobody holds: their version counts rounds and is compared with itself only."""
    return {
        key: row
        for key, row in rows.items()
        if not (key.sk == "lease" and not lease.Lease.model_validate_json(row.body).holder)
    }


@dataclass
class Recording:
    """A story as it goes undisturbed."""

    play: Play
    moments: list[Moment] = field(default_factory=list)
    """Before each step, and after the last."""
    stops: list[Stop] = field(default_factory=list)
    """One for each row of stops that leave the same behind."""
    every_stop: list[Stop] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)
    heard_at: list[datetime] = field(default_factory=list)
    took: list[bool] = field(default_factory=list)


@contextmanager
def settings(story: Story) -> Iterator[None]:
    """The story's own constants in place of the flows'."""
    before = {place: getattr(*place) for place in story.settings}
    for (module, name), value in story.settings.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)


Check = Callable[[Play, int], None]
"""Raises `AssertionError`; the number is how many stops there were."""


def record(story: Story, always: Check = lambda play, stops: None, *, eager: bool = False) -> Recording:
    """Play it undisturbed, and note every call with the moments at which the world outside was another."""
    with settings(story):
        play = Play(story)
        noted = Recording(play)
        play.is_eager = eager
        play.wire.watch = play.watch = watch = _Watch(play)
        for number, step in enumerate(story.steps):
            noted.moments.append(play.keep())
            play.on.world.memory.clear()
            watch.step = number
            step(play)
            always(play, 0)
        noted.moments.append(play.keep())
    play.wire.watch = play.watch = None
    noted.stops, noted.every_stop, noted.calls = watch.stops, watch.every_stop, watch.calls
    brand = play.on.brand
    noted.heard, noted.heard_at, noted.took = list(brand.heard), list(brand.at), list(brand.took)
    return noted


@dataclass
class _Act:
    """One run of a handler, and what it called."""

    kind: str
    calls: list[Call] = field(default_factory=list)
    moments: list[tuple[int, bool, Call, bool]] = field(default_factory=list)
    """The number of each call, whether it is meant after it, the call, whether the world is another than before."""
    left: Any = None


class _Watch:
    """Stands at the wire during the undisturbed play."""

    def __init__(self, play: Play) -> None:
        self.play, self.step = play, 0
        self.acts: list[_Act] = []
        """Under way: one, or others within it that another process does meanwhile."""
        self.calls: list[Call] = []
        self.stops: list[Stop] = []
        self.every_stop: list[Stop] = []

    def _outside(self) -> Any:
        play = self.play
        company = play.on.company
        jobs = tuple((job.reference, job.state, job.times_booked) for job in company.jobs.values())
        return dict(play.table.rows), tuple(play.queues.sent), jobs, company.logins, len(play.on.brand.heard)

    def act_begins(self, kind: str) -> None:
        self.acts.append(_Act(kind))

    def __call__(self, call: Call) -> None:
        if not self.acts:
            raise AssertionError(f"{call.name} at {call.site} outside of any act: nobody would run it again")
        self.calls.append(call)
        act = self.acts[-1]
        now = self._outside()
        # killed before anything was done, and asked again: that is the undisturbed play, unless others go first
        differs = now != act.left if act.calls else bool(self.play.queues.sent) and act.kind == "nudged"
        act.calls.append(call)
        act.left = now
        act.moments.append((self.play.wire.count - 1, False, call, differs))

    def act_ends(self) -> None:
        act = self.acts.pop()
        if act.calls:
            number = act.moments[-1][0]
            act.moments.append((number, True, act.calls[-1], self._outside() != act.left))
        may_wait = any(call.site.module in ("ask", "dispatch", *self.play.story.waits) for call in act.calls)
        for number, after, call, differs in act.moments:
            stop = Stop(self.step, number, after, call, may_wait, act.kind == "nudged")
            self.every_stop.append(stop)
            if not after and call is not act.calls[-1]:
                self.every_stop.append(dataclasses.replace(stop, after=True))
            if differs:
                self.stops.append(stop)


def play_stopped(
    first: Recording,
    stop: Stop,
    always: Check,
    at_end: Check,
    *,
    lost: bool = False,
    keeps_memory: bool = False,
    second: tuple[int, bool] | None = None,
) -> int | None:
    """Play the story with a stop, and a `second` so many calls later. `lost`: the nudge does not come again.

    Returns before which step all was again as it is undisturbed, or None.
    """
    play, story = first.play, first.play.story
    with settings(story):
        play.go_back(first.moments[stop.step], first)
        play.loses_nudges, play.keeps_memory, play.stopped = lost, keeps_memory, 0
        play.wire.stops = [(stop.number, stop.after)]
        if second is not None:
            play.wire.stops.append((stop.number + second[0], second[1]))
        for number in range(stop.step, len(story.steps)):
            play.on.world.memory.clear()
            story.steps[number](play)
            count = play.stopped
            assert count, "the story never came to where it was to be stopped"
            always(play, count)
            then = first.moments[number + 1]
            if number == stop.step and not (lost or stop.may_wait or second):
                _assert_not_behind(play.states(), then.states)
                untold = _taken(first.heard[: then.heard], first.took) - _taken(
                    play.on.brand.heard, play.on.brand.took
                )
                assert not untold, f"a repeat did not have these told: {untold}"
            if not play.wire.stops and play.is_at(then):
                _join(first, then)
                at_end(play, play.stopped)
                return number + 1
        at_end(play, play.stopped)
    return None


class Played:
    """Which stops need no second play: another story has begun just so, and the stop was made good in that beginning."""

    def __init__(self) -> None:
        self._good: dict[Any, set[int]] = {}

    def _name(self, story: Story, steps: int, how: Any) -> Any:
        opening: Any = story.opening
        if isinstance(opening, partial):
            opening = (opening.func, opening.args, tuple(sorted(opening.keywords.items())))
        return opening, tuple(story.settings), story.waits, story.steps[:steps], how

    def note(self, story: Story, stop: Stop, lost: bool, good_at: int | None) -> None:
        if good_at is not None:
            self._good.setdefault((stop.place, lost), set()).add(good_at)
            self._good.setdefault(self._name(story, good_at, (stop.place, lost)), set())

    def knows(self, story: Story, stop: Stop, lost: bool) -> bool:
        how = (stop.place, lost)
        return any(
            stop.step < good_at <= len(story.steps) and self._name(story, good_at, how) in self._good
            for good_at in self._good.get(how, ())
        )


def _assert_not_behind(states: States, then: States) -> None:
    """Law 4: whoever repeats nudges again, so a repeat needs no sweep to come as far as the undisturbed play."""
    for order_id, steps in then.items():
        came = states.get(order_id, ())[: len(steps)]
        assert came == steps, f"a repeat came to {came} only, without the stop it was {steps}"


def _taken(heard: list[dict[str, Any]], took: list[bool]) -> set[str]:
    return {notice["id"] for notice, fine in zip(heard, took, strict=False) if fine}


def _join(first: Recording, then: Moment) -> None:
    """From here on all is as it was undisturbed: add what was said there, and stand at its end."""
    play, last = first.play, first.moments[-1]
    brand, company, stopped = play.on.brand, play.on.company, play.stopped
    brand.heard += first.heard[then.heard :]
    brand.at += first.heard_at[then.heard :]
    brand.took += first.took[then.heard :]
    calls = company.calls + last.company.calls[then.calls :]
    doubled = company.doubled + last.company.doubled[len(then.company.doubled) :]
    play.go_back(last)
    company.calls, company.doubled = calls, doubled
    play.stopped = stopped


def some(first: Recording, seed: str, share: float) -> list[Stop]:
    """A share of the stops, by chance that is the same every time."""
    chance = random.Random(f"{first.play.story.name} {seed}")
    return [stop for stop in first.stops if chance.random() < share]


def pairs(first: Recording, count: int) -> list[tuple[Stop, tuple[int, bool]]]:
    """Some pairs of stops, the second soon after the first: in what makes good."""
    chance = random.Random(first.play.story.name)
    chosen = chance.sample(first.stops, min(count, len(first.stops)))
    return [(stop, (chance.randint(1, 40), chance.random() < 0.5)) for stop in chosen]
