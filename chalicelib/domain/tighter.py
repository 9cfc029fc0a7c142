"""A tighter bound where rations are full, from the plan that was repaired.

The flow knows nothing of rations, so the bound of its prices counts what no plan could have. Any price of a ration
makes another bound (`proof.bound_of`), and a good one can be read off the plan: what the last of its pairs gains. With
that added to the cost of each of its pairs the flow is asked once more, for the prices of places that go with it.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.assignment import Plan, Prices, Problem, Row
from chalicelib.domain.prices import prices
from chalicelib.domain.repair import Assign
from chalicelib.domain.weights import CostRange, Weights


def tighter(problem: Problem, weights: Weights, plan: Plan, assign: Assign) -> Prices | None:
    """Prices of everything, rations included; None: no ration is full, or the weights would not fit any more."""
    worths = _worths(problem, weights, plan)
    if not any(worths):
        return None
    dear: dict[str, dict[str, int]] = {}
    for ration, worth in zip(problem.rations, worths, strict=True):
        for order, slot in ration.pairs if worth else ():
            of_order = dear.setdefault(order, {})
            of_order[slot] = of_order.get(slot, 0) + worth
    known: dict[tuple[int, int, tuple[int, ...]], int] = {}
    row_of: list[int] = []
    rows: list[Row] = []
    costs: list[list[int]] = []
    for number, name in enumerate(problem.orders):
        old, gain, extras = problem.row_of[number], weights.gains[number], dear.get(name, {})
        more = (
            tuple([extras.get(problem.slots[slot], 0) for slot in problem.rows[old].slots]) if extras else ()
        )
        new = known.setdefault((old, gain, more), len(rows))
        if new == len(rows):
            pairs = zip(
                *problem.rows[old], weights.rows[old], more or [0] * len(weights.rows[old]), strict=True
            )
            # who would lose by going does not go: the numbers stay as small as they were
            kept = [(slot, price, cost + worth) for slot, price, cost, worth in pairs if cost + worth < gain]
            rows.append(Row([slot for slot, _, _ in kept], [price for _, price, _ in kept]))
            costs.append([cost for _, _, cost in kept])
        row_of.append(new)
    eased = replace(problem, rows=rows, row_of=row_of, rations=(), together=(), sizes={}, rooms={})
    heavier = replace(weights, rows=costs)
    try:
        found = prices(eased, heavier, assign(eased, heavier))
    except CostRange:
        return None
    return replace(found, rations=worths)


def _worths(problem: Problem, weights: Weights, plan: Plan) -> list[int]:
    """Of each ration what the last of its pairs gains, if it is full."""
    number = {name: n for n, name in enumerate(problem.orders)}
    slot_number = {name: n for n, name in enumerate(problem.slots)}
    chosen = set(plan.chosen.items())

    def gain(order: str, slot: str) -> int:
        row = problem.row_of[number[order]]
        cost = weights.rows[row][problem.rows[row].find(slot_number[slot])]
        return weights.gains[number[order]] - cost

    worths = []
    for ration in problem.rations:
        inside = chosen & ration.pairs
        if not ration.most:
            worths.append(max(weights.gains, default=0))
        else:
            worths.append(max(0, min(gain(*pair) for pair in inside)) if len(inside) == ration.most else 0)
    return worths
