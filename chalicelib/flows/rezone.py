"""Rules or fleet have changed: decide again every order they may touch, the earliest due first, resumable.

Before a booking the slot is given back; before the pick-up the booking is cancelled; after it the gift is with
the courier (law 0) and is recalled, or keeps going where a hand-over is still allowed.
"""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain import facts
from chalicelib.domain.clearance import Decision
from chalicelib.domain.errors import Lost, Missing
from chalicelib.domain.evidence import Step
from chalicelib.domain.legs import BookingState, replace_leg
from chalicelib.domain.orders import Order, moved
from chalicelib.domain.ports import Change, Topic, World
from chalicelib.flows import check, enlist

PAGE = 100
TRIES = 5
FAR = timedelta(days=3650)


def rezone(world: World, market_id: str, cursor: str = "") -> None:
    """One page of a market's assigned and booked orders; the next page is a nudge, the pool comes last."""
    shard, _, after = cursor.partition("/")
    at_shard = int(shard) if shard else 0
    try:
        market = enlist.market(world, market_id)
    except Missing:
        return
    page = world.table.find_due(
        facts.wait_bucket(market_id, at_shard), world.clock() + FAR, PAGE, after or None
    )
    on = check.ground(world, market_id)
    orders = [facts.order_of_row(row) for row in world.table.get_many(page.keys)]
    for order in sorted(orders, key=lambda o: (o.window.end, o.order_id)):
        decide_again(world, order, on)
    if page.after is not None:
        world.queues.nudge(Topic.RULES, [f"rezone:{market_id}:{at_shard}/{page.after}"])
    elif at_shard + 1 < market.shards:
        world.queues.nudge(Topic.RULES, [f"rezone:{market_id}:{at_shard + 1}/"])
    else:
        world.queues.nudge(Topic.DISPATCH, [f"{market_id}:all"])


def decide_again(world: World, order: Order, on: check.Ground) -> None:
    """One order under the rules and the fleet of now."""
    for _ in range(TRIES):
        step = _step(world, order, on)
        if step is None:
            return
        after, changes, topics = step
        try:
            world.table.write(facts.keep_order(after), *changes)
        except Lost:
            order = facts.load_order(world.table, order.order_id)
            continue
        for topic in topics:
            name = order.market_id if topic is Topic.DISPATCH else order.order_id
            world.queues.nudge(topic, [name])
        return


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
    if verdict.decision is Decision.YES:
        if verdict.handovers == leg.assignment.handovers:
            return None
        kept = leg.model_copy(update={"assignment": check.refreshed(leg.assignment, verdict, on)})
        after = moved(order, now, legs=replace_leg(order.legs, kept), evidence_count=order.evidence_count + 1)
        piece = check.evidence(order, Step.REZONE, verdict, on, now)
        return after, [check.keep_evidence(piece)], (Topic.TELL,)
    if live is not None and (live.cancel_reason == "not_cleared" or live.track.kind == "returning"):
        return None  # recalled before, and on its way back or refused
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
        return after, [evidence, give_back], (Topic.TELL, Topic.DISPATCH)
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
