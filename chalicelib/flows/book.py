"""Book an assigned leg, and settle every booking that is not settled: the attempt protocol.

The attempt is saved before the call. A timeout is *unknown*: nothing is attempted again before the courier's
settle time has passed and a look-up under our reference found nothing. A cancellation is over when the courier
says so. Called again at any time it does what is still owed, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from chalicelib.domain import alone, facts
from chalicelib.domain.breaker import LONGEST
from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Booked,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Dialect,
    Found,
    NotFound,
    NotTaken,
    Request,
    Unsure,
    takes_visits,
)
from chalicelib.domain.due import MINUTE, in_pool, is_over
from chalicelib.domain.errors import Lost, Missing, Refused, Unanswered, Uncarriable
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.fleet import Courier
from chalicelib.domain.jobs import job_of
from chalicelib.domain.legs import (
    Assignment,
    Booking,
    BookingState,
    Event,
    EventKind,
    Refusal,
    fold,
    reference_of,
    replace_leg,
)
from chalicelib.domain.orders import POLL, RETURNING, Order
from chalicelib.domain.ports import Change, Count, Key, Row, Topic, World
from chalicelib.domain.quotas import Needs
from chalicelib.domain.steps import moved
from chalicelib.domain.substitutes import is_wanted
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import check, enlist, prove, ration, receive, spare, substitute, suspect
from chalicelib.flows.ask import UNSENT, NoAccount, ask

TRIES = 5
ATTEMPTS = 4
"""Attempts at one slot before it counts as refusing."""
HINTED_PERMITS = 8
"""Permits that a nudge to book names at most; who needs more is read in two calls."""
ECHO = timedelta(minutes=5)
"""So long after a booking, at most, it is looked at and told again: the first nudge to tell it may have been lost."""
FRESH_SHARE = 4
"""Within this part of the settle time after it was saved an attempt is made, or not at all."""
HINT_LOOKS = 1
"""Look-ups without news, after which a hint is looked into once more, a minute later."""
INSIST = timedelta(hours=1)
"""A job that a courier keeps and does not begin is ended as often as this, once its time is over."""
LAPSED = "offer_lapsed"
"""Why a job's end is asked for that nobody took in time."""
WAITING = (None, EventKind.ACCEPTED)
"""What a courier has said of a job for which it has named nobody."""
BACK_OFF = (1, 2, 4, 8, 15)
"""Minutes between look-ups, and between tries at a cancellation, while a courier gives no certain answer ..."""
JITTER = 0.25
"""... and up to this part of them more."""


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
                _settle(world, order, orphan)
                order, seen = facts.load_order(world.table, order_id), {}  # what was read before is old
    live = order.leg.live_booking
    if live is not None:
        _settle(world, order, live)
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


# --- booking --------------------------------------------------------------------------------------------------


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
            codes, fee = _sealed(world, present, answer.codes), answer.fee
            return _taken(order, now, present, delivery_id=answer.delivery_id, fee=fee, codes=codes), []
        if isinstance(answer, NotTaken):
            return _refused(order, now, present, answer)
        if _was_never_sent(answer):
            return _never_sent(order, now, present, unsent(order, now))
        look = max(now + _wished(answer), present.next_look or now)
        return _with(order, now, present, state=BookingState.UNKNOWN, next_look=look, looks=0), []

    if isinstance(answer, NotTaken):
        suspect.suspect(world, saved, booking.courier_id, answer.reason)
    order = _again_and_again(world, saved, booking, after)
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


def _refused(order: Order, now: datetime, booking: Booking, answer: NotTaken) -> tuple[Order, list[Change]]:
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


def _sealed(world: World, booking: Booking, codes: Mapping[str, str]) -> str | None:
    """The courier's codes as a booking keeps them; None where it named none."""
    if not codes:
        return None
    text = "\n".join(f"{name}={code}" for name, code in sorted(codes.items()))
    return world.sealer.seal(text.encode(), booking.reference).hex()


