"""Settle one booking: look up what its courier knows of it, and ask for its end until there is a certain answer.

A timeout is *unknown*: nothing is attempted again before the courier's settle time has passed and a look-up under our
reference found nothing. A cancellation is over when the courier says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain import facts
from chalicelib.domain.dialect import (
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    NotFound,
    NotTaken,
    Unsure,
)
from chalicelib.domain.due import MINUTE
from chalicelib.domain.errors import Missing
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import (
    Assignment,
    Booking,
    BookingState,
    Event,
    EventKind,
    fold,
    replace_leg,
)
from chalicelib.domain.orders import POLL, RETURNING, Order
from chalicelib.domain.ports import Change, Topic, World
from chalicelib.domain.steps import moved
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import check, enlist, receive
from chalicelib.flows.ask import NoAccount, ask
from chalicelib.flows.bookings import (
    LAPSED,
    WAITING,
    again_and_again,
    altered,
    asked_at,
    let_go,
    next_try,
    refused,
    same,
    sealed,
    silent_until,
    taken,
    unassigned,
    was_asked,
    write,
)

ATTEMPTS = 4
"""Attempts at one slot before it counts as refusing."""
HINT_LOOKS = 1
"""Look-ups without news, after which a hint is looked into once more, a minute later."""
INSIST = timedelta(hours=1)
"""A job that a courier keeps and does not begin is ended as often as this, once its time is over."""


def settle(world: World, order: Order, booking: Booking) -> None:
    """Whatever this booking needs now: its end asked for, a look at it, or nothing yet."""
    now = world.clock()
    reason = _why_end(order, booking, now)
    if reason == LAPSED and (booking.is_hinted or _reported(world, order, booking) not in WAITING):
        reason = ""  # that somebody has taken it may have been heard, and stand in its events as yet
    if booking.state is BookingState.BOOKED and reason:
        marked = altered(
            order, now, booking, state=BookingState.CANCELLING, cancel_reason=reason, next_look=now
        )
        if not write(world, marked):
            return
        order, booking = marked, same(marked, booking)
    if booking.next_look is not None and booking.next_look > now:
        return
    try:
        courier = enlist.courier(world, order.market_id, booking.courier_id)
    except Missing:
        world.log("courier_gone", order=order.order_id, courier=booking.courier_id)
        _ask_later(world, order, booking)
        return
    try:
        if booking.state is BookingState.CANCELLING:
            _cancel(world, order, booking, courier)
        elif (
            booking.state is BookingState.BOOKED
            and not booking.is_hinted
            and now < asked_at(order, booking, now) - POLL
        ):
            # nothing can have happened yet; but that it is booked may not have been told
            write(world, altered(order, now, booking, next_look=silent_until(order, booking, now)))
            world.queues.nudge(Topic.TELL, [order.order_id])
        else:
            _look_up(world, order, booking, courier)
    except NoAccount:  # nobody can be asked: whether there is a job stays unknown, and the place is not free
        world.log("courier_account_missing", courier=courier.courier_id, market=order.market_id)
        _ask_later(world, order, booking)


def _ask_later(world: World, order: Order, booking: Booking) -> None:
    now = world.clock()
    later = next_try(world, now, booking.looks)
    write(world, altered(order, now, booking, next_look=later, looks=booking.looks + 1))
    if now - order.history[-1].at <= 2 * POLL:  # what it has come to is told all the same
        world.queues.nudge(Topic.TELL, [order.order_id])


def _why_end(order: Order, booking: Booking, now: datetime) -> str:
    """Why a job the courier has not begun should be ended; empty when it should not, or cannot."""
    assignment = order.leg_of(booking).assignment
    if not booking.can_be_ended and not _is_idle(booking, assignment, now):
        return ""
    if booking.cancel_reason:
        return booking.cancel_reason
    if order.is_unwanted:
        return "brand"
    if assignment is None:
        return ""
    if now >= assignment.end:
        return "too_late"
    is_waiting = booking.state is BookingState.BOOKED and booking.track.kind in WAITING
    return LAPSED if is_waiting and booking.lapses_at is not None and now >= booking.lapses_at else ""


def _is_idle(booking: Booking, assignment: Assignment | None, now: datetime) -> bool:
    """True when the courier would not let go of a job and does not begin it either, though its time is over:
    then it is asked again, hour by hour."""
    return (
        assignment is not None
        and booking.track.picked_up_at is None
        and booking.cancel_answer not in ("", RETURNING)
        and now >= assignment.end + INSIST * booking.cancel_tries
    )


def _look_up(world: World, order: Order, booking: Booking, courier: Courier) -> None:
    """Ask the courier what it knows under our reference."""
    now = world.clock()
    answer = ask(
        world,
        courier,
        lambda dialect, account, token: dialect.look_up(
            account, token, booking.reference, booking.delivery_id, now
        ),
        lambda dialect, reply: dialect.looked_up(reply, booking.reference, courier.courier_id, now),
        order.order_id,
    )
    news = answer.event if isinstance(answer, Found) else None
    if isinstance(answer, Found) and booking.state is BookingState.LOST and news is None:
        # it has what was given up for lost, and does not say how far it is: that it has it is news enough
        news = Event(
            reference=booking.reference,
            courier_id=courier.courier_id,
            kind=EventKind.ACCEPTED,
            raw_status="found",
            occurred_at=now,
            received_at=now,
            event_id=f"{booking.reference}-found",
            source="look_up",
        )
    if news is not None and news.kind is booking.track.kind and not news.correction:
        news = None  # what we know already
    if news is not None:  # named as its callback would be
        receive.save_event(world, order.order_id, news.model_copy(update={"market_id": order.market_id}))
        # at once: when the booking has been looked at, a repeat finds nothing due; that it is folded has it told, too
        world.queues.nudge(Topic.HEAR, [order.order_id])

    settled = booking.attempted_at + world.dialects[courier.dialect].settle
    is_sure = isinstance(answer, Found | NotFound)

    def after(order: Order, present: Booking, now: datetime) -> tuple[Order, list[Change]] | None:
        if not (present.is_hinted and is_sure):
            return step(order, present, now)
        # what a courier shows may lag behind what it has just sent: it is looked up once more before that counts
        again = news is None and present.hint_looks < HINT_LOOKS
        looked = {"is_hinted": again, "hint_looks": present.hint_looks + 1, "looked_at": now}
        order = order.with_booking(present.model_copy(update=looked))
        stepped, more = step(order, same(order, present), now) or (moved(order, now), [])
        if again:
            after_look = same(stepped, present)
            soon = min(after_look.next_look or now + MINUTE, now + MINUTE)
            stepped = stepped.with_booking(after_look.model_copy(update={"next_look": soon}))
        return stepped, more

    def step(order: Order, present: Booking, now: datetime) -> tuple[Order, list[Change]] | None:
        if present.state is BookingState.LOST:
            look = None if is_sure else next_try(world, now, present.looks, answer)
            return altered(order, now, present, next_look=look, looks=present.looks + 1), []
        if not present.is_live:
            return None
        if present.state is BookingState.CANCELLING:
            if isinstance(answer, Found) and present.delivery_id is None:
                return altered(order, now, present, delivery_id=answer.delivery_id), []
            return None  # what it says arrives as an event; the cancellation goes on until it is answered
        if isinstance(answer, Found):
            codes = present.codes or sealed(world, present, answer.codes)
            return taken(order, now, present, delivery_id=answer.delivery_id, codes=codes), []
        if isinstance(answer, NotFound):
            if present.state is BookingState.BOOKED:
                # it said yes and now knows nothing: alarming, but nobody may conclude that the gift is free
                world.log("booking_vanished", order=order.order_id, courier=present.courier_id)
                look = silent_until(order, present, now)
                return altered(order, now, present, next_look=look, looks=present.looks + 1), []
            if now < settled:  # asked before its time because of a hint: that proves nothing yet
                return altered(order, now, present, next_look=settled), []
            if _reported(world, order, present) is not None:
                # nobody has folded that yet: whoever reports on a job has it
                world.queues.nudge(Topic.HEAR, [order.order_id])
                look = next_try(world, now, present.looks)
                return altered(order, now, present, next_look=look, looks=present.looks + 1), []
            return _lost(order, now, present)
        look = next_try(world, now, present.looks, answer)
        return altered(order, now, present, next_look=look, looks=present.looks + was_asked(answer)), []

    changed = again_and_again(world, order, booking, after)
    if news is None and changed is not None and now - changed.history[-1].at <= 2 * POLL:
        world.queues.nudge(Topic.TELL, [order.order_id])
    if isinstance(answer, NotFound) and booking.state not in (BookingState.CANCELLING, BookingState.LOST):
        world.queues.nudge(Topic.BOOK, [order.order_id])


def _reported(world: World, order: Order, booking: Booking) -> EventKind | None:
    """What its courier has said of this job that can be read and believed, folded into the order or not yet."""
    rows = world.table.read(order.order_id, facts.event_prefix(booking.reference)).rows
    events = [Event.model_validate_json(row.body) for row in rows]
    own = (
        event for event in events if event.reference == booking.reference
    )  # the tenth begins as the first does
    return fold(event for event in own if receive.may_speak(world, order, booking, event)).kind


def _lost(order: Order, now: datetime, booking: Booking) -> tuple[Order, list[Change]]:
    """The attempt never arrived: the leg is free for another, under a new number."""
    tried = sum(1 for b in order.leg.bookings if b.slot_id == booking.slot_id and not b.unsent)
    gone = booking.model_copy(update={"state": BookingState.LOST, "next_look": None})
    leg = order.leg.with_booking(gone)
    is_unwanted = order.is_unwanted or order.wish is not None
    if order.leg.assignment is not None and is_unwanted:  # and nobody will try again
        freed = order.model_copy(update={"legs": replace_leg(order.legs, leg)})
        after = moved(unassigned(freed, now, (Reason.COURIER_REFUSED,)), now)
        return after, [*check.give_back(order, order.leg.assignment.slot_id)]
    if tried < ATTEMPTS or order.leg.assignment is None:
        return moved(order, now, legs=replace_leg(order.legs, leg)), []
    with_lost = order.model_copy(update={"legs": replace_leg(order.legs, leg)})
    refusal = NotTaken("silent")
    after, changes = refused(with_lost, now, gone, refusal)
    kept = after.leg.with_booking(gone)
    return after.model_copy(update={"legs": replace_leg(after.legs, kept)}), changes


def _cancel(world: World, order: Order, booking: Booking, courier: Courier) -> None:
    """Ask for the cancellation, and again until the courier gives a certain answer."""
    now = world.clock()
    if booking.delivery_id is None and world.dialects[courier.dialect].cancels_by_id:
        _look_up(world, order, booking, courier)
        order = facts.load_order(world.table, order.order_id)
        booking = same(order, booking)
        if booking.state is not BookingState.CANCELLING or not booking.is_live:
            return
        if booking.delivery_id is None:
            later, tries = next_try(world, now, booking.cancel_tries), booking.cancel_tries + 1
            write(world, altered(order, now, booking, next_look=later, cancel_tries=tries))
            return
    answer = ask(
        world,
        courier,
        lambda dialect, account, token: dialect.cancel(
            account, token, booking.reference, booking.delivery_id, booking.cancel_reason, now
        ),
        lambda dialect, reply: dialect.cancelled(reply),
        order.order_id,
    )

    def after(order: Order, present: Booking, now: datetime) -> tuple[Order, list[Change]] | None:
        if present.state is not BookingState.CANCELLING or present.track.has_ended:
            return None
        if isinstance(answer, CancelConfirmed):
            if answer.returning or present.track.has_custody:
                # the courier holds the gift and brings it back; its events say when
                return _answered(order, now, present, RETURNING), []
            if answer.returning is None:
                # taken, and no word of where the gift is: the look-up below says it, and the leg is not free before
                return altered(
                    order, now, present,
                    next_look=next_try(world, now, present.cancel_tries), cancel_tries=present.cancel_tries + 1,
                    fee=answer.fee or present.fee,
                ), []  # fmt: skip
            freed, changes = let_go(order, now, present, answer)
            return moved(freed, now), changes
        if isinstance(answer, CancelRefused):
            return _answered(order, now, present, answer.reason[:100] or "refused"), []
        return altered(
            order, now, present,
            next_look=next_try(world, now, present.cancel_tries, answer),
            cancel_tries=present.cancel_tries + was_asked(answer),
        ), []  # fmt: skip

    changed = again_and_again(world, order, booking, after)
    told_nothing = isinstance(answer, CancelConfirmed) and answer.returning is None
    if isinstance(answer, CancelUnknown):
        world.log("booking_vanished", order=order.order_id, courier=booking.courier_id)
    if told_nothing or isinstance(answer, Unsure | CancelUnknown):
        _look_up(
            world, changed or order, booking, courier
        )  # it may have ended already, and its callback may be lost
    if changed is not None:
        world.queues.nudge(Topic.TELL, [order.order_id])
        if isinstance(answer, CancelConfirmed) and not told_nothing:
            world.queues.nudge(Topic.DISPATCH, [order.market_id])
        elif isinstance(answer, CancelRefused):
            world.log("cancel_refused", order=order.order_id, courier=booking.courier_id, why=answer.reason)
            world.queues.nudge(Topic.HEAR, [order.order_id])


def _answered(order: Order, now: datetime, booking: Booking, answer: str) -> Order:
    """The courier's last word on a cancellation, and it keeps the job. A hint that came meanwhile is owed its look."""
    return altered(
        order, now, booking,
        state=BookingState.BOOKED, next_look=now if booking.is_hinted else silent_until(order, booking, now),
        cancel_tries=booking.cancel_tries + 1, cancel_answer=answer,
    )  # fmt: skip
