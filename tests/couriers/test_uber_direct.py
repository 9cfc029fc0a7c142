"""Uber Direct: the vendor's vector, the recorded webhooks, and what its answers mean."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.couriers.uber_direct import LOOK_BACK, PAGE, REASONS, STATUSES, UberDirect
from chalicelib.domain.dialect import (
    Account,
    Booked,
    Callback,
    CancelConfirmed,
    CancelUnknown,
    Found,
    Job,
    NotFound,
    NotTaken,
    Quoted,
    Reply,
    Request,
    TokenRefused,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import ItemClass, TemperatureRange
from chalicelib.domain.legs import Event, EventKind, fold, reference_of
from chalicelib.domain.places import Datum
from chalicelib.domain.policies import NEAREST_FIRST, TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import Money
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, gift, job
from tests.couriers.samples_uber_direct import (
    ACCOUNT,
    EXISTS_ALREADY,
    ROTATED,
    delivery,
    escaped,
    precisely,
    recorded,
    signed,
    told,
    webhook,
)

SHARED = Path(os.environ.get("CORDON_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "couriers"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the recorded webhooks are not at {SHARED} (set CORDON_SHARED)"
)
dialect = UberDirect()
OTHER = reference_of(ORDER_ID, 1, 2)


def reply(http: int = 200, /, **told: object) -> Reply:
    return Reply(http, {}, json.dumps(told, ensure_ascii=False).encode())


def refusal(status: int, code: str, **metadata: object) -> Reply:
    return reply(status, code=code, message="in words", kind="error", metadata=metadata)


def body_of(request: Request) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(request.body)
    return read


def booking(of: Job | None = None, at: datetime = NOON, **account: str) -> dict[str, Any]:
    return body_of(dialect.book({**ACCOUNT, **account}, "tok", of or job(), at))


def heard(message: dict[str, object], account: Account = ACCOUNT) -> Any:
    return dialect.hear((account,), signed(account, escaped(message)), "uber", NOON)


def event_of(status: str, updated: datetime = NOON, delivery_id: str = "del_1", **changes: Any) -> Event:
    data = delivery(REFERENCE, delivery_id, status, updated, **changes)
    (event,) = heard(webhook(data, NOON)).events
    assert isinstance(event, Event)
    return event


# --- the vendor's vector and recorded webhooks ---


def test_the_vendors_worked_example_comes_out() -> None:
    """The one on Uber's page on webhooks: this key over this payload gives this signature."""
    body = b'{"kind": "event.courier_update", "location": {"lat": 37.7974109, "lng": -122.424145}}'
    callback = Callback(
        "POST",
        {},
        {"x-uber-signature": "cdff8133fb065f8d37a2c1c94c3331b6a82766d14e7ea4faacc4886558cedd65"},
        body,
    )
    account = {"signing_key": "c5c26d5a-70d6-46c7-a652-d7c09825ad29"}
    with pytest.raises(Malformed):  # proven; the example is shortened and has no delivery in it
        dialect.hear((account,), callback, "uber", NOON)
    for changed in (
        replace(callback, body=body + b" "),
        replace(callback, headers={"x-uber-signature": "CDFF" + callback.headers["x-uber-signature"][4:]}),
        replace(callback, headers={}),
    ):
        with pytest.raises(Unauthorised):
            dialect.hear((account,), changed, "uber", NOON)


def ours(reference_by_delivery: dict[str, str]) -> list[tuple[Callback, datetime]]:
    """The recorded webhooks of Postmates' sandbox, under references of ours: theirs name no customer's."""
    found = []
    for _, callback, came_at in recorded(SHARED).values():
        message = json.loads(callback.body)
        reference = reference_by_delivery.get(message["delivery_id"])
        if reference is not None:
            message["data"]["external_id"] = reference
            found.append((signed(ACCOUNT, json.dumps(message).encode()), came_at))
    return found


POSTMATES = {"del_MASZwRFw9rmOuk": REFERENCE, "del_MAS_yeYYcMN7HV": OTHER}


@needs_shared
def test_the_captures_of_2019_are_heard_as_they_are_and_are_nobodys_of_ours() -> None:
    assert len(recorded(SHARED)) >= 7
    for name, (account, callback, came_at) in recorded(SHARED).items():
        answer = dialect.hear((account,), callback, "uber", came_at)
        assert answer.events == (), name
        assert answer.foreign[0].startswith(("del_", "XXXX")), name


@needs_shared
def test_the_captures_of_2019_come_to_the_same_in_all_orders_and_doubled() -> None:
    calls = ours(POSTMATES)
    assert len(calls) == 5
    events = [
        event for call, came_at in calls for event in dialect.hear((ACCOUNT,), call, "p", came_at).events
    ]
    states = {
        (
            fold(event for event in order if event.reference == REFERENCE),
            fold(event for event in order if event.reference == OTHER),
        )
        for order in permutations([*events, events[0]])
    }
    ((delivered, on_its_way),) = states
    assert (delivered.kind, delivered.at) == (
        EventKind.DELIVERED,
        datetime(2019, 4, 17, 17, 42, 11, tzinfo=UTC),
    )
    assert delivered.picked_up_at == datetime(2019, 4, 17, 17, 41, 34, tzinfo=UTC)  # no pickup_complete came
    assert (on_its_way.kind, on_its_way.at) == (
        EventKind.AT_PICK_UP,
        datetime(2019, 4, 17, 17, 45, 30, tzinfo=UTC),
    )


@needs_shared
def test_what_was_sent_later_and_says_an_earlier_state_is_earlier() -> None:
    """Numbers 6 and 7 were made in one second; the second tells of half a minute before the first."""
    events = {}
    for call, came_at in ours(POSTMATES)[-2:]:
        (event,) = dialect.hear((ACCOUNT,), call, "p", came_at).events
        events[event.kind] = event
    assert set(events) == {EventKind.COURIER_ASSIGNED, EventKind.AT_PICK_UP}
    assert events[EventKind.COURIER_ASSIGNED].occurred_at < events[EventKind.AT_PICK_UP].occurred_at


