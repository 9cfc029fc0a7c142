from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.errors import Clashing, Delayed, Invalid, Lost, Missing
from chalicelib.domain.fleet import Courier, Crew, Permit, Proof, Slot
from chalicelib.domain.keys import Key as AccessKey
from chalicelib.domain.keys import Role, hash_of, key_place
from chalicelib.domain.ports import Change, Topic, World
from chalicelib.flows import enlist
from tests import fakes
from tests.maps import feature, market, part, policy, published
from tests.paper import PaperDialect
from tests.stage import stage

CHANGED = [(Topic.RULES, "rezone:SHA:")]


def courier(**changes: Any) -> Courier:
    given = {"courier_id": "paper-co", "market_id": "SHA", "dialect": "paper", "account": "main"}
    return Courier.model_validate({**given, **changes})


def crew(**changes: Any) -> Crew:
    given = {"crew_id": "crew-1", "market_id": "SHA", "courier_id": "paper-co", "vehicle": {"plate": "A0001"}}
    return Crew.model_validate({**given, **changes})


def permit(**changes: Any) -> Permit:
    valid = {"start": fakes.NOON, "end": fakes.NOON + timedelta(days=1)}
    given = {
        "permit_id": "permit-1",
        "market_id": "SHA",
        "plate": "A0001",
        "districts": ["310101"],
        "valid": valid,
    }
    return Permit.model_validate({**given, **changes})


def slot(**changes: Any) -> Slot:
    given = {
        "slot_id": "slot-1",
        "market_id": "SHA",
        "courier_id": "paper-co",
        "crew_id": "crew-1",
        "window": {"start": fakes.NOON, "end": fakes.NOON + timedelta(hours=5)},
        "capacity": 5,
        "price": {"amount": 3000, "currency": "CNY"},
    }
    return Slot.model_validate({**given, **changes})


def empty(**changes: Any) -> World:
    return fakes.world(**{"dialects": {"paper": PaperDialect()}, **changes})


def staffed(**changes: Any) -> World:
    """A market with a courier, a crew and a slot for five."""
    world = empty(**changes)
    enlist.put_market(world, market())
    enlist.put_courier(world, courier())
    enlist.put_crew(world, crew())
    enlist.put_slot(world, slot())
    nudges(world)
    return world


def nudges(world: World) -> list[tuple[Topic, str]]:
    found: list[tuple[Topic, str]] = world.queues.take()  # type: ignore[attr-defined]
    return found


def left(world: World) -> int:
    return enlist.fleet(world, "SHA").left["slot-1"]


def take(world: World, count: int) -> None:
    world.table.write(facts.take_from_slot("SHA", "slot-1", count))


# --- markets ------------------------------------------------------------------------------------------------


def test_a_market_is_put_found_and_listed() -> None:
    world = empty()
    with pytest.raises(Missing, match="no market 'SHA'"):
        enlist.market(world, "SHA")
    assert enlist.put_market(world, market()) == market()
    assert enlist.market(world, "SHA") == market()
    enlist.put_market(world, market(market_id="BJS"))
    assert [found.market_id for found in enlist.markets(world)] == ["BJS", "SHA"]


def test_a_market_is_remembered_for_a_minute_by_the_world_s_clock() -> None:
    clock = fakes.FakeClock()
    world = empty(clock=clock)
    enlist.put_market(world, market())
    enlist.market(world, "SHA")
    enlist.put_market(replace(world, memory={}), market(name="Hu"))
    assert enlist.market(world, "SHA").name == "Shanghai"
    clock.forward(seconds=61)
    assert enlist.market(world, "SHA").name == "Hu"


def test_a_market_that_was_changed_here_is_read_anew() -> None:
    world = empty()
    enlist.put_market(world, market())
    enlist.market(world, "SHA")
    enlist.put_market(world, market(name="Hu"))
    assert enlist.market(world, "SHA").name == "Hu"


def test_shards_grow_only() -> None:
    world = empty()
    enlist.put_market(world, market(shards=4))
    enlist.put_market(world, market(shards=8))
    with pytest.raises(Clashing, match="there are 8, got 2"):
        enlist.put_market(world, market(shards=2))


def test_the_datum_stays_once_rules_are_published() -> None:
    world = empty()
    enlist.put_market(world, market(datum="WGS84"))
    enlist.put_market(world, market())
    published(world, part(feature(), policies=[policy()]))
    with pytest.raises(Clashing, match="'GCJ02'"):
        enlist.put_market(world, market(datum="WGS84"))


# --- the fleet ----------------------------------------------------------------------------------------------

