"""Onfleet: the vector, the vendor's own story in every order, what is asked for, and what the answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.couriers.onfleet import Onfleet, _house
from chalicelib.domain.dialect import (
    Booked,
    Callback,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    Heard,
    NotFound,
    NotTaken,
    Reply,
    Request,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import Gift, TemperatureRange
from chalicelib.domain.legs import Event, EventKind, fold, reference_of
from chalicelib.domain.places import Datum, converted
from chalicelib.domain.policies import NEAREST_FIRST, TO_THE_CLIENT, Handover
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, gift, job
from tests.couriers.samples_onfleet import (
    ACCOUNT,
    ROTATED,
    TRIGGERS,
    body,
    metadata,
    milliseconds,
    refusal,
    reply,
    signed,
    task,
    told,
)

SHARED = Path(os.environ.get("CORDON_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "couriers"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the vector and the callbacks are not at {SHARED} (set CORDON_SHARED)"
)
dialect = Onfleet()
EVERY_PROOF = frozenset(Proof)
AT = datetime(2022, 4, 11, 4, 0, 30, 250_000, UTC)
TASK = "txiK2xHBIaUwAKB~BJrjscKu"
CLONE = "WGpUvHMTSrwZh*lqtTIt9iSW"
SPARE = "3C0W9uQ0bT~0kdXiwrXk5A1h"


def body_of(request: Request) -> Any:
    return json.loads(request.body)


def booking(**changes: Any) -> dict[str, Any]:
    account = changes.pop("account", {})
    of = replace(job(**changes.pop("job", {})), **changes)
    read: dict[str, Any] = body_of(dialect.book({**ACCOUNT, **account}, "", of, NOON))
    return read


def heard(raw: bytes, at: datetime = NOON) -> Heard:
    return dialect.hear((ACCOUNT,), signed(ACCOUNT, raw), "onf", at)


def one(raw: bytes) -> Event:
    (event,) = heard(raw).events
    return event


# --- the vector and what was recorded ---


@needs_shared
def test_the_vector_verifies_and_nothing_that_differs_from_it_in_a_byte() -> None:
    vectors = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    known = next(one for one in vectors if one["courier"] == "onfleet")
    account = {**ACCOUNT, "webhook_secret": known["secret"]}
    raw, expected = known["body"].encode(), known["expected"]
    callback = Callback("POST", {}, {"x-onfleet-signature": expected}, raw)
    with pytest.raises(Malformed):  # proven, and no JSON
        dialect.hear((account,), callback, "onf", NOON)
    spoilt = [replace(callback, body=raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :]) for i in range(len(raw))]
    spoilt += [
        replace(callback, headers={"x-onfleet-signature": expected[:i] + "x" + expected[i + 1 :]})
        for i in range(len(expected))
    ]
    spoilt += [
        replace(callback, headers={}),
        replace(callback, headers={"x-onfleet-signature": expected.upper()}),
    ]
    for forged in spoilt:
        with pytest.raises(Unauthorised):
            dialect.hear((account,), forged, "onf", NOON)
    for secret in ("", "00", known["secret"] + "ff", "some-secret"):
        with pytest.raises(Unauthorised):
            dialect.hear(({**account, "webhook_secret": secret},), callback, "onf", NOON)


def recorded(name: str, **changes: Any) -> dict[str, Any]:
    """A sample of the vendor's, with our reference where the sample has none."""
    read: dict[str, Any] = json.loads((SHARED / "onfleet" / f"{name}.json").read_text())
    read["data"]["task"] |= {"metadata": metadata(REFERENCE), **changes}
    return read


MEANINGS = {
    "taskCreated": (EventKind.COURIER_ASSIGNED, "", 1613002584051),
    "taskAssigned": (EventKind.COURIER_ASSIGNED, "", 1613004164575),
    "taskStarted": (EventKind.IN_TRANSIT, "", 1613004361894),
    "taskFailed": (EventKind.FAILED, "address_not_found", 1613004459779),
    "taskCompleted": (EventKind.DELIVERED, "", 1613004642071),
}
"""Of the samples. The one that was created was assigned already; an end has its own time, before the call's."""


@needs_shared
@pytest.mark.parametrize(("name", "meaning"), MEANINGS.items())
def test_every_recorded_callback_is_read(name: str, meaning: tuple[EventKind, str, int]) -> None:
    raw = (SHARED / "onfleet" / f"{name}.json").read_bytes()
    as_sent = heard(raw)
    assert (as_sent.events, as_sent.foreign, as_sent.answer) == ((), (json.loads(raw)["taskId"],), b"")
    event = one(json.dumps(recorded(name)).encode())
    moment = datetime.fromtimestamp(meaning[2] / 1000, UTC)
    assert (event.kind, event.reason, event.occurred_at) == (*meaning[:2], moment)
    assert (event.raw_status, event.reference) == (name, REFERENCE)
    assert event.correction is (name == "taskCompleted")  # of these, only the second attempt is a clone
    said = event.model_dump_json()
    assert "Shured" not in said and "Test User" not in said and "+1714" not in said


