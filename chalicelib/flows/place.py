"""Place an order: one conditional write is the whole protocol, because the id follows from brand and key."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain import facts
from chalicelib.domain.errors import Fault, Invalid, Lost, Missing
from chalicelib.domain.orders import NewOrder, Order, Private, placed
from chalicelib.domain.places import Market, Place
from chalicelib.domain.ports import Keep, Topic, World
from chalicelib.flows import enlist

HORIZON = timedelta(days=60)
"""How far ahead a window may lie."""


def place(world: World, brand_id: str, idempotency_key: str, new: NewOrder) -> tuple[Order, bool]:
    """The order, and whether it had been placed before by the same request.

    Raises `Invalid` for a window that is closed, a place outside the market, an unknown market, or when the key
    was used with another body.
    """
    now = world.clock()
    try:
        market = enlist.market(world, new.market)
    except Missing:
        raise Invalid(
            f"/market: no market {new.market!r}",
            [Fault("/market", "a market that exists was expected", new.market)],
        ) from None
    order = placed(new, brand_id, idempotency_key, market, now)
    faults = [
        *_outside(market, new.pick_up.place, "/pick_up/place/coordinate"),
        *_outside(market, new.recipient.place, "/recipient/place/coordinate"),
        *_closed(new, order),
    ]
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    private = Private.model_construct(recipient=new.recipient, pick_up_contact=new.pick_up.contact)
    order = order.model_copy(update={"sealed": facts.seal_private(world.sealer, private, order.order_id)})
    repeated = False
    try:
        world.table.write(Keep(facts.order_row(order), was=None))
    except Lost as lost:
        if lost.found is None:
            raise
        before = facts.order_of_row(lost.found)
        if before.fingerprint != order.fingerprint:
            raise Invalid(
                "this Idempotency-Key was used with another body",
                [Fault("", "the same key goes with the same body; a new gift needs a new key")],
            ) from None
        order, repeated = before, True
    world.queues.nudge(Topic.DISPATCH, [order.market_id])
    return order, repeated


def _outside(market: Market, place: Place, pointer: str) -> list[Fault]:
    if market.holds(place.coordinate):
        return []
    swapped = place.coordinate.model_copy(update={"lng": place.coordinate.lat, "lat": place.coordinate.lng})
    hint = "; longitude and latitude look swapped" if market.holds(swapped) else ""
    return [Fault(pointer, f"a point inside the market {market.market_id!r} was expected{hint}")]


def _closed(new: NewOrder, order: Order) -> list[Fault]:
    if new.window.end <= order.placed_at:
        return [Fault("/window/end", "a window that is still open was expected", new.window.end.isoformat())]
    if new.window.start > order.placed_at + HORIZON:
        return [
            Fault(
                "/window/start",
                f"at most {HORIZON.days} days ahead were expected",
                new.window.start.isoformat(),
            )
        ]
    return []
