"""Book an assigned leg, and settle every booking that is not settled (`settle`): the attempt protocol.

The attempt is saved before the call. Called again at any time it does what is still owed, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from chalicelib.domain import alone, facts
from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Booked,
    Dialect,
    NotTaken,
    Request,
    Unsure,
    takes_visits,
)
from chalicelib.domain.due import MINUTE, is_over
from chalicelib.domain.errors import Missing, Refused, Unanswered, Uncarriable
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.fleet import Courier
from chalicelib.domain.jobs import job_of
from chalicelib.domain.legs import (
    Assignment,
    Booking,
    BookingState,
    reference_of,
    replace_leg,
)
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Change, Key, Row, Topic, World
from chalicelib.domain.quotas import Needs
from chalicelib.domain.steps import moved
from chalicelib.domain.substitutes import is_wanted
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import check, prove, ration, spare, substitute, suspect
from chalicelib.flows.ask import UNSENT, NoAccount, ask
from chalicelib.flows.bookings import (
    again_and_again,
    altered,
    refused,
    sealed,
    taken,
    unassigned,
    wished_pause,
    write,
)
from chalicelib.flows.settle import settle

HINTED_PERMITS = 8
"""Permits that a nudge to book names at most; who needs more is read in two calls."""
FRESH_SHARE = 4
"""Within this part of the settle time after it was saved an attempt is made, or not at all."""


def name_of(order: Order) -> str:
    """The nudge to book an order that has just been assigned: its id and, after colons, what the assignment rests
    on, so that one read brings everything. It is a hint: what has changed meanwhile is read then."""
    given = order.leg.assignment
    if given is None or len(given.permit_ids) > HINTED_PERMITS:
        return order.order_id
    parts = (order.market_id, given.courier_id, given.crew_id, given.slot_id, *given.permit_ids)
    return ":".join((order.order_id, *parts))


def _read(world: World, name: str) -> tuple[Order, dict[Key, Row | None]]:
    """The order, and what of its assignment's ground was hinted at. Raises `Missing`."""
    order_id, *hints = name.split(":")
    if len(hints) < 4:
        return facts.load_order(world.table, order_id), {}
    market_id, courier_id, crew_id, slot_id, *permit_ids = hints
    own = facts.order_key(order_id)
    hinted = [
        facts.pointer_key(market_id),
        *facts.fleet_keys(market_id, courier_id, crew_id, slot_id, permit_ids[:HINTED_PERMITS]),
        facts.breaker_key(market_id, courier_id),
    ]
    rows = {row.key: row for row in world.table.get_many([own, *hinted])}
    if own not in rows:
        raise Missing(f"no order {order_id!r}")
    return facts.order_of_row(rows[own]), {key: rows.get(key) for key in hinted}


def book(world: World, name: str) -> None:
    """Whatever this order's bookings need now. `name` is its id, or what `name_of` made of it."""
    order, seen = _read(world, name)
    order_id = order.order_id
    for reference in [orphan.reference for orphan in _orphans(order)]:
        for orphan in _orphans(order):  # as it is by now: settling another took its time
            if orphan.reference == reference:
                settle(world, order, orphan)
                order, seen = facts.load_order(world.table, order_id), {}  # what was read before is old
    live = order.leg.live_booking
    if live is not None:
        settle(world, order, live)
    elif is_over(order):
        world.queues.nudge(Topic.TELL, [order_id])
    elif order.awaits_proof:
        prove.nag(world, order)
    elif order.leg.assignment is not None:
        _attempt(world, order, seen)
    elif is_wanted(order) or order.substitution.count:
        substitute.look_after(world, order)


def _orphans(order: Order) -> list[Booking]:
    """Jobs that were given up for lost and are alive, or may be, beside the one that counts."""
    every = [booking for leg in order.legs for booking in leg.bookings]
    return [b for b in every if (b.is_live or b.may_have_news) and b is not order.leg.live_booking]


