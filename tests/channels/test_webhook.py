"""Webhooks as they go out, judged by the public library, and replies as they are read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib.channels.webhook import Outcome, Result, read, request
from chalicelib.domain.dialect import Reply
from chalicelib.domain.notices import Notice, NoticeState, notice_id_of
from chalicelib.domain.orders import OrderState

URL = "https://hooks.example.com/cordon"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOON = datetime(2022, 4, 11, 4, 0, tzinfo=UTC)

secrets = st.binary(min_size=24, max_size=64).map(lambda raw: "whsec_" + base64.b64encode(raw).decode())


def notice(sequence: int = 1, state: OrderState = OrderState.BOOKED) -> Notice:
    return Notice(
        notice_id=notice_id_of("ord_abc", "whe_1", sequence),
        order_id="ord_abc",
        brand_id="maison",
        endpoint_id="whe_1",
        market_id="SHA",
        sequence=sequence,
        order_state=state,
        happened_at=NOON,
        state=NoticeState.PENDING,
    )


def test_the_published_vector_is_signed_as_published() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    signature = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_request_carries_a_thin_cloud_event() -> None:
    sent = request(notice(), URL, [SECRET], NOON)
    assert (sent.method, sent.url) == ("POST", URL)
    assert (sent.connect_timeout_s, sent.read_timeout_s) == (2.0, 5.0)
    assert sent.headers["content-type"] == "application/cloudevents+json"
    assert sent.headers["user-agent"].startswith("Cordon")
    assert json.loads(sent.body) == {
        "specversion": "1.0",
        "id": sent.headers["webhook-id"],
        "source": "/markets/SHA",
        "type": "order.booked",
        "subject": "ord_abc",
        "time": "2022-04-11T04:00:00Z",
        "datacontenttype": "application/json",
        "data": {"order_id": "ord_abc", "market": "SHA", "state": "booked", "sequence": 1},
    }


@given(
    st.lists(secrets, min_size=1, max_size=2, unique=True), st.integers(-12, 14), st.sampled_from(OrderState)
)
def test_the_public_library_verifies_what_is_sent_in_any_time_zone(
    given_secrets: list[str], offset: int, state: OrderState
) -> None:
    at = datetime.now(timezone(timedelta(hours=offset)))
    sent = request(notice(state=state), URL, given_secrets, at)
    assert int(sent.headers["webhook-timestamp"]) == int(at.timestamp())
    for secret in given_secrets:
        assert Webhook(secret).verify(sent.body, dict(sent.headers))["data"]["state"] == state.value


@given(secrets, secrets, st.integers(min_value=0), st.integers(0, 7))
def test_one_flipped_bit_or_another_secret_is_found_out(one: str, other: str, where: int, bit: int) -> None:
    sent = request(notice(), URL, [one], datetime.now(UTC))
    flipped = bytearray(sent.body)
    flipped[where % len(flipped)] ^= 1 << bit
    with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
        Webhook(one).verify(bytes(flipped), dict(sent.headers))
    if one != other:
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(sent.body, dict(sent.headers))


def test_the_body_is_the_same_at_every_try_and_the_signature_is_not() -> None:
    first, second = (request(notice(), URL, [SECRET], NOON + timedelta(hours=n)) for n in (0, 1))
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(ValueError):
        request(notice(), URL, [], NOON)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result.DELIVERED),
        (204, Result.DELIVERED),
        (299, Result.DELIVERED),
        (301, Result.FAILED),
        (307, Result.FAILED),
        (400, Result.FAILED),
        (404, Result.FAILED),
        (410, Result.GONE),
        (429, Result.SLOW_DOWN),
        (500, Result.FAILED),
        (502, Result.SLOW_DOWN),
        (503, Result.SLOW_DOWN),
        (504, Result.SLOW_DOWN),
        (999, Result.FAILED),
    ],
)
def test_a_status_is_read_as_the_specification_says(status: int, result: Result) -> None:
    outcome = read(Reply(status, {}, b"Wang Secretive"), NOON)
    assert (outcome.result, outcome.status) == (result, status)
    assert "Wang" not in outcome.problem
    assert (outcome.problem == "") == (result is Result.DELIVERED)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 11 Apr 2022 04:02:00 GMT", 120.0),
        ("Monday, 11-Apr-22 04:02:00 GMT", 120.0),
        ("Mon, 11 Apr 2022 03:00:00 GMT", None),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 400, 999_999_999_999.0),
        ("Mon, 99 Apr 2022 04:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_junk_is_nothing(value: str, seconds: float | None) -> None:
    assert read(Reply(503, {"Retry-After": value}, b""), NOON).retry_after_s == seconds
    assert read(Reply(429, {"retry-after": value}, b""), NOON).retry_after_s == seconds


@given(st.integers(), st.text(max_size=60))
def test_no_reply_breaks_the_reader(status: int, value: str) -> None:
    assert isinstance(read(Reply(status, {"Retry-After": value}, b""), NOON), Outcome)
