"""The kitchen is sealed: another kitchen, or something else, as the brand allows and whoever has to agree agrees."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.acts import Act, Deed
from chalicelib.domain.errors import Clashing, Invalid, Missing, Stale, Unconditional
from chalicelib.domain.evidence import Step
from chalicelib.domain.order_views import first_view, view
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.substitutes import Say, State
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import dispatch, enrol, look, place, substitute
from chalicelib.flows.cancel import cancel
from chalicelib.flows.give import give
from chalicelib.flows.replay import replay
from tests.ring import RING, with_ring_courier
from tests.stage import CONTACTLESS, Stage, client_wish, new_client, publish_rules, zone
from tests.swaps import (
    CAKE,
    ELSEWHERE,
    FLOWERS,
    NUT_CAKE,
    NUTS,
    ROSES,
    SECOND,
    allow,
    cake,
    open_kitchen,
    seal_kitchen,
    two_kitchens,
    way,
)


def placed(on: Stage, **changes: Any) -> str:
    order, _ = place.place(on.world, "maison", "cake", cake(**changes))
    on.settle()
    return order.order_id


def says(on: Stage, order_id: str, number: int = 1, *, yes: bool = True, **how: Any) -> Order:
    told = {"consent": Say.BRAND, "evidence": None, **how}
    after = substitute.answer(on.world, order_id, number, is_accepted=yes, **told)
    on.settle()
    return after


def kinds(on: Stage) -> list[str]:
    return [event["type"] for event in on.brand.heard]


def test_where_nobody_has_to_agree_it_goes_from_the_other_kitchen_at_once() -> None:
    on = two_kitchens()
    allow(on, ELSEWHERE)
    seal_kitchen(on)
    order_id = placed(on)
    order = on.order(order_id)
    assert (order.state, order.pick_up_name) == (OrderState.BOOKED, "Second kitchen")
    assert order.gift == cake().gift
    (was,) = order.substitution.was
    assert (was.pick_up_name, was.proposal) == ("Hotel kitchen", 1)
    assert "order.substituted" in kinds(on)
    private = facts.unseal_private(on.world.sealer, order)
    assert private.pick_up_contact.name == "Zhou Discreet"
    pieces = look.evidence_of(on.world, order_id)
    swapped = next(piece for piece in pieces if piece.step is Step.SUBSTITUTE)
    assert (swapped.decision, swapped.slot) == (Decision.YES, "slot-1")
    (proposal,) = substitute.proposals_of(on.world, order_id)
    assert (proposal.state, proposal.by, proposal.reason) == (State.ACCEPTED, Say.NONE, Reason.ORIGIN_CLOSED)


def test_a_kitchen_that_is_sealed_while_the_gift_is_booked_is_left_for_another() -> None:
    on = two_kitchens()
    allow(on, ELSEWHERE)
    order_id = placed(on)
    assert on.order(order_id).state is OrderState.BOOKED
    seal_kitchen(on)
    on.minutes(3)
    order = on.order(order_id)
    assert (order.state, order.pick_up_name) == (OrderState.BOOKED, "Second kitchen")
    assert len([job for job in on.company.jobs.values() if job.is_open]) == 1


def test_what_the_brand_has_to_agree_to_is_proposed_and_told_and_goes_when_it_agrees() -> None:
    on = two_kitchens()
    allow(on, FLOWERS)
    seal_kitchen(on)
    order_id = placed(on)
    held = on.order(order_id)
    assert (held.state, view(held).proposed) == (OrderState.HELD, 1)
    assert "order.substitute_proposed" in kinds(on)
    says(on, order_id)
    order = on.order(order_id)
    assert (order.state, [item.sku for item in order.gift.items]) == (OrderState.BOOKED, ["ROSES"])
    told = view(order)
    assert told.proposed is None and told.was is not None
    assert [item.sku for item in told.was[0].gift.items] == ["CAKE"]
    assert says(on, order_id).order_id == order_id, "the same answer again is the same"
    with pytest.raises(Clashing, match="is accepted"):
        says(on, order_id, yes=False)
    assert first_view(order).gift == cake().gift and first_view(order).was is None
    again, repeated = place.place(on.world, "maison", "cake", cake())
    assert repeated and again.order_id == order_id


def test_what_was_decided_before_is_replayed_with_the_gift_of_then() -> None:
    on = two_kitchens()
    allow(on, FLOWERS)
    seal_kitchen(on)
    order_id = placed(on)
    says(on, order_id)
    pieces = look.evidence_of(on.world, order_id)
    for piece in pieces:
        assert replay(on.world, order_id, piece.evidence_id).differences == (), piece.step
    assert Reason.ORIGIN_CLOSED in pieces[0].reasons


def test_declined_the_next_best_is_proposed_and_the_same_never_again() -> None:
    on = two_kitchens()
    allow(on, FLOWERS, NUTS)
    seal_kitchen(on)
    order_id = placed(on)
    says(on, order_id, yes=False)
    order = on.order(order_id)
    assert order.substitution.proposed == 2 and order.substitution.passed == ("flowers",)
    first, second = substitute.proposals_of(on.world, order_id)
    assert (first.state, second.name) == (State.DECLINED, "nut-cake")
    says(on, order_id, 2, yes=False, consent=Say.CLIENT, evidence="msg-7")
    on.minutes(40)
    assert len(substitute.proposals_of(on.world, order_id)) == 2
    assert on.order(order_id).state is OrderState.HELD


def test_what_the_client_has_to_agree_to_needs_its_word_and_what_proves_it() -> None:
    on = two_kitchens()
    allow(on, {**FLOWERS, "consent": "client"})
    seal_kitchen(on)
    order_id = placed(on)
    with pytest.raises(Invalid, match="/consent"):
        says(on, order_id)
    with pytest.raises(Invalid, match="/evidence"):
        says(on, order_id, consent=Say.CLIENT)
    says(on, order_id, consent=Say.CLIENT, evidence="call-17")
    (proposal,) = substitute.proposals_of(on.world, order_id)
    assert (proposal.state, proposal.by, proposal.evidence) == (State.ACCEPTED, Say.CLIENT, "call-17")


def test_nothing_is_proposed_that_nobody_could_bring() -> None:
    on = two_kitchens()
    allow(on, way("sealed-too", "none", pick_up={**SECOND, "place": new_place("Garden")}), FLOWERS)
    seal_kitchen(on)
    (proposal,) = substitute.proposals_of(on.world, placed(on))
    assert proposal.name == "flowers", "of the Garden nobody has ruled"


def new_place(compound: str) -> Any:
    from tests.stage import place_at

    return place_at(compound)


def test_a_client_is_never_offered_what_it_must_not_eat() -> None:
    on = two_kitchens()
    person = {**new_client().person.model_dump(mode="json"), "allergens": ["nuts"]}
    enrol.enrol(on.world, "maison", "vic-1", new_client(person=person))
    allow(on, NUTS, way("plain", "none", items=[{**CAKE, "name": "Plain", "sku": "PLAIN"}], pick_up=SECOND))
    seal_kitchen(on)
    order, _ = give(on.world, "maison", "cake", client_wish(gift={"items": [CAKE]}), "brand")
    on.settle()
    (proposal,) = substitute.proposals_of(on.world, order.order_id)
    assert (proposal.name, proposal.state) == ("plain", State.ACCEPTED)


def test_of_whom_nobody_knows_what_it_must_not_eat_only_the_client_can_say() -> None:
    on = two_kitchens()
    allow(on, {**NUTS, "consent": "none"})
    seal_kitchen(on)
    (proposal,) = substitute.proposals_of(on.world, placed(on))
    assert (proposal.state, proposal.needs) == (State.OPEN, Say.CLIENT)


def test_a_menu_that_has_changed_is_agreed_to_anew() -> None:
    on = two_kitchens()
    allow(on, NUTS)
    seal_kitchen(on)
    order_id = placed(on)
    changed = {**NUTS, "items": [{**NUT_CAKE, "allergens": ["milk", "nuts", "egg"]}]}
    allow(on, changed, version=1)
    with pytest.raises(Clashing, match="proposed anew"):
        says(on, order_id, consent=Say.CLIENT, evidence="call-17")
    on.settle()
    first, second = substitute.proposals_of(on.world, order_id)
    assert (first.state, second.state, second.gift) == (
        State.WITHDRAWN,
        State.OPEN,
        second.gift,
    )
    assert second.digest != first.digest
    says(on, order_id, 2, consent=Say.CLIENT, evidence="call-18")
    assert on.order(order_id).gift == second.gift


def test_a_kitchen_that_opens_again_is_quicker_than_a_yes() -> None:
    on = two_kitchens()
    allow(on, FLOWERS)
    seal_kitchen(on)
    order_id = placed(on)
    open_kitchen(on)
    on.minutes(2)
    assert on.order(order_id).state is OrderState.BOOKED
    with pytest.raises(Clashing, match="nothing else is needed"):
        says(on, order_id)
    assert on.order(order_id).gift == cake().gift
    assert view(on.order(order_id)).proposed is None, "nothing waits for an answer any more"
    seal_kitchen(on)
    on.minutes(3)
    assert on.order(order_id).state is OrderState.HELD
    says(on, order_id)
    assert [item.sku for item in on.order(order_id).gift.items] == ["ROSES"]


def test_a_yes_that_meets_the_planner_is_one_of_them_and_never_both() -> None:
    """The write is conditional on the order: whoever comes second looks anew."""
    on = two_kitchens()
    allow(on, FLOWERS)
    seal_kitchen(on)
    order_id = placed(on)
    table: Any = on.world.table
    write = table.write

    def kitchen_opens_first(*changes: Any) -> None:
        table.write = write
        open_kitchen(on)
        dispatch.dispatch(on.world, "SHA", everything=True)
        write(*changes)

    table.write = kitchen_opens_first
    with pytest.raises(Clashing, match="nothing else is needed"):
        says(on, order_id)
    on.settle()
    order = on.order(order_id)
    assert (order.state, order.gift, order.substitution.was) == (OrderState.BOOKED, cake().gift, ())


def test_a_box_is_not_swapped_for_food_of_its_own_name() -> None:
    on = two_kitchens()
    allow(
        on,
        way("food", "none", items=[{**CAKE, "item_class": "ambient_food", "name": "Box", "sku": "F"}]),
        sku="BOX",
    )
    seal_kitchen(on)
    box = {"name": "Box", "item_class": "cosmetics", "value": CAKE["value"], "sku": "BOX"}
    order_id = placed(on, gift={"items": [box]})
    assert substitute.proposals_of(on.world, order_id) == []
    assert on.order(order_id).state is OrderState.HELD


def test_a_ring_that_nobody_may_bring_to_the_door_is_swapped_where_its_brand_would_rather() -> None:
    on = with_ring_courier()
    allow(on, way("roses", "brand", items=[ROSES]), sku="RING-SOLITAIRE")
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed"), policies=[CONTACTLESS])
    held = placed(on, gift=RING, safeguard={})
    assert substitute.proposals_of(on.world, held) == [], "its brand would rather wait"
    order, _ = place.place(on.world, "maison", "r2", cake(gift=RING, safeguard={"contactless": "swap"}))
    on.settle()
    says(on, order.order_id)
    after = on.order(order.order_id)
    assert (after.state, after.safeguard, after.leg.handing) == (OrderState.BOOKED, None, None)
    assert facts.unseal_private(on.world.sealer, after).code is None
    assert after.substitution.was[0].safeguard is not None


def test_who_wants_the_end_of_it_is_proposed_nothing_and_may_agree_to_nothing() -> None:
    on = two_kitchens()
    allow(on, FLOWERS)
    seal_kitchen(on)
    order_id = placed(on)
    cancel(on.world, "maison", order_id, on.order(order_id).version)
    on.settle()
    with pytest.raises(Clashing, match="cancelled"):
        says(on, order_id)


def test_a_proposal_that_was_never_made_and_rules_that_nobody_has_stated_are_not_found() -> None:
    on = two_kitchens()
    allow(on, FLOWERS)
    seal_kitchen(on)
    order_id = placed(on)
    with pytest.raises(Missing):
        says(on, order_id, 7)
    with pytest.raises(Missing):
        substitute.substitutes_of(on.world, "autre")


def test_of_a_client_who_is_enrolled_it_is_an_act_on_record() -> None:
    on = two_kitchens()
    enrol.enrol(on.world, "maison", "vic-1", new_client())
    allow(on, FLOWERS)
    seal_kitchen(on)
    order, _ = give(on.world, "maison", "cake", client_wish(gift={"items": [CAKE]}), "brand")
    on.settle()
    says(on, order.order_id, actor="associate:anna")
    rows = on.world.table.read(order.client_id or "", "act#").rows
    kept = [Act.model_validate_json(row.body) for row in rows]
    assert [(act.by, act.of) for act in kept if act.did is Deed.GIFT_SUBSTITUTED] == [
        ("associate:anna", order.order_id)
    ]


def test_what_a_brand_allows_is_changed_by_whoever_has_read_it() -> None:
    on = two_kitchens()
    allow(on, FLOWERS)
    allow(on, FLOWERS)
    assert substitute.substitutes_of(on.world, "maison").version == 1
    with pytest.raises(Unconditional):
        allow(on, NUTS)
    with pytest.raises(Stale):
        allow(on, NUTS, version=3)
    allow(on, NUTS, version=1)
    assert substitute.substitutes_of(on.world, "maison").version == 2
    row = on.world.table.read("brand#maison", "substitutes").rows[0]
    assert "Zhou" not in row.body and "139" not in row.body


def test_a_gift_without_names_for_its_things_costs_nothing_of_this() -> None:
    on = two_kitchens()
    allow(on, ELSEWHERE)
    seal_kitchen(on)
    bare = {k: v for k, v in CAKE.items() if k not in ("sku", "allergens")}
    order_id = placed(on, gift={"items": [bare]})
    assert on.order(order_id).state is OrderState.HELD
    row = on.world.table.get(facts.order_key(order_id))
    assert row is not None and "substitution" not in row.body