@needs_shared
def test_a_recorded_change_of_shift_is_acknowledged_and_is_nothing() -> None:
    assert heard((SHARED / "onfleet" / "workerDuty.json").read_bytes()) == Heard(())


def story() -> list[bytes]:
    """The vendor's own: created, unassigned, assigned, started, failed; cloned twice, one clone deleted, the other
    delivered. What its samples leave out is told in the layout of those beside it."""

    def like(name: str, trigger: str, time: int, **changes: Any) -> dict[str, Any]:
        return recorded(name, **changes) | {"triggerName": trigger, "triggerId": 99, "time": time}

    spare: dict[str, Any] = {"id": SPARE, "sourceTaskId": TASK, "state": 0}
    again: dict[str, Any] = {"id": CLONE, "sourceTaskId": TASK, "state": 1}
    told = [
        recorded("taskCreated"),
        like("taskCreated", "taskUnassigned", 1613003000000, state=0),
        recorded("taskAssigned"),
        recorded("taskStarted"),
        like("taskStarted", "taskEta", 1613004400000),
        recorded("taskFailed"),
        like("taskCreated", "taskCloned", 1613004500000, **spare),
        like("taskCreated", "taskDeleted", 1613004550000, **spare),
        like("taskCreated", "taskCloned", 1613004583800, **again),
        like("taskAssigned", "taskAssigned", 1613004600000, **again),
        like("taskStarted", "taskStarted", 1613004620500, **again | {"state": 2}),
        recorded("taskCompleted"),
        like("taskCompleted", "taskUpdated", 1613004700000),
    ]
    return [json.dumps(one).encode() for one in told]


def folded(calls: list[bytes], until: int | None = None) -> Any:
    return fold(event for call in calls[:until] for event in heard(call).events)


@needs_shared
def test_the_vendors_story_is_told_step_by_step() -> None:
    calls = story()
    kinds = [folded(calls, count).kind for count in range(1, len(calls) + 1)]
    assert kinds == [
        EventKind.COURIER_ASSIGNED,
        EventKind.ACCEPTED,  # the driver is lost, the job is not
        EventKind.COURIER_ASSIGNED,
        EventKind.IN_TRANSIT,
        EventKind.IN_TRANSIT,
        EventKind.FAILED,
        EventKind.FAILED,
        EventKind.FAILED,  # that the spare clone was deleted ends nothing
        EventKind.FAILED,
        EventKind.FAILED,
        EventKind.IN_TRANSIT,  # the second attempt: the end was not the end
        EventKind.DELIVERED,
        EventKind.DELIVERED,
    ]
    track = folded(calls)
    assert track.picked_up_at == datetime.fromtimestamp(1613004361.894, UTC)
    assert track.ended_at == datetime.fromtimestamp(1613004642.071, UTC)


@needs_shared
def test_the_vendors_story_converges_in_every_order_and_doubled() -> None:
    calls, truth = story(), folded(story())
    events = [event for call in calls for event in heard(call).events]
    seven = events[2:]
    for order in itertools.permutations(range(len(seven))):
        assert fold([*events[:2], *(seven[place] for place in order)]) == truth
    dice = random.Random(6)  # noqa: S311
    for _ in range(300):
        shuffled = [*calls, *dice.sample(calls, 5)]
        dice.shuffle(shuffled)
        assert folded(shuffled) == truth


# --- asking ---


def test_a_job_is_one_drop_off_with_the_fields_of_the_documentation() -> None:
    request = dialect.book(ACCOUNT, "", job(), NOON)
    assert (request.method, request.url) == ("POST", "https://onfleet.com/api/v2/tasks")
    login = base64.b64encode(b"c64f80ba83d7cfce8ae74f51e263ce93:").decode()
    assert request.headers["authorization"] == f"Basic {login}"
    assert request.headers["content-type"].startswith("application/json")
    asked = body_of(request)
    assert set(asked) == {
        "destination", "recipients", "recipientName", "recipientSkipSMSNotifications", "completeAfter",
        "completeBefore", "pickupTask", "quantity", "notes", "metadata",
    }  # fmt: skip
    assert asked["pickupTask"] is False
    assert asked["metadata"] == metadata(REFERENCE)
    assert asked["recipients"] == [
        {
            "name": "王女士",
            "phone": "+8618512345678",
            "skipSMSNotifications": True,
            "skipPhoneNumberValidation": True,
        }
    ]
    assert (asked["recipientName"], asked["recipientSkipSMSNotifications"]) == ("王女士", True)
    assert "王女士".encode() in request.body  # plain UTF-8


def test_nobody_but_us_is_named_in_the_address_of_a_request() -> None:
    for request in (
        dialect.book(ACCOUNT, "", job(), NOON),
        dialect.look_up(ACCOUNT, "", REFERENCE, None, NOON),
        dialect.cancel(ACCOUNT, "", REFERENCE, TASK, "brand", NOON),
    ):
        assert request.url.isascii() and "185" not in request.url and "?" not in request.url


