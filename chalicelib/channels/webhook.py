"""Webhooks: a notice as a signed request, and what the receiver's reply comes to.

Standard Webhooks (github.com/standard-webhooks, spec of 2026-08) around CloudEvents 1.0 in structured mode.
Pure: the notice, the secrets and the time come in, a request value goes out. The body of a notice is the same
at every try; the time of the try is in the headers, and signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from standardwebhooks.webhooks import Webhook

from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.notices import MessageEvent, Notice, Outcome, Result, cloud_event

AGENT = "Cordon-Webhooks/1"
CONTENT_TYPE = "application/cloudevents+json"

SLOW_DOWN = frozenset({429, 502, 503, 504})
"""The specification's three and 503, which is the one that RFC 9110 gives a Retry-After."""


def request(notice: Notice, url: str, secrets: Sequence[str], at: datetime) -> Request:
    """The notice as it goes out at that moment, signed with every secret, the present one first."""
    return _signed(notice.notice_id, cloud_event(notice).model_dump_json(), url, secrets, at)


def summons(event: MessageEvent, url: str, secrets: Sequence[str], at: datetime) -> Request:
    """That a message is owed, as it goes out at that moment; the same body and id at every try."""
    return _signed(event.id, event.model_dump_json(), url, secrets, at)


def _signed(name: str, body: str, url: str, secrets: Sequence[str], at: datetime) -> Request:
    if not secrets:
        raise ValueError("a notice is signed with at least one secret")
    moment = at.astimezone(UTC).replace(microsecond=0)  # sign() takes any time of day for UTC
    signatures = (Webhook(secret).sign(name, moment, body) for secret in secrets)
    return Request(
        method="POST",
        url=url,
        headers={
            "content-type": CONTENT_TYPE,
            "user-agent": AGENT,
            "webhook-id": name,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signatures),
        },
        body=body.encode(),
        connect_timeout_s=2.0,
        read_timeout_s=5.0,
    )


def read(reply: Reply, at: datetime) -> Outcome:
    """What that reply, received at that moment, means."""
    status = reply.status
    if 200 <= status < 300:
        return Outcome(Result.DELIVERED, status)
    if status == 410:
        return Outcome(Result.GONE, status, "the receiver says it is gone")
    if status in SLOW_DOWN:
        wait = _retry_after(reply.headers, at)
        return Outcome(Result.SLOW_DOWN, status, "the receiver asks for time", wait)
    if 300 <= status < 400:
        return Outcome(Result.FAILED, status, "the receiver redirects, which is not followed")
    return Outcome(Result.FAILED, status, "a status from 200 to 299 was expected")


def unanswered(problem: str) -> Outcome:
    """No reply at all, or none that was allowed to be asked for."""
    return Outcome(Result.FAILED, None, problem)


def _retry_after(headers: Mapping[str, str], at: datetime) -> float | None:
    """Seconds to wait: RFC 9110 has them as a number or as a date. None for junk and for the past."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait = (moment - at).total_seconds()
    return wait if wait > 0 else None