@needs_shared
@pytest.mark.parametrize(
    ("name", "kind", "updated"),
    [
        (
            "delivery_status_pickup_complete.chunyenhuang.json",
            EventKind.PICKED_UP,
            "2022-04-14T17:39:18.187+00:00",
        ),
        (
            "courier_update_delivered.chunyenhuang.json",
            EventKind.DELIVERED,
            "2022-03-29T22:52:11.404+00:00",
        ),
    ],
)
def test_a_recorded_webhook_of_2022_is_read_to_the_millisecond(
    name: str, kind: EventKind, updated: str
) -> None:
    message = json.loads((SHARED / "uber_direct" / name).read_bytes())
    message["data"]["external_id"] = REFERENCE
    event = heard(message).events[0]
    assert (event.kind, event.occurred_at.isoformat(timespec="milliseconds")) == (kind, updated)


@needs_shared
def test_a_recorded_webhook_written_anew_is_refused() -> None:
    """The escapes are signed: `\\u0026` and `&` are one text and two bodies."""
    body = (SHARED / "uber_direct/postmates_2019/06_delivery_status_pickup.json").read_bytes()
    body = body.replace(b"&", b"\\u0026").replace(b"'", b"\\u0027")
    assert b"\\u0026quality" in body
    callback = signed(ACCOUNT, body)
    assert dialect.hear((ACCOUNT,), callback, "uber", NOON).foreign
    for separators in (None, (",", ":")):
        anew = json.dumps(json.loads(body), separators=separators).encode()
        assert json.loads(anew) == json.loads(body)
        with pytest.raises(Unauthorised):
            dialect.hear((ACCOUNT,), replace(callback, body=anew), "uber", NOON)


# --- proof ---


def test_the_older_header_proves_as_well_and_the_newer_decides_where_both_are_sent() -> None:
    callback = told(ACCOUNT, REFERENCE, "1", "pickup", NOON, NOON)
    right = callback.headers["x-uber-signature"]
    for headers in (
        {"x-postmates-signature": right},
        {"x-uber-signature": right, "x-postmates-signature": "0" * 64},
    ):
        assert dialect.hear((ACCOUNT,), replace(callback, headers=headers), "uber", NOON).events
    for headers in (
        {"x-uber-signature": "0" * 64, "x-postmates-signature": right},
        {"x-uber-signature": "", "x-postmates-signature": right},
        {"x-postmates-signature": "0" * 64},
        {"x-postmates-signature": ""},
    ):
        with pytest.raises(Unauthorised):
            dialect.hear((ACCOUNT,), replace(callback, headers=headers), "uber", NOON)


def test_every_flipped_bit_of_the_older_signature_is_refused() -> None:
    callback = signed(
        ACCOUNT, told(ACCOUNT, REFERENCE, "1", "pickup", NOON, NOON).body, "x-postmates-signature"
    )
    right = callback.headers["x-postmates-signature"]
    for position in range(len(right)):
        for bit in range(7):
            wrong = right[:position] + chr(ord(right[position]) ^ 1 << bit) + right[position + 1 :]
            with pytest.raises(Unauthorised):
                dialect.hear(
                    (ACCOUNT,), replace(callback, headers={"x-postmates-signature": wrong}), "u", NOON
                )


def test_an_empty_key_proves_nothing_even_to_who_signs_with_it() -> None:
    nobody = {**ACCOUNT, "signing_key": ""}
    with pytest.raises(Unauthorised):
        dialect.hear((nobody,), told(nobody, REFERENCE, "1", "pickup", NOON, NOON), "uber", NOON)
    assert dialect.hear(
        (nobody, ROTATED, ACCOUNT), told(ACCOUNT, REFERENCE, "1", "pickup", NOON, NOON), "uber", NOON
    ).events


def test_half_a_character_in_the_signature_is_refused_like_any_other_junk() -> None:
    callback = told(ACCOUNT, REFERENCE, "1", "pickup", NOON, NOON)
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), replace(callback, headers={"x-uber-signature": "\ud800"}), "uber", NOON)


def test_a_webhook_is_posted_and_nobody_is_greeted() -> None:
    callback = told(ACCOUNT, REFERENCE, "1", "pickup", NOON, NOON)
    for method in ("GET", "PUT", "post"):
        with pytest.raises(Unauthorised):
            dialect.hear((ACCOUNT,), replace(callback, method=method), "uber", NOON)
    with pytest.raises(Unauthorised):
        dialect.greet((ACCOUNT,), replace(callback, method="GET"), NOON)


def test_a_byte_order_mark_is_signed_and_not_read() -> None:
    body = b"\xef\xbb\xbf" + told(ACCOUNT, REFERENCE, "1", "dropoff", NOON, NOON).body
    assert dialect.hear((ACCOUNT,), signed(ACCOUNT, body), "uber", NOON).events
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), replace(signed(ACCOUNT, body), body=body[3:]), "uber", NOON)


# --- hearing ---


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_every_status_has_its_meaning(status: str, kind: EventKind) -> None:
    event = event_of(status)
    assert (event.kind, event.reason, event.occurred_at) == (kind, "", NOON)


def test_an_update_of_the_courier_has_no_status_beside_its_delivery() -> None:
    message = webhook(delivery(REFERENCE, "del_1", "dropoff", NOON), NOON, kind="event.courier_update")
    del message["status"]
    (event,) = heard(message).events
    assert (event.kind, event.occurred_at) == (EventKind.IN_TRANSIT, NOON)


def test_updates_that_tell_only_where_the_courier_is_are_one_event() -> None:
    """One comes every twenty seconds, each with an id of its own."""
    named = set()
    for number in range(5):
        data = delivery(REFERENCE, "del_1", "dropoff", NOON, courier={"location": {"lat": number, "lng": 0}})
        sent_at = NOON + timedelta(seconds=20 * number)
        (event,) = heard(webhook(data, sent_at, kind="event.courier_update", id=f"evt_{number}")).events
        named.add(event.event_id)
    (name,) = named
    assert name == event_of("dropoff").event_id


