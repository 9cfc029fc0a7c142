"""Tell a brand what its order has come to: every state once to every endpoint, in the order's own sequence; one
that was tried and not taken has a time of its own and may follow later ones.

What is owed is read off the saved state: the steps of the order's history that have no notice yet, and the
notices whose next attempt is due. A notice is sent first and saved after, in one write: whoever stops in
between owes it still, and the receiver drops the double by its id, which never changes. The other way round a
stop would lose it.

An endpoint that fails is paused as a whole, and so is one that answers so late that others would wait for it:
a slow brand costs one timeout, or a few late answers, now and then. What is owed to it waits in a bucket of its
own in the work index. The endpoint itself stands in the index while anything may wait there: it is marked
before the first notice is put off, and it leaves only after the sweep has found nothing for a while. So the
sweep asks endpoint by endpoint, and no backlog hides what is due to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest

from chalicelib.domain import facts
from chalicelib.domain.due import is_over
from chalicelib.domain.errors import Clashing, CordonError, Lost, Missing, Refused, Unanswered
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
from chalicelib.domain.orders import Fallback, Order
from chalicelib.domain.pass_rows import PASS
from chalicelib.domain.ports import Keep, Key, Row, Topic, World
from chalicelib.domain.steps import moved
from chalicelib.flows import speak, subscribe
from chalicelib.flows.manifest import remind

PAUSE = timedelta(seconds=30)
"""After the first failure of an endpoint; doubled with each that follows, ..."""
LONGEST_PAUSE = timedelta(minutes=10)
"""... up to this. A receiver's own Retry-After may ask for more, up to a day."""
SLOW_S = 2.0
"""An answer that takes longer counts as slow, whatever it says."""
SLOW_BUDGET_S = 10.0
"""Seconds a minute that one process waits for the slow answers of one endpoint; then it is paused, too. The
last answer may overrun it by one timeout."""
SLOW_SHARE = 5
"""Orders of a slow endpoint that the sweep nudges at once: more would only be put off again."""
LOOK_AGAIN = timedelta(minutes=10)
"""An endpoint to which something is owed later is looked at this often."""
LOOK_ON = timedelta(minutes=5)
"""So long the sweep finds nothing before an endpoint leaves the index: longer than any process remembers an
endpoint, and than the index lags."""
FARTHEST = timedelta(days=2)
"""No notice waits longer than this for its next attempt."""
DAY_S = 86_400.0
MINUTE = timedelta(minutes=1)
PATIENCE_S = 5.0
"""Seconds after which one order makes way for the others; what is left of it is nudged again."""
TOGETHER = 10
"""Notices saved in one write at most: so many an endpoint may get twice after a stop."""
ATTEMPTS_KEPT = 40
REPLAYED = 200
"""Notices made pending again in one call."""
TRIES = 5

CLIENTS = "cli_"
"""How the id of a client begins."""

_UNSAVED = 0


