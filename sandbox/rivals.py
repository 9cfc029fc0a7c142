"""Ways to decide who is served, let loose on the same week (`sixteen`), and what hindsight could have done.

All of them ask the real clearer what is known at that moment, twice a day, before the hours of a half-day begin. Who is
settled for those hours sets out, and is asked again at the moment of every hand-over: a gift that may not be handed
over any more by then goes back, its trip is paid, and it waits again while its window lasts. There is no courier, no
booking and no store here: what is compared is the planning, in one process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Final

from chalicelib.domain.assignment import Choices, Problem, cost_of
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.fleet import Crew, Fleet, Slot, TestResult
from chalicelib.domain.orders import Tier
from chalicelib.domain.planning import planned
from chalicelib.domain.pool import Pool
from chalicelib.domain.repair import Assign
from chalicelib.domain.survey import HANDLING
from chalicelib.domain.verdicts import Decision, Phase
from sandbox.shanghai import LOCAL
from sandbox.sixteen import HALVES, LOOKS, Sixteen, Wanted, moment

SOONER: Final = 1_000
"""What half a day of waiting costs in a plan that looks ahead, in minor units, times the tier. It outweighs every
price: a place that stays empty today is lost, and of those of tomorrow nobody knows which will be there."""
CAN_WAIT: Final = 10_000
"""The same for a plan of one day: first those for whom there is no other day. It outweighs every price, too."""
FACTS: Final = 2
"""Days ahead that are cleared by what is known, today included; a test lasts no longer."""
PRESUMED: Final = 2
"""Beyond them one place of so many is planned with: the others are for gifts that nobody has placed yet. With all of
them, gifts that could go today are put off for supply that is not there when the day comes."""


@dataclass(frozen=True)
class Way:
    """How somebody decides."""

    name: str
    days: int
    """Whose slots are looked at: today's (1), tomorrow's too (2), ..."""
    is_greedy: bool = False
    """First come, cheapest slot: no tiers, no plan."""
    at_once: bool = False
    """Whoever has been given a slot keeps it while it is cleared. Else it is settled at the last safe moment."""
    sooner: int = SOONER


GREEDY: Final = Way("greedy: first come, cheapest", 2, is_greedy=True, at_once=True)
MYOPIC: Final = Way("a plan a day", 1)
OURS: Final = Way("ours, four days", 4)
OURS_48: Final = Way("ours, 48 hours", 2)
AT_ONCE: Final = Way("ours, 48 hours, offered at once", 2, at_once=True)
WAYS: Final = (GREEDY, MYOPIC, AT_ONCE, OURS_48, OURS)


@dataclass
class Outcome:
    """What became of the week."""

    name: str
    world: Sixteen
    served: dict[str, str] = field(default_factory=dict)
    """Order id to slot id."""
    trips: list[str] = field(default_factory=list)
    """The slot of every trip, those in vain too."""

    def by_tier(self) -> dict[Tier, int]:
        """How many were served, the highest tier first."""
        return _by_tier(wanted for wanted in self.world.orders if wanted.order_id in self.served)

    def prefixes(self) -> list[int]:
        """How many of each tier and those above it."""
        return list(accumulate(self.by_tier().values()))

    @property
    def late(self) -> int:
        """Of those served, how many came after the hour that was given."""
        return sum(self.world.is_late(order, self.world.slots[slot]) for order, slot in self.served.items())

    @property
    def turned_back(self) -> int:
        return len(self.trips) - len(self.served)

    @property
    def cost(self) -> int:
        """Of all trips, in minor units."""
        return sum(self.world.slots[slot].price.amount for slot in self.trips)


def placed(world: Sixteen) -> dict[Tier, int]:
    """How many gifts there are of each tier, the highest first."""
    return _by_tier(world.orders)


def _by_tier(orders: Iterable[Wanted]) -> dict[Tier, int]:
    count = Counter(wanted.new.tier for wanted in orders)
    return {tier: count[tier] for tier in sorted(Tier, reverse=True)}


class Desk:
    """What the clearer says at each look. It knows of nobody's plan, so all ways ask at one desk."""

    def __init__(self, world: Sixteen) -> None:
        self.world = world
        self._facts: dict[datetime, tuple[Atlas, Fleet]] = {}
        self._clearers: dict[datetime, Clearer] = {}
        self._pools: dict[tuple[datetime, int], Pool] = {}

    def facts(self, at: datetime) -> tuple[Atlas, Fleet]:
        """What is known then."""
        if at not in self._facts:
            self._facts[at] = self.world.atlas_at(at), self.world.fleet_at(at)
        return self._facts[at]

    def clearer(self, now: datetime) -> Clearer:
        """By what is known then."""
        if now not in self._clearers:
            self._clearers[now] = Clearer(*self.facts(now), now)
        return self._clearers[now]

    def cleared(self, wanted: Wanted, now: datetime, days: int) -> Iterator[Slot]:
        """The slots of so many days, the rest of today included, that are cleared for it."""
        for ahead in range(days):
            pool = self._pools.get((now, ahead))
            if pool is None:
                pool = self._pools[now, ahead] = self._pool(now, ahead)
            yield from pool.slots_of(pool.ask(wanted.delivery).yes)

    def _pool(self, now: datetime, ahead: int) -> Pool:
        slots = [s for s in self.world.slots.values() if now < s.window.start and _days_of(s, now) == ahead]
        if ahead < FACTS:
            return Pool(self.clearer(now), slots)
        return Pool(foreseen(self.world, now, ahead - FACTS + 1), slots)


