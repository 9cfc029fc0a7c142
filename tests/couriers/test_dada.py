"""Dada: its recorded callback and its checksum, what is asked of it, and what its answers mean."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.couriers.dada import _CODES, STATUSES, Dada, _Says
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
from chalicelib.domain.gifts import ItemClass, TemperatureRange
from chalicelib.domain.legs import EventKind, fold, reference_of
from chalicelib.domain.places import Datum, converted
from chalicelib.domain.policies import NEAREST_FIRST, TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import Money
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, gift, job
from tests.couriers.samples_dada import ACCOUNT, ROTATED, checksum, content, enveloped, recorded, sent, told

SHARED = Path(os.environ.get("CORDON_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "couriers"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the recorded callback is not at {SHARED} (set CORDON_SHARED)"
)
dialect = Dada()

NEEDED = {
    *(
        "shop_no",
        "origin_id",
        "cargo_price",
        "is_prepay",
        "receiver_name",
        "receiver_address",
        "receiver_lat",
    ),
    *("receiver_lng", "callback", "cargo_weight", "receiver_phone"),
}
DOCUMENTED = NEEDED | {
    *("city_code", "receiver_tel", "tips", "info", "cargo_type", "cargo_num", "invoice_title", "origin_mark"),
    *(
        "origin_mark_no",
        "is_use_insurance",
        "is_finish_code_needed",
        "delay_publish_time",
        "is_direct_delivery",
    ),
    *("product_list", "pick_up_pos", "fetch_code", "is_expect_finish_order", "expect_finish_time_limit"),
}
"""The fields of order/addOrder, as its page lists them; it wanted `city_code` in former years."""


def reply(code: int = 0, status: int = 200, *, msg: str = "", **result: object) -> Reply:
    said = {"status": "fail" if code else "success", "code": code, "errorCode": code, "msg": msg}
    return Reply(status, {}, json.dumps({**said, "result": result or None}, ensure_ascii=False).encode())


def body_of(request: Request) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.loads(request.body)["body"])
    return read


def booking(of: Job | None = None, at: datetime = NOON, **account: str) -> dict[str, Any]:
    return body_of(dialect.book({**ACCOUNT, **account}, "", of or job(), at))


def carried(of: Job) -> Job:
    """The job as a market asks for it whose courier can bring back everything."""
    return replace(of, proofs=frozenset(Proof))


# --- the recorded callback and its checksum ---


@needs_shared
def test_the_vendors_checksum_comes_out() -> None:
    everything = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    known = next(one for one in everything if one["courier"] == "dada")
    body = json.loads((SHARED.parent / known["body_file"]).read_bytes())
    assert body["signature"] == known["expected"]
    assert checksum(body) == known["expected"]


@needs_shared
def test_the_recorded_callback_is_read() -> None:
    (account, callback, came_at) = recorded(SHARED)["order_status_2.signed.json"]
    heard = dialect.hear((account,), callback, "dada", came_at)
    assert heard.events == ()  # the sample's order is nobody's of ours
    assert heard.foreign == ("12321",)
    ours = {**json.loads(callback.body), "order_id": REFERENCE}
    (event,) = dialect.hear(
        (account,), sent(account, {**ours, "signature": checksum(ours)}), "dada", NOON
    ).events
    assert event.kind is EventKind.COURIER_ASSIGNED
    assert event.occurred_at == datetime.fromtimestamp(1482220973, UTC)
    assert event.event_id == f"{REFERENCE}-2-1482220973"
    assert "13546670420" not in event.model_dump_json()


def test_one_flipped_byte_in_anything_that_the_checksum_covers_is_refused() -> None:
    message = content(REFERENCE, "4", NOON, client_id="Dada1")
    for key in ("order_id", "client_id", "update_time", "signature"):
        value = str(message[key])
        for position in range(len(value)):
            for mask in (0x01, 0x20):
                other = value[:position] + chr(ord(value[position]) ^ mask) + value[position + 1 :]
                with pytest.raises((Unauthorised, Malformed)):
                    heard({**message, key: other})


def test_the_checksum_covers_neither_status_nor_boundaries_and_so_it_is_only_a_hint() -> None:
    message = content(REFERENCE, "2", NOON)
    (event,) = heard({**message, "order_status": 4}).events
    assert event.kind is EventKind.DELIVERED
    assert dialect.trust == "hint"


@pytest.mark.parametrize(
    "token", ["", "a-word-of-our", "a-word-of-ours ", "A-WORD-OF-OURS", "\ud800", "another-word"]
)
def test_without_our_word_in_the_address_nothing_is_heard(token: str) -> None:
    callback = told(ACCOUNT, REFERENCE, "", "4", NOON, NOON)
    with pytest.raises(Unauthorised, match="word"):
        dialect.hear((ACCOUNT,), replace(callback, query={"token": token}), "dada", NOON)
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), replace(callback, query={}), "dada", NOON)
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), replace(callback, method="GET"), "dada", NOON)


def test_an_empty_word_lets_nobody_in_and_a_second_account_its_own_callers() -> None:
    nobody = {**ACCOUNT, "callback_token": ""}
    with pytest.raises(Unauthorised):
        dialect.hear((nobody,), told(nobody, REFERENCE, "", "4", NOON, NOON), "dada", NOON)
    for account in (ACCOUNT, ROTATED):
        callback = told(account, REFERENCE, "", "4", NOON, NOON)
        assert dialect.hear((nobody, ROTATED, ACCOUNT), callback, "dada", NOON).events


# --- asking ---


def test_every_request_is_signed_over_its_sorted_parts_between_the_secret() -> None:
    requests = (
        dialect.quote(ACCOUNT, "", job(), NOON),
        dialect.book(ACCOUNT, "", job(), NOON),
        dialect.cancel(ACCOUNT, "", REFERENCE, None, "brand", NOON),
        dialect.look_up(ACCOUNT, "", REFERENCE, REFERENCE, NOON),
    )
    for request in requests:
        envelope = json.loads(request.body)
        assert set(envelope) == {"app_key", "body", "format", "source_id", "timestamp", "v", "signature"}
        assert (envelope["format"], envelope["v"]) == ("json", "1.0")
        assert envelope["timestamp"] == "1649649600"
        secret = ACCOUNT["app_secret"]
        middle = "".join(k + v for k, v in sorted(envelope.items()) if k != "signature")
        digest = hashlib.md5(f"{secret}{middle}{secret}".encode(), usedforsecurity=False).hexdigest()
        assert envelope["signature"] == digest.upper()
        assert secret.encode() not in request.body
        assert request.body.isascii(), "no two charsets can disagree about what was signed"


def test_the_account_says_whether_it_speaks_to_the_real_one_or_to_the_one_for_tests() -> None:
    assert dialect.book(ACCOUNT, "", job(), NOON).url == "https://newopen.imdada.cn/api/order/addOrder"
    tests = {**ACCOUNT, "base_url": "https://newopen.qa.imdada.cn/"}
    assert dialect.look_up(tests, "", REFERENCE, None, NOON).url == (
        "https://newopen.qa.imdada.cn/api/order/status/query"
    )


def test_nobody_logs_in() -> None:
    assert dialect.login(ACCOUNT) is None
    with pytest.raises(Unanswered):
        dialect.logged_in(reply(), NOON)
    with pytest.raises(Unauthorised):
        dialect.greet((ACCOUNT,), Callback("GET", {"token": ACCOUNT["callback_token"]}, {}, b""), NOON)


@pytest.mark.parametrize("account", [{}, {"city_code": "021"}])
def test_a_booking_has_what_is_needed_and_nothing_that_is_not_documented(account: dict[str, str]) -> None:
    asked = booking(carried(job()), **account)
    assert set(asked) >= NEEDED
    assert set(asked) <= DOCUMENTED
    assert asked.get("city_code") == account.get("city_code")
    assert (asked["origin_id"], asked["shop_no"], asked["is_prepay"]) == (REFERENCE, "11047059", 0)
    assert asked["origin_mark_no"] == "#" + (REFERENCE.replace("_", "").replace("-", ""))[-29:]
    assert len(asked["origin_mark_no"]) <= 30


def test_a_quote_asks_in_the_words_of_the_booking() -> None:
    assert body_of(dialect.quote(ACCOUNT, "", job(), NOON)) == booking()
    assert dialect.quote(ACCOUNT, "", job(), NOON).url.endswith("/api/order/queryDeliverFee")


def test_the_address_that_dada_calls_carries_our_word() -> None:
    assert booking()["callback"] == "https://cordon.example/v1/callbacks/SHA/dada?token=a-word-of-ours"
    asked = booking(callback_url="https://c.example/x?y=1", callback_token="a&b c")
    assert asked["callback"] == "https://c.example/x?y=1&token=a%26b+c"


def test_chinese_survives_the_two_layers_of_json() -> None:
    asked = booking()
    assert asked["receiver_name"] == "王女士"
    assert asked["receiver_address"] == "衡山路100号 衡山小区 2号楼 602"


def test_what_the_line_of_an_address_says_is_not_said_twice() -> None:
    of = job()
    place = of.recipient.place
    address = place.address.model_copy(update={"line": "衡山路100号衡山小区2号楼"})
    there = of.recipient.model_copy(update={"place": place.model_copy(update={"address": address})})
    assert booking(replace(of, recipient=there))["receiver_address"] == "衡山路100号衡山小区2号楼 602"


@pytest.mark.parametrize("datum", list(Datum))
def test_coordinates_are_sent_in_gcj02_whatever_they_are_kept_in(datum: Datum) -> None:
    of = job(datum=datum)
    kept = of.recipient.place.coordinate
    lng, lat = converted((kept.lng, kept.lat), datum, Datum.GCJ02)
    asked = booking(of)
    assert (asked["receiver_lng"], asked["receiver_lat"]) == (round(lng, 6), round(lat, 6))


def test_a_chinese_number_loses_its_prefix_and_a_foreign_one_keeps_it() -> None:
    of = job()
    assert booking(of)["receiver_phone"] == "18512345678"
    abroad = replace(of, recipient=of.recipient.model_copy(update={"phone": "+33612345678"}))
    assert booking(abroad)["receiver_phone"] == "+33612345678"


def test_values_are_yuan_and_a_gift_of_great_value_goes_alone_and_insured() -> None:
    plain = booking(job(of=gift(1234, quantity=3)))
    assert (plain["cargo_price"], plain["cargo_num"]) == (37.02, 3)
    assert (plain["is_use_insurance"], plain["is_direct_delivery"]) == (0, 0)
    for precious in (gift(100_000), gift(500, ItemClass.HIGH_VALUE)):
        asked = booking(job(of=precious))
        assert (asked["is_use_insurance"], asked["is_direct_delivery"]) == (1, 1)


def test_a_gift_that_is_not_valued_in_yuan_cannot_be_asked_for_and_says_so_in_a_word() -> None:
    for ask in (dialect.book, dialect.quote):
        with pytest.raises(Uncarriable, match="CNY") as caught:
            ask(ACCOUNT, "", job(of=gift(currency="EUR")), NOON)
        assert (caught.value.reason, caught.value.whole_courier) == ("currency_unknown", True)


def test_every_class_of_gift_has_a_type_of_dadas_list() -> None:
    types = {1, 2, 3, 5, 8, 9, 13, 19, 20, 21, 24, 25, 26, 27, 28, 29, 50, 51, 53, 55, 57, 59, 61}
    assert {booking(job(of=gift(item_class=one)))["cargo_type"] for one in ItemClass} <= types
    assert booking()["cargo_type"] == 3


def test_the_rider_is_sent_to_the_shop_that_the_pick_up_is_and_to_no_other() -> None:
    known = {"shop_no:Plaza 66": "66", "shop_no:恒隆 广场店": "67"}
    assert booking(**known)["shop_no"] == "67", "names are compared folded"
    assert booking(**{"shop_no:Plaza 66": "66"})["shop_no"] == "11047059"
    with pytest.raises(Uncarriable) as caught:
        booking(**{"shop_no": "", "shop_no:Plaza 66": "66"})
    assert (caught.value.reason, caught.value.whole_courier) == ("shop_unknown", True)
    assert "恒隆" not in str(caught.value)


def test_a_receipt_code_is_asked_for_where_it_is_wanted_and_the_client_is_there_to_say_it() -> None:
    for handover in NEAREST_FIRST:
        of = job(handover=handover)
        assert booking(carried(of))["is_finish_code_needed"] == int(handover in TO_THE_CLIENT)
        assert booking(of)["is_finish_code_needed"] == 0
    assert dialect.proofs == {Proof.RECEIPT_CODE}


def test_the_note_says_how_to_hand_over_when_and_how_cold() -> None:
    cold = gift(temperature=TemperatureRange(min_c=2, max_c=8))
    notes = {handover: booking(job(handover=handover, of=cold))["info"] for handover in NEAREST_FIRST}
    assert len(set(notes.values())) == len(NEAREST_FIRST)
    for note in notes.values():
        assert len(note) <= 100
        assert "15:00-17:00" in note  # the window on Shanghai's clock
        assert "2~8°C" in note
    assert "请勿进入小区" in notes[Handover.GATE]
    assert "温度" not in booking()["info"]


# --- when ---


def test_a_job_for_later_is_given_out_as_its_stay_begins() -> None:
    of = job()
    assert of.pick_up_from is not None
    assert booking(of)["delay_publish_time"] == int(of.pick_up_from.timestamp())
    assert "delay_publish_time" not in booking(of, at=of.pick_up_from)
    assert "delay_publish_time" not in booking(of, at=of.deliver_by + timedelta(hours=1))


@given(
    before=st.integers(-20, 20) | st.integers(-120, 6000),
    later=st.integers(0, 240),
    ms=st.integers(0, 59_999),
)
def test_nobody_is_sent_for_a_gift_before_the_stay_begins_nor_without_notice(
    before: int, later: int, ms: int
) -> None:
    at = NOON + timedelta(milliseconds=ms)
    begins = NOON + timedelta(minutes=before, seconds=ms % 60)
    hand_over = begins + timedelta(minutes=later)
    of = job(pick_up_from=begins, deliver_from=hand_over, deliver_by=hand_over + timedelta(hours=1))
    soonest = max(begins, at + timedelta(minutes=6))
    soonest += timedelta(seconds=-soonest.timestamp() % 60)  # Dada counts in minutes
    if begins > at and (soonest >= of.deliver_by or soonest > at + timedelta(days=3)):
        with pytest.raises(Uncarriable, match=r"too soon|3 days ahead") as refused:
            booking(of, at)
        assert not refused.value.whole_courier
        return
    asked = booking(of, at)
    if begins <= at:
        assert "delay_publish_time" not in asked
        return
    assert asked["delay_publish_time"] == soonest.timestamp()
    assert soonest >= begins
    assert soonest >= at + timedelta(minutes=5)


def test_what_cannot_be_told_in_time_is_a_refusal_of_the_slot() -> None:
    soon = NOON + timedelta(minutes=2)
    with pytest.raises(Uncarriable, match="too soon") as caught:
        booking(job(pick_up_from=soon, deliver_from=soon, deliver_by=soon + timedelta(minutes=3)))
    assert (caught.value.reason, caught.value.whole_courier) == ("start_too_soon", False)
    far = NOON + timedelta(days=3, minutes=1)
    with pytest.raises(Uncarriable) as caught:
        booking(job(pick_up_from=far, deliver_from=far, deliver_by=far + timedelta(hours=1)))
    assert caught.value.reason == "start_too_far"


# --- quotes ---


def test_a_price_is_kept_for_three_minutes_under_the_reference_it_was_asked_for() -> None:
    answer = dialect.quoted(reply(fee=18.5, deliveryNo="Dada1", distance=4200.5), job(), NOON)
    assert isinstance(answer, Quoted)
    assert (answer.fee, answer.expires_at) == (
        Money(amount=1850, currency="CNY"),
        NOON + timedelta(minutes=3),
    )
    request = dialect.book(ACCOUNT, "", replace(job(), quote_id=answer.quote_id), NOON)
    assert request.url.endswith("/api/order/addAfterQuery")
    assert body_of(request) == {"deliveryNo": "Dada1"}


def test_a_price_for_another_attempt_or_another_hand_over_is_left_alone() -> None:
    """order/addAfterQuery makes the job that was asked about, under the reference of then."""
    answer = dialect.quoted(reply(fee=18.5, deliveryNo="Dada1"), job(), NOON)
    assert isinstance(answer, Quoted)
    for other in (
        job(reference_of(ORDER_ID, 1, 2)),
        job(handover=Handover.GATE),
    ):
        request = dialect.book(ACCOUNT, "", replace(other, quote_id=answer.quote_id), NOON)
        assert request.url.endswith("/api/order/addOrder")
        assert body_of(request)["origin_id"] == other.reference
    for odd in ("", "/", "Dada1", "Dada1/"):
        assert dialect.book(ACCOUNT, "", replace(job(), quote_id=odd), NOON).url.endswith("/addOrder")


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(fee=12), Quoted(Money(amount=1200, currency="CNY"))),
        (reply(fee=12, deliveryNo="a b"), Quoted(Money(amount=1200, currency="CNY"))),
        (reply(deliveryNo="Dada1"), Unsure("no_fee")),
        (reply(fee="a lot", deliveryNo="Dada1"), Unsure("no_fee")),
        (reply(2130, msg="订单已发单,不能查询运费"), Unsure("exists_already")),
        (reply(2067), Unsure("busy")),
        (reply(2155, msg="余额不足，请充值"), NotTaken("account_unpaid", whole_courier=True)),
        (reply(9943), NotTaken("out_of_area", whole_courier=True)),
    ],
)
def test_an_answer_to_a_question_for_the_price_means(answer: Reply, meaning: object) -> None:
    assert dialect.quoted(answer, job(), NOON) == meaning


# --- what answers mean ---


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (
            reply(fee=12.34, deliverFee=12.34, distance=1),
            Booked(REFERENCE, Money(amount=1234, currency="CNY")),
        ),
        (reply(), Booked(REFERENCE)),  # as order/addAfterQuery answers
        (reply(fee="a lot"), Booked(REFERENCE)),
        (reply(fee=-1), Booked(REFERENCE)),
        (reply(fee=True), Booked(REFERENCE)),
        (
            Reply(200, {}, b'\xef\xbb\xbf{"status":"success","code":0,"msg":"","result":""}'),
            Booked(REFERENCE),
        ),
        (Reply(200, {}, b'{"status":"success","code":2105}'), Unsure("contradiction")),
        (Reply(200, {}, b'{"status":"fail","code":0}'), Unsure("contradiction")),
        (reply(status=502), Unsure("http_502")),
        (reply(2155, status=400), Unsure("http_400")),
        (reply(-1, msg="系统异常"), Unsure("busy")),
        (reply(1000), Unsure("busy")),
        (reply(2012), Unsure("busy")),
        (reply(2062), Unsure("quote_expired")),
        (reply(2063), Unsure("exists_already")),
        (reply(2065), Unsure("exists_already")),
        (reply(2105), Unsure("exists_already")),
        (reply(31_337, msg="?"), Unsure("courier_31337")),
        (reply(2087, msg="发单失败"), Unsure("courier_2087")),
        (reply(2087, msg="发单失败，订单已存在"), Unsure("exists_already")),
        (reply(2087, msg="该区域封控"), NotTaken("closed_area", whole_courier=True)),
        (reply(2533, msg="超出配送范围"), NotTaken("out_of_area", whole_courier=True)),
        (reply(2086, msg="运力不充足,发单失败"), NotTaken("no_rider")),
        (reply(2468), NotTaken("outside_hours")),
        (reply(2044), NotTaken("out_of_area", whole_courier=True)),
        (reply(2129), NotTaken("address_not_found", whole_courier=True)),
        (reply(2155), NotTaken("account_unpaid", whole_courier=True)),
        (reply(2003, msg="签名错误"), NotTaken("signature_refused", whole_courier=True)),
        (reply(2001), NotTaken("account_refused", whole_courier=True)),
        (reply(2132), NotTaken("account_refused", whole_courier=True)),
        (reply(2410), NotTaken("bad_arguments", whole_courier=True)),
        (reply(999), NotTaken("under_maintenance", whole_courier=True)),
        (reply(2005), Unsure("unknown_job")),
        (reply(2050), Unsure("too_late")),
        (reply(2076), Unsure("cancelled")),
    ],
)
def test_an_answer_to_a_booking_means(answer: Reply, meaning: object) -> None:
    assert dialect.booked(answer, job()) == meaning


def test_of_all_documented_codes_only_zero_books_and_none_refuses_that_says_a_job_exists() -> None:
    for code, verdict in _CODES.items():
        booked = dialect.booked(reply(code), job())
        assert isinstance(booked, Booked) is (code == 0), code
        assert isinstance(booked, NotTaken) is (verdict.says is _Says.NO), code
        assert isinstance(dialect.cancelled(reply(code)), CancelConfirmed) is (code in (0, 2076)), code
        assert isinstance(dialect.looked_up(reply(code), REFERENCE, "dada", NOON), NotFound) is (
            code in (2005, 2530)
        ), code
    for code in (2012, 2061, 2063, 2064, 2065, 2066, 2105, 2140):
        assert isinstance(dialect.booked(reply(code), job()), Unsure), code


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(deduct_fee=2), CancelConfirmed(Money(amount=200, currency="CNY"), returning=False)),
        (reply(deduct_fee=0), CancelConfirmed(Money(amount=0, currency="CNY"), returning=False)),
        (reply(), CancelConfirmed(returning=False)),
        (reply(2076, msg="订单已取消,无法重复取消"), CancelConfirmed()),
        (reply(2005), CancelUnknown()),
        (reply(2530), CancelUnknown()),
        (reply(2050, msg="订单配送中,无法取消"), CancelRefused("too_late")),
        (reply(2458, msg="取消失败[订单状态为9,不能取消]"), CancelRefused("returning")),
        (reply(2459), Unsure("ended_already")),
        (reply(2051), Unsure("ended_already")),
        (reply(2052), Unsure("ended_already")),
        (reply(2460, msg="取消失败[订单状态不为待接单和待取货]"), Unsure("not_cancelled")),
        (reply(2053), Unsure("not_cancelled")),
        (reply(2003), Unsure("signature_refused")),
        (reply(2457), Unsure("bad_arguments")),
        (reply(2011), Unsure("courier_2011")),
        (reply(-1), Unsure("busy")),
        (reply(31_337), Unsure("courier_31337")),
    ],
)
def test_an_answer_to_a_cancellation_means(answer: Reply, meaning: object) -> None:
    assert dialect.cancelled(answer) == meaning


def test_a_cancellation_says_why_where_there_is_a_reason() -> None:
    asked = body_of(dialect.cancel(ACCOUNT, "", REFERENCE, REFERENCE, "not_cleared", NOON))
    assert asked == {"order_id": REFERENCE, "cancel_reason_id": 10000, "cancel_reason": "not_cleared"}
    bare = dialect.cancel(ACCOUNT, "", REFERENCE, None, "", NOON)
    assert body_of(bare) == {"order_id": REFERENCE, "cancel_reason_id": 36}
    assert bare.url.endswith("/api/order/formalCancel")


# --- looking up ---


def at_china(moment: datetime) -> str:
    return moment.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")


def details(status: object, **times: object) -> Reply:
    empty = dict.fromkeys(("createTime", "acceptTime", "fetchTime", "finishTime", "cancelTime"), "")
    rider = {"transporterName": "测试达达", "transporterPhone": "13546670420", "orderFinishCode": "1234"}
    return reply(orderId=REFERENCE, statusCode=status, **{**empty, **rider, **times})


def looked(answer: Reply, at: datetime = NOON) -> Any:
    found = dialect.looked_up(answer, REFERENCE, "dada", at)
    assert isinstance(found, Found)
    assert found.delivery_id == REFERENCE
    return found.event


@pytest.mark.parametrize(
    ("status", "time", "kind"),
    [
        (1, "createTime", EventKind.ACCEPTED),
        (2, "acceptTime", EventKind.COURIER_ASSIGNED),
        (100, "arriveTime", EventKind.AT_PICK_UP),
        (3, "fetchTime", EventKind.PICKED_UP),
        (4, "finishTime", EventKind.DELIVERED),
        (5, "cancelTime", EventKind.CANCELLED),
    ],
)
def test_a_look_up_is_dated_by_dada_and_is_one_with_its_callback(
    status: int, time: str, kind: EventKind
) -> None:
    then = NOON - timedelta(minutes=7)
    event = looked(details(status, **{time: at_china(then)}))
    assert (event.kind, event.occurred_at, event.source) == (kind, then, "look_up")
    (called,) = dialect.hear(
        (ACCOUNT,), told(ACCOUNT, REFERENCE, "", str(status), then, NOON), "dada", NOON
    ).events
    assert (called.event_id, called.kind, called.occurred_at) == (event.event_id, kind, then)
    assert "1354667" not in event.model_dump_json()


@pytest.mark.parametrize("time", ["", None, 5, "yesterday", "2022-13-40 00:00:00", "2022-04-11T12:00:00Z"])
def test_a_look_up_without_a_time_is_dated_by_the_look_and_named_the_same_every_time(time: object) -> None:
    first, later = (looked(details(4, finishTime=time), at) for at in (NOON, NOON + timedelta(minutes=1)))
    assert (first.kind, first.occurred_at) == (EventKind.DELIVERED, NOON)
    assert first.event_id == later.event_id == f"{REFERENCE}-4-look_up"


def test_a_look_tells_of_nothing_that_is_yet_to_come() -> None:
    assert looked(details(4, finishTime=at_china(NOON + timedelta(minutes=3)))).occurred_at == NOON


@pytest.mark.parametrize("status", [5, 7])
def test_a_job_that_ended_after_it_was_fetched_failed_with_the_gift(status: int) -> None:
    """However late it is looked at, and though the call of the pick-up was lost: the gift is not free."""
    then = at_china(NOON - timedelta(minutes=5))
    never = looked(details(status, cancelTime=then))
    fetched = looked(details(status, cancelTime=then, fetchTime=at_china(NOON - timedelta(minutes=30))))
    assert (never.kind, fetched.kind) == (EventKind.CANCELLED, EventKind.FAILED)
    assert never.event_id != fetched.event_id, "it is not taken for a double of the callback, which says less"
    assert fold([never]).picked_up_at is None
    assert fold([fetched]).picked_up_at is not None


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(2005, msg="订单不存在,请核查订单号"), NotFound()),
        (reply(2011), Unsure("courier_2011")),
        (reply(), Unsure("another_job")),
        (reply(orderId="ord_other-1-1", statusCode=4), Unsure("another_job")),
        (reply(orderId=REFERENCE), Found(REFERENCE, None)),
        (reply(orderId=REFERENCE, statusCode=0), Found(REFERENCE, None)),
        (reply(orderId=REFERENCE, statusCode=[4]), Found(REFERENCE, None)),
        (reply(2003), Unsure("signature_refused")),
        (reply(-1), Unsure("busy")),
        (reply(999), Unsure("under_maintenance")),
    ],
)
def test_an_answer_to_a_look_up_means(answer: Reply, meaning: object) -> None:
    assert dialect.looked_up(answer, REFERENCE, "dada", NOON) == meaning


@pytest.mark.parametrize(
    ("said", "code"),
    [("1234", "1234"), (9527, "9527"), ("", None), (None, None), ("12\n34", None), ("a=b", None), ([], None)],
)
def test_a_look_up_names_the_receipt_code_which_no_answer_to_a_booking_does(
    said: object, code: str | None
) -> None:
    found = dialect.looked_up(details(2, orderFinishCode=said), REFERENCE, "dada", NOON)
    assert isinstance(found, Found) and found.event is not None
    assert found.codes == ({"receipt_code": code} if code else {})
    assert "1234" not in found.event.model_dump_json()


def test_a_status_nobody_knows_is_kept_unreadable_in_a_look_up_too() -> None:
    assert looked(details(11)).kind is EventKind.UNREADABLE
    assert looked(details("4")).kind is EventKind.DELIVERED


# --- hearing ---


def heard(message: dict[str, object]) -> Heard:
    return dialect.hear((ACCOUNT,), sent(ACCOUNT, message), "dada", NOON)


@pytest.mark.parametrize(("status", "meaning"), STATUSES.items())
def test_every_status_has_its_meaning(status: int, meaning: tuple[EventKind, str]) -> None:
    (event,) = heard(content(REFERENCE, str(status), NOON)).events
    assert (event.kind, event.reason) == meaning
    assert event.occurred_at == NOON


def test_the_documented_ends_are_ends_and_returning_is_not() -> None:
    kinds = {status: kind for status, (kind, _) in STATUSES.items()}
    assert len(kinds) == 11
    assert (kinds[4], kinds[10], kinds[9]) == (EventKind.DELIVERED, EventKind.RETURNED, EventKind.RETURNING)
    assert kinds[5] is kinds[7] is EventKind.CANCELLED
    assert kinds[1000] is EventKind.PICK_UP_FAILED


def test_what_is_heard_is_answered_with_ok() -> None:
    answer = heard(content(REFERENCE, "2", NOON))
    assert json.loads(answer.answer) == {"status": "ok"}
    assert answer.content_type.startswith("application/json")


def test_times_are_seconds_and_of_a_failed_creation_milliseconds() -> None:
    late = NOON + timedelta(milliseconds=123)
    failed = content(REFERENCE, "1000", NOON, update_time=int(NOON.timestamp()) * 1000 + 123)
    (event,) = heard(failed).events
    assert event.occurred_at == late
    assert event.event_id == f"{REFERENCE}-1000-1649649600123"
    (event,) = heard(content(REFERENCE, "2", NOON)).events
    assert event.occurred_at == NOON
    (event,) = heard(content(REFERENCE, "1000", NOON, update_time=1649649600)).events
    assert event.occurred_at == NOON, "its digits say what it is"


def test_a_number_may_come_as_text_and_a_name_as_a_number_or_not_at_all() -> None:
    odd = content(REFERENCE, "4", NOON, order_status="4", update_time="1649649600", client_id=4711)
    (event,) = heard(odd).events
    assert (event.kind, event.occurred_at) == (EventKind.DELIVERED, NOON)
    assert heard(content(REFERENCE, "4", NOON, client_id=None)).events
    bare = content(REFERENCE, "4", NOON)
    del bare["client_id"]
    assert heard(bare).events
    with_bom = b"\xef\xbb\xbf" + json.dumps(content(REFERENCE, "4", NOON)).encode()
    assert dialect.hear((ACCOUNT,), enveloped(ACCOUNT, with_bom, NOON), "dada", NOON).events


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cancel_from": 1, "cancel_reason": "?"}, "courier_cancelled"),
        ({"cancel_from": 2}, "merchant_cancelled"),
        ({"cancel_from": "3"}, "courier_system"),
        ({"cancel_from": 0}, ""),
        ({"cancel_from": None, "cancel_reason": None}, ""),
        ({"cancel_from": [1], "cancel_reason": 5}, ""),
        ({"cancel_from": 3, "cancel_reason": "没有配送员接单"}, "no_rider"),
        ({"cancel_from": 1, "cancel_reason": "小区封控，无法进入"}, "closed_area"),
        ({"cancel_from": 1, "cancel_reason": "保安不让进小区"}, "cannot_access_location"),
        ({"cancel_from": 1, "cancel_reason": "联系不上顾客王女士18512345678"}, "client_unavailable"),
        ({"cancel_from": 3, "cancel_reason": "顾客拒收"}, "client_refused"),
        ({"cancel_from": 1, "cancel_reason": "收货地址填写错误"}, "address_not_found"),
    ],
)
def test_who_cancelled_and_why_is_a_slug_and_never_their_words(
    changes: dict[str, object], reason: str
) -> None:
    (event,) = heard(content(REFERENCE, "5", NOON, **changes)).events
    assert (event.kind, event.reason) == (EventKind.CANCELLED, reason)
    assert "王" not in event.model_dump_json()


def test_a_return_says_why_where_dada_does() -> None:
    (event,) = heard(content(REFERENCE, "9", NOON, cancel_reason="客户拒收")).events
    assert (event.kind, event.reason) == (EventKind.RETURNING, "client_refused")


def test_a_rider_who_gives_it_back_or_passes_it_on_is_told_again_and_is_another_event() -> None:
    later = NOON + timedelta(minutes=3)
    story = [
        content(REFERENCE, "1", NOON - timedelta(minutes=9)),
        content(REFERENCE, "2", NOON),
        content(REFERENCE, "1", later, repeat_reason_type=1),
        content(REFERENCE, "2", later + timedelta(minutes=1), repeat_reason_type=2),
    ]
    events = [event for message in story for event in heard(message).events]
    assert [event.reason for event in events] == ["", "", "reassigned", "rider_changed"]
    assert len({event.event_id for event in events}) == 4
    assert fold(events).kind is EventKind.COURIER_ASSIGNED
    assert fold(events[:3]).kind is EventKind.ACCEPTED


def test_a_whole_story_comes_to_the_same_in_every_order() -> None:
    told_in_order = [
        content(REFERENCE, status, NOON + timedelta(minutes=minute))
        for minute, status in enumerate(("1", "2", "100", "3", "9", "10"))
    ]
    events = [event for message in told_in_order for event in heard(message).events]
    track = fold(events)
    assert (track.kind, track.picked_up_at) == (EventKind.RETURNED, NOON + timedelta(minutes=3))
    for order in permutations(events):
        assert fold(order) == track
    assert fold([events[0], events[-1]]).kind is EventKind.RETURNED, "skipped states are legal"


@pytest.mark.parametrize("status", ["999", 0, -5, "04", "delivered", "６", 6, 11, "x" * 64])
def test_a_status_nobody_knows_is_kept_unreadable(status: object) -> None:
    (event,) = heard(content(REFERENCE, "4", NOON, order_status=status)).events
    assert event.kind is EventKind.UNREADABLE
    assert event.raw_status


@pytest.mark.parametrize(
    "changes",
    [
        {"order_status": None},
        {"order_status": [4]},
        {"order_status": ""},
        {"update_time": None},
        {"update_time": 0},
        {"update_time": "yesterday"},
        {"update_time": 10**30},
        {"update_time": -1649649600},
        {"order_id": None},
        {"order_id": ""},
        {"order_id": {}},
        {"order_id": "x" * 129},
        {"signature": None},
        {"client_id": []},
    ],
)
def test_a_change_without_its_parts_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        heard({**content(REFERENCE, "4", NOON), **changes})


def test_what_another_system_ordered_is_foreign() -> None:
    for other in ("12321", "ord_short-1-1", REFERENCE + "\n"):
        answer = heard(content(other, "4", NOON))
        assert (answer.events, answer.foreign) == ((), (other,))
        assert json.loads(answer.answer) == {"status": "ok"}


def test_a_fault_names_the_field_and_not_what_stood_there() -> None:
    with pytest.raises(Malformed, match="update_time") as caught:
        heard({**content(REFERENCE, "4", NOON), "update_time": "王女士 18512345678"})
    assert "王" not in str(caught.value)


# --- messages ---


def plea(**changes: object) -> dict[str, object]:
    inside = {"orderId": REFERENCE, "dadaOrderId": 20220411, "cancelReason": "小区封控", **changes}
    return {"messageType": 1, "messageBody": json.dumps(inside, ensure_ascii=False)}


def test_a_rider_who_asks_to_be_let_off_is_acknowledged_kept_and_moves_nothing() -> None:
    answer = heard(plea())
    assert json.loads(answer.answer) == {"status": "ok"}
    (event,) = answer.events
    assert (event.reference, event.raw_status, event.reason) == (REFERENCE, "asks_to_cancel", "closed_area")
    assert (event.kind, event.occurred_at) == (EventKind.UNREADABLE, NOON)
    picked = heard(content(REFERENCE, "3", NOON)).events
    assert fold([*picked, event]).kind is EventKind.PICKED_UP
    assert heard(plea(cancelReason="?")).events[0].event_id == event.event_id, "its doubles are one"


def test_the_inside_of_a_message_may_be_json_text_or_json() -> None:
    inside = json.loads(str(plea()["messageBody"]))
    assert heard({"messageType": "1", "messageBody": inside}).events == heard(plea()).events


def test_other_messages_are_acknowledged() -> None:
    for kind in (2, "3", 0):
        answer = heard({"messageType": kind, "messageBody": "{}"})
        assert (answer.events, answer.foreign) == ((), ())
        assert json.loads(answer.answer) == {"status": "ok"}
    assert heard(plea(orderId="12321")).foreign == ("12321",)


@pytest.mark.parametrize(
    "inside", [None, "", "[]", "{}", "nonsense", 5, [], {}, '{"orderId":""}', "[" * 9999]
)
def test_a_plea_without_its_parts_is_malformed(inside: object) -> None:
    with pytest.raises(Malformed):
        heard({"messageType": 1, "messageBody": inside})


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_in_any_field_is_read_or_refused_and_never_a_crash(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from([content(REFERENCE, "5", NOON), plea()]))
    for key in data.draw(st.sets(st.sampled_from(sorted(message)), min_size=1)):
        message = {**message, key: data.draw(_json)}
    if "update_time" in message and data.draw(st.booleans()):
        message = {**message, "signature": checksum(message)}
    body = json.dumps(message).encode()
    with suppress(Malformed, Unauthorised):
        dialect.hear((ACCOUNT,), enveloped(ACCOUNT, body, NOON), "dada", NOON)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_in_any_field_of_an_answer_is_read_and_never_a_crash(data: st.DataObject) -> None:
    said = json.loads(details(5, fee=1, deduct_fee=1, deliveryNo="D1").body)
    for part in (said, said["result"]):
        for key in data.draw(st.sets(st.sampled_from(sorted(part)))):
            part[key] = data.draw(_json)
    answer = Reply(200, {}, json.dumps(said).encode())
    dialect.quoted(answer, job(), NOON)
    dialect.booked(answer, job())
    dialect.cancelled(answer)
    dialect.looked_up(answer, REFERENCE, "dada", NOON)


def test_a_deeply_nested_body_is_an_error_and_never_a_crash() -> None:
    for body in (b"[" * 100_000, b'{"messageType":' + b"[" * 100_000, b'{"a":' * 50_000):
        with pytest.raises(Malformed):
            dialect.hear((ACCOUNT,), enveloped(ACCOUNT, body, NOON), "dada", NOON)
