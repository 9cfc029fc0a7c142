"""Sixteen planners of one market at once on every store: no quota is taken beyond its limit, none is lost, and all of
them name a household alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, Table, World
from chalicelib.flows import cancel, enlist
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.place import place
from tests.aws.test_dispatch_races import eager, without_a_lease
from tests.fakes import FakeLog, FakeQueues
from tests.stage import NOON, OPEN_TO_THE_DOOR, new_order, permit, place_at, publish_rules, stage, zone

LIMIT, FLATS, PERMITS, ORDERS, PLANNERS = 5, 4, 3, 14, 16
DAY = NOON.date().isoformat()


def order_to(flat: int, compound: str = "Yongjia") -> Any:
    there = place_at(compound)
    there["address"]["unit"] = f"{flat}"
    return new_order(compound, recipient={"name": "Wang", "phone": "+8613800138001", "place": there})


def furnished(
    table: Table, *, households: int = 9, permits: int = 0
) -> tuple[Callable[[], World], list[Order]]:
    """Two crews with room for everything, fourteen orders to four flats, and quotas or permits that are good once."""
    on = stage(capacity=20, crews=2)
    quotas = [{"per": "zone", "limit": LIMIT}, {"per": "household", "limit": households}]
    limited = {**OPEN_TO_THE_DOOR, "policy_id": "limited", "quotas": [] if permits else quotas}
    publish_rules(on.world, "amend", zone("Yongjia", "limited@1"), policies=[limited])
    for n in range(permits):
        enlist.put_permit(on.world, permit(1 + n % 2, permit_id=f"once-{n}", single_use=True))
    if permits:
        for n in (1, 2):
            enlist.remove(on.world, "SHA", "permits", f"permit-{n}")
    orders = [place(on.world, "maison", f"k-{n}", order_to(500 + n % FLATS))[0] for n in range(ORDERS)]
    for row in on.plain.table.rows.values():  # type: ignore[attr-defined]
        table.write(Keep(row, was=None))
    return lambda: dataclasses.replace(
        on.plain, table=table, queues=FakeQueues(), log=FakeLog(), memory={}
    ), orders


def counted(world: World) -> dict[str, int]:
    """What the counters say."""
    rows = [
        *world.table.read(f"quota#SHA#{DAY}").rows,
        *world.table.read(facts.fleet_collection("SHA"), "used#").rows,
    ]
    return {row.key.sk: row.counters[facts.TAKEN] for row in rows if row.counters[facts.TAKEN]}


def agree(world: World, orders: list[Order]) -> int:
    """How many are assigned; by their assignments and by the counters alike."""
    held: dict[str, int] = {}
    assigned = 0
    for order in orders:
        given = facts.load_order(world.table, order.order_id).leg.assignment
        for taken in given.quotas if given is not None else ():
            name = facts.quota_key("SHA", taken).sk
            held[name] = held.get(name, 0) + 1
        assigned += given is not None
    assert counted(world) == held
    return assigned


def test_planners_who_all_decided_before_any_saved_take_no_more_than_the_quota(
    fresh: Callable[[], Table], at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, orders = furnished(fresh())
    without_a_lease(monkeypatch)
    worlds = eager(process)
    assert at_once(lambda n: dispatch(worlds[n], "SHA"), PLANNERS) == [None] * PLANNERS
    assert agree(worlds[0], orders) <= LIMIT
    dispatch(process(), "SHA", everything=True)
    dispatch(process(), "SHA", everything=True)
    assert agree(worlds[0], orders) == LIMIT
    households = [name for name in counted(worlds[0]) if name.startswith("household#")]
    assert len(households) <= FLATS, "two processes never name one household twice"


def test_a_household_gets_its_one_and_a_permit_that_is_good_once_goes_once(
    fresh: Callable[[], Table], at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_a_lease(monkeypatch)
    for given, most in (({"households": 1}, FLATS), ({"permits": PERMITS}, PERMITS)):
        process, orders = furnished(fresh(), **given)
        worlds = eager(process)
        assert at_once(lambda n, w=worlds: dispatch(w[n], "SHA"), PLANNERS) == [None] * PLANNERS
        dispatch(process(), "SHA", everything=True)
        assert agree(worlds[0], orders) == most
        assert set(counted(worlds[0]).values()) <= ({1, most} if "households" in given else {1})


def test_what_is_cancelled_while_others_plan_comes_back_once(
    fresh: Callable[[], Table], at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, orders = furnished(fresh())
    without_a_lease(monkeypatch)
    dispatch(process(), "SHA")
    given = [o for o in orders if facts.load_order(process().table, o.order_id).leg.assignment is not None]
    assert len(given) == LIMIT

    def act(n: int) -> None:
        world = process()
        if n % 2:
            dispatch(world, "SHA", everything=True)
            return
        order = facts.load_order(world.table, given[n // 2 % 2].order_id)
        try:
            cancel.cancel(world, "maison", order.order_id, order.version)
        except Refused:
            pass  # another one was quicker

    answers = at_once(act, PLANNERS)
    assert answers == [None] * PLANNERS
    for _ in range(2):
        dispatch(process(), "SHA", everything=True)
    assert agree(process(), orders) == LIMIT
    cancelled = [facts.load_order(process().table, o.order_id).state.value for o in given[:2]]
    assert cancelled == ["cancelled", "cancelled"]


def test_a_quota_without_its_ceiling_would_be_oversold(
    fresh: Callable[[], Table], at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race above finds what it is there to find."""
    process, orders = furnished(fresh())
    without_a_lease(monkeypatch)
    take = facts.take_quota
    monkeypatch.setattr(facts, "take_quota", lambda *args: dataclasses.replace(take(*args), ceiling=10**6))
    worlds = eager(process)
    at_once(lambda n: dispatch(worlds[n], "SHA"), PLANNERS)
    assert agree(worlds[0], orders) > LIMIT
