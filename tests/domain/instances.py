"""Small assignment problems by lot, what a plan of them is worth, and the best of all plans by trying them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from itertools import product

from chalicelib.domain.assignment import NOBODY, Limit, Problem, Ration

Value = tuple[tuple[int, ...], int]
"""Served by tier, the highest first; then what is saved. The larger, the better."""


def by_lot(seed: int, orders: int = 6, slots: int = 3, *, sides: bool = False) -> Problem:
    """Few orders, few slots, limits on both that nest; with `sides` also what the flow does not know."""
    dice = random.Random(seed)
    tiers = {f"o{n}": dice.randint(1, 3) for n in range(dice.randint(0, orders))}
    places = {f"s{n}": dice.randint(0, 3) for n in range(dice.randint(0, slots))}
    dearest = dice.choice([0, 5, 100, 100_000])
    pairs = [pair for pair in product(tiers, places) if dice.random() < 0.7]
    more = {}
    if sides:
        few = [pair for pair in pairs if dice.random() < 0.5]
        more = {
            "rations": [Ration("few", dice.randint(0, 2), frozenset(few))],
            "sizes": {order: (dice.randint(0, 4), dice.randint(0, 4)) for order in tiers},
            "rooms": {
                slot: (dice.randint(2, 8), dice.randint(2, 8)) for slot in places if dice.random() < 0.7
            },
            "together": [frozenset(dice.sample(sorted(tiers), 2))]
            if len(tiers) > 2 and dice.random() < 0.5
            else [],
        }
    return Problem.of(
        tiers,
        places,
        {pair: dice.randint(0, dearest) for pair in pairs},
        order_limits=[limit._replace(step=0) for limit in _nested(dice, list(tiers), "zone")],
        slot_limits=_nested(dice, list(places), "courier"),
        **more,  # type: ignore[arg-type]
    )


def _nested(dice: random.Random, names: list[str], what: str) -> list[Limit]:
    dice.shuffle(names)
    if len(names) < 2 or dice.random() < 0.3:
        return []
    cut = dice.randint(1, len(names))
    step = dice.choice([0, 0, 7, 1000])
    found = [Limit(f"{what}-a", dice.randint(0, 4), frozenset(names[:cut]), step)]
    if cut > 1:
        found.append(Limit(f"{what}-b", dice.randint(0, 3), frozenset(names[: dice.randint(1, cut)]), step))
    if cut < len(names):
        found.append(Limit(f"{what}-c", dice.randint(0, 3), frozenset(names[cut:])))
    return found


def costs_of(problem: Problem) -> dict[tuple[str, str], int]:
    return {
        (name, problem.slots[slot]): cost
        for number, name in enumerate(problem.orders)
        for slot, cost in zip(*problem.row(number), strict=True)
    }


def value_of(problem: Problem, chosen: Mapping[str, str]) -> Value | None:
    """What a plan is worth by the words of the issue; None: it may not be done."""
    costs, tier = costs_of(problem), dict(zip(problem.orders, problem.tiers, strict=True))
    places = dict(zip(problem.slots, problem.places, strict=True))
    if not set(chosen.items()) <= set(costs):
        return None
    if any(count > places[slot] for slot, count in Counter(chosen.values()).items()):
        return None
    cost = sum(costs[pair] for pair in chosen.items())
    for family, served in ((problem.of_orders, [*chosen]), (problem.of_slots, [*chosen.values()])):
        for limit in family.limits:
            count = sum(name in limit.members for name in served)
            if count > limit.most:
                return None
            cost += limit.step * sum(range(count))
    for ration in problem.rations:
        if len(ration.pairs & set(chosen.items())) > ration.most:
            return None
    for slot, room in problem.rooms.items():
        inside = [problem.sizes[order] for order, where in chosen.items() if where == slot]
        if any(sum(size[n] for size in inside) > most for n, most in enumerate(room)):
            return None
    if any(len({chosen.get(order) for order in group}) > 1 for group in problem.together):
        return None
    served_tiers = Counter(tier[order] for order in chosen)
    return tuple(served_tiers[rank] for rank in sorted(set(problem.tiers), reverse=True)), -cost


def best_of_all(problem: Problem) -> Value:
    """By trying every slot for every order."""
    options = [[NOBODY, *problem.row(n).slots] for n in range(len(problem.orders))]
    best: Value | None = None
    for each in product(*options):
        chosen = {
            name: problem.slots[slot]
            for name, slot in zip(problem.orders, each, strict=True)
            if slot != NOBODY
        }
        value = value_of(problem, chosen)
        if value is not None and (best is None or value > best):
            best = value
    assert best is not None
    return best


def of_a_town(seed: int) -> Problem:
    """Up to 200 orders and 20 slots in five tiers; zones with households in them, couriers with vehicles in them, some
    with a fair load, and most of them too narrow for all."""
    dice = random.Random(seed)
    orders = [f"o{n:03d}" for n in range(dice.randint(20, 200))]
    slots = [f"s{n:02d}" for n in range(dice.randint(2, 20))]
    spread = dice.choice([0, 40, 2_000, 100_000])
    reach = dice.uniform(0.1, 0.6)
    costs = {
        pair: 1_000 + dice.randint(0, spread) for pair in product(orders, slots) if dice.random() < reach
    }
    tiers = {order: dice.choices(range(1, 6), (40, 30, 15, 10, 5))[0] for order in orders}
    share = 2 * len(orders) // len(slots)
    places = {slot: dice.randint(0, share) for slot in slots}
    homes = [orders[n : n + 3] for n in range(0, len(orders), dice.choice((6, 20, 30)))]
    zones = [orders[n : n + 60] for n in range(0, len(orders), 60)]
    vehicles = [slots[n : n + 2] for n in range(0, len(slots), 4)]
    couriers = [slots[n : n + 8] for n in range(0, len(slots), 8)]
    return Problem.of(
        tiers,
        places,
        costs,
        order_limits=[
            *(Limit(f"home-{n}", dice.randint(1, 2), frozenset(each)) for n, each in enumerate(homes)),
            *(Limit(f"zone-{n}", dice.randint(10, 60), frozenset(each)) for n, each in enumerate(zones)),
        ]
        if dice.random() < 0.7
        else [],
        slot_limits=[
            Limit(f"{what}-{n}", dice.randint(share // 3, 3 * share), frozenset(each), dice.choice(steps))
            for what, those, steps in (("vehicle", vehicles, (0, 0, 30)), ("courier", couriers, (0, 5, 200)))
            for n, each in enumerate(those)
        ]
        if dice.random() < 0.7
        else [],
    )
