"""A price told for what it is: with one more place the best plan of all serves just those more, at just that cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from chalicelib.domain.assignment import NOBODY, Limit, Problem
from chalicelib.domain.planning import planned
from chalicelib.domain.worth import Change, changes
from chalicelib.solver import FlowSolver
from tests.domain.instances import Value, best_of_all, by_lot

ENGINE = FlowSolver().assign


def of(problem: Problem, seed: str = "") -> dict[str, Change]:
    plan, weights = planned(problem, ENGINE, seed)
    assert plan.prices is not None
    found = changes(problem, weights, plan.prices, plan.priced)
    assert set(found) == {slot for slot, price in enumerate(plan.prices.slots) if price > 0}
    for slot, change in found.items():
        gains = sum(weights.gains[o] for o in change.comes) - sum(weights.gains[o] for o in change.goes)
        worth = gains - change.cost * weights.unit
        assert abs(worth - plan.prices.slots[slot]) < weights.unit, "but for the lots it is the price"
    return {problem.slots[slot]: change for slot, change in found.items()}


def with_one_more(problem: Problem, name: str) -> Problem:
    """In the slot, and in every limit that holds it."""
    wider = [limit._replace(most=limit.most + (name in limit.members)) for limit in problem.of_slots.limits]
    places = [left + (slot == name) for slot, left in zip(problem.slots, problem.places, strict=True)]
    return replace(problem, places=places, of_slots=replace(problem.of_slots, limits=tuple(wider)))


def after(problem: Problem, before: Value, change: Change) -> Value:
    served, saved = before
    more = Counter(problem.tiers[order] for order in change.comes)
    more.subtract(problem.tiers[order] for order in change.goes)
    tiers = sorted(set(problem.tiers), reverse=True)
    return tuple(count + more[t] for count, t in zip(served, tiers, strict=True)), saved - change.cost


def test_one_more_place_changes_the_best_plan_of_all_by_just_what_its_worth_says() -> None:
    seen = exact = 0
    for seed in range(400):
        problem = by_lot(seed)
        before = best_of_all(problem)
        of_slots = problem.of_slots.of or (NOBODY,) * len(problem.slots)
        for name, change in of(problem, str(seed)).items():
            seen += 1
            told, best = after(problem, before, change), best_of_all(with_one_more(problem, name))
            exact += told == best
            if of_slots[problem.slots.index(name)] == NOBODY:
                assert told == best, (seed, name)
            elif not any(limit.step for limit in problem.of_slots.limits):
                assert told <= best, f"{seed}: a wider limit may be of use to other slots, too"
    assert seen > 200
    assert exact > seen * 0.7


def test_a_chain_is_followed_to_whoever_would_come_at_its_end() -> None:
    """One more place in the far slot lets the first move on, and the one who stays take its place."""
    pairs = {("stays", "near"): 10, ("sits", "near"): 10, ("sits", "far"): 25, ("far-1", "far"): 5}
    problem = Problem.of({"stays": 1, "sits": 2, "far-1": 3}, {"near": 1, "far": 1}, pairs)
    found = of(problem)
    assert problem.orders[found["far"].comes[0]] == "stays"
    assert found["far"].cost == 25
    assert found["near"] == Change((problem.orders.index("stays"),), (), 10)


def test_a_place_that_serves_nobody_more_is_worth_what_it_saves() -> None:
    problem = Problem.of(
        {"a": 1, "b": 1},
        {"cheap": 1, "dear": 9},
        {(o, s): c for o in "ab" for s, c in (("cheap", 3), ("dear", 50))},
    )
    assert of(problem) == {"cheap": Change((), (), -47)}


def test_in_a_full_zone_a_place_is_worth_the_swap_of_a_tier() -> None:
    """The zone lets one through: a place more for the higher one lets it come and the lower one go."""
    pairs = {("gold", "s"): 5, ("silver", "t"): 5, ("other", "s"): 5}
    zone = Limit("zone", 1, frozenset({"gold", "silver"}))
    problem = Problem.of({"gold": 2, "silver": 1, "other": 3}, {"s": 1, "t": 1}, pairs, order_limits=[zone])
    change = of(problem)["s"]
    assert [problem.orders[o] for o in change.comes] == ["gold"]
    assert [problem.orders[o] for o in change.goes] == ["silver"]


def test_of_a_plan_that_had_to_be_repaired_the_worths_are_those_of_the_flow() -> None:
    for seed in range(100):
        of(by_lot(seed, sides=True), str(seed))


@pytest.mark.parametrize("places", [0, 5])
def test_a_slot_that_nobody_wants_or_that_has_room_is_worth_nothing(places: int) -> None:
    pairs = {("a", "s"): 1} if places else {}
    assert of(Problem.of({"a": 1}, {"s": places}, pairs)) == {}
