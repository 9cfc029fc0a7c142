"""The assignment problem: which gift goes with which slot. Problem in, plan out; no clock, no AWS.

Orders and slots are kept by number, in the order of their ids. The pairs that are cleared are kept as rows, each the
slots that some orders may go with; orders that are alike share one. A city has a million of different pairs where every
permit names its districts, and where nothing is closed fifteen million that are a few hundred rows.

What is asked for: first the most orders by tier, strictly (`weights`), then the least cost, where on-time probability
and price are one sum at a published exchange rate (`cost_of`). Limits that nest, at most one family over the orders
(a zone, its households) and one over the slots (a courier, its vehicles), are part of the flow; what does not nest is
`rationed`, and repaired (`repair`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NamedTuple

FEN_PER_PERMILLE = 3
"""The published exchange rate: one permille of on-time probability is worth 3 minor units of price."""
HALF_A_DAY = timedelta(hours=12)
FEN_PER_HALF_DAY = 1000
"""The published price of waiting: each half day costs so many minor units, times the number of the tier."""
MOST_COST = 10**9
"""Of one pair, in minor units: what is dearer counts as this, and comes last all the same."""
NOBODY = -1
"""In a row of chosen slots: this order stays."""

Pair = tuple[str, str]
"""Order id and slot id."""


Choices = Sequence[tuple[str, int]]
"""Slots that one order may go with, and what each costs."""


class Unsound(ValueError):
    """The problem makes no sense as it was put."""


class Limit(NamedTuple):
    """At most so many deliveries to these orders together, or by these slots together."""

    name: str
    most: int
    members: frozenset[str]
    step: int = 0
    """Of slots, for a fair load: each delivery costs so much more than the one before, in minor units."""


class Ration(NamedTuple):
    """At most so many of these pairs together."""

    name: str
    most: int
    pairs: frozenset[Pair]


class Row(NamedTuple):
    """The slots that an order may go with, by ascending number, and what each costs in minor units."""

    slots: Sequence[int]
    costs: Sequence[int]

    def find(self, slot: int) -> int:
        """Which of the pairs is with that slot; `NOBODY`: none."""
        pair = bisect_left(self.slots, slot)
        return pair if pair < len(self.slots) and self.slots[pair] == slot else NOBODY


@dataclass(frozen=True)
class Family:
    """Limits that nest: of two, one holds the other or they share nobody. Numbers, not names; the widest first."""

    limits: tuple[Limit, ...] = ()
    parents: tuple[int, ...] = ()
    """Of each limit the next wider one; `NOBODY`: none."""
    of: tuple[int, ...] = ()
    """Of each order (or slot) the narrowest limit that holds it."""

    def widest(self, count: int) -> Family:
        """The first so many of its limits; whoever is in a narrower one is in the one around it."""
        if count >= len(self.limits):
            return self
        outer = list(range(len(self.limits)))
        for number in range(count, len(self.limits)):
            parent = self.parents[number]
            outer[number] = NOBODY if parent == NOBODY else outer[parent]
        of = tuple([NOBODY if limit == NOBODY else outer[limit] for limit in self.of]) if count else ()
        return Family(self.limits[:count], self.parents[:count], of)

    def within(self, places: Sequence[int]) -> list[int]:
        """Of each limit how many it can come to at most, its members having so many each."""
        found = [0] * len(self.limits)
        for limit, count in zip(self.of, places, strict=True) if self.of else ():
            if limit != NOBODY:
                found[limit] += count
        for number in range(len(self.limits) - 1, -1, -1):  # the narrowest come last
            found[number] = min(found[number], self.limits[number].most)
            if self.parents[number] != NOBODY:
                found[self.parents[number]] += found[number]
        return found


@dataclass(frozen=True)
class Problem:
    """Orders with their tier, slots with what is left, and a cost in minor units for each pair that is cleared."""

    orders: tuple[str, ...]
    tiers: Sequence[int]
    """A higher tier is served strictly first."""
    slots: tuple[str, ...]
    places: Sequence[int]
    """Deliveries left."""
    rows: Sequence[Row]
    row_of: Sequence[int]
    """Of each order the number of its row."""
    of_orders: Family = field(default_factory=Family)
    of_slots: Family = field(default_factory=Family)
    rations: tuple[Ration, ...] = ()
    """What does not nest; each holds for the pairs that it names."""
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """What an order takes of a slot's room, in as many measures as there are; who is not named takes none."""
    rooms: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """What a slot has room for; who is not named has room for everything."""
    together: tuple[frozenset[str], ...] = ()
    """Orders that travel together in one slot, or not at all."""

    @property
    def is_plain(self) -> bool:
        """True when nothing is asked for that the flow does not know: its optimum is the plan's."""
        return not (self.rations or self.together or (self.sizes and self.rooms))

    def row(self, order: int) -> Row:
        """Whom that order may go with."""
        return self.rows[self.row_of[order]]

    @staticmethod
    def of(
        orders: Mapping[str, int], slots: Mapping[str, int], costs: Mapping[Pair, int], **more: Any
    ) -> Problem:
        """The problem from single pairs; the rest as in `among`."""
        choices: dict[str, list[tuple[str, int]]] = {name: [] for name in orders}
        for (order, slot), cost in costs.items():
            if order not in choices:
                raise Unsound(f"a pair is of an order of the problem, got {(order, slot)!r}")
            choices[order].append((slot, cost))
        return Problem.among(orders, slots, choices, **more)

    @staticmethod
    def among(
        orders: Mapping[str, int],
        slots: Mapping[str, int],
        choices: Mapping[str, Choices],
        *,
        order_limits: Iterable[Limit] = (),
        slot_limits: Iterable[Limit] = (),
        rations: Iterable[Ration] = (),
        sizes: Mapping[str, tuple[int, ...]] | None = None,
        rooms: Mapping[str, tuple[int, ...]] | None = None,
        together: Iterable[frozenset[str]] = (),
    ) -> Problem:
        """The problem by names. Raises `Unsound`, naming the first thing that is wrong: a pair of somebody unknown, a
        cost that is no whole number of minor units, less than nothing left."""
        names, number = tuple(sorted(orders)), {name: n for n, name in enumerate(sorted(slots))}
        rows: list[Row] = []
        known: dict[int, int] = {}
        row_of = []
        for name in names:
            options = choices.get(name, ())
            row = known.get(id(options))  # orders that are alike share one, and `choices` keeps it
            if row is None:
                row = known[id(options)] = len(rows)
                rows.append(_row(name, options, number))
            row_of.append(row)
        return _checked(
            Problem(
                orders=names,
                tiers=[orders[name] for name in names],
                slots=tuple(number),
                places=[slots[name] for name in number],
                rows=rows,
                row_of=row_of,
                of_orders=family(order_limits, names),
                of_slots=family(slot_limits, tuple(number)),
                rations=tuple(rations),
                sizes=sizes or {},
                rooms=rooms or {},
                together=tuple(together),
            )
        )


