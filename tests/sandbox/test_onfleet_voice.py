"""The simulated fleet that speaks Onfleet: what it asks of a task, what can be deleted, and what stays to be found."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.couriers.onfleet import Onfleet
from chalicelib.domain.dialect import (
    Booked,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    NotFound,
    NotTaken,
    Request,
)
from chalicelib.domain.legs import EventKind, fold
from chalicelib.domain.policies import NEAREST_FIRST, Handover
from sandbox.conduct import Conduct, Fate
from sandbox.fleet import CourierCompany
from sandbox.ledger import Stage
from sandbox.voices import onfleet
from tests.couriers.jobs import NOON, REFERENCE, job
from tests.sandbox.company import Caller, Ear, HandClock

dialect = Onfleet()


class Scene:
    def __init__(self) -> None:
        self.account = onfleet.account("lane9")
        self.clock = HandClock()
        self.ear = Ear(self.clock, dialect, self.account)
        self.company = CourierCompany(
            onfleet.Onfleet(self.account), self.clock, self.ear.url, Conduct(seed=3)
        )
        self.caller = Caller(self.company, self.clock, dialect, self.account)

    def booked(self) -> str:
        answer = self.caller.book()
        assert isinstance(answer, Booked)
        return answer.delivery_id

    def asked_with(self, **changes: Any) -> NotTaken | Booked:
        """A booking whose task was changed on the way."""
        request = dialect.book(self.caller.account, "", job(), NOON)
        task = {**json.loads(request.body), **changes}
        answer = dialect.booked(self.caller.send(replace(request, body=json.dumps(task).encode())), job())
        assert isinstance(answer, NotTaken | Booked)
        return answer


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.company.close()
    scene.ear.close()


def test_a_day_is_told_in_the_words_of_the_vendors_own_story(scene: Scene) -> None:
    scene.booked()
    scene.clock.turn()
    assert scene.ear.statuses() == ["taskAssigned", "taskStarted", "taskCompleted"]
    kinds = [event.kind for event in scene.ear.events]
    assert kinds == [EventKind.COURIER_ASSIGNED, EventKind.IN_TRANSIT, EventKind.DELIVERED]
    told = scene.company.jobs[REFERENCE]
    assert fold(scene.ear.events).picked_up_at == told.picked_up_at


@pytest.mark.parametrize("handover", NEAREST_FIRST)
def test_the_fleet_takes_every_task_that_the_adapter_makes(scene: Scene, handover: Handover) -> None:
    assert isinstance(scene.caller.book(handover=handover), Booked)


def test_a_task_has_its_parts_and_both_its_times(scene: Scene) -> None:
    whole = json.loads(dialect.book(scene.caller.account, "", job(), NOON).body)
    place = whole["destination"]
    for changes in (
        {"metadata": []},
        {"destination": None},
        {"destination": {**place, "location": None}},
        {"destination": {**place, "address": {**place["address"], "unparsed": "衡山路100号"}}},
        {"destination": {**place, "address": {**place["address"], "number": ""}}},
        {"recipients": []},
        {"recipients": [{"name": "王女士", "phone": "18512345678"}]},
        {"completeBefore": None},
        {"autoAssign": {"mode": "load"}, "container": {"type": "TEAM", "team": "x"}},
    ):
        assert scene.asked_with(**changes) == NotTaken("bad_arguments", whole_courier=True), changes
    for backwards in (0, whole["completeAfter"], 10**30):
        late = NotTaken("times_refused", whole_courier=False)
        assert scene.asked_with(completeBefore=backwards) == late
    assert scene.company.jobs == {}
    assert isinstance(scene.asked_with(container={"type": "TEAM", "team": "x"}), Booked)


@pytest.mark.parametrize("login", ["", "Basic", "Bearer x", "Basic " + base64.b64encode(b"other:").decode()])
def test_without_the_key_nothing_is_answered(scene: Scene, login: str) -> None:
    scene.booked()
    for request in (
        dialect.book(scene.caller.account, "", job(), NOON),
        dialect.look_up(scene.caller.account, "", REFERENCE, None, NOON),
        dialect.cancel(scene.caller.account, "", REFERENCE, "x", "", NOON),
    ):
        stranger = replace(request, headers={**request.headers, "authorization": login})
        assert scene.caller.send(stranger).status == 401
    assert len(scene.company.asked) == 1


def test_what_is_no_address_of_the_api_is_answered_so(scene: Scene) -> None:
    of = dialect.book(scene.caller.account, "", job(), NOON)
    base = scene.company.url
    for method, path, status in (("GET", "/workers", 404), ("PUT", "/tasks/x", 405), ("GET", "/tasks", 405)):
        assert scene.caller.send(Request(method, base + path, of.headers)).status == status


def test_a_job_is_found_by_its_id_and_by_our_reference_until_it_is_deleted(scene: Scene) -> None:
    delivery_id = scene.booked()
    by_name, by_id = scene.caller.look_up(), scene.caller.look_up(REFERENCE, delivery_id)
    assert isinstance(by_name, Found)
    assert by_name == by_id
    assert by_name.delivery_id == delivery_id
    assert scene.caller.cancel(delivery_id) == CancelConfirmed(returning=False)
    assert scene.caller.look_up() == scene.caller.look_up(REFERENCE, delivery_id) == NotFound()
    assert scene.caller.cancel(delivery_id) == CancelUnknown()
    scene.clock.turn()
    assert scene.ear.statuses()[-1] == "taskDeleted"
    assert fold(scene.ear.events).picked_up_at is None


def test_a_task_that_was_started_cannot_be_deleted_and_its_driver_may_be_called_back(scene: Scene) -> None:
    delivery_id = scene.booked()
    scene.clock.turn(scene.company.jobs[REFERENCE].timings.picked_up)
    assert scene.caller.cancel(delivery_id) == CancelRefused("not_deletable")
    scene.clock.turn()
    track = fold(scene.ear.events)
    assert (track.kind, track.reason) == (EventKind.FAILED, "recalled")
    assert track.picked_up_at is not None
    assert scene.company.jobs[REFERENCE].stage is Stage.RETURNED  # which Onfleet has no word for
    assert scene.caller.cancel(delivery_id) == CancelRefused("not_deletable")


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ("none", "client_unavailable"),
        ("refused", "client_refused"),
        ("closed", "cannot_access_location"),
    ],
)
def test_what_went_wrong_at_the_door_arrives_in_our_words(scene: Scene, gate: Any, reason: str) -> None:
    scene.company.conduct.fates[REFERENCE] = Fate(at_gate=gate)
    delivery_id = scene.booked()
    scene.clock.turn()
    assert (fold(scene.ear.events).kind, fold(scene.ear.events).reason) == (EventKind.FAILED, reason)
    found = scene.caller.look_up(REFERENCE, delivery_id)
    assert isinstance(found, Found) and found.event is not None
    assert found.event.reason == reason
    assert found.event.event_id == scene.ear.events[-1].event_id  # the look-up and the callback are one event


def test_a_driver_who_leaves_the_shop_without_the_gift_has_its_task_deleted(scene: Scene) -> None:
    scene.company.conduct.fates[REFERENCE] = Fate(failure="merchant_fault")
    scene.booked()
    scene.clock.turn()
    track = fold(scene.ear.events)
    assert (track.kind, track.picked_up_at) == (EventKind.CANCELLED, None)


def test_a_call_that_was_not_taken_comes_again_in_half_an_hour_and_keeps_its_time(scene: Scene) -> None:
    scene.ear.failing = 2
    scene.booked()
    scene.clock.turn(NOON + timedelta(hours=2))
    (assigned,) = scene.ear.events
    assert assigned.occurred_at == scene.company.jobs[REFERENCE].timings.assigned
    assert assigned.received_at == assigned.occurred_at + timedelta(hours=1)


def test_a_stranger_who_calls_in_its_name_is_not_heard(scene: Scene) -> None:
    scene.company.conduct.forge = 1.0
    scene.booked()
    scene.clock.turn(NOON + timedelta(minutes=10))
    forged = [sent for sent in scene.company.sent if sent.how == "forged"]
    assert forged and all(sent.answer == 401 for sent in forged)
    assert fold(scene.ear.events).kind is EventKind.COURIER_ASSIGNED
