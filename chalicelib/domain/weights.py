"""Weights: one whole number for each thing a plan may do, such that the least sum is the plan that is wanted.

*Strictly by tier.* Two plans differ by cycles through the network of the flow, and a simple cycle passes every node at
most once. Where it passes a slot, one order comes and another goes: that changes the costs by what is between the
cheapest and the dearest pair of that slot, at most. And it lets in (and out) at most one order for the source and one
for each limit of the orders. One step between tiers therefore has to outweigh only the sum of those spans, and not the
costs of all orders together: the naive weight does not fit into 64 bits for 50,000 orders (`solver.md`, section 1).

*Ties* are broken by lot. Of orders that are alike in all respects, some go first (`turns`). Between others lots are a
few bits below the costs, drawn from the seed and the ids, with the costs scaled so that no cycle of lots outweighs one
minor unit; they are left out where they would not fit.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from chalicelib.domain.assignment import Problem

TIE_BITS = 3
MOST = 2**61
"""What the engine's numbers may reach: a weight times the number of nodes. It refuses them from 2^61.1 on, measured on
networks of a dozen nodes to some thousands."""


class CostRange(ValueError):
    """The costs are too far apart to be weighed against one another in 64 bits."""


@dataclass(frozen=True)
class Weights:
    """Of one problem: what serving an order gains, what a pair costs, what one minor unit is."""

    gains: Sequence[int]
    """By number of the order."""
    rows: Sequence[Sequence[int]]
    """Of each row what its pairs cost."""
    turns: Sequence[int]
    """Of each order its lot: of those that are alike, whoever has the lower one goes first."""
    unit: int
    """One minor unit of cost."""
    step: int
    """The least that serving one order more, or one of the next tier instead, gains."""

    def in_units(self, worth: int) -> int:
        """A sum of costs in minor units; lots are rounded away."""
        return worth // self.unit


def weigh(problem: Problem, seed: str = "") -> Weights:
    """The weights of that problem. Raises `CostRange`."""
    spans, dearest = _spans(problem)
    for bits in (TIE_BITS, 0):
        found = _with_lots(problem, seed, bits, spans, dearest)
        if found is not None:
            return found
    raise CostRange(
        f"the dearest pair costs {dearest} minor units; with {len(problem.orders)} orders, "
        f"{len(problem.slots)} slots, {len(set(problem.tiers))} tiers and {len(problem.of_orders.limits)} limits of "
        "orders that does not fit into 64 bits: costs below a millionth of the span are expected to be rounded first"
    )


def nodes_of(problem: Problem) -> int:
    """Of the flow's network."""
    limits = len(problem.of_orders.limits) + len(problem.of_slots.limits)
    return len(problem.orders) + len(problem.slots) + limits + 2


def _with_lots(problem: Problem, seed: str, bits: int, spans: int, dearest: int) -> Weights | None:
    shorter = min(len(problem.orders), len(problem.slots))
    unit = ((shorter + 2) << bits) + 1 if bits else 1
    dearest = (dearest + 1) * unit
    most = problem.of_slots.within(problem.places)
    loads = sum(
        limit.step * min(count, len(problem.orders)) * unit
        for limit, count in zip(problem.of_slots.limits, most, strict=True)
    )
    # a slot that is passed to or from a wider limit, or the sink, has only one pair in the cycle
    ends = len(problem.of_slots.limits) + 2
    step = ends * dearest + 2 * loads + (spans + shorter) * unit
    swaps = min(len(problem.of_orders.limits), shorter) + 1
    gain_of: dict[int, int] = {}
    gain = 0
    for tier in sorted(set(problem.tiers)):
        gain = gain_of[tier] = swaps * gain + step
    if (gain + dearest + loads) * (nodes_of(problem) + 1) >= MOST:
        return None
    start = crc32(seed.encode())
    turns = [crc32(name.encode(), start) for name in problem.orders]
    rows = [row.costs for row in problem.rows] if not bits else _lots(problem, start, turns, unit, bits)
    return Weights([gain_of[tier] for tier in problem.tiers], rows, turns, unit, step)


def _spans(problem: Problem) -> tuple[int, int]:
    """The sum over all slots of what lies between its cheapest and its dearest pair; and the dearest of all."""
    low, high = [0] * len(problem.slots), [-1] * len(problem.slots)
    for row in problem.rows:
        for slot, cost in zip(row.slots, row.costs, strict=True):
            if cost > high[slot]:
                if high[slot] < 0:
                    low[slot] = cost
                high[slot] = cost
            elif cost < low[slot]:
                low[slot] = cost
    spans = sum(most - least for least, most in zip(low, high, strict=True) if most > least)
    return spans, max(0, max(high, default=0))


def _lots(problem: Problem, start: int, turns: Sequence[int], unit: int, bits: int) -> list[array[int]]:
    """The costs with a lot below each of them."""
    of_slot = [crc32(name.encode(), start) for name in problem.slots]
    lot_of = [1] * len(problem.rows)
    for row, turn in zip(reversed(problem.row_of), reversed(turns), strict=True):
        lot_of[row] = turn | 1  # of the first order that has it
    mask = (1 << bits) - 1
    return [
        array("q", [c * unit + ((of_slot[slot] * lot >> 20) & mask) for slot, c in zip(*row, strict=True)])
        for row, lot in zip(problem.rows, lot_of, strict=True)
    ]