def test_the_window_is_said_in_milliseconds_and_never_made_wider() -> None:
    odd = timedelta(microseconds=1_500)
    start, end = NOON + timedelta(hours=3), NOON + timedelta(hours=5)
    asked = booking(job={"deliver_from": start + odd, "deliver_by": end + odd})
    assert asked["completeAfter"] == milliseconds(start) + 2
    assert asked["completeBefore"] == milliseconds(end) + 1
    shanghai = timezone(timedelta(hours=8))
    same = booking(job={"deliver_from": start.astimezone(shanghai), "deliver_by": end.astimezone(shanghai)})
    assert (same["completeAfter"], same["completeBefore"]) == (milliseconds(start), milliseconds(end))


@pytest.mark.parametrize("datum", Datum)
def test_a_place_is_given_in_wgs84_longitude_first(datum: Datum) -> None:
    lng, lat = booking(job={"datum": datum})["destination"]["location"]
    expected = converted((121.446389, 31.206944), datum, Datum.WGS84)
    assert (lng, lat) == (pytest.approx(expected[0], abs=1e-6), pytest.approx(expected[1], abs=1e-6))


def test_an_address_has_parts_for_one_string_cannot_stand_beside_a_location() -> None:
    assert booking()["destination"]["address"] == {
        "name": "衡山小区",
        "number": "100号",
        "street": "衡山路",
        "apartment": "2号楼 602",
        "city": "上海市",
        "state": "徐汇区",
        "country": "CN",
    }


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("2695 East Katella Avenue", ("2695", "East Katella Avenue")),
        ("221b, Baker Street", ("221b", "Baker Street")),
        ("南京西路1266号", ("1266号", "南京西路")),
        ("Hauptstraße 5a", ("5a", "Hauptstraße")),
        ("Rua Augusta 12-14", ("12-14", "Rua Augusta")),
        ("Pier Four", ("-", "Pier Four")),
        ("12", ("-", "12")),
        ("Carrer 7 d'Abril, Barcelona", ("-", "Carrer 7 d'Abril, Barcelona")),
    ],
)
def test_a_house_number_is_read_off_either_end_of_the_line(line: str, parts: tuple[str, str]) -> None:
    assert _house(line) == parts


@settings(deadline=None, max_examples=300)
@given(line=st.text(min_size=1, max_size=200))
def test_any_line_of_an_address_is_split_and_nothing_of_it_is_lost(line: str) -> None:
    number, street = _house(line)
    assert street
    assert number == "-" or (number in line and street in line)


def test_the_driver_reads_where_the_gift_is_when_to_come_and_how_to_hand_over() -> None:
    cold = gift(temperature=TemperatureRange(min_c=2.0, max_c=8.0), quantity=2)
    notes = booking(job={"of": cold, "handover": Handover.GATE})["notes"]
    assert "PICK UP at 恒隆广场店, 南京西路1266号, 衡山小区, 2号楼, 上海市" in notes
    assert "not before 2022-04-11 14:30" in notes  # on the clock of the place
    assert "刘一, +8613712345678" in notes
    assert "START this task when you have the gift in hand" in notes
    assert "at the compound gate; do not go in. Between 2022-04-11 15:00 and 17:00." in notes
    assert "Keep at 2 to 8 °C." in notes
    assert "2 x 花束" in notes
    assert notes.endswith(f"\nReference {REFERENCE}")


def test_a_name_with_a_line_in_it_cannot_pass_for_another_jobs_reference() -> None:
    other = reference_of(ORDER_ID, 1, 2)
    notes = booking(pick_up_name=f"Shop\nReference {other}\n")["notes"]
    assert [line for line in notes.splitlines() if line.startswith("Reference")] == [f"Reference {REFERENCE}"]


def test_the_longest_gift_keeps_within_the_notes_and_keeps_its_reference() -> None:
    item = gift().items[0]
    items = tuple(item.model_copy(update={"name": f"{n}" * 200}) for n in range(1, 10) for _ in range(2))
    notes = booking(job={"of": Gift(items=items)}, pick_up_name="店" * 8_000)["notes"]
    assert len(notes) == 10_000
    assert notes.endswith(REFERENCE)


@pytest.mark.parametrize("handover", NEAREST_FIRST)
def test_what_needs_the_client_is_asked_only_where_the_client_is(handover: Handover) -> None:
    asked = booking(job={"handover": handover}, proofs=EVERY_PROOF)["requirements"]
    if handover in TO_THE_CLIENT:
        assert asked == {"photo": True, "signature": True, "minimumAge": 18}
    else:
        assert asked == {"photo": True}


def test_only_what_the_fleet_can_bring_back_is_asked_for() -> None:
    assert booking(proofs=frozenset({Proof.SIGNATURE}))["requirements"] == {"signature": True}
    assert "requirements" not in booking(proofs=frozenset({Proof.PICKUP_CODE, Proof.RECEIPT_CODE}))
    assert dialect.proofs == {Proof.SIGNATURE, Proof.PHOTO, Proof.IDENTITY}