def play(world: Sixteen, way: Way, assign: Assign, desk: Desk | None = None) -> Outcome:
    """The week under that way. `desk`: where others ask, too."""
    week = _Week(world, way, assign, desk or Desk(world))
    for half in range(HALVES):
        week.look(half)
    return week.outcome


class _Week:
    def __init__(self, world: Sixteen, way: Way, assign: Assign, desk: Desk) -> None:
        self.world, self.way, self.assign, self.desk = world, way, assign, desk
        self.outcome = Outcome(way.name, world)
        self.coming = list(reversed(world.orders))
        self.waiting: dict[str, Wanted] = {}
        """In the order in which they were placed, those that came back at the end."""
        self.given: dict[str, str] = {}

    def look(self, half: int) -> None:
        """One look: give slots, and let those set out whose hours begin now."""
        now = moment(half, LOOKS)
        while self.coming and self.coming[-1].placed_at <= now:
            wanted = self.coming.pop()
            self.waiting[wanted.order_id] = wanted
        self.waiting = {
            name: wanted
            for name, wanted in self.waiting.items()
            if now + HANDLING <= wanted.delivery.window.end
        }
        clearer = self.desk.clearer(now)
        self.given = {name: slot for name, slot in self.given.items() if self._may(clearer, name, slot)}
        left = {
            name: slot.capacity if _days_of(slot, now) < FACTS else slot.capacity // PRESUMED
            for name, slot in self.world.slots.items()
            if now < slot.window.start
        }
        for slot_id in self.given.values():
            left[slot_id] -= 1
        open_to = {
            name: tuple(self.desk.cleared(wanted, now, self.way.days))
            for name, wanted in self.waiting.items()
            if name not in self.given
        }
        if self.way.is_greedy:
            self._take_the_cheapest(open_to, left)
        else:
            self._plan(open_to, left, half)
        for slot_id in sorted(set(self.given.values())):
            if _half_of(self.world.slots[slot_id], now) == 0:
                self._set_out(clearer, self.world.slots[slot_id], now)

    def _may(self, clearer: Clearer, name: str, slot_id: str) -> bool:
        """Whether who was given that slot may still go."""
        wanted, slot = self.waiting.get(name), self.world.slots[slot_id]
        return (
            wanted is not None
            and clearer.clear(wanted.delivery, slot, phase=Phase.OPEN).decision is Decision.YES
        )

    def _take_the_cheapest(self, open_to: dict[str, tuple[Slot, ...]], left: dict[str, int]) -> None:
        for name, slots in open_to.items():
            for slot in sorted(slots, key=lambda s: (s.price.amount, s.window.start, s.slot_id)):
                if left[slot.slot_id] > 0:
                    left[slot.slot_id] -= 1
                    self.given[name] = slot.slot_id
                    break

    def _plan(self, open_to: dict[str, tuple[Slot, ...]], left: dict[str, int], half: int) -> None:
        now = moment(half, LOOKS)
        alike: dict[tuple[int, bool, tuple[str, ...]], Choices] = {}
        choices: dict[str, Choices] = {}
        for name, slots in open_to.items():
            tier, end = int(self.waiting[name].new.tier), self.waiting[name].delivery.window.end
            can_wait = self.way.days == 1 and _date(end) > _date(now)
            key = tier, can_wait, tuple(slot.slot_id for slot in slots)
            if key not in alike:
                alike[key] = [
                    (
                        slot.slot_id,
                        cost_of(slot.price.amount, slot.on_time_permille)
                        + self.way.sooner * tier * _half_of(slot, now)
                        + CAN_WAIT * can_wait,
                    )
                    for slot in slots
                ]
            choices[name] = alike[key]
        tiers = {name: int(self.waiting[name].new.tier) for name in open_to}
        plan, _ = planned(Problem.among(tiers, left, choices), self.assign)
        for name, slot_id in plan.chosen.items():
            if self.way.at_once or _half_of(self.world.slots[slot_id], now) == 0:
                self.given[name] = slot_id

    def _set_out(self, clearer: Clearer, slot: Slot, now: datetime) -> None:
        """One crew's half-day: its hand-overs lie evenly in it, whoever is carried."""
        names = sorted(name for name, slot_id in self.given.items() if slot_id == slot.slot_id)
        for place, name in enumerate(names, start=1):
            del self.given[name]
            wanted = self.waiting.pop(name)
            verdict = clearer.clear(wanted.delivery, slot, phase=Phase.OPEN)
            assert verdict.decision is Decision.YES
            assert verdict.hand_over_from is not None
            assert verdict.hand_over_by is not None
            hours = verdict.hand_over_by - verdict.hand_over_from
            at = verdict.hand_over_from + hours * place / (len(names) + 1)
            self.outcome.trips.append(slot.slot_id)
            if self._is_handed_over(wanted, slot, now, at):
                self.outcome.served[name] = slot.slot_id
            else:
                self.waiting[name] = wanted

    def _is_handed_over(self, wanted: Wanted, slot: Slot, now: datetime, at: datetime) -> bool:
        """What was cleared at the look is cleared for the whole stay, unless something has been learned since."""
        learned = self.world.changes_within(now, at)
        if not learned:
            return True
        clearer = Clearer(*self.desk.facts(learned[-1]), at)
        verdict = clearer.clear(wanted.delivery, slot, phase=Phase.CARRIED, moment=True)
        return verdict.decision is Decision.YES


