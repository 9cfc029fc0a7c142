"""Orders that travel together: all in one slot or none, and never in the place of whoever ranks higher."""

from __future__ import annotations

import random
from itertools import product

from chalicelib.domain.assignment import Limit, Problem
from chalicelib.domain.planning import planned
from chalicelib.domain.repair import greedy
from chalicelib.domain.weights import weigh
from chalicelib.solver import FlowSolver
from tests.domain.instances import best_of_all, value_of

ENGINE = FlowSolver().assign


def chosen(tiers: dict[str, int], places: dict[str, int], *groups: str, **costs: int) -> dict[str, str]:
    """Who goes with what. Names are single letters; without `costs` everybody may go with every slot."""
    pairs = {(name[0], name[1]): cost for name, cost in costs.items()} or dict.fromkeys(
        product(tiers, places), 10
    )
    problem = Problem.of(tiers, places, pairs, together=[frozenset(group) for group in groups])
    return dict(planned(problem, ENGINE, "seed")[0].chosen)


def test_a_group_of_a_lower_tier_does_not_have_the_places_of_two_of_a_higher_one() -> None:
    found = chosen({"a": 2, "b": 2, "g": 3, "h": 3}, {"s": 2}, "ab")
    assert found == {"g": "s", "h": "s"}


def test_nor_does_it_when_there_is_no_time_for_a_plan() -> None:
    tiers = {"a": 2, "b": 2, "g": 3, "h": 3}
    problem = Problem.of(tiers, {"s": 2}, dict.fromkeys(product(tiers, "s"), 10), together=[frozenset("ab")])
    weights = weigh(problem)
    assert greedy(problem, weights) == [-1, -1, 0, 0]


def test_one_of_a_higher_tier_stays_out_of_the_way_where_it_can_go_elsewhere() -> None:
    costs = {"ds": 1, "dt": 9, "as": 5, "bs": 5}
    found = chosen({"a": 1, "b": 1, "d": 5}, {"s": 2, "t": 1}, "ab", **costs)
    assert found == {"a": "s", "b": "s", "d": "t"}


def test_a_group_takes_the_places_of_who_ranks_lower() -> None:
    found = chosen({"a": 4, "b": 1, "x": 3, "y": 2}, {"s": 2}, "ab")
    assert found == {"a": "s", "b": "s"}, "strictly: the platinum before gold and silver together"


def test_two_of_its_own_tier_are_more_than_a_group_with_one_of_a_lower() -> None:
    found = chosen({"a": 4, "b": 1, "x": 4, "y": 4}, {"s": 2}, "ab")
    assert found == {"x": "s", "y": "s"}


def test_a_group_that_fits_nowhere_whole_leaves_the_places_to_others() -> None:
    found = chosen({"a": 5, "b": 5, "c": 1}, {"s": 1, "t": 1}, "ab")
    assert set(found) == {"c"}


def test_groups_are_mostly_planned_as_well_as_can_be_and_never_beyond_what_is_proven() -> None:
    """Two groups in each of 200 crowded problems, against the best of all plans."""
    best = 0
    for seed in range(200):
        problem = crowded(seed)
        plan, _ = planned(problem, ENGINE, str(seed))
        value, most = value_of(problem, plan.chosen), best_of_all(problem)
        assert value is not None, f"{seed}: this plan may not be done"
        assert value <= most and plan.bound <= plan.value, seed
        best += value[0] == most[0]
    assert best >= 194, f"as many of each tier as in the best plan, {best} times of 200"


def crowded(seed: int) -> Problem:
    dice = random.Random(seed)
    tiers = {f"o{n}": dice.randint(1, 4) for n in range(dice.randint(4, 8))}
    places = {f"s{n}": dice.randint(1, 3) for n in range(dice.randint(1, 3))}
    pairs = {pair: dice.randint(0, 50) for pair in product(tiers, places) if dice.random() < 0.75}
    names = dice.sample(sorted(tiers), len(tiers))
    groups = [frozenset(names[:2]), frozenset(names[2 : dice.randint(4, 5)])]
    return Problem.of(tiers, places, pairs, together=groups)


def test_a_fair_load_makes_no_arcs_for_places_that_its_slots_have_not() -> None:
    """A courier that states no limit of its own is bound by its vehicles."""
    orders = {f"o{n}": 1 for n in range(40)}
    loads = [Limit("courier", 1_000_000, frozenset("ab"), step=5), Limit("van", 3, frozenset("a"), step=2)]
    problem = Problem.of(
        orders, {"a": 5, "b": 4}, dict.fromkeys(product(orders, "ab"), 10), slot_limits=loads
    )
    assert problem.of_slots.within(problem.places) == [7, 3]
    plan, _ = planned(problem, ENGINE)
    assert len(plan.chosen) == 7 and plan.gap == 0