def _row(order: str, options: Choices, number: Mapping[str, int]) -> Row:
    found: dict[int, int] = {}
    for slot, cost in options:
        if slot not in number:
            raise Unsound(f"a pair is of a slot of the problem, got {(order, slot)!r}")
        if type(cost) is not int or not 0 <= cost <= MOST_COST:
            raise Unsound(
                f"a cost is a whole number from 0 to {MOST_COST}, got {cost!r} of {(order, slot)!r}"
            )
        if found.setdefault(number[slot], cost) != cost:
            raise Unsound(f"a pair has one cost, {(order, slot)!r} has two")
    numbers = sorted(found)
    return Row(array("q", numbers), array("q", [found[n] for n in numbers]))


@dataclass(frozen=True)
class Prices:
    """What one more of everything would be worth, in the unit of the weights. See `prices.py`."""

    slots: Sequence[int]
    """Of one more place in the slot (and in every limit that holds the slot)."""
    slot_limits: Sequence[int]
    order_limits: Sequence[int]
    """Of each limit of the orders: what its being full costs whoever is in it, wider limits included."""
    rations: Sequence[int] = ()
    """Of each ration: what its being full costs each of its pairs. None: nothing."""


@dataclass(frozen=True)
class Plan:
    """Who goes with what, and the proof that there is nothing better."""

    chosen: Mapping[str, str]
    """Order id to slot id. Who is absent stays."""
    numbers: Sequence[int] = ()
    """The same by number; `NOBODY` stays."""
    prices: Prices | None = None
    priced: Sequence[int] = ()
    """What the prices are of: the same, or the flow's plan, where that had to be repaired."""
    value: int = 0
    """The objective, in the unit of the weights; the smaller, the better."""
    tighter: Prices | None = None
    """Other prices, of rations as well, that prove more; they say nothing about a single place."""
    bound: int = 0
    """No plan can have a smaller value: the prices prove it."""
    is_cut_short: bool = False
    """The time was over before the best was found."""

    @property
    def gap(self) -> int:
        """How much better a plan could be at most; 0: there is none."""
        return self.value - self.bound


