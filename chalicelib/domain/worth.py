"""What one more place in a slot would change: who would come, who would go, and what that would cost.

A price (`prices`) is what the best chain of moves gains that ends in one more place there: a gift that stays takes a
place, whoever had it moves on, and so forth. Here the chains themselves are found again, along moves on which nothing
of the price is lost. So a worth is told for what it is, so many gifts of which tier and so much money, and not read
out of one number, which may be put together in several ways.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.domain.assignment import NOBODY, Family, Prices, Problem
from chalicelib.domain.prices import Kind
from chalicelib.domain.weights import Weights


class Change(NamedTuple):
    """What would be otherwise. Orders by number; `cost` in minor units, below 0: so much is saved."""

    comes: tuple[int, ...] = ()
    goes: tuple[int, ...] = ()
    cost: int = 0


def changes(problem: Problem, weights: Weights, prices: Prices, chosen: Sequence[int]) -> dict[int, Change]:
    """By number of each slot that has a price, what one more place in it (and in every limit that holds it) would
    change. `chosen`: the plan that the prices are of, of each order its slot. O(pairs of different orders)."""
    return _Chains(problem, weights, prices, chosen).found()


class _Chains:
    """Chains from wherever one begins, slots and limits met once each; the shortest to each of them."""

    def __init__(self, problem: Problem, weights: Weights, prices: Prices, chosen: Sequence[int]) -> None:
        self.problem, self.weights, self.prices = problem, weights, prices
        self.zones = problem.of_orders.widest(len(prices.order_limits))  # others were told as rations
        self.groups = problem.of_slots
        self.zone_of = self.zones.of or (NOBODY,) * len(problem.orders)
        self.group_of = self.groups.of or (NOBODY,) * len(problem.slots)
        self.waiting: dict[int, dict[Kind, int]] = {}
        """By their limit, the kinds of orders that stay, and of each whoever would be the next."""
        self.seated: list[dict[Kind, int]] = [{} for _ in problem.slots]
        """Of each slot the kinds of orders that it has, and of each the last to have got its place."""
        self.count = [0] * len(problem.slots)
        self.in_zone, self.in_group = [0] * len(self.zones.limits), [0] * len(self.groups.limits)
        turns = weights.turns
        for order, slot in enumerate(chosen):
            zone = self.zone_of[order]
            kind = problem.row_of[order], weights.gains[order], zone
            if slot == NOBODY:
                line = self.waiting.setdefault(zone, {})
                line[kind] = min(order, line.get(kind, order), key=lambda o: (turns[o], o))
                continue
            seats = self.seated[slot]
            seats[kind] = max(order, seats.get(kind, order), key=lambda o: (turns[o], o))
            self.count[slot] += 1
            _count(self.in_zone, self.zones, zone)
            _count(self.in_group, self.groups, self.group_of[slot])
        self.slots: dict[int, Change] = {}
        self.met: dict[tuple[str, int], Change] = {}
        """Limits."""
        self.queue: deque[tuple[str, int, Change]] = deque()

    def found(self) -> dict[int, Change]:
        nothing = Change()
        self._enter(NOBODY, 0, nothing)
        for zone, limit in enumerate(self.zones.limits):
            has_room = self.in_zone[zone] < limit.most
            if self.zones.parents[zone] == NOBODY and has_room and self._zone(zone) == 0:
                self._meet("zone", zone, nothing)
        for group, worth in enumerate(self.prices.slot_limits):
            if worth == 0:
                self._meet("group", group, nothing)
            elif self.groups.parents[group] == NOBODY and worth == self._load(group, self.in_group[group]):
                self._meet("group", group, nothing._replace(cost=-self._step(group, self.in_group[group])))
        for slot, worth in enumerate(self.prices.slots):
            if worth == 0 and self.seated[slot]:
                self._reach(slot, nothing)
        while self.queue:
            kind, number, change = self.queue.popleft()
            if kind == "slot":
                self._from_slot(number, change)
            elif kind == "zone":
                self._from_zone(number, change)
            else:
                self._from_group(number, change)
        return {slot: change for slot, change in self.slots.items() if self.prices.slots[slot] > 0}

    def _zone(self, zone: int) -> int:
        return -self.prices.order_limits[zone]

    def _step(self, group: int, count: int) -> int:
        """What the delivery of that number costs for the load, in minor units."""
        return self.groups.limits[group].step * (count - 1) if count > 0 else 0

    def _load(self, group: int, count: int) -> int:
        return self._step(group, count) * self.weights.unit

    def _reach(self, slot: int, change: Change) -> None:
        if slot not in self.slots:
            self.slots[slot] = change
            self.queue.append(("slot", slot, change))

    def _meet(self, kind: str, number: int, change: Change) -> None:
        if (kind, number) not in self.met:
            self.met[kind, number] = change
            self.queue.append((kind, number, change))

    def _enter(self, zone: int, worth: int, change: Change) -> None:
        """Whoever stays, directly under that limit, comes."""
        prices, rows, weights = self.prices.slots, self.problem.rows, self.weights.rows
        for (row, gain, _), order in self.waiting.get(zone, {}).items():
            most = worth + gain
            for pair, (slot, cost) in enumerate(zip(rows[row].slots, weights[row], strict=True)):
                if most - cost == prices[slot] and slot not in self.slots:
                    comes, cost = (*change.comes, order), change.cost + rows[row].costs[pair]
                    self._reach(slot, change._replace(comes=comes, cost=cost))

    def _from_slot(self, slot: int, change: Change) -> None:
        """Whoever has a place moves on, or makes room in a limit of orders."""
        prices, rows, weights = self.prices.slots, self.problem.rows, self.weights.rows
        worth = prices[slot]
        for (row, gain, zone), order in self.seated[slot].items():
            here = rows[row].find(slot)
            base, cost_here = worth + weights[row][here], rows[row].costs[here]
            for pair, (other, cost) in enumerate(zip(rows[row].slots, weights[row], strict=True)):
                if base - cost == prices[other] and other not in self.slots:
                    more = rows[row].costs[pair] - cost_here
                    self._reach(other, change._replace(cost=change.cost + more))
            if zone != NOBODY and base - gain == self._zone(zone):
                goes = (*change.goes, order)
                self._meet("zone", zone, change._replace(goes=goes, cost=change.cost - cost_here))
        group = self.group_of[slot]
        has_room = self.count[slot] < self.problem.places[slot]
        if has_room and group != NOBODY and worth == self.prices.slot_limits[group]:
            self._meet("group", group, change)

    def _from_zone(self, zone: int, change: Change) -> None:
        worth, parent = self._zone(zone), self.zones.parents[zone]
        self._enter(zone, worth, change)
        for inner, above in enumerate(self.zones.parents):
            has_room = self.in_zone[inner] < self.zones.limits[inner].most
            if above == zone and has_room and self._zone(inner) == worth:
                self._meet("zone", inner, change)
        if parent != NOBODY and self.in_zone[zone] and self._zone(parent) == worth:
            self._meet("zone", parent, change)

    def _from_group(self, group: int, change: Change) -> None:
        worths, parent, taken = self.prices.slot_limits, self.groups.parents[group], self.in_group[group]
        worth = worths[group]
        for slot, above in enumerate(self.group_of):
            if above == group and self.seated[slot] and self.prices.slots[slot] == worth:
                self._reach(slot, change)
        for inner, above in enumerate(self.groups.parents):
            load = self._load(inner, self.in_group[inner])
            if above == group and self.in_group[inner] and worths[inner] == worth + load:
                saved = self._step(inner, self.in_group[inner])
                self._meet("group", inner, change._replace(cost=change.cost - saved))
        has_room = parent != NOBODY and taken < self.groups.limits[group].most
        if has_room and worths[parent] == worth - self._load(group, taken + 1):
            more = self._step(group, taken + 1)
            self._meet("group", parent, change._replace(cost=change.cost + more))


def _count(counts: list[int], family: Family, number: int) -> None:
    while number != NOBODY:
        counts[number] += 1
        number = family.parents[number]
