"""Place an order that never has a parcel: a gift that needs no courier, given at once, under the same idempotency."""

from __future__ import annotations

import hashlib
from datetime import datetime

from chalicelib.domain import facts
from chalicelib.domain.digital import DigitalGift
from chalicelib.domain.errors import Clashing, Fault, Invalid, Lost, Missing
from chalicelib.domain.gifts import Gift, Item, ItemClass
from chalicelib.domain.instead import Digital, DigitalOutcome, WhyDigital
from chalicelib.domain.orders import (
    SCHEMA,
    Fallback,
    Moved,
    Order,
    OrderState,
    OrderView,
    fingerprint_of,
    order_id_of,
    view,
)
from chalicelib.domain.pass_answers import NewDigitalOrder
from chalicelib.domain.passes import PassState
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, Topic, World
from chalicelib.domain.shapes import Window
from chalicelib.flows import enlist, hand_out, stand_in


def place_digital(
    world: World, brand_id: str, idempotency_key: str, new: NewDigitalOrder
) -> tuple[Order, bool]:
    """The order, and whether it had been placed before by the same request.

    Raises `Invalid` for an unknown market or gift and for one that is over, and when the key was used with another
    body; `Clashing` when none is left: then nothing is kept, and the same request may come again.
    """
    now = world.clock()
    before = world.table.get(facts.order_key(order_id_of(brand_id, idempotency_key)))
    if before is not None:
        return _repeated(world, facts.order_of_row(before), fingerprint_of(idempotency_key, new))
    try:
        market = enlist.market(world, new.market)
    except Missing:
        raise Invalid(
            f"/market: no market {new.market!r}",
            [Fault("/market", "a market that exists was expected", new.market)],
        ) from None
    gift = stand_in.giveable(world, brand_id, new.gift, now)
    if gift is None:
        detail = "a digital gift of yours was expected that is not over"
        raise Invalid(f"/gift: {detail}", [Fault("/gift", detail, new.gift)])
    order = placed(new, brand_id, idempotency_key, market, gift, now)
    passed = hand_out.passed_of(gift, order, PassState.GIVEN, now, None, None)
    try:
        taken = hand_out.take(world, gift, Keep(facts.order_row(order), was=None), passed)
    except Lost:  # the same request, at once with this
        known = world.table.get(facts.order_key(order.order_id))
        if known is None:
            raise
        return _repeated(world, facts.order_of_row(known), order.fingerprint)
    if taken is None:
        raise Clashing(f"none of {new.gift!r} is left")
    facts.note_step(world.log, order)
    world.queues.nudge(Topic.TELL, [order.order_id])
    return order, False


def placed(
    new: NewDigitalOrder,
    brand_id: str,
    idempotency_key: str,
    market: Market,
    gift: DigitalGift,
    at: datetime,
) -> Order:
    """The order as first written: given as soon as it is placed."""
    order_id = order_id_of(brand_id, idempotency_key)
    item = Item(name=gift.title, item_class=ItemClass.DOCUMENT, value=gift.value)
    return Order(
        schema_version=SCHEMA,
        order_id=order_id,
        brand_id=brand_id,
        market_id=market.market_id,
        shard=hashlib.sha256(order_id.encode()).digest()[0] % market.shards,
        reference=new.reference,
        gift=Gift(items=(item,)),
        pick_up_name="",
        window=Window(start=at, end=gift.redeem_by, time_zone=new.time_zone or market.time_zone),
        tier=new.tier,
        fallback=Fallback.DIGITAL,
        placed_at=at,
        digital=Digital(gift=gift.reference, why=WhyDigital.PLACED, outcome=DigitalOutcome.GIVEN, at=at),
        fingerprint=fingerprint_of(idempotency_key, new),
        history=(
            Moved(state=OrderState.PLACED, at=at),
            Moved(state=OrderState.FULFILLED_DIGITALLY, at=at),
        ),
        stepped=True,
    )


def first_view(order: Order) -> OrderView:
    """The order as the answer to its placing read: what a repeat of the request gets again."""
    return view(
        order.model_copy(
            update={
                "version": 1,
                "history": order.history[:2],
                "cancel_asked_at": None,
                "digital": Digital(
                    gift=None if order.digital is None else order.digital.gift,
                    why=WhyDigital.PLACED,
                    outcome=DigitalOutcome.GIVEN,
                    at=order.placed_at,
                ),
            }
        )
    )


def _repeated(world: World, before: Order, fingerprint: str) -> tuple[Order, bool]:
    if before.fingerprint != fingerprint:
        raise Invalid(
            "this Idempotency-Key was used with another body",
            [Fault("", "the same key goes with the same body; a new gift needs a new key")],
        )
    world.queues.nudge(Topic.TELL, [before.order_id])
    return before, True
