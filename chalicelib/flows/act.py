"""A dispatcher acts on one order: each deed names the version it was decided on, and is written with its audit line.

Of two who act on one order at a time one wins; the other is told where the order is now, and by whom it was moved.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chalicelib.domain import facts
from chalicelib.domain.deeds import Deed, What, deed_of_row, deed_place, deed_prefix, deed_row
from chalicelib.domain.due import in_pool
from chalicelib.domain.errors import Clashing, Fault, Invalid, Lost, Stale
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.legs import Booking, BookingState, EventKind, Leg, Refusal, replace_leg
from chalicelib.domain.looks import Shown
from chalicelib.domain.orders import RETURNING, Order, OrderState, Stopped
from chalicelib.domain.ports import Change, Keep, Key, Topic, World
from chalicelib.domain.shapes import Window
from chalicelib.domain.steps import moved
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import cancel as cancelling
from chalicelib.flows import check, look, reveal
from chalicelib.flows import send_again as sending

BY_HAND = "dispatcher"
"""Why a courier is asked to let go, and why a slot is not tried again."""
AT_THE_BOARD = "at-the-board"
"""Why an address was looked at, where it was there. A dispatcher's own words may name the client, and a log may not."""
LONGEST = timedelta(hours=48)
"""A gift is not stopped for longer at a time: whoever wants its end cancels it."""


def redispatch(
    world: World, order_id: str, version: int, who: str, why: str = "", *, not_this_courier: bool = False
) -> Order:
    """Give it to somebody else, or look again now at one that waits.

    A slot that is taken from it is not given to it again; `not_this_courier`: nor is any other of that courier. Raises
    `Stale`, and `Clashing` for a gift that has left the shop or whose end was asked for.
    """
    order, is_done = _read(world, order_id, version, What.REDISPATCHED, who)
    if is_done:
        return order
    now, leg, live = world.clock(), order.leg, order.leg.live_booking
    if in_pool(order):
        outlook = order.outlook and order.outlook.model_copy(update={"next_look": now})
        after = moved(order, now, stopped=None, outlook=outlook)
        return _done(world, after, What.REDISPATCHED, who, why, [])
    _refuse_moved(order)
    assert leg.assignment is not None
    refusal = Refusal(
        slot_id=leg.assignment.slot_id,
        courier_id=leg.assignment.courier_id,
        reason=BY_HAND,
        at=now,
        whole_courier=not_this_courier,
    )
    changes, after = _freed(order, leg.with_refusal(refusal), live, now, Reason.COURIER_REFUSED)
    after = after.model_copy(update={"stopped": None})
    return _done(world, after, What.REDISPATCHED, who, why, changes)


def hold(world: World, order_id: str, version: int, until: datetime, who: str, why: str = "") -> Order:
    """Keep it here until then: what it was given is given back, and nothing is planned for it.

    Raises `Stale`, `Invalid` for a moment that is over or too far, and `Clashing` for a gift that has left the shop.
    """
    order, is_done = _read(world, order_id, version, What.HELD, who)
    if is_done:
        return order
    now = world.clock()
    if not now < until <= now + LONGEST:
        detail = f"a moment within the next {LONGEST.total_seconds() // 3600:.0f} hours was expected"
        raise Invalid(f"/until: {detail}", [Fault("/until", detail, until.isoformat())])
    stop = Stopped(until=until, by=who, at=now)
    if in_pool(order):
        outlook = check.back_to_pool(now, Decision.HOLD, (Reason.HELD_BY_HAND,))
        after = moved(order, now, stopped=stop, outlook=outlook)
        return _done(world, after, What.HELD, who, why, [])
    _refuse_moved(order)
    live = order.leg.live_booking
    changes, after = _freed(order, order.leg, live, now, Reason.HELD_BY_HAND, stop)
    return _done(world, after, What.HELD, who, why, changes)