def test_two_events_of_one_status_that_differ_in_the_couriers_nearness_are_two() -> None:
    far, near = event_of("pickup"), event_of("pickup", NOON + timedelta(seconds=30), courier_imminent=True)
    assert (far.kind, near.kind) == (EventKind.COURIER_ASSIGNED, EventKind.AT_PICK_UP)
    assert far.event_id != near.event_id != event_of("pickup", near.occurred_at).event_id
    assert fold([near, far]).kind is EventKind.AT_PICK_UP
    assert event_of("dropoff", courier_imminent=True).kind is EventKind.IN_TRANSIT


def test_the_order_is_that_of_the_last_change_and_not_that_of_sending() -> None:
    data = delivery(REFERENCE, "del_1", "pickup", NOON)
    (event,) = heard(webhook(data, NOON + timedelta(minutes=7))).events
    assert event.occurred_at == NOON
    del data["updated"]
    (event,) = heard(webhook(data, NOON + timedelta(minutes=7))).events
    assert event.occurred_at == NOON + timedelta(minutes=7)


@pytest.mark.parametrize(
    "written",
    [
        "2022-04-11T04:00:00Z",
        "2022-04-11T04:00:00.00Z",
        "2022-04-11T04:00:00.0Z",
        "2022-04-11T00:00:00-04:00",
    ],
)
def test_a_time_is_read_in_whatever_precision_it_comes(written: str) -> None:
    assert event_of("pickup", updated=NOON).event_id.endswith(str(int(NOON.timestamp() * 1000)))
    data = delivery(REFERENCE, "del_1", "pickup", NOON) | {"updated": written}
    assert heard(webhook(data, NOON)).events[0] == event_of("pickup")


@pytest.mark.parametrize(("code", "reason"), REASONS.items())
def test_a_reason_is_told_in_our_words_however_it_is_written(code: str, reason: str) -> None:
    for written in (code, code.upper()):
        event = event_of("canceled", undeliverable_reason=written)
        assert (event.kind, event.reason) == (EventKind.CANCELLED, reason)


def test_the_robo_couriers_reasons_are_those_that_the_board_knows() -> None:
    assert {code: REASONS[code] for code in list(REASONS)[:4]} == {
        "cannot_access_customer_location": "cannot_access_location",
        "cannot_find_customer_address": "address_not_found",
        "customer_rejected_order": "client_refused",
        "customer_unavailable": "client_unavailable",
    }


def test_a_reason_that_nobody_knows_is_kept_as_a_slug_and_is_never_long() -> None:
    event = event_of("canceled", undeliverable_reason="Ran out of <b>petrol</b> " + "x" * 300)
    assert event.reason.startswith("ran_out_of_b_petrol_b")
    assert len(event.reason) <= 28
    assert event_of("canceled", undeliverable_reason=["a"]).reason == ""
    longest = event_of(
        "x" * 300,
        datetime(8999, 1, 1, tzinfo=UTC),
        "del_" + "x" * 36,
        undeliverable_reason="y" * 300,
    )
    assert len(longest.event_id) <= 128


@pytest.mark.parametrize(
    ("fetched", "kind"),
    [
        (None, EventKind.CANCELLED),
        ("completed", EventKind.FAILED),
        ("failed", EventKind.PICK_UP_FAILED),
        ("started", EventKind.CANCELLED),
        (7, EventKind.CANCELLED),
    ],
)
def test_canceled_is_said_on_both_sides_of_the_pick_up_and_its_waypoint_says_on_which(
    fetched: object, kind: EventKind
) -> None:
    event = event_of(
        "canceled", pickup={"status": fetched}, undeliverable_reason="cannot_access_customer_location"
    )
    assert (event.kind, event.reason) == (kind, "cannot_access_location")


def test_a_gift_left_at_the_door_is_delivered_and_says_so() -> None:
    event = event_of("delivered", undeliverable_action="left_at_door", courier=None)
    assert (event.kind, event.reason) == (EventKind.DELIVERED, "left_at_door")


def back(status: str, minutes: int = 0) -> Event:
    related = [{"id": "del_1", "relationship": "original"}]
    return event_of(status, NOON + timedelta(minutes=minutes), "ret_9", related_deliveries=related)


def test_a_return_is_a_delivery_of_its_own_and_only_its_end_brings_the_gift_back() -> None:
    for status in ("pending", "pickup", "pickup_complete", "dropoff"):
        event = back(status)
        assert (event.kind, event.raw_status) == (EventKind.RETURNING, f"ret_{status}")
    assert back("delivered").kind is EventKind.RETURNED
    assert (back("canceled").kind, back("canceled").reason) == (EventKind.FAILED, "return_failed")
    assert back("returned").kind is EventKind.UNREADABLE
    assert event_of("returned").kind is EventKind.RETURNING
    assert event_of("returned", **{"return": {"status": "completed"}}).kind is EventKind.RETURNED
    related = [{"id": "ret_9", "relationship": "return"}]
    assert event_of("canceled", related_deliveries=related).kind is EventKind.RETURNING
    assert event_of("canceled", related_deliveries=related[0]).kind is EventKind.RETURNING


@pytest.mark.parametrize("end", ["canceled", "returned", None])
def test_the_story_of_a_return_comes_to_the_same_in_all_orders(end: str | None) -> None:
    story = [event_of("pickup_complete"), back("pending", 11), back("delivered", 40)]
    if end is not None:
        fetched = {"status": "completed"}
        story.append(event_of(end, NOON + timedelta(minutes=10), pickup=fetched))
    (track,) = {fold(order) for order in permutations(story)}
    assert (track.kind, track.picked_up_at) == (EventKind.RETURNED, NOON)


