"""Hear what couriers said: fold the saved events of an order into its bookings, whatever order they came in.

Every run reads all events and folds them anew, so a lost nudge, a double or a late event is nothing special.
A pick-up and a hand-over are cleared again at the courier's own time of it: a gift that nobody may move any
more is recalled, and what cannot be undone is at least on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain import facts, records
from chalicelib.domain.due import MINUTE, due_at, in_pool
from chalicelib.domain.errors import Lost, Missing
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.legs import (
    HINT,
    Booking,
    BookingState,
    Event,
    EventKind,
    Refusal,
    Track,
    fold,
    replace_leg,
    with_hinted_reason,
)
from chalicelib.domain.orders import ENDED, POLL, Order
from chalicelib.domain.ports import Change, Keep, Row, Take, Topic, World
from chalicelib.domain.steps import handed_on, moved
from chalicelib.domain.verdicts import Decision, Phase, Reason
from chalicelib.flows import bookings, check, prove, suspect
from chalicelib.flows.receive import SKEW, may_speak

TRIES = 5
SAID = "said/"
"""What came from a channel that clients answer by: brand and name follow."""
LAPSE = timedelta(days=30)
"""So long what was said of an order that is not here can be looked at."""
ORPHAN = "orphan"
"""Why a job's end is asked for that had been given up for lost."""
RETELL = timedelta(minutes=30)
"""So long after a step of the order its telling is nudged again by every double; later the sweep does it."""


def named(world: World, name: str) -> None:
    """What the queue names: an order of which a courier has spoken, or what a client has answered."""
    if name.startswith(SAID):
        from chalicelib.flows.listen import listen

        listen(world, name)
    else:
        hear(world, name)


def hear(world: World, order_id: str) -> None:
    """Fold what is saved into the order. Raises `Missing` for one of which there is nothing here."""
    for _ in range(TRIES):
        rows = world.table.read(order_id).rows
        order = next((facts.order_of_row(row) for row in rows if row.key.sk == facts.ORDER), None)
        if order is None:
            _let_lapse(world, order_id, rows)
            return
        events: dict[str, list[Event]] = {}
        for row in rows:
            if row.key.sk.startswith("event#"):
                event = Event.model_validate_json(row.body)
                events.setdefault(event.reference, []).append(event)
        after, pieces, more = _folded(world, order, events)
        if after is None:
            # whoever folded it may have stopped before this
            if world.clock() - order.history[-1].at <= RETELL:
                world.queues.nudge(Topic.TELL, [order_id])
                _pass_on(world, order)
            elif _is_to_be_looked_into(order, world.clock()):
                world.queues.nudge(Topic.BOOK, [order_id])
            return
        if not pieces and not more and _can_wait(order, after, world.clock()):
            return
        if not bookings.write(world, after, *(facts.keep_evidence(piece) for piece in pieces), *more):
            continue
        if len(after.history) > len(order.history):
            world.queues.nudge(Topic.TELL, [order_id])
        _pass_on(world, after)
        return
    raise Lost([0])


def _pass_on(world: World, order: Order) -> None:
    """Nudge whoever has to look at the order next, as it stands: a repeat does it again."""
    is_ending = any(b.state is BookingState.CANCELLING and b.is_live for b in order.bookings)
    if is_ending or _is_to_be_looked_into(order, world.clock()):
        world.queues.nudge(Topic.BOOK, [order.order_id])
    due = due_at(order)
    if in_pool(order) and due is not None and due <= world.clock():
        world.queues.nudge(Topic.DISPATCH, [order.market_id])


def _is_to_be_looked_into(order: Order, now: datetime) -> bool:
    """True when there may be news of a job, and its courier is to be asked now."""
    return any(b.may_have_news and b.next_look is not None and b.next_look <= now for b in order.bookings)


def _let_lapse(world: World, order_id: str, rows: Sequence[Row]) -> None:
    """What a courier said, signed, of an order that is not here gets an end: nothing else would ever read it."""
    if not rows:
        raise Missing(f"no order {order_id!r}")
    until = facts.epoch(world.clock() + LAPSE)
    said = [row for row in rows if row.key.sk.startswith(facts.event_prefix())]
    for row in said:
        if row.expires_at is None:
            try:
                world.table.write(
                    Keep(replace(row, version=row.version + 1, expires_at=until), was=row.version)
                )
            except Lost:
                pass  # a double of this nudge has just done it
    world.log("callback_of_no_order", order=order_id, count=len(said))


def _can_wait(before: Order, after: Order, now: datetime) -> bool:
    """True when nothing is new but where the courier is on its way: that stands in its events, and is folded in
    with the next thing that matters. The look at a silent courier stays where it is, and so it is not put off by
    this when it is near: a look costs more than a write."""
    if after.history != before.history or after.legs[:-1] != before.legs[:-1]:
        return False
    if after.leg.handing != before.leg.handing:
        return False
    for was in before.leg.bookings:
        now_is = after.leg.booking(was.reference)
        if now_is is None:
            continue
        if now_is.is_hinted and not was.is_hinted:
            return False
        if now_is.track == was.track:
            continue
        same = ("picked_up_at", "ended_at", "reason", "unreadable")
        if (
            was.state is not BookingState.BOOKED
            or now_is.state is not was.state
            or was.track.kind is None  # its first word ends the doubt whether the booking was told
            or was.next_look is None
            or was.next_look - now < POLL / 2
            or any(getattr(now_is.track, name) != getattr(was.track, name) for name in same)
        ):
            return False
    return True


