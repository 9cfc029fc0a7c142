"""Answer an offer of a gift that needs no courier, or ask for one: the client's word, or its brand's.

An answer counts while the offer stands and the parcel waits. It comes twice, late, or when a courier has the parcel:
twice is the same, the others say what has happened meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain import facts, pass_rows
from chalicelib.domain.errors import Clashing, Fault, Invalid, Lost, Stale
from chalicelib.domain.instead import Digital, DigitalOutcome, WhyDigital
from chalicelib.domain.orders import CAN_BE_DIGITAL, IN_NO_HANDS, Order
from chalicelib.domain.pass_answers import DigitalAction, DigitalStep
from chalicelib.domain.passes import Pass, PassState
from chalicelib.domain.ports import Change, Topic, World
from chalicelib.flows import hand_out, look, stand_in

TRIES = 3


def act(world: World, brand_id: str | None, order_id: str, wish: DigitalAction, version: int | None) -> Order:
    """The order after that; `brand_id` None: an operator asks, for whomever. `version` None: the client speaks, who
    has read none.

    The same again is the same answer. Raises `Stale` when the order has moved since it was read, `Clashing` where it
    is not possible any more, `Invalid` for a gift that cannot be given.
    """
    for _ in range(TRIES):
        order = look.order_for(world, brand_id, order_id)
        row = world.table.get(pass_rows.pass_key(order_id))
        passed = None if row is None else pass_rows.pass_of_row(row)
        if _is_done(order, wish):
            return _nudged(world, order)
        if version is not None and order.version != version:
            raise Stale(f'the order is at "v{order.version}", If-Match named "v{version}"')
        now = world.clock()
        try:
            after = _done(world, order, passed, wish, now)
        except Lost:
            if version is not None:
                raise Stale("the order moved meanwhile; read it again") from None
            continue
        return _nudged(world, after)
    raise Lost([0])


def _nudged(world: World, order: Order) -> Order:
    """Told; and where it is given, a place may have come free."""
    if order.wants_digital:
        world.queues.nudge(Topic.BOOK, [order.order_id])
    if order.is_digital:
        world.queues.nudge(Topic.DISPATCH, [order.market_id])
    world.queues.nudge(Topic.TELL, [order.order_id])
    return order


def accept(world: World, order_id: str) -> Order:
    """The client would have it: what a button or a page calls."""
    return act(world, None, order_id, DigitalAction(action=DigitalStep.ACCEPT), None)


def decline(world: World, order_id: str) -> Order:
    """The client would not."""
    return act(world, None, order_id, DigitalAction(action=DigitalStep.DECLINE), None)


def _is_done(order: Order, wish: DigitalAction) -> bool:
    """True when that is what has come of it."""
    digital = order.digital
    if digital is None:
        return False
    if wish.action is DigitalStep.DECLINE:
        return digital.outcome is DigitalOutcome.DECLINED
    if wish.gift is not None and wish.gift != digital.gift:
        return False
    if wish.action is DigitalStep.OFFER:
        return digital.outcome is DigitalOutcome.OFFERED
    return digital.is_given or (wish.action is DigitalStep.SEND and order.wants_digital)


def _done(world: World, order: Order, passed: Pass | None, wish: DigitalAction, now: datetime) -> Order:
    if order.wants_digital:
        raise Clashing("the courier is asked to let go of the parcel, and has not answered")
    if order.is_digital:
        raise Clashing("the client has a gift that needs no courier: withdraw its pass first")
    if wish.action is DigitalStep.ACCEPT:
        return _accepted(world, order, passed, now)
    if wish.action is DigitalStep.DECLINE:
        return _declined(world, order, passed, now)
    return _asked(world, order, passed, wish, now)


def _accepted(world: World, order: Order, passed: Pass | None, now: datetime) -> Order:
    held = _offer_of(order, passed, now)
    if order.state not in IN_NO_HANDS or _has_courier(order):
        raise Clashing(f"a courier was found meanwhile, the order is {order.state.value}: the offer is over")
    assert order.digital is not None
    digital = order.digital.model_copy(update={"outcome": DigitalOutcome.GIVEN, "at": now, "until": None})
    after, piece = stand_in.moved_by(order, digital), hand_out.evidence(order, digital)
    given = stand_in.next_of(held, PassState.GIVEN, now)
    hand_out.confirm(world, facts.keep_order(after), given, piece)
    return stand_in.noted(world, after)


def _declined(world: World, order: Order, passed: Pass | None, now: datetime) -> Order:
    return stand_in.put_back(world, order, _offer_of(order, passed, now), DigitalOutcome.DECLINED, now)


def _offer_of(order: Order, passed: Pass | None, now: datetime) -> Pass:
    """What is kept for the answer. Raises `Clashing` where no answer is waited for."""
    digital = order.digital
    if digital is None:
        raise Clashing("nothing was offered in the place of this gift")
    if (
        passed is None
        or passed.state is not PassState.OFFERED
        or digital.outcome is not DigitalOutcome.OFFERED
    ):
        raise Clashing(f"the offer is over: {digital.outcome.value} since {digital.at.isoformat()}")
    if not digital.is_open(now):
        until = "" if digital.until is None else f" since {digital.until.isoformat()}"
        raise Clashing(f"the offer is over{until}")
    return passed


def _may_let_go(order: Order) -> bool:
    """True while a courier has the job and has not set out: it is asked, and may refuse."""
    live = order.leg.live_booking
    alone = sum(booking.is_live for leg in order.legs for booking in leg.bookings) == 1
    is_plain = order.leg.taken_to is None and order.together is None and order.wish is None
    return live is not None and alone and live.can_be_ended and is_plain


def _has_courier(order: Order) -> bool:
    return any(booking.is_live for leg in order.legs for booking in leg.bookings)


def _asked(world: World, order: Order, passed: Pass | None, wish: DigitalAction, now: datetime) -> Order:
    """The brand sends one in its place, or has the client asked."""
    if order.cancel_asked_at is not None:
        raise Clashing("an order whose end was asked for needs no gift in its place")
    can_be = CAN_BE_DIGITAL if wish.action is DigitalStep.SEND else IN_NO_HANDS
    lets_go = wish.action is DigitalStep.SEND and _may_let_go(order)
    if lets_go:
        pass
    elif order.state not in can_be or _has_courier(order):
        detail = (
            f"a courier has it or is sent for it, the order is {order.state.value}: have that ended first"
        )
        raise Clashing(detail if _has_courier(order) else f"not for an order that is {order.state.value}")
    told = stand_in.wish_of(world, order.brand_id)
    name = wish.gift or (None if told is None else told.gift)
    gift = None if name is None else stand_in.giveable(world, order.brand_id, name, now)
    if gift is None:
        detail = "a digital gift of yours was expected that is not over, and the programme names none"
        raise Invalid(f"/gift: {detail}", [Fault("/gift", detail, name)])
    if passed is not None and passed.state is PassState.OFFERED:
        if wish.action is DigitalStep.SEND and passed.gift == gift.reference and order.digital is not None:
            return (_wanted_as_offered if lets_go else _sent_as_offered)(world, order, passed, now)
        raise Clashing(
            f"{passed.gift!r} is offered; the client's answer, or the end of the offer, comes first"
        )
    books = _entered(world, order)
    if wish.action is DigitalStep.OFFER:
        minutes = 24 * 60 if told is None else told.offer_minutes
        until = now + timedelta(minutes=minutes)
        after = stand_in.offered(world, order, gift, WhyDigital.ASKED, until, passed, now, books)
    elif lets_go:
        after = stand_in.wanted(world, order, gift, WhyDigital.ASKED, passed, now)
    else:
        after = stand_in.given(world, order, gift, WhyDigital.ASKED, passed, now, books)
    if after is None:
        raise Clashing(f"none of {gift.reference!r} is left")
    return after


def _entered(world: World, order: Order) -> list[Change]:
    """What enters an order in its client's books again that may count no more, for it had come to nothing. Raises
    `Clashing` for a cap that is reached without it."""
    from chalicelib.flows import cap  # here: of those who answer few have ended

    return cap.moved_to(world, order, order.window) if order.state in cap.CAME_TO_NOTHING else []


def _sent_as_offered(world: World, order: Order, passed: Pass, now: datetime) -> Order:
    """Without waiting for the answer: what was kept for it is given."""
    digital = Digital(gift=passed.gift, why=WhyDigital.ASKED, outcome=DigitalOutcome.GIVEN, at=now)
    after, piece = stand_in.moved_by(order, digital), hand_out.evidence(order, digital)
    hand_out.confirm(world, facts.keep_order(after), stand_in.next_of(passed, PassState.GIVEN, now), piece)
    return stand_in.noted(world, after)


def _wanted_as_offered(world: World, order: Order, passed: Pass, now: datetime) -> Order:
    """The same where a courier was found meanwhile: what was kept for the answer is kept until it has let go."""
    digital = Digital(gift=passed.gift, why=WhyDigital.ASKED, outcome=DigitalOutcome.WANTED, at=now)
    after, piece = stand_in.moved_by(order, digital), hand_out.evidence(order, digital)
    changes: dict[str, Change] = {
        "order": facts.keep_order(after),
        "pass": pass_rows.keep_pass(stand_in.next_of(passed, PassState.OFFERED, now)),
        "evidence": facts.keep_evidence(piece),
    }
    if hand_out.write(world, changes):
        raise Lost([0])
    return stand_in.noted(world, after)
