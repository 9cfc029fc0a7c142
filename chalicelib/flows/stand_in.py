"""Stand in for a parcel that nobody may carry: a gift that needs no courier, sent or offered as its brand chose.

What is owed is read off the saved order by whoever tells of it (`flows.tell`): a stranded order, or one that was held
for longer than its brand waits, with `fallback: digital` and nothing done about it yet; and an offer whose time is
over, which the sweep finds by its own place in the work index. While an offer is out the order stays where it is: in
the pool it goes on being planned, and a courier that comes free takes it. Then an answer comes too late, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import facts, pass_rows
from chalicelib.domain.digital import DigitalFallback, DigitalGift, FallbackMode
from chalicelib.domain.due import owes_digital
from chalicelib.domain.errors import Forgotten, Lost, Missing
from chalicelib.domain.instead import Digital, DigitalOutcome, WhyDigital
from chalicelib.domain.legs import replace_leg
from chalicelib.domain.orders import ENDED, IN_NO_HANDS, Fallback, Note, Order, OrderState
from chalicelib.domain.passes import Pass, PassState
from chalicelib.domain.ports import Change, Row, World
from chalicelib.domain.programme import programme_key, programme_of_row
from chalicelib.domain.steps import moved
from chalicelib.flows import hand_out, stock

REASON = "instead"
"""Why a courier is asked to let go."""
ABOUT = {
    DigitalOutcome.OFFERED: Note.DIGITAL_OFFERED,
    DigitalOutcome.SOLD_OUT: Note.DIGITAL_MISSING,
    DigitalOutcome.NOT_SET_UP: Note.DIGITAL_MISSING,
}
"""What its brand is told of, though the state stays."""


def wish_of(world: World, brand_id: str) -> DigitalFallback | None:
    """What the brand's programme says, if it says anything."""
    row = world.table.get(programme_key(brand_id))
    return None if row is None else programme_of_row(row).fallback


def patient(order: Order, wish: DigitalFallback | None) -> Order:
    """The order as it is about to be placed, with when it has waited enough."""
    if order.fallback is not Fallback.DIGITAL or wish is None or wish.patience_minutes is None:
        return order
    until = order.placed_at + timedelta(minutes=wish.patience_minutes)
    return order.model_copy(update={"digital_after": until})


# --- what is owed -------------------------------------------------------------------------------------------------


def settle(world: World, order: Order, row: Row | None) -> Order:
    """Do what is owed of this order, and give it back as it stands then. `row`: its pass, read with it.

    Raises `Lost` when somebody else moved it meanwhile: the nudge comes again.
    """
    now = world.clock()
    passed = None if row is None else pass_rows.pass_of_row(row)
    if passed is not None and order.wants_digital:
        return _let_go(world, order, passed, now)
    if passed is not None and passed.state is PassState.OFFERED and _is_void(order, passed, now):
        return put_back(world, order, passed, DigitalOutcome.LAPSED, now)
    if not owes_digital(order, now):
        return order
    why = WhyDigital.STRANDED if order.state is OrderState.STRANDED else WhyDigital.PATIENCE
    wish = wish_of(world, order.brand_id)
    gift = None if wish is None else giveable(world, order.brand_id, wish.gift, now)
    if wish is None or gift is None:
        name = None if wish is None else wish.gift
        return _comes_to_nothing(world, order, name, why, DigitalOutcome.NOT_SET_UP, now)
    try:
        if wish.mode is FallbackMode.OFFER:
            until = now + timedelta(minutes=wish.offer_minutes)
            after = offered(world, order, gift, why, until, passed, now)
        else:
            after = given(world, order, gift, why, passed, now)
    except Forgotten:  # to whom nothing more is given
        return _comes_to_nothing(world, order, gift.reference, why, DigitalOutcome.LAPSED, now)
    if after is None:
        return _comes_to_nothing(world, order, gift.reference, why, DigitalOutcome.SOLD_OUT, now)
    return after


def _let_go(world: World, order: Order, passed: Pass, now: datetime) -> Order:
    """Give what is wanted once the courier has let go; where it would not, or has the parcel, that goes on its way."""
    live = [booking for leg in order.legs for booking in leg.bookings if booking.is_live]
    if live and all(booking.can_be_ended for booking in live):
        return order  # it has not answered yet
    if live or order.state not in IN_NO_HANDS:
        return put_back(world, order, passed, DigitalOutcome.LAPSED, now)
    assert order.digital is not None
    digital = order.digital.model_copy(update={"outcome": DigitalOutcome.GIVEN, "at": now})
    after, piece = moved_by(order, digital), hand_out.evidence(order, digital)
    try:
        hand_out.confirm(world, facts.keep_order(after), next_of(passed, PassState.GIVEN, now), piece)
    except Forgotten:
        return put_back(world, order, passed, DigitalOutcome.LAPSED, now)
    return noted(world, after)


def _is_void(order: Order, passed: Pass, now: datetime) -> bool:
    """True when no answer to that offer counts any more."""
    if passed.offered_until is None or passed.offered_until <= now:
        return True
    return order.state in ENDED and order.state is not OrderState.STRANDED