def _attempt(world: World, order: Order, seen: Mapping[Key, Row | None]) -> None:
    now = world.clock()
    assignment = order.leg.assignment
    assert assignment is not None
    verdict, on = check.check_now(world, order, now, seen=seen)
    if not order.can_be_fetched:
        verdict = verdict._replace(decision=Decision.HOLD, reasons=(Reason.GIFT_ELSEWHERE,), handovers=())
    elif now - assignment.assigned_at > MINUTE and suspect.is_suspected(world, order, now):
        verdict = verdict._replace(decision=Decision.HOLD, reasons=(Reason.CLOSURE_SUSPECTED,), handovers=())
    owed: Needs = {}
    if verdict.decision is Decision.YES:
        owed = ration.owed(world, order, verdict, on)
        full = ration.lacking(owed, ration.counted(world, order.market_id, [owed], on))
        if full is not None:
            verdict = verdict._replace(decision=Decision.NO, reasons=(full,), handovers=())
    courier = on.fleet.couriers.get(assignment.courier_id)
    if order.safeguard is not None and verdict.decision is Decision.YES and courier is not None:
        fleet = facts.load_fleet(world.table, order.market_id, world.memory)
        if alone.has_company(order.gift, assignment, courier, fleet):
            verdict = verdict._replace(decision=Decision.NO, reasons=(Reason.VEHICLE_SHARED,), handovers=())
    given = spare.Leave()
    if verdict.decision is Decision.YES and courier is not None:
        may = spare.leave(world, courier, _breaker(world, courier, seen))
        if isinstance(may, spare.Leave):
            given = may
        elif may.reason == spare.PROBED:
            return  # what comes of that question says whether this one is asked: soon, by the sweep
        else:
            verdict = verdict._replace(decision=Decision.NO, reasons=(Reason.COURIER_DOWN,), handovers=())
    if verdict.decision is not Decision.YES or courier is None or _too_late(assignment, on, now):
        reasons = verdict.reasons or (Reason.WINDOW,)
        piece = check.evidence(order, Step.BOOK, verdict, on, now, reasons=reasons)
        after = moved(unassigned(order, now, reasons), now, evidence_count=order.evidence_count + 1)
        if write(world, after, facts.keep_evidence(piece), *check.give_back(order, assignment.slot_id)):
            world.queues.nudge(Topic.DISPATCH, [order.market_id])
            world.queues.nudge(Topic.TELL, [order.order_id])
        return
    told = ration.taking(check.refreshed(assignment, verdict, on), owed)
    number = order.leg.next_number
    booking = Booking(
        number=number,
        reference=reference_of(order.order_id, order.leg.leg_no, number),
        courier_id=assignment.courier_id,
        slot_id=assignment.slot_id,
        crew_id=assignment.crew_id,
        state=BookingState.ATTEMPTED,
        attempted_at=now,
        handover=told.handover,
        next_look=now + world.dialects[courier.dialect].settle,
        lapses_at=None
        if courier.offer_minutes is None
        else max(assignment.start, now) + timedelta(minutes=courier.offer_minutes),
    )
    known = order.leg.handing
    leg = order.leg.model_copy(
        update={"assignment": told, "handing": None if known is None else known.in_the_shop}
    )
    order = moved(order, now, legs=replace_leg(order.legs, leg.with_booking(booking)))
    if not write(world, order, *ration.takes(order.market_id, owed)):
        return  # somebody else is at it, or the order has changed: whoever comes next looks anew
    answer = _call(world, order, booking, courier, given)
    down = verdict._replace(decision=Decision.NO, reasons=(Reason.COURIER_DOWN,), handovers=())
    _record(world, order, booking, answer, lambda order, now: check.evidence(order, Step.BOOK, down, on, now))


def _too_late(assignment: Assignment, on: check.Ground, now: datetime) -> bool:
    """True when who sets out now cannot be there before the time for handing over has passed."""
    slot = on.fleet.slots.get(assignment.slot_id)
    if slot is None or now <= assignment.start:
        return slot is None
    return now + timedelta(minutes=slot.trip_minutes) > assignment.hand_over_by


def _breaker(world: World, courier: Courier, seen: Mapping[Key, Row | None]) -> Row | None:
    key = facts.breaker_key(courier.market_id, courier.courier_id)
    return seen[key] if key in seen else world.table.get(key)