def test_a_webhook_without_a_reference_of_ours_is_foreign() -> None:
    for changes, name in (
        ({"external_id": "POS-7", "manifest": None}, "POS-7"),
        ({"external_id": None, "manifest": {"reference": "M-1"}}, "M-1"),
        ({"external_id": None, "manifest": None}, "del_1"),
        ({"external_id": REFERENCE + "\n", "manifest": []}, (REFERENCE + "\n")),
        ({"external_id": "x" * 300, "manifest": None}, "x" * 64),
    ):
        answer = heard(webhook(delivery(REFERENCE, "del_1", "pickup", NOON, **changes), NOON))
        assert (answer.events, answer.foreign, answer.answer) == ((), (name,), b"")


def test_our_reference_is_found_by_either_name_that_a_delivery_has() -> None:
    for changes in (
        {"external_id": None},
        {"external_id": "the-pos-system's-own"},
        {"manifest": None},
        {"manifest": {"description": "1 Items"}},
    ):
        assert event_of("pickup", **changes).reference == REFERENCE


def test_other_kinds_of_webhooks_are_acknowledged() -> None:
    for kind in ("event.refund_request", "event.shopping_progress", "event.of_tomorrow", ""):
        answer = heard(webhook(delivery(REFERENCE, "del_1", "pickup", NOON), NOON, kind=kind))
        assert (answer.events, answer.foreign) == ((), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"id": "x" * 41},
        {"id": "del 1"},
        {"updated": "yesterday"},
        {"updated": 1649649600},
        {"updated": "2022-04-11T04:00:00"},
    ],
)
def test_a_proven_webhook_without_its_parts_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        heard(webhook(delivery(REFERENCE, "del_1", "pickup", NOON) | changes, NOON))
    with pytest.raises(Malformed):
        heard({"kind": "event.delivery_status", "data": None})
    with pytest.raises(Malformed):
        heard({"data": delivery(REFERENCE, "del_1", "pickup", NOON)})


def test_a_fault_names_the_field_and_not_what_stood_there() -> None:
    with pytest.raises(Malformed, match="updated") as caught:
        heard(webhook(delivery(REFERENCE, "del_1", "pickup", NOON) | {"updated": "王女士"}, NOON))
    assert "王" not in str(caught.value)


def test_nobodys_name_or_number_gets_into_an_event() -> None:
    text = event_of("pickup", dropoff={"name": "王女士", "phone_number": "+8618512345678"}).model_dump_json()
    for private in ("王", "18512345678", "Cori", "5555555555"):
        assert private not in text


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_in_any_field_is_read_or_malformed_and_answers_raise_nothing(data: st.DataObject) -> None:
    inner = delivery(REFERENCE, "del_1", "canceled", NOON) | {"return": {"status": "completed"}}
    for key in data.draw(st.sets(st.sampled_from(sorted(inner)), min_size=1)):
        inner[key] = data.draw(_json)
    message = webhook(inner, NOON)
    for key in data.draw(st.sets(st.sampled_from(sorted(set(message) - {"data"})))):
        message[key] = data.draw(_json)
    with suppress(Malformed):
        dialect.hear((ACCOUNT,), signed(ACCOUNT, json.dumps(message).encode()), "uber", NOON)
    answer = Reply(200, {}, json.dumps(inner).encode())
    dialect.booked(answer, job())
    dialect.quoted(answer, job(), NOON)
    dialect.cancelled(answer)
    dialect.looked_up(answer, REFERENCE, "uber", NOON)
    dialect.looked_up(Reply(200, {}, json.dumps({"data": [inner]}).encode()), REFERENCE, "uber", NOON)


def test_a_deeply_nested_webhook_is_an_error_and_never_a_crash() -> None:
    for body in (b"[" * 100_000, b'{"kind":"event.delivery_status","data":' + b'{"a":' * 50_000):
        with pytest.raises(Malformed):
            dialect.hear((ACCOUNT,), signed(ACCOUNT, body), "uber", NOON)


# --- asking ---


def test_logging_in_is_a_form_for_the_scope_of_deliveries() -> None:
    request = dialect.login({**ACCOUNT, "client_secret": "a&b=c d"})
    assert request is not None
    assert (request.method, request.url) == ("POST", "https://auth.uber.com/oauth/v2/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["the-client"],
        "client_secret": ["a&b=c d"],
        "scope": ["eats.deliveries"],
    }
    elsewhere = dialect.login({**ACCOUNT, "base_url": "http://127.0.0.1:9/"})
    assert elsewhere is not None
    assert elsewhere.url == "http://127.0.0.1:9/oauth/v2/token"


def test_a_token_is_dropped_before_it_ends() -> None:
    token = dialect.logged_in(reply(access_token="abc", expires_in=2_592_000, token_type="Bearer"), NOON)
    assert token.value == "abc"
    assert NOON + timedelta(days=29) < token.expires_at < NOON + timedelta(days=30)
    assert dialect.logged_in(reply(access_token="abc", expires_in=30), NOON).expires_at == NOON


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, error="invalid_client"),
        reply(access_token="", expires_in=7200),
        reply(access_token="abc"),
        reply(access_token="abc", expires_in=-1),
        reply(500, access_token="abc", expires_in=7200),
        Reply(200, {}, b"<html>"),
    ],
)
def test_a_login_without_a_token_is_unanswered(answer: Reply) -> None:
    with pytest.raises(Unanswered):
        dialect.logged_in(answer, NOON)


def test_every_request_goes_to_the_customers_deliveries_under_the_token() -> None:
    account = {**ACCOUNT, "customer_id": "cus_a/b", "base_url": "http://127.0.0.1:9/"}
    requests = {
        "quote": dialect.quote(account, "tok", job(), NOON),
        "book": dialect.book(account, "tok", job(), NOON),
        "cancel": dialect.cancel(account, "tok", REFERENCE, "del_1", "brand", NOON),
        "get": dialect.look_up(account, "tok", REFERENCE, "del_1", NOON),
        "list": dialect.look_up(account, "tok", REFERENCE, None, NOON),
    }
    root = "http://127.0.0.1:9/v1/customers/cus_a%2Fb/"
    assert {name: (one.method, one.url.removeprefix(root)) for name, one in requests.items()} == {
        "quote": ("POST", "delivery_quotes"),
        "book": ("POST", "deliveries"),
        "cancel": ("POST", "deliveries/del_1/cancel"),
        "get": ("GET", "deliveries/del_1"),
        "list": ("GET", f"deliveries?limit={PAGE}"),
    }
    assert {one.headers["authorization"] for one in requests.values()} == {"Bearer tok"}
    assert requests["cancel"].body == requests["get"].body == requests["list"].body == b""


