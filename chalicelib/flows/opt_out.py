"""End the messages of a client by the link of an order: what the one word does in a conversation, for whoever has none.

A mail program does it by itself (RFC 8058), at a button of its own. Who has the link can ask for no more than that: to
be written to again is for the client's word to the brand.
"""

from __future__ import annotations

from chalicelib.domain.consents import MESSAGES
from chalicelib.domain.errors import Missing
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.flows import agree


def opt_out(world: World, order: Order) -> None:
    """Neither kind of message any more. Doing it twice is harmless. Raises `Missing` for an order of nobody who is
    enrolled, who is told nothing, and `Forgotten`."""
    if order.client_id is None:
        raise Missing("nobody is written to about this order")
    agree.withdraw(world, order.client_id, MESSAGES, world.clock(), f"page-{order.order_id}", by="client")
    world.log("opted_out", order=order.order_id, brand=order.brand_id)
