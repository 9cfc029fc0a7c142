"""A ring worth a house: sealed, alone in its vehicle, handed over in person, and delivered only when that is proven."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.custody import Holder
from chalicelib.domain.errors import Clashing, Invalid
from chalicelib.domain.handing import HEARD, NAG, TRIES, Part, code_from
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.messages import also_owed_of
from chalicelib.domain.order_views import view
from chalicelib.domain.orders import Note, Order, OrderState
from chalicelib.domain.ports import Drop, Keep, Take, Topic
from chalicelib.domain.templates import MessageKind
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import dispatch, enlist, look, prove, receive, reveal, send_again, sweep
from chalicelib.flows.codes import OWN, codes_of
from chalicelib.flows.place import place
from chalicelib.flows.relay import relay
from tests.flows.crash_steps import point_at
from tests.paper import callback
from tests.ring import CONSENT, RING, insured, proof, ring, with_ring_courier
from tests.stage import CONTACTLESS, NOON, Stage, crew, new_order, permit, publish_rules, slot, zone

CONTROL = Caller(role=Role.OPERATOR, owner="control-room")
MAISON = Caller(role=Role.BRAND, owner="maison")


def booked(on: Stage, key: str = "ring-1", **how: Any) -> str:
    order, _ = place(on.world, "maison", key, ring(**how))
    on.settle()
    return order.order_id


def says(on: Stage, order_id: str, kind: str, minutes: int = 5, **more: Any) -> Order:
    on.clock.forward(minutes=minutes)
    receive.receive(on.world, "SHA", "paper-co", callback(f"{order_id}-1-1", kind, on.clock.now, **more))
    on.settle()
    return on.order(order_id)


def code(on: Stage, order_id: str) -> str:
    return codes_of(on.world, "maison", order_id)[OWN]


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10**6:06d}"


def carried(on: Stage, order_id: str) -> None:
    """Fetched, and sealed as it was fetched, at one o'clock and a little."""
    on.clock.forward(minutes=65)
    says(on, order_id, "picked_up")
    prove.prove(on.world, order_id, proof(pick_up_seal="S-4711"))


def test_it_is_delivered_with_seal_code_and_identity_and_the_chain_of_custody_ends_with_the_client() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    assert on.order(order_id).state is OrderState.BOOKED
    carried(on, order_id)
    prove.prove(on.world, order_id, proof(seal="S-4711", code=code(on, order_id)))
    assert on.order(order_id).state is OrderState.PICKED_UP
    prove.prove(on.world, order_id, proof(identity="crew-1"))
    order = says(on, order_id, "delivered")
    assert order.state is OrderState.DELIVERED
    assert [s.holder for s in order.custody.stretches] == [Holder.SHOP, Holder.COURIER, Holder.CLIENT]
    assert order.custody.flaws == ()
    on.minutes(6)
    assert on.order(order_id).told and on.brand.heard[-1]["type"] == "order.delivered"


@pytest.mark.parametrize("missing", ["seal", "code", "identity"])
def test_a_courier_that_says_delivered_while_one_part_is_missing_keeps_the_gift(missing: str) -> None:
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    parts = {"seal": "S-4711", "code": code(on, order_id), "identity": "crew-1"}
    late = parts.pop(missing)
    prove.prove(on.world, order_id, proof(**parts))
    order = says(on, order_id, "delivered")
    assert (order.state, order.awaits_proof) == (OrderState.PICKED_UP, True)
    assert order.custody.is_with(Holder.COURIER)
    handing = view(order).handing
    assert handing is not None and handing.missing == (Part(missing),) and handing.awaits_proof
    prove.prove(on.world, order_id, proof(**{missing: late}))
    assert on.order(order_id).state is OrderState.DELIVERED


