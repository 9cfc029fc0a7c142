"""Tell a brand what its order has come to: every state once to every endpoint, in the order's own sequence.

What is owed is read off the saved state: the steps of the order's history that have no notice yet, and the
notices whose next attempt is due. A notice is sent first and saved after, in one write: whoever stops in
between owes it still, and the receiver drops the double by its id, which never changes. The other way round a
stop would lose it.

An endpoint that fails is paused as a whole, so that a slow brand costs one timeout now and then, and what is
owed to it waits in the work index on its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest

from chalicelib.domain import facts
from chalicelib.domain.errors import Clashing, Lost, Missing, Refused, Unanswered
from chalicelib.domain.notices import (
    RETRIES,
    Attempt,
    Endpoint,
    Notice,
    NoticeState,
    Outcome,
    Result,
    next_attempt,
    notice_id_of,
)
from chalicelib.domain.orders import Order, is_over, moved
from chalicelib.domain.ports import Keep, Key, Topic, World
from chalicelib.flows import subscribe

PAUSE = timedelta(seconds=30)
"""After the first failure of an endpoint; doubled with each that follows, ..."""
LONGEST_PAUSE = timedelta(minutes=10)
"""... up to this. A receiver's own Retry-After may ask for more, up to a day."""
DAY_S = 86_400.0
PATIENCE_S = 5.0
"""Seconds after which one order makes way for the others; what is left of it is nudged again."""
ATTEMPTS_KEPT = 40
REPLAYED = 200
"""Notices made pending again in one call."""
TRIES = 5

_UNSAVED = 0


def tell(world: World, order_id: str) -> None:
    """Send what is owed of this order, save what came of it, and close the order when all of it is told.

    Two reads at most (the endpoints are remembered half a minute) and one write a notice. Raises `Missing`.
    """
    order, notices = _read(world, order_id)
    closes = is_over(order) and not order.told
    endpoints = subscribe.known(world, order.brand_id, fresh=closes)  # nobody who came just now is left out
    began = world.stopwatch()
    for endpoint in sorted(endpoints.values(), key=lambda e: (e.failures, e.endpoint_id)):
        for notice in _owed(order, endpoint, notices, world.clock()):
            if world.stopwatch() - began >= PATIENCE_S:
                world.queues.nudge(Topic.TELL, [order_id])
                return
            endpoint = _deal_with(world, endpoint, notice)
    if closes:
        _close(world, order)


def due_notices(world: World, limit: int) -> list[str]:
    """Orders with a notice whose next attempt is due, at most `limit`; endpoints take turns."""
    page = world.table.find_due(facts.NOTICES, world.clock(), 4 * limit)
    by_endpoint: dict[str, list[str]] = {}
    for key in page.keys:
        by_endpoint.setdefault(key.sk.rpartition("#")[0], []).append(key.pk)
    turns = (name for turn in zip_longest(*by_endpoint.values()) for name in turn if name is not None)
    return list(dict.fromkeys(turns))[:limit]


@dataclass(frozen=True)
class Replayed:
    """How many notices are pending again, and where to go on when there are more."""

    count: int
    after: str | None = None


def replay(
    world: World,
    brand_id: str,
    endpoint_id: str,
    *,
    order_id: str | None = None,
    since: datetime | None = None,
    after: str | None = None,
) -> Replayed:
    """Tell it again, delivered or not: everything about one order, or every state entered since then.

    The attempts stay on record, and the ids stay the same. The pause of the endpoint ends: its brand says
    that it is well. Raises `Missing`, and `Clashing` for a disabled endpoint.
    """
    endpoint = subscribe.find(world, brand_id, endpoint_id)
    if endpoint.disabled:
        raise Clashing(f"endpoint {endpoint_id!r} is disabled; enable it first")
    if order_id is not None:
        if facts.load_order(world.table, order_id).brand_id != brand_id:
            raise Missing(f"no order {order_id!r}")
        rows = world.table.read(order_id, f"notice#{endpoint_id}#").rows
        notices, more = [facts.notice_of_row(row) for row in rows], None
    else:
        notices, more = _since(world, endpoint_id, since or endpoint.created_at, after)
    subscribe.amend(world, endpoint, subscribe.resumed)
    for notice in notices:
        _revive(world, notice)
    owing = {notice.order_id: None for notice in notices} | ({order_id: None} if order_id else {})
    if owing:
        world.queues.nudge(Topic.TELL, owing)
    return Replayed(len(notices), more)


