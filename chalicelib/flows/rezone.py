"""Rules or fleet have changed: decide again every order they may touch, the earliest due first, resumable.

Before a booking the slot is given back; before the pick-up the booking is cancelled; after it the gift is with
the courier (law 0) and is recalled, or keeps going where a hand-over is still allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.domain import facts
from chalicelib.domain.errors import Delayed, Lost, Newer
from chalicelib.domain.evidence import Step
from chalicelib.domain.legs import BookingState, replace_leg
from chalicelib.domain.orders import Order, moved
from chalicelib.domain.ports import Change, Keep, Row, Topic, World
from chalicelib.domain.quotas import Needs
from chalicelib.domain.shapes import Instant, Shape
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import check, enlist, ration

PAGE = 100
TRIES = 5
PASS = "pass"  # noqa: S105  # nosec B105 - a word in a nudge
AGAIN = timedelta(minutes=15)
"""A pass is made at least so often, whether or not anything is known to have changed: permits lapse by themselves."""


class Rezoned(Shape):
    """How far the last whole pass over a market's orders came: under which rules, and when it began."""

    rules_version: int
    began_at: Instant


def rezone(world: World, market_id: str, cursor: str = "") -> None:
    """One page of a market's assigned and booked orders; the next page is a nudge, the pool comes last.

    `cursor`: empty because rules or fleet have changed, `pass` because it is time for one, or
    `<rules version>,<epoch>,<shard>/<place>`: under which rules and when it began, and where it is. Pages are cut
    by the time each order is due, which moves; whoever slips through one pass is met by the next (`overdue`).
    Raises `Missing` for a market that is not here.
    """
    market = enlist.market(world, market_id)
    on = check.ground(world, market_id)
    if cursor in ("", PASS):
        version, epoch, place = on.atlas.rules.version if on.atlas else 0, facts.epoch(world.clock()), ""
    else:
        first, second, place = cursor.removeprefix(PASS).split(",", 2)
        version, epoch = int(first), int(second)
    shard, _, after = place.partition("/")
    at_shard = int(shard) if shard else 0
    page = world.table.find_due(
        facts.wait_bucket(market_id, at_shard), world.clock() + facts.FAR, PAGE, after or None
    )
    orders = facts.readable(world.table.get_many(page.keys), world.log)
    for order in sorted(orders, key=lambda o: (o.window.end, o.order_id)):
        decide_again(world, order, on)
    why = PASS if cursor.startswith(PASS) else ""
    head = f"rezone:{market_id}:{why}{version},{epoch},"
    if page.after is not None:
        world.queues.nudge(Topic.RULES, [f"{head}{at_shard}/{page.after}"])
    elif at_shard + 1 < market.shards:
        world.queues.nudge(Topic.RULES, [f"{head}{at_shard + 1}/"])
    else:
        if not why:
            world.queues.nudge(Topic.DISPATCH, [f"{market_id}:all"])
        began_at = datetime.fromtimestamp(epoch, UTC)
        _note(world, market_id, Rezoned(rules_version=version, began_at=began_at))


def overdue(world: World, market_ids: Sequence[str]) -> list[str]:
    """The nudges for markets whose orders have to be decided again: rules newer than the last whole pass, or a
    pass too old.

    One read for all of them. Nothing here waits for the nudge that a publication sent, and a page of an index that
    lagged behind is made good by the next pass.
    """
    now = world.clock()
    keys = [key for name in market_ids for key in (facts.pointer_key(name), facts.rezoned_key(name))]
    rows = {row.key: row for row in world.table.get_many(keys)}
    late = []
    for name in market_ids:
        pointer, done = rows.get(facts.pointer_key(name)), rows.get(facts.rezoned_key(name))
        if pointer is None:
            continue
        last = Rezoned.model_validate_json(done.body) if done else None
        if last is None or last.rules_version < pointer.version:
            late.append(f"rezone:{name}:")
        elif last.began_at + AGAIN <= now:
            late.append(f"rezone:{name}:{PASS}")
    return late


def _note(world: World, market_id: str, done: Rezoned) -> None:
    key = facts.rezoned_key(market_id)
    row = world.table.get(key)
    last = Rezoned.model_validate_json(row.body) if row else None
    if last is not None and (last.rules_version, last.began_at) >= (done.rules_version, done.began_at):
        return
    version = row.version if row else 0
    try:
        world.table.write(Keep(Row(key, version + 1, done.model_dump_json()), was=version or None))
    except Lost:
        pass  # another pass has just ended; at worst this one is done again


