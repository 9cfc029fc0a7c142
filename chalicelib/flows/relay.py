"""Relay a gift that waits: one courier takes it to a hand-over point, another fetches it there and goes on.

The district line that no single crew may cross can be crossed in two legs, each cleared for its own two places. An
order names its point when it is placed; the dispatcher names one for an order that waits.
"""

from __future__ import annotations

from chalicelib.domain import facts
from chalicelib.domain.due import in_pool
from chalicelib.domain.errors import Clashing, Invalid, Lost, Stale
from chalicelib.domain.orders import Order
from chalicelib.domain.places import HandOverPoint
from chalicelib.domain.ports import Topic, World
from chalicelib.domain.steps import moved, relayed
from chalicelib.flows import enlist
from chalicelib.flows.place import relay_faults


def relay(world: World, order_id: str, point: HandOverPoint, version: int) -> Order:
    """The order, to go by that point: from the shop to there, and from there to the client.

    The same request again changes nothing. Raises `Stale` when the order has moved since it was read, `Clashing` when
    it does not wait in the shop or travels with others, and `Invalid` for a point that is of no use to it.
    """
    order = facts.load_order(world.table, order_id)
    if order.leg.taken_to == point or order.leg.fetched_at == point:
        world.queues.nudge(Topic.DISPATCH, [order.market_id])
        return order
    if order.version != version:
        raise Stale(f'the order is at "v{order.version}", If-Match named "v{version}"')
    if not in_pool(order) or order.leg.fetched_at is not None:
        raise Clashing(f"only an order that waits in the shop is relayed, this one is {order.state.value}")
    if order.safeguard is not None:
        raise Clashing(
            "a safeguarded gift is handed to its client by whoever fetched it, and left nowhere between"
        )
    if order.together is not None:
        raise Clashing("gifts that travel together arrive together, and cannot be relayed")
    now = world.clock()
    wished = order.client_window
    market = enlist.market(world, order.market_id)
    faults = relay_faults(market, point, order.gift, wished, now, "")
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    changed = relayed(order, point, wished)
    outlook = order.outlook and order.outlook.model_copy(update={"next_look": now})
    after = moved(order, now, legs=changed.legs, window=changed.window, outlook=outlook)
    try:
        world.table.write(facts.keep_order(after))
    except Lost:
        raise Stale("the order moved while its point was being named; read it again") from None
    facts.note_step(world.log, after)
    world.queues.nudge(Topic.DISPATCH, [order.market_id])
    return after