def test_a_job_bears_our_reference_wherever_uber_keeps_one() -> None:
    asked = booking()
    assert asked["external_id"] == asked["manifest_reference"] == asked["idempotency_key"] == REFERENCE
    assert asked["undeliverable_action"] == "return"
    assert "quote_id" not in asked
    assert "test_specifications" not in asked
    assert booking(replace(job(), quote_id="dqt_1"))["quote_id"] == "dqt_1"
    robo = booking(robo_courier="auto")["test_specifications"]
    assert robo == {"robo_courier_specification": {"mode": "auto"}}


OF_A_WAY = frozenset(
    f"{end}_{part}"
    for end in ("pickup", "dropoff")
    for part in ("address", "latitude", "longitude", "phone_number", "ready_dt", "deadline_dt")
)
QUOTE_HAS = OF_A_WAY | {"manifest_total_value", "external_store_id"}
"""Create Quote, in the OpenAPI of uber/uber-direct-sdk."""
JOB_HAS = (
    QUOTE_HAS
    | {f"{end}_{part}" for end in ("pickup", "dropoff") for part in ("name", "business_name", "notes")}
    | {f"{end}_verification" for end in ("pickup", "dropoff", "return")}
    | {"manifest_items", "manifest_reference", "external_id", "external_user_info", "idempotency_key"}
    | {"quote_id", "deliverable_action", "undeliverable_action", "dropoff_seller_notes", "tip"}
    | {"test_specifications"}
)
"""Create Delivery, there; the last is in the guide to the Robo Courier."""


def test_a_request_has_only_documented_fields_and_every_required_one() -> None:
    every = replace(job(of=gift(item_class=ItemClass.ALCOHOL)), proofs=dialect.proofs, quote_id="dqt_1")
    asked = booking(every, robo_courier="auto")
    assert set(asked) <= JOB_HAS
    required = {
        f"{end}_{part}" for end in ("pickup", "dropoff") for part in ("name", "address", "phone_number")
    }
    assert required | {"manifest_items"} <= set(asked)
    assert set(asked["manifest_items"][0]) <= {
        "name", "quantity", "size", "dimensions", "price", "must_be_upright", "weight", "vat_percentage"
    }  # fmt: skip
    quoted = body_of(dialect.quote(ACCOUNT, "tok", every, NOON))
    assert set(quoted) <= QUOTE_HAS
    assert {name: asked[name] for name in quoted} == quoted


def test_who_is_asked_for_a_price_learns_no_name_and_no_number() -> None:
    of = job()
    request = dialect.quote(ACCOUNT, "tok", of, NOON)
    for private in (of.recipient.name, of.recipient.phone, of.pick_up_contact.name, of.pick_up_contact.phone):
        assert private.encode() not in request.body


def test_an_address_is_json_within_the_json_and_keeps_its_letters() -> None:
    request = dialect.book(ACCOUNT, "tok", job(), NOON)
    assert "衡山路100号".encode() in request.body
    assert b"\\u" not in request.body
    assert json.loads(body_of(request)["dropoff_address"]) == {
        "street_address": ["衡山路100号", "衡山小区 2号楼 602"],
        "city": "上海市",
        "country": "CN",
    }


@pytest.mark.parametrize("datum", list(Datum))
def test_coordinates_are_sent_in_wgs84_whatever_they_are_kept_in(datum: Datum) -> None:
    of = job(datum=datum)
    asked = booking(of)
    for end, kept in (("pickup", of.pick_up), ("dropoff", of.recipient.place)):
        lng, lat = kept.coordinate.within(Datum.WGS84)
        assert (asked[f"{end}_longitude"], asked[f"{end}_latitude"]) == (round(lng, 6), round(lat, 6))


def test_phones_are_e164_and_money_is_in_hundredths() -> None:
    asked = booking(job(of=gift(1234, quantity=3, currency="EUR")))
    assert (asked["pickup_phone_number"], asked["dropoff_phone_number"]) == (
        "+8613712345678",
        "+8618512345678",
    )
    assert asked["manifest_total_value"] == 3702
    assert (asked["manifest_items"][0]["price"], asked["manifest_items"][0]["quantity"]) == (1234, 3)


def test_what_is_stated_of_a_weight_is_told() -> None:
    of = gift()
    heavy = of.model_copy(update={"items": (of.items[0].model_copy(update={"grams": 1200}),)})
    assert booking(job(of=heavy))["manifest_items"][0]["weight"] == 1200
    assert "weight" not in booking()["manifest_items"][0]


@pytest.mark.parametrize("currency", ["JPY", "KRW", "KWD", "CLP"])
def test_a_currency_without_hundredths_cannot_be_asked_for_and_says_so_in_a_word(currency: str) -> None:
    for asking in (dialect.book, dialect.quote):
        with pytest.raises(Uncarriable, match=currency) as caught:
            asking(ACCOUNT, "tok", job(of=gift(currency=currency)), NOON)
        assert (caught.value.reason, caught.value.whole_courier) == ("currency_unknown", True)


def test_nothing_that_needs_the_client_is_asked_where_the_client_is_not() -> None:
    precious = gift(item_class=ItemClass.HIGH_VALUE)
    for handover in NEAREST_FIRST:
        asked = booking(replace(job(of=precious, handover=handover), proofs=dialect.proofs))
        if handover in TO_THE_CLIENT:
            assert asked["dropoff_verification"] == {
                "pincode": {"enabled": True},
                "signature_requirement": {"enabled": True},
                "identification": {"min_age": 18},
                "picture": True,
            }
        else:
            assert asked["dropoff_verification"] == {"picture": True}
        assert asked["return_verification"] == {"picture": True, "signature_requirement": {"enabled": True}}
        left = asked["deliverable_action"] == "deliverable_action_leave_at_door"
        assert left is (handover is Handover.SHELF)