def test_a_courier_never_asks_for_it_again_while_its_proof_is_awaited_and_the_sweep_nags() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    said = says(on, order_id, "delivered").history[-1]
    assert (said.state, said.about) == (OrderState.PICKED_UP, Note.AWAITING_PROOF)
    on.minutes(int(NAG.total_seconds() // 60) + 3)
    order = on.order(order_id)
    assert order.leg.handing is not None and order.leg.handing.nags == 1
    assert len(order.leg.bookings) == 1 and len(on.company.jobs) == 1
    told = [event["type"] for event in on.brand.heard]
    assert told.count("order.awaiting_proof") == 2
    asked = [line for line in on.world.log.lines if line["event"] == "proof_awaited"]  # type: ignore[attr-defined]
    assert [line["names"] for line in asked] == [["seal", "code", "identity"]]
    on.minutes(45)
    assert on.order(order_id).leg.handing.nags == 1, "the second time comes twice as late"  # type: ignore[union-attr]
    on.minutes(20)
    assert on.order(order_id).leg.handing.nags == 2  # type: ignore[union-attr]


def test_the_sweep_finds_it_though_every_nudge_was_lost() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    says(on, order_id, "delivered")
    on.clock.forward(minutes=31)
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    sweep.sweep(on.world)
    on.settle()
    assert on.order(order_id).leg.handing.nags == 1  # type: ignore[union-attr]


def test_five_wrong_codes_are_all_and_the_brand_has_another_one_made() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    first = code(on, order_id)
    for left in reversed(range(TRIES)):
        with pytest.raises(Clashing, match=f"{left} more"):
            prove.prove(on.world, order_id, proof(code=wrong(first)))
    with pytest.raises(Clashing, match="worth nothing"):
        prove.prove(on.world, order_id, proof(code=first))
    fresh = prove.made_anew(on.world, "maison", order_id)
    assert code(on, order_id) == fresh
    if fresh != first:
        with pytest.raises(Clashing, match="4 more"):
            prove.prove(on.world, order_id, proof(code=first))
    prove.prove(on.world, order_id, proof(code=fresh))
    assert on.order(order_id).leg.handing.code_at is not None  # type: ignore[union-attr]
    with pytest.raises(Clashing, match="no code is needed"):
        prove.made_anew(on.world, "maison", order_id)


def test_the_code_is_good_in_its_window_half_open() -> None:
    on = with_ring_courier(start=NOON - timedelta(hours=1))
    order_id = booked(on)
    on.clock.forward(minutes=65)
    says(on, order_id, "picked_up")
    right = code(on, order_id)
    with pytest.raises(Clashing, match="good in its window"):
        prove.prove(on.world, order_id, proof(code=right))
    on.clock.now = NOON + timedelta(hours=4)
    with pytest.raises(Clashing, match="good in its window"):
        prove.prove(on.world, order_id, proof(code=right))
    assert on.order(order_id).leg.handing.tries == 0  # type: ignore[union-attr]
    fresh = prove.made_anew(on.world, "maison", order_id)
    on.clock.now += timedelta(hours=2) - timedelta(seconds=1)
    prove.prove(on.world, order_id, proof(code=fresh))
    assert on.order(order_id).leg.handing.code_at == on.clock.now  # type: ignore[union-attr]


def test_a_seal_that_does_not_fit_is_refused_and_stays_on_record() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    with pytest.raises(Clashing, match="not the number"):
        prove.prove(on.world, order_id, proof(seal="S-4712", identity="crew-1"))
    known = on.order(order_id).leg.handing
    assert known is not None and [m.number for m in known.misfits] == ["S-4712"]
    assert known.seal_read_at is None and known.identity_at is None, "behind a broken seal nothing is proven"
    with pytest.raises(Clashing, match="read once"):
        prove.prove(on.world, order_id, proof(pick_up_seal="S-4712"))
    prove.prove(on.world, order_id, proof(seal="S-4711"))
    known = on.order(order_id).leg.handing
    assert known is not None and known.seal_read_at is not None and len(known.misfits) == 1


def test_nothing_is_proven_while_the_chain_of_custody_does_not_end_with_the_courier() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    on.clock.forward(minutes=65)
    with pytest.raises(Clashing, match="chain of custody"):
        prove.prove(on.world, order_id, proof(identity="crew-1"))
    order = says(on, order_id, "delivered")
    assert order.state is OrderState.PICKED_UP, "that it was fetched was never heard"
    with pytest.raises(Clashing, match="chain of custody"):
        prove.prove(on.world, order_id, proof(code=code(on, order_id)))
    assert on.order(order_id).leg.handing.tries == 0  # type: ignore[union-attr]


def test_what_a_courier_brings_back_itself_counts_as_identity() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    prove.prove(on.world, order_id, proof(seal="S-4711", code=code(on, order_id)))
    order = says(on, order_id, "delivered", proofs="identity")
    assert order.state is OrderState.DELIVERED and order.leg.handing is not None
    assert (order.leg.handing.identity, order.leg.handing.identity_at) == ("identity-1", on.clock.now)


def test_what_a_courier_brings_back_of_a_gift_whose_fetching_was_never_heard_proves_nothing_until_it_is() -> (
    None
):
    on = with_ring_courier()
    order_id = booked(on)
    on.clock.forward(minutes=65)
    order = says(on, order_id, "delivered", proofs="identity")
    assert order.leg.handing is not None and order.leg.handing.identity_at is None
    earlier = callback(f"{order_id}-1-1", "picked_up", on.clock.now - timedelta(minutes=30))
    receive.receive(on.world, "SHA", "paper-co", earlier)
    on.settle()
    order = on.order(order_id)
    assert order.leg.handing is not None and order.leg.handing.identity_at is not None
    assert order.awaits_proof


def test_its_courier_proves_all_of_it_with_its_own_callbacks_and_what_was_wrong_counts_once() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    right = code(on, order_id)
    on.clock.forward(minutes=65)
    says(on, order_id, "picked_up", seal="S-1")
    order = says(on, order_id, "in_transit", seal="S-2")
    assert order.leg.handing is not None and [m.number for m in order.leg.handing.misfits] == ["S-2"]
    says(on, order_id, "in_transit", said=wrong(right))
    says(on, order_id, "in_transit", reason="again")
    order = on.order(order_id)
    assert order.leg.handing is not None
    assert (order.leg.handing.tries, len(order.leg.handing.misfits)) == (1, 1)
    order = says(on, order_id, "delivered", seal="S-1", said=right, proofs="identity")
    assert order.state is OrderState.DELIVERED
    kept = [row.body for row in on.world.table.read(order_id, "event#").rows]
    assert not any(right in body or f'"{wrong(right)}"' in body for body in kept), "what was said is sealed"


def test_it_is_never_left_at_a_gate_unless_the_insurer_has_agreed() -> None:
    on = with_ring_courier()
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed"), policies=[CONTACTLESS])
    held = on.order(booked(on))
    assert held.state is OrderState.HELD and held.outlook is not None
    assert Reason.SIGNATURE_CONFLICT in held.outlook.reasons
    order_id = booked(on, "ring-2", safeguard=CONSENT)
    order = on.order(order_id)
    assert order.state is OrderState.BOOKED
    assert order.leg.assignment is not None and order.leg.assignment.handover == "gate"
    carried(on, order_id)
    prove.prove(on.world, order_id, proof(seal="S-4711", code=code(on, order_id)))
    waiting = says(on, order_id, "delivered")
    assert waiting.state is OrderState.PICKED_UP
    assert waiting.leg.missing(waiting.leg.bookings[-1]) == (Part.PHOTO,)
    prove.prove(on.world, order_id, proof(photo="img-7"))
    assert on.order(order_id).state is OrderState.DELIVERED


def test_it_has_a_vehicle_for_itself_and_gives_all_of_it_back() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    given = on.order(order_id).leg.assignment
    assert given is not None and given.places == 3 and on.left() == 0
    cake, _ = place(on.world, "maison", "cake", new_order())
    on.settle()
    assert on.order(cake.order_id).state is OrderState.HELD
    with pytest.raises(Clashing, match="rides alone"):
        enlist.put_slot(on.world, slot(1, 5))
    from chalicelib.flows.cancel import cancel

    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    on.minutes(12)
    assert on.order(order_id).state is OrderState.CANCELLED
    assert on.order(cake.order_id).state is OrderState.BOOKED and on.left() == 2
    enlist.put_slot(on.world, slot(1, 5))
    assert on.left() == 4


def test_it_does_not_ride_with_others_who_were_there_before() -> None:
    on = with_ring_courier()
    place(on.world, "maison", "cake", new_order())
    on.settle()
    ring_id = booked(on)
    order = on.order(ring_id)
    assert order.state is OrderState.HELD and order.outlook is not None
    assert order.outlook.reasons == (Reason.VEHICLE_SHARED,)
    enlist.put_crew(on.world, crew(2))
    enlist.put_permit(on.world, permit(2))
    enlist.put_slot(on.world, slot(2, 3))
    on.settle()
    on.minutes(12)
    assert on.order(ring_id).leg.assignment.slot_id == "slot-2"  # type: ignore[union-attr]


def test_a_place_that_goes_while_it_is_planned_leaves_no_vehicle_for_it_alone() -> None:
    """The slot's counter is the judge: all places, or none."""
    on = with_ring_courier()
    order, _ = place(on.world, "maison", "ring-1", ring())
    table: Any = on.world.table
    write = table.write

    def somebody_is_quicker(*changes: Any) -> None:
        table.write = write
        write(facts.take_from_slot("SHA", "slot-1", 1))
        write(*changes)

    table.write = somebody_is_quicker
    on.settle()
    after = on.order(order.order_id)
    assert (after.leg.assignment, on.left()) == (None, 2)
    assert after.outlook is not None and after.outlook.reasons == (Reason.VEHICLE_SHARED,)
    marks = [row.counters for row in on.world.table.read("fleet#SHA", "alone#").rows]
    assert all(not counters.get(facts.TAKEN) for counters in marks)


def test_a_crew_with_a_second_slot_beside_it_has_no_vehicle_for_it_alone() -> None:
    on = with_ring_courier()
    enlist.put_slot(on.world, slot(2, 3, crew_id="crew-1"))
    on.settle()
    order = on.order(booked(on))
    assert order.outlook is not None and order.outlook.reasons == (Reason.VEHICLE_SHARED,)


@pytest.mark.parametrize("ring_tier", ["gold", "diamond", "standard"])
def test_ring_and_cakes_placed_at_once_never_share_and_the_higher_tier_goes_first(ring_tier: str) -> None:
    on = with_ring_courier()
    ids = [place(on.world, "maison", f"cake-{n}", new_order(tier="gold"))[0].order_id for n in range(3)]
    ring_id = place(on.world, "maison", "ring", ring(tier=ring_tier))[0].order_id
    on.settle()
    goes = on.order(ring_id).state is OrderState.BOOKED
    cakes = [on.order(name).state is OrderState.BOOKED for name in ids]
    assert goes is (ring_tier == "diamond")
    assert cakes == [not goes] * 3
    assert on.left() == 0


def test_a_courier_may_let_what_is_worth_less_ride_beside_others() -> None:
    on = with_ring_courier()
    enlist.put_courier(on.world, insured(shared_up_to={"amount": 210_000_000, "currency": "CNY"}))
    on.settle()
    place(on.world, "maison", "cake", new_order())
    on.settle()
    assert on.order(booked(on)).state is OrderState.BOOKED and on.left() == 1


@pytest.mark.parametrize(
    ("ways", "goes"),
    [
        ([("310101", "310101", 100)], False),
        ([("310101", "310104", 100)], True),
        ([("黄浦区", "黄浦", 100)], True),
        ([("310101", "310101", 300_000_000)], True),
    ],
)
def test_what_is_insured_on_a_way_stands_in_the_place_of_the_general_limit(
    ways: list[tuple[str, str, int]], goes: bool
) -> None:
    on = with_ring_courier()
    told = [
        {"origin": a, "destination": b, "limit": {"amount": limit, "currency": "CNY"}} for a, b, limit in ways
    ]
    enlist.put_courier(on.world, insured(insured_ways=told))
    on.settle()
    order = on.order(booked(on))
    assert (order.state is OrderState.BOOKED) is goes
    if not goes:
        assert order.outlook is not None and order.outlook.reasons == (Reason.VALUE_UNINSURED,)


def test_no_courier_is_told_of_it_before_its_hours() -> None:
    on = with_ring_courier(start=NOON - timedelta(hours=5))
    order_id = booked(on)
    assert on.order(order_id).state is OrderState.PLACED and not on.company.jobs
    with pytest.raises(Clashing, match="shown to nobody before"):
        reveal.reveal(on.world, CONTROL, order_id, "client-called")
    assert reveal.looks_at(on.world, CONTROL, order_id) == []
    on.clock.now = NOON - timedelta(hours=3)
    on.minutes(2)
    assert on.order(order_id).state is OrderState.BOOKED


def test_every_look_at_an_address_is_on_record_and_shows_it_once() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    shown = reveal.reveal(on.world, CONTROL, order_id, "client-called", "night-shift")
    assert shown.recipient.name == "Wang Secretive"
    reveal.reveal(on.world, MAISON, order_id, "gift-card")
    looks = reveal.looks_at(on.world, MAISON, order_id)
    assert [(one.by, one.role, one.staff, one.reason) for one in looks] == [
        ("control-room", "operator", "night-shift", "client-called"),
        ("maison", "brand", None, "gift-card"),
    ]
    kept = [row.body for row in on.world.table.read(order_id, "look#").rows]
    assert len(kept) == 2 and not any("Secretive" in body or "138" in body for body in kept)


def test_no_price_is_asked_for_it_for_that_would_show_the_way() -> None:
    from tests.flows.crash_stories import _priced

    on = _priced()
    enlist.put_courier(on.world, insured(asks_price=True))
    on.settle()
    assert on.order(booked(on)).state is OrderState.BOOKED
    assert not [call for call in on.company.calls if "quote" in str(call)]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"gift": new_order().gift.model_dump(mode="json")}, "/safeguard"),
        ({"together": {"group": "SET", "gifts": 2}}, "/together"),
        ({"relay": point_at("Line")}, "/relay"),
    ],
)
def test_what_does_not_go_with_a_safeguard_is_refused_by_its_field(changes: Any, pointer: str) -> None:
    on = with_ring_courier()
    body = {"gift": RING, "safeguard": {}, **changes}
    with pytest.raises(Invalid) as refused:
        place(on.world, "maison", "ring", new_order(**body))
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_second_slot_of_its_vehicle_is_not_opened_beside_it_afterwards() -> None:
    on = with_ring_courier(crews=2)
    order_id = booked(on)
    given = on.order(order_id).leg.assignment
    assert given is not None and given.slot_id == "slot-1"
    later = {"start": NOON + timedelta(hours=4), "end": NOON + timedelta(hours=8)}
    for more in (slot(3, 1, crew_id="crew-1"), slot(3, 1, crew_id="crew-1", window=later)):
        with pytest.raises(Clashing, match="rides alone in the vehicle"):
            enlist.put_slot(on.world, more)
    with pytest.raises(Clashing, match="its crew and its hours stay"):
        enlist.put_slot(on.world, slot(1, 3, window=later))
    with pytest.raises(Clashing, match="rides alone in the vehicle"):
        enlist.put_slot(on.world, slot(2, 3, crew_id="crew-1"))
    enlist.put_crew(on.world, crew(3, vehicle=crew(1).vehicle))
    with pytest.raises(Clashing, match="rides alone in the vehicle"):
        enlist.put_slot(on.world, slot(3, 1))
    after = {"start": NOON + timedelta(hours=5), "end": NOON + timedelta(hours=8)}
    enlist.put_slot(on.world, slot(3, 1, crew_id="crew-1", window=after))
    enlist.put_slot(on.world, slot(1, 3, price={"amount": 5, "currency": "CNY"}))
    assert on.order(order_id).leg.assignment == given


