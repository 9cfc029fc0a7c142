"""Another window for an order that nobody has set out with: its place is given back once, and it is planned anew.

Where no courier has the job yet, that is one write. Where one has, it is asked to let go first; until it has answered
the wish is pending and the order keeps the hours that the courier was told (`steps.moved` settles it, whoever hears
the answer). What has ended with the gift in the shop is sent out again instead, as a leg of its own.
"""

from __future__ import annotations

from chalicelib.domain import facts
from chalicelib.domain.acts import BRAND, Actor, Deed, kept_act
from chalicelib.domain.errors import Clashing, Invalid, Lost, Stale
from chalicelib.domain.legs import replace_leg
from chalicelib.domain.order_views import first_window
from chalicelib.domain.orders import AHEAD, Order, Rescheduling
from chalicelib.domain.ports import Change, Topic, World
from chalicelib.domain.shapes import Window
from chalicelib.domain.steps import moved
from chalicelib.flows import cap, check, look
from chalicelib.flows.place import closed
from chalicelib.flows.send_again import AGAIN, send_again

REASON = "rescheduled"
"""Why a courier is asked to let go."""
MOST = 20
"""So often an order gets another window: whoever has the client's link can ask for one."""


def reschedule(
    world: World, brand_id: str | None, order_id: str, window: Window, version: int, by: Actor = BRAND
) -> Order:
    """The order with that window, or with the wish for it; `brand_id` None: whoever asks may ask for any. Of a client's
    gift it is an act, `by` whoever asks.

    The same request again is the same wish. Raises `Stale` when the order has moved since it was read, `Clashing` when
    it is under way or over, goes with others or by a hand-over point, or a cap of the brand's is reached then, and
    `Invalid` for a window that is closed.
    """
    order = look.order_for(world, brand_id, order_id)
    window = window.by_clock(order.client_window.time_zone)
    known = order.rescheduling
    if known is not None and (known.asked_from, known.window) == (version, window):
        _nudge(world, order)
        return order
    if order.state in AGAIN or order.leg.begun_from == version:
        return send_again(world, brand_id, order_id, window, version)
    if order.version != version:
        raise Stale(f'the order is at "v{order.version}", If-Match named "v{version}"')
    why = why_not(order)
    if why:
        raise Clashing(why)
    now = world.clock()
    faults = closed(window, now)
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    wish = Rescheduling(
        window=window,
        asked_at=now,
        asked_from=version,
        count=1 if known is None else known.count + 1,
        first=first_window(order),
        is_pending=True,
    )
    leg, live = order.leg, order.leg.live_booking
    changes: list[Change] = []
    if live is None:
        if leg.assignment is not None:
            changes += check.give_back(order, leg.assignment.slot_id)
        leg = leg.model_copy(update={"assignment": None})
    elif not live.cancel_reason:
        leg = leg.with_booking(live.asked_to_let_go(REASON, now))
    if order.client_id is not None:
        changes += cap.moved_to(world, order, window)
    sealed = facts.sealed_anew(world.sealer, order)
    after = moved(order, now, rescheduling=wish, legs=replace_leg(order.legs, leg), sealed=sealed)
    token = f"{order_id}.{after.version}"
    changes += kept_act(order.client_id, now, by, Deed.GIFT_RESCHEDULED, order_id, token)
    try:
        world.table.write(facts.keep_order(after), *changes)
    except Lost:
        raise Stale("the order moved while it was being rescheduled; read it again") from None
    facts.note_step(world.log, after)
    _nudge(world, after)
    return after


def why_not(order: Order) -> str:
    """What keeps it from having another window, as the brand reads it; empty: nothing does."""
    if order.cancel_asked_at is not None:
        return "an order whose end was asked for has no other window; place a new one"
    if order.wants_digital:
        return "something that needs no courier is to stand in for it: its window stays"
    if order.state in AGAIN:
        return ""
    live = order.leg.live_booking
    if order.state not in AHEAD:
        return f"an order that is {order.state.value} can have no other window"
    if live is not None and not live.can_be_ended:
        return "the courier has set out, or would not let go of the job: its window stays"
    if order.together is not None:
        return "gifts that travel together keep their window: cancel them, and place them anew"
    if order.leg.taken_to is not None:
        return "a gift that goes by a hand-over point has another window once it is there"
    if order.rescheduling is not None and order.rescheduling.count >= MOST:
        return f"its window was changed {MOST} times, which is all that is done"
    return ""


def _nudge(world: World, order: Order) -> None:
    if order.leg.live_booking is not None:
        world.queues.nudge(Topic.BOOK, [order.order_id])
    else:
        world.queues.nudge(Topic.DISPATCH, [order.market_id])
    world.queues.nudge(Topic.TELL, [order.order_id])