def test_only_what_the_courier_is_relied_on_for_is_asked() -> None:
    assert "dropoff_verification" not in booking()
    assert "return_verification" not in booking()
    expected: dict[Proof, dict[str, object]] = {
        Proof.RECEIPT_CODE: {"pincode": {"enabled": True}},
        Proof.SIGNATURE: {"signature_requirement": {"enabled": True}},
        Proof.PHOTO: {"picture": True},
    }
    for proof, verification in expected.items():
        asked = booking(replace(job(), proofs=frozenset({proof, Proof.PICKUP_CODE})))
        assert asked["dropoff_verification"] == verification


def test_a_document_is_scanned_for_what_has_an_age_and_not_for_flowers() -> None:
    proofs = frozenset({Proof.IDENTITY})
    for item_class in ItemClass:
        asked = booking(replace(job(of=gift(item_class=item_class)), proofs=proofs), min_age="21")
        wanted = item_class in (ItemClass.ALCOHOL, ItemClass.MEDICINE, ItemClass.HIGH_VALUE)
        assert asked.get("dropoff_verification") == ({"identification": {"min_age": 21}} if wanted else None)


def test_the_notes_say_how_to_hand_over_when_and_how_cold_and_fit() -> None:
    cold = gift(temperature=TemperatureRange(min_c=2, max_c=8), item_class=ItemClass.CHILLED)
    notes = set()
    for handover in NEAREST_FIRST:
        asked = booking(job(handover=handover, of=cold))
        assert len(asked["dropoff_notes"]) <= 280
        assert "15:00-17:00" in asked["dropoff_notes"]  # the window on Shanghai's clock
        assert "2 to 8 °C" in asked["dropoff_notes"]
        assert REFERENCE in asked["pickup_notes"]
        assert asked["manifest_items"][0]["must_be_upright"] is True
        notes.add(asked["dropoff_notes"])
    assert len(notes) == len(NEAREST_FIRST)
    assert "do not go in" in booking(job(handover=Handover.GATE))["dropoff_notes"]


def windows(of: Job, at: datetime) -> dict[str, datetime]:
    asked = body_of(dialect.quote(ACCOUNT, "tok", of, at))
    return {
        name.removesuffix("_dt"): datetime.fromisoformat(value)
        for name, value in asked.items()
        if name.endswith("_dt")
    }


def test_a_job_for_later_is_fetched_in_its_stay_and_handed_over_in_its_window() -> None:
    assert {name: moment - NOON for name, moment in windows(job(), NOON).items()} == {
        "pickup_ready": timedelta(hours=2, minutes=30),
        "pickup_deadline": timedelta(hours=4, minutes=40),
        "dropoff_ready": timedelta(hours=3),
        "dropoff_deadline": timedelta(hours=5),
    }


def test_a_job_whose_stay_has_begun_is_fetched_at_once() -> None:
    begun = windows(job(), NOON + timedelta(hours=3, minutes=1))
    assert set(begun) == {"pickup_deadline", "dropoff_deadline"}


def test_a_hand_over_too_soon_to_be_announced_has_the_gift_fetched_no_sooner_than_it_may_be_handed_over() -> (
    None
):
    at = NOON + timedelta(hours=2, minutes=40)
    told = windows(job(), at)
    assert "dropoff_ready" not in told
    assert told["pickup_ready"] == NOON + timedelta(hours=3)


@settings(deadline=None, max_examples=300)
@given(
    begins=st.integers(-300, 43_300),
    later=st.integers(0, 240),
    length=st.integers(1, 300),
    milliseconds=st.integers(0, 60_000),
    is_told=st.booleans(),
)
def test_whatever_the_times_uber_is_told_windows_that_are_ours_and_as_wide_as_its_own_or_nothing(
    begins: int, later: int, length: int, milliseconds: int, is_told: bool
) -> None:
    at = NOON + timedelta(milliseconds=milliseconds)
    start = NOON + timedelta(minutes=begins)
    of = job(
        pick_up_from=start if is_told else None,
        deliver_from=start + timedelta(minutes=later),
        deliver_by=start + timedelta(minutes=later + length),
    )
    told = None
    with suppress(Uncarriable):
        told = windows(of, at)
    if told is None:
        with pytest.raises(Uncarriable) as refused:
            dialect.book(ACCOUNT, "tok", of, at)
        assert refused.value.reason in ("window_too_short", "start_too_late")
        assert not refused.value.whole_courier
        roomy = length >= 60 and of.deliver_by - at >= timedelta(hours=1)
        assert not roomy or of.starts_at > at + timedelta(days=29)
        return
    fetched_from = told.get("pickup_ready", at)
    handed_from = told.get("dropoff_ready", fetched_from)
    assert of.starts_at <= fetched_from
    assert of.deliver_from <= handed_from
    assert told["dropoff_deadline"] <= of.deliver_by
    # Uber's own rules, by their error codes
    assert "pickup_ready" not in told or at + timedelta(minutes=1) <= fetched_from <= at + timedelta(days=30)
    assert told["pickup_deadline"] >= max(fetched_from + timedelta(minutes=10), at + timedelta(minutes=20))
    assert handed_from <= told["pickup_deadline"] <= told["dropoff_deadline"]
    assert told["dropoff_deadline"] >= handed_from + timedelta(minutes=20)
    assert "dropoff_ready" not in told or handed_from >= at + timedelta(minutes=29)


# --- what answers mean ---


