"""Orders of former and of later code: the former are read as they would be written today, the later wait."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain import facts, nudges
from chalicelib.domain.errors import Newer, NotANudge
from chalicelib.domain.orders import SCHEMA
from chalicelib.domain.ports import Row
from chalicelib.flows.place import place
from tests.stage import new_order, stage


@pytest.fixture(scope="module")
def row() -> Row:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    found = on.plain.table.get(facts.order_key(order.order_id))
    assert found is not None
    return found


def told(row: Row, schema: Any, **more: Any) -> Row:
    body = json.loads(row.body) | {"schema_version": schema} | more
    return replace(row, body=json.dumps(body))


def test_every_row_says_its_schema_and_the_present_one_is_read_as_it_stands(row: Row) -> None:
    assert json.loads(row.body)["schema_version"] == SCHEMA
    assert facts.order_row(facts.order_of_row(row)) == row


def test_a_former_schema_is_read_step_by_step_as_the_present_one(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(body: dict[str, Any]) -> dict[str, Any]:
        return {("reference" if name == "ref" else name): value for name, value in body.items()}

    def with_shard(body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "bucket"} | {"shard": body["bucket"]}

    monkeypatch.setitem(facts.UPCASTS, SCHEMA - 2, named)
    monkeypatch.setitem(facts.UPCASTS, SCHEMA - 1, with_shard)
    body = json.loads(row.body)
    oldest = {name: value for name, value in body.items() if name not in ("reference", "shard")}
    oldest |= {"schema_version": SCHEMA - 2, "ref": body["reference"], "bucket": 0}
    found = facts.order_of_row(replace(row, body=json.dumps(oldest)))
    assert found == facts.order_of_row(row)
    assert facts.order_row(found).body == row.body, "and is written as the present one"


@pytest.mark.parametrize("more", [{}, {"what_only_it_knows": 1}])
def test_a_later_schema_waits_whether_it_looks_familiar_or_not(row: Row, more: dict[str, Any]) -> None:
    with pytest.raises(Newer):
        facts.order_of_row(told(row, SCHEMA + 1, **more))


@pytest.mark.parametrize("schema", [SCHEMA - 1, -7, None, "1", 1.5])
def test_a_schema_that_nobody_wrote_is_read_by_nobody(row: Row, schema: Any) -> None:
    with pytest.raises(ValueError):
        facts.order_of_row(told(row, schema, what_only_it_knows=1))


def test_a_broken_row_of_the_present_schema_is_broken(row: Row) -> None:
    with pytest.raises(ValidationError):
        facts.order_of_row(told(row, SCHEMA, what_nobody_knows=1))


def test_a_nudge_is_read_as_it_was_written() -> None:
    for name in ("ord_" + "a" * 26, "SHA:all", "rezone:SHA:pass1,2,0/2022|é|order", "x" * 1900):
        assert nudges.read(nudges.write(name)) == name
    with pytest.raises(NotANudge):
        nudges.read(nudges.write("x" * nudges.LIMIT))