PUTS: dict[str, tuple[Callable[[World], Any], Callable[[World], Any]]] = {
    "couriers": (
        lambda w: enlist.put_courier(w, courier()),
        lambda w: enlist.put_courier(w, courier(suspended=True)),
    ),
    "crews": (lambda w: enlist.put_crew(w, crew()), lambda w: enlist.put_crew(w, crew(withdrawn=True))),
    "permits": (
        lambda w: enlist.put_permit(w, permit()),
        lambda w: enlist.put_permit(w, permit(districts="all")),
    ),
}


@pytest.mark.parametrize("kind", PUTS)
def test_one_of_the_fleet_is_put_replaced_and_removed_and_each_time_orders_are_looked_at_again(
    kind: str,
) -> None:
    world = staffed()
    name = {"couriers": "paper-co", "crews": "crew-1", "permits": "permit-1"}[kind]
    put, change = PUTS[kind]
    first = put(world)
    assert enlist.member(world, "SHA", kind, name) == first
    assert nudges(world) == CHANGED
    second = change(world)
    assert enlist.member(world, "SHA", kind, name) == second != first
    assert nudges(world) == CHANGED
    enlist.remove(world, "SHA", kind, name)
    assert nudges(world) == CHANGED
    with pytest.raises(Missing):
        enlist.member(world, "SHA", kind, name)
    with pytest.raises(Missing):
        enlist.remove(world, "SHA", kind, name)


def test_the_same_again_writes_nothing_and_nudges_again() -> None:
    world = staffed()
    rows = dict(world.table.rows)  # type: ignore[attr-defined]
    for again in (
        lambda: enlist.put_market(world, market()),
        lambda: enlist.put_courier(world, courier()),
        lambda: enlist.put_crew(world, crew()),
        lambda: enlist.put_slot(world, slot()),
    ):
        again()
    assert world.table.rows == rows  # type: ignore[attr-defined]
    assert nudges(world) == [*CHANGED, *CHANGED, (Topic.DISPATCH, "SHA:all")]


def test_what_belongs_to_nobody_is_refused_by_name() -> None:
    world = empty()
    with pytest.raises(Missing):
        enlist.put_courier(world, courier())
    enlist.put_market(world, market())
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: enlist.put_courier(world, courier(dialect="klingon")), "/dialect"),
        (lambda: enlist.put_crew(world, crew()), "/courier_id"),
        (lambda: enlist.put_slot(world, slot()), "/courier_id"),
    ]
    for case, pointer in cases:
        with pytest.raises(Invalid) as error:
            case()
        assert error.value.faults[0].pointer == pointer
    enlist.put_courier(world, courier())
    enlist.put_courier(world, courier(courier_id="other-co"))
    with pytest.raises(Invalid, match="/crew_id"):
        enlist.put_slot(world, slot())
    enlist.put_crew(world, crew())
    with pytest.raises(Invalid, match="'paper-co'"):
        enlist.put_slot(world, slot(courier_id="other-co"))


def test_the_fleet_is_read_whole() -> None:
    world = staffed()
    enlist.put_permit(world, permit())
    fleet = enlist.fleet(world, "SHA")
    assert (list(fleet.couriers), list(fleet.crews), list(fleet.permits)) == (
        ["paper-co"],
        ["crew-1"],
        ["permit-1"],
    )
    assert (fleet.slots["slot-1"].capacity, fleet.left["slot-1"]) == (5, 5)
    with pytest.raises(Missing):
        enlist.fleet(world, "ROM")


# --- slots --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "moto"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return staffed()
    request.getfixturevalue("moto")
    from chalicelib.aws.clients import client
    from chalicelib.aws.table import DynamoTable
    from tests.aws.tables import make_table

    make_table(client("dynamodb"))
    return staffed(table=DynamoTable("facts"))


def test_what_is_left_moves_with_the_capacity(world: World) -> None:
    take(world, 2)
    for capacity, expected in ((7, 5), (7, 5), (2, 0), (3, 1)):
        enlist.put_slot(world, slot(capacity=capacity))
        assert left(world) == expected
        assert enlist.fleet(world, "SHA").slots["slot-1"].capacity == capacity


def test_a_capacity_below_what_is_taken_clashes_and_changes_nothing(world: World) -> None:
    take(world, 3)
    with pytest.raises(Clashing, match="2 is less"):
        enlist.put_slot(world, slot(capacity=2))
    assert left(world) == 2
    assert enlist.fleet(world, "SHA").slots["slot-1"].capacity == 5