def _folded(
    world: World, order: Order, events: dict[str, list[Event]]
) -> tuple[Order | None, list[Evidence], list[Change]]:
    """The order with every booking's track, the evidence of what was cleared again, and places given back."""
    now = world.clock()
    fresh: list[tuple[Booking, Track]] = []
    changed = order
    for known in order.bookings:
        said = list(_believed(world, order, known, events.get(known.reference, ())))
        booking = _hinted(known, said, now)
        if booking is not known:
            changed = changed.with_booking(booking)
        track = with_hinted_reason(fold(said), said)
        if track != booking.track:
            fresh.append((booking, track))
    if not fresh and changed is order and order.safeguard is None:
        return None, [], []
    pieces: list[Evidence] = []
    more: list[Change] = []
    for booking, track in fresh:
        if track.reason != booking.track.reason:
            suspect.suspect(world, order.up_to(order.leg_of(booking)), booking.courier_id, track.reason)
        becomes = _becomes(order, booking, track, now)
        if booking.may_have_news:
            becomes["next_look"] = booking.next_look  # what was confirmed before puts off no look into a hint
        heard = booking.model_copy(update={"track": track, **becomes})
        changed = changed.with_booking(heard)
        # one that was on its way to let go and then came to an end is nobody's orphan, whatever is heard late
        was_given_up = not booking.is_live and booking.state is not BookingState.CANCELLING
        if heard.state is BookingState.CANCELLING and was_given_up:
            world.log("orphan_found", order=order.order_id, courier=booking.courier_id)
            heard = heard.model_copy(update={"cancel_reason": ORPHAN, "next_look": now})
            changed = changed.with_booking(heard)
        leg = changed.leg_of(heard)
        if _let_go(heard, track):
            changed, given = _back(changed, now, heard, track)
            more += given
        elif leg.assignment is not None and heard.cancel_reason != ORPHAN:
            then, checked = _checked(world, changed.up_to(leg), heard, booking.track, track)
            legs = replace_leg(changed.legs, then.leg)
            changed = changed.model_copy(update={"legs": legs, "evidence_count": then.evidence_count})
            pieces += checked
            more += _noted(order.up_to(leg), heard, booking.track, track)
        if leg.leg_no != order.leg.leg_no:
            word = str(track.kind)
            world.log("earlier_leg_heard", order=order.order_id, courier=heard.courier_id, step=word)
    if changed.safeguard is not None:
        deciding = changed.leg.deciding_booking
        if deciding is not None:
            said = list(_believed(world, changed, deciding, events.get(deciding.reference, ())))
            changed = prove.heard(world, changed, deciding, said)
        if not fresh and changed is order:
            return None, [], []
    changed = handed_on(changed, now)
    if len(changed.legs) > 1:
        changed = _where_it_is(changed, now)
    after = moved(changed, now)
    return after, pieces, more


def _noted(order: Order, booking: Booking, before: Track, track: Track) -> list[Take]:
    """What it adds to its courier's record, once for an order: handed over, or failed with the gift on board. What was
    called back says nothing of the courier."""
    if (
        before.has_ended
        or track.at is None
        or order.state in ENDED
        or booking.state is not BookingState.BOOKED
    ):
        return []
    if track.kind is EventKind.DELIVERED:
        visit = order.appointment  # whose end is told
        is_on_time = records.is_on_time(
            order.window if visit is None else visit.lasting(order.window), track.at
        )
    elif track.kind is EventKind.FAILED:
        is_on_time = False
    else:
        return []
    fleet = facts.fleet_collection(order.market_id)
    return [records.noted(fleet, booking.courier_id, track.at, on_time=is_on_time)]


def _where_it_is(order: Order, now: datetime) -> Order:
    """The leg under way, now that a courier of an earlier one may have been heard: who was to fetch what is not there
    any more is called off, and a gift that waited to come back is looked at."""
    if order.can_be_fetched:
        return bookings.looked_at(order, now)
    live = order.leg.live_booking
    if live is None or not live.can_be_ended or live.cancel_reason:
        return order
    return order.with_booking(live.asked_to_let_go(Reason.GIFT_ELSEWHERE.value, now))


def _hinted(booking: Booking, said: Iterable[Event], now: datetime) -> Booking:
    """The booking, to be looked up if there may be news that nobody has confirmed: once a minute at most, for whoever
    can make hints can make many."""
    hints = sum(event.source == HINT for event in said)
    may_be = booking.is_live or booking.state is BookingState.LOST
    if booking.is_hinted or not may_be or hints <= booking.hints:
        return booking
    look = now if booking.looked_at is None else max(now, booking.looked_at + MINUTE)
    if booking.next_look is not None and booking.is_live:
        look = min(look, booking.next_look)
    return booking.model_copy(update={"is_hinted": True, "hints": hints, "hint_looks": 0, "next_look": look})


