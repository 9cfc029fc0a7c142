"""The proof of a plan: that it may be done, and that its prices leave nothing to be gained.

Any prices whatever give a bound that no plan can beat: what every order would gain at most at those prices, and what
all places and limits are worth at them, which is all that a plan can have spent. A plan whose value equals the bound
is the best there is; otherwise their difference is the gap that is certified.

This shares no code with what found the plan or the prices, and takes nothing of the engine's word. O(pairs).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import add

from chalicelib.domain.assignment import Family, Plan, Prices, Problem
from chalicelib.domain.weights import Weights


class Unproven(Exception):
    """The plan is not what it says it is, and may not be saved."""


def proven(problem: Problem, weights: Weights, plan: Plan) -> Plan:
    """The same plan with its value and with what its prices prove, whatever it said of either.

    Raises `Unproven`: for a plan that may not be done, prices that promise more than there is, or a gap in a plan that
    has no side constraints and was not cut short.
    """
    value = value_of(problem, weights, plan.chosen)
    if plan.prices is None and (any(row.slots for row in problem.rows) or plan.chosen):
        raise Unproven("a plan without prices proves nothing")
    bounds = [bound_of(problem, weights, each) for each in (plan.prices, plan.tighter) if each is not None]
    bound = max(bounds, default=0)
    if value < bound:
        raise Unproven(f"the plan's value {value} is below what its own prices allow, {bound}")
    if value > bound and problem.is_plain and not plan.is_cut_short:
        raise Unproven(f"a better plan may exist: this one is worth {value}, the prices prove only {bound}")
    return replace(plan, value=value, bound=bound)


def check(problem: Problem, weights: Weights, plan: Plan) -> None:
    """Raises `Unproven` for a plan that is not what it says it is, and whatever `proven` raises."""
    true = proven(problem, weights, plan)
    if true.value != plan.value:
        raise Unproven(f"the plan says its value is {plan.value}, it is {true.value}")
    if true.bound < plan.bound:
        raise Unproven(f"the plan says nothing is below {plan.bound}, its prices prove {true.bound}")


def value_of(problem: Problem, weights: Weights, chosen: Mapping[str, str]) -> int:
    """What that plan is worth. Raises `Unproven` for one that may not be done."""
    number = {name: n for n, name in enumerate(problem.orders)}
    slot_number = {name: n for n, name in enumerate(problem.slots)}
    value = 0
    for order, slot in chosen.items():
        if order not in number:
            raise Unproven(f"the plan serves {order!r}, which is no order of the problem")
        here = number[order]
        row = problem.row_of[here]
        try:
            pair = problem.rows[row].slots.index(slot_number[slot])
        except (KeyError, ValueError):
            raise Unproven(f"the pair {(order, slot)!r} is not cleared") from None
        value += weights.rows[row][pair] - weights.gains[here]
    places, loads = dict(zip(problem.slots, problem.places, strict=True)), Counter(chosen.values())
    for slot, count in loads.items():
        if count > places[slot]:
            raise Unproven(f"slot {slot!r} has {places[slot]} places, the plan gives it {count}")
    for family, served in ((problem.of_orders, dict.fromkeys(chosen, 1)), (problem.of_slots, loads)):
        for limit in family.limits:
            count = sum([served.get(name, 0) for name in limit.members])
            if count > limit.most:
                raise Unproven(f"limit {limit.name!r} is {limit.most}, the plan takes {count}")
            value += weights.unit * limit.step * (count * (count - 1) // 2)
    _check_sides(problem, chosen)
    return value


def _check_sides(problem: Problem, chosen: Mapping[str, str]) -> None:
    pairs = set(chosen.items())
    for ration in problem.rations:
        if len(pairs & ration.pairs) > ration.most:
            raise Unproven(f"ration {ration.name!r} is {ration.most}, the plan takes more")
    loads: dict[str, list[int]] = {}
    for order, slot in chosen.items():
        if slot in problem.rooms and order in problem.sizes:
            load = loads.setdefault(slot, [0] * len(problem.rooms[slot]))
            for measure, size in enumerate(problem.sizes[order]):
                load[measure] += size
    for slot, load in loads.items():
        if any(taken > room for taken, room in zip(load, problem.rooms[slot], strict=True)):
            raise Unproven(f"slot {slot!r} has room for {problem.rooms[slot]}, the plan puts {load} into it")
    for group in problem.together:
        if len({chosen.get(order) for order in group}) > 1:
            raise Unproven(f"orders that travel together are apart: {sorted(group)}")


def bound_of(problem: Problem, weights: Weights, prices: Prices) -> int:
    """What no plan can be below. True for any prices at all; side constraints only raise the true optimum."""
    worth_of = prices.slots.__getitem__
    cheapest = [
        min(map(add, costs, map(worth_of, row.slots))) if row.slots else None
        for row, costs in zip(problem.rows, weights.rows, strict=True)
    ]
    inner = problem.of_orders.of
    rationed = _rationed(problem, prices)
    bound = -sum(
        ration.most * worth
        for ration, worth in zip(problem.rations, prices.rations, strict=False)
        if worth > 0
    )
    for order, gain in enumerate(weights.gains):
        least = cheapest[problem.row_of[order]]
        if least is None:
            continue
        extras = rationed.get(problem.orders[order])
        if extras is not None:
            row = problem.row_of[order]
            pairs = zip(problem.rows[row].slots, weights.rows[row], strict=True)
            least = min([cost + worth_of(slot) + extras.get(problem.slots[slot], 0) for slot, cost in pairs])
        dear = prices.order_limits[inner[order]] if inner and inner[order] >= 0 else 0
        bound += min(0, least + dear - gain)
    above = problem.of_slots.of
    for slot, places in enumerate(problem.places):
        outer = prices.slot_limits[above[slot]] if above and above[slot] >= 0 else 0
        bound += places * min(0, outer - prices.slots[slot])
    bound += _limits(problem.of_slots, prices.slot_limits, weights.unit, len(problem.orders))
    return bound + _limits(problem.of_orders, prices.order_limits, weights.unit, len(problem.orders))


def _rationed(problem: Problem, prices: Prices) -> dict[str, dict[str, int]]:
    """What each pair costs more for the rations that name it: by order, then by slot. A ration only takes, so a price
    below 0 is none."""
    found: dict[str, dict[str, int]] = {}
    for ration, worth in zip(problem.rations, prices.rations, strict=False):
        for order, slot in ration.pairs if worth > 0 else ():
            extras = found.setdefault(order, {})
            extras[slot] = extras.get(slot, 0) + worth
    return found


def _limits(family: Family, worths: Sequence[int], unit: int, orders: int) -> int:
    """What all limits of one family are worth: of each what it adds to the wider ones."""
    found = 0
    for limit, parent, worth in zip(family.limits, family.parents, worths, strict=True):
        rest = (worths[parent] if parent >= 0 else 0) - worth
        if limit.step:
            loads = range(min(limit.most, orders))
            found += sum(min(0, rest + limit.step * unit * load) for load in loads)
        else:
            found += limit.most * min(0, rest)
    return found
