"""Why a gift stays, or goes dearer: told from the prices, and true when one more place is tried."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from chalicelib.domain.assignment import Limit, Pair, Problem, Ration, cost_of
from chalicelib.domain.explanation import By, Dearer, Instead, OutRanked
from chalicelib.domain.fleet import Slot
from chalicelib.domain.orders import Tier
from chalicelib.domain.planning import planned
from chalicelib.domain.rationing import OneMore, Rationing, cheapest_of
from chalicelib.domain.verdicts import Decision, Verdict
from chalicelib.solver import FlowSolver
from tests import builders as b
from tests.domain.instances import best_of_all, by_lot, costs_of, value_of
from tests.domain.test_worth import with_one_more

ENGINE = FlowSolver().assign


def of(problem: Problem, seed: str = "", is_over: bool = False) -> Rationing:
    plan, weights = planned(problem, ENGINE, seed, lambda: is_over)
    return Rationing(problem, weights, plan)


def why(problem: Problem, order: str, **more: Any) -> OutRanked:
    found = of(problem, **more)
    assert order not in found.plan.chosen and found.has_pairs(order)
    said = found.out_ranked(order, "CNY")
    assert said is not None
    return said


def one_slot(*tiers: int, cost: int = 100, places: int = 1) -> Problem:
    orders = {f"o{n}": tier for n, tier in enumerate(tiers)}
    return Problem.of(orders, {"s": places}, {(name, "s"): cost for name in orders})


def test_who_is_out_ranked_is_told_by_which_tier_and_what_one_more_place_would_do() -> None:
    said = why(one_slot(Tier.SILVER, Tier.GOLD), "o0")
    assert said == OutRanked(
        by=By.HIGHER_TIER, slots=1, lowest=Tier.GOLD, slot="s", would_serve=True, next_tier=None
    )


def test_who_would_not_get_the_next_place_either_is_told_who_would() -> None:
    said = why(one_slot(Tier.SILVER, Tier.GOLD, Tier.GOLD, Tier.DIAMOND), "o0")
    assert (said.by, said.lowest) == (By.HIGHER_TIER, Tier.DIAMOND)
    assert (said.would_serve, said.next_tier, said.short) == (False, Tier.GOLD, None)


def test_who_lost_to_its_own_tier_is_told_by_how_much() -> None:
    tiers = {"cheap": 3, "mid": 3, "dear": 3}
    problem = Problem.of(tiers, {"s": 1}, {("cheap", "s"): 100, ("mid", "s"): 500, ("dear", "s"): 900})
    said = why(problem, "dear")
    assert (said.by, said.lowest, said.next_tier, said.short) == (By.SAME_TIER, Tier.GOLD, Tier.GOLD, 400)
    assert said.currency == "CNY"
    assert why(problem, "mid").would_serve


def test_of_gifts_that_are_alike_only_the_next_in_line_is_promised_the_next_place() -> None:
    alike = [("s", 100)]
    for problem in (
        one_slot(*[Tier.GOLD] * 5, places=2),
        Problem.among(dict.fromkeys("abcde", Tier.GOLD), {"s": 2}, dict.fromkeys("abcde", alike)),
    ):
        _one_is_promised(problem)


def _one_is_promised(problem: Problem) -> None:
    found = of(problem)
    told = {
        order: found.out_ranked(order, "CNY") for order in problem.orders if order not in found.plan.chosen
    }
    (first,) = (order for order, said in told.items() if said.would_serve)
    after = of(with_one_more(problem, "s"))
    assert set(after.plan.chosen) == {*found.plan.chosen, first}
    others = [said for order, said in told.items() if order != first]
    assert {(said.next_tier, said.short) for said in others} == {(Tier.GOLD, 0)}


def test_where_the_rules_let_only_so_many_through_no_place_is_blamed() -> None:
    limit = Limit("zone", 1, frozenset({"o0", "o1"}))
    problem = Problem.of({"o0": 1, "o1": 2}, {"s": 5}, {("o0", "s"): 1, ("o1", "s"): 1}, order_limits=[limit])
    assert why(problem, "o0") == OutRanked(by=By.LIMIT, slots=1, lowest=Tier.SILVER)
    crossing = Ration("few", 1, frozenset({("o0", "s"), ("o1", "s")}))
    assert (
        why(replace(problem, of_orders=type(problem.of_orders)(), rations=(crossing,)), "o0").by is By.LIMIT
    )


def test_where_a_vehicle_has_places_and_no_room_the_room_is_blamed() -> None:
    costs = {("o0", "s"): 1, ("o1", "s"): 1}
    problem = Problem.of(
        {"o0": 1, "o1": 2}, {"s": 5}, costs, sizes={"o0": (3,), "o1": (4,)}, rooms={"s": (5,)}
    )
    assert why(problem, "o0") == OutRanked(by=By.ROOM, slots=1, lowest=Tier.SILVER)


def test_where_the_time_was_over_nothing_is_claimed() -> None:
    said = why(one_slot(1, 2), "o0", is_over=True)
    assert (said.by, said.slot, said.would_serve) == (By.TIME, None, False)


def test_what_is_said_of_one_more_place_is_true_when_it_is_tried() -> None:
    """The gift in that place is then part of a best plan just when it is said to be."""
    tried = 0
    for seed in range(500):
        problem = by_lot(seed)
        found = of(problem, str(seed))
        for number, order in enumerate(problem.orders):
            if order in found.plan.chosen or not found.has_pairs(order):
                continue
            said = found.out_ranked(order, "CNY")
            assert said is not None
            if said.slot is None:
                assert said.by is By.LIMIT, (seed, order)
                continue
            own = problem.tiers[number]
            assert said.lowest is not None and said.lowest >= own
            assert said.by is (By.SAME_TIER if said.lowest == own else By.HIGHER_TIER)
            if problem.of_slots.limits:  # raised with the place, they may be of more use to other slots
                continue
            wider = with_one_more(problem, said.slot)
            mine, best = value_of(wider, found.plan.chosen | {order: said.slot}), best_of_all(wider)
            tried += 1
            if said.would_serve:
                assert mine == best, (seed, order)
            elif mine is not None:
                assert mine <= best if said.short == 0 else mine < best, (seed, order)
                assert said.short is None or mine[1] == best[1] - said.short
    assert tried > 40


# --- dearer -----------------------------------------------------------------------------------------------------


def slots(**prices: int | tuple[int, int]) -> Mapping[str, Slot]:
    """Of each its price, and how many of a thousand are on time."""
    found = {}
    for name, told in prices.items():
        price, permille = told if isinstance(told, tuple) else (told, 1000)
        found[name] = b.slot(name, price={"amount": price, "currency": "CNY"}, on_time_permille=permille)
    return found


def fleet_problem(
    orders: Mapping[str, int],
    offers: Mapping[str, Slot],
    places: Mapping[str, int],
    pairs: set[Pair] | None = None,
) -> Problem:
    cleared = pairs or {(order, slot) for order in orders for slot in offers}
    costs = {
        (order, slot): cost_of(offers[slot].price.amount, offers[slot].on_time_permille)
        for order, slot in cleared
    }
    return Problem.of(orders, places, costs)


def yes(*names: str) -> list[Verdict]:
    return [Verdict(Decision.YES, name) for name in names]


def dearer(problem: Problem, offers: Mapping[str, Slot], order: str, *cleared: str) -> Dearer | None:
    found, cheapest = of(problem), cheapest_of(yes(*cleared), offers)
    assert cheapest is not None
    return found.dearer(order, offers[found.plan.chosen[order]], cheapest)


def test_who_goes_with_the_cheapest_is_told_nothing() -> None:
    offers = slots(cheap=1000, dear=5000)
    problem = fleet_problem({"o": 1}, offers, {"cheap": 1, "dear": 1})
    assert dearer(problem, offers, "o", "cheap", "dear") is None


def test_who_goes_dearer_so_that_another_goes_at_all_is_told_of_which_rank() -> None:
    """The lower one may only go with the cheap slot, so the higher one leaves it; a third one still waits."""
    offers = slots(cheap=1000, dear=5000)
    pairs = {("gold", "cheap"), ("gold", "dear"), ("low", "cheap"), ("low-2", "cheap")}
    orders = {"gold": 3, "low": 1, "low-2": 1}
    problem = fleet_problem(orders, offers, {"cheap": 1, "dear": 1}, pairs)
    said = dearer(problem, offers, "gold", "cheap", "dear")
    assert said == Dearer(
        why=Instead.WORTH_MORE,
        slot="cheap",
        less=4000,
        currency="CNY",
        lowest=Tier.STANDARD,
        next_tier=Tier.STANDARD,
    )


def test_who_goes_dearer_where_all_are_served_is_told_what_one_more_place_would_save() -> None:
    offers = slots(cheap=1000, dear=5000)
    problem = fleet_problem({"a": 3, "b": 3}, offers, {"cheap": 1, "dear": 1})
    (late,) = (order for order, slot in of(problem).plan.chosen.items() if slot == "dear")
    said = dearer(problem, offers, late, "cheap", "dear")
    assert said is not None
    assert (said.why, said.less, said.saves, said.next_tier) == (Instead.WORTH_MORE, 4000, 4000, None)


def test_a_slot_that_costs_less_and_comes_late_is_not_called_cheaper() -> None:
    offers = slots(late=(1000, 500), prompt=(1800, 990))
    problem = fleet_problem({"o": 1}, offers, {"late": 1, "prompt": 1})
    said = dearer(problem, offers, "o", "late", "prompt")
    assert said == Dearer(why=Instead.LATER, slot="late", less=800, currency="CNY", later=490)


def test_places_that_went_in_an_earlier_round_are_told_as_such() -> None:
    offers = slots(cheap=1000, dear=5000)
    problem = fleet_problem({"o": 1}, offers, {"cheap": 0, "dear": 1}, {("o", "dear")})
    said = dearer(problem, offers, "o", "cheap", "dear")
    assert said is not None and (said.why, said.less) == (Instead.GIVEN_AWAY, 4000)


def test_a_place_that_a_limit_kept_free_is_told_as_such() -> None:
    offers = slots(cheap=1000, dear=5000)
    problem = fleet_problem({"o": 1}, offers, {"cheap": 3, "dear": 1}, {("o", "dear")})
    said = dearer(problem, offers, "o", "cheap", "dear")
    assert said is not None and said.why is Instead.LIMIT


# --- all of it --------------------------------------------------------------------------------------------------


def test_what_one_more_place_is_worth_comes_in_tiers_and_in_money_the_dearest_first() -> None:
    offers = slots(a=1000, b=2000, c=3000)
    orders = {"gold": 3, "gold-2": 3, "low": 1, "low-2": 1, "one": 2}
    pairs = {("gold", "a"), ("gold-2", "a"), ("low", "b"), ("low-2", "b"), ("one", "c")}
    problem = fleet_problem(orders, offers, {"a": 1, "b": 1, "c": 1}, pairs)
    found = of(problem)
    assert found.one_more() == [OneMore("a", {3: 1}, -1000), OneMore("b", {1: 1}, -2000)]


def test_a_slot_that_had_no_place_to_begin_with_is_worth_what_it_would_be_worth_in_the_problem() -> None:
    """The same as with its pairs in the problem, and no place in it."""
    seen = 0
    for seed in range(400):
        whole = by_lot(seed, slots=4)
        if whole.of_slots.limits or whole.of_orders.limits or not whole.slots:
            continue
        gone = whole.slots[seed % len(whole.slots)]
        tiers = dict(zip(whole.orders, whole.tiers, strict=True))
        places = dict(zip(whole.slots, whole.places, strict=True)) | {gone: 0}
        costs = costs_of(whole)
        inside = of(Problem.of(tiers, places, costs), str(seed)).one_more()
        rest = {pair: cost for pair, cost in costs.items() if pair[1] != gone}
        full = {order: ((slot, cost),) for (order, slot), cost in costs.items() if slot == gone}
        outside = replace(of(Problem.of(tiers, places, rest), str(seed)), full=full).one_more()
        mine, other = (
            [(one.slot, one.tiers, one.saves) for one in found if one.slot == gone]
            for found in (inside, outside)
        )
        assert mine == other, seed
        seen += bool(mine)
    assert seen > 30


def test_who_finds_all_its_slots_full_is_told_whether_one_more_place_would_be_its_own() -> None:
    alike, other = (("full", 100),), (("full", 900), ("fuller", 50))
    tiers = {"gold": 3, "gold-2": 3, "low": 1, "free": 1}
    rest = Problem.of(tiers, {"s": 1}, {("free", "s"): 5})
    full = {"gold": alike, "gold-2": alike, "low": other}
    found = replace(of(rest), full=full)
    told = {name: found.out_ranked(name, "CNY") for name in ("gold", "gold-2", "low")}
    served = {name for name, said in told.items() if said is not None and said.would_serve}
    assert len(served & {"gold", "gold-2"}) == 1 and "low" in served
    assert told["low"] == OutRanked(by=By.EARLIER, slots=2, slot="fuller", would_serve=True)
    (second,) = {"gold", "gold-2"} - served
    assert told[second] == OutRanked(by=By.EARLIER, slots=1, slot="full", next_tier=Tier.GOLD)
    assert replace(of(rest), full={}).out_ranked("gold", "CNY") is None


def test_who_is_out_ranked_in_this_round_may_have_been_helped_by_a_place_in_a_slot_that_was_full() -> None:
    problem = one_slot(Tier.SILVER, Tier.GOLD, Tier.GOLD)
    found = replace(of(problem), full={"o0": (("full", 700),)})
    said = found.out_ranked("o0", "CNY")
    assert said is not None
    assert (said.by, said.lowest, said.slot, said.would_serve) == (By.HIGHER_TIER, Tier.GOLD, "full", True)
    assert said.next_tier is None


def test_that_nobody_more_of_any_rank_could_be_served_is_said_only_where_it_is_so() -> None:
    said: Counter[bool] = Counter()
    dear = 0
    for seed in range(400):
        dice = random.Random(seed)
        tiers = {f"o{n}": dice.randint(1, 3) for n in range(dice.randint(3, 6))}
        places = {f"s{n}": dice.randint(1, 3) for n in range(dice.randint(1, 3))}
        pairs = [pair for pair in product(tiers, places) if dice.random() < 0.8]
        rations = [
            Ration(f"r{n}", dice.randint(0, 2), frozenset(p for p in pairs if dice.random() < 0.5))
            for n in range(3)
        ]
        problem = Problem.of(tiers, places, {pair: dice.randint(0, 9) for pair in pairs}, rations=rations)
        found = of(problem, str(seed))
        mine, best = value_of(problem, found.plan.chosen), best_of_all(problem)
        assert mine is not None
        said[found.serves_most] += 1
        assert mine[0] == best[0] or not found.serves_most, seed
        dear += mine[0] != best[0] and found.plan.gap < found.weights.step
    assert min(said.values()) > 50
    assert dear > 0, "a small gap does not say it"
    assert of(one_slot(1, 2)).serves_most and not of(one_slot(1, 2), is_over=True).serves_most