def test_a_slot_that_was_opened_while_it_was_assigned_is_found_before_its_courier_is_told() -> None:
    on = with_ring_courier(crews=2)
    order_id = place(on.world, "maison", "ring-1", ring())[0].order_id
    dispatch.dispatch(on.world, "SHA")
    row = on.plain.table.get(facts.alone_key(slot(1)))
    assert row is not None
    on.plain.table.write(
        Drop(row.key, was=row.version)
    )  # as it was to whoever read just before it was assigned
    enlist.put_slot(on.world, slot(3, 1, crew_id="crew-1"))
    on.plain.table.write(Keep(replace(row, version=1), was=None))
    on.settle()
    order = on.order(order_id)
    assert [verb for verb, _ in on.company.calls if verb == "book"] == ["book"]
    assert order.leg.assignment is not None and order.leg.assignment.slot_id == "slot-2"
    refused = [piece for piece in look.evidence_of(on.world, order_id) if piece.decision is Decision.NO]
    assert [piece.reasons for piece in refused] == [(Reason.VEHICLE_SHARED,)]
    assert on.left("slot-1") == 3


def test_a_place_that_was_opened_while_it_was_assigned_is_found_before_its_courier_is_told() -> None:
    on = with_ring_courier()
    order_id = place(on.world, "maison", "ring-1", ring())[0].order_id
    dispatch.dispatch(on.world, "SHA")
    row = on.plain.table.get(facts.alone_key(slot(1)))
    assert row is not None
    on.plain.table.write(Drop(row.key, was=row.version))
    enlist.put_slot(on.world, slot(1, 4))
    assert row.expires_at is not None
    on.plain.table.write(Take(row.key, facts.TAKEN, 1, 1, row.expires_at))
    on.plain.table.write(
        facts.take_from_slot("SHA", "slot-1", 1)
    )  # by whoever had planned a cake for it by then
    on.settle()
    order = on.order(order_id)
    assert (order.state, order.leg.bookings) == (OrderState.HELD, ())
    assert on.left("slot-1") == 3


