"""To whom gifts would go that lose their slot: what is answered is what a round of dispatch then does, whatever it
heeds: rings that ride alone, companions, room, quotas, and whoever stands by."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.domain.impact import Affected, Outcome
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import enlist
from chalicelib.flows.place import place
from tests.flows.test_companions import put as together
from tests.flows.test_impact import ANTIGEN, STRICT, amendment, ask, ordered, ride, told
from tests.flows.test_quotas import limited
from tests.flows.test_rooms import sized
from tests.flows.test_suspect import turned_away
from tests.ring import insured, ring
from tests.stage import NOON, Stage, crew, new_order, permit, publish_rules, slot, stage, zone


def with_a_tested_crew(on: Stage, number: int, places: int, **changes: Any) -> None:
    """A crew that may go where antigen tests are asked for as well."""
    tests = crew(number).model_dump()["credentials"]
    enlist.put_crew(on.world, crew(number, credentials=(*tests, ANTIGEN)))
    enlist.put_permit(on.world, permit(number))
    enlist.put_slot(on.world, slot(number, places, **changes))
    on.settle()


def asked_then_published(on: Stage, *features: Any, policies: Any = ()) -> dict[str, Affected]:
    """The answer; and that all those it says where they go are there once it has been published."""
    answer = told(on, ask(on, amendment(*features, policies=policies)))
    publish_rules(on.world, "amend", *features, policies=policies)
    on.minutes(2)
    for name, one in answer.items():
        given = on.order(name).leg.assignment
        if one.outcome in (Outcome.MOVES, Outcome.FREED, Outcome.STRANDED, Outcome.HELD):
            assert (given.slot_id if given else None) == one.to_slot, (one, given)
        if given is None:
            outlook = on.order(name).outlook
            assert outlook is not None and set(outlook.reasons) == set(one.reasons), (one, outlook)
    return answer


def outcomes(answer: dict[str, Affected]) -> list[tuple[Outcome, str | None]]:
    return sorted((one.outcome, one.to_slot) for one in answer.values())


def test_of_two_rings_one_has_the_vehicle_to_itself_and_the_other_stays() -> None:
    on = stage(crews=2)
    enlist.put_courier(on.world, insured())
    on.settle()
    for name in ("ring-1", "ring-2"):
        place(on.world, "maison", name, ring())
    on.settle()
    with_a_tested_crew(on, 3, 3)
    answer = asked_then_published(on, zone("Yongjia", "strict@1"), policies=[STRICT])
    assert outcomes(answer) == [(Outcome.MOVES, "slot-3"), (Outcome.STRANDED, None)]
    (stays,) = (one for one in answer.values() if one.to_slot is None)
    assert Reason.VEHICLE_SHARED in stays.reasons


def test_companions_lose_their_slot_together_and_none_goes_where_there_is_no_room_for_all() -> None:
    on = stage(capacity=2)
    names = [together(on, "k-1"), together(on, "k-2")]
    on.settle()
    assert all(on.order(name).leg.assignment for name in names)
    with_a_tested_crew(on, 2, 1)
    answer = asked_then_published(on, zone("Yongjia", "strict@1"), policies=[STRICT])
    assert outcomes(answer) == [(Outcome.STRANDED, None)] * 2


def test_no_more_moves_into_a_vehicle_than_it_has_room_for() -> None:
    on = stage(capacity=5)
    for number in (1, 2):
        place(on.world, "maison", f"k-{number}", sized(30))
    on.settle()
    with_a_tested_crew(on, 2, 5, room_litres=40)
    answer = asked_then_published(on, zone("Yongjia", "strict@1"), policies=[STRICT])
    assert outcomes(answer) == [(Outcome.MOVES, "slot-2"), (Outcome.STRANDED, None)]
    (stays,) = (one for one in answer.values() if one.to_slot is None)
    assert Reason.NO_ROOM in stays.reasons


def test_what_who_loses_a_slot_had_of_a_quota_is_there_for_who_goes_instead() -> None:
    on = stage(capacity=5)
    publish_rules(on.world, "amend", zone("Yongjia", "limited@1"), policies=[limited(("zone", 2))])
    ordered(on, "Yongjia", "Yongjia")
    with_a_tested_crew(on, 2, 5)
    strict = {**STRICT, "quotas": [{"per": "zone", "limit": 2}]}
    answer = asked_then_published(on, zone("Yongjia", "strict@1"), policies=[strict])
    assert outcomes(answer) == [(Outcome.MOVES, "slot-2")] * 2


def test_who_stands_by_and_ranks_higher_has_the_place_that_comes_free() -> None:
    on = stage(capacity=1)
    publish_rules(on.world, "amend", zone("Garden", "strict@1"), zone("Court", "strict@1"), policies=[STRICT])
    with_a_tested_crew(on, 2, 1)
    gold, leaves = ordered(on, "Yongjia", "Court")
    diamond = place(on.world, "maison", "diamond", new_order("Garden", tier="diamond"))[0].order_id
    on.settle()
    assert on.order(diamond).leg.assignment is None
    answer = asked_then_published(on, zone("Court", "banned@1", "no_access"), zone("Yongjia", "strict@1"))
    assert {name: one.outcome for name, one in answer.items()} == {
        gold: Outcome.STRANDED,
        leaves: Outcome.STRANDED,
    }
    given = on.order(diamond).leg.assignment
    assert given is not None and given.slot_id == "slot-2"


def test_a_gift_that_is_late_is_recalled_all_the_same() -> None:
    on = stage()
    (order_id,) = ordered(on, "Yongjia")
    ride(on, order_id, "picked_up")
    on.clock.forward(hours=7)
    on.settle()
    answer = asked_then_published(on, zone("Yongjia", "banned@1", "no_access"))
    assert {name: one.outcome for name, one in answer.items()} == {order_id: Outcome.RECALLED}
    assert on.order(order_id).leg.bookings[0].cancel_reason == "not_cleared"


def test_what_may_not_go_on_as_it_is_anyway_is_told_apart() -> None:
    on = stage()
    (order_id,) = ordered(on, "Yongjia")
    enlist.put_crew(on.world, crew(withdrawn=True))
    on.world.queues.sent.clear()  # type: ignore[attr-defined]  # no pass has said so yet
    found = ask(on, amendment(zone("Yongjia", "sealed@1", "sealed")))
    assert found.counts == {"fails_anyway": 1}
    publish_rules(on.world, "amend", zone("Yongjia", "sealed@1", "sealed"))
    on.minutes(1)
    assert on.order(order_id).leg.assignment is None


def test_a_place_that_is_taken_to_be_closed_is_not_freed_by_rules() -> None:
    on = stage(capacity=9)
    first, second = ordered(on, "Yongjia", "Yongjia")
    for name in (first, second):
        turned_away(on, name)
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    waits = place(on.world, "maison", "third", new_order("Yongjia"))[0].order_id
    on.settle()
    found = ask(on, amendment(zone("Yongjia")))
    assert told(on, found) == {}
    publish_rules(on.world, "amend", zone("Yongjia"))
    on.minutes(1)
    assert on.order(waits).leg.assignment is None


def test_an_exemption_is_asked_about_as_well() -> None:
    on = stage()
    publish_rules(on.world, "amend", zone("Garden", "banned@1", "no_access"))
    ordered(on, "Garden")
    lifted = {
        "exemption_id": "flowers-may",
        "policy": "banned@1",
        "lifts": ["items"],
        "valid_from": (NOON - timedelta(days=1)).isoformat(),
        "authority": "District government",
    }
    found = ask(on, {**amendment(), "exemptions": [lifted]})
    assert found.faults == ()
