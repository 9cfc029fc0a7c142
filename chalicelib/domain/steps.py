"""How an order moves: as it is first written, on to its next leg, and the state that its saved facts come to."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain.handing import Handing
from chalicelib.domain.legs import BookingState, EventKind, Leg, replace_leg
from chalicelib.domain.orders import (
    SCHEMA,
    Moved,
    NewOrder,
    Note,
    Order,
    OrderState,
    fingerprint_of,
    order_id_of,
    shard_of,
)
from chalicelib.domain.places import HandOverPoint, Market
from chalicelib.domain.shapes import Window


def placed(new: NewOrder, brand_id: str, idempotency_key: str, market: Market, at: datetime) -> Order:
    """The order as first written, without its sealed part. Everything in it has been validated as it came in."""
    order_id = order_id_of(brand_id, idempotency_key)
    order = Order.model_construct(
        schema_version=SCHEMA,
        order_id=order_id,
        brand_id=brand_id,
        market_id=market.market_id,
        shard=shard_of(order_id, market.shards),
        reference=new.reference,
        gift=new.gift,
        pick_up_name=new.pick_up.name,
        pick_up_place=new.pick_up.place,
        window=new.window.by_clock(market.time_zone),
        tier=new.tier,
        fallback=new.fallback,
        together=new.together,
        appointment=new.appointment,
        placed_at=at,
        fingerprint=fingerprint_of(idempotency_key, new),
        history=(Moved(state=OrderState.PLACED, at=at),),
        stepped=True,
    )
    if new.safeguard is not None:
        order = order.model_copy(update={"safeguard": new.safeguard, "legs": (Leg(handing=Handing()),)})
    return order if new.relay is None else relayed(order, new.relay, order.window)


def relayed(order: Order, point: HandOverPoint, wished: Window) -> Order:
    """The order with the leg under way ending at that point, in its hours; `wished`: when the client is to have it."""
    hours = point.hours.model_copy(update={"end": min(point.hours.end, wished.end)})
    leg = order.leg.model_copy(update={"taken_to": point, "client_window": wished})
    return order.model_copy(update={"legs": replace_leg(order.legs, leg), "window": hours})


def handed_on(order: Order, at: datetime) -> Order:
    """The order with a leg from the point on, once a courier has handed over there. No step yet: the same where nobody
    has, or where the brand has asked for the end of it."""
    leg = order.leg
    booking = leg.deciding_booking
    if leg.taken_to is None or order.is_unwanted:
        return order
    if booking is None or booking.track.kind is not EventKind.DELIVERED:
        return order
    behind = leg.model_copy(update={"window": order.window})
    onward = Leg(leg_no=leg.leg_no + 1, fetched_at=leg.taken_to, begun_at=at)
    legs = (*replace_leg(order.legs, behind), onward)
    return order.model_copy(update={"legs": legs, "window": order.client_window, "outlook": None})


def state_of(order: Order) -> OrderState:
    """The state that the saved facts come to, whatever happened on the way."""
    if order.received_at is not None:
        return OrderState.DELIVERED
    leg = order.leg
    booking = leg.deciding_booking
    instead = OrderState.FULFILLED_DIGITALLY if order.is_digital else None
    if booking is not None:
        track = booking.track
        if track.kind is EventKind.DELIVERED and leg.taken_to is not None:
            kept = OrderState.RELAYED if order.cancel_asked_at is None else OrderState.CANCELLED
            return instead or kept
        if track.kind is EventKind.DELIVERED and leg.handing is not None:
            kept = OrderState.PICKED_UP if leg.back_at is None else instead or OrderState.RETURNED
            return kept if leg.missing(booking) else OrderState.DELIVERED
        if track.kind is EventKind.DELIVERED:
            return OrderState.DELIVERED if leg.reaches_client(booking) else OrderState.AT_GATE
        if track.kind is EventKind.RETURNED:
            return instead or OrderState.RETURNED
        if track.kind is EventKind.RETURNING:
            return OrderState.RETURNING
        if track.has_custody:
            return OrderState.PICKED_UP
        if track.has_ended and track.picked_up_at is not None:
            return instead or (OrderState.FAILED if leg.back_at is None else OrderState.RETURNED)
        if booking.is_live:
            if booking.state in (BookingState.BOOKED, BookingState.CANCELLING):
                return OrderState.BOOKED
            return OrderState.ASSIGNED
    if instead is not None:
        return instead
    if order.cancel_asked_at is not None:
        return OrderState.CANCELLED
    if leg.assignment is not None:
        return OrderState.ASSIGNED
    if order.outlook is not None and not order.outlook.is_planned:
        return OrderState.STRANDED if order.outlook.next_look is None else OrderState.HELD
    return OrderState.PLACED if leg.fetched_at is None else OrderState.RELAYED


def moved(order: Order, at: datetime, about: Note | None = None, **changes: object) -> Order:
    """The next version of the order: the changes, its state derived anew, and the step in its history. `about`: a step
    even where the state stays."""
    after = order.model_copy(update={**changes, "version": order.version + 1, "stepped": False})
    if after.wish is not None:
        after = _wish_settled(after)
    state = state_of(after)
    if after.awaits_proof and order.history[-1].about != Note.AWAITING_PROOF:
        about = Note.AWAITING_PROOF
    if state is not order.state or about is not None:
        history = (*order.history, Moved(state=state, at=at, about=about))
        is_step = state is not order.state
        after = after.model_copy(update={"history": history, "told": False, "stepped": is_step})
    return after


def _wish_settled(order: Order) -> Order:
    """The order with what its courier's last word makes of a wish for another window: granted once the courier has let
    go, refused once it has said that it will not, or has set out."""
    wished, leg = order.rescheduling, order.leg
    assert wished is not None
    live = leg.live_booking
    if order.cancel_asked_at is not None:
        return order.model_copy(
            update={"rescheduling": wished.model_copy(update={"is_pending": False, "refused": "cancelled"})}
        )
    if live is None and leg.assignment is None and leg.deciding_booking is None:
        granted = wished.model_copy(update={"is_pending": False})
        return order.model_copy(update={"rescheduling": granted, "window": wished.window, "outlook": None})
    if live is not None and live.can_be_ended:
        return order
    why = "picked_up" if live is None or not live.cancel_answer else live.cancel_answer
    kept = wished.model_copy(update={"is_pending": False, "refused": why, "count": wished.count + 1})
    return order.model_copy(update={"rescheduling": kept})