def test_an_insurer_that_says_less_while_it_is_assigned_is_heard_before_its_courier_is_told() -> None:
    on = with_ring_courier()
    enlist.put_courier(on.world, insured(shared_up_to={"amount": 300_000_000, "currency": "CNY"}))
    order_id = place(on.world, "maison", "ring-1", ring())[0].order_id
    place(on.world, "maison", "cake-1", new_order())
    dispatch.dispatch(on.world, "SHA")
    assert on.order(order_id).leg.assignment is not None
    enlist.put_courier(on.world, insured())
    on.settle()
    assert on.order(order_id).leg.bookings == ()
    assert Reason.VEHICLE_SHARED in view(on.order(order_id)).reasons


def test_a_point_is_not_named_for_it_later_either() -> None:
    on = with_ring_courier()
    from chalicelib.domain.places import HandOverPoint

    order, _ = place(on.world, "maison", "ring", ring())
    import json

    point = HandOverPoint.model_validate_json(json.dumps(point_at("Kitchen")))
    with pytest.raises(Clashing, match="left nowhere"):
        relay(on.world, order.order_id, point, order.version)


def test_a_gift_that_was_seen_back_though_it_was_said_to_be_delivered_goes_out_again_with_proofs_of_its_own() -> (
    None
):
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    says(on, order_id, "delivered")
    back = send_again.seen_back(on.world, order_id)
    assert (back.state, back.custody.is_with(Holder.SHOP)) == (OrderState.RETURNED, True)
    again = on.order(order_id)
    on.settle()
    again = on.order(order_id)
    wish = again.window.model_copy(update={"end": NOON + timedelta(hours=5)})
    after = send_again.send_again(on.world, "maison", order_id, wish, again.version)
    assert after.leg.leg_no == 2 and after.leg.handing is not None and after.leg.handing.seal is None


