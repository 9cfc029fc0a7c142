"""Our plans against an optimum that knows nothing of ours, to the unit, and what a greedy loop would lose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.domain.assignment import named
from chalicelib.domain.planning import planned
from chalicelib.domain.repair import greedy
from chalicelib.solver import FlowSolver
from tests.domain.instances import best_of_all, by_lot, of_a_town, value_of

ENGINE = FlowSolver().assign


def test_two_hundred_towns_are_planned_as_well_as_highs_plans_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Served by tier and cost, exactly; and HiGHS itself is held to all plans there are where they can be tried."""
    ours, loops = [], []
    with subprocess.Popen(
        [sys.executable, "-m", "tests.domain.highs"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    ) as asked:
        for seed in range(200):
            problem = of_a_town(seed)
            plan, weights = planned(problem, ENGINE, str(seed))
            assert plan.gap == 0, seed
            ours.append(value_of(problem, plan.chosen))
            loops.append(value_of(problem, named(problem, greedy(problem, weights))))
        said, _ = asked.communicate(timeout=100)
    towns, tiny = ([(tuple(served), saved) for served, saved in each] for each in json.loads(said))
    assert tiny == [best_of_all(by_lot(seed)) for seed in range(len(tiny))]
    assert ours == towns
    served, loops_served = (sum(sum(value[0]) for value in each if value) for each in (ours, loops))
    worse = sum(loop is not None and loop < best for loop, best in zip(loops, towns, strict=True))
    costs = [
        (loop[1], best[1]) for loop, best in zip(loops, towns, strict=True) if loop and loop[0] == best[0]
    ]
    dearer = sum(loop for loop, _ in costs) / sum(best for _, best in costs) - 1
    with capsys.disabled():
        sys.stdout.write(
            f"\n200 towns, equal to HiGHS to the unit: {served} served; a greedy loop serves {loops_served} "
            f"({1 - loops_served / served:.1%} fewer), is worse in {worse}, and costs {dearer:.1%} more in the "
            f"{len(costs)} where it serves as many of each tier\n"
        )
    assert worse > 150, "instances where a greedy loop does as well are no test"