# --- what is owed -------------------------------------------------------------------------------------------


def _read(world: World, order_id: str) -> tuple[Order, dict[Key, Notice]]:
    rows = world.table.read(order_id).rows
    order = next((facts.order_of_row(row) for row in rows if row.key.sk == facts.ORDER), None)
    if order is None:
        raise Missing(f"no order {order_id!r}")
    return order, {row.key: facts.notice_of_row(row) for row in rows if row.key.sk.startswith("notice#")}


def _owed(order: Order, endpoint: Endpoint, notices: Mapping[Key, Notice], now: datetime) -> Iterator[Notice]:
    """What this endpoint has to be told now, in the order's sequence."""
    for sequence, step in enumerate(order.history):
        known = notices.get(facts.notice_key(order.order_id, endpoint.endpoint_id, sequence))
        if known is not None:
            waits = known.next_attempt_at is not None and known.next_attempt_at > now
            if known.state is NoticeState.PENDING and not waits:
                yield known
        elif step.at >= endpoint.created_at and not endpoint.disabled:
            yield Notice(
                notice_id=notice_id_of(order.order_id, endpoint.endpoint_id, sequence),
                order_id=order.order_id,
                brand_id=order.brand_id,
                endpoint_id=endpoint.endpoint_id,
                market_id=order.market_id,
                sequence=sequence,
                order_state=step.state,
                happened_at=step.at,
                state=NoticeState.PENDING,
                version=_UNSAVED,
            )


def _deal_with(world: World, endpoint: Endpoint, notice: Notice) -> Endpoint:
    """Send it, or put it off, or give it up; the endpoint as it stands afterwards."""
    if endpoint.disabled:
        if notice.version != _UNSAVED:
            _save(world, _given_up(notice))
        return endpoint
    if endpoint.paused_until is not None and endpoint.paused_until > world.clock():
        _save(world, notice.model_copy(update={"next_attempt_at": endpoint.paused_until}))
        return endpoint
    outcome, attempt = _send(world, endpoint, notice)
    now = world.clock()
    tried = notice.model_copy(update={"attempts": (*notice.attempts, attempt)[-ATTEMPTS_KEPT:]})
    if outcome.result is Result.DELIVERED:
        _save(world, tried.model_copy(update={"state": NoticeState.DELIVERED, "next_attempt_at": None}))
        return subscribe.amend(world, endpoint, subscribe.resumed)
    if outcome.result is Result.GONE:
        _save(world, _given_up(tried))
        return subscribe.amend(world, endpoint, _gone)
    rested = _paused(endpoint, now, outcome.retry_after_s)
    again = next_attempt(_tries(tried.attempts), now, world.dice(), outcome.retry_after_s)
    if again is None:
        _save(world, _given_up(tried))
    else:
        assert rested.paused_until is not None
        _save(world, tried.model_copy(update={"next_attempt_at": max(again, rested.paused_until)}))

    def pause(stored: Endpoint) -> Endpoint:
        others_did = stored.paused_until is not None and stored.paused_until > now
        return stored if others_did or stored.disabled else _paused(stored, now, outcome.retry_after_s)

    return subscribe.amend(world, endpoint, pause)


