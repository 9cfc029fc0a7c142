"""Read the codes a courier asks for: the brand's eyes only.

A courier gives a pick-up code (the shop says it, the gift is handed out) and a receipt code (the client says
it, the job is done). They stand sealed in the booking. Who reads them here is the brand, which owns the
relation to both; they are in no webhook, no event and no log. That somebody read them is.
"""

from __future__ import annotations

from chalicelib.domain.ports import World
from chalicelib.flows import look


def codes_of(world: World, brand_id: str, order_id: str) -> dict[str, str]:
    """The codes of the booking that a courier holds now, by name (`domain.fleet.Proof`).

    Empty when nobody holds it, when this courier gives none, or none yet: some name them only when they are looked
    up, and of those that name them with the booking its answer may be lost. Raises `Missing`; another brand's order
    looks like none at all.
    """
    order = look.own_order(world, brand_id, order_id)
    booking = order.leg.live_booking
    if booking is None or booking.codes is None:
        return {}
    text = world.sealer.unseal(bytes.fromhex(booking.codes), booking.reference).decode()
    codes = dict(line.split("=", 1) for line in text.splitlines())
    world.log("codes_read", order=order_id, brand=brand_id, names=sorted(codes))
    return codes