def tell(world: World, order_id: str) -> None:
    """Send what is owed of this order, save what came of it, and close the order when all of it is told.

    One read, another of the endpoints every half minute and when the order closes, and one write for the notices
    that an endpoint took one after the other. Raises `Missing`.
    """
    order, notices, passed, rows = _read(world, order_id)
    if order.appointment is not None and order.told:
        order = remind(world, order)
    closes = is_over(order) and not order.told
    endpoints = subscribe.known(world, order.brand_id, fresh=closes)  # nobody who came just now is left out
    if not closes and any(endpoint.disabled_at for endpoint in endpoints.values()):
        endpoints = subscribe.known(world, order.brand_id, fresh=True)  # nor given up if just enabled
    trouble: Exception | None = None
    began = world.stopwatch()
    for endpoint in sorted(endpoints.values(), key=lambda e: (e.failures, e.endpoint_id)):
        taken: list[Notice] = []
        rests = False
        try:
            for notice in _owed(order, endpoint, notices, world.clock()):
                if world.stopwatch() - began >= PATIENCE_S:
                    _save_together(world, taken)  # law 4: before the nudge
                    world.queues.nudge(Topic.TELL, [order_id])
                    return
                rests = rests or _is_paused(
                    endpoint, world.clock()
                )  # a pause that ends now lets none overtake
                if rests and not endpoint.disabled:
                    _put_off(world, endpoint, notice)
                else:
                    endpoint = _deal_with(world, endpoint, notice, taken)
        except CordonError:
            raise
        except Exception as error:  # an endpoint that breaks us stops no other, and closes no order
            trouble = trouble or error
        finally:  # whatever stops the next ones: what arrived is not sent again for it
            _save_together(world, taken)
    is_to_be_told = order.client_id is not None
    if _stands_in(world, order, passed):
        world.queues.nudge(Topic.TELL, [order_id])  # of what it is now
        closes = is_to_be_told = False
    if trouble is not None:
        raise trouble
    if is_to_be_told:
        # before it is closed: else nobody would know that it is owed
        speak.speak(world, order, speak.messages_in(rows), speak.proposals_in(rows))
    if closes:
        _close(world, order)


def named(world: World, name: str) -> None:
    """What the queue names: an order, or a client with whom something hangs on no order."""
    if name.startswith(CLIENTS):
        speak.converse(world, name)
    else:
        tell(world, name)


def _stands_in(world: World, order: Order, passed: Row | None) -> bool:
    """Do what is owed of a gift that needs no courier: whether the order was moved by it."""
    if order.digital is None and order.fallback is not Fallback.DIGITAL:
        return False  # nearly all
    from chalicelib.flows.stand_in import settle

    return settle(world, order, passed) is not order