def foreseen(world: Sixteen, now: datetime, days: int) -> Clearer:
    """Clearance as it will be so many days on, if nothing is learned until then and whoever is tested daily is tested
    again. The one thing in here that no fact says; nobody is ever sent out on it."""
    later, fleet, rules = now + timedelta(days=days), world.fleet_at(now), world.atlas_at(now).rules
    crews = {name: _tested_again(crew, now, days) for name, crew in fleet.crews.items()}
    atlas = Atlas(rules.model_copy(update={"published_at": later}))
    return Clearer(atlas, fleet.model_copy(update={"crews": crews}), later)


def _tested_again(crew: Crew, now: datetime, days: int) -> Crew:
    last = crew.credentials[-1]
    assert last.reported_at is not None
    if last.result is not TestResult.NEGATIVE or now - last.sampled_at > timedelta(days=1):
        return crew
    ahead = timedelta(days=days)
    again = last.model_copy(
        update={"sampled_at": last.sampled_at + ahead, "reported_at": last.reported_at + ahead}
    )
    return crew.model_copy(update={"credentials": (*crew.credentials, again)})


def hindsight(world: Sixteen, assign: Assign, desk: Desk | None = None) -> Outcome:
    """The best that anybody could have done who had known all gifts and all losses beforehand, and whom nothing
    befell on the way: no way serves more of any tier and those above it."""
    desk = desk or Desk(world)
    choices: dict[str, list[tuple[str, int]]] = {wanted.order_id: [] for wanted in world.orders}
    for half in range(HALVES):
        now = moment(half, LOOKS)
        for wanted in world.orders:
            if wanted.placed_at <= now:
                choices[wanted.order_id] += [
                    (slot.slot_id, cost_of(slot.price.amount, slot.on_time_permille))
                    for slot in desk.cleared(wanted, now, 1)
                    if _half_of(slot, now) == 0
                ]
    tiers = {wanted.order_id: int(wanted.new.tier) for wanted in world.orders}
    left = {name: slot.capacity for name, slot in world.slots.items()}
    plan, _ = planned(Problem.among(tiers, left, choices), assign)
    return Outcome("with hindsight", world, dict(plan.chosen), list(plan.chosen.values()))


def _date(at: datetime) -> date:
    return at.astimezone(LOCAL).date()


def _days_of(slot: Slot, now: datetime) -> int:
    """So many days ahead; 0: today."""
    return (_date(slot.window.start) - _date(now)).days


def _half_of(slot: Slot, now: datetime) -> int:
    """So many half-days ahead; 0: the hours that begin next."""
    is_afternoon, was_afternoon = (
        slot.window.start.astimezone(LOCAL).hour >= 12,
        now.astimezone(LOCAL).hour >= 12,
    )
    return 2 * _days_of(slot, now) + is_afternoon - was_afternoon
