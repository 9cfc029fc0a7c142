"""`ports.Solver` on OR-Tools' min-cost flow (cost scaling, exact, deterministic).

The network: source, the orders' limits from wide to narrow, orders, slots, the slots' limits from narrow to wide, sink.
A flow of as many units as there are orders; whoever is not served goes to the sink directly. The
library is loaded on first use: it ships to the dispatch function alone, in a layer of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain.assignment import NOBODY, Family, Problem
from chalicelib.domain.weights import CostRange, Weights, nodes_of


class FlowSolver:
    """The best flow. The same problem with the same weights gives the same one."""

    def assign(self, problem: Problem, weights: Weights) -> Sequence[int]:
        """For each order the number of its slot, or `NOBODY`: the least sum of weights that places and limits allow.

        What the flow does not know (rations, sizes, who travels together) is left aside. Raises `CostRange` where the
        library refuses the numbers, RuntimeError when it fails otherwise.
        """
        from ortools.graph.python import min_cost_flow

        orders, slots = len(problem.orders), len(problem.slots)
        if not len(problem.at):
            return [NOBODY] * orders
        flow = min_cost_flow.SimpleMinCostFlow()
        arc = flow.add_arc_with_capacity_and_unit_cost
        # orders and slots come first, so that a pair's arc has its own number
        source, sink = orders + slots, orders + slots + 1
        of_orders = sink + 1
        of_slots = of_orders + len(problem.of_orders.limits)
        starts, at, costs = problem.starts, problem.at, weights.pairs
        for order in range(orders):
            first, end = starts[order], starts[order + 1]
            for slot, cost in zip(at[first:end], costs[first:end], strict=True):
                arc(order, orders + slot, 1, cost)
        inner = problem.of_orders.of
        limited = 0
        for order in range(orders):
            above = inner[order] if inner else NOBODY
            if above == NOBODY:  # the same as from the source, and three times as fast
                flow.set_node_supply(order, 1)
                arc(order, sink, 1, weights.gains[order])
            else:
                limited += 1
                arc(of_orders + above, order, 1, -weights.gains[order])
        _tree(arc, problem.of_orders, of_orders, source, is_towards_root=False)
        inner = problem.of_slots.of
        for slot in range(slots):
            above = inner[slot] if inner else NOBODY
            end = sink if above == NOBODY else of_slots + above
            arc(orders + slot, end, min(problem.places[slot], orders), 0)
        _tree(arc, problem.of_slots, of_slots, sink, is_towards_root=True, unit=weights.unit, most=orders)
        arc(source, sink, limited, 0)
        flow.set_node_supply(source, limited)
        flow.set_node_supply(sink, -orders)
        status = flow.solve()
        if status == flow.BAD_COST_RANGE:
            raise CostRange(f"the engine cannot weigh costs so far apart over {nodes_of(problem)} nodes")
        if status != flow.OPTIMAL:
            raise RuntimeError(f"a flow that exists was not found: {status}")
        chosen = [NOBODY] * orders
        taken = flow.flow
        for order in range(orders):
            for pair in range(starts[order], starts[order + 1]):
                if taken(pair):
                    chosen[order] = at[pair]
                    break
        return chosen


def _tree(  # type: ignore[no-untyped-def]
    arc,  # noqa: ANN001 - a bound method of the library
    family: Family,
    first: int,
    root: int,
    *,
    is_towards_root: bool,
    unit: int = 1,
    most: int = 1 << 31,
) -> None:
    """The arcs between the limits of one family: for a fair load one for each delivery, each dearer than the last."""
    for number, (limit, parent) in enumerate(zip(family.limits, family.parents, strict=True)):
        here, there = first + number, root if parent == NOBODY else first + parent
        ends = (here, there) if is_towards_root else (there, here)
        if limit.step:
            for load in range(min(limit.most, most)):
                arc(*ends, 1, limit.step * unit * load)
        else:
            arc(*ends, min(limit.most, most), 0)