def test_a_slot_that_somebody_has_taken_from_stays(world: World) -> None:
    take(world, 1)
    with pytest.raises(Clashing):
        enlist.remove(world, "SHA", "slots", "slot-1")
    world.table.write(facts.give_back_to_slot("SHA", "slot-1"))
    enlist.remove(world, "SHA", "slots", "slot-1")
    assert enlist.fleet(world, "SHA").slots == {}
    with pytest.raises(Lost):
        take(world, 1)


def test_a_removed_slot_can_come_back(world: World) -> None:
    enlist.remove(world, "SHA", "slots", "slot-1")
    enlist.put_slot(world, slot(capacity=4))
    assert left(world) == 4


def test_a_new_slot_wakes_the_planner_and_a_changed_one_everybody() -> None:
    world = staffed()
    enlist.put_slot(world, slot(slot_id="slot-2"))
    assert nudges(world) == [(Topic.DISPATCH, "SHA:all")]
    enlist.put_slot(world, slot(trip_minutes=45))
    assert nudges(world) == CHANGED


class Stopped(BaseException):
    """The process was killed here."""


class Dying:
    """A table that stops the process before or after the nth write."""

    def __init__(self, world: World, stop_at: int, after: bool) -> None:
        self.world = replace(world, table=self)
        self.table, self.stop_at, self.after, self.count = world.table, stop_at, after, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def write(self, *changes: Change) -> None:
        self.count += 1
        if self.count == self.stop_at and not self.after:
            raise Stopped
        self.table.write(*changes)
        if self.count == self.stop_at:
            raise Stopped


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("stop_at", [1, 2, 3])
@pytest.mark.parametrize(("capacity", "then"), [(9, 9), (3, 3), (9, 4), (3, 8)])
def test_wherever_a_change_of_capacity_stops_no_place_is_lost_or_won(
    after: bool, stop_at: int, capacity: int, then: int
) -> None:
    world = staffed()
    take(world, 2)
    try:
        enlist.put_slot(Dying(world, stop_at, after).world, slot(capacity=capacity))
    except Stopped:
        assert left(world) in (3, capacity - 2)
    enlist.put_slot(world, slot(capacity=then))
    assert left(world) == then - 2
    assert enlist.fleet(world, "SHA").slots["slot-1"].capacity == then


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("stop_at", [1, 2])
def test_wherever_a_removal_stops_it_can_be_done_again(after: bool, stop_at: int) -> None:
    world = staffed()
    with pytest.raises(Stopped):
        enlist.remove(Dying(world, stop_at, after).world, "SHA", "slots", "slot-1")
    if (stop_at, after) != (2, True):
        enlist.remove(world, "SHA", "slots", "slot-1")
    assert enlist.fleet(world, "SHA").slots == {}


def test_takers_and_changes_of_capacity_at_once_never_oversell() -> None:
    world = staffed()
    taken = []

    def take_one(_: int) -> None:
        try:
            take(world, 1)
        except Lost:
            return
        taken.append(1)

    def resize(capacity: int) -> None:
        try:
            enlist.put_slot(world, slot(capacity=capacity))
        except (Clashing, Delayed):
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: take_one(n) if n % 3 else resize(n % 12), range(300)))
    for _ in range(2):  # whoever was last says what holds
        enlist.put_slot(world, slot(capacity=400))
    assert left(world) == 400 - len(taken)


# --- access keys --------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_as_a_hash() -> None:
    world = empty()
    secret = enlist.create_key(world, Role.SOURCE, "city")
    assert secret.startswith("cordon_source_")
    row = world.table.get(key_place(hash_of(secret)))
    assert row is not None
    assert secret not in row.body
    key = AccessKey.model_validate_json(row.body)
    assert (key.role, key.owner, key.disabled, key.created_at) == (Role.SOURCE, "city", False, fakes.NOON)


def test_a_disabled_key_stays_disabled() -> None:
    world = empty()
    name = hash_of(enlist.create_key(world, Role.BRAND, "maison"))
    assert enlist.disable_key(world, name).disabled
    assert enlist.disable_key(world, name).disabled
    with pytest.raises(Missing):
        enlist.disable_key(world, "0" * 64)


def test_a_courier_is_not_believed_to_bring_back_what_its_language_has_no_words_for() -> None:
    on = stage()
    able = Courier(
        courier_id="able",
        market_id="SHA",
        dialect="paper",
        account="main",
        proofs=frozenset({Proof.RECEIPT_CODE}),
    )
    enlist.put_courier(on.world, able)
    with pytest.raises(Invalid, match="identity, photo, pickup_code, receipt_code") as said:
        enlist.put_courier(on.world, able.model_copy(update={"proofs": frozenset({Proof.SIGNATURE})}))
    (fault,) = said.value.faults
    assert (fault.pointer, fault.value) == ("/proofs", "signature")
