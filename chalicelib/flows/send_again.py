"""Send a gift out again that came back, or that nobody could take in its window: a second attempt, a leg of its own.

A new leg begins in the shop, with a window of its own and a number that stands in every reference, so what couriers
say late of an earlier leg is told apart and revives nothing. It goes through the pool as if it had just been placed:
cleared, planned and booked under the rules of then. Law 0: only what the chain of custody says is in the shop goes out.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain import facts
from chalicelib.domain.custody import beginning
from chalicelib.domain.due import is_over
from chalicelib.domain.errors import Clashing, Forgotten, Invalid, Lost, Stale
from chalicelib.domain.handing import Handing, code_from
from chalicelib.domain.legs import MOST_LEGS, Leg
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.ports import Change, Topic, World
from chalicelib.domain.shapes import Window
from chalicelib.domain.steps import moved
from chalicelib.flows import look
from chalicelib.flows.place import closed

AGAIN = frozenset({OrderState.RETURNED, OrderState.STRANDED})
"""What has ended with the gift in the shop, and not because somebody wanted the end."""


def send_again(
    world: World,
    brand_id: str | None,
    order_id: str,
    window: Window,
    version: int,
    also: Callable[[Order], Change] | None = None,
) -> Order:
    """A new leg in that window, back in the pool; `brand_id` None: an operator asks, for whomever. `also`: what is
    written with the order as it is after it.

    The same request again is the same leg. Raises `Stale` when the order has moved since it was read, `Clashing` when
    nothing has ended, the gift is not in the shop, its end was asked for, it went out too often or a cap of
    the brand's is reached, and `Invalid` for a window that is closed.
    """
    order = look.order_for(world, brand_id, order_id)
    window = window.by_clock(order.client_window.time_zone)
    if order.leg.begun_from == version and order.window == window:
        world.queues.nudge(Topic.DISPATCH, [order.market_id])
        world.queues.nudge(Topic.TELL, [order_id])
        return order
    if order.version != version:
        raise Stale(f'the order is at "v{order.version}", If-Match named "v{version}"')
    _refuse(order)
    now = world.clock()
    faults = closed(window, now)
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    behind = order.leg.model_copy(update={"window": order.window})
    leg = Leg(
        leg_no=behind.leg_no + 1,
        fetched_at=behind.fetched_at,
        begun_at=now,
        begun_from=version,
        handing=None if order.safeguard is None else (behind.handing or Handing()).sent_again,
    )  # from a hand-over point if it came back there; who wants a relay of it again says so
    legs = (*order.legs[:-1], behind, leg)
    private = facts.unseal_private(world.sealer, order)
    if order.safeguard is not None:  # who came to the door before may have heard the old one
        private = private.model_copy(update={"code": code_from(world.token(), private.code)})
    visit = order.appointment
    after = moved(
        order,
        now,
        legs=legs,
        window=window,
        outlook=None,
        sealed=facts.seal_private(world.sealer, private, order_id),
        appointment=None if visit is None else visit.sent_again(now, has_left=order.has_left),
    )
    changes = [] if also is None else [also(after)]
    if order.client_id is not None:
        from chalicelib.flows import cap  # here: importing the app stays small

        changes += cap.moved_to(world, order, window)
    try:
        world.table.write(facts.keep_order(after), *changes)
    except Lost:
        raise Stale("the order moved while it was being sent again; read it again") from None
    facts.note_step(world.log, after)
    world.queues.nudge(Topic.DISPATCH, [order.market_id])
    world.queues.nudge(Topic.TELL, [order_id])
    return after


def _refuse(order: Order) -> None:
    """Raise what keeps it from being sent again, if anything does."""
    if order.is_erased:
        raise Forgotten("nobody knows any more whom it was for: its client has been erased")
    if order.cancel_asked_at is not None:
        raise Clashing("an order whose end was asked for is not sent again; place a new one")
    if order.state is OrderState.FAILED:
        raise Clashing(
            "the courier that failed has the gift; it can go again once an operator has seen it back"
        )
    if order.state not in AGAIN:
        raise Clashing(
            f"only an order that is returned or stranded is sent again, this one is {order.state.value}"
        )
    if not is_over(order) or not order.custody.is_with(beginning(order.leg)):
        raise Clashing("the gift is not known to be where it would be fetched: see its chain of custody")
    if len(order.legs) >= MOST_LEGS:
        raise Clashing(f"the gift has been sent out {len(order.legs)} times, which is all that is tried")


def seen_back(world: World, order_id: str, also: Callable[[Order], Change] | None = None) -> Order:
    """An operator has seen a gift in the shop whose courier failed and said no more. Doing it twice is harmless."""
    order = facts.load_order(world.table, order_id)
    if order.leg.back_at is not None and order.state is OrderState.RETURNED:
        if not order.told:
            world.queues.nudge(Topic.TELL, [order_id])
        return order
    if order.state is not OrderState.FAILED and not order.awaits_proof:
        raise Clashing(f"only an order that is failed can be seen back, this one is {order.state.value}")
    now = world.clock()
    legs = (*order.legs[:-1], order.leg.model_copy(update={"back_at": now}))
    after = moved(order, now, legs=legs)
    try:
        world.table.write(facts.keep_order(after), *([] if also is None else [also(after)]))
    except Lost:
        raise Stale("the order moved meanwhile; read it again") from None
    facts.note_step(world.log, after)
    world.queues.nudge(Topic.TELL, [order_id])
    return after
