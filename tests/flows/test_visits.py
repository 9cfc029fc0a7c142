"""A visit from the appointment to the last piece that is back, with what is missing named until somebody says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain import facts
from chalicelib.domain.appointments import PieceState, Word
from chalicelib.domain.custody import Holder
from chalicelib.domain.due import due_at
from chalicelib.domain.errors import Clashing, Invalid, Missing
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import Event
from chalicelib.domain.order_views import first_view, view
from chalicelib.domain.orders import NewOrder, Order, OrderState
from chalicelib.domain.ports import Key
from chalicelib.domain.wishes import NewAppointment, OrderWish
from chalicelib.flows import enlist, enrol, receive
from chalicelib.flows.acts import acts_for
from chalicelib.flows.give import give
from chalicelib.flows.manifest import record
from chalicelib.flows.place import place
from chalicelib.flows.reschedule import reschedule
from tests.paper import callback
from tests.stage import NOON, Stage, body, crew, new_client, new_order, slot, stage

PIECES = [
    {
        "serial": f"W-{n}",
        "name": "Watch",
        "item_class": "fashion",
        "value": {"amount": 900_000, "currency": "CNY"},
    }
    for n in range(1, 4)
]


def wish(**changes: Any) -> NewAppointment:
    told = {name: value for name, value in body().items() if name != "gift"}
    return NewAppointment.model_validate_json(
        json.dumps({**told, "minutes": 60, "pieces": PIECES, **changes})
    )


def order_for(visit: NewAppointment) -> NewOrder:
    """As it is placed for a recipient who is described."""
    found = visit.as_order().described
    assert found is not None
    return found


def team(**changes: Any) -> Any:
    return slot(2, **{"capacity": 1, "slot_id": "team-1", "crew_id": "crew-1", "visits": True, **changes})


def visited() -> Stage:
    on = stage()
    enlist.put_slot(on.world, team())
    on.settle()
    return on


def booked() -> tuple[Stage, str]:
    on = visited()
    order_id = place(on.world, "maison", "visit-1", order_for(wish()))[0].order_id
    on.settle()
    return on, order_id


def says(on: Stage, order_id: str, kind: str) -> None:
    reference = f"{order_id}-1-1"
    on.company.move(reference, kind, on.clock.now)
    receive.receive(on.world, "SHA", "paper-co", callback(reference, kind, on.clock.now))
    on.settle()


def over() -> tuple[Stage, str]:
    """Three watches went at one, and the team left the client at half past two."""
    on, order_id = booked()
    on.clock.forward(minutes=60)
    says(on, order_id, "picked_up")
    on.clock.forward(minutes=90)
    says(on, order_id, "delivered")
    on.minutes(4)
    return on, order_id


def counted(on: Stage, order_id: str, **states: str) -> Order:
    words = [Word(serial=name.replace("_", "-"), state=PieceState(state)) for name, state in states.items()]
    return record(on.world, "maison", order_id, words)


def heard(on: Stage, kind: str) -> int:
    return sum(one["type"] == kind for one in on.brand.heard)


# --- the plain way ----------------------------------------------------------------------------------------------


def test_a_visit_goes_to_the_team_and_a_gift_to_the_courier() -> None:
    on, order_id = booked()
    order = on.order(order_id)
    assert order.state is OrderState.BOOKED and order.leg.assignment is not None
    given = order.leg.assignment
    assert (given.slot_id, [str(way) for way in given.handovers]) == ("team-1", ["door"])
    assert given.end == NOON + timedelta(hours=5, minutes=30), (
        "by four there, an hour with the client, half an hour out"
    )


def test_the_same_request_is_the_same_appointment_and_another_body_is_refused() -> None:
    on, order_id = booked()
    again, repeated = place(on.world, "maison", "visit-1", order_for(wish()))
    assert repeated and again.order_id == order_id
    with pytest.raises(Invalid, match="another body"):
        place(on.world, "maison", "visit-1", order_for(wish(minutes=90)))


def test_pieces_that_were_sold_stay_and_the_others_are_with_the_team_until_they_are_seen_in_the_boutique() -> (
    None
):
    on, order_id = over()
    assert on.order(order_id).custody.is_with(Holder.COURIER)
    after = counted(on, order_id, W_1="sold", W_2="back", W_3="back")
    assert after.custody.is_with(Holder.SHOP) and not after.custody.flaws
    told = view(after).appointment
    assert told is not None and told.missing == ()
    assert [(one.serial, str(one.state)) for one in told.pieces] == [
        ("W-1", "sold"),
        ("W-2", "back"),
        ("W-3", "back"),
    ]
    assert due_at(after) is None


def test_the_end_of_a_visit_is_on_time_until_the_last_arrival_and_its_length() -> None:
    on, order_id = booked()
    on.clock.forward(minutes=60)
    says(on, order_id, "picked_up")
    on.clock.forward(minutes=230)  # half past four and twenty: the window ended at four
    says(on, order_id, "delivered")
    row = next(r for r in on.world.table.read("fleet#SHA", "record#").rows)
    assert row.counters == {"on_time": 1}


def test_a_piece_that_stayed_in_the_boutique_is_not_looked_for() -> None:
    on, order_id = booked()
    counted(on, order_id, W_1="out", W_2="out", W_3="back")
    on.clock.forward(minutes=60)
    says(on, order_id, "picked_up")
    on.clock.forward(minutes=90)
    says(on, order_id, "delivered")
    told = view(on.order(order_id)).appointment
    assert told is not None and told.missing == ("W-1", "W-2")


# --- what is missing --------------------------------------------------------------------------------------------


def test_what_is_missing_is_named_and_its_brand_reminded_until_it_is_accounted_for() -> None:
    on, order_id = over()
    told = view(on.order(order_id)).appointment
    assert told is not None and told.missing == ("W-1", "W-2", "W-3")
    assert heard(on, "order.manifest_open") == 0
    on.clock.forward(hours=2)
    on.minutes(2)
    assert heard(on, "order.manifest_open") == 1
    on.minutes(5)
    assert heard(on, "order.manifest_open") == 1, "a reminder is no alarm bell"
    on.clock.forward(hours=10)
    on.minutes(2)
    assert heard(on, "order.manifest_open") == 2
    counted(on, order_id, W_1="sold", W_2="back", W_3="back")
    on.clock.forward(hours=48)
    on.minutes(2)
    assert heard(on, "order.manifest_open") == 2
    order = on.order(order_id)
    assert order.told and order.state is OrderState.DELIVERED
    open_lines = [line for line in on.world.log.lines if "manifest_open" in str(line)]  # type: ignore[attr-defined]
    assert len(open_lines) == 2


def test_a_team_that_turned_back_brings_nothing_back_until_somebody_has_counted() -> None:
    on, order_id = booked()
    on.clock.forward(minutes=60)
    says(on, order_id, "picked_up")
    says(on, order_id, "returned")
    on.minutes(4)
    told = view(on.order(order_id)).appointment
    assert told is not None and len(told.missing) == 3
    counted(on, order_id, W_1="back", W_2="back", W_3="back")
    assert due_at(on.order(order_id)) is None


def test_nothing_is_looked_for_of_a_visit_that_nobody_set_out_for() -> None:
    on = visited()
    enlist.put_slot(on.world, team(capacity=0))
    order_id = place(on.world, "maison", "visit-1", order_for(wish()))[0].order_id
    for _ in range(6):
        on.clock.forward(hours=1)
        on.minutes(2)
    order = on.order(order_id)
    assert (order.state, due_at(order)) == (OrderState.STRANDED, None)


# --- counting ---------------------------------------------------------------------------------------------------


def test_counting_twice_is_counting_once() -> None:
    on, order_id = over()
    first = counted(on, order_id, W_1="sold")
    assert counted(on, order_id, W_1="sold") == first


def test_all_of_a_count_or_nothing_of_it_is_kept() -> None:
    on, order_id = over()
    with pytest.raises(Invalid, match="/pieces/1/serial"):
        record(
            on.world,
            "maison",
            order_id,
            [Word(serial="W-1", state=PieceState.SOLD), Word(serial="W-9", state=PieceState.BACK)],
        )
    with pytest.raises(Invalid, match="each piece once"):
        record(on.world, "maison", order_id, [Word(serial="W-1", state=PieceState.BACK)] * 2)
    assert counted(on, order_id, W_2="back").appointment.pieces[0].state is None  # type: ignore[union-attr]


def test_a_piece_takes_no_step_that_a_piece_cannot_take() -> None:
    on, order_id = booked()
    with pytest.raises(Clashing, match="only what is out is sold"):
        counted(on, order_id, W_1="sold")
    on, order_id = over()
    counted(on, order_id, W_1="sold", W_2="back")
    with pytest.raises(Clashing, match="the visit is over"):
        counted(on, order_id, W_2="out")
    with pytest.raises(Clashing, match="it was sold"):
        counted(on, order_id, W_1="out")
    assert counted(on, order_id, W_1="back").is_on_loan, "a client may bring it back; the third is still out"


def test_only_a_visit_has_a_manifest_and_only_its_brand_counts() -> None:
    on, order_id = over()
    with pytest.raises(Missing):
        record(on.world, "autre-maison", order_id, [Word(serial="W-1", state=PieceState.BACK)])
    gift = stage()
    other = place(gift.world, "maison", "key-1", new_order())[0].order_id
    with pytest.raises(Clashing, match="only a visit"):
        record(gift.world, "maison", other, [Word(serial="W-1", state=PieceState.BACK)])


def test_a_count_that_meets_the_couriers_word_loses_neither() -> None:
    on, order_id = booked()
    on.clock.forward(minutes=60)
    table, was = on.world.table, on.world.table.write
    reference = f"{order_id}-1-1"

    def first_heard(*changes: Any) -> None:
        table.write = was  # type: ignore[method-assign]
        says(on, order_id, "picked_up")
        was(*changes)

    table.write = first_heard  # type: ignore[method-assign]
    after = counted(on, order_id, W_1="back")
    assert after.state is OrderState.PICKED_UP and [
        p.serial for p in view(after).appointment.pieces if p.state is PieceState.OUT
    ] == ["W-2", "W-3"]  # type: ignore[union-attr]
    rows = table.read(order_id, facts.event_prefix(reference)).rows
    assert [Event.model_validate_json(row.body).kind for row in rows] == ["picked_up"]


def test_a_repeat_of_the_placing_reads_the_pieces_as_they_were_handed_in() -> None:
    on, order_id = booked()
    first = first_view(on.order(order_id)).model_dump_json()
    counted(on, order_id, W_1="out")
    assert first_view(on.order(order_id)).model_dump_json() == first


# --- the team ---------------------------------------------------------------------------------------------------


def test_a_team_is_of_a_courier_that_can_be_asked_for_visits() -> None:
    on = stage()

    class OfParcels(type(on.world.dialects["paper"])):  # type: ignore[misc]
        takes_visits = False

    on.world.dialects["parcels"] = OfParcels()  # type: ignore[index]
    courier = Courier(courier_id="parcels-co", market_id="SHA", dialect="parcels", account="main")
    enlist.put_courier(on.world, courier)
    enlist.put_crew(on.world, crew_of("parcels-co"))
    with pytest.raises(Invalid, match="/visits"):
        enlist.put_slot(on.world, team(courier_id="parcels-co").model_copy(update={"crew_id": "crew-9"}))


def crew_of(courier_id: str) -> Any:

    return crew(9, courier_id=courier_id)


def test_old_rows_and_answers_of_gifts_say_nothing_of_visits() -> None:
    on = stage()

    order_id = place(on.world, "maison", "key-1", new_order())[0].order_id
    on.settle()
    row = on.world.table.get(Key(order_id, "order"))
    assert row is not None
    for text in (row.body, view(on.order(order_id)).model_dump_json(exclude_none=True)):
        assert not any(word in text for word in ("appointment", "rescheduling", "visit", "about"))


# --- of a client ------------------------------------------------------------------------------------------------


def test_a_visit_to_a_client_who_is_enrolled_is_given_like_a_gift_and_each_deed_is_on_record() -> None:
    on = visited()
    client = enrol.enrol(on.world, "maison", "vic-1", new_client(associate_id="anna"))
    told = {name: value for name, value in body().items() if name not in ("gift", "recipient", "tier")}
    asked = {**told, "client": "vic-1", "occasion": "birthday", "minutes": 60, "pieces": PIECES}
    made = NewAppointment.model_validate_json(json.dumps(asked))
    order, _ = give(on.world, "maison", "visit-1", made.as_order(), "associate:anna")
    again, repeated = give(on.world, "maison", "visit-1", made.as_order(), "associate:anna")
    assert repeated and again.order_id == order.order_id and order.appointment is not None
    on.settle()
    assert on.order(order.order_id).leg.assignment.slot_id == "team-1"  # type: ignore[union-attr]
    counted(on, order.order_id, W_1="out")
    another = order.window.model_copy(update={"start": NOON + timedelta(hours=2)})
    version = on.order(order.order_id).version
    reschedule(on.world, "maison", order.order_id, another, version, "associate:anna")
    reschedule(on.world, "maison", order.order_id, another, version, "associate:anna")
    acts, _ = acts_for(on.world, client.client_id, 10, None)
    assert sorted((str(act.did), act.by) for act in acts if act.of == order.order_id) == [
        ("gift_ordered", "associate:anna"),
        ("gift_rescheduled", "associate:anna"),
        ("pieces_counted", "brand"),
    ]


def test_an_order_with_an_appointment_in_its_body_is_refused() -> None:
    with pytest.raises(ValidationError, match="POST /v1/appointments"):
        OrderWish.model_validate({**body(), "appointment": {"minutes": 60, "pieces": []}})


# --- another attempt ---------------------------------------------------------------------------------------------


def sent_again(counts: str) -> tuple[Stage, str]:
    """A team that met nobody came back, its watches were counted so, and another one goes with them and is over."""
    on, order_id = booked()
    on.clock.forward(minutes=60)
    counted(on, order_id, W_1="out", W_2="out", W_3="out")
    says(on, order_id, "picked_up")
    on.clock.forward(minutes=30)
    says(on, order_id, "returned")
    if counts:
        counted(on, order_id, W_1=counts, W_2=counts)
    order = on.order(order_id)
    later = order.window.model_copy(
        update={"start": NOON + timedelta(hours=2), "end": NOON + timedelta(hours=4)}
    )
    enlist.put_slot(on.world, team(slot_id="team-2"))
    reschedule(on.world, "maison", order_id, later, order.version)
    on.settle()
    on.minutes(3)
    assert on.order(order_id).state is OrderState.BOOKED
    return on, order_id


def test_what_came_back_is_out_again_once_the_next_team_has_set_out_though_nobody_counts() -> None:
    on, order_id = sent_again("back")
    shown = {piece.serial: piece.state for piece in view(on.order(order_id)).appointment.pieces}  # type: ignore[union-attr]
    assert shown == {"W-1": None, "W-2": None, "W-3": PieceState.OUT}, "the third has not been seen since"
    on.clock.now = NOON + timedelta(hours=2)
    for kind in ("picked_up", "delivered"):
        on.clock.forward(minutes=20)
        receive.receive(on.world, "SHA", "paper-co", callback(f"{order_id}-2-1", kind, on.clock.now))
        on.settle()
    told = view(on.order(order_id)).appointment
    assert told is not None and told.missing == ("W-1", "W-2", "W-3")
    counted(on, order_id, W_1="back", W_2="sold", W_3="back")
    order = on.order(order_id)
    assert not order.is_on_loan and order.custody.is_with(Holder.SHOP)
