"""The minute of `minute.py` on the emulator: 50,000 open orders are read, cleared, planned and saved for real.

`python -m bench.emulated` (`make minute`). ministack in a process of its own is what DynamoDB, SQS and KMS are
here, so seconds of the wall say how fast an emulator in Python is, and no more; that every call is answered, that all
of them are given a courier and that no slot is oversold is what it is for. What the same save takes of the real
DynamoDB is reckoned beside it (`units.py`). CORDON_BENCH_ORDERS: another number of orders.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from bench.minute import open_orders, open_places, timed
from bench.rezoning import NOON, ORDERS, SHARDS, town
from bench.units import Billed
from chalicelib import wiring
from chalicelib.aws import clients
from chalicelib.aws.clients import client
from chalicelib.aws.table import _item
from chalicelib.domain import facts
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Row, World
from chalicelib.flows import check, dispatch
from sandbox.emulator import Emulator
from tests import fakes
from tests.aws.tables import make_table

BATCH = 25
QUEUES = ("dispatch", "book", "hear", "tell", "rules")
STEPS = ("read", "cleared", "planned", "saved", "nudged")


def measured() -> list[tuple[str, str, str]]:
    """Rows of the table: what, seconds of the wall, seconds of our CPU."""
    paper = town()
    open_places(paper)
    with Emulator() as emulator:
        os.environ.update(emulator.environment)
        clients.reset()
        _make()
        world = wiring.real()
        paper = dataclasses.replace(paper, sealer=world.sealer)
        open_orders(paper)
        rows: dict[Any, Row] = paper.table.rows  # type: ignore[attr-defined]
        began = time.monotonic()
        _load(rows.values())
        loaded = time.monotonic() - began
        billed = Billed(world.table, rows)
        world.table = billed
        return [(f"{len(rows):,} rows put in", f"{loaded:.0f} s", ""), *_measured(world, billed)]


def _make() -> None:
    """Table, queues and key, and where they are."""
    make_table(client("dynamodb"))
    for name in QUEUES:
        os.environ[f"CORDON_{name.upper()}_QUEUE"] = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    os.environ["CORDON_SEAL_KEY"] = client("kms").create_key()["KeyMetadata"]["KeyId"]


def _load(rows: Iterable[Row]) -> None:
    items = [{"PutRequest": {"Item": _item(row)}} for row in rows]
    for start in range(0, len(items), BATCH):
        reply = client("dynamodb").batch_write_item(RequestItems={"facts": items[start : start + BATCH]})
        assert not reply.get("UnprocessedItems"), "the emulator takes what it is given"


def _measured(world: World, billed: Billed) -> list[tuple[str, str, str]]:
    began = time.monotonic()
    log = fakes.FakeLog()
    world = dataclasses.replace(
        world, log=log, clock=lambda: NOON + timedelta(seconds=time.monotonic() - began)
    )
    check.ground(world, "SHA")  # a process that has read the rules before
    wall: defaultdict[str, float] = defaultdict(float)
    cpu: defaultdict[str, float] = defaultdict(float)
    with timed(cpu, time.process_time), timed(wall, time.monotonic):
        for spent, clock in ((wall, time.monotonic), (cpu, time.process_time)):
            spent["all"] -= clock()
        dispatch.named(world, "SHA:all")
        for spent, clock in ((wall, time.monotonic), (cpu, time.process_time)):
            spent["all"] += clock()
    planned = [line for line in log.lines if line["event"] == "planned"]
    assert sum(line["orders"] for line in planned) == ORDERS, planned
    _check(world, planned[0]["assigned"])
    rows = [_row(f"a minute of {ORDERS:,} open orders, on the emulator", wall, cpu, "all")]
    rows += [_row(f"  {step}", wall, cpu, step) for step in STEPS]
    return [
        *rows,
        ("  gifts that were given a courier", f"{planned[0]['assigned']:,}", ""),
        *_on_paper(billed),
    ]


def _row(name: str, wall: dict[str, float], cpu: dict[str, float], step: str) -> tuple[str, str, str]:
    took = {each: _share(spent, step) for each, spent in (("wall", wall), ("cpu", cpu))}
    share = took["wall"] / wall["all"]
    return name, f"{took['wall']:.1f} s, {share:.0%}", f"{took['cpu']:.1f} s"


def _share(spent: dict[str, float], step: str) -> float:
    """Of a step without those that lie in it."""
    if step == "read":
        return spent["all"] - spent["decided"] - spent["saved"]
    if step == "cleared":
        return spent["decided"] - spent["planned"]
    if step == "saved":
        return spent["saved"] - spent["nudged"]
    return spent[step]


def _check(world: World, assigned: int) -> None:
    """What is in the table is what was said: so many assigned, and of every slot what they have taken."""
    taken: Counter[str] = Counter()
    for shard in range(SHARDS):
        bucket = facts.wait_bucket("SHA", shard)
        page = world.table.find_due(bucket, world.clock() + facts.FAR, ORDERS)
        for order in facts.readable(world.table.get_many(page.keys), world.log):
            assert order.state is OrderState.ASSIGNED
            assert order.leg.assignment is not None
            taken[order.leg.assignment.slot_id] += 1
    assert taken.total() == assigned, (taken.total(), assigned)
    places = max(1, ORDERS // len(facts.load_fleet(world.table, "SHA").slots))
    for slot_id, left in facts.load_fleet(world.table, "SHA").left.items():
        assert left == places - taken[slot_id] >= 0, slot_id


def _on_paper(billed: Billed) -> list[tuple[str, str, str]]:
    rows = [
        ("the same save on the real DynamoDB, reckoned", "", ""),
        ("  transactions", f"{billed.transactions:,}", ""),
        ("  the largest, of 4 MB", f"{billed.largest / 1024:.0f} KB", ""),
        ("  write units, indexes included", f"{billed.units:,}", ""),
    ]
    kinds: dict[str, tuple[str, float]] = {}
    for name, seconds in billed.seconds():
        kinds.setdefault(name.split("#")[0], (name, seconds))
    rows += [(f"  at 1,000 a second, key {name}", f"{seconds:.1f} s", "") for name, seconds in kinds.values()]
    return rows


if __name__ == "__main__":
    for row in measured():
        print(f"{row[0]:58}{row[1]:>16}{row[2]:>12}")
