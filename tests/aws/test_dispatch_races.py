"""Sixteen planners of one market at once, through the real flow, on every store: no place is sold twice, none is lost.

A lease keeps planners apart, and it is only thrift: a planner can outlive it. So they also run without one.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.ports import Change, Keep, KeyPage, Table, World
from chalicelib.flows import lease
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.place import place
from tests.fakes import FakeLog, FakeQueues
from tests.stage import new_order, stage

PLACES, ORDERS, PLANNERS = 6, 14, 16


def furnished(table: Table) -> Callable[[], World]:
    """Two crews with three places each and fourteen orders that want one; makes a process of its own for each."""
    on = stage(capacity=PLACES // 2, crews=2)
    for n in range(ORDERS):
        place(on.world, "maison", f"k-{n}", new_order())
    for row in on.plain.table.rows.values():  # type: ignore[attr-defined]
        table.write(Keep(row, was=None))
    return lambda: dataclasses.replace(on.plain, table=table, queues=FakeQueues(), log=FakeLog(), memory={})


def taken(world: World) -> Counter[str]:
    """How many orders hold a place of each slot."""
    page = world.table.find_shelved("brand#maison", 100)
    orders = [facts.order_of_row(row) for row in world.table.get_many(page.keys)]
    assert len(orders) == ORDERS
    return Counter(order.leg.assignment.slot_id for order in orders if order.leg.assignment is not None)


def left(world: World) -> dict[str, int]:
    found = {}
    for name in ("slot-1", "slot-2"):
        row = world.table.get(facts.slot_key("SHA", name))
        assert row is not None
        found[name] = row.counters[facts.LEFT]
    return found


def agree(world: World) -> int:
    """How many places are sold, by the orders and by the counters alike."""
    sold, rest = taken(world), left(world)
    for name in rest:
        assert rest[name] >= 0
        assert sold[name] + rest[name] == PLACES // 2, (sold, rest)
    return sum(sold.values())


@dataclasses.dataclass
class Eager:
    """A planner's view of the table: its index shows a quarter of what is due, and its first transaction waits until
    every planner has one, so that all of them have decided before any has saved."""

    table: Table
    quarter: int
    everybody: threading.Barrier
    has_waited: bool = False

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.table, verb)

    def find_due(self, *args: Any) -> KeyPage:
        page = self.table.find_due(*args)
        return dataclasses.replace(page, keys=page.keys[self.quarter :: 4])

    def write(self, *changes: Change) -> None:
        if len(changes) > 1 and not self.has_waited:
            self.has_waited = True
            self.everybody.wait(10)
        self.table.write(*changes)


def without_a_lease(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lease, "take", lambda *_: "nobody is kept away")
    patch.setattr(lease, "renew", lambda *_: True)
    patch.setattr(lease, "release", lambda world, *_: lease.Lease(until=world.clock()))


def eager(process: Callable[[], World]) -> list[World]:
    everybody = threading.Barrier(PLANNERS)
    worlds = [process() for _ in range(PLANNERS)]
    return [dataclasses.replace(w, table=Eager(w.table, n % 4, everybody)) for n, w in enumerate(worlds)]  # type: ignore[arg-type]


def test_sixteen_planners_with_the_lease_sell_what_there_is(fresh: Callable[[], Table], at_once: Any) -> None:
    process = furnished(fresh())
    worlds = [process() for _ in range(PLANNERS)]
    answers = at_once(lambda n: dispatch(worlds[n], "SHA"), PLANNERS)
    assert answers == [None] * PLANNERS
    assert agree(worlds[0]) == PLACES


def test_sixteen_planners_who_all_decided_before_any_saved_sell_what_there_is(
    fresh: Callable[[], Table], at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = furnished(fresh())
    without_a_lease(monkeypatch)
    worlds = eager(process)
    answers = at_once(lambda n: dispatch(worlds[n], "SHA"), PLANNERS)
    assert answers == [None] * PLANNERS
    agree(worlds[0])
    dispatch(process(), "SHA")  # what lost its race waits for the next round
    dispatch(process(), "SHA")
    assert agree(worlds[0]) == PLACES


def test_a_counter_without_its_floor_would_sell_places_that_are_not_there(
    fresh: Callable[[], Table], at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race above finds what it is there to find."""
    process = furnished(fresh())
    without_a_lease(monkeypatch)
    take = facts.take_from_slot
    monkeypatch.setattr(facts, "take_from_slot", lambda *args: dataclasses.replace(take(*args), floor=None))
    worlds = eager(process)
    at_once(lambda n: dispatch(worlds[n], "SHA"), PLANNERS)
    assert min(left(worlds[0]).values()) < 0
