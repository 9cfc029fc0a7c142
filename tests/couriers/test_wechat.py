"""WeChat Immediate Delivery: the vendor's vectors, its recorded messages, and what its answers mean."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.couriers.wechat import STATUSES, WeChat, _decrypted, _same, _sha1_sorted
from chalicelib.domain.dialect import (
    Booked,
    Callback,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    Job,
    NotFound,
    NotTaken,
    Reply,
    Request,
    TokenRefused,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.gifts import ItemClass, TemperatureRange
from chalicelib.domain.legs import EventKind
from chalicelib.domain.places import Datum, converted
from chalicelib.domain.policies import NEAREST_FIRST, Handover
from chalicelib.domain.shapes import Money
from tests.couriers.jobs import NOON, REFERENCE, gift, job
from tests.couriers.samples_wechat import ACCOUNT, content, enveloped, told, wrapped

SHARED = Path(os.environ.get("CORDON_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "couriers"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the vendor's vectors are not at {SHARED} (set CORDON_SHARED)"
)
dialect = WeChat()


def vector(courier: str) -> dict[str, Any]:
    everything = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    found: dict[str, Any] = next(one for one in everything if one["courier"].startswith(courier))
    return found


def reply(status: int = 200, **told: object) -> Reply:
    return Reply(status, {}, json.dumps(told, ensure_ascii=False).encode())


def body_of(request: Request) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(request.body)
    return read


def booking(of: Job | None = None, at: datetime = NOON, **account: str) -> dict[str, Any]:
    return body_of(dialect.book({**ACCOUNT, **account}, "tok", of or job(), at))


# --- vectors and recorded messages ---


@needs_shared
def test_the_vendors_delivery_sign_comes_out() -> None:
    known = vector("wechat_immediate_delivery")
    account = {**ACCOUNT, "shopid": known["shopid"], "app_secret": known["secret"]}
    request = dialect.look_up(account, "tok", known["shop_order_id"], None, NOON)
    assert body_of(request)["delivery_sign"] == known["expected"]


@needs_shared
def test_the_vendors_callback_signature_and_ciphertext_come_out() -> None:
    known = vector("wechat_push")
    assert (
        _sha1_sorted(known["token"], known["timestamp"], known["nonce"], known["encrypt"])
        == known["expected"]
    )
    key, appid = known["encoding_aes_key"], known["decrypts_to_appid"]
    assert _decrypted(key, appid, known["encrypt"]) is not None
    assert _decrypted(key, "wx-another", known["encrypt"]) is None
    account = {**ACCOUNT, "token": known["token"], "encoding_aes_key": key, "appid": appid}
    query = {
        "msg_signature": known["expected"],
        "timestamp": known["timestamp"],
        "nonce": known["nonce"],
    }
    body = json.dumps({"ToUserName": "toUser", "Encrypt": known["encrypt"]}).encode()
    at = datetime.fromtimestamp(int(known["timestamp"]), UTC)
    with pytest.raises(Malformed):  # proven; what is inside is XML from before the gateway spoke JSON
        dialect.hear((account,), Callback("POST", query, {}, body), "sf", at)


@needs_shared
@pytest.mark.parametrize(
    "name", ["update_waybill_status_102.skit.json", "update_waybill_status_102.weapp.json"]
)
def test_the_recorded_messages_are_read(name: str) -> None:
    raw = (SHARED / "wechat_immediate_delivery" / name).read_bytes()
    recorded = json.loads(raw.decode("utf-8-sig"))
    account = {**ACCOUNT, "shopid": recorded["shopid"]}
    sealed = enveloped(account, raw, NOON)
    sealed = replace(sealed, body=sealed.body.replace(b"gh_97417a04a28d", b"toUser"))
    heard = dialect.hear((account,), sealed, "sf", NOON)
    assert heard.events == ()  # the sample's order is nobody's of ours
    assert heard.foreign == (recorded["shop_order_id"],)
    ours = {**recorded, "shop_order_id": REFERENCE}
    (event,) = dialect.hear((account,), wrapped(account, ours, NOON), "sf", NOON).events
    assert event.kind is EventKind.COURIER_ASSIGNED
    assert event.occurred_at == datetime.fromtimestamp(1546924844, UTC)
    assert event.event_id == "123456-102-1546924844"


@needs_shared
def test_a_request_has_the_layout_of_the_documented_one() -> None:
    documented = json.loads(
        (SHARED / "wechat_immediate_delivery/addLocalOrder.request.docs.json").read_text()
    )
    asked = booking()
    optional = {"delivery_token", "sub_biz_id"}
    assert set(asked) == set(documented) - optional
    for part in ("sender", "receiver", "shop"):
        assert set(asked[part]) == set(documented[part])
    sizes = {"goods_height", "goods_length", "goods_width"}
    assert set(asked["cargo"]) == (set(documented["cargo"]) - sizes) | {"goods_pickup_info"}
    goods = documented["cargo"]["goods_detail"]["goods"][0]
    assert set(asked["cargo"]["goods_detail"]["goods"][0]) == set(goods)
    more = {"declared_value", "expected_finish_time", "expected_pick_time", "rider_pick_method"}
    assert set(asked["order_info"]) == set(documented["order_info"]) | more


@needs_shared
def test_the_documented_answer_is_a_booking() -> None:
    raw = (SHARED / "wechat_immediate_delivery/addLocalOrder.response.docs.json").read_bytes()
    assert dialect.booked(Reply(200, {}, raw), job()) == Booked(
        "123456789",
        Money(amount=1000, currency="CNY"),
        {"pickup_code": "2048", "receipt_code": "1024"},
    )


# --- asking ---


def test_logging_in_asks_for_the_stable_token() -> None:
    request = dialect.login({**ACCOUNT, "base_url": "http://127.0.0.1:9/"})
    assert request is not None
    assert request.url == "http://127.0.0.1:9/cgi-bin/stable_token"
    assert body_of(request) == {
        "grant_type": "client_credential",
        "appid": ACCOUNT["appid"],
        "secret": ACCOUNT["secret"],
    }


def test_a_token_is_dropped_before_it_ends() -> None:
    token = dialect.logged_in(reply(access_token="abc", expires_in=7200), NOON)
    assert token.value == "abc"
    assert NOON + timedelta(minutes=115) < token.expires_at < NOON + timedelta(minutes=120)
    assert dialect.logged_in(reply(access_token="abc", expires_in=30), NOON).expires_at == NOON


@pytest.mark.parametrize(
    "answer",
    [
        reply(errcode=40125, errmsg="invalid appsecret"),
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


def test_the_token_goes_into_the_address_and_cannot_leave_it() -> None:
    request = dialect.book(ACCOUNT, "a&b=c/d", job(), NOON)
    assert request.url == (
        "https://api.weixin.qq.com/cgi-bin/express/local/business/order/add?access_token=a%26b%3Dc%2Fd"
    )


def test_chinese_goes_out_as_it_is() -> None:
    request = dialect.book(ACCOUNT, "tok", job(), NOON)
    assert "衡山路100号".encode() in request.body
    assert b"\\u" not in request.body


@pytest.mark.parametrize("datum", list(Datum))
def test_coordinates_are_sent_in_gcj02_whatever_they_are_kept_in(datum: Datum) -> None:
    of = job(datum=datum)
    asked = booking(of)
    for part, kept in (("sender", of.pick_up), ("receiver", of.recipient.place)):
        lng, lat = converted((kept.coordinate.lng, kept.coordinate.lat), datum, Datum.GCJ02)
        assert (asked[part]["lng"], asked[part]["lat"]) == (round(lng, 6), round(lat, 6))
        assert asked[part]["coordinate_type"] == 0
    if datum is Datum.WGS84:
        assert abs(asked["receiver"]["lng"] - of.recipient.place.coordinate.lng) > 0.003


def test_a_chinese_number_loses_its_prefix_and_a_foreign_one_keeps_it() -> None:
    of = job()
    assert booking(of)["receiver"]["phone"] == "18512345678"
    abroad = replace(of, recipient=of.recipient.model_copy(update={"phone": "+33612345678"}))
    assert booking(abroad)["receiver"]["phone"] == "+33612345678"


def test_values_are_yuan() -> None:
    asked = booking(job(of=gift(1234, quantity=3)))
    assert asked["cargo"]["goods_value"] == 37.02
    assert asked["cargo"]["goods_detail"]["goods"][0]["good_price"] == 12.34
    assert asked["shop"]["goods_count"] == 3


def test_a_gift_of_great_value_is_insured_for_all_of_it_and_declared_as_far_as_the_gateway_counts() -> None:
    asked = booking(job(of=gift(88_888_88, ItemClass.HIGH_VALUE)))
    assert asked["cargo"]["goods_value"] == 5000
    assert asked["order_info"]["is_insured"] == 1
    assert asked["order_info"]["declared_value"] == 88888.88
    assert (asked["cargo"]["cargo_first_class"], asked["cargo"]["cargo_second_class"]) == (
        "珠宝奢侈品",
        "奢侈品",
    )
    cheap = booking(job(of=gift(50_00)))["order_info"]
    assert (cheap["is_insured"], cheap["declared_value"]) == (0, 0)


@pytest.mark.parametrize(
    ("company", "precious", "plain"), [("SFTC", 0, 0), ("MTPS", 0, 0), ("DADA", 1, 0), ("SS", 1, 1)]
)
def test_a_courier_is_asked_to_carry_it_alone_only_where_that_can_be_had(
    company: str, precious: int, plain: int
) -> None:
    for fen, expected in ((200_000, precious), (5_000, plain)):
        info = booking(job(of=gift(fen)), delivery_id=company)["order_info"]
        assert info["is_direct_delivery"] == expected


def test_a_receipt_code_is_asked_for_where_the_client_is_there_to_say_it() -> None:
    for handover in NEAREST_FIRST:
        info = booking(job(handover=handover))["order_info"]
        assert info["is_finish_code_needed"] == int(handover in (Handover.DOOR, Handover.LOBBY))
        assert info["is_pickup_code_needed"] == 1
    assert booking(delivery_id="MTPS")["order_info"]["is_finish_code_needed"] == 0


def test_the_note_says_how_to_hand_over_in_both_languages_and_fits() -> None:
    notes = {}
    cold = gift(temperature=TemperatureRange(min_c=2, max_c=8))
    for handover in NEAREST_FIRST:
        note = booking(job(handover=handover, of=cold))["order_info"]["note"]
        assert len(note) <= 200
        assert "15:00-17:00" in note  # the window on Shanghai's clock
        assert "2~8°C" in note
        notes[handover] = note
    assert len(set(notes.values())) == len(NEAREST_FIRST)
    assert "小区门口" in notes[Handover.GATE]
    assert "do not go in" in notes[Handover.GATE]


def test_every_class_of_gift_has_a_category_and_a_poor_one_none() -> None:
    for item_class in ItemClass:
        assert booking(job(of=gift(item_class=item_class)))["cargo"]["cargo_first_class"]


def test_the_time_goes_into_the_field_that_the_company_reads() -> None:
    of = job()
    middle = int((NOON + timedelta(hours=4)).timestamp())
    assert booking(of)["order_info"]["expected_finish_time"] == middle
    assert booking(of, delivery_id="MTPS")["order_info"]["expected_finish_time"] == middle
    assert of.pick_up_from is not None
    start = int(of.pick_up_from.timestamp())
    assert booking(of, delivery_id="DADA")["order_info"]["expected_delivery_time"] == start
    assert booking(of, delivery_id="SS")["order_info"]["expected_pick_time"] == start
    for company in ("SFTC", "MTPS", "DADA", "SS"):
        info = booking(of, delivery_id=company)["order_info"]
        assert info["order_type"] == 1
        assert sum(bool(info[f"expected_{name}_time"]) for name in ("delivery", "finish", "pick")) == 1


@given(before=st.integers(-120, 240), later=st.integers(0, 240), told=st.booleans())
def test_shansong_is_never_told_to_come_before_the_stay_begins(before: int, later: int, told: bool) -> None:
    start = NOON + timedelta(minutes=before)
    hand_over_from = start + timedelta(minutes=later)
    of = job(
        pick_up_from=start if told else None,
        deliver_from=hand_over_from,
        deliver_by=hand_over_from + timedelta(hours=1),
    )
    begins = start if told else hand_over_from
    asking = partial(booking, of, at=NOON + timedelta(milliseconds=1), delivery_id="SS")
    if begins > NOON and max(begins, hand_over_from) <= NOON + timedelta(hours=2):
        with pytest.raises(Uncarriable) as refused:
            asking()
        assert (refused.value.reason, refused.value.whole_courier) == ("start_too_soon", False)
        return
    info = asking()["order_info"]
    if info["order_type"] == 0:
        assert begins <= NOON + timedelta(milliseconds=1)
        assert info["expected_pick_time"] == 0
    else:
        pick_up = datetime.fromtimestamp(info["expected_pick_time"], UTC)
        assert begins <= pick_up <= max(begins, hand_over_from)
        assert pick_up >= NOON + timedelta(hours=2), "Shansong wants two hours' notice"


def test_a_hand_over_in_110_minutes_is_refused_for_shansong_rather_than_fetched_now() -> None:
    soon = NOON + timedelta(minutes=110)
    with pytest.raises(Uncarriable, match="too soon"):
        booking(job(pick_up_from=soon, deliver_from=soon), delivery_id="SS")
    begun = job(pick_up_from=NOON, deliver_from=NOON + timedelta(minutes=30))
    assert booking(begun, delivery_id="SS")["order_info"]["order_type"] == 0
    assert booking(job(pick_up_from=soon, deliver_from=soon))["order_info"]["order_type"] == 1


@given(minutes=st.integers(-500, 500))
def test_the_time_asked_for_lies_in_the_window_whenever_it_is_booked(minutes: int) -> None:
    of, at = job(), NOON + timedelta(minutes=minutes)
    asked = booking(of, at)["order_info"]["expected_finish_time"]
    assert of.deliver_from.timestamp() <= asked <= of.deliver_by.timestamp()


def test_a_gift_that_is_not_valued_in_yuan_cannot_be_asked_for_and_says_so_in_a_word() -> None:
    with pytest.raises(Uncarriable, match="CNY") as caught:
        booking(job(of=gift(currency="EUR")))
    assert (caught.value.reason, caught.value.whole_courier) == ("currency_unknown", True)


# --- what answers mean ---


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(errcode=40001), TokenRefused()),
        (reply(errcode=42001), TokenRefused()),
        (reply(errcode=40014), TokenRefused()),
        (reply(errcode=-1, errmsg="system error"), Unsure("busy")),
        (reply(errcode=930562, errmsg="order already exists"), Unsure("exists_already")),
        (reply(errcode=930556), Unsure("courier_timeout")),
        (reply(errcode=930557, errmsg="delivery system error"), Unsure("courier_error")),
        (reply(errcode=123456), Unsure("errcode_123456")),
        (reply(errcode=930561, errmsg="args error"), NotTaken("bad_arguments", whole_courier=True)),
        (reply(errcode=930560), NotTaken("account_refused", whole_courier=True)),
        (reply(errcode=930564), NotTaken("no_quota", whole_courier=True)),
        (reply(errcode=930558, resultmsg="超出配送范围"), NotTaken("out_of_area", whole_courier=True)),
        (reply(resultcode=0, resultmsg="ok", waybill_id=""), Unsure("no_waybill")),
        (reply(resultcode=0), Unsure("no_waybill")),
        (reply(resultcode=1202, resultmsg="不要在2s内重复提交数据!"), Unsure("exists_already")),
        (reply(resultcode=1, resultmsg="系统错误"), Unsure("busy")),
        (
            reply(resultcode=1, resultmsg="签名校验失败", waybill_id=""),
            NotTaken("signature_refused", whole_courier=True),
        ),
        (reply(resultcode=2003, resultmsg="签名错误"), NotTaken("signature_refused", whole_courier=True)),
        (
            reply(resultcode=214, resultmsg="不支持该支付方式", waybill_id=""),
            NotTaken("account_refused", whole_courier=True),
        ),
        (reply(resultcode=5, resultmsg="不存在或合作方不合作:shopid"), NotTaken("account_refused", True)),
        (
            reply(resultcode=3, resultmsg="数据不完整,缺少必传参数:mt_peisong_id"),
            NotTaken("bad_arguments", whole_courier=True),
        ),
        (reply(resultcode=2062, resultmsg="订单价格信息已过期,请重新查询后发单"), NotTaken("courier_2062")),
        (reply(resultcode=7, resultmsg="附近无骑手"), NotTaken("no_rider")),
        (reply(resultcode=8, resultmsg="小区封控"), NotTaken("closed_area", whole_courier=True)),
        (reply(resultcode=9, resultmsg="不明"), NotTaken("courier_9")),
        (reply(resultcode=9, resultmsg="不明", waybill_id="77"), Unsure("courier_9")),
        (reply(waybill_id="77"), Unsure("unreadable")),
        (reply(503, resultcode=0, waybill_id="77"), Unsure("http_503")),
        (Reply(200, {}, b"<html>busy</html>"), Unsure("unreadable")),
    ],
)
def test_an_answer_to_a_booking_means(answer: Reply, meaning: object) -> None:
    assert dialect.booked(answer, job()) == meaning


def test_an_odd_fee_or_code_does_not_undo_a_booking() -> None:
    answer = reply(resultcode=0, waybill_id=123, fee="a lot", pickup_code=0, finish_code=["1"])
    assert dialect.booked(answer, job()) == Booked("123", None, {})


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(resultcode=0, deduct_fee=2.5), CancelConfirmed(Money(amount=250, currency="CNY"))),
        (
            reply(resultcode=0, deduct_fee=5, desc="物品将返还商家"),
            CancelConfirmed(Money(amount=500, currency="CNY"), returning=None),
        ),
        (reply(resultcode=0, desc="不退回任何费用"), CancelConfirmed(returning=None)),
        (reply(errcode=930563, errmsg="order not exists"), CancelUnknown()),
        (reply(resultcode=2005, resultmsg="订单不存在,请核查订单号"), CancelUnknown()),
        (reply(resultcode=1, resultmsg="订单已取消"), CancelConfirmed()),
        (reply(resultcode=6, resultmsg="骑手已取货,不可取消"), CancelRefused("too_late")),
        (reply(resultcode=6, resultmsg="订单无法取消"), CancelRefused("too_late")),
        (reply(errcode=930565), Unsure("ended_already")),
        (reply(resultcode=1202, resultmsg="请求参数错误(order_id)"), Unsure("bad_arguments")),
        (reply(resultcode=1, resultmsg=""), Unsure("courier_1")),
        (reply(errcode=42001), TokenRefused()),
        (reply(errcode=-1), Unsure("busy")),
    ],
)
def test_an_answer_to_a_cancellation_means(answer: Reply, meaning: object) -> None:
    assert dialect.cancelled(answer) == meaning


def test_a_cancellation_says_why_and_names_the_waybill_where_there_is_one() -> None:
    asked = body_of(dialect.cancel(ACCOUNT, "tok", REFERENCE, "SF1", "compound_sealed", NOON))
    assert asked["waybill_id"] == "SF1"
    assert (asked["cancel_reason_id"], asked["cancel_reason"]) == (6, "compound_sealed")
    assert asked["shop_order_id"] == REFERENCE
    proof = f"{ACCOUNT['shopid']}{REFERENCE}{ACCOUNT['app_secret']}"
    assert asked["delivery_sign"] == hashlib.sha1(proof.encode(), usedforsecurity=False).hexdigest()
    bare = body_of(dialect.cancel(ACCOUNT, "tok", REFERENCE, None, "", NOON))
    assert "waybill_id" not in bare
    assert bare["cancel_reason_id"] == 1


def test_a_look_up_finds_the_state_as_an_event_that_is_the_same_every_time() -> None:
    answer = reply(resultcode=0, order_status=301, waybill_id="SF1", rider_name="王师傅")
    first = dialect.looked_up(answer, REFERENCE, "sf", NOON)
    later = dialect.looked_up(answer, REFERENCE, "sf", NOON + timedelta(minutes=1))
    assert isinstance(first, Found)
    assert isinstance(later, Found)
    assert first.delivery_id == "SF1"
    assert first.event is not None
    assert later.event is not None
    assert (first.event.kind, first.event.source) == (EventKind.IN_TRANSIT, "look_up")
    assert first.event.event_id == later.event.event_id
    assert "王" not in first.event.model_dump_json()


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(errcode=930563, errmsg="order not exists"), NotFound()),
        (reply(resultcode=2005, resultmsg="订单不存在,请核查订单号", order_status=0), NotFound()),
        (reply(resultcode=0, order_status=0, waybill_id="SF1"), Found("SF1", None)),
        (reply(resultcode=0, order_status=102, waybill_id=""), Unsure("no_waybill")),
        (reply(resultcode=5, resultmsg="不存在或合作方不合作:shopid"), Unsure("account_refused")),
        (reply(errcode=40001), TokenRefused()),
        (reply(errcode=930557), Unsure("courier_error")),
    ],
)
def test_an_answer_to_a_look_up_means(answer: Reply, meaning: object) -> None:
    assert dialect.looked_up(answer, REFERENCE, "sf", NOON) == meaning


@pytest.mark.parametrize(("status", "returns"), [(103, False), (303, True), (304, True), (305, True)])
def test_a_look_up_tells_a_cancelled_job_whose_gift_comes_back_by_its_documented_status(
    status: int, returns: bool
) -> None:
    answer = reply(resultcode=0, order_status=status, waybill_id="SF1", desc="物品将返还商家")
    found = dialect.looked_up(answer, REFERENCE, "sf", NOON)
    assert isinstance(found, Found) and found.event is not None
    assert (found.event.kind is EventKind.RETURNING) is returns


# --- hearing ---


@pytest.mark.parametrize(("status", "meaning"), STATUSES.items())
def test_every_status_has_its_meaning(status: int, meaning: tuple[EventKind, str]) -> None:
    callback = told(ACCOUNT, REFERENCE, "SF1", str(status), NOON, NOON)
    (event,) = dialect.hear((ACCOUNT,), callback, "sf", NOON).events
    assert (event.kind, event.reason) == meaning
    assert event.occurred_at == NOON


def test_the_documented_ends_are_ends_and_returning_is_not() -> None:
    kinds = {status: kind for status, (kind, _) in STATUSES.items()}
    assert len(kinds) == 16
    assert {kinds[s] for s in (303, 304, 305)} == {EventKind.RETURNING}
    assert {kinds[s] for s in (203, 204, 205)} == {EventKind.PICK_UP_FAILED}
    assert {kinds[s] for s in (103, 501, 502)} == {EventKind.CANCELLED}
    assert (kinds[302], kinds[401]) == (EventKind.DELIVERED, EventKind.RETURNED)


def heard(message: dict[str, object]) -> Any:
    return dialect.hear((ACCOUNT,), wrapped(ACCOUNT, message, NOON), "sf", NOON)


def test_what_is_heard_is_answered_with_success() -> None:
    assert heard(content(REFERENCE, "SF1", "102", NOON)).answer == b"success"


def test_a_number_may_come_as_text_and_a_name_as_a_number_and_a_time_in_milliseconds() -> None:
    odd = content(
        REFERENCE,
        "x",
        "102",
        NOON,
        waybill_id=4711,
        shopid=int(ACCOUNT["shopid"]),
        order_status="302",
        action_time=int(NOON.timestamp()) * 1000,
        Event="UPDATE_WAYBILL_STATUS",
    )
    (event,) = heard(odd).events
    assert event.kind is EventKind.DELIVERED
    assert event.occurred_at == NOON
    assert event.event_id == f"4711-302-{int(NOON.timestamp())}"


@pytest.mark.parametrize("status", ["999", 0, -5, "0302", "delivered", "\uff13\uff10\uff12", "x" * 200])
def test_a_status_nobody_knows_is_kept_unreadable(status: object) -> None:
    (event,) = heard(content(REFERENCE, "SF1", "102", NOON, order_status=status)).events
    assert event.kind is EventKind.UNREADABLE
    assert event.raw_status


def test_what_another_shop_or_system_ordered_is_foreign() -> None:
    for message in (
        content(REFERENCE, "SF1", "102", NOON, shopid="999"),
        content("ord_short-1-1", "SF1", "102", NOON),
        content(REFERENCE + "\n", "SF1", "102", NOON),
    ):
        answer = heard(message)
        assert answer.events == ()
        assert answer.foreign == (message["shop_order_id"],)
        assert answer.answer == b"success"


def test_other_messages_of_the_mini_program_are_acknowledged() -> None:
    for event in ("user_enter_tempsession", ""):
        answer = heard({"ToUserName": "gh_97417a04a28d", "MsgType": "event", "Event": event})
        assert (answer.events, answer.foreign, answer.answer) == ((), (), b"success")


@pytest.mark.parametrize(
    "changes",
    [
        {"order_status": None},
        {"order_status": [302]},
        {"action_time": None},
        {"action_time": 0},
        {"action_time": "yesterday"},
        {"action_time": 10**30},
        {"waybill_id": ""},
        {"waybill_id": "x" * 65},
        {"waybill_id": None},
        {"shop_order_id": None},
        {"shop_order_id": {}},
        {"shopid": None},
    ],
)
def test_a_proven_message_without_its_parts_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        heard(content(REFERENCE, "SF1", "102", NOON, **changes))


def test_a_fault_names_the_field_and_not_what_stood_there() -> None:
    with pytest.raises(Malformed, match="waybill_id") as caught:
        heard(content(REFERENCE, "王女士 18512345678", "102", NOON))
    assert "王" not in str(caught.value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_in_any_field_of_a_proven_message_is_read_or_malformed(data: st.DataObject) -> None:
    message = content(REFERENCE, "SF1", "102", NOON)
    for key in data.draw(st.sets(st.sampled_from(sorted(message)), min_size=1)):
        message[key] = data.draw(_json)
    inside = json.dumps(message).encode()
    with suppress(Malformed, Unauthorised):
        dialect.hear((ACCOUNT,), enveloped(ACCOUNT, inside, NOON), "sf", NOON)


def test_a_deeply_nested_message_is_an_error_and_never_a_crash() -> None:
    with pytest.raises(Malformed):
        dialect.hear((ACCOUNT,), enveloped(ACCOUNT, b"[" * 100_000, NOON), "sf", NOON)
    with pytest.raises(Unauthorised):
        dialect.hear(
            (ACCOUNT,),
            Callback("POST", told(ACCOUNT, REFERENCE, "SF1", "102", NOON, NOON).query, {}, b"[" * 100_000),
            "sf",
            NOON,
        )


def test_half_a_character_in_the_query_is_refused_like_any_other_junk() -> None:
    callback = told(ACCOUNT, REFERENCE, "SF1", "102", NOON, NOON)
    for key in ("msg_signature", "nonce", "timestamp"):
        with pytest.raises(Unauthorised):
            dialect.hear((ACCOUNT,), replace(callback, query={**callback.query, key: "\ud800"}), "sf", NOON)
    assert not _same("a", "ü")


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_callback_from_outside_the_window_is_a_replay(seconds: int) -> None:
    callback = told(ACCOUNT, REFERENCE, "SF1", "102", NOON, NOON)
    with pytest.raises(Unauthorised, match="timestamp"):
        dialect.hear((ACCOUNT,), callback, "sf", NOON + timedelta(seconds=seconds))
    for inside in (-300, 0, 300):
        assert dialect.hear((ACCOUNT,), callback, "sf", NOON + timedelta(seconds=inside)).events


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "+1649649600",
        "1_649_649_600",
        "\uff11\uff16\uff14\uff19\uff16\uff14\uff19\uff16\uff10\uff10",
        "1e9",
        "9" * 5000,
    ],
)
def test_a_timestamp_is_plain_digits(stamp: str) -> None:
    callback = told(ACCOUNT, REFERENCE, "SF1", "102", NOON, NOON)
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), replace(callback, query={**callback.query, "timestamp": stamp}), "sf", NOON)


def test_a_message_in_plain_mode_is_refused_even_with_its_signature() -> None:
    callback = told(ACCOUNT, REFERENCE, "SF1", "302", NOON, NOON)
    plain = json.dumps(content(REFERENCE, "SF1", "302", NOON)).encode()
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), replace(callback, body=plain), "sf", NOON)


def test_a_message_for_another_app_under_our_token_is_refused() -> None:
    callback = wrapped({**ACCOUNT, "appid": "wx-another"}, content(REFERENCE, "SF1", "302", NOON), NOON)
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), callback, "sf", NOON)


def test_while_only_the_aes_key_rotates_the_token_may_stay() -> None:
    renewed = {**ACCOUNT, "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}
    callback = told(renewed, REFERENCE, "SF1", "102", NOON, NOON)
    assert dialect.hear((ACCOUNT, renewed), callback, "sf", NOON).events


@pytest.mark.parametrize("key", ["short", "!" * 43, "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C="])
def test_a_key_that_is_none_opens_nothing(key: str) -> None:
    callback = told(ACCOUNT, REFERENCE, "SF1", "102", NOON, NOON)
    with pytest.raises(Unauthorised):
        dialect.hear(({**ACCOUNT, "encoding_aes_key": key},), callback, "sf", NOON)


def test_an_empty_token_proves_nothing_even_to_who_signs_with_it() -> None:
    nobody = {**ACCOUNT, "token": ""}
    with pytest.raises(Unauthorised):
        dialect.hear((nobody,), told(nobody, REFERENCE, "SF1", "302", NOON, NOON), "sf", NOON)
    stamp, nonce = str(int(NOON.timestamp())), "1514711492"
    signature = hashlib.sha1("".join(sorted(["", stamp, nonce])).encode(), usedforsecurity=False).hexdigest()
    with pytest.raises(Unauthorised):
        dialect.greet((nobody,), greeting(signature=signature), NOON)


@pytest.mark.parametrize("padding", [b"\x00\x00\x03", b"\x21" * 33, b"\x00"])
def test_padding_that_is_none_opens_nothing(padding: bytes) -> None:
    inside = json.dumps(content(REFERENCE, "SF1", "102", NOON)).encode()
    filled = enveloped(ACCOUNT, inside, NOON, padding)
    with pytest.raises(Unauthorised):
        dialect.hear((ACCOUNT,), filled, "sf", NOON)


def test_the_wrong_key_opens_nothing_whatever_it_makes_of_it() -> None:
    """A wrong key turns a block into noise, which now and then ends in what looks like padding."""
    sealed = json.loads(told(ACCOUNT, REFERENCE, "SF1", "102", NOON, NOON).body)["Encrypt"]
    for number in range(2000):
        key = hashlib.sha256(str(number).encode()).hexdigest()[:42] + "A"
        assert _decrypted(key, ACCOUNT["appid"], sealed) is None


# --- greeting ---


def greeting(echo: str = "4375120948345356249", **query: str) -> Callback:
    stamp, nonce = str(int(NOON.timestamp())), "1514711492"
    joined = "".join(sorted([ACCOUNT["token"], stamp, nonce]))
    signature = hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest()
    known = {"signature": signature, "timestamp": stamp, "nonce": nonce, "echostr": echo}
    return Callback("GET", {**known, **query}, {}, b"")


def test_a_greeting_is_echoed() -> None:
    assert dialect.greet((ACCOUNT,), greeting(), NOON) == b"4375120948345356249"
    assert dialect.greet(({**ACCOUNT, "token": "other"}, ACCOUNT), greeting(), NOON)


@pytest.mark.parametrize(
    "changed",
    [
        greeting(signature="0" * 40),
        greeting(signature=""),
        greeting(nonce="1"),
        greeting(timestamp=""),
        greeting(echo=""),
        greeting(echo="<script>alert(1)</script>"),
    ],
)
def test_a_greeting_that_is_not_proven_or_carries_a_page_is_refused(changed: Callback) -> None:
    with pytest.raises(Unauthorised):
        dialect.greet((ACCOUNT,), changed, NOON)


def test_a_greeting_without_a_token_of_ours_or_out_of_time_is_refused() -> None:
    for accounts in ((), ({**ACCOUNT, "token": ""},)):
        with pytest.raises(Unauthorised):
            dialect.greet(accounts, greeting(), NOON)
    with pytest.raises(Unauthorised):
        dialect.greet((ACCOUNT,), greeting(), NOON + timedelta(seconds=301))


def test_the_documented_greeting_comes_out() -> None:
    """The example on WeChat's own message-push page."""
    query = {
        "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
        "echostr": "4375120948345356249",
        "timestamp": "1714036504",
        "nonce": "1514711492",
    }
    at = datetime.fromtimestamp(1714036504, UTC)
    answer = dialect.greet(({**ACCOUNT, "token": "AAAAA"},), Callback("GET", query, {}, b""), at)
    assert answer == b"4375120948345356249"
