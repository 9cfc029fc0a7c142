"""The plan of a whole city, step by step, beside the bare solve of the same arcs and beside a greedy one.

Each of the two runs in a process of its own: ours without numpy, as it ships, so that its memory is what a function
would need; OR-Tools as its documentation says, arcs and supplies from numpy arrays, and of that only `solve()` counts.
Seconds are CPU. CORDON_BENCH_ROUNDS: medians of so many.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess  # nosec B404 - runs programs of this checkout, nothing that is handed in
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.pairs import brands, edges, in_pairs, loads, quotas, rooms
from chalicelib.domain import proof
from chalicelib.domain.assignment import NOBODY, Plan, Problem, named
from chalicelib.domain.planning import planned
from chalicelib.domain.prices import prices
from chalicelib.domain.weights import weigh
from chalicelib.solver import FlowSolver

ROUNDS = int(os.environ.get("CORDON_BENCH_ROUNDS", "5"))
PENALTY = 20_000
"""Of an objective that is not strict (`solver.md`): an order of the lowest tier that stays; the next, twice."""
SIZES = ((50_000, 2_000, 25.0), (5_000, 250, 10.5))
"""Orders, slots, and pairs of an order."""
STEPS = ("build", "weigh", "solve", "prices", "proof")


@dataclass(frozen=True)
class Ours:
    """What a plan took."""

    steps: dict[str, float]
    """Seconds of CPU of each of `STEPS`."""
    peak_mb: float
    """Of the process, at most, the city and the interpreter included."""
    pairs: int
    value: int
    served: int
    greedy_served: int
    greedy_loss: float
    """What a greedy loop's plan is worse by, in the objective that is not strict."""

    @property
    def seconds(self) -> float:
        return sum(self.steps.values())


@dataclass(frozen=True)
class Bare:
    """What OR-Tools' `solve()` alone took."""

    strict_s: float
    """Seconds of CPU with the weights that ours has, ..."""
    scalar_s: float
    """... and with penalties that are not strict (`PENALTY`)."""
    value: int
    """The least sum of the former weights, in the terms of `Plan.value`."""


def measured(cleared: Problem, cleared_s: float) -> list[tuple[str, str, str, str]]:
    """Rows of the table: what, ours, what was promised, the peer's. `cleared`: a city that was cleared, in so many
    seconds."""
    rows = []
    for (orders, slots, degree), promised in zip(SIZES, ("", "<= 0.3 s"), strict=True):
        found, peer = ours(orders, slots, degree), bare(orders, slots, degree)
        assert found.value == peer.value, "both have found the best plan"
        goal = promised or f"<= {2 * peer.strict_s + 3:.1f} s"
        rows += [
            (
                f"{orders:,} x {slots:,}, edges given",
                f"{found.seconds:.2f} s",
                goal,
                f"{peer.strict_s:.2f} s",
            ),
            *((f"  {step}", f"{took:.2f} s", "", "") for step, took in found.steps.items()),
            ("  with penalties that are not strict", "", "", f"{peer.scalar_s:.2f} s"),
            ("  the process takes at most", f"{found.peak_mb:.0f} MB", "<= 600 MB", ""),
            ("  pairs", f"{found.pairs:,}", "", ""),
            ("  served", f"{found.served:,}", "", ""),
            ("    and by a greedy loop", f"{found.greedy_served:,}", "", ""),
            ("    its loss, in costs and penalties", f"{found.greedy_loss:.1%}", "", ""),
        ]
    rows += _with_quotas()
    plan, _, steps = stepped(lambda: cleared, "0")
    took = cleared_s + sum(steps.values())
    rows += [
        ("from orders and slots, clearance included", f"{took:.1f} s", "<= 10 s", ""),
        ("  of that the plan", f"{sum(steps.values()):.2f} s", "", ""),
        ("  orders that differ from one another", f"{_kinds(cleared):,}", "", ""),
        ("  served", f"{len(plan.chosen):,}", "", ""),
    ]
    return rows


def _with_quotas() -> list[tuple[str, str, str, str]]:
    """A thousand households in five tiers do not fit into 64 bits; those, and what crosses, are repaired."""
    orders, slots, degree = SIZES[1]
    city = edges(orders, slots, degree)
    kinds: list[tuple[str, Problem]] = [
        (
            f"{zones} zones, {homes:,} households",
            Problem.among(*city, order_limits=quotas(city, zones, homes)),
        )
        for zones, homes in ((25, 50), (25, 1_000))
    ]
    kinds.append(("10 quotas of brands that cross", Problem.among(*city, rations=brands(city, 5))))
    kinds.append(("rooms by volume", Problem.among(*city, **rooms(city))))
    paired, groups = in_pairs(city, 200)
    kinds.append(("200 pairs that travel together", Problem.among(*paired, together=groups)))
    kinds.append(("a fair load for 12 couriers", Problem.among(*city, slot_limits=loads(city, 12, 50))))
    rows = []
    for name, problem in kinds:
        began = time.process_time()
        found, _ = planned(problem, FlowSolver().assign, "0")
        took = time.process_time() - began
        rows += [
            (f"  with {name}", f"{took:.2f} s", "", ""),
            ("    certified gap, of what the plan is worth", f"{found.gap / -found.value:.1g}", "", ""),
        ]
    return rows


def _kinds(problem: Problem) -> int:
    return len(set(zip(problem.row_of, problem.tiers, strict=True)))


# --- asked from outside -----------------------------------------------------------------------------------------


def ours(orders: int, slots: int, degree: float, rounds: int = ROUNDS) -> Ours:
    """That city planned in a process of its own."""
    return Ours(**_apart(f"plan({orders}, {slots}, {degree}, {rounds})"))