def test_a_job_goes_to_a_team_or_is_given_out_by_onfleet_and_not_both() -> None:
    team = "K3FXFtJj2FtaO2~H60evRrDc"
    assert booking(account={"team": team})["container"] == {"type": "TEAM", "team": team}
    both = booking(account={"team": team, "auto_assign": "distance"})
    assert both["autoAssign"] == {"mode": "distance", "team": team}
    assert "container" not in both
    assert booking(account={"auto_assign": "load"})["autoAssign"] == {"mode": "load"}
    assert booking(account={"executor": "org1"})["executor"] == "org1"


def test_a_job_is_looked_up_by_its_id_or_by_our_reference_and_ended_by_its_id() -> None:
    by_id = dialect.look_up(ACCOUNT, "", REFERENCE, "qNMz6CKwQ*26/Osl?siQ", NOON)
    assert (by_id.method, by_id.body) == ("GET", b"")
    assert by_id.url == "https://onfleet.com/api/v2/tasks/qNMz6CKwQ%2A26%2FOsl%3FsiQ"
    by_name = dialect.look_up(ACCOUNT, "", REFERENCE, None, NOON)
    assert (by_name.method, by_name.url) == ("POST", "https://onfleet.com/api/v2/tasks/metadata")
    assert body_of(by_name) == [{"name": "cordon_reference", "type": "string", "value": REFERENCE}]
    end = dialect.cancel(ACCOUNT, "", REFERENCE, TASK, "brand", NOON)
    assert (end.method, end.url) == ("DELETE", f"https://onfleet.com/api/v2/tasks/{TASK}")
    assert dialect.cancels_by_id


def test_another_base_is_used_where_the_account_names_one() -> None:
    account = {**ACCOUNT, "base_url": "https://sandbox.example/api/v2/"}
    assert dialect.book(account, "", job(), NOON).url == "https://sandbox.example/api/v2/tasks"


def test_there_is_nothing_to_log_in_to_and_nothing_to_be_quoted() -> None:
    assert dialect.login(ACCOUNT) is None
    with pytest.raises(Unanswered):
        dialect.logged_in(reply({"access_token": "x"}), NOON)
    assert dialect.quote(ACCOUNT, "", job(), NOON) is None
    assert dialect.quoted(reply({"fee": 5}), job(), NOON) == Unsure("no_prices")


# --- answers ---


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(task(REFERENCE, TASK, 0, NOON)), Booked(TASK)),
        (Reply(200, {}, b"\xef\xbb\xbf" + json.dumps(task(REFERENCE, TASK, 1, NOON)).encode()), Booked(TASK)),
        (reply({"id": ""}), Unsure("unreadable")),
        (reply({"id": "a b"}), Unsure("unreadable")),
        (reply([task(REFERENCE, TASK, 0, NOON)]), Unsure("unreadable")),
        (refusal(400, 1000), NotTaken("bad_arguments", whole_courier=True)),
        (refusal(400, 1000, "Geocoding errors found. "), NotTaken("address_not_found", whole_courier=True)),
        (refusal(400, 1000, {"type": "x"}), NotTaken("bad_arguments", whole_courier=True)),
        (refusal(400, 1004, {"type": "duplicateKey"}), Unsure("exists_already")),
        (refusal(400, 1009), NotTaken("times_refused", whole_courier=False)),
        (refusal(400, 1010), NotTaken("bad_phone", whole_courier=True)),
        (refusal(400, 1011), NotTaken("address_not_found", whole_courier=True)),
        (refusal(400, 1099), NotTaken("bad_arguments", whole_courier=True)),
        (refusal(401, 1102), NotTaken("account_refused", whole_courier=True)),
        (refusal(403, 1300), NotTaken("account_refused", whole_courier=True)),
        (refusal(404, 1402), NotTaken("bad_arguments", whole_courier=True)),
        (reply({"code": "Forbidden", "message": "no"}, 403), NotTaken("account_refused", whole_courier=True)),
        (reply({"message": "no"}, 403), Unsure("unreadable")),
        (Reply(403, {}, b"<html>"), Unsure("unreadable")),
        (refusal(408, 0), Unsure("http_408")),
        (refusal(409, 1004), Unsure("http_409")),
        (refusal(425, 0), Unsure("http_425")),
        (refusal(429, 2300), Unsure("http_429")),
        (refusal(500, 2500), Unsure("http_500")),
        (reply(task(REFERENCE, TASK, 0, NOON), 202), Unsure("http_202")),
    ],
)
def test_an_answer_to_a_booking_means(answer: Reply, meaning: object) -> None:
    assert dialect.booked(answer, job()) == meaning


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Reply(200, {}, b""), CancelConfirmed(returning=False)),
        (Reply(200, {}, b"{}"), CancelConfirmed(returning=False)),
        (Reply(200, {}, b"<html>"), Unsure("unreadable")),
        (Reply(204, {}, b""), Unsure("http_204")),
        (refusal(404, 1402), CancelUnknown()),
        (refusal(400, 1402), CancelUnknown()),
        (refusal(400, 1000), CancelRefused("not_deletable")),
        (refusal(412, 2000), CancelRefused("not_deletable")),
        (refusal(401, 1102), Unsure("account_refused")),
        (Reply(404, {}, b"not found"), Unsure("unreadable")),
        (refusal(429, 2300), Unsure("http_429")),
        (refusal(503, 2502), Unsure("http_503")),
    ],
)
def test_an_answer_to_a_cancellation_means(answer: Reply, meaning: object) -> None:
    assert dialect.cancelled(answer) == meaning


