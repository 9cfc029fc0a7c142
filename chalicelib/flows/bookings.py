"""What becomes of a booking, step by step, and how a step is saved whatever has happened to its order meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from chalicelib.domain import facts
from chalicelib.domain.breaker import LONGEST
from chalicelib.domain.dialect import (
    CancelConfirmed,
    NotTaken,
    Unsure,
)
from chalicelib.domain.due import MINUTE, in_pool
from chalicelib.domain.errors import Lost
from chalicelib.domain.legs import (
    Booking,
    BookingState,
    EventKind,
    Refusal,
    replace_leg,
)
from chalicelib.domain.orders import POLL, Order
from chalicelib.domain.ports import Change, Count, World
from chalicelib.domain.steps import moved
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import check, spare

TRIES = 5
ECHO = timedelta(minutes=5)
"""So long after a booking, at most, it is looked at and told again: the first nudge to tell it may have been lost."""
LAPSED = "offer_lapsed"
"""Why a job's end is asked for that nobody took in time."""
WAITING = (None, EventKind.ACCEPTED)
"""What a courier has said of a job for which it has named nobody."""
BACK_OFF = (1, 2, 4, 8, 15)
"""Minutes between look-ups, and between tries at a cancellation, while a courier gives no certain answer ..."""
JITTER = 0.25
"""... and up to this part of them more."""


def refused(order: Order, now: datetime, booking: Booking, answer: NotTaken) -> tuple[Order, list[Change]]:
    """The courier has said no: the slot's place comes back, and it is not asked for that slot again."""
    refusal = Refusal(
        slot_id=booking.slot_id,
        courier_id=booking.courier_id,
        reason=answer.reason,
        at=now,
        whole_courier=answer.whole_courier,
    )
    ended = booking.model_copy(update={"state": BookingState.REFUSED, "next_look": None})
    leg = order.leg.with_booking(ended)
    leg = leg.with_refusal(refusal)
    with_refusal = order.model_copy(update={"legs": replace_leg(order.legs, leg)})
    after = moved(unassigned(with_refusal, now, (Reason.COURIER_REFUSED,)), now)
    return after, [*check.give_back(order, booking.slot_id)]


def sealed(world: World, booking: Booking, codes: Mapping[str, str]) -> str | None:
    """The courier's codes as a booking keeps them; None where it named none."""
    if not codes:
        return None
    text = "\n".join(f"{name}={code}" for name, code in sorted(codes.items()))
    return world.sealer.seal(text.encode(), booking.reference).hex()


def taken(order: Order, now: datetime, booking: Booking, **known: object) -> Order:
    """The courier has it. Who has meanwhile asked for its end gets that next."""
    return altered(order, now, booking, **held_by_courier(order, booking, now), **known)


def held_by_courier(order: Order, booking: Booking, now: datetime) -> dict[str, object]:
    """What becomes of a booking that the courier is known to have: it is kept, or its end is asked for."""
    reason = booking.cancel_reason or ("brand" if order.is_unwanted else "")
    if reason and booking.can_be_ended:
        return {"state": BookingState.CANCELLING, "cancel_reason": reason, "next_look": now, "looks": 0}
    look = booking.next_look
    if booking.state is BookingState.BOOKED:
        look = silent_until(order, booking, now)
    elif (
        look is None or not now + MINUTE <= look <= now + ECHO
    ):  # else it is soon enough, and the index stays
        look = now + ECHO
    return {"state": BookingState.BOOKED, "next_look": look, "looks": 0}


def silent_until(order: Order, booking: Booking, now: datetime) -> datetime:
    """When a job is looked at whose courier says nothing: when it is to be asked, and sooner where the time runs out
    until which it may look for somebody."""
    look, lapses = asked_at(order, booking, now), booking.lapses_at
    if lapses is None or lapses <= now or booking.track.kind not in WAITING:
        return look
    return min(look, lapses)


def asked_at(order: Order, booking: Booking, now: datetime) -> datetime:
    """When a courier that says nothing is asked: nothing is expected of it before the stay begins, and at the
    end of the stay a job that was never begun is over."""
    assignment = order.leg_of(booking).assignment
    if assignment is None:
        return now + POLL
    look = max(now, assignment.start) + POLL
    return min(look, assignment.end) if assignment.end > now else look