def _send(world: World, endpoint: Endpoint, notice: Notice) -> tuple[Outcome, Attempt]:
    at, began, webhook = world.clock(), world.stopwatch(), world.channels["webhook"]
    request = webhook.request(notice, endpoint.url, subscribe.secrets_of(world, endpoint, at), at)
    try:
        reply = world.line.send(request, public_only=not world.webhooks_may_be_private)
        outcome = webhook.read(reply, world.clock())
    except (Unanswered, Refused) as error:
        outcome = webhook.unanswered(str(error)[:200])
    took_ms = round((world.stopwatch() - began) * 1000)
    world.log(
        "told",
        order=notice.order_id,
        endpoint=endpoint.endpoint_id,
        sequence=notice.sequence,
        result=outcome.result.value,
        status=outcome.status,
        took_ms=took_ms,
    )
    return outcome, Attempt(at=at, status=outcome.status, problem=outcome.problem, took_ms=took_ms)


def _tries(attempts: Iterable[Attempt]) -> int:
    """Failed tries in the present run of the schedule: a replay after it was used up starts another."""
    failed = sum(1 for attempt in attempts if attempt.status is None or not 200 <= attempt.status < 300)
    whole = len(RETRIES) + 1
    return (failed - 1) % whole + 1


def _given_up(notice: Notice) -> Notice:
    return notice.model_copy(update={"state": NoticeState.GIVEN_UP, "next_attempt_at": None})


def _gone(endpoint: Endpoint) -> Endpoint:
    return endpoint if endpoint.disabled else subscribe.stopped(endpoint, "the receiver answered 410 Gone")


def _paused(endpoint: Endpoint, now: datetime, retry_after_s: float | None) -> Endpoint:
    rest = min(PAUSE * 2 ** min(endpoint.failures, 10), LONGEST_PAUSE)
    if retry_after_s is not None:
        rest = max(rest, timedelta(seconds=min(retry_after_s, DAY_S)))
    return endpoint.model_copy(update={"failures": endpoint.failures + 1, "paused_until": now + rest})


# --- saving -------------------------------------------------------------------------------------------------


def _save(world: World, notice: Notice) -> None:
    """Write the notice over the version read. Another's word stands, unless ours is that it arrived."""
    for _ in range(TRIES):
        was = None if notice.version == _UNSAVED else notice.version
        after = notice.model_copy(update={"version": notice.version + 1})
        try:
            world.table.write(Keep(facts.notice_row(after), was=was))
            return
        except Lost as lost:
            stored = None if lost.found is None else facts.notice_of_row(lost.found)
        if (
            stored is None
            or notice.state is not NoticeState.DELIVERED
            or stored.state is NoticeState.DELIVERED
        ):
            return
        attempts = (*stored.attempts, *notice.attempts[-1:])[-ATTEMPTS_KEPT:]
        notice = notice.model_copy(update={"version": stored.version, "attempts": attempts})


def _close(world: World, order: Order) -> None:
    """Every state of the ended order has its notices: it leaves the work index, pending ones stay there."""
    after = moved(order, world.clock(), told=True)
    try:
        world.table.write(facts.keep_order(after))
    except Lost:
        return  # it has moved on, and whoever moved it nudges; failing that, the sweep finds it untold
    if not after.told:
        world.queues.nudge(Topic.TELL, [order.order_id])


def _since(
    world: World, endpoint_id: str, since: datetime, after: str | None
) -> tuple[list[Notice], str | None]:
    page = world.table.find_shelved(f"hook#{endpoint_id}", REPLAYED, after)
    rows = [facts.notice_of_row(row) for row in world.table.get_many(page.keys)]
    young = [notice for notice in rows if notice.happened_at >= since]
    return young, page.after if len(young) == len(rows) else None


def _revive(world: World, notice: Notice) -> None:
    for _ in range(TRIES):
        now = world.clock()
        if notice.state is NoticeState.PENDING and notice.next_attempt_at and notice.next_attempt_at <= now:
            return
        after = notice.model_copy(
            update={"state": NoticeState.PENDING, "next_attempt_at": now, "version": notice.version + 1}
        )
        try:
            world.table.write(Keep(facts.notice_row(after), was=notice.version))
            return
        except Lost as lost:
            if lost.found is None:
                return
            notice = facts.notice_of_row(lost.found)
