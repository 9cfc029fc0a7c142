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

        kinds = _kinds(problem, weights)
        orders, slots = sum(map(len, kinds.values())), len(problem.slots)
        chosen = [NOBODY] * len(problem.orders)
        if not orders:
            return chosen
        flow = min_cost_flow.SimpleMinCostFlow()
        arc = flow.add_arc_with_capacity_and_unit_cost
        # the pairs' arcs come first, in the order of their kinds, so that each is found again by counting
        first = len(kinds)
        source, sink = first + slots, first + slots + 1
        of_orders = sink + 1
        of_slots = of_orders + len(problem.of_orders.limits)
        for node, ((row, _, _), members) in enumerate(kinds.items()):
            count = len(members)
            for slot, cost in zip(problem.rows[row].slots, weights.rows[row], strict=True):
                arc(node, first + slot, count, cost)
        limited = 0
        for node, ((_, gain, limit), members) in enumerate(kinds.items()):
            count = len(members)
            if limit == NOBODY:  # the same as from the source, and quicker
                flow.set_node_supply(node, count)
                arc(node, sink, count, gain)
            else:
                limited += count
                arc(of_orders + limit, node, count, -gain)
        limits = [limit.most for limit in problem.of_orders.limits]
        _tree(arc, problem.of_orders, of_orders, source, limits, is_towards_root=False)
        inner = problem.of_slots.of
        for slot in range(slots):
            above = inner[slot] if inner else NOBODY
            end = sink if above == NOBODY else of_slots + above
            arc(first + slot, end, min(problem.places[slot], orders), 0)
        # a fair load has an arc for each delivery: not for more of them than its slots have places
        limits = [min(count, orders) for count in problem.of_slots.within(problem.places)]
        _tree(arc, problem.of_slots, of_slots, sink, limits, is_towards_root=True, unit=weights.unit)
        arc(source, sink, limited, 0)
        flow.set_node_supply(source, limited)
        flow.set_node_supply(sink, -orders)
        status = flow.solve()
        if status == flow.BAD_COST_RANGE:
            raise CostRange(f"the engine cannot weigh costs so far apart over {nodes_of(problem)} nodes")
        if status != flow.OPTIMAL:
            raise RuntimeError(f"a flow that exists was not found: {status}")
        taken, pair = flow.flow, 0
        for (row, _, _), members in kinds.items():
            slots_of_row, going = problem.rows[row].slots, 0
            for at, slot in enumerate(slots_of_row, pair):
                count = taken(at)
                if count:
                    for order in members[going : going + count]:
                        chosen[order] = slot
                    going += count
                    if going == len(members):
                        break
            pair += len(slots_of_row)
        return chosen


def _kinds(problem: Problem, weights: Weights) -> dict[tuple[int, int, int], list[int]]:
    """Orders that are alike, in the order of their lots: they have one node together. Those without pairs have none."""
    found: dict[tuple[int, int, int], list[int]] = {}
    limits = problem.of_orders.of
    for order, (row, gain) in enumerate(zip(problem.row_of, weights.gains, strict=True)):
        if problem.rows[row].slots:
            found.setdefault((row, gain, limits[order] if limits else NOBODY), []).append(order)
    for members in found.values():
        if len(members) > 1:
            members.sort(key=lambda order: (weights.turns[order], order))
    return found


def _tree(  # type: ignore[no-untyped-def]
    arc,  # noqa: ANN001 - a bound method of the library
    family: Family,
    first: int,
    root: int,
    most: Sequence[int],
    *,
    is_towards_root: bool,
    unit: int = 1,
) -> None:
    """The arcs between the limits of one family: for a fair load one for each delivery, each dearer than the last."""
    for number, (limit, parent) in enumerate(zip(family.limits, family.parents, strict=True)):
        here, there = first + number, root if parent == NOBODY else first + parent
        ends = (here, there) if is_towards_root else (there, here)
        if limit.step:
            for load in range(most[number]):
                arc(*ends, 1, limit.step * unit * load)
        else:
            arc(*ends, most[number], 0)
