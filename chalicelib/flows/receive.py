"""Receive a courier's callback: proven on the raw bytes, its events saved, the orders nudged. One write an event."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain import facts
from chalicelib.domain.dialect import Callback, Heard, Trust
from chalicelib.domain.errors import Lost, Missing, Unauthorised
from chalicelib.domain.legs import ENDS, HINT, Booking, Event, EventKind, order_of
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, Topic, World
from chalicelib.flows import enlist

SKEW = timedelta(minutes=5)
"""A courier's clock is believed within this: not before the attempt, not after its words arrived."""


def receive(world: World, market_id: str, courier_id: str, callback: Callback) -> Heard:
    """A courier's callback: verified on the raw bytes, its events saved, the orders nudged. One write an event.

    Raises `Unauthorised` for anything unproven and `Missing` for a courier we do not have.
    """
    courier = enlist.courier(world, market_id, courier_id)
    dialect = world.dialects[courier.dialect]
    accounts = world.secrets.accounts(courier.dialect, courier.account)
    if not accounts:
        world.log("courier_account_missing", courier=courier_id, market=market_id)
        raise Unauthorised("no secret is known for this courier")
    now = world.clock()
    try:
        heard = dialect.hear(accounts, callback, courier_id, now)
    except Unauthorised:
        world.log("callback_forged", courier=courier_id, market=market_id)
        raise
    ours: dict[str, None] = {}
    for said in heard.events:
        event = said.model_copy(update={"market_id": market_id})
        if event.occurred_at > now + SKEW:
            world.log("callback_from_tomorrow", courier=courier_id, market=market_id)
            event = event.model_copy(update={"occurred_at": now})
        named = order_of(event.reference)
        if named is None:
            continue
        if _is_hint(dialect.trust, event):
            # under a name of its own: it must not stand where the look-up's own word belongs
            event = event.model_copy(update={"source": HINT, "event_id": f"{HINT}-{event.event_id}"[:128]})
        if event.kind is EventKind.UNREADABLE:
            world.log("callback_unreadable", courier=courier_id, status=event.raw_status)
        save_event(world, named[0], event)
        world.log("callback_heard", order=named[0], courier=courier_id, step=event.kind.value)
        ours[named[0]] = None
    if heard.foreign:
        world.log("callback_foreign", courier=courier_id, count=len(heard.foreign))
    if ours:
        world.queues.nudge(Topic.HEAR, ours)
    return heard


def _is_hint(trust: Trust, event: Event) -> bool:
    """How far the courier is believed: signed, in everything; by a secret that everybody on the way can read, in what
    can still be put right, and an end is confirmed first; without any proof, in nothing."""
    return trust == "hint" or (trust == "shared_secret" and event.kind in ENDS)


def greet(world: World, market_id: str, courier_id: str, callback: Callback) -> bytes:
    """The answer to a courier that checks our address."""
    courier = enlist.courier(world, market_id, courier_id)
    accounts = world.secrets.accounts(courier.dialect, courier.account)
    return world.dialects[courier.dialect].greet(accounts, callback, world.clock())


def may_speak(world: World, order: Order, booking: Booking, event: Event) -> bool:
    """True for a word of the courier that has the booking, or of one that has the same account at the same company."""
    if (event.market_id or order.market_id, event.courier_id) == (order.market_id, booking.courier_id):
        return True
    try:  # one account can serve several markets, and has one address for all that it says
        said = enlist.courier(world, event.market_id or order.market_id, event.courier_id)
        asked = enlist.courier(world, order.market_id, booking.courier_id)
    except Missing:
        return False
    return (said.dialect, said.account) == (asked.dialect, asked.account)


def save_event(world: World, order_id: str, event: Event) -> None:
    """Keep what a courier said; a double is the same row. What a client said to it is kept sealed."""
    if event.said is not None:
        sealed = world.sealer.seal(event.said.encode(), event.reference).hex()
        event = event.model_copy(update={"said_sealed": sealed})
    try:
        world.table.write(Keep(facts.event_row(order_id, event), was=None))
    except Lost:
        pass  # it was kept before
