"""An order as its brand reads it, and as the answer to its placing did."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.appointments import Appointment, Piece
from chalicelib.domain.custody import Chain, chain
from chalicelib.domain.due import in_pool
from chalicelib.domain.gifts import Gift
from chalicelib.domain.handing import TRIES, Handing, HandingView
from chalicelib.domain.instead import Digital
from chalicelib.domain.orders import ENDED, RETURNING, Fallback, Moved, Order, OrderState, TierName, Together
from chalicelib.domain.safeguards import Safeguard
from chalicelib.domain.shapes import Instant, Shape, Window, is_absent
from chalicelib.domain.substitution import WasView
from chalicelib.domain.verdicts import Reason


class AppointmentView(Shape):
    """A visit: how long it lasts, and where its pieces are."""

    minutes: int
    pieces: tuple[Piece, ...]
    missing: tuple[str, ...] = Field(
        default=(),
        description="Serial numbers that are out though the visit is over: sold, or back, nobody has said.",
    )


class ReschedulingView(Shape):
    """A wish for another window."""

    window: Window
    asked_at: Instant
    is_pending: bool = Field(description="The courier has been asked to let go of the job.")
    refused: str | None = Field(default=None, description="Why the window stays what it was.")


class OrderView(Shape):
    """An order as a brand reads it. Whom it is for stays out: the brand knows, and answers are logged."""

    order_id: str
    market: str
    reference: str
    state: OrderState
    version: int
    tier: TierName
    fallback: Fallback
    window: Window
    gift: Gift
    together: Together | None = None
    placed_at: Instant
    digital: Digital | None = Field(
        default=None, description="What came of a gift that needs no courier, if one ever came into it."
    )
    reasons: tuple[Reason, ...] = Field(default=(), description="Why it is held or stranded.")
    next_look: Instant | None = None
    handover: str | None = Field(default=None, description="How it will change, or changed, hands.")
    courier: str | None = None
    cancel_asked_at: Instant | None = None
    cancel_refused: str | None = None
    leg_no: int = Field(
        default=1, description="Which leg is under way; a relay and a second attempt are legs."
    )
    relay: str | None = Field(
        default=None, description="The hand-over point that the leg under way goes to or begins at."
    )
    appointment: AppointmentView | None = Field(default=None, exclude_if=is_absent)
    rescheduling: ReschedulingView | None = Field(
        default=None, exclude_if=is_absent, description="The last wish for another window."
    )
    proposed: int | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The number of the proposal that waits for an answer: something else in its place.",
    )
    was: tuple[WasView, ...] | None = Field(
        default=None, exclude_if=is_absent, description="What it was before something else took its place."
    )
    safeguard: Safeguard | None = Field(default=None, exclude_if=is_absent)
    handing: HandingView | None = Field(default=None, exclude_if=is_absent)
    custody: Chain = Field(description="Who had the gift from when until when, as far as is known.")
    history: tuple[Moved, ...]


def view(order: Order) -> OrderView:
    """The order as its brand reads it now."""
    leg = order.leg
    waiting = order.outlook if order.state in (OrderState.HELD, OrderState.STRANDED) else None
    return OrderView.model_construct(
        order_id=order.order_id,
        market=order.market_id,
        reference=order.reference,
        state=order.state,
        version=order.version,
        tier=order.tier,
        fallback=order.fallback,
        window=order.client_window,
        gift=order.gift,
        together=order.together,
        placed_at=order.placed_at,
        digital=order.digital,
        reasons=waiting.reasons if waiting else (),
        next_look=waiting.next_look if waiting else None,
        handover=leg.assignment.handover if leg.assignment else None,
        courier=leg.assignment.courier_id if leg.assignment else None,
        cancel_asked_at=order.cancel_asked_at,
        cancel_refused=_cancel_refused(order),
        leg_no=leg.leg_no,
        relay=None if (point := leg.taken_to or leg.fetched_at) is None else point.name,
        proposed=order.substitution.proposed if in_pool(order) else None,
        was=order.substitution.seen,
        safeguard=order.safeguard,
        handing=None if leg.handing is None else _handing(order, leg.handing),
        custody=order.custody,
        appointment=_visit(order),
        rescheduling=_wished(order),
        history=order.history,
    )


def _visit(order: Order) -> AppointmentView | None:
    visit = order.appointment
    if visit is None:
        return None
    out = visit.on_loan(has_left=order.has_left) if order.state in ENDED else ()
    return AppointmentView(
        minutes=visit.minutes,
        pieces=visit.known(has_left=order.has_left),
        missing=tuple(piece.serial for piece in out),
    )


def _wished(order: Order) -> ReschedulingView | None:
    wished = order.rescheduling
    if wished is None:
        return None
    return ReschedulingView(
        window=wished.window,
        asked_at=wished.asked_at,
        is_pending=wished.is_pending,
        refused=wished.refused or None,
    )


def _handing(order: Order, known: Handing) -> HandingView:
    booking = order.leg.deciding_booking
    return HandingView(
        missing=known.missing(booking.handover if booking is not None else None),
        awaits_proof=order.awaits_proof,
        tries_left=max(0, TRIES - known.tries),
        **{name: getattr(known, name) for name in HandingView.model_fields if name in Handing.model_fields},
    )


def _cancel_refused(order: Order) -> str | None:
    booking = order.leg.deciding_booking
    answer = booking.cancel_answer if booking is not None and order.cancel_asked_at is not None else ""
    return answer if answer and answer != RETURNING else None


def first_window(order: Order) -> Window:
    """The window it was placed with."""
    if order.rescheduling is not None:
        return order.rescheduling.first
    return order.legs[0].client_window or order.legs[0].window or order.window


def _as_made(visit: Appointment) -> AppointmentView:
    pieces = (piece.model_copy(update={"state": None, "since": None}) for piece in visit.pieces)
    return AppointmentView(minutes=visit.minutes, pieces=tuple(pieces))


def first_view(order: Order) -> OrderView:
    """The order as the answer to its placing read: what a repeat of the request gets again. It says nothing of a relay,
    for whether that was asked for then or named later cannot be told any more."""
    if order.version == 1:
        return view(order).model_copy(update={"relay": None})
    made = order.as_decided(0)
    return view(order).model_copy(
        update={
            "gift": made.gift,
            "safeguard": made.safeguard,
            "proposed": None,
            "was": None,
            "state": OrderState.PLACED,
            "version": 1,
            "digital": None,
            "reasons": (),
            "next_look": None,
            "handover": None,
            "courier": None,
            "cancel_asked_at": None,
            "cancel_refused": None,
            "window": first_window(order),
            "leg_no": 1,
            "relay": None,
            "appointment": None if order.appointment is None else _as_made(order.appointment),
            "rescheduling": None,
            "handing": None if made.safeguard is None else _handing(order, Handing()),
            "custody": chain(order.placed_at, ()),
            "history": order.history[:1],
        }
    )
