"""What it takes to find, among 50,000 booked orders, those that new rules touch, and to decide the most urgent again.

One district of sixteen is sealed; 2,016 zones, 2,000 slots, 400 crews and permits, 16 shards. Real table, sealer and
queues with the network on paper (`canned.py`): all CPU of ours and of botocore is in it, waiting for AWS is not.
CORDON_BENCH_ORDERS: another number of orders.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bench.canned import Canned
from bench.placing import ENVIRONMENT, PlainKey
from chalicelib.domain import facts
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import Assignment, Booking, BookingState, Leg, reference_of
from chalicelib.domain.orders import NewOrder, OrderState, Private
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Row, World
from chalicelib.domain.steps import moved, placed
from chalicelib.flows import check, enlist, publish, rezone
from tests import fakes, stage
from tests.paper import PaperDialect

ORDERS = int(os.environ.get("CORDON_BENCH_ORDERS", "50000"))
SHARDS, DISTRICTS, COMPOUNDS, SLOTS = 16, 16, 2_000, 2_000
URGENT = min(2_000, ORDERS // DISTRICTS)
NOON = stage.NOON


def measured() -> list[tuple[str, str, str]]:
    """Rows of the table: what, how much, and what was promised."""
    paper = town()
    _orders(paper)
    _publish(paper, "amend", [_district(0, "sealed@1", "sealed")])
    rows = [row for row in paper.table.rows.values() if row.key.sk != "rezoned"]  # type: ignore[attr-defined]
    canned = Canned(rows)
    with real(canned, paper.sealer) as world:
        return _measured(world, canned)


@contextmanager
def real(canned: Canned, sealer: Any) -> Iterator[World]:
    """The world on AWS, the network on paper and the clock at noon."""
    from botocore.httpsession import URLLib3Session

    from chalicelib import wiring
    from chalicelib.aws import clients

    plain = URLLib3Session.send
    clients.reset()
    canned.install()
    try:
        yield dataclasses.replace(
            wiring.real(), sealer=sealer, clock=lambda: NOON, stopwatch=lambda: 0.0, log=fakes.FakeLog()
        )
    finally:
        URLLib3Session.send = plain
        clients.reset()


def _measured(world: World, canned: Canned) -> list[tuple[str, str, str]]:
    check.ground(world, "SHA")  # a process that has read the rules before
    canned.calls.clear()
    canned.read_units = canned.answering_s = 0.0
    began = time.process_time()
    found = [
        place
        for shard in range(SHARDS)
        for place in rezone.touched(world, "SHA", shard, check.ground(world, "SHA"))
    ]
    looked = time.process_time() - began - canned.answering_s
    assert len(found) == ORDERS // DISTRICTS, len(found)
    batches, units = canned.calls["BatchGetItem"], canned.read_units
    urgent = sorted(found)[:URGENT]
    canned.calls.clear()
    canned.answering_s = 0.0
    began = time.process_time()
    on = check.ground(world, "SHA")
    done = rezone._decide(world, "SHA", urgent, URGENT, on)
    decided = time.process_time() - began - canned.answering_s
    assert done == URGENT
    writes = canned.calls["TransactWriteItems"]
    return [
        (f"find the touched among {ORDERS:,} orders", f"{looked:.1f} s", "≤ 60 s"),
        (f"  one of {SHARDS} shards", f"{looked / SHARDS:.2f} s", ""),
        ("  DynamoDB: batches of 100, read units", f"{batches:,}, {units:,.0f}", ""),
        (f"decide the {URGENT:,} most urgent", f"{decided:.1f} s", "≤ 60 s"),
        ("  DynamoDB: transactions", f"{writes:,}", ""),
    ]


def _district(number: int, policy: str = "precautionary@1", level: str = "precautionary") -> dict[str, Any]:
    unit = {"kind": "district", "district": f"3101{number:02d}"}
    return stage.zone(f"district-{number}", policy, level, unit=unit)


def town() -> World:
    """The city with its rules and its fleet and without an order, on fakes but for the sealer."""
    from chalicelib.aws.sealer import KmsSealer

    os.environ.update(ENVIRONMENT)
    nowhere: Any = fakes.FakeTable()
    sealer = KmsSealer("bench", nowhere, kms=PlainKey)
    paper = fakes.world(dialects={"paper": PaperDialect()}, sealer=sealer)
    _furnish(paper)
    return paper


def _furnish(paper: World) -> None:
    enlist.put_market(paper, Market.model_validate({**stage.MARKET, "shards": SHARDS}))
    compounds = [
        stage.zone(f"Compound{n}", unit={**_compound(n), "kind": "compound"}) for n in range(COMPOUNDS)
    ]
    districts = [_district(n) for n in range(DISTRICTS)]
    policies = [stage.OPEN_TO_THE_DOOR, stage.CONTACTLESS, stage.CLOSED]
    _publish(paper, "replace", [*districts, *compounds], policies)
    enlist.put_courier(
        paper, Courier(courier_id="paper-co", market_id="SHA", dialect="paper", account="main")
    )
    for n in range(1, SLOTS // 5 + 1):
        enlist.put_crew(paper, stage.crew(n))
        enlist.put_permit(paper, stage.permit(n))
    table: Any = paper.table
    for n in range(1, SLOTS + 1):
        hours = timedelta(hours=2 * (n % 12))
        window = {"start": NOON + hours, "end": NOON + hours + timedelta(hours=4)}
        crew = f"crew-{n % (SLOTS // 5) + 1}"
        slot = stage.slot(1, 30, slot_id=f"slot-{n}", crew_id=crew, window=window)
        key = facts.slot_key("SHA", slot.slot_id)
        table.rows[key] = Row(key, 1, slot.model_dump_json(exclude_defaults=True), counters={facts.LEFT: 5})
    paper.queues.sent.clear()  # type: ignore[attr-defined]


def _publish(paper: World, mode: str, features: list[Any], policies: list[Any] | None = None) -> None:
    upload = publish.begin(paper, "SHA", "bench", mode=mode, time_zone="Asia/Shanghai", datum="GCJ02")
    part = {"policies": policies or [], "features": features, "released": []}
    publish.add_part(paper, "SHA", upload.upload_id, 1, json.dumps(part).encode())
    publish.finish(paper, "SHA", upload.upload_id)
    publish.publish(paper, "SHA", upload.upload_id)
    paper.queues.sent.clear()  # type: ignore[attr-defined]


def _compound(number: int) -> dict[str, str]:
    return {"district": f"3101{number % DISTRICTS:02d}", "compound": f"Compound{number}"}


def _orders(paper: World) -> None:
    market = enlist.market(paper, "SHA")
    table: Any = paper.table
    for n in range(ORDERS):
        district = f"3101{n % DISTRICTS:02d}"
        said = stage.body(f"Compound{n % COMPOUNDS}" if n % 3 == 0 else f"Lane {n}")
        for place in (said["recipient"]["place"], said["pick_up"]["place"]):
            place["address"]["district"] = district
        said["pick_up"]["place"]["address"]["district"] = f"3101{n % (DISTRICTS - 1) + 1:02d}"
        starts = NOON + timedelta(hours=2 * (n % 12), minutes=n % 60)
        said["window"] = {
            "start": starts.isoformat(),
            "end": (starts + timedelta(hours=3)).isoformat(),
            "time_zone": "Asia/Shanghai",
        }
        new = NewOrder.model_validate_json(json.dumps(said))
        order = placed(new, "maison", f"key-{n}", market, NOON - timedelta(hours=2))
        private = Private.model_construct(recipient=new.recipient, pick_up_contact=new.pick_up.contact)
        slot, crew = f"slot-{n % SLOTS + 1}", f"crew-{(n % SLOTS + 1) % (SLOTS // 5) + 1}"
        assignment = Assignment(
            slot_id=slot,
            courier_id="paper-co",
            crew_id=crew,
            start=starts,
            hand_over_from=starts + timedelta(minutes=60),
            hand_over_by=starts + timedelta(hours=2),
            end=starts + timedelta(hours=2, minutes=30),
            valid_until=starts + timedelta(hours=3),
            handovers=("door", "gate"),
            permit_ids=(f"permit-{crew.removeprefix('crew-')}",),
            rules_version=1,
            assigned_at=NOON - timedelta(hours=1),
        )
        booking = Booking(
            number=1,
            reference=reference_of(order.order_id, 1, 1),
            courier_id="paper-co",
            slot_id=slot,
            crew_id=crew,
            state=BookingState.BOOKED,
            attempted_at=NOON - timedelta(hours=1),
            next_look=NOON + timedelta(minutes=n % 240),
            delivery_id=f"job-{n}",
            handover="door",
        )
        order = moved(
            order, NOON - timedelta(hours=1), legs=(Leg(assignment=assignment, bookings=(booking,)),)
        )
        assert order.state is OrderState.BOOKED
        sealed = facts.seal_private(paper.sealer, private, order.order_id)
        row = facts.order_row(order.model_copy(update={"sealed": sealed}))
        table.rows[row.key] = row


if __name__ == "__main__":
    for row in measured():
        print(*row, sep="  ")