def test_the_documented_quote_is_a_price_for_a_quarter_of_an_hour() -> None:
    answer = reply(
        kind="delivery_quote", id="dqt_6gQ2dt31TjiOPfwux-NCXg", created="2023-04-06T19:00:37.887Z",
        expires="2023-04-06T19:15:37.887Z", fee=600, currency="usd", currency_type="USD", duration=33,
    )  # fmt: skip
    assert dialect.quoted(answer, job(), NOON) == Quoted(
        Money(amount=600, currency="USD"),
        "dqt_6gQ2dt31TjiOPfwux-NCXg",
        datetime(2023, 4, 6, 19, 15, 37, 887_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(id="dqt_1", fee="6.00", currency="usd"), Unsure("no_fee")),
        (reply(id="dqt_1", fee=600), Unsure("no_fee")),
        (reply(id="dqt_1", fee=600, currency="jpy"), Unsure("no_fee")),
        (reply(fee=600, currency="usd"), Unsure("unreadable")),
        (refusal(503, "couriers_busy"), Unsure("no_rider")),
        (refusal(503, "service_unavailable"), Unsure("http_503")),
        (refusal(400, "address_undeliverable"), NotTaken("out_of_area", whole_courier=True)),
        (refusal(400, "customer_limited"), Unsure("too_many_calls")),
        (refusal(401, "unauthorized"), TokenRefused()),
    ],
)
def test_an_answer_to_a_quote_means(answer: Reply, meaning: object) -> None:
    assert dialect.quoted(answer, job(), NOON) == meaning


def made(**changes: Any) -> Reply:
    return reply(**(delivery(REFERENCE, "del_gDcyfRgyQcyN0obpqqS_1B", "pending", NOON) | changes))


def test_a_booking_has_its_fee_and_the_code_that_the_client_will_say() -> None:
    assert dialect.booked(made(), job()) == Booked(
        "del_gDcyfRgyQcyN0obpqqS_1B", Money(amount=1549, currency="USD"), {"receipt_code": "6066"}
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"fee": "a lot", "dropoff": None},
        {"fee": -1, "dropoff": {"verification_requirements": {"pincode": {"value": 6066}}}},
        {"fee": True, "dropoff": {"verification_requirements": []}},
        {"currency": "dollars", "dropoff": {"verification_requirements": {"pincode": {"value": "say it"}}}},
        {"fee": 10**30, "dropoff": {}},
    ],
)
def test_an_odd_fee_or_code_does_not_undo_a_booking(changes: dict[str, Any]) -> None:
    assert dialect.booked(made(**changes), job()) == Booked("del_gDcyfRgyQcyN0obpqqS_1B", None, {})


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (refusal(401, "unauthorized"), TokenRefused()),
        (Reply(401, {}, b""), TokenRefused()),
        (refusal(400, "address_undeliverable"), NotTaken("out_of_area", whole_courier=True)),
        (refusal(400, "address_undeliverable_limited_couriers"), NotTaken("no_rider")),
        (refusal(400, "unknown_location"), NotTaken("address_not_found", whole_courier=True)),
        (refusal(400, "invalid_params"), NotTaken("bad_arguments", whole_courier=True)),
        (
            refusal(
                400, "invalid_params", param_details="unable to resolve provided address through geocoding"
            ),
            NotTaken("address_not_found", whole_courier=True),
        ),
        (
            refusal(
                400,
                "invalid_params",
                param_details="The dropoff ready time needs to be at least 29 minutes from now.",
            ),
            NotTaken("start_too_soon"),
        ),
        (
            refusal(400, "invalid_params", dropoff_phone_number="dropoff phone number is not valid."),
            NotTaken("phone_refused", whole_courier=True),
        ),
        (
            refusal(400, "invalid_params", param_details="Invalid restaurant gateway request"),
            NotTaken("bad_arguments", whole_courier=True),
        ),
        (refusal(400, "pickup_window_too_small"), NotTaken("window_refused")),
        (refusal(400, "pickup_deadline_too_early"), NotTaken("start_too_soon")),
        (refusal(400, "expired_quote"), NotTaken("quote_expired")),
        (refusal(400, "missing_payment"), NotTaken("account_unpaid", whole_courier=True)),
        (refusal(402, "customer_suspended"), NotTaken("account_unpaid", whole_courier=True)),
        (refusal(403, "customer_blocked"), NotTaken("account_refused", whole_courier=True)),
        (refusal(404, "customer_not_found"), NotTaken("account_refused", whole_courier=True)),
        (refusal(422, "Something_New"), NotTaken("courier_something_new")),
        (refusal(400, "request_timeout"), Unsure("courier_timeout")),
        (refusal(408, "request_timeout"), Unsure("courier_timeout")),
        (refusal(400, "used_quote"), Unsure("exists_already")),
        (refusal(409, "duplicate_delivery", delivery_id="del_1"), Unsure("exists_already")),
        (refusal(409, "something_new"), Unsure("http_409")),
        (refusal(425, "something_new"), Unsure("http_425")),
        (refusal(429, "customer_limited"), Unsure("too_many_calls")),
        (refusal(500, "internal_server_error"), Unsure("http_500")),
        (refusal(503, "couriers_busy"), Unsure("no_rider")),
        (refusal(503, "address_undeliverable"), Unsure("http_503")),
        (Reply(400, {}, b"<html>bad gateway</html>"), Unsure("http_400")),
        (Reply(200, {}, b"<html>"), Unsure("unreadable")),
        (Reply(302, {}, b""), Unsure("http_302")),
        (made(external_id=OTHER, manifest=None), Unsure("another_job")),
        (made(id="ret_1"), Unsure("another_job")),
    ],
)
def test_an_answer_to_a_booking_means(answer: Reply, meaning: object) -> None:
    assert dialect.booked(answer, job()) == meaning