def test_who_came_to_the_door_once_knows_no_code_of_the_next_attempt_and_the_client_is_told_the_new_one() -> (
    None
):
    on = with_ring_courier(crews=2)
    order_id = booked(on)
    carried(on, order_id)
    first = code(on, order_id)
    prove.prove(on.world, order_id, proof(seal="S-4711", code=first))
    back = says(on, order_id, "returned")
    said = list(also_owed_of(on.order(order_id), ()))
    wish = back.window.model_copy(update={"end": NOON + timedelta(hours=5)})
    send_again.send_again(on.world, "maison", order_id, wish, back.version)
    on.settle()
    on.minutes(3)
    again = on.order(order_id)
    assert (again.state, said) == (OrderState.BOOKED, [])
    assert code(on, order_id) != first
    (owed,) = [owed for owed in also_owed_of(again, ()) if owed.kind is MessageKind.HAND_OVER_CODE]
    assert owed.about == "code-2", "else it would pass for the one that the client was told before"
    on.clock.forward(minutes=5)
    receive.receive(
        on.world, "SHA", "paper-co", callback(f"{order_id}-2-1", "picked_up", on.clock.now, seal="S-4712")
    )
    on.settle()
    with pytest.raises(Clashing, match="4 more"):
        prove.prove(on.world, order_id, proof(code=first))


