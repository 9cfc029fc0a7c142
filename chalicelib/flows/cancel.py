"""A brand wants its order cancelled; or says that its client has the gift after all."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain import facts
from chalicelib.domain.acts import BRAND, CORDON, Deed, kept_act
from chalicelib.domain.errors import Clashing, Lost, Stale
from chalicelib.domain.legs import BookingState, replace_leg
from chalicelib.domain.orders import ENDED, Order, OrderState
from chalicelib.domain.ports import Change, Topic, World
from chalicelib.domain.steps import moved
from chalicelib.flows import check, look


def cancel(
    world: World,
    brand_id: str | None,
    order_id: str,
    version: int,
    also: Callable[[Order], Change] | None = None,
    by: str = BRAND,
) -> Order:
    """Ask for the end of it. A booked leg is cancelled at the courier, and over when the courier confirms. Of a
    client's gift it is an act, `by` whoever asks.

    `brand_id` None: the control room asks, for whomever; `also`: what is written with the order as it is after it.

    Raises `Stale` when the order has moved since it was read, `Clashing` when it has ended or the courier has
    the gift already.
    """
    order = look.order_for(world, brand_id, order_id)
    over = order.state in ENDED and order.state is not OrderState.CANCELLED
    if (
        order.cancel_asked_at is not None and not over
    ):  # the same again, whatever has moved since: safe, and nudged again
        world.queues.nudge(Topic.BOOK if order.leg.live_booking else Topic.TELL, [order_id])
        return order
    if order.version != version:
        raise Stale(f'the order is at "v{order.version}", If-Match named "v{version}"')
    if order.state in ENDED or order.state in (OrderState.PICKED_UP, OrderState.RETURNING):
        raise Clashing(f"an order that is {order.state.value} can no longer be cancelled")
    now = world.clock()
    leg, live = order.leg, order.leg.live_booking
    changes: list[Change] = []
    if live is None:
        if leg.assignment is not None:
            changes += check.give_back(order, leg.assignment.slot_id)
        leg = leg.model_copy(update={"assignment": None})
    elif live.state is BookingState.BOOKED and live.can_be_ended:
        leg = leg.with_booking(
            live.model_copy(
                update={"state": BookingState.CANCELLING, "cancel_reason": "brand", "next_look": now}
            )
        )
    after = moved(order, now, cancel_asked_at=now, legs=replace_leg(order.legs, leg))
    if also is not None:
        changes.append(also(after))
    by = by if brand_id is not None else CORDON
    changes += kept_act(order.client_id, now, by, Deed.GIFT_CANCELLED, order_id, order_id[-8:])
    try:
        world.table.write(facts.keep_order(after), *changes)
    except Lost:
        raise Stale("the order moved while it was being cancelled; read it again") from None
    facts.note_step(world.log, after)
    world.queues.nudge(Topic.BOOK if live else Topic.TELL, [order_id])
    return after


def receipt(world: World, order_id: str, also: Callable[[Order], Change] | None = None) -> Order:
    """The client has what was left at the gate: the second of the two proofs. Doing it twice is harmless."""
    order = facts.load_order(world.table, order_id)
    if order.state is OrderState.DELIVERED:
        if not order.told:
            world.queues.nudge(Topic.TELL, [order_id])
        return order
    if order.state is not OrderState.AT_GATE:
        raise Clashing(f"only an order that is at_gate can be received, this one is {order.state.value}")
    now = world.clock()
    after = moved(order, now, received_at=now)
    try:
        world.table.write(facts.keep_order(after), *([] if also is None else [also(after)]))
    except Lost:
        raise Stale("the order moved meanwhile; read it again") from None
    facts.note_step(world.log, after)
    world.queues.nudge(Topic.TELL, [order_id])
    return after
