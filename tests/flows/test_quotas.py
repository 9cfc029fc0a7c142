"""Quotas of a local day and permits that are good once: taken with the assignment, given back once, never oversold."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.orders import Order, Tier
from chalicelib.domain.ports import Topic
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import assign, cancel, dispatch, enlist, look, publish, receive
from chalicelib.flows.place import place
from tests import drive
from tests.paper import callback
from tests.stage import (
    NOON,
    OPEN_TO_THE_DOOR,
    Stage,
    body,
    new_order,
    permit,
    place_at,
    publish_rules,
    slot,
    stage,
    zone,
)

DAY = "2022-04-11"


def limited(*quotas: tuple[str, int], version: int = 1) -> dict[str, Any]:
    """Open to the door, with these quotas."""
    return {
        **OPEN_TO_THE_DOOR,
        "policy_id": "limited",
        "version": version,
        "quotas": [{"per": per, "limit": limit} for per, limit in quotas],
    }


def under(on: Stage, *quotas: tuple[str, int], version: int = 1, compound: str = "Yongjia") -> None:
    """From now on that compound has these quotas."""
    rule = limited(*quotas, version=version)
    publish_rules(on.world, "amend", zone(compound, f"limited@{version}"), policies=[rule])


def put(on: Stage, key: str, brand: str = "maison", **changes: Any) -> Order:
    order, _ = place(on.world, brand, key, new_order(**changes))
    return order


def at_flat(flat: str, compound: str = "Yongjia", **address: Any) -> dict[str, Any]:
    """Somebody who lives there."""
    there = place_at(compound)
    there = {**there, "address": {**there["address"], "unit": flat, **address}}
    return {"name": "Wang Secretive", "phone": "+8613800138001", "place": there}


def taken(on: Stage, day: str = DAY) -> dict[str, int]:
    """What the counters of that day say; of a household only that it is one."""
    rows = on.plain.table.read(f"quota#SHA#{day}").rows
    counted: Counter[str] = Counter()
    for row in rows:
        per, _, name = row.key.sk.partition("#")
        counted[per if per == "household" else f"{per} {name}"] += row.counters[facts.TAKEN]
    return dict(counted)


def reasons(on: Stage, order: Order) -> tuple[Reason, ...]:
    outlook = on.order(order.order_id).outlook
    assert outlook is not None
    return outlook.reasons


def states(on: Stage, *orders: Order) -> list[str]:
    return [on.order(order.order_id).state.value for order in orders]


def another_courier(on: Stage, capacity: int) -> None:
    """Dearer than the first."""
    fleet = enlist.fleet(on.world, "SHA")
    enlist.put_courier(on.world, fleet.couriers["paper-co"].model_copy(update={"courier_id": "paper-two"}))
    crew = fleet.crews["crew-1"].model_copy(update={"crew_id": "crew-2", "courier_id": "paper-two"})
    enlist.put_crew(on.world, crew)
    dear = {"amount": 9000, "currency": "CNY"}
    enlist.put_slot(on.world, slot(2, capacity, courier_id="paper-two", price=dear))


# --- taking ---------------------------------------------------------------------------------------------------


def test_an_order_takes_one_of_every_quota_that_speaks_where_its_client_lives() -> None:
    on = stage()
    under(on, ("zone", 40), ("household", 2), ("courier", 9))
    order = put(on, "key-1")
    on.settle()
    assert states(on, order) == ["booked"]
    assert taken(on) == {"zone zone-Yongjia": 1, "household": 1, "courier zone-Yongjia/paper-co": 1}
    given = on.order(order.order_id).leg.assignment
    assert given is not None
    assert [(one.per, str(one.day)) for one in given.quotas] == [
        ("courier", DAY),
        ("household", DAY),
        ("zone", DAY),
    ]


def test_where_no_quota_speaks_nothing_is_counted_and_no_salt_is_made() -> None:
    on = stage()
    put(on, "key-1")
    on.settle()
    assert taken(on) == {} and on.plain.table.get(facts.salt_key("SHA")) is None


def test_of_a_quota_no_more_is_given_than_there_is_and_who_waits_is_told_why() -> None:
    on = stage(capacity=5)
    under(on, ("zone", 2))
    orders = [
        put(on, f"key-{n}", tier=tier) for n, tier in enumerate(("gold", "diamond", "silver", "diamond"))
    ]
    on.settle()
    assert states(on, *orders) == ["held", "booked", "held", "booked"], "the higher tiers first"
    assert taken(on) == {"zone zone-Yongjia": 2}
    assert reasons(on, orders[0]) == (Reason.QUOTA_FULL,)
    waits = on.order(orders[0].order_id).outlook
    assert waits is not None and waits.next_look == NOON + timedelta(minutes=10), "somebody may cancel"
    assert on.left() == 3, "nor is a place kept for who has to wait"


def test_quotas_of_overlapping_zones_all_apply_and_of_one_household_the_lowest() -> None:
    on = stage(capacity=5)
    district = zone("Huangpu", "limited@2", unit={"kind": "district", "district": "310101"})
    publish_rules(
        on.world, "amend", zone("Yongjia", "limited@1"), district,
        policies=[limited(("household", 3), ("zone", 9)), limited(("household", 1), ("zone", 2), version=2)],
    )  # fmt: skip
    orders = [
        put(on, f"key-{n}", recipient=at_flat(str(flat))) for n, flat in enumerate((501, 501, 502, 503))
    ]
    on.settle()
    assert taken(on) == {"zone zone-Yongjia": 2, "zone zone-Huangpu": 2, "household": 2}
    assert sorted(states(on, *orders)) == ["booked", "booked", "held", "held"]
    assert "held" in states(on, *orders[:2]), "both to one household"


def test_a_quota_of_none_lets_nothing_through() -> None:
    on = stage()
    under(on, ("zone", 0))
    order = put(on, "key-1")
    on.settle()
    assert states(on, order) == ["held"] and reasons(on, order) == (Reason.QUOTA_FULL,)
    assert taken(on) == {}


def test_a_courier_whose_quota_is_full_leaves_the_gift_to_another() -> None:
    on = stage(capacity=3)
    enlist.put_courier(
        on.world,
        on.plain.table
        and enlist.fleet(on.world, "SHA").couriers["paper-co"].model_copy(update={"courier_id": "paper-two"}),
    )
    crew = enlist.fleet(on.world, "SHA").crews["crew-1"]
    two = crew.model_copy(update={"crew_id": "crew-2", "courier_id": "paper-two"})
    enlist.put_crew(on.world, two)
    dear = slot(2, 3, courier_id="paper-two", price={"amount": 9000, "currency": "CNY"})
    enlist.put_slot(on.world, dear)
    under(on, ("courier", 1))
    orders = [put(on, f"key-{n}") for n in range(3)]
    on.settle()
    assert sorted(states(on, *orders)) == ["booked", "booked", "held"]
    assert taken(on) == {"courier zone-Yongjia/paper-co": 1, "courier zone-Yongjia/paper-two": 1}
    held = next(o for o in orders if states(on, o) == ["held"])
    assert reasons(on, held) == (Reason.QUOTA_FULL,)


def test_the_highest_tier_is_served_first_also_where_it_has_to_be_planned_anew() -> None:
    """Two of the highest tier want the cheap courier, which may go once; the place at the other one is not for
    whoever ranks below them, though there the first plan had it."""
    on = stage(capacity=3)
    other = enlist.fleet(on.world, "SHA").couriers["paper-co"].model_copy(update={"courier_id": "paper-two"})
    enlist.put_courier(on.world, other)
    crew = enlist.fleet(on.world, "SHA").crews["crew-1"]
    enlist.put_crew(on.world, crew.model_copy(update={"crew_id": "crew-2", "courier_id": "paper-two"}))
    enlist.put_slot(on.world, slot(2, 1, courier_id="paper-two", price={"amount": 9000, "currency": "CNY"}))
    enlist.put_slot(on.world, slot(1, 2))
    under(on, ("courier", 1))
    low = put(on, "key-low", tier="standard")
    high = [put(on, f"key-{n}", tier="diamond") for n in range(2)]
    on.settle()
    assert states(on, *high) == ["booked", "booked"] and states(on, low) == ["held"]


# --- giving back ----------------------------------------------------------------------------------------------


def test_a_cancelled_order_gives_back_what_it_took_once_and_the_next_one_gets_it() -> None:
    on = stage()
    under(on, ("zone", 1), ("household", 1))
    first, second = put(on, "key-1"), put(on, "key-2", tier="silver")
    on.settle()
    assert states(on, first, second) == ["booked", "held"]
    for _ in range(3):
        order = on.order(first.order_id)
        cancel.cancel(on.world, "maison", first.order_id, order.version)
        on.settle()
    assert states(on, first, second) == ["cancelled", "booked"]  # at once, for it stood by
    assert taken(on) == {"zone zone-Yongjia": 1, "household": 1}


def test_cancelled_before_it_is_booked_it_gives_back_just_as_well() -> None:
    on = stage()
    under(on, ("zone", 1))
    order = put(on, "key-1")
    for topic, name in on.world.queues.take(Topic.DISPATCH):  # type: ignore[attr-defined]
        drive.run(on.world, topic, name)
    assert states(on, order) == ["assigned"] and taken(on) == {"zone zone-Yongjia": 1}
    cancel.cancel(on.world, "maison", order.order_id, on.order(order.order_id).version)
    on.settle()
    assert states(on, order) == ["cancelled"] and taken(on) == {"zone zone-Yongjia": 0}


def test_a_courier_that_refuses_gives_back_what_was_taken_for_it() -> None:
    on = stage()
    under(on, ("zone", 1), ("courier", 1))
    on.company.refuse["book"] = "no_riders"
    order = put(on, "key-1")
    on.settle()
    assert states(on, order) == ["held"]
    assert taken(on) == {"zone zone-Yongjia": 0, "courier zone-Yongjia/paper-co": 0}


def test_what_has_been_delivered_keeps_what_it_took() -> None:
    on = stage()
    under(on, ("household", 1))
    order = put(on, "key-1")
    on.settle()
    on.clock.forward(minutes=60)
    job = next(iter(on.company.jobs))
    for kind in ("picked_up", "delivered"):
        receive.receive(on.world, "SHA", "paper-co", callback(job, kind, on.clock()))
        on.settle()
        on.clock.forward(minutes=20)
    assert states(on, order) == ["delivered"]
    assert taken(on) == {"household": 1}
    second = put(on, "key-2", tier="diamond")
    on.settle()
    assert reasons(on, second) == (Reason.QUOTA_FULL,)


# --- edge case 23 ---------------------------------------------------------------------------------------------


def order_at(on: Stage, key: str, start: datetime, hours: float = 2, **changes: Any) -> Order:
    window = {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=hours)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    return put(on, key, window=window, **changes)


def test_edge_case_23_a_day_begins_at_midnight_in_shanghai_and_not_in_utc() -> None:
    evening = NOON + timedelta(hours=8)  # eight in the evening
    on = stage(start=evening)
    whole_night = {"start": evening, "end": evening + timedelta(hours=14)}
    enlist.put_slot(on.world, slot(1, 9, window=whole_night))
    under(on, ("zone", 1))
    tonight = order_at(on, "key-1", evening + timedelta(minutes=30))
    early = order_at(on, "key-2", NOON + timedelta(hours=13))  # one in the morning: still the 11th in UTC
    late = order_at(on, "key-3", NOON + timedelta(hours=17))  # five
    on.settle()
    assert states(on, tonight, early, late) == ["booked", "booked", "held"] or states(
        on, tonight, early, late
    ) == ["booked", "held", "booked"]
    assert taken(on, DAY) == {"zone zone-Yongjia": 1} and taken(on, "2022-04-12") == {"zone zone-Yongjia": 1}


def test_edge_case_23_a_stay_across_midnight_counts_on_both_days() -> None:
    evening = NOON + timedelta(hours=9)
    on = stage(start=evening)
    enlist.put_slot(on.world, slot(1, 9, window={"start": evening, "end": evening + timedelta(hours=10)}))
    under(on, ("zone", 1))
    across = order_at(on, "key-1", NOON + timedelta(hours=11, minutes=30))
    on.settle()
    assert states(on, across) == ["booked"]
    assert taken(on, DAY) == taken(on, "2022-04-12") == {"zone zone-Yongjia": 1}
    cancel.cancel(on.world, "maison", across.order_id, on.order(across.order_id).version)
    on.settle()
    assert taken(on, DAY) == taken(on, "2022-04-12") == {"zone zone-Yongjia": 0}


def test_edge_case_23_who_lacks_only_a_quota_is_looked_at_when_the_local_day_is_over() -> None:
    before_midnight = NOON + timedelta(hours=11, minutes=55)
    on = stage(start=before_midnight)
    window = {"start": before_midnight, "end": before_midnight + timedelta(hours=9)}
    enlist.put_slot(on.world, slot(1, 9, window=window))
    under(on, ("zone", 0))
    order = order_at(on, "key-1", NOON + timedelta(hours=13))
    on.settle()
    outlook = on.order(order.order_id).outlook
    assert outlook is not None and outlook.next_look == NOON + timedelta(hours=12)


def test_edge_case_23_a_message_that_comes_again_takes_nothing_more() -> None:
    on = stage()
    under(on, ("zone", 5), ("household", 5), ("courier", 5))
    put(on, "key-1")
    nudges = on.world.queues.take()  # type: ignore[attr-defined]
    for _ in range(3):
        for topic, name in nudges:
            drive.run(on.world, topic, name)
        on.settle()
    assert set(taken(on).values()) == {1}


def test_edge_case_23_of_two_planners_who_want_the_last_one_the_second_puts_its_order_back() -> None:
    """Both have read the counter while there was one left; the transaction is the judge."""
    on = stage()
    under(on, ("zone", 1))
    first, second = put(on, "key-1"), put(on, "key-2", tier="diamond")
    on.world.queues.take()  # type: ignore[attr-defined]
    ground = dispatch.check.ground(on.world, "SHA")
    mine, _ = dispatch.decide(on.world, [on.order(first.order_id)], ground, on.clock())
    theirs, _ = dispatch.decide(on.world, [on.order(second.order_id)], ground, on.clock())
    assert all(ruling.takes is not None for ruling in (*mine, *theirs))
    assert assign.save(on.world, "SHA", None, mine, ground) == mine
    assert assign.save(on.world, "SHA", None, theirs, ground) == []
    assert states(on, first, second) == ["assigned", "placed"]
    assert taken(on) == {"zone zone-Yongjia": 1} and on.left() == 2


# --- edge case 42 ---------------------------------------------------------------------------------------------


def test_edge_case_42_two_brands_share_a_household_and_neither_learns_of_the_other() -> None:
    on = stage()
    under(on, ("household", 1), ("zone", 50))
    first = put(on, "key-1", brand="maison", recipient=at_flat("2单元501室"))
    on.settle()
    second = put(on, "key-2", brand="atelier", recipient=at_flat("2-501", building="03号楼"))
    third = put(on, "key-3", brand="atelier", recipient=at_flat("2单元502室"))
    on.settle()
    assert states(on, first, second, third) == ["booked", "held", "booked"]
    assert reasons(on, second) == (Reason.QUOTA_FULL,)
    # the same household, however it is written, and what its brand is told is what a full zone would have been told
    other = stage()
    under(other, ("household", 50), ("zone", 0))
    alike = put(other, "key-2", brand="atelier", recipient=at_flat("2-501", building="03号楼"))
    other.settle()
    pieces = [look.evidence_of(each.world, second.order_id)[-1] for each in (on, other)]
    assert alike.order_id == second.order_id
    hidden = {"zones", "policies", "rules_digest"}
    assert pieces[0].model_dump(exclude=hidden) == pieces[1].model_dump(exclude=hidden)
    said = json.dumps(list(on.world.log.lines), default=str)  # type: ignore[attr-defined]
    assert "household" not in said and first.order_id not in pieces[0].model_dump_json()


def test_edge_case_42_a_question_that_nobody_acts_on_says_nothing_of_what_a_household_gets() -> None:
    """Else a brand could ask, day by day, whether anybody else sends this client anything."""
    on = stage()
    under(on, ("household", 1), ("zone", 2))
    put(on, "key-1", recipient=at_flat("501"))
    on.settle()
    question = new_order(recipient=at_flat("501"))
    assert look.clearance(on.world, question).decision == "yes"
    put(on, "key-2", recipient=at_flat("502"))
    on.settle()
    answer = look.clearance(on.world, question)
    assert (answer.decision, answer.reasons) == ("no", (Reason.QUOTA_FULL,)), "the zone is everybody's affair"


def test_no_address_can_be_read_off_any_key_nor_one_days_household_off_anothers() -> None:
    on = stage()
    enlist.put_slot(on.world, slot(1, 9, window={"start": NOON, "end": NOON + timedelta(hours=30)}))
    under(on, ("household", 5))
    put(on, "key-1", recipient=at_flat("501"))
    order_at(on, "key-2", NOON + timedelta(hours=22), recipient=at_flat("501"))
    on.settle()
    names = [
        row.key.sk for day in (DAY, "2022-04-12") for row in on.plain.table.read(f"quota#SHA#{day}").rows
    ]
    assert len(set(names)) == 2, "the same household under two names"
    for row in on.plain.table.rows.values():  # type: ignore[attr-defined]
        for secret in ("Yongjia", "501", "Wang", "310101"):
            is_a_rule = row.key.sk.startswith(("chunk", "part")) or "rules" in row.key.pk
            assert is_a_rule or secret not in f"{row.key.pk} {row.key.sk}".replace(row.key.sk[-32:], ""), (
                row.key
            )
    salt = on.plain.table.get(facts.salt_key("SHA"))
    assert salt is not None and salt.body == "{}" and salt.sealed.startswith(b"owned:market#SHA:")
    on.world.memory.clear()
    put(on, "key-3", recipient=at_flat("501"))
    on.settle()
    assert taken(on) == {"household": 2}, "another process names it alike"


# --- quotas that come or change while orders are under way ----------------------------------------------------


def test_a_quota_that_is_set_later_counts_who_is_on_its_way_to_be_booked_or_fetched() -> None:
    on = stage()
    first = put(on, "key-1")
    on.settle()
    under(on, ("zone", 1))
    assert states(on, first) == ["booked"] and taken(on) == {"zone zone-Yongjia": 1}
    second = put(on, "key-2", tier="diamond")
    on.settle()
    assert reasons(on, second) == (Reason.QUOTA_FULL,)
    on.minutes(20)
    assert taken(on) == {"zone zone-Yongjia": 1}, "once, however often it is decided again"


def test_of_those_who_are_booked_when_a_quota_is_set_no_more_than_it_lets_through_go_on() -> None:
    on = stage()
    orders = [put(on, f"key-{n}") for n in range(3)]
    on.settle()
    under(on, ("zone", 2))
    assert sorted(states(on, *orders)) == ["booked", "booked", "held"]
    assert taken(on) == {"zone zone-Yongjia": 2} and on.left() == 1
    held = next(o for o in orders if states(on, o) == ["held"])
    on.minutes(15)
    assert reasons(on, held) == (Reason.QUOTA_FULL,)


def test_what_is_with_the_courier_when_a_quota_is_set_is_brought_to_its_end() -> None:
    on = stage()
    order = put(on, "key-1")
    on.settle()
    on.clock.forward(minutes=60)
    receive.receive(
        on.world, "SHA", "paper-co", callback(next(iter(on.company.jobs)), "picked_up", on.clock())
    )
    on.settle()
    under(on, ("zone", 0))
    assert states(on, order) == ["picked_up"] and taken(on) == {}
    assert on.order(order.order_id).leg.live_booking.state == "booked"  # type: ignore[union-attr]


def test_a_lower_limit_takes_nothing_from_anybody_and_lets_nobody_else_through() -> None:
    on = stage(capacity=5)
    under(on, ("zone", 3))
    orders = [put(on, f"key-{n}") for n in range(2)]
    on.settle()
    under(on, ("zone", 1), version=2)
    assert states(on, *orders) == ["booked", "booked"] and taken(on) == {"zone zone-Yongjia": 2}
    third = put(on, "key-3")
    on.settle()
    assert reasons(on, third) == (Reason.QUOTA_FULL,)
    under(on, ("zone", 3), version=3)
    assert states(on, third) == ["booked"] and taken(on) == {"zone zone-Yongjia": 3}


def test_a_quota_set_between_assignment_and_booking_is_taken_by_the_booking() -> None:
    on = stage()
    order = put(on, "key-1")
    for topic, name in on.world.queues.take(Topic.DISPATCH):  # type: ignore[attr-defined]
        drive.run(on.world, topic, name)
    nudges = on.world.queues.take()  # type: ignore[attr-defined]
    under(on, ("zone", 1))  # rezone takes it ...
    assert taken(on) == {"zone zone-Yongjia": 1}
    for topic, name in nudges:
        drive.run(on.world, topic, name)
    on.settle()
    assert states(on, order) == ["booked"] and taken(on) == {"zone zone-Yongjia": 1}


def test_a_booking_that_finds_a_new_quota_full_is_not_made() -> None:
    on = stage()
    first = put(on, "key-1")
    for topic, name in on.world.queues.take(Topic.DISPATCH):  # type: ignore[attr-defined]
        drive.run(on.world, topic, name)
    nudges = [nudge for nudge in on.world.queues.take() if nudge[0] is Topic.BOOK]  # type: ignore[attr-defined]
    upload = publish.begin(on.world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    part = {"policies": [limited(("zone", 0))], "features": [zone("Yongjia", "limited@1")], "released": []}
    publish.add_part(on.world, "SHA", upload.upload_id, 1, json.dumps(part).encode())
    publish.finish(on.world, "SHA", upload.upload_id)
    publish.publish(on.world, "SHA", upload.upload_id)
    on.world.queues.take()  # type: ignore[attr-defined]
    for topic, name in nudges:
        drive.run(on.world, topic, name)
    assert not on.company.jobs and states(on, first) == ["held"]
    assert reasons(on, first) == (Reason.QUOTA_FULL,) and on.left() == 3 and taken(on) == {}


# --- permits that are good once -------------------------------------------------------------------------------


def once(n: int, name: str = "") -> Any:
    return permit(n, permit_id=name or f"permit-{n}", single_use=True)


def used(on: Stage) -> dict[str, int]:
    rows = on.plain.table.read(facts.fleet_collection("SHA"), "used#").rows
    return {row.key.sk.removeprefix("used#"): row.counters[facts.TAKEN] for row in rows}


def test_a_permit_that_is_good_once_lets_one_gift_through() -> None:
    on = stage()
    enlist.put_permit(on.world, once(1))
    first, second = put(on, "key-1", tier="diamond"), put(on, "key-2")
    on.settle()
    assert states(on, first, second) == ["booked", "held"] and used(on) == {"permit-1": 1}
    assert reasons(on, second) == (Reason.PERMIT_USED,)
    on.minutes(25)
    assert states(on, first, second) == ["booked", "held"], "its own use is not held against it"


def test_a_vehicle_with_three_such_permits_goes_three_times_in_one_round() -> None:
    on = stage(capacity=5)
    for name in ("permit-1", "permit-2", "permit-3"):
        enlist.put_permit(on.world, once(1, name))
    orders = [put(on, f"key-{n}") for n in range(4)]
    on.settle()
    assert sorted(states(on, *orders)) == ["booked", "booked", "booked", "held"]
    assert used(on) == {"permit-1": 1, "permit-2": 1, "permit-3": 1}
    given = [on.order(o.order_id).leg.assignment for o in orders]
    assert sorted(a.permit_ids for a in given if a is not None) == [
        ("permit-1",),
        ("permit-2",),
        ("permit-3",),
    ]


def test_a_gift_that_never_left_gives_its_permit_back() -> None:
    on = stage()
    enlist.put_permit(on.world, once(1))
    first, second = put(on, "key-1", tier="diamond"), put(on, "key-2")
    on.settle()
    cancel.cancel(on.world, "maison", first.order_id, on.order(first.order_id).version)
    on.settle()
    assert states(on, first, second) == ["cancelled", "booked"] and used(on) == {"permit-1": 1}


def test_a_permit_that_was_used_stays_used_when_it_is_taken_out_and_put_in_again() -> None:
    on = stage()
    enlist.put_permit(on.world, once(1))
    order = put(on, "key-1")
    on.settle()
    on.clock.forward(minutes=60)
    receive.receive(
        on.world, "SHA", "paper-co", callback(next(iter(on.company.jobs)), "picked_up", on.clock())
    )
    enlist.remove(on.world, "SHA", "permits", "permit-1")
    enlist.put_permit(on.world, once(1))
    on.settle()
    assert states(on, order) == ["picked_up"]
    assert enlist.fleet(on.world, "SHA").uses_left == {"permit-1": 0}


def test_when_its_permit_is_revoked_an_order_gives_it_back_and_takes_another() -> None:
    on = stage()
    enlist.put_permit(on.world, once(1))
    order = put(on, "key-1")
    on.settle()
    enlist.put_permit(on.world, once(1, "permit-2"))
    on.settle()
    assert used(on) == {"permit-1": 1}
    enlist.put_permit(on.world, permit(1, single_use=True, revoked_at=NOON))
    on.settle()
    on.minutes(12)
    assert states(on, order) == ["booked"]
    assert used(on) == {"permit-1": 0, "permit-2": 1}


# --- transactions ---------------------------------------------------------------------------------------------


def test_a_round_of_many_households_is_saved_in_transactions_that_bear_them() -> None:
    on = stage(capacity=60)
    under(on, ("zone", 45), ("household", 1), ("courier", 99))
    orders = [put(on, f"key-{n}", recipient=at_flat(f"{n + 100}")) for n in range(50)]
    on.settle()
    assert Counter(states(on, *orders)) == {"booked": 45, "held": 5}
    assert taken(on) == {"zone zone-Yongjia": 45, "household": 45, "courier zone-Yongjia/paper-co": 45}


def test_counters_lapse_some_days_after_their_day_and_not_before_any_slot_does() -> None:
    on = stage()
    under(on, ("zone", 1))
    put(on, "key-1")
    on.settle()
    row = on.plain.table.read(f"quota#SHA#{DAY}").rows[0]
    slot_row = on.plain.table.get(facts.slot_key("SHA", "slot-1"))
    assert slot_row is not None and slot_row.expires_at is not None and row.expires_at is not None
    assert slot_row.expires_at < row.expires_at <= facts.epoch(NOON + timedelta(days=16))


def test_a_slot_that_has_lapsed_does_not_keep_a_quota_from_being_given_back() -> None:
    on = stage()
    under(on, ("zone", 1))
    on.company.refuse["book"] = "no_riders"
    order = put(on, "key-1")
    for topic, name in on.world.queues.take(Topic.DISPATCH):  # type: ignore[attr-defined]
        drive.run(on.world, topic, name)
    on.plain.table.rows.pop(facts.slot_key("SHA", "slot-1"))  # type: ignore[attr-defined]
    on.settle()
    assert taken(on) == {"zone zone-Yongjia": 0}
    assert on.order(order.order_id).leg.assignment is None


def test_no_lower_rank_has_the_place_of_who_only_needs_another_permit_of_the_same_vehicle() -> None:
    on = stage(capacity=2)
    for name in ("permit-1", "permit-2"):
        enlist.put_permit(on.world, once(1, name))
    enlist.put_permit(on.world, permit(1, permit_id="flowers", item_classes=["flowers"]))
    items = [{**body()["gift"]["items"][0], "item_class": "flowers"}]
    standard = put(on, "key-1", tier="standard", gift={"items": items})
    diamonds = [put(on, f"key-diamond-{n}", tier="diamond") for n in range(2)]
    on.settle()
    assert states(on, *diamonds, standard) == ["booked", "booked", "held"]
    assert used(on) == {"permit-1": 1, "permit-2": 1}
    piece = look.evidence_of(on.world, standard.order_id)[0]
    assert piece.reasons == (Reason.OUTRANKED,) and piece.explanation is not None
    assert piece.explanation.out_ranked is not None and piece.explanation.out_ranked.lowest is Tier.DIAMOND