def let_go(
    order: Order, now: datetime, booking: Booking, answer: CancelConfirmed | None = None
) -> tuple[Order, list[Change]]:
    """The courier has let go before it had the gift: the slot's place comes back, the leg is free.

    The caller takes the step (`moved`): letting go may be one part of it.
    """
    fee = answer.fee if answer and answer.fee else booking.fee
    gone = booking.model_copy(
        update={"state": BookingState.CANCELLED, "next_look": None, "fee": fee, "let_go_at": now}
    )
    leg = order.leg_of(gone).with_booking(gone)
    assignment = leg.assignment
    if (
        booking.cancel_reason == LAPSED
    ):  # another slot, or another courier, is better than the same wait again
        refusal = Refusal(slot_id=gone.slot_id, courier_id=gone.courier_id, reason=LAPSED, at=now)
        leg = leg.with_refusal(refusal)
    with_gone = order.model_copy(update={"legs": replace_leg(order.legs, leg)})
    if (
        assignment is None
        or assignment.slot_id != booking.slot_id
        or leg.leg_no != order.leg.leg_no
        or leg.deciding_booking is not None
    ):
        # an orphan of an assignment that was given back long ago, or of an earlier leg
        return looked_at(with_gone, now), []
    after = unassigned(with_gone, now, (Reason.COURIER_REFUSED,))
    return after, [*check.give_back(order, booking.slot_id)]


def looked_at(order: Order, now: datetime) -> Order:
    """The order, to be looked at at once if it waited for its gift to be where the leg begins, and it is. No step."""
    outlook = order.outlook
    if outlook is None or outlook.next_look is None or not in_pool(order):
        return order
    if Reason.GIFT_ELSEWHERE not in outlook.reasons or not order.can_be_fetched:
        return order
    return order.model_copy(update={"outlook": outlook.model_copy(update={"next_look": now})})


def unassigned(order: Order, now: datetime, reasons: tuple[Reason, ...]) -> Order:
    """Back in the pool, unless the brand has asked for the end of it. No step yet."""
    leg = order.leg.model_copy(update={"assignment": None})
    outlook = check.back_to_pool(now, Decision.NO, reasons)
    if order.is_stopped(now):
        outlook = check.back_to_pool(now, Decision.HOLD, (Reason.HELD_BY_HAND,))
    return order.model_copy(update={"legs": replace_leg(order.legs, leg), "outlook": outlook})


def altered(order: Order, now: datetime, booking: Booking, **changes: object) -> Order:
    """The order with that of its booking changed, and the step that this is."""
    changed = order.with_booking(booking.model_copy(update=changes))
    return moved(order, now, legs=changed.legs)


def same(order: Order, booking: Booking) -> Booking:
    """That booking as it stands in this order, on whichever leg."""
    return next(b for b in order.bookings if b.reference == booking.reference)


# --- saving, and asking again ---------------------------------------------------------------------------------


def write(world: World, order: Order, *more: Change) -> bool:
    """The order and what goes with it, in one write, and its step noted. False: lost to somebody else."""
    try:
        world.table.write(facts.keep_order(order), *more)
    except Lost as lost:
        # a slot that ended long ago is gone: there is nothing left to give a place back to
        if not lost.at or any(at == 0 or not isinstance(more[at - 1], Count) for at in lost.at):
            return False
        kept = [change for at, change in enumerate(more, start=1) if at not in lost.at]
        return write(world, order, *kept)
    facts.note_step(world.log, order)
    return True


def again_and_again(
    world: World,
    order: Order,
    booking: Booking,
    after: Callable[[Order, Booking, datetime], tuple[Order, list[Change]] | None],
) -> Order | None:
    """Apply a step to the order as it was read, and as it is if it has moved since. None: nothing to do."""
    for _ in range(TRIES):
        step = after(order, same(order, booking), world.clock())
        if step is None:
            return None
        changed, more = step
        if write(world, changed, *more):
            return changed
        order = facts.load_order(world.table, order.order_id)
    raise Lost([0])


def next_try(world: World, now: datetime, tries: int, answer: object = None) -> datetime:
    """When a courier is asked again: later each time, not all at once, and not before it wants to be."""
    wait = timedelta(minutes=BACK_OFF[min(tries, len(BACK_OFF) - 1)]) if was_asked(answer) else MINUTE
    return now + max(wait + wait * JITTER * world.dice(), wished_pause(answer))


def was_asked(answer: object) -> bool:
    """False where the courier was left in peace: that was no try, and when it is asked again is soon enough."""
    return not (isinstance(answer, Unsure) and answer.reason in (spare.DOWN, spare.PROBED))


def wished_pause(answer: object) -> timedelta:
    """So long the courier wants not to be asked again, within reason."""
    wished = answer.retry_after if isinstance(answer, Unsure) else None
    return min(wished or timedelta(), LONGEST)
