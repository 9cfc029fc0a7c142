"""Any past decision can be asked again as known then, whatever has become known since."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.errors import Missing
from chalicelib.domain.evidence import LIMIT, Step
from chalicelib.domain.legs import EventKind
from chalicelib.domain.orders import OrderState
from chalicelib.domain.snapshots import Torn
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import enlist, look
from chalicelib.flows.place import place
from chalicelib.flows.receive import receive
from chalicelib.flows.replay import Replay, again, replay
from tests.stage import (
    CLOSED,
    CONTACTLESS,
    NOON,
    OPEN_TO_THE_DOOR,
    Stage,
    crew,
    new_order,
    publish_rules,
    stage,
    zone,
)

POLICIES = (OPEN_TO_THE_DOOR, CONTACTLESS, CLOSED)


def ordered(on: Stage, compound: str = "Yongjia") -> str:
    order, _ = place(on.world, "maison", f"k-{compound}", new_order(compound))
    on.settle()
    return order.order_id


def every(on: Stage, order_id: str) -> list[Replay]:
    order = on.order(order_id)
    return [again(on.world, order, piece) for piece in look.evidence_of(on.world, order_id)]


def seal(on: Stage, policy: str = "sealed@1", name: str = "Yongjia", **changes: Any) -> None:
    there = zone(name, policy, "sealed", zone_id=f"zone-{policy[:6]}-{name}", **changes)
    publish_rules(on.world, "amend", there, policies=POLICIES)
    on.settle()


def test_what_a_curfew_for_clients_left_of_the_ways_is_no_difference() -> None:
    on = stage()
    curfew = {"start_local": "15:00", "end_local": "23:00", "stops": ["collection"]}
    indoors = {**OPEN_TO_THE_DOOR, "policy_id": "indoors", "curfews": [curfew]}
    publish_rules(on.world, "amend", zone("Yongjia", "indoors@1"), policies=[indoors])
    (told,) = every(on, ordered(on))
    assert told.decision is Decision.YES
    assert told.recorded.handovers == ("door",)
    assert told.differences == ()


def test_a_yes_is_a_yes_again_with_all_that_it_rested_on() -> None:
    on = stage()
    (told,) = every(on, ordered(on))
    assert told.decision is Decision.YES
    assert told.differences == ()
    assert told.replayed == told.recorded
    assert told.replayed.client_zones == ("zone-Yongjia",)


@pytest.mark.parametrize("kind", ["compound", "building"])
def test_where_thousands_of_zones_speak_there_is_an_order_and_its_evidence_fits(kind: str) -> None:
    on = stage()
    units = [{"kind": kind, "district": "310101", "compound": "Yongjia"} for _ in range(7000)]
    if kind == "building":
        units = [{**unit, "building": f"east wing {n}"} for n, unit in enumerate(units)]
    many = [zone("Yongjia", zone_id=f"zone-{n:04d}-{'x' * 50}", unit=unit) for n, unit in enumerate(units)]
    for at in range(0, len(many), 2000):
        publish_rules(on.world, "amend", *many[at : at + 2000], policies=POLICIES)
    order_id = ordered(on)
    assert on.order(order_id).state is OrderState.BOOKED
    (piece,) = look.evidence_of(on.world, order_id)
    assert len(piece.model_dump_json(exclude_defaults=True).encode()) <= LIMIT
    assert piece.client_zones and set(piece.client_zones) <= set(piece.zones)
    told = again(on.world, on.order(order_id), piece)
    assert told.replayed is not None
    assert len(told.replayed.zones) == len(piece.zones) + piece.more["zones"] > 7000
    assert told.differences == ()


def test_what_has_become_known_since_does_not_count() -> None:
    on = stage()
    order_id = ordered(on)
    on.clock.forward(minutes=10)
    seal(on, "banned@1", valid_from=(NOON - timedelta(days=3)).isoformat())  # as if it had held all the time
    first, second = every(on, order_id)[:2]
    assert (first.decision, second.decision) == (Decision.YES, Decision.NO)
    assert first.differences == second.differences == ()
    assert "zone-banned-Yongjia" not in first.replayed.zones  # type: ignore[union-attr]
    assert second.replayed.reasons == (Reason.NO_HANDOVER,)  # type: ignore[union-attr]


def test_every_step_to_the_door_can_be_asked_again() -> None:
    on = stage()
    order_id = ordered(on)
    (job,) = on.company.jobs.values()
    for kind in (EventKind.PICKED_UP, EventKind.DELIVERED):
        on.clock.forward(minutes=40)
        said = on.company.move(job.reference, kind, on.clock())
        receive(on.world, "SHA", "paper-co", said)
        on.settle()
    told = every(on, order_id)
    assert [one.step for one in told] == [Step.DISPATCH, Step.PICK_UP, Step.HAND_OVER]
    assert [one.differences for one in told] == [(), (), ()]
    assert all(one.replayed is not None for one in told)


def test_a_no_that_lies_with_crews_says_what_is_not_asked_again() -> None:
    on = stage()
    enlist.put_crew(on.world, crew(withdrawn=True))
    (told,) = every(on, ordered(on))
    assert told.not_replayed == (Reason.CREW_WITHDRAWN,)
    assert told.differences == ()
    assert told.replayed is not None


def test_a_place_that_nobody_has_ruled_on_is_unknown_again_though_it_is_ruled_on_now() -> None:
    on = stage()
    order_id = ordered(on, "Elsewhere")
    publish_rules(on.world, "amend", zone("Elsewhere"), policies=POLICIES)
    first = every(on, order_id)[0]
    assert first.decision is Decision.HOLD
    assert first.replayed is not None
    assert first.replayed.reasons == (Reason.ZONE_UNKNOWN,)
    assert first.differences == ()


def test_a_hand_over_that_the_courier_had_not_been_told_lies_with_the_courier() -> None:
    on = stage()
    order_id = ordered(on)
    on.clock.forward(minutes=5)
    lobby = {**OPEN_TO_THE_DOOR, "policy_id": "lobby", "handovers": ["lobby"]}
    publish_rules(on.world, "amend", zone("Yongjia", "lobby@1"), policies=[lobby])
    on.settle()
    told = next(one for one in every(on, order_id) if one.step is Step.REZONE)
    assert told.decision is Decision.NO
    assert told.not_replayed == (Reason.NO_HANDOVER,)
    assert told.differences == ()


def test_without_rules_there_is_nothing_to_ask() -> None:
    on = stage()
    table: Any = on.plain.table
    table.rows.pop(facts.pointer_key("SHA"))
    (told,) = every(on, ordered(on))
    assert told.why_not == "there were no rules to ask"
    assert told.replayed is None


def test_evidence_from_before_the_question_was_kept_says_so() -> None:
    on = stage()
    order_id = ordered(on)
    (piece,) = look.evidence_of(on.world, order_id)
    told = again(on.world, on.order(order_id), piece.model_copy(update={"phase": None}))
    assert told.why_not is not None
    assert told.replayed is None


def test_evidence_that_was_altered_is_found_out() -> None:
    on = stage()
    order_id = ordered(on)
    (piece,) = look.evidence_of(on.world, order_id)
    forged = piece.model_copy(update={"handovers": ("gate",), "zones": ("zone-Kitchen",)})
    assert again(on.world, on.order(order_id), forged).differences == ("handovers", "zones")


def test_a_replay_leaves_what_the_process_remembers_of_the_rules_in_force() -> None:
    on = stage()
    order_id = ordered(on)
    seal(on, name="Other")
    seal(on, name="Another")
    before = dict(on.world.memory["rules#SHA"])
    every(on, order_id)
    assert on.world.memory["rules#SHA"] == before


def test_a_snapshot_of_which_a_part_is_gone_concludes_nothing() -> None:
    on = stage()
    order_id = ordered(on)
    table: Any = on.plain.table
    for key in [key for key in table.rows if key.pk.startswith("snapshot#")]:
        del table.rows[key]
    on.world.memory.clear()
    with pytest.raises(Torn):
        replay(on.world, order_id, "0001")


def test_a_decision_that_was_never_taken_is_not_there() -> None:
    on = stage()
    with pytest.raises(Missing, match="0007"):
        replay(on.world, ordered(on), "0007")