def test_a_code_made_anew_is_never_the_last_one() -> None:
    last = code_from("chance")
    assert code_from("chance", last) != last
    assert code_from("chance", "another") == last


def test_a_seal_for_a_courier_that_did_not_fetch_it_is_off_when_another_does() -> None:
    on = with_ring_courier(crews=2)
    order_id = booked(on)
    on.clock.forward(minutes=62)
    prove.prove(on.world, order_id, proof(pick_up_seal="S-1"))
    says(on, order_id, "pick_up_failed")
    on.minutes(3)
    assert on.order(order_id).leg.deciding_booking.number == 2  # type: ignore[union-attr]
    on.clock.forward(minutes=5)
    fetched = callback(f"{order_id}-1-2", "picked_up", on.clock.now, seal="S-2")
    receive.receive(on.world, "SHA", "paper-co", fetched)
    on.settle()
    known = on.order(order_id).leg.handing
    assert known is not None and (known.seal, known.misfits) == ("S-2", ())


def test_what_a_courier_read_at_the_door_counts_once_the_seal_of_the_pick_up_is_known() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    on.clock.forward(minutes=65)
    says(on, order_id, "picked_up")
    right = code(on, order_id)
    order = says(on, order_id, "delivered", seal="S-1", said=right, proofs="identity")
    assert order.awaits_proof and order.leg.handing is not None and order.leg.handing.misfits == ()
    prove.prove(on.world, order_id, proof(pick_up_seal="S-1"))
    on.settle()
    assert on.order(order_id).state is OrderState.DELIVERED