def bare(orders: int, slots: int, degree: float, rounds: int = ROUNDS) -> Bare:
    """The same arcs solved in a process of its own."""
    return Bare(**_apart(f"solve({orders}, {slots}, {degree}, {rounds})"))


def _apart(call: str) -> dict[str, Any]:
    code = f"from bench import assigning; assigning.tell(assigning.{call})"
    done = subprocess.run(  # nosec B603 - our own words, no shell
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parent.parent,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def tell(found: Ours | Bare) -> None:
    """The child's answer."""
    print(json.dumps(asdict(found)))


# --- ours -------------------------------------------------------------------------------------------------------


def plan(orders: int, slots: int, degree: float, rounds: int) -> Ours:
    """The child's part. The engine is loaded before the clock starts: it is once for each process."""
    FlowSolver().assign(edges(20, 2, 2).problem(), weigh(edges(20, 2, 2).problem()))
    city = edges(orders, slots, degree)
    gc.collect()
    gc.freeze()  # what the city is made of is no garbage
    all_times: list[dict[str, float]] = []
    for number in range(rounds):
        found, problem, times = stepped(city.problem, str(number))
        assert found.gap == 0
        all_times.append(times)
    peak = _peak()
    loop = greedy(problem)
    return Ours(
        {step: median(times[step] for times in all_times) for step in STEPS},
        peak,
        sum(len(problem.rows[row].slots) for row in problem.row_of),
        found.value,
        len(found.chosen),
        sum(slot != NOBODY for slot in loop),
        _cost(problem, loop) / _cost(problem, found.numbers) - 1,
    )


def stepped(make: Callable[[], Problem], seed: str) -> tuple[Plan, Problem, dict[str, float]]:
    """What `planned` does where there are no side constraints, with a clock beside it: seconds of CPU of each step."""
    clock = [time.process_time()]

    def tick() -> None:
        clock.append(time.process_time())

    problem = make()
    tick()
    weights = weigh(problem, seed)
    tick()
    numbers = FlowSolver().assign(problem, weights)
    tick()
    found = prices(problem, weights, numbers)
    tick()
    done = proof.proven(problem, weights, Plan(named(problem, numbers), numbers, found))
    tick()
    steps = zip(STEPS, clock, clock[1:], strict=False)
    return done, problem, {step: after - before for step, before, after in steps}


def greedy(problem: Problem) -> list[int]:
    """What a loop would do: the highest tier first, then who has most to lose, each to the cheapest that is left."""
    options = [sorted(zip(row.costs, row.slots, strict=True)) for row in problem.rows]

    def regret(order: int) -> int:
        best = options[problem.row_of[order]]
        return best[1][0] - best[0][0] if len(best) > 1 else PENALTY

    left, found = list(problem.places), [NOBODY] * len(problem.orders)
    for order in sorted(range(len(found)), key=lambda o: (-problem.tiers[o], -regret(o), o)):
        for _, slot in options[problem.row_of[order]]:
            if left[slot]:
                left[slot] -= 1
                found[order] = slot
                break
    return found


def _cost(problem: Problem, numbers: Sequence[int]) -> int:
    """Of whoever is served, and the penalty of whoever is not."""
    cost = 0
    for order, slot in enumerate(numbers):
        if slot == NOBODY:
            cost += PENALTY << problem.tiers[order] - 1
        else:
            row = problem.row(order)
            cost += row.costs[row.slots.index(slot)]
    return cost


def _peak() -> float:
    """Megabytes, as Linux counts; `ru_maxrss` would be the parent's, too."""
    status = Path("/proc/self/status").read_text()
    return float(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000


# --- the peer ---------------------------------------------------------------------------------------------------


def solve(orders: int, slots: int, degree: float, rounds: int) -> Bare:
    """The child's part."""
    problem = edges(orders, slots, degree).problem()
    weights = weigh(problem, str(rounds - 1))
    arcs = [pair for row in problem.row_of for pair in problem.rows[row].slots]
    strict = [cost for row in problem.row_of for cost in weights.rows[row]]
    scalar = [cost for row in problem.row_of for cost in problem.rows[row].costs]
    penalties = [PENALTY << tier - 1 for tier in problem.tiers]
    found = [_solved(problem, arcs, strict, weights.gains) for _ in range(rounds)]
    others = [_solved(problem, arcs, scalar, penalties) for _ in range(rounds)]
    seconds, other_seconds = (median(each[0] for each in those) for those in (found, others))
    return Bare(seconds, other_seconds, found[0][1] - sum(weights.gains))


def _solved(
    problem: Problem, at: Sequence[int], costs: Sequence[int], gains: Sequence[int]
) -> tuple[float, int]:
    """Seconds of CPU in `solve()`, and the optimum: an arc for each pair, one for each order that stays, one for each
    slot to the sink."""
    import numpy as np
    from ortools.graph.python import min_cost_flow

    orders, slots = len(problem.orders), len(problem.slots)
    sink = orders + slots
    tails = np.repeat(np.arange(orders), [len(problem.rows[row].slots) for row in problem.row_of])
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(
        np.concatenate([tails, np.arange(sink)]).astype(np.int32),
        np.concatenate([np.asarray(at) + orders, np.full(sink, sink)]).astype(np.int32),
        np.concatenate([np.ones(len(at) + orders, dtype=np.int64), np.asarray(problem.places)]),
        np.concatenate([np.asarray(costs), np.asarray(gains), np.zeros(slots, np.int64)]),
    )
    supplies = np.concatenate([np.ones(orders, np.int64), np.zeros(slots, np.int64), [-orders]])
    flow.set_nodes_supplies(np.arange(sink + 1, dtype=np.int32), supplies)
    began = time.process_time()
    status = flow.solve()
    seconds = time.process_time() - began
    assert status == flow.OPTIMAL
    return seconds, flow.optimal_cost()
