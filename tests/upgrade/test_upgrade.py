"""What a former version left in the table is read and brought to its end by this one: an order at every step, notices
nobody took yet, rules half handed in. The rows were written by that version itself (tests/upgrade/record.py)."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.evidence import Evidence
from chalicelib.domain.keys import Key as AccessKey
from chalicelib.domain.keys import hash_of, key_place
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.uploads import UploadState
from chalicelib.flows import consult, publish, receive
from tests import fakes, stage
from tests.paper import PaperCompany, PaperJob

FORMER = sorted(Path(__file__).parent.glob("rows_*.json"))
CAPACITY = 20


class Left:
    """A world in which a former version stopped, on this version's code."""

    def __init__(self, file: Path) -> None:
        self.told: dict[str, Any] = json.loads(file.read_text())
        self.orders: dict[str, str] = self.told["orders"]
        clock = fakes.FakeClock(datetime.fromisoformat(self.told["now"]))
        company, brand = PaperCompany(clock), stage.Brand()
        for job in self.told["jobs"]:
            since = job["since"] and datetime.fromisoformat(job["since"])
            company.jobs[job["reference"]] = PaperJob(**{**job, "since": since})
        world = stage.bare(clock, company, brand)
        table: Any = world.table
        for flat in self.told["rows"]:
            row = _row(dict(flat))
            table.rows[row.key] = row
        self.on = stage.Stage(clock, company, brand, world, world)

    def state(self, name: str) -> OrderState:
        return self.on.order(self.orders[name]).state

    def say(self, name: str, *kinds: str) -> None:
        """What happens to the one job that is live."""
        (job,) = [
            j
            for j in self.on.company.jobs.values()
            if j.reference.startswith(self.orders[name]) and j.is_live
        ]
        for kind in kinds:
            self.on.clock.forward(minutes=1)
            said = self.on.company.move(job.reference, kind, self.on.clock.now)
            receive.receive(self.on.world, "SHA", "paper-co", said)
            self.on.settle()


def _row(flat: dict[str, Any]) -> Row:
    if "sealed" in flat:
        flat["sealed"] = base64.b64decode(flat["sealed"])
    return Row(key=Key(flat.pop("pk"), flat.pop("sk")), **flat)


@pytest.fixture(params=FORMER, ids=lambda file: file.stem.removeprefix("rows_"))
def left(request: pytest.FixtureRequest) -> Left:
    return Left(request.param)


def test_there_is_a_former_version() -> None:
    assert FORMER


def test_every_order_that_a_former_version_left_comes_to_the_end_it_should(left: Left) -> None:
    left.on.minutes(10)
    for name in ("booked", "unknown", "attempted", "assigned", "placed"):
        assert left.state(name) is OrderState.BOOKED, name
        left.say(name, "picked_up", "delivered")
    left.say("carried", "delivered")
    left.on.minutes(10)
    ends = {name: left.state(name).value for name in left.orders}
    assert ends == {
        **dict.fromkeys(left.orders, "delivered"),
        "cancelling": "cancelled",
        "held": "held",
    }


def test_nothing_is_booked_twice_and_no_place_is_lost_or_sold_twice(left: Left) -> None:
    left.on.minutes(10)
    for name, order_id in left.orders.items():
        jobs = [job for job in left.on.company.jobs.values() if job.reference.startswith(order_id)]
        assert sum(job.is_live for job in jobs) == (name not in ("cancelling", "held")), name
        assert all(job.times_booked == 1 for job in jobs), name
    taken = sum(
        booking.state in (BookingState.BOOKED, BookingState.ATTEMPTED, BookingState.UNKNOWN)
        for order_id in left.orders.values()
        for booking in left.on.order(order_id).leg.bookings
    )
    assert left.on.left() + taken == CAPACITY


def test_whoever_was_not_told_yet_is_told_and_nothing_twice_but_what_was_tried(left: Left) -> None:
    left.on.minutes(60)
    heard = [(said["data"]["order_id"], said["data"]["state"]) for said in left.on.brand.heard]
    assert (left.orders["untold"], "delivered") in heard
    assert (left.orders["cancelling"], "cancelled") in heard
    assert not [pair for pair in heard if pair[0] == left.orders["told"]]
    assert len(heard) == len(set(heard))


def test_rules_that_were_handed_in_are_published_and_those_half_handed_in_can_be_finished(left: Left) -> None:
    world, uploads = left.on.world, left.told["uploads"]
    left.on.minutes(5)
    assert publish.upload_of(world, "SHA", uploads["finished"]).state is UploadState.PUBLISHED
    assert publish.upload_of(world, "SHA", uploads["begun"]).state is UploadState.OPEN
    publish.finish(world, "SHA", uploads["begun"])
    left.on.settle()
    assert publish.upload_of(world, "SHA", uploads["begun"]).state is UploadState.PUBLISHED


def test_zones_of_a_former_way_are_read_and_what_follows_them_is_written_in_this_one(left: Left) -> None:
    world, begun = left.on.world, left.told["uploads"]["begun"]
    before = consult.loaded(world, "SHA", consult.in_force(world, "SHA"))
    publish.finish(world, "SHA", begun)
    left.on.settle()
    pointer = consult.in_force(world, "SHA")
    after = consult.loaded(world, "SHA", pointer)
    assert consult.manifest_of(world, pointer.digest).schema_version == 2
    assert {zone.zone_id for zone in before.content.zones} < {zone.zone_id for zone in after.content.zones}
    assert set(before.content.zones) < set(after.content.zones), "to the last word"


def test_keys_of_before_open_as_before(left: Left) -> None:
    row = left.on.world.table.get(key_place(hash_of(left.told["brand_key"])))
    assert row is not None
    assert AccessKey.model_validate_json(row.body).owner == "maison"


def test_what_is_personal_opens_as_before_and_evidence_is_read(left: Left) -> None:
    for name, order_id in left.orders.items():
        order = left.on.order(order_id)
        private = facts.unseal_private(left.on.world.sealer, order)
        assert private.recipient.name == "Wang Secretive", name
        for row in left.on.world.table.read(order_id).rows:
            if row.key.sk.startswith("evidence#"):
                assert Evidence.model_validate_json(row.body).order_id == order_id
