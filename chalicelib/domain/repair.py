"""Repair: what the flow does not know, put right after it.

Rations that cross one another, room by volume or weight, and orders that travel together make the problem hard; the
flow without them is solved exactly and its prices bound what any plan can reach. Here its plan is made one that may be
done: who collides is planned again with what is left, before anybody of a lower tier, until nobody collides; who
travels together is seated between, in the turn of its tier (`together`); then whoever stays is offered what room there
is, the place of a lower tier, and that of anybody who can go elsewhere. How far that may be from the best is certified
by the bound (`Plan.gap`), never hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from chalicelib.domain import together
from chalicelib.domain.assignment import NOBODY, Family, Prices, Problem, Row
from chalicelib.domain.weights import Weights

Assign = Callable[[Problem, Weights], Sequence[int]]
"""The flow, as `ports.Solver.assign`."""

PASSES = 40
"""Flows, at most; who still collides then is offered what is left."""
SWAPS = 3
"""Rounds over whoever stays."""
LOOKS = 20_000
"""Pairs that are looked at, at most, for somebody who could make room by going elsewhere: some tenths of a second."""


def repaired(
    problem: Problem,
    weights: Weights,
    flow: Sequence[int],
    prices: Prices,
    assign: Assign,
    is_over: Callable[[], bool],
) -> list[int]:
    """A plan that may be done, from the plan of the flow: of each order its slot or `NOBODY`."""
    board = Board(problem, weights)
    chosen: Sequence[int] = flow
    for tier in board.tiers_of_groups():
        chosen = _accepted(board, chosen, assign, is_over, tier)
        if together.seat(board, tier, prices):
            chosen = board.plan_rest(assign)
    _accepted(board, chosen, assign, is_over)
    for _ in range(SWAPS):
        if is_over() or not (together.improve(board) | board.improve()):
            break
    return board.numbers()


def _accepted(
    board: Board,
    chosen: Sequence[int],
    assign: Assign,
    is_over: Callable[[], bool],
    above: int | None = None,
) -> Sequence[int]:
    """Seat whom that plan serves, of the tiers above, and plan anew where they collide. The plan of the rest."""
    for _ in range(PASSES):
        if not board.accept(chosen, above) or is_over():
            break
        chosen = board.plan_rest(assign)
    return chosen


def greedy(problem: Problem, weights: Weights) -> list[int]:
    """The highest tier first, each to the cheapest slot that is left: what is done when there is no time for better."""
    board = Board(problem, weights)
    for tier in board.tiers_of_groups():
        board.fill(above=tier)
        together.seat(board, tier, None)
    board.fill()
    return board.numbers()


class Board:
    """Who sits where so far, and what is left of everything."""

    def __init__(self, problem: Problem, weights: Weights) -> None:
        self.problem, self.weights = problem, weights
        self.seated: dict[int, int] = {}
        self._there: dict[int, dict[int, None]] = {}
        """Who sits in each slot."""
        self.steps: list[tuple[int, int, int]] = []
        """Who sat down (1) or rose (-1) where, to be undone."""
        self.looks = together.LOOKS
        self.places = list(problem.places)
        self.rooms = {
            n: list(problem.rooms[name]) for n, name in enumerate(problem.slots) if name in problem.rooms
        }
        self.left = [ration.most for ration in problem.rations]
        number = {name: n for n, name in enumerate(problem.orders)}
        slot_number = {name: n for n, name in enumerate(problem.slots)}
        self.rations_of: dict[tuple[int, int], list[int]] = {}
        for at, ration in enumerate(problem.rations):
            for order, slot in ration.pairs:
                if order in number and slot in slot_number:
                    self.rations_of.setdefault((number[order], slot_number[slot]), []).append(at)
        self.in_orders = [limit.most for limit in problem.of_orders.limits]
        self.in_slots = [limit.most for limit in problem.of_slots.limits]
        self.groups = [tuple(sorted(number[name] for name in group)) for group in problem.together]
        self.grouped = {order for group in self.groups for order in group}
        self.pending = set(self.grouped)
        """Of those, whose turn is still to come: they are planned one by one until then, so that there is room."""
        self.first = sorted(range(len(problem.orders)), key=lambda o: (-problem.tiers[o], o))

    def numbers(self) -> list[int]:
        return [self.seated.get(order, NOBODY) for order in range(len(self.problem.orders))]

    # --- one order ----------------------------------------------------------------------------------------------

    def options(self, order: int) -> list[tuple[int, int]]:
        """Its slots with what each costs."""
        row = self.problem.row_of[order]
        return list(zip(self.problem.rows[row].slots, self.weights.rows[row], strict=True))

    def fits(self, order: int, slot: int) -> bool:
        if self.places[slot] < 1:
            return False
        if any(self.left[ration] < 1 for ration in self.rations_of.get((order, slot), ())):
            return False
        if any(self.in_orders[limit] < 1 for limit in self._around(self.problem.of_orders, order)):
            return False
        if any(self.in_slots[limit] < 1 for limit in self._around(self.problem.of_slots, slot)):
            return False
        room = self.rooms.get(slot)
        sizes = self.problem.sizes.get(self.problem.orders[order], ())
        return room is None or all(size <= left for size, left in zip(sizes, room, strict=False))

    def seat(self, order: int, slot: int) -> None:
        self.seated[order] = slot
        self._there.setdefault(slot, {})[order] = None
        self.steps.append((order, slot, 1))
        self._take(order, slot, 1)

    def rise(self, order: int) -> int:
        """It leaves its slot."""
        slot = self.seated.pop(order)
        del self._there[slot][order]
        self.steps.append((order, slot, -1))
        self._take(order, slot, -1)
        return slot

    def back_to(self, mark: int) -> None:
        """Undo every step but the first so many."""
        while len(self.steps) > mark:
            order, slot, count = self.steps.pop()
            if count > 0:
                self.rise(order)
            else:
                self.seat(order, slot)
            self.steps.pop()

    def sitting(self, slot: int) -> list[int]:
        """Who sits there and may be moved."""
        return [order for order in self._there.get(slot, ()) if order not in self.grouped]

    def _take(self, order: int, slot: int, count: int) -> None:
        self.places[slot] -= count
        for ration in self.rations_of.get((order, slot), ()):
            self.left[ration] -= count
        for limit in self._around(self.problem.of_orders, order):
            self.in_orders[limit] -= count
        for limit in self._around(self.problem.of_slots, slot):
            self.in_slots[limit] -= count
        room = self.rooms.get(slot)
        if room is not None:
            for measure, size in enumerate(self.problem.sizes.get(self.problem.orders[order], ())):
                room[measure] -= size * count

    @staticmethod
    def _around(family: Family, number: int) -> Iterator[int]:
        limit = family.of[number] if family.of else NOBODY
        while limit != NOBODY:
            yield limit
            limit = family.parents[limit]

    def may_sit(self, order: int, slot: int) -> bool:
        """It may go with that slot, and there is room."""
        return self.problem.row(order).find(slot) != NOBODY and self.fits(order, slot)

    def elsewhere(self, order: int, slot: int = NOBODY) -> int | None:
        """The cheapest slot with room for it, but for that one."""
        self.looks -= len(self.problem.row(order).slots)
        return next((to for _, to in self._by_cost(order) if to != slot and self.fits(order, to)), None)

    def tiers_of_groups(self) -> list[int]:
        """The tiers in whose turn somebody who travels together is seated, the highest first."""
        return sorted({together.rank(self, group) for group in self.groups}, reverse=True)

    # --- everybody else -----------------------------------------------------------------------------------------

    def accept(self, chosen: Sequence[int], above: int | None = None) -> bool:
        """Seat whom that plan serves, the highest tier first, of the tiers above that one. True: somebody collided, and
        whoever is of a lower tier was not looked at."""
        short: int | None = None
        for order in self.first:
            if above is not None and self.problem.tiers[order] <= above:
                break
            if short is not None and self.problem.tiers[order] < short:
                break
            slot = chosen[order]
            if slot == NOBODY or order in self.seated or order in self.grouped:
                continue
            if self.fits(order, slot):
                self.seat(order, slot)
            else:
                short = self.problem.tiers[order]
        return short is not None

    def plan_rest(self, assign: Assign) -> Sequence[int]:
        """The flow over whoever has no place yet, and every pair that still fits."""
        problem, weights = self.problem, self.weights
        rows: list[Row] = []
        costs: list[list[int]] = []
        for order in range(len(problem.orders)):
            slots: list[int] = []
            costs.append([])
            if order not in self.seated and (order not in self.grouped or order in self.pending):
                for slot, cost in self.options(order):
                    if self.fits(order, slot):
                        slots.append(slot)
                        costs[-1].append(cost)
            rows.append(Row(slots, costs[-1]))
        rest = replace(
            problem,
            places=list(self.places),
            rows=rows,
            row_of=range(len(rows)),
            of_orders=_left(problem.of_orders, self.in_orders),
            of_slots=_left(problem.of_slots, self.in_slots),
            rations=(),
            together=(),
            sizes={},
            rooms={},
        )
        return assign(rest, replace(weights, rows=costs))

    def fill(self, above: int | None = None) -> bool:
        """Whoever stays goes where there is room, the highest tier first, of the tiers above that one."""
        moved = False
        for order in self.first:
            if above is not None and self.problem.tiers[order] <= above:
                break
            if order in self.seated or order in self.grouped:
                continue
            for _, slot in self._by_cost(order):
                if self.fits(order, slot):
                    self.seat(order, slot)
                    moved = True
                    break
        return moved

    def improve(self) -> bool:
        """Whoever stays goes where there is room, or takes the place of one of a lower tier, who may go elsewhere.
        True: somebody did."""
        moved = self.fill()
        gains = self.weights.gains
        for order in self.first:
            if order in self.seated or order in self.grouped:
                continue
            for _, slot in self._by_cost(order):
                below = [o for o in self.sitting(slot) if gains[o] < gains[order]]
                out = min(below, key=lambda o: (gains[o], o), default=None)
                if out is None:
                    continue
                self.rise(out)
                if not self.fits(order, slot):
                    self.seat(out, slot)
                    continue
                self.seat(order, slot)
                moved = True
                break
        return self.make_room() or self.fill() or moved

    def make_room(self) -> bool:
        """Whoever stays has a place whose gift goes elsewhere, of whatever tier: nobody is served less. True: somebody
        did."""
        looks, moved = LOOKS, False
        for order in self.first:
            if order in self.seated or order in self.grouped:
                continue
            pairs = [(slot, other) for _, slot in self._by_cost(order) for other in self.sitting(slot)]
            for slot, other in pairs:
                looks -= len(self.problem.row(other).slots)
                if looks < 0:
                    return moved
                if self._changed_places(order, slot, other):
                    moved = True
                    break
        return moved

    def _changed_places(self, order: int, slot: int, other: int) -> bool:
        """`other` goes elsewhere, and `order` has its place. False: it cannot, and nothing is done."""
        self.rise(other)
        if self.fits(order, slot):
            self.seat(order, slot)
            there = self.elsewhere(other, slot)
            if there is not None:
                self.seat(other, there)
                return True
            self.rise(order)
        self.seat(other, slot)
        return False

    def _by_cost(self, order: int) -> list[tuple[int, int]]:
        return sorted((cost, slot) for slot, cost in self.options(order))


def _left(family: Family, most: Sequence[int]) -> Family:
    limits = tuple(limit._replace(most=left) for limit, left in zip(family.limits, most, strict=True))
    return replace(family, limits=limits)