def test_an_answer_that_names_no_reference_is_a_booking_and_a_duplicate_never_is() -> None:
    assert isinstance(dialect.booked(made(external_id="", manifest=None), job()), Booked)
    for answer in EXISTS_ALREADY:
        assert isinstance(dialect.booked(answer, job()), Unsure)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (made(status="canceled"), CancelConfirmed()),
        (made(status="canceled", pickup={"status": "failed"}), CancelConfirmed(returning=False)),
        (made(status="canceled", pickup={"status": "completed"}), CancelConfirmed()),
        (made(status="returned"), CancelConfirmed(returning=True)),
        (
            made(status="canceled", related_deliveries=[{"id": "ret_1", "relationship": "return"}]),
            CancelConfirmed(returning=True),
        ),
        (made(status="dropoff"), Unsure("not_cancelled")),
        (made(status="delivered"), Unsure("not_cancelled")),
        (Reply(200, {}, b"{}"), Unsure("unreadable")),
        (refusal(400, "noncancelable_delivery"), Unsure("cannot_be_cancelled")),
        (refusal(400, "invalid_params"), Unsure("bad_arguments")),
        (refusal(404, "delivery_not_found"), CancelUnknown()),
        (refusal(404, "customer_not_found"), Unsure("account_refused")),
        (Reply(404, {}, b""), Unsure("http_404")),
        (refusal(401, "unauthorized"), TokenRefused()),
        (refusal(500, "unknown_error"), Unsure("http_500")),
    ],
)
def test_an_answer_to_a_cancellation_means(answer: Reply, meaning: object) -> None:
    assert dialect.cancelled(answer) == meaning


# --- looking up ---


def test_a_look_up_names_its_event_as_the_webhook_would() -> None:
    answer = made(id="del_1", status="dropoff", updated=precisely(NOON))
    first = dialect.looked_up(answer, REFERENCE, "uber", NOON + timedelta(minutes=1))
    later = dialect.looked_up(answer, REFERENCE, "uber", NOON + timedelta(minutes=2))
    assert isinstance(first, Found)
    assert isinstance(later, Found)
    assert first.event is not None
    assert later.event is not None
    assert (first.delivery_id, first.event.kind, first.event.source) == (
        "del_1",
        EventKind.IN_TRANSIT,
        "look_up",
    )
    assert first.event.event_id == later.event.event_id == event_of("dropoff").event_id


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (refusal(404, "delivery_not_found"), NotFound()),
        (refusal(404, "customer_not_found"), Unsure("account_refused")),
        (Reply(404, {}, b"<html>"), Unsure("http_404")),
        (refusal(401, "unauthorized"), TokenRefused()),
        (refusal(429, "customer_limited"), Unsure("too_many_calls")),
        (made(external_id=OTHER, manifest=None), Unsure("another_job")),
        (reply(id="del_1"), Found("del_1", None)),
        (reply(data="none"), Unsure("unreadable")),
        (reply(), Unsure("unreadable")),
    ],
)
def test_an_answer_to_a_look_up_means(answer: Reply, meaning: object) -> None:
    assert dialect.looked_up(answer, REFERENCE, "uber", NOON) == meaning


def test_a_look_up_has_the_code_too_for_the_answer_to_the_booking_may_have_been_lost() -> None:
    for answer in (made(id="del_1"), listed([delivery(REFERENCE, "del_1", "pickup", NOON)])):
        found = dialect.looked_up(answer, REFERENCE, "uber", NOON)
        assert isinstance(found, Found)
        assert found.codes == {"receipt_code": "6066"}


def listed(rows: Sequence[object], next_href: str | None = None) -> Reply:
    return reply(data=list(rows), next_href=next_href, object="list", total_count=-1)


def page(count: int, apart: timedelta, **changes: Any) -> list[dict[str, object]]:
    """So many deliveries of other orders, newest first."""
    return [
        delivery(f"POS-{number}", f"del_{number}", "delivered", NOON - number * apart, **changes)
        for number in range(count)
    ]


NEXT = "api.uber.com/v1/customers/c/deliveries?offset=200"


def test_a_job_without_a_delivery_id_is_found_on_the_page_by_either_name() -> None:
    for names in ({"external_id": REFERENCE, "manifest": None}, {"external_id": None}):
        mine = delivery(REFERENCE, "del_mine", "pickup", NOON, **names)
        answer = dialect.looked_up(listed([*page(3, timedelta(minutes=1)), mine], NEXT), REFERENCE, "u", NOON)
        assert isinstance(answer, Found)
        assert answer.delivery_id == "del_mine"
        assert answer.event is not None
        assert answer.event.kind is EventKind.COURIER_ASSIGNED


def test_of_two_under_one_reference_the_one_that_goes_on_counts_and_never_the_return() -> None:
    rows = [
        delivery(REFERENCE, "ret_1", "pickup", NOON),
        delivery(REFERENCE, "del_over", "canceled", NOON),
        delivery(REFERENCE, "del_alive", "dropoff", NOON),
    ]
    for order in permutations(rows):
        answer = dialect.looked_up(listed(order), REFERENCE, "uber", NOON)
        assert isinstance(answer, Found)
        assert answer.delivery_id == "del_alive"
    only_back = dialect.looked_up(listed(rows[:1]), REFERENCE, "uber", NOON)
    assert not isinstance(only_back, Found)


@pytest.mark.parametrize(
    ("rows", "next_href", "proves"),
    [
        ([], None, True),
        ([], NEXT, True),
        (page(3, timedelta(minutes=1)), None, True),
        (page(3, timedelta(minutes=1)), NEXT, False),
        (page(PAGE, timedelta(minutes=1)), None, False),
        (page(PAGE, timedelta(minutes=2)), NEXT, True),
        (page(PAGE, timedelta(minutes=2))[::-1], NEXT, False),
        ([*page(PAGE, timedelta(minutes=2))[1::-1], *page(PAGE, timedelta(minutes=2))[2:]], NEXT, False),
        (page(PAGE, timedelta(minutes=2), created=None), NEXT, False),
        (page(3, timedelta(minutes=1), external_id=None, manifest=None), None, False),
        (page(3, LOOK_BACK, external_id=None, manifest=None)[1:], None, False),
        (page(3, LOOK_BACK, external_id=None, manifest=None)[2:], None, True),
        (["what is this"], None, False),
    ],
)
def test_a_page_without_our_job_proves_that_there_is_none_only_when_it_must_be_on_it(
    rows: list[object], next_href: str | None, proves: bool
) -> None:
    answer = dialect.looked_up(listed(rows, next_href), REFERENCE, "uber", NOON)
    assert answer == (NotFound() if proves else Unsure("not_on_the_page"))
