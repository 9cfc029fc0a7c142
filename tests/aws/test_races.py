"""Sixteen callers at once place one order a key; on the emulator and on moto behind its lock.

The races of the table alone are part of its contract (test_table.py), those of planners in test_dispatch_races.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.aws import clients
from chalicelib.domain.places import Market
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
