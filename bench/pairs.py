"""A city's gifts and slots with the pairs that are cleared, by lot: the kinds of `solver.md`.

Zones that are not equally loved, permits for a few zones each, hours, cold chain, insured values, tested crews, five
tiers, prices by distance. There are as many places as gifts, and still one in eight can go with nobody: what is scarce
is always scarce somewhere.
"""

from __future__ import annotations

import random
from itertools import accumulate
from math import isqrt
from typing import Any, NamedTuple

from chalicelib.domain.assignment import Choices, Limit, Problem, Ration, cost_of

HOURS = 10
TIERS = (40, 30, 15, 10, 5)
"""Of a hundred gifts, from the lowest tier."""
FITS = 0.1738
"""How many pairs of a gift and a slot that may enter its zone fit in everything else."""


class Edges(NamedTuple):
    """What `Problem.among` takes."""

    tiers: dict[str, int]
    places: dict[str, int]
    choices: dict[str, Choices]
    """No two orders share one: each lives somewhere else."""

    def problem(self) -> Problem:
        return Problem.among(*self)


class _Need(NamedTuple):
    """What a gift asks for besides its zone."""

    hour: int
    cold: bool
    insured: bool
    tested: bool


class _Crew(NamedTuple):
    """What stands behind a slot."""

    slot: int
    base: int
    home: int
    first: int
    end: int
    cold: bool
    insured: bool
    tested: bool
    on_time: int

    def away(self, x: float, y: float, side: int) -> float:
        """In zones, round the corners."""
        return abs(self.home % side - x) + abs(self.home // side - y)

    def may_take(self, need: _Need) -> bool:
        return (
            self.first <= need.hour < self.end
            and self.cold >= need.cold
            and self.insured >= need.insured
            and self.tested >= need.tested
        )


def edges(orders: int, slots: int, degree: float, seed: int = 1) -> Edges:
    """So many orders and slots, and so many pairs an order, some of a percent more or less."""
    dice = random.Random(seed)  # nosec B311 - dice of a bench
    zones = max(4, slots // 10)
    side = isqrt(zones - 1) + 1
    loved = list(accumulate(dice.paretovariate(1.1) for _ in range(zones)))
    crews = _crews(dice, slots, zones, degree * zones / (slots * FITS))
    names = [f"slot-{number:04d}" for number in range(slots)]
    places = dict.fromkeys(names, 0)
    for name in dice.choices(names, [dice.randint(1, 4) for _ in names], k=orders):
        places[name] += 1
    fits: dict[tuple[int, _Need], list[_Crew]] = {}
    tiers, choices = dict[str, int](), dict[str, Choices]()
    for number, tier in enumerate(dice.choices(range(1, 6), TIERS, k=orders)):
        zone = dice.choices(range(zones), cum_weights=loved)[0]
        need = _Need(
            min(dice.randrange(HOURS), dice.randrange(HOURS + 2)),
            dice.random() < 0.4,
            dice.random() < 0.3,
            dice.random() < 0.5,
        )
        fitting = fits.get((zone, need))
        if fitting is None:
            fitting = fits[zone, need] = [crew for crew in crews[zone] if crew.may_take(need)]
        x, y = zone % side + dice.random(), zone // side + dice.random()
        tiers[f"order-{number:06d}"] = tier
        choices[f"order-{number:06d}"] = tuple(
            [
                (names[crew.slot], cost_of(crew.base + int(90 * crew.away(x, y, side)), crew.on_time))
                for crew in fitting
            ]
        )
    return Edges(tiers, places, choices)


def quotas(city: Edges, zones: int, households: int) -> list[Limit]:
    """Of both kinds that nest: each zone gets seven of ten gifts at most, and each household one of two."""
    names = list(city.tiers)
    share, apart = len(names) // zones, len(names) // households
    assert share % apart == 0, "a household is in one zone"
    return [
        *(Limit(f"zone-{n}", share * 7 // 10, frozenset(names[n * share :][:share])) for n in range(zones)),
        *(Limit(f"home-{n}", 1, frozenset(names[n * apart :][:2])) for n in range(households)),
    ]


def brands(city: Edges, count: int) -> list[Ration]:
    """Of each brand two quotas, for every other slot one: a twentieth of all gifts each, whosever slots those are."""
    dice = random.Random(3)  # nosec B311 - dice of a bench
    brand = {order: dice.randrange(count) for order in city.tiers}
    half = {slot: number % 2 for number, slot in enumerate(city.places)}
    pairs: dict[tuple[int, int], set[tuple[str, str]]] = {}
    for order, options in city.choices.items():
        for slot, _ in options:
            pairs.setdefault((brand[order], half[slot]), set()).add((order, slot))
    most = len(city.tiers) // 20
    return [Ration(f"brand-{each}", most, frozenset(those)) for each, those in sorted(pairs.items())]


def rooms(city: Edges) -> dict[str, Any]:
    """Gifts of 2 to 40 litres and vehicles of 100 to 400: more than half of these are full before their places are."""
    dice = random.Random(5)  # nosec B311 - dice of a bench
    return {
        "sizes": {order: (dice.choice((2, 5, 10, 20, 40)),) for order in city.tiers},
        "rooms": {slot: (dice.choice((100, 200, 400)),) for slot in city.places},
    }


def in_pairs(city: Edges, count: int) -> tuple[Edges, list[frozenset[str]]]:
    """The city with so many pairs of gifts that go to one door and travel together."""
    names, choices = list(city.tiers), dict(city.choices)
    groups = []
    for one, other in zip(names[0 : 10 * count : 10], names[1 : 10 * count : 10], strict=False):
        choices[other] = choices[one]
        groups.append(frozenset((one, other)))
    return city._replace(choices=choices), groups


def loads(city: Edges, couriers: int, step: int) -> list[Limit]:
    """Every slot is one of so many couriers', whose deliveries cost more and more."""
    names = list(city.places)
    return [
        Limit(
            f"courier-{n}",
            sum(city.places[slot] for slot in names[n::couriers]),
            frozenset(names[n::couriers]),
            step,
        )
        for n in range(couriers)
    ]


def _crews(dice: random.Random, slots: int, zones: int, reach: float) -> list[list[_Crew]]:
    """Of each zone the slots whose crews may enter it: each may enter so many zones, whoever lives there."""
    may: list[list[_Crew]] = [[] for _ in range(zones)]
    for number in range(slots):
        first = dice.randrange(HOURS - 2)
        crew = _Crew(
            number,
            dice.randint(1500, 4500),
            dice.randrange(zones),
            first,
            first + dice.choice((3, 4, 5)),
            dice.random() < 0.3,
            dice.random() < 0.5,
            dice.random() < 0.6,
            dice.randint(700, 990),
        )
        count = int(reach * dice.choice((0.4, 0.8, 1.8)) + dice.random())
        for zone in dice.sample(range(zones), min(zones, count)):
            may[zone].append(crew)
    return may
