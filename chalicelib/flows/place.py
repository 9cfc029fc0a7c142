"""Place an order: one conditional write is the whole protocol, because the id follows from brand and key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from chalicelib.domain import facts
from chalicelib.domain.errors import Fault, Invalid, Lost, Missing
from chalicelib.domain.gifts import Gift, ItemClass
from chalicelib.domain.handing import code_from
from chalicelib.domain.orders import Fallback, NewOrder, Order, PickUp, Private, Recipient
from chalicelib.domain.places import HandOverPoint, Market, Place
from chalicelib.domain.ports import Keep, Topic, World
from chalicelib.domain.shapes import Window
from chalicelib.domain.steps import placed
from chalicelib.flows import enlist

HORIZON = timedelta(days=60)
"""How far ahead a window may lie."""
LONGEST = timedelta(days=31)
"""How long it may be open."""


def place(world: World, brand_id: str, idempotency_key: str, new: NewOrder) -> tuple[Order, bool]:
    """The order, and whether it had been placed before by the same request.

    Raises `Invalid` for a window that is closed, a place outside the market, an unknown market, or when the key
    was used with another body.
    """
    now = world.clock()
    market = market_of(world, new.market)
    order = placed(new, brand_id, idempotency_key, market, now)
    faults = [*faults_of(market, new, now), *relay_faults_of(market, new, now), *safeguard_faults_of(new)]
    if faults:
        before = world.table.get(facts.order_key(order.order_id))
        if before is not None:  # placed when it was right: the same request has the same answer for ever
            return repeated(world, facts.order_of_row(before), order.fingerprint), True
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    private = private_of(world, new)
    order = order.model_copy(update={"sealed": facts.seal_private(world.sealer, private, order.order_id)})
    if order.fallback is Fallback.DIGITAL:
        from chalicelib.flows.stand_in import patient, wish_of  # a read, for these alone

        order = patient(order, wish_of(world, brand_id))
    try:
        world.table.write(Keep(facts.order_row(order), was=None))
    except Lost as lost:
        if lost.found is None:
            raise
        return repeated(world, facts.order_of_row(lost.found), order.fingerprint), True
    facts.note_step(world.log, order)
    world.queues.nudge(Topic.DISPATCH, [order.market_id])
    return order, False


def market_of(world: World, name: str) -> Market:
    """The market that an order names. Raises `Invalid` where there is none."""
    try:
        return enlist.market(world, name)
    except Missing:
        detail = "a market that exists was expected"
        raise Invalid(f"/market: no market {name!r}", [Fault("/market", detail, name)]) from None


def refuse_another(before: Order, fingerprint: str) -> None:
    """Raises `Invalid` where the order that stands under this key was asked for otherwise."""
    if before.fingerprint != fingerprint:
        raise Invalid(
            "this Idempotency-Key was used with another body",
            [Fault("", "the same key goes with the same body; a new gift needs a new key")],
        ) from None


def repeated(world: World, before: Order, fingerprint: str) -> Order:
    """The order that stands there, if the same was asked. Nudged again: the first nudge may be lost."""
    refuse_another(before, fingerprint)
    world.queues.nudge(Topic.DISPATCH, [before.market_id])
    return before


class Wanted(Protocol):
    """What an order and a question about one have in common."""

    @property
    def gift(self) -> Gift: ...
    @property
    def pick_up(self) -> PickUp: ...
    @property
    def recipient(self) -> Recipient: ...
    @property
    def window(self) -> Window: ...


def faults_of(market: Market, wanted: Wanted, now: datetime) -> list[Fault]:
    """What is wrong with it in this market and at this moment, each with its pointer."""
    return [
        *outside(market, wanted.pick_up.place, "/pick_up/place/coordinate"),
        *outside(market, wanted.recipient.place, "/recipient/place/coordinate"),
        *_foreign(market, wanted.gift),
        *closed(wanted.window, now),
    ]


def private_of(world: World, new: NewOrder) -> Private:
    """What of it is sealed; with the client's code where there is to be one."""
    code = None if new.safeguard is None else code_from(world.token())
    return Private.model_construct(recipient=new.recipient, pick_up_contact=new.pick_up.contact, code=code)


def safeguard_faults_of(new: NewOrder) -> Iterator[Fault]:
    """What does not go with the safeguard that it asks for, if it asks for one."""
    if new.safeguard is None:
        return
    if ItemClass.HIGH_VALUE not in new.gift.item_classes:
        yield Fault("/safeguard", "a gift with an item of class 'high_value' was expected")
    for name in ("together", "relay"):
        if getattr(new, name) is not None:
            detail = (
                "a safeguarded gift rides by itself, from the shop to the client: nothing was expected here"
            )
            yield Fault(f"/{name}", detail)


def relay_faults_of(market: Market, new: NewOrder, now: datetime) -> list[Fault]:
    """What is wrong with the relay that it asks for, if it asks for one."""
    if new.relay is None:
        return []
    if new.together is not None:
        detail = "gifts that travel together arrive together: no relay was expected"
        return [Fault("/relay", detail)]
    return relay_faults(market, new.relay, new.gift, new.window, now, "/relay")


def relay_faults(
    market: Market, point: HandOverPoint, gift: Gift, wished: Window, now: datetime, pointer: str
) -> list[Fault]:
    """What keeps a gift that is wished for in that window from going by that point."""
    faults = outside(market, point.place, f"{pointer}/place/coordinate")
    if (
        gift.dwell_limit_minutes is not None
    ):  # each leg is cleared by itself, and nobody adds up the rest between them
        detail = "a gift was expected that may rest at the point: this one states for how long it keeps"
        faults.append(Fault(pointer, detail))
    hours = point.hours
    if hours.end <= now or hours.start >= wished.end:
        detail = "hours were expected that are not over, and begin before the client's window ends"
        faults.append(Fault(f"{pointer}/hours", detail, hours.end.isoformat()))
    return faults


def _foreign(market: Market, gift: Gift) -> list[Fault]:
    given = gift.value.currency
    if given == market.currency:
        return []
    detail = f"the currency of the market {market.market_id!r} was expected, {market.currency}"
    return [Fault("/gift/items/0/value/currency", detail, given)]


def outside(market: Market, place: Place, pointer: str) -> list[Fault]:
    """A fault, if that place is not in this market."""
    if market.holds(place.coordinate):
        return []
    swapped = place.coordinate.model_copy(update={"lng": place.coordinate.lat, "lat": place.coordinate.lng})
    hint = "; longitude and latitude look swapped" if market.holds(swapped) else ""
    return [Fault(pointer, f"a point inside the market {market.market_id!r} was expected{hint}")]


def closed(window: Window, now: datetime) -> list[Fault]:
    """What is wrong with that window at this moment, each with its pointer."""
    start, end = window.start, window.end
    if end <= now:
        return [Fault("/window/end", "a window that is still open was expected", end.isoformat())]
    if start > now + HORIZON:
        return [Fault("/window/start", f"at most {HORIZON.days} days ahead were expected", start.isoformat())]
    if end - start > LONGEST:
        detail = f"a window of at most {LONGEST.days} days was expected"
        return [Fault("/window/end", detail, end.isoformat())]
    return []