def due_notices(world: World, limit: int) -> list[str]:
    """Orders with a notice whose next attempt is due, at most `limit`; endpoints take turns.

    An endpoint that failed last is probed with one order, a slow one gets few at a time. If more endpoints than
    `limit` are owed something, chance decides whose turn it is.
    """
    now = world.clock()
    endpoints = _owed_endpoints(world, now, limit)
    each = max(1, min(limit, 4 * limit // max(1, len(endpoints))))
    waiting: list[list[str]] = []
    for endpoint in endpoints:
        share = 1 if endpoint.failures else min(SLOW_SHARE, each) if endpoint.slow else each
        keys = world.table.find_due(facts.notice_bucket(endpoint.endpoint_id), now, share).keys
        if not keys:
            _look_later(world, endpoint, now)
        waiting.append(list(dict.fromkeys(key.pk for key in keys)))
    turns = (name for turn in zip_longest(*waiting) for name in turn if name is not None)
    return list(dict.fromkeys(turns))[:limit]


def _owed_endpoints(world: World, now: datetime, limit: int) -> list[Endpoint]:
    keys: list[Key] = []
    after: str | None = None
    while len(keys) < 4 * limit:
        page = world.table.find_due(facts.HOOKS, now, limit, after)
        keys += page.keys
        after = page.after
        if after is None:
            break
    first = int(world.dice() * len(keys)) if len(keys) > limit else 0
    rows = {row.key: row for row in world.table.get_many((keys[first:] + keys[:first])[:limit])}
    found = [facts.endpoint_of_row(rows[key]) for key in keys if key in rows]
    return [endpoint for endpoint in found if endpoint.next_look is not None and endpoint.next_look <= now]


def _look_later(world: World, seen: Endpoint, now: datetime) -> None:
    """Nothing is due there: look when something is, or, after a while without anything, no more."""
    bucket = facts.notice_bucket(seen.endpoint_id)
    rows = world.table.get_many(world.table.find_due(bucket, now + FARTHEST, 1).keys)
    when = next((facts.notice_of_row(row).next_attempt_at for row in rows), None)
    assert seen.next_look is not None
    if when is not None and when > now:
        look: datetime | None = min(when, now + LOOK_AGAIN)
    elif when is None and seen.next_look + LOOK_ON <= now:
        look = None
    else:
        return  # the index lags behind
    subscribe.amend(
        world,
        seen,
        lambda e: e.model_copy(update={"next_look": look}) if e.next_look == seen.next_look else e,
    )


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
    subscribe.amend(world, endpoint, subscribe.resumed(world.clock(), owing=bool(notices)))
    for notice in notices:
        _revive(world, notice)
    owing = {notice.order_id: None for notice in notices} | ({order_id: None} if order_id else {})
    if owing:
        world.queues.nudge(Topic.TELL, owing)
    return Replayed(len(notices), more)


# --- what is owed -------------------------------------------------------------------------------------------


def _read(world: World, order_id: str) -> tuple[Order, dict[Key, Notice], Row | None, Sequence[Row]]:
    """The order, its notices, its pass, if it has one, and all that stands with it."""
    rows = world.table.read(order_id).rows
    order = next((facts.order_of_row(row) for row in rows if row.key.sk == facts.ORDER), None)
    if order is None:
        raise Missing(f"no order {order_id!r}")
    notices = {row.key: facts.notice_of_row(row) for row in rows if row.key.sk.startswith("notice#")}
    passed = next((row for row in rows if row.key.sk == PASS), None)
    return order, notices, passed, rows


def _owed(order: Order, endpoint: Endpoint, notices: Mapping[Key, Notice], now: datetime) -> Iterator[Notice]:
    """What this endpoint has to be told now, in the order's sequence.

    What was put off for a pause, and not tried yet, goes before whatever follows it: who put it off may know of
    another pause, or read another clock.
    """
    put_off: list[Notice] = []
    for sequence, step in enumerate(order.history):
        known = notices.get(facts.notice_key(order.order_id, endpoint.endpoint_id, sequence))
        if known is not None:
            waits = known.next_attempt_at is not None and known.next_attempt_at > now
            if known.state is not NoticeState.PENDING or (waits and known.attempts):
                continue  # after a try that failed it has a time of its own, and keeps no other waiting
            put_off.append(known)
            if not waits:
                yield from put_off
                put_off.clear()
        elif step.at >= endpoint.created_at and (
            not endpoint.disabled or subscribe.keeps_missed(endpoint, now)
        ):
            yield from put_off
            put_off.clear()
            yield Notice(
                notice_id=notice_id_of(order.order_id, endpoint.endpoint_id, sequence),
                order_id=order.order_id,
                brand_id=order.brand_id,
                endpoint_id=endpoint.endpoint_id,
                market_id=order.market_id,
                sequence=sequence,
                order_state=step.state,
                happened_at=step.at,
                about=step.about,
                state=NoticeState.PENDING,
                version=_UNSAVED,
            )


def _is_paused(endpoint: Endpoint, now: datetime) -> bool:
    return endpoint.paused_until is not None and endpoint.paused_until > now


def _put_off(world: World, endpoint: Endpoint, notice: Notice) -> None:
    if notice.next_attempt_at != endpoint.paused_until:
        _save(world, notice.model_copy(update={"next_attempt_at": endpoint.paused_until}))


def _deal_with(world: World, endpoint: Endpoint, notice: Notice, taken: list[Notice]) -> Endpoint:
    """Send it, or give it up; the endpoint as it stands afterwards. One that was received goes to `taken`, to be
    saved with its like; whatever else comes of it is saved here, after them."""
    if endpoint.disabled:
        _give_up(world, notice)  # a replay finds it
        return endpoint
    outcome, attempt = _send(world, endpoint, notice)
    now = world.clock()
    tried = notice.model_copy(update={"attempts": (*notice.attempts, attempt)[-ATTEMPTS_KEPT:]})
    if outcome.result is Result.DELIVERED:
        taken.append(tried.model_copy(update={"state": NoticeState.DELIVERED, "next_attempt_at": None}))
        if len(taken) == TOGETHER or attempt.took_ms >= SLOW_S * 1000:
            _save_together(world, taken)
        return subscribe.amend(world, endpoint, _after_success(world, endpoint, attempt, now))
    _save_together(world, taken)
    if outcome.result is Result.GONE:
        _give_up(world, tried)
        return subscribe.amend(world, endpoint, lambda stored: _gone(stored, now))

    def pause(stored: Endpoint) -> Endpoint:
        if stored.disabled:
            return stored.model_copy(update={"next_look": stored.next_look or now})
        return stored if _is_paused(stored, now) else _paused(stored, now, outcome.retry_after_s)

    endpoint = subscribe.amend(world, endpoint, pause)  # first: the sweep finds a notice by its endpoint
    again = next_attempt(_tries(tried.attempts), now, world.dice(), outcome.retry_after_s)
    if again is None:
        _give_up(world, tried)
    else:
        _save(world, tried.model_copy(update={"next_attempt_at": max(again, endpoint.paused_until or again)}))
    return endpoint


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


def _give_up(world: World, notice: Notice) -> None:
    _save(world, notice.model_copy(update={"state": NoticeState.GIVEN_UP, "next_attempt_at": None}))
    world.log("notice_given_up", order=notice.order_id, endpoint=notice.endpoint_id, sequence=notice.sequence)


def _gone(endpoint: Endpoint, now: datetime) -> Endpoint:
    if endpoint.disabled:
        return endpoint
    return subscribe.stopped(endpoint, "the receiver answered 410 Gone", now)


def _after_success(
    world: World, endpoint: Endpoint, attempt: Attempt, now: datetime
) -> Callable[[Endpoint], Endpoint]:
    """What a success makes of its endpoint: well again, or, having been slow too often just now, paused.

    What each process waited for it is remembered, not stored: it is this process that others wait for.
    """
    took_s = attempt.took_ms / 1000
    if took_s < SLOW_S:
        return subscribe.resumed(now)
    name = f"hook-slow#{endpoint.endpoint_id}"
    since, spent_s = world.memory.get(name, (now, 0.0))
    if now - since >= MINUTE:
        since, spent_s = now - timedelta(seconds=took_s), 0.0
    spent_s += took_s
    if spent_s < SLOW_BUDGET_S:
        world.memory[name] = (since, spent_s)
        return lambda stored: stored if not stored.failures else subscribe.resumed(now)(stored)
    world.memory.pop(name, None)

    def pause(stored: Endpoint) -> Endpoint:
        if stored.disabled:
            return stored
        until = now + PAUSE
        return stored.model_copy(
            update={"slow": True, "failures": 0, "paused_until": until, "next_look": until}
        )

    return pause


def _paused(endpoint: Endpoint, now: datetime, retry_after_s: float | None) -> Endpoint:
    rest = min(PAUSE * 2 ** min(endpoint.failures, 10), LONGEST_PAUSE)
    if retry_after_s is not None:
        rest = max(rest, timedelta(seconds=min(retry_after_s, DAY_S)))
    until = now + rest
    return endpoint.model_copy(
        update={"failures": endpoint.failures + 1, "paused_until": until, "next_look": until}
    )


# --- saving -------------------------------------------------------------------------------------------------


def _save_together(world: World, taken: list[Notice]) -> None:
    """Those notices in one write, and none is left in `taken`; one by one if another was quicker with some."""
    saving, taken[:] = tuple(taken), ()
    if len(saving) > 1:
        try:
            world.table.write(*(_kept(notice) for notice in saving))
            return
        except Lost:
            pass
    for notice in saving:
        _save(world, notice)


def _kept(notice: Notice) -> Keep:
    after = notice.model_copy(update={"version": notice.version + 1})
    return Keep(facts.notice_row(after), was=None if notice.version == _UNSAVED else notice.version)


def _save(world: World, notice: Notice) -> None:
    """Write the notice over the version read. Another's word stands, unless ours is that it arrived."""
    for _ in range(TRIES):
        try:
            world.table.write(_kept(notice))
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
    facts.note_step(world.log, after)
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