look = partial(dialect.looked_up, reference=REFERENCE, courier_id="onf", at=AT + timedelta(hours=1))


@pytest.mark.parametrize(
    ("state", "success", "meaning"),
    [
        (0, None, (EventKind.ACCEPTED, "state_0", "")),
        (1, None, (EventKind.COURIER_ASSIGNED, "state_1", "")),
        (2, None, (EventKind.IN_TRANSIT, "state_2", "")),
        (3, True, (EventKind.DELIVERED, "taskCompleted", "")),
        (3, False, (EventKind.FAILED, "taskFailed", "address_not_found")),
        (7, None, (EventKind.UNREADABLE, "state_7", "")),
    ],
)
def test_a_look_up_finds_where_a_task_stands(
    state: int, success: bool | None, meaning: tuple[EventKind, str, str]
) -> None:
    known = task(REFERENCE, TASK, state, AT, success)
    for answer in (reply(known), reply([known])):
        found = look(answer)
        assert isinstance(found, Found)
        assert (found.delivery_id, found.event is None) == (TASK, False)
        event = found.event
        assert event is not None
        assert (event.kind, event.raw_status, event.reason) == meaning
        assert (event.occurred_at, event.source, event.correction) == (AT, "look_up", False)
        assert look(answer) == found


@pytest.mark.parametrize("trigger", ["taskCompleted", "taskFailed"])
def test_an_end_that_is_looked_up_is_named_as_its_callback_is(trigger: str) -> None:
    ended = task(REFERENCE, TASK, 3, AT, trigger == "taskCompleted", timeLastModified=milliseconds(AT) + 28)
    called = one(body(trigger, ended, AT + timedelta(milliseconds=65)))
    found = look(reply(ended))
    assert isinstance(found, Found) and found.event is not None
    assert found.event.event_id == called.event_id
    assert found.event.occurred_at == called.occurred_at == AT


def test_of_a_job_and_its_clones_the_one_that_has_come_furthest_is_found() -> None:
    failed = task(REFERENCE, TASK, 3, AT, success=False)
    waiting = task(REFERENCE, SPARE, 0, AT, sourceTaskId=TASK)
    moving = task(REFERENCE, CLONE, 2, AT, sourceTaskId=TASK)
    assert look(reply([failed, waiting])) == Found(SPARE, None)  # to be tried again: nothing new of the gift
    found = look(reply([moving, failed, waiting]))
    assert isinstance(found, Found) and found.event is not None
    assert (found.delivery_id, found.event.kind, found.event.correction) == (
        CLONE,
        EventKind.IN_TRANSIT,
        True,
    )


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply([]), NotFound()),
        (refusal(404, 1402), NotFound()),
        (refusal(400, 1402), NotFound()),
        (reply({"id": TASK, "state": None}), Found(TASK, None)),
        (reply([task("", TASK, 1, AT)]), Unsure("another_job")),
        (reply(task(reference_of(ORDER_ID, 1, 9), TASK, 1, AT)), Unsure("another_job")),
        (reply({"tasks": []}), Unsure("unreadable")),
        (refusal(401, 1102), Unsure("account_refused")),
        (refusal(400, 1000), Unsure("bad_arguments")),
        (Reply(404, {}, b""), Unsure("unreadable")),
        (refusal(429, 2300), Unsure("http_429")),
    ],
)
def test_an_answer_to_a_look_up_means(answer: Reply, meaning: object) -> None:
    assert look(answer) == meaning


# --- hearing ---


@pytest.mark.parametrize(
    ("trigger", "state", "meaning"),
    [
        ("taskCreated", 0, EventKind.ACCEPTED),
        ("taskCreated", 1, EventKind.COURIER_ASSIGNED),
        ("taskAssigned", 0, EventKind.ACCEPTED),  # to a team, and nobody in it yet
        ("taskAssigned", 1, EventKind.COURIER_ASSIGNED),
        ("taskUnassigned", 0, EventKind.ACCEPTED),
        ("taskStarted", 2, EventKind.IN_TRANSIT),
        ("taskStarted", 1, EventKind.IN_TRANSIT),  # the trigger says more than a stale state
        ("taskDelayed", 1, EventKind.COURIER_ASSIGNED),
        ("taskDelayed", 2, EventKind.IN_TRANSIT),
        ("taskUpdated", 2, EventKind.IN_TRANSIT),
        ("taskDeleted", 0, EventKind.CANCELLED),
        ("taskDeleted", 2, EventKind.CANCELLED),
        ("taskCompleted", 3, EventKind.DELIVERED),
        ("taskFailed", 3, EventKind.FAILED),
        ("taskUpdated", None, EventKind.UNREADABLE),
        ("taskUpdated", True, EventKind.UNREADABLE),
        ("taskUpdated", 4, EventKind.UNREADABLE),
    ],
)
def test_a_trigger_and_a_state_mean(trigger: str, state: Any, meaning: EventKind) -> None:
    assert one(body(trigger, task(REFERENCE, TASK, state, AT), AT)).kind is meaning


