"""Place an order that never has a parcel: a gift that needs no courier, given at once, under the same idempotency."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from chalicelib.domain import facts
from chalicelib.domain.acts import BRAND
from chalicelib.domain.associates import Associate
from chalicelib.domain.client_rows import client_key
from chalicelib.domain.clients import client_id_of
from chalicelib.domain.digital import DigitalGift
from chalicelib.domain.errors import Clashing, Delayed, Fault, Forgotten, Invalid, Lost
from chalicelib.domain.gifts import Gift, Item, ItemClass
from chalicelib.domain.given import Given
from chalicelib.domain.instead import Digital, DigitalOutcome, WhyDigital
from chalicelib.domain.order_views import OrderView, view
from chalicelib.domain.orders import (
    SCHEMA,
    Fallback,
    Moved,
    Order,
    OrderState,
    Tier,
    fingerprint_of,
    order_id_of,
    shard_of,
)
from chalicelib.domain.pass_answers import NewDigitalOrder
from chalicelib.domain.passes import PassState
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Change, Keep, Topic, World
from chalicelib.domain.programme import NOTHING, NewProgramme, programme_key, programme_of_row
from chalicelib.domain.shapes import Window
from chalicelib.domain.standing import standing_key
from chalicelib.flows import cap, enrol, give, hand_out, stand_in
from chalicelib.flows.place import market_of, refuse_another

TRIES = 10
"""As often as others may be giving to the same client at the same moment."""


class _ForWhom(NamedTuple):
    """What is known of who it is for."""

    order: Order
    changes: list[Change]
    """What enters it in the client's books."""


def place_digital(
    world: World,
    brand_id: str,
    idempotency_key: str,
    new: NewDigitalOrder,
    by: str = BRAND,
    *,
    associate: Associate | None = None,
    campaign_id: str | None = None,
) -> tuple[Order, bool]:
    """The order, and whether it had been placed before by the same request. `by`, `associate`, `campaign_id`: as in
    `give.give`.

    Raises `Invalid` for an unknown market, gift or client and for a gift that is over, and when the key was used with
    another body; `Clashing` when none is left or a cap is reached: then nothing is kept, and the same request may come
    again; `Forgotten` for a client who is being erased.
    """
    fingerprint = fingerprint_of(idempotency_key, new)
    key = facts.order_key(order_id_of(brand_id, idempotency_key))
    for _ in range(TRIES):
        before = world.table.get(key)
        if before is not None:
            return _repeated(world, facts.order_of_row(before), fingerprint), True
        now = world.clock()
        market = market_of(world, new.market)
        gift = stand_in.giveable(world, brand_id, new.gift, now)
        if gift is None:
            detail = "a digital gift of yours was expected that is not over"
            raise Invalid(f"/gift: {detail}", [Fault("/gift", detail, new.gift)])
        order = placed(new, brand_id, idempotency_key, market, gift, now)
        order, changes = _for_whom(world, order, new, by, associate, campaign_id)
        passed = hand_out.passed_of(gift, order, PassState.GIVEN, now, None, None)
        try:
            taken = hand_out.take(world, gift, Keep(facts.order_row(order), was=None), passed, more=changes)
        except Lost:
            continue  # the same request at once with this, or another gift to the same client
        if taken is None:
            raise Clashing(f"none of {new.gift!r} is left")
        facts.note_step(world.log, order)
        world.queues.nudge(Topic.TELL, [order.order_id])
        return order, False
    raise Delayed("others are giving to the same client at the same moment")


def _for_whom(
    world: World,
    order: Order,
    new: NewDigitalOrder,
    by: str,
    associate: Associate | None,
    campaign_id: str | None,
) -> _ForWhom:
    """The order with its client, and what enters it in that one's books: it counts as a gift, whatever it weighs."""
    order = order.model_copy(update={"campaign_id": campaign_id})
    if new.client is None:
        return _ForWhom(order, [])
    client_id = client_id_of(order.brand_id, new.client)
    keys = [client_key(client_id), standing_key(client_id), programme_key(order.brand_id)]
    rows = {row.key: row for row in world.table.get_many(keys)}
    client = give.enrolled(rows.get(keys[0]), associate)
    if client.is_leaving:
        raise Forgotten("the client has been erased")
    programme: NewProgramme = programme_of_row(rows[keys[2]]) if keys[2] in rows else NOTHING
    zone = new.time_zone or client.time_zone
    order = order.model_copy(
        update={
            "client_id": client_id,
            "occasion": new.occasion,
            "tier": give.tier_of(world, new.tier, client, rows.get(keys[1]), programme),
            "window": order.window.model_copy(update={"time_zone": zone}),
        }
    )
    given = Given(
        order_id=order.order_id,
        day=cap.day_of(client, order.placed_at),
        occasion=new.occasion,
        by=by,
        at=order.placed_at,
    )
    places = enrol.person_of(world, client).places
    address = next((place.address for place in places.values()), None)
    return _ForWhom(order, cap.books(world, client, programme.caps, given, address))


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
        shard=shard_of(order_id, market.shards),
        reference=new.reference,
        gift=Gift(items=(item,)),
        pick_up_name="",
        window=Window(start=at, end=gift.redeem_by, time_zone=new.time_zone or market.time_zone),
        tier=new.tier or Tier.STANDARD,
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


def _repeated(world: World, before: Order, fingerprint: str) -> Order:
    refuse_another(before, fingerprint)
    world.queues.nudge(Topic.TELL, [before.order_id])
    return before
