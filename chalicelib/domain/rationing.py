"""Who got the few places, and why others did not: one plan, told from its own prices.

A gift stays because each of its places is worth at least as much to others as serving it would gain; it goes with a
dearer slot because the cheaper one is worth so much more to others. Which rank that is, and how much money, is read off
the chain of moves that one more place would set going (`worth`), never guessed from the sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from chalicelib.domain.assignment import NOBODY, Choices, Family, Plan, Problem, cost_of
from chalicelib.domain.explanation import By, Dearer, Instead, OutRanked
from chalicelib.domain.fleet import Slot
from chalicelib.domain.orders import Tier
from chalicelib.domain.verdicts import Decision, Verdict
from chalicelib.domain.weights import Weights
from chalicelib.domain.worth import Change, changes

_NOT_THE_PLACES = frozenset({By.LIMIT, By.ROOM, By.TOGETHER, By.TIME})


class OneMore(NamedTuple):
    """What one more place in a slot would be worth: gifts served more (below 0: fewer) by tier, and minor units saved
    (below 0: spent)."""

    slot: str
    tiers: Mapping[int, int]
    saves: int


class Cheapest(NamedTuple):
    """Of the slots that were cleared for a gift, places left or not: by price and lateness, and by price alone."""

    slot: Slot
    by_price: Slot


def cheapest_of(answers: Iterable[Verdict], slots: Mapping[str, Slot]) -> Cheapest | None:
    """None: none was cleared."""
    yes = [slots[one.slot_id] for one in answers if one.decision is Decision.YES]
    if not yes:
        return None
    return Cheapest(
        min(yes, key=lambda slot: (_cost(slot), slot.slot_id)),
        min(yes, key=lambda slot: (slot.price.amount, slot.slot_id)),
    )


@dataclass(frozen=True)
class Rationing:
    """A problem, its weights, and the plan that was found and proven."""

    problem: Problem
    weights: Weights
    plan: Plan
    full: Mapping[str, Choices] = field(default_factory=dict)
    """Of each gift the slots that were cleared for it and had no place left to begin with, and what each would cost;
    gifts that are alike share one. Such slots are no part of the problem."""
    loads: Mapping[str, int] = field(default_factory=dict)
    """Of each slot what its cost has been raised by, for a fair load."""
    _rows: dict[int, tuple[int | None, tuple[int, int, int]]] = field(default_factory=dict)

    @property
    def serves_most(self) -> bool:
        """True when it is proven that nobody more of any tier could be served, the highest first: as many of each are
        as by the flow that knew no side constraints. A gap, which is a difference in value, does not say so."""
        if self.plan.is_cut_short:
            return False
        served, most = (
            Counter(tier for tier, slot in zip(self.problem.tiers, numbers, strict=True) if slot != NOBODY)
            for numbers in (self.plan.numbers, self._priced)
        )
        return served == most

    # --- one gift -----------------------------------------------------------------------------------------------

    def has_pairs(self, order: str) -> bool:
        """True when somebody with a place left might have gone."""
        number = self._number.get(order)
        return number is not None and bool(self.problem.row(number).slots)

    def out_ranked(self, order: str, currency: str | None) -> OutRanked | None:
        """Why it stays, though couriers might have gone. None: none might."""
        full = self.full.get(order, ())
        if self.has_pairs(order):
            told = self._in_the_round(self._number[order], currency)
        elif full and order in self._number:
            told = OutRanked(by=By.EARLIER, slots=len(full))
        else:
            return None
        if told.would_serve or told.by in _NOT_THE_PLACES or self._is_blind:
            return told
        number = self._number[order]
        for _, slot in sorted((cost, slot) for slot, cost in full):
            comes = self._of_full[slot].comes if slot in self._of_full else ()
            if comes[:1] == (number,):
                mine = {"slot": slot, "would_serve": True, "next_tier": None, "short": None, "currency": None}
                return told.model_copy(update=mine)
            if comes and told.slot is None:
                next_tier = Tier(self.problem.tiers[comes[0]])
                told = told.model_copy(update={"slot": slot, "next_tier": next_tier})
        return told

    @property
    def _is_blind(self) -> bool:
        """True where there are no prices, or none that say anything."""
        return self.plan.prices is None or self.plan.is_cut_short

    def _in_the_round(self, number: int, currency: str | None) -> OutRanked:
        """Why it has none of the places that were shared out in this round."""
        problem, row = self.problem, self.problem.row(number)
        lowest, nearest = self._of_row(problem.row_of[number])
        told = OutRanked(by=By.TIME, slots=len(row.slots), lowest=None if lowest is None else Tier(lowest))
        if self._is_blind:
            return told
        assert self.plan.prices is not None
        # how much more the place is worth to whoever gets it next; below 0: no place was lacking
        worth, slot, at = nearest
        prices, short = self.plan.prices.slots, worth - self.weights.gains[number]
        own = problem.tiers[number]
        is_free = short < 0 or (short == 0 and (not prices[slot] or self._pays_for_a_limit(number)))
        if is_free or lowest is None or lowest < own:
            return told.model_copy(update={"by": self._but_for_places(number)})
        by = By.SAME_TIER if lowest == own else By.HIGHER_TIER
        told = told.model_copy(update={"by": by, "slot": problem.slots[slot]})
        if short == 0 and self._is_next(number):
            return told.model_copy(update={"would_serve": True})
        change = self._changes.get(slot)
        if change is None or not change.comes:
            return told
        after = problem.tiers[change.comes[0]]
        if after == own and not change.goes:
            less = row.costs[at] - change.cost  # 0: the lot
            told = told.model_copy(update={"short": less, "currency": currency})
        return told.model_copy(update={"next_tier": Tier(after)})

    def _of_row(self, number: int) -> tuple[int | None, tuple[int, int, int]]:
        """The lowest tier that sits in its slots; and where a place costs least, what it is worth to others included:
        how much, in which slot, and at which of the pairs."""
        known = self._rows.get(number)
        if known is None:
            row, costs = self.problem.rows[number], self.weights.rows[number]
            seats = [self._lowest[slot] for slot in row.slots if slot in self._lowest]
            prices = self.plan.prices.slots if self.plan.prices is not None else [0] * len(self.problem.slots)
            nearest = min(
                (prices[slot] + cost, slot, at)
                for at, (slot, cost) in enumerate(zip(row.slots, costs, strict=True))
            )
            known = self._rows[number] = min(seats, default=None), nearest
        return known

    def _is_next(self, number: int) -> bool:
        """True when of those that are alike and stay none drew a better lot."""
        return number in self._first

    def _pays_for_a_limit(self, number: int) -> bool:
        """True when being under limits of orders costs that order something: one of them is full."""
        assert self.plan.prices is not None
        of, worths = self._zones.of, self.plan.prices.order_limits
        return bool(of) and of[number] != NOBODY and worths[of[number]] > 0

    @cached_property
    def _zones(self) -> Family:
        """The limits of orders that have a price; others were told as rations."""
        assert self.plan.prices is not None
        return self.problem.of_orders.widest(len(self.plan.prices.order_limits))

    def dearer(self, order: str, mine: Slot, cheapest: Cheapest) -> Dearer | None:
        """Why it does not go with the slot that would be the cheapest of those that were cleared for it; None: it does.

        What a slot costs is its price and its lateness, as in the plan; where only the price is lower it is said how
        much less often it is on time.
        """
        if _cost(cheapest.slot) < _cost(mine):
            return self._instead(order, mine, cheapest.slot)
        other = cheapest.by_price
        if other.price.amount >= mine.price.amount:
            return None
        return Dearer(
            why=Instead.LATER,
            slot=other.slot_id,
            less=mine.price.amount - other.price.amount,
            currency=mine.price.currency,
            later=mine.on_time_permille - other.on_time_permille,
        )

    def _no_cheaper(self, order: str, mine: Slot, other: str) -> Instead | None:
        """Why that slot would not have cost it less, whether or not it was full before; None: it would have."""
        row = self.problem.row(self._number[order])
        costs = dict(self.full.get(order, ()))
        costs |= {self.problem.slots[slot]: cost for slot, cost in zip(*row, strict=True)}
        own = costs.get(mine.slot_id)
        if own is None or other not in costs:
            return None
        if costs[other] - self.loads.get(other, 0) >= own - self.loads.get(mine.slot_id, 0):
            return Instead.SOONER
        return Instead.FAIR_LOAD if costs[other] >= own else None

    def _instead(self, order: str, mine: Slot, best: Slot) -> Dearer:
        told = Dearer(
            why=Instead.GIVEN_AWAY,
            slot=best.slot_id,
            less=_cost(mine) - _cost(best),
            currency=best.price.currency,
        )
        dear = self._no_cheaper(order, mine, best.slot_id)
        if dear is not None:
            return told.model_copy(update={"why": dear})
        slot = self._slot_number.get(best.slot_id)
        if slot is None or not self.problem.places[slot]:
            return told
        worths = self.plan.prices
        if (
            slot not in self.problem.row(self._number[order]).slots
            or worths is None
            or not worths.slots[slot]
        ):
            return told.model_copy(update={"why": self._kept_from(order, best.slot_id)})
        more: dict[str, object] = {"why": Instead.WORTH_MORE}
        if slot in self._lowest:
            more["lowest"] = Tier(self._lowest[slot])
        change = self._changes.get(slot)
        if change is not None and change.comes:
            more["next_tier"] = Tier(self.problem.tiers[change.comes[0]])
        elif change is not None:
            more["saves"] = -change.cost
        return told.model_copy(update=more)

    def _but_for_places(self, number: int) -> By:
        """What keeps an order out that no place is too dear for."""
        slots = self.problem.slots
        order = self.problem.orders[number]
        if order in self._grouped:
            return By.TOGETHER
        states = any(slots[slot] in self.problem.rooms for slot in self.problem.row(number).slots)
        return By.ROOM if states and any(self.problem.sizes.get(order, ())) else By.LIMIT

    def _kept_from(self, order: str, slot: str) -> Instead:
        """What keeps it from a slot that has a place for it."""
        if order in self._grouped:
            return Instead.TOGETHER
        if slot in self.problem.rooms and any(self.problem.sizes.get(order, ())):
            return Instead.ROOM
        number, family = self._slot_number.get(slot), self.problem.of_slots
        limit = family.of[number] if family.of and number is not None else NOBODY
        while limit != NOBODY:
            if family.limits[limit].step:
                return Instead.FAIR_LOAD
            limit = family.parents[limit]
        return Instead.LIMIT

    # --- all of it ----------------------------------------------------------------------------------------------

    def one_more(self) -> list[OneMore]:
        """Of the slots in which one more place would be worth something, the dearest first."""
        nothing, slots = self._worth(Change()), self.problem.slots
        found = dict(self._of_full)
        found |= {slots[slot]: change for slot, change in self._changes.items()}
        ranked = [(self._worth(change), slot) for slot, change in found.items()]
        ranked.sort(key=lambda one: (-one[0][0], -one[0][1], one[1]))
        return [
            OneMore(slot, self._tiers(found[slot]), -found[slot].cost)
            for worth, slot in ranked
            if worth > nothing  # the price of others is the lot
        ]

    def _worth(self, change: Change) -> tuple[int, int]:
        """Strictly by tier, then by money: the weights outweigh only costs that are in the problem."""
        gains = self.weights.gains
        comes, goes = (sum(gains[order] for order in orders) for orders in (change.comes, change.goes))
        return comes - goes, -change.cost

    def _freed(self, number: int) -> Change:
        """What would be otherwise if it needed no place: it would come, or leave its own to others."""
        slot = self._priced[number]
        if slot == NOBODY:
            return Change() if self._pays_for_a_limit(number) else Change((number,))
        row, change = self.problem.row(number), self._changes.get(slot, Change())
        return change._replace(cost=change.cost - row.costs[row.find(slot)])

    def _tiers(self, change: Change) -> Mapping[int, int]:
        counts: dict[int, int] = {}
        for orders, sign in ((change.comes, 1), (change.goes, -1)):
            for order in orders:
                tier = self.problem.tiers[order]
                counts[tier] = counts.get(tier, 0) + sign
        return {tier: count for tier, count in sorted(counts.items(), reverse=True) if count}

    # --- found once ---------------------------------------------------------------------------------------------

    @cached_property
    def _grouped(self) -> frozenset[str]:
        return frozenset[str]().union(*self.problem.together)

    @cached_property
    def _number(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self.problem.orders)}

    @cached_property
    def _slot_number(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self.problem.slots)}

    @cached_property
    def _lowest(self) -> Mapping[int, int]:
        """By number of the slot, the lowest tier that sits in it."""
        lowest: dict[int, int] = {}
        for order, slot in enumerate(self.plan.numbers):
            if slot != NOBODY:
                tier = self.problem.tiers[order]
                lowest[slot] = min(tier, lowest.get(slot, tier))
        return lowest

    @cached_property
    def _first(self) -> frozenset[int]:
        """Of the orders that are alike and stay, each time the one with the best lot."""
        turns, first = self.weights.turns, dict[tuple[int, int, int], int]()
        of = self.problem.of_orders.of or (NOBODY,) * len(self.problem.orders)
        for order, slot in enumerate(self.plan.numbers):
            if slot == NOBODY:
                kind = self.problem.row_of[order], self.problem.tiers[order], of[order]
                first[kind] = min(order, first.get(kind, order), key=lambda o: (turns[o], o))
        return frozenset(first.values())

    @cached_property
    def _of_full(self) -> Mapping[str, Change]:
        """What one more place would change in slots that had none to begin with: whoever would gain most by it takes
        it, and leaves its own to the chain that begins there."""
        if self._is_blind:
            return {}
        best: dict[int, tuple[tuple[int, int, int], Change, Choices]] = {}
        for name, options in self.full.items():
            number = self._number.get(name)
            if options and number is not None:
                freed = self._freed(number)
                rank = (*self._worth(freed), -self.weights.turns[number])
                had = best.get(id(options))
                if had is None or rank > had[0]:
                    best[id(options)] = rank, freed, options
        found: dict[str, Change] = {}
        for _, freed, options in best.values():
            for slot, cost in options:
                change = freed._replace(cost=freed.cost + cost)
                if self._worth(change) > self._worth(found.get(slot, Change())):
                    found[slot] = change
        return found

    @property
    def _priced(self) -> Sequence[int]:
        return self.plan.priced or self.plan.numbers

    @cached_property
    def _changes(self) -> Mapping[int, Change]:
        if self._is_blind:
            return {}
        assert self.plan.prices is not None
        return changes(self.problem, self.weights, self.plan.prices, self._priced)


def _cost(slot: Slot) -> int:
    return cost_of(slot.price.amount, slot.on_time_permille)
