"""Find everything that has stood still too long, and nudge it. Nothing waits for a message that may never come."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain import facts
from chalicelib.domain.due import due_at, is_over
from chalicelib.domain.message_rows import message_bucket
from chalicelib.domain.orders import Order
from chalicelib.domain.pass_rows import OFFERS
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Topic, World
from chalicelib.flows import forget, inquire, listen, publish, rezone, speak, tell, walk

PAGE = 500
"""Orders nudged in one shard in one minute; the rest is still due in the next."""


def tick(world: World) -> None:
    """One nudge for every market with open work that is due. Says how long the oldest of it has been due."""
    now = world.clock()
    lag_s = 0
    for market in _markets(world):
        for shard in range(market.shards):
            page = world.table.find_due(facts.pool_bucket(market.market_id, shard), now, 1)
            if page.keys:
                if page.since is not None:
                    lag_s = max(lag_s, int((now - datetime.fromisoformat(page.since)).total_seconds()))
                world.queues.nudge(Topic.DISPATCH, [market.market_id])
                break
    world.log("ticked", lag_s=lag_s)


def sweep(world: World) -> None:
    """Nudge every order that is due for anything but an assignment, every notice that is due, every offer of a gift in
    a parcel's place whose time is over, every upload that was finished and has stood still, every question about a
    change that is not answered yet, every list and campaign that has stood still, every erasure that is not done, and
    every market whose orders were not decided again under its rules."""
    now = world.clock()
    nudges: dict[Topic, dict[str, None]] = {Topic.BOOK: {}, Topic.TELL: {}}
    markets = _markets(world)
    buckets: list[str] = []
    for market in markets:
        for shard in range(market.shards):
            page = world.table.find_due(facts.wait_bucket(market.market_id, shard), now, PAGE)
            for order in facts.readable(world.table.get_many(page.keys), world.log):
                for topic in _owed(order, now):
                    nudges[topic][order.order_id] = None
            buckets.append(message_bucket(market.market_id, shard))
    for topic, ids in nudges.items():
        if ids:  # before anything else is looked at: what cannot be read there must not stop the orders
            world.queues.nudge(topic, ids)
    rules = rezone.overdue(world, [market.market_id for market in markets])
    if rules:
        world.queues.nudge(Topic.RULES, rules)
    offers = dict.fromkeys(key.pk for key in world.table.find_due(OFFERS, now, PAGE).keys)
    owed = [*offers, *tell.due_notices(world, PAGE)]
    untold = [order_id for order_id in dict.fromkeys(owed) if order_id not in nudges[Topic.TELL]]
    if untold:
        world.queues.nudge(Topic.TELL, untold)
    unsaid = speak.due(world, buckets, PAGE)
    if unsaid:
        world.queues.nudge(Topic.TELL, unsaid)
    unread = listen.waiting(world, PAGE)
    if unread:
        world.queues.nudge(Topic.HEAR, unread)
    uploads = publish.nudge_waiting(world)
    asked = inquire.nudge_waiting(world)
    lanes, erasures = walk.nudge_waiting(world), forget.nudge_waiting(world)
    book, told = len(nudges[Topic.BOOK]), len(nudges[Topic.TELL]) + len(untold)
    world.log(
        "swept",
        book=book,
        tell=told + len(unsaid),
        rules=len(rules),
        uploads=uploads,
        impacts=asked,
        lanes=lanes,
        erasures=erasures,
    )  # also when nothing was: it ran


def _owed(order: Order, now: datetime) -> tuple[Topic, ...]:
    """Which step this order waits for, seen from where it stands."""
    due = due_at(order)
    if due is None or due > now:
        return ()  # the index lags behind the order
    if is_over(order):
        return (Topic.TELL,)
    if order.live_bookings:
        return (Topic.BOOK,)  # asks the courier, and has whatever is saved folded
    return (Topic.BOOK, Topic.TELL)


def _markets(world: World) -> list[Market]:
    return [Market.model_validate_json(row.body) for row in world.table.read(facts.MARKETS).rows]
