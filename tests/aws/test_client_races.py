"""Sixteen at once enrol one client, give to it, change its mind and have it forgotten; on an emulator and on moto behind
its lock. What comes out is one client, or nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.aws import clients
from chalicelib.domain.client_rows import contacts_of_brand, data_key_of_client
from chalicelib.domain.clients import Consent, Purpose, client_id_of
from chalicelib.domain.due import is_over
from chalicelib.domain.errors import Clashing, CordonError, Delayed, Forgotten
from chalicelib.domain.orders import Order
from chalicelib.domain.places import Market
from chalicelib.domain.ports import World
from chalicelib.domain.wishes import OrderWish
from chalicelib.flows import agree, enlist, enrol, forget, look
from chalicelib.flows.give import give
from tests import stage
from tests.aws.cloud import make_cloud
from tests.aws.emulators import EMULATORS
from tests.aws.tables import make_table

VIC = client_id_of("maison", "vic-1")


@pytest.fixture(scope="module", params=["moto", "ministack"])
def emulator(request: pytest.FixtureRequest) -> Iterator[None]:
    with EMULATORS[request.param](), pytest.MonkeyPatch.context() as patch:
        make_cloud(patch)
        yield


@pytest.fixture
def world(emulator: None) -> Iterator[World]:
    """All of it, with an empty table and a market."""
    clients.client("dynamodb").delete_table(TableName="facts")
    make_table(clients.client("dynamodb"))
    wiring.use(None)
    made = wiring.world()
    enlist.put_market(made, Market.model_validate(stage.MARKET))
    yield made
    wiring.use(None)


def wish(number: int) -> OrderWish:
    start = datetime.now(UTC) + timedelta(hours=1)
    window = {"start": start.isoformat(), "end": (start + timedelta(hours=3)).isoformat()}
    sent = stage.client_order(window={**window, "time_zone": "Asia/Shanghai"}, reference=f"CAKE-{number}")
    return OrderWish.model_validate_json(json.dumps(sent))


def test_sixteen_that_enrol_one_client_make_one_and_whoever_was_too_late_is_told(
    world: World, at_once: Any
) -> None:
    bodies = [stage.new_client(f"Name {number}") for number in range(4)]
    answers = at_once(lambda n: enrol.enrol(world, "maison", "vic-1", bodies[n % 4]), 32)
    made = [answer for answer in answers if not isinstance(answer, Exception)]
    assert all(isinstance(a, CordonError) for a in answers if a not in made), answers
    assert {one.version for one in made} == {1}
    client = enrol.by_id(world, VIC)
    assert enrol.person_of(world, client).name in {f"Name {number}" for number in range(4)}
    rows = world.table.read(contacts_of_brand("maison")).rows
    assert sorted(row.key.sk.partition("#")[0] for row in rows) == sorted(client.contacts)


def test_of_lists_that_replace_each_other_one_stands_whole_and_no_contact_of_another_is_left(
    world: World, at_once: Any
) -> None:
    def body(number: int) -> Any:
        phone = f"+86138000000{number:02d}"
        return stage.new_client(person={"name": f"Name {number}", "phone": phone})

    at_once(lambda n: enrol.enrol(world, "maison", "vic-1", body(n), replaces=True), 16)
    client = enrol.by_id(world, VIC)
    person = enrol.person_of(world, client)
    assert person.phone == f"+86138000000{int(person.name.removeprefix('Name ')):02d}"
    rows = world.table.read(contacts_of_brand("maison")).rows
    assert [row.key.sk.partition("#")[0] for row in rows] == list(client.contacts)


def test_who_is_given_to_and_forgotten_at_once_has_no_gift_that_is_not_forgotten_with_it(
    world: World, at_once: Any
) -> None:
    enrol.enrol(world, "maison", "vic-1", stage.new_client())

    def anything(number: int) -> Any:
        if number % 4 == 0:
            forget.ask(world, "maison", "vic-1")
            return forget.forget(world, VIC)
        if number % 4 == 1:
            consent = Consent(purpose=Purpose.MARKETING, granted_at=datetime.now(UTC), evidence="call-1")
            return agree.agree(world, VIC, [consent])
        if number % 4 == 2:
            return enrol.enrol(world, "maison", "vic-1", stage.new_client(f"Again {number}"), replaces=True)
        return give(world, "maison", f"key-{number}", wish(number))[0]

    answers = at_once(anything, 48)
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(one, Forgotten | Clashing | Delayed) for one in refused), refused
    for _ in range(10):  # the sweep comes again and again
        forget.forget(world, VIC)
    client = enrol.mark_of(world, "maison", "vic-1")
    assert client.erased_at is not None
    assert not client.sealed
    given = [answer for answer in answers if isinstance(answer, Order)]
    orders = {order.order_id: look.any_order(world, order.order_id) for order in given}
    assert all(order.is_erased and is_over(order) for order in orders.values())
    assert [row.key for row in world.table.read(VIC).rows if row.sealed] == []
    assert world.table.get(data_key_of_client(VIC)) is None
    stones = [row.key.sk for row in world.table.read(contacts_of_brand("maison")).rows]
    assert all(name.endswith("#erased") for name in stones)
    with pytest.raises(Clashing):
        enrol.enrol(world, "maison", "vic-1", stage.new_client())