def test_a_storm_of_wrong_codes_takes_no_try_of_a_code_that_is_made_after_it() -> None:
    on = with_ring_courier()
    order_id = booked(on)
    carried(on, order_id)
    bad = wrong(code(on, order_id))
    for number in range(HEARD + 10):
        on.clock.forward(seconds=10)
        told = callback(f"{order_id}-1-1", "in_transit", on.clock.now, said=bad if number % 2 else "nonsense")
        receive.receive(on.world, "SHA", "paper-co", told)
    on.settle()
    fresh = prove.made_anew(on.world, "maison", order_id)
    says(on, order_id, "in_transit", minutes=1)
    on.world.queues.nudge(Topic.HEAR, [order_id])
    on.settle()
    known = on.order(order_id).leg.handing
    assert known is not None and known.tries == 0
    prove.prove(on.world, order_id, proof(code=fresh))


def test_an_ordinary_gift_is_proven_by_nothing_of_this() -> None:
    on = with_ring_courier()
    order, _ = place(on.world, "maison", "cake", new_order())
    with pytest.raises(Clashing, match="only a safeguarded gift"):
        prove.prove(on.world, order.order_id, proof(identity="crew-1"))
    with pytest.raises(Clashing, match="only a safeguarded gift"):
        prove.made_anew(on.world, "maison", order.order_id)
    row = on.world.table.get(facts.order_key(order.order_id))
    assert row is not None and not any(w in row.body for w in ("safeguard", "handing", "places", "about"))
