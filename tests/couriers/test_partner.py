"""Cordon's own booking API: what is asked, what answers mean, and callbacks under Standard Webhooks."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from chalicelib.couriers.partner import REFUSALS, STATUSES, Partner
from chalicelib.domain.dialect import (
    Booked,
    Callback,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    Heard,
    Job,
    NotFound,
    NotTaken,
    Quoted,
    Reply,
    Request,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import Gift, Item, ItemClass, TemperatureRange
from chalicelib.domain.legs import EventKind, Proven, fold
from chalicelib.domain.places import Datum, converted
from chalicelib.domain.policies import NEAREST_FIRST, TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import Money
from tests.couriers.jobs import NOON, REFERENCE, gift, job
from tests.couriers.samples_partner import ACCOUNT, ROTATED, content, enveloped, signature, told, wrapped

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("CORDON_SHARED", ROOT.parent / "shared")) / "data" / "couriers"
dialect = Partner()


def reply(status: int = 200, /, **said: object) -> Reply:
    return Reply(status, {}, json.dumps(said, ensure_ascii=False).encode())


def no(status: int, reason: object, **more: object) -> Reply:
    return reply(status, title="No", status=status, reason=reason, **more)


def body_of(request: Request | None) -> dict[str, Any]:
    assert request is not None
    read: dict[str, Any] = json.loads(request.body)
    return read


def booking(of: Job | None = None, at: datetime = NOON, **account: str) -> dict[str, Any]:
    return body_of(dialect.book({**ACCOUNT, **account}, "", of or job(), at))


def heard(message: dict[str, Any], at: datetime = NOON) -> Heard:
    return dialect.hear((ACCOUNT,), wrapped(ACCOUNT, message, at), "drivers", at)


# --- Standard Webhooks ---


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the vectors are not at {SHARED} (set CORDON_SHARED)")
def test_the_published_vector_of_the_scheme_is_proven() -> None:
    vectors = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    known = next(one for one in vectors if "Standard Webhooks" in one["courier"])
    headers = {
        "webhook-id": known["id"],
        "webhook-timestamp": known["timestamp"],
        "webhook-signature": known["expected"],
    }
    account = {**ACCOUNT, "webhook_secret": known["secret"]}
    callback = Callback("POST", {}, headers, known["body"].encode())
    at = datetime.fromtimestamp(int(known["timestamp"]), UTC)
    with pytest.raises(Malformed):  # proven; what is inside is no event
        dialect.hear((account,), callback, "drivers", at)
    for position in range(len(callback.body)):
        body = bytearray(callback.body)
        body[position] ^= 1
        with pytest.raises(Unauthorised):
            dialect.hear((account,), replace(callback, body=bytes(body)), "drivers", at)


@given(st.text(max_size=200), st.integers(1, 10**11), st.binary(min_size=24, max_size=64))
def test_what_the_samples_sign_is_what_the_schemes_own_library_signs(text: str, at: int, key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    moment = datetime.fromtimestamp(at, UTC)
    by_library = Webhook(secret).sign("msg-1", moment, text)
    assert signature(secret, "msg-1", moment, text.encode()) == by_library


def test_of_several_signatures_one_that_fits_is_enough() -> None:
    callback = told(ACCOUNT, REFERENCE, "J-1", "picked_up", NOON, NOON)
    ours = callback.headers["webhook-signature"]
    other = told(ROTATED, REFERENCE, "J-1", "picked_up", NOON, NOON).headers["webhook-signature"]
    for signatures in (f"{other} {ours}", f"{ours} {other}", f"v1a,c2lnbmVk {ours}", f"v2,x  {ours}"):
        signed = replace(callback, headers={**callback.headers, "webhook-signature": signatures})
        assert dialect.hear((ACCOUNT,), signed, "drivers", NOON).events
    for signatures in (other, ours.removeprefix("v1,"), ours.replace("v1,", "v1a,"), f"{other},{ours}", " "):
        signed = replace(callback, headers={**callback.headers, "webhook-signature": signatures})
        with pytest.raises(Unauthorised):
            dialect.hear((ACCOUNT,), signed, "drivers", NOON)


def test_another_spelling_of_the_same_signature_is_none() -> None:
    """Base64 has two spare bits here: read leniently, four signatures would prove one message."""
    callback = told(ACCOUNT, REFERENCE, "J-1", "picked_up", NOON, NOON)
    ours = callback.headers["webhook-signature"]
    assert ours.endswith("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    others = [alphabet[alphabet.index(ours[-2]) ^ spare] for spare in (1, 2, 3)]
    for odd in (*(f"{ours[:-2]}{one}=" for one in others), ours + "=", ours + "\n", ours.upper()):
        signed = replace(callback, headers={**callback.headers, "webhook-signature": odd})
        with pytest.raises(Unauthorised):
            dialect.hear((ACCOUNT,), signed, "drivers", NOON)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_callback_from_outside_the_window_is_a_replay(seconds: int) -> None:
    callback = told(ACCOUNT, REFERENCE, "J-1", "picked_up", NOON, NOON)
    with pytest.raises(Unauthorised, match="timestamp"):
        dialect.hear((ACCOUNT,), callback, "drivers", NOON + timedelta(seconds=seconds))
    for inside in (-300, 0, 300):
        assert dialect.hear((ACCOUNT,), callback, "drivers", NOON + timedelta(seconds=inside)).events


@pytest.mark.parametrize(
    "stamp", ["+1649649600", "01649649600", "1_649_649_600", "1649649600.0", "９", "9" * 5000]
)
def test_a_timestamp_is_plain_digits(stamp: str) -> None:
    callback = told(ACCOUNT, REFERENCE, "J-1", "picked_up", NOON, NOON)
    with pytest.raises(Unauthorised):
        dialect.hear(
            (ACCOUNT,),
            replace(callback, headers={**callback.headers, "webhook-timestamp": stamp}),
            "drivers",
            NOON,
        )


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "plain text", "whsec_" + "A" * 33, "whsec_" + "A" * 400, "whsec_💐" * 9],
)
def test_a_secret_that_is_none_proves_nothing_even_to_who_signs_with_it(secret: str) -> None:
    callback = told(ACCOUNT, REFERENCE, "J-1", "delivered", NOON, NOON)
    text = re.sub("[^A-Za-z0-9+/]", "", secret.removeprefix("whsec_"))
    key = base64.b64decode(text[: len(text) // 4 * 4])
    forged = replace(
        callback,
        headers={
            **callback.headers,
            "webhook-signature": Webhook(key or b"\0").sign(
                callback.headers["webhook-id"], NOON, callback.body.decode()
            ),
        },
    )
    with pytest.raises(Unauthorised):
        dialect.hear(({**ACCOUNT, "webhook_secret": secret},), forged, "drivers", NOON)


def test_parts_of_the_proof_cannot_be_moved_into_one_another() -> None:
    """`id.time.body` has no fence: a time taken into the id leaves a body that is none."""
    callback = told(ACCOUNT, REFERENCE, "J-1", "picked_up", NOON, NOON)
    stamp = callback.headers["webhook-timestamp"]
    dotted = enveloped(ACCOUNT, callback.body, NOON, f"ev.{stamp}")
    moved = {**dotted.headers, "webhook-id": "ev", "webhook-timestamp": stamp}
    with pytest.raises(Malformed):
        dialect.hear((ACCOUNT,), Callback("POST", {}, moved, f"{stamp}.".encode() + callback.body), "d", NOON)


def test_half_a_character_in_the_proof_is_refused_like_any_other_junk() -> None:
    callback = told(ACCOUNT, REFERENCE, "J-1", "picked_up", NOON, NOON)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        with pytest.raises(Unauthorised):
            dialect.hear(
                (ACCOUNT,), replace(callback, headers={**callback.headers, name: "\ud800"}), "d", NOON
            )


# --- hearing ---


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_every_status_has_its_meaning(status: str, kind: EventKind) -> None:
    (event,) = heard(content(REFERENCE, "J-1", status, NOON)).events
    assert (event.kind, event.raw_status, event.occurred_at) == (kind, status, NOON)


def test_an_event_brings_its_reason_its_correction_and_what_was_proven() -> None:
    message = content(
        REFERENCE, "J-1", "failed", NOON, reason="cannot_access_location", correction=True,
        proofs=[
            {"kind": "photo", "reference": "ph-1", "note": "at the gate"},
            {"kind": "photo", "reference": "https://fleet.example/王女士.jpg"},
            {"kind": "retina", "reference": "x"},
        ],
    )  # fmt: skip
    (event,) = heard(message).events
    assert (event.reason, event.correction) == ("cannot_access_location", True)
    assert event.proofs == (Proven(kind=Proof.PHOTO, reference="ph-1"),)


def test_a_seal_and_what_the_client_said_are_heard_and_odd_ones_lose_no_event() -> None:
    (event,) = heard(content(REFERENCE, "J-1", "delivered", NOON, seal="S-4711", code="004711")).events
    assert (event.seal, event.said) == ("S-4711", "004711")
    assert "004711" not in event.model_dump_json() and "004711" not in repr(event)
    (event,) = heard(content(REFERENCE, "J-1", "delivered", NOON, seal="a seal!", code=4711)).events
    assert (event.kind.value, event.seal, event.said) == ("delivered", None, None)


def test_null_in_the_place_of_nothing_and_more_proofs_than_are_kept_lose_no_event() -> None:
    """Some write null for what they leave out, and a hand-over has to be heard whatever hangs on it."""
    nothing = content(REFERENCE, "J-1", "delivered", NOON, reason=None, correction=None, proofs=None)
    (event,) = heard(nothing).events
    assert (event.reason, event.correction, event.proofs) == ("", False, ())
    photos = [{"kind": "photo", "reference": f"ph-{number}"} for number in range(15)]
    (event,) = heard(content(REFERENCE, "J-1", "delivered", NOON, proofs=photos)).events
    assert len(event.proofs) == 10


@pytest.mark.parametrize("reason", ["Frau Wang war nicht da", "client_unavailable!", "", 7, None, "x" * 41])
def test_a_reason_that_is_no_word_is_left_out_for_it_may_speak_of_people(reason: object) -> None:
    (event,) = heard(content(REFERENCE, "J-1", "failed", NOON, reason=reason)).events
    assert event.reason == ""


def test_nothing_of_a_driver_or_a_client_is_in_what_is_kept() -> None:
    answer = heard(content(REFERENCE, "J-1", "delivered", NOON, client="王女士", phone="18512345678"))
    assert "王" not in repr(answer)
    assert "18512345678" not in repr(answer)


def test_an_events_time_is_kept_as_exactly_as_it_is_told() -> None:
    message = content(REFERENCE, "J-1", "delivered", NOON)
    for written, moment in (
        ("2022-04-11T12:00:00.123456+08:00", NOON + timedelta(microseconds=123_456)),
        ("2022-04-11T04:00Z", NOON),
        ("2022-04-10T23:00:00-05:00", NOON),
    ):
        (event,) = heard({**message, "timestamp": written}).events
        assert event.occurred_at == moment


@pytest.mark.parametrize("written", ["2022-04-11T12:00:00", "1649649600", 1649649600, "yesterday", None, ""])
def test_an_event_without_a_proper_time_is_malformed(written: object) -> None:
    with pytest.raises(Malformed, match="timestamp"):
        heard({**content(REFERENCE, "J-1", "delivered", NOON), "timestamp": written})


def test_a_double_is_one_event_and_two_under_one_id_are_two() -> None:
    first = content(REFERENCE, "J-1", "picked_up", NOON)
    again = heard(first, at=NOON + timedelta(minutes=4)).events
    assert {event.event_id for event in (*heard(first).events, *again)} == {again[0].event_id}
    careless = {**content(REFERENCE, "J-1", "delivered", NOON + timedelta(hours=1)), "id": first["id"]}
    track = fold([*heard(first).events, *heard(careless).events])
    assert (track.kind, track.events) == (EventKind.DELIVERED, 2)


def test_every_order_of_a_story_with_a_return_comes_to_the_same() -> None:
    words = ("accepted", "picked_up", "in_transit", "returning", "returned", "abducted")
    events = [
        heard(content(REFERENCE, "J-1", word, NOON + timedelta(minutes=number))).events[0]
        for number, word in enumerate(words)
    ]
    track = fold(events)
    assert (track.kind, track.unreadable) == (EventKind.RETURNED, 1)
    assert all(fold(some) == track for some in permutations(events))


def test_a_bom_and_spaces_are_read_over() -> None:
    body = json.dumps(content(REFERENCE, "J-1", "picked_up", NOON), indent=2).encode()
    callback = enveloped(ACCOUNT, b"\xef\xbb\xbf" + body, NOON)
    assert dialect.hear((ACCOUNT,), callback, "drivers", NOON).events


@pytest.mark.parametrize("name", ["ping", "fleet.closed", "job", "jobs.delivered"])
def test_a_message_about_something_else_is_acknowledged(name: str) -> None:
    assert heard({"type": name}) == Heard(())


def test_what_another_system_ordered_is_foreign() -> None:
    for reference in ("SOMEBODY-1", "ord_short-1-1", REFERENCE + "\n"):
        assert heard(content(reference, "J-1", "delivered", NOON)) == Heard((), foreign=(reference,))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "with a space"}, "id"),
        ({"id": 7}, "id"),
        ({"data": None}, "data"),
        ({"data": {"reference": REFERENCE}}, "data.job_id"),
        ({"data": {"job_id": "J-1"}}, "data.reference"),
        ({"data": {"job_id": "J-1", "reference": REFERENCE, "correction": "well"}}, "data.correction"),
        ({"data": {"job_id": "王女士 18512345678", "reference": REFERENCE}}, "data.job_id"),
    ],
)
def test_a_proven_message_without_its_parts_is_malformed_and_names_them(
    changes: dict[str, Any], field: str
) -> None:
    message = {**content(REFERENCE, "J-1", "delivered", NOON), **changes}
    callback = enveloped(ACCOUNT, json.dumps(message).encode(), NOON)
    with pytest.raises(Malformed, match=field) as caught:
        dialect.hear((ACCOUNT,), callback, "drivers", NOON)
    assert "王" not in str(caught.value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_in_any_field_of_a_proven_message_is_read_or_malformed(data: st.DataObject) -> None:
    message = content(
        REFERENCE, "J-1", "delivered", NOON, reason="client_refused", proofs=[], correction=False
    )
    for key in data.draw(st.sets(st.sampled_from(sorted(message)))):
        message[key] = data.draw(_json)
    if isinstance(message["data"], dict):
        for key in data.draw(
            st.sets(st.sampled_from(["reference", "job_id", "reason", "proofs", "correction"]))
        ):
            message["data"][key] = data.draw(_json)
    with suppress(Malformed):
        dialect.hear((ACCOUNT,), enveloped(ACCOUNT, json.dumps(message).encode(), NOON), "drivers", NOON)


@pytest.mark.parametrize("body", [b"", b"[" * 50_000, b"\xff\xfe", b'"job.delivered"', b"{}", b'{"type":7}'])
def test_a_proven_message_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        dialect.hear((ACCOUNT,), enveloped(ACCOUNT, body, NOON), "drivers", NOON)


# --- asking ---


def test_a_job_is_put_under_our_reference_with_the_fleets_key() -> None:
    request = dialect.book({**ACCOUNT, "base_url": ACCOUNT["base_url"] + "/"}, "", job(), NOON)
    assert (request.method, request.url) == ("PUT", f"https://drivers.example/cordon/v1/jobs/{REFERENCE}")
    assert request.headers["authorization"] == "Bearer key_3f1c9a7be2d84056"
    assert request.headers["idempotency-key"] == REFERENCE
    assert dialect.book(ACCOUNT, "", job(), NOON + timedelta(hours=1)).body == request.body


def test_window_hand_over_temperature_dwell_limit_and_proofs_are_told() -> None:
    items = (
        Item(
            name="Torte", item_class=ItemClass.CHILLED, value=Money(amount=1, currency="CNY"),
            temperature=TemperatureRange(min_c=2, max_c=8), dwell_limit_minutes=90,
        ),
        Item(
            name="Eis", item_class=ItemClass.FROZEN, value=Money(amount=1, currency="CNY"),
            temperature=TemperatureRange(min_c=-20, max_c=-12), dwell_limit_minutes=60,
        ),
    )  # fmt: skip
    of = replace(job(of=Gift(items=items)), proofs=frozenset(Proof), quote_id="q-81")
    asked = booking(of)
    assert (asked["deliver_from"], asked["deliver_by"]) == (
        "2022-04-11T15:00:00+08:00",
        "2022-04-11T17:00:00+08:00",
    )
    assert (asked["pick_up"]["not_before"], asked["time_zone"]) == (
        "2022-04-11T14:30:00+08:00",
        "Asia/Shanghai",
    )
    assert (asked["handover"], asked["quote_id"], asked["dwell_limit_minutes"]) == ("door", "q-81", 60)
    told_ranges = [item["temperature"] for item in asked["items"]]
    assert told_ranges == [{"min_c": 2.0, "max_c": 8.0}, {"min_c": -20.0, "max_c": -12.0}]
    assert asked["drop_off"]["contact"] == {"name": "王女士", "phone": "+8618512345678"}
    assert asked["drop_off"]["address"]["unit"] == "602"
    assert "王女士".encode() in dialect.book(ACCOUNT, "", of, NOON).body


@pytest.mark.parametrize("handover", NEAREST_FIRST)
@pytest.mark.parametrize("item_class", ItemClass)
def test_proofs_are_those_that_the_fleet_has_and_the_hand_over_allows(
    handover: Handover, item_class: ItemClass
) -> None:
    for can in (frozenset(Proof), frozenset({Proof.PHOTO}), frozenset[Proof]()):
        asked = set(
            booking(replace(job(of=gift(item_class=item_class), handover=handover), proofs=can))["proofs"]
        )
        assert asked <= can
        if handover not in TO_THE_CLIENT:
            assert asked == can & {Proof.PICKUP_CODE, Proof.PHOTO}
            continue
        precious = item_class in (ItemClass.HIGH_VALUE, ItemClass.ALCOHOL, ItemClass.MEDICINE)
        assert asked == (can if precious else can - {Proof.IDENTITY})


@pytest.mark.parametrize("kept", Datum)
@pytest.mark.parametrize("wanted", Datum)
def test_coordinates_are_in_the_fleets_datum_and_say_so(kept: Datum, wanted: Datum) -> None:
    of = job(datum=kept)
    asked = booking(of, datum=wanted.value)
    point = of.recipient.place.coordinate
    lng, lat = converted((point.lng, point.lat), kept, wanted)
    there = asked["drop_off"]["coordinate"]
    assert (there["lng"], there["lat"], there["datum"]) == (round(lng, 6), round(lat, 6), wanted.value)
    assert booking(of)["drop_off"]["coordinate"]["datum"] == "WGS84"


def test_who_is_asked_for_a_price_learns_no_name_number_or_door() -> None:
    of = replace(job(of=gift(88_000)), proofs=frozenset({Proof.PHOTO}))
    request = dialect.quote(ACCOUNT, "", of, NOON)
    text = request.body.decode()
    for secret in (
        "王女士",
        "18512345678",
        "刘一",
        "13712345678",
        "602",
        "衡山路100号",
        "2号楼",
        "花束",
        REFERENCE,
    ):
        assert secret not in text
    asked = body_of(request)
    assert asked["drop_off"] == {
        "country": "CN",
        "city": "上海市",
        "district": "徐汇区",
        "compound": "衡山小区",
        "coordinate": {"lng": 121.446, "lat": 31.207, "datum": "WGS84", "precision_m": 100.0},
    }
    assert asked["items"] == [
        {"item_class": "flowers", "quantity": 1, "value": {"amount": 88000, "currency": "CNY"}}
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": ""},
        {"base_url": "http://drivers.example/cordon"},
        {"base_url": "http://127.0.0.1.evil.example"},
        {"base_url": "http://localhost@evil.example"},
        {"base_url": "ftp://drivers.example"},
        {"base_url": "https://"},
        {"base_url": "drivers.example"},
        {"base_url": "https://drivers.example?to=1"},
        {"base_url": "https://user:word@drivers.example"},
        {"base_url": "https://drivers.example/a b"},
        {"base_url": "https://[::1"},
        {"api_key": ""},
        {"api_key": "short"},
        {"api_key": "key_with a space in it"},
        {"api_key": "key_with\r\nx-evil: 1 in it"},
        {"datum": "ED50"},
    ],
)
def test_with_an_account_that_is_none_nobody_is_asked(changes: dict[str, str]) -> None:
    for ask in (dialect.book, dialect.quote):
        with pytest.raises(Uncarriable) as refused:
            ask({**ACCOUNT, **changes}, "", job(), NOON)
        assert (refused.value.reason, refused.value.whole_courier) == ("account_incomplete", True)


def test_the_clear_is_for_loopback_alone() -> None:
    for host in ("127.0.0.1:9", "localhost:9", "[::1]:9"):
        request = dialect.look_up({**ACCOUNT, "base_url": f"http://{host}/v1"}, "", REFERENCE, None, NOON)
        assert request.url == f"http://{host}/v1/jobs/{REFERENCE}"


def test_there_is_no_login() -> None:
    assert dialect.login(ACCOUNT) is None
    with pytest.raises(Unanswered):
        dialect.logged_in(reply(access_token="abc", expires_in=7200), NOON)


# --- what answers mean ---


def taken(**changes: object) -> dict[str, object]:
    last = content(REFERENCE, "J-207", "accepted", NOON)
    return {"reference": REFERENCE, "job_id": "J-207", "last_event": last, **changes}


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(201, **taken()), Booked("J-207")),
        (reply(200, **taken()), Booked("J-207")),
        (
            reply(
                201,
                **taken(
                    fee={"amount": 2800, "currency": "EUR"},
                    codes={"pickup_code": "2048", "receipt_code": "A-1"},
                ),
            ),
            Booked("J-207", Money(amount=2800, currency="EUR"), {"pickup_code": "2048", "receipt_code": "A-1"}),
        ),
        (reply(201, **taken(fee={"amount": 28.5, "currency": "EUR"}, codes="1", last_event=7)), Booked("J-207")),
        (reply(201, **taken(codes={"pickup_code": 7, "receipt_code": "1024"})), Booked("J-207", None, {"receipt_code": "1024"})),
        (Reply(201, {}, b"\xef\xbb\xbf" + json.dumps(taken()).encode()), Booked("J-207")),
        (reply(200, **taken(last_event=content(REFERENCE, "J-207", "cancelled", NOON))), Unsure("ended_already")),
        (reply(200, **taken(reference="ANOTHER")), Unsure("another_job")),
        (reply(201, **taken(job_id="")), Unsure("unreadable")),
        (reply(201, job_id="J-207"), Unsure("unreadable")),
        (reply(202, **taken()), Unsure("http_202")),
        (reply(301, **taken()), Unsure("http_301")),
        (no(422, "no_rider"), NotTaken("no_rider")),
        (no(422, "closed_area"), NotTaken("closed_area", whole_courier=True)),
        (no(422, "closed_area", whole_fleet=False), NotTaken("closed_area")),
        (no(422, "bridge_is_up", whole_fleet=True), NotTaken("bridge_is_up", whole_courier=True)),
        (no(422, "bridge_is_up", whole_fleet="yes?"), NotTaken("bridge_is_up")),
        (no(400, "bad_arguments"), NotTaken("bad_arguments", whole_courier=True)),
        (no(422, "Frau Wang"), Unsure("http_422")),
        (reply(422, detail="no reason"), Unsure("http_422")),
        (reply(401, message="who are you"), NotTaken("account_refused", whole_courier=True)),
        (Reply(401, {}, b"<html>"), NotTaken("account_refused", whole_courier=True)),
        (Reply(403, {}, b"<html>blocked</html>"), Unsure("http_403")),
        (no(403, "account_refused"), NotTaken("account_refused", whole_courier=True)),
        (no(409, "another_body"), Unsure("another_body")),
        (no(429, "slow_down"), Unsure("slow_down")),
        (no(408, "too_slow"), Unsure("too_slow")),
        (no(425, "too_early"), Unsure("too_early")),
        (no(503, "no_rider"), Unsure("http_503")),
    ],
)  # fmt: skip
def test_an_answer_to_a_booking_means(answer: Reply, meaning: object) -> None:
    assert dialect.booked(answer, job()) == meaning


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(fee={"amount": 2800, "currency": "EUR"}), Quoted(Money(amount=2800, currency="EUR"))),
        (
            reply(fee={"amount": 0, "currency": "EUR"}, quote_id="q-1", expires_at="2022-04-11T12:00:01+08:00"),
            Quoted(Money(amount=0, currency="EUR"), "q-1", NOON + timedelta(seconds=1)),
        ),
        (
            reply(fee={"amount": 1, "currency": "EUR"}, quote_id="a b", expires_at="soon"),
            Quoted(Money(amount=1, currency="EUR")),
        ),
        (reply(fee={"amount": 1, "currency": "EUR"}, expires_at="2022-04-11T04:00:00Z"), Unsure("quote_expired")),
        (reply(quote_id="q-1"), Unsure("no_fee")),
        (reply(fee={"amount": -1, "currency": "EUR"}), Unsure("no_fee")),
        (no(422, "out_of_area"), NotTaken("out_of_area", whole_courier=True)),
        (no(429, "slow_down"), Unsure("slow_down")),
    ],
)  # fmt: skip
def test_an_answer_to_a_question_for_a_price_means(answer: Reply, meaning: object) -> None:
    assert dialect.quoted(answer, job(), NOON) == meaning


def gone(**changes: object) -> dict[str, object]:
    return {"reference": REFERENCE, "job_id": "J-207", **changes}


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(**gone(gift="not_picked_up")), CancelConfirmed(None, returning=False)),
        (
            reply(**gone(gift="returning", fee={"amount": 500, "currency": "EUR"})),
            CancelConfirmed(Money(amount=500, currency="EUR"), returning=True),
        ),
        (reply(**gone(gift="returned")), CancelConfirmed(None, returning=None)),
        (reply(**gone(gift="somewhere", fee="5")), CancelConfirmed(None, returning=None)),
        (reply(**gone()), Unsure("unreadable")),
        (reply(202, **gone(gift="not_picked_up")), Unsure("http_202")),
        (no(404, "unknown_job"), CancelUnknown()),
        (no(404, "no_such_page"), Unsure("no_such_page")),
        (Reply(404, {}, b"<html>"), Unsure("http_404")),
        (no(409, "too_late"), CancelRefused("too_late")),
        (no(409, "ended_already"), Unsure("ended_already")),
        (reply(409), Unsure("http_409")),
        (no(422, "bad_arguments"), Unsure("bad_arguments")),
        (no(401, "account_refused"), Unsure("account_refused")),
        (Reply(401, {}, b""), Unsure("account_refused")),
        (no(503, "unknown_job"), Unsure("http_503")),
    ],
)
def test_an_answer_to_a_cancellation_means(answer: Reply, meaning: object) -> None:
    assert dialect.cancelled(answer) == meaning


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(**taken(last_event=None)), Found("J-207", None)),
        (reply(**taken(last_event={"type": "job.delivered"})), Found("J-207", None)),
        (reply(**taken(reference="ANOTHER")), Unsure("another_job")),
        (reply(**taken(last_event=content("ANOTHER", "J-1", "delivered", NOON))), Unsure("another_job")),
        (reply(**gone(job_id=None)), Unsure("unreadable")),
        (no(404, "unknown_job"), NotFound()),
        (Reply(404, {}, b"<html>not here</html>"), Unsure("http_404")),
        (no(410, "unknown_job"), Unsure("unknown_job")),
        (Reply(401, {}, b""), Unsure("account_refused")),
        (no(500, "unknown_job"), Unsure("http_500")),
    ],
)
def test_an_answer_to_a_look_up_means(answer: Reply, meaning: object) -> None:
    assert dialect.looked_up(answer, REFERENCE, "drivers", NOON) == meaning


@pytest.mark.parametrize("status", STATUSES)
def test_a_look_up_and_the_callback_of_the_same_event_are_one(status: str) -> None:
    event = content(REFERENCE, "J-207", status, NOON, reason="weather")
    found = dialect.looked_up(
        reply(**taken(last_event=event)), REFERENCE, "drivers", NOON + timedelta(hours=1)
    )
    assert isinstance(found, Found) and found.event is not None
    (called,) = heard(event).events
    assert found.event.source == "look_up"
    same = found.event.model_copy(update={"source": "callback", "received_at": called.received_at})
    assert same == called
    assert fold([found.event, called]).events == 1


def test_a_no_in_the_fleets_own_words_is_certain_whatever_the_word() -> None:
    for reason, whole in REFUSALS.items():
        assert dialect.booked(no(422, reason), job()) == NotTaken(reason, whole)


def test_the_adapter_needs_nothing_to_load_that_booking_with_another_does_not() -> None:
    script = (
        "import sys, chalicelib.flows.book, chalicelib.couriers\n"
        "before = set(sys.modules)\n"
        "import chalicelib.couriers.partner\n"
        "more = {m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "assert more <= {'chalicelib', 'pydantic'}, more\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
