"""Keep a client's gifts at home once it no longer agrees that anybody abroad is told of it."""

from __future__ import annotations

from chalicelib.domain import facts
from chalicelib.domain.clients import Client
from chalicelib.domain.due import is_over
from chalicelib.domain.errors import Delayed, Lost
from chalicelib.domain.jurisdictions import stays_in
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.flows import look

TRIES = 5


def keep_home(world: World, before: Client, after: Client) -> None:
    """Where the client takes that consent back, have its open gifts go with couriers that it needs none for.

    Before the client is saved: who is stopped in between does both again, and a gift that was narrowed in vain is only
    the more careful. A courier that was told already stays told; one that is not is asked about anew before it is.
    """
    now = world.clock()
    home = stays_in(after, now)
    if home is None or stays_in(before, now) is not None:
        return
    for order in look.orders_of_client(world, after.client_id):
        _narrowed(world, order, home)


def _narrowed(world: World, order: Order, home: str) -> None:
    for _ in range(TRIES):
        if order.stays_in == home or is_over(order):
            return
        after = order.model_copy(update={"stays_in": home, "version": order.version + 1, "stepped": False})
        try:
            world.table.write(facts.keep_order(after))
        except Lost:
            order = facts.load_order(world.table, order.order_id)
            continue
        return
    raise Delayed(f"the order {order.order_id!r} is being changed by others")
