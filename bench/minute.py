"""A whole minute of a market with 50,000 open orders: read, cleared, planned with its proof, saved.

The city of `rezoning.py` with nobody assigned yet: sixteen districts, 2,000 compounds, 2,000 slots with room for as
many gifts as there are. Real table, sealer and queues with the network on paper (`canned.py`): all CPU of ours and of
botocore is in it, waiting for AWS is not. CORDON_BENCH_ORDERS: another number of orders.
"""

from __future__ import annotations

import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bench.canned import Canned
from bench.rezoning import COMPOUNDS, DISTRICTS, NOON, ORDERS, SLOTS, real, town
from chalicelib.aws.queues import SqsQueues
from chalicelib.domain import facts
from chalicelib.domain.orders import NewOrder, Private, Tier
from chalicelib.domain.ports import Topic, World
from chalicelib.domain.steps import placed
from chalicelib.flows import check, dispatch, enlist, ration
from tests import stage

TIERS = [tier.name.lower() for tier in Tier]


def measured() -> list[tuple[str, str, str]]:
    """Rows of the table: what, how much, and what was promised."""
    paper = town()
    open_orders(paper)
    open_places(paper)
    canned = Canned(paper.table.rows.values())  # type: ignore[attr-defined]
    with real(canned, paper.sealer) as world:
        return _measured(world, canned)


def _measured(world: World, canned: Canned) -> list[tuple[str, str, str]]:
    check.ground(world, "SHA")  # a process that has read the rules before
    canned.calls.clear()
    canned.answering_s = 0.0
    spent: defaultdict[str, float] = defaultdict(float)
    with timed(spent, lambda: time.process_time() - canned.answering_s):
        began = time.process_time()
        dispatch.named(world, "SHA:all")
        whole = time.process_time() - began - canned.answering_s
    log: Any = world.log
    (planned,) = (line for line in log.lines if line["event"] == "planned")
    assert planned["orders"] == ORDERS
    read = whole - spent["decided"] - spent["saved"]
    decided = spent["decided"] - spent["planned"]
    rows = [
        (f"a minute of {ORDERS:,} open orders, CPU of one process", f"{whole:.1f} s", "completes"),
        ("  read and parsed", f"{read:.1f} s, {read / whole:.0%}", ""),
        ("  seals opened, cleared, explained, evidence", f"{decided:.1f} s, {decided / whole:.0%}", ""),
        ("  planned, priced and proven", f"{spent['planned']:.1f} s, {spent['planned'] / whole:.0%}", ""),
        ("  saved and nudged", f"{spent['saved']:.1f} s, {spent['saved'] / whole:.0%}", ""),
        ("  gifts that were given a courier", f"{planned['assigned']:,}", ""),
        ("  DynamoDB: batches read, transactions", _calls(canned), ""),
        (
            "  the process grew to",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB",
            "3 GB",
        ),
    ]
    return rows


def _calls(canned: Canned) -> str:
    return f"{canned.calls['BatchGetItem']:,}, {canned.calls['TransactWriteItems']:,}"


@contextmanager
def timed(spent: defaultdict[str, float], clock: Callable[[], float]) -> Iterator[None]:
    """Seconds of that clock by step of the round. They lie in one another: whoever reads subtracts."""
    kept: list[tuple[Any, str, Any]] = []

    def step(where: Any, name: str, called: str) -> None:
        plain: Callable[..., Any] = getattr(where, name)

        def timed(*args: Any, **named: Any) -> Any:
            began = clock()
            try:
                return plain(*args, **named)
            finally:
                spent[called] += clock() - began

        kept.append((where, name, plain))
        setattr(where, name, timed)

    step(dispatch, "decide", "decided")
    step(ration.Round, "plan", "planned")
    step(dispatch, "_save", "saved")
    step(SqsQueues, "nudge", "nudged")
    try:
        yield
    finally:
        for where, name, plain in kept:
            setattr(where, name, plain)


def open_places(paper: World) -> None:
    """As many places as there are orders."""
    table: Any = paper.table
    for row in table.rows.values():
        if facts.LEFT in row.counters:
            row.counters[facts.LEFT] = max(1, ORDERS // SLOTS)


def open_orders(paper: World) -> None:
    """So many, nobody given any of them yet, into a table in memory."""
    market = enlist.market(paper, "SHA")
    table: Any = paper.table
    for n in range(ORDERS):
        district = f"3101{n % DISTRICTS:02d}"
        said = stage.body(f"Compound{n % COMPOUNDS}" if n % 3 == 0 else f"Lane {n}", tier=TIERS[n % 5])
        for place in (said["recipient"]["place"], said["pick_up"]["place"]):
            place["address"]["district"] = district
        starts = NOON + timedelta(hours=2 * (n % 12), minutes=15 * (n % 4))
        said["window"] = {
            "start": starts.isoformat(),
            "end": (starts + timedelta(hours=3)).isoformat(),
            "time_zone": "Asia/Shanghai",
        }
        new = NewOrder.model_validate_json(json.dumps(said))
        order = placed(new, "maison", f"key-{n}", market, NOON - timedelta(hours=2))
        private = Private.model_construct(recipient=new.recipient, pick_up_contact=new.pick_up.contact)
        sealed = facts.seal_private(paper.sealer, private, order.order_id)
        row = facts.order_row(order.model_copy(update={"sealed": sealed}))
        table.rows[row.key] = row
    paper.queues.take(Topic.DISPATCH)  # type: ignore[attr-defined]


if __name__ == "__main__":
    for row in measured():
        print(*row, sep="  ")
