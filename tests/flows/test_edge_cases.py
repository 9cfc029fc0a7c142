"""Edge cases of `../shared/research/lockdowns.md`, section 3, by number, over the whole path."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import Invalid, Refused
from chalicelib.domain.evidence import Step
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import cancel, enlist, look, receive
from chalicelib.flows.place import place
from chalicelib.flows.replay import replay
from tests import stage as st
from tests.stage import NOON, Stage, new_order, publish_rules, stage, zone


def booked(crews: int = 1) -> tuple[Stage, str, str]:
    """An order that is booked, and the booking's reference."""
    on = stage(crews=crews)
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    on.clock.forward(minutes=30)
    (reference,) = on.company.jobs
    return on, order.order_id, reference


def say(on: Stage, reference: str, kind: str) -> None:
    receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, kind, on.clock.now))
    on.settle()
    on.clock.forward(minutes=1)


def last(on: Stage, order_id: str) -> Any:
    return look.evidence_of(on.world, order_id)[-1]


def test_edge_case_01_a_zone_upgraded_on_the_way_recalls_the_gift_and_its_brand_is_told() -> None:
    on, order_id, reference = booked()
    say(on, reference, "picked_up")
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access", zone_id="ban"))
    on.settle()
    assert ("cancel", reference) in on.company.calls
    piece = last(on, order_id)
    assert (piece.step, piece.decision, piece.reasons) == (Step.REZONE, Decision.NO, (Reason.NO_HANDOVER,))
    assert piece.zones and piece.rules_version == 2
    say(on, reference, "returning")
    on.minutes(2)
    assert on.brand.heard[-1]["data"]["state"] == "returning"


def test_edge_case_02_a_crew_that_is_shut_in_is_given_nothing_more_and_what_waits_for_it_goes_to_others() -> (
    None
):
    on, order_id, first = booked(crews=2)
    assert on.order(order_id).leg.bookings[0].crew_id == "crew-1"
    others = [place(on.world, "maison", f"key-{n}", new_order())[0].order_id for n in range(2, 4)]
    on.settle()
    say(on, first, "picked_up")
    # its compound is sealed while it is inside: the control room takes it off the list
    inside = on.order(order_id).leg.bookings[0].crew_id
    enlist.put_crew(on.world, st.crew(int(inside[-1]), withdrawn=True))
    on.minutes(3)
    for name in others:
        live = on.order(name).leg.live_booking
        assert live is not None and live.crew_id != inside
    late = place(on.world, "maison", "key-late", new_order())[0].order_id
    on.settle()
    booking = on.order(late).leg.live_booking
    assert booking is not None and booking.crew_id != inside
    assert last(on, order_id).reasons == (Reason.CREW_WITHDRAWN,)


@pytest.mark.parametrize("policy", ["sealed@1", "banned@1"])
@pytest.mark.parametrize(("minutes", "is_told"), [(20, False), (80, True)])
def test_edge_case_02_whoever_may_be_inside_a_compound_when_it_closes_is_told_to_the_control_room(
    policy: str, minutes: int, is_told: bool
) -> None:
    on, order_id, reference = booked()
    say(on, reference, "picked_up")
    assert on.order(order_id).leg.assignment.hand_over_from == NOON + timedelta(hours=1)  # type: ignore[union-attr]
    on.clock.forward(minutes=minutes)
    publish_rules(on.world, "amend", zone("Yongjia", policy, "sealed"))
    on.minutes(20)
    lines: Any = on.world.log.lines  # type: ignore[attr-defined]
    told = [line["order"] for line in lines if line["event"] == "crew_may_be_shut_in"]
    assert told == [order_id] * is_told


def test_edge_case_03_an_announced_end_that_passes_leaves_the_gift_where_it_is() -> None:
    on = stage()
    end = (NOON + timedelta(hours=1)).isoformat()
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access", expected_end=end))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.minutes(70)
    assert on.order(order.order_id).state is OrderState.HELD
    publish_rules(on.world, "amend", released=["zone-Yongjia"])
    on.minutes(2)
    assert on.order(order.order_id).state is OrderState.HELD  # nobody rules there any more: not open either
    publish_rules(on.world, "amend", zone("Yongjia"))
    on.minutes(2)
    assert on.order(order.order_id).state is OrderState.BOOKED