def _taken(order: Order, now: datetime, booking: Booking, **known: object) -> Order:
    """The courier has it. Who has meanwhile asked for its end gets that next."""
    return _with(order, now, booking, **held_by_courier(order, booking, now), **known)


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
    look, lapses = _asked_at(order, booking, now), booking.lapses_at
    if lapses is None or lapses <= now or booking.track.kind not in WAITING:
        return look
    return min(look, lapses)


def _asked_at(order: Order, booking: Booking, now: datetime) -> datetime:
    """When a courier that says nothing is asked: nothing is expected of it before the stay begins, and at the
    end of the stay a job that was never begun is over."""
    assignment = order.leg_of(booking).assignment
    if assignment is None:
        return now + POLL
    look = max(now, assignment.start) + POLL
    return min(look, assignment.end) if assignment.end > now else look


# --- settling -------------------------------------------------------------------------------------------------


def _settle(world: World, order: Order, booking: Booking) -> None:
    now = world.clock()
    reason = _why_end(order, booking, now)
    if reason == LAPSED and (booking.is_hinted or _reported(world, order, booking) not in WAITING):
        reason = ""  # that somebody has taken it may have been heard, and stand in its events as yet
    if booking.state is BookingState.BOOKED and reason:
        marked = _with(
            order, now, booking, state=BookingState.CANCELLING, cancel_reason=reason, next_look=now
        )
        if not write(world, marked):
            return
        order, booking = marked, _same(marked, booking)
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
            and now < _asked_at(order, booking, now) - POLL
        ):
            # nothing can have happened yet; but that it is booked may not have been told
            write(world, _with(order, now, booking, next_look=silent_until(order, booking, now)))
            world.queues.nudge(Topic.TELL, [order.order_id])
        else:
            _look_up(world, order, booking, courier)
    except NoAccount:  # nobody can be asked: whether there is a job stays unknown, and the place is not free
        world.log("courier_account_missing", courier=courier.courier_id, market=order.market_id)
        _ask_later(world, order, booking)


def _ask_later(world: World, order: Order, booking: Booking) -> None:
    now = world.clock()
    later = _later(world, now, booking.looks)
    write(world, _with(order, now, booking, next_look=later, looks=booking.looks + 1))
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
        stepped, more = step(order, _same(order, present), now) or (moved(order, now), [])
        if again:
            after_look = _same(stepped, present)
            soon = min(after_look.next_look or now + MINUTE, now + MINUTE)
            stepped = stepped.with_booking(after_look.model_copy(update={"next_look": soon}))
        return stepped, more

    def step(order: Order, present: Booking, now: datetime) -> tuple[Order, list[Change]] | None:
        if present.state is BookingState.LOST:
            look = None if is_sure else _later(world, now, present.looks, answer)
            return _with(order, now, present, next_look=look, looks=present.looks + 1), []
        if not present.is_live:
            return None
        if present.state is BookingState.CANCELLING:
            if isinstance(answer, Found) and present.delivery_id is None:
                return _with(order, now, present, delivery_id=answer.delivery_id), []
            return None  # what it says arrives as an event; the cancellation goes on until it is answered
        if isinstance(answer, Found):
            codes = present.codes or _sealed(world, present, answer.codes)
            return _taken(order, now, present, delivery_id=answer.delivery_id, codes=codes), []
        if isinstance(answer, NotFound):
            if present.state is BookingState.BOOKED:
                # it said yes and now knows nothing: alarming, but nobody may conclude that the gift is free
                world.log("booking_vanished", order=order.order_id, courier=present.courier_id)
                look = silent_until(order, present, now)
                return _with(order, now, present, next_look=look, looks=present.looks + 1), []
            if now < settled:  # asked before its time because of a hint: that proves nothing yet
                return _with(order, now, present, next_look=settled), []
            if _reported(world, order, present) is not None:
                # nobody has folded that yet: whoever reports on a job has it
                world.queues.nudge(Topic.HEAR, [order.order_id])
                look = _later(world, now, present.looks)
                return _with(order, now, present, next_look=look, looks=present.looks + 1), []
            return _lost(order, now, present)
        look = _later(world, now, present.looks, answer)
        return _with(order, now, present, next_look=look, looks=present.looks + _asked(answer)), []

    changed = _again_and_again(world, order, booking, after)
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
    after, changes = _refused(with_lost, now, gone, refusal)
    kept = after.leg.with_booking(gone)
    return after.model_copy(update={"legs": replace_leg(after.legs, kept)}), changes


