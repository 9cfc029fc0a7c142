"""The sweep: what stands still is nudged, whatever else cannot be read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from chalicelib.domain import facts
from chalicelib.domain.ports import Topic
from chalicelib.flows import subscribe, sweep
from chalicelib.flows.place import place
from tests.stage import new_order, stage


def test_an_endpoint_that_nobody_can_read_stops_no_order() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    endpoint = subscribe.find(on.world, "maison", "hook-1")
    subscribe.amend(on.world, endpoint, lambda e: e.model_copy(update={"next_look": on.clock.now}))
    rows = on.plain.table.rows  # type: ignore[attr-defined]
    key = facts.endpoint_key("maison", "hook-1")
    rows[key] = replace(rows[key], body=rows[key].body.replace("{", '{"what_newer_code_knows":1,', 1))
    on.clock.forward(hours=1)
    with pytest.raises(ValidationError):
        sweep.sweep(on.world)
    assert (Topic.BOOK, order.order_id) in on.world.queues.take()  # type: ignore[attr-defined]
