"""The manifest of a visit: what went out, what was sold, what came back; and reminders of what nobody accounts for.

Whoever hands the pieces to the team, and takes them back, says so piece by piece. A reminder is a step in the order's
history within the state it is in, so its brand is told of it as of every state; what is owed is read off the manifest.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain import facts
from chalicelib.domain.acts import BRAND, Actor, Deed, kept_act
from chalicelib.domain.appointments import Appointment, Piece, PieceState, Word
from chalicelib.domain.due import due_at, is_over
from chalicelib.domain.errors import Clashing, Fault, Invalid, Lost
from chalicelib.domain.orders import Moved, Order
from chalicelib.domain.ports import World
from chalicelib.domain.steps import moved
from chalicelib.flows import look

MISSING = "manifest_open"
"""What a reminder is about."""
TRIES = 5


def record(
    world: World, brand_id: str | None, order_id: str, words: Sequence[Word], by: Actor = BRAND
) -> Order:
    """All of it on the manifest, or nothing; `brand_id` None: an operator counts. The same again changes nothing. Of a
    visit to a client it is an act, `by` whoever counts.

    Raises `Invalid` for a piece that is not on it, `Clashing` for an order that is no visit, and for a step that a
    piece cannot take.
    """
    for _ in range(TRIES):
        order = look.order_for(world, brand_id, order_id)
        visit = order.appointment
        if visit is None:
            raise Clashing("only a visit by appointment has a manifest, this order brings a gift")
        _refuse(order, visit, words)
        after = visit.recorded(((word.serial, word.state) for word in words), world.clock())
        if after == visit:
            return order
        now = world.clock()
        changed = moved(order, now, appointment=after)
        token = f"{order_id}.{changed.version}"
        more = kept_act(order.client_id, now, by, Deed.PIECES_COUNTED, order_id, token)
        try:
            world.table.write(facts.keep_order(changed), *more)
        except Lost:
            continue  # the courier was heard meanwhile, or another has counted
        facts.note_step(world.log, changed)
        world.log("manifest_recorded", order=order_id, count=len(words))
        return changed
    raise Lost([0])


def _refuse(order: Order, visit: Appointment, words: Sequence[Word]) -> None:
    known = {piece.serial: piece for piece in visit.known(has_left=order.has_left)}
    faults, said = [], set()
    for number, word in enumerate(words):
        pointer = f"/pieces/{number}/serial"
        if word.serial not in known:
            faults.append(Fault(pointer, "a serial number of the manifest was expected"))
        elif word.serial in said:
            faults.append(Fault(pointer, "each piece once was expected"))
        said.add(word.serial)
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    for number, word in enumerate(words):
        why = _why_not(known[word.serial], word.state, is_ended=is_over(order))
        if why:
            raise Clashing(f"/pieces/{number} cannot be {word.state.value}: {why}")


def _why_not(piece: Piece, state: PieceState, *, is_ended: bool) -> str:
    if piece.state is state or state is PieceState.BACK:
        return ""
    if state is PieceState.SOLD:
        return "" if piece.state is PieceState.OUT else "only what is out is sold"
    if piece.state is PieceState.SOLD:
        return "it was sold"
    return "the visit is over" if is_ended else ""


def remind(world: World, order: Order) -> Order:
    """The order, with a reminder in its history if one is due, for whoever is about to tell what is owed."""
    now, due = world.clock(), due_at(order)
    visit = order.appointment
    if visit is None or not order.is_on_loan or not is_over(order) or due is None or due > now:
        return order
    history = (*order.history, Moved(state=order.state, at=now, about=MISSING))
    counted = visit.model_copy(update={"nags": visit.nags + 1})
    after = moved(order, now, appointment=counted, history=history, told=False)
    try:
        world.table.write(facts.keep_order(after))
    except Lost:
        return order  # it has moved: whoever moved it nudges, and the sweep finds what is still owed
    missing = visit.on_loan(has_left=order.has_left)
    world.log("manifest_open", order=order.order_id, market=order.market_id, count=len(missing))
    return after  # untold: whoever stops here owes it, and the sweep finds it
