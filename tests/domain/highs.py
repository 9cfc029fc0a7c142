"""An independent optimum: the problem as linear programs for HiGHS, tier after tier, then the cost.

Every matrix here is a network's, so a vertex is whole; no weights of ours are in it. It runs as a program of its own,
since HiGHS and OR-Tools cannot be loaded together (`solver.md`, trap 1): `python -m tests.domain.highs` prints what the
best plans of `SEEDS` are worth.
"""

from __future__ import annotations

import json
import sys

import highspy
import numpy as np

from chalicelib.domain.assignment import Family, Problem
from tests.domain.instances import Value, by_lot, of_a_town

TOWNS, TINY = range(200), range(100)


def best(problem: Problem) -> Value:
    """Of all plans: served by tier, the highest first, and what is saved."""
    pairs = [(order, slot) for order in range(len(problem.orders)) for slot in problem.row(order).slots]
    costs = [cost for order in range(len(problem.orders)) for cost in problem.row(order).costs]
    of_order: list[dict[int, int]] = [{} for _ in problem.orders]
    of_slot: list[dict[int, int]] = [{} for _ in problem.slots]
    for number, (order, slot) in enumerate(pairs):
        of_order[order][number] = of_slot[slot][number] = 1
    rows = [*((row, 1) for row in of_order), *zip(of_slot, problem.places, strict=True)]
    for side, names, family in ((0, problem.orders, problem.of_orders), (1, problem.slots, problem.of_slots)):
        rows += _limits([names[pair[side]] for pair in pairs], family, costs)
    tiers = [problem.tiers[order] for order, _ in pairs]
    model = _model(len(costs), rows)
    served = []
    for rank in sorted(set(problem.tiers), reverse=True):
        of_rank = np.array([n for n, tier in enumerate(tiers) if tier == rank], np.int32)
        objective = np.zeros(len(costs))
        objective[of_rank] = -1
        count = -_least(model, objective)
        served.append(count)
        model.addRow(
            count, highspy.kHighsInf, len(of_rank), np.array(of_rank, np.int32), np.ones(len(of_rank))
        )
    return tuple(served), -_least(model, np.array(costs, float))


def _limits(names: list[str], family: Family, costs: list[int]) -> list[tuple[dict[int, int], int]]:
    """Of the pairs with these names; the deliveries of a fair load are columns of their own, each dearer."""
    rows = []
    for limit in family.limits:
        inside = {n: 1 for n, name in enumerate(names) if name in limit.members}
        rows.append((inside, limit.most))
        if limit.step:
            units = range(len(costs), len(costs) + min(limit.most, len(inside)))
            costs.extend(limit.step * load for load in range(len(units)))
            rows.append((inside | dict.fromkeys(units, -1), 0))
    return rows


def _model(columns: int, rows: list[tuple[dict[int, int], int]]) -> highspy.Highs:
    found = highspy.HighsLp()
    found.num_col_, found.num_row_ = columns, len(rows)
    found.col_cost_ = found.col_lower_ = np.zeros(columns)
    found.col_upper_ = np.ones(columns)
    found.row_lower_ = np.full(len(rows), -highspy.kHighsInf)
    found.row_upper_ = np.array([most for _, most in rows], float)
    found.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    found.a_matrix_.start_ = np.cumsum([0, *(len(row) for row, _ in rows)]).astype(np.int32)
    found.a_matrix_.index_ = np.array([n for row, _ in rows for n in row], np.int32)
    found.a_matrix_.value_ = np.array([by for row, _ in rows for by in row.values()], float)
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("threads", 1)
    assert model.passModel(found) == highspy.HighsStatus.kOk
    return model


def _least(model: highspy.Highs, objective: np.ndarray) -> int:
    if not len(objective):  # HiGHS calls that a model without a solution
        return 0
    columns = np.arange(len(objective), dtype=np.int32)
    model.changeColsCost(len(columns), columns, objective)
    model.run()
    assert model.getModelStatus() == highspy.HighsModelStatus.kOptimal
    value = model.getObjectiveValue()
    assert abs(value - round(value)) < 1e-3, f"a vertex is whole, this one costs {value}"
    return round(value)


if __name__ == "__main__":
    json.dump([[best(of_a_town(seed)) for seed in TOWNS], [best(by_lot(seed)) for seed in TINY]], sys.stdout)