def test_edge_case_03_a_statute_with_dates_ends_when_it_says() -> None:
    on = stage()
    statute = {**st.CLOSED, "policy_id": "statute", "auto_release": True}
    end = (NOON + timedelta(hours=1)).isoformat()
    publish_rules(
        on.world, "amend", zone("Yongjia", "statute@1", zone_id="act", expected_end=end), policies=[statute]
    )
    early, _ = place(on.world, "maison", "key-1", new_order())
    late_window = {
        "start": (NOON + timedelta(hours=2)).isoformat(),
        "end": (NOON + timedelta(hours=4)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    on.settle()
    assert on.order(early.order_id).state is OrderState.HELD
    on.minutes(61)
    late, _ = place(on.world, "maison", "key-2", new_order(window=late_window))
    on.minutes(2)
    assert on.order(late.order_id).state is OrderState.BOOKED


def test_edge_case_05_news_that_come_before_an_older_callback_do_not_unsay_what_was_in_force_then() -> None:
    """Fetched at 13:00 under the rules of then; those of 13:02 state the very zones anew; the courier tells at 13:03."""
    on, order_id, reference = booked()
    on.clock.forward(minutes=30)
    said = on.company.move(reference, "picked_up", on.clock.now)
    on.clock.forward(minutes=2)
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed"), zone("Kitchen", "sealed@1"))
    assert on.order(order_id).leg.assignment.handovers == ("gate",)  # type: ignore[union-attr]
    on.clock.forward(minutes=1)
    receive.receive(on.world, "SHA", "paper-co", said)
    on.settle()
    piece = last(on, order_id)
    assert (piece.step, piece.decision, piece.rules_version) == (Step.PICK_UP, Decision.YES, 1)
    assert ("cancel", reference) not in on.company.calls
    assignment = on.order(order_id).leg.assignment
    assert assignment is not None
    assert (assignment.handovers, assignment.rules_version) == (("gate",), 2)


def test_edge_case_06_a_correction_after_the_fact_leaves_a_past_decision_on_its_snapshot() -> None:
    on, order_id, _ = booked()
    before = last(on, order_id)
    since = (NOON - timedelta(days=2)).isoformat()
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access", valid_from=since))
    kept = look.evidence_of(on.world, order_id)[0]
    assert kept == before
    assert replay(on.world, order_id, kept.evidence_id).differences == ()
    after = last(on, order_id)
    assert (after.decision, after.rules_digest == before.rules_digest) == (Decision.NO, False)


def test_edge_case_16_a_permit_that_covers_the_stay_covers_its_last_minutes_too() -> None:
    """What was right when it was given is right until the stay is over, if nothing else has become known."""
    on = stage()
    by = NOON + timedelta(hours=4)
    ends = by + timedelta(minutes=st.slot().return_minutes)
    enlist.put_permit(on.world, st.permit(valid={"start": NOON - timedelta(days=1), "end": ends}))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    given = on.order(order.order_id).leg.assignment
    assert given is not None
    assert (given.hand_over_by, given.end) == (by, ends)
    (reference,) = on.company.jobs
    on.clock.forward(hours=1)
    say(on, reference, "picked_up")
    on.clock.forward(minutes=165)
    on.minutes(10)
    assert on.clock.now < by
    assert ("cancel", reference) not in on.company.calls
    assert on.order(order.order_id).state is OrderState.PICKED_UP


def test_edge_case_20_a_code_that_turns_red_in_mid_shift_recalls_what_the_crew_carries() -> None:
    on, order_id, reference = booked()
    say(on, reference, "picked_up")
    crew = st.crew()
    red = {
        "kind": "health_code",
        "result": "positive",
        "sampled_at": on.clock.now,
        "reported_at": on.clock.now,
    }
    seen = [*(c.model_dump() for c in crew.credentials), red]
    enlist.put_crew(on.world, st.crew(credentials=seen))
    on.minutes(3)
    assert ("cancel", reference) in on.company.calls
    assert last(on, order_id).reasons == (Reason.CREDENTIAL_POSITIVE,)
    waiting, _ = place(on.world, "maison", "key-2", new_order())
    on.settle()
    assert Reason.CREDENTIAL_POSITIVE in on.order(waiting.order_id).outlook.reasons  # type: ignore[union-attr]


def test_edge_case_21_a_company_that_leaves_the_whitelist_loses_what_it_has_not_fetched() -> None:
    on = stage()
    white = {**st.OPEN_TO_THE_DOOR, "policy_id": "white", "companies": ["whitelist"]}
    listed = [{"list_id": "whitelist", "since": NOON - timedelta(days=9)}]
    company: dict[str, Any] = {
        "courier_id": "paper-co", "market_id": "SHA", "dialect": "paper", "account": "main"
    }  # fmt: skip
    enlist.put_courier(on.world, Courier.model_validate({**company, "listed": listed}))
    publish_rules(on.world, "amend", zone("Yongjia", "white@1"), policies=[white])
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    assert on.order(order.order_id).state is OrderState.BOOKED
    on.clock.forward(minutes=5)
    off = [{**listed[0], "until": on.clock.now}]
    enlist.put_courier(on.world, Courier.model_validate({**company, "listed": off}))
    on.minutes(3)
    assert on.live_bookings(order.order_id) == 0
    assert Reason.COMPANY_UNLISTED in on.order(order.order_id).outlook.reasons  # type: ignore[union-attr]


def test_a_credential_from_the_future_is_refused_by_its_place() -> None:
    on = stage()
    soon = NOON + timedelta(hours=1)
    ahead = {"kind": "pcr", "result": "negative", "sampled_at": NOON, "reported_at": soon}
    with pytest.raises(Invalid) as caught:
        enlist.put_crew(on.world, st.crew(credentials=[ahead]))
    assert [fault.pointer for fault in caught.value.faults] == ["/credentials/0/reported_at"]


def test_edge_case_41_an_order_goes_nowhere_else_than_it_was_placed_for() -> None:
    """A redirect is a new order: cancelled here, placed there, and cleared for there."""
    on, order_id, _ = booked()
    with pytest.raises(Refused):
        place(on.world, "maison", "key-1", new_order("Hotel"))
    assert on.order(order_id).state is OrderState.BOOKED
    redirected, _ = place(on.world, "maison", "key-2", new_order("Hotel"))
    on.settle()
    assert on.order(redirected.order_id).state is OrderState.HELD
    assert Reason.ZONE_UNKNOWN in on.order(redirected.order_id).outlook.reasons  # type: ignore[union-attr]


def test_edge_case_44_a_changed_menu_is_another_order_and_not_a_quiet_substitution() -> None:
    on, order_id, _ = booked()
    given = on.order(order_id).gift
    menu = st.body()["gift"]
    menu["items"][0]["name"] = "Cake with hazelnuts"
    with pytest.raises(Refused):
        place(on.world, "maison", "key-1", new_order(gift=menu))
    assert on.order(order_id).gift == given


def test_edge_case_45_what_a_volunteer_takes_at_the_gate_is_not_what_the_client_received() -> None:
    on = stage()
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed"))
    order, _ = place(on.world, "maison", "key-1", new_order())
    on.settle()
    (reference,) = on.company.jobs
    on.clock.forward(hours=1)
    say(on, reference, "picked_up")
    on.clock.forward(minutes=30)
    say(on, reference, "delivered")
    at_gate = on.order(order.order_id)
    assert at_gate.state is OrderState.AT_GATE
    assert [step.state for step in at_gate.history][-1] is OrderState.AT_GATE
    on.minutes(2)
    told = [heard["data"]["state"] for heard in on.brand.heard]
    assert "at_gate" in told and "delivered" not in told
    assert at_gate.leg.bookings[0].state is BookingState.BOOKED
    # the client's own receipt is another event, and another proof
    on.clock.forward(minutes=1)
    cancel.receipt(on.world, order.order_id)
    on.minutes(2)
    received = on.order(order.order_id)
    assert [step.state for step in received.history][-2:] == [OrderState.AT_GATE, OrderState.DELIVERED]
    assert [heard["data"]["state"] for heard in on.brand.heard][-1] == "delivered"


def test_edge_case_45_what_is_handed_over_at_the_door_is_received() -> None:
    on, order_id, reference = booked()
    on.clock.forward(minutes=30)
    say(on, reference, "picked_up")
    on.clock.forward(minutes=30)
    say(on, reference, "delivered")
    assert on.order(order_id).state is OrderState.DELIVERED