def cost_of(price: int, on_time_permille: int) -> int:
    """What giving an order to a slot costs: its price and its expected lateness, in one currency's minor units."""
    return min(MOST_COST, price + FEN_PER_PERMILLE * (1000 - on_time_permille))


def cost_ahead(price: int, on_time_permille: int, tier: int, ahead: timedelta) -> int:
    """What giving an order of that tier to a slot costs which begins so long from now: what a plan counts."""
    return min(MOST_COST, cost_of(price, on_time_permille) + waiting(tier, ahead))


def _checked(problem: Problem) -> Problem:
    """The same problem. Raises `Unsound` for what no plan could be made of; its rows have been looked at (`_row`)."""
    for name, left in zip(problem.slots, problem.places, strict=True):
        if type(left) is not int or left < 0:
            raise Unsound(f"a slot has a whole number of places left, 0 or more, got {left!r} of {name!r}")
    for name, tier in zip(problem.orders, problem.tiers, strict=True):
        if not isinstance(tier, int):
            raise Unsound(f"a tier is a whole number, got {tier!r} of {name!r}")
    if any(limit.step for limit in problem.of_orders.limits):
        raise Unsound("a fair load is of slots, not of orders")
    known = set(problem.orders)
    for group in problem.together:
        if not group <= known:
            raise Unsound(f"who travels together is in the problem, {min(group - known)!r} is not")
    if sum(map(len, problem.together)) > len(frozenset[str]().union(*problem.together)):
        raise Unsound("an order travels with one group at most")
    if len({len(size) for size in (*problem.sizes.values(), *problem.rooms.values())}) > 1:
        raise Unsound("sizes and rooms are told in the same measures")
    return problem


def waiting(tier: int, ahead: timedelta) -> int:
    """What waiting so long for a slot to begin costs a gift of that tier, beside the slot's own cost.

    Where all slots cost alike today's places would else stay empty, and what is kept for tomorrow may be sealed in by
    then: measured in `docs/sixteen-to-six.md`.
    """
    return max(0, tier * (ahead // HALF_A_DAY) * FEN_PER_HALF_DAY)


def family(limits: Iterable[Limit], names: Sequence[str]) -> Family:
    """These limits as a family. Raises `Unsound` where two of them cross."""
    known = set(names)
    sorted_limits = sorted(limits, key=lambda limit: (-len(limit.members), limit.name))
    inner: dict[str, int] = {}
    parents = []
    for number, limit in enumerate(sorted_limits):
        if type(limit.most) is not int or limit.most < 0 or limit.step < 0:
            raise Unsound(f"a limit is a whole number, 0 or more, got {limit.most!r} of {limit.name!r}")
        if not limit.members <= known:
            raise Unsound(f"limit {limit.name!r} is of somebody unknown: {min(limit.members - known)!r}")
        around = {inner.get(name, NOBODY) for name in limit.members}
        if len(around) > 1:
            raise Unsound(f"limits of one family nest, {limit.name!r} crosses another")
        parents.append(around.pop() if around else NOBODY)
        inner.update(dict.fromkeys(limit.members, number))
    return Family(
        tuple(sorted_limits),
        tuple(parents),
        tuple(inner.get(name, NOBODY) for name in names) if inner else (),
    )


def named(problem: Problem, numbers: Sequence[int]) -> dict[str, str]:
    """Who goes with what, by ids."""
    slots = problem.slots
    return {order: slots[slot] for order, slot in zip(problem.orders, numbers, strict=True) if slot != NOBODY}


def rationed(problem: Problem, count: int) -> Problem:
    """The same problem, of its limits of orders only so many, the widest, and the others told as rations: for where
    the weights of all would not fit."""
    number = {name: n for n, name in enumerate(problem.orders)}

    def pairs(name: str) -> Iterable[Pair]:
        return ((name, problem.slots[slot]) for slot in problem.row(number[name]).slots)

    rations = [
        Ration(limit.name, limit.most, frozenset(pair for name in limit.members for pair in pairs(name)))
        for limit in problem.of_orders.limits[count:]
    ]
    return replace(problem, of_orders=problem.of_orders.widest(count), rations=(*problem.rations, *rations))