def _believed(world: World, order: Order, booking: Booking, events: Iterable[Event]) -> Iterable[Event]:
    """What the courier of this booking said of it, dated not before we asked for it.

    Another courier's signature proves who speaks, and gives it no say here.
    """
    earliest = booking.attempted_at - SKEW
    for event in events:
        if not may_speak(world, order, booking, event):
            world.log("callback_of_another", order=order.order_id, courier=event.courier_id)
        elif event.occurred_at < earliest:
            yield event.model_copy(update={"occurred_at": booking.attempted_at})
        else:
            yield event


def _becomes(order: Order, booking: Booking, track: Track, now: datetime) -> dict[str, object]:
    """The booking's state and next look, now that its courier has been heard."""
    if track.kind is None:
        return {}  # only what nobody can read: it moves nothing
    if booking.state in (BookingState.ATTEMPTED, BookingState.UNKNOWN):
        # whoever reports on a job has it
        return bookings.held_by_courier(order, booking.model_copy(update={"track": track}), now)
    if booking.state is BookingState.BOOKED and track.has_ended:
        return {}  # the look that was due is soon enough to see that the end was told
    if booking.state is BookingState.BOOKED:
        return {"next_look": bookings.silent_until(order, booking, now), "looks": 0}
    if booking.state is BookingState.CANCELLING or track.has_ended:
        return {}  # what is being cancelled keeps its own pace
    if _is_old_news(booking, track):
        return {}
    return {"state": BookingState.CANCELLING}  # given up for lost, refused or cancelled, and alive


def _is_old_news(booking: Booking, track: Track) -> bool:
    """True when what was heard late was said of a job before its courier let go of it: that revives nothing."""
    return (
        booking.let_go_at is not None
        and track.at is not None
        and track.picked_up_at is None
        and track.at <= booking.let_go_at + SKEW
    )


def _let_go(booking: Booking, track: Track) -> bool:
    """True when the courier has ended it without ever having had the gift."""
    return (
        booking.state in (BookingState.BOOKED, BookingState.CANCELLING)
        and track.picked_up_at is None
        and track.kind in (EventKind.CANCELLED, EventKind.PICK_UP_FAILED, EventKind.FAILED)
    )


def _back(order: Order, now: datetime, booking: Booking, track: Track) -> tuple[Order, list[Change]]:
    by_us = booking.state is BookingState.CANCELLING
    if not by_us and order.leg.booking(booking.reference) is not None:
        refusal = Refusal(
            slot_id=booking.slot_id,
            courier_id=booking.courier_id,
            reason=track.reason or str(track.kind),
            at=now,
        )
        order = order.model_copy(update={"legs": replace_leg(order.legs, order.leg.with_refusal(refusal))})
    return bookings.let_go(order, now, booking)


def _checked(
    world: World, order: Order, booking: Booking, before: Track, track: Track
) -> tuple[Order, list[Evidence]]:
    """Clear what has just been done at the time it was done. Of an order whose client has been erased nobody knows any
    more where it went: what its courier says is taken as it is."""
    pieces: list[Evidence] = []
    if order.is_erased:
        return order, pieces
    picked = track.picked_up_at if before.picked_up_at is None else None
    handed = (
        track.at if track.kind is EventKind.DELIVERED and before.kind is not EventKind.DELIVERED else None
    )
    if picked is None and handed is None:
        return order, pieces
    for step, at in ((Step.PICK_UP, picked), (Step.HAND_OVER, handed)):
        if at is None:
            continue
        phase = Phase.GIVEN if step is Step.PICK_UP else Phase.CARRIED
        verdict, on = check.check_now(world, order, at, phase, moment=True)
        pieces.append(check.evidence(order, step, verdict, on, at))
        order = order.model_copy(update={"evidence_count": order.evidence_count + 1})
        if verdict.decision is Decision.YES:
            assignment = order.leg.assignment
            assert assignment is not None
            leg = order.leg.model_copy(update={"assignment": check.narrowed(assignment, verdict, on)})
            order = order.model_copy(update={"legs": replace_leg(order.legs, leg)})
            continue
        world.log(
            "moved_uncleared", order=order.order_id, step=step, reasons=[str(r) for r in verdict.reasons]
        )
        if step is Step.HAND_OVER and not check.reaches_client(world, order, on, at):
            # nobody may reach the client there, whatever the courier was told: no word of it says that it did
            order = order.model_copy(update={"legs": replace_leg(order.legs, check.kept_outside(order.leg))})
            continue
        going_on = track.has_custody and track.kind is not EventKind.RETURNING
        if step is Step.PICK_UP and going_on and booking.state is BookingState.BOOKED:
            recalled = booking.model_copy(
                update={
                    "state": BookingState.CANCELLING,
                    "cancel_reason": "not_cleared",
                    "next_look": world.clock(),
                }
            )
            order = order.model_copy(
                update={"legs": replace_leg(order.legs, order.leg.with_booking(recalled))}
            )
    return order, pieces