@pytest.mark.parametrize(
    ("trigger", "details", "meaning"),
    [
        ("taskUpdated", {"success": True}, EventKind.DELIVERED),
        ("taskUpdated", {"success": False}, EventKind.FAILED),
        ("taskUpdated", {"failureReason": "UNAVAILABLE"}, EventKind.FAILED),
        ("taskUpdated", {"failureReason": "NONE"}, EventKind.UNREADABLE),
        ("taskUpdated", None, EventKind.UNREADABLE),
        ("taskCompleted", {"success": False}, EventKind.FAILED),
        ("taskCompleted", None, EventKind.DELIVERED),
        ("taskFailed", {"success": True}, EventKind.FAILED),
    ],
)
def test_a_completed_task_is_a_success_only_where_it_says_so(
    trigger: str, details: dict[str, Any] | None, meaning: EventKind
) -> None:
    assert one(body(trigger, task(REFERENCE, TASK, 3, AT, completionDetails=details), AT)).kind is meaning


def test_a_deleted_task_does_not_say_where_the_gift_is() -> None:
    deleted = told(ACCOUNT, REFERENCE, TASK, "taskDeleted", AT + timedelta(minutes=2), AT)
    started = told(ACCOUNT, REFERENCE, TASK, "taskStarted", AT, AT)
    (end,) = dialect.hear((ACCOUNT,), deleted, "onf", NOON).events
    (begin,) = dialect.hear((ACCOUNT,), started, "onf", NOON).events
    assert end.reason == "deleted"
    assert fold([end]).picked_up_at is None
    assert fold([begin, end]).picked_up_at == AT


def test_a_failed_task_has_the_gift_though_its_start_was_never_heard() -> None:
    (failed,) = dialect.hear(
        (ACCOUNT,), told(ACCOUNT, REFERENCE, TASK, "taskFailed", AT, AT), "o", NOON
    ).events
    assert fold([failed]).picked_up_at == AT


def test_a_lost_driver_is_said_and_ends_nothing() -> None:
    (lost,) = dialect.hear(
        (ACCOUNT,), told(ACCOUNT, REFERENCE, TASK, "taskUnassigned", AT, AT), "o", NOON
    ).events
    assert (lost.kind, lost.reason) == (EventKind.ACCEPTED, "driver_lost")
    assert not fold([lost]).has_ended


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("UNABLE_TO_LOCATE", "address_not_found"),
        ("WRONG_ADDRESS", "address_not_found"),
        ("RECIPIENT_UNAVAILABLE", "client_unavailable"),
        ("Customer not home", "client_unavailable"),
        ("UNAVAILABLE", "client_unavailable"),
        ("REFUSED_BY_CUSTOMER", "client_refused"),
        ("Recipient rejected", "client_refused"),
        ("CANCELLED", "cancelled"),  # by whom, it does not say
        ("COULD_NOT_ACCESS_BUILDING", "cannot_access_location"),
        ("ACCESSORY_MISSING", "accessory_missing"),
        ("Compound in lockdown", "closed_area"),
        ("CLOSED_AREA", "closed_area"),
        ("AGE_RESTRICTED", "age_restricted"),
        ("ITEM_INCORRECT", "goods_refused"),
        ("VEHICLE_BROKE_DOWN", "vehicle_broke_down"),
        ("Frau Meier war nicht da", "other"),
        ("NONE", "other"),
        (None, "other"),
        (5, "other"),
        ("X" * 500, "other"),
    ],
)
def test_each_organizations_own_words_for_a_failure_are_read(said: object, reason: str) -> None:
    details = {"success": False, "failureReason": said, "failureNotes": "Ms Wang said no"}
    event = one(body("taskFailed", task(REFERENCE, TASK, 3, AT, completionDetails=details), AT))
    assert event.reason == reason


def test_a_trigger_that_came_without_its_name_is_known_by_its_number() -> None:
    for name, (number, state) in TRIGGERS.items():
        by_number = body(name, task(REFERENCE, TASK, state, AT, success=None), AT, triggerName=None)
        assert one(by_number).raw_status == name, number
    for odd in (None, "x", 77, -1, 10**40):
        event = one(body("x", task(REFERENCE, TASK, 1, AT), AT, triggerName="", triggerId=odd))
        assert event.kind is EventKind.UNREADABLE


@pytest.mark.parametrize("name", ["taskTeleported", "任务", "x" * 500, "task started"])
def test_a_trigger_nobody_knows_is_kept_unreadable(name: str) -> None:
    event = one(body(name, task(REFERENCE, TASK, 2, AT), AT))
    assert event.kind is EventKind.UNREADABLE
    assert event.raw_status.isascii() and len(event.raw_status) <= 32 and event.event_id.isprintable()