def giveable(world: World, brand_id: str, reference: str, now: datetime) -> DigitalGift | None:
    """That gift, while it can be given."""
    try:
        gift = stock.gift_of(world, brand_id, reference)
    except Missing:
        return None
    return gift if now < gift.ends_at else None


# --- steps --------------------------------------------------------------------------------------------------------


def offered(
    world: World,
    order: Order,
    gift: DigitalGift,
    why: WhyDigital,
    until: datetime,
    before: Pass | None,
    now: datetime,
    more: Sequence[Change] = (),
) -> Order | None:
    """The order with an offer out, for which one is kept. None: there is none left, and nothing was written. `more`:
    what is written with it."""
    until = min(until, gift.ends_at)
    digital = Digital(gift=gift.reference, why=why, outcome=DigitalOutcome.OFFERED, at=now, until=until)
    passed = hand_out.passed_of(gift, order, PassState.OFFERED, now, until, before)
    return _taken(world, order, gift, passed, digital, more)


def wanted(
    world: World, order: Order, gift: DigitalGift, why: WhyDigital, before: Pass | None, now: datetime
) -> Order | None:
    """The order with one kept for it, and its courier asked to let go. None as above."""
    digital = Digital(gift=gift.reference, why=why, outcome=DigitalOutcome.WANTED, at=now)
    passed = hand_out.passed_of(gift, order, PassState.OFFERED, now, None, before)
    return _taken(world, order, gift, passed, digital)


def given(
    world: World,
    order: Order,
    gift: DigitalGift,
    why: WhyDigital,
    before: Pass | None,
    now: datetime,
    more: Sequence[Change] = (),
) -> Order | None:
    """The order with the gift given. A place that it had is given back by the same write. None and `more` as above."""
    digital = Digital(gift=gift.reference, why=why, outcome=DigitalOutcome.GIVEN, at=now)
    passed = hand_out.passed_of(gift, order, PassState.GIVEN, now, None, before)
    return _taken(world, order, gift, passed, digital, more)


def _taken(
    world: World,
    order: Order,
    gift: DigitalGift,
    passed: Pass,
    digital: Digital,
    more: Sequence[Change] = (),
) -> Order | None:
    after, freed = moved_by(order, digital), _freed(order) if digital.is_given else []
    piece = hand_out.evidence(order, digital)
    if hand_out.take(world, gift, facts.keep_order(after), passed, piece, [*freed, *more]) is None:
        return None
    return noted(world, after)


def _freed(order: Order) -> list[Change]:
    """The place, and what was taken with it, of an order that was given one."""
    if order.state is not OrderState.ASSIGNED or order.leg.assignment is None:
        return []
    from chalicelib.flows import check  # here: of those who answer few have a place

    return [*check.give_back(order, order.leg.assignment.slot_id)]


def _comes_to_nothing(
    world: World, order: Order, name: str | None, why: WhyDigital, outcome: DigitalOutcome, now: datetime
) -> Order:
    digital = Digital(gift=name, why=why, outcome=outcome, at=now)
    after = moved_by(order, digital)
    piece = hand_out.evidence(order, digital)
    if hand_out.write(world, {"order": facts.keep_order(after), "evidence": facts.keep_evidence(piece)}):
        raise Lost([0])
    return noted(world, after)


def put_back(world: World, order: Order, passed: Pass, outcome: DigitalOutcome, now: datetime) -> Order:
    """The offer is over, and what was kept for it is free again."""
    why = order.digital.why if order.digital is not None else WhyDigital.ASKED
    digital = Digital(gift=passed.gift, why=why, outcome=outcome, at=now)
    after, piece = moved_by(order, digital), hand_out.evidence(order, digital)
    over = next_of(passed, PassState.RELEASED, now)
    hand_out.release(world, facts.keep_order(after), over, piece)
    return noted(world, after)


def moved_by(order: Order, digital: Digital) -> Order:
    """The order after that; without the place that it had, where the gift is given, and with its courier asked to let
    go, where it is wanted."""
    changes: dict[str, Any] = {"digital": digital, "evidence_count": order.evidence_count + 1}
    live = order.leg.live_booking
    if digital.outcome is DigitalOutcome.WANTED and live is not None and not live.cancel_reason:
        leg = order.leg.with_booking(live.asked_to_let_go(REASON, digital.at))
        changes["legs"] = replace_leg(order.legs, leg)
    elif digital.is_given and order.state is OrderState.ASSIGNED:
        changes["legs"] = replace_leg(order.legs, order.leg.model_copy(update={"assignment": None}))
    return moved(order, digital.at, ABOUT.get(digital.outcome), **changes)


def next_of(passed: Pass, state: PassState, now: datetime) -> Pass:
    return passed.model_copy(
        update={"state": state, "at": now, "offered_until": None, "version": passed.version + 1}
    )


def noted(world: World, after: Order) -> Order:
    """The order that was written, on record."""
    assert after.digital is not None
    world.log(
        "stood_in",
        order=after.order_id,
        market=after.market_id,
        why=after.digital.why.value,
        result=after.digital.outcome.value,
    )
    facts.note_step(world.log, after)
    return after
