"""The small exact method behind `ports.Solver`: successive cheapest augmentation with slot prices, plain Python.

Orders enter by descending tier. Each takes the cheapest chain of moves (a free place, or a place whose holder
moves on, or stays behind), found by Dijkstra over the slots with their prices as potentials. Every step keeps the
plan optimal for the orders seen so far, so the end is optimal: most served by tier, strictly, then least cost.
A penalty per tier, large enough that no sum of costs outweighs one order, makes the strictness; Python's integers
bear it. Good for thousands of orders and tens of slots; the city-scale engine goes behind the same port.
"""

from __future__ import annotations

import heapq

from chalicelib.domain.assignment import Plan, Problem


class ExactSolver:
    """`ports.Solver`, exact and deterministic: the same problem gives the same plan in any order of input."""

    def assign(self, problem: Problem) -> Plan:
        """The best plan. An order without a pair, or a slot without room, is simply not in it."""
        options: dict[str, list[tuple[str, int]]] = {order: [] for order in sorted(problem.orders)}
        for (order, slot), cost in sorted(problem.costs.items()):
            if order in options and problem.slots.get(slot, 0) > 0:
                options[order].append((slot, cost))
        penalty = _penalties(problem)
        book = _Book(
            {slot: room for slot, room in sorted(problem.slots.items()) if room > 0}, options, penalty
        )
        for order in sorted(options, key=lambda name: (-problem.orders[name], name)):
            if options[order]:
                book.enter(order)
        return Plan(chosen=dict(sorted(book.seat.items())))


def _penalties(problem: Problem) -> dict[str, int]:
    """What leaving each order costs: one of a tier outweighs all of the tiers below, and every price together."""
    spread = 2 * sum(abs(cost) for cost in problem.costs.values()) + 1
    weights: dict[int, int] = {}
    below = spread
    for tier in sorted(set(problem.orders.values())):
        weights[tier] = below
        below += below * (sum(1 for t in problem.orders.values() if t == tier) + 1)
    return {order: weights[tier] for order, tier in problem.orders.items()}


class _Book:
    """Who sits where, and the slots' prices."""

    def __init__(
        self, room: dict[str, int], options: dict[str, list[tuple[str, int]]], penalty: dict[str, int]
    ) -> None:
        self.room = room
        self.options = options
        self.penalty = penalty
        self.cost = {(order, slot): cost for order, pairs in options.items() for slot, cost in pairs}
        self.price = dict.fromkeys(room, 0)
        self.seat: dict[str, str] = {}
        self.seated: dict[str, set[str]] = {slot: set() for slot in room}

    def enter(self, order: str) -> None:
        """Let one more order in, by the cheapest chain of moves; staying out is one of them."""
        distance: dict[str, int] = {}
        came: dict[str, tuple[str, str | None]] = {}
        done: dict[str, int] = {}
        heap: list[tuple[int, bool, str]] = []
        for slot, cost in self.options[order]:
            distance[slot] = cost + self.price[slot]
            came[slot] = (order, None)
            heapq.heappush(heap, (distance[slot], self._is_full(slot), slot))
        best, end, leaves = self.penalty[order], None, None
        while heap:
            reach, full, slot = heapq.heappop(heap)  # of two as near, the one with room ends the search
            if reach >= best:
                break
            if slot in done:
                continue
            done[slot] = reach
            if not full:
                best, end, leaves = reach, slot, None  # a free place has price 0
                break
            for other in sorted(self.seated[slot]):
                here = reach - self.cost[other, slot] - self.price[slot]
                if here + self.penalty[other] < best:
                    best, end, leaves = here + self.penalty[other], slot, other
                for further, cost in self.options[other]:
                    there = here + cost + self.price[further]
                    if further not in done and there < distance.get(further, best):
                        distance[further] = there
                        came[further] = (other, slot)
                        heapq.heappush(heap, (there, self._is_full(further), further))
        for slot, reach in done.items():
            if reach < best:
                self.price[slot] += best - reach
        if end is not None:
            self._move(came, end, leaves)

    def _is_full(self, slot: str) -> bool:
        return len(self.seated[slot]) >= self.room[slot]

    def _move(self, came: dict[str, tuple[str, str | None]], end: str, leaves: str | None) -> None:
        if leaves is not None:
            self.seated[end].discard(leaves)
            del self.seat[leaves]
        slot: str | None = end
        while slot is not None:
            order, before = came[slot]
            if before is not None:
                self.seated[before].discard(order)
            self.seated[slot].add(order)
            self.seat[order] = slot
            slot = before
