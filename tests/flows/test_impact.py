"""What a change would do, asked before it is made: the answer is what really happens then, and nothing is touched."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import Clashing, Invalid, Missing
from chalicelib.domain.impact import Affected, Impact, ImpactQuestion, ImpactState, Outcome
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Topic
from chalicelib.flows import enlist, inquire, publish, receive, weigh
from chalicelib.flows.place import place
from tests import drive
from tests.stage import NOON, Stage, crew, new_order, permit, publish_rules, slot, stage, zone

STRICT = {
    "policy_id": "strict",
    "version": 1,
    "title": "Antigen tests on top",
    "handovers": ["door", "gate"],
    "requirements": [{"kind": "pcr", "max_age_hours": 48}, {"kind": "antigen", "max_age_hours": 24}],
    "permit_needed": True,
}
ANTIGEN = {
    "kind": "antigen",
    "result": "negative",
    "sampled_at": (NOON - timedelta(hours=2)).isoformat(),
    "reported_at": (NOON - timedelta(hours=2)).isoformat(),
}


def amendment(*features: Any, policies: Any = (), released: Any = ()) -> dict[str, Any]:
    return {"policies": list(policies), "features": list(features), "released": list(released)}


def ask(on: Stage, change: Any = None, key: str = "question-1", settled: bool = True, **more: Any) -> Impact:
    asked = {**({} if change is None else {"amendment": change}), **more}
    raw = json.dumps(asked).encode()
    found = inquire.ask(on.world, "SHA", "test", key, ImpactQuestion.model_validate_json(raw), raw)
    if settled:
        on.settle()
    return inquire.impact_of(on.world, "SHA", found.impact_id)


def told(on: Stage, found: Impact) -> dict[str, Affected]:
    orders: list[Affected] = []
    after: int | None = 0
    while after is not None:
        page, after = inquire.affected(on.world, found, 3, after)
        orders += page
    return {one.order_id: one for one in orders}


def ordered(on: Stage, *compounds: str) -> list[str]:
    names = [
        place(on.world, "maison", f"key-{n}-{compound}", new_order(compound))[0].order_id
        for n, compound in enumerate(compounds)
    ]
    on.settle()
    return names


def rows(on: Stage) -> dict[Any, Any]:
    table: Any = on.plain.table
    return {key: row for key, row in table.rows.items() if not key.pk.startswith("impact#")}


def ride(on: Stage, order_id: str, *kinds: str) -> None:
    reference = on.order(order_id).leg.bookings[0].reference
    for kind in kinds:
        on.clock.forward(minutes=1)
        receive.receive(on.world, "SHA", "paper-co", on.company.move(reference, kind, on.clock.now))
        on.settle()


def test_what_is_answered_is_what_happens_when_the_change_is_made() -> None:
    on = stage(capacity=9)
    publish_rules(on.world, "amend", zone("Garden"), zone("Court"), zone("Lane"))
    banned, gated, same, carried, waits = ordered(on, "Yongjia", "Garden", "Court", "Lane", "Nowhere")
    on.clock.forward(minutes=70)
    ride(on, carried, "picked_up")
    change = (
        zone("Yongjia", "banned@1", "no_access"),
        zone("Garden", "sealed@1", "sealed"),
        zone("Lane", "banned@1", "no_access"),
        zone("Nowhere"),
    )
    before = rows(on)
    found = ask(on, amendment(*change))
    assert found.state is ImpactState.DONE
    assert rows(on) == before
    answer = told(on, found)
    assert {name: one.outcome for name, one in answer.items()} == {
        banned: Outcome.STRANDED,
        gated: Outcome.HANDOVER_CHANGES,
        carried: Outcome.RECALLED,
        waits: Outcome.FREED,
    }
    assert found.counts == {
        "stranded": 1, "handover_changes": 1, "recalled": 1, "freed": 1, "unaffected": 1,
    }  # fmt: skip
    assert (found.difference.new, found.difference.changed) == (1, 3)  # type: ignore[union-attr]
    publish_rules(on.world, "amend", *change)
    on.minutes(1)
    assert on.order(banned).state is OrderState.HELD
    assert set(on.order(banned).outlook.reasons) == set(answer[banned].reasons)  # type: ignore[union-attr]
    assert on.order(gated).leg.assignment.handovers == answer[gated].handovers  # type: ignore[union-attr]
    assert on.order(same).state is OrderState.BOOKED
    assert on.order(carried).leg.bookings[0].cancel_reason == "not_cleared"
    assert on.order(waits).leg.assignment.slot_id == answer[waits].to_slot  # type: ignore[union-attr]


def test_who_loses_a_slot_is_told_who_would_take_it_instead() -> None:
    on = stage(capacity=3)
    names = ordered(on, "Yongjia", "Yongjia")
    fresh = crew(2)
    enlist.put_crew(on.world, crew(2, credentials=(*fresh.model_dump()["credentials"], ANTIGEN)))
    enlist.put_permit(on.world, permit(2))
    enlist.put_slot(on.world, slot(2, 1))
    on.settle()
    change = amendment(zone("Yongjia", "strict@1"), policies=[STRICT])
    found = ask(on, change)
    answer = told(on, found)
    outcomes = sorted((one.outcome, one.slot, one.to_slot, one.to_courier) for one in answer.values())
    assert outcomes == [
        (Outcome.MOVES, "slot-1", "slot-2", "paper-co"),
        (Outcome.STRANDED, "slot-1", None, None),
    ]
    publish_rules(on.world, "amend", zone("Yongjia", "strict@1"), policies=[STRICT])
    on.minutes(2)
    went = [name for name in names if on.order(name).leg.assignment is not None]
    assert len(went) == 1
    assert on.order(went[0]).leg.bookings[-1].slot_id == "slot-2"


def test_the_places_of_those_who_lose_theirs_are_free_for_the_others() -> None:
    on = stage(capacity=1)
    publish_rules(on.world, "amend", zone("Nowhere", "banned@1", "no_access"))
    leaves, waits = ordered(on, "Yongjia", "Nowhere")
    found = ask(on, amendment(zone("Yongjia", "banned@1", "no_access"), zone("Nowhere")))
    answer = told(on, found)
    assert (answer[leaves].outcome, answer[waits].outcome) == (Outcome.STRANDED, Outcome.FREED)
    assert answer[waits].to_slot == "slot-1"


def test_a_change_that_takes_effect_later_touches_what_is_not_over_by_then() -> None:
    on = stage(capacity=3)
    (order_id,) = ordered(on, "Yongjia")
    change = amendment(zone("Yongjia", "banned@1", "no_access"))
    soon = ask(on, change, "soon", at=(NOON + timedelta(hours=2)).isoformat())
    late = ask(on, change, "late", at=(NOON + timedelta(hours=30)).isoformat())
    assert (set(told(on, soon)), set(told(on, late))) == ({order_id}, set())
    tomorrow = (NOON + timedelta(days=1)).isoformat()
    ban = zone("Yongjia", "banned@1", "no_access", zone_id="zone-later", valid_from=tomorrow)
    begins = ask(on, amendment(ban), "begins")
    assert told(on, begins) == {}


def test_a_permit_that_is_good_once_and_is_held_hides_nobody_from_the_answer() -> None:
    on = stage(capacity=3)
    enlist.put_permit(on.world, permit(single_use=True))
    (order_id,) = ordered(on, "Yongjia")
    assert on.order(order_id).leg.assignment is not None
    found = ask(on, amendment(zone("Yongjia", "banned@1", "no_access")))
    assert {name: one.outcome for name, one in told(on, found).items()} == {order_id: Outcome.STRANDED}


def test_a_gift_on_its_way_is_held_to_the_stay_it_was_given_and_no_longer() -> None:
    on = stage()
    ends = NOON + timedelta(hours=4, minutes=slot().return_minutes)
    enlist.put_permit(on.world, permit(valid={"start": NOON - timedelta(days=1), "end": ends}))
    (order_id,) = ordered(on, "Yongjia")
    on.clock.forward(hours=1)
    ride(on, order_id, "picked_up")
    on.clock.forward(minutes=170)
    found = ask(on, amendment(zone("Yongjia", "banned@1", "no_access")))
    assert {name: one.outcome for name, one in told(on, found).items()} == {order_id: Outcome.RECALLED}


def test_a_release_is_asked_about_as_well_and_unknown_is_not_open() -> None:
    on = stage(capacity=3)
    (order_id,) = ordered(on, "Yongjia")
    found = ask(on, amendment(released=["zone-Yongjia"]))
    one = told(on, found)[order_id]
    assert one.outcome is Outcome.HELD
    assert [str(reason) for reason in one.reasons] == ["zone_unknown"]


def test_an_upload_can_be_asked_about_before_it_is_finished_and_not_after() -> None:
    on = stage(capacity=3)
    (order_id,) = ordered(on, "Yongjia")
    upload = publish.begin(on.world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    with pytest.raises(Clashing, match="no parts yet"):
        ask(on, upload_id=upload.upload_id)
    part = json.dumps(amendment(zone("Yongjia", "banned@1", "no_access"))).encode()
    publish.add_part(on.world, "SHA", upload.upload_id, 1, part)
    found = ask(on, upload_id=upload.upload_id)
    assert set(told(on, found)) == {order_id}
    assert on.order(order_id).state is OrderState.BOOKED
    publish.finish(on.world, "SHA", upload.upload_id)
    on.minutes(1)
    assert on.order(order_id).leg.bookings[0].state is BookingState.CANCELLED
    with pytest.raises(Clashing, match="published"):
        ask(on, upload_id=upload.upload_id, key="question-2")
    with pytest.raises(Missing):
        ask(on, upload_id="upl_nobody", key="question-3")


def test_parts_that_change_while_it_is_asked_about_end_the_question() -> None:
    on = stage(capacity=3)
    ordered(on, "Yongjia")
    upload = publish.begin(on.world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    publish.add_part(on.world, "SHA", upload.upload_id, 1, json.dumps(amendment(zone("Court"))).encode())
    asked = ask(on, upload_id=upload.upload_id, settled=False)
    publish.add_part(on.world, "SHA", upload.upload_id, 1, json.dumps(amendment(zone("Garden"))).encode())
    on.settle()
    found = inquire.impact_of(on.world, "SHA", asked.impact_id)
    assert found.state is ImpactState.REFUSED
    assert "ask again" in found.faults[0].detail


def test_an_upload_that_lapses_while_it_is_asked_about_ends_the_question() -> None:
    on = stage(capacity=3)
    ordered(on, "Yongjia")
    upload = publish.begin(on.world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    publish.add_part(on.world, "SHA", upload.upload_id, 1, json.dumps(amendment(zone("Court"))).encode())
    asked = ask(on, upload_id=upload.upload_id, settled=False)
    table: Any = on.plain.table
    for key in [key for key in table.rows if upload.upload_id in key.pk]:
        del table.rows[key]
    on.settle()
    found = inquire.impact_of(on.world, "SHA", asked.impact_id)
    assert (found.state, found.faults[0].pointer) == (ImpactState.REFUSED, "/upload_id")


def test_a_faulty_change_is_refused_with_the_faults_that_its_upload_would_have() -> None:
    on = stage()
    found = ask(on, amendment(zone("Yongjia", "nobody-knows@7"), released=["zone-that-is-not"]))
    assert found.state is ImpactState.REFUSED
    assert [fault.pointer for fault in found.faults] == ["/features/0/properties/policy", "/released/0"]


def test_the_same_request_is_one_job_and_another_body_needs_another_key() -> None:
    on = stage()
    change = amendment(zone("Yongjia", "banned@1", "no_access"))
    first = ask(on, change, settled=False)
    again = ask(on, change)
    assert again.impact_id == first.impact_id
    assert again.state is ImpactState.DONE
    assert ask(on, change) == again
    with pytest.raises(Invalid, match="another body"):
        ask(on, amendment(zone("Court")))


@pytest.mark.parametrize("page", [1, 2, 7])
def test_lost_and_doubled_nudges_change_nothing_but_the_time_it_takes(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weigh, "PAGE", page)
    monkeypatch.setattr(inquire, "ROW", page)
    on = stage(capacity=9)
    names = ordered(on, *["Yongjia"] * 5, "Nowhere", "Nowhere")
    on.clock.forward(minutes=1)
    asked = ask(on, amendment(zone("Yongjia", "banned@1", "no_access")), settled=False)
    queues: Any = on.world.queues
    steps = 0
    while not inquire.impact_of(on.world, "SHA", asked.impact_id).is_over:
        waiting = [each for each in queues.take() if "impact" in each[1]]
        if steps % 3 == 0:
            waiting = []  # lost: the sweep has to find it
        for topic, name in waiting * 2:
            drive.run(on.world, topic, name)
        if not queues.sent:
            on.clock.forward(minutes=3)
            inquire.nudge_waiting(on.world)
        steps += 1
        assert steps < 100
    found = inquire.impact_of(on.world, "SHA", asked.impact_id)
    assert found.counts == {"stranded": 5, "unaffected": 2}
    assert found.orders_seen == 7
    assert set(told(on, found)) == set(names[:5])
    assert inquire.nudge_waiting(on.world) == 0


def test_the_answer_stands_on_the_rules_that_were_in_force_when_it_was_asked() -> None:
    on = stage(capacity=3)
    (order_id,) = ordered(on, "Yongjia")
    asked = ask(on, amendment(zone("Yongjia", "banned@1", "no_access")), settled=False)
    waiting = on.world.queues.take(Topic.RULES)  # type: ignore[attr-defined]
    publish_rules(on.world, "amend", zone("Court"))
    for topic, name in waiting:
        drive.run(on.world, topic, name)
    on.settle()
    found = inquire.impact_of(on.world, "SHA", asked.impact_id)
    assert found.base.version == 1
    assert found.difference.new == 0  # type: ignore[union-attr]
    assert set(told(on, found)) == {order_id}


def test_a_job_that_never_ends_is_given_up_and_one_that_is_old_is_gone() -> None:
    on = stage()
    asked = ask(on, amendment(zone("Court")), settled=False)
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    on.clock.forward(hours=2)
    assert inquire.nudge_waiting(on.world) == 1
    on.settle()
    assert inquire.impact_of(on.world, "SHA", asked.impact_id).state is ImpactState.FAILED
    on.clock.forward(days=7)
    with pytest.raises(Missing):
        inquire.impact_of(on.world, "SHA", asked.impact_id)


def test_only_so_many_questions_are_worked_at_and_only_about_what_is_to_come() -> None:
    on = stage()
    change = amendment(zone("Court"))
    with pytest.raises(Invalid, match="/at"):
        ask(on, change, "past", at=(NOON - timedelta(minutes=1)).isoformat())
    for number in range(inquire.RUNNING):
        ask(on, change, f"question-{number}", settled=False)
    with pytest.raises(Clashing, match="at a time"):
        ask(on, change, "one too many", settled=False)
    on.settle()
    assert ask(on, change, "one too many").state is ImpactState.DONE


def test_one_seal_that_does_not_open_ends_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    on = stage(capacity=3)
    broken, whole = ordered(on, "Yongjia", "Yongjia")
    unseal = on.world.sealer.unseal

    def opening(sealed: bytes, context: str) -> bytes:
        if context == broken:
            raise ValueError("torn")
        return unseal(sealed, context)

    monkeypatch.setattr(on.world.sealer, "unseal", opening)
    found = ask(on, amendment(zone("Yongjia", "banned@1", "no_access")))
    assert set(told(on, found)) == {whole}


def test_beyond_the_most_urgent_nobody_is_named_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weigh, "PLANNED", 1)
    on = stage(capacity=3)
    ordered(on, "Yongjia", "Yongjia", "Yongjia")
    found = ask(on, amendment(zone("Yongjia", "banned@1", "no_access")))
    assert found.counts == {"stranded": 1, "loses_slot": 2}
    assert found.unplanned == 2


def test_a_job_that_an_older_version_left_at_planning_is_handed_to_where_the_engine_is() -> None:
    on = stage(capacity=9)
    names = ordered(on, "Yongjia")
    on.clock.forward(minutes=1)
    asked = ask(on, amendment(zone("Yongjia", "banned@1", "no_access")), settled=False)
    queues: Any = on.world.queues
    while (topic := queues.sent[0][0]) is not Topic.DISPATCH or "impact" not in queues.sent[0][1]:
        drive.run(on.world, *queues.sent.pop(0))
    topic, name = queues.take()[-1]
    drive.run(on.world, Topic.RULES, name.replace("/", ":"))  # as it was nudged until now
    assert not inquire.impact_of(on.world, "SHA", asked.impact_id).is_over
    assert queues.sent[-1] == (topic, name)
    on.settle()
    found = inquire.impact_of(on.world, "SHA", asked.impact_id)
    assert set(told(on, found)) == set(names)