def release(world: World, order_id: str, version: int, who: str, why: str = "") -> Order:
    """Let go of one that a dispatcher had stopped. Raises `Stale`, `Clashing` when nobody had."""
    order, is_done = _read(world, order_id, version, What.RELEASED, who)
    if is_done:
        return order
    now = world.clock()
    if order.stopped is None:
        raise Clashing("nobody had stopped this order")
    outlook = order.outlook
    if outlook is not None and in_pool(order):
        outlook = outlook.model_copy(update={"next_look": now})
    after = moved(order, now, stopped=None, outlook=outlook)
    return _done(world, after, What.RELEASED, who, why, [])


def cancel(world: World, order_id: str, version: int, who: str, why: str = "") -> Order:
    """End it. Raises what `flows.cancel` raises."""
    order, is_done = _read(world, order_id, version, What.CANCELLED, who)
    if is_done:
        return order
    return cancelling.cancel(world, None, order_id, version, _line(world, What.CANCELLED, who, why))


def recall(world: World, order_id: str, version: int, who: str, why: str = "") -> Order:
    """Ask the courier that has the gift to bring it back. Raises `Stale`, and `Clashing` for one that no courier has or
    that is coming back already."""
    order, is_done = _read(world, order_id, version, What.RECALLED, who)
    if is_done:
        return order
    live, now = order.leg.live_booking, world.clock()
    if live is None or not live.track.has_custody:
        raise Clashing(f"only a gift that a courier has is recalled; this order is {order.state.value}")
    is_coming = live.track.kind is EventKind.RETURNING or live.cancel_answer == RETURNING
    if is_coming or live.state is BookingState.CANCELLING:
        raise Clashing("it is being brought back already, or its courier has been asked to")
    stopped = live.model_copy(
        update={"state": BookingState.CANCELLING, "cancel_reason": BY_HAND, "next_look": now}
    )
    after = moved(order, now, legs=replace_leg(order.legs, order.leg.with_booking(stopped)))
    return _done(world, after, What.RECALLED, who, why, [])


def send_again(world: World, order_id: str, version: int, window: Window, who: str, why: str = "") -> Order:
    """A new attempt of a gift that came back or that nobody could take. Raises what `flows.send_again` raises."""
    order, is_done = _read(world, order_id, version, What.SENT_AGAIN, who)
    if is_done:
        return order
    line = _line(world, What.SENT_AGAIN, who, why)
    return sending.send_again(world, None, order_id, window, version, line)


def seen_back(world: World, order_id: str, version: int, who: str, why: str = "") -> Order:
    """Somebody has the gift in hand again whose courier failed. Raises what `flows.send_again.seen_back` raises."""
    order, is_done = _read(world, order_id, version, What.SEEN_BACK, who)
    return order if is_done else sending.seen_back(world, order_id, _line(world, What.SEEN_BACK, who, why))


def received(world: World, order_id: str, version: int, who: str, why: str = "") -> Order:
    """The client has what was left at the gate. Raises what `flows.cancel.receipt` raises."""
    order, is_done = _read(world, order_id, version, What.RECEIVED, who)
    return order if is_done else cancelling.receipt(world, order_id, _line(world, What.RECEIVED, who, why))


def send_digitally(world: World, order_id: str, version: int, who: str, why: str = "") -> Order:
    """Have the gift that its brand's programme names stand in for it. Raises what `flows.answer` raises.

    The line is written after the gift, which says itself that it was asked for: a seat or a code is taken in a
    transaction of its own.
    """
    from chalicelib.domain.pass_answers import DigitalAction, DigitalStep
    from chalicelib.flows import answer

    try:
        after = answer.act(world, None, order_id, DigitalAction(action=DigitalStep.SEND), version)
    except Stale:
        raise Stale(_moved_since(world, look.any_order(world, order_id), version)) from None
    line = _line(world, What.SENT_DIGITALLY, who, why)(after)
    if not any(deed.what is What.SENT_DIGITALLY for deed in deeds_of(world, order_id)):
        try:
            world.table.write(line)
        except Lost:
            pass  # somebody's line of this version stands there
    return after


