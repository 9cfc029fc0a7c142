"""The codes a courier asks for: who may read them, and who may not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.dialect import BookAnswer, Booked, Job, Reply
from chalicelib.domain.errors import Missing
from chalicelib.domain.legs import Booking, BookingState, reference_of, replace_leg
from chalicelib.domain.steps import moved
from chalicelib.flows.codes import codes_of
from chalicelib.flows.place import place
from chalicelib.flows.tell import tell
from tests.flows.receivers import Town
from tests.paper import PaperDialect
from tests.stage import new_order, stage

CODES = {"pickup_code": "2048", "receipt_code": "1024"}


def booked(town: Town, state: BookingState = BookingState.BOOKED, codes: dict[str, str] | None = None) -> str:
    """An order with one booking, whose codes are sealed as flows.book seals them."""
    order_id = town.place()
    order = town.order(order_id)
    number = len(order.leg.bookings) + 1
    reference = reference_of(order_id, 1, number)
    text = "\n".join(f"{name}={code}" for name, code in sorted((codes or {}).items()))
    booking = Booking(
        number=number,
        reference=reference,
        courier_id="sf",
        slot_id="slot-1",
        crew_id="crew-1",
        state=state,
        attempted_at=town.clock(),
        next_look=town.clock() + timedelta(hours=1),
        delivery_id="SF1",
        codes=town.world.sealer.seal(text.encode(), reference).hex() if codes else None,
    )
    legs = replace_leg(order.legs, order.leg.with_booking(booking))
    town.world.table.write(facts.keep_order(moved(order, town.clock(), legs=legs)))
    return order_id


def test_the_brand_reads_the_codes_of_its_order_and_that_is_on_record_without_them() -> None:
    town = Town()
    order_id = booked(town, codes=CODES)
    assert codes_of(town.world, "maison", order_id) == CODES
    log: Any = town.world.log
    lines = json.dumps(log.lines, default=str)
    assert "codes_read" in lines and order_id in lines
    assert not any(code in lines for code in CODES.values())


def test_another_brand_finds_no_such_order_and_nobody_one_that_is_not_there() -> None:
    town = Town()
    order_id = booked(town, codes=CODES)
    for brand_id, name in (("atelier", order_id), ("maison", "ord_none")):
        with pytest.raises(Missing):
            codes_of(town.world, brand_id, name)


def test_without_codes_or_a_courier_that_holds_it_there_is_nothing_to_read() -> None:
    for state, codes in ((BookingState.BOOKED, None), (BookingState.CANCELLED, CODES)):
        town = Town()
        assert codes_of(town.world, "maison", booked(town, state, codes)) == {}
    town = Town()
    assert codes_of(town.world, "maison", town.place()) == {}


def test_codes_are_in_no_notice_and_not_readable_in_the_table() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = booked(town, codes=CODES)
    tell(town.world, order_id)
    assert receiver.requests
    kept = "".join(row.body for row in town.world.table.read(order_id).rows)
    for name in CODES:
        assert name not in kept
        assert all(name not in request.body.decode() for request in receiver.requests)


class Late(PaperDialect):
    """A courier whose answer to a booking has no codes."""

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        answer = super().booked(reply, job)
        return replace(answer, codes={}) if isinstance(answer, Booked) else answer


def test_codes_that_a_courier_names_only_when_it_is_looked_up_are_kept_sealed_from_then_on() -> None:
    on = stage()
    on.world.dialects = {"paper": Late()}
    on.company.told_later = CODES
    order_id = place(on.world, "maison", "key-1", new_order())[0].order_id
    on.settle()
    assert codes_of(on.world, "maison", order_id) == {}
    starts = on.order(order_id).leg.assignment.start  # type: ignore[union-attr]
    on.clock.now = starts + timedelta(minutes=16)
    on.minutes(1)
    assert codes_of(on.world, "maison", order_id) == CODES
    kept = "".join(row.body for row in on.world.table.read(order_id).rows)
    assert not any(code in kept for code in CODES.values())


def test_a_look_up_without_codes_takes_away_none() -> None:
    on = stage()
    order_id = place(on.world, "maison", "key-1", new_order())[0].order_id
    on.settle()
    (reference,) = on.company.jobs
    told = codes_of(on.world, "maison", order_id)
    assert told
    on.company.move(reference, "picked_up", on.clock.now)  # and the callback is lost
    on.clock.now = on.order(order_id).leg.assignment.start + timedelta(minutes=16)  # type: ignore[union-attr]
    on.minutes(1)
    assert [verb for verb, _ in on.company.calls][-1] == "look"
    assert codes_of(on.world, "maison", order_id) == told
