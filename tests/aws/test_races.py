"""Sixteen threads at once: one order a key, never one unit oversold; on the emulator and on moto behind its lock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.aws import clients
from chalicelib.aws.table import DynamoTable
from chalicelib.domain.errors import Delayed, Lost
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Count, Keep, Key, Row
from chalicelib.flows import enlist
from chalicelib.flows.place import place
from tests import stage
from tests.aws.cloud import make_cloud
from tests.aws.emulators import EMULATORS
from tests.aws.tables import make_table


@pytest.fixture(scope="module", params=["moto", "ministack"])
def emulator(request: pytest.FixtureRequest) -> Iterator[None]:
    with EMULATORS[request.param](), pytest.MonkeyPatch.context() as patch:
        make_cloud(patch)
        yield


@pytest.fixture
def cloud(emulator: None) -> Iterator[None]:
    """All of it, with an empty table."""
    clients.client("dynamodb").delete_table(TableName="facts")
    make_table(clients.client("dynamodb"))
    wiring.use(None)
    yield
    wiring.use(None)


def test_sixteen_callers_with_one_key_place_one_order(cloud: None, at_once: Any) -> None:
    world = wiring.world()
    now = datetime.now(UTC)
    enlist.put_market(world, Market.model_validate(stage.MARKET))
    start = now + timedelta(hours=1)
    window = {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=3)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    new = stage.new_order(window=window)
    answers = at_once(lambda n: place(world, "maison", f"key-{n % 5}", new), 80)
    assert all(isinstance(answer, tuple) for answer in answers), answers
    ids = {order.order_id for order, _ in answers}
    assert len(ids) == 5
    assert sum(not repeated for _, repeated in answers) == 5, "each key was new once"
    assert len(world.table.find_shelved("brand#maison", 100).keys) == 5


def test_never_one_unit_is_sold_too_many(cloud: None, at_once: Any) -> None:
    table = DynamoTable("facts")
    slot = Key("fleet#SHA", "slot#s")
    table.write(Keep(Row(slot, 1, "{}", counters={"left": 100}), was=None))
    answers = at_once(lambda n: table.write(Count(slot, "left", -1)), 160)
    sold = sum(answer is None for answer in answers)
    assert sold == 100, [type(a).__name__ for a in answers if a is not None][:5]
    assert all(isinstance(answer, Lost) for answer in answers if answer is not None)
    row = table.get(slot)
    assert row is not None
    assert row.counters["left"] == 0


def test_transactions_of_order_and_slot_sell_what_there_is(cloud: None, at_once: Any) -> None:
    table = DynamoTable("facts")
    slot = Key("fleet#SHA", "slot#s")
    table.write(Keep(Row(slot, 1, "{}", counters={"left": 30}), was=None))

    def take(n: int) -> None:
        for _ in range(5):
            try:
                table.write(Keep(Row(Key(f"order-{n}", "order"), 1, "{}"), was=None), Count(slot, "left", -1))
                return
            except Lost:
                raise
            except Delayed:
                continue

    answers = at_once(take, 48)
    assert sum(answer is None for answer in answers) == 30
    assert len(table.get_many([Key(f"order-{n}", "order") for n in range(48)])) == 30