def _cancel(world: World, order: Order, booking: Booking, courier: Courier) -> None:
    """Ask for the cancellation, and again until the courier gives a certain answer."""
    now = world.clock()
    if booking.delivery_id is None and world.dialects[courier.dialect].cancels_by_id:
        _look_up(world, order, booking, courier)
        order = facts.load_order(world.table, order.order_id)
        booking = _same(order, booking)
        if booking.state is not BookingState.CANCELLING or not booking.is_live:
            return
        if booking.delivery_id is None:
            later, tries = _later(world, now, booking.cancel_tries), booking.cancel_tries + 1
            write(world, _with(order, now, booking, next_look=later, cancel_tries=tries))
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
                return _with(
                    order, now, present,
                    next_look=_later(world, now, present.cancel_tries), cancel_tries=present.cancel_tries + 1,
                    fee=answer.fee or present.fee,
                ), []  # fmt: skip
            freed, changes = let_go(order, now, present, answer)
            return moved(freed, now), changes
        if isinstance(answer, CancelRefused):
            return _answered(order, now, present, answer.reason[:100] or "refused"), []
        return _with(
            order, now, present,
            next_look=_later(world, now, present.cancel_tries, answer),
            cancel_tries=present.cancel_tries + _asked(answer),
        ), []  # fmt: skip

    changed = _again_and_again(world, order, booking, after)
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
    return _with(
        order, now, booking,
        state=BookingState.BOOKED, next_look=now if booking.is_hinted else silent_until(order, booking, now),
        cancel_tries=booking.cancel_tries + 1, cancel_answer=answer,
    )  # fmt: skip


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


# --- saving ---------------------------------------------------------------------------------------------------


def unassigned(order: Order, now: datetime, reasons: tuple[Reason, ...]) -> Order:
    """Back in the pool, unless the brand has asked for the end of it. No step yet."""
    leg = order.leg.model_copy(update={"assignment": None})
    outlook = check.back_to_pool(now, Decision.NO, reasons)
    if order.is_stopped(now):
        outlook = check.back_to_pool(now, Decision.HOLD, (Reason.HELD_BY_HAND,))
    return order.model_copy(update={"legs": replace_leg(order.legs, leg), "outlook": outlook})


def _with(order: Order, now: datetime, booking: Booking, **changes: object) -> Order:
    changed = order.with_booking(booking.model_copy(update=changes))
    return moved(order, now, legs=changed.legs)


def _same(order: Order, booking: Booking) -> Booking:
    """That booking as it stands in this order, on whichever leg."""
    return next(b for b in order.bookings if b.reference == booking.reference)


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


def _again_and_again(
    world: World,
    order: Order,
    booking: Booking,
    after: Callable[[Order, Booking, datetime], tuple[Order, list[Change]] | None],
) -> Order | None:
    """Apply a step to the order as it was read, and as it is if it has moved since. None: nothing to do."""
    for _ in range(TRIES):
        step = after(order, _same(order, booking), world.clock())
        if step is None:
            return None
        changed, more = step
        if write(world, changed, *more):
            return changed
        order = facts.load_order(world.table, order.order_id)
    raise Lost([0])


def _later(world: World, now: datetime, tries: int, answer: object = None) -> datetime:
    """When a courier is asked again: later each time, not all at once, and not before it wants to be."""
    wait = timedelta(minutes=BACK_OFF[min(tries, len(BACK_OFF) - 1)]) if _asked(answer) else MINUTE
    return now + max(wait + wait * JITTER * world.dice(), _wished(answer))


def _asked(answer: object) -> bool:
    """False where the courier was left in peace: that was no try, and when it is asked again is soon enough."""
    return not (isinstance(answer, Unsure) and answer.reason in (spare.DOWN, spare.PROBED))


def _wished(answer: object) -> timedelta:
    """So long the courier wants not to be asked again, within reason."""
    wished = answer.retry_after if isinstance(answer, Unsure) else None
    return min(wished or timedelta(), LONGEST)
