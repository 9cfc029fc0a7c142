"""Counters sorted out: which nest over the orders or over the slots, so that the flow knows them, and which cross.

A zone's quota counts every delivery to its orders, whoever goes: a limit of orders, and the quotas of its households
lie inside it. A courier's quota counts every delivery by its slots. What counts only some of an order's pairs *and*
only some of a slot's, or overlaps another without holding it, is a ration, and left to repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chalicelib.domain.assignment import Choices, Limit, Pair, Ration
from chalicelib.domain.fleet import Slot
from chalicelib.domain.legs import QuotaTaken
from chalicelib.domain.quotas import Needs


class Sorted(NamedTuple):
    """What a problem is told of its counters."""

    of_orders: tuple[Limit, ...] = ()
    of_slots: tuple[Limit, ...] = ()
    crossing: tuple[Ration, ...] = ()


def sorted_out(
    choices: Mapping[str, Choices],
    needs: Mapping[Pair, Needs],
    taken: Mapping[QuotaTaken, int],
    loads: Iterable[Limit] = (),
) -> Sorted:
    """The counters of these pairs, each with what is left of it. Those that nobody could exhaust are left out; where
    a counter is limited in several ways, the lowest counts. `loads`: fair loads, which share no slot with one another;
    inside of them lies what counts one courier's deliveries."""
    counted: dict[QuotaTaken, list[Pair]] = {}
    lowest: dict[QuotaTaken, int] = {}
    of_slot: dict[str, int] = {}
    for order, slots_of_it in choices.items():
        for slot, _ in slots_of_it:
            of_slot[slot] = of_slot.get(slot, 0) + 1
            for counter, need in needs.get((order, slot), {}).items():
                counted.setdefault(counter, []).append((order, slot))
                lowest[counter] = min(need.limit, lowest.get(counter, need.limit))
    orders, slots, crossing = _Nest(), _Nest(), list[Ration]()
    for load in loads:
        slots.add(load)
    # by the number of pairs: all pairs of a limit's members are its own, so a wider one has more of them
    for counter, those in sorted(
        counted.items(), key=lambda item: (-len(item[1]), item[0].name, str(item[0].day))
    ):
        left = max(0, lowest[counter] - taken[counter])
        members = frozenset(order for order, _ in those)
        if len(members) <= left:
            continue
        name = f"{counter.per}/{counter.name}/{counter.day}"
        vehicles = frozenset(slot for _, slot in those)
        if len(those) == sum(len(choices[order]) for order in members) and orders.holds(members):
            orders.add(Limit(name, left, members))
        elif len(those) == sum(of_slot[slot] for slot in vehicles) and slots.holds(vehicles):
            slots.add(Limit(name, left, vehicles))
        else:
            crossing.append(Ration(name, left, frozenset(those)))
    return Sorted(tuple(orders.limits), tuple(slots.limits), tuple(crossing))


def fair_loads(slots: Iterable[Slot], places: Mapping[str, int], step: int) -> list[Limit]:
    """Of each courier that each delivery costs so much more than the one before. Nobody is kept out by that."""
    of_courier: dict[str, list[str]] = {}
    for slot in slots:
        of_courier.setdefault(slot.courier_id, []).append(slot.slot_id)
    return [
        Limit(f"load/{courier}", sum(places.get(name, 0) for name in names), frozenset(names), step)
        for courier, names in sorted(of_courier.items())
    ]


def loads_so_far(slots: Iterable[Slot], left: Mapping[str, int], step: int) -> dict[str, int]:
    """What the next delivery of each courier costs more, for what it has been given of these slots already."""
    found: dict[str, int] = {}
    for slot in slots if step else ():
        given = max(0, slot.capacity - left.get(slot.slot_id, 0))
        found[slot.courier_id] = found.get(slot.courier_id, 0) + step * given
    return found


class _Nest:
    """Limits of one side, put in from the widest to the narrowest: none holds one that is in already."""

    def __init__(self) -> None:
        self.limits: list[Limit] = []
        self._inner: dict[str, int] = {}
        """Of each member its narrowest limit so far."""

    def holds(self, members: frozenset[str]) -> bool:
        """True when these cross nobody: all of them are in the same narrowest limit, or in none."""
        return len({self._inner.get(name) for name in members}) < 2

    def add(self, limit: Limit) -> None:
        self._inner.update(dict.fromkeys(limit.members, len(self.limits)))
        self.limits.append(limit)