def decide_again(world: World, order: Order, on: check.Ground) -> None:
    """One order under the rules and the fleet of now."""
    for _ in range(TRIES):
        try:
            step = _step(world, order, on)
        except Exception as error:  # one seal that does not open must not keep the others where nobody may go
            if isinstance(error, Delayed) and not isinstance(error, Newer):
                raise
            world.log("order_unreadable", order=order.order_id, why=type(error).__name__)
            return
        if step is None:
            _nudge_again(world, order)
            return
        after, changes, topics = step
        try:
            world.table.write(facts.keep_order(after), *changes)
        except Lost:
            order = facts.load_order(world.table, order.order_id)
            continue
        facts.note_step(world.log, after)
        for topic in topics:
            name = order.market_id if topic is Topic.DISPATCH else order.order_id
            world.queues.nudge(topic, [name])
        return


def _nudge_again(world: World, order: Order) -> None:
    """Whoever took the step to an end of a booking may have stopped before it nudged."""
    live = order.leg.live_booking
    if live is not None and live.state is BookingState.CANCELLING and live.cancel_tries == 0:
        world.queues.nudge(Topic.BOOK, [order.order_id])


def _step(
    world: World, order: Order, on: check.Ground
) -> tuple[Order, list[Change], tuple[Topic, ...]] | None:
    leg, now = order.leg, world.clock()
    live = leg.live_booking
    if leg.assignment is None or (live is None and leg.deciding_booking is not None):
        return None
    if live is not None and live.state is BookingState.CANCELLING:
        return None
    verdict = check.check(world, order, on, now)
    narrowed = verdict.handovers if live is None else leg.assignment.narrowed(verdict.handovers)
    owed: Needs = {}
    if verdict.decision is Decision.YES and narrowed and not (live is not None and live.track.has_custody):
        owed = ration.owed(world, order, verdict, on)
        full = ration.lacking(owed, ration.counted(world, order.market_id, [owed], on))
        if full is not None:
            verdict = verdict._replace(decision=Decision.NO, reasons=(full,), handovers=())
    if verdict.decision is Decision.YES and narrowed:
        if narrowed == leg.assignment.handovers and not owed:
            return None
        fresh = check.refreshed if live is None else check.narrowed
        assignment = ration.taking(fresh(leg.assignment, verdict, on), owed)
        kept = leg.model_copy(update={"assignment": assignment})
        after = moved(order, now, legs=replace_leg(order.legs, kept), evidence_count=order.evidence_count + 1)
        piece = check.evidence(order, Step.REZONE, verdict, on, now)
        return after, [check.keep_evidence(piece), *ration.takes(order.market_id, owed)], (Topic.TELL,)
    if live is not None and (live.cancel_reason == "not_cleared" or live.track.kind == "returning"):
        return None  # recalled before, and on its way back or refused
    if verdict.decision is Decision.YES:  # only in a way that the courier was not told
        verdict = verdict._replace(decision=Decision.NO, reasons=(Reason.NO_HANDOVER,), handovers=())
    piece = check.evidence(order, Step.REZONE, verdict, on, now)
    evidence = check.keep_evidence(piece)
    if live is None:
        free = leg.model_copy(update={"assignment": None})
        after = moved(
            order,
            now,
            legs=replace_leg(order.legs, free),
            outlook=check.back_to_pool(now, verdict.decision, verdict.reasons),
            evidence_count=order.evidence_count + 1,
        )
        give_back = check.give_back(order, leg.assignment.slot_id)
        return after, [evidence, *give_back], (Topic.TELL, Topic.DISPATCH)
    if live.state is BookingState.BOOKED:
        stopped = live.model_copy(
            update={"state": BookingState.CANCELLING, "cancel_reason": "not_cleared", "next_look": now}
        )
    else:  # attempted or unknown: whether there is anything to cancel has to be found out first
        stopped = live.model_copy(update={"cancel_reason": "not_cleared"})
    after = moved(
        order,
        now,
        legs=replace_leg(order.legs, leg.with_booking(stopped)),
        evidence_count=order.evidence_count + 1,
    )
    return after, [evidence], (Topic.BOOK, Topic.TELL)