def look_at(world: World, order_id: str, who: str, by: str) -> Shown:
    """Whom it is for, and where: shown to one dispatcher, and never without a line that says so (`flows.reveal`)."""
    return reveal.reveal(world, Caller(role=Role.OPERATOR, owner=by), order_id, AT_THE_BOARD, who)


def deeds_of(world: World, order_id: str) -> list[Deed]:
    """What was done to it by hand, the first first."""
    return [deed_of_row(row) for row in world.table.read(order_id, deed_prefix()).rows]


def _read(world: World, order_id: str, version: int, what: What, who: str) -> tuple[Order, bool]:
    """The order at that version; or as it is, and True, where this very deed has made the next one: whoever was not
    answered asks again, and the nudges go out again. Raises `Stale`."""
    order = look.any_order(world, order_id)
    if order.version == version:
        return order, False
    row = world.table.get(Key(order_id, deed_place(version + 1)))
    done = None if row is None else deed_of_row(row)
    if done is None or (done.what, done.who) != (what, who):
        raise Stale(_moved_since(world, order, version))
    _nudge(world, order)
    return order, True


def _nudge(world: World, order: Order) -> None:
    if order.leg.live_booking is not None:
        world.queues.nudge(Topic.BOOK, [order.order_id])
    elif in_pool(order):
        world.queues.nudge(Topic.DISPATCH, [order.market_id])
    world.queues.nudge(Topic.TELL, [order.order_id])


def _moved_since(world: World, order: Order, version: int) -> str:
    """Where it is now, and who moved it, if a dispatcher did."""
    said = f'the order is {order.state.value} at "v{order.version}" by now, If-Match named "v{version}"'
    mine = [deed for deed in deeds_of(world, order.order_id) if deed.version > version]
    return f"{said}; {mine[-1].who} has {mine[-1].what.value.replace('_', ' ')} it" if mine else said


def _refuse_moved(order: Order) -> None:
    live = order.leg.live_booking
    if order.cancel_asked_at is not None:
        raise Clashing("the end of this order was asked for")
    if order.state not in (OrderState.ASSIGNED, OrderState.BOOKED) or order.leg.assignment is None:
        raise Clashing(f"an order that is {order.state.value} cannot be taken from its courier here")
    if live is not None and live.track.picked_up_at is not None:
        raise Clashing("the courier has the gift: recall it")
    if live is not None and (live.state is BookingState.CANCELLING or not live.can_be_ended):
        raise Clashing("its courier has been asked to let go of it already")


def _freed(
    order: Order,
    leg: Leg,
    live: Booking | None,
    now: datetime,
    reason: Reason,
    stop: Stopped | None = None,
) -> tuple[list[Change], Order]:
    """The order taken from its courier, or that courier asked to let go."""
    if live is None:
        assert leg.assignment is not None
        decision = Decision.HOLD if reason is Reason.HELD_BY_HAND else Decision.NO
        free = leg.model_copy(update={"assignment": None})
        after = moved(
            order,
            now,
            legs=replace_leg(order.legs, free),
            outlook=check.back_to_pool(now, decision, (reason,)),
            stopped=stop,
        )
        return [*check.give_back(order, leg.assignment.slot_id)], after
    halted = leg.with_booking(live.asked_to_let_go(BY_HAND, now))
    return [], moved(order, now, legs=replace_leg(order.legs, halted), stopped=stop)


def _line(world: World, what: What, who: str, why: str) -> Callable[[Order], Change]:
    def line(after: Order) -> Change:
        deed = Deed(
            order_id=after.order_id, what=what, who=who, at=world.clock(), why=why, version=after.version
        )
        return Keep(deed_row(deed), was=None)

    return line


def _done(world: World, after: Order, what: What, who: str, why: str, changes: list[Change]) -> Order:
    """Written with its line, and nudged."""
    try:
        world.table.write(facts.keep_order(after), _line(world, what, who, why)(after), *changes)
    except Lost:
        order = look.any_order(world, after.order_id)
        raise Stale(_moved_since(world, order, after.version - 1)) from None
    facts.note_step(world.log, after)
    _nudge(world, after)
    return after
