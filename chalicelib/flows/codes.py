"""Read the codes a courier asks for: the brand's eyes only.

A courier gives a pick-up code (the shop says it, the gift is handed out) and a receipt code (the client says
it, the job is done). They stand sealed in the booking. Of a safeguarded gift there is one of ours, sealed with the
address, that nobody tells the courier. Who reads them here is the brand, which owns the
relation to both; they are in no webhook, no event and no log. That somebody read them is.
"""

from __future__ import annotations

from typing import Final

from chalicelib.domain import facts
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.flows import look

OWN: Final = "hand_over_code"
"""Ours, of a safeguarded gift: the client says it to whoever brings it."""


def codes_of(world: World, brand_id: str, order_id: str) -> dict[str, str]:
    """The codes of the booking that a courier holds now, by name (`domain.fleet.Proof`).

    Empty when nobody holds it, when this courier gives none, or none yet: some name them only when they are looked
    up, and of those that name them with the booking its answer may be lost. Raises `Missing`; another brand's order
    looks like none at all.
    """
    order = look.own_order(world, brand_id, order_id)
    booking = order.leg.live_booking
    codes: dict[str, str] = {}
    if booking is not None and booking.codes is not None:
        text = world.sealer.unseal(bytes.fromhex(booking.codes), booking.reference).decode()
        codes = dict(line.split("=", 1) for line in text.splitlines())
    own = hand_over_code(world, order)
    if own is not None:
        codes[OWN] = own
    if not codes:
        return {}
    world.log("codes_read", order=order_id, brand=brand_id, names=sorted(codes))
    return codes


def hand_over_code(world: World, order: Order) -> str | None:
    """The code that the client of a safeguarded gift says at the door; None: it has none. For its brand, and for the
    message that tells the client: nobody else is shown it."""
    return None if order.safeguard is None else facts.unseal_private(world.sealer, order).code
