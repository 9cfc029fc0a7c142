"""Ration what the rules let through only so often, permits that are good for one delivery, and a vehicle's room.

A quota is taken in the transaction that assigns, with the place of the slot, and given back in the one that gives the
place back (`check.give_back`); what was taken stands in the assignment. The transaction is the judge. What is done
here before it is to plan no more than there is, for what was last known to be there.

Who had been assigned before a quota was set takes of it when it is looked at again, or is decided anew where nothing is
left; what is with a courier by then is not counted any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from chalicelib.domain import facts, rooms
from chalicelib.domain.assignment import Choices, Limit, Pair, Problem
from chalicelib.domain.fleet import Permit
from chalicelib.domain.legs import MEASURES, Assignment, QuotaTaken
from chalicelib.domain.limits import sorted_out
from chalicelib.domain.orders import Order
from chalicelib.domain.places import Address
from chalicelib.domain.planning import planned
from chalicelib.domain.ports import Take, World
from chalicelib.domain.quotas import MOST, Need, Needs, local_days, needed, once, sealed_household
from chalicelib.domain.rationing import Rationing
from chalicelib.domain.rooms import Size
from chalicelib.domain.verdicts import Decision, Delivery, Reason, Verdict
from chalicelib.flows import check
from chalicelib.flows.make_secret import secret_of


@dataclass
class Asker:
    """Asks what many pairs of one round need, doing shared work once. It remembers by identity: whoever asks keeps
    addresses and verdicts for as long."""

    world: World
    market_id: str
    on: check.Ground
    known: dict[tuple[object, ...], Needs] = field(default_factory=dict)

    def needs_of(self, address: Address, verdict: Verdict) -> Needs:
        """What the rules ask of it, and single permits; slots alike need alike, but for permits. Not of room, of which
        each slot has its own: a round knows it by slot and by gift."""
        permits = [permit.permit_id for permit in _good_once(verdict, self.on)]
        if not verdict.quotas and not permits:
            return {}
        courier_id = self.on.fleet.slots[verdict.slot_id].courier_id
        hours = (verdict.hand_over_from, verdict.hand_over_by)
        key = (id(address), id(verdict.quotas), courier_id, hours, *permits)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = ruled(self.world, self.market_id, address, verdict, self.on)
        return found


def needs_of(
    world: World,
    market_id: str,
    delivery: Delivery,
    verdict: Verdict,
    on: check.Ground,
    given: Assignment | None = None,
) -> Needs:
    """All that a delivery takes, going as this yes says, of room as well."""
    found = dict(ruled(world, market_id, delivery.drop_off.address, verdict, on, given))
    return found | rooms.needed(on.fleet.slots[verdict.slot_id], delivery.gift)


def ruled(
    world: World,
    market_id: str,
    address: Address,
    verdict: Verdict,
    on: check.Ground,
    given: Assignment | None = None,
) -> Needs:
    """What the rules let a delivery there take. `given`: it is assigned, its hours are settled, and what it has taken
    names its household."""
    found: dict[QuotaTaken, Need] = {}
    hours: Assignment | Verdict = given or verdict
    if verdict.quotas and hours.hand_over_from and hours.hand_over_by:
        assert on.atlas is not None
        had = given.quotas if given is not None else ()
        homes = {taken.day: taken.name for taken in had if taken.per == "household"}

        def household(day: date) -> str:
            if day not in homes:
                homes[day] = sealed_household(_salt(world, market_id), market_id, address, day)
            return homes[day]

        slot = on.fleet.slots[verdict.slot_id]
        days = local_days(hours.hand_over_from, hours.hand_over_by, on.atlas.rules.time_zone)
        found = needed(verdict.quotas, slot.courier_id, days, household)
    return found | dict(map(once, _good_once(verdict, on)))


def _good_once(verdict: Verdict, on: check.Ground) -> list[Permit]:
    """Those of its permits that are."""
    permits = on.fleet.permits
    return [permits[name] for name in verdict.permit_ids if name in permits and permits[name].single_use]


def counted(world: World, market_id: str, needs: Iterable[Needs], on: check.Ground) -> dict[QuotaTaken, int]:
    """How much of each of these counters has been taken. Permits, and room where the whole fleet was read, were counted
    with it."""
    asked = {taken for each in needs for taken in each}
    found: dict[QuotaTaken, int] = {}
    for taken in asked:
        if taken.per == "permit":
            found[taken] = 1 - on.fleet.uses_left.get(taken.name, 1)
        elif taken.day is None and on.is_whole:
            found[taken] = on.fleet.taken.get(f"{taken.per}#{taken.name}", 0)
    keys = {facts.quota_key(market_id, taken): taken for taken in asked if taken not in found}
    if keys:
        found |= dict.fromkeys(keys.values(), 0)
        for row in world.table.get_many(sorted(keys)):
            taken = keys[row.key]
            found[taken] = max(0, row.counters.get(facts.TAKEN, 0) - on.freed.get(taken, 0))
    return found


def lacking(needs: Needs, taken: Mapping[QuotaTaken, int]) -> Reason | None:
    """Why these cannot be taken, or None. One reason for zone, household and courier alike: whoever reads it learns
    nothing of what others send to the same client."""
    if len(needs) > MOST:
        return Reason.QUOTA_FULL
    short = {counter.per for counter, need in needs.items() if taken[counter] + need.amount > need.limit}
    if not short:
        return None
    if short <= set(MEASURES):
        return Reason.NO_ROOM
    return Reason.PERMIT_USED if short == {"permit"} else Reason.QUOTA_FULL


@dataclass
class Round:
    """One round of planning: whom each order was cleared with, and the counters that this needs."""

    tiers: Mapping[str, int]
    places: dict[str, int]
    """What is left of each slot."""
    choices: Mapping[str, Choices]
    """Of each order the slots that it may go with, and what each costs; orders that are alike share one."""
    needs: dict[Pair, Needs] = field(default_factory=dict)
    taken: dict[QuotaTaken, int] = field(default_factory=dict)
    sizes: Mapping[str, Size] = field(default_factory=dict)
    """What each order takes of a slot's room; who is not named takes none."""
    rooms: dict[str, Size] = field(default_factory=dict)
    """What is left of that in the slots that state it."""
    whole: Mapping[Pair, int] = field(default_factory=dict)
    """Of who rides alone in a slot, all its places."""
    together: Sequence[frozenset[str]] = ()
    """Orders that go with one slot or not at all."""
    loads: Sequence[Limit] = ()
    """Of each courier, where the market shares gifts out fairly."""
    seed: str = ""
    """Who wins a tie is drawn from it."""
    is_over: Callable[[], bool] = lambda: False
    """The time for planning is up."""
    chosen: dict[str, str] = field(default_factory=dict)
    rationing: Rationing | None = None
    """The first plan of the round, or the last that began anew, with its prices: by it the round is explained."""

    def lacks(self, pair: Pair) -> Reason | None:
        """Why that order cannot go with that slot any more, or None."""
        needs = self.needs.get(pair)
        why = lacking(needs, self.taken) if needs else None
        if why is None and not self._has_room(*pair):
            return Reason.VEHICLE_SHARED if pair in self.whole else Reason.NO_ROOM
        return why

    def _has_room(self, order: str, slot: str) -> bool:
        room, size = self.rooms.get(slot), self.sizes.get(order)
        return room is None or size is None or all(one <= left for one, left in zip(size, room, strict=True))

    def plan(self, world: World) -> None:
        """Choose for every order that has none yet: the best plan that places and counters bear, with its proof."""
        problem = self._problem()
        plan, weights = planned(problem, world.solver.assign, self.seed, self.is_over)
        self.rationing = self.rationing or Rationing(problem, weights, plan)
        self.chosen |= plan.chosen
        for pair in plan.chosen.items():
            self._take(pair, 1)

    def planned_for_loners(self, world: World) -> Round:
        """Of two plans the one that serves more of the highest tiers, at the lower cost: one for everybody at once, and
        one in which who rides alone gets what the others leave. A plan is repaired by moving one for one, and who rides
        alone stands in the place of several."""
        at_once, after = (
            replace(self, places={**self.places}, taken={**self.taken}, rooms={**self.rooms}, chosen={})
            for _ in range(2)
        )
        at_once.plan(world)
        loners = {order for order, _ in self.whole}
        after.choices = {name: () if name in loners else options for name, options in self.choices.items()}
        after.plan(world)
        after.choices = self.choices
        after.plan(world)
        return max(at_once, after, key=lambda one: one._worth())

    def _worth(self) -> tuple[list[int], int]:
        """How many of each tier are served, the highest first, and what that saves."""
        counts = [0] * (max(self.tiers.values(), default=0) + 1)
        for order in self.chosen:
            counts[-1 - self.tiers[order]] += 1
        costs = (dict(self.choices[order])[slot] for order, slot in self.chosen.items())
        return counts, -sum(costs)

    def _take(self, pair: Pair, count: int) -> None:
        order, slot = pair
        self.places[slot] -= count * self.whole.get(pair, 1)
        for counter in self.needs.get(pair, ()):
            self.taken[counter] += count
        room, size = self.rooms.get(slot), self.sizes.get(order)
        if room is not None and size is not None:
            self.rooms[slot] = tuple(left - count * one for left, one in zip(room, size, strict=True))

    def _problem(self) -> Problem:
        tiers = {order: tier for order, tier in self.tiers.items() if order not in self.chosen}
        choices = self._with_room(tiers)
        more: dict[str, Any] = {"together": [group for group in self.together if group <= tiers.keys()]}
        if self.rooms:
            more["sizes"] = {order: size for order, size in self.sizes.items() if order in tiers}
            more["rooms"] = dict(self.rooms)
        if not self.needs:
            return Problem.among(tiers, self.places, choices, slot_limits=self._loads(), **more)
        rationed = {order for order, _ in self.needs} & tiers.keys()
        for order in rationed:
            choices[order] = tuple(c for c in choices[order] if self.lacks((order, c[0])) is None)
        counters = sorted_out(choices, self.needs, self.taken, self._loads())
        return Problem.among(
            tiers,
            self.places,
            choices,
            order_limits=counters.of_orders,
            slot_limits=counters.of_slots,
            rations=counters.crossing,
            **more,
        )

    def _loads(self) -> list[Limit]:
        """With the places that are left now."""
        return [load._replace(most=sum(self.places[slot] for slot in load.members)) for load in self.loads]

    def _with_room(self, orders: Iterable[str]) -> dict[str, Choices]:
        """Of each order the slots in which it would fit alone; orders that are alike go on sharing them."""
        known: dict[tuple[int, Size], Choices] = {}
        found: dict[str, Choices] = {}
        for order in orders:
            options, size = self.choices.get(order, ()), self.sizes.get(order)
            if self.rooms and size is not None:
                key = id(options), size
                if key not in known:
                    kept = tuple(option for option in options if self._has_room(order, option[0]))
                    known[key] = options if len(kept) == len(options) else kept
                options = known[key]
            found[order] = options
        return found

    def plan_anew(self, world: World) -> None:
        """The same for every order, as if none had been chosen: what they need has changed."""
        for pair in self.chosen.items():
            self._take(pair, -1)
        self.chosen, self.rationing = {}, None
        self.plan(world)

    def worn(self) -> list[Pair]:
        """Pairs of whoever waits that lack only the permit they were cleared with, where a place is left or went to a
        lower tier: there may be another permit."""
        lowest: dict[str, int] = {}
        for order, slot in self.chosen.items():
            lowest[slot] = min(self.tiers[order], lowest.get(slot, self.tiers[order]))
        return [
            (order, slot)
            for order, slot in self.needs
            if order not in self.chosen
            and (self.places.get(slot, 0) > 0 or lowest.get(slot, self.tiers[order]) < self.tiers[order])
            and self.lacks((order, slot)) is Reason.PERMIT_USED
        ]

    def uses_left(self) -> dict[str, int]:
        """Of each permit for a single use, after what was chosen."""
        return {counter.name: 1 - count for counter, count in self.taken.items() if counter.per == "permit"}