def _call(world: World, order: Order, booking: Booking, courier: Courier, given: spare.Leave) -> BookAnswer:
    assignment = order.leg.assignment
    assert assignment is not None
    private = facts.unseal_private(world.sealer, order)
    job = job_of(order, private, assignment, courier, booking.reference, world.clock())
    now = world.clock()

    def speak(dialect: Dialect, account: Account, token: str) -> Request:
        if job.visit_minutes is not None and not takes_visits(dialect):
            raise Uncarriable("this dialect cannot ask for a visit", "no_visits", whole_courier=True)
        if world.clock() - booking.attempted_at > dialect.settle / FRESH_SHARE:
            # whoever looks it up after the settle time has to find it, or be right that it never arrived
            raise Unanswered("held up too long to be asked for under this number")
        return dialect.book(account, token, job, now)

    try:
        answer: BookAnswer = ask(
            world,
            courier,
            speak,
            lambda dialect, reply: dialect.booked(reply, job),
            order.order_id,
            given,
        )
    except NoAccount:
        world.log("courier_account_missing", courier=courier.courier_id, market=order.market_id)
        answer = NotTaken("account_missing", whole_courier=True)
    except Uncarriable as error:  # nothing was sent: the attempt is over as if the courier had said no
        answer = NotTaken(error.reason, whole_courier=error.whole_courier)
    except Refused as error:  # a dialect that should have said so
        world.log("courier_cannot_be_asked", courier=courier.courier_id, why=type(error).__name__)
        answer = NotTaken("not_expressible", whole_courier=True)
    return answer


def _record(
    world: World,
    saved: Order,
    booking: Booking,
    answer: BookAnswer,
    unsent: Callable[[Order, datetime], Evidence],
) -> None:
    """Save what the courier said to this attempt, whatever has happened to the order meanwhile.

    `unsent`: the evidence of it where nothing could be said to the courier.
    """

    def after(order: Order, present: Booking, now: datetime) -> tuple[Order, list[Change]] | None:
        if present.state not in (BookingState.ATTEMPTED, BookingState.UNKNOWN):
            return None  # a callback or another worker was quicker
        if isinstance(answer, Booked):
            codes, fee = sealed(world, present, answer.codes), answer.fee
            return taken(order, now, present, delivery_id=answer.delivery_id, fee=fee, codes=codes), []
        if isinstance(answer, NotTaken):
            return refused(order, now, present, answer)
        if _was_never_sent(answer):
            return _never_sent(order, now, present, unsent(order, now))
        look = max(now + wished_pause(answer), present.next_look or now)
        return altered(order, now, present, state=BookingState.UNKNOWN, next_look=look, looks=0), []

    if isinstance(answer, NotTaken):
        suspect.suspect(world, saved, booking.courier_id, answer.reason)
    order = again_and_again(world, saved, booking, after)
    world.queues.nudge(Topic.TELL, [saved.order_id])
    if order is None:
        return
    if isinstance(answer, NotTaken) or _was_never_sent(answer):
        world.queues.nudge(Topic.DISPATCH, [order.market_id])
    elif isinstance(answer, Booked) and order.is_unwanted:
        world.queues.nudge(Topic.BOOK, [saved.order_id])


def _was_never_sent(answer: BookAnswer) -> bool:
    return isinstance(answer, Unsure) and answer.reason == UNSENT


def _never_sent(order: Order, now: datetime, booking: Booking, piece: Evidence) -> tuple[Order, list[Change]]:
    """The courier was asked nothing, so nothing is in doubt: the gift need not wait for it, and may come back to it."""
    gone = booking.model_copy(update={"state": BookingState.LOST, "unsent": True, "next_look": None})
    leg = order.leg.with_booking(gone)
    freed = order.model_copy(update={"legs": replace_leg(order.legs, leg)})
    after = unassigned(freed, now, piece.reasons)
    after = moved(after, now, evidence_count=order.evidence_count + 1)
    return after, [facts.keep_evidence(piece), *check.give_back(order, booking.slot_id)]