@pytest.mark.parametrize(
    "extra", [{}, {"task": None}, {"routePlan": {"id": "x"}}, {"worker": {"name": "王师傅"}}]
)
def test_what_is_about_no_task_is_acknowledged(extra: dict[str, Any]) -> None:
    raw = json.dumps({"triggerId": 20, "triggerName": "routePlanCreated", "data": extra, "time": 1}).encode()
    assert heard(raw) == Heard(())
    assert heard(b'{"triggerId":17,"data":null}') == Heard(())


@pytest.mark.parametrize(
    ("entries", "foreign"),
    [
        ([], TASK),
        (None, TASK),
        ("odd", TASK),
        ([5, None, {"name": "other", "value": REFERENCE}], TASK),
        ([{"name": "cordon_reference", "value": 5}], TASK),
        ([{"name": "cordon_reference", "value": "SOMEBODY-1"}], "SOMEBODY-1"),
        ([{"name": "cordon_reference", "value": REFERENCE + "\n"}], REFERENCE + "\n"),
    ],
)
def test_a_task_of_somebody_elses_is_foreign(entries: object, foreign: str) -> None:
    answer = heard(body("taskStarted", task("", TASK, 2, AT, metadata=entries), AT))
    assert (answer.events, answer.foreign) == ((), (foreign,))


def test_our_reference_in_the_notes_counts_only_for_a_clone() -> None:
    notes = f"PICK UP somewhere\nReference {REFERENCE}"
    bare = {"metadata": [], "notes": notes}
    assert heard(body("taskStarted", task("", TASK, 2, AT, **bare), AT)).foreign == (TASK,)
    clone = one(body("taskStarted", task("", CLONE, 2, AT, sourceTaskId=TASK, **bare), AT))
    assert (clone.reference, clone.correction) == (REFERENCE, True)
    annotated = {"metadata": [], "notes": notes + "\nring twice"}
    assert one(body("taskStarted", task("", CLONE, 2, AT, sourceTaskId=TASK, **annotated), AT))
    for other in ("", "Reference ord_x", f"see Reference {REFERENCE}", None, 5):
        changes = {"metadata": [], "notes": other, "sourceTaskId": TASK}
        assert heard(body("taskStarted", task("", CLONE, 2, AT, **changes), AT)).foreign == (CLONE,)


@pytest.mark.parametrize(
    "trigger", ["taskCloned", "taskCreated", "taskAssigned", "taskUnassigned", "taskDeleted"]
)
def test_a_clone_that_was_not_started_says_nothing_of_the_gift(trigger: str) -> None:
    waiting = task(REFERENCE, CLONE, 1, AT, sourceTaskId=TASK)
    assert heard(body(trigger, waiting, AT)) == Heard(())


def test_a_clone_takes_over_from_a_task_that_was_deleted() -> None:
    deleted = one(body("taskDeleted", task(REFERENCE, TASK, 1, AT), AT))
    later = AT + timedelta(minutes=9)
    started = one(body("taskStarted", task(REFERENCE, CLONE, 2, later, sourceTaskId=TASK), later))
    failed = one(
        body("taskFailed", task(REFERENCE, CLONE, 3, later, success=False, sourceTaskId=TASK), later)
    )
    assert fold([deleted, started]).has_custody  # the gift is with a driver, not free
    delivered = one(body("taskCompleted", task(REFERENCE, TASK, 3, AT, success=True), AT))
    assert (
        fold([delivered, failed]).kind is EventKind.DELIVERED
    )  # what has arrived is not undone by a failure


@pytest.mark.parametrize("time", [None, 0, "yesterday", 1613004361, 10**30, float("nan"), True, [1]])
def test_a_callback_of_ours_without_its_time_is_malformed(time: object) -> None:
    raw = body("taskStarted", task(REFERENCE, TASK, 2, AT), AT, time=time)
    with pytest.raises(Malformed, match="time"):
        heard(raw)


@pytest.mark.parametrize("odd", [None, 5, "soon", 10**30])
def test_an_end_without_a_time_of_its_own_has_that_of_the_call(odd: object) -> None:
    details = {"success": True, "time": odd}
    event = one(body("taskCompleted", task(REFERENCE, TASK, 3, AT, completionDetails=details), AT))
    assert event.occurred_at == AT