# --- a question that nobody acts on ---------------------------------------------------------------------------


def told(
    world: World, market_id: str, delivery: Delivery, verdicts: Iterable[Verdict], on: check.Ground
) -> list[Verdict]:
    """The verdicts, and a no for what is full by now. Of what a household has got nothing is said: whoever may ask
    as often as it likes would learn whether others send something to its client."""
    verdicts = list(verdicts)
    needs: dict[int, Needs] = {}
    for at, verdict in enumerate(verdicts):
        if verdict.decision is Decision.YES:
            known = tuple(each for each in verdict.quotas if each.quota.per != "household")
            needs[at] = needs_of(world, market_id, delivery, verdict._replace(quotas=known), on)
    taken = counted(world, market_id, needs.values(), on)
    for at, each in needs.items():
        why = lacking(each, taken)
        if any(one.quota.limit == 0 for one in verdicts[at].quotas):  # nobody gets any there
            why = Reason.QUOTA_FULL
        if why is not None:
            verdicts[at] = verdicts[at]._replace(decision=Decision.NO, reasons=(why,), handovers=())
    return verdicts


# --- quotas that were set after somebody had been assigned ----------------------------------------------------


def owed(world: World, order: Order, verdict: Verdict, on: check.Ground) -> Needs:
    """What an assigned order rests on under the rules of now and has not taken."""
    assignment = order.leg.assignment
    assert assignment is not None
    slot = on.fleet.slots.get(verdict.slot_id)
    needs = {} if slot is None else rooms.needed(slot, order.gift)
    if verdict.quotas or _good_once(verdict, on):
        address = order.delivery(facts.unseal_private(world.sealer, order)).drop_off.address
        needs |= ruled(world, order.market_id, address, verdict, on, assignment)
    return {taken: need for taken, need in needs.items() if taken not in assignment.quotas}


def taking(assignment: Assignment, needs: Needs) -> Assignment:
    """The assignment with these taken as well."""
    return assignment.model_copy(update={"quotas": (*assignment.quotas, *needs)}) if needs else assignment


def takes(market_id: str, needs: Needs) -> list[Take]:
    """The changes that take these."""
    return [
        facts.take_quota(market_id, taken, need.amount, need.limit, need.until)
        for taken, need in needs.items()
    ]


# --- the name of a household ----------------------------------------------------------------------------------


def _salt(world: World, market_id: str) -> bytes:
    """The market's secret: made once, kept sealed, and never changed, or a household would have two counters a day."""
    return secret_of(world, facts.salt_key(market_id), f"salt#{market_id}", f"market#{market_id}")
