"""A relay: one courier to a hand-over point, another from there to the client; each leg cleared, booked and kept apart."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.custody import Holder
from chalicelib.domain.errors import Clashing, Invalid, Stale
from chalicelib.domain.evidence import Step
from chalicelib.domain.jobs import job_of
from chalicelib.domain.order_views import first_view, view
from chalicelib.domain.orders import OrderState
from chalicelib.domain.places import HandOverPoint
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import cancel, enlist, look, replay
from chalicelib.flows.place import place
from chalicelib.flows.relay import relay
from chalicelib.flows.send_again import send_again
from tests.flows.test_send_again import says, window
from tests.stage import NOON, Stage, body, new_order, place_at, publish_rules, slot, stage, zone

DESK = "Line desk"


def lasting() -> dict[str, Any]:
    """A gift that keeps for as long as it takes."""
    gift: dict[str, Any] = copy.deepcopy(body()["gift"])
    del gift["items"][0]["dwell_limit_minutes"]
    return gift


def hours(start: float = 0.5, end: float = 3.5) -> dict[str, Any]:
    return {
        "start": (NOON + timedelta(hours=start)).isoformat(),
        "end": (NOON + timedelta(hours=end)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }


def point(compound: str = "Line", **changes: Any) -> HandOverPoint:
    told = {"name": DESK, "place": place_at(compound), "hours": hours(), **changes}
    return HandOverPoint.model_validate_json(json.dumps(told))


def relayed(on: Stage | None = None, *, key: str = "key-1", line: str = "Line") -> tuple[Stage, str]:
    """An order that names its point; all three places are open to the door."""
    on = on or stage(crews=2)
    publish_rules(on.world, "amend", zone("Line"))
    named = point(line).model_dump(mode="json")
    order, _ = place(on.world, "maison", key, new_order(relay=named, gift=lasting()))
    on.settle()
    return on, order.order_id


def at_point() -> tuple[Stage, str]:
    on, name = relayed()
    on.clock.forward(minutes=40)
    says(on, f"{name}-1-1", "picked_up")
    on.clock.forward(minutes=20)
    says(on, f"{name}-1-1", "delivered")
    return on, name


def states(on: Stage, name: str) -> list[str]:
    return [step.state.value for step in on.order(name).history]


# --- the plain way ------------------------------------------------------------------------------------------------


def test_a_gift_goes_to_the_point_with_one_courier_and_on_with_another() -> None:
    on, name = at_point()
    assert list(on.company.jobs) == [f"{name}-1-1", f"{name}-2-1"]
    assert on.order(name).state is OrderState.BOOKED
    on.clock.forward(minutes=30)
    says(on, f"{name}-2-1", "picked_up")
    on.clock.forward(minutes=20)
    says(on, f"{name}-2-1", "delivered")
    on.minutes(18)
    assert states(on, name) == [
        "placed", "assigned", "booked", "picked_up",
        "relayed", "assigned", "booked", "picked_up", "delivered",
    ]  # fmt: skip
    order = on.order(name)
    assert order.told and on.live_bookings(name) == 0
    assert [s.holder for s in order.custody.stretches] == ["shop", "courier", "point", "courier", "client"]
    assert order.custody.flaws == () and order.custody.is_with(Holder.CLIENT)


def test_each_leg_is_cleared_for_its_own_two_places_and_has_its_own_evidence() -> None:
    on, name = at_point()
    pieces = look.evidence_of(on.world, name)
    went = {p.leg_no: p for p in pieces if p.step is Step.DISPATCH and p.decision is Decision.YES}
    assert set(went[1].zones) == {"zone-Kitchen", "zone-Line"}
    assert set(went[2].zones) == {"zone-Line", "zone-Yongjia"}
    assert {(p.leg_no, p.step) for p in pieces} >= {
        (1, Step.PICK_UP),
        (1, Step.HAND_OVER),
        (2, Step.DISPATCH),
    }
    for piece in pieces:
        assert replay.replay(on.world, name, piece.evidence_id).differences == ()


def test_each_courier_is_told_of_its_own_two_ends_and_the_first_learns_no_client() -> None:
    on, name = at_point()
    order = on.order(name)
    private = facts.unseal_private(on.plain.sealer, order)
    courier = enlist.courier(on.world, "SHA", "paper-co")
    first, second = order.up_to(order.legs[0]), order
    given = first.leg.assignment, second.leg.assignment
    assert given[0] is not None and given[1] is not None
    there = job_of(first, private, given[0], courier, "r", NOON)
    assert (there.pick_up_name, there.recipient.name) == ("Hotel kitchen", DESK)
    assert "Wang" not in repr(there) and private.recipient.phone not in repr(there)
    assert there.recipient.place.address.compound == "Line"
    onward = job_of(second, private, given[1], courier, "r", NOON)
    assert (onward.pick_up_name, onward.pick_up.address.compound) == (DESK, "Line")
    assert onward.recipient == private.recipient


def test_the_first_leg_goes_in_the_hours_of_the_point_and_the_second_in_the_clients_window() -> None:
    on, name = relayed()
    assert on.order(name).window.start == NOON + timedelta(hours=0.5)
    told = view(on.order(name))
    assert (told.window, told.relay, told.leg_no) == (new_order().window, DESK, 1)
    on, name = at_point()
    assert on.order(name).window == new_order().window
    assert (view(on.order(name)).relay, view(on.order(name)).leg_no) == (DESK, 2)
    assert first_view(on.order(name)).window == new_order().window


def test_an_order_without_a_relay_is_the_same_body_as_ever() -> None:
    assert "relay" not in new_order().model_dump_json()


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_point_that_nobody_may_go_to_holds_the_gift_in_the_shop() -> None:
    on, name = relayed(line="Nowhere")
    order = on.order(name)
    assert order.state is OrderState.HELD and order.custody.is_with(Holder.SHOP)
    assert order.outlook is not None and Reason.ZONE_UNKNOWN in order.outlook.reasons


def test_a_gift_at_the_point_that_nobody_may_carry_on_waits_there_and_says_so() -> None:
    on, name = relayed()
    on.clock.forward(minutes=40)
    says(on, f"{name}-1-1", "picked_up")
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    on.clock.forward(minutes=20)
    says(on, f"{name}-1-1", "delivered")
    order = on.order(name)
    assert states(on, name)[-2:] == ["relayed", "held"]
    assert order.outlook is not None and order.outlook.reasons == (Reason.NO_HANDOVER,)
    assert order.custody.is_with(Holder.POINT)
    publish_rules(on.world, "amend", zone("Yongjia"))
    on.settle()
    assert on.order(name).state is OrderState.BOOKED


def test_a_first_leg_that_comes_back_leaves_the_gift_in_the_shop_and_it_can_go_again() -> None:
    on, name = relayed()
    on.clock.forward(minutes=40)
    says(on, f"{name}-1-1", "picked_up")
    says(on, f"{name}-1-1", "returned")
    order = on.order(name)
    assert order.state is OrderState.RETURNED and order.custody.is_with(Holder.SHOP)
    again = send_again(on.world, "maison", name, window(), order.version)
    assert (again.leg.leg_no, again.leg.taken_to, again.leg.fetched_at) == (2, None, None)


def test_a_second_leg_that_comes_back_leaves_it_at_the_point_and_goes_again_from_there() -> None:
    on, name = at_point()
    on.clock.forward(minutes=5)
    says(on, f"{name}-2-1", "picked_up")
    says(on, f"{name}-2-1", "returned")
    order = on.order(name)
    assert order.state is OrderState.RETURNED and order.custody.is_with(Holder.POINT)
    send_again(on.world, "maison", name, window(), order.version)
    on.settle()
    order = on.order(name)
    assert states(on, name)[-3:] == ["relayed", "assigned", "booked"]
    assert order.leg.leg_no == 3 and order.leg.fetched_at == point()


def test_a_cancellation_ends_the_leg_that_is_under_way() -> None:
    on, name = at_point()
    cancel.cancel(on.world, "maison", name, on.order(name).version)
    on.settle()
    order = on.order(name)
    assert order.state is OrderState.CANCELLED and order.custody.is_with(Holder.POINT)
    assert not on.company.jobs[f"{name}-2-1"].is_open


def test_a_cancellation_that_comes_too_late_for_the_first_courier_ends_the_order_at_the_point() -> None:
    on, name = relayed()
    on.company.refuse["cancel"] = "on the way"
    cancel.cancel(on.world, "maison", name, on.order(name).version)
    on.settle()
    on.clock.forward(minutes=40)
    says(on, f"{name}-1-1", "picked_up")
    says(on, f"{name}-1-1", "delivered")
    on.minutes(18)
    order = on.order(name)
    assert order.state is OrderState.CANCELLED and len(order.legs) == 1
    assert order.custody.is_with(Holder.POINT) and order.told


def test_a_recall_brings_it_back_to_where_its_leg_began() -> None:
    on, name = at_point()
    on.clock.forward(minutes=5)
    says(on, f"{name}-2-1", "picked_up")
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    on.settle()
    assert on.order(name).leg.bookings[0].cancel_reason == "not_cleared"
    says(on, f"{name}-2-1", "returned")
    assert on.order(name).custody.is_with(Holder.POINT)


def test_late_words_of_the_first_courier_do_not_move_the_second_leg() -> None:
    on, name = at_point()
    before = on.order(name)
    for kind in ("in_transit", "failed", "delivered"):
        says(on, f"{name}-1-1", kind)
    after = on.order(name)
    assert (after.history, after.leg) == (before.history, before.leg)


# --- the dispatcher ---------------------------------------------------------------------------------------------------


def waiting() -> tuple[Stage, str]:
    """Nobody may go straight there: no hours are offered that long."""
    on = stage(crews=2)
    publish_rules(on.world, "amend", zone("Line"))
    for number in (1, 2):
        enlist.put_slot(on.world, slot(number, 0))
    order, _ = place(on.world, "maison", "key-1", new_order(gift=lasting()))
    on.settle()
    assert on.order(order.order_id).state is OrderState.HELD
    return on, order.order_id


def test_the_dispatcher_names_a_point_for_an_order_that_waits_and_a_repeat_changes_nothing() -> None:
    on, name = waiting()
    version = on.order(name).version
    after = relay(on.world, name, point(), version)
    assert (after.state, after.leg.taken_to, after.leg.client_window) == (
        OrderState.HELD, point(), new_order().window,
    )  # fmt: skip
    assert view(relay(on.world, name, point(), version)) == view(after)
    for number in (1, 2):
        enlist.put_slot(on.world, slot(number, 3))
    on.settle()
    assert on.order(name).state is OrderState.BOOKED
    assert first_view(on.order(name)).relay is None


def test_who_is_given_away_travels_with_others_or_changed_meanwhile_is_not_relayed() -> None:
    on, name = waiting()
    with pytest.raises(Stale):
        relay(on.world, name, point(), on.order(name).version - 1)
    with pytest.raises(Invalid, match="/hours"):
        relay(on.world, name, point(hours=hours(-3, -1)), on.order(name).version)
    on, name = at_point()
    with pytest.raises(Clashing, match="waits in the shop"):
        relay(on.world, name, point("Kitchen"), on.order(name).version)
    on = stage()
    told = {"together": {"group": "SET-7", "gifts": 2}}
    order, _ = place(on.world, "maison", "key-2", new_order(**told))
    with pytest.raises(Clashing, match="travel together"):
        relay(on.world, order.order_id, point(), order.version)
    with pytest.raises(Invalid, match="/relay"):
        place(on.world, "maison", "key-3", new_order(**told, relay=point().model_dump(mode="json")))


def test_a_gift_that_keeps_only_so_long_under_way_does_not_rest_at_a_point() -> None:
    on = stage()
    with pytest.raises(Invalid, match="for how long it keeps"):
        place(on.world, "maison", "key-1", new_order(relay=point().model_dump(mode="json")))
    order, _ = place(on.world, "maison", "key-2", new_order("Garden"))
    on.settle()
    with pytest.raises(Invalid, match="for how long it keeps"):
        relay(on.world, order.order_id, point(), on.order(order.order_id).version)


def test_a_point_outside_the_market_or_shut_by_then_is_refused_when_it_is_placed() -> None:
    on = stage()
    away = place_at("Line")
    away["coordinate"] = {**away["coordinate"], "lng": 2.35, "lat": 48.85}
    for changed, pointer in (
        ({"place": away}, "/relay/place/coordinate"),
        ({"hours": hours(5, 6)}, "/relay/hours"),
        ({"hours": hours(-3, -1)}, "/relay/hours"),
    ):
        told = {"name": DESK, "place": place_at("Line"), "hours": hours(), **changed}
        with pytest.raises(Invalid, match=pointer):
            place(on.world, "maison", "key-1", new_order(relay=told, gift=lasting()))
    assert "relay" not in body()