def test_a_byte_order_mark_and_escapes_are_read_and_the_proof_is_over_the_raw_bytes() -> None:
    raw = body("taskStarted", task(REFERENCE, TASK, 2, AT), AT)
    escaped = json.dumps(json.loads(raw), indent=2).encode()  # \\u escapes, and white space
    for form in (b"\xef\xbb\xbf" + raw, escaped, b"\xef\xbb\xbf" + escaped):
        assert one(form).kind is EventKind.IN_TRANSIT
    proof = signed(ACCOUNT, raw)
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), replace(proof, body=escaped), "onf", NOON)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"not json",
        b"[" * 100_000,
        b'{"data":[]}',
        b'{"data":{"task":{"id":""}}}',
        b'{"data":{"task":{"state":1}}}',
        b'{"data":{"task":{"id":"x","completionDetails":[]}}}',
        b"\xff\xfe",
    ],
)
def test_junk_that_is_proven_is_malformed_and_names_fields_only(raw: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        heard(raw)
    assert len(str(caught.value)) < 200


def test_a_fault_names_the_field_and_not_what_stood_there() -> None:
    with pytest.raises(Malformed, match=r"data\.task\.id") as caught:
        heard(body("taskStarted", task(REFERENCE, "王女士 18512345678", 2, AT), AT))
    assert "王" not in str(caught.value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_in_any_field_is_read_or_malformed(data: st.DataObject) -> None:
    of = task(REFERENCE, TASK, 3, AT, success=False)
    call: dict[str, Any] = json.loads(body("taskFailed", of, AT))
    for part in (call, call["data"]["task"], call["data"]["task"]["completionDetails"]):
        for key in data.draw(st.sets(st.sampled_from(sorted(set(part) - {"data", "completionDetails"})))):
            part[key] = data.draw(_json)
    raw = json.dumps(call).encode()
    with suppress(Malformed):
        heard(raw)
    with suppress(Malformed):
        look(Reply(200, {}, json.dumps(call["data"]["task"]).encode()))


@settings(deadline=None, max_examples=200)
@given(value=_json, status=st.sampled_from([200, 400, 404, 412]))
def test_any_json_for_an_answer_is_read_and_raises_nothing(value: object, status: int) -> None:
    answer = reply(value, status)
    assert not isinstance(dialect.booked(answer, job()), Booked)
    assert isinstance(dialect.cancelled(answer), Unsure) or value == {}
    assert isinstance(look(answer), Unsure) or value == []


@pytest.mark.parametrize(
    "secret", ["", " ", "0", "0000", "xyz", "some-secret", "00 ff", "\uff10\uff10", "0x00ff"]
)
def test_a_secret_that_is_no_hexadecimal_number_proves_nothing(secret: str) -> None:
    account = {**ACCOUNT, "webhook_secret": secret}
    raw = body("taskStarted", task(REFERENCE, TASK, 2, AT), AT)
    for key in (b"", secret.encode(), b"\x00"):
        mac = hmac.new(key, raw, hashlib.sha512).hexdigest()
        with pytest.raises(Unauthorised):
            dialect.hear((account,), Callback("POST", {}, {"x-onfleet-signature": mac}, raw), "onf", NOON)


def test_a_secret_may_be_written_in_capitals_and_with_space_around_it() -> None:
    spelt = {**ACCOUNT, "webhook_secret": f" {ACCOUNT['webhook_secret'].upper()}\n"}
    raw = body("taskStarted", task(REFERENCE, TASK, 2, AT), AT)
    assert dialect.hear((spelt,), signed(ACCOUNT, raw), "onf", NOON).events


def test_a_callback_by_get_and_half_a_character_in_the_signature_are_refused() -> None:
    callback = told(ACCOUNT, REFERENCE, TASK, "taskStarted", AT, AT)
    for forged in (
        replace(callback, method="GET"),
        replace(callback, headers={"x-onfleet-signature": "\ud800"}),
        replace(callback, headers={"x-onfleet-signature": "ü" * 128}),
    ):
        with pytest.raises(Unauthorised):
            dialect.hear((ACCOUNT,), forged, "onf", NOON)


def test_a_callback_that_was_sent_again_for_a_day_is_the_same_event() -> None:
    callback = told(ACCOUNT, REFERENCE, TASK, "taskStarted", AT, AT)
    first = dialect.hear((ACCOUNT, ROTATED), callback, "onf", AT).events
    late = dialect.hear((ROTATED, ACCOUNT), callback, "onf", AT + timedelta(days=1)).events
    assert [event.event_id for event in first] == [event.event_id for event in late]


# --- greeting ---


def greeting(check: str = "32f5d2", method: str = "GET") -> Callback:
    return Callback(method, {"check": check}, {}, b"")


def test_the_check_is_answered_untouched() -> None:
    assert dialect.greet((ACCOUNT,), greeting(), NOON) == b"32f5d2"
    assert dialect.greet((ACCOUNT,), greeting("aB3+/=_-~*."), NOON) == b"aB3+/=_-~*."


@pytest.mark.parametrize(
    ("accounts", "callback"),
    [
        ((ACCOUNT,), greeting("")),
        ((ACCOUNT,), greeting("<script>alert(1)</script>")),
        ((ACCOUNT,), greeting("a\n")),
        ((ACCOUNT,), greeting("ü")),
        ((ACCOUNT,), greeting("a" * 257)),
        ((ACCOUNT,), greeting(method="POST")),
        ((ACCOUNT,), Callback("GET", {}, {}, b"")),
        ((), greeting()),
        (({**ACCOUNT, "webhook_secret": ""},), greeting()),
    ],
)
def test_a_check_with_a_page_in_it_or_without_a_secret_of_ours_is_refused(
    accounts: tuple[dict[str, str], ...], callback: Callback
) -> None:
    with pytest.raises(Unauthorised):
        dialect.greet(accounts, callback, NOON)


# --- import ---


def test_the_file_loads_nothing_heavy() -> None:
    script = (
        "import sys; import chalicelib.couriers.onfleet\n"
        "assert not {'cryptography', 'boto3', 'chalice', 'urllib3'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])  # noqa: S603
