"""Slot prices: what one more place would be worth, found from the plan itself, whoever made it.

A gift that stays would gain so much by a place; a gift that has a place and would rather have another leaves one free
for somebody else. The price of a slot is the most that any such chain of moves would gain, if it ended in a place more:
*what one more place in this vehicle, this afternoon, would be worth*. Where a place is free it is worth nothing more.

The prices exist just when no better plan does: a chain that gains without any place more is a better plan, and these
rise for ever (`NotBest`). `proof` shows what the prices prove, and shares no code with this.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain.assignment import NOBODY, Prices, Problem
from chalicelib.domain.weights import Weights

Kind = tuple[int, int, int]
"""Orders that are alike: of one row, one gain, under one limit."""


class NotBest(Exception):
    """There is a better plan than this one, or it may not be done at all."""


def prices(problem: Problem, weights: Weights, chosen: Sequence[int]) -> Prices:
    """The lowest prices that hold for that plan, of each order the number of its slot. Raises `NotBest`."""
    return _Rising(problem, weights, chosen).prices()


class _Rising:
    """Worths of one more unit at each node of the network: source and sink stand at 0, the others only rise."""

    def __init__(self, problem: Problem, weights: Weights, chosen: Sequence[int]) -> None:
        self.problem, self.weights = problem, weights
        of_orders, of_slots = problem.of_orders, problem.of_slots
        self.slots = [0] * len(problem.slots)
        self.groups = [0] * len(of_slots.limits)
        self.zones: list[int | None] = [None] * len(of_orders.limits)
        self.zone_of = of_orders.of or (NOBODY,) * len(problem.orders)
        self.group_of = of_slots.of or (NOBODY,) * len(problem.slots)
        self.seated: list[dict[Kind, int]] = [{} for _ in problem.slots]
        """Of each slot the kinds of orders it has, with the cost of each."""
        self.count = [0] * len(problem.slots)
        self.waiting: dict[int, set[Kind]] = {}
        """By their limit, the kinds of orders that stay."""
        self.in_zone, self.in_group = [0] * len(of_orders.limits), [0] * len(of_slots.limits)
        for order, slot in enumerate(chosen):
            row, zone = problem.row_of[order], self.zone_of[order]
            kind = row, weights.gains[order], zone
            if slot == NOBODY:
                if problem.rows[row].slots:
                    self.waiting.setdefault(zone, set()).add(kind)
                continue
            if kind not in self.seated[slot]:
                pair = problem.rows[row].find(slot)
                if pair == NOBODY:
                    raise NotBest(f"order number {order} is not cleared with slot number {slot}")
                self.seated[slot][kind] = weights.rows[row][pair]
            self.count[slot] += 1
            if self.count[slot] > problem.places[slot]:
                raise NotBest(f"slot number {slot} has {problem.places[slot]} places, and more orders")
            _count(self.in_zone, of_orders.parents, zone)
            _count(self.in_group, of_slots.parents, self.group_of[slot])
        self.slots_below: list[list[int]] = [[] for _ in of_slots.limits]
        for slot, group in enumerate(self.group_of):
            if group != NOBODY and self.seated[slot]:
                self.slots_below[group].append(slot)
        self.groups_below = _children(of_slots.parents)
        self.zones_below = _children(of_orders.parents)
        self.moves: list[tuple[list[tuple[int, int]], list[tuple[int, int]]] | None] = [None] * len(
            problem.slots
        )
        """Of each slot what its orders would gain at most by moving on to others; and by making room in a limit."""
        self.risen = {slot for slot, seated in enumerate(self.seated) if seated}
        self.others: list[tuple[str, int]] = []
        """Limits that have risen."""

    def prices(self) -> Prices:
        self._may_serve(NOBODY, 0)
        for zone, parent in enumerate(self.problem.of_orders.parents):
            if parent == NOBODY and self.in_zone[zone] < self.problem.of_orders.limits[zone].most:
                self._lift_zone(zone, 0)
        for group, limit in enumerate(self.problem.of_slots.limits):
            parent = self.problem.of_slots.parents[group]
            if limit.step and self.in_group[group]:
                above = 0 if parent == NOBODY else self.groups[parent]
                self._lift_group(group, above + self._load(group, self.in_group[group]))
        most = len(self.slots) + len(self.groups) + len(self.zones) + len(self.problem.orders) + 2
        for _ in range(most + 1):
            if not self.risen and not self.others:
                zones = self.zones
                # a limit that nobody can reach is worth whatever keeps its orders out
                far = -max(self.weights.gains, default=0) - 1
                return Prices(self.slots, self.groups, [-far if worth is None else -worth for worth in zones])
            slots, self.risen = sorted(self.risen), set()
            others, self.others = self.others, []
            for kind, number in others:
                self._from_zone(number) if kind == "zone" else self._from_group(number)
            for slot in slots:
                self._from_slot(slot)
        raise NotBest("some chain of moves gains without end")

    def _load(self, group: int, count: int) -> int:
        """What the delivery of that number costs for the load."""
        return self.problem.of_slots.limits[group].step * self.weights.unit * (count - 1)

    def _may_serve(self, zone: int, worth: int) -> None:
        """Whoever stays, directly under that limit, may be served in place of another that is worth so much."""
        slots, risen, problem, weights = self.slots, self.risen, self.problem, self.weights
        for row, gain, _ in self.waiting.get(zone, ()):
            most = worth + gain
            for slot, cost in zip(problem.rows[row].slots, weights.rows[row], strict=True):
                if most - cost > slots[slot]:
                    slots[slot] = most - cost
                    risen.add(slot)

    def _from_slot(self, slot: int) -> None:
        worth, slots, risen = self.slots[slot], self.slots, self.risen
        moves = self.moves[slot]
        if moves is None:
            moves = self.moves[slot] = self._moves(slot)
        for other, gain in moves[0]:
            if worth + gain > slots[other]:
                slots[other] = worth + gain
                risen.add(other)
        for zone, gain in moves[1]:
            self._lift_zone(zone, worth + gain)
        if self.count[slot] < self.problem.places[slot]:
            self._lift_group(self.group_of[slot], worth)

    def _moves(self, slot: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        rows, costs_of = self.problem.rows, self.weights.rows
        away: dict[int, int] = {}
        out: dict[int, int] = {}
        for (row, worth, zone), cost in self.seated[slot].items():
            for other, price in zip(rows[row].slots, costs_of[row], strict=True):
                gain = cost - price
                if gain > away.get(other, gain - 1):
                    away[other] = gain
            if cost - worth > out.get(zone, cost - worth - 1):
                out[zone] = cost - worth
        away.pop(slot, None)
        return [*away.items()], [*out.items()]

    def _lift_group(self, group: int, worth: int) -> None:
        if group == NOBODY:
            if worth > 0:
                raise NotBest("a free place is worth something")
        elif worth > self.groups[group]:
            self.groups[group] = worth
            self.others.append(("group", group))

    def _from_group(self, group: int) -> None:
        worth, family = self.groups[group], self.problem.of_slots
        for slot in self.slots_below[group]:
            if worth > self.slots[slot]:
                self.slots[slot] = worth
                self.risen.add(slot)
        for inner in self.groups_below[group]:
            if self.in_group[inner]:
                self._lift_group(inner, worth + self._load(inner, self.in_group[inner]))
        if self.in_group[group] < family.limits[group].most:
            self._lift_group(family.parents[group], worth - self._load(group, self.in_group[group] + 1))

    def _lift_zone(self, zone: int, worth: int) -> None:
        if zone == NOBODY:
            if worth > 0:
                raise NotBest("one order fewer would gain")
            return
        now = self.zones[zone]
        if now is None or worth > now:
            self.zones[zone] = worth
            self.others.append(("zone", zone))

    def _from_zone(self, zone: int) -> None:
        worth, family = self.zones[zone], self.problem.of_orders
        assert worth is not None
        self._may_serve(zone, worth)
        for inner in self.zones_below[zone]:
            if self.in_zone[inner] < family.limits[inner].most:
                self._lift_zone(inner, worth)
        if self.in_zone[zone]:
            self._lift_zone(family.parents[zone], worth)


def _count(counts: list[int], parents: Sequence[int], number: int) -> None:
    while number != NOBODY:
        counts[number] += 1
        number = parents[number]


def _children(parents: Sequence[int]) -> list[list[int]]:
    below: list[list[int]] = [[] for _ in parents]
    for number, parent in enumerate(parents):
        if parent != NOBODY:
            below[parent].append(number)
    return below
