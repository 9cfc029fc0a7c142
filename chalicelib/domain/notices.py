"""Telling the brand: webhook endpoints, thin CloudEvents, and the schedule of tries.

Standard Webhooks: headers, secrets, schedule (github.com/standard-webhooks, spec of 2026-08). Bodies carry ids
and states only; whoever wants more asks the API, and that is on record.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from chalicelib.domain.orders import OrderState
from chalicelib.domain.shapes import Instant, Shape, is_absent

RETRIES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""After the first try at once: the specification's schedule. Then the notice is given up, and can be replayed."""


class Endpoint(Shape):
    """Where a brand wants to be told. Its secrets are sealed: the present one, and the one before it."""

    endpoint_id: str
    brand_id: str
    url: str
    created_at: Instant
    disabled: bool = False
    disabled_reason: str = ""
    disabled_at: Instant | None = None
    secrets_sealed: tuple[str, ...] = Field(min_length=1, max_length=2)
    old_secret_until: Instant | None = Field(default=None, description="Until then both secrets sign.")
    paused_until: Instant | None = Field(
        default=None, description="It failed or was slow: nothing is sent before."
    )
    failures: int = Field(default=0, description="In a row; one success ends them.")
    slow: bool = Field(default=False, description="It answers, and so late that others would wait for it.")
    next_look: Instant | None = Field(
        default=None,
        description="When the sweep looks for notices that are due here; None: none can be waiting.",
    )
    version: int = 1


class NoticeState(StrEnum):
    """Where one notice to one endpoint stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Attempt(Shape):
    """One try."""

    at: Instant
    status: int | None = Field(default=None, description="None: no answer.")
    problem: str = ""
    took_ms: int = 0


class Notice(Shape):
    """One state of one order, told to one endpoint. Its id is the webhook-id and the CloudEvents id."""

    notice_id: str
    order_id: str
    brand_id: str
    endpoint_id: str
    market_id: str
    sequence: int = Field(description="Which step of the order's history this tells.")
    order_state: OrderState
    happened_at: Instant
    about: str | None = Field(
        default=None, exclude_if=is_absent, description="Of a reminder: what it is about."
    )
    state: NoticeState
    attempts: tuple[Attempt, ...] = Field(default=(), max_length=40)
    next_attempt_at: Instant | None = None
    version: int = 1


class NoticeData(Shape):
    """What a webhook says: ids and a state, nothing personal."""

    order_id: str
    market: str
    state: OrderState
    sequence: int


class CloudEvent(Shape):
    """CloudEvents 1.0, structured mode."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    datacontenttype: str = "application/json"
    data: NoticeData


class MessageData(Shape):
    """What a client is to hear, and by whom: nothing personal. What the message says, the brand knows or asks for."""

    message_id: str
    kind: str = Field(description="What it is about: announced, booked, on_its_way, ...")
    client: str = Field(description="The brand's own name for the client.")
    language: str
    order_id: str | None = Field(default=None, exclude_if=is_absent)
    market: str | None = Field(default=None, exclude_if=is_absent)


class MessageEvent(Shape):
    """CloudEvents 1.0, structured mode: a message to a client that the brand is asked to say itself, or an answer."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    datacontenttype: str = "application/json"
    data: MessageData


class Result(StrEnum):
    """What a try came to."""

    DELIVERED = "delivered"
    GONE = "gone"
    SLOW_DOWN = "slow_down"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """One try, read. `status` is None when nobody answered; `problem` never quotes the receiver's body."""

    result: Result
    status: int | None = None
    problem: str = ""
    retry_after_s: float | None = None


def notice_id_of(order_id: str, endpoint_id: str, sequence: int) -> str:
    """The same state told to the same endpoint has the same id for ever, so a receiver can drop doubles."""
    text = f"{order_id}|{endpoint_id}|{sequence}"
    return "msg_" + hashlib.sha256(text.encode()).hexdigest()[:32]


def cloud_event(notice: Notice) -> CloudEvent:
    """The body of a notice; byte for byte the same at every try."""
    return CloudEvent(
        id=notice.notice_id,
        source=f"/markets/{notice.market_id}",
        type=f"order.{notice.about or notice.order_state}",
        subject=notice.order_id,
        time=notice.happened_at,
        data=NoticeData(
            order_id=notice.order_id,
            market=notice.market_id,
            state=notice.order_state,
            sequence=notice.sequence,
        ),
    )


def next_attempt(
    tries: int, at: datetime, jitter: float, retry_after_s: float | None = None
) -> datetime | None:
    """When to try again after `tries` failed ones; `jitter` in [0, 1) stretches the wait by up to a tenth.

    None when the schedule is used up. A Retry-After is honoured, up to a day.
    """
    if tries > len(RETRIES):
        return None
    wait = RETRIES[tries - 1] * (1 + jitter / 10)
    if retry_after_s is not None:
        wait = max(wait, timedelta(seconds=min(retry_after_s, 86_400)))
    return at + wait
