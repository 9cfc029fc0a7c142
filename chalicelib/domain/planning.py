"""From a problem to a plan with its proof: weigh, solve, price, repair what the flow does not know, check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from chalicelib.domain import proof
from chalicelib.domain.assignment import Plan, Prices, Problem, named, rationed
from chalicelib.domain.prices import prices
from chalicelib.domain.repair import Assign, greedy, repaired
from chalicelib.domain.tighter import tighter
from chalicelib.domain.weights import CostRange, Weights, weigh


def planned(
    problem: Problem, assign: Assign, seed: str = "", is_over: Callable[[], bool] = lambda: False
) -> tuple[Plan, Weights]:
    """The best plan, proven; with side constraints one that may be done, and its certified gap.

    `assign`: the engine, `ports.Solver.assign`. `seed`: breaks ties. `is_over`: the time is up; then the best plan so
    far is returned, cut short, with its gap. Raises `CostRange`; `NotBest` or `proof.Unproven` where the engine was
    wrong: such a plan is saved by nobody.
    """
    kept = len(problem.of_orders.limits)
    while True:
        try:
            return _planned(rationed(problem, kept), assign, seed, is_over)
        except CostRange:  # of the weights, or of the engine; each limit of orders makes a tier dearer
            if not kept:
                raise
            kept //= 2


def _planned(
    problem: Problem, assign: Assign, seed: str, is_over: Callable[[], bool]
) -> tuple[Plan, Weights]:
    weights = weigh(problem, seed)
    if is_over():
        free = Prices(
            [0] * len(problem.slots),
            [0] * len(problem.of_slots.limits),
            [0] * len(problem.of_orders.limits),
        )
        hasty = greedy(problem, weights)
        return _proven(problem, weights, hasty, hasty, free, is_cut_short=True), weights
    numbers = flow = assign(problem, weights)
    found = prices(problem, weights, flow)
    if not problem.is_plain:
        numbers = repaired(problem, weights, numbers, found, assign, is_over)
    plan = _proven(problem, weights, numbers, flow, found, is_cut_short=is_over())
    if plan.gap and problem.rations and not is_over():
        plan = proof.proven(problem, weights, replace(plan, tighter=tighter(problem, weights, plan, assign)))
    return plan, weights


def _proven(
    problem: Problem,
    weights: Weights,
    numbers: Sequence[int],
    priced: Sequence[int],
    found: Prices,
    *,
    is_cut_short: bool,
) -> Plan:
    plan = Plan(named(problem, numbers), numbers, found, priced, is_cut_short=is_cut_short)
    plan = proof.proven(problem, weights, plan)
    # the time was over, and the best had been found all the same
    return plan if plan.gap else replace(plan, is_cut_short=False)
