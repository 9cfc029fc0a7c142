"""Records what a version leaves in the table with orders at every step: `python -m tests.upgrade.record OUT`.

Run with that version's code, once, when it is released; later versions are held against the file for ever. It asks of
the stage only what every version's stage can do.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from chalicelib.domain.dialect import Reply
from chalicelib.domain.keys import Role
from chalicelib.domain.ports import Topic
from chalicelib.flows import cancel, enlist, place, publish, receive
from tests import drive, stage


def record() -> dict[str, Any]:
    """A world that stood still with an order at every step, as JSON."""
    on = stage.stage(capacity=20)
    world, orders, uploads = on.world, {}, {}
    sent: list[Any] = world.queues.sent  # type: ignore[attr-defined]

    def order(name: str, compound: str = "Yongjia", settled: bool = True) -> str:
        orders[name] = place.place(world, "maison", f"upgrade-{name}", stage.new_order(compound))[0].order_id
        if settled:
            on.settle()
        return orders[name]

    def say(name: str, *kinds: str) -> None:
        (booking,) = [b for b in on.order(orders[name]).leg.bookings if b.is_live]
        for kind in kinds:
            on.clock.forward(minutes=1)
            receive.receive(world, "SHA", "paper-co", on.company.move(booking.reference, kind, on.clock.now))
            on.settle()

    def dispatched() -> None:
        """Up to the first nudge that comes after the planner's."""
        while sent and sent[0][0] is Topic.DISPATCH:
            drive.run(world, *sent.pop(0))
        sent.clear()

    secret = enlist.create_key(world, Role.BRAND, "maison")
    order("told")
    say("told", "picked_up", "delivered")
    on.minutes(2)
    order("booked")
    order("carried")
    say("carried", "picked_up")
    order("held", "Nowhere")
    on.company.silent.add("book")
    order("unknown")
    on.company.silent.clear()
    order("cancelling")
    on.company.deaf.add("cancel")
    cancel.cancel(world, "maison", orders["cancelling"], on.order(orders["cancelling"]).version)
    on.settle()
    on.company.deaf.clear()
    on.brand.answer = lambda request: Reply(503, {}, b"")
    order("untold")
    say("untold", "picked_up", "delivered")
    # everything after this one stood still where it was, its nudges lost
    order("attempted", settled=False)
    dispatched()
    line: Any = world.line
    plain, line.answer = line.answer, _stop
    try:
        drive.run(world, Topic.BOOK, orders["attempted"])
    except drive.Stopped:
        pass
    line.answer = plain
    order("assigned", settled=False)
    dispatched()
    order("placed", settled=False)
    for name, is_finished in (("begun", False), ("finished", True)):
        upload = publish.begin(world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
        part = {"policies": [], "features": [stage.zone(f"Court-{name}")], "released": []}
        uploads[name] = upload.upload_id
        publish.add_part(world, "SHA", upload.upload_id, 1, json.dumps(part).encode())
        if is_finished:
            publish.finish(world, "SHA", upload.upload_id)
    sent.clear()
    table: Any = world.table
    return {
        "now": on.clock.now.isoformat(),
        "orders": orders,
        "uploads": uploads,
        "brand_key": secret,
        "jobs": [
            {**dataclasses.asdict(job), "since": job.since and job.since.isoformat()}
            for job in on.company.jobs.values()
        ],
        "rows": [_flat(row) for row in table.rows.values()],
    }


def _stop(request: Any) -> Any:
    raise drive.Stopped


def _flat(row: Any) -> dict[str, Any]:
    flat = {
        name: value for name, value in vars(row).items() if value not in (None, b"", {}) and name != "key"
    }
    if row.sealed:
        flat["sealed"] = base64.b64encode(row.sealed).decode()
    return {"pk": row.key.pk, "sk": row.key.sk, **flat}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(record(), indent=0, ensure_ascii=False, sort_keys=True) + "\n")
